//! Waits of addresses, accounts and pairs, at instants of the tests' own.

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
    let known: Vec<_> = (0..=most).filter(|number| throttle.is_known(network(*number), of("eve"))).collect();
    assert_eq!((known.len() as u32, known.contains(&1)), (most, false));
}

#[test]
fn failures_of_strangers_are_not_counted_by_pair() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    throttle.failed(network(1), of("eve"), now);
    assert!(throttle.pairs.failures.is_empty());
}

#[test]
fn lookups_are_bounded_without_failures_before_them() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    throttle.succeeded(network(1), of("eve"), now);
    for _ in 0..FAILED_LOOKUPS {
        assert!(throttle.may_look_up(network(1), of("eve")));
        throttle.lookup_failed(network(1), of("eve"), now);
    }
    assert!(!throttle.may_look_up(network(1), of("eve")));
}

#[test]
fn failures_count_until_the_moment_they_are_forgotten() {
    let count_at = |later: Duration| {
        let (mut throttle, now) = (Throttle::new(), Instant::now());
        (0..3).for_each(|_| throttle.failed(network(1), of("eve"), now));
        throttle.failed(network(1), of("eve"), now + later);
        throttle.addresses.failures[&network(1)].count
    };
    let forgotten = LONGEST_FOR_ADDRESS * 2;
    assert_eq!((count_at(forgotten - Duration::from_nanos(1)), count_at(forgotten)), (4, 1));
}

#[test]
fn in_a_full_table_the_forgotten_make_room_first() {
    let (mut throttle, now) = (Throttle::new(), Instant::now());
    (0..3).for_each(|_| throttle.failed(network(0), of("eve"), now));
    let later = now + LONGEST_FOR_ADDRESS * 2;
    (1..=KEPT as u32).for_each(|number| throttle.failed(network(number), of("eve"), later));
    let counted = |number: u32| throttle.addresses.failures.contains_key(&network(number));
    assert_eq!((0..=KEPT as u32).filter(|number| !counted(*number)).collect::<Vec<_>>(), [0]);
}
