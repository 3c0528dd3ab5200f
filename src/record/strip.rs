//! Thumbnails: pictures of a span of time side by side in one JPEG, each an eighth of its size or less.
//!
//! Nothing is decoded but the mean of each block (`jpeg::dc`), so that a small board makes a strip of twenty in the time
//! of a few frames.

use std::sync::Arc;

use super::playback::Player;
use super::recordings::Recordings;
use crate::codec::jpeg::{Encoder, Settings};
use crate::jpeg::dc::{DcPlane, DcReader, Planes};
use crate::jpeg::header::Limits;
use crate::media::{Chroma, PixelFormat, Range601, RawImage};
use crate::memory::Lease;

/// Most pictures in a strip.
pub const MOST_PICTURES: u32 = 50;

/// The longest side of a picture in a strip, in pixels.
const LONGEST_SIDE: usize = 160;

/// Most pixels of a frame: more than any camera has.
const LIMITS: Limits = Limits { max_pixels: 1 << 27 };

const QUALITY: u8 = 70;

/// What is shown where nothing is recorded: dark grey, in the order Y, Cb, Y, Cr.
const NOTHING: [u8; 4] = [40, 128, 40, 128];

/// Bytes of memory that a strip of so many pictures takes at the most, beside a frame.
pub fn memory_bytes(pictures: u32) -> usize {
    pictures as usize * LONGEST_SIDE * LONGEST_SIDE * 3 + (1 << 20)
}

/// A strip of a camera's footage from `from_us` to `to_us`, in microseconds since 1970: that time is divided into `pictures` equal parts,
/// and of each its first frame is shown. With the JPEG come the times of the frames; `None` where nothing is recorded in a part.
/// There is no strip where nothing is recorded at all. `is_wanted` is asked before each picture. `lease` is of
/// [`memory_bytes`]; it grows by what a frame takes, and a frame without memory is left out.
pub fn strip(
    recordings: &Arc<Recordings>,
    camera: &str,
    (from_us, to_us): (u64, u64),
    pictures: u32,
    lease: &mut Lease,
    mut is_wanted: impl FnMut() -> bool,
) -> Option<(Vec<u8>, Vec<Option<u64>>)> {
    let (mut player, mut reader) = (Player::new(recordings, camera, lease.account()), DcReader::new());
    let (mut jpeg, mut planes) = (Vec::new(), Vec::new());
    let mut strip: Option<Strip> = None;
    let mut times = Vec::new();
    // What the means of a frame's blocks take.
    let mut means = 0;
    let part_us = to_us.saturating_sub(from_us).div_ceil(u64::from(pictures));
    for number in 0..pictures {
        if !is_wanted() {
            return None;
        }
        let at_us = from_us + u64::from(number) * part_us;
        let found = first_in(&mut player, at_us, part_us);
        jpeg.clear();
        let bytes = memory_bytes(pictures).saturating_add(player.bytes() as usize);
        let is_read =
            found.is_some() && lease.resize(bytes.saturating_add(means)) && player.read(&mut jpeg).is_ok();
        let may_hold = &mut |more| {
            let is_held = lease.resize(bytes.saturating_add(more));
            means = if is_held { more } else { means };
            is_held
        };
        // A frame that is no baseline JPEG is left out as if there was none.
        if is_read && reader.read_within(&jpeg, LIMITS, Planes::All, &mut planes, may_hold).is_ok() {
            let strip = strip.get_or_insert_with(|| Strip::new(&planes[0], pictures as usize));
            strip.put(number as usize, &planes);
            times.push(found);
        } else {
            times.push(None);
        }
    }
    let mut encoder = Encoder::new(Settings { quality: QUALITY, chroma: Chroma::AsCaptured, threads: 1 });
    jpeg.clear();
    encoder.encode(&strip?.image(), &mut jpeg).ok()?;
    Some((jpeg, times))
}

/// Goes to the first frame of a part of the time; its time, or `None` where there is none.
fn first_in(player: &mut Player, at_us: u64, part_us: u64) -> Option<u64> {
    if !player.seek(at_us) || player.wall_us()? < at_us && !player.forward() {
        return None;
    }
    player.wall_us().filter(|found| (at_us..=at_us + part_us).contains(found))
}

/// Pixels of a strip, as YUYV.
struct Strip {
    /// Pixels of one picture; an even number across.
    size: (usize, usize),
    pictures: usize,
    data: Vec<u8>,
}

impl Strip {
    /// A strip of pictures of the shape of this one, with nothing in it.
    fn new(plane: &DcPlane, pictures: usize) -> Self {
        let part = plane.width.max(plane.height).div_ceil(LONGEST_SIDE).max(1);
        let size = ((plane.width / part).next_multiple_of(2).max(2), (plane.height / part).max(1));
        Self { size, pictures, data: NOTHING.repeat(size.0 * size.1 * pictures / 2) }
    }

    fn put(&mut self, number: usize, planes: &[DcPlane]) {
        let (width, height) = self.size;
        let row_bytes = width * self.pictures * 2;
        for y in 0..height {
            let row = &mut self.data[y * row_bytes + number * width * 2..][..width * 2];
            for (x, pixels) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let sample = |plane: usize, x: usize| {
                    let Some(DcPlane { width: columns, height: rows, eighths, .. }) = planes.get(plane)
                    else {
                        return 128;
                    };
                    let sample = eighths.get(y * rows / height * columns + x * columns / width);
                    sample.map_or(128, |&sample| DcPlane::rounded(sample))
                };
                *pixels = [sample(0, 2 * x), sample(1, 2 * x), sample(0, 2 * x + 1), sample(2, 2 * x)];
            }
        }
    }

    fn image(&self) -> RawImage<'_> {
        let (width, height) = (self.size.0 * self.pictures, self.size.1);
        RawImage {
            format: PixelFormat::Yuyv,
            width: width as u32,
            height: height as u32,
            stride_bytes: width as u32 * 2,
            range: Range601::Full,
            data: &self.data,
        }
    }
}
