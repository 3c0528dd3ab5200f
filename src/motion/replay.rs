//! The last looks once more, with other settings: why did this fire, and why did that not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Motion;
use super::camera::{LIMITS, kind_of};
use super::seen;
use crate::base::{clock, lock};
use crate::detect::detection::{Change, Detection, Kind};
use crate::detect::detector::Detector;
use crate::detect::look::Look;
use crate::jpeg::dc::{DcPlane, DcReader, Planes};
use crate::media::{Area, EventKind, MotionSettings, PictureEdits, RecordWhen, Timestamp};
use crate::record::{Player, Recordings};

/// How far back a replay goes, in microseconds.
const SPAN_US: u64 = 600_000_000;

/// Longest time of a replay: on the slowest board fewer looks are seen again than are remembered.
const LONGEST: Duration = Duration::from_secs(20);

/// How often it is asked whether the replay may go on.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// What would have been found.
#[derive(Debug)]
pub struct Replay {
    /// When the first look was, and the last one, in microseconds since 1970; `None` without looks.
    pub span_us: Option<(u64, u64)>,
    /// How many there were.
    pub looks: u32,
    /// Whether the frames were recorded ones.
    pub is_recorded: bool,
    /// Whether it stopped before the last look.
    pub is_cut: bool,
    /// What was found, in the order of its begin. Whether it is armed does not matter.
    pub events: Vec<ReplayedEvent>,
}

/// One event that there would have been.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplayedEvent {
    /// What it is.
    pub kind: EventKind,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// When it ended; at the latest at the last look.
    pub end_us: u64,
    /// How strong it was at its best.
    pub score: u8,
    /// Where it was then.
    pub area: Area,
    /// The name of the zone.
    pub zone: Option<String>,
}

/// A run of looks, whose times are those of the wall clock.
struct Run<'s> {
    settings: &'s MotionSettings,
    edits: &'s PictureEdits,
    detector: Option<Detector>,
    changes: Vec<Change>,
    span_us: Option<(u64, u64)>,
    looks: u32,
    limit: Limit<'s>,
}

/// What ends a replay.
struct Limit<'s> {
    /// The moment at which it began, by the wall clock: later frames are none of its own.
    to_us: u64,
    give_up: Instant,
    ask_at: Instant,
    may_go_on: &'s dyn Fn() -> bool,
    is_cut: bool,
}

impl Motion {
    /// Runs the last looks at a camera against other settings: on recorded frames where all frames are recorded, else on the looks
    /// that are remembered. It stops early when `may_go_on` says no, and after some time. `None` while another replay runs.
    pub fn replay(
        &self,
        recordings: &Arc<Recordings>,
        camera: &str,
        settings: &MotionSettings,
        edits: &PictureEdits,
        may_go_on: &dyn Fn() -> bool,
    ) -> Option<Replay> {
        let _one = self.replaying.try_lock().ok()?;
        let mut run = Run::new(settings, edits, Limit::new(may_go_on));
        let feed = self.cameras.find(Some(camera), |_| true);
        let recording = feed.and_then(|feed| feed.recording());
        let is_recorded = recording.is_some_and(|recording| recording.when == RecordWhen::Always)
            && self.run_recorded(recordings, camera, &mut run);
        if !is_recorded && let Some(watch) = self.watch(camera) {
            // The thread that looks waits for this lock, so it is held to copy only.
            let looks = lock(&watch.memory).copy();
            looks.each(|at, detail, plane| {
                if run.limit.allows(at.wall_us()) {
                    run.look(at.wall_us(), detail, plane);
                }
            });
        }
        Some(run.finish(is_recorded))
    }

    /// Runs the recorded frames of the last minutes; false if there are none.
    fn run_recorded(&self, recordings: &Arc<Recordings>, camera: &str, run: &mut Run<'_>) -> bool {
        let from_us = run.limit.to_us.saturating_sub(SPAN_US);
        let mut player = Player::new(recordings, camera, &self.memory);
        let (Some(mut lease), Some(mut means)) = (self.memory.lease(1), self.memory.lease(0)) else {
            return false;
        };
        let (mut reader, mut planes, mut jpeg) = (DcReader::new(), Vec::new(), Vec::new());
        let mut looked_us = None;
        let mut has_more = player.seek(from_us);
        while has_more && run.limit.allows(player.wall_us().unwrap_or(0)) {
            let at_us = player.wall_us().unwrap_or(0);
            let since = |before_us: u64| Duration::from_micros(at_us.saturating_sub(before_us));
            if at_us >= from_us && looked_us.is_none_or(|before_us| run.settings.is_due(since(before_us))) {
                looked_us = Some(at_us);
                jpeg.clear();
                let may_hold = &mut |bytes| means.resize(bytes);
                let is_read = lease.resize(player.bytes() as usize)
                    && player.read(&mut jpeg).is_ok()
                    && reader.read_within(&jpeg, LIMITS, Planes::Luma, &mut planes, may_hold).is_ok();
                if let Some(plane) = planes.first().filter(|_| is_read) {
                    run.look(at_us, jpeg.len() as u32, plane);
                }
            }
            has_more = player.forward();
        }
        run.looks > 0
    }
}

