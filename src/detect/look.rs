//! What a detector sees of one frame.

use crate::jpeg::dc::DcPlane;
use crate::media::Timestamp;

/// One frame as a detector sees it.
///
/// A look is for a frame that was not looked at before. A frame that a camera did not deliver is no look, and neither is
/// one that Defender drew: without looks for [`super::detector::GAP_US`], a detector starts anew.
#[derive(Clone, Copy, Debug)]
pub struct Look<'p> {
    /// When the frame was captured.
    pub at: Timestamp,
    /// Luma at an eighth of the size, as [`crate::jpeg::dc::DcReader`] or [`luma_of_samples`] give it. Ignored if
    /// `is_repeat`, so that such a frame need not be read.
    pub luma: &'p DcPlane,
    /// Whether the bytes of the frame are those of the frame looked at before.
    pub is_repeat: bool,
    /// A measure of fine detail: the length of the JPEG in bytes, or what [`luma_of_samples`] returns. 0 if it is unknown;
    /// the picture is never called defocused then.
    pub detail: u32,
}

/// Fills `out` with the means of 8 x 8 samples, as a JPEG's DC plane has them, from a plane of luma. `offset` is the first
/// sample; samples are `step` bytes apart, rows `stride`. `black` is the value of black and `white` that of white: 0 and
/// 255, or 16 and 235. Returns a measure of fine detail.
///
/// Nothing is done when `data` is shorter than the plane: `out` has no blocks then.
pub fn luma_of_samples(
    data: &[u8],
    (width, height): (usize, usize),
    (offset, step, stride): (usize, usize, usize),
    (black, white): (u8, u8),
    out: &mut DcPlane,
) -> u32 {
    out.eighths.clear();
    (out.width, out.height, out.step) = (0, 0, 1);
    let last = offset + height.saturating_sub(1) * stride + width.saturating_sub(1) * step;
    if width == 0 || height == 0 || step == 0 || last >= data.len() || white <= black {
        return 0;
    }
    // At least one block, and then only whole ones: those at the edge say little.
    (out.width, out.height) = ((width / 8).max(1), (height / 8).max(1));
    let (across, down) = (width.min(8), height.min(8));
    // Sums of 64 samples to eighths of a grey step, in 65,536ths.
    let range = u32::from(white - black);
    let share = 255 * 8 * 65_536 / (range * (across * down) as u32);
    let floor = u32::from(black) * (across * down) as u32;
    let mut detail = 0u32;
    for row in 0..out.height {
        for column in 0..out.width {
            let start = offset + row * 8 * stride + column * 8 * step;
            let mut sum = 0;
            for line in 0..down {
                let mut last = data[start + line * stride];
                for at in 0..across {
                    let sample = data[start + line * stride + at * step];
                    sum += u32::from(sample);
                    detail = detail.wrapping_add(sample.abs_diff(last).into());
                    last = sample;
                }
            }
            let level = (sum.saturating_sub(floor) * share.min(u32::MAX / (255 * 64))) >> 16;
            out.eighths.push(level.min(8 * 255) as u16);
        }
    }
    detail / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_give_the_means_of_their_blocks() {
        let (width, height) = (20, 16);
        // As in YUYV: luma is each second byte.
        let data: Vec<u8> =
            (0..width * height).flat_map(|at| [if at % width < 8 { 40 } else { 200 }, 128]).collect();
        let mut plane = DcPlane::default();
        let detail = luma_of_samples(&data, (width, height), (0, 2, width * 2), (0, 255), &mut plane);
        assert_eq!((plane.width, plane.height), (2, 2));
        let near = |eighths: u16, grey: u16| eighths.abs_diff(grey * 8) <= 1;
        assert!(near(plane.eighths[0], 40) && near(plane.eighths[3], 200), "{:?}", plane.eighths);
        assert_eq!(detail, 0, "blocks are flat");
    }

    #[test]
    fn studio_range_is_stretched_to_all_of_it() {
        let (data, mut plane) = ([[16u8; 64], [235; 64]].concat(), DcPlane::default());
        luma_of_samples(&data, (8, 16), (0, 1, 8), (16, 235), &mut plane);
        assert!(plane.eighths[0] == 0 && plane.eighths[1] >= 2036, "{:?}", plane.eighths);
    }

    #[test]
    fn samples_that_are_missing_give_no_blocks() {
        let mut plane = DcPlane { eighths: vec![1], ..DcPlane::default() };
        for (size, steps) in [((16, 16), (0, 1, 16)), ((0, 8), (0, 1, 8)), ((8, 8), (0, 0, 8))] {
            luma_of_samples(&[0; 255], size, steps, (0, 255), &mut plane);
            assert!(plane.eighths.is_empty() && plane.width == 0, "{size:?}");
        }
    }
}
