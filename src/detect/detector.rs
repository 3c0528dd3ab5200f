//! A camera's detector: looks in, begins and ends of detections out.

use super::background::{Cell, Pace};
use super::cells::{Grid, Scale};
use super::components::{CellSet, Component, Finder};
use super::detection::{Change, Detection};
use super::light::Light;
use super::look::Look;
use super::scene::{Scene, Whole};
use super::settings::Settings;
use super::track::Tracks;
use super::weather::Weather;
use super::zones;
use crate::media::{Area, Timestamp};

/// What a detector does with looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The background is learnt.
    Learning,
    /// The whole picture changes: nothing counts until it is calm.
    Settling,
    /// Motion is looked for.
    Watching,
}

/// The blocks that count right now, for a page that shows them.
///
/// A block here is a *cell*: one block of the picture's luma, or in pictures wider or higher than 1280 pixels two or four
/// blocks each way.
#[derive(Clone, Copy)]
pub struct Blocks<'d> {
    /// Cells of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    counting: &'d CellSet,
    cells: &'d [Cell],
    scale: &'d Scale,
    noise: i32,
    step_eighths: u16,
}

impl Blocks<'_> {
    /// A bit for each cell, row by row, from the lowest bit of the first word on: whether it counts. Rows do not begin with
    /// a new word.
    pub fn bits(&self) -> &[u32] {
        self.counting.words()
    }

    /// How many grey steps a cell must differ from the background to count; 255 for more.
    pub fn threshold(&self, cell: usize) -> u8 {
        let Some(cell) = self.cells.get(cell) else { return 0 };
        let level = cell.mean() as u16;
        (cell.threshold(level, self.noise, self.step_eighths) / Scale::grey_step(level).max(1)).min(255) as u8
    }

    /// The background of a cell, in grey steps.
    pub fn background(&self, cell: usize) -> u8 {
        self.cells.get(cell).map_or(0, |cell| self.scale.grey(cell.mean() as u16))
    }
}

/// Without a look for so long, and for five looks, a detector starts anew.
pub const GAP_US: u64 = 5_000_000;

/// So long after a start or a turn of the camera nothing is motion: the background is learnt.
const LEARN_US: u64 = 2_000_000;

/// Motion ends when there was none for so long.
const HOLD_US: u64 = 4_000_000;

/// What a detector does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing is known since then, and everything is new until then.
    Learning {
        since: Timestamp,
        until: Timestamp,
    },
    /// The whole picture has changed. It is looked at again when it is calm, or after a while.
    Settling {
        since: Timestamp,
        calm_looks: u32,
    },
    Watching,
}

/// Motion in one zone.
#[derive(Clone, Copy)]
pub(super) struct Ongoing {
    pub(super) detection: Detection,
    pub(super) seen: Timestamp,
    pub(super) reported: Timestamp,
}

