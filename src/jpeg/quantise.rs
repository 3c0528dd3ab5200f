//! Quantization tables of a quality, and coefficients in another quantization.

use super::coefficients::ZIGZAG;
use super::header::{Header, Quantization};
use super::read_table::Token;

/// The table for luma of ITU-T T.81, table K.1, row by row.
#[rustfmt::skip]
const LUMA: [u16; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// The table for chroma of ITU-T T.81, table K.2, row by row.
#[rustfmt::skip]
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The tables of a quality from 1 to 100, as other encoders understand it: 50 are those of Annex K, and 100 has
/// steps of 1. They come by their id: those of luma, or of all colours if the picture has no luma, and of chroma.
pub(super) fn quality_tables(header: &Header, quality: u8) -> [Quantization; 4] {
    let mut tables = [[1; 64]; 4];
    // If components share a table, the first one decides.
    for (index, component) in header.components().iter().enumerate().rev() {
        let base = if header.is_chroma(index) { &CHROMA } else { &LUMA };
        tables[usize::from(component.quantization)] = quality_table(base, quality);
    }
    tables
}

fn quality_table(base: &[u16; 64], quality: u8) -> Quantization {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    std::array::from_fn(|place| {
        let step = u32::from(base[usize::from(ZIGZAG[place])]);
        ((step * percent + 50) / 100).clamp(1, 255) as u16
    })
}

/// Changes coefficients from one quantization to a coarser one.
pub(super) struct Requantiser {
    /// By place in the zigzag: the share that is left of a value, in 1/65536.
    shares: [u32; 64],
}

impl Requantiser {
    /// `to` has no finer steps than `from`.
    pub(super) fn new(from: &Quantization, to: &Quantization) -> Self {
        let share = |place: usize| {
            let (from, to) = (u32::from(from[place]), u32::from(to[place]));
            ((from << 16) / to).min(1 << 16)
        };
        Self { shares: std::array::from_fn(share) }
    }

    /// The value in the other quantization, of the coefficient at `place`.
    #[inline(always)]
    pub(super) fn value(&self, place: u32, value: i32) -> i32 {
        let sign = value >> 31;
        let size = ((value ^ sign) - sign) as u32;
        let size = ((size * self.shares[(place & 63) as usize] + (1 << 15)) >> 16) as i32;
        (size ^ sign) - sign
    }

    /// The AC coefficients that are not zero in the other quantization.
    #[inline(always)]
    pub(super) fn tokens<'t>(&'t self, tokens: &'t [Token]) -> impl Iterator<Item = Token> + 't {
        let tokens = tokens.iter().map(|&token| (token & 63, self.value(token & 63, token as i32 >> 16)));
        tokens.filter(|&(_, value)| value != 0).map(|(place, value)| (value as u32) << 16 | place)
    }
}
