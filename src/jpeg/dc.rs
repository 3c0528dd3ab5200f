//! The mean brightness and colour of each block, which are its DC coefficient: a picture of an eighth of the size.

use super::bits::Bits;
use super::error::JpegError;
use super::header::{Header, Limits};
use super::read::{Read, Sink, Tables};
use super::read_table::AcTable;

/// One component of a picture at an eighth of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DcPlane {
    /// Blocks in a row.
    pub width: usize,
    /// Rows of blocks.
    pub height: usize,
    /// The mean of each block, row by row: 0 to 255; of chroma, 128 is neutral.
    pub means: Vec<u8>,
}

/// Which planes are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planes {
    /// The first component only.
    Luma,
    /// All components, each at an eighth of its own size: chroma may have fewer blocks than luma.
    All,
}

/// Reads DC planes, one frame after another. Its memory is kept for the next frame.
#[derive(Default)]
pub struct DcReader {
    tables: Tables,
    coefficients: Vec<i16>,
}

impl DcReader {
    /// A reader without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the planes of the JPEG at the start of `jpeg` into `out`, one for each component that is wanted. All
    /// other coefficients are skipped.
    ///
    /// # Errors
    /// When `jpeg` cannot be read as coefficients, is damaged, or is larger than `limits` allow. What is in `out`
    /// has no meaning then.
    pub fn read(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        planes: Planes,
        out: &mut Vec<DcPlane>,
    ) -> Result<(), JpegError> {
        let mut header = Header::parse(jpeg, limits)?;
        self.read_coefficients(jpeg, &mut header, planes)?;
        let wanted = if planes == Planes::Luma { 1 } else { header.components().len() };
        out.resize_with(wanted, DcPlane::default);
        let layout = header.layout;
        for (component, (plane, shown)) in out.iter_mut().zip(layout.planes()).enumerate() {
            (plane.width, plane.height) = (shown.blocks_across, shown.blocks_down);
            plane.means.clear();
            let step = i32::from(header.quantization(component)[0]);
            for row in 0..plane.height {
                let row = layout.row(component, row);
                let coefficients = layout.columns(component).take(plane.width);
                plane.means.extend(coefficients.map(|column| mean(self.coefficients[row + column], step)));
            }
        }
        Ok(())
    }

    /// Reads the DC coefficients by the number of their block; those of components that are not wanted may be missing.
    pub(super) fn read_coefficients(
        &mut self,
        jpeg: &[u8],
        header: &mut Header,
        planes: Planes,
    ) -> Result<&[i16], JpegError> {
        self.coefficients.clear();
        self.coefficients.resize(header.layout.blocks(), 0);
        let wanted = if planes == Planes::Luma { 1 } else { header.components().len() };
        self.tables.read(jpeg, header, wanted, &mut Skip { to: &mut self.coefficients })?;
        Ok(&self.coefficients)
    }
}

/// The mean of the samples of a block (ITU-T T.81, section A.3.3): its DC coefficient is eight times as large.
fn mean(coefficient: i16, step: i32) -> u8 {
    ((i32::from(coefficient) * step + 8 * 128 + 4) >> 3).clamp(0, 255) as u8
}

/// Stores the DC coefficients.
struct Skip<'c> {
    to: &'c mut [i16],
}

impl<'d> Sink<'d> for Skip<'_> {
    #[inline(always)]
    fn block(&mut self, read: Read<'d>, bits: &mut Bits<'d>, table: &AcTable) -> Option<()> {
        self.to[read.number] = read.dc as i16;
        table.skip(bits, 1)
    }
}
