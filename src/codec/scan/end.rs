//! Finds where a picture ends: the first EOI that is in no segment.

use super::find_start;
use super::header::{is_frame_header, read_payload};
use crate::codec::marker;

/// The end of the entropy-coded data.
pub(super) enum End {
    /// EOI, which ends at this offset.
    Eoi(usize),
    /// SOI of another picture, or its frame header if its SOI was taken for a part of a segment.
    NextPicture,
    /// No marker at all.
    Missing,
}

/// Finds the end of the entropy-coded data that begin at `entropy_coded`.
pub(super) fn find_end(data: &[u8], entropy_coded: usize) -> End {
    let mut at = entropy_coded;
    while let Some(found) = find_marker(data, at) {
        at = match data[found + 1] {
            marker::EOI => return End::Eoi(found + 2),
            marker::SOI if data.get(found + 2) == Some(&0xFF) => return End::NextPicture,
            marker::SOF0..=marker::SOF2 if is_frame_header(data, found) => return End::NextPicture,
            marker::DHT | marker::SOS..=marker::DRI | marker::APP0..=marker::APP15 | marker::COM => {
                let end = segment_end(data, found).unwrap_or(found + 2);
                // The segment was cut off, and another picture lies in it.
                if find_start(&data[..data.len().min(end + 2)], found + 2).is_some() {
                    return End::NextPicture;
                }
                end
            }
            // Damaged data; a decoder may continue after it.
            _ => found + 2,
        };
    }
    End::Missing
}

/// The end of the segment whose marker is at `at` after a scan; `None` if it is not a segment: a damaged scan may
/// contain any marker, with a wrong length.
fn segment_end(data: &[u8], at: usize) -> Option<usize> {
    let end = at + 4 + read_payload(data, at, at + 2).ok()?.len();
    (data[at + 1] == marker::SOS || data.get(end) == Some(&0xFF)).then_some(end)
}

/// The first marker of `data` from `from` on, except those within a scan: FF 00 is a byte of data, and RST0 to RST7
/// divide it. Checks a block of words at once, because it reads every byte of every frame.
pub(crate) fn find_marker(data: &[u8], from: usize) -> Option<usize> {
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
