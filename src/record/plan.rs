//! Which frames of a camera are kept: a state machine over events and frames, without I/O and without a clock.
//!
//! A frame is judged once, in the order of capture. Where frames before an event are kept, a frame is judged only when it is older than
//! the pre-roll: until then an event may come that wants it. So the frames of the pre-roll lie in memory, and nothing is written twice.

use std::collections::VecDeque;

use crate::media::{Event, RecordSettings, RecordWhen};

/// How much later than the pre-roll asks for a frame is judged, in microseconds: an event is posted a little after its start.
const LATE_EVENT_US: u64 = 500_000;

/// An event without an end counts as over after this time, in microseconds: whoever began it is gone.
const LONGEST_EVENT_US: u64 = 3_600_000_000;

/// Most events of a camera at the same time; the oldest ones are taken together.
const MOST_WINDOWS: usize = 32;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is kept, and sound with it.
    Full {
        /// Whether an event asked for it.
        is_event: bool,
    },
    /// It is kept, without sound: one of the few between events.
    Idle,
    /// It is not kept.
    Drop,
}

/// The plan of one camera.
#[derive(Debug)]
pub(super) struct Plan {
    when: RecordWhen,
    pre_us: u64,
    post_us: u64,
    idle_interval_us: u64,
    windows: VecDeque<Window>,
    last_idle_us: Option<u64>,
}

/// The time that an event asks for.
#[derive(Clone, Copy, Debug)]
struct Window {
    id: u32,
    from_us: u64,
    /// The last moment; `None` while the event goes on.
    until_us: Option<u64>,
    began_us: u64,
}

impl Plan {
    /// A plan without events.
    pub(super) fn new(settings: &RecordSettings) -> Self {
        Self {
            when: settings.when,
            pre_us: settings.pre.as_micros() as u64,
            post_us: settings.post.as_micros() as u64,
            idle_interval_us: 1_000_000 / u64::from(settings.idle_fps.max(1)),
            windows: VecDeque::new(),
            last_idle_us: None,
        }
    }

    /// Takes other settings; events that are under way stay.
    pub(super) fn set(&mut self, settings: &RecordSettings) {
        let windows = std::mem::take(&mut self.windows);
        *self = Self { windows, last_idle_us: self.last_idle_us, ..Self::new(settings) };
    }

    /// Notes the start of an event, or its end; true for a start that was not known.
    pub(super) fn note(&mut self, event: &Event) -> bool {
        // Of a state, such as darkness, only the beginning is worth footage.
        let end = if event.kind.is_happening() { event.end } else { Some(event.start) };
        let until_us = end.map(|end| end.as_micros() + self.post_us);
        if let Some(known) = self.windows.iter_mut().find(|window| window.id == event.id) {
            known.until_us = until_us.or(known.until_us);
            return false;
        }
        let began_us = event.start.as_micros();
        let from_us = began_us.saturating_sub(self.pre_us);
        if self.windows.len() == MOST_WINDOWS
            && let (Some(first), Some(second)) = (self.windows.pop_front(), self.windows.front_mut())
        {
            second.from_us = second.from_us.min(first.from_us);
        }
        self.windows.push_back(Window { id: event.id, from_us, until_us, began_us });
        true
    }

    /// Frames that were captured until this moment can be judged at `now_us`.
    pub(super) fn horizon_us(&self, now_us: u64) -> u64 {
        if self.when == RecordWhen::Always || self.windows.iter().any(|window| window.holds(now_us)) {
            return now_us;
        }
        now_us.saturating_sub(self.pre_us + LATE_EVENT_US)
    }

    /// Whether an event asks for what is captured at `now_us`.
    pub(super) fn is_event(&self, now_us: u64) -> bool {
        self.windows.iter().any(|window| window.holds(now_us))
    }

    /// Whether an event asks for something of the time from one moment to another. Only what is judged next is remembered.
    pub(super) fn is_event_between(&self, from_us: u64, to_us: u64) -> bool {
        self.windows.iter().any(|window| window.from_us <= to_us && window.end_us() >= from_us)
    }

    /// Judges the next frame. Frames must come in the order of capture.
    pub(super) fn judge(&mut self, captured_us: u64) -> Verdict {
        self.windows.retain(|window| window.end_us() >= captured_us);
        let is_event = self.is_event(captured_us);
        match self.when {
            RecordWhen::Always => Verdict::Full { is_event },
            _ if is_event => {
                self.last_idle_us = Some(captured_us);
                Verdict::Full { is_event }
            }
            RecordWhen::IdleAndEvents => self.judge_idle(captured_us),
            RecordWhen::Events => Verdict::Drop,
        }
    }

