//! Wraps a JPEG into one part of a `multipart/x-mixed-replace` stream (RFC 2046, section 5.1).
//!
//! The boundary goes *behind* each part: a browser shows a part when it sees the boundary that
//! ends it, so a boundary sent with the next frame would hold every picture back by one frame.
//!
//! The boundary is random at each start, but the same for all streams: it is part of the frame's buffer, so that
//! a viewer needs one write for a frame. Another Defender may be a viewer and therefore know it; a relayed
//! picture that contains the boundary is dropped.

use std::sync::OnceLock;

use crate::base::hex;
use crate::media::{Frame, Timestamp};

/// What [`build`] adds to a JPEG at the most, in bytes.
pub const OVERHEAD_BYTES: usize = HEADER_ROOM + 8 + BOUNDARY_BYTES;

/// Length of the boundary: 128 bits as hexadecimal digits, which need no quotes (RFC 2045, section 5.1).
const BOUNDARY_BYTES: usize = hex::RANDOM_ID_DIGITS;

/// Space before the JPEG for the part's header, which needs the JPEG's length.
const HEADER_ROOM: usize = 128;

/// The boundary of every `/video` stream, without the leading dashes: random for each start of the server, because
/// an untrusted picture that contained it could end its part and begin another one of any type.
///
/// # Panics
/// At the first call, when the system has no random bytes.
pub fn boundary() -> &'static str {
    static BOUNDARY: OnceLock<String> = OnceLock::new();
    BOUNDARY.get_or_init(|| hex::random_id().expect("the system has random bytes"))
}

/// The bytes that are sent once, before the first part.
pub fn opening() -> String {
    format!("--{}\r\n", boundary())
}

/// Whether a JPEG contains the [`boundary`], which would end its part. A server that is also a viewer of this one
/// knows the boundary.
pub fn holds_boundary(jpeg: &[u8]) -> bool {
    // Wherever the boundary lies, it covers one of these bytes. Few of them are digits, and fewer in a long run of digits.
    let mut at = BOUNDARY_BYTES - 1;
    while let Some(byte) = jpeg.get(at) {
        if byte.is_ascii_hexdigit() && is_in_boundary(jpeg, at) {
            return true;
        }
        at += BOUNDARY_BYTES;
    }
    false
}

/// Whether the [`boundary`] lies around the byte at `at`, before which there are nearly as many.
fn is_in_boundary(jpeg: &[u8], at: usize) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_hexdigit();
    let before = jpeg[at + 1 - BOUNDARY_BYTES..at].iter().rev().take_while(is_digit).count();
    let behind = jpeg[at..].iter().take(BOUNDARY_BYTES).take_while(is_digit).count();
    let run = &jpeg[at - before..at + behind];
    run.windows(BOUNDARY_BYTES).any(|found| found == boundary().as_bytes())
}

/// A buffer for [`build`] with room for a frame around a JPEG of at most `jpeg_bytes`: the old one, or one of exactly
/// this size. A buffer that grows by itself may become twice as large as its frame, for as long as frames are kept.
pub fn sized(mut buffer: Vec<u8>, jpeg_bytes: usize) -> Vec<u8> {
    buffer.clear();
    let needed = jpeg_bytes + OVERHEAD_BYTES;
    if buffer.capacity() < needed {
        // Not grown: nothing in it is worth copying.
        drop(buffer);
        return Vec::with_capacity(needed);
    }
    buffer
}

