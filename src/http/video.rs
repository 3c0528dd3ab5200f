//! `/video`: frames to one viewer for as long as it likes, on its connection's own thread.

use std::io;
use std::time::{Duration, Instant};

use crate::encode::part;
use crate::gate::{After, Client, Job};
use crate::hub::{Reader, Tally, Wait};
use crate::media::{Frame, Timestamp};

use super::reply::{Surroundings, stream_head};

/// Highest `?fps=`: more than any camera gives.
const MAX_FPS: f64 = 1000.0;

/// How long to wait for a frame before looking whether the viewer is still there, and still may be.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The job that streams `reader`'s frames, at most one per `interval`; only the head of the
/// response when `head_only`.
pub fn stream(
    mut reader: Reader<Frame>,
    mut tally: Tally,
    interval: Option<Duration>,
    head_only: bool,
    around: Surroundings,
) -> Job {
    Box::new(move |client: &mut Client| {
        let content_type = format!("multipart/x-mixed-replace; boundary={}", part::boundary());
        let mut opening = stream_head(&content_type, &[], &around);
        if !head_only {
            opening.extend_from_slice(part::opening().as_bytes());
        }
        client.write_all(&opening)?;
        if !head_only {
            client.limit_latency();
            send_frames(&mut reader, &mut tally, Pace::new(interval), client)?;
        }
        Ok(After::Close)
    })
}

/// The least time between two frames that a query asks for; `None` when it asks for none.
///
/// # Errors
/// A sentence about an `fps` that is not a number above 0 and up to 1000.
pub fn interval(query: &str) -> Result<Option<Duration>, String> {
    let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix("fps=")) else { return Ok(None) };
    match value.parse::<f64>() {
        // The bound below keeps the interval within what a Duration can hold.
        Ok(fps) if (0.001..=MAX_FPS).contains(&fps) => Ok(Some(Duration::from_secs_f64(1.0 / fps))),
        _ => Err(format!("fps must be a number from 0.001 to {MAX_FPS}")),
    }
}

fn send_frames(
    reader: &mut Reader<Frame>,
    tally: &mut Tally,
    mut pace: Pace,
    client: &mut Client,
) -> io::Result<()> {
    let mut looked = Instant::now();
    loop {
        match reader.wait_newer(LOOK_EVERY) {
            Wait::Fresh { value: frame, missed } => {
                if pace.takes(frame.captured()) {
                    client.write_all(frame.part())?;
                    let now = Timestamp::now();
                    tally.add(now, |sums| {
                        sums.frames += 1;
                        sums.bytes += frame.part().len() as u64;
                        sums.skipped += u64::from(missed);
                        sums.age.count(now.since(frame.captured()));
                    });
                    looked = Instant::now();
                } else if looked.elapsed() >= LOOK_EVERY {
                    // Between rare frames nothing is written, and only a write tells by itself.
                    if client.is_gone() {
                        return Ok(());
                    }
                    looked = Instant::now();
                }
            }
            Wait::TimedOut if client.is_gone() => return Ok(()),
            Wait::TimedOut => {}
            Wait::Closed => return Ok(()),
        }
    }
}

/// Chooses frames so that their rate comes near the one asked for, evenly spread.
struct Pace {
    interval: Option<Duration>,
    /// When the next frame is due, on the frames' own clock.
    due: Option<Timestamp>,
}

impl Pace {
    fn new(interval: Option<Duration>) -> Self {
        Self { interval, due: None }
    }

    fn takes(&mut self, captured: Timestamp) -> bool {
        let Some(interval) = self.interval else { return true };
        let interval_us = interval.as_micros() as u64;
        let now_us = captured.as_micros();
        let due_us = self.due.map_or(now_us, Timestamp::as_micros);
        // A frame a little early is taken: cameras jitter, and waiting for the next one would
        // halve a rate that is close to the camera's own.
        let slack_us = interval_us.min(10_000) / 2;
        if now_us + slack_us < due_us {
            return false;
        }
        // Due times advance by whole intervals, so that the average holds; after a pause they
        // start over.
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
    fn the_rate_asked_for_is_the_rate_given() {
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

    #[test]
    fn fps_is_read_from_the_query_and_nonsense_is_refused() {
        assert_eq!(interval("a=b&fps=4"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(interval("a=b"), Ok(None));
        for nonsense in ["fps=", "fps=0", "fps=-1", "fps=x", "fps=nan", "fps=inf", "fps=1e-9", "fps=1e9"] {
            assert!(interval(nonsense).is_err(), "{nonsense}");
        }
    }
}
