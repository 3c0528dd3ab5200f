//! `Latest`: one writer publishes values, any reader picks up the newest; old ones are gone.
//!
//! The writer never waits for a reader, whatever the readers do, and a reader never waits for the
//! writer but to be told of something newer. 32-bit atomics only (ARMv6 has no others).
//!
//! # How it works
//! A fixed row of slots, each with a count of *pins*. `current` names the slot with the newest
//! value. A reader pins the slot it read from `current`, then looks at `current` again: if it
//! still names that slot, the pin holds and the value may be cloned; if not, the reader unpins
//! and starts over. The writer fills a free slot, points `current` at it, and frees a retired
//! slot once it sees it without pins.
//!
//! Invariant: a slot in `free` is read by nobody. It was seen unpinned after `current` had moved
//! away from it; a pin that came later cannot be confirmed before the slot is published again.
//!
//! Invariant: `free` is never empty at a publish. A [`Reader`] holds at most one pin, and one
//! whose pin a sweep has met can place its next only on `current`; so of `max_readers + 2` slots
//! at most `max_readers` are retired and found pinned, one is current, and one is left. The same
//! holds for a reader that joins in the place of one that left, because the count of readers
//! carries the order: the unpin of the one that left happens before the pin of the one that joined.

use std::time::{Duration, Instant};

use super::sync::{Arc, AtomicBool, AtomicU32, Ordering, UnsafeCell, fence};
use super::wait::{EventCount, Ticket};

/// `current` before the first publish.
const NOTHING: u32 = u32::MAX;

/// Makes the two ends: the one writer, and the door for at most `max_readers` readers at a time.
pub fn latest<T: Send + Sync>(max_readers: u32) -> (Publisher<T>, Latest<T>) {
    let count = max_readers + 2;
    let shared = Arc::new(Shared {
        slots: (0..count).map(|_| Slot::empty()).collect(),
        current: AtomicU32::new(NOTHING),
        published: EventCount::new(),
        closed: AtomicBool::new(false),
        max_readers,
        readers: AtomicU32::new(0),
        reader_came: EventCount::new(),
    });
    let publisher = Publisher {
        shared: Arc::clone(&shared),
        sequence: 0,
        free: (0..count).collect(),
        retired: Vec::with_capacity(count as usize),
    };
    (publisher, Latest { shared })
}

/// The writing end. There is one, and `publish` takes it by `&mut`.
pub struct Publisher<T> {
    shared: Arc<Shared<T>>,
    /// Of the newest value; wraps.
    sequence: u32,
    free: Vec<u32>,
    retired: Vec<u32>,
}

/// The reading side's door: hands out [`Reader`]s. Clones share it.
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
}

/// One reader; it remembers what it has seen. Readers load by `&mut self`, so that none ever
/// holds two pins.
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    seen: Option<u32>,
}

/// What waiting for a newer value brought.
#[derive(Debug)]
pub enum Wait<T> {
    /// A newer value, and how many between it and the last one seen went by unread.
    Fresh {
        /// The newest value.
        value: std::sync::Arc<T>,
        /// Values this reader never saw.
        missed: u32,
    },
    /// Nothing newer in time.
    TimedOut,
    /// The hub was closed: no value will come.
    Closed,
}

struct Shared<T> {
    slots: Box<[Slot<T>]>,
    current: AtomicU32,
    published: EventCount,
    closed: AtomicBool,
    max_readers: u32,
    readers: AtomicU32,
    reader_came: EventCount,
}

struct Slot<T> {
    pins: AtomicU32,
    /// Written by the publisher while the slot is free, read under a confirmed pin.
    value: UnsafeCell<Option<Numbered<T>>>,
}

/// `std`'s `Arc` also under loom: the model checks who touches the cell, not the count inside.
struct Numbered<T> {
    sequence: u32,
    value: std::sync::Arc<T>,
}

// SAFETY: the cell is the only part that is not `Sync` by itself. It is written only by the one
// publisher and only while no pin on its slot can be confirmed, and read only under a confirmed
// pin (module invariants). Values cross threads in `Arc`s, hence `T: Send + Sync`.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

// SAFETY: a slot owns its value; moving it to another thread moves an `Arc<T>`.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Send for Slot<T> {}

