//! Makes frames for the hub of a camera's pictures. Buffers are used again, and the time stamp of each frame is later than
//! that of the one before.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::info;

use super::editing::Editing;
use super::{Content, Picture, Unusable};
use crate::codec::jpeg::{EncodeError, Encoder, Settings};
use crate::codec::part;
use crate::codec::raw::{self, RawEditor};
use crate::hub::{CameraFeed, LocalTotals, Named, Publisher};
use crate::jpeg::error::JpegError;
use crate::jpeg::scan::{self, Scan, ScanError};
use crate::jpeg::scanner::Scanner;
use crate::media::{Frame, PictureEdits, RawImage, Timestamp};
use crate::memory::{Account, Lease};
use crate::source::session::Session;
use crate::source::settings::CameraSettings;

/// The way out of a camera's thread.
pub(super) struct Output<'a> {
    feed: &'a CameraFeed,
    session: &'a Session<'a>,
    publisher: &'a mut Publisher<Frame>,
    encoder: Encoder,
    /// Length of the last JPEG that was encoded here.
    encoded_bytes: usize,
    /// The buffer of an old frame nobody reads any more, with its lease if it has one.
    spare: (Vec<u8>, Option<Lease>),
    last: Timestamp,
    totals: LocalTotals,
    scanner: Scanner,
    editing: Editing<'a>,
    raw_editor: RawEditor,
    /// Length of the last JPEG that was edited here.
    edited_bytes: usize,
    /// Whether it was logged that the camera sends no EOI.
    was_completed: bool,
}

/// What was made of a picture.
pub(super) enum Prepared {
    /// A frame to be published.
    Frame(Finished),
    /// Smaller raw pictures of this size and time, which are published: nobody watches the camera itself.
    Smaller((u32, u32), Timestamp),
}

/// A frame to be published, and the time it took to encode.
pub(super) struct Finished {
    frame: Frame,
    busy: Duration,
}

impl Prepared {
    /// Width and height in pixels of the picture.
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Self::Frame(finished) => finished.frame.size(),
            Self::Smaller(size, _) => *size,
        }
    }
}

impl<'a> Output<'a> {
    pub(super) fn new(
        settings: &CameraSettings,
        feed: &'a CameraFeed,
        session: &'a Session<'a>,
        publisher: &'a mut Publisher<Frame>,
    ) -> Self {
        feed.smaller.clear();
        Self {
            feed,
            session,
            publisher,
            encoder: Encoder::new(Settings {
                quality: settings.quality,
                chroma: settings.chroma,
                threads: thread::available_parallelism().map_or(1, NonZero::get),
            }),
            encoded_bytes: 0,
            spare: (Vec::new(), None),
            last: Timestamp::from_micros(0),
            totals: feed.published.local(),
            scanner: Scanner::new(),
            editing: Editing::new(feed),
            raw_editor: RawEditor::default(),
            edited_bytes: 0,
            was_completed: false,
        }
    }

    /// Whether anybody would see a picture, or one made of it.
    pub(super) fn is_watched(&self) -> bool {
        self.publisher.readers() > 0 || self.feed.smaller.readers() > 0
    }

    /// Sleeps until somebody watches, for at most `timeout`; true when somebody does.
    pub(super) fn wait_for_viewer(&self, timeout: Duration) -> bool {
        self.is_watched() || self.session.wait_for_reader(self.publisher, timeout)
    }

    /// Whether nobody will ever watch again.
    pub(super) fn is_closed(&self) -> bool {
        self.publisher.is_closed()
    }

    /// Forgets what was learned of a source's pictures: another one was opened, which promises pictures of `size`.
    pub(super) fn begin_source(&mut self, size: Option<(u32, u32)>) {
        self.scanner = Scanner::new();
        self.editing.begin_source(size);
    }

    /// What is done to pictures now.
    pub(super) fn edits(&mut self) -> &PictureEdits {
        self.editing.refresh();
        self.editing.edits()
    }

    /// What was done to the last picture.
    pub(super) fn edits_used(&self) -> &PictureEdits {
        self.editing.edits()
    }

    /// Why pictures are passed through although something is to be done to them.
    pub(super) fn refused_edit(&self) -> Option<JpegError> {
        self.editing.refused()
    }

    /// Columns and rows of pixels that the last picture lost by its turn.
    pub(super) fn trimmed(&self) -> (u32, u32) {
        self.editing.trimmed()
    }

    /// Gives up memory that only the source that was closed needed.
    pub(super) fn end_source(&mut self) {
        if self.spare.1.is_some() {
            self.spare = (Vec::new(), None);
        }
        self.feed.smaller.clear();
    }

