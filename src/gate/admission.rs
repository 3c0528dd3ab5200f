//! Admission control: the limits on connections, and which connection is closed when one is reached.
//!
//! A connection is a *user's* while the last request on it was signed in, else a *stranger's*. Users'
//! connections are never evicted. A share of the slots is reserved for users and for *known* addresses, from
//! which a user signed in within the last day. If a new connection finds no free slot, a stranger's connection
//! is evicted for it: of the address that holds most of them, and there by [`Rank`], the oldest first. So a
//! client that holds many slots loses one, however busy it keeps them, and a new client is served at once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::limits::Limits;
use crate::base::limits::leaving_connections;
use crate::base::{Network, lock};

/// How long an address is known after its last signed-in request.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Most known addresses; the one that was seen longest ago is forgotten first.
const MAX_KNOWN: usize = 1024;

/// How long a connection without a request counts as new: enough for a TLS handshake and the request behind
/// it, on a slow board and a slow link.
const GRACE: Duration = Duration::from_secs(2);

/// Closes a connection. It must not block.
pub type Close = Arc<dyn Fn() + Send + Sync>;

/// Counts connections against the limits and decides which one is evicted.
#[derive(Clone)]
pub struct Admission {
    slots: Arc<Mutex<Slots>>,
    total: usize,
    /// The part of them that strangers of unknown addresses may use.
    for_unknown: usize,
    per_address: usize,
    /// Most evicted connections whose threads have not ended yet.
    leaving: usize,
}

/// An admitted connection; returns its slot when dropped. Its requests hold it as well, until they are answered.
pub struct Permit(Slot);

/// The slot of a connection, for code that knows more about the connection. The connection may have ended.
#[derive(Clone)]
pub struct Slot {
    slots: Arc<Mutex<Slots>>,
    number: u64,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not sent a whole request yet.
    HalfOpen,
    /// It waits for its next request.
    Idle,
    /// Its request is being answered.
    Request,
}

/// The limit that was reached, with no connection to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The limit on all connections.
    Total,
    /// The limit on connections from this address.
    Address,
}

/// Counts of connections since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: u32,
    /// Admitted.
    pub accepted: u64,
    /// Rejected because there were too many in all.
    pub refused_total: u64,
    /// Rejected because there were too many from their address.
    pub refused_address: u64,
    /// Closed to admit another.
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
    /// Whether the current request was signed in.
    signs_in: bool,
    is_leaving: bool,
    close: Close,
}

/// The order in which strangers are evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Half-open for longer than [`GRACE`].
    Slow,
    Idle,
    New,
    InRequest,
}

impl Admission {
    /// Without any connection.
    pub fn new(limits: &Limits) -> Self {
        let total = limits.connections as usize;
        let reserved = (total / 4).max(8).min(total / 2);
        Self {
            slots: Arc::default(),
            total,
            for_unknown: total - reserved,
            per_address: limits.connections_per_address as usize,
            leaving: leaving_connections(limits.connections) as usize,
        }
    }

    /// Takes a slot for a connection from `address`. `close` is called if it is evicted for another.
    ///
    /// # Errors
    /// The limit that was reached, if no connection can be evicted.
    pub fn admit(&self, address: IpAddr, close: Close) -> Result<Permit, Refused> {
        let key = Network::of(address);
        let (admitted, evicted) = self.decide(key, close);
        if let Some(evicted) = evicted {
            evicted();
        }
        let number = admitted?;
        Ok(Permit(Slot { slots: Arc::clone(&self.slots), number }))
    }

    /// Connections that are open now.
    pub fn connections(&self) -> u32 {
        lock(&self.slots).open.len() as u32
    }

    /// Connections since the start.
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

    /// The number of the slot, and what closes the connection that is evicted for it.
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
        // Only known addresses may evict the second half, so that others cannot use it up.
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
    /// The slot, to be shared.
    pub fn slot(&self) -> &Slot {
        &self.0
    }
}

impl Slot {
    /// Records what the connection does now. The end of a request decides whether it is a user's.
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

    /// Records that the current request is signed in: the connection is a user's, and its address known.
    pub fn mark_signed_in(&self) {
        let mut slots = lock(&self.slots);
        let Some(entry) = slots.open.get_mut(&self.number) else { return };
        (entry.is_user, entry.signs_in) = (true, true);
        let key = entry.key;
        slots.remember(key, Instant::now());
    }

    /// Whether the connection was evicted for another.
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

    /// The stranger to evict, of those that `may` be evicted.
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
