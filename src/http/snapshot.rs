//! `/snapshot`: one picture, captured after it was asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::encode::part;
use crate::gate::{After, Client, Job};
use crate::hub::{CameraFeed, Named, Reader, Wait};
use crate::media::{Frame, Timestamp};

use super::reply::{Reply, Surroundings};

/// How long a picture may take: a camera that is opened on demand needs a second or two.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The job that waits for a picture and answers with it; `head_only` for the HEAD method.
pub fn take(
    feed: Arc<CameraFeed>,
    mut reader: Reader<Frame>,
    head_only: bool,
    around: Surroundings,
    keep: bool,
) -> Job {
    let asked = Timestamp::now();
    Box::new(move |client: &mut Client| {
        match fresh(&feed, &mut reader, asked) {
            Ok(frame) => {
                feed.sent.local().add(asked, |sums| {
                    sums.frames += 1;
                    sums.bytes += frame.jpeg().len() as u64;
                });
                let reply = Reply::picture()
                    .with("Cache-Control", "no-store")
                    .with("X-Timestamp", part::x_timestamp(frame.captured()));
                client.write_all(&reply.head(frame.jpeg().len() as u64, &around, keep))?;
                // Not copied behind the head: all who take this picture share its memory.
                if !head_only {
                    client.write_all(frame.jpeg())?;
                }
            }
            Err(why) => {
                let reply = Reply::error(503, &why).with("Retry-After", "5");
                client.write_all(&reply.into_bytes(&around, keep, !head_only))?;
            }
        }
        Ok(if keep { After::KeepAlive } else { After::Close })
    })
}

/// A picture captured since `asked`. A notice that there is none is no picture of the room: it ends the wait,
/// unless the camera is being started.
///
/// Of a camera whose frames are seconds apart the newest one is taken when no newer came in time; its
/// stamp says how old it is.
fn fresh(feed: &CameraFeed, reader: &mut Reader<Frame>, asked: Timestamp) -> Result<Arc<Frame>, String> {
    let end = Instant::now() + TIMEOUT;
    let offline = |problem: Option<String>| {
        let problem = problem.as_deref().unwrap_or("it has not given one since it was started");
        format!("camera {} gives no picture: {problem}", feed.name())
    };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match reader.wait_newer(left) {
            Wait::Fresh { value: frame, .. } if frame.captured() >= asked => {
                if !frame.is_notice() {
                    return Ok(frame);
                }
                let state = feed.state();
                if !state.online && !state.starting {
                    return Err(offline(state.problem));
                }
            }
            Wait::Fresh { .. } => {}
            Wait::TimedOut => {
                let state = feed.state();
                if !state.online {
                    return Err(offline(state.problem));
                }
                let newest = reader.newest().filter(|frame| {
                    let age = Timestamp::now().since(frame.captured());
                    !frame.is_notice() && state.slow_interval.is_some_and(|interval| age <= interval * 3)
                });
                return newest.ok_or_else(|| {
                    format!("camera {} gave no picture within {} s", feed.name(), TIMEOUT.as_secs())
                });
            }
            Wait::Closed => return Err("the server is stopping".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let asked = Timestamp::now();
        publisher.publish(frame(Timestamp::from_micros(asked.as_micros() - 1)));
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            publisher.publish(frame(Timestamp::now()));
            publisher
        });
        assert!(fresh(&feed, &mut reader, asked).unwrap().captured() >= asked);
        drop(later.join());
    }

    #[test]
    fn a_placard_is_an_error_that_says_why() {
        let (mut publisher, feed, mut reader) = camera(false);
        publisher.publish(frame(Timestamp::now()).into_notice());
        let why = fresh(&feed, &mut reader, Timestamp::from_micros(0)).unwrap_err();
        assert_eq!(why, "camera front gives no picture: unplugged");
    }

    #[test]
    fn a_first_picture_is_taken_whatever_was_said_of_the_camera_before() {
        let (mut publisher, feed, mut reader) = camera(false);
        let asked = Timestamp::now();
        publisher.publish(frame(Timestamp::now()));
        assert!(fresh(&feed, &mut reader, asked).is_ok(), "the state may be told a moment later");
    }

    #[test]
    fn while_a_camera_is_started_its_old_problem_ends_no_wait() {
        let (mut publisher, feed, mut reader) = camera(false);
        feed.set_state(CameraState { starting: true, ..feed.state() });
        let asked = Timestamp::now();
        publisher.publish(frame(Timestamp::now()).into_notice());
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            publisher.publish(frame(Timestamp::now()));
            publisher
        });
        assert!(!fresh(&feed, &mut reader, asked).unwrap().is_notice());
        drop(later.join());
    }

    #[test]
    fn of_a_slow_camera_the_newest_picture_is_given_with_its_true_age() {
        let (mut publisher, feed, mut reader) = camera(true);
        feed.set_state(CameraState { slow_interval: Some(Duration::from_secs(7)), ..feed.state() });
        let asked = Timestamp::now();
        let before = asked.before(Duration::from_secs(3));
        publisher.publish(frame(before));
        assert_eq!(fresh(&feed, &mut reader, asked).unwrap().captured(), before);
    }
}
