//! Components from look to look: which of them are motion.

mod relation;

use super::components::{COMPONENTS_MAX, Component};
use super::weather::Disturbance;
use crate::media::Timestamp;
use relation::{advance, apart, distance, gap, is_alike, reach, step};

/// Evidence at which a track is motion. A component where one was before is worth 2; a new one, or one that has jumped, 1.
const EVIDENCE_MIN: i32 = 3;
const EVIDENCE_MAX: i32 = 6;

/// Most tracks.
const TRACKS_MAX: usize = 2 * COMPONENTS_MAX;

/// A track that does not change for so long has stopped moving.
pub(super) const ACTIVE_US: u64 = 1_500_000;

/// What came with a change of the light and does not change for so long is what it has left.
const STANDS_US: u64 = 800_000;

/// A track that is not seen for so long is gone.
const LOST_US: u64 = 900_000;

/// With flicker of so much in the mean, a component must travel.
const FLICKER_BUSY: u32 = 30;

/// Of fewer cells, a component must travel: snow, drops and leaves are at one place twice by chance.
const FEW_CELLS: u32 = 16;

/// What comes into the picture changes most of its cells at once. If fewer than so many of a hundred have changed, it was there before or is a
/// light that becomes stronger, and must travel. What travels changes at least its front.
const NEW_PERCENT: u32 = 40;
const FRONT_PERCENT: u32 = 20;

/// How many tenths of its own length something goes in a second that is no insect before the lens: when its way is bent, or it is not upright
/// and its last part unlike the one before; when neither is so; and when its last parts were alike.
const BENT_LENGTHS: i64 = 18;
const RUN_LENGTHS: i64 = 26;
const STEADY_LENGTHS: i64 = 50;

/// So many parts of a way must be like the one before. Fewer are enough for what is twice as long across its way as along it: somebody
/// who runs near the camera is gone in a second.
const STEADY_MIN: u8 = 2;
const STEADY_MIN_TALL: u8 = 1;

/// For so many looks something larger may be in the place of what is followed: light that it has been joined with.
const HIDDEN_MAX: u8 = 2;

/// A component that is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub(super) component: Component,
    pub(super) first: Timestamp,
    /// What it was when its way began, and when: a way ends where the size changes by far, unless it goes on as before.
    origin: Component,
    since: Timestamp,
    seen: Timestamp,
    /// When `component` was seen: not while it is hidden.
    placed: Timestamp,
    /// Whether it was not seen in the look before.
    is_missed: bool,
    /// When it changed last.
    active: Timestamp,
    evidence: i32,
    /// Whether it is motion.
    is_motion: bool,
    must_travel: bool,
    /// Whether it was seen while a beam passed.
    is_in_beam: bool,
    /// Whether it was seen in weather: then it may be somebody who stands, and not what a light has left.
    is_in_weather: bool,
    /// The way of its centre since `since`, in sixteenths of a cell.
    path: i32,
    /// Its longest part; its last one, see [`step`], and how many parts were like the one before.
    longest: i32,
    step: (i32, i32),
    step_ms: i64,
    steady: u8,
    /// Its longer side where that was longest since then, in cells.
    length: i32,
    /// For how many looks something much larger has been in its place.
    hidden: u8,
}

/// All that is followed.
#[derive(Default)]
pub(super) struct Tracks {
    tracks: Vec<Track>,
}

