//! Further streams of a camera: its pictures made smaller, fewer, or lighter, once however many watch.
//!
//! The thread of a stream reads the camera's frames as a viewer does, so the camera's own thread does nothing for it. It
//! reads only while the stream has viewers: a stream that nobody watches costs nothing, and does not keep a camera on
//! demand running.
//!
//! What belongs here: when frames are made, and from which. What must not: how JPEGs are changed (`jpeg`), and who may
//! watch (`http`).

mod convert;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use crate::codec::part;
use crate::hub::{CameraFeed, Named, Publisher, Reader, Stop, StreamFeed, StreamState, Wait};
use crate::jpeg::error::JpegError;
use crate::media::{Frame, Pace, Scale, StreamSettings, Timestamp};
use convert::{Converter, Refused};

/// Stack of a stream's thread: pictures are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// The longest wait for a viewer or a frame: after it, the thread looks whether it is to end.
const POLL: Duration = Duration::from_millis(100);

/// How long a stream goes on without viewers, so that a page that is loaded again does not end and begin it.
const LINGER: Duration = Duration::from_secs(2);

/// Pause after a panic, and while the camera has no place for another reader.
const PAUSE: Duration = Duration::from_secs(1);

/// The end of a stream that its thread writes. It outlives the thread: viewers keep their stream while a camera is
/// started anew.
pub struct StreamWriter {
    settings: StreamSettings,
    feed: Arc<StreamFeed>,
    publisher: Publisher<Frame>,
}

impl StreamWriter {
    /// A new stream, for at most `max_viewers`.
    pub fn new(settings: &StreamSettings, max_viewers: u32) -> Self {
        let (publisher, frames) = crate::hub::latest(max_viewers);
        Self { settings: settings.clone(), feed: Arc::new(StreamFeed::new(settings, frames)), publisher }
    }

    /// The name of the stream.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Replaces the settings of a stream whose thread does not run.
    pub fn set_settings(&mut self, settings: &StreamSettings) {
        self.settings.clone_from(settings);
        self.feed.set_settings(settings);
    }

    /// Takes the newest frame back: whoever comes from now on does not get it. For a stream whose thread does not run.
    pub fn retract(&mut self) {
        self.publisher.retract();
    }

    /// What its viewers see of it.
    pub fn feed(&self) -> &Arc<StreamFeed> {
        &self.feed
    }
}

/// Runs `work`, which captures `camera`, with the threads of its `streams` beside it. They end when `work` ends, also by
/// a panic.
pub fn run_beside(camera: &CameraFeed, streams: &mut [StreamWriter], work: impl FnOnce()) {
    let stop = Stop::new();
    thread::scope(|scope| {
        let _end = RequestAtEnd(&stop);
        for stream in streams {
            let name = format!("stream-{}-{}", camera.name(), stream.name());
            let stop = &stop;
            let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
            let feed = Arc::clone(&stream.feed);
            if let Err(error) = thread.spawn_scoped(scope, move || supervise(camera, stream, stop)) {
                warn!("camera {}: stream {} has no thread: {error}", camera.name(), feed.name());
                feed.set_state(StreamState { problem: Some(format!("no thread: {error}")), size: None });
            }
        }
        work();
    });
}

/// The JPEG of a frame made smaller.
///
/// # Errors
/// Why that is not possible.
pub fn shrink(frame: &Frame, scale: Scale) -> Result<Vec<u8>, JpegError> {
    let mut out = Vec::new();
    match Converter::new(scale, None).convert(frame.jpeg(), frame.size(), &mut out) {
        Ok(_) => Ok(out),
        Err(Refused::Unchangeable(why) | Refused::Broken(why)) => Err(why),
    }
}

/// Requests the stop when dropped.
struct RequestAtEnd<'s>(&'s Stop);

impl Drop for RequestAtEnd<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// Makes the stream until `stop` is requested; a panic costs this stream a second, and its camera nothing.
fn supervise(camera: &CameraFeed, stream: &mut StreamWriter, stop: &Stop) {
    while !stop.is_requested() {
        let made = panic::catch_unwind(AssertUnwindSafe(|| Stream::new(camera, stream).run(stop)));
        if made.is_err() {
            error!(
                "camera {}: stream {} failed after a fault in Defender and is started again",
                camera.name(),
                stream.name()
            );
            stop.sleep(PAUSE);
        }
    }
}

