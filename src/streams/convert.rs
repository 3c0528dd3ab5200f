//! Makes a stream's picture of a camera's: the one place that names `jpeg`.

use crate::jpeg::error::JpegError;
use crate::jpeg::header::Limits;
use crate::jpeg::shrink;
use crate::jpeg::variant::{Variant, VariantMaker};
use crate::media::Scale;

/// Makes pictures of one scale and quality.
pub(super) struct Converter {
    variant: Variant,
    maker: VariantMaker,
}

/// Why a picture was not made.
pub(super) enum Refused {
    /// It is a kind of JPEG that is not changed, such as a progressive one.
    Unchangeable(JpegError),
    /// It cannot be read.
    Broken(JpegError),
}

impl Converter {
    pub(super) fn new(scale: Scale, quality: Option<u8>) -> Self {
        let scale = match scale {
            Scale::Whole => shrink::Scale::Full,
            Scale::Half => shrink::Scale::Half,
            Scale::Quarter => shrink::Scale::Quarter,
            Scale::Eighth => shrink::Scale::Eighth,
        };
        Self { variant: Variant { scale, quality }, maker: VariantMaker::new() }
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
        let limits = Limits { max_pixels: width.saturating_mul(height) };
        match self.maker.make(jpeg, limits, &self.variant, out) {
            Ok(made) => Ok((made.width, made.height)),
            Err(error) if error.is_lasting() => Err(Refused::Unchangeable(error)),
            Err(error) => Err(Refused::Broken(error)),
        }
    }
}