    /// Whether sound that was captured at this moment is kept.
    pub(super) fn keeps_sound(&self, captured_us: u64) -> bool {
        self.when == RecordWhen::Always || self.is_event(captured_us)
    }

    /// Keeps a frame between events when it is time for one. A camera's frames come a little early or late, so one that comes half
    /// a frame's time of 60 fps early is taken.
    fn judge_idle(&mut self, captured_us: u64) -> Verdict {
        let due = self.last_idle_us.map_or(0, |last| last + self.idle_interval_us.saturating_sub(8_000));
        if captured_us < due {
            return Verdict::Drop;
        }
        self.last_idle_us = Some(captured_us);
        Verdict::Idle
    }
}

impl Window {
    fn end_us(&self) -> u64 {
        self.until_us.unwrap_or(self.began_us + LONGEST_EVENT_US)
    }

    fn holds(&self, at_us: u64) -> bool {
        (self.from_us..=self.end_us()).contains(&at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{CameraName, EventKind, Timestamp};
    use std::time::Duration;

    const SECOND: u64 = 1_000_000;

    fn event(id: u32, start_us: u64, end_us: Option<u64>) -> Event {
        Event {
            id,
            camera: CameraName::new("front").unwrap(),
            kind: EventKind::Manual,
            start: Timestamp::from_micros(start_us),
            end: end_us.map(Timestamp::from_micros),
            score: 0,
            area: None,
        }
    }

    fn plan(when: RecordWhen) -> Plan {
        let (pre, post) = (Duration::from_secs(10), Duration::from_secs(20));
        Plan::new(&RecordSettings { when, idle_fps: 2, pre, post, ..RecordSettings::default() })
    }

    /// The frames of `seconds`, at 10 a second, that are kept.
    fn kept(plan: &mut Plan, seconds: std::ops::Range<u64>) -> Vec<u64> {
        let frames = (seconds.start * 10..seconds.end * 10).map(|tenth| tenth * 100_000);
        frames.filter(|at| plan.judge(*at) != Verdict::Drop).collect()
    }

    #[test]
    fn all_frames_around_an_event_are_kept_and_no_others() {
        let mut plan = plan(RecordWhen::Events);
        assert!(plan.note(&event(1, 100 * SECOND, None)));
        assert!(!plan.note(&event(1, 100 * SECOND, Some(103 * SECOND))));
        let kept = kept(&mut plan, 50..150);
        assert_eq!((kept.first(), kept.last()), (Some(&(90 * SECOND)), Some(&(123 * SECOND))));
        assert_eq!(kept.len(), 331);
    }

    #[test]
    fn a_frame_is_judged_when_no_event_can_want_it_any_more() {
        let mut plan = plan(RecordWhen::Events);
        assert_eq!(plan.horizon_us(100 * SECOND), 89_500_000);
        plan.note(&event(1, 100 * SECOND, None));
        assert_eq!(plan.horizon_us(100 * SECOND), 100 * SECOND);
        plan.note(&event(1, 100 * SECOND, Some(101 * SECOND)));
        assert_eq!(
            (plan.horizon_us(121 * SECOND), plan.horizon_us(122 * SECOND)),
            (121 * SECOND, 111_500_000)
        );
        assert_eq!(super::tests::plan(RecordWhen::Always).horizon_us(7), 7);
    }

    #[test]
    fn a_few_frames_are_kept_between_events() {
        let mut plan = plan(RecordWhen::IdleAndEvents);
        assert_eq!(kept(&mut plan, 0..10).len(), 20);
        plan.note(&event(1, 30 * SECOND, Some(30 * SECOND)));
        assert_eq!(kept(&mut plan, 10..60).len(), 20 + 301 + 19);
        assert!(!plan.keeps_sound(5 * SECOND));
    }

    #[test]
    fn an_event_without_an_end_is_over_after_an_hour() {
        let mut plan = plan(RecordWhen::Events);
        plan.note(&event(1, 0, None));
        assert_eq!(plan.judge(3600 * SECOND), Verdict::Full { is_event: true });
        assert_eq!(plan.judge(3601 * SECOND), Verdict::Drop);
    }

    #[test]
    fn a_storm_of_events_is_bounded() {
        let mut plan = plan(RecordWhen::Events);
        for id in 0..1000 {
            plan.note(&event(id, (100 + u64::from(id)) * SECOND, None));
        }
        assert_eq!(plan.windows.len(), MOST_WINDOWS);
        assert_eq!(plan.judge(90 * SECOND), Verdict::Full { is_event: true });
    }
}
