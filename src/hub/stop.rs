//! The request to stop, shared by a group of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::wait::EventCount;

/// A request to stop, which threads can check and sleep on. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    set: AtomicBool,
    requested: EventCount,
}

impl Stop {
    /// A stop that was not requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the stop for all clones, and wakes the threads that sleep on them. Cannot be undone.
    pub fn request(&self) {
        // Relaxed: `notify` releases it, and nothing else is published by this flag.
        self.shared.set.store(true, Ordering::Relaxed);
        self.shared.requested.notify();
    }

    /// Whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        // Relaxed: a loop that sees the request one round later loses nothing.
        self.shared.set.load(Ordering::Relaxed)
    }

    /// Requests the stop when the guard is dropped, also by a panic.
    pub fn request_at_end(&self) -> RequestAtEnd<'_> {
        RequestAtEnd(self)
    }

    /// Sleeps for `pause`, or until the stop is requested; true when it was.
    pub fn sleep(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            let ticket = self.shared.requested.ticket();
            if self.is_requested() {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.shared.requested.wait(ticket, Some(left));
        }
    }
}

/// Requests its stop when dropped. Made by [`Stop::request_at_end`].
#[derive(Debug)]
pub struct RequestAtEnd<'s>(&'s Stop);

impl Drop for RequestAtEnd<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_a_long_sleep() {
        let stop = Stop::new();
        let sleeper = {
            let stop = stop.clone();
            std::thread::spawn(move || stop.sleep(Duration::from_secs(3600)))
        };
        stop.request();
        assert!(sleeper.join().unwrap());
    }

    #[test]
    fn a_sleep_without_a_request_runs_out() {
        let (began, pause) = (Instant::now(), Duration::from_millis(5));
        assert!(!Stop::new().sleep(pause) && began.elapsed() >= pause);
    }
}
