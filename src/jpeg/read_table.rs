//! Tables to read Huffman codes with: one look gives a code together with its extra bits where both are short.

use super::bits::{Bits, FILLED_BITS};
use super::huffman::{AC_SIZE_MAX, Codes, DC_SIZE_MAX};

/// Bits of a look in [`DcTable`] and `AcTable::find`.
const LOOK_BITS: u32 = 9;

/// Bits of a look in [`AcTable::skip`].
const SKIP_BITS: u32 = 12;

/// With fewer bits, they are filled before such a look. To fill a register of 32 bits before each costs more than to ask
/// once more, behind the look, whether there are enough.
const SKIP_BITS_LEAST: u32 = if FILLED_BITS < 32 { SKIP_BITS } else { FILLED_BITS };

/// The most bits of a code.
const CODE_BITS_MAX: u32 = 16;

/// What a look finds of a code; a length of zero if the look does not hold all of it.
#[derive(Clone, Copy, Default)]
struct Look {
    length: u32,
    symbol: u8,
}

/// Codes by what is in front of them.
struct Lookup {
    codes: Codes,
    limits: [u32; 17],
    offsets: [i32; 17],
}

impl Lookup {
    fn new(codes: &Codes) -> Self {
        let (limits, offsets) = codes.limits();
        Self { codes: *codes, limits, offsets }
    }

    /// The code at the start of 16 bits.
    fn find(&self, bits: u32) -> Option<Look> {
        let length = (1..=CODE_BITS_MAX).find(|&length| bits < self.limits[length as usize])?;
        let place = (bits >> (CODE_BITS_MAX - length)) as i32 + self.offsets[length as usize];
        Some(Look { length, symbol: self.codes.symbol(place)? })
    }
}

/// What a look of so many bits finds, by those bits. Not on the stack, where threads have little.
fn looks(codes: &Codes, bits: u32) -> Vec<Look> {
    let mut looks = vec![Look::default(); 1 << bits];
    for (code, length, symbol) in codes.each().take_while(|&(_, length, _)| length <= bits) {
        let first = (code << (bits - length)) as usize;
        looks[first..][..1 << (bits - length)].fill(Look { length, symbol });
    }
    looks
}

/// The value of `size` extra bits (section F.2.2.1, EXTEND).
#[inline(always)]
fn extend(bits: u32, size: u32) -> i32 {
    let is_negative = bits >> (size - 1) & 1 == 0;
    bits as i32 - if is_negative { (1 << size) - 1 } else { 0 }
}

/// In a register of 32 bits, there may be too few for the extra bits of a code that was taken.
#[inline(always)]
fn fill_again(bits: &mut Bits<'_>) {
    if FILLED_BITS < CODE_BITS_MAX + DC_SIZE_MAX as u32 {
        bits.fill();
    }
}

/// Extra bits that are taken.
#[inline(always)]
fn take_extra(bits: &mut Bits<'_>, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let value = extend(bits.peek(size), size);
    bits.skip(size);
    value
}

/// A table for DC differences.
pub(super) struct DcTable {
    lookup: Lookup,
    /// By the next bits. Bits 0 to 4: bits of the code, with the extra bits if there is a value. Bits 5 to 8: extra bits
    /// that follow. Bit 9: whether there is a value, which is in bits 16 to 31. Zero for a long code.
    looks: [u32; 1 << LOOK_BITS],
}

const HAS_VALUE: u32 = 1 << 9;

impl DcTable {
    fn new(codes: &Codes) -> Self {
        let found = self::looks(codes, LOOK_BITS);
        let mut looks = [0; 1 << LOOK_BITS];
        for (bits, (look, Look { length, symbol })) in (0..).zip(looks.iter_mut().zip(found)) {
            let (size, used) = (u32::from(symbol), length + u32::from(symbol));
            if length == 0 || symbol > DC_SIZE_MAX {
                continue;
            }
            *look = length | size << 5;
            if used <= LOOK_BITS {
                let extra = bits >> (LOOK_BITS - used) & ((1 << size) - 1);
                let value = if size == 0 { 0 } else { extend(extra, size) };
                *look = used | HAS_VALUE | (value as u32) << 16;
            }
        }
        Self { lookup: Lookup::new(codes), looks }
    }

    /// Makes the table anew if the codes are others.
    pub(super) fn renew(place: &mut Option<Box<Self>>, codes: &Codes) {
        if place.as_ref().is_none_or(|table| table.lookup.codes != *codes) {
            *place = Some(Box::new(Self::new(codes)));
        }
    }

