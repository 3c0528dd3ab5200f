//! A camera that runs, from its first frame to its last: takes the newest frame, drops what is
//! broken or late, counts both, and publishes while somebody watches.

use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::clock::{FrameClock, Trust};
use super::devices::name;
use super::error::CaptureError;
use super::notice::Sequence;
use super::run::{Capture, SLICE};
use super::stream::{BUFFERS, Filled, Stream};
use crate::hub::CameraState;
use crate::media::{PixelFormat, RawImage};

/// A frame is not older than this, whatever rate a driver tells.
const CLOCK_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// How long a camera on demand stays open without viewers, so that a page that is loaded again
/// does not close and open it.
const LINGER: Duration = Duration::from_secs(2);

/// One run of one camera.
pub(super) struct Live<'c, 'a> {
    capture: &'c mut Capture<'a>,
    stream: &'c Stream,
    sequence: Sequence,
    clock: FrameClock,
    /// Whether the driver had no frame ready when it was last asked.
    has_waited: bool,
    /// The size of the pictures, as the state has it.
    size: (u32, u32),
    /// The interval of a slow camera, as the state has it.
    slow_interval: Option<Duration>,
    /// When the first whole frame came.
    began: Option<Instant>,
    /// When the last whole frame came; at first when the camera was started.
    last_whole: Instant,
    broken_since_whole: bool,
    unwatched_since: Option<Instant>,
}

impl<'c, 'a> Live<'c, 'a> {
    pub(super) fn new(capture: &'c mut Capture<'a>, stream: &'c Stream) -> Self {
        let mode = stream.mode();
        let interval = Duration::try_from_secs_f32(1.0 / mode.fps).unwrap_or(Duration::ZERO);
        capture.output.begin_camera();
        Self {
            capture,
            stream,
            sequence: Sequence::default(),
            clock: FrameClock::new(interval.min(CLOCK_INTERVAL_MAX)),
            has_waited: true,
            size: (mode.width, mode.height),
            slow_interval: None,
            began: None,
            last_whole: Instant::now(),
            broken_since_whole: false,
            unwatched_since: None,
        }
    }

    /// Delivers frames until capture is to stop, or, on demand, nobody watches any more.
    ///
    /// # Errors
    /// When the camera is gone or stalled.
    pub(super) fn run(&mut self) -> Result<(), CaptureError> {
        while !self.capture.is_over() && !self.is_abandoned(Instant::now()) {
            self.has_waited = !self.stream.wait(Duration::ZERO)?;
            if (!self.has_waited || self.stream.wait(SLICE)?)
                && let Some(filled) = self.take_newest()?
            {
                self.deliver(&filled);
            }
            if self.began.is_none() {
                self.capture.show_placard();
            }
            let waited = self.capture.pace.limit(self.stream.mode().fps);
            if self.last_whole.elapsed() >= waited {
                if self.began.is_none() {
                    self.capture.pace.gave_nothing();
                }
                let (node, broken) = (self.stream.camera().node().to_owned(), self.broken_since_whole);
                return Err(CaptureError::Stalled { node, waited, broken });
            }
        }
        Ok(())
    }

