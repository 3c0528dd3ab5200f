//! JPEGs that come over a socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Wire, read_now};
use super::error::{Fault, FeedError, Heard};
use super::{PAUSE, READ_AT_ONCE_BYTES};
use crate::base::text::printable;
use crate::jpeg::stream::{Dropped, JpegStream, MAX_PICTURE_BYTES};
use crate::media::PixelFormat;
use crate::memory::{Account, Lease};
use crate::source::session::Session;
use crate::source::video::{Arrival, Content, Description, Picture, Unusable, VideoError, VideoSource};

/// So many of the first bytes are kept for people, if they are no JPEG: a program that fails often says why.
const BEGINNING_BYTES: usize = 80;

/// The pictures of one connection.
pub(super) struct JpegFeed<'s> {
    path: PathBuf,
    wire: Box<dyn Wire + 's>,
    session: &'s Session<'s>,
    fps: u32,
    account: Arc<Account>,
    /// Of the memory that `stream` takes.
    lease: Lease,
    stream: JpegStream,
    /// The first bytes that came.
    beginning: Vec<u8>,
    has_picture: bool,
    has_endless: bool,
    /// Why a picture was dropped that was not reported yet.
    unusable: Option<Unusable>,
    /// Whether more was there than is read at once.
    is_flooded: bool,
}

impl<'s> JpegFeed<'s> {
    /// What comes over `wire`, in memory of `account`; `fps` is what it should give.
    pub(super) fn new(
        path: PathBuf,
        wire: Box<dyn Wire + 's>,
        session: &'s Session<'s>,
        fps: u32,
        account: &Arc<Account>,
    ) -> Self {
        Self {
            path,
            wire,
            session,
            fps,
            account: Arc::clone(account),
            lease: account.lease(0).expect("no bytes are always given"),
            stream: JpegStream::new(MAX_PICTURE_BYTES),
            beginning: Vec::new(),
            has_picture: false,
            has_endless: false,
            unusable: None,
            is_flooded: false,
        }
    }

    /// Reads what is there; true at the end of the connection.
    fn fill(&mut self) -> Result<bool, Fault> {
        let mut left = READ_AT_ONCE_BYTES;
        while left > 0 {
            let lease = &mut self.lease;
            let room = self.stream.room(&mut |bytes| lease.resize(bytes)).ok_or(Fault::NoMemory)?;
            let most = room.len().min(left);
            let Some(count) = read_now(&mut *self.wire, &mut room[..most])? else { return Ok(false) };
            if count == 0 {
                return Ok(true);
            }
            let missing = BEGINNING_BYTES.saturating_sub(self.beginning.len()).min(count);
            self.beginning.extend_from_slice(&room[..missing]);
            self.stream.filled(count);
            left -= count;
            // Less than fits: that was all, and asking again would only cost a call.
            if count < most {
                return Ok(false);
            }
        }
        self.is_flooded = true;
        Ok(false)
    }

    /// Notes what was dropped; returns how many pictures are lost beside the one that is reported.
    fn count_dropped(&mut self, dropped: Dropped) -> u32 {
        self.has_endless |= dropped.too_long > 0;
        self.unusable = match dropped {
            Dropped { no_memory: 1.., .. } => Some(Unusable::NoMemory),
            Dropped { too_long: 1.., .. } => Some(Unusable::TooLong),
            _ if dropped.damaged() > 0 => Some(Unusable::CutOff),
            _ => None,
        };
        dropped.superseded + dropped.damaged() - u32::from(self.unusable.is_some())
    }

    fn heard(&self) -> Heard {
        if self.has_endless {
            Heard::NoEnd
        } else if self.stream.unfinished_bytes() > 0 {
            Heard::PartOfJpeg
        } else if self.has_picture {
            Heard::Good
        } else if self.beginning.is_empty() {
            Heard::Nothing
        } else {
            Heard::NoJpeg(printable(&String::from_utf8_lossy(&self.beginning)).into_owned())
        }
    }

    fn fail(&self, fault: Fault) -> VideoError {
        VideoError::of(FeedError { path: self.path.clone(), fault })
    }
}

impl VideoSource for JpegFeed<'_> {
    fn description(&self) -> Description {
        super::description(&self.path, PixelFormat::Mjpeg, None, self.fps)
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        if let Some(unusable) = self.unusable.take() {
            return Ok(Arrival::unusable(unusable));
        }
        if std::mem::take(&mut self.is_flooded) {
            self.session.sleep(PAUSE);
        }
        if !self.wire.wait(timeout).map_err(|error| self.fail(Fault::Read(error)))? {
            return Ok(Arrival::nothing());
        }
        let has_ended = self.fill().map_err(|fault| self.fail(fault))?;
        let dropped = self.stream.take_dropped();
        let lost = self.count_dropped(dropped);
        if has_ended && !self.stream.has_picture() {
            return Err(self.fail(Fault::Closed(self.heard())));
        }
        self.has_picture |= self.stream.has_picture();
        self.has_endless &= !self.stream.has_picture();
        let account = &self.account;
        let picture = self.stream.take().map(|jpeg| {
            let content = Content::SplitJpeg { jpeg, account };
            Ok(Picture { content, captured: None, is_description_new: false })
        });
        Ok(Arrival { lost, picture })
    }

    fn stall_reason(&self) -> Option<VideoError> {
        Some(self.fail(Fault::Stalled(self.heard())))
    }
}
