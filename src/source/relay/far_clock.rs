//! Another machine's wall clock, as this machine's monotonic one.

use crate::media::Timestamp;

/// The other's wall clock as this machine's monotonic one: the frame that was the shortest time on its
/// way says how far they are apart.
#[derive(Debug, Default)]
pub(super) struct FarClock {
    /// How far they were apart when a frame last came.
    last: Option<Apart>,
}

#[derive(Clone, Copy, Debug)]
struct Apart {
    /// Here minus there, in microseconds; the least so far.
    offset_us: i64,
    at: Timestamp,
}

/// A far clock that seems to differ by so much from what it was has been set.
const STEP_US: u64 = 10_000_000;

/// By how much the least difference is let grow, in microseconds a second: two clocks differ by less, so
/// that a slower one over there does not make its frames look older from hour to hour.
const DRIFT_PPM: u64 = 200;

impl FarClock {
    /// When something stamped there was captured, for a frame that arrives `now`.
    pub(super) fn here(&mut self, stamp_us: u64, now: Timestamp) -> Timestamp {
        let (there, here) = (stamp_us.cast_signed(), now.as_micros().cast_signed());
        let offset_us = here.wrapping_sub(there);
        let known = self.last.map(|last| {
            let drift_us = now.since(last.at).as_micros() as u64 * DRIFT_PPM / 1_000_000;
            last.offset_us.saturating_add_unsigned(drift_us)
        });
        let known = known.filter(|known| offset_us.wrapping_sub(*known).unsigned_abs() < STEP_US);
        let offset_us = known.map_or(offset_us, |known| known.min(offset_us));
        self.last = Some(Apart { offset_us, at: now });
        Timestamp::from_micros(u64::try_from(there.wrapping_add(offset_us)).unwrap_or(now.as_micros()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_quickest_frame_sets_the_clock_and_slow_ones_age() {
        let mut clock = FarClock::default();
        let at = Timestamp::from_micros;
        assert_eq!(clock.here(9_000_000_000, at(5_000)), at(5_000));
        assert_eq!(
            clock.here(9_000_010_000, at(25_000)),
            at(15_004),
            "10 ms longer on its way, but for a drift"
        );
        assert_eq!(clock.here(9_000_020_000, at(24_000)), at(24_000), "quicker than the first");
        assert_eq!(clock.here(1_000, at(30_000)), at(30_000), "the far clock was set back");
    }

    #[test]
    fn a_far_clock_that_is_slow_makes_no_frame_old() {
        let mut clock = FarClock::default();
        // A day of frames, ten a second, by a clock that loses 50 microseconds a second.
        let frames = (0..864_000u64).map(|number| (number * 99_995, number * 100_000));
        let ages = frames.map(|(there, here)| {
            let now = Timestamp::from_micros(1_000_000 + here);
            now.since(clock.here(9_000_000_000 + there, now))
        });
        assert!(ages.max().unwrap() < Duration::from_millis(1));
    }
}
