//! An uncompressed picture with memory of its own, to be handed from thread to thread.

use super::{PixelFormat, Range601, RawImage, Timestamp};

/// An uncompressed picture with memory of its own.
#[derive(Debug)]
pub struct RawPicture {
    /// As in [`RawImage`], and so the next four.
    pub format: PixelFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next in the first plane.
    pub stride_bytes: u32,
    /// Meaning of the code values.
    pub range: Range601,
    /// All planes, one after the other.
    pub pixels: Vec<u8>,
    /// When it was captured.
    pub captured: Timestamp,
}

impl RawPicture {
    /// The same, lent.
    pub fn image(&self) -> RawImage<'_> {
        let Self { format, width, height, stride_bytes, range, ref pixels, .. } = *self;
        RawImage { format, width, height, stride_bytes, range, data: pixels }
    }
}
