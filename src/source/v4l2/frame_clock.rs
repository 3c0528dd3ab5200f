//! When a frame was captured, by a driver's stamps that may be of any clock. No I/O and no clocks: the
//! caller says what time it is.
//!
//! V4L2 says which clock stamps are of, and drivers are wrong about it: there are stamps that count from
//! the start of the stream, that are of the wall clock, that stand still or run at another rate. So a stamp
//! is compared with the moment at which its frame was taken from the driver. One that lies shortly before is
//! believed. Of others the distance is learned: the least one of the last seconds is that of the frame that
//! was delayed the least. Where the distance does not stay the same, frames are stamped when they are taken.

use std::time::Duration;

use crate::media::Timestamp;

/// Turns a driver's stamps into moments of `CLOCK_MONOTONIC`, for one run of a camera.
#[derive(Debug)]
pub(super) struct FrameClock {
    /// How old a frame may be that was waited for.
    oldest_us: i64,
    /// The period before this one, if stamps kept their distance in it.
    settled: Option<i64>,
    period: Option<Period>,
    trust: Trust,
    last: Option<Timestamp>,
}

/// What the stamps say of a driver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// They are of `CLOCK_MONOTONIC`.
    Monotonic,
    /// They are of another clock that runs as fast.
    Shifted,
    /// They are of no use.
    None,
}

#[derive(Clone, Copy, Debug)]
struct Period {
    began: Timestamp,
    frames: u32,
    /// The least time from a stamp to the moment its frame was taken, in microseconds.
    least_us: i64,
}

/// A stamp is never later than the moment its frame is taken, but for rounding.
const FUTURE_US: i64 = 5_000;

/// How old a frame may be when it comes, its interval left out of account.
const AGE_US: i64 = 1_000_000;

/// How much the distance may differ from one period to the next.
const STEADY_US: i64 = 20_000;

const PERIOD: Duration = Duration::from_secs(1);
const PERIOD_FRAMES: u32 = 8;

impl FrameClock {
    /// For a camera whose frames come `interval` apart: one that exposes for seconds may stamp the start.
    pub(super) fn new(interval: Duration) -> Self {
        let oldest_us = AGE_US + i64::try_from(interval.as_micros()).unwrap_or(0);
        Self { oldest_us, settled: None, period: None, trust: Trust::Monotonic, last: None }
    }

    /// When a frame was captured that the driver stamped with `stamp` and that was taken at `taken`. If
    /// it was not waited for, it may have lain there for long, and says nothing of the clock.
    pub(super) fn captured(
        &mut self,
        stamp: Option<Timestamp>,
        taken: Timestamp,
        was_awaited: bool,
    ) -> Timestamp {
        let captured = match stamp {
            Some(stamp) if stamp.as_micros() > 0 => self.converted(stamp, taken, was_awaited),
            _ => None,
        };
        if stamp.is_none_or(|stamp| stamp.as_micros() == 0) {
            self.trust = Trust::None;
        }
        let newer = self.last.map(|last| Timestamp::from_micros(last.as_micros() + 1));
        let captured = captured.unwrap_or(taken).min(taken);
        let captured = newer.map_or(captured, |newer| captured.max(newer));
        self.last = Some(captured);
        captured
    }

    /// What is known of the driver's clock.
    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    fn converted(&mut self, stamp: Timestamp, taken: Timestamp, was_awaited: bool) -> Option<Timestamp> {
        let distance_us = taken.as_micros().wrapping_sub(stamp.as_micros()).cast_signed();
        if was_awaited {
            self.learn(distance_us, taken);
        }
        let offset_us = match self.trust {
            Trust::None => return None,
            Trust::Monotonic => 0,
            Trust::Shifted => self.least_us(distance_us),
        };
        let age_us = distance_us.wrapping_sub(offset_us);
        let is_possible = age_us >= -FUTURE_US && (!was_awaited || age_us <= self.oldest_us);
        let captured =
            Timestamp::from_micros(taken.as_micros().saturating_sub(age_us.max(0).cast_unsigned()));
        let is_newer = self.last.is_none_or(|last| captured > last);
        if !is_possible || !is_newer {
            // The clock was set, or the driver has started anew.
            self.restart(distance_us, taken);
            return None;
        }
        Some(captured)
    }

    fn learn(&mut self, distance_us: i64, taken: Timestamp) {
        let Some(period) = &mut self.period else {
            self.restart(distance_us, taken);
            return;
        };
        period.frames += 1;
        period.least_us = period.least_us.min(distance_us);
        let period = *period;
        if taken.since(period.began) < PERIOD || period.frames < PERIOD_FRAMES {
            return;
        }
        let is_steady =
            self.settled.is_none_or(|settled| settled.abs_diff(period.least_us) <= STEADY_US as u64);
        self.settled = Some(period.least_us);
        self.trust = match self.verdict(period.least_us) {
            Trust::Monotonic => Trust::Monotonic,
            other if is_steady => other,
            _ => Trust::None,
        };
        self.period = Some(Period { began: taken, frames: 1, least_us: distance_us });
    }

    /// Begins to learn anew with this frame.
    fn restart(&mut self, distance_us: i64, taken: Timestamp) {
        self.trust = self.verdict(distance_us);
        self.settled = None;
        self.period = Some(Period { began: taken, frames: 1, least_us: distance_us });
    }

