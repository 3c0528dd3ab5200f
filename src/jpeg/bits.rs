//! Reads the bits of entropy-coded data, without the zero after each FF (ITU-T T.81, section F.2.2.5).

use super::error::{Fault, JpegError};
use super::marker;

/// Bits that are held at a time: those of a register.
const HELD_BITS: u32 = usize::BITS;

/// The bits that [`Bits::fill`] makes available at least: any code and its extra bits, or in a register of 32 bits a code
/// that is found at once.
pub(super) const FILLED_BITS: u32 = if HELD_BITS >= 64 { 32 } else { 24 };

/// A place in entropy-coded data. Copies go on from the same place.
#[derive(Clone, Copy)]
pub(super) struct Bits<'d> {
    data: &'d [u8],
    /// The next byte to take.
    at: usize,
    /// The next bits, highest first. Those after `count` are those of the data, or zeros.
    held: usize,
    count: u32,
    /// Zero bits that were taken from behind the end of the data.
    missing: u32,
    /// Bytes before `at` that hold none of the bits. Wraps.
    skipped: usize,
}

/// Equal bytes behind the last bits.
pub(super) struct Filling {
    pub(super) count: usize,
    /// How many more of them are right before.
    pub(super) before: usize,
}

impl<'d> Bits<'d> {
    /// The bits from the byte at `at` on.
    pub(super) fn new(data: &'d [u8], at: usize) -> Self {
        Self { data, at, held: 0, count: 0, missing: 0, skipped: at }
    }

    /// Makes at least [`FILLED_BITS`] bits available. Behind the last byte, and behind a marker, there are zeros.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        self.fill_if_below(FILLED_BITS);
    }

    /// The same if fewer than `least` bits are available, which is at most [`FILLED_BITS`].
    #[inline(always)]
    pub(super) fn fill_if_below(&mut self, least: u32) {
        if self.count >= least {
            return;
        }
        let word = self.data.get(self.at..).and_then(|rest| rest.first_chunk());
        if !word.is_some_and(|word| self.fill_from(usize::from_be_bytes(*word))) {
            *self = self.filled_by_bytes();
        }
    }

    /// Takes bytes of the next word: as many as there is room for, but never the last one. False if two of them are FF, or
    /// one is a marker's.
    #[inline(always)]
    fn fill_from(&mut self, word: usize) -> bool {
        let bytes = ((HELD_BITS - 1 - self.count) / 8) as usize;
        let ffs = ff_bytes(word);
        let mut taken = word & !0xFF;
        if ffs & !0xFF != 0 {
            // The bits of the bytes behind the first FF, of which the next one must be zero.
            let first = ffs.leading_zeros();
            let behind = usize::MAX >> first >> 8;
            if ffs & (ffs - 1) != 0 || word & behind & !(behind >> 8) != 0 {
                return false;
            }
            taken = word & !behind | word << 8 & behind;
            let stuffed = usize::from(first / 8 < bytes as u32);
            self.at += stuffed;
            self.skipped = self.skipped.wrapping_add(stuffed);
        }
        self.held |= taken >> self.count;
        self.at += bytes;
        self.count |= HELD_BITS - 8;
        true
    }

    /// Not by reference, so that the fast way keeps everything in registers.
    #[cold]
    #[inline(never)]
    fn filled_by_bytes(mut self) -> Self {
        while self.count <= HELD_BITS - 8 {
            let (byte, bytes) = match self.data.get(self.at..) {
                Some([0xFF, 0x00, ..]) => (0xFF, 2),
                Some([0xFF, ..] | []) | None => (0x00, 0),
                Some([byte, ..]) => (*byte, 1),
            };
            self.held |= usize::from(byte) << (HELD_BITS - 8 - self.count);
            self.count += 8;
            self.at += bytes;
            self.skipped = self.skipped.wrapping_add(bytes).wrapping_sub(1);
            if bytes == 0 {
                self.missing += 8;
            }
        }
        self
    }

    /// The next `count` bits, of those that are available. `count` is at least 1.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.held >> (HELD_BITS - count)) as u32
    }

    /// Takes bits, of those that are available.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.held <<= count;
        self.count -= count;
    }

    /// Whether bits were taken that are not there.
    #[inline(always)]
    pub(super) fn is_behind_end(&self) -> bool {
        self.missing > self.count
    }

    /// Bits from the start to here.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        (self.at.wrapping_sub(self.skipped) * 8).wrapping_sub(self.count as usize)
    }

    /// The offset of the byte after the last one of which a bit was taken.
    pub(super) fn offset(&self) -> usize {
        let mut at = self.at;
        for _ in 0..self.count.saturating_sub(self.missing) / 8 {
            at -= if self.data[..at].ends_with(&[0xFF, 0x00]) { 2 } else { 1 };
        }
        at
    }

    /// The bytes of which no bit was taken, before the next marker or the end of the data. `None` if they differ, or if
    /// it is a restart marker with more behind it.
    pub(super) fn filling(&self) -> Option<Filling> {
        let start = self.offset();
        let (mut value, mut count, mut at) = (0, 0, start);
        loop {
            let (byte, bytes) = match self.data[at..] {
                [0xFF, 0x00, ..] => (0xFF, 2),
                // A marker may begin with any number of them (section B.1.1.2).
                [0xFF, 0xFF, ..] => {
                    at += 1;
                    continue;
                }
                [0xFF, marker::RST0..=marker::RST7, ref behind @ ..]
                    if !matches!(behind, [] | [0xFF])
                        && !behind.first_chunk().is_some_and(|&[first, code]| first == 0xFF && code > 0) =>
                {
                    return None;
                }
                [0xFF, ..] | [] => break,
                [byte, ..] => (byte, 1),
            };
            if count > 0 && byte != value {
                return None;
            }
            (value, count, at) = (byte, count + 1, at + bytes);
        }
        let before = self.data[..start].iter().rev().take_while(|&&byte| byte == value).count();
        Some(Filling { count, before })
    }

    /// Whether there is less than a byte left before the next marker or the end of the data, and only ones.
    #[inline(always)]
    pub(super) fn is_padded(&self) -> bool {
        let mut bits = *self;
        bits.fill();
        let left = bits.count.wrapping_sub(bits.missing);
        bits.missing > 0 && left < 8 && (left == 0 || bits.peek(left) == (1 << left) - 1)
    }

    /// Goes on after the restart marker with this number, which must follow the bits of the last byte.
    pub(super) fn restart(&mut self, number: u32) -> Result<(), JpegError> {
        let start = self.offset();
        let broken = JpegError::broken(start, Fault::Restart);
        let fill = self.data[start..].iter().take_while(|&&byte| byte == 0xFF).count();
        let &code = self.data.get(start + fill).ok_or(JpegError::Truncated)?;
        if fill == 0 || code != marker::RST0 + (number % 8) as u8 {
            return Err(broken);
        }
        *self = Self::new(self.data, start + fill + 1);
        Ok(())
    }
}

