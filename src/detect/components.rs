//! Cells that count, joined to components.

use super::background::Cell;
use super::cells::Grid;

/// Most runs of cells in a row. A picture with more is full of noise, and what is below them does not count.
const RUNS_MAX: usize = 2048;

/// Most components: the largest ones.
pub(super) const COMPONENTS_MAX: usize = 12;

/// Cells that are left out between cells of one component.
const GAP: usize = 1;

/// A bit for each cell, row by row.
#[derive(Clone, Default)]
pub(super) struct CellSet {
    words: Vec<u32>,
}

impl CellSet {
    pub(super) fn clear(&mut self, cells: usize) {
        self.words.clear();
        self.words.resize(cells.div_ceil(32), 0);
    }

    pub(super) fn set(&mut self, cell: usize) {
        self.words[cell / 32] |= 1 << (cell % 32);
    }

    pub(super) fn unset(&mut self, cell: usize) {
        self.words[cell / 32] &= !(1 << (cell % 32));
    }

    pub(super) fn has(&self, cell: usize) -> bool {
        self.words[cell / 32] >> (cell % 32) & 1 == 1
    }

    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }
}

/// Cells that hang together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Component {
    /// Cells.
    pub(super) area: u32,
    /// Columns and rows: the first one, and the one behind the last.
    pub(super) left: u16,
    pub(super) right: u16,
    pub(super) top: u16,
    pub(super) bottom: u16,
    /// Sums of the columns and rows of its cells.
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Cells that have changed since the last look.
    pub(super) active: u32,
    /// The sum of the flicker of its cells.
    pub(super) flicker: u32,
    /// Zones that a cell of it is in.
    pub(super) zones: u32,
    /// Whether it is known to hide the background: no light does.
    pub(super) is_opaque: bool,
    /// By which [`Finder::cells`] knows it.
    pub(super) label: u16,
}

impl Component {
    /// Its centre, in sixteenths of a cell.
    pub(super) fn centre(&self) -> (i32, i32) {
        let of = |sum: u32| (16 * sum / self.area.max(1)) as i32;
        (of(self.columns), of(self.rows))
    }

    pub(super) fn longer_side(&self) -> i32 {
        i32::from(self.right - self.left).max((self.bottom - self.top).into())
    }

    pub(super) fn shorter_side(&self) -> i32 {
        i32::from(self.right - self.left).min((self.bottom - self.top).into())
    }
}

/// Neighbours in a row.
#[derive(Clone, Copy)]
struct Run {
    row: u16,
    start: u16,
    /// Behind the last one.
    end: u16,
    parent: u16,
}

/// Finds components; its memory is kept.
#[derive(Default)]
pub(super) struct Finder {
    runs: Vec<Run>,
    by_label: Vec<Component>,
}

/// What is known of a cell that counts.
pub(super) struct Found<'f> {
    pub(super) grid: Grid,
    pub(super) foreground: &'f CellSet,
    pub(super) active: &'f CellSet,
    pub(super) zones: &'f [u32],
    pub(super) cells: &'f [Cell],
}

impl Finder {
    /// Fills `out` with the components of at least `least` cells, the largest first.
    pub(super) fn find(&mut self, found: &Found<'_>, least: u32, out: &mut Vec<Component>) {
        self.find_runs(found);
        self.join();
        self.measure(found);
        out.clear();
        for component in self.by_label.iter().filter(|component| component.area >= least.max(1)) {
            let place = out.iter().position(|other| other.area < component.area).unwrap_or(out.len());
            if place < COMPONENTS_MAX {
                out.truncate(COMPONENTS_MAX - 1);
                out.insert(place, *component);
            }
        }
    }

    /// Calls `see` for each cell of a component of the last call of [`Self::find`].
    pub(super) fn cells(&self, component: &Component, grid: Grid, mut see: impl FnMut(usize)) {
        for run in self.runs.iter().filter(|run| run.parent == component.label) {
            let start = usize::from(run.row) * grid.width;
            (start + usize::from(run.start)..start + usize::from(run.end)).for_each(&mut see);
        }
    }

    fn find_runs(&mut self, found: &Found<'_>) {
        self.runs.clear();
        let width = found.grid.width;
        for row in 0..found.grid.height {
            let mut column = 0;
            while column < width {
                let at = row * width + column;
                // Whole words are mostly empty.
                if at.is_multiple_of(32) && found.foreground.words()[at / 32] == 0 {
                    column += 32;
                    continue;
                }
                if !found.foreground.has(at) {
                    column += 1;
                    continue;
                }
                let start = column;
                while column < width && found.foreground.has(row * width + column) {
                    column += 1;
                }
                if self.runs.len() == RUNS_MAX {
                    return;
                }
                let parent = self.runs.len() as u16;
                self.runs.push(Run { row: row as u16, start: start as u16, end: column as u16, parent });
            }
        }
    }

