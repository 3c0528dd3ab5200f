//! A camera of another Defender: its pictures, as they come, for as long as somebody watches here. One
//! stream for all who do.

use std::cell::Cell;
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::RemoteDevice;
use super::error::CaptureError;
use super::notice::Brake;
use super::output::RelayError;
use super::run::Capture;
use crate::hub::CameraState;
use crate::media::{PixelFormat, Timestamp};
use crate::remote::{Parts, RemoteError};

/// How long the stream stays open without viewers, so that a page that is loaded again does not end
/// and begin it.
const LINGER: Duration = Duration::from_secs(2);

/// More frames a second than any camera gives.
const MOST_FPS: u64 = 500;

/// Nothing but broken pictures for so long is too long.
const BROKEN_FOR: Duration = Duration::from_secs(5);

/// How often it is looked up whether the camera is online there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Capture<'_> {
    /// Relays pictures until capture is to stop or nobody watches any more.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn relay(&mut self, device: &RemoteDevice) -> Result<(), CaptureError> {
        let (feed, stop) = (self.feed, self.stop);
        let unwatched_since: Cell<Option<Instant>> = Cell::new(None);
        let wanted = || {
            feed.pulse.add(1);
            let now = Instant::now();
            let since = if feed.frames().readers() > 0 { now } else { unwatched_since.get().unwrap_or(now) };
            unwatched_since.set(Some(since));
            !stop.is_requested() && now.duration_since(since) < LINGER
        };
        let error = match device.place.video(&device.name, &wanted) {
            Ok(mut parts) => {
                let began = Instant::now();
                self.output.begin_camera();
                let error = self.pass_on(device, &mut parts);
                self.ran(began.elapsed());
                self.output.drop_spare();
                error
            }
            Err(error) => error,
        };
        match error {
            RemoteError::Stopped => Ok(()),
            error => Err(CaptureError::Remote(device.place.told(&error))),
        }
    }

    /// Publishes what comes; why it ended.
    fn pass_on(&mut self, device: &RemoteDevice, parts: &mut Parts<'_>) -> RemoteError {
        let mut clock = FarClock::default();
        let mut is_no_signal = device.place.camera_problem(&device.name).is_some();
        let (mut look, mut whole) = (Instant::now(), Instant::now());
        let mut brake = Brake::new(MOST_FPS, Instant::now());
        loop {
            self.stop.sleep(brake.take(1, Instant::now()));
            let published = match parts.next_part() {
                Ok(Some(part)) => {
                    let captured = part.stamp_us.map(|stamp_us| clock.here(stamp_us, Timestamp::now()));
                    // What the other server sends may be its own notice.
                    self.output.set_no_signal(is_no_signal);
                    let published = self.output.publish_relayed(part.jpeg, captured, device.place.account());
                    self.output.set_no_signal(false);
                    published
                }
                Ok(None) => Err(RelayError::NoMemory),
                Err(error) => return error,
            };
            let dropped = match published {
                Ok(size) => {
                    self.feed.counters.captured.add(1);
                    whole = Instant::now();
                    if whole >= look {
                        look = whole + LOOK_EVERY;
                        is_no_signal = self.announce_relay(device, size);
                    }
                    continue;
                }
                Err(dropped) => dropped,
            };
            self.feed.counters.dropped.add(1);
            let why = match dropped {
                RelayError::Broken(error) => {
                    debug!("camera {}: broken frame: {error}", self.settings.name);
                    RemoteError::Garbled("pictures, and none of them whole")
                }
                RelayError::Boundary => {
                    debug!(
                        "camera {}: a frame holds the boundary of this server's streams",
                        self.settings.name
                    );
                    RemoteError::Garbled("pictures that would end their part of a stream")
                }
                RelayError::NoMemory => {
                    self.say_no_memory();
                    RemoteError::NoMemory
                }
            };
            if whole.elapsed() >= BROKEN_FOR {
                return why;
            }
        }
    }

    /// Logs that pictures are dropped for want of memory, once until the camera has run well for a while.
    fn say_no_memory(&mut self) {
        const PROBLEM: &str = "some pictures are dropped: the memory for those of other Defenders is used up; \
                               raise memory_mb in [server]";
        if self.notices.is_new_problem(PROBLEM) {
            warn!("camera {}: {PROBLEM}", self.settings.name);
        }
    }

    /// Says what is known of the camera there, whose pictures have this width and height; true when it is not
    /// online, so that its notice comes.
    fn announce_relay(&mut self, device: &RemoteDevice, (width, height): (u32, u32)) -> bool {
        let problem = device.place.camera_problem(&device.name);
        let source = device.to_string();
        if problem.is_none() && self.notices.is_new_run(&source) {
            info!("camera {}: {source}", self.settings.name);
        }
        self.outage = None;
        let is_no_signal = problem.is_some();
        self.set_state(CameraState {
            source,
            online: !is_no_signal,
            problem: problem.or_else(|| device.place.camera_stand_in(&device.name)),
            format: Some(PixelFormat::Mjpeg),
            width,
            height,
            fps: self.settings.fps as f32,
            ..CameraState::default()
        });
        is_no_signal
    }
}