/// The highest bit of each byte that is FF.
#[inline(always)]
pub(super) fn ff_bytes(word: usize) -> usize {
    const LOWEST_BITS: usize = usize::MAX / 0xFF;
    const HIGHEST_BITS: usize = LOWEST_BITS << 7;
    ((word & !HIGHEST_BITS) + LOWEST_BITS) & word & HIGHEST_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bits, in pieces of `step`.
    fn read(data: &[u8], step: u32) -> Vec<bool> {
        let (mut bits, mut out) = (Bits::new(data, 0), Vec::new());
        loop {
            bits.fill();
            assert_eq!(bits.position(), out.len());
            let piece = bits.peek(step);
            bits.skip(step);
            if bits.is_behind_end() {
                return out;
            }
            out.extend((0..step).rev().map(|bit| piece >> bit & 1 == 1));
        }
    }

    #[test]
    fn bits_are_those_of_the_bytes_without_stuffing() {
        let bytes: Vec<u8> = (0..400u32).map(|at| if at % 7 == 0 { 0xFF } else { (at * 37) as u8 }).collect();
        let stuffed: Vec<u8> = bytes
            .iter()
            .flat_map(|&byte| [byte, 0])
            .enumerate()
            .filter(|&(at, _)| at % 2 == 0 || bytes[at / 2] == 0xFF)
            .map(|(_, byte)| byte)
            .collect();
        let wanted: Vec<bool> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        for step in 1..=FILLED_BITS {
            let got = read(&stuffed, step);
            assert_eq!(got[..], wanted[..got.len()], "{step} bits at a time");
            assert!(wanted.len() - got.len() < step as usize);
        }
    }

    #[test]
    fn a_marker_ends_the_bits_and_a_restart_goes_on_behind_it() {
        let data = [0x55, 0xFF, 0xFF, marker::RST0 + 3, 0xAA, 0xBB];
        let mut bits = Bits::new(&data, 0);
        bits.fill();
        bits.skip(5);
        assert!(!bits.is_behind_end());
        assert_eq!(bits.offset(), 1);
        let mut other = bits;
        assert!(other.restart(2).is_err(), "the third, not the second");
        bits.restart(11).unwrap();
        bits.fill();
        assert_eq!(bits.peek(16), 0xAABB);
        assert_eq!(Bits::new(&data, 5).restart(0), Err(JpegError::broken(5, Fault::Restart)));
        assert_eq!(Bits::new(&data, 6).restart(0), Err(JpegError::Truncated));
        let mut other = Bits::new(&data, 0);
        other.fill();
        other.skip(9);
        assert!(other.is_behind_end());
    }

    #[test]
    fn exactly_the_bytes_that_are_ff_are_found() {
        for at in 0..size_of::<usize>() {
            for other in [0x00, 0x7F, 0xFE, 0xFF] {
                let mut bytes = [other; size_of::<usize>()];
                bytes[at] = 0xFF;
                let wanted = bytes.map(|byte| if byte == 0xFF { 0x80 } else { 0 });
                assert_eq!(ff_bytes(usize::from_be_bytes(bytes)), usize::from_be_bytes(wanted));
            }
        }
        assert_eq!(ff_bytes(0), 0);
    }
}
