//! The passes of a look over all cells, and what becomes motion.

use std::time::Duration;

use super::alike::Alike;
use super::background::Seen;
use super::cells::OCTAVE;
use super::components::{Component, Found};
use super::detection::{Change, Detection, Kind};
use super::detector::{Detector, Mode, Ongoing};
use super::light::{CHANGED, CHANGED_FAR, View};
use super::noise::Noise;
use super::track::Track;
use super::weather::Disturbance;
use crate::media::{Area, Timestamp};

/// A change is reported so long after the one before at the earliest.
const REPORT_US: u64 = 1_000_000;

/// For so long after the light has changed, what is seen must travel to become motion: it may be the light.
const NEW_LIGHT: Duration = Duration::from_millis(500);

/// For so long after the whole picture has changed, other steps say nothing.
const NEW_STEPS: Duration = Duration::from_secs(2);

/// Fewer cells say nothing of the weather, however small a zone is.
const SCATTERED_MIN: usize = 24;

/// The light of all is steady if it changes by no more than this from look to look.
const STEADY: i32 = OCTAVE / 50;

/// Strengths, in sixteenths of a threshold: the most that a cell counts for, and what it must have of its own.
const STRENGTH_MAX: u8 = 48;
pub(super) const STRENGTH_MIN: u8 = 8;
pub(super) const STRENGTH_ONE: u8 = 16;

/// A component of so many cells is judged by halves, too. In a new light, one of twice as many.
const HALVES_MIN: u32 = 100;

/// A cell counts if it, twice, and those around it have so much together; if all were just at their threshold, they had 160.
const TOGETHER: u32 = 140;

impl Detector {
    /// How much of its threshold each cell differs, and which have changed.
    pub(super) fn mark(&mut self) {
        let (width, height) = (self.grid.width, self.grid.height);
        let view = View {
            grid: self.grid,
            levels: &self.levels,
            last: &self.last,
            cells: &self.cells,
            black: self.scale.black(),
            white: self.scale.white(),
            step_eighths: self.step_eighths,
        };
        self.light.explain(&view);
        self.active.clear(width * height);
        self.changed.clear(width * height);
        (self.active_cells, self.differing_anew) = (0, 0);
        let mut noise = Noise::default();
        for row in 0..height {
            let light = self.light.row(&view, row);
            let cells = row * width..(row + 1) * width;
            let (levels, last) = (&view.levels[cells.clone()], &view.last[cells.clone()]);
            let known = levels.iter().zip(last).zip(&view.cells[cells.clone()]);
            let results = self.rests[cells.clone()].iter_mut().zip(&mut self.thresholds[cells.clone()]);
            let results = results.zip(&mut self.strengths[cells.clone()]);
            for (column, (((&level, &last), cell), ((rest, threshold), strength))) in
                known.zip(results).enumerate()
            {
                let at = cells.start + column;
                let least = cell.threshold(level, self.noise, self.step_eighths);
                *threshold = least.min(u16::MAX.into()) as u16;
                let now = light.rest(column, level, cell.mean()).clamp(-8192, 8191);
                // Only what the light does not explain has changed by itself, and not what is as in the last look.
                let changed = now.abs_diff((*rest).into()).min(level.abs_diff(last).into()) as i32;
                *rest = now as i16;
                if at.is_multiple_of(4) {
                    noise.add(now.abs(), cell.noise(self.step_eighths));
                }
                let before = std::mem::replace(strength, strength_of(now.abs(), least));
                // It was as usual before.
                if *strength >= STRENGTH_ONE && before < STRENGTH_ONE {
                    self.changed.set(at);
                }
                if changed * 4 > least * 3 {
                    self.active.set(at);
                    self.active_cells += 1;
                    // What somebody leaves behind is as usual again.
                    let differs = *strength >= STRENGTH_ONE && self.zones[at] != 0;
                    self.differing_anew += usize::from(differs);
                }
            }
        }
        self.noise = noise.times();
    }

