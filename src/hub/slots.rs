//! `Slots`: the values that one writer has published at numbered *entries*, and any reader may clone.
//!
//! The writer never waits for a reader, whatever the readers do, and a reader never waits for the
//! writer. This file holds all `unsafe` code of the hub; [`super::Latest`] (one entry) and
//! [`super::Recent`] (many entries) are built on it.
//!
//! # How it works
//! Each entry holds the index of a slot, or [`NOTHING`]. Each slot holds a value and a count of
//! *pins*. A reader loads the index from the entry, pins that slot, and loads the entry again. If the
//! entry still holds the same index, the pin is confirmed and the value may be cloned. If not, the
//! reader unpins the slot. The writer fills a free slot and stores its index in the entry. The slot
//! that the entry held before is *retired*. A later sweep frees it when it has no pins.
//!
//! Invariant: no reader accesses the value of a free slot. The sweep saw the slot without pins after
//! no entry held its index, and a pin that is placed later cannot be confirmed before an entry holds
//! the index again.
//!
//! Invariant: a sweep leaves at least one slot free. A [`SlotReader`] holds at most one pin. After a
//! sweep has seen that pin, the reader can place the next one only on a slot that an entry held when
//! the sweep began, or later. So of `entries + max_readers + 1` slots at most `max_readers` are
//! retired and pinned, at most `entries` are in an entry, and one is left. The same holds for a reader
//! that joins in the place of one that left, because the count of readers carries the order: the
//! unpin of the one that left happens before the pin of the one that joined.

use super::sync::{Arc, AtomicU32, Ordering, UnsafeCell, fence};

/// The content of an entry without a value.
const NOTHING: u32 = u32::MAX;

/// Makes `entries` empty entries: the one writer, and the handle by which at most `max_readers`
/// readers join.
pub(super) fn slots<T: Send + Sync>(entries: u32, max_readers: u32) -> (SlotWriter<T>, Slots<T>) {
    let count = entries + max_readers + 1;
    let shared = Arc::new(Shared {
        entries: (0..entries).map(|_| AtomicU32::new(NOTHING)).collect(),
        slots: (0..count).map(|_| Slot::empty()).collect(),
        max_readers,
        readers: AtomicU32::new(0),
    });
    let writer = SlotWriter {
        shared: Arc::clone(&shared),
        free: (0..count).collect(),
        retired: Vec::with_capacity(count as usize),
    };
    (writer, Slots { shared })
}

/// The writing end. There is one, and it writes by `&mut self`.
pub(super) struct SlotWriter<T> {
    shared: Arc<Shared<T>>,
    free: Vec<u32>,
    retired: Vec<u32>,
}

/// Hands out [`SlotReader`]s. Clones share the slots.
pub(super) struct Slots<T> {
    shared: Arc<Shared<T>>,
}

/// One reader. It reads by `&mut self`, so that it never holds two pins.
pub(super) struct SlotReader<T> {
    shared: Arc<Shared<T>>,
}

/// What a reader found at an entry.
pub(super) enum Look<T> {
    /// A clone of the value.
    Found(T),
    /// There is no value.
    Nothing,
    /// The writer changed the entry during the look.
    Changed,
}

struct Shared<T> {
    entries: Box<[AtomicU32]>,
    slots: Box<[Slot<T>]>,
    max_readers: u32,
    readers: AtomicU32,
}

struct Slot<T> {
    pins: AtomicU32,
    /// Written by the writer while the slot is free, read under a confirmed pin.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the cell is the only part that is not `Sync` by itself. It is written only by the one
// writer and only while no pin on its slot can be confirmed, and read only under a confirmed pin
// (module invariants). Readers clone the value by reference and the writer moves it out, hence
// `T: Send + Sync`.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

// SAFETY: a slot owns its value; moving the slot to another thread moves the value.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Send for Slot<T> {}

impl<T> Slot<T> {
    fn empty() -> Self {
        Self { pins: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }
}

impl<T> SlotWriter<T> {
    /// Publishes `value` at the entry `at`, after a sweep whose values go to `swept`. Wait-free: a
    /// bounded number of steps, whatever the readers do.
    pub(super) fn set(&mut self, at: usize, value: T, swept: impl FnMut(T)) {
        self.sweep(swept);
        let index = self.free.pop().expect("a sweep leaves a slot free");
        self.put(index, Some(value));
        self.point(at, index);
    }

    /// Removes the value at the entry `at`. A later sweep frees its slot.
    pub(super) fn clear(&mut self, at: usize) {
        self.point(at, NOTHING);
    }

    /// Frees the retired slots that have no pins, and hands their values to `swept`.
    pub(super) fn sweep(&mut self, mut swept: impl FnMut(T)) {
        // SeqCst fence, twin of the two in `SlotReader::look`: either the reader's second load of the
        // entry sees the store that retired the slot, or the load below sees the reader's pin. Without
        // it both could miss each other, and a slot be freed while a reader clones its value.
        fence(Ordering::SeqCst);
        let mut still_pinned = 0;
        for at in 0..self.retired.len() {
            let index = self.retired[at];
            // Acquire, twin of the Release in `Pin::drop`: the reader's clone is finished before the
            // slot is emptied. Without it the clone could read a value that is being replaced.
            if self.shared.slots[index as usize].pins.load(Ordering::Acquire) != 0 {
                self.retired[still_pinned] = index;
                still_pinned += 1;
                continue;
            }
            if let Some(old) = self.put(index, None) {
                swept(old);
            }
            self.free.push(index);
        }
        self.retired.truncate(still_pinned);
    }

