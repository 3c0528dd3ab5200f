//! The loop of a microphone's thread: opens its source, lets it run, and when it fails leaves silence and tries again,
//! until it is to stop. Nothing that a source does ends it.

use std::time::Duration;

use log::{debug, info};

use super::timeline::Timeline;
use super::{AudioArrival, AudioDescription, AudioError, AudioSource, OpenAudio, Samples};
use crate::hub::{MicrophoneFeed, MicrophoneState, SoundWriter};
use crate::source::clock::POLL;
use crate::source::problem_log::{Backoff, ProblemLog};
use crate::source::session::Session;
use crate::source::settings::MicrophoneSettings;

/// How often something is written while there is no device to set the pace.
const PACE: Duration = Duration::from_millis(20);

/// How often the state of a closed source is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A source that gave nothing for so long is opened anew.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// The same before its first sample: a program that reads a network camera first learns about the camera's stream.
const FIRST_SAMPLE_WITHIN: Duration = Duration::from_secs(10);

/// A source that gave none has twice as long at each further try, up to this: a small board may need longer to load the program.
const FIRST_SAMPLE_MAX: Duration = Duration::from_secs(80);

/// Silence stays this far behind the present, so that a source that comes back finds its place.
const SILENCE_LAG: Duration = Duration::from_millis(100);

/// Runs the source that `opener` opens for the microphone of `settings`: writes its sound into `writer`, and says in
/// `feed` how that goes, until `session` is stopped.
pub(in crate::source) fn supervise<'s>(
    settings: &'s MicrophoneSettings,
    feed: &'s MicrophoneFeed,
    writer: &'s mut SoundWriter,
    session: &'s Session<'s>,
    opener: &mut dyn OpenAudio<'s>,
) {
    let target = settings.device.log_target();
    let mut timeline = Timeline::new(feed, writer, session.now());
    // Listeners of former settings wait for the format that was asked for before.
    timeline.set_format(settings.format);
    Supervisor {
        settings,
        feed,
        session,
        opener,
        timeline,
        log: ProblemLog::new(target, format!("microphone {}", settings.name)),
        backoff: Backoff::new(),
        patience: FIRST_SAMPLE_WITHIN,
        last: None,
    }
    .run();
}

struct Supervisor<'a, 'o> {
    settings: &'a MicrophoneSettings,
    feed: &'a MicrophoneFeed,
    session: &'a Session<'a>,
    opener: &'o mut dyn OpenAudio<'a>,
    timeline: Timeline<'a>,
    log: ProblemLog,
    backoff: Backoff,
    /// How long a source has for its first sample.
    patience: Duration,
    /// The source that ran last, by its name for people.
    last: Option<String>,
}

impl Supervisor<'_, '_> {
    fn run(&mut self) {
        if let Some(who) = self.session.who_stopped_it() {
            return self.stay_stopped(&format!("stopped by {who}"));
        }
        while !self.session.is_stopped() {
            self.wait_for_listener();
            match self.run_source() {
                Ok(()) | Err(AudioError::Unwanted) => {}
                Err(error) => self.stay_silent(&error),
            }
        }
    }

    /// Leaves silence until somebody listens, where the source is open only for that.
    fn wait_for_listener(&mut self) {
        let mut look = self.session.now();
        while self.session.is_unwanted() && !self.session.is_stopped() {
            if self.session.now() >= look {
                look = self.session.now().after(LOOK_EVERY);
                self.announce_closed();
                self.timeline.reset_level();
            }
            self.session.sleep(POLL);
            self.fill_with_silence();
        }
    }

    /// Opens the source and lets it run for as long as it does.
    fn run_source(&mut self) -> Result<(), AudioError> {
        if self.session.is_stopped() {
            return Ok(());
        }
        self.session.begin();
        let mut source = self.opener.open(self.session)?;
        let description = source.description();
        self.timeline.set_format(description.format);
        self.last = Some(description.source.clone());
        let began = self.session.now();
        let ended = self.listen(&mut *source, &description);
        let ran_for = self.session.now().since(began);
        self.log.ran(ran_for);
        self.backoff.ran(ran_for);
        ended
    }

