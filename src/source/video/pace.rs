//! How long to wait for a camera's next frame before it is taken for stalled. No I/O and no clocks.
//!
//! A camera is stalled after three of its intervals, at least 5 s and at most 10 minutes. A camera that gave
//! nothing gets twice as long at each try, because it may be slower than it says.

use std::time::Duration;

/// What is known of the time from one frame of a camera to the next, over its restarts.
#[derive(Debug)]
pub(super) struct Pace {
    /// The longest of the last intervals.
    observed: Duration,
    /// How long to wait for a camera of which nothing is known.
    patience: Duration,
}

/// A camera that should give a frame in less time is given this much.
const WAIT_MIN: Duration = Duration::from_secs(5);

/// No camera is waited for longer.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// A camera whose frames come less often is a slow one: its newest picture is kept for later requests.
const SLOW: Duration = Duration::from_millis(2_500);

impl Pace {
    pub(super) fn new() -> Self {
        Self { observed: Duration::ZERO, patience: WAIT_MIN }
    }

    /// Without a whole frame for so long the camera is stalled; it promised `fps` frames a second, or
    /// zero when it promised nothing.
    pub(super) fn limit(&self, fps: f32) -> Duration {
        let promised = Duration::try_from_secs_f32(1.0 / fps).unwrap_or(Duration::ZERO);
        let expected = (promised.min(WAIT_MAX).max(self.observed) * 3).max(self.patience);
        expected.clamp(WAIT_MIN, WAIT_MAX)
    }

    /// A frame came so long after the one before it, or after the camera was started.
    pub(super) fn came(&mut self, interval: Duration) {
        self.observed = interval.max(self.observed * 3 / 4);
        self.patience = WAIT_MIN;
    }

    /// The camera was given up without a frame. It may be one that needs longer than it says.
    pub(super) fn gave_nothing(&mut self) {
        self.patience = (self.patience * 2).min(WAIT_MAX);
    }

    /// The time from one frame to the next, if that is seconds.
    pub(super) fn slow_interval(&self) -> Option<Duration> {
        (self.observed >= SLOW).then_some(self.observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slow_camera_is_given_three_of_its_intervals() {
        let mut pace = Pace::new();
        assert_eq!(pace.limit(30.0), 5 * SECOND);
        assert_eq!(pace.limit(0.0), 5 * SECOND, "it promised nothing");
        assert!(pace.limit(0.1).as_secs_f32() > 29.9);
        assert_eq!(pace.limit(f32::NAN), 5 * SECOND);
        assert_eq!(pace.limit(1e-9), WAIT_MAX);
        pace.came(7 * SECOND);
        assert_eq!(pace.limit(30.0), 21 * SECOND, "it promised thirty a second");
        (0..30).for_each(|_| pace.came(SECOND / 30));
        assert_eq!((pace.limit(30.0), pace.slow_interval()), (5 * SECOND, None), "it is day again");
    }

    #[test]
    fn a_camera_without_a_frame_is_given_longer_each_time() {
        let mut pace = Pace::new();
        let limits: Vec<u64> = (0..9)
            .map(|_| {
                let limit = pace.limit(30.0);
                pace.gave_nothing();
                limit.as_secs()
            })
            .collect();
        assert_eq!(limits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        pace.came(SECOND / 30);
        assert_eq!(pace.limit(30.0), 5 * SECOND);
    }
}
