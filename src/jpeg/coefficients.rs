//! All coefficients of a picture, without those that are zero.

use super::bits::Bits;
use super::error::JpegError;
use super::header::{Header, Limits};
use super::layout::Layout;
use super::read::{Read, Sink, Tables};
use super::read_table::{AcTable, Token};
use super::room::MayHold;

/// The quantised coefficients of one picture, or of one band of it. Its memory is kept for the next one.
///
/// Most coefficients are zero and are left out, which takes a fifth of the memory that all of them would.
#[derive(Default)]
pub struct Coefficients {
    pub(super) layout: Layout,
    /// By a block's number in the layout.
    pub(super) blocks: Vec<Block>,
    /// The AC coefficients of all blocks that are not zero. Those behind `used` are left over.
    tokens: Vec<Token>,
    used: usize,
    /// How many pictures were read since memory was given up last, and the most tokens of one.
    pictures: u32,
    most: usize,
}

/// One block of 8 x 8 coefficients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    /// Where its AC coefficients begin.
    start: u32,
    /// The DC coefficient, not its difference.
    pub(super) dc: i16,
    /// How many AC coefficients there are.
    count: u8,
}

/// A block is given place for this many tokens.
const BLOCK_TOKENS: usize = 64;

/// Place for so many tokens is taken at first.
const TOKENS_MIN: usize = 1 << 14;

/// After so many pictures it is seen whether there is place for far too many tokens.
const PICTURES_WATCHED: u32 = 64;

/// Most tokens of a block.
const TOKENS_MAX: usize = 63;

impl Coefficients {
    /// The AC coefficients of a block that are not zero, in the order of the zigzag.
    #[inline(always)]
    pub(super) fn tokens(&self, block: &Block) -> &[Token] {
        &self.tokens[block.start as usize..][..block.count.into()]
    }

    /// The coefficients of a component's block, row by row: 64 values, first those of the lowest vertical frequency.
    ///
    /// # Panics
    /// When the picture has no such block.
    pub fn block(&self, component: usize, column: usize, row: usize) -> [i16; 64] {
        let block = &self.blocks[self.layout.column(component, column) + self.layout.row(component, row)];
        let mut values = [0; 64];
        values[0] = block.dc;
        for token in self.tokens(block) {
            values[usize::from(ZIGZAG[(token & 63) as usize])] = (token >> 16) as i16;
        }
        values
    }

    /// For each component, how many columns and rows of blocks it has, without those that show nothing.
    pub fn planes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.layout.planes().iter().map(|plane| (plane.blocks_across, plane.blocks_down))
    }

    /// Reads the coefficients of all scans up to place `last` of the zigzag; the others become zero. `may_hold` is asked
    /// before there are more of them than before.
    pub(super) fn read(
        &mut self,
        jpeg: &[u8],
        header: &mut Header,
        tables: &mut Tables,
        last: u32,
        may_hold: &mut MayHold<'_>,
    ) -> Result<(), JpegError> {
        let rows = header.layout.units_down;
        self.read_bands(jpeg, header, tables, (last, rows), may_hold, &mut |_| ())
    }

    /// The same band by band, each of at most `rows` rows of units: `take` gets one as soon as it is read, with the
    /// layout of the band, and the next one takes its place. A picture of several scans is one band.
    pub(super) fn read_bands(
        &mut self,
        jpeg: &[u8],
        header: &mut Header,
        tables: &mut Tables,
        (last, rows): (u32, usize),
        may_hold: &mut MayHold<'_>,
        take: &mut dyn FnMut(&Self),
    ) -> Result<(), JpegError> {
        let (whole, is_padded) = (header.layout, header.is_whole_in_one_scan());
        let rows = if is_padded { rows } else { whole.units_down };
        self.layout = whole.band(0, rows);
        self.used = 0;
        self.prepare(self.layout.blocks(), may_hold)?;
        let components = header.components().len();
        let mut store =
            Store { to: self, last, may_hold, is_full: false, whole, first: 0, first_row: 0, take };
        let read = tables.read(jpeg, header, components, &mut store);
        if store.is_full {
            self.give_up(may_hold);
            return Err(JpegError::NoMemory);
        }
        read?;
        (self.pictures, self.most) = (self.pictures + 1, self.most.max(self.used));
        if !is_padded {
            self.pad();
        }
        take(self);
        Ok(())
    }

    /// Bytes of memory that are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes_with(self.tokens.len())
    }

    fn bytes_with(&self, tokens: usize) -> usize {
        self.blocks.capacity() * size_of::<Block>() + tokens * size_of::<Token>()
    }

    /// Makes room for so many blocks, and gives up memory that pictures like the last ones do not need.
    fn prepare(&mut self, blocks: usize, may_hold: &mut MayHold<'_>) -> Result<(), JpegError> {
        let has_many = self.tokens.len() > 4 * self.most.max(TOKENS_MIN);
        if self.pictures >= PICTURES_WATCHED {
            (self.pictures, self.most) = (0, 0);
            if has_many {
                self.give_up(may_hold);
            }
        }
        let held = self.blocks.capacity();
        if blocks > held || blocks < held / 2 {
            self.give_up(may_hold);
            if !may_hold(blocks * size_of::<Block>()) {
                return Err(JpegError::NoMemory);
            }
            self.blocks.reserve_exact(blocks);
        }
        self.blocks.clear();
        self.blocks.resize(blocks, Block::default());
        Ok(())
    }

    /// Makes room for more tokens; false if there is no memory for them.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, may_hold: &mut MayHold<'_>) -> bool {
        let most = TOKENS_MAX * self.blocks.len() + BLOCK_TOKENS;
        let length = (2 * self.tokens.len()).max(TOKENS_MIN).min(most);
        let may_grow = may_hold(self.bytes_with(length));
        if may_grow {
            self.tokens.reserve_exact(length - self.tokens.len());
            self.tokens.resize(length, 0);
        }
        may_grow
    }

    /// Gives up all memory.
    fn give_up(&mut self, may_hold: &mut MayHold<'_>) {
        (self.blocks, self.tokens) = (Vec::new(), Vec::new());
        may_hold(0);
    }

    /// Gives the blocks at the edges that show nothing the DC of the last one that does: a scan of one component has
    /// none of them (section A.2.2), and they cost least if they repeat it.
    fn pad(&mut self) {
        let layout = self.layout;
        for (component, plane) in layout.planes().iter().enumerate() {
            for row in 0..layout.padded_down(component) {
                for column in 0..layout.padded_across(component) {
                    let shown = (column.min(plane.blocks_across - 1), row.min(plane.blocks_down - 1));
                    if shown != (column, row) {
                        let number =
                            |column, row| layout.column(component, column) + layout.row(component, row);
                        let dc = self.blocks[number(shown.0, shown.1)].dc;
                        self.blocks[number(column, row)] = Block { dc, ..Block::default() };
                    }
                }
            }
        }
    }
}