    fn listen(
        &mut self,
        source: &mut dyn AudioSource,
        description: &AudioDescription,
    ) -> Result<(), AudioError> {
        let mut announced = None;
        let mut is_after_gap = true;
        let mut heard = self.session.now();
        while self.session.is_wanted() {
            match source.next(POLL)? {
                AudioArrival::Samples(samples) => {
                    let is_description_new = samples.is_description_new;
                    self.add(&samples, is_after_gap);
                    (is_after_gap, heard) = (false, self.session.now());
                    self.patience = FIRST_SAMPLE_WITHIN;
                    if announced.is_none() || is_description_new {
                        let described = source.description();
                        if announced.as_ref() != Some(&described.problem) {
                            self.announce(&described);
                            announced = Some(described.problem);
                        }
                    }
                }
                AudioArrival::Overrun => {
                    self.feed.overruns.add(1);
                    debug!("{}: overrun", self.log.subject());
                    is_after_gap = true;
                }
                AudioArrival::Nothing => {
                    let waited = if announced.is_none() { self.patience } else { STALLED_AFTER };
                    if self.session.now().since(heard) >= waited {
                        if announced.is_none() {
                            self.patience = (waited * 2).min(FIRST_SAMPLE_MAX);
                        }
                        return Err(AudioError::Stalled { device: description.device.clone(), waited });
                    }
                    self.fill_with_silence();
                    is_after_gap = true;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, arrived: &Samples<'_>, is_after_gap: bool) {
        let frames = arrived.samples.len() / self.timeline.format().channels as usize;
        self.feed.captured.add(frames as u32);
        if is_after_gap || arrived.is_after_gap {
            self.timeline.add_after_gap(arrived.samples, arrived.end);
        } else {
            self.timeline.add(arrived.samples, arrived.end);
        }
    }

    /// Says what is heard.
    fn announce(&mut self, description: &AudioDescription) {
        let AudioDescription { source, mode, pcm, problem, .. } = description.clone();
        if problem.is_none() {
            let separator = if mode.is_empty() { "" } else { ": " };
            self.log.running(&format!("{source}{separator}{mode}"));
        }
        let online = problem.is_none();
        self.feed.set_state(MicrophoneState { source, online, problem, pcm, ..Default::default() });
    }

    /// Says what would be heard.
    fn announce_closed(&mut self) {
        let source = format!("{} (closed until somebody listens)", self.settings.device);
        let problem = self.opener.problem();
        if problem.is_none() {
            self.log.running(&source);
        }
        let online = problem.is_none();
        self.feed.set_state(MicrophoneState { source, online, problem, ..Default::default() });
    }

    /// Leaves silence until it is time for the next try.
    fn stay_silent(&mut self, error: &AudioError) {
        let problem = error.to_string();
        self.log.problem(&problem);
        self.set_offline(problem);
        let end = self.session.now().after(self.backoff.next());
        while self.session.now() < end && !self.session.is_stopped() {
            self.session.sleep(PACE);
            self.fill_with_silence();
        }
    }

    /// Leaves silence until another thread with other settings takes over.
    fn stay_stopped(&mut self, problem: &str) {
        info!("{}: {problem}", self.log.subject());
        self.set_offline(problem.to_owned());
        while !self.session.is_stopped() {
            self.session.sleep(PACE);
            self.fill_with_silence();
        }
    }

    fn set_offline(&mut self, problem: String) {
        let source = self.last.clone().unwrap_or_else(|| self.settings.device.to_string());
        self.feed.set_state(MicrophoneState { source, problem: Some(problem), ..Default::default() });
        self.timeline.reset_level();
    }

    fn fill_with_silence(&mut self) {
        self.timeline.silence_until(self.session.now().before(SILENCE_LAG));
    }
}
