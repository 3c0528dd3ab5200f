//! Which connections are admitted, and which are evicted for them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A connection that ends when it is evicted.
struct Client {
    slot: Option<Slot>,
    permit: Arc<Mutex<Option<Permit>>>,
    closed: Arc<AtomicBool>,
}

impl Client {
    fn is_admitted(&self) -> bool {
        self.slot.is_some()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("admitted")
    }

    /// Makes a request, signed in or not, and gets its answer.
    fn request(&self, signed_in: bool) {
        self.slot().set_stage(Stage::Request);
        if signed_in {
            self.slot().mark_signed_in();
        }
        self.slot().set_stage(Stage::Idle);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.permit.lock().unwrap().take());
    }
}

fn admission(connections: u32, connections_per_address: u32) -> Admission {
    Admission::new(&Limits { connections, connections_per_address, ..Limits::default() })
}

fn connect(admission: &Admission, address: &str) -> Client {
    let (permit, closed) = (Arc::<Mutex<Option<Permit>>>::default(), Arc::new(AtomicBool::new(false)));
    let (held, seen) = (Arc::clone(&permit), Arc::clone(&closed));
    let close: Close = Arc::new(move || {
        seen.store(true, Ordering::Relaxed);
        drop(held.lock().unwrap().take());
    });
    let admitted = admission.admit(address.parse().unwrap(), close).ok();
    let slot = admitted.as_ref().map(|permit| permit.slot().clone());
    *permit.lock().unwrap() = admitted;
    Client { slot, permit, closed }
}

fn is_admitted(admission: &Admission, address: &str) -> bool {
    connect(admission, address).is_admitted()
}

#[test]
fn two_strangers_that_hold_every_slot_lose_some_to_a_third() {
    let admission = admission(128, 64);
    let held: Vec<_> = (0..256).map(|at| connect(&admission, ["10.0.0.1", "10.0.0.2"][at % 2])).collect();
    held.iter().filter(|client| client.is_admitted()).for_each(|client| client.request(false));
    let third = connect(&admission, "10.0.0.3");
    third.request(true);
    // More strangers come, and the third stays; more of its own connections are admitted.
    for at in 0..40 {
        let _gone = connect(&admission, ["10.0.0.1", "10.0.0.2"][at % 2]);
    }
    let more: Vec<_> = (0..20).map(|_| connect(&admission, "10.0.0.3")).collect();
    assert!(more.iter().all(|client| client.is_admitted() && !client.is_closed()));
    assert!(!third.is_closed());
}

#[test]
fn a_newcomer_is_admitted_past_busy_strangers() {
    let admission = admission(128, 64);
    let held: Vec<_> = (0..200).map(|at| connect(&admission, &format!("10.0.1.{at}"))).collect();
    held.iter().filter(|client| client.is_admitted()).for_each(|client| client.request(false));
    let user = connect(&admission, "10.0.2.1");
    user.slot().set_stage(Stage::Request);
    for at in 0..20 {
        connect(&admission, &format!("10.0.3.{at}"));
    }
    assert!(!user.is_closed(), "idle ones are evicted before one whose request is being answered");
    user.slot().mark_signed_in();
    assert!(is_admitted(&admission, "10.0.2.1"));
}

#[test]
fn a_users_connection_never_makes_room() {
    let admission = admission(4, 4);
    let users = [0, 1, 2, 3].map(|at| {
        let user = connect(&admission, &format!("10.0.0.{at}"));
        user.request(true);
        user
    });
    assert!(!is_admitted(&admission, "10.0.9.9") && !is_admitted(&admission, "10.0.0.1"));
    assert!(users.iter().all(|user| !user.is_closed()));
    assert_eq!(admission.counts().refused_total, 2);
    users[0].request(false);
    assert!(is_admitted(&admission, "10.0.9.9"), "its last request made it a stranger's");
    assert!(users[0].is_closed());
}

