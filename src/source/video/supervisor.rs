//! The loop of a camera's thread: opens its source, lets it run, and when it fails shows that and tries again, until it
//! is to stop. Nothing that a source does ends it.

use std::path::PathBuf;
use std::time::Duration;

use log::info;

use super::context::Context;
use super::delivery::Delivery;
use super::{OpenVideo, VideoError, VideoSource};
use crate::hub::{CameraFeed, CameraState, Publisher};
use crate::media::Frame;
use crate::source::clock::POLL;
use crate::source::problem_log::Backoff;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;

/// How often a source is looked for while a stand-in is shown, and how often a closed one is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs the source that `opener` opens for the camera of `settings`: publishes its pictures, while there are readers,
/// into `publisher`, and says in `feed` how that goes, until `session` is stopped or the hub is closed.
pub(in crate::source) fn supervise<'s>(
    settings: &'s CameraSettings,
    feed: &'s CameraFeed,
    publisher: &'s mut Publisher<Frame>,
    session: &'s Session<'s>,
    opener: &mut dyn OpenVideo<'s>,
) {
    let context = Context::new(settings, feed, session, publisher);
    Supervisor { context, opener, backoff: Backoff::new(), stand_in: None, last: None }.run();
}

struct Supervisor<'a, 'o> {
    context: Context<'a>,
    opener: &'o mut dyn OpenVideo<'a>,
    backoff: Backoff,
    /// The stand-in shown last, since no source could be opened, and the problem that it stands for.
    stand_in: Option<(String, Box<dyn VideoSource + 'a>)>,
    /// The source that ran last: its name for people, and its node.
    last: Option<(String, Option<PathBuf>)>,
}

impl Supervisor<'_, '_> {
    fn run(&mut self) {
        self.forget_former_problem();
        if let Some(who) = self.context.session.who_stopped_it() {
            return self.stay_stopped(&format!("stopped by {who}"));
        }
        while !self.context.is_over() {
            if self.context.session.is_unwanted() {
                self.stay_closed();
                continue;
            }
            match self.run_source() {
                Ok(()) | Err(VideoError::Unwanted) => {}
                Err(error) => {
                    if !self.show_stand_in(&error) {
                        self.show_outage(&error);
                    }
                }
            }
        }
    }

    /// Opens the source and lets it run for as long as it does.
    fn run_source(&mut self) -> Result<(), VideoError> {
        self.context.session.begin();
        let mut source = self.opener.open(self.context.session)?;
        self.stand_in = None;
        let description = source.description();
        self.last = Some((description.source.clone(), description.node.clone()));
        for warning in &description.warnings {
            self.context.log.problem(warning);
        }
        if !description.is_drawn {
            self.set_starting();
        }
        let mut delivery = Delivery::new(&mut self.context, description);
        let ended = delivery.run(&mut *source, None);
        let ran_for = delivery.ran_for();
        drop(source);
        self.context.output.end_source();
        self.context.log.ran(ran_for);
        self.backoff.ran(ran_for);
        self.opener.closed(ended.is_err());
        ended
    }

    /// What the thread before this one said may be over: that the camera was stopped, first of all.
    fn forget_former_problem(&self) {
        let state = self.context.feed.state();
        if !state.online {
            self.context.feed.set_state(CameraState { problem: None, starting: true, ..state });
        }
    }

    /// The source was opened, and its first picture is waited for; until then the problem stays in the state.
    fn set_starting(&self) {
        let state = self.context.feed.state();
        if !state.online {
            self.context.feed.set_state(CameraState { starting: true, ..state });
        }
    }

    /// Shows that the camera was stopped, until another thread with other settings takes over.
    fn stay_stopped(&mut self, problem: &str) {
        info!("{}: {problem}", self.context.log.subject());
        self.set_offline(problem, "STOPPED");
        while !self.context.is_over() {
            self.context.show_no_signal();
            if self.context.output.wait_for_viewer(POLL) {
                self.context.session.sleep(POLL);
            }
        }
    }

    /// Waits for somebody to watch, with the source closed.
    fn stay_closed(&mut self) {
        let source = format!("{} (closed until somebody watches)", self.source());
        self.context.no_signal.end();
        let mut look = self.context.session.now();
        while !self.context.is_over() {
            let now = self.context.session.now();
            if now >= look {
                look = look.after(LOOK_EVERY);
                let problem = self.opener.problem();
                // Its controls can be asked for all the same: that opens it, and does not start it.
                let node = self.last.as_ref().and_then(|(_, node)| node.clone());
                self.context.set_state(CameraState {
                    source: source.clone(),
                    online: problem.is_none(),
                    starting: false,
                    problem,
                    node,
                    ..self.context.feed.state()
                });
            }
            if self.context.output.wait_for_viewer(POLL) {
                return;
            }
        }
    }

    /// Shows the stand-in for a source that could not be opened, for a while; false where there is none.
    fn show_stand_in(&mut self, error: &VideoError) -> bool {
        let problem = error.to_string();
        let former = self.stand_in.take().filter(|(former, _)| *former == problem);
        let found =
            former.or_else(|| Some((problem.clone(), self.opener.stand_in(error, self.context.session)?)));
        let Some((problem, mut source)) = found else { return false };
        let description = source.description();
        self.context.log.problem(&format!("{problem}; showing the {}", description.source));
        let until = self.context.session.now().after(LOOK_EVERY);
        let ended = Delivery::new(&mut self.context, description).run(&mut *source, Some(until));
        match ended {
            Ok(()) => self.stand_in = Some((problem, source)),
            Err(error) => self.show_outage(&error),
        }
        true
    }

    /// Says what is wrong, then shows the no-signal frame until it is time for the next try.
    fn show_outage(&mut self, error: &VideoError) {
        let problem = error.to_string();
        self.context.log.problem(&problem);
        self.set_offline(&problem, "NO SIGNAL");
        let was_missing = self.opener.is_missing();
        let end = self.context.session.now().after(self.backoff.next());
        while !self.context.is_over()
            && !self.context.session.is_unwanted()
            && self.context.session.now() < end
        {
            self.context.show_no_signal();
            if self.context.output.is_watched() {
                self.context.session.sleep(POLL);
            } else {
                self.context.output.wait_for_viewer(POLL);
            }
            if was_missing && !self.opener.is_missing() {
                // A moment for udev to hand the node to its group, or opening it would be denied.
                self.context.session.sleep(POLL);
                return;
            }
        }
    }

    fn set_offline(&mut self, problem: &str, heading: &'static str) {
        self.context.set_state(CameraState {
            source: self.source(),
            online: false,
            starting: false,
            problem: Some(problem.to_owned()),
            node: None,
            ..self.context.feed.state()
        });
        let shown = self.context.feed.public_problem();
        self.context.no_signal.begin(heading, &self.context.settings.name, &shown.unwrap_or_default());
    }

    /// What the pictures come from, for people.
    fn source(&self) -> String {
        match &self.last {
            Some((name, _)) => name.clone(),
            None => self.context.settings.device.to_string(),
        }
    }
}
