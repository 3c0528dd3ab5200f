//! Failed logins, counted for each address, each account, and each account at an address from where
//! its owner signed in before; and how long the next one has to wait. Memory is bounded however many there are:
//! see [`FailureTable`].
//!
//! IPv6 addresses count by their /64 network. Entries with the fewest failures are forgotten first: a flood of
//! addresses with one failure each displaces itself, and not the guesser with many.
//!
//! An account waits for a minute at most, so that guessing does not lock out its owner. Where it signed in
//! before, it waits for failures of its own from there only. 256 such pairs are kept, 64 for one account, and
//! restored from the sessions after a restart. A request that finds the queue full counts as a failure of the
//! account at that network, with a wait of 30 s at most; it does not count for the network, or users behind one
//! proxy would lock each other out.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::secret::Digest;
use crate::base::Network;

/// Failures of one address before it has to wait; then 1 s, doubled by each further one.
const FREE_FOR_ADDRESS: u32 = 5;
const LONGEST_FOR_ADDRESS: Duration = Duration::from_secs(15 * 60);

/// Failures for one account, from any network. The longest wait is short: it keeps the owner out, too, at a network
/// that never signed in.
const FREE_FOR_ACCOUNT: u32 = 10;
const LONGEST_FOR_ACCOUNT: Duration = Duration::from_secs(60);

/// Requests for one account from one network that found no slot in the queue. The longest wait is
/// short: they may have been right.
const FREE_REFUSALS: u32 = 5;
const LONGEST_AFTER_REFUSALS: Duration = Duration::from_secs(30);

/// Addresses and accounts kept in mind, each.
const KEPT: usize = 1024;

/// Pairs of address and account kept in mind that signed in, in all and of one account: one user
/// cannot push those of others out from many addresses.
const KNOWN: usize = 256;
const KNOWN_OF_ONE_ACCOUNT: usize = 64;

/// Wrong passwords that are looked up among the remembered sign-ins during one wait. A lookup is no slow hash: without
/// a bound, guesses that meet a remembered sign-in would be free.
const FAILED_LOOKUPS: u32 = 5;

/// The failures of late.
pub struct Throttle {
    addresses: FailureTable<Network>,
    accounts: FailureTable<Digest>,
    /// Of the pairs in `known`, which wait for nothing else: guesses elsewhere, or behind the same address at
    /// another account, do not keep the owner out.
    pairs: FailureTable<Pair>,
    refusals: FailureTable<Pair>,
    known: HashMap<Pair, Instant>,
}

/// An account, by the digest of its name, at an address.
type Pair = (Network, Digest);

impl Throttle {
    /// No login has failed yet.
    pub fn new() -> Self {
        Self {
            addresses: FailureTable::new(FREE_FOR_ADDRESS, LONGEST_FOR_ADDRESS),
            accounts: FailureTable::new(FREE_FOR_ACCOUNT, LONGEST_FOR_ACCOUNT),
            pairs: FailureTable::new(FREE_FOR_ADDRESS, LONGEST_FOR_ADDRESS),
            refusals: FailureTable::new(FREE_REFUSALS, LONGEST_AFTER_REFUSALS),
            known: HashMap::new(),
        }
    }

    /// How long a login to `account` from `network` has to wait still; `None` when it may be checked.
    /// `now` is monotonic.
    pub fn wait(&self, network: Network, account: Digest, now: Instant) -> Option<Duration> {
        let pair = (network, account);
        let for_failures = if self.is_known(network, account) {
            self.pairs.wait(&pair, now)
        } else {
            self.addresses.wait(&network, now).max(self.accounts.wait(&account, now))
        };
        for_failures.max(self.refusals.wait(&pair, now))
    }

    /// Whether the account signed in from there before.
    pub fn is_known(&self, network: Network, account: Digest) -> bool {
        self.known.contains_key(&(network, account))
    }

    /// Whether a login that has to wait may be looked up among the remembered sign-ins.
    pub fn may_look_up(&self, network: Network, account: Digest) -> bool {
        let looks = |failures: &Failures| failures.failed_lookups;
        let pair = (network, account);
        self.known.contains_key(&pair) && self.pairs.failures.get(&pair).map_or(0, looks) < FAILED_LOOKUPS
    }

