//! Finds the end of a JPEG's scan that has no EOI: reads the Huffman codes and counts blocks (ITU-T T.81, section
//! B.2).

use super::bits::Bits;
use super::header::{Header, Limits};
use super::read::{Read, Sink, Tables};
use super::read_table::AcTable;

/// The length in bytes of the picture at the start of `jpeg`; `None` if it is incomplete, or not a sequential one
/// (SOF0, SOF1) with all components in one scan.
///
/// A tail of zeros, or of sixteen or more equal bytes, is padding and not part of the scan: zeros are valid codes,
/// and could stand for the missing part of any picture.
pub(super) fn end(jpeg: &[u8]) -> Option<usize> {
    // Nothing is stored, and reading ends where the data do.
    let mut header = Header::parse(jpeg, Limits { max_pixels: u32::MAX }).ok()?;
    let components = header.components().len();
    if !header.is_whole_in_one_scan() {
        return None;
    }
    let data = &jpeg[..unpadded(jpeg, header.scan.entropy_coded)];
    let mut last = End(0);
    Tables::default().read(data, &mut header, components, &mut last).ok()?;
    Some(last.0)
}

/// Skips all coefficients, and keeps where they end.
struct End(usize);

impl<'d> Sink<'d> for End {
    /// Cameras without EOI send anything behind the last block.
    const IS_WHOLE: bool = false;

    #[inline(always)]
    fn block(&mut self, _: Read<'d>, bits: &mut Bits<'d>, table: &AcTable) -> Option<()> {
        table.skip(bits, 1)
    }

    fn end(&mut self, bits: &Bits<'d>) {
        self.0 = bits.offset();
    }
}

/// So many equal bytes at the end are padding.
const PADDING_BYTES: usize = 16;

/// So many zero bytes at the end may be codes of the last blocks: EOB of chroma is two zero bits.
const ZEROS_KEPT: usize = 1;

/// The offset of the padding after the scan that begins at `from`; [`ZEROS_KEPT`] zeros do not count as padding.
pub(super) fn unpadded(jpeg: &[u8], from: usize) -> usize {
    let scan = &jpeg[from..];
    let run = |byte: u8| scan.iter().rev().take_while(|&&last| last == byte).count();
    match scan.last() {
        Some(0) => (jpeg.len() - run(0) + ZEROS_KEPT).min(jpeg.len()),
        Some(&byte) if run(byte) >= PADDING_BYTES => jpeg.len() - run(byte),
        _ => jpeg.len(),
    }
}
