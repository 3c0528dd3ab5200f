//! Writes entropy-coded data: a zero after each FF, and ones up to a restart marker (ITU-T T.81, section F.1.2.3).

use super::bits::{Bits, FILLED_BITS, ff_bytes};
use super::huffman::WriteTable;
use super::marker;
use super::read_table::Token;
use super::room::MayHold;

/// Bits that are held at a time: those of a register.
const HELD_BITS: u32 = usize::BITS;

const WORD_BYTES: usize = size_of::<usize>();

/// Most bits that are put at a time. All of a register could not be shifted.
const PUT_BITS_MAX: u32 = 31;

/// Bits that are copied at a time.
const COPIED_BITS: usize = if FILLED_BITS < PUT_BITS_MAX { FILLED_BITS } else { PUT_BITS_MAX } as usize;

/// Most bytes of a block, with those that are held and the zeros after each FF: 64 codes of 32 bits.
const BLOCK_BYTES_MAX: usize = 2 * (64 * 4 + 2 * WORD_BYTES);

/// Appends to a buffer.
pub(super) struct BitWriter<'o> {
    out: &'o mut Vec<u8>,
    /// Where the first byte went.
    start: usize,
    /// Asked before the buffer grows, for its whole size.
    may_hold: &'o mut MayHold<'o>,
    /// Whether it may not. What was written has no meaning then.
    is_full: bool,
    /// Where the next byte goes. Behind it the buffer has room.
    at: usize,
    /// The last bits of this that were not yet written; those above have no meaning.
    held: usize,
    /// How many more bits can be held.
    free: u32,
}

impl<'o> BitWriter<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, may_hold: &'o mut MayHold<'o>) -> Self {
        let start = out.len();
        Self { out, start, may_hold, is_full: false, at: start, held: 0, free: HELD_BITS }
    }

    /// Makes room for a block.
    #[inline(always)]
    fn make_room(&mut self) {
        let is_short = self.out.len() - self.at < BLOCK_BYTES_MAX;
        if is_short && (self.is_full || !grow(self.out, self.start, self.may_hold)) {
            (self.at, self.is_full) = (self.start, true);
        }
    }

    /// Puts `count` bits, at most [`PUT_BITS_MAX`], for which there is room. The others of `bits` must be zero.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        if count <= self.free {
            self.held = shifted(self.held, count) | bits as usize;
            self.free -= count;
            return;
        }
        let behind = count - self.free;
        let word = shifted(self.held, self.free) | (bits >> behind) as usize;
        self.at = put_word(self.out, self.at, word);
        self.held = bits as usize;
        self.free = HELD_BITS - behind;
    }

    /// Puts a block: the difference of its DC coefficient, and its AC coefficients. False if a symbol has no code;
    /// what was put has no meaning then.
    #[inline(always)]
    pub(super) fn put_block(
        &mut self,
        difference: i32,
        tokens: impl Iterator<Item = Token>,
        dc: &WriteTable,
        ac: &WriteTable,
    ) -> bool {
        let mut is_good = self.put_dc(difference, dc);
        let mut next = 1;
        for token in tokens {
            let place = token & 63;
            let mut run = place - next;
            while run > 15 {
                is_good &= self.put_symbol(0xF0, 0, ac);
                run -= 16;
            }
            let (size, extra) = size_and_extra(token as i32 >> 16);
            is_good &= self.put_symbol((run << 4 | size) as u8, extra, ac);
            next = place + 1;
        }
        if next < 64 {
            is_good &= self.put_symbol(0, 0, ac);
        }
        is_good
    }

    /// Puts the difference of a DC coefficient, and makes room for a block; false if it has no code.
    #[inline(always)]
    pub(super) fn put_dc(&mut self, difference: i32, table: &WriteTable) -> bool {
        self.make_room();
        let (size, extra) = size_and_extra(difference);
        self.put_symbol(size as u8, extra, table)
    }

    #[inline(always)]
    fn put_symbol(&mut self, symbol: u8, extra: u32, table: &WriteTable) -> bool {
        let (code, count) = table.code(symbol);
        self.put(code | extra, count);
        count > 0
    }

    /// Copies `count` bits that begin at `from`.
    pub(super) fn copy(&mut self, mut from: Bits<'_>, mut count: usize) {
        while count > 0 {
            self.make_room();
            let piece = count.min(COPIED_BITS) as u32;
            from.fill();
            self.put(from.peek(piece), piece);
            from.skip(piece);
            count -= piece as usize;
        }
    }

    /// Ends a restart interval, and puts the marker with this number.
    pub(super) fn restart(&mut self, number: u32) {
        self.end();
        self.make_room();
        self.out[self.at..][..2].copy_from_slice(&[0xFF, marker::RST0 + (number % 8) as u8]);
        self.at += 2;
    }

    /// Fills the last byte with ones.
    fn end(&mut self) {
        self.make_room();
        let count = HELD_BITS - self.free;
        let ones = count.wrapping_neg() % 8;
        self.put((1 << ones) - 1, ones);
        let bytes = (HELD_BITS - self.free) / 8;
        for byte in (0..bytes).rev() {
            let byte = (self.held >> (8 * byte)) as u8;
            self.out[self.at] = byte;
            self.at += 1;
            if byte == 0xFF {
                self.out[self.at] = 0;
                self.at += 1;
            }
        }
        (self.held, self.free) = (0, HELD_BITS);
    }

    /// Ends the scan and the picture; false if there was no memory for it, and what was written has no meaning.
    pub(super) fn finish(mut self) -> bool {
        self.end();
        self.out.truncate(self.at);
        self.out.extend_from_slice(&[0xFF, marker::EOI]);
        !self.is_full
    }
}

