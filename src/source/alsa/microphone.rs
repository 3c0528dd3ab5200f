//! A microphone of this machine as a source of sound.

use std::time::Duration;

use super::cards;
use super::error::PcmError;
use super::pcm::{Pcm, Read};
use crate::media::SoundFormat;
use crate::source::audio::{AudioArrival, AudioDescription, AudioError, AudioSource, OpenAudio, Samples};
use crate::source::session::Session;
use crate::source::settings::{MicrophoneDevice, MicrophoneSettings};

/// A microphone of this machine, to be opened.
pub(in crate::source) struct Microphone<'s> {
    settings: &'s MicrophoneSettings,
    /// The PCM that ran last.
    last: Option<String>,
}

impl<'s> Microphone<'s> {
    /// The microphone of `settings`.
    pub(in crate::source) fn new(settings: &'s MicrophoneSettings) -> Self {
        Self { settings, last: None }
    }
}

impl<'s> OpenAudio<'s> for Microphone<'s> {
    fn open(&mut self, _session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError> {
        let pcm = start(self.settings).map_err(|error| match (&self.last, error) {
            // Once there was one, its absence is a loss, whatever `auto` says.
            (Some(last), AudioError::NoMicrophone { problem: None }) => PcmError::Gone(last.clone()).into(),
            (_, error) => error,
        })?;
        self.last = Some(pcm.candidate().pcm.clone());
        Ok(Box::new(PcmSource { pcm, wanted: self.settings.format }))
    }
}

/// Opens the microphone of `settings` and says what it would deliver.
///
/// # Errors
/// Why it would not deliver.
pub(in crate::source) fn probe(settings: &MicrophoneSettings) -> Result<String, AudioError> {
    let pcm = start(settings)?;
    Ok(format!("{}: {}", pcm.candidate(), mode(pcm.format(), settings.format)))
}

/// A PCM that runs.
struct PcmSource {
    pcm: Pcm,
    /// The format that was asked for.
    wanted: SoundFormat,
}

impl AudioSource for PcmSource {
    fn description(&self) -> AudioDescription {
        AudioDescription {
            source: self.pcm.candidate().to_string(),
            mode: mode(self.pcm.format(), self.wanted),
            device: self.pcm.candidate().pcm.clone(),
            format: self.pcm.format(),
            pcm: self.pcm.listed_name(),
            problem: None,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<AudioArrival<'_>, AudioError> {
        Ok(match self.pcm.read(timeout)? {
            Read::Samples { samples, end } => AudioArrival::Samples(Samples {
                samples,
                end,
                is_after_gap: false,
                is_description_new: false,
            }),
            Read::Overrun => AudioArrival::Overrun,
            Read::Nothing => AudioArrival::Nothing,
        })
    }
}

/// Starts the first of the devices meant that can be started.
fn start(settings: &MicrophoneSettings) -> Result<Pcm, AudioError> {
    let name = match &settings.device {
        MicrophoneDevice::Named(name) => Some(name.as_str()),
        _ => None,
    };
    let mut first = None;
    for candidate in cards::candidates(name) {
        match Pcm::start(&candidate, settings.format) {
            Ok(pcm) => return Ok(pcm),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(match (name, first) {
        (None, problem) => {
            AudioError::NoMicrophone { problem: problem.map(|problem| Box::new(problem.into())) }
        }
        (Some(_), Some(PcmError::NotFound { asked, .. })) => {
            PcmError::NotFound { asked, there: cards::names() }.into()
        }
        (Some(_), Some(error)) => error.into(),
        (Some(name), None) => PcmError::NotFound { asked: name.to_owned(), there: cards::names() }.into(),
    })
}

fn mode(given: SoundFormat, wanted: SoundFormat) -> String {
    if given == wanted { given.to_string() } else { format!("{given} ({wanted} asked for)") }
}
