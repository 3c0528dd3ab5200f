//! The queue for the one password hash that runs: one is all that a small board can give without
//! its streams suffering.
//!
//! Users who signed in from the same network before have slots of their own and three of four turns, so that no flood of
//! strangers keeps them out, and they do not keep strangers out. Among strangers the networks take turns. Requests that
//! bring the same name and password as one that waits already share its hash and take no slot.
//!
//! A request leaves the queue when nobody waits for its answer any more, so that it holds its thread no longer than its
//! connection.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use super::remembered::Tag;
use super::secret::Digest;
use crate::base::{Network, lock, unpoisoned};

/// Slots for strangers, the one that is served included. Each holds a connection while it waits.
pub const SLOTS: usize = 64;

/// Slots that one network of strangers may have.
pub const SHARE: usize = 56;

/// Slots that one account may have at a network from where its owner signed in before.
pub const KNOWN_SHARE: usize = 4;

/// Requests that wait for one check, beside that which has the slot.
pub const SHARING: usize = 256;

/// How often a request that waits asks whether its answer is still wanted.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Turns of known requesters in a row, after which a stranger has one: a user who keeps the queue busy, by changing
/// their password again and again, must not keep all new sign-ins out.
const KNOWN_IN_A_ROW: u32 = 3;

/// A request for a hash, as far as the queue is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester {
    /// Where the request comes from.
    pub network: Network,
    /// The digest of the account's name.
    pub account: Digest,
    /// Whether this account signed in from this network before.
    pub is_known: bool,
}

/// What came of a request for a hash.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The request had its turn.
    Own(T),
    /// Another request with the same name and password had its turn.
    Shared {
        /// Whether the password is right; `None` when that was not found out.
        is_right: Option<bool>,
        /// Whether this is the first request of its network that learns it.
        is_first_of_network: bool,
    },
}

/// There was no free slot in the queue, or nobody waited for the answer any more before its turn came.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Whether the answer to a request that waits is still wanted.
type IsWanted<'a> = &'a dyn Fn() -> bool;

/// The queue. The lock is held for a look at the list and no longer; a hash runs without it.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_hashing: bool,
    entries: Vec<Entry>,
    next_id: u64,
    /// The turn of the stranger who was served last.
    turn: u64,
    /// Known requesters who were served since the last stranger.
    known_in_a_row: u32,
}

struct Entry {
    id: u64,
    requester: Requester,
    /// The number of this turn among those of its network, counted from the turn that was served when it came: served
    /// in this order, networks take turns (start-time fair queueing).
    turn: u64,
    shared: Option<Arc<Shared>>,
}

/// A check that several requests wait for.
struct Shared {
    key: Tag,
    result: OnceLock<Option<bool>>,
    /// The networks that learned the result.
    networks: Mutex<Vec<Network>>,
}

impl Queue {
    /// Runs a hash while no other runs.
    ///
    /// # Errors
    /// At once, when the requester's slots are taken; soon, when the answer is no longer wanted.
    pub fn alone<T>(
        &self,
        requester: Requester,
        is_wanted: IsWanted<'_>,
        hash: impl FnOnce() -> T,
    ) -> Result<T, Full> {
        let mut slot = self.take(&mut self.lock(), requester, None).ok_or(Full)?;
        slot.wait(is_wanted)?;
        Ok(hash())
    }

    /// Runs `check` while no other hash runs, unless a request with the same `key` waits already: then
    /// waits for the result of that one. `check` gives what it came to, and whether the password is
    /// right, if it found that out.
    ///
    /// # Errors
    /// At once, when the requester's slots are taken and there is no check to wait for, or too many wait for it; soon,
    /// when the answer is no longer wanted.
    pub fn check<T>(
        &self,
        requester: Requester,
        key: Option<Tag>,
        is_wanted: IsWanted<'_>,
        check: impl FnOnce() -> (T, Option<bool>),
    ) -> Result<Outcome<T>, Full> {
        let mut state = self.lock();
        if let Some(shared) = key.and_then(|key| state.join(&requester, &key)) {
            drop(state);
            let shared = shared?;
            return self.wait_for(&shared, requester.network, is_wanted);
        }
        let shared = key.map(|key| Arc::new(Shared::new(key, requester.network)));
        let slot = self.take(&mut state, requester, shared.clone());
        drop(state);
        let mut slot = slot.ok_or(Full)?;
        slot.wait(is_wanted)?;
        let (made, is_right) = check();
        if let Some(shared) = shared {
            let _ = shared.result.set(is_right);
        }
        Ok(Outcome::Own(made))
    }

