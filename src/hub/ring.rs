//! `Ring`: one writer appends sound, any number of readers follow, each with its own cursor.
//!
//! A *frame* of sound is one sample for each channel, as in ALSA. Positions count frames since the
//! start and wrap at 2^32 (a day at 48 kHz); they are compared by their difference. 32-bit atomics
//! only, for ARMv6 has no others.
//!
//! # How it works
//! The writer advances `claimed` over the positions that it is about to overwrite, overwrites them, and
//! advances `written`. A reader copies what lies between its cursor and `written`, then loads `claimed`:
//! positions that the writer has claimed meanwhile may have changed during the copy, and their frames
//! count as lost. Each sample is an atomic of its own. So a torn copy is only wrong, never undefined, and
//! this file needs no `unsafe`.
//!
//! Invariant: the writer never waits for a reader; a write is a bounded number of steps.
//!
//! Invariant: a reader returns only frames that it copied whole, and each frame between two that it
//! returns is counted as lost if it was not returned.

use std::time::{Duration, Instant};

use super::sync::{Arc, AtomicBool, AtomicI16, AtomicU32, Ordering, fence};
use super::wait::EventCount;

/// Makes the two ends of a ring that holds the last `frames` frames (rounded up to a power of two)
/// of `channels` samples each.
///
/// # Panics
/// When `channels` is 0, or `frames` is 0 or above 2^30.
pub fn ring(frames: u32, channels: u32) -> (RingWriter, Ring) {
    assert!(channels > 0 && (1..=1 << 30).contains(&frames), "a ring holds something");
    let frames = frames.next_power_of_two();
    let shared = Arc::new(Shared {
        samples: (0..frames as usize * channels as usize).map(|_| AtomicI16::new(0)).collect(),
        frames,
        channels: channels as usize,
        claimed: AtomicU32::new(0),
        written: AtomicU32::new(0),
        end_low: AtomicU32::new(0),
        end_high: AtomicU32::new(0),
        came: EventCount::new(),
        closed: AtomicBool::new(false),
        readers: AtomicU32::new(0),
    });
    (RingWriter { shared: Arc::clone(&shared), written: 0 }, Ring { shared })
}

/// The writing end. There is one, and `write` takes it by `&mut`.
pub struct RingWriter {
    shared: Arc<Shared>,
    /// The value of `Shared::written`; only this end changes it.
    written: u32,
}

/// The reading side: hands out [`RingReader`]s. Clones share it.
#[derive(Clone)]
pub struct Ring {
    shared: Arc<Shared>,
}

/// One reader, with its own cursor.
pub struct RingReader {
    shared: Arc<Shared>,
    cursor: u32,
}

/// The result of a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Got {
    /// Frames copied, to the front of the buffer.
    pub frames: usize,
    /// Frames that were overwritten before this reader reached them; they come before the copied ones.
    pub lost: u32,
}

/// The end of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveEdge {
    /// Frames between a reader's cursor and the end.
    pub behind: u32,
    /// When the last frame ended, in microseconds of the monotonic clock.
    pub end_us: u64,
}

struct Shared {
    /// Interleaved; frame `position` lies at `position % frames`.
    samples: Box<[AtomicI16]>,
    /// Capacity in frames; a power of two, so that positions may wrap.
    frames: u32,
    channels: usize,
    /// The position before which frames are written or being written.
    claimed: AtomicU32,
    /// The position before which frames are whole.
    written: AtomicU32,
    /// Halves of the time at which the frame before `written` ended.
    end_low: AtomicU32,
    end_high: AtomicU32,
    came: EventCount,
    closed: AtomicBool,
    readers: AtomicU32,
}

impl RingWriter {
    /// Appends whole frames, of which the last ended at `end_us`, and wakes the waiting readers.
    /// Of more than the ring holds, only the end stays.
    ///
    /// # Panics
    /// When `samples` is not a whole number of frames.
    pub fn write(&mut self, samples: &[i16], end_us: u64) {
        let shared = &*self.shared;
        assert!(samples.len().is_multiple_of(shared.channels), "a ring takes whole frames");
        let frames = (samples.len() / shared.channels) as u32;
        let skipped = frames.saturating_sub(shared.frames);
        let end = self.written.wrapping_add(frames);
        // Relaxed, made visible by the fence.
        shared.claimed.store(end, Ordering::Relaxed);
        // Release fence, twin of the Acquire fence in `RingReader::copy`: a reader that copied any
        // sample stored below sees the claim above. Without the fence, the reader could return a frame
        // of the next lap as one of this lap.
        fence(Ordering::Release);
        let kept = &samples[skipped as usize * shared.channels..];
        shared.store(self.written.wrapping_add(skipped), kept);
        shared.end_low.store(end_us as u32, Ordering::Relaxed);
        shared.end_high.store((end_us >> 32) as u32, Ordering::Relaxed);
        // Release: a reader that loads this value of `written` sees the samples before it.
        shared.written.store(end, Ordering::Release);
        self.written = end;
        shared.came.notify();
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        // Relaxed: a statistic.
        self.shared.readers.load(Ordering::Relaxed)
    }
}

impl Drop for RingWriter {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Ring {
    /// A new reader, whose first frame is the next one that is written.
    pub fn reader(&self) -> RingReader {
        // Relaxed: a statistic.
        self.shared.readers.fetch_add(1, Ordering::Relaxed);
        RingReader { shared: Arc::clone(&self.shared), cursor: self.shared.written.load(Ordering::Acquire) }
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        // Relaxed: a statistic.
        self.shared.readers.load(Ordering::Relaxed)
    }

