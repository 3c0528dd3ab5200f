use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};

use super::*;
use crate::base::patience::wait_until;

/// Stops the queue for a test: no request is served meanwhile.
pub struct Stopped<'a>(&'a Queue);

impl Queue {
    /// Serves no request until the guard is dropped.
    pub fn stop(&self) -> Stopped<'_> {
        let was_hashing = std::mem::replace(&mut self.lock().is_hashing, true);
        assert!(!was_hashing, "a hash runs");
        Stopped(self)
    }

    /// How many requests have a slot.
    pub fn waiting(&self) -> usize {
        self.lock().entries.len()
    }

    /// How many wait for the check of another.
    pub fn sharing(&self) -> usize {
        // One reference is the entry's and one is that of the request that has the place.
        let count = |entry: &Entry| entry.shared.as_ref().map_or(0, |shared| Arc::strong_count(shared) - 2);
        self.lock().entries.iter().map(count).sum()
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.lock().is_hashing = false;
        self.0.changed.notify_all();
    }
}

fn stranger(number: u32) -> Requester {
    let network = Network::of(IpAddr::V4(number.into()));
    Requester { network, account: Digest::of("eve"), is_known: false }
}

fn known(number: u32, account: &str) -> Requester {
    Requester { account: Digest::of(account), is_known: true, ..stranger(number) }
}

/// Queues an requester, who adds `name` to `served` when served, and waits until that is in the queue.
fn queue_up<'scope>(
    scope: &'scope Scope<'scope, '_>,
    (queue, served): (&'scope Queue, &'scope Mutex<Vec<&'static str>>),
    requester: Requester,
    name: &'static str,
) {
    let before = queue.waiting();
    scope.spawn(move || queue.alone(requester, &|| true, || lock(served).push(name)).unwrap());
    while queue.waiting() == before {
        thread::yield_now();
    }
}

