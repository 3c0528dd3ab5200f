//! `Events`: a bounded broadcast of what happened. Any thread posts, any number of readers follow, each
//! with its own cursor.
//!
//! The notifier and the recorder will read it; detectors, capture threads and the API will post to it.
//!
//! A value is posted as a few words, each an atomic of its own. So a copy that a later post tears is only
//! wrong, never undefined; it is detected and counted as lost. This file needs no `unsafe`, allocates
//! nothing after the start, and does with 32-bit atomics (ARMv6 has no others).
//!
//! # How it works
//! Posts are numbered; numbers wrap at 2^32. The value with the number `n` goes to the slot
//! `n % capacity`. The *stamp* of a slot holds the number of its value (31 bits of it) and whether that
//! value is still being written. A writer *claims* the slot of the next number by a compare-exchange of
//! its stamp, advances `next`, writes the words, and stores the stamp as complete. A writer that finds
//! the slot claimed by another one advances `next` in its place, and tries the number after it.
//!
//! A reader takes a value when the stamp is that of its cursor and complete, both before and after the
//! words were copied. A stamp of a later number means that the reader was overtaken.
//!
//! Invariant: no writer waits for a reader, or for another writer as long as there are more slots than
//! threads that post at the same time. A claim fails only where another writer has claimed that slot. If
//! that writer still writes the value of a whole lap before, the number is skipped.
//!
//! Invariant: a reader returns values whole, in the order of their numbers, and counts each number between
//! two that it returns as lost. A skipped number counts too.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::sync::{Arc, AtomicBool, AtomicU32, Ordering, fence};
use super::wait::EventCount;

/// A value that a few words hold.
pub trait Packed {
    /// An array of as many words as it takes.
    type Words: Copy + Default + AsRef<[u32]> + AsMut<[u32]>;

    /// The words of a value.
    fn pack(&self) -> Self::Words;

    /// The value of words that [`Self::pack`] made.
    fn unpack(words: &Self::Words) -> Self;
}

/// Makes a broadcast that keeps the last `capacity` values (rounded up to a power of two). That has to be
/// more than there are threads that post at the same time.
///
/// # Panics
/// When `capacity` is below 2 or above 2^24.
pub fn events<T: Packed>(capacity: u32) -> Events<T> {
    assert!((2..=1 << 24).contains(&capacity), "between two values and 2^24");
    let capacity = capacity.next_power_of_two();
    let words = T::Words::default().as_ref().len();
    let shared = Shared {
        stamps: (0..capacity).map(|at| AtomicU32::new(complete(at.wrapping_sub(capacity)))).collect(),
        words: (0..capacity as usize * words).map(|_| AtomicU32::new(0)).collect(),
        words_each: words,
        capacity,
        next: AtomicU32::new(0),
        posted: EventCount::new(),
        closed: AtomicBool::new(false),
    };
    Events { shared: Arc::new(shared), values: PhantomData }
}

/// Both ends: posts values, and hands out [`EventReader`]s. Clones share the values.
pub struct Events<T> {
    shared: Arc<Shared>,
    values: PhantomData<fn(T) -> T>,
}

/// One reader, with its own cursor.
pub struct EventReader<T> {
    shared: Arc<Shared>,
    cursor: u32,
    /// Numbers lost since the last value that was returned.
    lost: u32,
    values: PhantomData<fn() -> T>,
}

/// The result of waiting for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A value.
    Posted {
        /// The value.
        value: T,
        /// Values before it that this reader lost.
        lost: u32,
    },
    /// Nothing in time.
    TimedOut,
    /// The broadcast was closed, and what was posted before has been read.
    Closed,
}

struct Shared {
    stamps: Box<[AtomicU32]>,
    /// Of the first slot, then of the second one, and so on.
    words: Box<[AtomicU32]>,
    words_each: usize,
    /// Slots; a power of two.
    capacity: u32,
    /// The first number whose slot nobody was seen to have claimed.
    next: AtomicU32,
    posted: EventCount,
    closed: AtomicBool,
}

/// The stamp of a slot whose value has the number `number`, and is whole.
const fn complete(number: u32) -> u32 {
    number << 1
}

/// The stamp of a slot that the value with the number `number` is being written to.
const fn claimed(number: u32) -> u32 {
    number << 1 | 1
}

const fn is_complete(stamp: u32) -> bool {
    stamp & 1 == 0
}

/// Whether the number in `stamp` comes before `number`.
const fn is_before(stamp: u32, number: u32) -> bool {
    ((stamp & !1).wrapping_sub(number << 1) as i32) < 0
}

impl<T: Packed> Events<T> {
    /// Makes `value` the newest one and wakes the waiting readers.
    pub fn post(&self, value: &T) {
        let words = value.pack();
        let number = self.shared.claim();
        let (stamp, slot) = self.shared.slot(number);
        // Release fence, twin of the Acquire fence in `EventReader::copy`: a reader that copied any word
        // stored below finds the claim. Without it, the reader could take words of this value for those of
        // the value that was in the slot before.
        fence(Ordering::Release);
        for (word, value) in slot.iter().zip(words.as_ref()) {
            // Relaxed: ordered by the fence before and by the store of the stamp behind.
            word.store(*value, Ordering::Relaxed);
        }
        // Release: a reader that loads this stamp sees the words.
        stamp.store(complete(number), Ordering::Release);
        self.shared.posted.notify();
    }

    /// A new reader, whose first value is the next one that is posted.
    pub fn reader(&self) -> EventReader<T> {
        EventReader {
            // Relaxed: `next` loads it again.
            cursor: self.shared.next.load(Ordering::Relaxed),
            shared: Arc::clone(&self.shared),
            lost: 0,
            values: PhantomData,
        }
    }

