//! Opening cameras of this machine: the one at a node, or the first there is.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::camera::Camera;
use super::controls;
use super::devices;
use super::error::DeviceError;
use super::negotiate::predict;
use super::source::CameraSource;
use super::stream::Stream;
use crate::hub::CameraFeed;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;
use crate::source::test::CardSource;
use crate::source::video::{OpenVideo, VideoError, VideoSource};

/// The camera at a node, or at a link to one.
pub(in crate::source) struct CameraAt<'s> {
    path: &'s Path,
    starter: Starter<'s>,
}

/// The first camera that can be started.
pub(in crate::source) struct FirstCamera<'s> {
    starter: Starter<'s>,
    /// The node that ran last.
    last: Option<PathBuf>,
    /// Whether it failed, and none has run since.
    has_failed: bool,
}

/// What both have in common.
struct Starter<'s> {
    settings: &'s CameraSettings,
    feed: &'s CameraFeed,
    /// Whether it was logged that the driver's time stamps cannot be taken as they are.
    has_reported_stamps: Rc<Cell<bool>>,
}

impl<'s> CameraAt<'s> {
    /// The camera at `path`, set to what `settings` ask for, with the values for controls that `feed` has.
    pub(in crate::source) fn new(path: &'s Path, settings: &'s CameraSettings, feed: &'s CameraFeed) -> Self {
        Self { path, starter: Starter::new(settings, feed) }
    }
}

impl<'s> OpenVideo<'s> for CameraAt<'s> {
    fn open(&mut self, _session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        Ok(self.starter.start(Stream::start(self.path, self.starter.settings)?))
    }

    fn is_missing(&self) -> bool {
        !self.path.exists()
    }

    fn problem(&self) -> Option<String> {
        self.is_missing().then(|| DeviceError::NotFound(self.path.to_owned()).to_string())
    }
}

impl<'s> FirstCamera<'s> {
    /// The first camera, set to what `settings` ask for, with the values for controls that `feed` has.
    pub(in crate::source) fn new(settings: &'s CameraSettings, feed: &'s CameraFeed) -> Self {
        Self { starter: Starter::new(settings, feed), last: None, has_failed: false }
    }

    /// What it means that none could be started: once one ran, its absence is an outage like that of any other
    /// camera, and no reason for a test card.
    fn error(&self, error: VideoError) -> VideoError {
        match (&self.last, error) {
            (Some(node), VideoError::NoCamera { problem: None }) => {
                DeviceError::NotFound(node.to_owned()).into()
            }
            (Some(_), VideoError::NoCamera { problem: Some(problem) }) => *problem,
            (_, error) => error,
        }
    }
}

impl<'s> OpenVideo<'s> for FirstCamera<'s> {
    fn open(&mut self, _session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let last_resort = self.last.as_deref().filter(|_| self.has_failed);
        let start = |node: &Path| Stream::start(node, self.starter.settings);
        let started = devices::first(&devices::whole_cameras(), last_resort, start);
        let stream = started.map_err(|error| self.error(error))?;
        self.last = Some(stream.camera().node().to_owned());
        Ok(self.starter.start(stream))
    }

    fn closed(&mut self, has_failed: bool) {
        self.has_failed = has_failed;
    }

    fn stand_in(
        &mut self,
        error: &VideoError,
        session: &'s Session<'s>,
    ) -> Option<Box<dyn VideoSource + 's>> {
        let note = match error {
            VideoError::NoCamera { problem: None } => "no camera found",
            VideoError::NoCamera { problem: Some(_) } => "no camera can be used",
            _ => return None,
        };
        Some(Box::new(CardSource::new(self.starter.settings, note, Some(error.to_string()), session)))
    }

    fn is_missing(&self) -> bool {
        self.last.as_ref().is_some_and(|node| !node.exists())
    }

    fn problem(&self) -> Option<String> {
        let missing = self.last.as_ref().filter(|node| !node.exists())?;
        Some(DeviceError::NotFound(missing.clone()).to_string())
    }
}

impl<'s> Starter<'s> {
    fn new(settings: &'s CameraSettings, feed: &'s CameraFeed) -> Self {
        Self { settings, feed, has_reported_stamps: Rc::default() }
    }

    /// A source of a stream that was just started.
    fn start(&self, stream: Stream) -> Box<dyn VideoSource + 's> {
        let to_reset = self.feed.take_controls_to_reset();
        let refused = controls::restore(stream.camera(), &self.feed.controls(), &to_reset);
        let warnings = refused.iter().map(DeviceError::to_string).collect();
        let has_reported_stamps = Rc::clone(&self.has_reported_stamps);
        Box::new(CameraSource::new(stream, self.settings, warnings, has_reported_stamps))
    }
}

/// Opens the camera at `path` and says what it would deliver, without starting it or setting it to anything.
///
/// # Errors
/// Why it would not deliver.
pub(in crate::source) fn probe(path: &Path, settings: &CameraSettings) -> Result<String, DeviceError> {
    let camera = Camera::open(path)?;
    let mode = predict(&camera, settings)?;
    Ok(format!("{}: {mode}", devices::name(&camera)))
}

/// The same for the first camera that there is.
///
/// # Errors
/// Why none would deliver.
pub(in crate::source) fn probe_first(settings: &CameraSettings) -> Result<String, VideoError> {
    devices::first(&devices::whole_cameras(), None, |node| probe(node, settings))
}
