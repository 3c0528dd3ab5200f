//! Why a change of the journal was not made.

use std::error::Error;
use std::fmt;

/// Most events that are kept.
pub(super) const KEPT: usize = 2000;

/// Why a change of the journal was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// There is no event with this id, or no longer.
    NoSuchEvent,
    /// Too many events go on already.
    TooManyOpen,
    /// Too many events are kept already.
    TooManyKept,
}

impl Error for JournalError {}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEvent => f.write_str("there is no such event"),
            Self::TooManyOpen => f.write_str("too many events go on already; end some of them first"),
            Self::TooManyKept => write!(f, "{KEPT} events are marked as kept; unmark some of them first"),
        }
    }
}