impl<T> Slot<T> {
    fn empty() -> Self {
        Self { pins: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }
}

impl<T> Publisher<T> {
    /// Makes `value` the newest one and wakes the waiting readers. Wait-free: a bounded number of
    /// steps, whatever the readers do.
    ///
    /// Returns an old value that no reader holds any more, if one came free, so that its memory
    /// can be used again.
    pub fn publish(&mut self, value: T) -> Option<T> {
        let reusable = self.sweep();
        let index = self.free.pop().expect("max_readers + 2 slots leave one free");
        self.sequence = self.sequence.wrapping_add(1);
        let numbered = Numbered { sequence: self.sequence, value: std::sync::Arc::new(value) };
        self.put(index, Some(numbered));
        // Relaxed: only this thread stores `current`.
        let old = self.shared.current.load(Ordering::Relaxed);
        // Release: the value is in its slot before a reader can learn the slot's name.
        self.shared.current.store(index, Ordering::Release);
        // SeqCst fence, twin of the one in `Reader::newest`: either the reader's second look at
        // `current` sees this store, or the sweep below sees the reader's pin. Without it both
        // could miss each other and a slot be freed under a reader.
        fence(Ordering::SeqCst);
        if old != NOTHING {
            self.retired.push(old);
        }
        self.shared.published.notify();
        reusable
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        // Relaxed: nothing is concluded from it about pins or values.
        self.shared.readers.load(Ordering::Relaxed)
    }

    /// Sleeps until there is a reader, for at most `timeout`; true when there is one.
    pub fn wait_for_reader(&self, timeout: Duration) -> bool {
        let ticket = self.shared.reader_came.ticket();
        if self.readers() == 0 && !self.is_closed() {
            self.shared.reader_came.wait(ticket, Some(timeout));
        }
        self.readers() > 0
    }

    /// Whether [`Latest::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Empties the retired slots that nobody reads, into `free`.
    fn sweep(&mut self) -> Option<T> {
        let mut reusable = None;
        let mut kept = 0;
        for at in 0..self.retired.len() {
            let index = self.retired[at];
            // Acquire, twin of the Release in `Pin::drop`: the reader's clone is finished before
            // the slot is emptied; without it the clone could read a value being replaced.
            if self.shared.slots[index as usize].pins.load(Ordering::Acquire) != 0 {
                self.retired[kept] = index;
                kept += 1;
                continue;
            }
            if let Some(old) = self.put(index, None) {
                reusable = std::sync::Arc::into_inner(old.value).or(reusable);
            }
            self.free.push(index);
        }
        self.retired.truncate(kept);
        reusable
    }

    /// Replaces what lies in a slot that nobody can be reading.
    fn put(&mut self, index: u32, new: Option<Numbered<T>>) -> Option<Numbered<T>> {
        self.shared.slots[index as usize].value.with_mut(|cell| {
            // SAFETY: `index` is from `free`, or from `retired` and just seen without pins after
            // the fence of the publish that retired it. By the module's first invariant no reader
            // touches the cell, and `&mut self` is the only writer.
            #[allow(unsafe_code)]
            unsafe {
                std::mem::replace(&mut *cell, new)
            }
        })
    }
}

impl<T> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<T> Latest<T> {
    /// A new reader; `None` when `max_readers` are here already. What was published before it came
    /// counts as seen: nobody may have watched for hours, and the value be as old.
    pub fn subscribe(&self) -> Option<Reader<T>> {
        let limit = self.shared.max_readers;
        // Acquire, twin of the Release in `Reader::drop`: the unpins of all who left before happen
        // before what this reader does. So the writer cannot see this reader's pin and still the
        // pin of the one whose place it takes, and if a sweep did meet that pin, this reader's
        // first look at `current` is no older than that sweep (see `load`). Without that order one
        // place could hold up two slots, and `publish` find none free. The fence in `load` would
        // do as an acquire, too; the order is not left to it, for a reader need not load at once.
        let joined = self.shared.readers.fetch_update(Ordering::Acquire, Ordering::Relaxed, |readers| {
            (readers < limit).then_some(readers + 1)
        });
        joined.ok()?;
        let mut reader = Reader { shared: Arc::clone(&self.shared), seen: None };
        reader.newest();
        self.shared.reader_came.notify();
        Some(reader)
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        self.shared.readers.load(Ordering::Relaxed)
    }

