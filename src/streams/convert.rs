//! Makes a stream's picture of a camera's: the one place that names `jpeg`.
//!
//! # Raw cameras
//! A smaller picture of a raw camera is encoded from pixels that the capture thread has averaged, not made of the
//! camera's JPEG. That costs twice as much as making it from a JPEG that there is. But if nobody watches the camera
//! itself, which is so for a page of tiles, its JPEG is not encoded at all, and that is the most expensive work of a board:
//! together it is a third. docs/performance.md has the numbers. And nothing is lost twice. A picture of full size with
//! another quality is made of the JPEG all the same.

use crate::codec::jpeg::{EncodeError, Encoder, Settings};
use crate::jpeg::error::JpegError;
use crate::jpeg::header::Limits;
use crate::jpeg::variant::{Variant, VariantMaker};
use crate::media::{RawImage, Scale};
use crate::memory::Lease;

/// Most pixels of a picture that another is made of: 4096 x 4096. Its coefficients then take 6 MB and 4 bytes for each
/// that is not zero.
const MOST_PIXELS: u32 = 1 << 24;

/// Makes pictures of one scale and quality.
pub(super) struct Converter {
    variant: Variant,
    maker: VariantMaker,
    encoder: Encoder,
    /// Of the maker's memory, where that is counted.
    lease: Option<Lease>,
}

/// Why a picture was not made.
pub(super) enum Refused {
    /// It is a kind of JPEG that is not changed, such as a progressive one.
    Unchangeable(JpegError),
    /// It cannot be read.
    Broken(JpegError),
    /// There is no memory for what it needs.
    NoMemory,
}

impl Converter {
    /// Raw pictures are encoded as `encoding` says, unless a `quality` is asked for.
    pub(super) fn new(scale: Scale, quality: Option<u8>, encoding: Settings) -> Self {
        let encoder = Encoder::new(Settings { quality: quality.unwrap_or(encoding.quality), ..encoding });
        Self { variant: Variant { scale, quality }, maker: VariantMaker::new(), encoder, lease: None }
    }

    /// Counts the memory for pictures from now on in `lease`, which is of no bytes now.
    pub(super) fn count_in(&mut self, lease: Lease) {
        (self.maker, self.lease) = (VariantMaker::new(), Some(lease));
    }

    /// Whether the memory is counted.
    pub(super) fn is_counted(&self) -> bool {
        self.lease.is_some()
    }

    /// Appends the picture made of `jpeg`, which is of `size`, to `out`, and returns its width and height. On an error
    /// nothing is appended.
    pub(super) fn convert(
        &mut self,
        jpeg: &[u8],
        (width, height): (u32, u32),
        out: &mut Vec<u8>,
    ) -> Result<(u32, u32), Refused> {
        if self.variant == Variant::default() {
            out.extend_from_slice(jpeg);
            return Ok((width, height));
        }
        let limits = Limits { max_pixels: width.saturating_mul(height).min(MOST_PIXELS) };
        let may_hold = &mut |bytes| self.lease.as_mut().is_none_or(|lease| lease.resize(bytes));
        match self.maker.make_within(jpeg, limits, &self.variant, out, may_hold) {
            Ok(made) => Ok((made.width, made.height)),
            Err(JpegError::NoMemory) => Err(Refused::NoMemory),
            Err(error) if error.is_lasting() => Err(Refused::Unchangeable(error)),
            Err(error) => Err(Refused::Broken(error)),
        }
    }

    /// Appends a picture that is as small as it is to be.
    pub(super) fn encode(&mut self, image: &RawImage<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encoder.encode(image, out)
    }
}
