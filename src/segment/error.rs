//! What may go wrong with one file of footage.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a segment was not written, read or repaired.
#[derive(Debug)]
pub enum SegmentError {
    /// The system refused something.
    Io {
        /// What was done.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The group does not fit into the file. Nothing was written.
    Full,
    /// An earlier write of this file failed: what it holds is as of then.
    Broken,
    /// What was to be written cannot be. Nothing was written.
    Unfit(&'static str),
    /// The file is no segment.
    Foreign,
    /// The file is a segment of a version that is not known here.
    Version(u16),
    /// The file is shorter than it says.
    Short {
        /// Bytes that it has.
        has_bytes: u64,
        /// Bytes that it should have.
        wants_bytes: u64,
    },
    /// The file does not hold what it should.
    Damaged {
        /// Where, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

impl SegmentError {
    /// What turns an error of the system into one of this type, for `map_err`.
    pub(super) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, source } => write!(f, "cannot {what}: {source}"),
            Self::Full => f.write_str("the segment is full"),
            Self::Broken => f.write_str("an earlier write of the segment failed"),
            Self::Unfit(what) => write!(f, "cannot be written to a segment: {what}"),
            Self::Foreign => f.write_str("it is no segment of Defender"),
            Self::Version(version) => {
                write!(f, "it is a segment of version {version}, which this Defender does not know")
            }
            Self::Short { has_bytes, wants_bytes } => {
                write!(f, "it has {has_bytes} bytes of {wants_bytes}: the rest was cut off")
            }
            Self::Damaged { offset, what } => write!(f, "it is damaged at byte {offset}: {what}"),
        }
    }
}

impl Error for SegmentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
