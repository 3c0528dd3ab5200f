//! Audio: the trait of a source, and the supervisor that opens one and keeps its time.
//!
//! The supervisor asks an [`OpenAudio`] for an [`AudioSource`] and takes samples from it, one virtual call for each
//! batch; the samples are lent. A *frame* of sound is one sample for each channel, as in ALSA. Samples are S16.

mod error;
mod level;
mod supervisor;
mod timeline;

pub(crate) use error::AudioError;
pub(super) use supervisor::supervise;

use std::time::Duration;

use super::session::Session;
use crate::media::{SoundFormat, Timestamp};

/// Opens a microphone's source. A supervisor calls it again for each try.
pub(super) trait OpenAudio<'s> {
    /// Opens the source. One that takes long asks `session` whether it is still wanted.
    ///
    /// # Errors
    /// Why it gives no sound; [`AudioError::Unwanted`] where it was given up for want of listeners.
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn AudioSource + 's>, AudioError>;

    /// Why the source, which is closed, would give no sound, as far as is known without opening it.
    fn problem(&self) -> Option<String> {
        None
    }
}

/// An open source of sound. Dropping it closes it.
pub(super) trait AudioSource {
    /// What it is, and what it delivers. The format does not change while it is open.
    fn description(&self) -> AudioDescription;

    /// What has come since the last call, waited for up to `timeout`. A source that cannot keep to `timeout` ends its
    /// wait when its session does not want it any more.
    ///
    /// # Errors
    /// When it gives no sound any more and has to be opened anew.
    fn next(&mut self, timeout: Duration) -> Result<AudioArrival<'_>, AudioError>;
}

/// What a source is, and what it delivers.
#[derive(Clone, Debug)]
pub(super) struct AudioDescription {
    /// What the sound comes from, for people.
    pub(super) source: String,
    /// Rate and channels, for the log; may be empty.
    pub(super) mode: String,
    /// The name of the device in errors.
    pub(super) device: String,
    /// Rate and channels as they really are.
    pub(super) format: SoundFormat,
    /// The name by which ALSA's device is listed, where it is one.
    pub(super) pcm: Option<String>,
    /// Why what comes is not of the microphone.
    pub(super) problem: Option<String>,
}

/// What came of waiting for sound.
pub(super) enum AudioArrival<'s> {
    /// Samples.
    Samples(Samples<'s>),
    /// Samples were lost because nobody fetched them in time. It goes on.
    Overrun,
    /// Nothing in time.
    Nothing,
}

/// Samples, lent by their source.
pub(super) struct Samples<'s> {
    /// Whole frames, interleaved by channel.
    pub(super) samples: &'s [i16],
    /// When the last frame was captured.
    pub(super) end: Timestamp,
    /// Whether time may have passed between the samples before and these.
    pub(super) is_after_gap: bool,
    /// Whether the source's description is another one than before.
    pub(super) is_description_new: bool,
}

#[cfg(test)]
mod tests;
