//! Reads the marker segments of a JPEG up to its first scan (ITU-T T.81, section B.2).

use std::ops::Range;

use super::{Scan, ScanError};
use crate::jpeg::marker;

/// The segments before the entropy-coded data. Offsets count from the start of the bytes that were read.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(super) has_huffman_tables: bool,
    /// Whether the quantization tables of all components are there.
    pub(super) is_complete: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Where the last application segment ends. Such segments may contain thumbnails.
    pub(super) thumbnails_end: usize,
    /// Where the marker of the frame header lies.
    pub(crate) frame: usize,
    /// Where the marker of the first scan (SOS) lies.
    pub(crate) first_scan: usize,
    /// Where the entropy-coded data begin.
    pub(crate) entropy_coded: usize,
}

/// Why there is no valid header, and where thumbnails may be in it.
pub(super) struct Broken {
    pub(super) error: ScanError,
    /// Pictures that end at or before this offset are thumbnails of this one.
    pub(super) thumbnails_end: usize,
    /// Pictures that end at or before this offset may be thumbnails: the length of an application segment says that
    /// it ends here, but no other segment follows.
    pub(super) doubtful_end: usize,
}

/// Most segments before a scan; pictures have about ten.
const SEGMENTS_MAX: usize = 256;

impl Header {
    pub(super) fn scan(&self, range: Range<usize>, has_end: bool) -> Scan {
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

/// Reads the marker segments from the SOI at `start` to the header of the first scan, including that. Their contents
/// are checked as far as decoders do.
pub(super) fn read_header(data: &[u8], start: usize) -> Result<Header, Broken> {
    let mut walk = Walk::default();
    let read = walk.read(data, start + 2);
    read.map_err(|error| Broken {
        error,
        thumbnails_end: walk.thumbnails_end,
        doubtful_end: walk.doubtful_end,
    })
}

/// What is known so far.
#[derive(Default)]
struct Walk {
    has_huffman_tables: bool,
    /// The quantization tables defined, one bit for each.
    quantization: u8,
    frame: Option<Frame>,
    thumbnails_end: usize,
    doubtful_end: usize,
}

/// A frame header.
struct Frame {
    at: usize,
    width: u32,
    height: u32,
    /// The quantization tables used, one bit for each.
    quantization: u8,
}

impl Walk {
    fn read(&mut self, data: &[u8], mut at: usize) -> Result<Header, ScanError> {
        for _ in 0..SEGMENTS_MAX {
            if data.get(at).is_none_or(|&byte| byte == 0xFF) {
                // The length of the segment before was right.
                self.thumbnails_end = self.thumbnails_end.max(self.doubtful_end);
            }
            let (code, body) = read_marker(data, at)?;
            match code {
                marker::TEM => {
                    at = body;
                    continue;
                }
                marker::SOI => return Err(ScanError::BrokenSegment(at)),
                marker::EOI => return Err(ScanError::NoPicture),
                _ => {}
            }
            let is_application = (marker::APP0..=marker::APP15).contains(&code);
            let payload = read_payload(data, at, body).inspect_err(|_| {
                if is_application {
                    self.doubtful_end = data.len();
                }
            })?;
            let next = body + 2 + payload.len();
            if is_application {
                self.doubtful_end = next;
            }
            if let Some(header) = self.take(code, payload, at, next)? {
                return Ok(header);
            }
            at = next;
        }
        Err(ScanError::NoPicture)
    }

    /// Reads the segment from `at` to `next`; returns the header if it is that of a scan.
    fn take(
        &mut self,
        code: u8,
        payload: &[u8],
        at: usize,
        next: usize,
    ) -> Result<Option<Header>, ScanError> {
        let broken = ScanError::BrokenSegment(at);
        match code {
            marker::SOF0..=marker::SOF2 => self.frame = Some(read_frame(payload, at).ok_or(broken)?),
            marker::SOF9 | marker::SOF10 => {
                self.frame = Some(read_frame(payload, at).ok_or(broken)?);
                // Arithmetic coding needs none.
                self.has_huffman_tables = true;
            }
            marker::DQT => self.quantization |= quantization_tables(payload).ok_or(broken)?,
            marker::DHT => {
                check_huffman_tables(payload).ok_or(broken)?;
                self.has_huffman_tables = true;
            }
            marker::SOS => {
                let frame = self.frame.as_ref().ok_or(ScanError::NoPicture)?;
                check_scan_header(payload).ok_or(broken)?;
                return Ok(Some(Header {
                    has_huffman_tables: self.has_huffman_tables,
                    is_complete: frame.quantization & !self.quantization == 0,
                    width: frame.width,
                    height: frame.height,
                    thumbnails_end: self.thumbnails_end,
                    frame: frame.at,
                    first_scan: at,
                    entropy_coded: next,
                }));
            }
            _ => {}
        }
        Ok(None)
    }
}

/// The code of the marker at `at`, and the offset of its segment's length. Any number of fill
/// bytes FF may precede the code (section B.1.1.2).
fn read_marker(data: &[u8], at: usize) -> Result<(u8, usize), ScanError> {
    if *data.get(at).ok_or(ScanError::NoEnd)? != 0xFF {
        return Err(ScanError::BrokenSegment(at));
    }
    let fill = data[at..].iter().take_while(|&&byte| byte == 0xFF).count();
    let code = *data.get(at + fill).ok_or(ScanError::NoEnd)?;
    match code {
        // Zero is not a marker, and the others are not valid before the first scan.
        0x00 | marker::RST0..=marker::RST7 => Err(ScanError::BrokenSegment(at)),
        _ => Ok((code, at + fill + 1)),
    }
}

/// The bytes after the length at `body`, in the segment whose marker is at `at`.
pub(super) fn read_payload(data: &[u8], at: usize, body: usize) -> Result<&[u8], ScanError> {
    let rest = data.get(body..).unwrap_or_default();
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(ScanError::NoEnd)?;
    // The length counts its own two bytes.
    let length = usize::from(u16::from_be_bytes(*length)).checked_sub(2);
    let length = length.ok_or(ScanError::BrokenSegment(at))?;
    rest.get(..length).ok_or(ScanError::NoEnd)
}

/// Whether a frame header begins at `at`.
pub(super) fn is_frame_header(data: &[u8], at: usize) -> bool {
    (marker::SOF0..=marker::SOF2).contains(&data[at + 1])
        && read_payload(data, at, at + 2).is_ok_and(|payload| read_frame(payload, at).is_some())
}

/// A frame header: precision, height, width, and three bytes for each component (section B.2.2). A height
/// of zero, which a DNL marker would give after the scan, is refused: browsers do not support it.
fn read_frame(payload: &[u8], at: usize) -> Option<Frame> {
    let &[_, h1, h0, w1, w0, count, ref components @ ..] = payload else { return None };
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    let is_whole = (1..=4).contains(&count) && components.len() == usize::from(count) * 3;
    if width == 0 || height == 0 || !is_whole {
        return None;
    }
    let quantization =
        components.chunks_exact(3).fold(0, |tables, component| tables | table_bit(component[2]));
    Some(Frame { at, width: width.into(), height: height.into(), quantization })
}

/// The bit that stands for a quantization table; there are four.
fn table_bit(number: u8) -> u8 {
    1 << (number & 3)
}

/// The tables that a DQT segment defines: each a precision and a number, then 64 values of one or two bytes
/// (section B.2.4.1). `None` when it is not whole.
fn quantization_tables(mut payload: &[u8]) -> Option<u8> {
    let mut tables = 0;
    while let [kind, values @ ..] = payload {
        let bytes = if kind >> 4 == 0 { 64 } else { 128 };
        payload = values.get(bytes..)?;
        tables |= table_bit(*kind);
    }
    Some(tables)
}

/// Whether a DHT segment is whole: for each table its number, the counts of codes of sixteen lengths, and as
/// many values (section B.2.4.2).
fn check_huffman_tables(mut payload: &[u8]) -> Option<()> {
    while let [_, table @ ..] = payload {
        let (counts, values) = table.split_first_chunk::<16>()?;
        payload = values.get(counts.iter().map(|&count| usize::from(count)).sum()..)?;
    }
    Some(())
}

/// Whether a scan header is whole: two bytes for each component, and three more (section B.2.3).
fn check_scan_header(payload: &[u8]) -> Option<()> {
    let (&count, rest) = payload.split_first()?;
    ((1..=4).contains(&count) && rest.len() == usize::from(count) * 2 + 3).then_some(())
}
