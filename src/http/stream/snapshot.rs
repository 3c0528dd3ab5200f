//! `/snapshot`: one picture, captured after the request.
//!
//! A snapshot is newer than its request and shows what the camera sees: if there is only a no-signal frame, the answer is
//! 503 with the reason. If a camera takes more than 2.5 s between frames, the newest picture is sent when none
//! arrives within 5 s; `X-Timestamp` shows its age.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::part;
use crate::gate::{After, Client, Job};
use crate::hub::{CameraFeed, Named, Reader, Totals, Wait};
use crate::media::{Frame, Scale, Timestamp};
use crate::memory::{Account, Lease};
use crate::streams;

use crate::http::reply::{Reply, ResponseContext};

/// How long to wait for a picture. A camera that is opened on demand needs a second or two.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no picture to send.
#[derive(Debug)]
enum NoPicture {
    /// The camera of this name is offline, and its problem if it has one.
    Offline(String, Option<String>),
    /// The camera of this name is online but delivered nothing in time.
    TimedOut(String),
    /// It cannot be made smaller, and why.
    Unchangeable(String),
    /// There is no memory for a smaller one now.
    NoMemory,
    /// The server is stopping.
    Stopping,
}

/// How a picture is sent.
pub struct Response {
    /// Its size.
    pub scale: Scale,
    /// Only the head of the response.
    pub head_only: bool,
    /// What all responses have.
    pub context: ResponseContext,
    /// Whether the connection is kept.
    pub keep: bool,
    /// Whose memory a picture takes that is made for this response.
    pub memory: Arc<Account>,
}

/// The job that waits for a picture in `reader` and sends it, and counts that in `sent`. The state of `feed` says why
/// there is none.
pub fn take(feed: Arc<CameraFeed>, sent: Totals, mut reader: Reader<Frame>, response: Response) -> Job {
    let requested = Timestamp::now();
    let Response { scale, head_only, context, keep, memory } = response;
    Box::new(move |client: &mut Client| {
        let taken = fresh(&feed, &mut reader, requested).and_then(|frame| Picture::of(frame, scale, &memory));
        match taken {
            Ok(picture) => {
                let jpeg = picture.jpeg();
                sent.local().add(requested, |sums| {
                    sums.frames += 1;
                    sums.bytes += jpeg.len() as u64;
                });
                let reply = Reply::picture()
                    .with("Cache-Control", "no-store")
                    .with("X-Timestamp", part::x_timestamp(picture.frame.captured()));
                client.write_all(&reply.head(jpeg.len() as u64, &context, keep))?;
                // Not copied after the head: all responses with this picture share its memory.
                if !head_only {
                    client.write_all(jpeg)?;
                }
            }
            Err(error) => {
                let reply = match error {
                    NoPicture::NoMemory => Reply::out_of_memory(),
                    _ => Reply::error(503, &error.to_string()).with("Retry-After", "5"),
                };
                client.write_all(&reply.into_bytes(&context, keep, !head_only))?;
            }
        }
        Ok(if keep { After::KeepAlive } else { After::Close })
    })
}

/// A picture to be sent.
struct Picture {
    frame: Arc<Frame>,
    /// The JPEG made of it, where another size was asked for, and its memory.
    smaller: Option<(Vec<u8>, Lease)>,
}

impl Picture {
    fn of(frame: Arc<Frame>, scale: Scale, memory: &Arc<Account>) -> Result<Self, NoPicture> {
        if scale == Scale::Whole {
            return Ok(Self { frame, smaller: None });
        }
        let shrunk = streams::shrink(&frame, scale, memory);
        let shrunk = shrunk.map_err(|why| NoPicture::Unchangeable(why.to_string()))?;
        Ok(Self { frame, smaller: Some(shrunk.ok_or(NoPicture::NoMemory)?) })
    }

    fn jpeg(&self) -> &[u8] {
        self.smaller.as_ref().map_or_else(|| self.frame.jpeg(), |(jpeg, _)| jpeg)
    }
}

