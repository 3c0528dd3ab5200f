//! Why a JPEG cannot be read as coefficients, or not changed.

use std::fmt;

/// Why a JPEG was not read or not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JpegError {
    /// The bytes are not a JPEG, or damaged. The next frame may be whole.
    Broken {
        /// Where, counted from the start of the JPEG.
        offset: usize,
        /// What is wrong there.
        what: Fault,
    },
    /// The data end before the last block.
    Truncated,
    /// More pixels than the caller allows.
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// There is no memory for what is needed to read or to change it.
    NoMemory,
    /// A whole JPEG of a kind that cannot be changed. All frames of one camera are of the same kind.
    Unsupported(Unsupported),
}

/// What is wrong with a damaged JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no marker segment where one must be (ITU-T T.81, section B.1.1.4).
    Segment,
    /// A frame header (SOF) is missing, wrong or there twice.
    FrameHeader,
    /// A scan header (SOS) is missing or wrong.
    ScanHeader,
    /// A quantization table is missing or wrong.
    Quantization,
    /// A Huffman table is missing or wrong.
    Huffman,
    /// A code of no table, or a coefficient past the last one.
    Code,
    /// A restart marker is missing or out of order.
    Restart,
    /// A DC coefficient out of range.
    Range,
    /// More data than the blocks of the picture, or of a restart interval.
    Rest,
}

/// What cannot be changed, although it may be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A progressive picture (SOF2).
    Progressive,
    /// Arithmetic coding.
    Arithmetic,
    /// Lossless or hierarchical coding.
    Process,
    /// Samples of more than 8 bits.
    Precision,
    /// The height comes after the first scan (DNL).
    Height,
    /// No component, or more than four.
    Components,
    /// More than ten blocks in a unit, or a sampling factor that is not 1 to 4 or does not divide the largest one.
    Sampling,
    /// Quantization tables or a restart interval that change between scans.
    Tables,
    /// A picture smaller than one unit cannot be turned.
    TooSmall,
}

impl JpegError {
    /// Whether all frames of this camera will fail with the same reason.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Unsupported(_))
    }

    pub(super) fn broken(offset: usize, what: Fault) -> Self {
        Self::Broken { offset, what }
    }
}

impl From<Unsupported> for JpegError {
    fn from(kind: Unsupported) -> Self {
        Self::Unsupported(kind)
    }
}

impl fmt::Display for JpegError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { offset, what } => write!(f, "damaged JPEG: {what} at byte {offset}"),
            Self::Truncated => f.write_str("truncated JPEG: the data end before the picture does"),
            Self::TooLarge { width, height } => {
                write!(f, "a JPEG of {width}x{height} pixels is larger than what the camera was set to")
            }
            Self::NoMemory => f.write_str("there is no memory for what this JPEG needs"),
            Self::Unsupported(kind) => write!(f, "this JPEG cannot be changed without decoding it: {kind}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Segment => "no marker segment",
            Self::FrameHeader => "no frame header (SOF), or a wrong one",
            Self::ScanHeader => "no scan header (SOS), or a wrong one",
            Self::Quantization => "no quantization table (DQT), or a wrong one",
            Self::Huffman => "no Huffman table (DHT), or a wrong one",
            Self::Code => "a code that is in no Huffman table, or a coefficient past the last one",
            Self::Restart => "no restart marker (RST), or one out of order",
            Self::Range => "a coefficient out of range",
            Self::Rest => "more data than for all blocks",
        })
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Progressive => "it is progressive",
            Self::Arithmetic => "it is coded arithmetically",
            Self::Process => "it is lossless or hierarchical",
            Self::Precision => "its samples have more than 8 bits",
            Self::Height => "its height comes after the picture (DNL)",
            Self::Components => "it has no component, or more than four",
            Self::Sampling => "its components have unusual sampling factors",
            Self::Tables => "its quantization tables or its restart interval change between scans",
            Self::TooSmall => "it is smaller than one unit of blocks",
        })
    }
}

impl std::error::Error for JpegError {}
