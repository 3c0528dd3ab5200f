//! `Recent`: the frames, or the pieces of sound, of the last seconds, numbered and bounded.
//!
//! A recorder reads it: to write the seconds before an event (pre-roll), and to lose nothing
//! while its disk stalls. Each camera and each microphone has a `Recent` of its own, for any microphone may
//! be recorded with any camera, and a loss of frames is no loss of sound.
//!
//! Values have consecutive numbers, which wrap at 2^32. A reader that comes too late for some numbers
//! learns how many, and by the number of the next value also which. 32-bit atomics only (ARMv6 has no
//! others).
//!
//! # Who writes
//! Frames are written by the capture thread itself, through a tap of [`super::Latest`]: no thread is woken for each frame, and none
//! comes too late for one. Sound is written by an *intake* thread for each recorded microphone, which reads [`super::Ring`]
//! as a listener does; what it was too slow for gets numbers by [`RecentWriter::skip`], so that the loss is not hidden.
//!
//! # What it costs the publisher
//! A frame is kept as the `Arc` that `Latest` hands out, and nothing is copied. `Latest` does not run out
//! of slots by that: its sweep frees a slot whoever holds the `Arc`. Frames that were removed are given
//! to the writer, which hands them back to the capture thread: their buffers are used again. Without
//! that, a frame of 43 KB takes 6.2 us instead of 2.0 us to copy and publish on one x86-64 core, and one
//! of 200 KB takes 29 us instead of 9 us (the bench `recent`). The bytes that count against the bound are
//! what the buffer takes, not the length of the JPEG in it.
//!
//! # How it works
//! The value with the number `n` is at the entry `n % capacity` of [`super::slots`]. The writer removes
//! the oldest values until the new one is within the bounds, sets the entry, and advances `next`. A reader
//! goes from its cursor to `next`; a number whose entry is empty, or holds a later value, is lost.
//!
//! A reader that reads each value once releases what it has read, and the writer removes that at its next push: so a recorder that
//! keeps up costs the memory of the seconds that it waits for, and one whose disk stalls has all that the bounds allow.
//!
//! Invariant: the writer never waits for a reader. A push takes as many steps as there are values that
//! fall out of the bounds, at most the capacity.
//!
//! Invariant: a reader returns values in the order of their numbers, and each number between two that it
//! returns is counted as lost.

use std::collections::VecDeque;
use std::time::Duration;

use super::slots::{Look, SlotReader, SlotWriter, Slots, slots};
use super::sync::{Arc, AtomicU32, Ordering};

/// What a [`Recent`] keeps at the most. The oldest values go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentBounds {
    /// Values; rounded up to a power of two. Their places are allocated at once, some 60 bytes each.
    pub values: u32,
    /// Bytes of memory of all values together. A value larger than that is not kept.
    pub bytes: usize,
    /// Time between the oldest value and the newest.
    pub age: Duration,
}

/// Makes the two ends: the one writer, and the handle for at most `max_readers` readers at a time.
///
/// # Panics
/// When `bounds.values` is 0 or above 2^24.
pub fn recent<T: ?Sized + Send + Sync>(
    bounds: RecentBounds,
    max_readers: u32,
) -> (RecentWriter<T>, Recent<T>) {
    assert!((1..=1 << 24).contains(&bounds.values), "between one value and 2^24");
    let bounds = RecentBounds { values: bounds.values.next_power_of_two(), ..bounds };
    let (writer, slots) = slots(bounds.values, max_readers);
    let (next, released) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let kept = VecDeque::with_capacity(bounds.values as usize);
    let reading =
        Recent { slots, next: Arc::clone(&next), released: Arc::clone(&released), capacity: bounds.values };
    (RecentWriter { slots: writer, bounds, next, released, number: 0, kept, bytes: 0 }, reading)
}

/// The writing end. There is one, and it writes by `&mut self`.
pub struct RecentWriter<T: ?Sized> {
    slots: SlotWriter<Numbered<T>>,
    bounds: RecentBounds,
    next: Arc<AtomicU32>,
    released: Arc<AtomicU32>,
    /// Of the next value; what `next` holds.
    number: u32,
    /// The values that are kept, the oldest first.
    kept: VecDeque<Size>,
    /// Bytes of all values that are kept.
    bytes: usize,
}