/// A picture captured since `requested`. A no-signal frame is not a picture: it ends the wait, unless the camera is
/// being started.
///
/// If a camera's frames are seconds apart and no new one came in time, its newest frame is taken. The stamp says
/// how old that is.
fn fresh(
    feed: &CameraFeed,
    reader: &mut Reader<Frame>,
    requested: Timestamp,
) -> Result<Arc<Frame>, NoPicture> {
    let end = Instant::now() + TIMEOUT;
    let offline = |problem| NoPicture::Offline(feed.name().to_owned(), problem);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match reader.wait_newer(left) {
            Wait::Fresh { value: frame, .. } if frame.captured() >= requested => {
                if !frame.is_no_signal() {
                    return Ok(frame);
                }
                let state = feed.state();
                if !state.online && !state.starting {
                    return Err(offline(feed.public_problem()));
                }
            }
            Wait::Fresh { .. } => {}
            Wait::TimedOut => {
                let state = feed.state();
                if !state.online {
                    return Err(offline(feed.public_problem()));
                }
                let newest = reader.newest().filter(|frame| {
                    let age = Timestamp::now().since(frame.captured());
                    !frame.is_no_signal() && state.slow_interval.is_some_and(|interval| age <= interval * 3)
                });
                return newest.ok_or_else(|| NoPicture::TimedOut(feed.name().to_owned()));
            }
            Wait::Closed => return Err(NoPicture::Stopping),
        }
    }
}

impl fmt::Display for NoPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline(camera, problem) => {
                let problem = problem.as_deref().unwrap_or("no picture since the start of the server");
                write!(f, "camera {camera} gives no picture: {problem}")
            }
            Self::TimedOut(camera) => {
                write!(f, "camera {camera} gave no picture within {} s", TIMEOUT.as_secs())
            }
            Self::NoMemory => f.write_str("there is no memory for it"),
            Self::Unchangeable(why) => write!(f, "the picture cannot be made smaller: {why}"),
            Self::Stopping => f.write_str("the server is stopping"),
        }
    }
}

impl Error for NoPicture {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::patience::asleep;
    use crate::hub::{CameraState, Publisher, latest};

    fn frame(captured: Timestamp) -> Frame {
        part::build(Vec::new(), captured, (2, 2), |_| Ok::<(), ()>(())).unwrap()
    }

    fn camera(online: bool) -> (Publisher<Frame>, CameraFeed, Reader<Frame>) {
        let (publisher, frames) = latest(1);
        let feed = CameraFeed::new("front", frames);
        feed.set_state(CameraState {
            online,
            problem: (!online).then(|| "unplugged".to_owned()),
            ..CameraState::default()
        });
        let reader = feed.frames().subscribe().unwrap();
        (publisher, feed, reader)
    }

    #[test]
    fn a_frame_from_before_the_request_is_not_taken() {
        let (mut publisher, feed, mut reader) = camera(true);
        let requested = Timestamp::now();
        publisher.publish(frame(Timestamp::from_micros(requested.as_micros() - 1)));
        std::thread::scope(|scope| {
            let waiting = asleep(scope, || fresh(&feed, &mut reader, requested).unwrap().captured());
            publisher.publish(frame(Timestamp::now()));
            assert!(waiting.join().unwrap() >= requested);
        });
    }

    #[test]
    fn a_no_signal_frame_is_an_error_with_its_cause() {
        let (mut publisher, feed, mut reader) = camera(false);
        publisher.publish(frame(Timestamp::now()).into_no_signal());
        let why = fresh(&feed, &mut reader, Timestamp::from_micros(0)).unwrap_err();
        assert_eq!(why.to_string(), "camera front gives no picture: unplugged");
    }

    #[test]
    fn the_first_picture_is_taken_even_if_the_camera_was_offline() {
        let (mut publisher, feed, mut reader) = camera(false);
        let requested = Timestamp::now();
        publisher.publish(frame(Timestamp::now()));
        assert!(fresh(&feed, &mut reader, requested).is_ok(), "the state may be updated a moment later");
    }

    #[test]
    fn an_old_problem_is_ignored_while_a_camera_starts() {
        let (mut publisher, feed, mut reader) = camera(false);
        feed.set_state(CameraState { starting: true, ..feed.state() });
        let requested = Timestamp::now();
        publisher.publish(frame(Timestamp::now()).into_no_signal());
        std::thread::scope(|scope| {
            let waiting = asleep(scope, || fresh(&feed, &mut reader, requested).unwrap().is_no_signal());
            publisher.publish(frame(Timestamp::now()));
            assert!(!waiting.join().unwrap());
        });
    }

    #[test]
    fn a_slow_camera_answers_with_its_newest_picture() {
        let (mut publisher, feed, mut reader) = camera(true);
        feed.set_state(CameraState { slow_interval: Some(Duration::from_secs(7)), ..feed.state() });
        let requested = Timestamp::now();
        let before = requested.before(Duration::from_secs(3));
        publisher.publish(frame(before));
        assert_eq!(fresh(&feed, &mut reader, requested).unwrap().captured(), before);
    }
}