/// How many extra bits a value has, and which (ITU-T T.81, section F.1.2.1).
#[inline(always)]
fn size_and_extra(value: i32) -> (u32, u32) {
    let sign = value >> 31;
    let size = 32 - ((value ^ sign) - sign).leading_zeros();
    (size, (value + sign) as u32 & ((1 << size) - 1))
}

/// Shifts by up to all bits.
#[inline(always)]
fn shifted(held: usize, count: u32) -> usize {
    if HELD_BITS == 64 { held << (count & 63) } else { held.checked_shl(count).unwrap_or(0) }
}

/// Puts a word at `at`, where there is room; returns where the next one goes.
#[inline(always)]
fn put_word(out: &mut [u8], at: usize, word: usize) -> usize {
    let ffs = ff_bytes(word);
    if ffs & ffs.wrapping_sub(1) != 0 {
        return put_bytes(out, at, word);
    }
    let place = &mut out[at..][..2 * WORD_BYTES];
    place[..WORD_BYTES].copy_from_slice(&word.to_be_bytes());
    if ffs == 0 {
        return at + WORD_BYTES;
    }
    // What is behind the FF once more, with a zero between.
    let behind = (ffs.leading_zeros() / 8) as usize % WORD_BYTES + 1;
    place[behind..][..WORD_BYTES].copy_from_slice(&(word << (8 * (behind - 1)) << 8 >> 8).to_be_bytes());
    at + WORD_BYTES + 1
}

#[cold]
#[inline(never)]
fn put_bytes(out: &mut [u8], mut at: usize, word: usize) -> usize {
    for byte in word.to_be_bytes() {
        out[at] = byte;
        at += 1;
        if byte == 0xFF {
            out[at] = 0;
            at += 1;
        }
    }
    at
}

/// Makes room for more blocks; returns false if there is no memory for them. Then there is room at `start` for one.
#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, start: usize, may_hold: &mut MayHold<'_>) -> bool {
    let length = out.len().max(1 << 13) + out.len() / 2 + BLOCK_BYTES_MAX;
    let is_allowed = length <= out.capacity() || may_hold(length);
    let more = if is_allowed { length } else { start + BLOCK_BYTES_MAX }.saturating_sub(out.len());
    out.reserve_exact(more);
    out.resize(out.len() + more, 0);
    is_allowed
}