    /// Takes a DC difference; `None` if there is no code.
    #[inline(always)]
    pub(super) fn take(&self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.fill();
        let look = self.looks[bits.peek(LOOK_BITS) as usize & ((1 << LOOK_BITS) - 1)];
        if look & HAS_VALUE != 0 {
            bits.skip(look & 31);
            return Some(look as i32 >> 16);
        }
        let (length, size) = match look {
            0 => self.search(bits.peek(CODE_BITS_MAX))?,
            _ => (look & 31, look >> 5 & 15),
        };
        bits.skip(length);
        fill_again(bits);
        Some(take_extra(bits, size))
    }

    /// Length and extra bits of the code at the start of 16 bits.
    #[cold]
    #[inline(never)]
    fn search(&self, bits: u32) -> Option<(u32, u32)> {
        let found = self.lookup.find(bits).filter(|found| found.symbol <= DC_SIZE_MAX)?;
        Some((found.length, found.symbol.into()))
    }
}

/// Most entries of [`AcTable::longs`]: the standard tables have 320.
const LONGS_MAX: u32 = 1 << 12;

/// A table for AC coefficients.
pub(super) struct AcTable {
    lookup: Lookup,
    /// By the next bits. Bits 0 to 4: bits of the code, with the extra bits if there is a value. Bits 5 to 8: extra
    /// bits that follow. Bits 9 to 13: zero coefficients before this one, and this one; zero for EOB. Bits 16 to 31: the
    /// value of the coefficient, or 0 if the look does not hold it. Zero for a long code.
    looks: [u32; 1 << LOOK_BITS],
    /// The same for codes of more bits, which begin with many ones: by the next 16 bits, from `first_long` on. Zero if
    /// there is no such code.
    longs: Vec<u16>,
    first_long: u32,
    /// By the next bits, for as many codes in a row as the look holds. Bits 0 to 4: bits of the codes and their extra
    /// bits. Bits 5 to 10: coefficients. Bit 11: whether the last code is EOB. Zero for a long code.
    skips: [u16; 1 << SKIP_BITS],
}

const END_OF_BLOCK: u16 = 1 << 11;

/// A block has fewer coefficients.
const SKIPPED_MAX: u32 = 62;

/// A coefficient that is not zero: its place in the zigzag in the low 6 bits, its value in the high 16.
pub(super) type Token = u32;

impl AcTable {
    fn new(codes: &Codes) -> Self {
        let lookup = Lookup::new(codes);
        let first_long = lookup.limits[LOOK_BITS as usize].max((1 << CODE_BITS_MAX) - LONGS_MAX);
        let longs = (first_long..1 << CODE_BITS_MAX).map(|bits| {
            let found = lookup.find(bits);
            found.map_or(0, |found| found.ac_look(0, 0) as u16)
        });
        let longs = longs.collect();
        let (looks, skips) = ([0; 1 << LOOK_BITS], [0; 1 << SKIP_BITS]);
        let mut table = Self { lookup, looks, longs, first_long, skips };
        let found = self::looks(codes, SKIP_BITS);
        for (bits, look) in (0..).zip(&mut table.looks) {
            let found = found[(bits << (SKIP_BITS - LOOK_BITS)) as usize];
            *look = if found.length <= LOOK_BITS { found.ac_look(bits, LOOK_BITS) } else { 0 };
        }
        for (bits, skip) in (0..).zip(&mut table.skips) {
            *skip = skip_look(bits, &found);
        }
        table
    }

    /// Makes the table anew if the codes are others.
    pub(super) fn renew(place: &mut Option<Box<Self>>, codes: &Codes) {
        if place.as_ref().is_none_or(|table| table.lookup.codes != *codes) {
            *place = Some(Box::new(Self::new(codes)));
        }
    }

    /// Takes the AC coefficients of a block up to place `last`, puts those that are not zero into `tokens` and skips
    /// the others. Returns how many there are; `None` if a code is in no table, or a coefficient past the last place.
    #[inline(always)]
    pub(super) fn take(&self, bits: &mut Bits<'_>, last: u32, tokens: &mut [Token; 64]) -> Option<usize> {
        let (mut next, mut count) = (1, 0);
        while next <= last {
            bits.fill();
            let look = self.looks[bits.peek(LOOK_BITS) as usize & ((1 << LOOK_BITS) - 1)];
            if look >> 16 != 0 {
                bits.skip(look & 31);
                next += look >> 9 & 31;
                tokens[count & 63] = look & 0xFFFF_0000 | (next - 1);
                count += 1;
                continue;
            }
            let look = if look == 0 { self.long(bits.peek(CODE_BITS_MAX))? } else { look };
            bits.skip(look & 31);
            let (more, size) = (look >> 9 & 31, look >> 5 & 15);
            if more == 0 {
                return Some(count);
            }
            next += more;
            if size > 0 {
                fill_again(bits);
                let value = take_extra(bits, size);
                tokens[count & 63] = (value as u32) << 16 | (next - 1);
                count += 1;
            }
        }
        if next < 64 {
            self.skip(bits, next)?;
        }
        (next <= 64).then_some(count)
    }

