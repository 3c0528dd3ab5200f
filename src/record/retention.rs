//! Which segments have to go, and in which order: decisions over plain values, without I/O and without a clock.
//!
//! # The order of sacrifice
//! 1. Files of the pool, which hold no footage.
//! 2. Footage without an event that is older than the `days` of its camera, and footage with events older than its `event_days`.
//! 3. Footage of a camera that has more than its own `max_gb`: the oldest without an event, then the oldest with one.
//! 4. The oldest footage without an event, of whatever camera.
//! 5. The oldest footage with events.
//!
//! Footage of an event that is kept is never deleted, and no segment that is being written. If nothing else is left, recording stops and
//! says so. Rules 2 and 3 apply at all times; rules 1, 4 and 5 only while all footage takes more than `max_gb`, or less than `min_free_gb` is
//! free. Before footage without an event is deleted for its age it can be thinned: see [`Rules::thin_after_us`].
//!
//! What goes by age goes by the wall clock, and a board without a clock of its own may start with any time. So nothing is old while
//! the clock is doubtful: in the first hour, for an hour after a step, and while it is 20 years ahead of the release (see [`Clock`]).

use std::collections::BTreeMap;

use crate::base::clock::RELEASED_S;
use crate::media::RecordSettings;

/// A step of the wall clock of more than this between two looks, in microseconds, makes it doubtful.
const STEP_US: u64 = 60_000_000;

/// For how long it is doubtful then, in microseconds.
const DOUBT_US: u64 = 3_600_000_000;

/// 20 years after the release, in microseconds since 1970: a clock that shows a later time is wrong, however long it does so.
const LAST_YEAR_US: u64 = (RELEASED_S.unsigned_abs() + 20 * 365 * 86_400) * 1_000_000;

/// What retention knows of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'c> {
    pub(super) camera: &'c str,
    pub(super) sequence: u64,
    /// When its last frame was captured, in microseconds since 1970.
    pub(super) end_us: u64,
    pub(super) bytes: u64,
    pub(super) has_events: bool,
    /// Whether it shows an event that is kept, or is being written.
    pub(super) is_pinned: bool,
}

/// The rules of one camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// How long footage without an event is kept, in microseconds; `None` for as long as there is space.
    pub(super) keep_us: Option<u64>,
    /// The same for footage with events.
    pub(super) keep_events_us: Option<u64>,
    /// The age at which footage without an event is thinned.
    pub(super) thin_after_us: Option<u64>,
    /// Frames a second that stay then.
    pub(super) thin_fps: u32,
    /// Most bytes of its footage.
    pub(super) max_bytes: Option<u64>,
}

/// The footage of a camera that belongs to an event beside the event itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolls {
    /// Before it, in microseconds.
    pub(super) pre_us: u64,
    /// Behind it, in microseconds.
    pub(super) post_us: u64,
}

/// The wall clock, as far as it was watched.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_us: u64,
    since_us: Option<u64>,
}

/// Why a segment goes. The order is that of sacrifice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An admin deleted it.
    Request,
    /// It is older than its camera's footage is kept.
    Age,
    /// Its camera has more footage than it may.
    CameraLimit,
    /// All footage takes more than it may, or the disk has too little free space; it has no event.
    Space,
    /// The same, and it has events.
    SpaceEvents,
}

/// A segment that has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Victim {
    pub(super) camera: String,
    pub(super) sequence: u64,
    pub(super) bytes: u64,
    pub(super) reason: Reason,
}

impl Rules {
    /// The rules while nothing is old.
    pub(super) fn without_age(self) -> Self {
        Self { keep_us: None, keep_events_us: None, thin_after_us: None, ..self }
    }
}

impl Default for Rolls {
    /// Those of a camera that is not recorded any more.
    fn default() -> Self {
        let RecordSettings { pre, post, .. } = RecordSettings::default();
        Self { pre_us: pre.as_micros() as u64, post_us: post.as_micros() as u64 }
    }
}

