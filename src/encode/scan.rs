//! Looks at a camera's Motion JPEG frame without decoding it: where the picture begins and ends,
//! how large it is, and whether it brings its Huffman tables (ITU-T T.81, Annex B).
//!
//! Cameras are careless: some put bytes before the picture, pad it behind, leave out the tables,
//! or deliver half of it. What comes out of here, browsers can show.

use std::fmt;
use std::ops::Range;

use super::huffman::STANDARD_TABLES;

/// What a frame holds. The offsets are those of the bytes that were scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the picture lies, SOI and EOI included.
    pub range: Range<usize>,
    /// False when the decoder is to use the standard tables, which [`append_with_tables`] adds.
    pub has_huffman_tables: bool,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where the marker of the first scan (SOS) lies.
    first_scan: usize,
}

/// Finds the picture in `data`.
///
/// The picture ends at the last EOI in `data`, so that the search can start behind, where the
/// EOI is; what an old frame left after it costs some bytes and is shown by no decoder.
///
/// # Errors
/// When `data` does not hold one whole picture.
pub fn scan(data: &[u8]) -> Result<Scan, ScanError> {
    let start = find_start(data).ok_or(ScanError::NoStart)?;
    let header = read_header(data, start)?;
    let end = find_end(data, header.entropy_coded).ok_or(ScanError::NoEnd)?;
    Ok(Scan {
        range: start..end,
        has_huffman_tables: header.has_huffman_tables,
        width: header.width,
        height: header.height,
        first_scan: header.first_scan,
    })
}

/// Appends the picture `scan` found in `data` to `out`, with the standard Huffman tables put
/// before its first scan if it has none of its own.
///
/// # Panics
/// When `scan` is the result for other, longer data.
pub fn append_with_tables(data: &[u8], scan: &Scan, out: &mut Vec<u8>) {
    if scan.has_huffman_tables {
        return out.extend_from_slice(&data[scan.range.clone()]);
    }
    out.reserve(scan.range.len() + STANDARD_TABLES.len());
    out.extend_from_slice(&data[scan.range.start..scan.first_scan]);
    out.extend_from_slice(&STANDARD_TABLES);
    out.extend_from_slice(&data[scan.first_scan..scan.range.end]);
}

/// Most bytes that [`append_with_tables`] adds to a picture.
pub const MAX_TABLES_BYTES: usize = STANDARD_TABLES.len();

/// The header of a JPEG that begins where `jpeg` does.
pub(super) fn header(jpeg: &[u8]) -> Result<Header, ScanError> {
    read_header(jpeg, 0)
}

/// Why a frame is not a picture. Cameras deliver such frames now and then; they are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// No JPEG begins near the start of the frame.
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
            Self::NoStart => {
                write!(f, "no JPEG in the frame: expected FF D8 FF in its first {LEADING_JUNK_MAX} bytes")
            }
            Self::NoEnd => write!(f, "truncated JPEG: the frame ends before the picture does (no FF D9)"),
            Self::BrokenSegment(offset) => {
                write!(f, "broken JPEG: expected a marker segment at byte {offset} of the frame")
            }
            Self::NoPicture => write!(f, "JPEG without a picture: expected SOF0, SOF1 or SOF2, then SOS"),
        }
    }
}

impl std::error::Error for ScanError {}

/// How far into a frame a picture may begin. A bound, so that garbage is refused quickly.
const LEADING_JUNK_MAX: usize = 512;

/// The second byte of each marker (ITU-T T.81, table B.1).
mod marker {
    pub const SOF0: u8 = 0xC0;
    pub const SOF2: u8 = 0xC2;
    pub const DHT: u8 = 0xC4;
    pub const TEM: u8 = 0x01;
    pub const SOI: u8 = 0xD8;
    pub const EOI: u8 = 0xD9;
    pub const SOS: u8 = 0xDA;
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

/// Every JPEG goes on with another marker after SOI, so three bytes are certain, which makes a
/// find among junk far less likely.
fn find_start(data: &[u8]) -> Option<usize> {
    let near = &data[..data.len().min(LEADING_JUNK_MAX)];
    near.windows(3).position(|bytes| bytes == [0xFF, marker::SOI, 0xFF])
}

/// Walks the marker segments from SOI up to and over the header of the first scan.
fn read_header(data: &[u8], start: usize) -> Result<Header, ScanError> {
    let mut has_huffman_tables = false;
    let mut frame = None;
    let mut at = start + 2;
    loop {
        let (code, body) = match read_marker(data, at)? {
            (marker::TEM, body) => {
                at = body;
                continue;
            }
            marker => marker,
        };
        let payload = read_payload(data, at, body)?;
        let next = body + 2 + payload.len();
        match code {
            marker::SOF0..=marker::SOF2 => {
                frame = Some((at, read_size(payload).ok_or(ScanError::BrokenSegment(at))?));
            }
            marker::DHT => has_huffman_tables = true,
            marker::SOS => {
                let (frame, (width, height)) = frame.ok_or(ScanError::NoPicture)?;
                let (first_scan, entropy_coded) = (at, next);
                return Ok(Header { has_huffman_tables, width, height, frame, first_scan, entropy_coded });
            }
            _ => {}
        }
        at = next;
    }
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
        marker::EOI => Err(ScanError::NoPicture),
        // Zero is no marker, the others (RST0 to SOI) have no place before the first scan.
        0x00 | 0xD0..=marker::SOI => Err(ScanError::BrokenSegment(at)),
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

/// Where the last EOI ends, not looking before `entropy_coded`. Nearly always it stands before
/// nothing but zeros, which are skipped first; only the odd frame pays for a search.
fn find_end(data: &[u8], entropy_coded: usize) -> Option<usize> {
    const EOI: [u8; 2] = [0xFF, marker::EOI];
    let coded = &data[entropy_coded..];
    let unpadded = coded.iter().rposition(|&byte| byte != 0)? + 1;
    let coded = &coded[..unpadded];
    if coded.ends_with(&EOI) {
        return Some(entropy_coded + unpadded);
    }
    coded.windows(2).rposition(|bytes| bytes == EOI).map(|at| entropy_coded + at + 2)
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
            if let Ok(found) = scan(frame) {
                assert!(frame[found.range.clone()].starts_with(&[0xFF, 0xD8, 0xFF]));
                assert!(frame[found.range.clone()].ends_with(&[0xFF, 0xD9]));
                let mut out = Vec::new();
                append_with_tables(frame, &found, &mut out);
                assert!(out.len() >= found.range.len());
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
