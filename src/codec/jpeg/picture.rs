//! An image in the form that JPEG needs: planes of Y, Cb and Cr at full range, row by row, and in parts.
//!
//! This module finds the planes and checks that they are complete. The loops over pixels are in `samples`.

use std::ops::Range;

use super::EncodeError;
use super::samples::{Plain, Sample, Widened, averaged, spread};
use crate::media::{Chroma, PixelFormat, Range601, RawImage};

/// An image whose every row is known to lie within its data.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    format: PixelFormat,
    width: u16,
    height: u16,
    /// The only plane of packed formats, the plane of Y of planar ones; then Cb (with Cr in NV12),
    /// then Cr.
    planes: [Plane<'a>; 3],
    range: Range601,
    sampling: Sampling,
}

/// How many samples of chroma a picture has (ITU-T T.81, section A.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// None.
    Grey,
    /// 4:2:2: one for two pixels of a row.
    Half,
    /// 4:2:0: one for two pixels of two rows.
    Quarter,
}

impl Sampling {
    /// Pixels and rows of the smallest unit that is coded, the MCU (section A.2).
    pub(super) fn unit(self) -> (u16, u16) {
        match self {
            Self::Grey => (8, 8),
            Self::Half => (16, 8),
            Self::Quarter => (16, 16),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Plane<'a> {
    data: &'a [u8],
    stride_bytes: usize,
    row_bytes: usize,
}

impl<'a> Plane<'a> {
    fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.stride_bytes..][..self.row_bytes]
    }

    fn below(self, y: usize) -> Self {
        // A plane that the format lacks has no bytes.
        Self { data: self.data.get(y * self.stride_bytes..).unwrap_or_default(), ..self }
    }
}

impl<'a> Picture<'a> {
    /// Checks that every row of every plane lies within the data.
    pub(super) fn of(image: &RawImage<'a>, chroma: Chroma) -> Result<Self, EncodeError> {
        let RawImage { format, width, height, stride_bytes, range, data } = *image;
        if format == PixelFormat::Mjpeg {
            return Err(EncodeError::Compressed);
        }
        let size = |side: u32| u16::try_from(side).ok().filter(|&side| side > 0);
        let (Some(columns), Some(rows)) = (size(width), size(height)) else {
            return Err(EncodeError::Size { width, height });
        };
        let needed_bytes = first_row_bytes(format, width);
        if stride_bytes < needed_bytes {
            return Err(EncodeError::Stride { format, width, stride_bytes, needed_bytes });
        }
        let shape = [Shape { rows: height, row_bytes: needed_bytes, stride_bytes }].into_iter();
        let planes = split(data, shape.chain(chroma_shapes(image))).map_err(|needed_bytes| {
            EncodeError::TooShort { format, width, height, length_bytes: data.len(), needed_bytes }
        })?;
        let sampling = match (format, chroma) {
            (PixelFormat::Grey, _) => Sampling::Grey,
            (PixelFormat::Yuyv | PixelFormat::Uyvy, Chroma::AsCaptured) => Sampling::Half,
            _ => Sampling::Quarter,
        };
        Ok(Self { format, width: columns, height: rows, planes, range, sampling })
    }

    pub(super) fn width(&self) -> u16 {
        self.width
    }

    pub(super) fn height(&self) -> u16 {
        self.height
    }

    pub(super) fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// The part of the picture with only `rows`, of which the first is even.
    pub(super) fn part(&self, rows: Range<u16>) -> Self {
        let start = usize::from(rows.start);
        let [first, second, third] = self.planes;
        let planes = [first.below(start), second.below(start / 2), third.below(start / 2)];
        Self { height: rows.end - rows.start, planes, ..*self }
    }

