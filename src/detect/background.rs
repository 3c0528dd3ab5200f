//! What each cell shows while nothing happens, and how much that varies.

use super::cells::Scale;

/// Fractions of a level: [`Cell::mean`] and [`Cell::deviation`] are in eighths of a unit.
const EIGHTHS: i32 = 8;

/// What is known of a cell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// The level it usually has.
    mean: u16,
    /// The level that it had before [`Self::mean`]: when an object that stayed leaves, this is what it hid. Whole units.
    other: u16,
    /// The mean absolute deviation.
    deviation: u16,
    /// For how long a foreign level has not changed, in units of [`STILL_UNIT_US`].
    still: u8,
    /// How often it has changed in the last minutes.
    flicker: u8,
}

/// A look of a cell, for [`Cell::learn`].
pub(super) struct Seen {
    pub(super) level: u16,
    /// The level of the last look.
    pub(super) last: u16,
    /// What differs and is not explained by the light, with its sign.
    pub(super) rest: i32,
    pub(super) threshold: i32,
    /// Whether it is part of something.
    pub(super) is_foreground: bool,
}

/// How fast a detector learns at its rate of looks.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Time since the look before, in units of [`STILL_UNIT_US`]; at least one.
    pub(super) still_units: u8,
    /// Whether a second has passed: flicker is forgotten by the second.
    pub(super) is_second: bool,
    /// Differences are halved so often before they are added.
    pub(super) mean_shift: u32,
    pub(super) deviation_shift: u32,
}

/// By so many halvings, what the light explains is followed with each look.
const LIGHT_SHIFT: u32 = 4;

/// The unit of [`Cell::still`].
const STILL_UNIT_US: u64 = 100_000;

/// After so many units, what stays is part of the background: 20 seconds.
const STILL_UNITS: u8 = 200;

/// How much one change adds to [`Cell::flicker`], which falls by one a second.
const FLICKER_STEP: u8 = 8;

/// A threshold is so many mean deviations: 4 are 3.2 standard deviations of normal noise.
const DEVIATIONS: i32 = 4;

/// The least threshold, in fourths of a grey step, and of the quantiser's step.
const FLOOR_GREY: i32 = 10;
const FLOOR_STEPS: i32 = 5;

impl Pace {
    pub(super) fn new(since_us: u64, is_second: bool) -> Self {
        // As fast by the clock, however many looks there are: the shifts are for five a second.
        let faster = match since_us {
            0..70_000 => -2,
            70_000..140_000 => -1,
            140_000..280_000 => 0,
            280_000..560_000 => 1,
            _ => 2,
        };
        Self {
            still_units: (since_us / STILL_UNIT_US).clamp(1, 20) as u8,
            is_second,
            mean_shift: (5i32 - faster) as u32,
            deviation_shift: (5i32 - faster) as u32,
        }
    }
}

impl Cell {
    /// A cell that was seen once.
    pub(super) fn new(level: u16) -> Self {
        Self { mean: level * EIGHTHS as u16, other: level, deviation: 0, still: 0, flicker: 0 }
    }

    pub(super) fn mean(&self) -> i32 {
        i32::from(self.mean / EIGHTHS as u16)
    }

    pub(super) fn flicker(&self) -> u8 {
        self.flicker
    }

    /// The mean deviation, but never less than half a grey step, and a fourth of the quantiser's.
    pub(super) fn noise(&self, step_eighths: u16) -> i32 {
        let grey = Scale::grey_step(self.mean / EIGHTHS as u16);
        let least = grey.max(grey * i32::from(step_eighths) / 16) / 2;
        (i32::from(self.deviation) / EIGHTHS).max(least)
    }

    /// The least difference of `level` that counts, in units of the scale. `noise` is how many times the usual the noise of the whole
    /// picture is, in sixteenths; `step_eighths` the step of the quantiser.
    pub(super) fn threshold(&self, level: u16, noise: i32, step_eighths: u16) -> i32 {
        // Noise is the same in grey steps, and most on the scale where it is darker.
        let grey = Scale::grey_step(level.min(self.mean / EIGHTHS as u16));
        // Nothing here is negative, and a division of what is not takes fewer instructions.
        let floor = (grey * (8 * FLOOR_GREY).max(FLOOR_STEPS * i32::from(step_eighths))) as u32 / 32;
        let varying = (DEVIATIONS * i32::from(self.deviation) * noise) as u32 / (16 * EIGHTHS) as u32;
        let least = floor.max(varying).max(1);
        (least + least * u32::from(self.flicker) / 100) as i32
    }

    /// It has changed, and was as usual before.
    pub(super) fn flickers(&mut self) {
        self.flicker = self.flicker.saturating_add(FLICKER_STEP);
    }

    /// What it shows is what it shows from now on.
    pub(super) fn become_known(&mut self, level: u16) {
        if i32::from(level).abs_diff(self.mean()) > 0 {
            self.other = self.mean / EIGHTHS as u16;
        }
        self.mean = level * EIGHTHS as u16;
        self.still = 0;
    }

    /// Learns fast, while nothing is known. `rest` is what the light does not explain.
    pub(super) fn learn_first(&mut self, level: u16, rest: i32) {
        let difference = i32::from(level) * EIGHTHS - i32::from(self.mean);
        self.mean = (i32::from(self.mean) + difference / 4) as u16;
        self.other = level;
        let deviation = i32::from(self.deviation);
        self.deviation = (deviation + (rest.abs() * EIGHTHS - deviation) / 4).clamp(0, 65_535) as u16;
    }