#[test]
fn at_its_own_cap_an_address_makes_room_among_its_strangers() {
    let admission = admission(128, 4);
    let user = connect(&admission, "10.0.0.1");
    user.request(true);
    let strangers: Vec<_> = (0..3).map(|_| connect(&admission, "10.0.0.1")).collect();
    let elsewhere = connect(&admission, "10.0.0.2");
    let second = connect(&admission, "10.0.0.1");
    second.request(true);
    assert!(!user.is_closed() && !second.is_closed() && !elsewhere.is_closed());
    assert_eq!(strangers.iter().filter(|client| client.is_closed()).count(), 1);
}

#[test]
fn at_its_own_cap_an_address_full_of_users_is_refused() {
    let admission = admission(128, 2);
    let users = [connect(&admission, "10.0.0.1"), connect(&admission, "10.0.0.1")];
    users.iter().for_each(|user| user.request(true));
    assert!(!is_admitted(&admission, "10.0.0.1") && is_admitted(&admission, "10.0.0.2"));
    assert_eq!(admission.counts().refused_address, 1);
}

#[test]
fn slots_are_reserved_for_known_addresses() {
    let admission = admission(16, 16);
    connect(&admission, "10.0.0.1").request(true);
    let strangers: Vec<_> = (0..8).map(|at| connect(&admission, &format!("10.0.2.{at}"))).collect();
    let known: Vec<_> = (0..8).map(|_| connect(&admission, "10.0.0.1")).collect();
    assert!(known.iter().chain(&strangers).all(|client| client.is_admitted() && !client.is_closed()));
    let _ninth = connect(&admission, "10.0.3.1");
    assert!(known.iter().all(|client| !client.is_closed()), "strangers are evicted for strangers");
}

#[test]
fn slow_ones_go_before_idle_ones_and_those_before_busy_ones() {
    let admission = admission(128, 4);
    let clients: Vec<_> = (0..4).map(|_| connect(&admission, "10.0.0.1")).collect();
    clients[0].slot().set_stage(Stage::Request);
    clients[2].request(false);
    clients[3].request(false);
    let number = clients[1].slot().number;
    lock(&admission.slots).open.get_mut(&number).unwrap().since -= GRACE * 2;
    let (mut order, mut newcomers) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        // The new connection is busy at once, and so is evicted last.
        let newcomer = connect(&admission, "10.0.0.1");
        newcomer.slot().set_stage(Stage::Request);
        order.extend((0..4).filter(|at| clients[*at].is_closed() && !order.contains(at)).collect::<Vec<_>>());
        newcomers.push(newcomer);
    }
    assert_eq!(order, [1, 2, 3, 0]);
}

#[test]
fn evicted_connections_that_do_not_end_are_bounded() {
    let admission = admission(128, 128);
    let known = "10.0.0.2";
    connect(&admission, known).request(true);
    // A connection that does not end when it is evicted.
    let connect_stubborn = |address: &str| {
        let close: Close = Arc::new(|| {});
        admission.admit(address.parse().unwrap(), close).ok()
    };
    let held: Vec<_> = (0..1000).filter_map(|_| connect_stubborn("10.0.0.1")).collect();
    // A quarter of the slots is reserved; 32 evicted ones may be ending, half of them for unknown addresses.
    assert_eq!(held.len(), 96 + 16);
    assert_eq!(held.iter().filter(|permit| permit.slot().is_evicted()).count(), 16);
    let more: Vec<_> = (0..1000).filter_map(|_| connect_stubborn(known)).collect();
    assert_eq!(more.len(), 32 + 16, "a known address may use the reserved slots and the other evictions");
    let counts = admission.counts();
    assert_eq!((counts.open, counts.accepted, counts.evicted), (160, 161, 32));
    assert_eq!((counts.refused_total, counts.refused_address), (2000 - 160, 0));
    drop((held, more));
    assert_eq!(admission.connections(), 0);
    assert!(is_admitted(&admission, "10.0.0.1"));
}

