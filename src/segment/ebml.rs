//! Elements of EBML (RFC 8794): identifiers, sizes and values, written and read.

/// A void of this many bytes or more can have a head of nine bytes.
pub const VOID_HEAD_BYTES: u64 = 9;

/// Identifiers of EBML and Matroska (RFC 9559), with their length marker.
pub mod id {
    #![allow(missing_docs)]
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const EBML_VERSION: u32 = 0x4286;
    pub const EBML_READ_VERSION: u32 = 0x42F7;
    pub const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    pub const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    pub const DOC_TYPE: u32 = 0x4282;
    pub const DOC_TYPE_VERSION: u32 = 0x4287;
    pub const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub const VOID: u32 = 0xEC;
    pub const CRC_32: u32 = 0xBF;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    pub const SEEK: u32 = 0x4DBB;
    pub const SEEK_ID: u32 = 0x53AB;
    pub const SEEK_POSITION: u32 = 0x53AC;
    pub const INFO: u32 = 0x1549_A966;
    pub const SEGMENT_UUID: u32 = 0x73A4;
    pub const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub const DURATION: u32 = 0x4489;
    pub const DATE_UTC: u32 = 0x4461;
    pub const TITLE: u32 = 0x7BA9;
    pub const MUXING_APP: u32 = 0x4D80;
    pub const WRITING_APP: u32 = 0x5741;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const TRACK_UID: u32 = 0x73C5;
    pub const TRACK_TYPE: u32 = 0x83;
    pub const FLAG_LACING: u32 = 0x9C;
    pub const LANGUAGE: u32 = 0x22_B59C;
    pub const CODEC_ID: u32 = 0x86;
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    pub const VIDEO: u32 = 0xE0;
    pub const PIXEL_WIDTH: u32 = 0xB0;
    pub const PIXEL_HEIGHT: u32 = 0xBA;
    pub const AUDIO: u32 = 0xE1;
    pub const SAMPLING_FREQUENCY: u32 = 0xB5;
    pub const CHANNELS: u32 = 0x9F;
    pub const BIT_DEPTH: u32 = 0x6264;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TIMESTAMP: u32 = 0xE7;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const CUES: u32 = 0x1C53_BB6B;
    pub const CUE_POINT: u32 = 0xBB;
    pub const CUE_TIME: u32 = 0xB3;
    pub const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub const CUE_TRACK: u32 = 0xF7;
    pub const CUE_CLUSTER_POSITION: u32 = 0xF1;
    pub const CUE_RELATIVE_POSITION: u32 = 0xF0;
}

/// The head of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its identifier, with the length marker.
    pub id: u32,
    /// Bytes of identifier and size.
    pub head_bytes: usize,
    /// Bytes of its content; `None` for an unknown size.
    pub size: Option<u64>,
}

/// Reads the head of the element that `bytes` begin with; `None` when they begin with none, or end before.
pub fn read_element(bytes: &[u8]) -> Option<Element> {
    let id_bytes = bytes.first()?.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return None;
    }
    let id = read_uint(bytes.get(..id_bytes)?) as u32;
    let rest = &bytes[id_bytes..];
    let size_bytes = rest.first()?.leading_zeros() as usize + 1;
    if size_bytes > 8 {
        return None;
    }
    let value_bits = 7 * size_bytes as u32;
    let value = read_uint(rest.get(..size_bytes)?) & ((1 << value_bits) - 1);
    let is_unknown = value == (1 << value_bits) - 1;
    Some(Element { id, head_bytes: id_bytes + size_bytes, size: (!is_unknown).then_some(value) })
}

