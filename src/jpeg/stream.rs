//! Takes JPEGs out of a stream of bytes that arrives in pieces of any size: pictures one after another, with anything
//! between them, such as the heads of multipart parts.
//!
//! The end of a picture is found by reading its markers (ITU-T T.81, Annex B): the lengths of its segments up to the
//! first scan, then the entropy-coded data up to EOI. So neither a thumbnail in a segment ends a picture, nor does a
//! length that a sender claims. SOI in a place where no picture may have one begins another picture, and what came of
//! the former is dropped. If the sender's pictures usually have no EOI, they end where the next one begins.
//!
//! The stream is read into the buffer that pictures are lent from: no byte is copied, except when the buffer is full. Only the
//! newest whole picture is kept. Whether decoders would show it is for [`super::scanner`] to say.

mod dropped;
mod stray;

use std::ops::Range;

pub use dropped::Dropped;

use super::endings::Endings;
use super::marker;
use super::scan::{find_marker, find_start};

/// Largest picture that a source of this machine or the network may send, in bytes: a camera of 4K gives a fifth of it.
pub const MAX_PICTURE_BYTES: usize = 8 * 1024 * 1024;

/// Finds the pictures of one stream.
#[derive(Debug)]
pub struct JpegStream {
    limit_bytes: usize,
    /// Least room that is offered for reading.
    room_bytes: usize,
    /// What has arrived, up to `end`; the rest is room.
    buffer: Vec<u8>,
    end: usize,
    /// The newest whole picture, unless it was taken.
    newest: Option<Range<usize>>,
    /// Where the picture that is being read begins; between pictures, what is not examined yet.
    start: usize,
    /// Where to go on. May be after `end`, within a segment.
    at: usize,
    state: State,
    /// Pictures that end at or before this offset are thumbnails of a picture that was dropped.
    thumbnails_end: usize,
    endings: Endings,
    dropped: Dropped,
    /// The first bytes since the last whole picture that belong to none.
    stray: Vec<u8>,
    sizes: Sizes,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Something between two pictures.
    Between,
    /// The segments before the first scan, of which this one is the last.
    Segments(Option<Segment>),
    /// Entropy-coded data, and the segments between scans.
    Scan,
}

/// A segment whose end was not seen yet, so that its length may be wrong.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Where its length begins.
    length_at: usize,
    /// Application segments may contain thumbnails.
    is_application: bool,
}

/// The sizes of the last pictures, by which a buffer is made smaller.
#[derive(Debug, Default)]
struct Sizes {
    pictures: u32,
    largest: usize,
}

/// After so many pictures it is seen whether the buffer is much too large.
const PICTURES_WATCHED: u32 = 64;

impl JpegStream {
    /// A stream whose pictures have at most `limit_bytes`. It takes no memory before it is used, and at most twice the limit and
    /// a thirty-second part of it.
    ///
    /// # Panics
    /// With a limit of less than 64 bytes, which no picture has.
    pub fn new(limit_bytes: usize) -> Self {
        assert!(limit_bytes >= 64);
        Self {
            limit_bytes,
            room_bytes: (limit_bytes / 128).clamp(16, 16 * 1024),
            buffer: Vec::new(),
            end: 0,
            newest: None,
            start: 0,
            at: 0,
            state: State::Between,
            thumbnails_end: 0,
            endings: Endings::default(),
            dropped: Dropped::default(),
            stray: Vec::new(),
            sizes: Sizes::default(),
        }
    }

    /// Room to read into. Call [`Self::filled`] with the number of bytes that were read.
    ///
    /// Before the buffer grows, `may_hold` is asked whether it may have so many bytes; it is also called when the buffer became
    /// smaller. If it may not grow, the picture that is being read is dropped. `None` if there is no memory at all.
    pub fn room(&mut self, may_hold: &mut dyn FnMut(usize) -> bool) -> Option<&mut [u8]> {
        if self.sizes.pictures >= PICTURES_WATCHED {
            self.shrink(may_hold);
        }
        if self.start == self.end && self.newest.is_none() {
            self.move_to_front();
        }
        if self.buffer.len() - self.end < self.room_bytes {
            self.make_room(may_hold);
        }
        Some(&mut self.buffer[self.end..]).filter(|room| !room.is_empty())
    }

