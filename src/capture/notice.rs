//! What of a camera's troubles is worth a line in the log, how soon to try again, and how much of what
//! another server sends to take. No I/O and no clocks: the caller says what time it is.

use std::time::{Duration, Instant};

/// How long a camera must have run for its troubles to count as over.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The retry pauses: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// At most one line about broken frames in this time.
const BROKEN_EVERY: Duration = Duration::from_secs(60);

/// Remembers what was said of a camera, so that each thing is said once, however often it is
/// tried, and a camera that comes and goes does not fill the log.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Problems told since the camera last ran well.
    problems: Vec<String>,
    /// What it was told to deliver when it last ran.
    running: Option<String>,
}

impl Notices {
    /// Whether `problem` is news.
    pub(super) fn is_new_problem(&mut self, problem: &str) -> bool {
        /// Sentences with a changing part must not pile up.
        const REMEMBERED: usize = 16;
        if self.problems.iter().any(|told| told == problem) {
            return false;
        }
        if self.problems.len() == REMEMBERED {
            self.problems.remove(0);
        }
        self.problems.push(problem.to_owned());
        self.running = None;
        true
    }

    /// Whether it is news that the camera runs, as `sentence` says it does.
    pub(super) fn is_new_run(&mut self, sentence: &str) -> bool {
        let new = self.running.as_deref() != Some(sentence);
        self.running = Some(sentence.to_owned());
        new
    }

    /// The camera has run well for `for_long`; old problems are news again after a while.
    pub(super) fn ran(&mut self, for_long: Duration) {
        if for_long >= STABLE_AFTER {
            self.problems.clear();
        }
    }
}

/// How long to wait before the next try.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { pause: FIRST_PAUSE }
    }

    /// The pause before the next try; the one after it is longer.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LAST_PAUSE);
        pause
    }

    /// The camera has run for `for_long`: after a good while, pauses start small again.
    pub(super) fn ran(&mut self, for_long: Duration) {
        if for_long >= STABLE_AFTER {
            *self = Self::new();
        }
    }
}

/// Holds back another server that sends more than it could have: what is not read fills the network's
/// buffers, and then the other waits.
#[derive(Debug)]
pub(super) struct Brake {
    most_a_second: u64,
    began: Instant,
    taken: u64,
}

impl Brake {
    /// One that lets so much pass in a second, at once if it comes at once.
    pub(super) fn new(most_a_second: u64, now: Instant) -> Self {
        Self { most_a_second, began: now, taken: 0 }
    }

    /// Counts what came at `now`; how long to take no more.
    pub(super) fn take(&mut self, count: u64, now: Instant) -> Duration {
        const SECOND: Duration = Duration::from_secs(1);
        if now.duration_since(self.began) >= SECOND {
            *self = Self::new(self.most_a_second, now);
        }
        self.taken += count;
        let left = SECOND.saturating_sub(now.duration_since(self.began));
        if self.taken < self.most_a_second { Duration::ZERO } else { left }
    }
}

/// Counts broken frames and says when to speak of them.
#[derive(Debug, Default)]
pub(super) struct BrokenFrames {
    untold: u32,
    told: Option<Instant>,
}

impl BrokenFrames {
    /// Counts one at `now`; the number to speak of, once in a while.
    pub(super) fn count(&mut self, now: Instant) -> Option<u32> {
        self.untold = self.untold.saturating_add(1);
        if self.told.is_some_and(|told| now.duration_since(told) < BROKEN_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Follows the driver's frame numbers, which wrap, to learn how many frames it lost.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<u32>,
}

impl Sequence {
    /// Takes the next number; how many were left out before it. A number that goes back or
    /// stands still is a driver's that started over or does not count.
    pub(super) fn lost_before(&mut self, number: u32) -> u32 {
        let step = self.last.map_or(1, |last| number.wrapping_sub(last));
        self.last = Some(number);
        if step > u32::MAX / 2 { 0 } else { step.saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_held_back_for_the_rest_of_its_second_and_a_burst_is_not() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut brake = Brake::new(100, start);
        assert_eq!(brake.take(99, at(1)), Duration::ZERO, "what a network held up comes at once");
        assert_eq!(brake.take(1, at(300)), Duration::from_millis(700));
        assert_eq!(brake.take(1, at(1000)), Duration::ZERO, "another second");
        assert_eq!(brake.take(500, at(2500)), Duration::from_secs(1), "one that begins with too much");
        assert!((0..100).all(|tenth| brake.take(9, at(4000 + tenth * 100)).is_zero()), "what is usual");
    }

    #[test]
    fn a_problem_is_told_once_until_the_camera_ran_well() {
        let mut notices = Notices::default();
        assert!(notices.is_new_problem("gone"));
        assert!(notices.is_new_problem("busy"));
        assert!(!notices.is_new_problem("gone"), "flapping between two problems");
        notices.ran(Duration::from_secs(1));
        assert!(!notices.is_new_problem("gone"), "one frame is no recovery");
        notices.ran(STABLE_AFTER);
        assert!(notices.is_new_problem("gone"));
    }

    #[test]
    fn a_return_is_told_after_each_told_problem_and_after_each_change() {
        let mut notices = Notices::default();
        assert!(notices.is_new_run("640x480"));
        assert!(!notices.is_new_run("640x480"), "on demand, it comes and goes");
        assert!(notices.is_new_run("320x240"));
        notices.is_new_problem("gone");
        assert!(notices.is_new_run("320x240"));
        notices.is_new_problem("gone");
        assert!(!notices.is_new_run("320x240"), "an untold problem needs no all-clear");
    }

    #[test]
    fn changing_sentences_do_not_pile_up() {
        let mut notices = Notices::default();
        for number in 0..1000 {
            assert!(notices.is_new_problem(&format!("broken at byte {number}")));
        }
        assert!(notices.problems.len() <= 16);
    }

    #[test]
    fn pauses_double_to_a_limit_and_start_over_after_a_good_run() {
        let mut backoff = Backoff::new();
        let millis: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(millis, [500, 1000, 2000, 4000, 5000, 5000]);
        backoff.ran(Duration::from_secs(1));
        assert_eq!(backoff.next(), LAST_PAUSE);
        backoff.ran(STABLE_AFTER);
        assert_eq!(backoff.next(), FIRST_PAUSE);
    }

    #[test]
    fn broken_frames_are_told_at_once_then_summed_up() {
        let (mut broken, start) = (BrokenFrames::default(), Instant::now());
        assert_eq!(broken.count(start), Some(1));
        assert_eq!(broken.count(start + Duration::from_secs(1)), None);
        assert_eq!(broken.count(start + Duration::from_secs(59)), None);
        assert_eq!(broken.count(start + Duration::from_secs(60)), Some(3));
    }

    #[test]
    fn gaps_in_the_sequence_are_counted_and_oddities_are_not() {
        let mut sequence = Sequence::default();
        let lost: Vec<_> = [7, 8, 11, 11, 0, u32::MAX, 1].map(|n| sequence.lost_before(n)).into();
        assert_eq!(lost, [0, 0, 2, 0, 0, 0, 1]);
    }
}