    /// Joins runs that touch, or have a gap between them.
    fn join(&mut self) {
        let reach = GAP as u16 + 1;
        let mut oldest = 0;
        for at in 0..self.runs.len() {
            let run = self.runs[at];
            while self.runs[oldest].row + reach < run.row {
                oldest += 1;
            }
            for before in oldest..at {
                let other = self.runs[before];
                if other.start < run.end + reach && run.start < other.end + reach {
                    let (one, two) = (self.root(before as u16), self.root(at as u16));
                    self.runs[usize::from(one.max(two))].parent = one.min(two);
                }
            }
        }
        for at in 0..self.runs.len() {
            self.runs[at].parent = self.root(at as u16);
        }
    }

    fn root(&mut self, mut at: u16) -> u16 {
        while self.runs[usize::from(at)].parent != at {
            let parent = self.runs[usize::from(at)].parent;
            self.runs[usize::from(at)].parent = self.runs[usize::from(parent)].parent;
            at = parent;
        }
        at
    }

    fn measure(&mut self, found: &Found<'_>) {
        self.by_label.clear();
        self.by_label.resize(self.runs.len(), Component::default());
        for run in &self.runs {
            let component = &mut self.by_label[usize::from(run.parent)];
            if component.area == 0 {
                *component = Component {
                    left: run.start,
                    right: run.end,
                    top: run.row,
                    bottom: run.row + 1,
                    label: run.parent,
                    ..Component::default()
                };
            }
            component.left = component.left.min(run.start);
            component.right = component.right.max(run.end);
            component.bottom = component.bottom.max(run.row + 1);
            let length = u32::from(run.end - run.start);
            component.area += length;
            component.columns += length * u32::from(run.start + run.end - 1) / 2;
            component.rows += length * u32::from(run.row);
            let start = usize::from(run.row) * found.grid.width;
            for at in start + usize::from(run.start)..start + usize::from(run.end) {
                component.active += u32::from(found.active.has(at));
                component.flicker += u32::from(found.cells[at].flicker());
                component.zones |= found.zones[at];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::dc::DcPlane;

    fn find(rows: &[&str], least: u32) -> Vec<Component> {
        let (width, height) = (rows[0].len(), rows.len());
        let plane = DcPlane { width, height, ..DcPlane::default() };
        let mut set = CellSet::default();
        set.clear(width * height);
        let marked = rows.iter().flat_map(|row| row.bytes()).enumerate().filter(|&(_, byte)| byte == b'#');
        marked.for_each(|(cell, _)| set.set(cell));
        let (zones, cells) = (vec![1; width * height], vec![Cell::new(100); width * height]);
        let found =
            Found { grid: Grid::of(&plane), foreground: &set, active: &set, zones: &zones, cells: &cells };
        let (mut finder, mut out) = (Finder::default(), Vec::new());
        finder.find(&found, least, &mut out);
        out
    }

    #[test]
    fn cells_with_one_between_them_are_one_component() {
        let found = find(&["#.#...", "......", "#.....", ".....#"], 1);
        let areas: Vec<_> = found.iter().map(|component| component.area).collect();
        assert_eq!(areas, [3, 1]);
        let Component { left, right, top, bottom, active, zones, .. } = found[0];
        assert_eq!((left, right, top, bottom, active, zones), (0, 3, 0, 3, 3, 1));
    }

    #[test]
    fn branches_that_meet_below_are_one_component() {
        let found = find(&["#....#", "#....#", "#....#", "######"], 1);
        assert_eq!((found.len(), found[0].area, found[0].centre()), (1, 12, (40, 32)));
    }

    #[test]
    fn small_components_are_left_out_and_the_largest_come_first() {
        let found = find(&["#...##...###", "............"], 2);
        assert_eq!(found.iter().map(|component| component.area).collect::<Vec<_>>(), [3, 2]);
        let many = ["#..".repeat(20).to_owned()];
        assert_eq!(find(&[&many[0]], 1).len(), COMPONENTS_MAX);
    }

    #[test]
    fn a_picture_full_of_noise_is_no_endless_work() {
        let row = "#.".repeat(70);
        let rows: Vec<_> = (0..70).map(|_| row.as_str()).collect();
        assert!(find(&rows, 1).len() <= COMPONENTS_MAX);
    }
}
