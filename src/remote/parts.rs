//! A stream of pictures, taken apart (RFC 2046, section 5.1): parts with a length each, as Defender
//! sends them, and no others.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::RemoteError;
use crate::client::Body;

/// Largest picture taken, in bytes: what a camera of 4K gives is a fifth of it.
const PICTURE_BYTES: usize = 8 * 1024 * 1024;

/// No whole picture for so long is too long: a lost camera sends no-signal frames meanwhile.
const STALL: Duration = Duration::from_secs(10);

/// Largest head of a part, in bytes.
const HEAD_BYTES: usize = 2048;

/// Pictures as they come.
pub struct Parts<'w> {
    body: Body<'w>,
    /// How much of what has come was the last part.
    taken: usize,
}

/// One picture.
#[derive(Debug, PartialEq)]
pub struct Part<'p> {
    /// The JPEG.
    pub jpeg: &'p [u8],
    /// When it was captured by the other's wall clock, in microseconds; `None` where it does not say.
    pub stamp_us: Option<u64>,
}

/// What the head of a part says.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    jpeg: Range<usize>,
    stamp_us: Option<u64>,
}

impl<'w> Parts<'w> {
    pub(super) fn of(body: Body<'w>) -> Self {
        Self { body, taken: 0 }
    }

    /// The next picture; `None` for one that was left out, as there was no memory for it.
    ///
    /// # Errors
    /// Those of the connection, or what is no part of a Defender's.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, RemoteError> {
        self.body.shrink(self.taken);
        self.body.take(std::mem::take(&mut self.taken));
        let end = Instant::now() + STALL;
        let found = loop {
            match find(self.body.ahead())? {
                Some(found) if found.jpeg.end <= self.body.ahead().len() => break found,
                Some(found) if !self.body.make_room(found.jpeg.end) => {
                    self.body.skip(found.jpeg.end, end)?;
                    return Ok(None);
                }
                _ => self.body.fill(end)?,
            }
        };
        self.taken = found.jpeg.end;
        Ok(Some(Part { jpeg: &self.body.ahead()[found.jpeg.clone()], stamp_us: found.stamp_us }))
    }
}

/// The head of the part that `bytes` begin with; `None` while it is not whole.
fn find(bytes: &[u8]) -> Result<Option<Found>, RemoteError> {
    let end = bytes.windows(4).take(HEAD_BYTES).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        let hopeless = bytes.len() >= HEAD_BYTES + 4;
        return if hopeless { Err(RemoteError::Garbled("a part without a head")) } else { Ok(None) };
    };
    let head = str::from_utf8(&bytes[..end]).map_err(|_| RemoteError::Garbled("a part's head"))?;
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let length = field("Content-Length").and_then(|digits| digits.parse().ok());
    let length: usize = length.ok_or(RemoteError::Garbled("a part without a length"))?;
    if length > PICTURE_BYTES {
        return Err(RemoteError::Garbled("a picture too large"));
    }
    let start = end + 4;
    Ok(Some(Found { jpeg: start..start + length, stamp_us: field("X-Timestamp").and_then(micros) }))
}

/// Where the JPEG of the first part lies, for the fuzzer.
pub(crate) fn find_part(bytes: &[u8]) -> Result<Option<Range<usize>>, RemoteError> {
    Ok(find(bytes)?.map(|found| found.jpeg))
}

/// `seconds.micros` in microseconds.
fn micros(stamp: &str) -> Option<u64> {
    let (seconds, fraction) = stamp.split_once('.')?;
    if fraction.len() != 6 {
        return None;
    }
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_where_its_head_says_it_is() {
        let part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 7.000002\r\n\r\nJPEG\r\n--b";
        let found = find(part).unwrap().unwrap();
        assert_eq!((&part[found.jpeg], found.stamp_us), (&b"JPEG"[..], Some(7_000_002)));
        // Behind the last one stands the boundary, in which the next head begins.
        assert!(find(b"\r\n--b\r\nContent-Length: 1\r\n\r\n").unwrap().is_some());
        assert_eq!(find(b"--b\r\nContent-Le").unwrap(), None);
    }

    #[test]
    fn what_no_defender_sends_is_refused_before_it_takes_memory() {
        let endless = vec![b'x'; HEAD_BYTES + 4];
        let garbled: [&[u8]; 5] = [
            &endless,
            b"--b\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
            b"Content-Length: 99999999999\r\n\r\n",
            b"Content-Length: 8388609\r\n\r\n",
        ];
        for bytes in garbled {
            assert!(find(bytes).is_err(), "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_stamp_that_is_none_is_left_out() {
        for odd in ["", "1", "1.5", "x.000000", "1.00000x", "99999999999999999.000000"] {
            assert_eq!(micros(odd), None, "{odd}");
        }
    }
}
