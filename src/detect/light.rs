//! What a change of the light explains: of the whole picture (clouds, lamps, automatic gain), of rows (lamps on mains
//! current), and of parts with soft edges.
//!
//! On a logarithmic scale, more light is a step. A line of the background's level tells the step for the whole picture:
//! the medians of its dark half and of its bright half lie on it, so that less than half of the picture, however it
//! changes, moves it little.

use super::background::Cell;
use super::cells::{Grid, OCTAVE, Scale};

/// A step may be off by one part in so many.
const INEXACT: i32 = 8;

/// By so much, the light of a tile has changed: at all, and by far.
pub(super) const CHANGED: u16 = 80;
pub(super) const CHANGED_FAR: u16 = 300;

/// Cells of a tile, each way.
const TILE: usize = 8;

/// The steps that explain the differences of one look.
#[derive(Default)]
pub(super) struct Light {
    /// The step at the level `pivot`, and how much it grows by the level, in 1024ths.
    offset: i32,
    slope: i32,
    pivot: i32,
    /// The largest and the least step.
    bounds: (i32, i32),
    /// Medians of what is left, by tiles and by rows; empty while the light is steady.
    tiles: Vec<i16>,
    /// Those of the last look.
    last_tiles: Vec<i16>,
    rows: Vec<i16>,
    tiles_across: usize,
    /// What is left of each cell's difference.
    left: Vec<i16>,
    /// From the last look to this one.
    pub(super) since_last: i32,
}

/// What is looked at.
pub(super) struct View<'v> {
    pub(super) grid: Grid,
    pub(super) levels: &'v [u16],
    pub(super) last: &'v [u16],
    pub(super) cells: &'v [Cell],
    /// Levels beyond which the sensor may have cut off.
    pub(super) black: u16,
    pub(super) white: u16,
    pub(super) step_eighths: u16,
}

/// Counts of differences, from -2 octaves on, in sixteen units each.
struct Differences {
    counts: [u16; 256],
    total: u32,
}

impl Differences {
    fn new() -> Self {
        Self { counts: [0; 256], total: 0 }
    }

    fn add(&mut self, difference: i32) {
        let at = ((difference + 2 * OCTAVE) >> 4).clamp(0, 255);
        self.counts[at as usize] = self.counts[at as usize].saturating_add(1);
        self.total += 1;
    }

    fn median(&self) -> i32 {
        let (mut before, half) = (0, self.total / 2);
        for (at, &count) in (0..).zip(&self.counts) {
            let count = u32::from(count);
            if before + count > half {
                let part = (16 * (half - before) + 8) / count;
                return at * 16 - 2 * OCTAVE + part as i32;
            }
            before += count;
        }
        0
    }
}

impl Light {
    /// Explains a look.
    pub(super) fn explain(&mut self, view: &View<'_>) {
        self.fit_line(view);
        let disturbed = self.subtract_line(view);
        std::mem::swap(&mut self.tiles, &mut self.last_tiles);
        self.tiles.clear();
        self.rows.clear();
        // In a steady light, one object alone is too small to matter, and costs nothing.
        if disturbed * 100 > view.grid.cells() {
            self.fit_tiles(view);
            self.fit_rows(view.grid);
        }
    }

    /// Whether the light of parts of the picture is changing by more than `by`: a lamp, a beam or a fast cloud.
    pub(super) fn is_changing(&self, by: u16) -> bool {
        let before = self.last_tiles.iter().copied().chain(std::iter::repeat(0));
        let changed = self.tiles.iter().zip(before).filter(|&(&now, before)| now.abs_diff(before) > by);
        changed.count() * 25 > self.tiles.len().max(1)
    }

    fn fit_line(&mut self, view: &View<'_>) {
        let cells = view.cells.len().max(1);
        let middle = (view.cells.iter().map(|cell| cell.mean() as u32).sum::<u32>() / cells as u32) as i32;
        let mut halves = [Differences::new(), Differences::new()];
        let mut since_last = Differences::new();
        let mut sums = [0i32; 2];
        for ((cell, &level), &last) in view.cells.iter().zip(view.levels).zip(view.last) {
            if level <= view.black || level >= view.white {
                continue;
            }
            let mean = cell.mean();
            let half = usize::from(mean > middle);
            halves[half].add(i32::from(level) - mean);
            sums[half] += mean - middle;
            since_last.add(i32::from(level) - i32::from(last));
        }
        self.since_last = since_last.median();
        let [dark, bright] = &halves;
        let (low, high) = (dark.median(), bright.median());
        let known = (dark.total + bright.total) as usize;
        (self.offset, self.slope, self.pivot) = (0, 0, middle);
        self.bounds = (0, 0);
        if known * 4 < cells {
            return;
        }
        let at = |half: usize| sums[half] / (halves[half].total.max(1) as i32);
        let apart = at(1) - at(0);
        let is_line =
            dark.total as usize * 8 > cells && bright.total as usize * 8 > cells && apart > OCTAVE / 8;
        if is_line {
            self.slope = ((high - low) * 1024 / apart).clamp(-2048, 2048);
            self.offset = low - self.slope * at(0) / 1024;
            let more = (high - low).abs();
            self.bounds = (low.min(high) - more, low.max(high) + more);
        } else {
            let larger = if dark.total > bright.total { low } else { high };
            (self.offset, self.bounds) = (larger, (larger, larger));
        }
    }