/// One run of a stream's thread.
struct Stream<'a> {
    camera: &'a CameraFeed,
    writer: &'a mut StreamWriter,
    converter: Converter,
    /// The buffer of an old frame nobody reads any more.
    spare: Vec<u8>,
    state: StreamState,
}

impl<'a> Stream<'a> {
    fn new(camera: &'a CameraFeed, writer: &'a mut StreamWriter) -> Self {
        let converter = Converter::new(writer.settings.scale, writer.settings.quality);
        Self { camera, writer, converter, spare: Vec::new(), state: StreamState::default() }
    }

    fn run(&mut self, stop: &Stop) {
        while !stop.is_requested() && !self.writer.publisher.is_closed() {
            if !self.writer.publisher.wait_for_reader(POLL) {
                continue;
            }
            match self.camera.frames().subscribe() {
                Some(reader) => {
                    self.writer.feed.follows.set(true);
                    self.follow(reader, stop);
                    self.writer.feed.follows.set(false);
                }
                None => {
                    self.set_problem(Some("the camera has too many viewers".to_owned()));
                    stop.sleep(PAUSE);
                }
            }
            // The memory of the coefficients is needed only while somebody watches.
            self.converter = Converter::new(self.writer.settings.scale, self.writer.settings.quality);
            self.spare = Vec::new();
        }
    }

    /// Makes frames from the camera's while somebody watches.
    fn follow(&mut self, mut reader: Reader<Frame>, stop: &Stop) {
        let interval = self.writer.settings.fps.map(|fps| Duration::from_secs(1) / fps.max(1));
        let mut pace = Pace::new(interval);
        let mut totals = self.writer.feed.published.local();
        let mut watched = Timestamp::now();
        while !stop.is_requested() {
            let now = Timestamp::now();
            if self.writer.publisher.readers() > 0 {
                watched = now;
            } else if now.since(watched) >= LINGER {
                return;
            }
            match reader.wait_newer(POLL) {
                Wait::Fresh { value: frame, missed } if pace.takes(frame.captured()) => {
                    let began = Timestamp::now();
                    let Some(made) = self.make(&frame) else { continue };
                    let bytes = made.jpeg().len() as u64;
                    if let Some(old) = self.writer.publisher.publish(made) {
                        self.spare = old.into_buffer().0;
                    }
                    let now = Timestamp::now();
                    totals.add(now, |sums| {
                        sums.frames += 1;
                        sums.bytes += bytes;
                        sums.skipped += u64::from(missed);
                        sums.busy_us += now.since(began).as_micros() as u64;
                        sums.age.count(now.since(frame.captured()));
                    });
                }
                Wait::Fresh { .. } | Wait::TimedOut => {}
                Wait::Closed => {
                    stop.sleep(POLL);
                    return;
                }
            }
        }
    }

    /// The stream's frame of a camera's frame; `None` for one that cannot be read.
    fn make(&mut self, frame: &Frame) -> Option<Frame> {
        let (mut size, mut problem) = (frame.size(), None);
        let buffer = std::mem::take(&mut self.spare);
        let converter = &mut self.converter;
        let made = part::build(buffer, frame.captured(), frame.size(), |out| {
            match converter.convert(frame.jpeg(), frame.size(), out) {
                Ok(made) => size = made,
                Err(Refused::Unchangeable(why)) => {
                    problem = Some(format!("the camera's pictures are passed through unchanged: {why}"));
                    out.extend_from_slice(frame.jpeg());
                }
                Err(Refused::Broken(why)) => return Err(why),
            }
            Ok(())
        });
        let made = match made {
            Ok(made) => made.with_size(size),
            Err(why) => {
                self.set_problem(Some(format!("the camera's pictures cannot be read: {why}")));
                return None;
            }
        };
        if !frame.is_no_signal() {
            self.state.size = Some(size);
            self.set_problem(problem);
            return Some(made);
        }
        Some(made.into_no_signal())
    }

    /// Logs a new problem once, and that it is over.
    fn set_problem(&mut self, problem: Option<String>) {
        if self.state.problem != problem {
            let (camera, name) = (self.camera.name(), self.writer.name());
            match &problem {
                Some(problem) => warn!("camera {camera}: stream {name}: {problem}"),
                None => info!("camera {camera}: stream {name}: running"),
            }
            self.state.problem = problem;
        }
        if self.writer.feed.state() != self.state {
            self.writer.feed.set_state(self.state.clone());
        }
    }
}
