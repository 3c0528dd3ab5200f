//! Sound: what microphones hear, as the hub's ring wants it.
//!
//! What belongs here: ALSA, the test tone, the retry loop of a microphone's thread, keeping its
//! time, its level. What must not: codecs, sockets, configuration files.
//!
//! A *frame* of sound is one sample for each channel, as in ALSA. Samples are S16.

pub mod cards;
mod error;
mod fallback;
mod level;
mod pcm;
mod relay;
mod run;
mod timeline;
mod tone;

pub use error::SoundError;
pub use run::{probe, run};

use std::fmt;

use super::RemoteDevice;
use crate::media::SoundFormat;

/// What a microphone was asked to be; the hardware may give something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrophoneSettings {
    /// Its name in defender.conf and in URLs.
    pub name: String,
    /// Where the sound comes from.
    pub device: MicrophoneDevice,
    /// Rate and channels to ask for.
    pub format: SoundFormat,
}

/// Which device a microphone's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MicrophoneDevice {
    /// The first capture device; silence while there is none.
    Auto,
    /// A soft tone with a tick each second.
    Test,
    /// A microphone of another Defender.
    Remote(RemoteDevice),
    /// An ALSA PCM name such as `hw:1,0`, or part of a card's name.
    Named(String),
}

impl fmt::Display for MicrophoneDevice {
    /// As defender.conf has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Named(name) => f.write_str(name),
            Self::Remote(device) => device.fmt(f),
        }
    }
}
