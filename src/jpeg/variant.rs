//! Other streams of a camera: the same picture, but smaller or of a lower quality.

use std::cell::{Cell, RefCell};

use super::coefficients::Coefficients;
use super::edit::{Edited, turned_interval};
use super::error::{Fault, JpegError};
use super::head::{self, Changes};
use super::header::{Header, Limits, Quantization};
use super::layout::{BlockNumbers, Layout};
use super::quantise::{Requantiser, quality_tables};
use super::read::Tables;
use super::room::MayHold;
use super::shrink::{self, BlockShrinker};
use super::write::{Restarts, ScanWriter, WriteTables};
use crate::media::Scale;

/// What another stream is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Its size.
    pub scale: Scale,
    /// Its quality from 1 to 100, as other encoders understand it. A picture of full size gets no finer steps than it
    /// has. With `None` the steps are those of the picture, divided by the scale: a block of a smaller picture has the
    /// contrast of several, and steps as coarse as before would be seen.
    pub quality: Option<u8>,
}

/// Makes one variant of a camera's frames after another. Its tables and memory are kept for the next frame.
///
/// A picture is read and written band by band: coefficients of as many rows of units are held as become one row.
#[derive(Default)]
pub struct VariantMaker {
    tables: Tables,
    write_tables: WriteTables,
    coefficients: Coefficients,
    made_for: Option<MadeFor>,
    blocks: Blocks,
    /// Whether the last such picture could not be written with its own tables.
    is_standard: bool,
}

/// What the blocks were prepared for.
struct MadeFor {
    variant: Variant,
    layout: Layout,
    from: Vec<Quantization>,
    to: Vec<Quantization>,
}

/// How the blocks of each component are made.
enum Blocks {
    Same(Vec<Requantiser>),
    /// So many rows of units become one.
    Fewer(usize, BlockNumbers, Vec<BlockShrinker>),
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Same(Vec::new())
    }
}

impl VariantMaker {
    /// A maker without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a variant of the JPEG at the start of `jpeg` to `out`. Width and height are rounded up. Segments that may
    /// hold another picture, such as a thumbnail, are left out.
    ///
    /// # Errors
    /// When `jpeg` cannot be read as coefficients, is damaged, or is larger than `limits` allow. Nothing is appended
    /// then.
    pub fn make(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        variant: &Variant,
        out: &mut Vec<u8>,
    ) -> Result<Edited, JpegError> {
        self.make_within(jpeg, limits, variant, out, &mut |_| true)
    }

    /// The same. `may_hold` is asked before the maker holds more memory than before, or `out` has more than it can hold
    /// now. What `out` takes is not counted any more when this is done.
    ///
    /// # Errors
    /// Also when `may_hold` says no.
    pub fn make_within(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        variant: &Variant,
        out: &mut Vec<u8>,
        may_hold: &mut MayHold<'_>,
    ) -> Result<Edited, JpegError> {
        let room = out.capacity();
        let made = self.write(jpeg, limits, variant, out, may_hold);
        if out.capacity() > room {
            may_hold(self.coefficients.bytes());
        }
        made
    }

    fn write(
        &mut self,
        jpeg: &[u8],
        limits: Limits,
        variant: &Variant,
        out: &mut Vec<u8>,
        may_hold: &mut MayHold<'_>,
    ) -> Result<Edited, JpegError> {
        let header = Header::parse(jpeg, limits)?;
        let changes = self.prepare(&header, variant)?;
        let (width, height) = (changes.width, changes.height);
        let layout = Layout::of(width, height, header.components())?;
        let start = out.len();
        self.is_standard |= changes.has_standard_tables;
        loop {
            if self.write_tables.prepare(&header, self.is_standard).is_some() {
                let changes = Changes { has_standard_tables: self.is_standard, ..changes.clone() };
                head::write(jpeg, &header, &changes, out);
                let written =
                    self.write_scan(jpeg, &header, (variant.scale, &layout), &changes, (out, may_hold));
                if written.inspect_err(|_| out.truncate(start))? {
                    return Ok(Edited { width, height, trimmed_columns: 0, trimmed_rows: 0 });
                }
                out.truncate(start);
            }
            if std::mem::replace(&mut self.is_standard, true) {
                return Err(JpegError::broken(header.scan.entropy_coded, Fault::Range));
            }
        }
    }