    pub(super) fn learn(&mut self, seen: &Seen, pace: Pace) {
        if pace.is_second {
            self.flicker = self.flicker.saturating_sub(1);
        }
        let difference = i32::from(seen.level) * EIGHTHS - i32::from(self.mean);
        if seen.is_foreground {
            // The light changes behind it, too: as fast as elsewhere, or what is still explained would not be any more.
            let light = difference - seen.rest * EIGHTHS;
            if light.abs() > seen.threshold * EIGHTHS {
                self.mean = (i32::from(self.mean) + (light >> LIGHT_SHIFT)).clamp(0, 65_535) as u16;
            }
            self.wait(seen, pace);
            return;
        }
        self.still = 0;
        // What the light explains is followed at once, because explanations of large changes are less exact.
        let is_light = difference.abs() > seen.threshold * EIGHTHS && seen.rest.abs() < seen.threshold;
        let shift = if is_light { LIGHT_SHIFT } else { pace.mean_shift };
        self.mean = (i32::from(self.mean) + (difference >> shift)).clamp(0, 65_535) as u16;
        let more = seen.rest.abs() * EIGHTHS - i32::from(self.deviation);
        let shift = if more > 0 { pace.deviation_shift } else { pace.deviation_shift + 1 };
        self.deviation = (i32::from(self.deviation) + (more >> shift)).clamp(0, 65_535) as u16;
    }

    /// Something else is seen. What does not change for long is no object that moves.
    fn wait(&mut self, seen: &Seen, pace: Pace) {
        let has_changed = i32::from(seen.level.abs_diff(seen.last)) > seen.threshold / 2;
        self.still = match has_changed {
            true => self.still.saturating_sub(4 * pace.still_units),
            false => self.still.saturating_add(pace.still_units),
        };
        let is_other = i32::from(seen.level.abs_diff(self.other)) < seen.threshold / 2;
        // What was hidden by something that stayed needs no proof but a second.
        if self.still >= STILL_UNITS || is_other && self.still >= 10 {
            self.become_known(seen.level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: i32 = 50;

    fn seen(level: u16, last: u16, is_foreground: bool) -> Seen {
        Seen { level, last, rest: i32::from(level) - 1000, threshold: THRESHOLD, is_foreground }
    }

    /// Looks at 5 a second until the cell takes `level` as its own.
    fn looks_until_known(cell: &mut Cell, level: u16) -> u32 {
        let pace = Pace::new(200_000, false);
        let mut looks = 0;
        while cell.mean() != i32::from(level) && looks < 1000 {
            let rest = i32::from(level) - cell.mean();
            cell.learn(&Seen { rest, ..seen(level, level, true) }, pace);
            looks += 1;
        }
        looks
    }

    #[test]
    fn what_stays_is_background_within_20_seconds() {
        let mut cell = Cell::new(1000);
        assert_eq!(looks_until_known(&mut cell, 2000), 100);
    }

    #[test]
    fn what_was_hidden_by_what_stayed_is_known_again() {
        let mut cell = Cell::new(1000);
        looks_until_known(&mut cell, 2000);
        assert!(looks_until_known(&mut cell, 1000) <= 5, "within a second");
    }

    #[test]
    fn what_changes_all_the_time_stays_foreground() {
        let (mut cell, pace) = (Cell::new(1000), Pace::new(200_000, false));
        for look in 0..1000 {
            let level = if look % 2 == 0 { 2000 } else { 2200 };
            cell.learn(&seen(level, 4200 - level, true), pace);
        }
        assert_eq!(cell.mean(), 1000);
    }

    #[test]
    fn noise_raises_the_threshold_and_calm_lowers_it() {
        let (mut cell, pace) = (Cell::new(2000), Pace::new(200_000, false));
        let calm = cell.threshold(2000, 16, 8);
        for look in 0..500 {
            let level = if look % 2 == 0 { 1900 } else { 2100 };
            cell.learn(&Seen { rest: 100, ..seen(level, level, false) }, pace);
        }
        assert!(cell.threshold(2000, 16, 8) > 350, "{} {calm}", cell.threshold(2000, 16, 8));
        (0..2000).for_each(|_| cell.learn(&Seen { rest: 0, ..seen(2000, 2000, false) }, pace));
        assert_eq!(cell.threshold(2000, 16, 8), calm);
    }

    #[test]
    fn gain_that_hunts_at_the_start_is_no_noise() {
        let mut cell = Cell::new(2000);
        let calm = cell.threshold(2000, 16, 8);
        (0..10).for_each(|look| cell.learn_first(if look % 2 == 0 { 1700 } else { 2300 }, 0));
        assert!(cell.threshold(2000, 16, 8) < 2 * calm);
    }

    #[test]
    fn flicker_is_forgotten_within_minutes() {
        let mut cell = Cell::new(2000);
        let calm = cell.threshold(2000, 16, 8);
        (0..40).for_each(|_| cell.flickers());
        assert!(cell.threshold(2000, 16, 8) > 3 * calm);
        let calm_look = Seen { rest: 0, ..seen(2000, 2000, false) };
        (0..255).for_each(|_| cell.learn(&calm_look, Pace::new(200_000, true)));
        assert_eq!(cell.threshold(2000, 16, 8), calm);
    }
}