/// The reading side: hands out [`RecentReader`]s. Clones share it.
pub struct Recent<T: ?Sized> {
    slots: Slots<Numbered<T>>,
    next: Arc<AtomicU32>,
    released: Arc<AtomicU32>,
    capacity: u32,
}

/// One reader, with its own cursor.
pub struct RecentReader<T: ?Sized> {
    slots: SlotReader<Numbered<T>>,
    next: Arc<AtomicU32>,
    released: Arc<AtomicU32>,
    capacity: u32,
    /// The number of the next value to read.
    cursor: u32,
    /// Numbers lost since the last value that was returned.
    lost: u32,
}

/// A value that was read.
#[derive(Debug)]
pub struct RecentItem<T: ?Sized> {
    /// The value's number.
    pub number: u32,
    /// How many numbers directly before this one are lost: to this reader, or to the writer already.
    pub lost: u32,
    /// When the value was captured, in microseconds of the monotonic clock.
    pub captured_us: u64,
    /// The value.
    pub value: std::sync::Arc<T>,
}

/// `std`'s `Arc` also under loom: the model checks who accesses the slot, not the count inside.
struct Numbered<T: ?Sized> {
    number: u32,
    captured_us: u64,
    value: std::sync::Arc<T>,
}

impl<T: ?Sized> Clone for Numbered<T> {
    fn clone(&self) -> Self {
        Self { number: self.number, captured_us: self.captured_us, value: std::sync::Arc::clone(&self.value) }
    }
}

/// What the writer knows of a value that is kept.
struct Size {
    number: u32,
    captured_us: u64,
    bytes: usize,
}

impl<T: ?Sized> RecentWriter<T> {
    /// Appends `value`, which was captured at `captured_us` and takes `bytes` of memory, and removes the
    /// oldest values until the bounds hold.
    pub fn push(&mut self, value: std::sync::Arc<T>, bytes: usize, captured_us: u64) {
        self.push_and_give(value, bytes, captured_us, drop);
    }

    /// Does what [`Self::push`] does, and gives values that were removed to `removed`.
    pub fn push_and_give(
        &mut self,
        value: std::sync::Arc<T>,
        bytes: usize,
        captured_us: u64,
        mut removed: impl FnMut(std::sync::Arc<T>),
    ) {
        self.remove_released();
        self.remove_older(captured_us);
        if bytes <= self.bounds.bytes {
            while self.is_full(bytes) && self.remove_oldest() {}
            let (number, at) = (self.number, self.entry(self.number));
            self.kept.push_back(Size { number, captured_us, bytes });
            self.bytes += bytes;
            self.slots.set(at, Numbered { number, captured_us, value }, |old| removed(old.value));
        }
        self.advance(1);
    }

    /// Gives numbers to `lost` values that never came here. Readers count them as lost.
    pub fn skip(&mut self, lost: u32) {
        self.advance(lost);
    }

    /// Removes values that were released, or captured too long before `now_us`: to be called while nothing comes, for
    /// otherwise `push` does it.
    pub fn expire(&mut self, now_us: u64) {
        self.remove_released();
        self.remove_older(now_us);
        self.slots.sweep(drop);
    }

    /// Bytes of memory of the values that are kept. Readers may hold others.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove_released(&mut self) {
        // Relaxed: it guards nothing, and a later one says the same of more values.
        let released = self.released.load(Ordering::Relaxed);
        if released == 0 {
            // Nothing was released yet, or all numbers were used once: the next time says more.
            return;
        }
        let is_released = |oldest: &Size| released.wrapping_sub(oldest.number).cast_signed() > 0;
        while self.kept.front().is_some_and(is_released) {
            self.remove_oldest();
        }
    }

    fn remove_older(&mut self, now_us: u64) {
        let age_us = self.bounds.age.as_micros() as u64;
        let is_old = |oldest: &Size| now_us.saturating_sub(oldest.captured_us) > age_us;
        while self.kept.front().is_some_and(is_old) {
            self.remove_oldest();
        }
    }

    /// Whether the oldest value has to go before one of `bytes` comes.
    fn is_full(&self, bytes: usize) -> bool {
        let has_no_entry = |oldest: &Size| self.number.wrapping_sub(oldest.number) >= self.bounds.values;
        self.bytes.saturating_add(bytes) > self.bounds.bytes || self.kept.front().is_some_and(has_no_entry)
    }

    /// False when nothing is kept.
    fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.bytes -= oldest.bytes;
        self.slots.clear(self.entry(oldest.number));
        true
    }

    fn advance(&mut self, by: u32) {
        self.number = self.number.wrapping_add(by);
        // Release: a reader that loads this number sees the entries of all numbers before it.
        self.next.store(self.number, Ordering::Release);
    }

    fn entry(&self, number: u32) -> usize {
        entry(number, self.bounds.values)
    }
}

