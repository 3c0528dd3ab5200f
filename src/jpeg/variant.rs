//! Other streams of a camera: the same picture, but smaller or of a lower quality.

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
#[derive(Default)]
pub struct VariantMaker {
    tables: Tables,
    write_tables: WriteTables,
    coefficients: Coefficients,
    made_for: Option<MadeFor>,
    blocks: Blocks,
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
    Fewer(BlockNumbers, Vec<BlockShrinker>),
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
        let mut header = Header::parse(jpeg, limits)?;
        let first = header.clone();
        let changes = self.prepare(&header, variant)?;
        let last = shrink::last_place(variant.scale);
        self.coefficients.read(jpeg, &mut header, &mut self.tables, last, may_hold)?;
        let (room, held) = (out.capacity(), self.coefficients.bytes());
        let layout = Layout::of(changes.width, changes.height, first.components())?;
        let start = out.len();
        for is_standard in [changes.has_standard_tables, true] {
            if self.write_tables.prepare(&first, is_standard).is_some() {
                let changes = Changes { has_standard_tables: is_standard, ..changes.clone() };
                head::write(jpeg, &first, &changes, out);
                let may_grow = &mut |length: usize| may_hold(held + length.saturating_sub(room));
                let writer = ScanWriter::new(out, &self.write_tables, may_grow);
                let written = self.write_blocks(&layout, changes.restart_interval, writer);
                if written.inspect_err(|_| out.truncate(start))? {
                    let Changes { width, height, .. } = changes;
                    return Ok(Edited { width, height, trimmed_columns: 0, trimmed_rows: 0 });
                }
                out.truncate(start);
            }
        }
        Err(JpegError::broken(first.scan.entropy_coded, Fault::Range))
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
                    BlockNumbers::of(&header.layout),
                    pairs.map(|(from, to)| BlockShrinker::new(scale, from, to)).collect(),
                ),
            };
            self.made_for = Some(MadeFor { variant: *variant, layout: header.layout, from, to });
        }
        Ok(changes)
    }

    /// Writes all blocks; ends as [`ScanWriter::finish`].
    fn write_blocks(
        &self,
        layout: &Layout,
        restart_interval: u32,
        writer: ScanWriter<'_>,
    ) -> Result<bool, JpegError> {
        match &self.blocks {
            Blocks::Same(requantisers) => self.write_same(layout, restart_interval, requantisers, writer),
            Blocks::Fewer(numbers, shrinkers) => {
                self.write_fewer(layout, restart_interval, (numbers, shrinkers), writer)
            }
        }
    }

    fn write_same(
        &self,
        layout: &Layout,
        restart_interval: u32,
        requantisers: &[Requantiser],
        mut writer: ScanWriter<'_>,
    ) -> Result<bool, JpegError> {
        let unit_blocks: Vec<_> = layout.unit().collect();
        let mut restarts = Restarts::new(restart_interval);
        for unit in self.coefficients.blocks.chunks_exact(layout.unit_blocks) {
            if let Some(restart) = restarts.next_unit() {
                writer.restart(restart);
            }
            for (block, &(component, ..)) in unit.iter().zip(&unit_blocks) {
                let requantiser = &requantisers[component];
                let tokens = requantiser.tokens(self.coefficients.tokens(block));
                writer.block(component, requantiser.value(0, block.dc.into()), tokens);
            }
        }
        writer.finish()
    }

    fn write_fewer(
        &self,
        layout: &Layout,
        restart_interval: u32,
        (numbers, shrinkers): (&BlockNumbers, &[BlockShrinker]),
        mut writer: ScanWriter<'_>,
    ) -> Result<bool, JpegError> {
        let unit_blocks: Vec<_> = layout.unit().collect();
        let mut restarts = Restarts::new(restart_interval);
        let mut room = [0; 64];
        for unit_row in 0..layout.units_down {
            for unit in 0..layout.units_across {
                if let Some(restart) = restarts.next_unit() {
                    writer.restart(restart);
                }
                for &(component, column, row) in &unit_blocks {
                    let plane = &layout.planes()[component];
                    let shrinker = &shrinkers[component];
                    let place = (unit * plane.across + column, unit_row * plane.down + row);
                    let (dc, tokens) =
                        shrinker.block((&self.coefficients, numbers), component, place, &mut room);
                    writer.block(component, dc, tokens.iter().copied());
                }
            }
        }
        writer.finish()
    }
}
