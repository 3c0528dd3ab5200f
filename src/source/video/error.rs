//! Why there is no picture.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::codec::jpeg::EncodeError;
use crate::jpeg::error::JpegError;
use crate::jpeg::scan::ScanError;

/// Why a source of video gives no picture.
#[derive(Debug)]
pub(crate) enum VideoError {
    /// `auto` found no camera that can be used.
    NoCamera {
        /// Why the first one that there is cannot be used; `None` if there is none.
        problem: Option<Box<VideoError>>,
    },
    /// No whole picture came for too long.
    Stalled {
        /// The device.
        device: String,
        /// For how long.
        waited: Duration,
        /// Whether frames came that were broken.
        is_broken: bool,
    },
    /// Pictures came for too long of which none could be shown.
    Unusable {
        /// The device.
        device: String,
        /// What was wrong with the last one.
        why: Unusable,
    },
    /// It was given up because nobody watches, or the thread is to end. No fault.
    Unwanted,
    /// The source's own reason, which names the device.
    Source {
        /// The reason.
        error: Box<dyn Error + Send + Sync>,
        /// Whether it is that another program uses the device.
        is_busy: bool,
    },
}

/// Why one picture cannot be shown.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The driver says that it is damaged.
    Damaged,
    /// It is no whole JPEG.
    Broken(ScanError),
    /// Its pixels are not what they should be.
    Encode(EncodeError),
    /// It cannot be turned, masked or stamped.
    Edit {
        /// Why.
        error: JpegError,
        /// Whether it has a mask, without which nobody may see it.
        is_masked: bool,
    },
    /// It holds the boundary between the parts of a stream.
    Boundary,
    /// It ends before its end.
    CutOff,
    /// It does not end within the largest size of a picture.
    TooLong,
    /// There is no memory for it.
    NoMemory,
}

impl Unusable {
    /// Whether every picture of the source will be unusable like this one.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::Edit { error, .. } if error.is_lasting())
    }

    /// Whether its words are the same for each picture, and say more than that it is broken.
    pub(super) fn is_telling(&self) -> bool {
        match self {
            Self::Edit { .. } | Self::Boundary | Self::CutOff | Self::TooLong | Self::NoMemory => true,
            Self::Damaged | Self::Broken(_) | Self::Encode(_) => false,
        }
    }
}

impl VideoError {
    /// A source's own reason.
    pub(in crate::source) fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Source { error: Box::new(error), is_busy: false }
    }

    /// Whether another program uses the device.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Source { is_busy: true, .. })
    }
}

impl fmt::Display for VideoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCamera { problem: None } => f.write_str("no camera found"),
            Self::NoCamera { problem: Some(problem) } => write!(f, "no camera can be used: {problem}"),
            Self::Stalled { device, waited, is_broken } => {
                let came = if *is_broken { "only broken frames" } else { "no frame" };
                write!(f, "{device}: stalled, {came} for {} seconds", waited.as_secs())
            }
            Self::Unusable { device, why: Unusable::NoMemory } => write!(
                f,
                "{device}: its pictures are too large for the memory that is left here; raise memory_mb in [server], \
                 or let it send smaller ones"
            ),
            Self::Unusable { device, why } => write!(f, "{device}: none of its pictures can be shown: {why}"),
            Self::Unwanted => f.write_str("closed because nobody watches"),
            Self::Source { error, .. } => error.fmt(f),
        }
    }
}

impl Error for VideoError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoCamera { problem: Some(problem) } => Some(problem),
            Self::Unusable { why, .. } => Some(why),
            // Displayed as its own words, so the cause is what lies behind them.
            Self::Source { error, .. } => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the driver says it is damaged"),
            Self::Broken(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Edit { error, is_masked: true } => {
                write!(f, "the masks of this camera cannot be put on it: {error}")
            }
            Self::Edit { error, is_masked: false } => write!(f, "it cannot be turned or stamped: {error}"),
            Self::Boundary => f.write_str("it holds the boundary of this server's streams"),
            Self::CutOff => f.write_str("a part of it is missing"),
            Self::TooLong => f.write_str("it has no end (no FF D9 in 8 MiB)"),
            Self::NoMemory => f.write_str("there is no memory for it"),
        }
    }
}

impl Error for Unusable {}
