//! Makes a stream's picture of a camera's: the one place that names `jpeg`.

use crate::media::Scale;

/// Makes pictures of one scale and quality.
pub(super) struct Converter {
    scale: Scale,
    quality: Option<u8>,
}

/// Why a picture was not made.
pub(super) enum Refused {
    /// It is a kind of JPEG that is not changed, such as a progressive one.
    Unchangeable(String),
    /// It cannot be read.
    Broken(String),
}

impl Converter {
    pub(super) fn new(scale: Scale, quality: Option<u8>) -> Self {
        Self { scale, quality }
    }

    /// Appends the picture made of `jpeg` to `out`, and returns its width and height.
    pub(super) fn convert(&mut self, jpeg: &[u8], out: &mut Vec<u8>) -> Result<(u32, u32), Refused> {
        let _ = (self.scale, self.quality, jpeg, out);
        Err(Refused::Unchangeable("not built".to_owned()))
    }
}