    /// Finds what moves, and tells it.
    pub(super) fn find_motion(&mut self, at: Timestamp, since_us: u64, out: &mut Vec<Change>) {
        self.count_cells();
        let cells = self.grid.cells() as u32;
        let least = (cells * u32::from(self.settings.size) / 10_000).clamp(1, cells);
        let found = Found {
            grid: self.grid,
            foreground: &self.counting,
            active: &self.active,
            zones: &self.zones,
            cells: &self.cells,
        };
        self.finder.find(&found, least, &mut self.components);
        if self.light.is_changing(CHANGED) || self.light.since_last.abs() > STEADY {
            self.settled = at;
        }
        let is_new_light = at.since(self.settled) < NEW_LIGHT;
        self.weather.note(at, self.scattered_percent());
        let disturbance = match self.weather.at(at) {
            Disturbance::Storm => Disturbance::Storm,
            _ if is_new_light && self.light.is_changing(CHANGED_FAR) => Disturbance::Beam,
            _ if is_new_light => Disturbance::Light,
            weather => weather,
        };
        self.drop_light(is_new_light);
        self.tracks.follow(at, since_us, &self.components, disturbance);
        for track in self.tracks.remains(at) {
            let (cells, levels, counting) = (&mut self.cells, &self.levels, &mut self.counting);
            self.finder.cells(&track.component, self.grid, |cell| {
                cells[cell].become_known(levels[cell]);
                counting.unset(cell);
            });
        }
        let moving: Vec<Track> = self.tracks.moving(at).copied().collect();
        for track in &moving {
            self.moving.push(self.area(&track.component));
            self.report(at, track, out);
        }
    }

    /// How many cells of a hundred differ newly that belong to nothing that was found; of those that are in a zone.
    fn scattered_percent(&self) -> usize {
        let in_parts: u32 = self.components.iter().map(|component| component.active).sum();
        let scattered = self.differing_anew.saturating_sub(in_parts as usize);
        if scattered < SCATTERED_MIN {
            return 0;
        }
        let looked_at = self.zones.iter().filter(|&&zones| zones != 0).count();
        scattered * 100 / looked_at.max(1)
    }

    /// The cells that count: those that differ enough together with those around them.
    fn count_cells(&mut self) {
        let (width, height) = (self.grid.width, self.grid.height);
        self.counting.clear(width * height);
        for row in 0..height {
            let rows = row.saturating_sub(1)..(row + 2).min(height);
            for column in 0..width {
                let at = row * width + column;
                let own = self.strengths[at];
                if own < STRENGTH_MIN || self.zones[at] == 0 {
                    continue;
                }
                let columns = column.saturating_sub(1)..(column + 2).min(width);
                let mut together = u32::from(own);
                for y in rows.clone() {
                    let near = &self.strengths[y * width..][columns.clone()];
                    together += near.iter().map(|&strength| u32::from(strength)).sum::<u32>();
                }
                if together >= TOGETHER {
                    self.counting.set(at);
                }
            }
        }
    }

    /// Takes out components that are parts of the background in another light: what they show differs from it everywhere by
    /// the same factor, although the background varies there.
    fn drop_light(&mut self, is_new_light: bool) {
        let mut components = std::mem::take(&mut self.components);
        components.retain(|component| {
            let is_light = self.is_light(component, is_new_light);
            if is_light {
                let counting = &mut self.counting;
                self.finder.cells(component, self.grid, |cell| counting.unset(cell));
            }
            !is_light
        });
        if is_new_light && self.settled.since(self.calm) >= NEW_STEPS {
            for component in components.iter_mut().filter(|component| component.area >= HALVES_MIN) {
                component.is_opaque = self.is_opaque(component);
            }
        }
        self.components = components;
    }

    /// Whether a component hides steps of the background. What the sensor cut off says nothing.
    fn is_opaque(&self, component: &Component) -> bool {
        let mut cut_off = 0;
        self.finder.cells(component, self.grid, |cell| {
            let level = self.levels[cell];
            cut_off += u32::from(level <= self.scale.black() || level >= self.scale.white());
        });
        let [upper, lower] = self.steps(component, true);
        let mut directions = upper.iter().zip(&lower).map(|(upper, lower)| upper.with(lower));
        cut_off * 8 < component.area
            && directions.clone().any(|steps| steps.is_hidden())
            && !directions.any(|steps| steps.is_so())
    }

    /// Whether the steps from cell to cell are those of the background, in the upper half and in the lower one: somebody may
    /// have a large shadow at the feet. Light with a hard edge changes the steps across its edge only, so those in one direction
    /// are enough; what hides the background changes both.
    fn is_light(&self, component: &Component, is_new_light: bool) -> bool {
        let (all, inner) = (self.steps(component, false), self.steps(component, true));
        // The edge of what hides the background is mixed with it, and shows its steps: inside of a larger thing are enough.
        let [upper, lower] = if inner.iter().flatten().all(Alike::has_enough) { inner } else { all };
        let is_whole_so = upper.iter().zip(&lower).any(|(upper, lower)| upper.with(lower).is_so());
        let is_large = component.area >= if is_new_light { 2 * HALVES_MIN } else { HALVES_MIN };
        is_whole_so && (!is_large || [upper, lower].iter().all(|half| half.iter().any(Alike::is_so)))
    }