impl Clock {
    /// Looks at it, in microseconds since 1970, at a moment of the monotonic clock. Whether it can be believed.
    pub(super) fn look(&mut self, wall_us: u64, monotonic_us: u64) -> bool {
        let offset_us = wall_us.wrapping_sub(monotonic_us);
        let step_us = offset_us.wrapping_sub(self.offset_us).cast_signed().unsigned_abs();
        if step_us > STEP_US || self.since_us.is_none() {
            self.since_us = Some(monotonic_us);
        }
        self.offset_us = offset_us;
        wall_us < LAST_YEAR_US
            && self.since_us.is_some_and(|since| monotonic_us.saturating_sub(since) >= DOUBT_US)
    }
}

impl Reason {
    /// Its name in the API and on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Age => "age",
            Self::CameraLimit => "camera limit",
            Self::Space => "space",
            Self::SpaceEvents => "space events",
        }
    }

    /// As text for the log.
    pub(super) fn as_text(self) -> &'static str {
        match self {
            Self::Request => "an admin deleted it",
            Self::Age => "its time is over",
            Self::CameraLimit => "its camera has reached its max_gb",
            Self::Space => "space is needed, and it has no event",
            Self::SpaceEvents => "space is needed, and nothing without an event is left",
        }
    }
}

/// What has to go at `now_us` so that all rules hold and `missing_bytes` more are free. A clock that shows a time before the footage
/// makes nothing old.
pub(super) fn victims(
    candidates: &[Candidate<'_>],
    rules: &BTreeMap<&str, Rules>,
    now_us: u64,
    missing_bytes: u64,
) -> Vec<Victim> {
    let mut left: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| !candidate.is_pinned).collect();
    // Oldest first by the order of making; times of different cameras are compared by the wall clock.
    left.sort_by_key(|candidate| (candidate.has_events, candidate.end_us, candidate.sequence));
    let mut victims = Vec::new();
    let mut freed = 0;
    let mut sacrifice = |candidate: &Candidate<'_>, reason| {
        freed += candidate.bytes;
        victims.push(victim(candidate, reason));
    };
    left.retain(|candidate| {
        let rules = rules.get(candidate.camera).copied().unwrap_or_default();
        let keep_us = if candidate.has_events { rules.keep_events_us } else { rules.keep_us };
        let is_over = keep_us.is_some_and(|keep| now_us.saturating_sub(candidate.end_us) > keep);
        if is_over {
            sacrifice(candidate, Reason::Age);
        }
        !is_over
    });
    for (camera, rules) in rules {
        let Some(max) = rules.max_bytes else { continue };
        // What is pinned counts as well.
        let pinned = candidates.iter().filter(|candidate| candidate.is_pinned && candidate.camera == *camera);
        let mut used: u64 = pinned.map(|candidate| candidate.bytes).sum();
        used += left
            .iter()
            .filter(|candidate| candidate.camera == *camera)
            .map(|candidate| candidate.bytes)
            .sum::<u64>();
        left.retain(|candidate| {
            let goes = candidate.camera == *camera && used > max;
            if goes {
                used -= candidate.bytes;
                sacrifice(candidate, Reason::CameraLimit);
            }
            !goes
        });
    }
    for candidate in left {
        if freed >= missing_bytes {
            break;
        }
        freed += candidate.bytes;
        let reason = if candidate.has_events { Reason::SpaceEvents } else { Reason::Space };
        victims.push(victim(candidate, reason));
    }
    victims
}