    /// Skips the coefficients of a block from place `next` on; `None` as for [`Self::take`].
    #[inline(always)]
    pub(super) fn skip(&self, bits: &mut Bits<'_>, mut next: u32) -> Option<()> {
        loop {
            bits.fill_if_below(SKIP_BITS_LEAST);
            let look = u32::from(self.skips[bits.peek(SKIP_BITS) as usize & ((1 << SKIP_BITS) - 1)]);
            let after = next + (look >> 5 & 63);
            // What is behind the last coefficient is another block's.
            if look != 0 && after < 64 {
                next = after;
                if SKIP_BITS_LEAST < SKIP_BITS + u32::from(AC_SIZE_MAX) {
                    bits.fill_if_below(look & 31);
                }
                bits.skip(look & 31);
                if look & u32::from(END_OF_BLOCK) != 0 {
                    return Some(());
                }
                continue;
            }
            bits.fill();
            let look = self.looks[bits.peek(LOOK_BITS) as usize & ((1 << LOOK_BITS) - 1)];
            let look = if look == 0 { self.long(bits.peek(CODE_BITS_MAX))? } else { look };
            bits.skip(look & 31);
            let more = look >> 9 & 31;
            if more == 0 {
                return Some(());
            }
            fill_again(bits);
            bits.skip(look >> 5 & 15);
            next += more;
            if next >= 64 {
                return (next == 64).then_some(());
            }
        }
    }

    /// The entry for the long code at the start of 16 bits; `None` if there is none.
    #[inline(always)]
    fn long(&self, bits: u32) -> Option<u32> {
        match self.longs.get(bits.wrapping_sub(self.first_long) as usize) {
            None => self.search(bits),
            Some(0) => None,
            Some(&look) => Some(look.into()),
        }
    }

    /// The same for tables with unusually many long codes.
    #[cold]
    #[inline(never)]
    fn search(&self, bits: u32) -> Option<u32> {
        self.lookup.find(bits).map(|found| found.ac_look(0, 0)).filter(|&look| look != 0)
    }
}

/// An entry of [`AcTable::skips`] for these bits: as many codes as they hold.
fn skip_look(bits: u32, found: &[Look]) -> u16 {
    let (mut used, mut coefficients, mut end) = (0, 0, 0);
    while used < SKIP_BITS && end == 0 {
        let Look { length, symbol } = found[(bits << used) as usize & ((1 << SKIP_BITS) - 1)];
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let more = if size == 0 && run < 15 { 0 } else { run + 1 };
        let is_known = length > 0 && used + length <= SKIP_BITS && size <= AC_SIZE_MAX.into();
        if !is_known || coefficients + more > SKIPPED_MAX {
            break;
        }
        if more == 0 {
            end = END_OF_BLOCK;
        }
        (used, coefficients) = (used + length + size, coefficients + more);
    }
    used as u16 | (coefficients << 5) as u16 | end
}

impl Look {
    /// An entry of [`AcTable::looks`] for these bits, of which there are `count`; with no bits, an entry without a value.
    fn ac_look(self, bits: u32, count: u32) -> u32 {
        let (run, size) = (u32::from(self.symbol >> 4), u32::from(self.symbol & 15));
        if self.length == 0 || size > AC_SIZE_MAX.into() {
            return 0;
        }
        let more = if size == 0 && run < 15 { 0 } else { run + 1 };
        let used = self.length + size;
        if size == 0 || used > count {
            return self.length | size << 5 | more << 9;
        }
        let value = extend(bits >> (count - used) & ((1 << size) - 1), size);
        used | more << 9 | (value as u32) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_bits_are_values_as_table_f_1_says() {
        let values: Vec<_> = (0..8).map(|bits| extend(bits, 3)).collect();
        assert_eq!(values, [-7, -6, -5, -4, 4, 5, 6, 7]);
        assert_eq!((extend(0, 1), extend(1, 1), extend(1 << 9, 10)), (-1, 1, 512));
    }
}
