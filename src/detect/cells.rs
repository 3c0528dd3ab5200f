//! Blocks as cells of a grid: at most 160 each way, however large the picture is, and on a logarithmic scale, on which
//! more light is the same step for dark and bright cells.

use crate::jpeg::dc::DcPlane;

/// Most cells of a row, and most rows: cells of larger pictures are several blocks.
const SIDE_MAX: usize = 160;

/// Units in which brightness doubles.
pub(super) const OCTAVE: i32 = 1024;

/// Eighths of a grey step that are added before the logarithm is taken. Noise in the dark is no change of the light.
const DARK: u32 = 64;

/// Of what is brighter or darker than this, in eighths, some pixels may be cut off by the sensor's range.
const WHITE: u16 = 8 * 228;
const BLACK: u16 = 8 * 3;

/// [`Scale::grey_step`] of levels, one for so many bits of them: all levels of the scale are less than 5.05 octaves.
const GREY_STEPS_SHIFT: u32 = 3;
static GREY_STEPS: [u8; 648] = grey_steps();

const fn grey_steps() -> [u8; 648] {
    let mut steps = [0; 648];
    let mut at = 0;
    while at < steps.len() {
        // 8 x 1477 / (DARK + eighths), where DARK + eighths is DARK x 2^(level / OCTAVE), in the middle of these levels.
        let level = ((at << GREY_STEPS_SHIFT) + (1 << GREY_STEPS_SHIFT) / 2) as u32;
        let (whole, part) = (level / OCTAVE as u32, level % OCTAVE as u32);
        // 2^-part, within one percent, in 1024ths.
        let share = 1024 - (part * (1375 - 351 * part / 1024)) / 2048;
        steps[at] = ((8 * 1477 * share / DARK) >> (10 + whole)) as u8;
        at += 1;
    }
    steps
}

/// The shape of a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks of a plane.
    blocks: (usize, usize),
    /// A cell is so many times two blocks wide and high.
    shift: u32,
}

impl Grid {
    pub(super) fn of(plane: &DcPlane) -> Self {
        let mut grid =
            Self { width: plane.width, height: plane.height, blocks: (plane.width, plane.height), shift: 0 };
        while grid.width.max(grid.height) > SIDE_MAX && grid.shift < 6 {
            grid.shift += 1;
            grid.width = grid.blocks.0.div_ceil(1 << grid.shift);
            grid.height = grid.blocks.1.div_ceil(1 << grid.shift);
        }
        grid
    }

    pub(super) fn cells(&self) -> usize {
        self.width * self.height
    }

    /// By how much quantisation moves a cell, in eighths: the rounding of several blocks is averaged.
    pub(super) fn step_of(&self, plane: &DcPlane) -> u16 {
        (plane.step >> self.shift).clamp(1, 255)
    }
}

/// Brightness on a logarithmic scale.
pub(super) struct Scale {
    /// By eighths of a grey step.
    levels: Box<[u16]>,
}

impl Scale {
    pub(super) fn new() -> Self {
        // The sum of OCTAVE / ln 2 / (DARK + eighths), in 65,536ths.
        let rise = 96_817_800u32;
        let mut sum = 0u32;
        let levels = (0..=8 * 255u32).map(|eighths| {
            let level = (sum >> 16) as u16;
            sum += 2 * (rise / (2 * (DARK + eighths) + 1));
            level
        });
        Self { levels: levels.collect() }
    }

    pub(super) fn level(&self, eighths: u16) -> u16 {
        self.levels[usize::from(eighths).min(self.levels.len() - 1)]
    }

    pub(super) fn white(&self) -> u16 {
        self.level(WHITE)
    }

    pub(super) fn black(&self) -> u16 {
        self.level(BLACK)
    }

    /// The grey step of a level, within one.
    pub(super) fn grey(&self, level: u16) -> u8 {
        let eighths = self.levels.partition_point(|&other| other < level);
        (eighths / 8).min(255) as u8
    }

    /// Units by which a cell of this level changes with one grey step, within one and one percent.
    pub(super) fn grey_step(level: u16) -> i32 {
        let at = usize::from(level) >> GREY_STEPS_SHIFT;
        GREY_STEPS[at.min(GREY_STEPS.len() - 1)].into()
    }

    /// Fills `out` with the levels of the cells. Returns the mean of the blocks in eighths.
    pub(super) fn load(&self, plane: &DcPlane, grid: &Grid, out: &mut Vec<u16>) -> u16 {
        out.clear();
        let mut total = 0u32;
        if grid.shift == 0 {
            out.extend(plane.eighths.iter().map(|&eighths| {
                total += u32::from(eighths);
                self.level(eighths)
            }));
            out.resize(grid.cells(), 0);
            return (total / (grid.cells().max(1) as u32)) as u16;
        }
        let side = 1 << grid.shift;
        for row in 0..grid.height {
            for column in 0..grid.width {
                let mut sum = 0u32;
                for y in (row * side..).take(side) {
                    let start = y.min(grid.blocks.1 - 1) * grid.blocks.0;
                    for x in (column * side..).take(side) {
                        let at = start + x.min(grid.blocks.0 - 1);
                        sum += u32::from(plane.eighths.get(at).copied().unwrap_or(0));
                    }
                }
                let mean = (sum >> (2 * grid.shift)) as u16;
                total += u32::from(mean);
                out.push(self.level(mean));
            }
        }
        (total / (grid.cells().max(1) as u32)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_light_is_an_octave() {
        let scale = Scale::new();
        for eighths in [64u16, 200, 500, 900] {
            let double = 2 * eighths + DARK as u16;
            let step = i32::from(scale.level(double)) - i32::from(scale.level(eighths));
            assert!((step - OCTAVE).abs() <= 3, "{eighths}: {step}");
        }
    }

    #[test]
    fn a_grey_step_is_as_wide_as_the_scale_says() {
        let scale = Scale::new();
        for eighths in [16u16, 80, 400, 1000, 1900] {
            let wanted = i32::from(scale.level(eighths + 4)) - i32::from(scale.level(eighths - 4));
            let got = Scale::grey_step(scale.level(eighths));
            assert!((got - wanted).abs() <= 1 + wanted / 20, "{eighths}: {got}, not {wanted}");
        }
    }

    #[test]
    fn a_large_picture_has_no_more_than_160_cells_each_way() {
        for (width, height, wanted) in [(80, 60, (80, 60)), (240, 135, (120, 68)), (480, 270, (120, 68))] {
            let eighths = vec![800; width * height];
            let plane = DcPlane { width, height, eighths, step: 8 };
            let (grid, scale, mut out) = (Grid::of(&plane), Scale::new(), Vec::new());
            assert_eq!((grid.width, grid.height), wanted);
            assert_eq!(scale.load(&plane, &grid, &mut out), 800);
            assert!(out.len() == grid.cells() && out.iter().all(|&level| level == scale.level(800)));
        }
    }
}
