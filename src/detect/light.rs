//! What a change of the light explains: of the whole picture (clouds, lamps, automatic gain), of rows (lamps on mains
//! current), and of parts with soft edges.
//!
//! On a logarithmic scale, more light is a step. A line of the background's level tells the step for the whole picture:
//! the medians of its dark half and of its bright half lie on it, so that less than half of the picture, however it
//! changes, moves it little.

use super::background::Cell;
use super::cells::{Grid, OCTAVE, Scale};
use super::median::median;

/// A step may be off by one part in so many.
const INEXACT: u32 = 8;

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
    /// For [`Self::row`]: the steps of tiles at the height of a row, and those of its cells.
    steps_of_tiles: Vec<i32>,
    steps: Vec<i16>,
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

impl View<'_> {
    /// Whether the sensor may have cut off this level.
    fn is_cut_off(&self, level: u16) -> bool {
        level <= self.black || level >= self.white
    }
}

/// Counts of differences, from -2 octaves on, in sixteen units each.
struct Differences {
    counts: [u16; 256],
}

impl Differences {
    fn new() -> Self {
        Self { counts: [0; 256] }
    }

    fn add(&mut self, difference: i32) {
        let at = ((difference + 2 * OCTAVE) >> 4).clamp(0, 255);
        // No grid has 65,536 cells.
        self.counts[at as usize] = self.counts[at as usize].wrapping_add(1);
    }

    fn total(&self) -> u32 {
        self.counts.iter().map(|&count| u32::from(count)).sum()
    }

    fn median(&self) -> i32 {
        let (mut before, half) = (0, self.total() / 2);
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
        // One of two says as much of a median.
        for ((cell, &level), &last) in view.cells.iter().zip(view.levels).zip(view.last).step_by(2) {
            if view.is_cut_off(level) {
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
        let totals = [dark.total(), bright.total()];
        let known = 2 * (totals[0] + totals[1]) as usize;
        (self.offset, self.slope, self.pivot) = (0, 0, middle);
        self.bounds = (0, 0);
        if known * 4 < cells {
            return;
        }
        let at = |half: usize| sums[half] / (totals[half].max(1) as i32);
        let apart = at(1) - at(0);
        let is_line = totals.iter().all(|&total| 2 * total as usize * 8 > cells) && apart > OCTAVE / 8;
        if is_line {
            self.slope = ((high - low) * 1024 / apart).clamp(-2048, 2048);
            self.offset = low - self.slope * at(0) / 1024;
            let more = (high - low).abs();
            self.bounds = (low.min(high) - more, low.max(high) + more);
        } else {
            let larger = if totals[0] > totals[1] { low } else { high };
            (self.offset, self.bounds) = (larger, (larger, larger));
        }
    }

    /// What the line explains of a cell.
    fn line(&self, mean: i32) -> i32 {
        (self.offset + ((self.slope * (mean - self.pivot)) >> 10)).clamp(self.bounds.0, self.bounds.1)
    }

    /// Fills `left`. Returns how many cells are clearly not explained.
    fn subtract_line(&mut self, view: &View<'_>) -> usize {
        let of_grey = 24 + u32::from(view.step_eighths);
        let mut disturbed = 0;
        let mut all = std::mem::take(&mut self.left);
        all.clear();
        all.extend(view.cells.iter().zip(view.levels).map(|(cell, &level)| {
            let mean = cell.mean();
            let left = i32::from(level) - mean - self.line(mean);
            // Not more than the deviation: what changes often is explained as well as what is new.
            let grey = Scale::grey_step(mean as u16) as u32;
            disturbed += usize::from(16 * left.unsigned_abs() > grey * of_grey);
            left as i16
        }));
        self.left = all;
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
                let count = self.values_of_tile(view, (start, top), &mut values);
                medians.push(median(&mut values[..count]));
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
                self.tiles.push(median(&mut around[..count]));
            }
        }
    }

    /// What is left of the cells of a tile, but of those that the sensor cut off only if there is little else: they would have changed more.
    fn values_of_tile(
        &self,
        view: &View<'_>,
        (start, top): (usize, usize),
        values: &mut [i16; TILE * TILE],
    ) -> usize {
        let grid = view.grid;
        let (mut all, mut count) = (0, 0);
        let mut cut_off = [0i16; TILE * TILE];
        for row in top..(top + TILE).min(grid.height) {
            let cells = row * grid.width + start..row * grid.width + (start + TILE).min(grid.width);
            for (&left, &level) in self.left[cells.clone()].iter().zip(&view.levels[cells]) {
                values[count] = left;
                cut_off[all - count] = left;
                count += usize::from(!view.is_cut_off(level));
                all += 1;
            }
        }
        if count < TILE {
            values[count..all].copy_from_slice(&cut_off[..all - count]);
            count = all;
        }
        count
    }

