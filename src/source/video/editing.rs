//! What is done to a camera's pictures in its thread: they are turned, masked and stamped, each read once and written
//! once.
//!
//! If a configured mask cannot be put on a picture, the picture is dropped.

use std::sync::Arc;

use super::Unusable;
use crate::codec::jpeg::EncodeError;
use crate::codec::raw::{RawEdit, RawEditor};
use crate::draw::{LocalClock, stamp_pixels, stamp_text};
use crate::hub::{CameraFeed, Named};
use crate::jpeg::edit::{Edit, Editor};
use crate::jpeg::error::JpegError;
use crate::jpeg::header::Limits;
use crate::jpeg::mask::Mask;
use crate::jpeg::scan::{self, Scan};
use crate::jpeg::stamp::Stamp;
use crate::jpeg::turn::Turn;
use crate::media::{PictureEdits, Point, Polygon, RawImage, StampClock, Timestamp};
use crate::memory::{Account, Lease};

/// The brightness of what a mask covers: mid grey.
const MASK_LEVEL: u8 = 128;

/// The size of pictures that a source may send although it promised smaller ones, in pixels.
const USUAL_PIXELS: u32 = 1920 * 1088;

/// The same of a source that promises nothing.
const MOST_PIXELS: u32 = 4096 * 4096;

/// Edits the pictures of one camera.
pub(super) struct Editing<'a> {
    feed: &'a CameraFeed,
    edits: Arc<PictureEdits>,
    /// The number of changes that `edits` are up to date with.
    version: u32,
    turn: Turn,
    mask: Option<Mask>,
    stamps: Vec<Stamp>,
    /// The second and the size of the picture that the lettering was drawn for.
    stamped: Option<(u64, (u32, u32))>,
    clock: LocalClock,
    editor: Editor,
    /// Of the editor's memory, for pictures whose memory is counted.
    lease: Option<Lease>,
    limits: Limits,
    /// Why the last JPEG was passed through.
    refused: Option<JpegError>,
    /// Columns and rows of pixels that the last JPEG lost by its turn.
    trimmed: (u32, u32),
}

impl<'a> Editing<'a> {
    pub(super) fn new(feed: &'a CameraFeed) -> Self {
        let (edits, version) = feed.edits();
        let mut editing = Self {
            feed,
            edits: Arc::default(),
            version,
            turn: Turn::default(),
            mask: None,
            stamps: Vec::new(),
            stamped: None,
            clock: LocalClock::default(),
            editor: Editor::new(),
            lease: None,
            limits: Limits { max_pixels: MOST_PIXELS },
            refused: None,
            trimmed: (0, 0),
        };
        editing.take(edits);
        editing
    }

    /// Takes what is wanted now.
    pub(super) fn refresh(&mut self) {
        if self.feed.edits_version() != self.version {
            let (edits, version) = self.feed.edits();
            self.version = version;
            self.take(edits);
        }
    }

    /// Another source was opened, which promises pictures of `size`.
    pub(super) fn begin_source(&mut self, size: Option<(u32, u32)>) {
        let promised = size.map(|(width, height)| width.saturating_mul(height).max(USUAL_PIXELS));
        self.limits = Limits { max_pixels: promised.unwrap_or(MOST_PIXELS) };
        self.free();
        (self.refused, self.trimmed) = (None, (0, 0));
    }

    /// Gives up the memory of what was edited.
    fn free(&mut self) {
        (self.editor, self.lease) = (Editor::new(), None);
    }

    /// Whether pictures stay as they are.
    pub(super) fn is_none(&self) -> bool {
        self.edits.is_none()
    }

    /// What is done.
    pub(super) fn edits(&self) -> &PictureEdits {
        &self.edits
    }

    /// Why pictures are passed through although something is to be done to them.
    pub(super) fn refused(&self) -> Option<JpegError> {
        self.refused
    }

    /// Columns and rows of pixels that the last JPEG lost by its turn, as they would be seen.
    pub(super) fn trimmed(&self) -> (u32, u32) {
        self.trimmed
    }

    /// Appends the picture that `found` is in `jpeg` to `out`, edited, and returns its size. On an error nothing is
    /// appended. A JPEG of a kind that cannot be edited is passed through if there is no mask. What editing takes is memory of `account`, if there is one.
    pub(super) fn jpeg(
        &mut self,
        jpeg: &[u8],
        found: &Scan,
        captured: Timestamp,
        (out, account): (&mut Vec<u8>, Option<&Arc<Account>>),
    ) -> Result<(u32, u32), Unusable> {
        self.draw_stamp(captured, self.edits.turned((found.width, found.height)));
        let edit = Edit { turn: self.turn, mask: self.mask.as_ref(), stamps: &self.stamps };
        if self.lease.is_none() {
            self.lease = account.and_then(|account| account.lease(0));
        }
        let may_hold = &mut |bytes| self.lease.as_mut().is_none_or(|lease| lease.resize(bytes));
        match self.editor.apply_within(scan::with_rest(jpeg, found), self.limits, &edit, out, may_hold) {
            Ok(edited) => {
                self.refused = None;
                self.trimmed = (edited.trimmed_columns, edited.trimmed_rows);
                Ok((edited.width, edited.height))
            }
            Err(JpegError::NoMemory) => {
                self.free();
                Err(Unusable::NoMemory)
            }
            Err(error) if error.is_lasting() && self.mask.is_none() => {
                (self.refused, self.trimmed) = (Some(error), (0, 0));
                scan::append_with_tables(jpeg, found, out);
                Ok((found.width, found.height))
            }
            Err(error) => Err(Unusable::Edit { error, is_masked: self.mask.is_some() }),
        }
    }

    /// A raw picture, edited by `editor`, which lends it.
    pub(super) fn raw<'e>(
        &mut self,
        editor: &'e mut RawEditor,
        image: &RawImage<'_>,
        captured: Timestamp,
    ) -> Result<RawImage<'e>, EncodeError> {
        self.draw_stamp(captured, self.edits.turned((image.width, image.height)));
        let edit = RawEdit { turn: self.turn, mask: self.mask.as_ref(), stamps: &self.stamps };
        editor.apply(image, &edit)
    }

    fn take(&mut self, edits: Arc<PictureEdits>) {
        self.turn = Turn::new(edits.rotation, edits.flip);
        self.mask = (!edits.masks.is_empty())
            .then(|| Mask { polygons: edits.masks.iter().map(polygon).collect(), level: MASK_LEVEL });
        self.stamps.clear();
        self.stamped = None;
        (self.refused, self.trimmed) = (None, (0, 0));
        self.free();
        self.edits = edits;
    }

    /// Draws the lettering anew once a second.
    fn draw_stamp(&mut self, captured: Timestamp, size: (u32, u32)) {
        if self.edits.stamp.is_empty() {
            return;
        }
        let wall = captured.wall_time();
        let now = (wall.as_secs(), size);
        if self.stamped == Some(now) {
            return;
        }
        self.stamped = Some(now);
        let local = self.clock.at(wall);
        let shown = match self.edits.stamp_clock {
            StampClock::Local => local,
            StampClock::Utc => local.to_utc().into(),
        };
        let text = stamp_text(&self.edits.stamp, self.feed.name(), shown);
        let (width, grey) = stamp_pixels(&text, size);
        self.stamps = vec![Stamp { corner: self.edits.stamp_corner, width, grey }];
    }
}

fn polygon(polygon: &Polygon) -> Vec<(f32, f32)> {
    let share = |side: u16| f32::from(side) / f32::from(Point::FULL);
    polygon.iter().map(|point| (share(point.x), share(point.y))).collect()
}

#[cfg(test)]
mod tests;
