//! Who gets a slot, and who makes room for it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A connection that ends when it is closed to make room.
struct Client {
    slot: Option<Slot>,
    permit: Arc<Mutex<Option<Permit>>>,
    closed: Arc<AtomicBool>,
}

impl Client {
    fn is_in(&self) -> bool {
        self.slot.is_some()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("let in")
    }

    /// A request that is answered, by a user or not.
    fn ask(&self, signed_in: bool) {
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

fn come(admission: &Admission, address: &str) -> Client {
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

fn enters(admission: &Admission, address: &str) -> bool {
    come(admission, address).is_in()
}

#[test]
fn two_strangers_that_hold_every_slot_lose_some_to_a_third() {
    let admission = admission(128, 64);
    let held: Vec<_> = (0..256).map(|at| come(&admission, ["10.0.0.1", "10.0.0.2"][at % 2])).collect();
    held.iter().filter(|client| client.is_in()).for_each(|client| client.ask(false));
    let third = come(&admission, "10.0.0.3");
    third.ask(true);
    // As many again, and the third stays; more of its own find a slot, too.
    for at in 0..40 {
        let _gone = come(&admission, ["10.0.0.1", "10.0.0.2"][at % 2]);
    }
    let more: Vec<_> = (0..20).map(|_| come(&admission, "10.0.0.3")).collect();
    assert!(more.iter().all(|client| client.is_in() && !client.is_closed()));
    assert!(!third.is_closed());
}

#[test]
fn a_newcomer_is_admitted_past_busy_strangers() {
    let admission = admission(128, 64);
    let held: Vec<_> = (0..200).map(|at| come(&admission, &format!("10.0.1.{at}"))).collect();
    held.iter().filter(|client| client.is_in()).for_each(|client| client.ask(false));
    let user = come(&admission, "10.0.2.1");
    user.slot().set_stage(Stage::Request);
    for at in 0..20 {
        come(&admission, &format!("10.0.3.{at}"));
    }
    assert!(!user.is_closed(), "idle ones make room before a request that is being answered");
    user.slot().mark_signed_in();
    assert!(enters(&admission, "10.0.2.1"));
}

#[test]
fn a_users_connection_never_makes_room() {
    let admission = admission(4, 4);
    let users = [0, 1, 2, 3].map(|at| {
        let user = come(&admission, &format!("10.0.0.{at}"));
        user.ask(true);
        user
    });
    assert!(!enters(&admission, "10.0.9.9") && !enters(&admission, "10.0.0.1"));
    assert!(users.iter().all(|user| !user.is_closed()));
    assert_eq!(admission.counts().refused_total, 2);
    users[0].ask(false);
    assert!(enters(&admission, "10.0.9.9"), "by its last request it is a stranger's");
    assert!(users[0].is_closed());
}

#[test]
fn at_its_own_cap_an_address_makes_room_among_its_strangers() {
    let admission = admission(128, 4);
    let user = come(&admission, "10.0.0.1");
    user.ask(true);
    let strangers: Vec<_> = (0..3).map(|_| come(&admission, "10.0.0.1")).collect();
    let elsewhere = come(&admission, "10.0.0.2");
    let second = come(&admission, "10.0.0.1");
    second.ask(true);
    assert!(!user.is_closed() && !second.is_closed() && !elsewhere.is_closed());
    assert_eq!(strangers.iter().filter(|client| client.is_closed()).count(), 1);
}

#[test]
fn at_its_own_cap_an_address_full_of_users_is_refused() {
    let admission = admission(128, 2);
    let users = [come(&admission, "10.0.0.1"), come(&admission, "10.0.0.1")];
    users.iter().for_each(|user| user.ask(true));
    assert!(!enters(&admission, "10.0.0.1") && enters(&admission, "10.0.0.2"));
    assert_eq!(admission.counts().refused_address, 1);
}

#[test]
fn slots_are_reserved_for_known_addresses() {
    let admission = admission(16, 16);
    come(&admission, "10.0.0.1").ask(true);
    let strangers: Vec<_> = (0..8).map(|at| come(&admission, &format!("10.0.2.{at}"))).collect();
    let known: Vec<_> = (0..8).map(|_| come(&admission, "10.0.0.1")).collect();
    assert!(known.iter().chain(&strangers).all(|client| client.is_in() && !client.is_closed()));
    let _ninth = come(&admission, "10.0.3.1");
    assert!(known.iter().all(|client| !client.is_closed()), "strangers make room for strangers");
}

#[test]
fn slow_ones_go_before_idle_ones_and_those_before_busy_ones() {
    let admission = admission(128, 4);
    let clients: Vec<_> = (0..4).map(|_| come(&admission, "10.0.0.1")).collect();
    clients[0].slot().set_stage(Stage::Request);
    clients[2].ask(false);
    clients[3].ask(false);
    let number = clients[1].slot().number;
    lock(&admission.slots).open.get_mut(&number).unwrap().since -= GRACE * 2;
    let (mut order, mut newcomers) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        // The newcomer is busy at once, and so comes last.
        let newcomer = come(&admission, "10.0.0.1");
        newcomer.slot().set_stage(Stage::Request);
        order.extend((0..4).filter(|at| clients[*at].is_closed() && !order.contains(at)).collect::<Vec<_>>());
        newcomers.push(newcomer);
    }
    assert_eq!(order, [1, 2, 3, 0]);
}

#[test]
fn closed_connections_that_do_not_end_are_bounded() {
    let admission = admission(128, 128);
    let close: Close = Arc::new(|| {});
    let address = "10.0.0.1".parse().unwrap();
    let held: Vec<_> = (0..1000).filter_map(|_| admission.admit(address, Arc::clone(&close)).ok()).collect();
    assert!(held.len() <= 128 + Limits::leaving(128) as usize, "{}", held.len());
    drop(held);
    assert_eq!(admission.connections(), 0);
    assert!(enters(&admission, "10.0.0.1"));
}

#[test]
fn an_ipv6_network_is_one_client_and_mapped_ipv4_is_ipv4() {
    let admission = admission(99, 1);
    let held = [come(&admission, "2001:db8::1"), come(&admission, "::ffff:10.0.0.1")];
    held.iter().for_each(|client| client.ask(true));
    assert!(!enters(&admission, "2001:db8::2") && !enters(&admission, "10.0.0.1"));
    assert!(enters(&admission, "2001:db8:0:1::2"));
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
    assert!(!slots.is_known(last, start + KNOWN_FOR * 2));
}