    /// Writes all blocks; ends as [`ScanWriter::finish`].
    fn write_scan(
        &mut self,
        jpeg: &[u8],
        header: &Header,
        (scale, layout): (Scale, &Layout),
        changes: &Changes,
        (out, may_hold): (&mut Vec<u8>, &mut MayHold<'_>),
    ) -> Result<bool, JpegError> {
        let (room, held) = (out.capacity(), Cell::new((self.coefficients.bytes(), 0)));
        let may_hold = RefCell::new(may_hold);
        let ask = |coefficients: usize, written: usize| {
            held.set((coefficients, written));
            (may_hold.borrow_mut())(coefficients + written)
        };
        let may_write = &mut |length: usize| ask(held.get().0, length.saturating_sub(room));
        let mut writer = ScanWriter::new(out, &self.write_tables, may_write);
        let mut restarts = Restarts::new(changes.restart_interval);
        let unit_blocks: Vec<_> = layout.unit().collect();
        let take = &mut |band: &Coefficients| {
            self.blocks.write(band, (layout, &unit_blocks), &mut restarts, &mut writer);
        };
        let bounds = (shrink::last_place(scale), scale.divisor() as usize);
        let may_read = &mut |bytes| ask(bytes, held.get().1);
        self.coefficients.read_bands(jpeg, &mut header.clone(), &mut self.tables, bounds, may_read, take)?;
        writer.finish()
    }

    /// What is different in the variant. Makes the tables for its blocks, if they are not those of the last frame.
    fn prepare(&mut self, header: &Header, variant: &Variant) -> Result<Changes, JpegError> {
        let components = 0..header.components().len();
        let from: Vec<Quantization> = components.map(|component| *header.quantization(component)).collect();
        let mut changes = Changes::none(header);
        let divisor = variant.scale.divisor();
        (changes.width, changes.height) = (header.width.div_ceil(divisor), header.height.div_ceil(divisor));
        changes.drops_metadata = true;
        let layout = Layout::of(changes.width, changes.height, header.components())?;
        changes.restart_interval = turned_interval(header, &layout);
        let mut to = from.clone();
        if let Some(quality) = variant.quality {
            let mut tables = quality_tables(header, quality);
            for (component, part) in header.components().iter().enumerate() {
                let table = &mut tables[usize::from(part.quantization)];
                if variant.scale == Scale::Whole {
                    for (step, &least) in table.iter_mut().zip(&from[component]) {
                        *step = (*step).max(least);
                    }
                }
                to[component] = *table;
            }
            changes.quantization = Some(tables);
        } else if divisor > 1 {
            let mut tables = [[1; 64]; 4];
            for (component, part) in header.components().iter().enumerate() {
                to[component] = from[component].map(|step| step.div_ceil(divisor as u16));
                tables[usize::from(part.quantization)] = to[component];
            }
            changes.quantization = Some(tables);
        }
        let is_known = self.made_for.as_ref().is_some_and(|known| {
            known.variant == *variant && known.layout == header.layout && known.from == from && known.to == to
        });
        if !is_known {
            let pairs = from.iter().zip(&to);
            self.blocks = match variant.scale {
                Scale::Whole => Blocks::Same(pairs.map(|(from, to)| Requantiser::new(from, to)).collect()),
                scale => Blocks::Fewer(
                    scale.divisor() as usize,
                    BlockNumbers::of(&header.layout),
                    pairs.map(|(from, to)| BlockShrinker::new(scale, from, to)).collect(),
                ),
            };
            self.is_standard = false;
            self.made_for = Some(MadeFor { variant: *variant, layout: header.layout, from, to });
        }
        Ok(changes)
    }
}

impl Blocks {
    /// Writes the blocks that a band of the picture becomes. `layout` is that of the variant.
    fn write(
        &self,
        band: &Coefficients,
        (layout, unit_blocks): (&Layout, &[(usize, usize, usize)]),
        restarts: &mut Restarts,
        writer: &mut ScanWriter<'_>,
    ) {
        match self {
            Self::Same(requantisers) => {
                for unit in band.blocks.chunks_exact(layout.unit_blocks) {
                    if let Some(restart) = restarts.next_unit() {
                        writer.restart(restart);
                    }
                    for (block, &(component, ..)) in unit.iter().zip(unit_blocks) {
                        let requantiser = &requantisers[component];
                        let tokens = requantiser.tokens(band.tokens(block));
                        writer.block(component, requantiser.value(0, block.dc.into()), tokens);
                    }
                }
            }
            Self::Fewer(divisor, numbers, shrinkers) => {
                let mut room = [0; 64];
                for unit_row in 0..band.layout.units_down.div_ceil(*divisor) {
                    for unit in 0..layout.units_across {
                        if let Some(restart) = restarts.next_unit() {
                            writer.restart(restart);
                        }
                        for &(component, column, row) in unit_blocks {
                            let plane = &layout.planes()[component];
                            let place = (unit * plane.across + column, unit_row * plane.down + row);
                            let shrinker = &shrinkers[component];
                            let (dc, tokens) = shrinker.block((band, numbers), component, place, &mut room);
                            writer.block(component, dc, tokens.iter().copied());
                        }
                    }
                }
            }
        }
    }
}