/// The other's wall clock as this machine's monotonic one: the frame that was the shortest time on its
/// way says how far they are apart.
#[derive(Debug, Default)]
struct FarClock {
    /// How far they were apart when a frame last came.
    last: Option<Apart>,
}

#[derive(Clone, Copy, Debug)]
struct Apart {
    /// Here minus there, in microseconds; the least seen.
    offset_us: i64,
    at: Timestamp,
}

/// A far clock that seems to differ by so much from what it was has been set.
const STEP_US: u64 = 10_000_000;

/// By how much the least difference is let grow, in microseconds a second: two clocks differ by less, so
/// that a slower one over there does not make its frames look older from hour to hour.
const DRIFT_PPM: u64 = 200;

impl FarClock {
    /// When something stamped there was captured, for a frame that arrives `now`.
    fn here(&mut self, stamp_us: u64, now: Timestamp) -> Timestamp {
        let (there, here) = (stamp_us.cast_signed(), now.as_micros().cast_signed());
        let offset_us = here.wrapping_sub(there);
        let known = self.last.map(|last| {
            let drift_us = now.since(last.at).as_micros() as u64 * DRIFT_PPM / 1_000_000;
            last.offset_us.saturating_add_unsigned(drift_us)
        });
        let known = known.filter(|known| offset_us.wrapping_sub(*known).unsigned_abs() < STEP_US);
        let offset_us = known.map_or(offset_us, |known| known.min(offset_us));
        self.last = Some(Apart { offset_us, at: now });
        Timestamp::from_micros(u64::try_from(there.wrapping_add(offset_us)).unwrap_or(now.as_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_frame_sets_the_clock_and_a_slow_one_is_older_than_it_arrives() {
        let mut clock = FarClock::default();
        let at = Timestamp::from_micros;
        assert_eq!(clock.here(9_000_000_000, at(5_000)), at(5_000));
        assert_eq!(
            clock.here(9_000_010_000, at(25_000)),
            at(15_004),
            "10 ms longer on its way, but for a drift"
        );
        assert_eq!(clock.here(9_000_020_000, at(24_000)), at(24_000), "quicker than the first");
        assert_eq!(clock.here(1_000, at(30_000)), at(30_000), "the far clock was set back");
    }

    #[test]
    fn a_far_clock_that_is_slow_makes_no_frame_old() {
        let mut clock = FarClock::default();
        // A day of frames, ten a second, by a clock that loses 50 microseconds a second.
        let frames = (0..864_000u64).map(|number| (number * 99_995, number * 100_000));
        let ages = frames.map(|(there, here)| {
            let now = Timestamp::from_micros(1_000_000 + here);
            now.since(clock.here(9_000_000_000 + there, now))
        });
        assert!(ages.max().unwrap() < Duration::from_millis(1));
    }
}