fn victim(candidate: &Candidate<'_>, reason: Reason) -> Victim {
    Victim {
        camera: candidate.camera.to_owned(),
        sequence: candidate.sequence,
        bytes: candidate.bytes,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::utc::DAY_US;

    fn segment(camera: &str, sequence: u64, day: u64, has_events: bool) -> Candidate<'_> {
        Candidate { camera, sequence, end_us: day * DAY_US, bytes: 10, has_events, is_pinned: false }
    }

    fn gone(
        candidates: &[Candidate<'_>],
        rules: &[(&str, Rules)],
        missing: u64,
    ) -> Vec<(String, u64, Reason)> {
        let rules = rules.iter().copied().collect();
        let victims = victims(candidates, &rules, 100 * DAY_US, missing);
        victims.into_iter().map(|victim| (victim.camera, victim.sequence, victim.reason)).collect()
    }

    fn owned(victims: &[(&str, u64, Reason)]) -> Vec<(String, u64, Reason)> {
        victims.iter().map(|(camera, sequence, reason)| ((*camera).to_owned(), *sequence, *reason)).collect()
    }

    #[test]
    fn nothing_goes_while_there_is_space() {
        assert_eq!(gone(&[segment("front", 1, 1, false)], &[("front", Rules::default())], 0), []);
    }

    #[test]
    fn age_is_counted_apart_for_footage_with_events() {
        let rules =
            Rules { keep_us: Some(14 * DAY_US), keep_events_us: Some(60 * DAY_US), ..Rules::default() };
        let all = [
            segment("front", 1, 39, true),
            segment("front", 2, 41, true),
            segment("front", 3, 85, false),
            segment("front", 4, 87, false),
        ];
        assert_eq!(
            gone(&all, &[("front", rules)], 0),
            owned(&[("front", 3, Reason::Age), ("front", 1, Reason::Age)])
        );
    }

    #[test]
    fn space_is_taken_from_footage_without_events_first() {
        let all = [
            segment("front", 1, 1, true),
            segment("front", 2, 50, false),
            segment("yard", 7, 40, false),
            segment("yard", 8, 2, true),
        ];
        let order = owned(&[
            ("yard", 7, Reason::Space),
            ("front", 2, Reason::Space),
            ("front", 1, Reason::SpaceEvents),
            ("yard", 8, Reason::SpaceEvents),
        ]);
        for missing in 0..=4 {
            assert_eq!(gone(&all, &[], missing * 10), order[..missing as usize], "{missing}");
        }
        assert_eq!(gone(&all, &[], 1000), order, "more than there is");
    }

    #[test]
    fn a_camera_over_its_limit_gives_first() {
        let rules = Rules { max_bytes: Some(15), ..Rules::default() };
        let all =
            [segment("front", 1, 9, false), segment("yard", 7, 40, true), segment("yard", 8, 50, false)];
        let order = [("yard", 8, Reason::CameraLimit), ("front", 1, Reason::Space)];
        assert_eq!(gone(&all, &[("yard", rules)], 0), owned(&order[..1]));
        assert_eq!(gone(&all, &[("yard", rules)], 20), owned(&order));
    }

    #[test]
    fn what_is_pinned_stays_whatever_happens() {
        let rules = Rules {
            keep_us: Some(1),
            keep_events_us: Some(1),
            max_bytes: Some(1),
            thin_after_us: Some(1),
            ..Rules::default()
        };
        let pinned = Candidate { is_pinned: true, ..segment("front", 1, 1, true) };
        assert_eq!(gone(&[pinned], &[("front", rules)], 1000), []);
    }

    #[test]
    fn a_clock_before_the_footage_makes_nothing_old() {
        let rules = Rules { keep_us: Some(DAY_US), ..Rules::default() };
        assert_eq!(gone(&[segment("front", 1, 200, false)], &[("front", rules)], 0), []);
    }

    #[test]
    fn a_clock_that_was_set_is_believed_an_hour_later() {
        const MINUTE_US: u64 = 60_000_000;
        let mut clock = Clock::default();
        let mut believed =
            |minute: u64, wall_us: u64| clock.look(wall_us + minute * MINUTE_US, minute * MINUTE_US);
        let (future, now) = (50 * 365 * DAY_US, DAY_US);
        assert!(!believed(0, future) && !believed(59, future));
        // It is set back to the truth, and drifts a little.
        assert!(!believed(60, now) && !believed(119, now + 1_000_000) && believed(120, now + 2_000_000));
        assert!(!believed(121, now + MINUTE_US + 2_000_001));
        // A battery that is empty: the clock begins anywhere, and stays there.
        let wrong = 90 * 366 * DAY_US;
        assert!(!believed(200, wrong) && !believed(600, wrong));
        let right = (RELEASED_S as u64 + 86_400) * 1_000_000;
        assert!(!believed(601, right) && believed(700, right));
    }
}
