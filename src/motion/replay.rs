//! The last looks once more, with other settings: why did this fire, and why did that not.

use std::sync::Arc;
use std::time::Duration;

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

/// What would have been found.
#[derive(Debug)]
pub struct Replay {
    /// When the first look was, and the last one, in microseconds since 1970; `None` without looks.
    pub span_us: Option<(u64, u64)>,
    /// How many there were.
    pub looks: u32,
    /// Whether the frames were recorded ones.
    pub is_recorded: bool,
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
}

impl Motion {
    /// Runs the last looks at a camera against other settings: on recorded frames where all frames are recorded, else on the looks
    /// that are remembered. `None` while another replay runs.
    pub fn replay(
        &self,
        recordings: &Arc<Recordings>,
        camera: &str,
        settings: &MotionSettings,
        edits: &PictureEdits,
    ) -> Option<Replay> {
        let _one = self.replaying.try_lock().ok()?;
        let mut run = Run { settings, edits, detector: None, changes: Vec::new(), span_us: None, looks: 0 };
        let feed = self.cameras.find(Some(camera), |_| true);
        let recording = feed.and_then(|feed| feed.recording());
        let is_recorded = recording.is_some_and(|recording| recording.when == RecordWhen::Always)
            && self.run_recorded(recordings, camera, &mut run);
        if !is_recorded && let Some(watch) = self.watch(camera) {
            // The thread that looks waits for this lock, so it is held to copy only.
            let looks = lock(&watch.memory).copy();
            looks.each(|at, detail, plane| run.look(at.wall_us(), detail, plane));
        }
        Some(run.finish(is_recorded))
    }

    /// Runs the recorded frames of the last minutes; false if there are none.
    fn run_recorded(&self, recordings: &Arc<Recordings>, camera: &str, run: &mut Run<'_>) -> bool {
        let from_us = clock::wall_us().saturating_sub(SPAN_US);
        let mut player = Player::new(recordings, camera);
        let (Some(mut lease), Some(mut means)) = (self.memory.lease(1), self.memory.lease(0)) else {
            return false;
        };
        let (mut reader, mut planes, mut jpeg) = (DcReader::new(), Vec::new(), Vec::new());
        let mut looked_us = None;
        let mut has_more = player.seek(from_us);
        while has_more {
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

impl Run<'_> {
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
        Replay { span_us: self.span_us, looks: self.looks, is_recorded, events }
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