    /// How many readers there are now.
    pub(super) fn readers(&self) -> u32 {
        self.shared.readers()
    }

    /// Stores `index` in the entry `at`, and retires the slot whose index was there.
    fn point(&mut self, at: usize, index: u32) {
        let entry = &self.shared.entries[at];
        // Relaxed: only this thread stores entries.
        let old = entry.load(Ordering::Relaxed);
        // Release: the value is in its slot before a reader can load the slot's index.
        entry.store(index, Ordering::Release);
        if old != NOTHING {
            self.retired.push(old);
        }
    }

    /// Replaces the value of a slot that no reader can access.
    fn put(&mut self, index: u32, new: Option<T>) -> Option<T> {
        self.shared.slots[index as usize].value.with_mut(|cell| {
            // SAFETY: `index` is from `free`, or from `retired` and just seen without pins after the
            // fence of a sweep. By the module's first invariant no reader accesses the cell, and
            // `&mut self` is the only writer.
            #[allow(unsafe_code)]
            unsafe {
                std::mem::replace(&mut *cell, new)
            }
        })
    }
}

impl<T> Slots<T> {
    /// A new reader; `None` when there are `max_readers` already.
    pub(super) fn join(&self) -> Option<SlotReader<T>> {
        let limit = self.shared.max_readers;
        // Acquire, twin of the Release in `SlotReader::drop`: the unpins of all readers that left
        // happen before what this reader does. So the writer cannot see this reader's pin and still
        // the pin of the reader whose place it takes, and if a sweep did see that pin, this reader's
        // first load of an entry is no older than that sweep (see `look`). Without that order one
        // reader's place could hold up two slots, and `set` find none free. The fence in `look` would
        // do as an acquire, too, but a reader need not look at once.
        let joined = self.shared.readers.fetch_update(Ordering::Acquire, Ordering::Relaxed, |readers| {
            (readers < limit).then_some(readers + 1)
        });
        joined.ok()?;
        Some(SlotReader { shared: Arc::clone(&self.shared) })
    }

    /// How many readers there are now.
    pub(super) fn readers(&self) -> u32 {
        self.shared.readers()
    }
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Clone> SlotReader<T> {
    /// Clones the value at the entry `at`.
    pub(super) fn look(&mut self, at: usize) -> Look<T> {
        let entry = &self.shared.entries[at];
        // SeqCst fence, twin of the one in `sweep`: a reader whose pin a sweep has seen loads entries
        // no older than that sweep's when it looks again. So one reader holds up one slot of a sweep,
        // not several in turn through stale loads.
        fence(Ordering::SeqCst);
        // Relaxed: only the index is used. The load that confirms the pin acquires the value.
        let index = entry.load(Ordering::Relaxed);
        if index == NOTHING {
            return Look::Nothing;
        }
        let pin = Pin::place(&self.shared.slots[index as usize]);
        // SeqCst fence, twin of the one in `sweep`: see there.
        fence(Ordering::SeqCst);
        // Acquire: see the value that was put into the slot before its index was stored, be it the one of
        // the first load or a later one in the same slot.
        if entry.load(Ordering::Acquire) == index { Look::Found(pin.read()) } else { Look::Changed }
    }
}

impl<T> Drop for SlotReader<T> {
    fn drop(&mut self) {
        // Release, twin of the Acquire in `Slots::join`: this reader's last unpin is done before its
        // place is free. Later joins and leaves are read-modify-writes of the same count, so the order
        // reaches the reader that takes the place, however many came in between.
        self.shared.readers.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Shared<T> {
    fn readers(&self) -> u32 {
        // Relaxed: nothing about pins or values is concluded from it.
        self.readers.load(Ordering::Relaxed)
    }
}

/// A pin on a slot, removed when dropped.
struct Pin<'a, T> {
    slot: &'a Slot<T>,
}

impl<'a, T> Pin<'a, T> {
    fn place(slot: &'a Slot<T>) -> Self {
        // Relaxed: the fence that follows orders it before the second load of the entry.
        slot.pins.fetch_add(1, Ordering::Relaxed);
        Self { slot }
    }
}

impl<T: Clone> Pin<'_, T> {
    /// Clones the value under a confirmed pin.
    fn read(&self) -> T {
        self.slot.value.with(|cell| {
            // SAFETY: the pin was confirmed: the entry held this slot's index after the pin was
            // placed, so the writer cannot have seen the slot without pins since, and does not write
            // to it.
            #[allow(unsafe_code)]
            let value = unsafe { &*cell };
            value.clone().expect("a published slot holds a value")
        })
    }
}

impl<T> Drop for Pin<'_, T> {
    fn drop(&mut self) {
        // Release, twin of the Acquire in `sweep`: the clone is done when the pin is seen gone.
        self.slot.pins.fetch_sub(1, Ordering::Release);
    }
}