    /// How the steps of a component go together with those of the background, by halves, across and down; all, or inner ones.
    fn steps(&self, component: &Component, is_inner: bool) -> [[Alike; 2]; 2] {
        let width = self.grid.width;
        let middle = usize::from(component.top + component.bottom) / 2 * width;
        let counts = |cell: usize| cell < self.cells.len() && self.counting.has(cell);
        let is_inside = |cell: usize| {
            let around = [cell.wrapping_sub(1), cell + 1, cell.wrapping_sub(width), cell + width];
            counts(cell) && (!is_inner || around.into_iter().all(counts))
        };
        let mut halves = [[Alike::default(); 2]; 2];
        self.finder.cells(component, self.grid, |cell| {
            if !is_inside(cell) {
                return;
            }
            let half = &mut halves[usize::from(cell >= middle)];
            for (alike, next) in half.iter_mut().zip([cell + 1, cell + width]) {
                if is_inside(next) {
                    let of_background = self.cells[next].mean() - self.cells[cell].mean();
                    alike.add(of_background, i32::from(self.levels[next]) - i32::from(self.levels[cell]));
                }
            }
        });
        halves
    }

    /// A track that moves, in each of its zones.
    fn report(&mut self, at: Timestamp, track: &Track, out: &mut Vec<Change>) {
        let component = &track.component;
        let mut zones = component.zones;
        while zones != 0 {
            let number = zones.trailing_zeros() as u8;
            zones &= zones - 1;
            let zone = (!self.settings.zones.is_empty()).then_some(number);
            let (score, area) = (self.score(component), self.area(component));
            let Some(ongoing) = self.ongoing.iter_mut().find(|ongoing| ongoing.detection.zone == zone) else {
                self.numbers += 1;
                let detection = Detection {
                    number: self.numbers,
                    kind: Kind::Motion,
                    score,
                    area,
                    zone,
                    first: track.first,
                    best: at,
                };
                self.ongoing.push(Ongoing { detection, seen: at, reported: at });
                out.push(Change::Began(detection));
                continue;
            };
            ongoing.seen = at;
            let best = &mut ongoing.detection;
            let is_reported_before = at.as_micros().saturating_sub(ongoing.reported.as_micros()) < REPORT_US;
            if u32::from(score) * 4 >= u32::from(best.score) * 5 && !is_reported_before {
                (best.score, best.area, best.best) = (score, area, at);
                ongoing.reported = at;
                out.push(Change::Rose(*best));
            }
        }
    }

    fn score(&self, component: &Component) -> u8 {
        let share = component.area * 65_536 / (self.grid.cells().max(1) as u32);
        share.isqrt().min(255) as u8
    }

    fn area(&self, component: &Component) -> Area {
        let of = |at: u16, whole: usize| (u32::from(at) * 65_535 / (whole.max(1) as u32)) as u16;
        let Component { left, right, top, bottom, .. } = *component;
        let (width, height) = (self.grid.width, self.grid.height);
        Area {
            left: of(left, width),
            top: of(top, height),
            right: of(right, width),
            bottom: of(bottom, height),
        }
    }

    /// The background learns from what was seen.
    pub(super) fn learn(&mut self, pace: super::background::Pace) {
        let is_settling = self.mode != Mode::Watching;
        // What the light does is no flicker.
        let is_steady = self.last_at.is_none_or(|at| at.since(self.settled) >= NEW_LIGHT);
        let looks = self.levels.iter().zip(&self.last).zip(self.rests.iter().zip(&self.thresholds));
        let looks = looks.zip(&self.strengths);
        for (at, (cell, (((&level, &last), (&rest, &threshold)), &strength))) in
            self.cells.iter_mut().zip(looks).enumerate()
        {
            let is_foreground = is_settling && strength >= STRENGTH_MIN || self.counting.has(at);
            if is_steady && self.changed.has(at) {
                cell.flickers();
            }
            let (rest, threshold) = (rest.into(), threshold.into());
            cell.learn(&Seen { level, last, rest, threshold, is_foreground }, pace);
        }
    }
}

/// A difference in sixteenths of its threshold, rounded down to one of few steps: the first Pi has no division.
pub(super) fn strength_of(rest: i32, threshold: i32) -> u8 {
    match 4 * rest {
        rest if rest < 2 * threshold => 0,
        rest if rest < 3 * threshold => STRENGTH_MIN,
        rest if rest < 4 * threshold => 12,
        rest if rest < 6 * threshold => STRENGTH_ONE,
        rest if rest < 8 * threshold => 24,
        rest if rest < 12 * threshold => 32,
        _ => STRENGTH_MAX,
    }
}
