//! Huffman codes as a DHT segment holds them (ITU-T T.81, section B.2.4.2 and Annex C), and the tables made from
//! them to write.

use super::standard;

/// How many codes there are of each length, and the symbols in the order of the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    /// BITS: codes of 1 to 16 bits.
    counts: [u8; 16],
    /// HUFFVAL, then zeros.
    symbols: [u8; 256],
}

impl Codes {
    /// The codes at the start of `payload`, after their class and id, and the rest; `None` if they are no codes.
    pub(super) fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (&counts, rest) = payload.split_first_chunk::<16>()?;
        let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let (values, rest) = rest.split_at_checked(count)?;
        let mut codes = Self { counts, symbols: [0; 256] };
        codes.symbols.get_mut(..count)?.copy_from_slice(values);
        // Each code takes a share of all; there must be enough for them.
        let mut left = 1u32;
        for count in counts {
            left = (2 * left).checked_sub(count.into())?;
        }
        Some((codes, rest))
    }

    /// The standard DC table `id` (0 for luma, 1 for chroma), or AC table `id - 4` (Annex K.3).
    pub(super) fn standard(id: usize) -> Option<Self> {
        let mut payload = &standard::STANDARD_TABLES[4..];
        while let [kind, rest @ ..] = payload {
            let (codes, rest) = Self::read(rest)?;
            if usize::from(kind >> 4) * 4 + usize::from(kind & 15) == id {
                return Some(codes);
            }
            payload = rest;
        }
        None
    }

    /// Each code: its bits, its length and its symbol.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, u32, u8)> {
        let lengths = (1u32..).zip(self.counts);
        let lengths = lengths.flat_map(|(length, count)| std::iter::repeat_n(length, count.into()));
        let mut next = (0u32, 1u32);
        lengths.zip(self.symbols).map(move |(length, symbol)| {
            let (code, last) = next;
            let code = code << (length - last);
            next = (code + 1, length);
            (code, length, symbol)
        })
    }

    /// By length: the code behind the last one of this length, left-aligned in 16 bits; and what to add to a code
    /// of this length to find its place among the symbols.
    pub(super) fn limits(&self) -> ([u32; 17], [i32; 17]) {
        let (mut limits, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut first) = (0u32, 0i32);
        for (length, count) in (1..).zip(self.counts) {
            offsets[length] = first - code as i32;
            code += u32::from(count);
            limits[length] = code << (16 - length);
            (code, first) = (code << 1, first + i32::from(count));
        }
        (limits, offsets)
    }

    /// The symbol at a place among the codes.
    pub(super) fn symbol(&self, place: i32) -> Option<u8> {
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }
}

/// Most extra bits of a DC difference in a picture of 8 bits (section F.1.2.1).
pub(super) const DC_SIZE_MAX: u8 = 11;

/// Most extra bits of an AC coefficient in a picture of 8 bits (section F.1.2.2).
pub(super) const AC_SIZE_MAX: u8 = 10;

/// A table to write with: for each symbol its code, ready for the extra bits.
#[derive(Clone, Debug)]
pub(super) struct WriteTable {
    codes: Codes,
    /// The code, with zeros in place of the extra bits, shifted left by 5; and the length of both. Zero if the
    /// symbol has no code.
    entries: [u32; 256],
}

impl WriteTable {
    pub(super) fn new(codes: &Codes, size_max: u8) -> Self {
        let mut entries = [0; 256];
        for (code, length, symbol) in codes.each() {
            let size = symbol & 15;
            if size <= size_max {
                entries[usize::from(symbol)] = code << (u32::from(size) + 5) | (length + u32::from(size));
            }
        }
        Self { codes: *codes, entries }
    }

    /// Makes the table anew if the codes are others.
    pub(super) fn renew(place: &mut Option<Box<Self>>, codes: &Codes, size_max: u8) {
        if place.as_ref().is_none_or(|table| table.codes != *codes) {
            *place = Some(Box::new(Self::new(codes, size_max)));
        }
    }

    /// The code of `symbol` with zeros in place of its extra bits, and the length of both; a length of zero if it
    /// has no code.
    #[inline(always)]
    pub(super) fn code(&self, symbol: u8) -> (u32, u32) {
        let entry = self.entries[usize::from(symbol)];
        (entry >> 5, entry & 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_four_standard_tables() {
        assert!([0, 1, 4, 5].iter().all(|&id| Codes::standard(id).is_some()));
        assert!([2, 3, 6, 7].iter().all(|&id| Codes::standard(id).is_none()));
    }

    #[test]
    fn codes_are_those_of_annex_k() {
        let luma: Vec<_> = Codes::standard(0).unwrap().each().collect();
        assert_eq!(luma[..3], [(0, 2, 0), (0b010, 3, 1), (0b011, 3, 2)]);
        assert_eq!(luma[11], (0b1_1111_1110, 9, 11));
        let chroma: Vec<_> = Codes::standard(5).unwrap().each().collect();
        assert_eq!((chroma[0], chroma.len()), ((0, 2, 0), 162));
        assert_eq!(chroma[161], (0xFFFE, 16, 0xFA));
    }

    #[test]
    fn more_codes_than_there_can_be_are_refused() {
        let mut payload = [0; 16 + 3];
        payload[0] = 2;
        assert!(Codes::read(&payload).is_some(), "0 and 1");
        payload[0] = 3;
        assert!(Codes::read(&payload).is_none());
        (payload[0], payload[1]) = (2, 1);
        assert!(Codes::read(&payload).is_none());
        assert!(Codes::read(&payload[..15]).is_none());
        let mut many = [0; 16 + 300];
        (many[14], many[15]) = (250, 50);
        assert!(Codes::read(&many).is_none(), "300 symbols");
    }
}
