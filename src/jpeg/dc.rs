//! The mean brightness and colour of each block, which are its DC coefficient: a picture of an eighth of the size.

use super::bits::Bits;
use super::error::JpegError;
use super::header::{Header, Limits};
use super::layout::{BlockNumbers, Layout};
use super::read::{Read, Sink, Tables};
use super::read_table::AcTable;
use super::room::MayHold;

/// One component of a picture at an eighth of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DcPlane {
    /// Blocks in a row.
    pub width: usize,
    /// Rows of blocks.
    pub height: usize,
    /// The mean of each block, row by row, in eighths of a grey step: 0 to 2040; of chroma, 1024 is neutral.
    pub eighths: Vec<u16>,
    /// How much a mean changes with its coefficient, in eighths: the quantiser's step.
    pub step: u16,
}

impl DcPlane {
    /// The mean of a block in eighths of a grey step, which is its DC coefficient (ITU-T T.81, section A.3.3), quantised by
    /// `step`.
    pub fn eighths_of(coefficient: i16, step: u16) -> u16 {
        (i32::from(coefficient) * i32::from(step) + 8 * 128).clamp(0, 8 * 255) as u16
    }

    /// A mean in whole grey steps.
    pub fn rounded(eighths: u16) -> u8 {
        ((eighths + 4) >> 3).min(255) as u8
    }
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
    /// By a block's number.
    coefficients: Vec<i16>,
    numbers: Option<(Layout, BlockNumbers)>,
    /// Bytes of memory that it was asked for.
    held: usize,
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
        self.read_within(jpeg, limits, planes, out, &mut |_| true)
    }

    /// The same. `may_hold` is asked before the reader and `out` hold more memory than before.
    ///
    /// # Errors
    /// Also when `may_hold` says no.
    pub fn read_within(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        planes: Planes,
        out: &mut Vec<DcPlane>,
        may_hold: &mut MayHold<'_>,
    ) -> Result<(), JpegError> {
        let mut header = Header::parse(jpeg, limits)?;
        // A coefficient and a mean of each.
        let bytes = 2 * size_of::<u16>() * header.layout.blocks();
        if bytes != self.held {
            (self.coefficients, self.held) = (Vec::new(), bytes);
            out.clear();
            if !may_hold(bytes) {
                self.held = 0;
                may_hold(0);
                return Err(JpegError::NoMemory);
            }
        }
        self.read_coefficients(jpeg, &mut header, planes)?;
        let wanted = if planes == Planes::Luma { 1 } else { header.components().len() };
        out.resize_with(wanted, DcPlane::default);
        let layout = header.layout;
        if self.numbers.as_ref().is_none_or(|(known, _)| *known != layout) {
            self.numbers = Some((layout, BlockNumbers::of(&layout)));
        }
        let Some((_, numbers)) = &self.numbers else { return Ok(()) };
        for (component, (plane, shown)) in out.iter_mut().zip(layout.planes()).enumerate() {
            (plane.width, plane.height) = (shown.blocks_across, shown.blocks_down);
            plane.eighths.clear();
            plane.eighths.reserve_exact(plane.width * plane.height);
            plane.step = header.quantization(component)[0];
            for &row in &numbers.rows(component)[..plane.height] {
                let columns = &numbers.columns(component)[..plane.width];
                let coefficients = columns.iter().map(|&column| self.coefficients[(row + column) as usize]);
                let step = plane.step;
                plane.eighths.extend(coefficients.map(|coefficient| DcPlane::eighths_of(coefficient, step)));
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
