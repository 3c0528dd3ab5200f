//! State of a camera's thread that outlives a source: the output, the log and the no-signal frame.

use log::{debug, warn};

use super::broken::BrokenFrames;
use super::no_signal::NoSignal;
use super::output::Output;
use super::pace::Pace;
use super::{Description, Unusable};
use crate::hub::{CameraFeed, CameraState, Publisher};
use crate::media::Frame;
use crate::source::problem_log::ProblemLog;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;

/// What a camera's thread keeps.
pub(super) struct Context<'a> {
    pub(super) settings: &'a CameraSettings,
    pub(super) feed: &'a CameraFeed,
    pub(super) session: &'a Session<'a>,
    pub(super) output: Output<'a>,
    pub(super) log: ProblemLog,
    pub(super) pace: Pace,
    pub(super) no_signal: NoSignal,
    broken: BrokenFrames,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        settings: &'a CameraSettings,
        feed: &'a CameraFeed,
        session: &'a Session<'a>,
        publisher: &'a mut Publisher<Frame>,
    ) -> Self {
        let target = settings.device.log_target();
        Self {
            settings,
            feed,
            session,
            output: Output::new(settings, feed, session, publisher),
            log: ProblemLog::new(target, format!("camera {}", settings.name)),
            pace: Pace::new(),
            no_signal: NoSignal::new(session.now()),
            broken: BrokenFrames::default(),
        }
    }

    /// Whether the thread is to end.
    pub(super) fn is_over(&self) -> bool {
        self.session.is_stopped() || self.output.is_closed()
    }

    /// Sets the state, with the size asked for until a source reports another.
    pub(super) fn set_state(&self, mut state: CameraState) {
        if state.width == 0 || state.height == 0 {
            (state.width, state.height) =
                self.feed.edits().0.turned((self.settings.width, self.settings.height));
        }
        self.feed.set_state(state);
    }

    /// Shows the no-signal frame if one is due: during an outage, and until the first picture after it.
    pub(super) fn show_no_signal(&mut self) {
        if !self.no_signal.is_due(&self.output, self.session) {
            return;
        }
        let (CameraState { width, height, since, .. }, now) = (self.feed.state(), self.session.now());
        let since = since.unwrap_or(now);
        if let Err(error) = self.no_signal.show(&mut self.output, now, (width, height), since) {
            self.log.problem(&error.to_string());
        }
    }

    /// Counts and logs a picture of the source so described that cannot be shown.
    pub(super) fn drop_picture(&mut self, description: &Description, why: &Unusable) {
        self.feed.counters.dropped.add(1);
        let (target, subject, device) = (self.log.target(), self.log.subject(), &description.device);
        debug!(target: target, "{subject}: {device}: broken frame: {why}");
        if matches!(why, Unusable::NoMemory) {
            self.log.problem(
                "some pictures are dropped: the memory for those of other servers is used up; raise memory_mb in \
                 [server]",
            );
        } else if let Some(count) = self.broken.count(self.session.now()) {
            warn!(target: target, "{subject}: {device}: broken frames dropped: {count}; the last: {why}");
        }
    }
}
