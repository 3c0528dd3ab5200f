//! Turns, masks and stamps a raw picture before it is encoded, and makes it smaller.
//!
//! A picture is copied square by square. Each plane is walked in straight lines, whose steps say how the picture is
//! turned. What a mask touches is not copied at all.

use crate::jpeg::mask::Mask;
use crate::jpeg::stamp::Stamp;
use crate::jpeg::turn::Turn;
use crate::media::{Corner, PixelFormat, Range601, RawImage};

use super::jpeg::{EncodeError, check};

mod smaller;

pub use smaller::shrink;

/// Side of a square in pixels: that of the largest unit that is encoded, so that no block mixes what is masked with
/// what is not.
const SQUARE: usize = 16;

/// What is to be done to a raw picture.
pub struct RawEdit<'e> {
    /// How it is laid.
    pub turn: Turn,
    /// What nobody may see.
    pub mask: Option<&'e Mask>,
    /// Lettering, which is put above a mask.
    pub stamps: &'e [Stamp],
}

/// Edits one picture after another, and keeps its memory for the next one.
#[derive(Default)]
pub struct RawEditor {
    pixels: Vec<u8>,
    masked: Option<Masked>,
}

/// The squares that a mask covers in a picture of one size.
struct Masked {
    mask: Mask,
    size: (u32, u32),
    squares: Vec<bool>,
}

impl RawEditor {
    /// The picture as edited. Packed 4:2:2 that is turned to the side becomes 4:2:0.
    ///
    /// # Errors
    /// When the image could not be encoded either.
    pub fn apply(&mut self, image: &RawImage<'_>, edit: &RawEdit<'_>) -> Result<RawImage<'_>, EncodeError> {
        check(image)?;
        let turn = edit.turn;
        let (mut width, mut height) = (image.width, image.height);
        if turn.swaps_sides() {
            (width, height) = (height, width);
        }
        let is_packed = matches!(image.format, PixelFormat::Yuyv | PixelFormat::Uyvy);
        let is_halved = is_packed && turn.swaps_sides();
        let format = if is_halved { PixelFormat::I420 } else { image.format };
        let stride_bytes = stride_of(format, width);
        let from = planes(image.format, (image.width, image.height), image.stride_bytes, is_halved);
        let to = planes(format, (width, height), stride_bytes, false);
        self.pixels.resize(to.iter().map(Plane::end).max().unwrap_or(0), 0);
        self.find_masked(edit.mask, (image.width, image.height));
        let squares = self.masked.as_ref().map_or(&[][..], |masked| &masked.squares);
        let columns = (image.width as usize).div_ceil(SQUARE);
        for (from, to) in from.iter().zip(&to) {
            let level = edit.mask.filter(|_| to.is_bright).map_or(128, |mask| mask.level);
            Copy { data: image.data, from, walk: Walk::new(turn, to) }.all(
                squares,
                columns,
                level,
                &mut self.pixels,
            );
        }
        for stamp in edit.stamps {
            put(stamp, &to, (width as usize, height as usize), image.range, &mut self.pixels);
        }
        Ok(RawImage { format, width, height, stride_bytes, range: image.range, data: &self.pixels })
    }

    fn find_masked(&mut self, mask: Option<&Mask>, size: (u32, u32)) {
        let Some(mask) = mask else {
            self.masked = None;
            return;
        };
        if self.masked.as_ref().is_none_or(|known| known.mask != *mask || known.size != size) {
            let squares = mask.touched(size, SQUARE as u32);
            self.masked = Some(Masked { mask: mask.clone(), size, squares });
        }
    }
}

/// Where the samples of one component lie.
struct Plane {
    start: usize,
    /// Bytes from one sample to the next.
    step: usize,
    /// Bytes from one row to the next.
    stride: usize,
    width: usize,
    height: usize,
    /// Pixels for a sample, across and down.
    shares: (usize, usize),
    /// Bytes to the sample in the next row that is averaged with each one; 0 for none.
    other: usize,
    /// Whether it is luma, red, green or blue.
    is_bright: bool,
}

impl Plane {
    /// A byte behind the last row.
    fn end(&self) -> usize {
        self.start + self.height * self.stride
    }
}

/// Bytes from one row to the next where nothing is between them.
fn stride_of(format: PixelFormat, width: u32) -> u32 {
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => width.div_ceil(2) * 4,
        PixelFormat::Rgb3 => width * 3,
        _ => width,
    }
}

