//! Scans the frames of one camera, and learns from each how much of the next one must be scanned.
//!
//! A frame of a well-behaved camera is one picture from SOI to EOI, followed by nothing but zeros. For such a camera
//! it is enough to check both ends of a frame: searching the entropy-coded data for the first EOI costs several times
//! as much as copying them. A frame is searched while the camera is new, after a frame that contained more than its
//! picture, and if its length is suspicious.

use super::endings::Endings;
use super::scan::{Header, Scan, ScanError, header_at_start, scan, scan_ends, scan_without_end};

/// The scanner of one camera's frames.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The bytes before the entropy-coded data of the last picture, and the header read from them. Most cameras send
    /// the same bytes with each frame.
    header: Option<(Vec<u8>, Header)>,
    lengths: Lengths,
    endings: Endings,
}

impl Scanner {
    /// A scanner for a new camera.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the picture in a frame that [`super::stream`] found by its markers, and that is therefore not searched again.
    ///
    /// # Errors
    /// When `data` does not hold one whole picture.
    pub fn scan_split(&mut self, data: &[u8]) -> Result<Scan, ScanError> {
        match self.look_at_ends(data) {
            Some(found) => {
                self.endings.ended();
                Ok(found)
            }
            None => self.scan(data),
        }
    }

    /// Finds the picture in a frame. A picture without EOI is accepted if it is whole and the
    /// camera does not usually send EOI.
    ///
    /// # Errors
    /// When `data` does not hold one whole picture.
    pub fn scan(&mut self, data: &[u8]) -> Result<Scan, ScanError> {
        let at_ends = self.look_at_ends(data);
        let length = at_ends.as_ref().map(|found| found.range.end);
        if let Some(found) = at_ends.filter(|found| self.lengths.is_ordinary(found.range.end)) {
            self.lengths.came(found.range.end, true);
            self.endings.ended();
            return Ok(found);
        }
        match scan(data) {
            Ok(found) => {
                let has_nothing_else =
                    found.range.start == 0 && length.is_none_or(|end| end == found.range.end);
                self.lengths.came(length.unwrap_or(found.range.end), has_nothing_else);
                self.endings.ended();
                Ok(found)
            }
            Err(ScanError::NoEnd) if self.endings.may_be_whole_without_end() => scan_without_end(data),
            Err(error) => Err(error),
        }
    }

    fn look_at_ends(&mut self, data: &[u8]) -> Option<Scan> {
        let is_known = self.header.as_ref().is_some_and(|(bytes, _)| data.starts_with(bytes));
        if !is_known {
            let header = header_at_start(data)?;
            self.header = Some((data[..header.entropy_coded].to_vec(), header));
        }
        self.header.as_ref().and_then(|(_, header)| scan_ends(data, header))
    }
}

/// The lengths of a camera's last frames, up to their last EOI. The picture itself may end before.
#[derive(Debug)]
struct Lengths {
    last: [usize; LENGTHS_KEPT],
    /// The index of the newest one.
    newest: usize,
    /// So many of the next frames are searched, whatever their length.
    searches_left: u32,
}

/// So many lengths are compared: more than there are buffers, because each may hold the rest of another long frame.
const LENGTHS_KEPT: usize = 8;

/// So many frames of a new camera are searched.
const SEARCHES_AT_START: u32 = 16;

/// So many frames are searched after one that contained more than its picture.
const SEARCHES_AFTER_RESTS: u32 = 256;

impl Default for Lengths {
    fn default() -> Self {
        Self { last: [0; LENGTHS_KEPT], newest: 0, searches_left: SEARCHES_AT_START }
    }
}

impl Lengths {
    /// Whether a frame whose last EOI ends at `length` certainly contains only its picture. A frame as long as an
    /// earlier one may end with the rest of that one. A frame longer than the last by a sixteenth may begin with a
    /// picture that was cut off.
    fn is_ordinary(&self, length: usize) -> bool {
        let newest = self.last[self.newest];
        self.searches_left == 0 && length <= newest + newest / 16 && !self.last.contains(&length)
    }

    /// Records a frame, and whether it contained only its picture.
    fn came(&mut self, length: usize, has_nothing_else: bool) {
        self.newest = (self.newest + 1) % LENGTHS_KEPT;
        self.last[self.newest] = length;
        self.searches_left =
            if has_nothing_else { self.searches_left.saturating_sub(1) } else { SEARCHES_AFTER_RESTS };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 16 x 8 whose scan is this long: nothing that a decoder would like, but whole by its markers.
    fn picture(scan_bytes: usize) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
        encoder.encode(&[99; 16 * 8 * 3], 16, 8, jpeg_encoder::ColorType::Rgb).unwrap();
        let end = jpeg.len() - 2;
        jpeg.splice(end..end, std::iter::repeat_n(0x55, scan_bytes));
        jpeg
    }

