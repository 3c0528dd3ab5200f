//! Why another Defender gives nothing.

use std::error::Error;
use std::fmt;

use crate::remote::{Endpoint, RemoteError};
use crate::source::audio::AudioError;
use crate::source::video::VideoError;

/// An error of another Defender, with whose it is.
#[derive(Debug)]
pub(super) struct RelayError {
    sentence: String,
}

impl RelayError {
    fn of(endpoint: &Endpoint, error: &RemoteError) -> Self {
        Self { sentence: endpoint.describe(error) }
    }
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Error for RelayError {}

/// What it means for a camera that `endpoint` failed with `error`.
pub(super) fn video_error(endpoint: &Endpoint, error: &RemoteError) -> VideoError {
    match error {
        RemoteError::Stopped => VideoError::Unwanted,
        error => VideoError::of(RelayError::of(endpoint, error)),
    }
}

/// What it means for a microphone that `endpoint` failed with `error`.
pub(super) fn audio_error(endpoint: &Endpoint, error: &RemoteError) -> AudioError {
    match error {
        RemoteError::Stopped => AudioError::Unwanted,
        error => AudioError::of(RelayError::of(endpoint, error)),
    }
}
