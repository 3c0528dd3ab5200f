//! Why there is no sound.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a source of audio gives no sound.
#[derive(Debug)]
pub(crate) enum AudioError {
    /// `auto` found no microphone that can be used.
    NoMicrophone {
        /// Why the first one that there is cannot be used; `None` if there is none.
        problem: Option<Box<AudioError>>,
    },
    /// It runs, but no sound came for too long.
    Stalled {
        /// The device.
        device: String,
        /// For how long.
        waited: Duration,
    },
    /// It was given up because nobody listens, or the thread is to end. No fault.
    Unwanted,
    /// The source's own reason, which names the device.
    Source(Box<dyn Error + Send + Sync>),
}

impl AudioError {
    /// A source's own reason.
    pub(in crate::source) fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Source(Box::new(error))
    }
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMicrophone { problem: None } => f.write_str("no microphone found"),
            Self::NoMicrophone { problem: Some(problem) } => {
                write!(f, "no microphone can be used: {problem}")
            }
            Self::Stalled { device, waited } => write!(f, "{device}: no sound for {} s", waited.as_secs()),
            Self::Unwanted => f.write_str("closed because nobody listens"),
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl Error for AudioError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoMicrophone { problem: Some(problem) } => Some(problem),
            // Displayed as its own words, so the cause is what lies behind them.
            Self::Source(error) => error.source(),
            _ => None,
        }
    }
}