    fn wait_for<T>(
        &self,
        shared: &Shared,
        network: Network,
        is_wanted: IsWanted<'_>,
    ) -> Result<Outcome<T>, Full> {
        drop(self.wait_until(|_| shared.result.get().is_some(), is_wanted)?);
        let is_right = shared.result.get().copied().flatten();
        let mut networks = lock(&shared.networks);
        let is_first_of_network = !networks.contains(&network);
        if is_first_of_network {
            networks.push(network);
        }
        Ok(Outcome::Shared { is_right, is_first_of_network })
    }

    /// Waits until something is so, as long as the answer is wanted. That is asked without the lock.
    fn wait_until(
        &self,
        is_so: impl Fn(&State) -> bool,
        is_wanted: IsWanted<'_>,
    ) -> Result<MutexGuard<'_, State>, Full> {
        let mut state = self.lock();
        let mut ask_at = Instant::now() + ASK_EVERY;
        while !is_so(&state) {
            let left = ask_at.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                state = unpoisoned(self.changed.wait_timeout(state, left)).0;
                continue;
            }
            drop(state);
            if !is_wanted() {
                return Err(Full);
            }
            ask_at = Instant::now() + ASK_EVERY;
            state = self.lock();
        }
        Ok(state)
    }

    fn take(&self, state: &mut State, requester: Requester, shared: Option<Arc<Shared>>) -> Option<Slot<'_>> {
        if !state.has_slot_for(&requester) {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        let of_network = state.entries.iter().filter(|entry| entry.requester.network == requester.network);
        let turn = of_network.map(|entry| entry.turn + 1).max().unwrap_or(0).max(state.turn);
        state.entries.push(Entry { id, requester, turn, shared });
        Some(Slot { queue: self, id, is_served: false })
    }

    /// The list is whole after every operation on it.
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// The check of this key that waits or runs, if there is one. It is served as early as the earliest of those who
    /// share it would be.
    fn join(&mut self, requester: &Requester, key: &Tag) -> Option<Result<Arc<Shared>, Full>> {
        let is_same = |entry: &&mut Entry| entry.shared.as_ref().is_some_and(|shared| shared.key == *key);
        let entry = self.entries.iter_mut().find(is_same)?;
        let shared = entry.shared.as_ref()?;
        // One reference is the entry's and one is that of the request that has the slot.
        if Arc::strong_count(shared) >= SHARING + 2 {
            return Some(Err(Full));
        }
        entry.requester.is_known |= requester.is_known;
        Some(Ok(Arc::clone(shared)))
    }

    fn has_slot_for(&self, requester: &Requester) -> bool {
        let count = |counts: &dyn Fn(&Requester) -> bool| {
            self.entries.iter().filter(|entry| counts(&entry.requester)).count()
        };
        if requester.is_known {
            return count(&|other| other == requester) < KNOWN_SHARE;
        }
        let strangers = count(&|other| !other.is_known);
        let of_network = count(&|other| !other.is_known && other.network == requester.network);
        strangers < SLOTS && of_network < SHARE
    }

    /// The requester that is served next.
    fn next(&self) -> Option<&Entry> {
        let is_strangers_turn = self.known_in_a_row >= KNOWN_IN_A_ROW;
        let is_later = |entry: &Entry| entry.requester.is_known == is_strangers_turn;
        self.entries.iter().min_by_key(|entry| (is_later(entry), entry.turn, entry.id))
    }
}

impl Shared {
    fn new(key: Tag, network: Network) -> Self {
        Self { key, result: OnceLock::new(), networks: Mutex::new(vec![network]) }
    }
}

/// A slot in the queue, given back when dropped.
struct Slot<'a> {
    queue: &'a Queue,
    id: u64,
    is_served: bool,
}

impl Slot<'_> {
    /// Waits for its turn, as long as the answer is wanted.
    fn wait(&mut self, is_wanted: IsWanted<'_>) -> Result<(), Full> {
        let is_turn =
            |state: &State| !state.is_hashing && state.next().is_some_and(|next| next.id == self.id);
        let mut state = self.queue.wait_until(is_turn, is_wanted)?;
        state.is_hashing = true;
        match state.next().filter(|next| !next.requester.is_known).map(|next| next.turn) {
            Some(turn) => (state.turn, state.known_in_a_row) = (turn, 0),
            None => state.known_in_a_row = state.known_in_a_row.saturating_add(1),
        }
        self.is_served = true;
        Ok(())
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(at) = state.entries.iter().position(|entry| entry.id == self.id) {
            let entry = state.entries.swap_remove(at);
            if let Some(shared) = entry.shared {
                // Has no effect unless the check panicked or did not begin; then no request waits for it without end.
                let _ = shared.result.set(None);
            }
        }
        if self.is_served {
            state.is_hashing = false;
        }
        drop(state);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
