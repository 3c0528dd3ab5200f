//! How noisy a look is as a whole, compared with what its cells are used to.

/// How much of the picture is how much noisier than usual.
#[derive(Default)]
pub(super) struct Noise {
    cells: u32,
    /// Cells of which more is left than so many times the deviation, in [`Noise::TIMES`].
    above: [u32; 5],
}

impl Noise {
    /// In halves of the deviation.
    const TIMES: [i32; 5] = [2, 3, 4, 6, 8];

    /// Adds a cell: what the light leaves of its difference, and its mean deviation.
    pub(super) fn add(&mut self, rest: i32, deviation: i32) {
        self.cells += 1;
        for (times, above) in Self::TIMES.into_iter().zip(&mut self.above) {
            if 2 * rest <= times * deviation {
                break;
            }
            *above += 1;
        }
    }

    /// How many times the usual the noise is, in sixteenths. Half of normal noise is more than 0.84 mean deviations.
    pub(super) fn times(&self) -> i32 {
        let most = Self::TIMES.into_iter().zip(self.above).rev().find(|&(_, above)| 2 * above > self.cells);
        most.map_or(16, |(times, _)| 8 * times * 19 / 16)
    }
}