fn in_order(requesters: &[(Requester, &'static str)]) -> Vec<&'static str> {
    let (queue, served) = (Queue::default(), Mutex::default());
    let stopped = queue.stop();
    thread::scope(|scope| {
        for (requester, name) in requesters {
            queue_up(scope, (&queue, &served), *requester, name);
        }
        drop(stopped);
    });
    served.into_inner().unwrap()
}

#[test]
fn one_address_cannot_fill_the_queue() {
    let queue = Queue::default();
    let take = |number| queue.take(&mut queue.lock(), stranger(number), None);
    let flood: Vec<_> = (0..100).filter_map(|_| take(1)).collect();
    assert_eq!(flood.len(), SHARE);
    let others: Vec<_> = (0..100).filter_map(|number| take(100 + number)).collect();
    assert_eq!(flood.len() + others.len(), SLOTS);
    assert_eq!(queue.alone(stranger(300), &|| true, || 7), Err(Full));
    drop((flood, others));
    assert_eq!(queue.waiting(), 0);
    assert_eq!(queue.alone(stranger(1), &|| true, || 7), Ok(7));
}

#[test]
fn a_known_user_has_a_few_slots_in_a_full_queue() {
    let queue = Queue::default();
    let take = |requester| queue.take(&mut queue.lock(), requester, None);
    let flood: Vec<_> = (0..200).filter_map(|number| take(stranger(number))).collect();
    assert_eq!(flood.len(), SLOTS);
    let own: Vec<_> = (0..100).filter_map(|_| take(known(1, "eve"))).collect();
    assert_eq!(own.len(), KNOWN_SHARE);
    assert!(take(known(1, "adam")).is_some(), "another account at the same address");
}

#[test]
fn a_known_user_is_served_before_earlier_strangers() {
    let order = [(stranger(1), "first"), (stranger(2), "second"), (known(3, "eve"), "owner")];
    assert_eq!(in_order(&order), ["owner", "first", "second"]);
}

#[test]
fn known_users_do_not_keep_strangers_out() {
    let known = |number| (known(number, "eve"), "known");
    let order = [stranger(9)].map(|stranger| (stranger, "stranger")).into_iter().chain((1..=5).map(known));
    let served = in_order(&order.collect::<Vec<_>>());
    assert_eq!(served, ["known", "known", "known", "stranger", "known", "known"]);
    // No turn is kept for a stranger that is not there.
    assert_eq!(in_order(&(1..=5).map(known).collect::<Vec<_>>()).len(), 5);
}

#[test]
fn addresses_of_strangers_take_turns() {
    let order = [
        (stranger(1), "flood 1"),
        (stranger(1), "flood 2"),
        (stranger(1), "flood 3"),
        (stranger(2), "other"),
    ];
    assert_eq!(in_order(&order), ["flood 1", "other", "flood 2", "flood 3"]);
}

#[test]
fn requests_of_one_key_share_a_check_and_take_no_slot() {
    let queue = Queue::default();
    let stopped = queue.stop();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let ask =
            |number| queue.check(stranger(number), Some([1; 32]), &|| true, || ((), Some(true))).unwrap();
        let mut asked = vec![scope.spawn(move || ask(1))];
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        asked.extend((0..2 * SLOTS).map(|_| scope.spawn(move || ask(1))));
        asked.push(scope.spawn(move || ask(2)));
        while queue.sharing() < 2 * SLOTS + 1 {
            thread::yield_now();
        }
        assert_eq!(queue.waiting(), 1);
        drop(stopped);
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let firsts = |outcome: &&Outcome<()>| {
        **outcome == Outcome::Shared { is_right: Some(true), is_first_of_network: true }
    };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Own(())).count(), 1);
    assert_eq!(outcomes.iter().filter(firsts).count(), 1, "the other address, once");
}

#[test]
fn a_check_that_panics_leaves_no_request_waiting() {
    let queue = Queue::default();
    let stopped = queue.stop();
    thread::scope(|scope| {
        let queue = &queue;
        let check =
            move |check: fn() -> ((), Option<bool>)| queue.check(stranger(1), Some([1; 32]), &|| true, check);
        let first = scope.spawn(move || check(|| panic!("meant to be")));
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        let second = scope.spawn(move || check(|| ((), Some(true))));
        while queue.sharing() == 0 {
            thread::yield_now();
        }
        drop(stopped);
        assert!(first.join().is_err());
        let not_found_out = Outcome::Shared { is_right: None, is_first_of_network: false };
        assert_eq!(second.join().unwrap(), Ok(not_found_out));
    });
    assert_eq!(queue.alone(stranger(1), &|| true, || 7), Ok(7));
}

#[test]
fn a_request_that_is_not_wanted_leaves_the_queue() {
    let queue = Queue::default();
    let (of_others, of_holder) = (AtomicBool::new(true), AtomicBool::new(true));
    // Nothing is served meanwhile.
    let stopped = queue.stop();
    thread::scope(|scope| {
        let (queue, of_others, of_holder) = (&queue, &of_others, &of_holder);
        let ask = move |number, is_wanted: &AtomicBool| {
            let is_wanted = || is_wanted.load(Ordering::Relaxed);
            queue.check(stranger(number), Some([1; 32]), &is_wanted, || ((), Some(true)))
        };
        let alone =
            scope.spawn(move || queue.alone(known(9, "eve"), &|| of_others.load(Ordering::Relaxed), || ()));
        let holder = scope.spawn(move || ask(1, of_holder));
        wait_until(|| queue.waiting() == 2);
        let sharers = [1, 2].map(|number| scope.spawn(move || ask(number, of_others)));
        let other = scope.spawn(move || ask(3, &AtomicBool::new(true)));
        wait_until(|| queue.sharing() == 3);
        of_others.store(false, Ordering::Relaxed);
        assert_eq!(alone.join().unwrap(), Err(Full));
        assert_eq!(sharers.map(|one| one.join().unwrap().err()), [Some(Full), Some(Full)]);
        assert_eq!((queue.waiting(), queue.sharing()), (1, 1));
        of_holder.store(false, Ordering::Relaxed);
        assert_eq!(holder.join().unwrap(), Err(Full));
        // Asks anew: the check did not begin.
        let not_found_out = Outcome::Shared { is_right: None, is_first_of_network: true };
        assert_eq!(other.join().unwrap(), Ok(not_found_out));
        drop(stopped);
    });
    assert_eq!(queue.alone(stranger(1), &|| false, || 7), Ok(7), "without a wait it is not asked");
}

#[test]
fn the_requests_that_share_a_check_are_bounded() {
    let queue = Queue::default();
    let key = [1; 32];
    let shared = Arc::new(Shared::new(key, stranger(1).network));
    let _slot = queue.take(&mut queue.lock(), stranger(1), Some(Arc::clone(&shared))).unwrap();
    let join = || queue.lock().join(&stranger(2), &key).unwrap();
    let mut joined: Vec<_> = (0..2 * SHARING).filter_map(|_| join().ok()).collect();
    assert_eq!((joined.len(), join().err()), (SHARING, Some(Full)));
    joined.pop();
    assert!(join().is_ok());
}

#[test]
fn a_check_that_a_known_user_shares_is_served_as_one_of_theirs() {
    let queue = Queue::default();
    let (key, other) = ([1; 32], [2; 32]);
    let check = |key| Some(Arc::new(Shared::new(key, stranger(1).network)));
    let _first = queue.take(&mut queue.lock(), stranger(1), check(other)).unwrap();
    let shared = queue.take(&mut queue.lock(), stranger(2), check(key)).unwrap();
    let is_next = || queue.lock().next().map(|entry| entry.id) == Some(shared.id);
    let join = |requester| queue.lock().join(&requester, &key).unwrap().unwrap();
    let mut joined = vec![join(stranger(3))];
    assert!(!is_next(), "strangers are served as they came");
    for requester in [known(4, "eve"), known(4, "eve"), stranger(5)] {
        joined.push(join(requester));
        assert!(is_next(), "{requester:?}");
    }
}
