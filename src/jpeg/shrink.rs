//! Smaller pictures from coefficients: some blocks become one block.
//!
//! Each pixel is the mean of some pixels of the larger picture, but no pixels are computed. The mean of neighbours turns a
//! cosine into one of n lower frequencies, so 8 x 8 coefficients are folded to n x n. Then neighbouring blocks are joined:
//! of the 2n coefficients of two blocks with n, the even ones are sums of theirs, and the odd ones follow from a small
//! matrix. This is repeated until there are 8, along columns and then along rows.

use super::coefficients::{Coefficients, ZIGZAG};
use super::header::Quantization;
use super::layout::BlockNumbers;
use super::read_table::Token;
use crate::media::Scale;

/// The last place of the zigzag that is needed for a scale.
pub(super) fn last_place(scale: Scale) -> u32 {
    if scale == Scale::Eighth { 0 } else { 63 }
}

/// Rows of 8 values, each for a column.
type Rows = [[f32; 8]; 8];

/// Makes blocks of one component.
pub(super) struct BlockShrinker {
    /// Blocks along each side that become one.
    blocks: usize,
    /// Coefficients along each side of a block that are left.
    kept: usize,
    /// By place in the zigzag: what a coefficient is added to, as a place in eight rows of eight, and what it is
    /// multiplied by; that is zero for those that are left out.
    folds: [(u8, f32); 64],
    /// What the new coefficients are multiplied by, column by column.
    shares: [f32; 64],
    one: [[f32; 1]; 1],
    two: [[f32; 2]; 2],
    four: [[f32; 4]; 4],
}

/// By place in the zigzag: the place column by column.
const COLUMNS: [u8; 64] = {
    let mut places = [0; 64];
    let mut place = 0;
    while place < 64 {
        places[place] = ZIGZAG[place] % 8 * 8 + ZIGZAG[place] / 8;
        place += 1;
    }
    places
};

/// Column by column: the place in the zigzag.
const PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut place = 0;
    while place < 64 {
        places[COLUMNS[place] as usize] = place as u8;
        place += 1;
    }
    places
};

/// The largest coefficient of a picture of 8 bits.
const VALUE_MAX: f32 = 1023.0;

impl BlockShrinker {
    /// For a component whose quantization changes, too. `scale` is not [`Scale::Whole`].
    pub(super) fn new(scale: Scale, from: &Quantization, to: &Quantization) -> Self {
        let blocks = scale.divisor() as usize;
        let kept = 8 / blocks;
        // Each join multiplies by the root of a half along either axis; and the transform of n values by the root of
        // n/8.
        let joins = blocks.trailing_zeros();
        let scale = kept as f32 / 8.0 / (1 << joins) as f32;
        let folds: [_; 8] = std::array::from_fn(|frequency| folded(frequency, kept));
        Self {
            blocks,
            kept,
            folds: std::array::from_fn(|place| {
                let natural = usize::from(ZIGZAG[place]);
                let ((row, down), (column, across)) = (folds[natural / 8], folds[natural % 8]);
                ((8 * row + column) as u8, scale * down * across * f32::from(from[place]))
            }),
            shares: std::array::from_fn(|at| 1.0 / f32::from(to[usize::from(PLACES[at])])),
            one: odd_rows(),
            two: odd_rows(),
            four: odd_rows(),
        }
    }

    /// The block at `column` and `row` of the smaller picture: its DC coefficient, and its AC coefficients in `room`.
    pub(super) fn block<'r>(
        &self,
        (coefficients, numbers): (&Coefficients, &BlockNumbers),
        component: usize,
        (column, row): (usize, usize),
        room: &'r mut [Token; 64],
    ) -> (i32, &'r [Token]) {
        let mut rows =
            self.gather((coefficients, numbers), component, column * self.blocks, row * self.blocks);
        self.join(&mut rows);
        let mut columns = transposed(&rows);
        self.join(&mut columns);
        let mut values = [0i32; 64];
        for ((value, &coefficient), &share) in values.iter_mut().zip(columns.as_flattened()).zip(&self.shares)
        {
            *value = rounded((coefficient * share).clamp(-VALUE_MAX, VALUE_MAX));
        }
        // One bit for each place of the zigzag.
        let mut found = 0u64;
        for (four, places) in values.as_chunks::<4>().0.iter().zip(PLACES.as_chunks::<4>().0) {
            if four[0] | four[1] | four[2] | four[3] != 0 {
                for (&value, &place) in four.iter().zip(places) {
                    found |= u64::from(value != 0) << place;
                }
            }
        }
        let (mut left, mut count) = (found & !1, 0);
        while left != 0 {
            let place = left.trailing_zeros();
            room[count & 63] = (values[usize::from(COLUMNS[place as usize]) & 63] as u32) << 16 | place;
            (left, count) = (left & (left - 1), count + 1);
        }
        (values[0], &room[..count])
    }

    /// The lowest coefficients of all blocks beside each other. A block past the edge shows the last one's mean.
    fn gather(
        &self,
        (coefficients, numbers): (&Coefficients, &BlockNumbers),
        component: usize,
        left: usize,
        top: usize,
    ) -> Rows {
        let plane = &coefficients.layout.planes()[component];
        let mut rows = [0.0; 64];
        for down in 0..self.blocks {
            let row = (top + down).min(plane.blocks_down - 1);
            for across in 0..self.blocks {
                let column = (left + across).min(plane.blocks_across - 1);
                let block = &coefficients.blocks[numbers.get(component, column, row)];
                let first = 8 * down * self.kept + across * self.kept;
                rows[first & 63] = f32::from(block.dc) * self.folds[0].1;
                if (column, row) != (left + across, top + down) {
                    continue;
                }
                for token in coefficients.tokens(block) {
                    let (place, factor) = self.folds[(token & 63) as usize];
                    rows[(first + usize::from(place)) & 63] += (*token as i32 >> 16) as f32 * factor;
                }
            }
        }
        std::array::from_fn(|row| std::array::from_fn(|column| rows[8 * row + column]))
    }

    /// Joins the blocks that are below each other.
    #[inline(always)]
    fn join(&self, rows: &mut Rows) {
        if self.kept == 1 {
            (0..8).step_by(2).for_each(|first| join_two(rows, first, &self.one));
        }
        if self.kept <= 2 {
            (0..8).step_by(4).for_each(|first| join_two(rows, first, &self.two));
        }
        join_two(rows, 0, &self.four);
    }
}

