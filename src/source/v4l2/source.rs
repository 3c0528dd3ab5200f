//! A camera of this machine as a source of pictures.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use log::info;

use super::devices;
use super::frame_clock::{FrameClock, Trust};
use super::stream::{Stream, Taken};
use crate::media::{PixelFormat, RawImage};
use crate::source::settings::CameraSettings;
use crate::source::video::{
    Arrival, Content, Description, Picture, Stall, Unusable, VideoError, VideoSource,
};

/// A frame is not older than this, whatever rate a driver promises.
const CLOCK_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A camera that delivers frames.
pub(super) struct CameraSource<'s> {
    stream: Stream,
    settings: &'s CameraSettings,
    warnings: Vec<String>,
    clock: FrameClock,
    has_reported_stamps: Rc<Cell<bool>>,
    /// Damaged frames that were taken from the driver and not reported yet.
    damaged: u32,
}

impl<'s> CameraSource<'s> {
    /// The camera of a stream that runs.
    pub(super) fn new(
        stream: Stream,
        settings: &'s CameraSettings,
        warnings: Vec<String>,
        has_reported_stamps: Rc<Cell<bool>>,
    ) -> Self {
        let interval = Duration::try_from_secs_f32(1.0 / stream.mode().fps).unwrap_or(Duration::ZERO);
        let clock = FrameClock::new(interval.min(CLOCK_INTERVAL_MAX));
        Self { stream, settings, warnings, clock, has_reported_stamps, damaged: 0 }
    }
}

impl VideoSource for CameraSource<'_> {
    fn description(&self) -> Description {
        let (mode, camera) = (self.stream.mode(), self.stream.camera());
        let difference = mode.difference(self.settings).map(|asked| format!(" ({asked})"));
        Description {
            source: devices::name(camera),
            mode: format!("{mode}{}", difference.unwrap_or_default()),
            device: camera.node().display().to_string(),
            format: Some(mode.format),
            size: Some((mode.width, mode.height)),
            fps: mode.fps,
            node: Some(camera.node().to_owned()),
            is_online: true,
            problem: None,
            warnings: self.warnings.clone(),
            is_drawn: false,
            stall: Stall::Measured,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        self.stream.give_back()?;
        if self.damaged > 0 {
            self.damaged -= 1;
            return Ok(Arrival::unusable(Unusable::Damaged));
        }
        let has_waited = !self.stream.wait(Duration::ZERO)?;
        if has_waited && !self.stream.wait(timeout)? {
            return Ok(Arrival::nothing());
        }
        let mode = self.stream.mode();
        let Taken { lost, damaged, newest } = self.stream.take()?;
        self.damaged = damaged;
        let Some(frame) = newest else {
            let unusable = (damaged > 0).then_some(Err(Unusable::Damaged));
            self.damaged = damaged.saturating_sub(1);
            return Ok(Arrival { lost, picture: unusable });
        };
        let captured = self.clock.captured(frame.stamp, frame.taken, has_waited);
        if self.clock.trust() != Trust::Monotonic && !self.has_reported_stamps.replace(true) {
            report_stamps(&self.settings.name, frame.node, self.clock.trust());
        }
        let content = match mode.format {
            PixelFormat::Mjpeg => Content::Jpeg(frame.bytes),
            format => Content::Raw(RawImage {
                format,
                width: mode.width,
                height: mode.height,
                stride_bytes: mode.stride_bytes,
                range: mode.range,
                data: frame.bytes,
            }),
        };
        let picture = Picture { content, captured: Some(captured), is_description_new: false };
        Ok(Arrival { lost, picture: Some(Ok(picture)) })
    }
}

/// Logs, once for a camera, that its stamps are not what they should be.
fn report_stamps(camera: &str, node: &std::path::Path, trust: Trust) {
    let what = match trust {
        Trust::Monotonic => return,
        Trust::Shifted => "are of another clock, and converted",
        Trust::None => "are of no use; frames are stamped when they arrive",
    };
    info!("camera {camera}: {}: the driver's time stamps {what}", node.display());
}
