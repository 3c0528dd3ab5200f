//! Selecting frames so that their rate is close to a requested one.

use std::time::Duration;

use super::Timestamp;

/// Selects frames by their stamps, evenly spread, so that their rate is close to the requested one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Option<Duration>,
    /// When the next frame is due, by the clock of the frames' stamps.
    due: Option<Timestamp>,
}

impl Pace {
    /// At most one frame for each `interval`; `None` selects all frames.
    pub fn new(interval: Option<Duration>) -> Self {
        Self { interval, due: None }
    }

    /// Whether the frame that was captured at `captured` is selected.
    pub fn takes(&mut self, captured: Timestamp) -> bool {
        let Some(interval) = self.interval else { return true };
        let interval_us = interval.as_micros() as u64;
        let now_us = captured.as_micros();
        let due_us = self.due.map_or(now_us, Timestamp::as_micros);
        // A frame that is a little early is taken: cameras jitter, and waiting for the next frame would halve a
        // rate close to the camera's own.
        let slack_us = interval_us.min(10_000) / 2;
        if now_us + slack_us < due_us {
            return false;
        }
        // Due times advance by whole intervals, which keeps the average rate; after a pause they start over.
        let next_us = if now_us > due_us + interval_us { now_us } else { due_us } + interval_us;
        self.due = Some(Timestamp::from_micros(next_us));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(camera_fps: u64, asked_fps: f64, seconds: u64) -> u64 {
        let mut pace = Pace::new(Some(Duration::from_secs_f64(1.0 / asked_fps)));
        let frames = (0..camera_fps * seconds).map(|number| 5_000_000 + number * 1_000_000 / camera_fps);
        frames.filter(|micros| pace.takes(Timestamp::from_micros(*micros))).count() as u64
    }

    #[test]
    fn the_rate_is_the_requested_one() {
        for (camera, asked, expected) in
            [(30, 10.0, 100), (30, 7.0, 70), (30, 30.0, 300), (30, 60.0, 300), (25, 24.0, 240), (30, 0.5, 5)]
        {
            let got = taken(camera, asked, 10);
            assert!(
                got.abs_diff(expected) <= expected / 20 + 1,
                "{asked} of {camera} fps: {got} frames in 10 s"
            );
        }
    }

    #[test]
    fn after_a_pause_frames_are_not_sent_in_a_rush() {
        let mut pace = Pace::new(Some(Duration::from_millis(100)));
        assert!(pace.takes(Timestamp::from_micros(1_000_000)));
        assert!(pace.takes(Timestamp::from_micros(9_000_000)));
        assert!(!pace.takes(Timestamp::from_micros(9_033_000)));
    }
}
