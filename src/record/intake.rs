//! Intake: keeps the last seconds of a camera and its microphone in memory.
//!
//! These seconds are the pre-roll of an event and the buffer for a disk that stalls. The capture thread itself notes its frames
//! here, which takes no memory but the places and wakes nobody. A thread reads the sound as a listener does. Neither touches the disk,
//! so neither capture nor viewers notice a recorder.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::hub::{
    CameraFeed, Flag, Listening, MicrophoneFeed, Named, Reader, Recent, RecentBounds, RecentWriter, Stop,
    recent,
};
use crate::media::{Frame, SoundFormat};

/// Most bytes of a camera's frames in memory.
pub(super) const BUFFER_BYTES: usize = 16 << 20;

/// Most frames in memory.
const BUFFER_FRAMES: u32 = 2048;

/// Most bytes of a microphone's sound in memory.
const BUFFER_SOUND_BYTES: usize = 4 << 20;

/// Most pieces of sound in memory.
const BUFFER_PIECES: u32 = 2048;

/// Bytes of frames whose memory is used again: those of one group that was written.
const SPARE_BYTES: usize = 1 << 20;

/// How long a disk may stall without a loss, beside the pre-roll, as far as the memory suffices.
const STALL: Duration = Duration::from_secs(20);

/// Time between two looks for sound.
const POLL: Duration = Duration::from_millis(100);

/// Pieces of sound in a second. FLAC compresses shorter ones badly.
const PIECES_A_SECOND: u32 = 25;

/// Stack of the thread: frames are on the heap.
const STACK_BYTES: usize = 192 * 1024;

/// A piece of sound as it was captured.
#[derive(Debug)]
pub(super) struct Piece {
    /// The format of the samples.
    pub(super) format: SoundFormat,
    /// The samples, interleaved.
    pub(super) samples: Vec<i16>,
}

/// The intake of one camera.
pub(super) struct Intake {
    /// The frames of the last seconds.
    pub(super) frames: Recent<Frame>,
    /// The sound of the last seconds.
    pub(super) sound: Recent<Piece>,
    /// Whether the camera was lost since somebody looked last.
    pub(super) was_lost: Arc<Flag>,
    camera: Arc<CameraFeed>,
    /// Keeps the camera running; `None` while viewers have all places.
    place: Option<Reader<Frame>>,
    microphone: Option<Arc<MicrophoneFeed>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Intake {
    /// Keeps at least `pre` of the camera's frames from now on, and as much of the microphone's sound.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        camera: &Arc<CameraFeed>,
        microphone: Option<Arc<MicrophoneFeed>>,
        pre: Duration,
    ) -> io::Result<Self> {
        let age = pre + STALL;
        let bounds = RecentBounds { values: BUFFER_FRAMES, bytes: BUFFER_BYTES, age };
        let (writer, frames) = recent(bounds, 1);
        let bounds = RecentBounds { values: BUFFER_PIECES, bytes: BUFFER_SOUND_BYTES, age };
        let (mut sound_writer, sound) = recent(bounds, 1);
        let stop = Stop::new();
        let mut thread = None;
        if let Some(microphone) = microphone.clone() {
            let stop = stop.clone();
            // Before the first frame is noted, not when the thread comes to run: sound of before is not heard.
            let listening = microphone.listen();
            let listen = move || follow(&microphone, listening, &mut sound_writer, &stop);
            let named = thread::Builder::new().name(format!("intake-{}", camera.name()));
            thread = Some(named.stack_size(STACK_BYTES).spawn(listen)?);
        }
        let was_lost = Arc::new(Flag::default());
        camera.frames().tap(keep(writer, Arc::clone(&was_lost)));
        let camera = Arc::clone(camera);
        let mut intake = Self { frames, sound, was_lost, camera, place: None, microphone, stop, thread };
        intake.attend();
        Ok(intake)
    }

    /// Has the camera run, as soon as there is a place among its readers.
    pub(super) fn attend(&mut self) {
        if self.place.is_none() {
            self.place = self.camera.frames().subscribe();
            self.camera.recorded.set(self.place.is_some());
        }
    }

    /// The present format of the sound, if there is any.
    pub(super) fn sound_format(&self) -> Option<SoundFormat> {
        self.microphone.as_ref().map(|microphone| microphone.format())
    }

    /// Whether no frame will come any more: the camera was removed.
    pub(super) fn has_ended(&self) -> bool {
        self.camera.frames().is_closed()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.camera.frames().untap();
        self.camera.recorded.set(false);
        self.stop.request();
        if let Some(thread) = self.thread.take() {
            // A panic in it was logged where it happened.
            let _ = thread.join();
        }
    }
}

/// What is called with each frame of the camera. It gives back frames that are written, for the memory of the next ones.
fn keep(
    mut frames: RecentWriter<Frame>,
    was_lost: Arc<Flag>,
) -> impl FnMut(Arc<Frame>) -> Option<Frame> + Send {
    let (mut spare, mut spare_bytes) = (Vec::new(), 0);
    move |frame| {
        if frame.is_no_signal() {
            was_lost.set(true);
            frames.expire(frame.captured().as_micros());
            (spare, spare_bytes) = (Vec::new(), 0);
            return None;
        }
        frames.push_frame(frame, |old| {
            if spare_bytes < SPARE_BYTES {
                spare_bytes += old.memory_bytes();
                spare.push(old);
            }
        });
        let given = spare.pop()?;
        spare_bytes -= given.memory_bytes();
        Some(given)
    }
}

