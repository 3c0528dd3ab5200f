//! An image as the JPEG encoder reads it: rows of Y, Cb and Cr at full range.
//!
//! What belongs here: where the planes lie, and the loops that run over every pixel.

use jpeg_encoder::{ImageBuffer, JpegColorType, rgb_to_ycbcr};

use super::EncodeError;
use crate::media::{PixelFormat, Range601, RawImage};

/// The checked image as the encoder reads it: row by row.
pub(super) struct Rows<'a> {
    format: PixelFormat,
    width: u16,
    height: u16,
    /// The only plane of packed formats, the plane of Y of planar ones.
    first: Plane<'a>,
    /// Cb in I420, Cb and Cr in NV12.
    second: Plane<'a>,
    /// Cr in I420.
    third: Plane<'a>,
    widen: &'static Widening,
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
}

impl<'a> Rows<'a> {
    /// Checks that every row of every plane lies within the data.
    pub(super) fn of(image: &RawImage<'a>) -> Result<Self, EncodeError> {
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
        let [first, second, third] =
            split(data, shape.chain(chroma_shapes(image))).map_err(|needed_bytes| EncodeError::TooShort {
                format,
                width,
                height,
                length_bytes: data.len(),
                needed_bytes,
            })?;
        let widen = match range {
            Range601::Limited => &LIMITED,
            Range601::Full => &FULL,
        };
        Ok(Self { format, width: columns, height: rows, first, second, third, widen })
    }

    /// True when the encoder will not look at the chroma of row `y`: in 4:2:0 it reads every
    /// other row. The bottom row counts always, for it is repeated to fill the last blocks.
    fn skips_chroma(&self, y: u16) -> bool {
        y % 2 == 1 && y + 1 < self.height
    }
}

impl ImageBuffer for Rows<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        match self.format {
            PixelFormat::Grey => JpegColorType::Luma,
            _ => JpegColorType::Ycbcr,
        }
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let [luma, cb, cr, _] = buffers;
        let (width, row) = (usize::from(self.width), self.first.row(usize::from(y)));
        match self.format {
            PixelFormat::Yuyv => unpack_422::<0, 1, 3>(row, width, self.widen, [luma, cb, cr]),
            PixelFormat::Uyvy => unpack_422::<1, 0, 2>(row, width, self.widen, [luma, cb, cr]),
            PixelFormat::Rgb3 => convert_rgb(row, [luma, cb, cr]),
            PixelFormat::Grey => self.widen.append_luma(row, luma),
            PixelFormat::Nv12 | PixelFormat::I420 => {
                self.widen.append_luma(row, luma);
                if self.skips_chroma(y) {
                    append_zeros(cb, width);
                    append_zeros(cr, width);
                    return;
                }
                let second = self.second.row(usize::from(y / 2));
                if self.format == PixelFormat::Nv12 {
                    let (pairs, _) = second.as_chunks::<2>();
                    self.widen.append_doubled(pairs.iter().map(|pair| pair[0]), width, cb);
                    self.widen.append_doubled(pairs.iter().map(|pair| pair[1]), width, cr);
                } else {
                    let third = self.third.row(usize::from(y / 2));
                    self.widen.append_doubled(second.iter().copied(), width, cb);
                    self.widen.append_doubled(third.iter().copied(), width, cr);
                }
            }
            PixelFormat::Mjpeg => unreachable!("refused when the rows were checked"),
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

/// The planes behind the first one. Their stride follows from that of the first (Linux media
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

/// Cuts `data` into planes; `Err` is the number of bytes they would have taken.
///
/// Counts in 64 bits: on a 32-bit board a stride times a height may be more than a `usize`.
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

/// Splits a row of packed 4:2:2; the numbers are the places of the first Y, Cb and Cr among four.
fn unpack_422<const Y: usize, const CB: usize, const CR: usize>(
    row: &[u8],
    width: usize,
    widen: &Widening,
    buffers: [&mut Vec<u8>; 3],
) {
    let (quads, _) = row.as_chunks::<4>();
    let [luma, cb, cr] = buffers;
    // The same for all three: each gets one value a pixel.
    let end = luma.len() + width;
    for (pair, quad) in append_pairs(luma, quads.len()).iter_mut().zip(quads) {
        *pair = [widen.luma[usize::from(quad[Y])], widen.luma[usize::from(quad[Y + 2])]];
    }
    for (pair, quad) in append_pairs(cb, quads.len()).iter_mut().zip(quads) {
        *pair = [widen.chroma[usize::from(quad[CB])]; 2];
    }
    for (pair, quad) in append_pairs(cr, quads.len()).iter_mut().zip(quads) {
        *pair = [widen.chroma[usize::from(quad[CR])]; 2];
    }
    for buffer in [luma, cb, cr] {
        buffer.truncate(end);
    }
}

/// Converts a row of RGB.
fn convert_rgb(row: &[u8], buffers: [&mut Vec<u8>; 3]) {
    let (pixels, _) = row.as_chunks::<3>();
    let [luma, cb, cr] = buffers.map(|buffer| append_zeros(buffer, pixels.len()));
    for (((pixel, luma), cb), cr) in pixels.iter().zip(luma).zip(cb).zip(cr) {
        (*luma, *cb, *cr) = rgb_to_ycbcr(pixel[0], pixel[1], pixel[2]);
    }
}

/// Appends `count` bytes and returns them to be filled: a slice of known length is what lets the
/// compiler drop the bounds checks of the loops above.
fn append_zeros(buffer: &mut Vec<u8>, count: usize) -> &mut [u8] {
    let start = buffer.len();
    buffer.resize(start + count, 0);
    &mut buffer[start..]
}

fn append_pairs(buffer: &mut Vec<u8>, count: usize) -> &mut [[u8; 2]] {
    append_zeros(buffer, count * 2).as_chunks_mut().0
}

/// Tables from a camera's code values to those of JPEG.
struct Widening {
    luma: [u8; 256],
    chroma: [u8; 256],
    is_identity: bool,
}

static LIMITED: Widening =
    Widening { luma: widen_table(16, 219, 0), chroma: widen_table(128, 224, 128), is_identity: false };

static FULL: Widening =
    Widening { luma: widen_table(0, 255, 0), chroma: widen_table(0, 255, 0), is_identity: true };

impl Widening {
    fn append_luma(&self, row: &[u8], luma: &mut Vec<u8>) {
        if self.is_identity {
            luma.extend_from_slice(row);
        } else {
            luma.extend(row.iter().map(|&value| self.luma[usize::from(value)]));
        }
    }

    /// Appends each sample twice, `width` values in all.
    fn append_doubled(&self, samples: impl ExactSizeIterator<Item = u8>, width: usize, out: &mut Vec<u8>) {
        let end = out.len() + width;
        for (pair, sample) in append_pairs(out, samples.len()).iter_mut().zip(samples) {
            *pair = [self.chroma[usize::from(sample)]; 2];
        }
        out.truncate(end);
    }
}

/// `target + (value - source) * 255 / span` for each value, rounded and clamped (BT.601 range
/// to full range).
const fn widen_table(source: i32, span: i32, target: i32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        let scaled = (value as i32 - source) * 255;
        let rounded = (scaled + if scaled < 0 { -span / 2 } else { span / 2 }) / span;
        let widened = target + rounded;
        table[value] = if widened < 0 {
            0
        } else if widened > 255 {
            255
        } else {
            widened as u8
        };
        value += 1;
    }
    table
}