    /// A camera that has sent many good frames, the last one with this scan.
    fn settled(scan_bytes: usize) -> Scanner {
        let mut scanner = Scanner::new();
        for number in 0..100 {
            let frame = picture(scan_bytes - 99 + number);
            assert_eq!(scanner.scan(&frame).unwrap().range, 0..frame.len());
        }
        assert!(scanner.lengths.is_ordinary(picture(scan_bytes + 1).len()), "its frames are not searched");
        scanner
    }

    #[test]
    fn the_rest_of_an_older_frame_is_always_left_out() {
        let (large, small) = (picture(9000), picture(5000));
        let stale = |length: usize| [&small[..], &large[small.len()..length]].concat();
        // From the first frame on, after many good ones, and in buffers with rests of their own.
        for mut scanner in [Scanner::new(), settled(8500)] {
            assert_eq!(scanner.scan(&large).unwrap().range, 0..large.len());
            for _ in 0..1000 {
                assert_eq!(scanner.scan(&stale(large.len())).unwrap().range, 0..small.len());
            }
        }
        let mut scanner = settled(9000);
        let lengths = [8000, 8300, 8500, 8800].map(|scan_bytes| picture(scan_bytes).len());
        for number in 0..1000 {
            let length = lengths[number % 4];
            let frame = [&small[..], &picture(9000)[small.len()..length - 2], b"\xff\xd9"].concat();
            let found = scanner.scan(&frame).unwrap();
            assert!(number < 4 || found.range == (0..small.len()), "frame {number}");
        }
    }

    #[test]
    fn one_frame_with_half_a_picture_before_a_whole_one_is_mended() {
        let mut scanner = settled(9000);
        let whole = picture(9000);
        for cut in [whole.len() / 8, whole.len() / 2, whole.len() - 2] {
            let frame = [&whole[..cut], &whole].concat();
            assert_eq!(scanner.scan(&frame).unwrap().range, cut..frame.len());
            assert_eq!(scanner.scan(&picture(8999)).unwrap().range, 0..picture(8999).len());
        }
        for cut in 0..whole.len() - 9000 {
            let frame = [&whole[..cut], &whole].concat();
            assert_eq!(scanner.scan(&frame).unwrap().range, cut..frame.len(), "cut in its header at {cut}");
        }
    }

    #[test]
    fn a_picture_of_a_stream_is_the_same_without_a_search() {
        let (whole, bare) = (picture(900), &picture(900)[..picture(900).len() - 2]);
        let thumbnail = [&whole[..2], b"\xff\xe1\x00\x08\xff\xd8\xff\xd9\0\0", &whole[2..]].concat();
        for jpeg in [&whole[..], &thumbnail, bare, &whole[..9]] {
            assert_eq!(Scanner::new().scan_split(jpeg), Scanner::new().scan(jpeg));
        }
        // What is behind the first EOI is nothing that the splitter lets pass; here it shows that nothing was searched.
        let two = [&whole[..], &whole].concat();
        assert_eq!(Scanner::new().scan_split(&two).unwrap().range, 0..two.len());
        assert_eq!(Scanner::new().scan(&two).unwrap().range, 0..whole.len());
    }

    #[test]
    fn a_header_that_changes_is_read_anew() {
        let mut scanner = settled(9000);
        let mut large = picture(8990);
        let frame_header = large.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
        large[frame_header + 6] = 32;
        assert_eq!(scanner.scan(&large).map(|found| (found.width, found.height)), Ok((16, 32)));
        assert_eq!(scanner.scan(&picture(8991)).map(|found| found.height), Ok(8));
    }

    #[test]
    fn a_camera_without_eoi_and_with_a_soi_too_many_gives_pictures() {
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
        encoder.encode(&[99; 16 * 8], 16, 8, jpeg_encoder::ColorType::Luma).unwrap();
        let frame = [b"\xff\xd8", &jpeg[..jpeg.len() - 2]].concat();
        let mut scanner = Scanner::new();
        for _ in 0..50 {
            let found = scanner.scan(&frame).unwrap();
            assert!(found.range.start == 2 && !found.has_end);
        }
    }
}
