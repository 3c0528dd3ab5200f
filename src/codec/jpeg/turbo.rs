//! Encodes JPEG with libjpeg-turbo, which has hand-written vector code for x86 and ARM.

use turbojpeg::{Compressor, Error, Image, PixelFormat, Subsamp, YuvPlanesImage};

use super::picture::{Picture, Sampling};

/// What one thread encodes with.
#[derive(Default)]
pub(super) struct Engine {
    compressor: Option<Compressor>,
    /// Y, Cb and Cr of the whole picture, row after row.
    planes: [Vec<u8>; 3],
    /// As long as the longest JPEG of a picture of this size.
    jpeg: Vec<u8>,
}

impl Engine {
    /// Appends `picture` to `out` as one JPEG.
    pub(super) fn encode(
        &mut self,
        picture: &Picture<'_>,
        quality: u8,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Self { compressor, planes, jpeg } = self;
        let compressor = match compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new()?),
        };
        let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
        compressor.set_quality(quality.into())?;
        compressor.set_subsamp(subsampling(picture))?;
        jpeg.resize(compressor.buf_len(width, height)?, 0);
        let length = match picture.sampling() {
            _ if picture.rgb_row(0).is_some() => compressor.compress_to_slice(rgb(picture, planes), jpeg)?,
            Sampling::Grey => compressor.compress_to_slice(grey(picture, planes), jpeg)?,
            Sampling::Half => compressor.compress_yuv_planes_to_slice(&ycbcr(picture, 1, planes), jpeg)?,
            Sampling::Quarter => compressor.compress_yuv_planes_to_slice(&ycbcr(picture, 2, planes), jpeg)?,
        };
        out.extend_from_slice(&jpeg[..length]);
        Ok(())
    }
}

fn subsampling(picture: &Picture<'_>) -> Subsamp {
    match picture.sampling() {
        Sampling::Grey => Subsamp::Gray,
        Sampling::Half => Subsamp::Sub2x1,
        Sampling::Quarter => Subsamp::Sub2x2,
    }
}

/// Fills the first plane with R, G and B of each pixel, without the padding at the end of a camera's rows.
fn rgb<'a>(picture: &Picture<'_>, [pixels, ..]: &'a mut [Vec<u8>; 3]) -> Image<&'a [u8]> {
    let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
    pixels.clear();
    for row in (0..picture.height()).filter_map(|y| picture.rgb_row(y)) {
        pixels.extend_from_slice(row.as_flattened());
    }
    Image { pixels, width, pitch: width * 3, height, format: PixelFormat::RGB }
}

/// Fills the first plane with Y.
fn grey<'a>(picture: &Picture<'_>, [luma, ..]: &'a mut [Vec<u8>; 3]) -> Image<&'a [u8]> {
    let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
    luma.resize(width * height, 0);
    for (y, row) in (0..).zip(luma.chunks_exact_mut(width)) {
        picture.luma_row(y, row);
    }
    Image { pixels: luma, width, pitch: width, height, format: PixelFormat::GRAY }
}

/// Fills the planes with Y, Cb and Cr; a sample of chroma stands for two pixels of `rows_each` rows.
///
/// The library reads as many Y as the chroma covers: missing ones on the right and below are repeated.
fn ycbcr<'a>(
    picture: &Picture<'_>,
    rows_each: u16,
    [luma, cb, cr]: &'a mut [Vec<u8>; 3],
) -> YuvPlanesImage<&'a [u8]> {
    let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
    let half = width.div_ceil(2);
    let chroma_rows = picture.height().div_ceil(rows_each);
    luma.resize(half * 2 * usize::from(chroma_rows * rows_each), 0);
    for (y, row) in (0..).zip(luma.chunks_exact_mut(half * 2)) {
        picture.luma_row(y.min(picture.height() - 1), &mut row[..width]);
        row[half * 2 - 1] = row[width - 1];
    }
    cb.resize(half * usize::from(chroma_rows), 0);
    cr.resize(half * usize::from(chroma_rows), 0);
    let chroma = cb.chunks_exact_mut(half).zip(cr.chunks_exact_mut(half));
    for (y, (cb, cr)) in (0..).step_by(rows_each.into()).zip(chroma) {
        picture.chroma_row(y, cb, cr);
    }
    YuvPlanesImage {
        y_plane: luma,
        u_plane: cb,
        v_plane: cr,
        width,
        height,
        y_stride: half * 2,
        u_stride: half,
        v_stride: half,
        subsamp: subsampling(picture),
    }
}