/// Builds a frame in `buffer` (cleared first; pass an old one, or one of [`sized`], to save an allocation).
///
/// `write_jpeg` appends exactly one JPEG image to the buffer it is given.
///
/// # Errors
/// Whatever `write_jpeg` returns.
pub fn build<E>(
    mut buffer: Vec<u8>,
    captured: Timestamp,
    size: (u32, u32),
    write_jpeg: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Frame, E> {
    buffer.clear();
    buffer.resize(HEADER_ROOM, 0);
    write_jpeg(&mut buffer)?;
    let jpeg = HEADER_ROOM..buffer.len();
    let header = header(jpeg.len(), &x_timestamp(captured));
    let start = HEADER_ROOM - header.len();
    buffer[start..HEADER_ROOM].copy_from_slice(header.as_bytes());
    buffer.reserve_exact(BOUNDARY_BYTES + 6);
    for piece in ["\r\n--", boundary(), "\r\n"] {
        buffer.extend_from_slice(piece.as_bytes());
    }
    let part = start..buffer.len();
    Ok(Frame::new(buffer, part, jpeg, captured, size))
}

/// The value of `X-Timestamp`: when a frame was captured, by the wall clock as it is set now, as
/// seconds and microseconds since the Unix epoch.
pub fn x_timestamp(captured: Timestamp) -> String {
    let wall = captured.wall_time();
    format!("{}.{:06}", wall.as_secs(), wall.subsec_micros())
}

/// The value of `X-Timestamp` for a moment of the wall clock, in microseconds since 1970.
pub fn x_timestamp_at(wall_us: u64) -> String {
    format!("{}.{:06}", wall_us / 1_000_000, wall_us % 1_000_000)
}

/// Builds a part in `buffer` (cleared first) of a JPEG of `jpeg_bytes` that was captured at `wall_us`, in microseconds since 1970.
/// `write_jpeg` appends that many bytes.
///
/// # Errors
/// Whatever `write_jpeg` returns.
pub fn build_at<E>(
    buffer: &mut Vec<u8>,
    wall_us: u64,
    jpeg_bytes: usize,
    write_jpeg: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    buffer.clear();
    buffer.extend_from_slice(header(jpeg_bytes, &x_timestamp_at(wall_us)).as_bytes());
    write_jpeg(buffer)?;
    for piece in ["\r\n--", boundary(), "\r\n"] {
        buffer.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}

/// The header of a part; its longest form stays well under [`HEADER_ROOM`].
fn header(jpeg_bytes: usize, stamp: &str) -> String {
    format!("Content-Type: image/jpeg\r\nContent-Length: {jpeg_bytes}\r\nX-Timestamp: {stamp}\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(jpeg: &[u8]) -> Frame {
        build(Vec::new(), Timestamp::now(), (4, 2), |out| {
            out.extend_from_slice(jpeg);
            Ok::<(), ()>(())
        })
        .unwrap()
    }

    #[test]
    fn a_part_is_header_then_jpeg_then_boundary() {
        let frame = frame(b"\xff\xd8jpeg\xff\xd9");
        let text = String::from_utf8_lossy(frame.part());
        assert!(text.starts_with("Content-Type: image/jpeg\r\nContent-Length: 8\r\nX-Timestamp: "), "{text}");
        let end = [b"\r\n\r\n\xff\xd8jpeg\xff\xd9\r\n--", boundary().as_bytes(), b"\r\n"].concat();
        assert!(frame.part().ends_with(&end), "{text}");
        assert_eq!(frame.jpeg(), b"\xff\xd8jpeg\xff\xd9");
    }

    #[test]
    fn the_boundary_is_random_and_needs_no_quotes() {
        assert_eq!(boundary().len(), BOUNDARY_BYTES);
        assert!(boundary().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", boundary());
        assert!(boundary().bytes().any(|byte| byte != boundary().as_bytes()[0]), "{}", boundary());
        let frame = frame(b"jpeg");
        assert!(frame.part().len() <= frame.jpeg().len() + OVERHEAD_BYTES);
    }

    #[test]
    fn a_picture_that_holds_the_boundary_is_known_wherever_it_lies() {
        let filler = vec![b'-'; 3 * BOUNDARY_BYTES];
        for at in 0..=filler.len() {
            let mut jpeg = filler.clone();
            jpeg.splice(at..at, boundary().bytes());
            assert!(holds_boundary(&jpeg), "{at}");
            jpeg[at] ^= 1;
            assert!(!holds_boundary(&jpeg), "{at}");
        }
        assert!(!holds_boundary(&[]) && !holds_boundary(&boundary().as_bytes()[1..]));
        assert!(holds_boundary(boundary().as_bytes()));
    }

    #[test]
    fn the_longest_header_fits_its_room() {
        assert!(header(usize::MAX, &x_timestamp(Timestamp::from_micros(u64::MAX))).len() <= HEADER_ROOM);
    }

    #[test]
    fn an_old_buffer_leaves_no_trace() {
        let (old, _) = frame(&[7; 5000]).into_buffer();
        let reused = build(old, Timestamp::now(), (4, 2), |out| {
            out.extend_from_slice(b"new");
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(reused.jpeg(), b"new");
    }

    #[test]
    fn a_frame_takes_no_more_memory_than_it_needs() {
        const JPEG_BYTES: usize = 40_000;
        let in_pieces = |buffer| {
            build(buffer, Timestamp::now(), (4, 2), |out| {
                for piece in [&[7; 600][..], &[7; 420], &[7; JPEG_BYTES - 1020]] {
                    out.extend_from_slice(piece);
                }
                Ok::<(), ()>(())
            })
            .unwrap()
        };
        let memory = in_pieces(sized(Vec::new(), JPEG_BYTES)).memory_bytes();
        assert_eq!(memory, JPEG_BYTES + OVERHEAD_BYTES);
        // One that is not known beforehand is not doubled for the boundary at least.
        let memory = frame(&[7; JPEG_BYTES]).memory_bytes();
        assert!(memory <= JPEG_BYTES + OVERHEAD_BYTES, "{memory} bytes");
        let (old, _) = frame(&[7; JPEG_BYTES]).into_buffer();
        let place = old.as_ptr();
        let again = sized(old, 100);
        assert_eq!(again.as_ptr(), place, "an old buffer is used again");
    }

    #[test]
    fn a_failing_encoder_makes_no_frame() {
        assert_eq!(build(Vec::new(), Timestamp::now(), (4, 2), |_| Err("broken")).unwrap_err(), "broken");
    }
}
