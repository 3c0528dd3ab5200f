//! The last looks once more, with other settings: why did this fire, and why did that not.

use super::Motion;
use super::camera::kind_of;
use super::seen;
use crate::base::lock;
use crate::detect::detector::{Change, Detection, Detector, Kind};
use crate::detect::look::Look;
use crate::media::{Area, EventKind, MotionSettings, PictureEdits, Timestamp};

/// What would have been found.
#[derive(Debug, Default)]
pub struct Replay {
    /// When the first look was, and the last one; `None` without looks.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many there were.
    pub looks: u32,
    /// What was found, in the order of its begin. Whether it is armed does not matter.
    pub events: Vec<ReplayedEvent>,
}

/// One event that there would have been.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplayedEvent {
    /// What it is.
    pub kind: EventKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; at the latest at the last look.
    pub end: Timestamp,
    /// How strong it was at its best.
    pub score: u8,
    /// Where it was then.
    pub area: Area,
    /// The name of the zone.
    pub zone: Option<String>,
}

impl Motion {
    /// Runs the looks at a camera that are remembered against other settings; `None` while another replay runs.
    pub fn replay(&self, camera: &str, settings: &MotionSettings, edits: &PictureEdits) -> Option<Replay> {
        let _one = self.replaying.try_lock().ok()?;
        let mut replay = Replay::default();
        let Some(watch) = self.watch(camera) else { return Some(replay) };
        let mut detector = None;
        let mut changes = Vec::new();
        // The thread that looks waits for this lock, so it is held to copy only.
        let looks = lock(&watch.memory).copy();
        looks.each(|at, detail, plane| {
            let size = (plane.width as u32 * 8, plane.height as u32 * 8);
            let detector = detector
                .get_or_insert_with(|| Detector::new(seen::settings(settings, edits, &edits.stamp, size)));
            detector.look(&Look { at, luma: plane, is_repeat: false, detail }, &mut changes);
            let first = replay.span.map_or(at, |(first, _)| first);
            (replay.span, replay.looks) = (Some((first, at)), replay.looks + 1);
        });
        if let Some(detector) = &mut detector {
            detector.end_all(&mut changes);
        }
        let ended = changes.iter().filter_map(|change| match change {
            Change::Ended(found, at) => Some(event(found, *at, settings)),
            Change::Began(_) | Change::Rose(_) => None,
        });
        replay.events = ended.collect();
        replay.events.sort_by_key(|event| event.start);
        Some(replay)
    }
}

fn event(found: &Detection, end: Timestamp, settings: &MotionSettings) -> ReplayedEvent {
    let zone = found.zone.and_then(|zone| settings.zones.get(usize::from(zone)));
    let whole = Area { left: 0, top: 0, right: u16::MAX, bottom: u16::MAX };
    ReplayedEvent {
        kind: kind_of(found.kind),
        start: found.first,
        end: end.max(found.first),
        score: found.score,
        area: if found.kind == Kind::Motion { found.area } else { whole },
        zone: zone.map(|zone| zone.name.clone()),
    }
}