    fn verdict(&self, least_us: i64) -> Trust {
        if (-FUTURE_US..=self.oldest_us).contains(&least_us) { Trust::Monotonic } else { Trust::Shifted }
    }

    fn least_us(&self, distance_us: i64) -> i64 {
        let known = [self.settled, self.period.map(|period| period.least_us)];
        known.into_iter().flatten().min().unwrap_or(distance_us).min(distance_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: u64 = 500_000_000;

    /// The greatest age of `count` frames a thirtieth of a second apart whose stamps `stamp` makes of their true
    /// moment; each is taken 20 to 25 ms later. None is from the future, and each newer than the one before.
    fn oldest(count: u64, stamp: impl Fn(u64) -> u64) -> (Duration, Trust) {
        let mut clock = FrameClock::new(Duration::from_millis(33));
        let mut last = Timestamp::from_micros(0);
        let mut oldest = Duration::ZERO;
        for number in 0..count {
            let true_us = START_US + number * 33_333;
            let taken = Timestamp::from_micros(true_us + 20_000 + number % 6 * 1_000);
            let captured = clock.captured(Some(Timestamp::from_micros(stamp(true_us))), taken, true);
            assert!(captured > last && captured <= taken, "frame {number}");
            (oldest, last) = (oldest.max(taken.since(captured)), captured);
        }
        (oldest, clock.trust())
    }

    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn stamps_of_the_monotonic_clock_are_taken_as_they_are() {
        let mut clock = FrameClock::new(Duration::ZERO);
        for at_us in [7_000_000, 7_033_333, 7_900_000] {
            let at = Timestamp::from_micros(at_us);
            assert_eq!(clock.captured(Some(at), at.after(Duration::from_millis(40)), true), at);
        }
        let at = Timestamp::from_micros(8_000_000);
        assert_eq!(clock.captured(Some(at.after(Duration::from_millis(3))), at, true), at, "rounded up");
        assert_eq!(clock.trust(), Trust::Monotonic);
    }

    #[test]
    fn stamps_of_a_shifted_clock_are_converted_to_the_present() {
        for shift in [-499_000_000, -5_000_000, -1_500_000, 50_000, 5_000_000, 1_700_000_000_000_000] {
            let (oldest, trust) = oldest(900, |us| us.saturating_add_signed(shift));
            assert!(oldest < SHORT, "shifted by {shift}: {oldest:?}");
            assert_eq!(trust, Trust::Shifted, "{shift}");
        }
        let (_, trust) = oldest(300, |us| us - START_US);
        assert_eq!(trust, Trust::Shifted, "from the start of the stream");
    }

    #[test]
    fn stamps_that_say_nothing_are_replaced() {
        assert!(oldest(300, |_| 0).0 < SHORT, "zero");
        assert!(oldest(300, |_| 77).0 < SHORT, "one moment for ever");
        assert!(oldest(300, |us| 2 * START_US - us).0 < SHORT, "backwards");
        assert!(oldest(900, |us| us * 2).0 < SHORT, "twice as fast");
        assert!(
            oldest(900, |us| us / 1_000).0 < Duration::from_millis(1_200),
            "milliseconds for microseconds"
        );
        assert!(oldest(300, |us| us * 1_000).0 < SHORT, "nanoseconds for microseconds");
        let noise = |us: u64| us.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        assert!(oldest(900, noise).0 < Duration::from_millis(1_200), "noise");
    }

    #[test]
    fn a_clock_that_drifts_makes_no_frame_old() {
        assert!(oldest(30_000, |us| (us - START_US) * 999 / 1000 + 7).0 < SHORT);
        assert!(oldest(30_000, |us| (us - START_US) * 9_999 / 10_000 + 7).0 < SHORT);
    }

    #[test]
    fn a_clock_that_is_set_in_mid_stream_is_learned_again() {
        let half = START_US + 10_000_000;
        for jump in [-60_000_000, -3_000_000, 3_000_000, 60_000_000] {
            let jumped = |us: u64| if us < half { us } else { us.saturating_add_signed(jump) };
            assert!(oldest(900, jumped).0 < SHORT, "{jump}");
            let back = |us: u64| if (half..half + 1_000_000).contains(&us) { 1 } else { us };
            assert!(oldest(900, back).0 < SHORT, "and back");
        }
    }

    #[test]
    fn a_frame_that_lay_there_is_as_old_as_it_is() {
        let mut clock = FrameClock::new(Duration::from_millis(33));
        let at = Timestamp::from_micros(9_000_000);
        clock.captured(Some(at), at.after(Duration::from_millis(20)), true);
        let next = at.after(Duration::from_millis(100));
        let taken = at.after(Duration::from_secs(3));
        assert_eq!(clock.captured(Some(next), taken, false), next, "the encoder was busy for seconds");
        assert_eq!(clock.trust(), Trust::Monotonic);
    }

    #[test]
    fn a_long_exposure_may_be_stamped_at_its_start() {
        let mut clock = FrameClock::new(Duration::from_secs(7));
        let at = Timestamp::from_micros(9_000_000);
        assert_eq!(clock.captured(Some(at), at.after(Duration::from_secs(7)), true), at);
    }
}
