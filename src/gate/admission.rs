//! Who may be connected: the caps on connections, and who makes room when they are reached.
//!
//! A connection is a *user's* while the last request on it was signed in, else a *stranger's*.
//! Users' connections are never closed to make room. A share of the slots is kept for users and
//! for addresses that somebody signed in from lately (*known* addresses). When a newcomer finds no
//! slot, a stranger's connection is closed for it: of the address that has most of them, and
//! there by [`Rank`], oldest first. So whoever holds many slots loses one, whatever is done
//! to keep them busy, and a newcomer is served at once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::limits::Limits;
use crate::base::{Network, lock};

/// How long an address is known after the last request that was signed in from there.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Known addresses at a time; the one that was seen longest ago is forgotten first.
const MAX_KNOWN: usize = 1024;

/// A connection without a request is treated as a newcomer for so long: time for a TLS handshake
/// and the request behind it, on a slow board and a slow link.
const GRACE: Duration = Duration::from_secs(2);

/// What closes a connection; it must not wait for anything.
pub type Close = Arc<dyn Fn() + Send + Sync>;

/// Counts connections against the caps and decides which one makes room.
#[derive(Clone)]
pub struct Admission {
    slots: Arc<Mutex<Slots>>,
    total: usize,
    /// Of them for strangers of addresses that are not known.
    for_unknown: usize,
    per_address: usize,
    /// Closed connections whose threads have not ended yet.
    leaving: usize,
}

/// One admitted connection; gives its slot back when dropped.
pub struct Permit(Slot);

/// A connection's entry, for whoever knows more about the connection. It may be gone by now.
#[derive(Clone)]
pub struct Slot {
    slots: Arc<Mutex<Slots>>,
    number: u64,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not sent a whole request yet.
    HalfOpen,
    /// It waits for its next request.
    Idle,
    /// Its request is being answered.
    Request,
}

/// Which cap was reached, with nobody to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The cap on all connections.
    Total,
    /// The cap on connections from this address.
    Address,
}

/// Connections, by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: u32,
    /// Let in since the start.
    pub accepted: u64,
    /// Turned away since the start because there were too many in all.
    pub refused_total: u64,
    /// Turned away since the start because there were too many from their address.
    pub refused_address: u64,
    /// Closed since the start to make room for another.
    pub evicted: u64,
}

#[derive(Default)]
struct Slots {
    next: u64,
    open: HashMap<u64, Entry>,
    known: HashMap<Network, Instant>,
    accepted: u64,
    refused_total: u64,
    refused_address: u64,
    evicted: u64,
}

struct Entry {
    key: Network,
    stage: Stage,
    /// When that stage began.
    since: Instant,
    is_user: bool,
    /// Whether the request under way was signed in.
    signs_in: bool,
    is_leaving: bool,
    close: Close,
}

/// In which order strangers make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Half-open for longer than [`GRACE`].
    Slow,
    Idle,
    New,
    InRequest,
}

impl Admission {
    /// Nobody is in yet.
    pub fn new(limits: &Limits) -> Self {
        let total = limits.connections as usize;
        let reserved = (total / 4).max(8).min(total / 2);
        Self {
            slots: Arc::default(),
            total,
            for_unknown: total - reserved,
            per_address: limits.connections_per_address as usize,
            leaving: Limits::leaving(limits.connections) as usize,
        }
    }

    /// Takes a slot for a connection from `address`; `close` will be called if it has to make room
    /// for another.
    ///
    /// # Errors
    /// The cap that is reached, where nobody makes room.
    pub fn admit(&self, address: IpAddr, close: Close) -> Result<Permit, Refused> {
        let key = Network::of(address);
        let (admitted, evicted) = self.decide(key, close);
        if let Some(evicted) = evicted {
            evicted();
        }
        let number = admitted?;
        Ok(Permit(Slot { slots: Arc::clone(&self.slots), number }))
    }

    /// Connections now.
    pub fn connections(&self) -> u32 {
        lock(&self.slots).open.len() as u32
    }

    /// Connections so far.
    pub fn counts(&self) -> ConnectionCounts {
        let slots = lock(&self.slots);
        ConnectionCounts {
            open: slots.open.len() as u32,
            accepted: slots.accepted,
            refused_total: slots.refused_total,
            refused_address: slots.refused_address,
            evicted: slots.evicted,
        }
    }