    /// Makes a picture a frame for [`Self::publish`].
    ///
    /// # Errors
    /// Why it cannot be shown.
    pub(super) fn prepare(&mut self, picture: &Picture<'_>) -> Result<Prepared, Unusable> {
        // What was changed before a picture was captured is done to it.
        self.editing.refresh();
        let is_raw = matches!(picture.content, Content::Raw(_));
        self.feed.smaller.are_given.set(is_raw);
        match &picture.content {
            Content::Jpeg(jpeg) => self.copy(jpeg, picture.captured).map(Prepared::Frame),
            Content::Raw(image) => self.encode_edited(image, picture.captured).map_err(Unusable::Encode),
            Content::UntrustedJpeg { jpeg, account, is_no_signal } => {
                let found = self.scan(jpeg).map_err(Unusable::Broken)?;
                let mut finished = self.copy_untrusted(jpeg, &found, picture.captured, account)?;
                if *is_no_signal {
                    finished.frame = finished.frame.into_no_signal();
                }
                Ok(Prepared::Frame(finished))
            }
            Content::SplitJpeg { jpeg, account } => {
                let found = self.scanner.scan_split(jpeg).map_err(Unusable::Broken)?;
                self.note_end(&found);
                self.copy_untrusted(jpeg, &found, picture.captured, account).map(Prepared::Frame)
            }
        }
    }

    /// Encodes and publishes a no-signal frame.
    ///
    /// # Errors
    /// When it has a size no JPEG can have; nothing is published then.
    pub(super) fn publish_no_signal(&mut self, image: &RawImage<'_>) -> Result<(), EncodeError> {
        self.feed.smaller.are_given.set(false);
        let captured = self.stamp(None);
        let Finished { frame, busy } = self.encode(image, captured)?;
        self.publish(Prepared::Frame(Finished { frame: frame.into_no_signal(), busy }));
        Ok(())
    }

    /// Publishes a frame.
    pub(super) fn publish(&mut self, prepared: Prepared) {
        let Finished { frame, busy } = match prepared {
            Prepared::Frame(finished) => finished,
            Prepared::Smaller(_, captured) => {
                self.last = captured;
                return;
            }
        };
        self.last = frame.captured();
        let (now, bytes) = (self.session.now(), frame.jpeg().len() as u64);
        self.totals.add(now, |sums| {
            sums.frames += 1;
            sums.bytes += bytes;
            sums.busy_us += busy.as_micros() as u64;
            sums.age.count(now.since(self.last));
        });
        if let Some(old) = self.publisher.publish(frame) {
            self.spare = old.into_buffer();
        }
    }

    /// Edits raw pixels as that is wanted, hands them on to who wants them smaller, and encodes them.
    fn encode_edited(
        &mut self,
        image: &RawImage<'_>,
        captured: Option<Timestamp>,
    ) -> Result<Prepared, EncodeError> {
        let captured = self.stamp(captured);
        if self.editing.is_none() {
            return self.hand_on(image, captured);
        }
        let began = self.session.now();
        // Taken out, because the picture is lent by it.
        let mut editor = std::mem::take(&mut self.raw_editor);
        let edited = self.editing.raw(&mut editor, image, captured);
        let edit_took = self.session.now().since(began);
        let mut prepared = edited.and_then(|edited| self.hand_on(&edited, captured));
        self.raw_editor = editor;
        if let Ok(Prepared::Frame(finished)) = &mut prepared {
            finished.busy += edit_took;
        }
        prepared
    }

    /// Makes what is wanted of edited pixels: smaller ones, and a frame if anybody watches the camera itself.
    fn hand_on(&mut self, image: &RawImage<'_>, captured: Timestamp) -> Result<Prepared, EncodeError> {
        if self.feed.smaller.readers() > 0 {
            self.feed.smaller.publish(|scale, memory| raw::shrink(image, scale, captured, memory))?;
            if self.publisher.readers() == 0 {
                return Ok(Prepared::Smaller((image.width, image.height), captured));
            }
        }
        self.encode(image, captured).map(Prepared::Frame)
    }

    /// Encodes raw pixels.
    fn encode(&mut self, image: &RawImage<'_>, stamp: Timestamp) -> Result<Finished, EncodeError> {
        let size = (image.width, image.height);
        // A picture is about as large as the one before it.
        let buffer = part::sized(self.take_buffer(), self.encoded_bytes + self.encoded_bytes / 8);
        let began = self.session.now();
        let frame = part::build(buffer, stamp, size, |out| self.encoder.encode(image, out))?;
        self.encoded_bytes = frame.jpeg().len();
        self.feed.counters.encoded.add(1);
        Ok(Finished { frame, busy: self.session.now().since(began) })
    }

    /// Copies a camera's own JPEG, with the tables and the EOI it may lack, or as it is to be edited.
    fn copy(&mut self, jpeg: &[u8], captured: Option<Timestamp>) -> Result<Finished, Unusable> {
        let found = self.scan(jpeg).map_err(Unusable::Broken)?;
        if !self.editing.is_none() {
            let buffer = part::sized(self.take_buffer(), self.edited_room(jpeg));
            return self.edit(jpeg, &found, captured, (buffer, None));
        }
        let size = (found.width, found.height);
        let buffer = part::sized(self.take_buffer(), jpeg.len() + scan::MAX_TABLES_BYTES);
        let Ok(frame) = part::build(buffer, self.stamp(captured), size, |out| {
            scan::append_with_tables(jpeg, &found, out);
            Ok::<(), Infallible>(())
        });
        Ok(Finished { frame, busy: Duration::ZERO })
    }