    /// The pixels of row `y` as R, G and B, if the format has those.
    pub(super) fn rgb_row(&self, y: u16) -> Option<&'a [[u8; 3]]> {
        (self.format == PixelFormat::Rgb3).then(|| self.planes[0].row(usize::from(y)).as_chunks().0)
    }

    /// Fills `out`, as long as the picture is wide, with the Y of row `y`.
    pub(super) fn luma_row(&self, y: u16, out: &mut [u8]) {
        match self.range {
            Range601::Full => self.luma::<Plain>(y, out),
            Range601::Limited => self.luma::<Widened>(y, out),
        }
    }

    /// Fills `cb` and `cr`, half as long as the picture is wide (rounded up), with the chroma that
    /// belongs to row `y`; in 4:2:0 `y` is even, and the chroma belongs to the next row as well.
    pub(super) fn chroma_row(&self, y: u16, cb: &mut [u8], cr: &mut [u8]) {
        match self.range {
            Range601::Full => self.chroma::<Plain>(y, cb, cr),
            Range601::Limited => self.chroma::<Widened>(y, cb, cr),
        }
    }

    fn luma<S: Sample>(&self, y: u16, out: &mut [u8]) {
        let row = self.planes[0].row(usize::from(y));
        match self.format {
            PixelFormat::Yuyv => spread::<2, 0>(row, out, S::luma),
            PixelFormat::Uyvy => spread::<2, 1>(row, out, S::luma),
            _ => spread::<1, 0>(row, out, S::luma),
        }
    }

    fn chroma<S: Sample>(&self, y: u16, cb: &mut [u8], cr: &mut [u8]) {
        let [first, second, third] = self.planes;
        let (row, half) = (first.row(y.into()), usize::from(y / 2));
        // The last row is repeated below itself.
        let below = || first.row(usize::from((y + 1).min(self.height - 1)));
        match (self.format, self.sampling) {
            (PixelFormat::Yuyv, Sampling::Half) => {
                spread::<4, 1>(row, cb, S::chroma);
                spread::<4, 3>(row, cr, S::chroma);
            }
            (PixelFormat::Uyvy, Sampling::Half) => {
                spread::<4, 0>(row, cb, S::chroma);
                spread::<4, 2>(row, cr, S::chroma);
            }
            (PixelFormat::Yuyv, _) => {
                averaged::<1>(row, below(), cb, S::chroma);
                averaged::<3>(row, below(), cr, S::chroma);
            }
            (PixelFormat::Uyvy, _) => {
                averaged::<0>(row, below(), cb, S::chroma);
                averaged::<2>(row, below(), cr, S::chroma);
            }
            (PixelFormat::Nv12, _) => {
                spread::<2, 0>(second.row(half), cb, S::chroma);
                spread::<2, 1>(second.row(half), cr, S::chroma);
            }
            (PixelFormat::I420, _) => {
                spread::<1, 0>(second.row(half), cb, S::chroma);
                spread::<1, 0>(third.row(half), cr, S::chroma);
            }
            (PixelFormat::Rgb3 | PixelFormat::Grey | PixelFormat::Mjpeg, _) => {}
        }
    }
}

/// Rows and row lengths of one plane.
struct Shape {
    rows: u32,
    row_bytes: u32,
    stride_bytes: u32,
}

/// Bytes one row of the first plane takes; `width` is at most `MAX_SIDE`.
fn first_row_bytes(format: PixelFormat, width: u32) -> u32 {
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => width.div_ceil(2) * 4,
        PixelFormat::Rgb3 => width * 3,
        PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Grey | PixelFormat::Mjpeg => width,
    }
}

/// The planes after the first one. Their stride follows from that of the first (Linux media
/// documentation, "Planar YUV formats").
fn chroma_shapes(image: &RawImage<'_>) -> impl Iterator<Item = Shape> {
    let rows = image.height.div_ceil(2);
    let (samples, stride_bytes) = (image.width.div_ceil(2), image.stride_bytes.div_ceil(2));
    let (planes, samples_each) = match image.format {
        PixelFormat::Nv12 => (1, 2),
        PixelFormat::I420 => (2, 1),
        _ => (0, 0),
    };
    (0..planes).map(move |_| Shape {
        rows,
        row_bytes: samples * samples_each,
        stride_bytes: stride_bytes.saturating_mul(samples_each),
    })
}

/// Splits `data` into planes; `Err` is the number of bytes that they need.
///
/// Counts in 64 bits: on a 32-bit board the product of stride and height may exceed a `usize`.
fn split(data: &[u8], shapes: impl Iterator<Item = Shape>) -> Result<[Plane<'_>; 3], u64> {
    let mut planes = [Plane::default(); 3];
    let (mut start, mut needed_bytes) = (0_u64, 0_u64);
    for (plane, shape) in planes.iter_mut().zip(shapes) {
        let stride_bytes = u64::from(shape.stride_bytes);
        needed_bytes = start + u64::from(shape.rows - 1) * stride_bytes + u64::from(shape.row_bytes);
        *plane = Plane {
            data: usize::try_from(start).ok().and_then(|start| data.get(start..)).unwrap_or_default(),
            stride_bytes: shape.stride_bytes as usize,
            row_bytes: shape.row_bytes as usize,
        };
        start += u64::from(shape.rows) * stride_bytes;
    }
    if (data.len() as u64) < needed_bytes { Err(needed_bytes) } else { Ok(planes) }
}