/// Stores blocks with their coefficients up to place `last` of the zigzag.
struct Store<'c, 'm> {
    to: &'c mut Coefficients,
    last: u32,
    may_hold: &'c mut MayHold<'m>,
    /// Whether there was no memory for more tokens.
    is_full: bool,
    whole: Layout,
    /// The number of the band's first block in the whole picture, and of its first row of units.
    first: usize,
    first_row: usize,
    take: &'c mut dyn FnMut(&Coefficients),
}

impl Store<'_, '_> {
    /// Hands a band over that is complete, and begins the next one.
    #[cold]
    #[inline(never)]
    fn next_band(&mut self) {
        (self.take)(self.to);
        self.first += self.to.blocks.len();
        self.first_row += self.to.layout.units_down;
        self.to.most = self.to.most.max(std::mem::take(&mut self.to.used));
        self.to.layout = self.whole.band(self.first_row, self.to.layout.units_down);
        self.to.blocks.truncate(self.to.layout.blocks());
    }
}

impl<'d> Sink<'d> for Store<'_, '_> {
    #[inline(always)]
    fn block(&mut self, read: Read<'d>, bits: &mut Bits<'d>, table: &AcTable) -> Option<()> {
        if read.number - self.first >= self.to.blocks.len() {
            self.next_band();
        }
        let used = self.to.used;
        if used + BLOCK_TOKENS > self.to.tokens.len() {
            self.is_full = !self.to.grow(self.may_hold);
        }
        // None after it could not grow.
        let place = self.to.tokens[used..].first_chunk_mut::<BLOCK_TOKENS>()?;
        let count = table.take(bits, self.last, place)?;
        let block = Block { start: used as u32, dc: read.dc as i16, count: count as u8 };
        *self.to.blocks.get_mut(read.number - self.first)? = block;
        self.to.used = used + count;
        Some(())
    }
}

/// The place in a block, row by row, of each coefficient of the zigzag (section A.3.6).
#[rustfmt::skip]
pub(super) const ZIGZAG: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Reads all coefficients, one frame after another. Its memory is kept for the next frame.
#[derive(Default)]
pub struct Reader {
    tables: Tables,
    coefficients: Coefficients,
}

impl Reader {
    /// A reader without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the coefficients of the JPEG at the start of `jpeg`.
    ///
    /// # Errors
    /// When `jpeg` cannot be read as coefficients, is damaged, or is larger than `limits` allow.
    pub fn read(&mut self, jpeg: &[u8], limits: Limits) -> Result<&Coefficients, JpegError> {
        let mut header = Header::parse(jpeg, limits)?;
        self.coefficients.read(jpeg, &mut header, &mut self.tables, 63, &mut |_| true)?;
        Ok(&self.coefficients)
    }
}
