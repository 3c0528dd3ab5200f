//! A microphone of another Defender.

use std::time::Duration;

use super::error::audio_error;
use crate::media::{SoundFormat, Timestamp};
use crate::remote::{RemoteError, Sound};
use crate::source::audio::{AudioArrival, AudioDescription, AudioError, AudioSource, OpenAudio, Samples};
use crate::source::rate_limit::RateLimit;
use crate::source::session::Session;
use crate::source::settings::RemoteDevice;

/// Sound this far behind what was counted has a gap before it.
const GAP: Duration = Duration::from_millis(400);

/// More seconds of sound in a second than a held up network leaves to catch up with: a Defender drops
/// what is older than one.
const MOST_TIMES: u64 = 4;

/// How often it is looked up whether the microphone is online there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A microphone of another Defender, to be opened.
pub(in crate::source) struct RemoteMicrophone<'s> {
    device: &'s RemoteDevice,
    format: SoundFormat,
    is_wanted: &'s dyn Fn() -> bool,
}

impl<'s> RemoteMicrophone<'s> {
    /// The microphone `device` of this format, read for as long as `is_wanted`.
    pub(in crate::source) fn new(
        device: &'s RemoteDevice,
        format: SoundFormat,
        is_wanted: &'s dyn Fn() -> bool,
    ) -> Self {
        Self { device, format, is_wanted }
    }
}

impl<'s> OpenAudio<'s> for RemoteMicrophone<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError> {
        let RemoteDevice { endpoint, name, .. } = self.device;
        let format = (self.format.rate_hz, self.format.channels);
        let sound =
            endpoint.audio(name, format, self.is_wanted).map_err(|error| audio_error(endpoint, &error))?;
        let now = session.now();
        Ok(Box::new(RemoteSound {
            device: self.device,
            format: self.format,
            session,
            sound,
            rate: RateLimit::new(MOST_TIMES * u64::from(self.format.rate_hz), now),
            samples: Vec::new(),
            end: None,
            look: now,
        }))
    }

    fn problem(&self) -> Option<String> {
        self.device.endpoint.microphone_problem(&self.device.name)
    }
}

/// The sound of another Defender's microphone.
struct RemoteSound<'s> {
    device: &'s RemoteDevice,
    format: SoundFormat,
    session: &'s Session<'s>,
    sound: Sound<'s>,
    rate: RateLimit,
    samples: Vec<i16>,
    /// When the samples given last ended.
    end: Option<Timestamp>,
    /// When to look again whether the microphone is online there.
    look: Timestamp,
}

impl RemoteSound<'_> {
    /// When samples ended that came `now`, and whether there is a gap before them. The network hurries and waits, the
    /// microphone did not: so samples are counted, and the clock is looked at only to notice a gap, or a card that is
    /// faster than it should be.
    fn end_of(&self, frames: u64, now: Timestamp) -> (Timestamp, bool) {
        let counted = self.end.map(|end| end.after(self.format.length_of(frames)));
        match counted.filter(|counted| now.since(*counted) < GAP) {
            Some(counted) => (counted.min(now), false),
            None => (now, true),
        }
    }
}

impl AudioSource for RemoteSound<'_> {
    fn description(&self) -> AudioDescription {
        AudioDescription {
            source: self.device.to_string(),
            mode: String::new(),
            device: self.device.endpoint.settings().address.to_string(),
            format: self.format,
            pcm: None,
            problem: self.device.endpoint.microphone_problem(&self.device.name),
        }
    }

    fn next(&mut self, _timeout: Duration) -> Result<AudioArrival<'_>, AudioError> {
        let frames = (self.samples.len() / self.format.channels as usize) as u64;
        self.session.sleep(self.rate.count(frames, self.session.now()));
        self.samples = match self.sound.samples() {
            Ok(samples) => samples,
            Err(RemoteError::Stopped) => return Ok(AudioArrival::Nothing),
            Err(error) => return Err(audio_error(&self.device.endpoint, &error)),
        };
        let frames = (self.samples.len() / self.format.channels as usize) as u64;
        let now = self.session.now();
        let (end, is_after_gap) = self.end_of(frames, now);
        self.end = Some(end);
        let is_description_new = now >= self.look;
        if is_description_new {
            self.look = now.after(LOOK_EVERY);
        }
        Ok(AudioArrival::Samples(Samples { samples: &self.samples, end, is_after_gap, is_description_new }))
    }
}