/// The big-endian number that the first eight bytes at most are.
pub fn read_uint(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Appends an element with these bytes.
pub fn put(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    put_id(out, id);
    put_size(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Appends a number in as few bytes as it needs.
pub fn put_uint(out: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = (value.leading_zeros() as usize / 8).min(7);
    put(out, id, &bytes[zeros..]);
}

/// Appends a number of four bytes, so that the element's length does not depend on it.
pub fn put_u32(out: &mut Vec<u8>, id: u32, value: u32) {
    put(out, id, &value.to_be_bytes());
}

/// Appends a floating-point number of eight bytes.
pub fn put_float(out: &mut Vec<u8>, id: u32, value: f64) {
    put(out, id, &value.to_be_bytes());
}

/// Appends an identifier.
pub fn put_id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    out.extend_from_slice(&bytes[id.leading_zeros() as usize / 8..]);
}

/// Appends a size in as few bytes as it needs.
pub fn put_size(out: &mut Vec<u8>, size: u64) {
    let width = size_bytes(size);
    out.extend_from_slice(&(size | 1 << (7 * width)).to_be_bytes()[8 - width..]);
}

/// Bytes that a size takes at least. All ones mean an unknown size, so they are left out.
pub fn size_bytes(size: u64) -> usize {
    (1..8).find(|width| size < (1 << (7 * width)) - 1).unwrap_or(8)
}

/// A size in eight bytes.
pub fn size_of_8_bytes(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

/// Appends a Void of `bytes` bytes in all: two at least.
pub fn put_void(out: &mut Vec<u8>, bytes: usize) {
    let end = out.len() + bytes;
    if (bytes as u64) < VOID_HEAD_BYTES {
        put_id(out, id::VOID);
        out.push(0x80 | bytes.saturating_sub(2) as u8);
    } else {
        out.extend_from_slice(&void_head(bytes as u64));
    }
    out.resize(end, 0);
}

/// The head of a Void of `bytes` bytes in all, [`VOID_HEAD_BYTES`] at least.
pub fn void_head(bytes: u64) -> [u8; VOID_HEAD_BYTES as usize] {
    let mut head = [id::VOID as u8; VOID_HEAD_BYTES as usize];
    head[1..].copy_from_slice(&size_of_8_bytes(bytes - VOID_HEAD_BYTES));
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for size in [0, 1, 126, 127, 128, 16_382, 16_383, 2_097_150, 1 << 28, (1 << 35) - 2, 1 << 50] {
            let mut out = Vec::new();
            put_id(&mut out, id::CUES);
            put_size(&mut out, size);
            let read = read_element(&out).unwrap();
            assert_eq!((read.id, read.size, read.head_bytes), (id::CUES, Some(size), out.len()), "{size}");
        }
    }

    #[test]
    fn a_size_of_ones_is_unknown() {
        assert_eq!(read_element(&[0xEC, 0xFF]).unwrap().size, None);
        assert_eq!(read_element(&[0xEC, 0x01, 255, 255, 255, 255, 255, 255, 255]).unwrap().size, None);
        assert_eq!(size_bytes(127), 2);
    }

    #[test]
    fn what_is_no_element_is_not_read() {
        for bytes in
            [&[][..], &[0xEC], &[0x08, 1, 1, 1, 1, 0x81], &[0xEC, 0x00, 1, 1, 1, 1, 1, 1, 1], &[0xEC, 0x40]]
        {
            assert_eq!(read_element(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_void_has_the_length_asked_for() {
        for bytes in [2, 3, 8, 9, 10, 127, 128, 129, 5000] {
            let mut out = Vec::new();
            put_void(&mut out, bytes);
            let read = read_element(&out).unwrap();
            assert_eq!((read.id, out.len()), (id::VOID, bytes));
            assert_eq!(read.head_bytes as u64 + read.size.unwrap(), bytes as u64);
        }
    }

    #[test]
    fn numbers_take_as_few_bytes_as_they_need() {
        let written = |value| {
            let mut out = Vec::new();
            put_uint(&mut out, id::TIMESTAMP, value);
            out
        };
        assert_eq!(written(0), [0xE7, 0x81, 0]);
        assert_eq!(written(255), [0xE7, 0x81, 255]);
        assert_eq!(written(256), [0xE7, 0x82, 1, 0]);
        assert_eq!(read_uint(&written(u64::MAX)[2..]), u64::MAX);
    }
}
