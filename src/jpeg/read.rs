//! Reads scans block by block (ITU-T T.81, section F.2).

use super::bits::Bits;
use super::error::{Fault, JpegError};
use super::header::Header;
use super::layout::COMPONENTS_MAX;
use super::read_table::{AcTable, DcTable};
use super::walk::Walk;

/// The tables that scans are read with. They are made once, and anew only if a frame has others.
#[derive(Default)]
pub(super) struct Tables {
    dc: [Option<Box<DcTable>>; 4],
    ac: [Option<Box<AcTable>>; 4],
}

/// A DC coefficient of a picture of 8 bits is never larger, and neither is what differs from others by what can be
/// written.
const DC_MAX: i32 = 2047;

/// So many bytes of the last blocks may be like the filling behind them: what a camera fills with could be read as
/// blocks that are missing.
const LIKE_FILLING_MAX: usize = 2;

/// A block whose DC coefficient was read.
pub(super) struct Read<'d> {
    /// Its number in the layout.
    pub(super) number: usize,
    pub(super) component: usize,
    /// The DC coefficient, not its difference.
    pub(super) dc: i32,
    /// The place before it.
    pub(super) before: Bits<'d>,
}

/// Takes the blocks of a scan.
pub(super) trait Sink<'d> {
    /// Must take the AC coefficients of the block, which begin at `bits`; `None` if that fails.
    fn block(&mut self, read: Read<'d>, bits: &mut Bits<'d>, table: &AcTable) -> Option<()>;

    /// Whether nothing but filling may follow the last block. If an error has made blocks of what is none, all
    /// others are not where they should be, and some are left over.
    const IS_WHOLE: bool = true;

    /// The block before was the last one before a restart marker.
    fn restart(&mut self, _bits: &Bits<'d>, _number: u32) {}

    /// The block before was the last one.
    fn end(&mut self, _bits: &Bits<'d>) {}
}

/// A component in a scan.
#[derive(Clone, Copy)]
struct Part<'t> {
    index: usize,
    dc: &'t DcTable,
    ac: &'t AcTable,
}

impl Tables {
    /// Reads scans until there are the first `wanted` components, and gives each block to `sink`.
    ///
    /// # Errors
    /// When a scan is damaged, ends early or is missing; blocks before were good then.
    #[inline(always)]
    pub(super) fn read<'d>(
        &mut self,
        jpeg: &'d [u8],
        header: &mut Header,
        wanted: usize,
        sink: &mut impl Sink<'d>,
    ) -> Result<(), JpegError> {
        let (wanted, mut seen) = ((1u8 << wanted) - 1, 0);
        loop {
            let parts: u8 = header.scan_parts().iter().map(|&(index, ..)| 1 << index).sum();
            if seen & parts != 0 {
                return Err(JpegError::broken(header.scan.entropy_coded, Fault::ScanHeader));
            }
            seen |= parts;
            let end = self.read_scan(jpeg, header, sink)?;
            if seen & wanted == wanted {
                return Ok(());
            }
            header.next_scan(jpeg, end)?;
        }
    }

    /// Makes the tables of the header's scan.
    fn prepare(&mut self, header: &Header) -> Result<(), JpegError> {
        let missing = JpegError::broken(header.scan.entropy_coded, Fault::Huffman);
        for &(_, dc, ac) in header.scan_parts() {
            let (dc, ac) = (usize::from(dc), usize::from(ac));
            DcTable::renew(&mut self.dc[dc], &header.codes(dc).ok_or(missing)?);
            AcTable::renew(&mut self.ac[ac], &header.codes(4 + ac).ok_or(missing)?);
        }
        Ok(())
    }

    /// Reads the header's scan and gives each block to `sink`. Returns where the entropy-coded data end.
    ///
    /// # Errors
    /// When the scan is damaged or ends early; blocks before were good then.
    #[inline(always)]
    fn read_scan<'d, S: Sink<'d>>(
        &mut self,
        jpeg: &'d [u8],
        header: &Header,
        sink: &mut S,
    ) -> Result<usize, JpegError> {
        self.prepare(header)?;
        let mut walk = Walk::new(header);
        let mut bits = Bits::new(jpeg, header.scan.entropy_coded);
        let parts = self.parts(header);
        let mut last_dc = [0i32; COMPONENTS_MAX];
        while let Some(unit) = walk.next_unit() {
            if let Some(number) = unit.restart {
                if S::IS_WHOLE && !bits.is_padded() && is_unit(bits, walk.unit_blocks(), &parts) {
                    return Err(fault(&bits, Fault::Rest));
                }
                sink.restart(&bits, number);
                bits.restart(number)?;
                last_dc = [0; COMPONENTS_MAX];
            }
            for &(offset, part) in walk.unit_blocks() {
                let Some(Part { index, dc: dc_table, ac }) = parts[part & 3] else { continue };
                let before = bits;
                let Some(difference) = dc_table.take(&mut bits) else {
                    return Err(fault(&bits, Fault::Code));
                };
                let dc = last_dc[index & 3] + difference;
                if dc.abs() > DC_MAX {
                    return Err(fault(&bits, Fault::Range));
                }
                last_dc[index & 3] = dc;
                let read = Read { number: unit.first + offset, component: index & 3, dc, before };
                if sink.block(read, &mut bits, ac).is_none() {
                    return Err(fault(&bits, Fault::Code));
                }
            }
            if bits.is_behind_end() {
                return Err(JpegError::Truncated);
            }
        }
        if S::IS_WHOLE {
            check_rest(&bits, walk.unit_blocks(), &parts)?;
        }
        sink.end(&bits);
        Ok(bits.offset())
    }

    fn parts(&self, header: &Header) -> [Option<Part<'_>>; COMPONENTS_MAX] {
        let mut parts = [None; COMPONENTS_MAX];
        for (place, &(index, dc, ac)) in parts.iter_mut().zip(header.scan_parts()) {
            let (dc, ac) = (self.dc[usize::from(dc)].as_deref(), self.ac[usize::from(ac)].as_deref());
            *place = dc.zip(ac).map(|(dc, ac)| Part { index: index.into(), dc, ac });
        }
        parts
    }
}

/// Checks that what is behind the last unit is filling, and no unit.
///
/// # Errors
/// When it may be one.
#[inline(never)]
fn check_rest(
    bits: &Bits<'_>,
    unit_blocks: &[(usize, usize)],
    parts: &[Option<Part<'_>>; COMPONENTS_MAX],
) -> Result<(), JpegError> {
    let is_filling =
        bits.filling().is_some_and(|filling| filling.count == 0 || filling.before <= LIKE_FILLING_MAX);
    if is_filling && !is_unit(*bits, unit_blocks, parts) {
        return Ok(());
    }
    Err(JpegError::broken(bits.offset(), Fault::Rest))
}

/// Whether another unit can be read.
#[cold]
#[inline(never)]
fn is_unit(
    mut bits: Bits<'_>,
    unit_blocks: &[(usize, usize)],
    parts: &[Option<Part<'_>>; COMPONENTS_MAX],
) -> bool {
    unit_blocks.iter().all(|&(_, part)| {
        let Some(Part { dc, ac, .. }) = parts[part & 3] else { return false };
        dc.take(&mut bits).is_some() && ac.skip(&mut bits, 1).is_some() && !bits.is_behind_end()
    })
}

/// The error at this place; what comes after the end of the data is no code, either.
#[cold]
fn fault(bits: &Bits<'_>, what: Fault) -> JpegError {
    if bits.is_behind_end() { JpegError::Truncated } else { JpegError::broken(bits.offset(), what) }
}
