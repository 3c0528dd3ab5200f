//! Further streams of a camera: its pictures made smaller, fewer, or lighter, once however many watch.
//!
//! The thread of a stream reads the camera's frames as a viewer does, so the camera's own thread does nothing for it. Of a
//! camera that gives raw pictures it reads those instead, which the camera's thread makes smaller while they are read. It
//! reads only while the stream has viewers: a stream that nobody watches costs nothing, and does not keep a camera on
//! demand running.
//!
//! What belongs here: when frames are made, and from which. What must not: how JPEGs are changed (`jpeg`), and who may
//! watch (`http`).

mod convert;
mod once;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use crate::codec::jpeg::Settings as Encoding;
use crate::codec::part;
use crate::hub::{CameraFeed, LocalTotals, Named, Publisher, Reader, Stop, StreamFeed, StreamState, Wait};
use crate::media::{Chroma, Frame, Pace, RawPicture, StreamSettings, Timestamp};
use crate::memory::{Account, Lease};
use convert::{Converter, Refused};
pub use once::shrink;

/// How raw pictures are encoded before anything else is asked for: small ones need no second thread.
const ENCODING: Encoding = Encoding { quality: 80, chroma: Chroma::AsCaptured, threads: 1 };

/// Stack of a stream's thread: pictures are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// The longest wait for a viewer or a frame: after it, the thread looks whether it is to end.
const POLL: Duration = Duration::from_millis(100);

/// How long a stream goes on without viewers, so that a page that is loaded again does not end and begin it.
const LINGER: Duration = Duration::from_secs(2);

/// Why there are no pictures of a camera whose memory is counted.
const NO_MEMORY: &str = "the memory for pictures of other servers is used up; raise memory_mb in [server], or let the camera send smaller ones";

/// Pause after a panic, and while the camera has no place for another reader.
const PAUSE: Duration = Duration::from_secs(1);

/// The end of a stream that its thread writes. It outlives the thread: viewers keep their stream while a camera is
/// started anew.
pub struct StreamWriter {
    settings: StreamSettings,
    encoding: Encoding,
    feed: Arc<StreamFeed>,
    publisher: Publisher<Frame>,
}

impl StreamWriter {
    /// A new stream, for at most `max_viewers`.
    pub fn new(settings: &StreamSettings, max_viewers: u32) -> Self {
        let (publisher, frames) = crate::hub::latest(max_viewers);
        let feed = Arc::new(StreamFeed::new(settings, frames));
        Self { settings: settings.clone(), encoding: ENCODING, feed, publisher }
    }

    /// The name of the stream.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Replaces the settings of a stream whose thread does not run. Of raw pictures it keeps the chroma that its camera
    /// keeps, and, where `settings` ask for none, the quality.
    pub fn set_settings(&mut self, settings: &StreamSettings, quality: u8, chroma: Chroma) {
        self.encoding = Encoding { quality, chroma, ..ENCODING };
        self.settings.clone_from(settings);
        self.feed.set_settings(settings);
    }

    /// Takes the newest frame back: whoever comes from now on does not get it. For a stream whose thread does not run.
    pub fn retract(&mut self) {
        self.publisher.retract();
    }

    fn converter(&self) -> Converter {
        Converter::new(self.settings.scale, self.settings.quality, self.encoding)
    }

    /// What its viewers see of it.
    pub fn feed(&self) -> &Arc<StreamFeed> {
        &self.feed
    }
}

/// Runs `work`, which captures `camera`, with the threads of its `streams` beside it. They end when `work` ends, also by
/// a panic.
/// Their pictures lie in memory of `account` if those of the camera are counted.
pub fn run_beside(
    camera: &CameraFeed,
    streams: &mut [StreamWriter],
    account: &Arc<Account>,
    work: impl FnOnce(),
) {
    let stop = Stop::new();
    thread::scope(|scope| {
        let _end = stop.request_at_end();
        for stream in streams {
            let name = format!("stream-{}-{}", camera.name(), stream.name());
            let stop = &stop;
            let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
            let feed = Arc::clone(&stream.feed);
            if let Err(error) = thread.spawn_scoped(scope, move || supervise(camera, stream, account, stop)) {
                warn!("camera {}: stream {} has no thread: {error}", camera.name(), feed.name());
                feed.set_state(StreamState { problem: Some(format!("no thread: {error}")), size: None });
            }
        }
        work();
    });
}

