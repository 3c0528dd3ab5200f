//! Failed logins, counted for each address and each account, and how long the next one has to
//! wait. Memory is bounded whoever comes: see [`Tally`].

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::secret::Digest;

/// Failures of one address before it has to wait; then 1 s, doubled by each further one.
const FREE_FOR_ADDRESS: u32 = 5;
const LONGEST_FOR_ADDRESS: Duration = Duration::from_secs(15 * 60);

/// Failures for one account, from wherever. The longest wait is short: it keeps the owner out, too,
/// where he comes from an address that never signed in.
const FREE_FOR_ACCOUNT: u32 = 10;
const LONGEST_FOR_ACCOUNT: Duration = Duration::from_secs(60);

/// Addresses and accounts kept in mind, each.
const KEPT: usize = 1024;

/// Addresses kept in mind from which an account signed in.
const KNOWN: usize = 256;

/// Remembered sign-ins looked up in a second for an address that has to wait. A look is no slow
/// hash: without a bound, guesses that meet a remembered sign-in would be free.
const LOOKS_A_SECOND: u32 = 100;

/// Where somebody comes from, as far as guesses go: an IPv4 address, or the 64 bits of an IPv6
/// one that tell its network, for within it a guesser has as many as he likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

/// The failures of late.
pub struct Throttle {
    addresses: Tally<Source>,
    accounts: Tally<Digest>,
    /// An account's owner at home does not wait because somebody elsewhere guesses.
    known: HashMap<(Source, Digest), Instant>,
}

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }

    /// The address that stands for it.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new() -> Self {
        Self {
            addresses: Tally::new(FREE_FOR_ADDRESS, LONGEST_FOR_ADDRESS),
            accounts: Tally::new(FREE_FOR_ACCOUNT, LONGEST_FOR_ACCOUNT),
            known: HashMap::new(),
        }
    }

    /// How long a login of `name` from `source` has to wait still; `None` when it may be checked.
    /// `now` is monotonic.
    pub fn wait(&self, source: Source, name: &str, now: Instant) -> Option<Duration> {
        let account = Digest::of(name);
        let for_account = self.accounts.wait(&account, now);
        let for_account = for_account.filter(|_| !self.known.contains_key(&(source, account)));
        self.addresses.wait(&source, now).max(for_account)
    }

    /// Whether a waiting source may be looked up among the remembered sign-ins.
    pub fn may_look(&mut self, source: Source, now: Instant) -> bool {
        self.addresses.may_look(&source, now)
    }

    /// A password was wrong, or its user unknown.
    pub fn failed(&mut self, source: Source, name: &str, now: Instant) {
        self.addresses.failed(source, now);
        self.accounts.failed(Digest::of(name), now);
    }

    /// A password was right. The address keeps its failures: whoever has an account could
    /// otherwise wipe them away between his guesses of another's.
    pub fn succeeded(&mut self, source: Source, name: &str, now: Instant) {
        let account = Digest::of(name);
        self.accounts.failures.remove(&account);
        if self.known.len() >= KNOWN
            && let Some(oldest) = self.known.iter().min_by_key(|(_, since)| **since).map(|(key, _)| *key)
        {
            self.known.remove(&oldest);
        }
        self.known.insert((source, account), now);
    }
}

/// Failures by key. When it is full, the key with the fewest and oldest failures makes room: a
/// million addresses with one guess each push out each other, not the one with a hundred.
struct Tally<K> {
    failures: HashMap<K, Failures>,
    free: u32,
    longest: Duration,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    looked: (Instant, u32),
}

impl<K: Copy + Eq + Hash> Tally<K> {
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

    fn may_look(&mut self, key: &K, now: Instant) -> bool {
        let Some(failures) = self.failures.get_mut(key) else { return true };
        let (since, count) = &mut failures.looked;
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= LOOKS_A_SECOND
    }

    fn failed(&mut self, key: K, now: Instant) {
        // Twice the longest wait: somebody who goes on when it is over goes on where he was.
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
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now, looked: (now, 0) });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Source {
        Source::of(IpAddr::V4(number.into()))
    }

    #[test]
    fn an_address_waits_twice_as_long_after_each_failure() {
        let (mut throttle, mut now) = (Throttle::new(), Instant::now());
        let mut waits = Vec::new();
        for attempt in 0..20 {
            // Another name each time: the address alone is to blame.
            throttle.failed(source(1), &attempt.to_string(), now);
            let wait = throttle.wait(source(1), "eve", now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits[19], LONGEST_FOR_ADDRESS.as_secs());
        assert_eq!(throttle.wait(source(2), "eve", now), None, "another address");
    }

    #[test]
    fn an_account_is_guarded_against_many_addresses_and_its_owner_gets_in_at_home() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.succeeded(source(7), "eve", now);
        (100..200).for_each(|number| throttle.failed(source(number), "eve", now));
        assert_eq!(throttle.wait(source(1), "eve", now), Some(LONGEST_FOR_ACCOUNT));
        assert_eq!(throttle.wait(source(1), "adam", now), None);
        assert_eq!(throttle.wait(source(7), "eve", now), None);
        throttle.succeeded(source(8), "eve", now);
        assert_eq!(throttle.wait(source(1), "eve", now), None, "a right password clears the account");
    }

    #[test]
    fn a_right_password_does_not_clear_the_address() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(source(1), "eve", now));
        throttle.succeeded(source(1), "mallory", now);
        assert!(throttle.wait(source(1), "eve", now).is_some());
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_room_and_hides_nobody() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(source(0), "eve", now));
        for number in 1..=20_000 {
            throttle.failed(source(number), &format!("user{number}"), now);
        }
        assert_eq!((throttle.addresses.failures.len(), throttle.accounts.failures.len()), (KEPT, KEPT));
        assert!(throttle.wait(source(0), "eve", now).is_some());
    }

    #[test]
    fn failures_are_forgotten() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..FREE_FOR_ADDRESS).for_each(|_| throttle.failed(source(1), "eve", now));
        let later = now + LONGEST_FOR_ADDRESS * 2;
        throttle.failed(source(1), "eve", later);
        assert_eq!(throttle.wait(source(1), "eve", later), None);
    }

    #[test]
    fn known_addresses_are_bounded() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..1000).for_each(|number| throttle.succeeded(source(number), "eve", now));
        assert_eq!(throttle.known.len(), KNOWN);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_a_mapped_address_is_its_ipv4() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn looks_of_a_waiting_address_are_bounded() {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        throttle.failed(source(1), "eve", now);
        let looks = (0..1000).filter(|_| throttle.may_look(source(1), now)).count();
        assert_eq!(looks, LOOKS_A_SECOND as usize);
        assert!(throttle.may_look(source(1), now + Duration::from_secs(1)));
    }
}
