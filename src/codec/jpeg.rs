//! Encodes raw pixels as JPEG (ITU-T T.81, with the colours of JFIF 1.02).
//!
//! Cameras deliver planes of Y, Cb and Cr, which is what JPEG stores. So the planes go to the encoder row by row
//! and are never converted to RGB. Chroma keeps its resolution unless the settings ask for 4:2:0.

use std::fmt;

use crate::media::{Chroma, PixelFormat, RawImage};
#[cfg(test)]
pub(crate) use noise::noise;
use picture::Picture;
#[cfg(not(feature = "turbo"))]
use plain::Engine;
#[cfg(feature = "turbo")]
use turbo::Engine;

#[cfg(test)]
mod noise;
mod picture;
#[cfg(not(feature = "turbo"))]
mod plain;
mod samples;
mod slices;
#[cfg(feature = "turbo")]
mod turbo;

/// The longest side a JPEG can have, in pixels (ITU-T T.81, section B.2.2).
pub const MAX_SIDE: u32 = 65_535;

/// How pictures are to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// 1 to 100; other values are clamped.
    pub quality: u8,
    /// How much chroma is kept.
    pub chroma: Chroma,
    /// Threads for one picture, including the caller's. Small pictures use fewer.
    pub threads: usize,
}

/// Checks that every row of `image` lies within its data.
///
/// # Errors
/// As [`Encoder::encode`].
pub(super) fn check(image: &RawImage<'_>) -> Result<(), EncodeError> {
    Picture::of(image, Chroma::AsCaptured).map(drop)
}

/// Encodes one picture after another and reuses its buffers.
pub struct Encoder {
    settings: Settings,
    workers: Vec<Worker>,
}

impl Encoder {
    /// An encoder for pictures of any size and format.
    pub fn new(settings: Settings) -> Self {
        let quality = settings.quality.clamp(1, 100);
        Self { settings: Settings { quality, ..settings }, workers: Vec::new() }
    }

    /// Appends `image` to `out` as one JPEG.
    ///
    /// Rows may be padded (`stride_bytes`); the padding of the last row may be missing. Limited range
    /// is expanded to the full range of JPEG.
    ///
    /// # Errors
    /// When the image is compressed already, has a size no JPEG can have, or when its stride or its
    /// data are too short for that size. Nothing is appended then.
    pub fn encode(&mut self, image: &RawImage<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Settings { quality, chroma, threads } = self.settings;
        let picture = Picture::of(image, chroma)?;
        let start = out.len();
        slices::encode(&picture, quality, threads, &mut self.workers, out).map_err(|error| {
            out.truncate(start);
            EncodeError::Encoder(error)
        })
    }
}

/// The encoder of one slice of a picture, and its output.
struct Worker {
    engine: Engine,
    jpeg: Vec<u8>,
    outcome: Result<(), EngineError>,
}

impl Default for Worker {
    fn default() -> Self {
        Self { engine: Engine::default(), jpeg: Vec::new(), outcome: Ok(()) }
    }
}

/// The error of the encoder library.
type EngineError = Box<dyn std::error::Error + Send + Sync>;

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
    Encoder(EngineError),
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
            Self::Encoder(error) => Some(&**error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
