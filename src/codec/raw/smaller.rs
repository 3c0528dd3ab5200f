//! Raw pictures made smaller: each sample is the mean of those that it replaces.

use super::{Plane, planes, stride_of};
use crate::codec::jpeg::{EncodeError, check};
use crate::media::{RawImage, RawPicture, Scale, Timestamp};

/// The image at this scale, in the memory of `pixels`. A part of a pixel counts as one.
///
/// # Errors
/// When the image could not be encoded either.
pub fn shrink(
    image: &RawImage<'_>,
    scale: Scale,
    captured: Timestamp,
    mut pixels: Vec<u8>,
) -> Result<RawPicture, EncodeError> {
    check(image)?;
    let RawImage { format, range, .. } = *image;
    let (width, height) = scale.of((image.width, image.height));
    let stride_bytes = stride_of(format, width);
    let from = planes(format, (image.width, image.height), image.stride_bytes, false);
    let to = planes(format, (width, height), stride_bytes, false);
    pixels.resize(to.iter().map(Plane::end).max().unwrap_or(0), 0);
    let mut sums = Vec::new();
    for (from, to) in from.iter().zip(&to) {
        let planes = (from, to);
        match scale {
            Scale::Whole => average::<1>(image.data, planes, &mut sums, &mut pixels),
            Scale::Half => average::<2>(image.data, planes, &mut sums, &mut pixels),
            Scale::Quarter => average::<4>(image.data, planes, &mut sums, &mut pixels),
            Scale::Eighth => average::<8>(image.data, planes, &mut sums, &mut pixels),
        }
    }
    Ok(RawPicture { format, width, height, stride_bytes, range, pixels, captured })
}

/// Fills the plane `to` with the means of `N` x `N` samples of the plane `from`; at the edges of those that there are.
fn average<const N: usize>(data: &[u8], (from, to): (&Plane, &Plane), sums: &mut Vec<u32>, out: &mut [u8]) {
    for y in 0..to.height {
        sums.clear();
        sums.resize(to.width, 0);
        let rows = y * N..(y * N + N).min(from.height);
        let count = rows.len() * N;
        for row in rows {
            let start = from.start + row * from.stride;
            // Nothing of this plane need be behind its last sample.
            let row = &data[start..][..(from.width - 1) * from.step + 1];
            add_row::<N>(row, from.step, sums);
        }
        // A processor without a division, such as the first Pi's, multiplies.
        let share = 65_536 / count as u32;
        let start = to.start + y * to.stride;
        for (pixel, sum) in out[start..].iter_mut().step_by(to.step).zip(&*sums) {
            *pixel = ((sum * share + 32_768) >> 16).min(255) as u8;
        }
    }
}

/// Adds each `N` samples, `step` bytes apart, to a sum.
fn add_row<const N: usize>(row: &[u8], step: usize, sums: &mut [u32]) {
    let mut groups = row.chunks_exact(N * step);
    let mut at = 0;
    for (group, sum) in groups.by_ref().zip(sums.iter_mut()) {
        *sum += (0..N).map(|number| u32::from(group[number * step])).sum::<u32>();
        at += 1;
    }
    let rest = groups.remainder();
    let Some(sum) = sums.get_mut(at).filter(|_| !rest.is_empty()) else { return };
    // As if the samples that there are went on.
    let (total, count) = rest
        .iter()
        .step_by(step)
        .fold((0, 0), |(total, count), sample| (total + u32::from(*sample), count + 1));
    *sum += (total * N as u32 + count / 2) / count;
}
