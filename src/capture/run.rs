//! The loop of a capture thread: opens the camera, lets it run, and when it fails shows that and
//! tries again, until told to stop. Nothing that a device does ends it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::controls;
use super::devices;
use super::error::CaptureError;
use super::live::Live;
use super::notice::{Backoff, BrokenFrames, Notices};
use super::output::Output;
use super::pace::Pace;
use super::show::{CardShow, PlacardShow};
use super::stream::Stream;
use super::{CameraSettings, DeviceChoice};
use crate::hub::{CameraFeed, CameraState, Publisher, Stop};
use crate::media::{Frame, Timestamp};

/// The longest sleep that a request to stop does not end.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// How often `auto` looks for a camera while it shows the test card.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Captures what `settings` ask for into `publisher`, and says in `feed` how that goes, until
/// `stop` is requested or the hub is closed; returns within a fifth of a second then. Pictures
/// are published only while there are readers. While `stopped_by` names a user, the device stays closed.
pub fn run(
    settings: &CameraSettings,
    stopped_by: Option<&str>,
    feed: &CameraFeed,
    publisher: &mut Publisher<Frame>,
    stop: &Stop,
) {
    Capture {
        settings,
        stopped_by,
        feed,
        stop,
        output: Output::new(settings, feed, publisher),
        notices: Notices::default(),
        broken: BrokenFrames::default(),
        backoff: Backoff::new(),
        placard: PlacardShow::new(),
        card: None,
        camera: None,
        failed: None,
        outage: None,
        pace: Pace::new(),
        told_clock: false,
    }
    .run();
}

/// What one capture thread knows.
pub(super) struct Capture<'a> {
    pub(super) settings: &'a CameraSettings,
    stopped_by: Option<&'a str>,
    pub(super) feed: &'a CameraFeed,
    pub(super) output: Output<'a>,
    pub(super) notices: Notices,
    pub(super) broken: BrokenFrames,
    pub(super) stop: &'a Stop,
    backoff: Backoff,
    placard: PlacardShow,
    card: Option<CardShow>,
    /// The camera that ran last: its node, and its name for people.
    camera: Option<(PathBuf, String)>,
    /// The node that failed last, while none has run since.
    failed: Option<PathBuf>,
    /// What the placard says; `None` while there is a picture, or none is wanted.
    pub(super) outage: Option<String>,
    pub(super) pace: Pace,
    /// Whether it was said that the driver's time stamps cannot be taken as they are.
    pub(super) told_clock: bool,
}