/// Joins N rows from `first` on with the N after them, without the root of a half.
#[inline(always)]
fn join_two<const N: usize>(rows: &mut Rows, first: usize, odd: &[[f32; N]; N]) {
    let (mut sums, mut differences) = ([[0.0; 8]; N], [[0.0; 8]; N]);
    for row in 0..N {
        for column in 0..8 {
            let (one, other) = (rows[first + row][column], rows[first + N + row][column]);
            // The other one is mirrored: its cosines of odd frequency change their signs.
            let other = if row % 2 == 0 { other } else { -other };
            sums[row][column] = one + other;
            differences[row][column] = one - other;
        }
    }
    for row in 0..N {
        rows[first + 2 * row] = sums[row];
        let mut out = [0.0; 8];
        for (factor, difference) in odd[row].iter().zip(&differences) {
            for (value, &difference) in out.iter_mut().zip(difference) {
                *value += factor * difference;
            }
        }
        rows[first + 2 * row + 1] = out;
    }
}

/// The lower frequency, of `kept`, to which the mean of 8 / `kept` neighbours turns a cosine of a frequency, and how much
/// of it is left.
fn folded(frequency: usize, kept: usize) -> (usize, f32) {
    let angle = |product: usize, halves: usize| (product as f64 * std::f64::consts::PI / halves as f64).cos();
    let each = 8 / kept;
    let mean = |group: usize| -> f64 {
        let all = (group * each..(group + 1) * each).map(|at| angle((2 * at + 1) * frequency, 16));
        all.sum::<f64>() / each as f64
    };
    let share = |lower: usize| -> f64 {
        let scale = if lower == 0 { 1.0 } else { 2.0 } / kept as f64;
        scale * (0..kept).map(|group| mean(group) * angle((2 * group + 1) * lower, 2 * kept)).sum::<f64>()
    };
    let shares = (0..kept).map(|lower| (lower, share(lower)));
    let (lower, share) =
        shares.max_by(|one, other| one.1.abs().total_cmp(&other.1.abs())).unwrap_or((0, 0.0));
    // Rounding leaves a little of what is nothing.
    (lower, if share.abs() < 1e-9 { 0.0 } else { share as f32 })
}

/// How the odd coefficients of 2N follow from N differences, without the root of a half: the inverse transform of N
/// values, and the odd rows of the forward transform of 2N.
fn odd_rows<const N: usize>() -> [[f32; N]; N] {
    let angle = |product: usize, halves: usize| (product as f64 * std::f64::consts::PI / halves as f64).cos();
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let scale = if column == 0 { 1.0 / N as f64 } else { 2.0 / N as f64 };
            // Both transforms have a root of 2/N or 1/N; that of 2N values has one of 1/N.
            let scale = scale.sqrt() * (1.0 / N as f64).sqrt() * 2.0f64.sqrt();
            let sum: f64 = (0..N)
                .map(|at| angle((2 * at + 1) * (2 * row + 1), 4 * N) * angle((2 * at + 1) * column, 2 * N))
                .sum();
            (scale * sum) as f32
        })
    })
}

#[inline(always)]
fn transposed(rows: &Rows) -> Rows {
    std::array::from_fn(|row| std::array::from_fn(|column| rows[column][row]))
}

/// The nearest whole number of a small one. Adding 1.5 x 2^23 leaves no bits behind the point.
#[inline(always)]
fn rounded(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits() as i32 - SHIFT.to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for (value, wanted) in [(0.4, 0), (0.6, 1), (-0.6, -1), (-1023.0, -1023), (1022.7, 1023), (-0.4, 0)] {
            assert_eq!(rounded(value), wanted, "{value}");
        }
    }
}