#[test]
fn the_address_with_most_connections_loses_one() {
    let admission = admission(8, 8);
    let one = connect(&admission, "10.0.0.1");
    let many: Vec<_> = (0..3).map(|_| connect(&admission, "10.0.0.2")).collect();
    [&one].into_iter().chain(&many).for_each(|client| client.request(false));
    let _newcomer = connect(&admission, "10.0.0.3");
    assert!(!one.is_closed(), "though it is the oldest");
    assert_eq!(many.iter().filter(|client| client.is_closed()).count(), 1);
}

#[test]
fn an_ipv6_network_is_one_client_and_mapped_ipv4_is_ipv4() {
    let admission = admission(99, 1);
    let held = [connect(&admission, "2001:db8::1"), connect(&admission, "::ffff:10.0.0.1")];
    held.iter().for_each(|client| client.request(true));
    assert!(!is_admitted(&admission, "2001:db8::2") && !is_admitted(&admission, "10.0.0.1"));
    assert!(is_admitted(&admission, "2001:db8:0:1::2"));
}

#[test]
fn known_addresses_are_bounded_and_forgotten_after_a_day() {
    let mut slots = Slots::default();
    let start = Instant::now();
    for at in 0..2 * MAX_KNOWN as u32 {
        slots.remember(Network::of(IpAddr::from(at.to_be_bytes())), start + Duration::from_secs(at.into()));
    }
    assert_eq!(slots.known.len(), MAX_KNOWN);
    let last = Network::of(IpAddr::from((2 * MAX_KNOWN as u32 - 1).to_be_bytes()));
    assert!(slots.is_known(last, start) && !slots.is_known(Network::of(IpAddr::from([0, 0, 0, 0])), start));
    let forgotten = start + Duration::from_secs(2 * MAX_KNOWN as u64 - 1) + KNOWN_FOR;
    assert!(slots.is_known(last, forgotten - Duration::from_nanos(1)) && !slots.is_known(last, forgotten));
}

#[test]
fn a_user_keeps_the_connection_from_one_request_to_the_next() {
    let admission = admission(1, 1);
    let user = connect(&admission, "10.0.0.1");
    user.slot().set_stage(Stage::Request);
    user.slot().mark_signed_in();
    assert!(!is_admitted(&admission, "10.0.9.9"), "during the first signed-in request");
    user.slot().set_stage(Stage::Idle);
    user.slot().set_stage(Stage::Request);
    assert!(!is_admitted(&admission, "10.0.9.9") && !user.is_closed(), "when the next request begins");
}

#[test]
fn the_longest_idle_connection_goes_first() {
    let admission = admission(128, 2);
    let [first, second] = [(); 2].map(|()| connect(&admission, "10.0.0.1"));
    [&first, &second, &first].into_iter().for_each(|client| client.request(false));
    let _newcomer = connect(&admission, "10.0.0.1");
    assert!(second.is_closed() && !first.is_closed(), "the first one was used again");
}

#[test]
fn a_half_open_connection_is_slow_after_the_grace_period() {
    let admission = admission(1, 1);
    let client = connect(&admission, "10.0.0.1");
    let slots = lock(&admission.slots);
    let entry = &slots.open[&client.slot().number];
    assert_eq!(entry.rank(entry.since + GRACE), Rank::New);
    assert_eq!(entry.rank(entry.since + GRACE + Duration::from_nanos(1)), Rank::Slow);
}

#[test]
fn an_ended_connection_counts_as_evicted() {
    let admission = admission(1, 1);
    let client = connect(&admission, "10.0.0.1");
    let slot = client.slot().clone();
    assert_eq!((admission.connections(), slot.is_evicted()), (1, false));
    drop(client);
    assert_eq!((admission.connections(), slot.is_evicted()), (0, true));
}

#[test]
fn a_quarter_is_reserved_but_eight_and_at_most_half() {
    for (connections, for_unknown) in [(128, 96), (36, 27), (32, 24), (20, 12), (10, 5), (1, 1)] {
        assert_eq!(admission(connections, 1).for_unknown, for_unknown, "of {connections}");
    }
}
