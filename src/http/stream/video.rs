//! `/video`: sends frames to one viewer until it disconnects, on its connection's own thread.

use std::io;
use std::time::{Duration, Instant};

use super::multipart;
use crate::gate::{Client, Job};
use crate::http::reply::ResponseContext;
use crate::hub::{LocalTotals, Reader, Wait};
use crate::media::{Frame, Pace, Timestamp};

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
    multipart::stream(head_only, context, move |client| {
        send_frames(&mut reader, &mut totals, Pace::new(interval), client)
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