    /// A login that had to wait was not among the remembered sign-ins. It counts as a failure, too.
    pub fn lookup_failed(&mut self, network: Network, account: Digest, now: Instant) {
        let pair = (network, account);
        let looks = self.pairs.failures.get(&pair).map_or(0, |failures| failures.failed_lookups);
        self.failed(network, account, now);
        if let Some(failures) = self.pairs.failures.get_mut(&pair) {
            failures.failed_lookups = looks + 1;
        }
    }

    /// A password was wrong, or its user unknown.
    pub fn failed(&mut self, network: Network, account: Digest, now: Instant) {
        self.failed_with_another(network, account, now);
        self.accounts.failed(account, now);
    }

    /// A password was wrong that another address gave at the same time: for the account it is one guess.
    pub fn failed_with_another(&mut self, network: Network, account: Digest, now: Instant) {
        self.addresses.failed(network, now);
        if self.is_known(network, account) {
            self.pairs.failed((network, account), now);
        }
    }

    /// A login found no slot in the queue. That of a stranger counts for the account like a failure,
    /// or guesses that are sent away would be free; for the address it does not, or the many users
    /// behind a proxy would lock each other out.
    pub fn refused(&mut self, network: Network, account: Digest, now: Instant) {
        self.refusals.failed((network, account), now);
        if !self.is_known(network, account) {
            self.accounts.failed(account, now);
        }
    }

    /// A password was right. The address keeps its failures: a user could
    /// otherwise wipe them away between guesses of another's password.
    pub fn succeeded(&mut self, network: Network, account: Digest, now: Instant) {
        let pair = (network, account);
        self.accounts.failures.remove(&account);
        self.pairs.failures.remove(&pair);
        self.refusals.failures.remove(&pair);
        if !self.known.contains_key(&pair) {
            let of_account = self.known.keys().filter(|(_, known)| *known == account).count();
            if of_account >= KNOWN_OF_ONE_ACCOUNT {
                self.forget_oldest(|(_, known)| *known == account);
            } else if self.known.len() >= KNOWN {
                self.forget_oldest(|_| true);
            }
        }
        self.known.insert(pair, now);
    }

    /// A remembered sign-in was used.
    pub fn used(&mut self, network: Network, account: Digest, now: Instant) {
        if let Some(since) = self.known.get_mut(&(network, account)) {
            *since = now;
        }
    }

    fn forget_oldest(&mut self, among: impl Fn(&Pair) -> bool) {
        let candidates = self.known.iter().filter(|(pair, _)| among(pair));
        if let Some(oldest) = candidates.min_by_key(|(_, since)| **since).map(|(pair, _)| *pair) {
            self.known.remove(&oldest);
        }
    }
}

/// Failures by key. When it is full, the key with the fewest and oldest failures makes room: a
/// million addresses with one guess each push out each other, not the one with a hundred.
struct FailureTable<K> {
    failures: HashMap<K, Failures>,
    free: u32,
    longest: Duration,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    /// Since a password was last checked the slow way.
    failed_lookups: u32,
}

impl<K: Copy + Eq + Hash> FailureTable<K> {
    fn new(free: u32, longest: Duration) -> Self {
        Self { failures: HashMap::new(), free, longest }
    }

    fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let failures = self.failures.get(key)?;
        let beyond = failures.count.checked_sub(self.free)?;
        let pause = Duration::from_secs(1).saturating_mul(1 << beyond.min(30)).min(self.longest);
        let left = pause.saturating_sub(now.saturating_duration_since(failures.last));
        (!left.is_zero()).then_some(left)
    }

    fn failed(&mut self, key: K, now: Instant) {
        // Twice the longest wait: a guesser who goes on when it is over finds the count as it was.
        let forget = self.longest * 2;
        let is_old = |one: &Failures| now.saturating_duration_since(one.last) >= forget;
        if self.failures.get(&key).is_some_and(is_old) {
            self.failures.remove(&key);
        }
        if self.failures.len() >= KEPT && !self.failures.contains_key(&key) {
            let least = self.failures.iter().min_by_key(|(_, one)| (!is_old(one), one.count, one.last));
            if let Some(least) = least.map(|(key, _)| *key) {
                self.failures.remove(&least);
            }
        }
        let failures =
            self.failures.entry(key).or_insert(Failures { count: 0, last: now, failed_lookups: 0 });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.failed_lookups = 0;
    }
}

#[cfg(test)]
mod tests;
