//! When samples were captured that carry no time: they are counted, and the count is held to the time at which they
//! arrive. No I/O and no clock: the caller says what time it is.
//!
//! A program writes in pieces, and is held up now and then, but its microphone is not. So what counts is the piece that
//! was the shortest time on its way. The time stamps stay true whatever the sender's rate is: those of a sender that
//! is too fast never get ahead of the present, and those of a slow one are set forward every two seconds. Samples are
//! neither stretched nor cut, as with a sound card.

use std::time::Duration;

use crate::media::{SoundFormat, Timestamp};

/// Sound this far behind what was counted has a gap before it.
const GAP: Duration = Duration::from_millis(500);

/// Over so long the shortest delay is looked for.
const WINDOW: Duration = Duration::from_secs(2);

/// A sender may be so far ahead of real time, as after it was held up.
const AHEAD_MAX: Duration = Duration::from_millis(500);

/// By so much a sender may be too fast without being held up: two clocks differ by less.
const TOO_FAST_PERCENT: u64 = 1;

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct SoundClock {
    format: SoundFormat,
    /// When the last samples ended.
    end: Option<Timestamp>,
    /// When the window began, and the shortest delay in it.
    window: (Timestamp, Duration),
    /// When samples last came, and by how much more had come until then than a microphone gives.
    ahead: (Timestamp, Duration),
}

impl SoundClock {
    /// A clock that starts `now`.
    pub(super) fn new(format: SoundFormat, now: Timestamp) -> Self {
        Self { format, end: None, window: (now, Duration::MAX), ahead: (now, Duration::ZERO) }
    }

    /// When `frames` ended that arrived `now`, and whether there is a gap before them.
    pub(super) fn end_of(&mut self, frames: u64, now: Timestamp) -> (Timestamp, bool) {
        let counted = self.end.map(|end| end.after(self.format.length_of(frames)));
        let counted = counted.filter(|counted| now.since(*counted) < GAP);
        let (mut end, is_after_gap) = match counted {
            Some(counted) => (counted.min(now), false),
            None => (now, true),
        };
        let (began, shortest) = if is_after_gap { (now, Duration::MAX) } else { self.window };
        let shortest = shortest.min(now.since(end));
        self.window = (began, shortest);
        if now.since(began) >= WINDOW {
            end = end.after(shortest);
            self.window = (now, Duration::MAX);
        }
        self.end = Some(end);
        (end, is_after_gap)
    }

    /// How long to read no more after `frames` that arrived `now`, because the sender is faster than any microphone: what is
    /// not read holds it up.
    pub(super) fn pause(&mut self, frames: u64, now: Timestamp) -> Duration {
        let (last, ahead) = self.ahead;
        let passed = now.since(last);
        let passed = passed + passed * TOO_FAST_PERCENT as u32 / 100;
        let ahead = (ahead + self.format.length_of(frames)).saturating_sub(passed);
        self.ahead = (now, ahead);
        ahead.saturating_sub(AHEAD_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 1 };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + ms * 1000)
    }

    /// The clock after an hour of pieces of `frames` every 100 ms, each late by up to 40 ms.
    fn hour(frames: u64) -> Vec<(Duration, bool)> {
        let mut clock = SoundClock::new(FORMAT, at(0));
        (1..=36_000u64)
            .map(|piece| {
                let now = at(piece * 100 + piece * 7919 % 40);
                let (end, is_after_gap) = clock.end_of(frames, now);
                assert!(end <= now, "sound of the future");
                (now.since(end), is_after_gap)
            })
            .collect()
    }

    #[test]
    fn stamps_of_a_steady_sender_are_counted() {
        let delays = hour(100);
        assert!(delays.iter().all(|(delay, _)| *delay <= Duration::from_millis(40)));
        assert_eq!(delays.iter().filter(|(_, is_after_gap)| *is_after_gap).count(), 1, "at the start");
    }

    #[test]
    fn a_slow_sender_is_not_left_behind_and_has_no_gaps() {
        // One frame in a hundred is missing: 20 ms in two seconds.
        let delays = hour(99);
        assert!(
            delays.iter().all(|(delay, _)| *delay <= Duration::from_millis(150)),
            "{:?}",
            delays.iter().max()
        );
        assert_eq!(delays.iter().filter(|(_, is_after_gap)| *is_after_gap).count(), 1);
    }

    #[test]
    fn a_fast_sender_does_not_get_ahead() {
        let delays = hour(110);
        assert!(delays.iter().all(|(delay, _)| *delay <= Duration::from_millis(40)));
    }

    #[test]
    fn a_long_silence_is_a_gap() {
        let mut clock = SoundClock::new(FORMAT, at(0));
        assert_eq!(clock.end_of(20, at(20)), (at(20), true));
        assert_eq!(clock.end_of(20, at(45)), (at(40), false));
        assert_eq!(clock.end_of(20, at(559)), (at(60), false), "held up");
        assert_eq!(clock.end_of(20, at(1_000)), (at(1_000), true));
    }

    #[test]
    fn a_sender_faster_than_a_microphone_is_held_up() {
        let mut clock = SoundClock::new(FORMAT, at(0));
        let mut now_ms = 0;
        let mut frames = 0;
        while now_ms < 100_000 {
            let pause = clock.pause(100, at(now_ms));
            now_ms += pause.as_millis() as u64 + 1;
            frames += 100;
        }
        assert!((100_000..=102_000).contains(&frames), "{frames} in 100 s");
        // A card whose clock is too fast by a half percent is not.
        let mut clock = SoundClock::new(FORMAT, at(0));
        assert!((1..100_000).all(|piece| clock.pause(201, at(piece * 200)).is_zero()));
    }
}
