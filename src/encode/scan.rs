//! Looks at a camera's Motion JPEG frame without decoding it: where the picture begins and ends,
//! how large it is, and whether it brings its Huffman tables (ITU-T T.81, Annex B).
//!
//! Cameras are careless: some put bytes before the picture, pad it behind, leave old bytes there,
//! send half a picture before a whole one, leave out the tables or the EOI marker, or deliver half
//! of it. What comes out of here, browsers can show.

use std::fmt;
use std::ops::Range;

use super::entropy;
use super::huffman::STANDARD_TABLES;

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
/// where none may be begins a new picture, and what came before it is dropped. Of two whole
/// pictures the first is taken, because the second may be left over from an older frame.
///
/// # Errors
/// When `data` does not hold one whole picture.
pub fn scan(data: &[u8]) -> Result<Scan, ScanError> {
    find_picture(data, |header, start| Ok((start..find_end(data, header.entropy_coded)?, true)))
}

/// Finds the picture in `data` where [`scan`] found no EOI, by decoding it: it is whole when its
/// scan holds as many blocks as its size asks for. What stands behind them is left out.
///
/// This costs as much as a tenth of a full decoder. Only sequential pictures of one scan are
/// understood; those of cameras are such.
///
/// # Errors
/// When the picture is not whole, or of a kind that cannot be told.
pub fn scan_without_end(data: &[u8]) -> Result<Scan, ScanError> {
    find_picture(data, |header, start| match find_end(data, header.entropy_coded) {
        Ok(end) => Ok((start..end, true)),
        // A new picture begins before this one ends.
        Err(stop) if stop.search_from < data.len() => Err(stop),
        Err(stop) => entropy::end(&data[start..]).map(|end| (start..start + end, false)).ok_or(stop),
    })
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
    // In pieces: a long copy by `rep movsb` is no quicker, and disturbs the cache more.
    for piece in data[rest..scan.range.end].chunks(COPY_BYTES) {
        out.extend_from_slice(piece);
    }
    if !scan.has_end {
        out.extend_from_slice(&EOI);
    }
}

/// Most bytes that [`append_with_tables`] adds to a picture.
pub const MAX_TABLES_BYTES: usize = STANDARD_TABLES.len();

