//! What the thread of one camera or microphone shares with the source it has open: the time, the request to stop, and
//! whether anybody watches or listens.

use std::cell::Cell;
use std::time::Duration;

use super::clock::Clock;
use crate::hub::{CameraFeed, MicrophoneFeed, Publisher, Stop};
use crate::media::{Frame, Timestamp};

/// How long a source on demand stays open without an audience, so that a page that is loaded again does not close and
/// open it.
const LINGER: Duration = Duration::from_secs(2);

/// Who watches or listens.
pub(super) trait Audience {
    /// How many there are.
    fn count(&self) -> u32;

    /// Shows that the thread goes round, and does not hang in a driver.
    fn pulse(&self);
}

/// One thread's view of the world outside of its source.
pub(super) struct Session<'s> {
    clock: &'s dyn Clock,
    stop: &'s Stop,
    audience: &'s dyn Audience,
    is_on_demand: bool,
    stopped_by: Option<&'s str>,
    deserted_since: Cell<Option<Timestamp>>,
}

impl<'s> Session<'s> {
    /// A session that ends with `stop`. With `is_on_demand`, a source is wanted only while `audience` is there.
    pub(super) fn new(
        clock: &'s dyn Clock,
        stop: &'s Stop,
        audience: &'s dyn Audience,
        is_on_demand: bool,
    ) -> Self {
        Self { clock, stop, audience, is_on_demand, stopped_by: None, deserted_since: Cell::new(None) }
    }

    /// The same session, but with the source closed while `stopped_by` names a user.
    pub(super) fn stopped_by(self, stopped_by: Option<&'s str>) -> Self {
        Self { stopped_by, ..self }
    }

    /// The user who stopped the source, if one did.
    pub(super) fn who_stopped_it(&self) -> Option<&'s str> {
        self.stopped_by
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sleeps for `pause`, or until the thread is to end; true when it is.
    pub(super) fn sleep(&self, pause: Duration) -> bool {
        self.clock.sleep(pause, self.stop)
    }

    /// Sleeps until `frames` have a reader, for at most `timeout`; true when they have one.
    pub(super) fn wait_for_reader(&self, frames: &Publisher<Frame>, timeout: Duration) -> bool {
        self.clock.wait_for_reader(frames, timeout)
    }

    /// Whether the thread is to end. Each round of each loop asks, so this is also its sign of life.
    pub(super) fn is_stopped(&self) -> bool {
        self.audience.pulse();
        self.stop.is_requested()
    }

    /// Whether a source on demand is to stay closed for want of an audience.
    pub(super) fn is_unwanted(&self) -> bool {
        self.is_on_demand && self.audience.count() == 0
    }

    /// A source is about to be opened: it is given its time to find an audience.
    pub(super) fn begin(&self) {
        self.deserted_since.set(None);
    }

    /// Whether the source that is open is to go on. Sources that block ask several times a second.
    pub(super) fn is_wanted(&self) -> bool {
        !self.is_stopped() && !self.is_deserted()
    }

    fn is_deserted(&self) -> bool {
        if !self.is_unwanted() {
            self.deserted_since.set(None);
            return false;
        }
        let now = self.now();
        let since = self.deserted_since.get().unwrap_or(now);
        self.deserted_since.set(Some(since));
        now.since(since) >= LINGER
    }
}

impl Audience for CameraFeed {
    fn count(&self) -> u32 {
        self.frames().readers() + self.smaller.readers()
    }

    fn pulse(&self) {
        self.pulse.add(1);
    }
}

impl Audience for MicrophoneFeed {
    fn count(&self) -> u32 {
        self.listeners()
    }

    fn pulse(&self) {
        self.pulse.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::clock::fake::FakeClock;

    #[derive(Default)]
    struct Viewers(Cell<u32>);

    impl Audience for Viewers {
        fn count(&self) -> u32 {
            self.0.get()
        }

        fn pulse(&self) {}
    }

    #[test]
    fn a_source_on_demand_lingers_after_its_last_viewer() {
        let (clock, stop, viewers) = (FakeClock::new(), Stop::new(), Viewers::default());
        let session = Session::new(&clock, &stop, &viewers, true);
        let pass = |ms| clock.pass(Duration::from_millis(ms), || false);
        assert!(session.is_unwanted() && session.is_wanted());
        pass(1_900);
        assert!(session.is_wanted());
        viewers.0.set(1);
        pass(5_000);
        assert!(session.is_wanted() && !session.is_unwanted());
        viewers.0.set(0);
        assert!(session.is_wanted(), "the two seconds begin when it is noticed");
        pass(2_000);
        assert!(!session.is_wanted());
        session.begin();
        assert!(session.is_wanted());
        stop.request();
        assert!(!session.is_wanted());
    }

    #[test]
    fn a_source_not_on_demand_needs_no_viewer() {
        let (clock, stop, viewers) = (FakeClock::new(), Stop::new(), Viewers::default());
        let session = Session::new(&clock, &stop, &viewers, false);
        clock.pass(Duration::from_secs(60), || false);
        assert!(session.is_wanted() && !session.is_unwanted());
    }
}
