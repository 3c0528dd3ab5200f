//! Why a request head is refused.

use std::error::Error;
use std::fmt;

/// Most header fields a head may have.
pub(super) const MAX_FIELDS: usize = 64;

/// Why a request head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Not HTTP, or against its grammar.
    Malformed(&'static str),
    /// More header fields than allowed.
    TooManyFields,
    /// Larger than this limit, in bytes.
    TooLarge(usize),
    /// The body is larger than this limit, in bytes.
    BodyTooLarge(usize),
    /// A body of unknown length.
    LengthRequired,
    /// An HTTP version other than 1.0 and 1.1.
    Version,
    /// An `Expect` other than `100-continue`.
    Expectation,
}

impl HeadError {
    /// The status code of the response.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::LengthRequired => 411,
            Self::BodyTooLarge(_) => 413,
            Self::Expectation => 417,
            Self::TooManyFields | Self::TooLarge(_) => 431,
            Self::Version => 505,
        }
    }
}

impl Error for HeadError {}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed request: {why}"),
            Self::TooManyFields => write!(f, "more than {MAX_FIELDS} header fields"),
            Self::TooLarge(limit) => write!(f, "request head larger than {limit} bytes"),
            Self::BodyTooLarge(limit) => write!(f, "request body larger than {limit} bytes"),
            Self::LengthRequired => write!(f, "a body needs a Content-Length, not a Transfer-Encoding"),
            Self::Version => write!(f, "unsupported HTTP version; supported are 1.0 and 1.1"),
            Self::Expectation => write!(f, "unsupported Expect; supported is 100-continue"),
        }
    }
}