    fn fit_rows(&mut self, grid: Grid) {
        let mut values = Vec::with_capacity(grid.width);
        for row in self.left.chunks_exact(grid.width) {
            values.clear();
            values.extend_from_slice(row);
            self.rows.push(median(&mut values));
        }
    }

    /// What explains the cells of a row.
    pub(super) fn row(&mut self, view: &View<'_>, row: usize) -> RowLight<'_> {
        let width = view.grid.width;
        let is_disturbed = !self.tiles.is_empty();
        if is_disturbed {
            self.step_row(width, row);
        }
        RowLight {
            left: &self.left[row * width..][..width],
            by_row: self.rows.get(row).copied().unwrap_or(0).into(),
            by_tile: if is_disturbed { &self.steps } else { &[] },
            black: view.black.into(),
            white: view.white.into(),
        }
    }

    /// Fills `steps` with the step at each cell of a row, between those of the tiles around it.
    fn step_row(&mut self, width: usize, row: usize) {
        let across = self.tiles_across;
        let (top, bottom, part) = place(row, self.tiles.len() / across);
        let tiles = |row: usize| self.tiles[row * across..][..across].iter().map(|&step| i32::from(step));
        let at_height =
            tiles(top).zip(tiles(bottom)).map(|(top, bottom)| top * (BETWEEN - part) + bottom * part);
        self.steps_of_tiles.clear();
        self.steps_of_tiles.extend(at_height);
        let tiles = &self.steps_of_tiles;
        self.steps.clear();
        // Before the centre of the first tile and behind that of the last one, the step is theirs.
        let step = |between: i32| (between / (BETWEEN * BETWEEN)) as i16;
        self.steps.resize(width.min(TILE / 2), step(BETWEEN * tiles[0]));
        for pair in tiles.windows(2) {
            let (left, right) = (pair[0], pair[1]);
            let parts = (1..BETWEEN).step_by(2);
            self.steps.extend(parts.map(|part| step(BETWEEN * left + (right - left) * part)));
        }
        self.steps.resize(width, step(BETWEEN * tiles[across - 1]));
    }
}

/// From the centre of a tile to that of the next one, in halves of a cell.
const BETWEEN: i32 = 2 * TILE as i32;

/// The tiles between whose centres a row lies, and how far it is from that of the first, in halves of a cell.
fn place(at: usize, tiles: usize) -> (usize, usize, i32) {
    let at = (2 * at + 1).saturating_sub(TILE);
    let first = (at / (2 * TILE)).min(tiles - 1);
    let part = if first + 1 < tiles { at % (2 * TILE) } else { 0 };
    (first, (first + 1).min(tiles - 1), part as i32)
}

/// What explains the cells of one row.
pub(super) struct RowLight<'l> {
    /// What the line leaves of each cell's difference.
    left: &'l [i16],
    by_row: i32,
    /// Empty while the light is steady.
    by_tile: &'l [i16],
    black: i32,
    white: i32,
}

impl RowLight<'_> {
    /// What of a cell's difference no change of the light explains, with its sign: of the cell in this column, with its level and its
    /// usual one.
    #[inline]
    pub(super) fn rest(&self, column: usize, level: u16, mean: i32) -> i32 {
        let (level, left) = (i32::from(level), i32::from(self.left[column]));
        let whole = level - mean;
        let should_be = level - left;
        let is_cut_off =
            level >= self.white && should_be >= self.white || level <= self.black && should_be <= self.black;
        // What was cut off when it was learnt is brighter in less light than it should be.
        let was_cut_off = mean >= self.white && left > 0 && whole < 0;
        if is_cut_off || was_cut_off {
            return 0;
        }
        // A large change of the light is not explained to the last unit.
        let rest = |left: i32| {
            let inexact = ((whole - left).unsigned_abs() / INEXACT) as i32;
            left - left.min(inexact).max(-inexact)
        };
        let least = |one: i32, two: i32| if one.abs() <= two.abs() { one } else { two };
        let best = least(whole, rest(left));
        let Some(&by_tile) = self.by_tile.get(column) else { return best };
        least(best, least(rest(left - self.by_row), rest(left - i32::from(by_tile))))
    }
}
