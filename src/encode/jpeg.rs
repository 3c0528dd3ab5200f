//! Raw pixels in, JPEG out (ITU-T T.81, with the colours of JFIF 1.02).
//!
//! The planes a camera delivers are Y, Cb and Cr already, which is what JPEG stores, so they go
//! to the encoder row by row and are never turned into RGB. Chroma keeps the resolution it came
//! with: 4:2:2 stays 4:2:2, 4:2:0 stays 4:2:0.

use std::fmt;

use jpeg_encoder::{ChromaSubsamplingMethod, Encoder, EncodingError, SamplingFactor};

use crate::media::{PixelFormat, RawImage};
use rows::Rows;

mod rows;

/// The longest side a JPEG can have, in pixels (ITU-T T.81, section B.2.2).
pub const MAX_SIDE: u32 = 65_535;

/// Appends `image` to `out` as one JPEG. `quality` is 1 to 100; what lies outside is clamped.
///
/// Rows may be padded (`stride_bytes`); the padding of the last row may be missing. Limited range
/// is widened to the full range JPEG knows.
///
/// # Errors
/// When the image is compressed already, has a size no JPEG can have, or when its stride or its
/// data are too short for that size. Nothing is appended then.
pub fn encode(image: &RawImage<'_>, quality: u8, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let rows = Rows::of(image)?;
    let (sampling, method) = subsampling(image.format);
    let mut encoder = Encoder::new(out, quality.clamp(1, 100));
    encoder.set_sampling_factor(sampling);
    encoder.set_chroma_subsampling_method(method);
    encoder.encode_image(rows).map_err(EncodeError::Encoder)
}

/// Why an image could not be encoded.
#[derive(Debug)]
pub enum EncodeError {
    /// The image is a JPEG already.
    Compressed,
    /// A side is zero, or too long for a JPEG.
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A row does not fit its stride.
    Stride {
        /// Pixel format of the image.
        format: PixelFormat,
        /// Pixels in a row.
        width: u32,
        /// Bytes from one row to the next.
        stride_bytes: u32,
        /// Bytes a row of that width takes.
        needed_bytes: u32,
    },
    /// The data end before the last row does.
    TooShort {
        /// Pixel format of the image.
        format: PixelFormat,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes there are.
        length_bytes: usize,
        /// Bytes all planes take.
        needed_bytes: u64,
    },
    /// The encoder itself failed.
    Encoder(EncodingError),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compressed => write!(f, "expected raw pixels to encode, got mjpeg"),
            Self::Size { width, height } => {
                write!(f, "cannot encode {width}x{height}: each side must be 1 to {MAX_SIDE} pixels")
            }
            Self::Stride { format, width, stride_bytes, needed_bytes } => write!(
                f,
                "a row of {width} pixels of {format} takes {needed_bytes} bytes, \
                 but the driver puts {stride_bytes} bytes between rows"
            ),
            Self::TooShort { format, width, height, length_bytes, needed_bytes } => write!(
                f,
                "a {width}x{height} image of {format} takes {needed_bytes} bytes, got {length_bytes}"
            ),
            Self::Encoder(error) => write!(f, "the JPEG encoder failed: {error}"),
        }
    }
}

impl std::error::Error for EncodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encoder(error) => Some(error),
            _ => None,
        }
    }
}

/// How chroma is thinned out. Rows of YCbCr formats carry each chroma sample doubled, so the
/// nearest one is the very sample of the camera; RGB has one per pixel, which must be averaged.
fn subsampling(format: PixelFormat) -> (SamplingFactor, ChromaSubsamplingMethod) {
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => (SamplingFactor::R_4_2_2, ChromaSubsamplingMethod::Nearest),
        PixelFormat::Rgb3 => (SamplingFactor::R_4_2_0, ChromaSubsamplingMethod::Average),
        PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Grey | PixelFormat::Mjpeg => {
            (SamplingFactor::R_4_2_0, ChromaSubsamplingMethod::Nearest)
        }
    }
}

#[cfg(test)]
mod tests;