    /// Ends every wait, now and later, with [`Wait::Closed`].
    pub fn close(&self) {
        self.shared.close();
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Reader<T> {
    /// The newest value, seen before or not; `None` before the first publish. Does not sleep.
    pub fn newest(&mut self) -> Option<std::sync::Arc<T>> {
        let (sequence, value) = self.load()?;
        self.seen = Some(sequence);
        Some(value)
    }

    /// The next value newer than the last one seen, waiting for it up to `timeout`.
    pub fn wait_newer(&mut self, timeout: Duration) -> Wait<T> {
        let end = Instant::now().checked_add(timeout);
        loop {
            let ticket = self.shared.published.ticket();
            if self.shared.is_closed() {
                return Wait::Closed;
            }
            if let Some(fresh) = self.fresh() {
                return fresh;
            }
            if !self.sleep_until(ticket, end) {
                return Wait::TimedOut;
            }
        }
    }

    fn fresh(&mut self) -> Option<Wait<T>> {
        let (sequence, value) = self.load()?;
        let missed = match self.seen {
            Some(seen) if seen == sequence => return None,
            Some(seen) => sequence.wrapping_sub(seen).wrapping_sub(1),
            None => 0,
        };
        self.seen = Some(sequence);
        Some(Wait::Fresh { value, missed })
    }

    fn sleep_until(&self, ticket: Ticket, end: Option<Instant>) -> bool {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return false;
        }
        self.shared.published.wait(ticket, left);
        true
    }

    fn load(&mut self) -> Option<(u32, std::sync::Arc<T>)> {
        loop {
            // SeqCst fence, twin of the one in `publish`: a reader whose pin a sweep has met reads
            // a `current` no older than that sweep's when it tries again, so that one reader
            // holds up one slot of a sweep, not several in turn through stale looks.
            fence(Ordering::SeqCst);
            // Acquire: see the value that was put into the slot before its name was stored.
            let index = self.shared.current.load(Ordering::Acquire);
            if index == NOTHING {
                return None;
            }
            let pin = Pin::place(&self.shared.slots[index as usize]);
            // SeqCst fence, twin of the one in `publish`: see there.
            fence(Ordering::SeqCst);
            // Acquire: the slot may have been emptied and filled anew since the first look; this
            // one confirms the pin on whatever was published last.
            if self.shared.current.load(Ordering::Acquire) == index {
                return Some(pin.read());
            }
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        // Release, twin of the Acquire in `Latest::subscribe`: this reader's last unpin is done
        // before its place is free. Later joins and leaves are read-modify-writes of the same
        // count, so the order reaches whoever takes the place, however many came in between.
        self.shared.readers.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Shared<T> {
    fn close(&self) {
        // Relaxed: `notify` releases it to whoever takes a ticket afterwards.
        self.closed.store(true, Ordering::Relaxed);
        self.published.notify();
        self.reader_came.notify();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// A pin on a slot, taken off when dropped.
struct Pin<'a, T> {
    slot: &'a Slot<T>,
}

impl<'a, T> Pin<'a, T> {
    fn place(slot: &'a Slot<T>) -> Self {
        // Relaxed: the fence that follows orders it before the second look at `current`.
        slot.pins.fetch_add(1, Ordering::Relaxed);
        Self { slot }
    }

    /// Clones the value of a confirmed pin.
    fn read(&self) -> (u32, std::sync::Arc<T>) {
        self.slot.value.with(|cell| {
            // SAFETY: the pin was confirmed: `current` named this slot after the pin was placed,
            // so the publisher cannot have seen it unpinned since, and does not write to it.
            #[allow(unsafe_code)]
            let numbered = unsafe { &*cell };
            let numbered = numbered.as_ref().expect("a published slot holds a value");
            (numbered.sequence, std::sync::Arc::clone(&numbered.value))
        })
    }
}

impl<T> Drop for Pin<'_, T> {
    fn drop(&mut self) {
        // Release, twin of the Acquire in `sweep`: the clone is done when the pin is seen gone.
        self.slot.pins.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
