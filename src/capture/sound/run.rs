//! The loop of a microphone's thread: opens it, lets it run, and when it fails leaves silence and
//! tries again, until told to stop. Nothing that a device does ends it.

use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::cards::{self, Candidate};
use super::error::SoundError;
use super::pcm::{Pcm, Read};
use super::timeline::Timeline;
use super::{MicrophoneDevice, MicrophoneSettings, tone};
use crate::capture::notice::{Backoff, Notices};
use crate::hub::{MicrophoneFeed, MicrophoneState, SoundWriter, Stop};
use crate::media::{SoundFormat, Timestamp};

/// The longest sleep that a request to stop does not end.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// How often something is written while there is no device to set the pace.
const PACE: Duration = Duration::from_millis(20);

/// A device that gave nothing for so long is opened anew.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// Silence stays this far behind the present, so that a device that comes back finds its place.
pub(super) const SILENCE_LAG: Duration = Duration::from_millis(100);

/// Captures what `settings` ask for into `writer`, and says in `feed` how that goes, until `stop`
/// is requested; returns within a fifth of a second then. While `stopped_by` names a user, the device stays
/// closed.
pub fn run(
    settings: &MicrophoneSettings,
    stopped_by: Option<&str>,
    feed: &MicrophoneFeed,
    writer: &mut SoundWriter,
    stop: &Stop,
) {
    let mut timeline = Timeline::new(feed, writer);
    // Who listens already waits for the format that was asked for before.
    timeline.set_format(settings.format);
    Capture {
        settings,
        stopped_by,
        feed,
        stop,
        timeline,
        notices: Notices::default(),
        backoff: Backoff::new(),
        ran: None,
    }
    .run();
}

/// Opens a microphone as [`run`] would and says what it would deliver.
///
/// # Errors
/// Why it would not deliver.
pub fn probe(settings: &MicrophoneSettings) -> Result<String, SoundError> {
    if let MicrophoneDevice::Remote(device) = &settings.device {
        return Ok(device.to_string());
    }
    if settings.device == MicrophoneDevice::Test {
        return Ok(format!("test tone: {}", settings.format));
    }
    start(settings).map(|pcm| sentence(&pcm, settings.format))
}

/// What one microphone's thread knows.
pub(super) struct Capture<'a> {
    pub(super) settings: &'a MicrophoneSettings,
    stopped_by: Option<&'a str>,
    pub(super) feed: &'a MicrophoneFeed,
    pub(super) stop: &'a Stop,
    pub(super) timeline: Timeline<'a>,
    pub(super) notices: Notices,
    backoff: Backoff,
    /// The device that ran last.
    ran: Option<Candidate>,
}

