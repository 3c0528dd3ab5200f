//! What admins ask to delete, and what of it stays: the footage of events that are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::SegmentInfo;
use super::recordings::Recordings;
use super::retention::Rolls;
use crate::base::lock;
use crate::media::CameraName;

impl Recordings {
    /// Asks the keeper to delete the files of a camera whose footage lies within a span of time, but for those of events that are kept, and that
    /// are being written; how many there are now.
    pub fn request_deletion(&self, camera: &str, from_us: u64, to_us: u64) -> u64 {
        let count = self.deletable(camera, from_us, to_us).len() as u64;
        if count > 0 {
            lock(&self.deletions).push((camera.to_owned(), from_us, to_us));
        }
        count
    }

    /// The segments that such a request is about.
    pub(super) fn deletable(&self, camera: &str, from_us: u64, to_us: u64) -> Vec<Arc<SegmentInfo>> {
        let kept = self.kept(camera);
        let mut segments = self.segments(camera, from_us, to_us);
        segments.retain(|info| {
            let is_within = info.start_us() >= from_us && info.end_us() <= to_us;
            is_within && info.summary.is_closed && !info.overlaps(&kept)
        });
        segments
    }

    /// From when to when there is footage of a camera's events that are kept, in microseconds since 1970: with the time before and
    /// after each. They may overlap.
    pub(super) fn kept(&self, camera: &str) -> Vec<(u64, u64)> {
        let Some(name) = CameraName::new(camera) else { return Vec::new() };
        let Rolls { pre_us, post_us } = self.rolls(camera);
        let mut ranges = self.journal().kept_ranges(&name);
        for (from_us, to_us) in &mut ranges {
            (*from_us, *to_us) = (from_us.saturating_sub(pre_us), to_us.saturating_add(post_us));
        }
        ranges
    }

    /// How much of a camera's footage belongs to an event beside the event itself.
    pub(super) fn rolls(&self, camera: &str) -> Rolls {
        lock(&self.rolls).get(camera).copied().unwrap_or_default()
    }

    pub(super) fn set_rolls(&self, rolls: BTreeMap<String, Rolls>) {
        *lock(&self.rolls) = rolls;
    }

    /// Whether a deletion was asked for.
    pub(super) fn has_deletions(&self) -> bool {
        !lock(&self.deletions).is_empty()
    }

    /// The deletions that were asked for since the last call.
    pub(super) fn take_deletions(&self) -> Vec<(String, u64, u64)> {
        std::mem::take(&mut *lock(&self.deletions))
    }
}