impl<'s> Limit<'s> {
    fn new(may_go_on: &'s dyn Fn() -> bool) -> Self {
        let now = Instant::now();
        Self { to_us: clock::wall_us(), give_up: now + LONGEST, ask_at: now, may_go_on, is_cut: false }
    }

    /// Whether the replay goes on to a frame of this moment.
    fn allows(&mut self, at_us: u64) -> bool {
        let now = Instant::now();
        if now >= self.ask_at && !self.is_cut {
            self.ask_at = now + ASK_EVERY;
            self.is_cut = now >= self.give_up || !(self.may_go_on)();
        }
        at_us <= self.to_us && !self.is_cut
    }
}

impl<'s> Run<'s> {
    fn new(settings: &'s MotionSettings, edits: &'s PictureEdits, limit: Limit<'s>) -> Self {
        Self { settings, edits, detector: None, changes: Vec::new(), span_us: None, looks: 0, limit }
    }

    fn look(&mut self, at_us: u64, detail: u32, plane: &DcPlane) {
        let size = (plane.width as u32 * 8, plane.height as u32 * 8);
        let (settings, edits) = (self.settings, self.edits);
        let detector = self
            .detector
            .get_or_insert_with(|| Detector::new(seen::settings(settings, edits, &edits.stamp, size)));
        let look = Look { at: Timestamp::from_micros(at_us), luma: plane, is_repeat: false, detail };
        detector.look(&look, &mut self.changes);
        self.span_us = Some((self.span_us.map_or(at_us, |(first, _)| first), at_us));
        self.looks += 1;
    }

    fn finish(mut self, is_recorded: bool) -> Replay {
        if let Some(detector) = &mut self.detector {
            detector.end_all(&mut self.changes);
        }
        let ended = self.changes.iter().filter_map(|change| match change {
            Change::Ended(found, at) => Some(event(found, *at, self.settings)),
            Change::Began(_) | Change::Rose(_) => None,
        });
        let mut events: Vec<_> = ended.collect();
        events.sort_by_key(|event| event.start_us);
        let is_cut = self.limit.is_cut;
        Replay { span_us: self.span_us, looks: self.looks, is_recorded, is_cut, events }
    }
}

fn event(found: &Detection, end: Timestamp, settings: &MotionSettings) -> ReplayedEvent {
    let zone = found.zone.and_then(|zone| settings.zones.get(usize::from(zone)));
    let whole = Area { left: 0, top: 0, right: u16::MAX, bottom: u16::MAX };
    ReplayedEvent {
        kind: kind_of(found.kind),
        start_us: found.first.as_micros(),
        end_us: end.max(found.first).as_micros(),
        score: found.score,
        area: if found.kind == Kind::Motion { found.area } else { whole },
        zone: zone.map(|zone| zone.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_replay_ends_at_its_begin_and_when_nobody_waits() {
        let may_go_on = Cell::new(true);
        let ask = || may_go_on.get();
        let mut limit = Limit::new(&ask);
        let begin_us = limit.to_us;
        assert!(limit.allows(begin_us - 1) && limit.allows(begin_us) && !limit.is_cut);
        assert!(!limit.allows(begin_us + 1) && !limit.is_cut, "what is recorded meanwhile is not awaited");
        may_go_on.set(false);
        limit.ask_at = Instant::now();
        assert!(!limit.allows(begin_us) && limit.is_cut);
        may_go_on.set(true);
        limit.ask_at = Instant::now();
        assert!(!limit.allows(begin_us), "it has ended");
        let mut late = Limit { give_up: Instant::now(), ..Limit::new(&ask) };
        assert!(!late.allows(begin_us) && late.is_cut);
    }
}