impl Capture<'_> {
    fn run(&mut self) {
        while !self.is_over() {
            if let Some(who) = self.stopped_by {
                self.stay_stopped(&format!("stopped by {who}"));
            } else if self.settings.device == MicrophoneDevice::Test {
                self.play_tone();
            } else if let Err(error) = self.run_once_or_relay() {
                self.stay_silent(&error);
            }
        }
    }

    /// Whether the thread is to end. Asked in each round of each loop, so the asking is also the sign
    /// that the thread does not hang in a driver.
    pub(super) fn is_over(&self) -> bool {
        self.feed.pulse.add(1);
        self.stop.is_requested()
    }

    fn run_once_or_relay(&mut self) -> Result<(), SoundError> {
        match &self.settings.device {
            MicrophoneDevice::Remote(device) => self.relay(device),
            _ => self.run_once(),
        }
    }

    /// Opens the microphone and lets it run for as long as it does.
    fn run_once(&mut self) -> Result<(), SoundError> {
        let mut pcm = start(self.settings).map_err(|error| match (&self.ran, error) {
            // Once there was one, its absence is a loss, whatever `auto` says.
            (Some(ran), SoundError::NoMicrophone { problem: None }) => SoundError::Gone(ran.pcm.clone()),
            (_, error) => error,
        })?;
        self.timeline.set_format(pcm.format());
        self.ran = Some(pcm.candidate().clone());
        let began = Instant::now();
        let ended = self.listen(&mut pcm);
        self.ran(began.elapsed());
        ended
    }

    /// Sound came for so long.
    pub(super) fn ran(&mut self, for_long: Duration) {
        self.notices.ran(for_long);
        self.backoff.ran(for_long);
    }

    fn listen(&mut self, pcm: &mut Pcm) -> Result<(), SoundError> {
        let mut is_announced = false;
        let mut after_gap = true;
        let mut heard = Instant::now();
        while !self.is_over() {
            match pcm.read(SLICE)? {
                Read::Samples { samples, end } => {
                    self.feed.captured.add((samples.len() / self.timeline.format().channels as usize) as u32);
                    if after_gap {
                        self.timeline.add_after_gap(samples, end);
                    } else {
                        self.timeline.add(samples, end);
                    }
                    (after_gap, heard) = (false, Instant::now());
                    if !is_announced {
                        self.announce(pcm);
                        is_announced = true;
                    }
                }
                Read::Overrun => {
                    self.feed.overruns.add(1);
                    debug!("microphone {}: overrun", self.settings.name);
                    after_gap = true;
                }
                Read::Nothing if heard.elapsed() >= STALLED_AFTER => {
                    return Err(SoundError::Stalled {
                        pcm: pcm.candidate().pcm.clone(),
                        waited: STALLED_AFTER,
                    });
                }
                Read::Nothing => {
                    self.timeline.silence_until(Timestamp::now().before(SILENCE_LAG));
                    after_gap = true;
                }
            }
        }
        Ok(())
    }

    fn announce(&mut self, pcm: &Pcm) {
        let sentence = sentence(pcm, self.settings.format);
        if self.notices.is_new_run(&sentence) {
            info!("microphone {}: {sentence}", self.settings.name);
        } else {
            debug!("microphone {}: {sentence}", self.settings.name);
        }
        let (source, pcm) = (source(pcm.candidate()), pcm.listed_name());
        self.feed.set_state(MicrophoneState { source, online: true, pcm, ..Default::default() });
    }

    /// Leaves silence until it is time for the next try.
    fn stay_silent(&mut self, error: &SoundError) {
        let problem = error.to_string();
        if self.notices.is_new_problem(&problem) {
            warn!("microphone {}: {problem}", self.settings.name);
        } else {
            debug!("microphone {}: {problem}", self.settings.name);
        }
        let source = self.ran.as_ref().map_or_else(|| self.settings.device.to_string(), source);
        self.feed.set_state(MicrophoneState { source, problem: Some(problem), ..Default::default() });
        self.timeline.hush_level();
        let end = Instant::now() + self.backoff.next();
        while Instant::now() < end && !self.is_over() {
            self.stop.sleep(PACE);
            self.timeline.silence_until(Timestamp::now().before(SILENCE_LAG));
        }
    }

    /// Leaves silence until another thread with other settings takes over.
    fn stay_stopped(&mut self, problem: &str) {
        info!("microphone {}: {problem}", self.settings.name);
        let (source, problem) = (self.settings.device.to_string(), Some(problem.to_owned()));
        self.feed.set_state(MicrophoneState { source, problem, ..Default::default() });
        self.timeline.hush_level();
        while !self.is_over() {
            self.stop.sleep(PACE);
            self.timeline.silence_until(Timestamp::now().before(SILENCE_LAG));
        }
    }

    fn play_tone(&mut self) {
        self.timeline.set_format(self.settings.format);
        if self.notices.is_new_run("test tone") {
            info!("microphone {}: test tone: {}", self.settings.name, self.settings.format);
        }
        let source = "test tone".to_owned();
        self.feed.set_state(MicrophoneState { source, online: true, ..Default::default() });
        let start = self.timeline.end();
        let mut played = 0;
        while !self.is_over() {
            self.stop.sleep(PACE);
            let due = self.settings.format.frames_in(Timestamp::now().since(start));
            let samples = tone::frames(self.settings.format, start, played..due);
            self.timeline.add(&samples, start.after(self.settings.format.length_of(due)));
            self.feed.captured.add((due - played) as u32);
            played = due;
        }
    }
}

/// Starts the first of the devices meant that can be started.
fn start(settings: &MicrophoneSettings) -> Result<Pcm, SoundError> {
    let mut first = None;
    for candidate in cards::candidates(&settings.device)? {
        match Pcm::start(&candidate, settings.format) {
            Ok(pcm) => return Ok(pcm),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(match (&settings.device, first) {
        (MicrophoneDevice::Auto, problem) => SoundError::NoMicrophone { problem: problem.map(Box::new) },
        (_, Some(SoundError::NotFound { asked, .. })) => {
            SoundError::NotFound { asked, there: cards::labels() }
        }
        (_, Some(error)) => error,
        (device, None) => SoundError::NotFound { asked: device.to_string(), there: cards::labels() },
    })
}

fn sentence(pcm: &Pcm, wanted: SoundFormat) -> String {
    let (source, given) = (source(pcm.candidate()), pcm.format());
    if given == wanted {
        format!("{source}: {given}")
    } else {
        format!("{source}: {given} ({wanted} asked for)")
    }
}

/// What the sound comes from, for people.
fn source(candidate: &Candidate) -> String {
    if candidate.label == candidate.pcm {
        candidate.pcm.clone()
    } else {
        format!("{} ({})", candidate.label, candidate.pcm)
    }
}