/// The header of a JPEG that begins where `jpeg` does.
pub(super) fn header(jpeg: &[u8]) -> Result<Header, ScanError> {
    read_header(jpeg, 0).map_err(|stop| stop.error)
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
const RESTARTS_MAX: usize = 1024;

/// Most segments before a scan; pictures have about ten.
const SEGMENTS_MAX: usize = 256;

/// Frame headers, scan headers and restart intervals are no longer.
const SHORT_BYTES: usize = 32;

/// How much is copied at a time.
const COPY_BYTES: usize = 2048;

/// The second byte of each marker (ITU-T T.81, table B.1).
pub(super) mod marker {
    pub const TEM: u8 = 0x01;
    pub const SOF0: u8 = 0xC0;
    pub const SOF2: u8 = 0xC2;
    pub const DHT: u8 = 0xC4;
    pub const RST0: u8 = 0xD0;
    pub const RST7: u8 = 0xD7;
    pub const SOI: u8 = 0xD8;
    pub const EOI: u8 = 0xD9;
    pub const SOS: u8 = 0xDA;
    pub const DRI: u8 = 0xDD;
    pub const APP0: u8 = 0xE0;
    pub const APP15: u8 = 0xEF;
    pub const COM: u8 = 0xFE;
}

/// What stands before the entropy-coded data.
pub(super) struct Header {
    has_huffman_tables: bool,
    width: u32,
    height: u32,
    /// Where the marker of the frame header lies.
    pub(super) frame: usize,
    /// Where the marker of the first scan (SOS) lies.
    pub(super) first_scan: usize,
    /// Where the entropy-coded data begin.
    pub(super) entropy_coded: usize,
}

impl Header {
    fn scan(&self, range: Range<usize>, has_end: bool) -> Scan {
        Scan {
            range,
            has_huffman_tables: self.has_huffman_tables,
            has_end,
            width: self.width,
            height: self.height,
            first_scan: self.first_scan,
        }
    }
}

/// Why a picture is not whole, and where the next one may begin.
pub(super) struct Stop {
    error: ScanError,
    search_from: usize,
    /// Whether a segment's length is not to be trusted, so that the search goes through its payload.
    in_segment: bool,
}

impl Stop {
    fn at(error: ScanError, search_from: usize) -> Self {
        Self { error, search_from, in_segment: false }
    }

    fn in_segment(error: ScanError, segment: usize) -> Self {
        Self { error, search_from: segment + 2, in_segment: true }
    }
}

/// Every JPEG goes on with another marker after SOI, so three bytes are certain, which makes a
/// find among junk far less likely.
fn find_start(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    rest.windows(3).position(|bytes| bytes == [0xFF, marker::SOI, 0xFF]).map(|at| from + at)
}

/// Looks for the first picture for which `end` finds the end. It is given the header and the offset of
/// SOI, and says where the picture ends, or where to go on.
fn find_picture(
    data: &[u8],
    end: impl Fn(&Header, usize) -> Result<(Range<usize>, bool), Stop>,
) -> Result<Scan, ScanError> {
    let mut start = find_start(data, 0).ok_or(ScanError::NoStart)?;
    let mut first_error = None;
    let mut is_in_segment = false;
    for _ in 0..RESTARTS_MAX {
        let found = read_header(data, start).and_then(|header| {
            let (range, has_end) = end(&header, start)?;
            Ok(header.scan(range, has_end))
        });
        let stop = match found {
            // In a segment that was cut off, a whole picture may be its thumbnail.
            Ok(found) if is_in_segment && !is_padding(&data[found.range.end..]) => {
                Stop { error: ScanError::NoEnd, search_from: found.range.end, in_segment: true }
            }
            Ok(found) => return Ok(found),
            Err(stop) => stop,
        };
        is_in_segment |= stop.in_segment;
        let error = *first_error.get_or_insert(stop.error);
        start = find_start(data, stop.search_from).ok_or(error)?;
    }
    Err(first_error.unwrap_or(ScanError::NoPicture))
}

/// Walks the marker segments from SOI up to and over the header of the first scan.
fn read_header(data: &[u8], start: usize) -> Result<Header, Stop> {
    let mut has_huffman_tables = false;
    let mut frame = None;
    // The last segment whose length was believed.
    let mut segment = start;
    let mut at = start + 2;
    for _ in 0..SEGMENTS_MAX {
        let (code, body) = read_marker(data, at).map_err(|error| match error {
            ScanError::NoEnd => Stop::at(error, data.len()),
            error => Stop::in_segment(error, segment),
        })?;
        match code {
            marker::TEM => {
                at = body;
                continue;
            }
            // A new picture begins here, or in the last segment, which may have been cut short.
            marker::SOI if segment == start => {
                return Err(Stop::at(ScanError::BrokenSegment(at), body - 2));
            }
            marker::SOI => return Err(Stop::in_segment(ScanError::BrokenSegment(at), segment)),
            marker::EOI => return Err(Stop::at(ScanError::NoPicture, body)),
            _ => {}
        }
        segment = at;
        let payload = read_payload(data, at, body).map_err(|error| Stop::in_segment(error, segment))?;
        let next = body + 2 + payload.len();
        // A short segment that was cut off may take the SOI behind it for its payload.
        let is_short = payload.len() <= SHORT_BYTES && !(marker::APP0..=marker::COM).contains(&code);
        if is_short && payload.windows(2).any(|bytes| bytes == [0xFF, marker::SOI]) {
            return Err(Stop::at(ScanError::BrokenSegment(at), body));
        }
        match code {
            marker::SOF0..=marker::SOF2 => {
                let size = read_size(payload).ok_or(Stop::in_segment(ScanError::BrokenSegment(at), at))?;
                frame = Some((at, size));
            }
            marker::DHT => has_huffman_tables = true,
            marker::SOS => {
                let Some((frame, (width, height))) = frame else {
                    return Err(Stop::in_segment(ScanError::NoPicture, at));
                };
                let (first_scan, entropy_coded) = (at, next);
                return Ok(Header { has_huffman_tables, width, height, frame, first_scan, entropy_coded });
            }
            _ => {}
        }
        at = next;
    }
    Err(Stop::at(ScanError::NoPicture, at))
}

/// The code of the marker at `at`, and where its segment's length stands. Any number of fill
/// bytes FF may precede the code (section B.1.1.2).
fn read_marker(data: &[u8], at: usize) -> Result<(u8, usize), ScanError> {
    if *data.get(at).ok_or(ScanError::NoEnd)? != 0xFF {
        return Err(ScanError::BrokenSegment(at));
    }
    let fill = data[at..].iter().take_while(|&&byte| byte == 0xFF).count();
    let code = *data.get(at + fill).ok_or(ScanError::NoEnd)?;
    match code {
        // Zero is no marker, the others have no place before the first scan.
        0x00 | marker::RST0..=marker::RST7 => Err(ScanError::BrokenSegment(at)),
        _ => Ok((code, at + fill + 1)),
    }
}

/// What follows the length at `body` in the segment whose marker lies at `at`.
fn read_payload(data: &[u8], at: usize, body: usize) -> Result<&[u8], ScanError> {
    let rest = data.get(body..).unwrap_or_default();
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(ScanError::NoEnd)?;
    // The length counts its own two bytes.
    let length = usize::from(u16::from_be_bytes(*length)).checked_sub(2);
    let length = length.ok_or(ScanError::BrokenSegment(at))?;
    rest.get(..length).ok_or(ScanError::NoEnd)
}

/// Width and height from a frame header: precision, height, width (section B.2.2). A height of
/// zero, to be told after the scan, is a thing browsers do not know.
fn read_size(payload: &[u8]) -> Option<(u32, u32)> {
    let &[_, h1, h0, w1, w0, _, ..] = payload else { return None };
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    (width > 0 && height > 0).then_some((u32::from(width), u32::from(height)))
}

/// Where the first EOI behind `entropy_coded` ends that is in no segment between two scans.
fn find_end(data: &[u8], entropy_coded: usize) -> Result<usize, Stop> {
    let mut at = entropy_coded;
    while let Some(found) = find_marker(data, at) {
        at = match data[found + 1] {
            marker::EOI => return Ok(found + 2),
            marker::SOI if data.get(found + 2) == Some(&0xFF) => {
                return Err(Stop::at(ScanError::NoEnd, found));
            }
            marker::DHT | marker::SOS..=marker::DRI | marker::APP0..=marker::APP15 | marker::COM => {
                segment_end(data, found).unwrap_or(found + 2)
            }
            // Damage; a decoder may go on behind it.
            _ => found + 2,
        };
    }
    Err(Stop::at(ScanError::NoEnd, data.len()))
}

/// Where the segment ends whose marker lies at `at` behind a scan; `None` if it is none: a damaged scan
/// may hold any marker, and a length that leads nowhere.
fn segment_end(data: &[u8], at: usize) -> Option<usize> {
    let end = at + 4 + read_payload(data, at, at + 2).ok()?.len();
    (data[at + 1] == marker::SOS || data.get(end) == Some(&0xFF)).then_some(end)
}

/// The first marker of `data` from `from` on, but for those that belong into a scan: FF 00 is a byte of
/// it, and RST0 to RST7 divide it. Looks at a block of words at once, for it goes over every byte of every
/// frame.
fn find_marker(data: &[u8], from: usize) -> Option<usize> {
    let is_marker_at = |at: usize| data.get(at + 1).is_some_and(|&code| is_marker(data[at], code));
    let mut at = from;
    while let Some(block) = data.get(at..).and_then(|rest| rest.first_chunk::<{ 8 * WORD_BYTES }>()) {
        let (words, _) = block.as_chunks::<WORD_BYTES>();
        let mut any = 0;
        for word in words {
            let word = usize::from_le_bytes(*word);
            any |= word & !word.wrapping_add(LOWEST_BITS);
        }
        if any & HIGHEST_BITS != 0 {
            let mut place = at;
            for word in words {
                let word = usize::from_le_bytes(*word);
                let mut bits = word & !word.wrapping_add(LOWEST_BITS) & HIGHEST_BITS;
                while bits != 0 {
                    let candidate = place + bits.trailing_zeros() as usize / 8;
                    if is_marker_at(candidate) {
                        return Some(candidate);
                    }
                    bits &= bits - 1;
                }
                place += WORD_BYTES;
            }
        }
        at += block.len();
    }
    (at..data.len()).find(|&at| is_marker_at(at))
}

const WORD_BYTES: usize = size_of::<usize>();

/// 01 in each byte of a word.
const LOWEST_BITS: usize = usize::MAX / 0xFF;

const HIGHEST_BITS: usize = LOWEST_BITS << 7;

fn is_marker(byte: u8, code: u8) -> bool {
    byte == 0xFF && !matches!(code, 0x00 | marker::RST0..=marker::RST7 | 0xFF)
}

/// Whether nothing but one and the same byte follows.
fn is_padding(rest: &[u8]) -> bool {
    rest.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    /// A coloured picture whose tables are the standard ones, optimised ones, or left out.
    fn picture(width: u16, height: u16, optimised: bool) -> Vec<u8> {
        let pixels: Vec<u8> =
            (0..usize::from(width) * usize::from(height) * 3).map(|i| (i * i / 7 + i * 13) as u8).collect();
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_sampling_factor(SamplingFactor::R_4_2_2);
        encoder.set_optimized_huffman_tables(optimised);
        encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
        jpeg
    }

    /// The same JPEG as a camera delivers it that counts on the standard tables.
    fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
        loop {
            let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            match jpeg[at + 1] {
                0xC4 => {}
                0xDA => {
                    out.extend_from_slice(&jpeg[at..]);
                    return out;
                }
                _ => out.extend_from_slice(&jpeg[at..at + 2 + length]),
            }
            at += 2 + length;
        }
    }

    fn decode(jpeg: &[u8]) -> Vec<u8> {
        jpeg_decoder::Decoder::new(jpeg).decode().unwrap()
    }

    #[test]
    fn a_whole_picture_is_found_with_its_size() {
        let jpeg = picture(40, 24, true);
        let found = scan(&jpeg).unwrap();
        assert_eq!(found.range, 0..jpeg.len());
        assert_eq!((found.width, found.height, found.has_huffman_tables), (40, 24, true));
        let mut out = Vec::new();
        append_with_tables(&jpeg, &found, &mut out);
        assert_eq!(out, jpeg);
    }

    #[test]
    fn a_frame_without_tables_gets_the_standard_ones() {
        let jpeg = picture(40, 24, false);
        let frame = without_tables(&jpeg);
        assert!(jpeg_decoder::Decoder::new(&frame[..]).decode().is_err(), "it misses its tables");
        let found = scan(&frame).unwrap();
        assert!(!found.has_huffman_tables);
        let mut out = b"before".to_vec();
        append_with_tables(&frame, &found, &mut out);
        assert!(scan(&out).unwrap().has_huffman_tables);
        assert_eq!(decode(&out[6..]), decode(&jpeg));
    }

    #[test]
    fn bytes_around_the_picture_are_left_out() {
        let jpeg = without_tables(&picture(16, 8, false));
        let trailers: [&[u8]; 4] = [b"", &[0; 4000], &[0, 0, 7, 0], &[0x55; 100]];
        for trailer in trailers {
            let frame = [&b"\xff\xd8junk"[..], &jpeg, trailer].concat();
            let found = scan(&frame).unwrap();
            assert_eq!(&frame[found.range.clone()], jpeg);
            let mut out = Vec::new();
            append_with_tables(&frame, &found, &mut out);
            assert_eq!(decode(&out), decode(&picture(16, 8, false)));
        }
    }

    #[test]
    fn a_truncated_frame_is_refused_at_every_length() {
        let jpeg = picture(24, 16, false);
        for length in 0..jpeg.len() {
            let frame = &jpeg[..length];
            let wanted = if length < 3 { ScanError::NoStart } else { ScanError::NoEnd };
            assert_eq!(scan(frame), Err(wanted), "{length} bytes");
            let padded = [frame, &[0; 64]].concat();
            assert!(scan(&padded).is_err(), "{length} bytes, then zeros");
        }
    }

    #[test]
    fn a_progressive_picture_is_found_whole() {
        let (mut jpeg, pixels) = (Vec::new(), [99; 16 * 8 * 3]);
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_progressive(true);
        encoder.encode(&pixels, 16, 8, ColorType::Rgb).unwrap();
        let found = scan(&jpeg).unwrap();
        assert_eq!((found.range, found.width, found.height), (0..jpeg.len(), 16, 8));
    }

    #[test]
    fn a_segment_may_hold_the_bytes_of_a_marker() {
        let jpeg = picture(16, 8, false);
        let comment = b"\xff\xfe\x00\x08\xff\xd9\xff\xda\xff\xc0";
        let frame = [&jpeg[..2], comment, &jpeg[2..]].concat();
        assert_eq!(scan(&frame).map(|found| (found.width, found.height)), Ok((16, 8)));
    }

    #[test]
    fn fill_bytes_before_a_marker_are_skipped() {
        let jpeg = without_tables(&picture(16, 8, false));
        let sos = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
        let frame = [&jpeg[..sos], &[0xFF; 3], &jpeg[sos..]].concat();
        let found = scan(&frame).unwrap();
        let mut out = Vec::new();
        append_with_tables(&frame, &found, &mut out);
        assert_eq!(decode(&out), decode(&picture(16, 8, false)));
    }

    #[test]
    fn each_kind_of_bad_frame_is_told_apart() {
        assert_eq!(scan(b""), Err(ScanError::NoStart));
        assert_eq!(scan(&[0; 100_000]), Err(ScanError::NoStart));
        assert_eq!(scan(b"\xff\xd8\xff\xd9"), Err(ScanError::NoPicture));
        assert_eq!(scan(b"\xff\xd8\xff\xe0\x00\x01rest"), Err(ScanError::BrokenSegment(2)));
        assert_eq!(scan(b"\xff\xd8\xff\xe0\x00\x02rest"), Err(ScanError::BrokenSegment(6)));
        assert_eq!(scan(b"\xff\xd8\xff\xda\x00\x02\xff\xd9"), Err(ScanError::NoPicture));
        assert_eq!(scan(b"\xff\xd8\xff\xc0\x00\x04\x08\x00"), Err(ScanError::BrokenSegment(2)));
    }

    /// `jpeg` with another picture in a segment behind SOI, as cameras put a thumbnail.
    fn with_thumbnail(jpeg: &[u8]) -> Vec<u8> {
        let thumbnail = [&b"Exif\0\0"[..], &picture(16, 8, true)].concat();
        let length = (thumbnail.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xFF, 0xE1], &length, &thumbnail, &jpeg[2..]].concat()
    }

    /// A picture with restart markers, in one colour layout or another.
    fn restarting(colour: ColorType, sampling: SamplingFactor, interval: u16) -> Vec<u8> {
        let pixels: Vec<u8> = (0..50 * 38 * if colour == ColorType::Luma { 1 } else { 3 })
            .map(|i| (i * i / 5 + i * 11) as u8)
            .collect();
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 90);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(interval);
        encoder.encode(&pixels, 50, 38, colour).unwrap();
        jpeg
    }

    fn found(data: &[u8]) -> &[u8] {
        &data[scan(data).unwrap().range]
    }

    #[test]
    fn old_bytes_behind_the_picture_are_left_out_whatever_they_hold() {
        let (jpeg, old) = (picture(24, 16, true), picture(64, 48, true));
        for left in [&old[..], &old[old.len() / 2..], &[0x55; 700], b"\xff\xd9", b"\xff", &[0; 9]] {
            assert!(found(&[&jpeg, left].concat()) == jpeg);
        }
    }

    #[test]
    fn half_a_picture_before_a_whole_one_is_left_out_wherever_it_was_cut() {
        let jpeg = picture(40, 24, true);
        let half = picture(40, 24, false);
        let is_missed = |length: &usize| found(&[&half[..*length], &jpeg].concat()) != jpeg;
        let missed: Vec<usize> = (0..half.len() - 1).filter(is_missed).collect();
        // A table cut within two bytes of its end takes SOI for its last bytes, and leads on all the same.
        let header_bytes = header(&half).map(|header| header.entropy_coded).unwrap();
        assert!(missed.len() <= 20 && missed.iter().all(|cut| *cut < header_bytes), "{missed:?}");
        // In its scan; a segment that is cut behind its length may by chance end where another one begins.
        let (half, whole) = (with_thumbnail(&half), with_thumbnail(&jpeg));
        for length in half.len() - 200..half.len() - 1 {
            assert!(found(&[&half[..length], &whole].concat()) == whole, "cut at {length}");
        }
    }

    #[test]
    fn a_soi_too_many_and_junk_of_any_length_are_left_out() {
        let jpeg = picture(40, 24, true);
        for before in
            [&b"\xff\xd8"[..], &b"\xff\xd8".repeat(9), b"\xff\xd8\xff\xd9", b"\xff\xd8\xff", b"\xff"]
        {
            assert!(found(&[before, &jpeg].concat()) == jpeg, "{before:02x?}");
        }
        assert!(found(&[&[7; 5000], &jpeg[..]].concat()) == jpeg);
        let tail = &picture(64, 48, true)[700..];
        assert!(found(&[tail, &jpeg].concat()) == jpeg, "the end of another picture");
    }

    #[test]
    fn a_thumbnail_is_neither_the_picture_nor_its_end() {
        let jpeg = with_thumbnail(&picture(40, 24, true));
        assert_eq!(scan(&jpeg).map(|found| (found.range, found.width)), Ok((0..jpeg.len(), 40)));
        for length in 0..jpeg.len() {
            assert!(scan(&jpeg[..length]).is_err(), "{length} bytes");
            assert!(scan_without_end(&jpeg[..length]).is_err() || length > jpeg.len() - 3, "{length} bytes");
        }
    }

    #[test]
    fn a_picture_of_several_scans_ends_behind_the_last_one() {
        let (mut jpeg, pixels) = (Vec::new(), (0..40 * 24 * 3).map(|i| (i * i) as u8).collect::<Vec<_>>());
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_progressive(true);
        encoder.encode(&pixels, 40, 24, ColorType::Rgb).unwrap();
        assert!(found(&[&jpeg[..], &jpeg[99..]].concat()) == jpeg);
        assert!(scan_without_end(&jpeg[..jpeg.len() - 2]).is_err(), "it cannot be told");
    }

    #[test]
    fn without_eoi_a_picture_is_whole_when_its_blocks_are() {
        let colours = [
            (ColorType::Rgb, SamplingFactor::R_4_2_2, 0),
            (ColorType::Rgb, SamplingFactor::R_4_2_0, 3),
            (ColorType::Rgb, SamplingFactor::R_4_4_4, 1),
            (ColorType::Luma, SamplingFactor::R_4_4_4, 0),
            (ColorType::Luma, SamplingFactor::R_4_4_4, 4),
        ];
        for (colour, sampling, interval) in colours {
            let jpeg = restarting(colour, sampling, interval);
            let scanned = &jpeg[..jpeg.len() - 2];
            let behind: [&[u8]; 6] =
                [b"", b"\xff", &[0; 300_000], &[0xFF; 64], &[0x55; 64], b"\xff\xff\xff\0\0\0"];
            for behind in behind {
                let frame = [scanned, behind].concat();
                assert_eq!(scan(&frame), Err(ScanError::NoEnd));
                let found = scan_without_end(&frame).unwrap();
                let mut out = Vec::new();
                append_with_tables(&frame, &found, &mut out);
                assert!(!found.has_end && out == jpeg, "{colour:?} {sampling:?} {interval}");
            }
            // Zeros can pass for the last blocks of colour, which nobody would miss.
            for length in 0..scanned.len() - 100 {
                for behind in [&b""[..], &[0xFF], &[0; 3000], &[0xFF; 20], &[0xAA; 99]] {
                    let frame = [&scanned[..length], behind].concat();
                    let found = scan_without_end(&frame);
                    assert!(found.is_err(), "{length} of {} bytes {colour:?} {interval}", scanned.len());
                }
            }
        }
    }

    #[test]
    fn without_eoi_and_tables_the_standard_ones_are_meant() {
        let jpeg = without_tables(&picture(40, 24, false));
        let found = scan_without_end(&jpeg[..jpeg.len() - 2]).unwrap();
        let mut out = Vec::new();
        append_with_tables(&jpeg, &found, &mut out);
        assert_eq!(decode(&out), decode(&picture(40, 24, false)));
        assert!(scan_without_end(&jpeg).unwrap().has_end, "one that has its EOI");
    }

    /// Xorshift: the same bytes on every run.
    struct Noise(u32);

    impl Noise {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            self.0 as usize % bound
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_leave_the_frame() {
        let jpeg = without_tables(&picture(24, 16, false));
        let check = |frame: &[u8]| {
            for found in [scan(frame), scan_without_end(frame)].into_iter().flatten() {
                assert!(frame[found.range.clone()].starts_with(&[0xFF, 0xD8, 0xFF]));
                let mut out = Vec::new();
                append_with_tables(frame, &found, &mut out);
                assert!(out.len() >= found.range.len() && out.ends_with(&[0xFF, 0xD9]));
                let again = scan(&out).unwrap();
                assert_eq!((again.range, again.width), (0..out.len(), found.width));
            }
        };
        let mut frame = jpeg.clone();
        for at in 0..jpeg.len() {
            for damage in [0x00, 0xFF, 0xD9, 0xDA, jpeg[at] ^ 0x01, jpeg[at] ^ 0x80] {
                frame[at] = damage;
                check(&frame);
                check(&frame[..=at]);
            }
            frame[at] = jpeg[at];
        }
        let mut noise = Noise(0x2545_F491);
        for _ in 0..20_000 {
            let mut frame = jpeg.clone();
            for _ in 0..=noise.below(6) {
                let at = noise.below(frame.len());
                frame[at] = noise.below(256) as u8;
            }
            frame.truncate(1 + noise.below(frame.len() + 40));
            check(&frame);
        }
    }
}
