//! A camera of another Defender.

use std::time::Duration;

use super::error::video_error;
use super::far_clock::FarClock;
use crate::media::{PixelFormat, Timestamp};
use crate::remote::{Parts, RemoteError};
use crate::source::rate_limit::RateLimit;
use crate::source::session::Session;
use crate::source::settings::RemoteDevice;
use crate::source::video::{
    Arrival, Content, Description, OpenVideo, Picture, Stall, Unusable, VideoError, VideoSource,
};

/// More frames a second than any camera gives.
const MOST_FPS: u64 = 500;

/// Nothing but unusable pictures for so long is too long.
const UNUSABLE_FOR: Duration = Duration::from_secs(5);

/// How often it is looked up whether the camera is online there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A camera of another Defender, or a further stream of one, to be opened.
pub(in crate::source) struct RemoteCamera<'s> {
    device: &'s RemoteDevice,
    /// Frames a second that it is said to give.
    fps: u32,
    is_wanted: &'s dyn Fn() -> bool,
}

impl<'s> RemoteCamera<'s> {
    /// The camera `device`, read for as long as `is_wanted`.
    pub(in crate::source) fn new(
        device: &'s RemoteDevice,
        fps: u32,
        is_wanted: &'s dyn Fn() -> bool,
    ) -> Self {
        Self { device, fps, is_wanted }
    }
}

impl<'s> OpenVideo<'s> for RemoteCamera<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let RemoteDevice { endpoint, name, stream } = self.device;
        let parts = endpoint.video(name, stream.as_deref(), self.is_wanted);
        let parts = parts.map_err(|error| video_error(endpoint, &error))?;
        let now = session.now();
        Ok(Box::new(RemotePictures {
            device: self.device,
            fps: self.fps,
            session,
            parts,
            clock: FarClock::default(),
            rate: RateLimit::new(MOST_FPS, now),
            problem: None,
            look: now,
        }))
    }

    fn problem(&self) -> Option<String> {
        self.device.endpoint.camera_problem(&self.device.name)
    }
}

/// The pictures of another Defender's camera.
struct RemotePictures<'s> {
    device: &'s RemoteDevice,
    fps: u32,
    session: &'s Session<'s>,
    parts: Parts<'s>,
    clock: FarClock,
    rate: RateLimit,
    /// Why the camera is not online there, as of the last look.
    problem: Option<String>,
    /// When to look again.
    look: Timestamp,
}

impl VideoSource for RemotePictures<'_> {
    fn description(&self) -> Description {
        let RemoteDevice { endpoint, name, .. } = self.device;
        Description {
            source: self.device.to_string(),
            mode: String::new(),
            device: endpoint.settings().address.to_string(),
            format: Some(PixelFormat::Mjpeg),
            size: None,
            fps: self.fps as f32,
            node: None,
            is_online: self.problem.is_none(),
            problem: self.problem.clone().or_else(|| endpoint.camera_stand_in(name)),
            warnings: Vec::new(),
            is_drawn: false,
            stall: Stall::Unusable(UNUSABLE_FOR),
        }
    }

    fn next(&mut self, _timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        let now = self.session.now();
        self.session.sleep(self.rate.count(1, now));
        let is_look_due = now >= self.look;
        if is_look_due {
            self.look = now.after(LOOK_EVERY);
            self.problem = self.device.endpoint.camera_problem(&self.device.name);
        }
        let part = match self.parts.next_part() {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(Arrival::unusable(Unusable::NoMemory)),
            Err(RemoteError::Stopped) => return Ok(Arrival::nothing()),
            Err(error) => return Err(video_error(&self.device.endpoint, &error)),
        };
        let content = Content::UntrustedJpeg {
            jpeg: part.jpeg,
            account: self.device.endpoint.account(),
            // What the other server sends may be its own no-signal frame.
            is_no_signal: self.problem.is_some(),
        };
        let captured = part.stamp_us.map(|stamp_us| self.clock.here(stamp_us, self.session.now()));
        Ok(Arrival::picture(Picture { content, captured, is_description_new: is_look_due }))
    }
}