impl Tracks {
    pub(super) fn clear(&mut self) {
        self.tracks.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Follows the components of a look, `since_us` after the last one. While there is a disturbance, what is followed must travel to
    /// become motion, unless it hides the background.
    pub(super) fn follow(
        &mut self,
        at: Timestamp,
        since_us: u64,
        components: &[Component],
        disturbance: Disturbance,
    ) {
        let disturbance_of = |component: &Component| match disturbance {
            Disturbance::Storm => disturbance,
            _ if component.is_opaque => Disturbance::None,
            _ => disturbance,
        };
        let known = self.tracks.len();
        let mut taken = [false; TRACKS_MAX];
        let mut follows = [None; COMPONENTS_MAX];
        // What is where it was goes first, so that somebody who passes it does not take its place.
        for is_still in [true, false] {
            for (component, follows) in
                components.iter().zip(&mut follows).filter(|(_, follows)| follows.is_none())
            {
                let reach = reach(component, since_us);
                let may_be = |track: &Track| match is_still {
                    true => track.is_still_at(component),
                    false => gap(&track.component, component) <= reach,
                };
                let candidates = (0..known).filter(|&number| !taken[number] && may_be(&self.tracks[number]));
                *follows =
                    candidates.min_by_key(|&number| distance(&self.tracks[number].component, component));
                if let Some(number) = *follows {
                    taken[number] = true;
                    self.tracks[number].go_on(at, component, disturbance_of(component));
                }
            }
        }
        for (component, _) in components.iter().zip(follows).filter(|(_, follows)| follows.is_none()) {
            if self.tracks.len() < TRACKS_MAX {
                self.tracks.push(Track::new(at, component, disturbance_of(component)));
            }
        }
        for (track, is_seen) in self.tracks[..known].iter_mut().zip(taken) {
            if !is_seen {
                track.evidence -= 1;
                track.is_missed = true;
            }
        }
        self.tracks.retain(|track| {
            track.evidence > 0 && at.as_micros().saturating_sub(track.seen.as_micros()) <= LOST_US
        });
    }

    /// The tracks that move now.
    pub(super) fn moving(&self, at: Timestamp) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(move |track| track.is_motion && track.seen == at && track.is_active())
    }

    /// The tracks that came with a change of the light and stand still: it is what it has left.
    pub(super) fn remains(&self, at: Timestamp) -> impl Iterator<Item = &Track> {
        let is_remains = |track: &&Track| {
            track.must_travel && !track.is_motion && !track.is_in_weather && track.hidden == 0
        };
        let stands =
            move |track: &&Track| at.as_micros().saturating_sub(track.active.as_micros()) >= STANDS_US;
        self.tracks.iter().filter(move |track| track.seen == at && is_remains(track) && stands(track))
    }
}

impl Track {
    /// Whether a component is about where it was, and about as large.
    fn is_still_at(&self, component: &Component) -> bool {
        let way = apart(self.component.centre(), component.centre());
        way <= 16 && is_alike(&self.component, component)
    }

    fn new(at: Timestamp, component: &Component, disturbance: Disturbance) -> Self {
        Self {
            component: *component,
            first: at,
            origin: *component,
            since: at,
            seen: at,
            placed: at,
            is_missed: false,
            active: at,
            evidence: 1,
            is_motion: false,
            is_in_beam: disturbance == Disturbance::Beam,
            is_in_weather: disturbance.is_weather(),
            // What has been there for a while and is only now joined or parted is not new either.
            must_travel: disturbance != Disturbance::None || !has_changed(component, NEW_PERCENT),
            path: 0,
            longest: 0,
            step: (0, 0),
            step_ms: 0,
            steady: 0,
            hidden: 0,
            length: component.longer_side(),
        }
    }

    fn go_on(&mut self, at: Timestamp, component: &Component, disturbance: Disturbance) {
        self.must_travel = disturbance != Disturbance::None || self.must_travel && !component.is_opaque;
        self.is_in_beam |= disturbance == Disturbance::Beam;
        self.is_in_weather |= disturbance.is_weather();
        let before = self.component;
        // One cell in eight of a person who stands and breathes does not.
        if component.active * 8 > component.area {
            self.active = at;
        }
        self.seen = at;
        let is_joined = component.area > 3 * before.area;
        if is_joined && self.must_travel && self.evidence >= EVIDENCE_MIN && self.hidden < HIDDEN_MAX {
            self.hidden += 1;
            return;
        }
        self.hidden = 0;
        let was_missed = std::mem::take(&mut self.is_missed);
        self.component = *component;
        let is_alike = is_alike(&before, component);
        let overlaps = gap(&before, component) == 0;
        self.evidence = (self.evidence + if is_alike && overlaps { 2 } else { 1 }).min(EVIDENCE_MAX);
        let step_ms = (at.as_micros().saturating_sub(self.placed.as_micros()) / 1000).min(20_000) as i64;
        self.placed = at;
        let step = step(&before, component);
        let is_like_before = self.path > 0 && self.is_like_before(step, step_ms);
        // In front of a beam, somebody is seen partly in one look and together with its light in the next.
        if is_alike || is_like_before {
            self.travel(before.centre(), is_like_before);
            (self.step, self.step_ms) = (step, step_ms);
        } else {
            (self.origin, self.since, self.length) = (*component, at, component.longer_side());
            (self.path, self.longest, self.steady) = (0, 0, 0);
        }
        if is_alike {
            self.length = self.length.max(component.longer_side());
        }
        // Where much changes, something else may be in its place a look later.
        let is_same = !(self.must_travel && was_missed);
        let is_itself = is_same && (is_alike || !is_like_before);
        let may_begin = disturbance != Disturbance::Storm && self.evidence >= EVIDENCE_MIN && is_itself;
        if may_begin && self.has_travelled() && !self.flies() {
            self.is_motion = true;
        }
    }

