//! Sleeping until something happened, without a lock and without missing it.

use std::time::Duration;

use super::sync::{Futex, Ordering};

/// An event count. A thread takes a [`Ticket`], looks whether there is work, and if not waits
/// with that ticket: a notification after the ticket was taken ends the wait at once, so none is
/// ever missed between looking and sleeping.
#[derive(Debug)]
pub struct EventCount {
    futex: Futex,
}

/// What an [`EventCount`] had counted when the ticket was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

impl EventCount {
    #[cfg(not(loom))]
    /// An event that has not happened yet.
    pub const fn new() -> Self {
        Self { futex: Futex::new() }
    }

    #[cfg(loom)]
    /// An event that has not happened yet.
    pub fn new() -> Self {
        Self { futex: Futex::new() }
    }

    /// To be taken before looking for work.
    pub fn ticket(&self) -> Ticket {
        // Acquire: what was written before the notification this ticket counts is seen by the
        // look that follows; without it a thread could look too early and sleep too long.
        Ticket(self.futex.word().load(Ordering::Acquire))
    }

    /// Sleeps until a notification later than `ticket`, or for `timeout`. May return early, so
    /// the caller looks again. The count wraps: a sleeper would have to miss exactly 2^32
    /// notifications between its ticket and its sleep to be fooled.
    pub fn wait(&self, ticket: Ticket, timeout: Option<Duration>) {
        self.futex.wait(ticket.0, timeout);
    }

    /// Wakes every sleeper. Never blocks.
    pub fn notify(&self) {
        // Release: pairs with `ticket`, so that a woken thread sees what it was woken for.
        self.futex.word().fetch_add(1, Ordering::Release);
        self.futex.wake_all();
    }
}

impl Default for EventCount {
    fn default() -> Self {
        Self::new()
    }
}
