//! Writes pictures block by block (ITU-T T.81, section F.1).

use super::bit_writer::BitWriter;
use super::bits::Bits;
use super::coefficients::Coefficients;
use super::error::JpegError;
use super::head::standard_table;
use super::header::Header;
use super::huffman::{AC_SIZE_MAX, Codes, DC_SIZE_MAX, WriteTable};
use super::layout::COMPONENTS_MAX;
use super::layout::{BlockNumbers, Layout};
use super::overlay::{Overlay, Prepared};
use super::read::{Read, Sink};
use super::read_table::{AcTable, Token};
use super::room::MayHold;
use super::turn::BlockTurn;

/// The tables that a picture's components are written with. They are made once, and anew only if a frame has others.
#[derive(Default)]
pub(super) struct WriteTables {
    dc: [Option<Box<WriteTable>>; COMPONENTS_MAX],
    ac: [Option<Box<WriteTable>>; COMPONENTS_MAX],
}

impl WriteTables {
    /// Makes the tables of all components: the standard ones, or those of the header's scan, which must have all
    /// components and was read with them.
    pub(super) fn prepare(&mut self, header: &Header, is_standard: bool) -> Option<()> {
        for component in 0..header.components().len() {
            let (codes_dc, codes_ac) = if is_standard {
                let id = usize::from(standard_table(component));
                (Codes::standard(id)?, Codes::standard(4 + id)?)
            } else {
                let &(_, dc, ac) = header.scan_parts().get(component)?;
                (header.codes(dc.into())?, header.codes(4 + usize::from(ac))?)
            };
            WriteTable::renew(&mut self.dc[component], &codes_dc, DC_SIZE_MAX);
            WriteTable::renew(&mut self.ac[component], &codes_ac, AC_SIZE_MAX);
        }
        Some(())
    }

    #[inline(always)]
    fn get(&self, component: usize) -> Option<(&WriteTable, &WriteTable)> {
        self.dc[component & 3].as_deref().zip(self.ac[component & 3].as_deref())
    }
}

/// Writes a scan of all components, one block after another.
pub(super) struct ScanWriter<'w> {
    bits: BitWriter<'w>,
    tables: &'w WriteTables,
    /// By component.
    last_dc: [i32; COMPONENTS_MAX],
    /// Whether every symbol had a code.
    is_good: bool,
}

impl<'w> ScanWriter<'w> {
    /// Appends to `out`. `may_hold` is asked before that grows, for its whole size.
    pub(super) fn new(out: &'w mut Vec<u8>, tables: &'w WriteTables, may_hold: &'w mut MayHold<'w>) -> Self {
        Self { bits: BitWriter::new(out, may_hold), tables, last_dc: [0; COMPONENTS_MAX], is_good: true }
    }

    #[inline(always)]
    pub(super) fn block(&mut self, component: usize, dc: i32, tokens: impl Iterator<Item = Token>) {
        let component = component & 3;
        let Some((dc_table, ac_table)) = self.tables.get(component) else { return self.is_good = false };
        let difference = dc - self.last_dc[component];
        self.last_dc[component] = dc;
        self.is_good &= self.bits.put_block(difference, tokens, dc_table, ac_table);
    }

    pub(super) fn restart(&mut self, number: u32) {
        self.bits.restart(number);
        self.last_dc = [0; COMPONENTS_MAX];
    }

    /// Ends the picture; false if a symbol had no code, and what was written has no meaning.
    ///
    /// # Errors
    /// When there was no memory for it.
    pub(super) fn finish(self) -> Result<bool, JpegError> {
        if self.bits.finish() { Ok(self.is_good) } else { Err(JpegError::NoMemory) }
    }
}

