//! `/video`: sends frames to one viewer until it disconnects, on its connection's own thread.

use std::io;
use std::time::{Duration, Instant};

use crate::codec::part;
use crate::gate::{After, Client, Job};
use crate::hub::{LocalTotals, Reader, Wait};
use crate::media::{Frame, Timestamp};

use crate::http::reply::{ResponseContext, stream_head};

/// How long to wait for a frame before checking that the viewer is still connected and still allowed.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// The job that streams `reader`'s frames, at most one per `interval`; only the head of the response if
/// `head_only`.
pub fn stream(
    mut reader: Reader<Frame>,
    mut totals: LocalTotals,
    interval: Option<Duration>,
    head_only: bool,
    context: ResponseContext,
) -> Job {
    Box::new(move |client: &mut Client| {
        let content_type = format!("multipart/x-mixed-replace; boundary={}", part::boundary());
        let mut opening = stream_head(&content_type, &[], &context);
        if !head_only {
            opening.extend_from_slice(part::opening().as_bytes());
        }
        client.write_all(&opening)?;
        if !head_only {
            client.limit_latency();
            send_frames(&mut reader, &mut totals, Pace::new(interval), client)?;
        }
        Ok(After::Close)
    })
}

fn send_frames(
    reader: &mut Reader<Frame>,
    totals: &mut LocalTotals,
    mut pace: Pace,
    client: &mut Client,
) -> io::Result<()> {
    let mut checked = Instant::now();
    loop {
        match reader.wait_newer(CHECK_EVERY) {
            Wait::Fresh { value: frame, missed } => {
                if pace.takes(frame.captured()) {
                    client.write_all(frame.part())?;
                    let now = Timestamp::now();
                    totals.add(now, |sums| {
                        sums.frames += 1;
                        sums.bytes += frame.part().len() as u64;
                        sums.skipped += u64::from(missed);
                        sums.age.count(now.since(frame.captured()));
                    });
                    checked = Instant::now();
                } else if checked.elapsed() >= CHECK_EVERY {
                    // While frames are left out, no write fails and shows that the viewer is gone.
                    if client.is_gone() {
                        return Ok(());
                    }
                    checked = Instant::now();
                }
            }
            Wait::TimedOut if client.is_gone() => return Ok(()),
            Wait::TimedOut => {}
            Wait::Closed => return Ok(()),
        }
    }
}

/// Selects frames, evenly spread, so that their rate is close to the requested one.
struct Pace {
    interval: Option<Duration>,
    /// When the next frame is due, by the clock of the frames' stamps.
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