    /// Whether it goes on as fast and in the same direction as before, by this step in so many milliseconds.
    fn is_like_before(&self, step: (i32, i32), step_ms: i64) -> bool {
        let scaled = |way: i32| (i64::from(way) * self.step_ms / step_ms.max(1)) as i32;
        let step = (scaled(step.0), scaled(step.1));
        apart(step, self.step) <= 8 + apart(step, (0, 0)) / 5
    }

    /// Its way goes on from there to where it is now.
    fn travel(&mut self, from: (i32, i32), is_like_before: bool) {
        let way = apart(self.component.centre(), from);
        self.steady = if is_like_before { self.steady.saturating_add(1) } else { 0 };
        self.path += way;
        self.longest = self.longest.max(way);
    }

    /// Where the picture flickers anyway, only what goes elsewhere is motion.
    fn has_travelled(&self) -> bool {
        let component = &self.component;
        let may_stay = !self.must_travel && component.area >= FEW_CELLS;
        if may_stay && component.flicker < FLICKER_BUSY * component.area {
            return true;
        }
        let far = self.travelled();
        let is_straight = 3 * far >= 2 * self.path;
        // Not by one jump, from one thing that stands to another; nor by two where a beam passes.
        // What stands and flickers after a jump adds to its way, but comes no farther.
        let is_evenly = if self.is_in_beam { 2 * self.longest <= far } else { 3 * self.longest <= 2 * far };
        let is_front = has_changed(component, FRONT_PERCENT);
        let least = 16 * component.shorter_side().clamp(3, 12);
        // Somebody who comes nearer grows, and may be cut off by the edge of the picture at one side.
        let advanced = apart(advance(&self.origin, component), (0, 0));
        let is_whole = component.area > self.origin.area || 2 * advanced >= least;
        is_front && far >= least && is_whole && is_straight && is_evenly
    }

    /// How far its centre is from where it was first, in sixteenths of a cell.
    fn travelled(&self) -> i32 {
        apart(self.component.centre(), self.origin.centre())
    }

    /// Whether it is too fast for its size: an insect before the lens. What goes straight may be somebody who runs and of whom
    /// only a part is seen.
    fn flies(&self) -> bool {
        let time_ms =
            (self.seen.as_micros().saturating_sub(self.since.as_micros()) / 1000).min(20_000) as i64;
        let is_faster = |way: i32, time_ms: i64, lengths: i64| {
            i64::from(way) * 10_000 > lengths * i64::from(16 * self.length) * time_ms
        };
        let far = self.travelled();
        let is_bent = far * 6 < self.path * 5;
        let lengths = match () {
            () if self.longest == self.path || is_bent => BENT_LENGTHS,
            () if self.steady == 0 && !self.is_upright(3) => BENT_LENGTHS,
            () if self.steady >= STEADY_MIN && self.is_upright(3) => STEADY_LENGTHS,
            () if self.steady >= STEADY_MIN_TALL && self.is_upright(4) => STEADY_LENGTHS,
            () => RUN_LENGTHS,
        };
        // At the edge of the picture it was seen in part, and seemed slower.
        let last = apart(self.step, (0, 0));
        is_faster(if is_bent { self.path } else { far }, time_ms, lengths)
            || is_faster(last, self.step_ms, lengths)
    }

    /// Whether it is so many halves as long across its way as along it. An insect is round, or a streak along its way.
    fn is_upright(&self, halves: u16) -> bool {
        let component = &self.component;
        let (width, height) = (component.right - component.left, component.bottom - component.top);
        let (along, across) =
            if self.step.0.abs() > self.step.1.abs() { (width, height) } else { (height, width) };
        2 * across >= halves * along
    }

    fn is_active(&self) -> bool {
        self.seen.as_micros().saturating_sub(self.active.as_micros()) <= ACTIVE_US
    }
}

/// Whether so many cells of a hundred have changed since the last look.
fn has_changed(component: &Component, percent: u32) -> bool {
    component.active * 100 >= component.area * percent
}

#[cfg(test)]
mod tests;