/// Writes all blocks of a picture of layout `layout`, each turned and from where `moves` says, or what `overlay` has
/// in its place; ends as [`ScanWriter::finish`].
pub(super) fn write_turned(
    coefficients: &Coefficients,
    layout: &Layout,
    (moves, turn): (&BlockNumbers, &BlockTurn),
    overlay: &Overlay,
    restart_interval: u32,
    mut writer: ScanWriter<'_>,
) -> Result<bool, JpegError> {
    let unit_blocks: Vec<_> = layout.unit().collect();
    let mut restarts = Restarts::new(restart_interval);
    let mut room = [0; 64];
    let mut number = 0;
    for unit_row in 0..layout.units_down {
        for unit in 0..layout.units_across {
            if let Some(restart) = restarts.next_unit() {
                writer.restart(restart);
            }
            for &(component, column, row) in &unit_blocks {
                if let Some(block) = overlay.at(number) {
                    writer.block(component, block.dc.into(), overlay.tokens(block).iter().copied());
                } else {
                    let plane = layout.planes()[component];
                    let (column, row) = (unit * plane.across + column, unit_row * plane.down + row);
                    let block = &coefficients.blocks[moves.get(component, column, row)];
                    let tokens = turn.turned(coefficients.tokens(block), &mut room);
                    writer.block(component, block.dc.into(), tokens);
                }
                number += 1;
            }
        }
    }
    writer.finish()
}

/// Counts units to the next restart marker.
pub(super) struct Restarts {
    interval: u32,
    left: u32,
    number: u32,
}

impl Restarts {
    pub(super) fn new(interval: u32) -> Self {
        Self { interval, left: interval, number: 0 }
    }

    /// The number of the restart marker that is due before the next unit.
    #[inline(always)]
    pub(super) fn next_unit(&mut self) -> Option<u32> {
        if self.interval == 0 {
            return None;
        }
        let due = self.left == 0;
        if due {
            self.left = self.interval;
            self.number += 1;
        }
        self.left -= 1;
        due.then(|| self.number - 1)
    }
}

/// Writes a scan again while it is read. Only blocks that `overlay` replaces are coded; runs of others are copied as
/// bits, except the first DC difference after a replaced block.
pub(super) struct Transcoder<'w, 'd> {
    writer: ScanWriter<'w>,
    overlay: &'w Overlay,
    /// The DC coefficients that were read last, by component.
    read_dc: [i32; COMPONENTS_MAX],
    /// Where the bits begin that were not copied yet.
    run: Option<Bits<'d>>,
}

impl<'w, 'd> Transcoder<'w, 'd> {
    pub(super) fn new(writer: ScanWriter<'w>, overlay: &'w Overlay) -> Self {
        Self { writer, overlay, read_dc: [0; COMPONENTS_MAX], run: None }
    }

    /// Ends the picture as [`ScanWriter::finish`].
    pub(super) fn finish(self) -> Result<bool, JpegError> {
        self.writer.finish()
    }

    fn copy_run(&mut self, end: &Bits<'_>) {
        if let Some(start) = self.run.take() {
            self.writer.bits.copy(start, end.position().wrapping_sub(start.position()));
        }
    }

    #[cold]
    fn replace(&mut self, component: usize, block: &Prepared, before: &Bits<'_>) {
        self.copy_run(before);
        let tokens = self.overlay.tokens(block).iter().copied();
        self.writer.block(component, block.dc.into(), tokens);
    }

    /// Goes on with a block whose difference is another one than it was.
    #[cold]
    fn resume(&mut self, component: usize, dc: i32, before: &Bits<'_>, after: Bits<'d>) {
        self.copy_run(before);
        let difference = dc - self.writer.last_dc[component];
        let table = self.writer.tables.get(component).map(|(dc, _)| dc);
        self.writer.is_good &= table.is_some_and(|table| self.writer.bits.put_dc(difference, table));
        self.run = Some(after);
    }
}

impl<'d> Sink<'d> for Transcoder<'_, 'd> {
    #[inline(always)]
    fn block(&mut self, read: Read<'d>, bits: &mut Bits<'d>, table: &AcTable) -> Option<()> {
        let Read { number, component, dc, before } = read;
        if let Some(block) = self.overlay.at(number) {
            self.replace(component, block, &before);
        } else {
            if self.writer.last_dc[component] != self.read_dc[component] {
                self.resume(component, dc, &before, *bits);
            } else if self.run.is_none() {
                self.run = Some(before);
            }
            self.writer.last_dc[component] = dc;
        }
        self.read_dc[component] = dc;
        table.skip(bits, 1)
    }

    fn restart(&mut self, bits: &Bits<'d>, number: u32) {
        self.copy_run(bits);
        self.writer.restart(number);
        self.read_dc = [0; COMPONENTS_MAX];
    }

    fn end(&mut self, bits: &Bits<'d>) {
        self.copy_run(bits);
    }
}
