//! `/video`: sends frames to one viewer until it disconnects, on its connection's own thread.

use std::io;
use std::time::{Duration, Instant};

use crate::codec::part;
use crate::gate::{After, Client, Job};
use crate::hub::{LocalTotals, Reader, Wait};
use crate::media::{Frame, Pace, Timestamp};

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
