//! Which frames of a camera are kept, and what becomes of those that were lost before them.

use std::sync::Arc;
use std::time::Duration;

use super::CameraRecorder;
use crate::hub::{Named, RecentItem};
use crate::media::{Frame, GapReason, RecordWhen};
use crate::record::plan::Verdict;

/// Time between two frames that is a gap, in microseconds, unless the camera is that slow.
const GAP_US: u64 = 5_000_000;

/// A frame that is to be kept.
pub(super) struct Judged {
    pub(super) frame: Arc<Frame>,
    /// Frames that were lost before it.
    pub(super) lost: u32,
    /// Whether an event asked for it.
    pub(super) is_event: bool,
    /// Why there is no footage before it.
    pub(super) gap: Option<GapReason>,
}

impl CameraRecorder {
    /// Judges a frame; one that is kept is added next.
    pub(super) fn judge(&mut self, item: RecentItem<Frame>) {
        let captured_us = item.captured_us;
        let before_us = self.judged_us.replace(captured_us).unwrap_or(captured_us);
        let is_event_lost = item.lost > 0 && self.plan.is_event_between(before_us, captured_us);
        let is_event = match self.plan.judge(captured_us) {
            Verdict::Full { is_event } => is_event,
            Verdict::Idle => false,
            Verdict::Drop => {
                if is_event_lost {
                    self.miss(item.lost);
                    let is_gap = captured_us.saturating_sub(before_us) > GAP_US;
                    if is_gap && matches!(self.gap, None | Some(GapReason::NoEvent)) {
                        self.gap = Some(GapReason::Disk);
                    }
                }
                // Between the few frames that are kept between events there is no gap.
                if self.last_us.is_some() && self.settings.when == RecordWhen::Events {
                    self.gap.get_or_insert(GapReason::NoEvent);
                }
                return;
            }
        };
        self.miss(item.lost);
        if !self.sizes.takes(item.value.size(), captured_us) {
            self.miss(1);
            let (width, height) = item.value.size();
            let size = format!("{width}x{height}");
            self.sizes.warn_once(self.feed.name(), "the size of its pictures", &size);
            return;
        }
        let gap = self.gap.take().or_else(|| self.gap_before(&item));
        self.last_us = Some(captured_us);
        let lost = std::mem::take(&mut self.missed);
        self.judged = Some(Judged { frame: item.value, lost, is_event, gap });
    }

    /// Counts frames that were lost; the file tells of them with the next frame that is kept.
    fn miss(&mut self, frames: u32) {
        self.missed = self.missed.saturating_add(frames);
        self.status.missed += u64::from(frames);
    }

    /// Why there was nothing before a frame, if that is a gap.
    fn gap_before(&self, item: &RecentItem<Frame>) -> Option<GapReason> {
        let passed_us = item.captured_us.saturating_sub(self.last_us?);
        if passed_us <= GAP_US {
            return None;
        }
        let slow = self.feed.state().slow_interval.unwrap_or_default();
        if Duration::from_micros(passed_us) <= slow * 3 {
            return None;
        }
        let was_lost = self.intake.was_lost.get();
        self.intake.was_lost.set(false);
        Some(if item.lost > 0 && !was_lost { GapReason::Disk } else { GapReason::CameraLost })
    }
}
