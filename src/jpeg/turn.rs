//! The eight orientations of a picture: turned by quarters, and mirrored. Blocks are moved, and the signs of some of
//! their coefficients change; nothing is lost.

use super::coefficients::ZIGZAG;
use super::layout::{BlockNumbers, Layout};
use super::read_table::Token;
use crate::media::{Flip, Rotation};

/// One of the eight orientations of a picture: rows and columns may change places, and after that either axis may be
/// mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Whether rows become columns.
    pub(super) transposes: bool,
    /// Whether left and right change places.
    pub(super) mirrors_x: bool,
    /// Whether top and bottom change places.
    pub(super) mirrors_y: bool,
}

impl Turn {
    /// A turn clockwise, then a flip.
    pub fn new(rotation: Rotation, flip: Flip) -> Self {
        let (transposes, mirrors_x, mirrors_y) = match rotation {
            Rotation::None => (false, false, false),
            Rotation::Right => (true, true, false),
            Rotation::Around => (false, true, true),
            Rotation::Left => (true, false, true),
        };
        Self {
            transposes,
            mirrors_x: mirrors_x ^ (flip == Flip::Horizontal),
            mirrors_y: mirrors_y ^ (flip == Flip::Vertical),
        }
    }

    /// Whether everything stays where it is.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        self.transposes
    }

    /// Where a point of the picture as the camera sends it lies after the turn. Both are fractions of width and
    /// height, from the left upper corner. Trimmed pixels are not taken into account.
    pub fn turned_point(self, (x, y): (f32, f32)) -> (f32, f32) {
        let (x, y) = if self.transposes { (y, x) } else { (x, y) };
        (if self.mirrors_x { 1.0 - x } else { x }, if self.mirrors_y { 1.0 - y } else { y })
    }

    /// Where a point of the turned picture lies in the picture as the camera sends it: the opposite of
    /// [`Self::turned_point`].
    pub fn original_point(self, (x, y): (f32, f32)) -> (f32, f32) {
        let x = if self.mirrors_x { 1.0 - x } else { x };
        let y = if self.mirrors_y { 1.0 - y } else { y };
        if self.transposes { (y, x) } else { (x, y) }
    }
}

/// For each place of a picture of layout `to`, the number of the block of a picture of layout `from` that a turn puts
/// there.
pub(super) fn moved(turn: Turn, from: &Layout, to: &Layout) -> BlockNumbers {
    let place = |at: usize, length: usize, mirrors: bool| if mirrors { length - 1 - at } else { at };
    let column = |component: usize, x: usize| {
        let x = place(x, to.padded_across(component), turn.mirrors_x);
        if turn.transposes { from.row(component, x) } else { from.column(component, x) }
    };
    let row = |component: usize, y: usize| {
        let y = place(y, to.padded_down(component), turn.mirrors_y);
        if turn.transposes { from.column(component, y) } else { from.row(component, y) }
    };
    BlockNumbers::new(to, column, row)
}

/// What a turn does to the coefficients of a block.
#[derive(Clone, Debug)]
pub(super) struct BlockTurn {
    transposes: bool,
    /// By place in the zigzag after the turn: 0, or -1 if the sign changes.
    signs: [i32; 64],
    /// By place in the zigzag: the place after the turn.
    places: [u8; 64],
}

impl BlockTurn {
    pub(super) fn new(turn: Turn) -> Self {
        let mut block = Self { transposes: turn.transposes, signs: [0; 64], places: [0; 64] };
        for (place, &natural) in ZIGZAG.iter().enumerate() {
            // Mirrored, a cosine of odd frequency changes its sign.
            let changes = (turn.mirrors_x && natural % 2 == 1) ^ (turn.mirrors_y && natural / 8 % 2 == 1);
            block.signs[place] = if changes { -1 } else { 0 };
            block.places[place] = if turn.transposes { transposed(place) } else { place as u8 };
        }
        block
    }

    /// Turns the AC coefficients of a block; `room` takes them if they get another order.
    #[inline(always)]
    pub(super) fn turned<'r>(
        &'r self,
        tokens: &'r [Token],
        room: &'r mut [Token; 64],
    ) -> impl Iterator<Item = Token> + 'r {
        let tokens = if self.transposes { self.sorted(tokens, room) } else { tokens };
        tokens.iter().map(|&token| {
            let sign = self.signs[(token & 63) as usize];
            ((((token as i32 >> 16) ^ sign) - sign) as u32) << 16 | token & 63
        })
    }

    /// The tokens with their new places, in the order of those.
    #[inline(always)]
    fn sorted<'r>(&self, tokens: &[Token], room: &'r mut [Token; 64]) -> &'r [Token] {
        let count = tokens.len().min(63);
        for (end, &token) in tokens[..count].iter().enumerate() {
            let token = token & 0xFFFF_0000 | u32::from(self.places[(token & 63) as usize]);
            // Places move within a diagonal only, so few of those before come after this one.
            let mut at = end;
            while at > 0 && room[at - 1] & 63 > token & 63 {
                room[at] = room[at - 1];
                at -= 1;
            }
            room[at] = token;
        }
        &room[..count]
    }
}

/// The place in the zigzag of the coefficient whose frequencies are those of this one with both exchanged.
pub(super) fn transposed(place: usize) -> u8 {
    let natural = ZIGZAG[place];
    let other = natural % 8 * 8 + natural / 8;
    ZIGZAG.iter().position(|&found| found == other).unwrap_or(0) as u8
}