/// Takes the sound of a microphone, until `stop` is requested.
fn follow(
    microphone: &MicrophoneFeed,
    mut listening: Listening,
    sound: &mut RecentWriter<Piece>,
    stop: &Stop,
) {
    while !stop.sleep(POLL) {
        let is_over = listening.reader.is_closed();
        take_sound(&mut listening, sound);
        if is_over {
            listening = microphone.listen();
        }
    }
}

/// Takes all whole pieces of sound that have come.
fn take_sound(listening: &mut Listening, into: &mut RecentWriter<Piece>) {
    let format = listening.format;
    let frames = (format.rate_hz / PIECES_A_SECOND).max(1);
    while listening.reader.behind() >= frames {
        let Some(captured) = listening.next_captured() else { return };
        let mut samples = vec![0; (frames * format.channels) as usize];
        let got = listening.reader.read(&mut samples);
        if got.lost > 0 || got.frames < frames as usize {
            // What was overwritten makes the time of the rest uncertain.
            into.skip(1);
            continue;
        }
        let bytes = samples.len() * size_of::<i16>();
        into.push(Arc::new(Piece { format, samples }), bytes, captured.as_micros());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::patience::wait_until;
    use crate::codec::part;
    use crate::hub::{Publisher, latest};
    use crate::media::Timestamp;

    fn frame(at_us: u64) -> Frame {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
            Ok::<(), ()>(())
        };
        part::build(Vec::new(), Timestamp::from_micros(at_us), (2, 2), write).unwrap()
    }

    fn camera() -> (Publisher<Frame>, Arc<CameraFeed>) {
        let (publisher, frames) = latest(2);
        (publisher, Arc::new(CameraFeed::new("front", frames)))
    }

    #[test]
    fn frames_are_kept_and_no_signal_frames_are_not() {
        let (mut publisher, camera) = camera();
        let intake = Intake::start(&camera, None, Duration::from_secs(10)).unwrap();
        assert_eq!((publisher.readers(), camera.viewers()), (1, 0), "a recorder is no viewer");
        let mut reader = intake.frames.reader().unwrap();
        let now_us = Timestamp::now().as_micros();
        for number in 0..100 {
            publisher.publish(frame(now_us + number));
        }
        let found: Vec<u64> = std::iter::from_fn(|| reader.read()).map(|item| item.captured_us).collect();
        assert_eq!(found, (now_us..now_us + 100).collect::<Vec<_>>());
        publisher.publish(frame(now_us + 100).into_no_signal());
        assert!(intake.was_lost.get() && reader.read().is_none());
        drop(intake);
        assert_eq!((publisher.readers(), camera.recorded.get()), (0, false));
    }

    #[test]
    fn frames_that_are_written_are_given_back() {
        let (mut publisher, camera) = camera();
        let intake = Intake::start(&camera, None, Duration::from_secs(10)).unwrap();
        let mut reader = intake.frames.reader().unwrap();
        for number in 0..100 {
            assert!(publisher.publish(frame(number)).is_none());
        }
        let held: Vec<_> = std::iter::from_fn(|| reader.read()).take(50).map(|item| item.value).collect();
        reader.release();
        assert!(publisher.publish(frame(100)).is_none(), "the recorder has them still");
        std::iter::from_fn(|| reader.read()).for_each(drop);
        drop(held);
        reader.release();
        // The newest value is in the hub until the next one but one replaces it.
        let given = (101..200).filter_map(|number| publisher.publish(frame(number))).count();
        assert!((40..=52).contains(&given), "{given}");
    }

    #[test]
    fn frames_are_kept_while_viewers_have_all_places() {
        let (mut publisher, camera) = camera();
        let viewers = [camera.frames().subscribe(), camera.frames().subscribe()];
        let mut intake = Intake::start(&camera, None, Duration::ZERO).unwrap();
        publisher.publish(frame(1));
        assert!(intake.frames.reader().unwrap().read().is_some() && !camera.recorded.get());
        drop(viewers);
        intake.attend();
        assert_eq!((publisher.readers(), camera.viewers()), (1, 0));
    }

    #[test]
    fn sound_is_kept_in_pieces_with_the_time_of_their_first_sample() {
        let (mut publisher, camera) = camera();
        let format = SoundFormat { rate_hz: 1000, channels: 2 };
        let (mut writer, feed) = MicrophoneFeed::new("front", format);
        let feed = Arc::new(feed);
        let intake = Intake::start(&camera, Some(Arc::clone(&feed)), Duration::from_secs(10)).unwrap();
        wait_until(|| feed.listeners() == 1);
        let end = Timestamp::now();
        writer.write(&[7; 2 * 100], end);
        publisher.publish(frame(end.as_micros()));
        let mut reader = intake.sound.reader().unwrap();
        let mut found = Vec::new();
        wait_until(|| {
            found.extend(reader.read());
            found.len() == 2
        });
        let starts: Vec<u64> = found.iter().map(|item| end.as_micros() - item.captured_us).collect();
        assert_eq!(starts, [100_000, 60_000]);
        assert!(found.iter().all(|item| item.value.samples == [7; 80] && item.value.format == format));
    }

    #[test]
    fn it_ends_with_its_camera() {
        let (publisher, camera) = camera();
        let intake = Intake::start(&camera, None, Duration::ZERO).unwrap();
        assert!(!intake.has_ended());
        drop(publisher);
        assert!(intake.has_ended());
    }
}
