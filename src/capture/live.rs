//! A camera that runs, from its first frame to its last: takes the newest frame, drops what is
//! broken or late, counts both, and publishes while somebody watches.

use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::devices::name;
use super::error::CaptureError;
use super::notice::Sequence;
use super::run::{Capture, SLICE};
use super::stream::{BUFFERS, Filled, Stream};
use crate::hub::CameraState;
use crate::media::{PixelFormat, RawImage};

/// A camera that gave no whole frame for so long is opened anew.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// How long a camera on demand stays open without viewers, so that a page that is loaded again
/// does not close and open it.
const LINGER: Duration = Duration::from_secs(2);

/// One run of one camera.
pub(super) struct Live<'c, 'a> {
    capture: &'c mut Capture<'a>,
    stream: &'c Stream,
    sequence: Sequence,
    /// When the first whole frame came.
    began: Option<Instant>,
    /// When the last whole frame came; at first when the camera was started.
    last_whole: Instant,
    broken_since_whole: bool,
    unwatched_since: Option<Instant>,
}

impl<'c, 'a> Live<'c, 'a> {
    pub(super) fn new(capture: &'c mut Capture<'a>, stream: &'c Stream) -> Self {
        Self {
            capture,
            stream,
            sequence: Sequence::default(),
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
            if self.stream.wait(SLICE)?
                && let Some(filled) = self.take_newest()?
            {
                self.deliver(&filled);
            }
            if self.began.is_none() {
                self.capture.show_placard();
            }
            if self.last_whole.elapsed() >= STALLED_AFTER {
                let (node, broken) = (self.stream.camera().node().to_owned(), self.broken_since_whole);
                return Err(CaptureError::Stalled { node, waited: STALLED_AFTER, broken });
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
        let output = &mut self.capture.output;
        let published = if !output.is_watched() {
            Ok(())
        } else if mode.format == PixelFormat::Mjpeg {
            output.publish_jpeg(filled.bytes(), filled.captured).map_err(|error| error.to_string())
        } else {
            let image = RawImage {
                format: mode.format,
                width: mode.width,
                height: mode.height,
                stride_bytes: mode.stride_bytes,
                range: mode.range,
                data: filled.bytes(),
            };
            output.publish_raw(&image, filled.captured).map_err(|error| error.to_string())
        };
        match published {
            Ok(()) => self.count_whole(),
            Err(reason) => self.drop_broken(&reason),
        }
    }

    fn count_whole(&mut self) {
        self.capture.feed.counters.captured.add(1);
        self.last_whole = Instant::now();
        self.broken_since_whole = false;
        if self.began.is_none() {
            self.began = Some(self.last_whole);
            self.announce();
        }
    }

    /// Only the first whole frame makes a camera online: there are those that open, start, and
    /// then give nothing.
    fn announce(&mut self) {
        let (mode, settings) = (self.stream.mode(), self.capture.settings);
        let source = name(self.stream.camera());
        let difference = mode.difference(settings).map(|asked| format!(" ({asked})")).unwrap_or_default();
        let sentence = format!("{source}: {mode}{difference}");
        if self.capture.notices.is_new_run(&sentence) {
            info!("camera {}: {sentence}", settings.name);
        } else {
            debug!("camera {}: {sentence}", settings.name);
        }
        self.capture.outage = None;
        self.capture.feed.set_state(CameraState {
            source,
            online: true,
            problem: None,
            format: Some(mode.format),
            width: mode.width,
            height: mode.height,
            fps: mode.fps,
            since: None,
            node: Some(self.stream.camera().node().to_owned()),
        });
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
