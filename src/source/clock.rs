//! Time, as supervisors and sources see it. Tests give them a clock of their own, which moves only when somebody sleeps.

use std::time::Duration;

use crate::hub::{Publisher, Stop};
use crate::media::{Frame, Timestamp};

/// The longest wait for a device or a viewer: after it, a loop looks whether it is to end.
pub(super) const POLL: Duration = Duration::from_millis(100);

/// Tells the time and lets it pass.
pub(super) trait Clock {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Sleeps for `pause`, or until `stop` is requested; true when it was.
    fn sleep(&self, pause: Duration, stop: &Stop) -> bool;

    /// Sleeps until `frames` have a reader, for at most `timeout`; true when they have one.
    fn wait_for_reader(&self, frames: &Publisher<Frame>, timeout: Duration) -> bool;
}

/// The kernel's `CLOCK_MONOTONIC`.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, pause: Duration, stop: &Stop) -> bool {
        stop.sleep(pause)
    }

    fn wait_for_reader(&self, frames: &Publisher<Frame>, timeout: Duration) -> bool {
        frames.wait_for_reader(timeout)
    }
}

/// A clock for tests.
#[cfg(test)]
pub(super) mod fake {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// So many looks at a clock that stands still are an endless loop.
    const LOOKS_MAX: u32 = 10_000;

    /// A clock that stands still between two sleeps, with things that happen at set times.
    pub(in crate::source) struct FakeClock<'t> {
        now: Cell<Timestamp>,
        looks: Cell<u32>,
        plan: RefCell<Vec<Planned<'t>>>,
    }

    /// What is to happen, and when.
    type Planned<'t> = (Timestamp, Box<dyn FnOnce() + 't>);

    /// The moment at which each fake clock begins.
    pub(in crate::source) const BEGIN: Timestamp = Timestamp::from_micros(1_000_000_000);

    impl<'t> FakeClock<'t> {
        pub(in crate::source) fn new() -> Self {
            Self { now: Cell::new(BEGIN), looks: Cell::new(0), plan: RefCell::default() }
        }

        /// Milliseconds since the clock began.
        pub(in crate::source) fn elapsed_ms(&self) -> u64 {
            self.now.get().since(BEGIN).as_millis() as u64
        }

        /// Has `act` done `at_ms` after the clock began.
        pub(in crate::source) fn at(&self, at_ms: u64, act: impl FnOnce() + 't) {
            let mut plan = self.plan.borrow_mut();
            plan.push((BEGIN.after(Duration::from_millis(at_ms)), Box::new(act)));
            plan.sort_by_key(|(at, _)| *at);
        }

        /// Lets `pause` pass, or less when `is_over` before.
        pub(in crate::source) fn pass(&self, pause: Duration, is_over: impl Fn() -> bool) {
            let end = self.now.get().after(pause);
            self.looks.set(0);
            while !is_over() {
                let next = self.plan.borrow().first().map(|(at, _)| *at).filter(|at| *at <= end);
                let Some(next) = next else { return self.now.set(end) };
                self.now.set(next.max(self.now.get()));
                let (_, act) = self.plan.borrow_mut().remove(0);
                act();
            }
        }
    }

    impl Clock for FakeClock<'_> {
        fn now(&self) -> Timestamp {
            self.looks.set(self.looks.get() + 1);
            assert!(self.looks.get() < LOOKS_MAX, "a loop that never sleeps");
            self.now.get()
        }

        fn sleep(&self, pause: Duration, stop: &Stop) -> bool {
            self.pass(pause, || stop.is_requested());
            stop.is_requested()
        }

        fn wait_for_reader(&self, frames: &Publisher<Frame>, timeout: Duration) -> bool {
            if frames.readers() == 0 {
                self.pass(timeout, || frames.readers() > 0);
            }
            frames.readers() > 0
        }
    }

    #[test]
    fn planned_acts_happen_in_order_and_at_their_time() {
        let acts = RefCell::new(Vec::new());
        let clock = FakeClock::new();
        clock.at(300, || acts.borrow_mut().push("late"));
        clock.at(100, || acts.borrow_mut().push("early"));
        clock.pass(Duration::from_millis(200), || false);
        assert_eq!(*acts.borrow(), ["early"]);
        clock.pass(Duration::from_millis(200), || !acts.borrow().is_empty());
        assert_eq!(clock.elapsed_ms(), 200, "it was over before");
        clock.pass(Duration::from_millis(200), || false);
        assert_eq!((clock.elapsed_ms(), &*acts.borrow()), (400, &vec!["early", "late"]));
    }
}
