//! The test tone as a source of sound.

use std::time::Duration;

use super::tone;
use crate::media::{SoundFormat, Timestamp};
use crate::source::audio::{AudioArrival, AudioDescription, AudioError, AudioSource, OpenAudio, Samples};
use crate::source::session::Session;

/// How often samples come.
const PACE: Duration = Duration::from_millis(20);

/// A microphone that hears the test tone.
pub(in crate::source) struct ToneMicrophone {
    pub(in crate::source) format: SoundFormat,
}

impl<'s> OpenAudio<'s> for ToneMicrophone {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError> {
        let start = session.now();
        Ok(Box::new(ToneSource { session, format: self.format, start, played: 0, samples: Vec::new() }))
    }
}

struct ToneSource<'s> {
    session: &'s Session<'s>,
    format: SoundFormat,
    start: Timestamp,
    /// Frames since `start`.
    played: u64,
    samples: Vec<i16>,
}

impl AudioSource for ToneSource<'_> {
    fn description(&self) -> AudioDescription {
        AudioDescription {
            source: "test tone".to_owned(),
            mode: self.format.to_string(),
            device: "test tone".to_owned(),
            format: self.format,
            pcm: None,
            problem: None,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<AudioArrival<'_>, AudioError> {
        self.session.sleep(PACE.min(timeout));
        let due = self.format.frames_in(self.session.now().since(self.start));
        if due <= self.played {
            return Ok(AudioArrival::Nothing);
        }
        self.samples = tone::frames(self.format, self.start, self.played..due);
        self.played = due;
        Ok(AudioArrival::Samples(Samples {
            samples: &self.samples,
            end: self.start.after(self.format.length_of(due)),
            is_after_gap: false,
            is_description_new: false,
        }))
    }
}