    /// Ends the sleep of all readers that are in [`EventReader::sleep`].
    pub fn wake(&self) {
        self.shared.posted.notify();
    }

    /// Ends every wait, now and later, with [`Received::Closed`].
    pub fn close(&self) {
        // Release, twin of the Acquire in `EventReader::next`: what this thread has posted is read before.
        self.shared.closed.store(true, Ordering::Release);
        self.shared.posted.notify();
    }
}

impl<T> Clone for Events<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), values: PhantomData }
    }
}

impl<T: Packed> EventReader<T> {
    /// The next value, waiting for it up to `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Received<T> {
        let end = Instant::now().checked_add(timeout);
        loop {
            let ticket = self.shared.posted.ticket();
            // Acquire, and before the look: what was posted before the close is returned first.
            let is_closed = self.shared.closed.load(Ordering::Acquire);
            if let Some(received) = self.read() {
                return received;
            }
            if is_closed {
                return Received::Closed;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Received::TimedOut;
            }
            self.shared.posted.wait(ticket, left);
        }
    }

    /// Sleeps for `timeout`, or until something is posted or [`Events::wake`] called; not at all where `is_over` says so, which
    /// is asked in time for a wake that follows what it looks at. May end early.
    pub fn sleep(&self, timeout: Duration, is_over: impl FnOnce() -> bool) {
        let ticket = self.shared.posted.ticket();
        // Acquire, as in `read`.
        let is_read = self.shared.next.load(Ordering::Acquire) == self.cursor;
        if is_read && !is_over() {
            self.shared.posted.wait(ticket, Some(timeout));
        }
    }

    fn read(&mut self) -> Option<Received<T>> {
        loop {
            // Acquire, twin of the Release in `Shared::advance`: the claim of every number before this one
            // is seen by the load of its stamp below.
            let next = self.shared.next.load(Ordering::Acquire);
            let waiting = next.wrapping_sub(self.cursor);
            if waiting == 0 {
                return None;
            }
            if waiting > self.shared.capacity {
                self.lose(waiting - self.shared.capacity);
            }
            // Acquire, twin of the Release that ends `post`.
            let stamp = self.shared.slot(self.cursor).0.load(Ordering::Acquire);
            if stamp == claimed(self.cursor) {
                // The writer notifies when the value is whole.
                return None;
            }
            let words = (stamp == complete(self.cursor)).then(|| self.copy()).flatten();
            if let Some(words) = words {
                self.cursor = self.cursor.wrapping_add(1);
                let lost = std::mem::take(&mut self.lost);
                return Some(Received::Posted { value: T::unpack(&words), lost });
            }
            // A later stamp, now or after the copy: overtaken. An earlier one: the number was skipped.
            self.lose(1);
        }
    }

    /// The words of the cursor's value; `None` when a later post may have changed them during the copy.
    fn copy(&self) -> Option<T::Words> {
        let (stamp, slot) = self.shared.slot(self.cursor);
        let mut words = T::Words::default();
        for (word, copy) in slot.iter().zip(words.as_mut()) {
            // Relaxed: ordered by the load of the stamp before and the fence behind.
            *copy = word.load(Ordering::Relaxed);
        }
        // Acquire fence, twin of the Release fence in `post`.
        fence(Ordering::Acquire);
        (stamp.load(Ordering::Relaxed) == complete(self.cursor)).then_some(words)
    }

    fn lose(&mut self, count: u32) {
        self.cursor = self.cursor.wrapping_add(count);
        self.lost = self.lost.wrapping_add(count);
    }
}

impl Shared {
    /// Claims the next number for the calling thread. Lock-free: each further round means that another
    /// writer has made progress.
    fn claim(&self) -> u32 {
        loop {
            // Relaxed: if the number is out of date, its slot's stamp shows that.
            let number = self.next.load(Ordering::Relaxed);
            let is_claimed = self.claim_slot(number);
            self.advance(number);
            if is_claimed {
                return number;
            }
        }
    }

    /// Claims the slot of `number`; false when another writer has claimed it.
    fn claim_slot(&self, number: u32) -> bool {
        let (stamp, _) = self.slot(number);
        let mut before = complete(number.wrapping_sub(self.capacity));
        loop {
            // Acquire, twin of the Release that ends `post`: the words of the slot's value before this
            // one are stored before those of this one. Without it they could be ordered behind, and stay.
            let (order, claim) = (Ordering::Acquire, claimed(number));
            match stamp.compare_exchange(before, claim, order, Ordering::Relaxed) {
                Ok(_) => return true,
                // The number a lap before was skipped.
                Err(found) if is_complete(found) && is_before(found, number) => before = found,
                Err(_) => return false,
            }
        }
    }

    /// Advances `next` from `number`, whose slot this thread has claimed or seen claimed.
    fn advance(&self, number: u32) {
        // Release: a reader that loads `next` from here on sees that claim. If another thread was first,
        // it had seen the claim, too.
        let after = number.wrapping_add(1);
        let _ = self.next.compare_exchange(number, after, Ordering::Release, Ordering::Relaxed);
    }

    /// The stamp and the words of the slot of `number`.
    fn slot(&self, number: u32) -> (&AtomicU32, &[AtomicU32]) {
        let at = (number & (self.capacity - 1)) as usize;
        (&self.stamps[at], &self.words[at * self.words_each..(at + 1) * self.words_each])
    }
}

#[cfg(not(loom))]
mod event;

#[cfg(all(test, not(loom)))]
mod tests;
