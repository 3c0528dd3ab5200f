//! Random numbers that a seed repeats.

/// A generator (xorshift).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for a seed and what it is for.
    pub fn new(seed: u64, salt: u64) -> Self {
        let mixed = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xBF58_476D_1CE4_E5B9)) | 1;
        let mut random = Self(mixed);
        (0..8).for_each(|_| {
            random.next();
        });
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f32 {
        (self.next() & 0xFF_FFFF) as f32 / 16_777_216.0
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }

    /// True with a probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.share() < probability
    }
}

/// Smooth noise from -1 to 1 over the plane, for a seed: values on a lattice of points that are one apart.
pub fn smooth(seed: u64, x: f32, y: f32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let (across, down) = (x - column, y - row);
    let ease = |part: f32| part * part * (3.0 - 2.0 * part);
    let at = |dx: i64, dy: i64| {
        let mut mixed = (column as i64 + dx) as u64 ^ ((row as i64 + dy) as u64) << 24 ^ seed << 40;
        mixed = (mixed ^ mixed >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let (across, down) = (ease(across), ease(down));
    let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * across;
    let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * across;
    upper + (lower - upper) * down
}