/// The detector of one camera. It needs about 26 bytes for each cell: 125 KB for 640x480, 210 KB for 1920x1080.
pub struct Detector {
    pub(super) settings: Settings,
    pub(super) scale: Scale,
    pub(super) grid: Grid,
    pub(super) mode: Mode,
    pub(super) last_at: Option<Timestamp>,
    pub(super) second: u64,
    pub(super) cells: Vec<Cell>,
    pub(super) levels: Vec<u16>,
    pub(super) last: Vec<u16>,
    /// How much of its threshold each cell differs, in sixteenths, in few steps.
    pub(super) strengths: Vec<u8>,
    pub(super) zones: Vec<u32>,
    pub(super) counting: CellSet,
    pub(super) active: CellSet,
    /// Cells that differ now and did not in the last look.
    pub(super) changed: CellSet,
    pub(super) light: Light,
    pub(super) finder: Finder,
    pub(super) components: Vec<Component>,
    pub(super) tracks: Tracks,
    pub(super) scene: Scene,
    pub(super) ongoing: Vec<Ongoing>,
    pub(super) moving: Vec<Area>,
    pub(super) numbers: u32,
    /// What of each cell's difference is not explained by the light.
    pub(super) rests: Vec<i16>,
    /// From which difference on each cell counts.
    pub(super) thresholds: Vec<u16>,
    pub(super) active_cells: usize,
    /// Cells in zones that have changed since the last look and differ from the background.
    pub(super) differing_anew: usize,
    /// When the light changed last.
    pub(super) settled: Timestamp,
    /// When the whole picture had become calm again after a change.
    pub(super) calm: Timestamp,
    pub(super) weather: Weather,
    /// How many times the usual the noise was in the last look, in sixteenths.
    pub(super) noise: i32,
    pub(super) step_eighths: u16,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            scale: Scale::new(),
            grid: Grid::default(),
            mode: Mode::Watching,
            last_at: None,
            second: 0,
            cells: Vec::new(),
            levels: Vec::new(),
            last: Vec::new(),
            strengths: Vec::new(),
            zones: Vec::new(),
            counting: CellSet::default(),
            active: CellSet::default(),
            changed: CellSet::default(),
            light: Light::default(),
            finder: Finder::default(),
            components: Vec::new(),
            tracks: Tracks::default(),
            scene: Scene::default(),
            ongoing: Vec::new(),
            moving: Vec::new(),
            numbers: 0,
            rests: Vec::new(),
            thresholds: Vec::new(),
            active_cells: 0,
            differing_anew: 0,
            settled: Timestamp::from_micros(0),
            calm: Timestamp::from_micros(0),
            weather: Weather::default(),
            noise: 16,
            step_eighths: 8,
        }
    }

    /// Other settings from now on. What was learnt is kept; motion that goes on ends, so that no zone is confused with
    /// another one.
    pub fn change(&mut self, settings: Settings, out: &mut Vec<Change>) {
        self.end_motion(out);
        self.weather = Weather::default();
        self.settings = settings;
        zones::of_cells(&self.settings, (self.grid.width, self.grid.height), &mut self.zones);
    }

    /// Looks at a frame, and adds to `out` what it changes.
    ///
    /// A look of another size, one after a gap of [`GAP_US`], and one that is older than the last one start the detector
    /// anew: what goes on ends, and nothing begins until the new picture is known. A look without blocks is ignored.
    pub fn look(&mut self, look: &Look<'_>, out: &mut Vec<Change>) {
        self.moving.clear();
        if look.is_repeat {
            self.scene.repeat(look.at, &mut self.numbers, out);
            self.end_old(look.at, out);
            self.learn_repeat(look.at, out);
            // The time without motion is no gap.
            self.last_at = self.last_at.map(|last| last.max(look.at));
            return;
        }
        let plane = look.luma;
        if plane.width == 0 || plane.height == 0 || plane.eighths.len() != plane.width * plane.height {
            return;
        }
        let grid = Grid::of(plane);
        let gap_us = GAP_US.max(5_000_000 / u64::from(self.settings.looks.max(1)));
        let since_us = self.last_at.and_then(|last| look.at.as_micros().checked_sub(last.as_micros()));
        std::mem::swap(&mut self.levels, &mut self.last);
        let mean = self.scale.load(plane, &grid, &mut self.levels);
        self.step_eighths = grid.step_of(plane);
        self.last_at = Some(look.at);
        match since_us {
            Some(since_us) if since_us > 0 && since_us <= gap_us && grid == self.grid => {
                let whole = Whole {
                    at: look.at,
                    levels: &self.levels,
                    last: &self.last,
                    mean,
                    detail: look.detail,
                    step_eighths: self.step_eighths,
                };
                self.scene.look(&whole, self.grid, &mut self.numbers, out);
                self.go_on(look.at, since_us, out);
            }
            _ => self.start(look.at, grid, out),
        }
    }

    /// The time until now without a look: what was not seen for long ends. For callers whose camera gives no frames.
    pub fn end_old(&mut self, at: Timestamp, out: &mut Vec<Change>) {
        self.ongoing.retain(|ongoing| {
            let is_over = at.as_micros().saturating_sub(ongoing.seen.as_micros()) > HOLD_US;
            if is_over {
                out.push(Change::Ended(ongoing.detection, ongoing.seen));
            }
            !is_over
        });
    }

    /// Ends what goes on, because no looks will come.
    pub fn end_all(&mut self, out: &mut Vec<Change>) {
        self.end_motion(out);
        self.scene.end_all(self.last_at.unwrap_or(Timestamp::from_micros(0)), out);
    }

    fn end_motion(&mut self, out: &mut Vec<Change>) {
        out.extend(self.ongoing.drain(..).map(|ongoing| Change::Ended(ongoing.detection, ongoing.seen)));
    }

    /// What it does with looks now.
    pub fn phase(&self) -> Phase {
        match self.mode {
            Mode::Watching if self.last_at.is_some() => Phase::Watching,
            Mode::Settling { .. } => Phase::Settling,
            Mode::Learning { .. } | Mode::Watching => Phase::Learning,
        }
    }

    /// Where motion was in the last look: a box for each thing that moves.
    pub fn moving(&self) -> &[Area] {
        &self.moving
    }

    /// The blocks that counted in the last look.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks {
            width: self.grid.width,
            height: self.grid.height,
            counting: &self.counting,
            cells: &self.cells,
            scale: &self.scale,
            noise: self.noise,
            step_eighths: self.step_eighths,
        }
    }

    fn start(&mut self, at: Timestamp, grid: Grid, out: &mut Vec<Change>) {
        self.end_motion(out);
        self.scene.start(at, grid, grid != self.grid, out);
        if grid != self.grid {
            zones::of_cells(&self.settings, (grid.width, grid.height), &mut self.zones);
        }
        self.grid = grid;
        self.last.clone_from(&self.levels);
        self.learn_anew(at, at);
    }

    /// Forgets the background, and learns what is seen now. Nothing is known since a moment that may be earlier.
    pub(super) fn learn_anew(&mut self, at: Timestamp, since: Timestamp) {
        let cells = self.grid.cells();
        self.cells.clear();
        self.cells.extend(self.levels.iter().map(|&level| Cell::new(level)));
        self.strengths.clear();
        self.strengths.resize(cells, 0);
        self.rests.clear();
        self.rests.resize(cells, 0);
        self.thresholds.clear();
        self.thresholds.resize(cells, 0);
        self.counting.clear(cells);
        self.active.clear(cells);
        self.tracks.clear();
        self.weather = Weather::default();
        self.noise = 16;
        self.mode = Mode::Learning { since, until: Timestamp::from_micros(at.as_micros() + LEARN_US) };
    }

    /// A picture without noise, such as a drawn one, is learnt although it only repeats, and what has come into it is seen again.
    fn learn_repeat(&mut self, at: Timestamp, out: &mut Vec<Change>) {
        let since_us = self.last_at.and_then(|last| at.as_micros().checked_sub(last.as_micros()));
        let is_quiet = self.phase() == Phase::Watching && self.tracks.is_empty();
        if let Some(since_us) = since_us.filter(|since_us| *since_us > 0 && !is_quiet) {
            self.last.clone_from(&self.levels);
            self.go_on(at, since_us, out);
        }
    }

    fn go_on(&mut self, at: Timestamp, since_us: u64, out: &mut Vec<Change>) {
        let second = at.as_micros() / 1_000_000;
        let pace = Pace::new(since_us, second != self.second);
        self.second = second;
        self.mark();
        if let Mode::Learning { since, until } = self.mode {
            self.go_on_learning(at, since, until);
        } else {
            self.judge_whole(at);
            if self.mode == Mode::Watching {
                self.find_motion(at, since_us, out);
            }
            if !matches!(self.mode, Mode::Learning { .. }) {
                self.learn(pace);
            }
        }
        self.end_old(at, out);
    }
}