    /// Edits a JPEG into a buffer. What that takes beside it is memory of the account, if there is one.
    fn edit(
        &mut self,
        jpeg: &[u8],
        found: &Scan,
        captured: Option<Timestamp>,
        (buffer, account): (Vec<u8>, Option<&Arc<Account>>),
    ) -> Result<Finished, Unusable> {
        let (captured, began) = (self.stamp(captured), self.session.now());
        let mut size = (found.width, found.height);
        let frame = part::build(buffer, captured, size, |out| {
            size = self.editing.jpeg(jpeg, found, captured, (out, account))?;
            Ok(())
        })?;
        self.edited_bytes = frame.jpeg().len();
        Ok(Finished { frame: frame.with_size(size), busy: self.session.now().since(began) })
    }

    /// Bytes that a JPEG will probably take when it was edited.
    fn edited_room(&self, jpeg: &[u8]) -> usize {
        self.edited_bytes.max(jpeg.len()) / 8 * 9 + scan::MAX_TABLES_BYTES
    }

    fn scan(&mut self, jpeg: &[u8]) -> Result<Scan, ScanError> {
        let found = self.scanner.scan(jpeg)?;
        self.note_end(&found);
        Ok(found)
    }

    /// Counts a picture without EOI, and logs the first one.
    fn note_end(&mut self, found: &Scan) {
        if found.has_end {
            return;
        }
        self.feed.counters.completed.add(1);
        if !std::mem::replace(&mut self.was_completed, true) {
            let camera = self.feed.name();
            info!("camera {camera}: its JPEGs end without EOI (FF D9), which is added");
        }
    }

    /// Copies a JPEG from elsewhere, with the tables it may lack, into memory of `account`.
    fn copy_untrusted(
        &mut self,
        jpeg: &[u8],
        found: &Scan,
        captured: Option<Timestamp>,
        account: &Arc<Account>,
    ) -> Result<Finished, Unusable> {
        let is_edited = !self.editing.is_none();
        let room = if is_edited { self.edited_room(jpeg) } else { jpeg.len() };
        let (buffer, mut lease) = self.leased_buffer(room, account).ok_or(Unusable::NoMemory)?;
        let (size, leased_bytes) = ((found.width, found.height), buffer.capacity());
        let Finished { frame, busy } = if is_edited {
            self.edit(jpeg, found, captured, (buffer, Some(account)))?
        } else {
            let Ok(frame) = part::build(buffer, self.stamp(captured), size, |out| {
                scan::append_with_tables(jpeg, found, out);
                Ok::<(), Infallible>(())
            });
            Finished { frame, busy: Duration::ZERO }
        };
        if frame.memory_bytes() > leased_bytes && !lease.resize(frame.memory_bytes()) {
            return Err(Unusable::NoMemory);
        }
        if part::holds_boundary(frame.jpeg()) {
            return Err(Unusable::Boundary);
        }
        Ok(Finished { frame: frame.with_lease(lease), busy })
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        match std::mem::take(&mut self.spare) {
            (buffer, None) => buffer,
            // Its memory is accounted for, and ends with the lease.
            (_, Some(_)) => Vec::new(),
        }
    }

    /// A buffer for a frame around a JPEG of `jpeg_bytes`, with the lease of all it can hold. The old
    /// one is used again where it is not much too large.
    fn leased_buffer(&mut self, jpeg_bytes: usize, account: &Arc<Account>) -> Option<(Vec<u8>, Lease)> {
        let needed = jpeg_bytes + scan::MAX_TABLES_BYTES + part::OVERHEAD_BYTES;
        match std::mem::take(&mut self.spare) {
            (buffer, Some(lease)) if (needed..=needed.saturating_mul(4)).contains(&buffer.capacity()) => {
                return Some((buffer, lease));
            }
            // Dropped before another is taken: not both at once.
            unfit => drop(unfit),
        }
        let lease = account.lease(needed)?;
        Some((Vec::with_capacity(needed), lease))
    }

    fn stamp(&self, captured: Option<Timestamp>) -> Timestamp {
        believable(captured, self.last, self.session.now())
    }
}

/// The driver's time if it lies between the last frame and now, else now: some drivers stamp
/// with zero, some with another clock whatever they say, and a frame that seems older than the
/// one before it would be passed over.
fn believable(captured: Option<Timestamp>, last: Timestamp, now: Timestamp) -> Timestamp {
    let later = Timestamp::from_micros(last.as_micros() + 1);
    captured.filter(|captured| (later..=now).contains(captured)).unwrap_or(now.max(later))
}

#[cfg(test)]
mod tests;
