//! Intake: reads a camera's frames and its microphone's sound as a viewer and a listener do, and keeps the last seconds in memory.
//!
//! These seconds are the pre-roll of an event and the buffer for a disk that stalls. The thread never touches the disk and waits for
//! nobody but the camera, so neither capture nor viewers notice a recorder.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::hub::{
    CameraFeed, Flag, Listening, MicrophoneFeed, Named, Recent, RecentBounds, RecentWriter, Stop, Wait,
    recent,
};
use crate::media::{Frame, SoundFormat, Timestamp};

/// Most bytes of a camera's frames in memory.
pub(super) const BUFFER_BYTES: usize = 16 << 20;

/// Most frames in memory.
const BUFFER_FRAMES: u32 = 2048;

/// Most bytes of a microphone's sound in memory.
const BUFFER_SOUND_BYTES: usize = 4 << 20;

/// Most pieces of sound in memory.
const BUFFER_PIECES: u32 = 2048;

/// How long a disk may stall without a loss, beside the pre-roll, as far as the memory suffices.
const STALL: Duration = Duration::from_secs(20);

/// The longest wait for a frame: after it, the thread takes sound, and looks whether it is to end.
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
    microphone: Option<Arc<MicrophoneFeed>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Intake {
    /// Starts the thread, which keeps at least `pre` of the camera's frames, and as much of the microphone's sound.
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
        let (frame_writer, frames) = recent(bounds, 1);
        let bounds = RecentBounds { values: BUFFER_PIECES, bytes: BUFFER_SOUND_BYTES, age };
        let (sound_writer, sound) = recent(bounds, 1);
        let (stop, was_lost) = (Stop::new(), Arc::new(Flag::default()));
        let mut worker = Worker {
            camera: Arc::clone(camera),
            microphone: microphone.clone(),
            frames: frame_writer,
            sound: sound_writer,
            was_lost: Arc::clone(&was_lost),
        };
        let mine = stop.clone();
        let thread = thread::Builder::new()
            .name(format!("intake-{}", camera.name()))
            .stack_size(STACK_BYTES)
            .spawn(move || worker.run(&mine))?;
        Ok(Self { frames, sound, was_lost, microphone, stop, thread: Some(thread) })
    }

    /// The present format of the sound, if there is any.
    pub(super) fn sound_format(&self) -> Option<SoundFormat> {
        self.microphone.as_ref().map(|microphone| microphone.format())
    }

    /// Whether the thread has ended by itself: its camera was removed.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(thread) = self.thread.take() {
            // A panic in it was logged where it happened.
            let _ = thread.join();
        }
    }
}

struct Worker {
    camera: Arc<CameraFeed>,
    microphone: Option<Arc<MicrophoneFeed>>,
    frames: RecentWriter<Frame>,
    sound: RecentWriter<Piece>,
    was_lost: Arc<Flag>,
}

impl Worker {
    fn run(&mut self, stop: &Stop) {
        self.camera.recorded.set(true);
        self.follow(stop);
        self.camera.recorded.set(false);
    }

    fn follow(&mut self, stop: &Stop) {
        let mut reader = loop {
            match self.camera.frames().subscribe() {
                Some(reader) => break reader,
                // All places are taken by viewers.
                None if stop.sleep(POLL) => return,
                None => {}
            }
        };
        let mut listening = self.microphone.as_ref().map(|microphone| microphone.listen());
        while !stop.is_requested() {
            match reader.wait_newer(POLL) {
                Wait::Fresh { value: frame, missed } => {
                    if missed > 0 {
                        self.frames.skip(missed);
                    }
                    if frame.is_no_signal() {
                        self.was_lost.set(true);
                    } else {
                        self.frames.push_frame(frame);
                    }
                }
                Wait::TimedOut => self.frames.expire(Timestamp::now().as_micros()),
                Wait::Closed => return,
            }
            if let (Some(microphone), Some(listening)) = (&self.microphone, &mut listening) {
                if listening.reader.is_closed() {
                    *listening = microphone.listen();
                }
                take_sound(listening, &mut self.sound);
            }
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
        wait_until(|| publisher.readers() == 1);
        assert_eq!(camera.viewers(), 0, "a recorder is no viewer");
        let mut reader = intake.frames.reader().unwrap();
        let now_us = Timestamp::now().as_micros();
        publisher.publish(frame(now_us));
        let mut found = None;
        wait_until(|| {
            found = found.take().or_else(|| reader.read());
            found.is_some()
        });
        assert_eq!(found.map(|item| item.captured_us), Some(now_us));
        publisher.publish(frame(now_us + 1).into_no_signal());
        wait_until(|| intake.was_lost.get());
        assert!(reader.read().is_none());
        drop(intake);
        assert_eq!((publisher.readers(), camera.recorded.get()), (0, false));
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
    fn the_thread_ends_with_its_camera() {
        let (publisher, camera) = camera();
        let intake = Intake::start(&camera, None, Duration::ZERO).unwrap();
        drop(publisher);
        wait_until(|| intake.has_ended());
    }
}
