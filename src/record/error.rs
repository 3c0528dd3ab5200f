//! Why footage cannot be written or read.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::segment::SegmentError;

/// Why footage cannot be written or read.
#[derive(Debug)]
pub enum RecordError {
    /// A file or folder could not be used.
    Io(PathBuf, io::Error),
    /// Another process records into this folder.
    Locked(PathBuf),
    /// A segment could not be written or read.
    Segment(PathBuf, SegmentError),
    /// There is no space, and nothing that may be deleted for it.
    NoSpace {
        /// The folder.
        folder: PathBuf,
        /// Bytes that are needed.
        needed_bytes: u64,
        /// What keeps the space from being used.
        limit: Limit,
    },
    /// A frame is larger than a file of this many bytes.
    Frame(u64),
    /// A camera whose name is that of something else in the folder.
    Name(String),
    /// A camera whose newest file has the highest number that there is.
    Numbers(String),
}

/// What keeps space from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `max_gb`.
    Most,
    /// `min_free_gb`.
    Free,
}

impl RecordError {
    /// The error of an operation on a file.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io(path, error)
    }

    /// The error of a segment.
    pub(super) fn segment(path: &Path) -> impl FnOnce(SegmentError) -> Self {
        let path = path.to_owned();
        |error| Self::Segment(path, error)
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Locked(folder) => {
                write!(f, "{}: another Defender records into this folder", folder.display())
            }
            Self::Segment(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoSpace { folder, needed_bytes, limit } => {
                let limit = match limit {
                    Limit::Most => "max_gb of [record] is reached",
                    Limit::Free => "the disk would have less than min_free_gb of [record]",
                };
                let mebibytes = needed_bytes >> 20;
                let folder = folder.display();
                write!(
                    f,
                    "{folder}: no space for {mebibytes} MiB: {limit}, and no recording is left that may be deleted; \
                     those of events that are marked as kept stay"
                )
            }
            Self::Frame(bytes) => {
                let mebibytes = bytes >> 20;
                write!(f, "a frame is larger than a file of {mebibytes} MiB: raise segment_mb of [record]")
            }
            Self::Name(name) => {
                write!(
                    f,
                    "a camera with the name `{name}` cannot be recorded: the name is reserved in the folder of \
                     recordings; rename the camera"
                )
            }
            Self::Numbers(name) => {
                write!(
                    f,
                    "the number of a file of camera {name} is too high to go on from: move that file away"
                )
            }
        }
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Segment(_, error) => Some(error),
            Self::Locked(_) | Self::NoSpace { .. } | Self::Frame(_) => None,
            Self::Name(_) | Self::Numbers(_) => None,
        }
    }
}
