//! Scans a camera's Motion JPEG frame without decoding it: where the picture begins and ends, its size, and
//! whether it has Huffman tables (ITU-T T.81, Annex B).
//!
//! Some cameras put bytes before the picture, or padding or old bytes after it, send half a picture before a whole
//! one, omit the tables or the EOI marker, or deliver only half a picture. Decoders can show every picture that is
//! accepted here, browsers all but those of arithmetic coding, which no known camera sends.
//!
//! Of two whole pictures in one buffer the first is taken: what is behind its EOI may be left over from an older
//! frame. In a picture without EOI the blocks are counted to see whether it is whole. If the camera usually
//! sends EOI, such a picture counts as truncated.

mod end;
mod header;

use std::fmt;
use std::ops::Range;

pub(crate) use self::end::find_marker;
use self::end::{End, find_end};
pub(crate) use self::header::Header;
use self::header::read_header;
use super::standard::STANDARD_TABLES;
use super::{entropy, marker};

/// The picture in a frame. Offsets count from the start of the scanned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the picture lies, SOI and EOI included.
    pub range: Range<usize>,
    /// False if the picture relies on the standard tables, which [`append_with_tables`] adds.
    pub has_huffman_tables: bool,
    /// False if the picture ends without EOI, which [`append_with_tables`] adds.
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
/// The markers are read from SOI to the first EOI outside of a segment. So neither a thumbnail in a segment nor an
/// older frame's bytes after the picture are taken for its end. An unexpected SOI begins a new picture, and the
/// bytes before it are dropped, even if it lies in a segment of a picture that was cut off. Of two whole pictures
/// the first is taken, because the second may be left over from an older frame.
///
/// # Errors
/// When `data` does not hold one whole picture.
pub fn scan(data: &[u8]) -> Result<Scan, ScanError> {
    find_picture(data, |header, start| match find_end(data, header.entropy_coded) {
        End::Eoi(end) => Some((start..end, true)),
        End::NextPicture | End::Missing => None,
    })
}

/// Finds the picture in `data` if [`scan`] found no EOI, by decoding it: it is whole if its scan has as many blocks
/// as its size needs. Bytes after them are left out.
///
/// This costs about a tenth of a full decoder. Only sequential pictures of one scan are supported, which cameras
/// send.
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
/// zeros. The bytes between are not checked: they may be several pictures.
pub(super) fn scan_ends(data: &[u8], header: &Header) -> Option<Scan> {
    let end = 1 + data.iter().rposition(|&byte| byte != 0)?;
    (end >= header.entropy_coded + EOI.len() && data[..end].ends_with(&EOI))
        .then(|| header.scan(0..end, true))
}

/// The header at the start of `data`; `None` if there is none, or if another picture may begin in it.
pub(super) fn header_at_start(data: &[u8]) -> Option<Header> {
    let header = read_header(data, 0).ok()?;
    let next = find_start(&data[..data.len().min(header.entropy_coded + 2)], 2);
    (data.starts_with(&[0xFF, marker::SOI]) && next.is_none()).then_some(header)
}

/// Appends the picture that `scan` found in `data` to `out`, with the standard Huffman tables before its first scan
/// if it has no tables, and with EOI if that is missing.
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

/// The picture that `scan` found in `data`. If it ends without EOI, what is behind its last block comes with it, except
/// padding: it may be a part of the picture that an error has moved there.
///
/// # Panics
/// When `scan` is the result for other, longer data.
pub fn with_rest<'d>(data: &'d [u8], scan: &Scan) -> &'d [u8] {
    let end = if scan.has_end { scan.range.end } else { entropy::unpadded(data, scan.first_scan) };
    &data[scan.range.start..end.max(scan.range.end)]
}

/// Most bytes that [`append_with_tables`] adds to a picture.
pub const MAX_TABLES_BYTES: usize = STANDARD_TABLES.len();

/// The header of the JPEG at the start of `jpeg`.
pub(crate) fn header(jpeg: &[u8]) -> Result<Header, ScanError> {
    read_header(jpeg, 0).map_err(|broken| broken.error)
}

/// Why a frame is not a picture. Cameras deliver such frames now and then; they are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// No JPEG begins in the frame.
    NoStart,
    /// The frame ends before the picture does.
    NoEnd,
    /// Something other than a marker segment is at this offset.
    BrokenSegment(usize),
    /// There is no frame header (SOF0 to SOF2, SOF9, SOF10) or no scan, or they come in the wrong order.
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
            Self::NoPicture => write!(
                f,
                "JPEG without a picture: expected SOF0, SOF1, SOF2, SOF9 or SOF10 (no lossless coding), then SOS"
            ),
        }
    }
}

impl std::error::Error for ScanError {}

const EOI: [u8; 2] = [0xFF, marker::EOI];

/// Most SOI markers that are tried in one frame, so that garbage is refused quickly.
const STARTS_MAX: usize = 1024;

/// Most pictures of one frame that are searched for their ends, for the same reason.
const PICTURES_MAX: u32 = 32;

/// Where a picture lies, and whether it ends with EOI.
type Extent = (Range<usize>, bool);

/// Finds the first picture for which `extent` returns where it lies, given its header and the offset of SOI.
fn find_picture(data: &[u8], extent: impl Fn(&Header, usize) -> Option<Extent>) -> Result<Scan, ScanError> {
    let mut start = find_start(data, 0).ok_or(ScanError::NoStart)?;
    let (mut first_error, mut pictures_left) = (None, PICTURES_MAX);
    let (mut thumbnails_end, mut doubtful_end) = (0, 0);
    for _ in 0..STARTS_MAX {
        // If no whole picture begins here, the lengths of its segments are not reliable.
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
                // More useful than the error of the bytes before.
                first_error = Some(ScanError::NoEnd);
            }
        }
        let error = first_error.unwrap_or(ScanError::NoPicture);
        start = find_start(data, search_from).ok_or(error)?;
    }
    Err(first_error.unwrap_or(ScanError::NoPicture))
}

/// The SOI of a whole picture inside of a segment of `header`, if that segment was cut off. Other than a thumbnail,
/// such a picture continues after the header.
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

/// Finds SOI and the FF of the marker that follows it in every JPEG: three bytes are found by chance far less often
/// than two.
pub(crate) fn find_start(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    rest.windows(3).position(|bytes| bytes == [0xFF, marker::SOI, 0xFF]).map(|at| from + at)
}

/// Whether all bytes are equal.
fn is_padding(rest: &[u8]) -> bool {
    rest.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;
