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
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn of(name: &str) -> Digest {
        Digest::of(name)
    }

    fn network(number: u32) -> Network {
        Network::of(IpAddr::V4(number.into()))
    }

    #[test]
    fn an_address_waits_twice_as_long_after_each_failure() {
        let (mut throttle, mut now) = (Throttle::new(), Instant::now());
        let mut waits = Vec::new();
        for attempt in 0..20 {
            // Another name each time: the address alone is to blame.
            throttle.failed(network(1), of(&attempt.to_string()), now);
            let wait = throttle.wait(network(1), of("eve"), now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits[19], LONGEST_FOR_ADDRESS.as_secs());
        assert_eq!(throttle.wait(network(2), of("eve"), now), None, "another address");
    }

    #[test]
    fn guesses_from_many_addresses_do_not_lock_the_owner_out() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.succeeded(network(7), of("eve"), now);
        (100..200).for_each(|number| throttle.failed(network(number), of("eve"), now));
        assert_eq!(throttle.wait(network(1), of("eve"), now), Some(LONGEST_FOR_ACCOUNT));
        assert_eq!(throttle.wait(network(1), of("adam"), now), None);
        assert_eq!(throttle.wait(network(7), of("eve"), now), None);
        throttle.succeeded(network(8), of("eve"), now);
        assert_eq!(throttle.wait(network(1), of("eve"), now), None, "a right password clears the account");
    }

    #[test]
    fn a_right_password_does_not_clear_the_address() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        throttle.succeeded(network(1), of("mallory"), now);
        assert!(throttle.wait(network(1), of("eve"), now).is_some());
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_room_and_hides_nobody() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(0), of("eve"), now));
        for number in 1..=20_000 {
            throttle.failed(network(number), of(&format!("user{number}")), now);
        }
        assert_eq!((throttle.addresses.failures.len(), throttle.accounts.failures.len()), (KEPT, KEPT));
        assert!(throttle.wait(network(0), of("eve"), now).is_some());
    }

    #[test]
    fn failures_are_forgotten() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        let later = now + LONGEST_FOR_ADDRESS * 2;
        throttle.failed(network(1), of("eve"), later);
        assert_eq!(throttle.wait(network(1), of("eve"), later), None);
    }

    #[test]
    fn known_addresses_are_bounded() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..1000).for_each(|number| throttle.succeeded(network(number), of(&number.to_string()), now));
        assert_eq!(throttle.known.len(), KNOWN);
    }

    #[test]
    fn a_known_user_waits_for_their_own_failures_only() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.succeeded(network(1), of("eve"), now);
        (0..50).for_each(|_| throttle.failed(network(1), of("adam"), now));
        (0..50).for_each(|number| throttle.failed(network(2 + number), of("eve"), now));
        assert!(throttle.wait(network(1), of("adam"), now).is_some());
        assert_eq!(throttle.wait(network(1), of("eve"), now), None, "behind the guesser's address");
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        assert!(throttle.wait(network(1), of("eve"), now).is_some());
    }

    #[test]
    fn failed_lookups_count_as_failures_and_are_bounded() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        assert!(!throttle.may_look_up(network(1), of("eve")), "nothing is remembered of who never came in");
        throttle.succeeded(network(1), of("eve"), now);
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        let before = throttle.wait(network(1), of("eve"), now).unwrap();
        let look = |throttle: &mut Throttle| {
            let may_look_up = throttle.may_look_up(network(1), of("eve"));
            may_look_up.then(|| throttle.lookup_failed(network(1), of("eve"), now)).is_some()
        };
        assert_eq!((0..1000).filter(|_| look(&mut throttle)).count(), FAILED_LOOKUPS as usize);
        assert!(throttle.wait(network(1), of("eve"), now).unwrap() > before);
        throttle.failed(network(1), of("eve"), now + LONGEST_FOR_ADDRESS);
        assert!(throttle.may_look_up(network(1), of("eve")), "another wait");
    }

    #[test]
    fn a_refusal_counts_for_the_account_of_a_stranger() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..100).for_each(|_| throttle.refused(network(1), of("eve"), now));
        assert_eq!(throttle.wait(network(2), of("eve"), now), Some(LONGEST_FOR_ACCOUNT));
        assert_eq!(throttle.wait(network(1), of("adam"), now), None, "another user behind the same address");
        throttle.succeeded(network(7), of("adam"), now);
        (0..100).for_each(|_| throttle.refused(network(7), of("adam"), now));
        assert_eq!(throttle.wait(network(7), of("adam"), now), Some(LONGEST_AFTER_REFUSALS));
        assert_eq!(throttle.wait(network(8), of("adam"), now), None);
    }

    #[test]
    fn one_account_keeps_the_known_addresses_of_others() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.succeeded(network(0), of("eve"), now);
        (0..1000).for_each(|number| throttle.succeeded(network(number), of("mallory"), now));
        assert!(throttle.is_known(network(0), of("eve")));
        assert_eq!(throttle.known.len(), KNOWN_OF_ONE_ACCOUNT + 1);
    }

    #[test]
    fn a_wait_shrinks_as_time_passes() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..=FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        let wait = |after_ms| throttle.wait(network(1), of("eve"), now + Duration::from_millis(after_ms));
        assert_eq!(wait(0), Some(Duration::from_secs(2)));
        assert_eq!((wait(500), wait(2000)), (Some(Duration::from_millis(1500)), None));
    }

    #[test]
    fn a_right_password_clears_what_counts_for_this_user_here() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.succeeded(network(1), of("eve"), now);
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(network(1), of("eve"), now));
        assert!(throttle.wait(network(1), of("eve"), now).is_some());
        throttle.succeeded(network(1), of("eve"), now);
        assert_eq!(throttle.wait(network(1), of("eve"), now), None, "failures");
        (0..FREE_REFUSALS).for_each(|_| throttle.refused(network(1), of("eve"), now));
        assert!(throttle.wait(network(1), of("eve"), now).is_some());
        throttle.succeeded(network(1), of("eve"), now);
        assert_eq!(throttle.wait(network(1), of("eve"), now), None, "refusals");
    }

    #[test]
    fn the_known_address_that_is_unused_longest_is_forgotten() {
        let (mut throttle, start) = (Throttle::new(), Instant::now());
        let at = |seconds: u32| start + Duration::from_secs(seconds.into());
        let most = KNOWN_OF_ONE_ACCOUNT as u32;
        (0..most).for_each(|number| throttle.succeeded(network(number), of("eve"), at(number)));
        throttle.used(network(0), of("eve"), at(most));
        throttle.succeeded(network(most), of("eve"), at(most));
        let known: Vec<_> =
            (0..=most).filter(|number| throttle.is_known(network(*number), of("eve"))).collect();
        assert_eq!((known.len() as u32, known.contains(&1)), (most, false));
    }

    #[test]
    fn failures_of_strangers_are_not_counted_by_pair() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.failed(network(1), of("eve"), now);
        assert!(throttle.pairs.failures.is_empty());
    }
}
