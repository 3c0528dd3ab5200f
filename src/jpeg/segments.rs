//! Marker segments, one after the other (ITU-T T.81, section B.1.1.4).

use std::ops::Range;

use super::error::{Fault, JpegError};
use super::marker;

/// A marker, and the bytes after its length. Offsets count from the start of the JPEG.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The second byte of the marker.
    pub(super) code: u8,
    /// Where the marker begins, with its fill bytes.
    pub(super) start: usize,
    /// Empty for a marker without a segment.
    pub(super) payload: Range<usize>,
}

/// Reads the segment that begins at `start`.
///
/// # Errors
/// [`Fault::Segment`] where no marker is or its length is wrong; [`JpegError::Truncated`] where the data end.
pub(super) fn segment(jpeg: &[u8], start: usize) -> Result<Segment, JpegError> {
    let broken = JpegError::broken(start, Fault::Segment);
    let rest = jpeg.get(start..).unwrap_or_default();
    // Any number of FF may precede the code.
    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
    let &code = rest.get(fill).ok_or(JpegError::Truncated)?;
    if fill == 0 || code == 0 {
        return Err(broken);
    }
    let body = start + fill + 1;
    if matches!(code, marker::TEM | marker::RST0..=marker::EOI) {
        return Ok(Segment { code, start, payload: body..body });
    }
    let rest = &jpeg[body..];
    let length = rest.first_chunk().map(|&length| usize::from(u16::from_be_bytes(length)));
    match length {
        // The length counts its own two bytes.
        Some(length @ 2..) if length <= rest.len() => {
            Ok(Segment { code, start, payload: body + 2..body + length })
        }
        Some(0..2) => Err(broken),
        _ => Err(JpegError::Truncated),
    }
}