impl Capture<'_> {
    fn run(&mut self) {
        self.forget_former_problem();
        while !self.is_over() {
            if let Some(who) = self.stopped_by {
                self.stay_stopped(&format!("stopped by {who}"));
                return;
            }
            if self.is_unwanted() {
                self.stay_closed();
                continue;
            }
            match self.run_once() {
                Ok(()) => {}
                Err(error @ CaptureError::NoCamera { .. }) => self.show_card(Some(&error)),
                Err(error) => self.show_outage(&error),
            }
        }
    }

    /// Whether the thread is to end. Asked in each round of each loop, so the asking is also the sign
    /// that the thread does not hang in a driver.
    pub(super) fn is_over(&self) -> bool {
        self.feed.pulse.add(1);
        self.stop.is_requested() || self.output.is_closed()
    }

    /// Whether the camera is to stay closed for want of viewers.
    fn is_unwanted(&self) -> bool {
        self.settings.on_demand && !self.output.is_watched()
    }

    /// Opens the camera and lets it run for as long as it does.
    fn run_once(&mut self) -> Result<(), CaptureError> {
        let stream = match &self.settings.device {
            DeviceChoice::Test => {
                self.show_card(None);
                return Ok(());
            }
            DeviceChoice::Remote(device) => return self.relay(device),
            DeviceChoice::Path(path) => Stream::start(path, self.settings)?,
            DeviceChoice::Auto => self.start_first()?,
        };
        self.card = None;
        let node = stream.camera().node().to_owned();
        self.camera = Some((node.clone(), devices::name(stream.camera())));
        for refused in controls::restore(stream.camera(), &self.feed.controls()) {
            self.tell(&refused.to_string());
        }
        self.set_starting();
        let mut live = Live::new(self, &stream);
        let ended = live.run();
        let ran_for = live.ran_for();
        self.ran(ran_for);
        self.failed = ended.is_err().then_some(node);
        ended
    }

    /// What the thread before this one said may be over: that the camera was stopped, first of all.
    fn forget_former_problem(&self) {
        let state = self.feed.state();
        if !state.online {
            self.feed.set_state(CameraState { problem: None, starting: true, ..state });
        }
    }

    /// The camera was opened, and its first frame is waited for; until then the problem stays told.
    fn set_starting(&self) {
        let state = self.feed.state();
        if !state.online {
            self.feed.set_state(CameraState { starting: true, ..state });
        }
    }

    /// For `auto`: starts the first camera that can be started. Once there was one, its absence
    /// is an outage like that of any other camera, and no reason for a test card.
    fn start_first(&self) -> Result<Stream, CaptureError> {
        let start = |node: &Path| Stream::start(node, self.settings);
        devices::first(&devices::nodes(), self.failed.as_deref(), start).map_err(|error| match &self.camera {
            Some((node, _)) => error.of_lost_camera(node),
            None => error,
        })
    }

    /// Shows that the camera was stopped, until another thread with other settings takes over.
    fn stay_stopped(&mut self, problem: &str) {
        info!("camera {}: {problem}", self.settings.name);
        let source = self.source();
        let problem = Some(problem.to_owned());
        self.outage = problem.clone();
        let (online, starting) = (false, false);
        self.set_state(CameraState { source, online, starting, problem, node: None, ..self.feed.state() });
        while !self.is_over() {
            self.show_placard();
            if self.output.wait_for_viewer(SLICE) {
                self.stop.sleep(SLICE);
            }
        }
    }

    /// Waits for somebody to watch, with the camera closed.
    fn stay_closed(&mut self) {
        let source = format!("{} (closed until somebody watches)", self.source());
        self.outage = None;
        let mut look = Instant::now();
        while !self.is_over() {
            if Instant::now() >= look {
                look += LOOK_EVERY;
                let problem = self.absence();
                let online = problem.is_none();
                let source = source.clone();
                // Its controls can be asked for all the same: that opens it, and does not start it.
                let node = self.camera.as_ref().map(|(node, _)| node.clone());
                let starting = false;
                self.set_state(CameraState { source, online, starting, problem, node, ..self.feed.state() });
            }
            if self.output.wait_for_viewer(SLICE) {
                return;
            }
        }
    }

    /// Shows the test card: for a while if a camera may come, which `error` says, else to the end.
    fn show_card(&mut self, error: Option<&CaptureError>) {
        let note = match error {
            None => "test card",
            Some(CaptureError::NoCamera { problem: Some(_) }) => "no camera can be used",
            Some(_) => "no camera found",
        };
        self.announce_card(note, error.map(CaptureError::to_string));
        let same = self.card.take().filter(|card| card.note() == note);
        let mut card = same.unwrap_or_else(|| CardShow::new(self.settings, note));
        let end = error.map(|_| Instant::now() + LOOK_EVERY);
        while !self.is_over() && end.is_none_or(|end| Instant::now() < end) {
            if let Err(error) = card.step(&mut self.output, self.feed, self.stop) {
                self.tell(&error.to_string());
                self.stop.sleep(SLICE);
            }
        }
        self.card = Some(card);
    }

    fn announce_card(&mut self, note: &str, problem: Option<String>) {
        match &problem {
            Some(problem) => self.tell(&format!("{problem}; showing the test card")),
            None if self.notices.is_new_run(note) => info!("camera {}: {note}", self.settings.name),
            None => {}
        }
        self.outage = None;
        let &CameraSettings { width, height, fps, .. } = self.settings;
        let fps = fps as f32;
        let source = "test card".to_owned();
        let state = CameraState { source, online: true, problem, width, height, fps, ..Default::default() };
        self.set_state(state);
    }

    /// Says what is wrong, then shows the placard until it is time for the next try.
    fn show_outage(&mut self, error: &CaptureError) {
        let problem = error.to_string();
        self.tell(&problem);
        let source = self.source();
        let shown = Some(problem.clone());
        let (online, starting) = (false, false);
        let state = CameraState { source, online, starting, problem: shown, node: None, ..self.feed.state() };
        self.set_state(state);
        self.outage = Some(problem);
        let was_missing = self.missing_node().is_some();
        let end = Instant::now() + self.backoff.next();
        while !self.is_over() && !self.is_unwanted() && Instant::now() < end {
            self.show_placard();
            if self.output.is_watched() {
                self.stop.sleep(SLICE);
            } else {
                self.output.wait_for_viewer(SLICE);
            }
            if was_missing && self.missing_node().is_none() {
                // A moment for udev to hand the node to its group, or opening it would be denied.
                self.stop.sleep(SLICE);
                return;
            }
        }
    }

    /// Shows the placard if one is due: during an outage, and until the first frame after it.
    pub(super) fn show_placard(&mut self) {
        let Some(problem) = &self.outage else { return };
        let CameraState { width, height, since, .. } = self.feed.state();
        let size = placard_size(width, height);
        let subject = (self.settings.name.as_str(), problem.as_str());
        let heading = if self.stopped_by.is_some() { "STOPPED" } else { "NO SIGNAL" };
        let since = since.unwrap_or_else(Timestamp::now);
        if let Err(error) = self.placard.step(&mut self.output, size, heading, subject, since) {
            self.tell(&error.to_string());
        }
    }

    /// Pictures came for so long.
    pub(super) fn ran(&mut self, for_long: Duration) {
        self.notices.ran(for_long);
        self.backoff.ran(for_long);
    }

    /// Logs a problem, unless it was told before.
    fn tell(&mut self, problem: &str) {
        if self.notices.is_new_problem(problem) {
            warn!("camera {}: {problem}", self.settings.name);
        } else {
            debug!("camera {}: {problem}", self.settings.name);
        }
    }

    /// Sets the state, with the size asked for while no camera has told another.
    pub(super) fn set_state(&self, mut state: CameraState) {
        if state.width == 0 || state.height == 0 {
            (state.width, state.height) = (self.settings.width, self.settings.height);
        }
        self.feed.set_state(state);
    }

    /// Why a camera that is closed would give no picture, as far as can be told.
    fn absence(&self) -> Option<String> {
        if let DeviceChoice::Remote(device) = &self.settings.device {
            return device.place.camera_problem(&device.name);
        }
        self.missing_node().map(|node| CaptureError::NotFound(node.to_owned()).to_string())
    }

    /// The node or link to wait for, if it is not there.
    fn missing_node(&self) -> Option<&Path> {
        let awaited = match &self.settings.device {
            DeviceChoice::Path(path) => Some(path.as_path()),
            DeviceChoice::Auto => self.camera.as_ref().map(|(node, _)| node.as_path()),
            DeviceChoice::Test | DeviceChoice::Remote(_) => None,
        };
        awaited.filter(|node| !node.exists())
    }

    /// What the pictures come from, for people.
    fn source(&self) -> String {
        match &self.camera {
            Some((_, name)) => name.clone(),
            None => self.settings.device.to_string(),
        }
    }
}

/// As large as the picture, halved until a board has the memory to draw it.
fn placard_size(mut width: u32, mut height: u32) -> (u32, u32) {
    const PIXELS: u64 = 1920 * 1088;
    while u64::from(width) * u64::from(height) > PIXELS {
        (width, height) = (width / 2, height / 2);
    }
    (width, height)
}

impl fmt::Display for DeviceChoice {
    /// As defender.conf has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Path(path) => path.display().fmt(f),
            Self::Remote(device) => device.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