    /// Examines `count` bytes that were read into the room.
    ///
    /// # Panics
    /// When there was less room.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
        assert!(self.end <= self.buffer.len());
        loop {
            if self.step().is_some() {
                continue;
            }
            let is_too_long =
                !matches!(self.state, State::Between) && self.end - self.start >= self.limit_bytes;
            if !is_too_long {
                return;
            }
            self.dropped.too_long += 1;
            // The last two bytes may belong to the start of the next picture.
            self.search_from(self.start + self.limit_bytes - 2);
        }
    }

    /// Copies `bytes` to where they are read from otherwise; returns how many there was room for.
    pub fn feed(&mut self, bytes: &[u8], may_hold: &mut dyn FnMut(usize) -> bool) -> usize {
        let Some(room) = self.room(may_hold) else { return 0 };
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.filled(count);
        count
    }

    /// Whether there is a whole picture that was not taken.
    pub fn has_picture(&self) -> bool {
        self.newest.is_some()
    }

    /// The newest whole picture, once.
    pub fn take(&mut self) -> Option<&[u8]> {
        let newest = self.newest.take()?;
        Some(&self.buffer[newest])
    }

    /// How many bytes have arrived of a picture that is not whole yet.
    pub fn unfinished_bytes(&self) -> usize {
        if matches!(self.state, State::Between) { 0 } else { self.end - self.start }
    }

    /// The sender has ended, and what comes next belongs to nothing that came before. A picture that is being read may be
    /// whole, but for its EOI.
    pub fn finish(&mut self) {
        if !matches!(self.state, State::Between) {
            self.end_without_eoi(self.end);
            self.search_from(self.end);
        }
    }

    /// What was dropped since the last call.
    pub fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    /// Reads on by one marker; `None` if more bytes are needed.
    fn step(&mut self) -> Option<()> {
        // Whatever the sizes of the pieces, a picture that is too long ends in the same place.
        let window_end = self.end.min(self.start + self.limit_bytes);
        match self.state {
            State::Between => self.find_start(),
            State::Segments(last) => self.read_segment(window_end, last),
            State::Scan => self.read_scan(window_end),
        }
    }

    fn find_start(&mut self) -> Option<()> {
        let arrived = &self.buffer[..self.end];
        let found = find_start(arrived, self.at);
        let next = found.unwrap_or_else(|| match &arrived[self.at..] {
            [.., 0xFF, marker::SOI] => self.end - 2,
            [.., 0xFF] => self.end - 1,
            _ => self.end,
        });
        self.skip_to(next);
        found.map(|start| self.begin(start))
    }

    fn read_segment(&mut self, window_end: usize, last: Option<Segment>) -> Option<()> {
        let rest = self.buffer[..window_end].get(self.at..)?;
        if *rest.first()? != 0xFF {
            self.give_up(last);
            return Some(());
        }
        // Any number of fill bytes FF may precede a code (section B.1.1.2).
        let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
        let Some(&code) = rest.get(fill) else {
            self.at += fill - 1;
            return None;
        };
        let body = self.at + fill + 1;
        match code {
            marker::TEM => self.at = body,
            marker::SOI => {
                match last {
                    Some(_) => self.dropped.cut_off += 1,
                    // A SOI too many is not a picture.
                    None => self.dropped.skipped_bytes += (body - 2 - self.start) as u64,
                }
                self.begin(body - 2);
            }
            // Zero is no marker, and the others have no place before a scan.
            0x00 | marker::RST0..=marker::RST7 | marker::EOI => self.give_up(last),
            _ => {
                let length = read_length(rest, fill + 1)?;
                if length < 2 {
                    self.give_up(last);
                    return Some(());
                }
                self.at = body + length;
                let is_application = (marker::APP0..=marker::APP15).contains(&code);
                let segment = Segment { length_at: body, is_application };
                self.state = if code == marker::SOS { State::Scan } else { State::Segments(Some(segment)) };
            }
        }
        Some(())
    }

    fn read_scan(&mut self, window_end: usize) -> Option<()> {
        let window = &self.buffer[..window_end];
        let Some(found) = find_marker(window, self.at) else {
            let is_marker_split = window.get(self.at..).is_some_and(|rest| rest.ends_with(&[0xFF]));
            self.at = self.at.max(window_end - usize::from(is_marker_split));
            return None;
        };
        self.at = found;
        match window[found + 1] {
            marker::EOI => self.complete(found + 2),
            marker::SOI if *window.get(found + 2)? == 0xFF => {
                self.end_without_eoi(found);
                self.begin(found);
            }
            code @ (marker::DHT | marker::SOS..=marker::DRI | marker::APP0..=marker::APP15 | marker::COM) => {
                let length = read_length(window, found + 2)?;
                let next = found + 2 + length;
                // A damaged scan may contain any marker, with a wrong length.
                if length < 2 || *window.get(next + 1).and(window.get(next))? != 0xFF && code != marker::SOS {
                    self.at = found + 2;
                } else if let Some(start) = find_start(&window[..next + 2], found + 2) {
                    self.dropped.cut_off += 1;
                    self.begin(start);
                } else {
                    self.at = next;
                }
            }
            // Damaged data; a decoder may continue after it.
            _ => self.at = found + 2,
        }
        Some(())
    }

    /// A picture begins at `start`.
    fn begin(&mut self, start: usize) {
        (self.start, self.at, self.state) = (start, start + 2, State::Segments(None));
    }

    /// The picture is whole and ends with an EOI, at `end`.
    fn complete(&mut self, end: usize) {
        if end > self.thumbnails_end {
            self.endings.ended();
            self.keep(end);
        }
        self.search_from(end);
    }

    /// The picture ends at `end` without EOI. It is kept if its scan was reached and the sender's pictures usually have none.
    fn end_without_eoi(&mut self, end: usize) {
        let may_be_whole = matches!(self.state, State::Scan)
            && end > self.thumbnails_end
            && self.endings.may_be_whole_without_end();
        if may_be_whole {
            self.keep(end);
        } else {
            self.dropped.cut_off += 1;
        }
    }

    /// The picture that is being read ends at `end`, and is the newest.
    fn keep(&mut self, end: usize) {
        let picture = self.start..end;
        self.stray.clear();
        self.sizes.pictures += 1;
        self.sizes.largest = self.sizes.largest.max(picture.len());
        if self.newest.replace(picture).is_some() {
            self.dropped.superseded += 1;
        }
    }

    /// Drops a picture without a marker where its `last` segment should end. That segment may have been cut off, and the next
    /// picture begin within; the ones before it were whole.
    fn give_up(&mut self, last: Option<Segment>) {
        self.dropped.broken += 1;
        if last.is_some_and(|segment| segment.is_application) {
            self.thumbnails_end = self.thumbnails_end.max(self.at);
        }
        self.search_from(last.map_or(self.start + 2, |segment| segment.length_at));
    }

    fn search_from(&mut self, start: usize) {
        (self.start, self.at, self.state) = (start, start, State::Between);
    }

    /// Makes the room as large as the least that is offered.
    fn make_room(&mut self, may_hold: &mut dyn FnMut(usize) -> bool) {
        let unused = self.start - self.newest_bytes();
        if unused > 0 && unused >= self.buffer.len() / 2 {
            return self.move_to_front();
        }
        let most = 2 * self.limit_bytes + 4 * self.room_bytes;
        let larger = (2 * self.buffer.len()).clamp(4 * self.room_bytes, most);
        if larger > self.buffer.len() && may_hold(larger) {
            self.buffer.reserve_exact(larger - self.buffer.len());
            self.buffer.resize(larger, 0);
        } else {
            if self.buffer.len() - self.end + unused < self.room_bytes {
                self.dropped.no_memory += 1 + u32::from(self.newest.take().is_some());
                self.search_from(self.end);
            }
            self.move_to_front();
        }
    }

    /// Gives up memory that pictures like the last ones do not need.
    fn shrink(&mut self, may_hold: &mut dyn FnMut(usize) -> bool) {
        let enough = 2 * (self.sizes.largest + 4 * self.room_bytes);
        self.sizes = Sizes::default();
        if self.buffer.len() < 2 * enough {
            return;
        }
        self.move_to_front();
        if self.end < enough {
            self.buffer.truncate(enough);
            self.buffer.shrink_to_fit();
            may_hold(enough);
        }
    }

    fn newest_bytes(&self) -> usize {
        self.newest.as_ref().map_or(0, ExactSizeIterator::len)
    }

    /// Moves what is still needed to the front of the buffer.
    fn move_to_front(&mut self) {
        let newest_bytes = self.newest_bytes();
        if let Some(newest) = &mut self.newest {
            self.buffer.copy_within(newest.clone(), 0);
            *newest = 0..newest_bytes;
        }
        self.buffer.copy_within(self.start..self.end, newest_bytes);
        let by = self.start - newest_bytes;
        self.start -= by;
        self.end -= by;
        self.at -= by;
        self.thumbnails_end = self.thumbnails_end.saturating_sub(by);
        if let State::Segments(Some(last)) = &mut self.state {
            last.length_at -= by;
        }
    }
}

/// The length of a segment, which counts its own two bytes (section B.1.1.4).
fn read_length(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests;