    /// Ends every wait, now and later.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl RingReader {
    /// Copies frames from the cursor on, as many as there are and fit into `into`, and advances the cursor.
    /// Never sleeps.
    pub fn read(&mut self, into: &mut [i16]) -> Got {
        let mut got = Got::default();
        loop {
            let written = self.shared.written.load(Ordering::Acquire);
            let overwritten = written.wrapping_sub(self.cursor).saturating_sub(self.shared.frames);
            self.cursor = self.cursor.wrapping_add(overwritten);
            got.lost = got.lost.wrapping_add(overwritten);
            let there = written.wrapping_sub(self.cursor) as usize;
            let wanted = there.min(into.len() / self.shared.channels);
            let torn = self.copy(&mut into[..wanted * self.shared.channels]);
            self.cursor = self.cursor.wrapping_add(wanted as u32);
            got.lost = got.lost.wrapping_add(torn as u32);
            got.frames = wanted - torn;
            if got.frames > 0 || wanted == 0 {
                into.copy_within(torn * self.shared.channels..wanted * self.shared.channels, 0);
                return got;
            }
        }
    }

    /// The position of the cursor.
    pub fn position(&self) -> u32 {
        self.cursor
    }

    /// Moves the cursor back by `frames` frames. Those that the ring no longer holds count as lost.
    pub fn rewind(&mut self, frames: u32) {
        self.cursor = self.cursor.wrapping_sub(frames);
    }

    /// Advances the cursor by `frames` frames, at most to the end of what was written.
    pub fn skip(&mut self, frames: u32) {
        self.cursor = self.cursor.wrapping_add(frames.min(self.behind()));
    }

    /// Frames that the ring holds.
    pub fn capacity(&self) -> u32 {
        self.shared.frames
    }

    /// Identifies the ring: the same for all of its readers.
    pub fn ring_id(&self) -> usize {
        std::ptr::from_ref(&*self.shared).addr()
    }

    /// Frames that were written and not yet read; if more than the ring holds, the first of them are lost.
    pub fn behind(&self) -> u32 {
        self.shared.written.load(Ordering::Acquire).wrapping_sub(self.cursor)
    }

    /// Sleeps until there are at least `frames` to read; false when `timeout` passed without a write, or
    /// the ring was closed.
    pub fn wait(&self, frames: u32, timeout: Duration) -> bool {
        let (mut end, mut before) = (Instant::now().checked_add(timeout), self.behind());
        loop {
            let ticket = self.shared.came.ticket();
            let behind = self.behind();
            if behind >= frames || self.is_closed() {
                return behind >= frames;
            }
            if behind != before {
                (end, before) = (Instant::now().checked_add(timeout), behind);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            // The wakeup may be spurious: the writer notifies after it has advanced `written`, and this
            // reader may have read those frames before.
            self.shared.came.wait(ticket, left);
        }
    }

    /// Whether the ring was closed: nothing will be written any more.
    pub fn is_closed(&self) -> bool {
        // Relaxed: `close` notifies after it, which orders it for waiting readers.
        self.shared.closed.load(Ordering::Relaxed)
    }

    /// The end of what was written, in frames from the cursor and in time; `None` before the first write.
    pub fn live_edge(&self) -> Option<LiveEdge> {
        let shared = &*self.shared;
        loop {
            let written = shared.written.load(Ordering::Acquire);
            let low = shared.end_low.load(Ordering::Relaxed);
            let high = shared.end_high.load(Ordering::Relaxed);
            // Acquire fence, twin of the writer's Release fence: if either half came from a later write,
            // the claim of that write is seen here.
            fence(Ordering::Acquire);
            if shared.claimed.load(Ordering::Relaxed) == written {
                let end_us = u64::from(high) << 32 | u64::from(low);
                let edge = LiveEdge { behind: written.wrapping_sub(self.cursor), end_us };
                return (end_us != 0).then_some(edge);
            }
            super::sync::pause();
        }
    }

    /// Copies frames from the cursor on, all of them written. Returns how many of the first ones may have
    /// been overwritten during the copy.
    fn copy(&self, into: &mut [i16]) -> usize {
        let shared = &*self.shared;
        shared.load(self.cursor, into);
        // Acquire fence, twin of the Release fence in `RingWriter::write`.
        fence(Ordering::Acquire);
        let claimed = shared.claimed.load(Ordering::Relaxed);
        let torn = claimed.wrapping_sub(self.cursor).saturating_sub(shared.frames) as usize;
        torn.min(into.len() / shared.channels)
    }
}

impl Drop for RingReader {
    fn drop(&mut self) {
        // Relaxed: a statistic.
        self.shared.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn store(&self, position: u32, samples: &[i16]) {
        for (slot, sample) in self.slots(position, samples.len()).zip(samples) {
            // Relaxed: ordered by the fence before and the store of `written` behind.
            slot.store(*sample, Ordering::Relaxed);
        }
    }

    fn load(&self, position: u32, into: &mut [i16]) {
        let length = into.len();
        for (slot, sample) in self.slots(position, length).zip(into) {
            // Relaxed: ordered by the load of `written` before and the fence behind.
            *sample = slot.load(Ordering::Relaxed);
        }
    }

    /// The atomics of `length` samples from `position` on, in one or two runs.
    fn slots(&self, position: u32, length: usize) -> impl Iterator<Item = &AtomicI16> {
        let start = (position & (self.frames - 1)) as usize * self.channels;
        let (before, from) = self.samples.split_at(start);
        from.iter().chain(before).take(length)
    }

    fn close(&self) {
        // Relaxed: released by the notification.
        self.closed.store(true, Ordering::Relaxed);
        self.came.notify();
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
