//! Video: the trait of a source, and the supervisor that opens one and keeps it running.
//!
//! The supervisor asks an [`OpenVideo`] for a [`VideoSource`] and takes pictures from it, one virtual call for each; the
//! picture is lent, so the call copies nothing.

mod broken;
mod context;
mod delivery;
mod editing;
mod error;
mod no_signal;
mod output;
mod pace;
mod supervisor;

pub(super) use error::Unusable;
pub(crate) use error::VideoError;
pub(super) use supervisor::supervise;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::session::Session;
use crate::media::{PixelFormat, RawImage, Timestamp};
use crate::memory::Account;

/// Opens a camera's source. A supervisor calls it again for each try.
pub(super) trait OpenVideo<'s> {
    /// Opens the source. One that takes long asks `session` whether it is still wanted.
    ///
    /// # Errors
    /// Why it gives no picture; [`VideoError::Unwanted`] where it was given up for want of viewers.
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError>;

    /// The source opened last was closed, after a failure or without one.
    fn closed(&mut self, _has_failed: bool) {}

    /// What to show for a while instead of a source that cannot be opened; `None` shows the no-signal frame.
    fn stand_in(
        &mut self,
        _error: &VideoError,
        _session: &'s Session<'s>,
    ) -> Option<Box<dyn VideoSource + 's>> {
        None
    }

    /// Whether the device is missing. When it appears, it is opened at once.
    fn is_missing(&self) -> bool {
        false
    }

    /// Why the source, which is closed, would give no picture, as far as is known without opening it.
    fn problem(&self) -> Option<String> {
        None
    }
}

/// An open source of pictures. Dropping it closes it.
pub(super) trait VideoSource {
    /// What it is, and what it delivers.
    fn description(&self) -> Description;

    /// The newest picture, waited for up to `timeout`. The picture is lent until the next call; older ones that waited
    /// are lost. A source that cannot keep to `timeout` ends its wait when its session does not want it any more.
    ///
    /// # Errors
    /// When it gives no picture any more and has to be opened anew.
    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError>;

    /// Why it gives no picture, where it knows more than that none came in time.
    fn stall_reason(&self) -> Option<VideoError> {
        None
    }
}

/// What a source is, and what it delivers.
#[derive(Clone, Debug)]
pub(super) struct Description {
    /// What the pictures come from, for people.
    pub(super) source: String,
    /// Size, format and rate, for the log; may be empty.
    pub(super) mode: String,
    /// The name of the device in errors.
    pub(super) device: String,
    /// The format of the pictures.
    pub(super) format: Option<PixelFormat>,
    /// Width and height as promised; `None` where only the pictures show it.
    pub(super) size: Option<(u32, u32)>,
    /// Frames a second as promised; zero for no promise.
    pub(super) fps: f32,
    /// The device's node, where it has one.
    pub(super) node: Option<PathBuf>,
    /// Whether its pictures are of the camera.
    pub(super) is_online: bool,
    /// Why they are not, or why they are those of a stand-in.
    pub(super) problem: Option<String>,
    /// Settings that it could not take, for the log.
    pub(super) warnings: Vec<String>,
    /// Whether Defender draws the pictures: it needs no viewer to stay open, no picture to count as online, and draws
    /// none while nobody watches.
    pub(super) is_drawn: bool,
    /// When it counts as stalled.
    pub(super) stall: Stall,
}

/// When a source counts as stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// After three of its intervals, as measured, without a whole picture.
    Measured,
    /// As `Measured`, for a source that may begin with a picture it had already: one that gives no second one is given
    /// longer at each try, because it may be slow.
    Learned,
    /// As `Learned`, but a program has to be started first: its first picture may take so long.
    Starting(Duration),
    /// When only unusable pictures came for so long. It says itself when none come.
    Unusable(Duration),
    /// Never.
    Never,
}

/// What came of waiting for a picture.
pub(super) struct Arrival<'s> {
    /// Frames lost since the last arrival: skipped to catch up, or lost by the driver.
    pub(super) lost: u32,
    /// The picture; `None` when none came in time.
    pub(super) picture: Option<Result<Picture<'s>, Unusable>>,
}

/// A picture, lent by its source.
pub(super) struct Picture<'s> {
    /// Its bytes.
    pub(super) content: Content<'s>,
    /// When it was captured; `None` for now.
    pub(super) captured: Option<Timestamp>,
    /// Whether the source's description is another one than before.
    pub(super) is_description_new: bool,
}

/// The bytes of a picture.
pub(super) enum Content<'s> {
    /// A JPEG of a device of this machine.
    Jpeg(&'s [u8]),
    /// Raw pixels.
    Raw(RawImage<'s>),
    /// A JPEG from elsewhere, which may mean harm.
    UntrustedJpeg {
        /// Its bytes.
        jpeg: &'s [u8],
        /// The memory that its frame is to take.
        account: &'s Arc<Account>,
        /// Whether it is a no-signal frame.
        is_no_signal: bool,
    },
    /// The same, but found by its markers in a stream of bytes, so that its end is known.
    SplitJpeg {
        /// Its bytes.
        jpeg: &'s [u8],
        /// The memory that its frame is to take.
        account: &'s Arc<Account>,
    },
}

impl<'s> Arrival<'s> {
    /// Nothing in time.
    pub(super) fn nothing() -> Self {
        Self { lost: 0, picture: None }
    }

    /// A picture.
    pub(super) fn picture(picture: Picture<'s>) -> Self {
        Self { lost: 0, picture: Some(Ok(picture)) }
    }

    /// A picture that cannot be shown.
    pub(super) fn unusable(unusable: Unusable) -> Self {
        Self { lost: 0, picture: Some(Err(unusable)) }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