/// The planes of a picture that was checked. `halves_rows` leaves half of the rows of chroma.
fn planes(
    format: PixelFormat,
    (width, height): (u32, u32),
    stride_bytes: u32,
    halves_rows: bool,
) -> Vec<Plane> {
    let (width, height, stride) = (width as usize, height as usize, stride_bytes as usize);
    let bright =
        |start, step| Plane { start, step, stride, width, height, shares: (1, 1), other: 0, is_bright: true };
    let chroma = |start, step, stride, shares: (usize, usize)| Plane {
        start,
        step,
        stride,
        width: width.div_ceil(shares.0),
        height: height.div_ceil(shares.1),
        shares,
        other: 0,
        is_bright: false,
    };
    let packed = |start| {
        if halves_rows {
            Plane { other: stride, ..chroma(start, 4, stride * 2, (2, 2)) }
        } else {
            chroma(start, 4, stride, (2, 1))
        }
    };
    let (half, behind) = (stride.div_ceil(2), stride * height);
    match format {
        PixelFormat::Yuyv => vec![bright(0, 2), packed(1), packed(3)],
        PixelFormat::Uyvy => vec![bright(1, 2), packed(0), packed(2)],
        PixelFormat::Nv12 => {
            vec![bright(0, 1), chroma(behind, 2, half * 2, (2, 2)), chroma(behind + 1, 2, half * 2, (2, 2))]
        }
        PixelFormat::I420 => vec![
            bright(0, 1),
            chroma(behind, 1, half, (2, 2)),
            chroma(behind + half * height.div_ceil(2), 1, half, (2, 2)),
        ],
        PixelFormat::Rgb3 => vec![bright(0, 3), bright(1, 3), bright(2, 3)],
        PixelFormat::Grey | PixelFormat::Mjpeg => vec![bright(0, 1)],
    }
}

/// Where the samples of a plane go: a byte, and the way to the next sample of the original's row and to its next row.
struct Walk {
    start: isize,
    across: isize,
    down: isize,
}

impl Walk {
    fn new(turn: Turn, to: &Plane) -> Self {
        let corner = turn.turned_point((0.0, 0.0));
        let (mirrors_x, mirrors_y) = (corner.0 > 0.5, corner.1 > 0.5);
        let (step, stride) = (to.step as isize, to.stride as isize);
        let last = |count: usize, step: isize, mirrors: bool| {
            if mirrors { (count as isize - 1) * step } else { 0 }
        };
        let way = |step: isize, mirrors: bool| if mirrors { -step } else { step };
        let start = to.start as isize + last(to.width, step, mirrors_x) + last(to.height, stride, mirrors_y);
        let (x, y) = (way(step, mirrors_x), way(stride, mirrors_y));
        let (across, down) = if turn.swaps_sides() { (y, x) } else { (x, y) };
        Self { start, across, down }
    }
}

/// One plane that is copied.
struct Copy<'c> {
    data: &'c [u8],
    from: &'c Plane,
    walk: Walk,
}

impl Copy<'_> {
    /// Copies all squares, and fills the covered ones with `level`.
    fn all(&self, covered: &[bool], columns: usize, level: u8, out: &mut [u8]) {
        let (width, height) = (SQUARE / self.from.shares.0, SQUARE / self.from.shares.1);
        for (row, top) in (0..self.from.height).step_by(height).enumerate() {
            for (column, left) in (0..self.from.width).step_by(width).enumerate() {
                let is_covered = covered.get(row * columns + column).is_some_and(|&is_covered| is_covered);
                let right = (left + width).min(self.from.width);
                for y in top..(top + height).min(self.from.height) {
                    if is_covered {
                        self.row((left, right), y, out, |_| level);
                    } else {
                        let start = self.from.start + y * self.from.stride;
                        self.row((left, right), y, out, |x| self.sample(start + x * self.from.step));
                    }
                }
            }
        }
    }

    fn sample(&self, at: usize) -> u8 {
        let sample = self.data[at];
        match self.from.other {
            0 => sample,
            other => {
                let other = self.data.get(at + other).copied().unwrap_or(sample);
                ((u16::from(sample) + u16::from(other)).div_ceil(2)) as u8
            }
        }
    }

    #[inline(always)]
    fn row(&self, (left, right): (usize, usize), y: usize, out: &mut [u8], sample: impl Fn(usize) -> u8) {
        let Walk { start, across, down } = self.walk;
        let mut at = start + y as isize * down + left as isize * across;
        for x in left..right {
            out[at as usize] = sample(x);
            at += across;
        }
    }
}

/// Puts lettering into a corner of a picture.
fn put(stamp: &Stamp, planes: &[Plane], (width, height): (usize, usize), range: Range601, out: &mut [u8]) {
    let Some(rows) = stamp.grey.len().checked_div(stamp.width) else { return };
    let is_right = matches!(stamp.corner, Corner::TopRight | Corner::BottomRight);
    let is_bottom = matches!(stamp.corner, Corner::BottomLeft | Corner::BottomRight);
    // Even edges: two by two pixels may share their chroma.
    let left = if is_right { width.saturating_sub(stamp.width) / 2 * 2 } else { 0 };
    let top = if is_bottom { height.saturating_sub(rows) / 2 * 2 } else { 0 };
    let is_rgb = planes.iter().all(|plane| plane.is_bright);
    for plane in planes {
        let (share_x, share_y) = plane.shares;
        for y in top / share_y..(top + rows).div_ceil(share_y).min(plane.height) {
            for x in left / share_x..(left + stamp.width).div_ceil(share_x).min(plane.width) {
                let grey = match (plane.is_bright, range) {
                    (false, _) => 128,
                    (true, Range601::Limited) if !is_rgb || planes.len() == 1 => {
                        limited(stamp.grey[(y - top) * stamp.width + x - left])
                    }
                    (true, _) => stamp.grey[(y - top) * stamp.width + x - left],
                };
                out[plane.start + y * plane.stride + x * plane.step] = grey;
            }
        }
    }
}

/// A grey in the limited range.
fn limited(grey: u8) -> u8 {
    (16 + u16::from(grey) * 219 / 255) as u8
}

#[cfg(test)]
mod tests;