    /// For how long the camera gave frames.
    pub(super) fn ran_for(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| self.last_whole.duration_since(began))
    }

    /// The newest frame that is filled; older ones go back to the driver and count as dropped.
    fn take_newest(&mut self) -> Result<Option<Filled<'c>>, CaptureError> {
        let mut newest = None;
        // Not until there are no more: a driver faster than this loop would never let it end.
        for _ in 0..BUFFERS {
            let Some(filled) = self.stream.next()? else { break };
            let lost = self.sequence.lost_before(filled.sequence);
            self.capture.feed.counters.dropped.add(lost);
            if filled.damaged {
                self.drop_broken("the driver says it is damaged");
            } else if newest.replace(filled).is_some() {
                self.capture.feed.counters.dropped.add(1);
            }
        }
        Ok(newest)
    }

    fn deliver(&mut self, filled: &Filled<'_>) {
        let mode = self.stream.mode();
        let captured = self.clock.captured(filled.stamp, filled.taken, self.has_waited);
        self.tell_clock();
        // A slow camera's picture is kept for whoever asks before the next one; the first one of a camera
        // that gives JPEGs tells whether they are whole, and how large.
        let is_jpeg = mode.format == PixelFormat::Mjpeg;
        let is_wanted = self.capture.output.is_watched() || self.capture.pace.slow_interval().is_some();
        let is_first_jpeg = is_jpeg && self.began.is_none();
        if !is_wanted && !is_first_jpeg {
            return self.count_whole(None);
        }
        let output = &mut self.capture.output;
        let finished = if is_jpeg {
            output.pass_on(filled.bytes(), Some(captured)).map_err(|error| error.to_string())
        } else {
            let image = RawImage {
                format: mode.format,
                width: mode.width,
                height: mode.height,
                stride_bytes: mode.stride_bytes,
                range: mode.range,
                data: filled.bytes(),
            };
            output.encode(&image, Some(captured)).map_err(|error| error.to_string())
        };
        match finished {
            Ok(finished) => {
                // In this order: whoever sees the picture finds its camera online.
                self.count_whole(Some(finished.size()));
                self.capture.output.publish(finished);
            }
            Err(reason) => self.drop_broken(&reason),
        }
    }

    /// Counts a whole frame, of this size if it was looked at, and says what is new of the camera.
    fn count_whole(&mut self, size: Option<(u32, u32)>) {
        self.capture.feed.counters.captured.add(1);
        let now = Instant::now();
        self.capture.pace.came(now.duration_since(self.last_whole));
        self.last_whole = now;
        self.broken_since_whole = false;
        let size = size.unwrap_or(self.size);
        if self.began.is_none() {
            self.began = Some(self.last_whole);
            self.size = size;
            self.announce();
        } else if size != self.size || self.capture.pace.slow_interval() != self.slow_interval {
            self.size = size;
            self.set_state();
        }
    }

    /// Only the first whole frame makes a camera online: there are those that open, start, and
    /// then give nothing.
    fn announce(&mut self) {
        let (mode, settings) = (self.stream.mode(), self.capture.settings);
        let source = name(self.stream.camera());
        let difference = mode.difference(settings).map(|asked| format!(" ({asked})")).unwrap_or_default();
        let (width, height) = self.size;
        let is_as_told = self.size == (mode.width, mode.height);
        let true_size =
            if is_as_told { String::new() } else { format!("; its pictures are {width}x{height}") };
        let sentence = format!("{source}: {mode}{difference}{true_size}");
        if self.capture.notices.is_new_run(&sentence) {
            info!("camera {}: {sentence}", settings.name);
        } else {
            debug!("camera {}: {sentence}", settings.name);
        }
        self.capture.outage = None;
        self.set_state();
    }

    fn set_state(&mut self) {
        let mode = self.stream.mode();
        self.slow_interval = self.capture.pace.slow_interval();
        self.capture.feed.set_state(CameraState {
            source: name(self.stream.camera()),
            online: true,
            starting: false,
            slow_interval: self.slow_interval,
            problem: None,
            format: Some(mode.format),
            width: self.size.0,
            height: self.size.1,
            fps: mode.fps,
            since: None,
            node: Some(self.stream.camera().node().to_owned()),
        });
    }

    /// Says once of a camera that its stamps are not what they should be.
    fn tell_clock(&mut self) {
        let what = match self.clock.trust() {
            Trust::Monotonic => return,
            _ if self.capture.told_clock => return,
            Trust::Shifted => "are of another clock, and converted",
            Trust::None => "are of no use; frames are stamped when they arrive",
        };
        self.capture.told_clock = true;
        let (camera, node) = (&self.capture.settings.name, self.stream.camera().node().display());
        info!("camera {camera}: {node}: the driver's time stamps {what}");
    }

    fn drop_broken(&mut self, reason: &str) {
        self.capture.feed.counters.dropped.add(1);
        self.broken_since_whole = true;
        let (camera, node) = (&self.capture.settings.name, self.stream.camera().node().display());
        debug!("camera {camera}: {node}: broken frame: {reason}");
        if let Some(count) = self.capture.broken.count(Instant::now()) {
            warn!("camera {camera}: {node}: broken frames dropped: {count}; the last: {reason}");
        }
    }

    /// Whether this camera is to run only on demand, and nobody has watched it for a while.
    fn is_abandoned(&mut self, now: Instant) -> bool {
        if !self.capture.settings.on_demand || self.capture.output.is_watched() {
            self.unwatched_since = None;
            return false;
        }
        now.duration_since(*self.unwatched_since.get_or_insert(now)) >= LINGER
    }
}
