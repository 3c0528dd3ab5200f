//! Sleeping until a notification, without a lock and without a lost wakeup.

use std::time::Duration;

use super::sync::{Futex, Ordering};

/// An event count. A thread takes a [`Ticket`], looks whether there is work, and if not waits
/// with that ticket. A notification after the ticket was taken ends the wait at once, so none is
/// lost between the look and the sleep.
#[derive(Debug)]
pub struct EventCount {
    futex: Futex,
}

/// The count of an [`EventCount`] when the ticket was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

impl EventCount {
    #[cfg(not(loom))]
    /// An event count without notifications.
    pub const fn new() -> Self {
        Self { futex: Futex::new() }
    }

    #[cfg(loom)]
    /// An event count without notifications.
    pub fn new() -> Self {
        Self { futex: Futex::new() }
    }

    /// A ticket, to be taken before looking for work.
    pub fn ticket(&self) -> Ticket {
        // Acquire: the look that follows sees what was written before the notifications that this
        // ticket counts. Without it the look could find nothing, and the thread sleep although it was
        // notified.
        Ticket(self.futex.word().load(Ordering::Acquire))
    }

    /// Sleeps until a notification later than `ticket`, or for `timeout`. Spurious wakeups are possible, so
    /// the caller looks again. The count wraps: only after exactly 2^32 notifications between the ticket
    /// and the sleep would a thread sleep although it was notified.
    pub fn wait(&self, ticket: Ticket, timeout: Option<Duration>) {
        self.futex.wait(ticket.0, timeout);
    }

    /// Wakes all sleeping threads. Never blocks.
    pub fn notify(&self) {
        // Release, twin of the Acquire in `ticket`: a thread that sees this count sees what was written
        // before.
        self.futex.word().fetch_add(1, Ordering::Release);
        self.futex.wake_all();
    }
}

impl Default for EventCount {
    fn default() -> Self {
        Self::new()
    }
}
