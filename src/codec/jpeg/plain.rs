//! Encodes JPEG with the crate `jpeg-encoder`: pure Rust, with vector code on x86.

use std::cell::RefCell;

use jpeg_encoder::{
    ChromaSubsamplingMethod, Encoder, EncodingError, ImageBuffer, JpegColorType, SamplingFactor, rgb_to_ycbcr,
};

use super::picture::{Picture, Sampling};

/// The buffers of one thread.
#[derive(Default)]
pub(super) struct Engine {
    /// A row of Cb and one of Cr, half as long as the picture is wide.
    halves: RefCell<[Vec<u8>; 2]>,
}

impl Engine {
    /// Appends `picture` to `out` as one JPEG.
    pub(super) fn encode(
        &mut self,
        picture: &Picture<'_>,
        quality: u8,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodingError> {
        let mut encoder = Encoder::new(out, quality);
        encoder.set_sampling_factor(match picture.sampling() {
            Sampling::Grey | Sampling::Quarter => SamplingFactor::R_4_2_0,
            Sampling::Half => SamplingFactor::R_4_2_2,
        });
        // Rows of Y, Cb and Cr have each chroma sample twice, so taking the nearest one is exact. R, G and B have one
        // for each pixel, which must be averaged.
        encoder.set_chroma_subsampling_method(match picture.rgb_row(0) {
            Some(_) => ChromaSubsamplingMethod::Average,
            None => ChromaSubsamplingMethod::Nearest,
        });
        let halves = &self.halves;
        encoder.encode_image(Rows { picture, halves })
    }
}

/// The picture in the form that the crate reads: row by row, every plane as wide as the picture.
struct Rows<'a> {
    picture: &'a Picture<'a>,
    /// In a cell because the crate reads rows through `&self`.
    halves: &'a RefCell<[Vec<u8>; 2]>,
}

impl ImageBuffer for Rows<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        match self.picture.sampling() {
            Sampling::Grey => JpegColorType::Luma,
            Sampling::Half | Sampling::Quarter => JpegColorType::Ycbcr,
        }
    }

    fn width(&self) -> u16 {
        self.picture.width()
    }

    fn height(&self) -> u16 {
        self.picture.height()
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let width = usize::from(self.width());
        let [luma, cb, cr, _] = buffers;
        if let Some(pixels) = self.picture.rgb_row(y) {
            return convert_rgb(pixels, [luma, cb, cr].map(|buffer| append_zeros(buffer, width)));
        }
        self.picture.luma_row(y, append_zeros(luma, width));
        if self.picture.sampling() == Sampling::Grey {
            return;
        }
        let (cb, cr) = (append_zeros(cb, width), append_zeros(cr, width));
        if self.skips_chroma(y) {
            return;
        }
        let mut halves = self.halves.borrow_mut();
        let [half_cb, half_cr] = halves.each_mut().map(|half| {
            half.resize(width.div_ceil(2), 0);
            half.as_mut_slice()
        });
        self.picture.chroma_row(y - y % self.rows_of_a_sample(), half_cb, half_cr);
        double(half_cb, cb);
        double(half_cr, cr);
    }
}

impl Rows<'_> {
    fn rows_of_a_sample(&self) -> u16 {
        if self.picture.sampling() == Sampling::Quarter { 2 } else { 1 }
    }

    /// Whether the crate ignores the chroma of row `y`: in 4:2:0 it reads every other row. The bottom row is always
    /// read, because it is repeated to fill the last blocks.
    fn skips_chroma(&self, y: u16) -> bool {
        y % self.rows_of_a_sample() == 1 && y + 1 < self.height()
    }
}

/// Appends `count` bytes and returns them to be filled: with a slice of known length the compiler omits the bounds
/// checks of the loops over it.
fn append_zeros(buffer: &mut Vec<u8>, count: usize) -> &mut [u8] {
    let start = buffer.len();
    buffer.resize(start + count, 0);
    &mut buffer[start..]
}

fn double(half: &[u8], out: &mut [u8]) {
    let (pairs, last) = out.as_chunks_mut::<2>();
    for (pair, &sample) in pairs.iter_mut().zip(half) {
        *pair = [sample; 2];
    }
    if let ([last], Some(&sample)) = (last, half.last()) {
        *last = sample;
    }
}

fn convert_rgb(pixels: &[[u8; 3]], [luma, cb, cr]: [&mut [u8]; 3]) {
    for (((pixel, luma), cb), cr) in pixels.iter().zip(luma).zip(cb).zip(cr) {
        (*luma, *cb, *cr) = rgb_to_ycbcr(pixel[0], pixel[1], pixel[2]);
    }
}