impl<T: ?Sized> Recent<T> {
    /// A new reader, whose first value is the oldest that is kept; `None` when there are `max_readers`
    /// already.
    pub fn reader(&self) -> Option<RecentReader<T>> {
        let slots = self.slots.join()?;
        // Relaxed: `read` loads it again.
        let next = self.next.load(Ordering::Relaxed);
        let mut reader = RecentReader {
            slots,
            next: Arc::clone(&self.next),
            released: Arc::clone(&self.released),
            capacity: self.capacity,
            cursor: next,
            lost: 0,
        };
        reader.rewind();
        Some(reader)
    }
}

impl<T: ?Sized> Clone for Recent<T> {
    fn clone(&self) -> Self {
        let (next, released) = (Arc::clone(&self.next), Arc::clone(&self.released));
        Self { slots: self.slots.clone(), next, released, capacity: self.capacity }
    }
}

impl<T: ?Sized> RecentReader<T> {
    /// The next value; `None` when the newest has been read. Never sleeps.
    pub fn read(&mut self) -> Option<RecentItem<T>> {
        while let Some(waiting) = self.waiting() {
            if waiting > self.capacity {
                self.lose(waiting - self.capacity);
            }
            // The value with the cursor's number was at its entry before `next` counted it. Where the
            // entry is empty, holds another value, or changed during the look, that value is gone.
            match self.slots.look(entry(self.cursor, self.capacity)) {
                Look::Found(found) if found.number == self.cursor => return Some(self.take(found)),
                _ => self.lose(1),
            }
        }
        None
    }

    /// Lets the writer remove all that was read: nobody else wants it. A reader that does this does it at least once in 2^31 values.
    pub fn release(&self) {
        self.released.store(self.cursor, Ordering::Relaxed);
    }

    /// Moves the cursor to the oldest value that is kept. No number before that value counts as lost.
    pub fn rewind(&mut self) {
        self.cursor = self.cursor.wrapping_add(self.waiting().unwrap_or(0)).wrapping_sub(self.capacity);
        while self.waiting().is_some() {
            match self.slots.look(entry(self.cursor, self.capacity)) {
                Look::Found(found) if found.number == self.cursor => break,
                _ => self.cursor = self.cursor.wrapping_add(1),
            }
        }
        self.lost = 0;
    }

    /// Numbers from the cursor on that were given out; `None` for none.
    fn waiting(&self) -> Option<u32> {
        // Acquire, twin of the Release in `RecentWriter::advance`.
        let waiting = self.next.load(Ordering::Acquire).wrapping_sub(self.cursor);
        (waiting > 0).then_some(waiting)
    }

    fn lose(&mut self, count: u32) {
        self.cursor = self.cursor.wrapping_add(count);
        self.lost = self.lost.wrapping_add(count);
    }

    fn take(&mut self, Numbered { number, captured_us, value }: Numbered<T>) -> RecentItem<T> {
        self.cursor = number.wrapping_add(1);
        RecentItem { number, lost: std::mem::take(&mut self.lost), captured_us, value }
    }
}

fn entry(number: u32, capacity: u32) -> usize {
    (number & (capacity - 1)) as usize
}

#[cfg(not(loom))]
impl RecentWriter<crate::media::Frame> {
    /// Appends a frame; see [`Self::push_and_give`]. Only what nobody else holds is given.
    pub fn push_frame(
        &mut self,
        frame: std::sync::Arc<crate::media::Frame>,
        mut removed: impl FnMut(crate::media::Frame),
    ) {
        let (bytes, captured) = (frame.memory_bytes(), frame.captured());
        self.push_and_give(frame, bytes, captured.as_micros(), |old| {
            std::sync::Arc::into_inner(old).into_iter().for_each(&mut removed);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
