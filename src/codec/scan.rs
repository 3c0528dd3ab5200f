//! Looks at a camera's Motion JPEG frame without decoding it: where the picture begins and ends,
//! how large it is, and whether it brings its Huffman tables (ITU-T T.81, Annex B).
//!
//! Cameras are careless: some put bytes before the picture, pad it behind, leave old bytes there,
//! send half a picture before a whole one, leave out the tables or the EOI marker, or deliver half
//! of it. What comes out of here, browsers can show.
//!
//! Of two whole pictures in one buffer the first is taken: what is behind its EOI may be left over from an older
//! frame. In a picture without EOI the blocks are counted to see whether it is whole. If the camera usually
//! sends EOI, such a picture counts as truncated.

mod end;
mod header;

use std::fmt;
use std::ops::Range;

use self::end::{End, find_end};
pub(super) use self::header::Header;
use self::header::read_header;
use super::huffman::STANDARD_TABLES;
use super::{entropy, marker};

/// What a frame holds. The offsets are those of the bytes that were scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the picture lies, SOI and EOI included.
    pub range: Range<usize>,
    /// False when the decoder is to use the standard tables, which [`append_with_tables`] adds.
    pub has_huffman_tables: bool,
    /// False when the picture ends without EOI, which [`append_with_tables`] adds.
    pub has_end: bool,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where the marker of the first scan (SOS) lies.
    first_scan: usize,
}

/// Finds the picture in `data`: the first whole one.
///
/// The markers are walked from SOI to the first EOI outside of a segment, so that neither a
/// thumbnail in a segment nor an older frame's bytes behind the picture are taken for its end. A SOI
/// where none may be begins a new picture, and what came before it is dropped, also where the segment of a
/// picture that was cut off would take that SOI for its content. Of two whole
/// pictures the first is taken, because the second may be left over from an older frame.
///
/// # Errors
/// When `data` does not hold one whole picture.
pub fn scan(data: &[u8]) -> Result<Scan, ScanError> {
    find_picture(data, |header, start| match find_end(data, header.entropy_coded) {
        End::Eoi(end) => Some((start..end, true)),
        End::NextPicture | End::Missing => None,
    })
}

/// Finds the picture in `data` where [`scan`] found no EOI, by decoding it: it is whole when its
/// scan holds as many blocks as its size asks for. What stands behind them is left out.
///
/// This costs as much as a tenth of a full decoder. Only sequential pictures of one scan are
/// understood; those of cameras are such.
///
/// # Errors
/// When the picture is not whole, or of a kind that cannot be decided.
pub fn scan_without_end(data: &[u8]) -> Result<Scan, ScanError> {
    find_picture(data, |header, start| match find_end(data, header.entropy_coded) {
        End::Eoi(end) => Some((start..end, true)),
        End::NextPicture => None,
        End::Missing => entropy::end(&data[start..]).map(|end| (start..start + end, false)),
    })
}

/// The picture that begins where `data` does, with this header, if `data` ends with EOI and any number of
/// zeros. What is between is not looked at: there may be several pictures.
pub(super) fn scan_ends(data: &[u8], header: &Header) -> Option<Scan> {
    let end = 1 + data.iter().rposition(|&byte| byte != 0)?;
    (end >= header.entropy_coded + EOI.len() && data[..end].ends_with(&EOI))
        .then(|| header.scan(0..end, true))
}

/// The header that `data` begins with; `None` when it is none, or another picture may begin in it.
pub(super) fn header_at_start(data: &[u8]) -> Option<Header> {
    let header = read_header(data, 0).ok()?;
    let next = find_start(&data[..data.len().min(header.entropy_coded + 2)], 2);
    (data.starts_with(&[0xFF, marker::SOI]) && next.is_none()).then_some(header)
}

/// Appends the picture `scan` found in `data` to `out`, with the standard Huffman tables put
/// before its first scan if it has none of its own, and EOI behind it if that is missing.
///
/// # Panics
/// When `scan` is the result for other, longer data.
pub fn append_with_tables(data: &[u8], scan: &Scan, out: &mut Vec<u8>) {
    out.reserve(scan.range.len() + STANDARD_TABLES.len() + EOI.len());
    let mut rest = scan.range.start;
    if !scan.has_huffman_tables {
        out.extend_from_slice(&data[scan.range.start..scan.first_scan]);
        out.extend_from_slice(&STANDARD_TABLES);
        rest = scan.first_scan;
    }
    out.extend_from_slice(&data[rest..scan.range.end]);
    if !scan.has_end {
        out.extend_from_slice(&EOI);
    }
}

/// Most bytes that [`append_with_tables`] adds to a picture.
pub const MAX_TABLES_BYTES: usize = STANDARD_TABLES.len();

