//! Writes the header of a changed picture: the camera's own segments, with what must be different.

use super::header::{Header, Quantization};
use super::marker;
use super::segments::Segment;
use super::standard::STANDARD_TABLES;
use super::turn::transposed;

/// The end of a scan's header: all 64 coefficients, with all their bits (section B.2.3).
const WHOLE_BLOCKS: [u8; 3] = [0, 63, 0];

/// What is different in a changed picture.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// Pixels in a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
    /// Whether rows became columns.
    pub(super) transposes: bool,
    /// Whether an EXIF orientation is no longer true.
    pub(super) is_turned: bool,
    /// Whether segments that may hold another picture, such as a thumbnail, are left out.
    pub(super) drops_metadata: bool,
    /// Other quantization tables, by their id.
    pub(super) quantization: Option<[Quantization; 4]>,
    /// Whether the standard Huffman tables replace those of the camera.
    pub(super) has_standard_tables: bool,
    pub(super) restart_interval: u32,
}

impl Changes {
    /// None.
    pub(super) fn none(header: &Header) -> Self {
        Self {
            width: header.width,
            height: header.height,
            transposes: false,
            is_turned: false,
            drops_metadata: false,
            quantization: None,
            has_standard_tables: !header.is_whole_in_one_scan(),
            restart_interval: header.restart_interval,
        }
    }
}

/// Appends everything up to the entropy-coded data of a picture's only scan.
pub(super) fn write(jpeg: &[u8], header: &Header, changes: &Changes, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xFF, marker::SOI]);
    for segment in &header.segments {
        let payload = &jpeg[segment.payload.clone()];
        if changes.drops_metadata && !is_needed(segment.code) {
            put_harmless(segment, payload, out);
            continue;
        }
        match segment.code {
            marker::DHT if changes.has_standard_tables => continue,
            marker::SOS => {
                put_scan_header(jpeg, header, segment, changes, out);
                continue;
            }
            _ => {}
        }
        out.extend_from_slice(&jpeg[segment.start..segment.payload.end]);
        let start = out.len() - payload.len();
        let copy = &mut out[start..];
        match segment.code {
            marker::SOF0 | marker::SOF1 => change_frame(copy, changes),
            marker::DQT => change_quantization(copy, changes),
            marker::DRI => copy.copy_from_slice(&(changes.restart_interval as u16).to_be_bytes()),
            marker::APP1 if changes.is_turned => make_upright(copy),
            _ => {}
        }
    }
}

/// Whether a segment is of those that a sequential picture is decoded with. Others, also reserved ones, can hold
/// anything.
fn is_needed(code: u8) -> bool {
    matches!(code, marker::SOF0 | marker::SOF1 | marker::DHT | marker::DQT | marker::DRI | marker::SOS)
}

/// Puts an application segment that can hold no picture: the colours of the samples depend on those of JFIF and
/// Adobe. A thumbnail in JFIF is left out.
fn put_harmless(segment: &Segment, payload: &[u8], out: &mut Vec<u8>) {
    let (kept, thumbnail): (usize, &[u8]) = match payload {
        [b'J', b'F', b'I', b'F', 0, ..] if segment.code == marker::APP0 && payload.len() >= 14 => {
            (12, &[0, 0])
        }
        [b'A', b'd', b'o', b'b', b'e', ..] if segment.code == marker::APP14 && payload.len() >= 12 => {
            (12, &[])
        }
        _ => return,
    };
    out.extend_from_slice(&[0xFF, segment.code, 0, (2 + kept + thumbnail.len()) as u8]);
    out.extend_from_slice(&payload[..kept]);
    out.extend_from_slice(thumbnail);
}

/// Puts the scan's header, with Huffman tables before it if they are not there.
fn put_scan_header(jpeg: &[u8], header: &Header, segment: &Segment, changes: &Changes, out: &mut Vec<u8>) {
    if changes.has_standard_tables || !header.has_huffman_tables {
        out.extend_from_slice(&STANDARD_TABLES);
    }
    if !changes.has_standard_tables {
        out.extend_from_slice(&jpeg[segment.start..segment.payload.end]);
        // What a sequential scan says of the part that it holds is read over, as libjpeg does; strict decoders refuse it.
        let end = out.len();
        out[end - WHOLE_BLOCKS.len()..].copy_from_slice(&WHOLE_BLOCKS);
        return;
    }
    let count = header.components().len() as u8;
    out.extend_from_slice(&[0xFF, marker::SOS, 0, 6 + 2 * count, count]);
    for (index, component) in header.components().iter().enumerate() {
        out.extend_from_slice(&[component.id, standard_table(index) * 0x11]);
    }
    out.extend_from_slice(&WHOLE_BLOCKS);
}

/// The standard tables of a component: 0 for luma, 1 for chroma.
pub(super) fn standard_table(component: usize) -> u8 {
    component.min(1) as u8
}

/// Sets size and sampling factors (ITU-T T.81, section B.2.2).
fn change_frame(payload: &mut [u8], changes: &Changes) {
    payload[1..3].copy_from_slice(&(changes.height as u16).to_be_bytes());
    payload[3..5].copy_from_slice(&(changes.width as u16).to_be_bytes());
    if changes.transposes {
        for component in payload[6..].chunks_exact_mut(3) {
            component[1] = component[1].rotate_left(4);
        }
    }
}

/// Sets the values of quantization tables, or exchanges rows and columns (section B.2.4.1).
fn change_quantization(mut payload: &mut [u8], changes: &Changes) {
    while let [kind, rest @ ..] = payload {
        let (id, bytes) = (usize::from(*kind & 3), if *kind >> 4 == 0 { 1 } else { 2 });
        let (table, rest) = rest.split_at_mut(64 * bytes);
        if let Some(tables) = &changes.quantization {
            for (place, value) in table.chunks_exact_mut(bytes).zip(tables[id]) {
                match place {
                    [one] => *one = value.min(255) as u8,
                    two => two.copy_from_slice(&value.to_be_bytes()),
                }
            }
        }
        if changes.transposes {
            for place in 0..64 {
                let other = usize::from(transposed(place));
                for byte in 0..bytes {
                    if other > place {
                        table.swap(place * bytes + byte, other * bytes + byte);
                    }
                }
            }
        }
        payload = rest;
    }
}

/// Sets the orientation of an EXIF segment to upright (Exif 2.32, sections 4.5 and 4.6.4): a client would turn the
/// picture once more.
fn make_upright(payload: &mut [u8]) {
    const ORIENTATION: u16 = 0x0112;
    const ENTRY_BYTES: usize = 12;
    if !payload.starts_with(b"Exif\0\0") {
        return;
    }
    let tiff = &mut payload[6..];
    let is_little = tiff.starts_with(b"II");
    let number = |bytes: &[u8]| match *bytes {
        [first, second] if is_little => u16::from_le_bytes([first, second]),
        [first, second] => u16::from_be_bytes([first, second]),
        _ => 0,
    };
    let Some(&offset) = tiff.get(4..8).and_then(|bytes| bytes.first_chunk::<4>()) else { return };
    let offset = if is_little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) };
    let Some(directory) = tiff.get_mut(offset as usize..) else { return };
    let Some((count, entries)) = directory.split_at_mut_checked(2) else { return };
    for entry in entries.chunks_exact_mut(ENTRY_BYTES).take(number(count).into()) {
        if number(&entry[..2]) == ORIENTATION {
            let upright = if is_little { 1u16.to_le_bytes() } else { 1u16.to_be_bytes() };
            entry[8..10].copy_from_slice(&upright);
        }
    }
}