/// Makes the stream until `stop` is requested; a panic costs this stream a second, and its camera nothing.
fn supervise(camera: &CameraFeed, stream: &mut StreamWriter, account: &Arc<Account>, stop: &Stop) {
    while !stop.is_requested() {
        let made = panic::catch_unwind(AssertUnwindSafe(|| Stream::new(camera, stream, account).run(stop)));
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

/// Where a stream's pictures come from.
enum Source {
    Frames(Reader<Frame>),
    Raw(Reader<RawPicture>),
}

/// A picture of the camera.
enum Original {
    Frame(Arc<Frame>),
    Raw(Arc<RawPicture>),
}

impl Source {
    /// The next picture, and how many were missed before it; `None` for none in time.
    ///
    /// # Errors
    /// When the camera is gone.
    fn wait(&mut self) -> Result<Option<(Original, u32)>, Closed> {
        match self {
            Self::Frames(reader) => arrived(reader, Original::Frame),
            Self::Raw(reader) => arrived(reader, Original::Raw),
        }
    }
}

impl Original {
    fn captured(&self) -> Timestamp {
        match self {
            Self::Frame(frame) => frame.captured(),
            Self::Raw(picture) => picture.captured,
        }
    }
}

/// The camera is gone.
struct Closed;

fn arrived<T>(
    reader: &mut Reader<T>,
    wrap: fn(Arc<T>) -> Original,
) -> Result<Option<(Original, u32)>, Closed> {
    match reader.wait_newer(POLL) {
        Wait::Fresh { value, missed } => Ok(Some((wrap(value), missed))),
        Wait::TimedOut => Ok(None),
        Wait::Closed => Err(Closed),
    }
}

/// One run of a stream's thread.
struct Stream<'a> {
    camera: &'a CameraFeed,
    writer: &'a mut StreamWriter,
    /// The memory of what is made of pictures whose memory is counted.
    account: &'a Arc<Account>,
    converter: Converter,
    /// The buffer of an old frame nobody reads any more, with its lease if it has one.
    spare: (Vec<u8>, Option<Lease>),
    state: StreamState,
}

impl<'a> Stream<'a> {
    fn new(camera: &'a CameraFeed, writer: &'a mut StreamWriter, account: &'a Arc<Account>) -> Self {
        let converter = writer.converter();
        Self { camera, writer, account, converter, spare: (Vec::new(), None), state: StreamState::default() }
    }

    fn run(&mut self, stop: &Stop) {
        while !stop.is_requested() && !self.writer.publisher.is_closed() {
            if !self.writer.publisher.wait_for_reader(POLL) {
                continue;
            }
            match self.camera.frames().subscribe() {
                Some(reader) => {
                    self.follow(Source::Frames(reader), stop);
                    self.writer.feed.follows.set(false);
                }
                None => {
                    self.set_problem(Some("the camera has too many viewers".to_owned()));
                    stop.sleep(PAUSE);
                }
            }
            // The memory of the coefficients is needed only while somebody watches.
            self.converter = self.writer.converter();
            self.spare = (Vec::new(), None);
        }
    }

    /// Makes frames from the camera's pictures while somebody watches.
    fn follow(&mut self, mut source: Source, stop: &Stop) {
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
            source = self.better_source(source);
            let Ok(arrived) = source.wait() else {
                stop.sleep(POLL);
                return;
            };
            let Some((original, missed)) = arrived.filter(|(one, _)| pace.takes(one.captured())) else {
                continue;
            };
            let began = Timestamp::now();
            let made = match &original {
                Original::Frame(frame) => self.make(frame),
                Original::Raw(picture) => self.encode(picture),
            };
            if let Some(made) = made {
                self.publish(made, &mut totals, began, missed);
            }
        }
    }

    fn publish(&mut self, made: Frame, totals: &mut LocalTotals, began: Timestamp, missed: u32) {
        let (bytes, captured) = (made.jpeg().len() as u64, made.captured());
        if let Some(old) = self.writer.publisher.publish(made) {
            self.spare = old.into_buffer();
        }
        let now = Timestamp::now();
        totals.add(now, |sums| {
            sums.frames += 1;
            sums.bytes += bytes;
            sums.skipped += u64::from(missed);
            sums.busy_us += now.since(began).as_micros() as u64;
            sums.age.count(now.since(captured));
        });
    }

    /// The camera's raw pictures while it gives some, else its frames. The other reader is there before the former one
    /// leaves: a camera on demand must not be closed in between.
    fn better_source(&self, source: Source) -> Source {
        let smaller = &self.camera.smaller;
        let other = match &source {
            Source::Frames(_) if smaller.are_given.get() => {
                smaller.subscribe(self.writer.settings.scale).map(Source::Raw)
            }
            Source::Raw(_) if !smaller.are_given.get() => {
                self.camera.frames().subscribe().map(Source::Frames)
            }
            _ => None,
        };
        let chosen = other.unwrap_or(source);
        self.writer.feed.follows.set(matches!(chosen, Source::Frames(_)));
        chosen
    }

    /// The stream's frame of a raw picture; `None` for one that cannot be encoded.
    fn encode(&mut self, picture: &RawPicture) -> Option<Frame> {
        let (size, buffer) = ((picture.width, picture.height), std::mem::take(&mut self.spare).0);
        match part::build(buffer, picture.captured, size, |out| self.converter.encode(&picture.image(), out))
        {
            Ok(made) => {
                self.state.size = Some(size);
                self.set_problem(None);
                Some(made)
            }
            Err(why) => {
                self.set_problem(Some(format!("the camera's pictures cannot be encoded: {why}")));
                None
            }
        }
    }

    /// The stream's frame of a camera's frame; `None` for one that cannot be read.
    fn make(&mut self, frame: &Frame) -> Option<Frame> {
        let (mut size, mut problem) = (frame.size(), None);
        let (buffer, lease) = std::mem::take(&mut self.spare);
        let converter = &mut self.converter;
        if frame.is_counted()
            && !converter.is_counted()
            && let Some(lease) = self.account.lease(0)
        {
            converter.count_in(lease);
        }
        let made = part::build(buffer, frame.captured(), frame.size(), |out| {
            match converter.convert(frame.jpeg(), frame.size(), out) {
                Ok(made) => size = made,
                Err(Refused::Unchangeable(why)) => {
                    problem = Some(format!("the camera's pictures are passed through unchanged: {why}"));
                    out.extend_from_slice(frame.jpeg());
                }
                Err(Refused::Broken(why)) => {
                    return Err(format!("the camera's pictures cannot be read: {why}"));
                }
                Err(Refused::NoMemory) => return Err(NO_MEMORY.to_owned()),
            }
            Ok(())
        });
        let made = made.and_then(|made| self.count(frame, made, lease));
        let made = match made {
            // Of a picture from elsewhere one could be made that ends its part: see `codec::part`.
            Ok(made) if part::holds_boundary(made.jpeg()) => {
                self.set_problem(Some("the camera's pictures hold the boundary of streams".to_owned()));
                return None;
            }
            Ok(made) => made.with_size(size),
            Err(problem) => {
                self.set_problem(Some(problem));
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

    /// Counts the memory of what was made of a picture, if that of the picture is counted; `lease` is that of its buffer.
    fn count(&self, frame: &Frame, made: Frame, lease: Option<Lease>) -> Result<Frame, String> {
        if !frame.is_counted() {
            return Ok(made);
        }
        let mut lease = lease.or_else(|| self.account.lease(0));
        match lease.take_if(|lease| lease.resize(made.memory_bytes())) {
            Some(lease) => Ok(made.with_lease(lease)),
            None => Err(NO_MEMORY.to_owned()),
        }
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