/// The header of a JPEG that begins where `jpeg` does.
pub(super) fn header(jpeg: &[u8]) -> Result<Header, ScanError> {
    read_header(jpeg, 0).map_err(|broken| broken.error)
}

/// Why a frame is not a picture. Cameras deliver such frames now and then; they are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// No JPEG begins in the frame.
    NoStart,
    /// The frame ends before the picture does.
    NoEnd,
    /// Something other than a marker segment, at this offset.
    BrokenSegment(usize),
    /// There is no frame header (SOF0 to SOF2) or no scan, or they come in the wrong order.
    NoPicture,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStart => write!(f, "no JPEG in the frame: expected FF D8 FF"),
            Self::NoEnd => write!(f, "truncated JPEG: the frame ends before the picture does (no FF D9)"),
            Self::BrokenSegment(offset) => {
                write!(f, "broken JPEG: expected a marker segment at byte {offset} of the frame")
            }
            Self::NoPicture => write!(f, "JPEG without a picture: expected SOF0, SOF1 or SOF2, then SOS"),
        }
    }
}

impl std::error::Error for ScanError {}

const EOI: [u8; 2] = [0xFF, marker::EOI];

/// How many SOI of one frame are tried. A bound, so that garbage is refused quickly.
const STARTS_MAX: usize = 1024;

/// How many pictures of one frame are searched for their ends. A bound, too.
const PICTURES_MAX: u32 = 32;

/// Where a picture lies, and whether it ends with EOI.
type Extent = (Range<usize>, bool);

/// Looks for the first picture for which `extent` finds where it lies, given its header and the offset of SOI.
fn find_picture(data: &[u8], extent: impl Fn(&Header, usize) -> Option<Extent>) -> Result<Scan, ScanError> {
    let mut start = find_start(data, 0).ok_or(ScanError::NoStart)?;
    let (mut first_error, mut pictures_left) = (None, PICTURES_MAX);
    let (mut thumbnails_end, mut doubtful_end) = (0, 0);
    for _ in 0..STARTS_MAX {
        // Where nothing whole begins, the lengths of segments are not to be trusted.
        let mut search_from = start + 2;
        match read_header(data, start) {
            Err(broken) => {
                thumbnails_end = thumbnails_end.max(broken.thumbnails_end);
                doubtful_end = doubtful_end.max(broken.doubtful_end);
                first_error.get_or_insert(broken.error);
            }
            Ok(_) if pictures_left == 0 => return Err(ScanError::NoEnd),
            Ok(header) => {
                pictures_left -= 1;
                if let Some((range, has_end)) = extent(&header, start) {
                    if let Some(inner) = swallowed(data, start, &header, &mut pictures_left, &extent) {
                        start = inner;
                        continue;
                    }
                    let is_thumbnail = range.end <= thumbnails_end
                        || range.end <= doubtful_end && !is_padding(&data[range.end..]);
                    if !is_thumbnail {
                        return Ok(header.scan(range, has_end));
                    }
                    search_from = range.end;
                }
                thumbnails_end = thumbnails_end.max(header.thumbnails_end);
                // Says more than what was wrong with the bytes before.
                first_error = Some(ScanError::NoEnd);
            }
        }
        let error = first_error.unwrap_or(ScanError::NoPicture);
        start = find_start(data, search_from).ok_or(error)?;
    }
    Err(first_error.unwrap_or(ScanError::NoPicture))
}

/// The SOI of a whole picture that a segment in `header` takes for its content, because that segment was cut
/// off: the picture goes on behind the header, which a thumbnail does not.
fn swallowed(
    data: &[u8],
    start: usize,
    header: &Header,
    pictures_left: &mut u32,
    extent: &impl Fn(&Header, usize) -> Option<Extent>,
) -> Option<usize> {
    // The last segment may have taken only a part of the SOI.
    let within = &data[..data.len().min(header.entropy_coded + 2)];
    let mut search_from = start + 2;
    for _ in 0..STARTS_MAX {
        let inner = find_start(within, search_from)?;
        search_from = inner + 2;
        let Some(found) = read_header(data, inner).ok().filter(|found| found.is_complete) else { continue };
        *pictures_left = pictures_left.checked_sub(1)?;
        match extent(&found, inner) {
            Some((range, _)) if range.end > header.entropy_coded => return Some(inner),
            Some((range, _)) => search_from = range.end,
            None => {}
        }
    }
    None
}

/// Every JPEG goes on with another marker after SOI, so three bytes are certain, which makes a
/// find among junk far less likely.
fn find_start(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    rest.windows(3).position(|bytes| bytes == [0xFF, marker::SOI, 0xFF]).map(|at| from + at)
}

/// Whether nothing but one and the same byte follows.
fn is_padding(rest: &[u8]) -> bool {
    rest.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;