    /// The slot, and whom to close for it.
    fn decide(&self, key: Network, close: Close) -> (Result<u64, Refused>, Option<Close>) {
        let mut guard = lock(&self.slots);
        let slots = &mut *guard;
        let now = Instant::now();
        let staying = || slots.open.values().filter(|entry| !entry.is_leaving);
        let from_here = staying().filter(|entry| entry.key == key).count();
        let unknown = staying().filter(|entry| slots.is_unknown_stranger(entry, now)).count();
        let is_known = slots.is_known(key, now);
        let (victim, refused) = if from_here >= self.per_address {
            (slots.victim(now, |entry| entry.key == key), Refused::Address)
        } else if !is_known && unknown >= self.for_unknown || staying().count() >= self.total {
            let unknown = slots.victim(now, |entry| slots.is_unknown_stranger(entry, now));
            (unknown.or_else(|| slots.victim(now, |_| true)), Refused::Total)
        } else {
            return (Ok(slots.enter(key, close, now)), None);
        };
        // Whoever is known may use the last of these slots, so that others cannot use all.
        let leaving = slots.open.values().filter(|entry| entry.is_leaving).count();
        let is_room = leaving < if is_known { self.leaving } else { self.leaving / 2 };
        let victim = victim.filter(|_| is_room).and_then(|number| slots.open.get_mut(&number));
        let Some(victim) = victim else {
            match refused {
                Refused::Total => slots.refused_total += 1,
                Refused::Address => slots.refused_address += 1,
            }
            return (Err(refused), None);
        };
        victim.is_leaving = true;
        let evicted = Arc::clone(&victim.close);
        slots.evicted += 1;
        (Ok(slots.enter(key, close, now)), Some(evicted))
    }
}

impl Permit {
    /// The entry, to be shared.
    pub fn slot(&self) -> &Slot {
        &self.0
    }
}

impl Slot {
    /// Notes what the connection does now. With its request answered it is known whose it is.
    pub fn set_stage(&self, stage: Stage) {
        if let Some(entry) = lock(&self.slots).open.get_mut(&self.number) {
            if entry.stage == Stage::Request {
                entry.is_user = entry.signs_in;
            }
            entry.signs_in = false;
            entry.stage = stage;
            entry.since = Instant::now();
        }
    }

    /// Notes that the request under way was signed in: the connection is a user's now, and its
    /// address known.
    pub fn mark_signed_in(&self) {
        let mut slots = lock(&self.slots);
        let Some(entry) = slots.open.get_mut(&self.number) else { return };
        (entry.is_user, entry.signs_in) = (true, true);
        let key = entry.key;
        slots.remember(key, Instant::now());
    }

    /// Whether the connection was closed to make room for another.
    pub fn is_evicted(&self) -> bool {
        lock(&self.slots).open.get(&self.number).is_none_or(|entry| entry.is_leaving)
    }
}

impl Slots {
    fn enter(&mut self, key: Network, close: Close, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        let entry = Entry {
            key,
            stage: Stage::HalfOpen,
            since: now,
            is_user: false,
            signs_in: false,
            is_leaving: false,
            close,
        };
        self.open.insert(number, entry);
        self.accepted += 1;
        number
    }

    fn remember(&mut self, key: Network, now: Instant) {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&key) {
            let oldest = self.known.iter().min_by_key(|(_, seen)| **seen).map(|(key, _)| *key);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(key, now);
    }

    fn is_known(&self, key: Network, now: Instant) -> bool {
        self.known.get(&key).is_some_and(|seen| now.duration_since(*seen) < KNOWN_FOR)
    }

    fn is_unknown_stranger(&self, entry: &Entry, now: Instant) -> bool {
        !entry.is_user && !self.is_known(entry.key, now)
    }

    /// The stranger, of those that `may` make room, that does.
    fn victim(&self, now: Instant, may: impl Fn(&Entry) -> bool) -> Option<u64> {
        let strangers = self.open.iter().filter(|(_, entry)| !entry.is_user && !entry.is_leaving);
        let strangers: Vec<_> = strangers.filter(|(_, entry)| may(entry)).collect();
        let mut by_address: HashMap<Network, usize> = HashMap::new();
        for (_, entry) in &strangers {
            *by_address.entry(entry.key).or_default() += 1;
        }
        strangers
            .into_iter()
            .min_by_key(|(number, entry)| {
                (Reverse(by_address[&entry.key]), entry.rank(now), entry.since, **number)
            })
            .map(|(number, _)| *number)
    }
}

impl Entry {
    fn rank(&self, now: Instant) -> Rank {
        match self.stage {
            Stage::HalfOpen if now.duration_since(self.since) > GRACE => Rank::Slow,
            Stage::HalfOpen => Rank::New,
            Stage::Idle => Rank::Idle,
            Stage::Request => Rank::InRequest,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.0.slots).open.remove(&self.0.number);
    }
}

#[cfg(test)]
mod tests;
