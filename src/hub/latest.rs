//! `Latest`: one writer publishes values, and any reader picks up the newest; older ones are gone.
//!
//! The writer never waits for a reader, and a reader waits for the writer only when it asks for a
//! value newer than the last one it saw. The values lie in [`super::slots`], at one entry. 32-bit
//! atomics only (ARMv6 has no others).
//!
//! Who needs every value uses [`Latest::tap`] instead.

use std::time::{Duration, Instant};

use super::slots::{Look, SlotReader, SlotWriter, Slots, slots};
use super::sync::{Arc, AtomicBool, Ordering};
use super::tap::Tap;
use super::wait::{EventCount, Ticket};

/// The one entry of the slots.
const CURRENT: usize = 0;

/// Makes the two ends: the one writer, and the handle for at most `max_readers` readers at a time.
pub fn latest<T: Send + Sync>(max_readers: u32) -> (Publisher<T>, Latest<T>) {
    let (writer, slots) = slots(1, max_readers);
    let signals = Arc::new(Signals {
        published: EventCount::new(),
        closed: AtomicBool::new(false),
        reader_came: EventCount::new(),
        tap: Tap::new(),
    });
    (Publisher { writer, signals: Arc::clone(&signals), sequence: 0 }, Latest { slots, signals })
}

/// The writing end. There is one, and `publish` takes it by `&mut`.
pub struct Publisher<T> {
    writer: SlotWriter<Numbered<T>>,
    signals: Arc<Signals<T>>,
    /// Of the newest value; wraps.
    sequence: u32,
}

/// The reading side: hands out [`Reader`]s. Clones share it.
pub struct Latest<T> {
    slots: Slots<Numbered<T>>,
    signals: Arc<Signals<T>>,
}

/// One reader; it remembers the last value it saw.
pub struct Reader<T> {
    slots: SlotReader<Numbered<T>>,
    signals: Arc<Signals<T>>,
    seen: Option<u32>,
}

/// The result of waiting for a newer value.
#[derive(Debug)]
pub enum Wait<T> {
    /// A newer value, and how many values between it and the last one seen were never read.
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

struct Signals<T> {
    published: EventCount,
    closed: AtomicBool,
    reader_came: EventCount,
    tap: Tap<T>,
}

/// `std`'s `Arc` also under loom: the model checks who accesses the cell, not the count inside.
struct Numbered<T> {
    sequence: u32,
    value: std::sync::Arc<T>,
}

impl<T> Clone for Numbered<T> {
    fn clone(&self) -> Self {
        Self { sequence: self.sequence, value: std::sync::Arc::clone(&self.value) }
    }
}

impl<T> Publisher<T> {
    /// Makes `value` the newest one and wakes the waiting readers. Wait-free: a bounded number of
    /// steps, whatever the readers do.
    ///
    /// Returns an old value that neither a reader nor a tap holds any more, if there is one, so that its
    /// memory can be used again.
    pub fn publish(&mut self, value: T) -> Option<T> {
        let mut reusable = None;
        self.sequence = self.sequence.wrapping_add(1);
        let value = std::sync::Arc::new(value);
        let numbered = Numbered { sequence: self.sequence, value: std::sync::Arc::clone(&value) };
        self.writer.set(CURRENT, numbered, |old| {
            reusable = std::sync::Arc::into_inner(old.value).or(reusable.take());
        });
        self.signals.published.notify();
        let given_back = self.signals.tap.take(value);
        reusable.or(given_back)
    }

    /// Takes the newest value back: whoever asks from now on does not get it. A reader that asked before may still hold it.
    ///
    /// The store that empties the entry is the last word on it: a look that happens after this call loads what this call
    /// stored, or something newer (coherence of one atomic), and a pin that was placed before is not confirmed by it.
    pub fn retract(&mut self) {
        self.writer.clear(CURRENT);
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        self.writer.readers()
    }

    /// Sleeps until there is a reader, for at most `timeout`; true when there is one.
    pub fn wait_for_reader(&self, timeout: Duration) -> bool {
        let ticket = self.signals.reader_came.ticket();
        if self.readers() == 0 && !self.is_closed() {
            self.signals.reader_came.wait(ticket, Some(timeout));
        }
        self.readers() > 0
    }

    /// Whether [`Latest::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.signals.is_closed()
    }
}

impl<T> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.signals.close();
    }
}

impl<T> Latest<T> {
    /// A new reader; `None` when there are `max_readers` already. Values that were published before it
    /// came count as seen: the newest of them may be hours old when nobody watched.
    pub fn subscribe(&self) -> Option<Reader<T>> {
        let slots = self.slots.join()?;
        let mut reader = Reader { slots, signals: Arc::clone(&self.signals), seen: None };
        reader.newest();
        self.signals.reader_came.notify();
        Some(reader)
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        self.slots.readers()
    }

    /// Has `tap` called with each value that is published from now on, in the thread of the writer and in place of the function
    /// before. It must not wait for anything. What it returns is an old value whose memory can be used again.
    pub fn tap(&self, tap: impl FnMut(std::sync::Arc<T>) -> Option<T> + Send + 'static) {
        self.signals.tap.set(Some(Box::new(tap)));
    }

    /// Has no function called any more. None is being called when this returns.
    pub fn untap(&self) {
        self.signals.tap.set(None);
    }

    /// Whether no value will come any more.
    pub fn is_closed(&self) -> bool {
        self.signals.is_closed()
    }

    /// Ends every wait, now and later, with [`Wait::Closed`].
    pub fn close(&self) {
        self.signals.close();
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), signals: Arc::clone(&self.signals) }
    }
}

impl<T> Reader<T> {
    /// The newest value, seen before or not; `None` before the first publish. Does not sleep.
    pub fn newest(&mut self) -> Option<std::sync::Arc<T>> {
        let Numbered { sequence, value } = self.load()?;
        self.seen = Some(sequence);
        Some(value)
    }

    /// The next value newer than the last one seen, waiting for it up to `timeout`.
    pub fn wait_newer(&mut self, timeout: Duration) -> Wait<T> {
        let end = Instant::now().checked_add(timeout);
        loop {
            let ticket = self.signals.published.ticket();
            if self.signals.is_closed() {
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
        let Numbered { sequence, value } = self.load()?;
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
        self.signals.published.wait(ticket, left);
        true
    }

    fn load(&mut self) -> Option<Numbered<T>> {
        loop {
            match self.slots.look(CURRENT) {
                Look::Found(numbered) => return Some(numbered),
                Look::Nothing => return None,
                Look::Changed => {}
            }
        }
    }
}

impl<T> Signals<T> {
    fn close(&self) {
        // Relaxed: `notify` releases it to threads that take a ticket afterwards.
        self.closed.store(true, Ordering::Relaxed);
        self.published.notify();
        self.reader_came.notify();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