    /// What the line explains of a cell.
    fn line(&self, mean: i32) -> i32 {
        (self.offset + self.slope * (mean - self.pivot) / 1024).clamp(self.bounds.0, self.bounds.1)
    }

    /// Fills `left`. Returns how many cells are clearly not explained.
    fn subtract_line(&mut self, view: &View<'_>) -> usize {
        self.left.clear();
        let mut disturbed = 0;
        for (cell, &level) in view.cells.iter().zip(view.levels) {
            let mean = cell.mean();
            let left = i32::from(level) - mean - self.line(mean);
            self.left.push(left as i16);
            // Not more than the deviation: what changes often is explained as well as what is new.
            let grey = Scale::grey_step(mean as u16);
            disturbed += usize::from(left.abs() > grey * 3 / 2 + grey * i32::from(view.step_eighths) / 16);
        }
        disturbed
    }

    fn fit_tiles(&mut self, view: &View<'_>) {
        let grid = view.grid;
        let (across, down) = (grid.width.div_ceil(TILE), grid.height.div_ceil(TILE));
        self.tiles_across = across;
        let mut medians = Vec::with_capacity(across * down);
        let mut values = [0i16; TILE * TILE];
        for top in (0..grid.height).step_by(TILE) {
            for start in (0..grid.width).step_by(TILE) {
                let (mut count, mut cut_off) = (0, 0);
                for row in top..(top + TILE).min(grid.height) {
                    let end = (start + TILE).min(grid.width);
                    for at in row * grid.width + start..row * grid.width + end {
                        // What the sensor cut off would have changed more.
                        let is_cut_off = view.levels[at] >= view.white || view.levels[at] <= view.black;
                        values[if is_cut_off { values.len() - 1 - cut_off } else { count }] = self.left[at];
                        *if is_cut_off { &mut cut_off } else { &mut count } += 1;
                    }
                }
                // They count if there is little else.
                if count < TILE {
                    let from = values.len() - cut_off;
                    values.copy_within(from.., count);
                    count += cut_off;
                }
                medians.push(median(&values[..count]));
            }
        }
        // Of a tile and those around it: an object is smaller than that, or has edges within it.
        for row in 0..down {
            for column in 0..across {
                let mut around = [0i16; 9];
                let mut count = 0;
                for y in row.saturating_sub(1)..(row + 2).min(down) {
                    for x in column.saturating_sub(1)..(column + 2).min(across) {
                        around[count] = medians[y * across + x];
                        count += 1;
                    }
                }
                self.tiles.push(median(&around[..count]));
            }
        }
    }

    fn fit_rows(&mut self, grid: Grid) {
        for row in self.left.chunks_exact(grid.width) {
            self.rows.push(median(row));
        }
    }

    /// What of a cell's difference no change of the light explains, with its sign.
    pub(super) fn rest(&self, view: &View<'_>, at: usize, (column, row): (usize, usize)) -> i32 {
        let (level, left) = (i32::from(view.levels[at]), i32::from(self.left[at]));
        let mean = view.cells[at].mean();
        let whole = level - mean;
        let should_be = level - left;
        let is_cut_off = level >= view.white.into() && should_be >= view.white.into()
            || level <= view.black.into() && should_be <= view.black.into();
        // What was cut off when it was learnt is brighter in less light than it should be.
        let was_cut_off = mean >= view.white.into() && left > 0 && whole < 0;
        if is_cut_off || was_cut_off {
            return 0;
        }
        // A large change of the light is not explained to the last unit.
        let rest = |left: i32| {
            let size = left.abs() - (whole - left).abs() / INEXACT;
            left.signum() * size.max(0)
        };
        let least = |one: i32, two: i32| if one.abs() <= two.abs() { one } else { two };
        let best = least(whole, rest(left));
        if self.tiles.is_empty() {
            return best;
        }
        let by_row = rest(left - i32::from(self.rows[row]));
        let by_tile = rest(left - self.tile(column, row));
        least(best, least(by_row, by_tile))
    }

    /// The step at a cell, between those of the tiles around it.
    fn tile(&self, column: usize, row: usize) -> i32 {
        let down = self.tiles.len() / self.tiles_across;
        // In cells from the centre of the first tile, in halves.
        let place = |at: usize, tiles: usize| {
            let at = (2 * at + 1).saturating_sub(TILE);
            let first = (at / (2 * TILE)).min(tiles - 1);
            let part = if first + 1 < tiles { at % (2 * TILE) } else { 0 };
            (first, (first + 1).min(tiles - 1), part as i32)
        };
        let (left, right, across) = place(column, self.tiles_across);
        let (top, bottom, down) = place(row, down);
        let of = |column: usize, row: usize| i32::from(self.tiles[row * self.tiles_across + column]);
        let whole = 2 * TILE as i32;
        let upper = of(left, top) * (whole - across) + of(right, top) * across;
        let lower = of(left, bottom) * (whole - across) + of(right, bottom) * across;
        (upper * (whole - down) + lower * down) / (whole * whole)
    }
}

/// The median of some numbers, found without sorting.
fn median(values: &[i16]) -> i16 {
    let (mut low, mut high) = (-4096i16, 4096i16);
    let half = values.len() / 2;
    while low < high {
        let middle = low + (high - low) / 2;
        if values.iter().filter(|&&value| value <= middle).count() > half {
            high = middle;
        } else {
            low = middle + 1;
        }
        // Finer than any threshold.
        if high - low <= 1 {
            break;
        }
    }
    high
}
