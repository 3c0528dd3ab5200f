//! Whether the steps from cell to cell of a part of the picture are those of the background: then only its light is another.

use super::cells::OCTAVE;

/// So many steps say enough.
const STEPS_MIN: u32 = 6;

/// A background with steps of this size in the mean has edges that light would show.
const CLEAR: i64 = (OCTAVE / 16) as i64;

/// How much two series of steps go together.
#[derive(Clone, Copy, Default)]
pub(super) struct Alike {
    count: u32,
    products: i64,
    squares: i64,
    other_squares: i64,
}

impl Alike {
    /// Adds a step of one, and of the other.
    pub(super) fn add(&mut self, step: i32, other: i32) {
        self.count += 1;
        self.products += i64::from(step * other);
        self.squares += i64::from(step * step);
        self.other_squares += i64::from(other * other);
    }

    /// Both together.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self {
            count: self.count + other.count,
            products: self.products + other.products,
            squares: self.squares + other.squares,
            other_squares: self.other_squares + other.other_squares,
        }
    }

    /// Whether there were enough steps to say anything.
    pub(super) fn has_enough(&self) -> bool {
        self.count >= STEPS_MIN
    }

    /// Whether their correlation is at least one half: it is more for nearly all light, even with noise, and less for nearly
    /// all people.
    pub(super) fn is_so(&self) -> bool {
        // Exactly: of a background without texture the sums are small.
        let [products, squares, other_squares] =
            [self.products, self.squares, self.other_squares].map(i128::from);
        products > 0 && 4 * products * products >= squares * other_squares
    }

    /// Whether the other steps miss what the first ones clearly have, and are no larger: a thing hides them. Light over a
    /// background keeps its steps, and a beam adds larger ones of its own.
    pub(super) fn is_hidden(&self) -> bool {
        let is_clear = self.squares >= i64::from(self.count) * CLEAR * CLEAR;
        let [products, squares, other_squares] =
            [self.products, self.squares, self.other_squares].map(i128::from);
        let is_other = products <= 0 || 16 * products * products < squares * other_squares;
        self.has_enough() && is_clear && other_squares <= squares && is_other
    }
}
