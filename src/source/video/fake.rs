//! A camera and its viewers for tests of the supervisor: they do as planned, by a clock that no test waits for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::hub::{CameraFeed, CameraState, Publisher, Reader, Stop, latest};
use crate::media::{Frame, Range601};
use crate::source::clock::fake::FakeClock;
use crate::source::settings::{CameraSettings, testing};
use crate::source::test::CardSource;

/// One camera's thread, and who watches it.
pub(super) struct World {
    pub(super) settings: CameraSettings,
    pub(super) stopped_by: Option<&'static str>,
    pub(super) publisher: RefCell<Publisher<Frame>>,
    pub(super) feed: CameraFeed,
    pub(super) stop: Stop,
    pub(super) viewer: RefCell<Option<Reader<Frame>>>,
    pub(super) states: RefCell<Vec<CameraState>>,
}

impl World {
    pub(super) fn new(settings: CameraSettings) -> Self {
        let (publisher, frames) = latest(4);
        let feed = CameraFeed::new(&settings.name, frames);
        feed.set_edits(&settings.edits);
        let publisher = RefCell::new(publisher);
        Self {
            settings,
            stopped_by: None,
            publisher,
            feed,
            stop: Stop::new(),
            viewer: RefCell::default(),
            states: RefCell::default(),
        }
    }

    /// Runs the supervisor until it is stopped at `stop_ms`.
    pub(super) fn run<'w>(&'w self, clock: &FakeClock<'w>, camera: &mut FakeCamera<'_, 'w>, stop_ms: u64) {
        clock.at(stop_ms, || self.stop.request());
        let session = Session::new(clock, &self.stop, &self.feed, self.settings.on_demand);
        let session = session.stopped_by(self.stopped_by);
        supervise(&self.settings, &self.feed, &mut self.publisher.borrow_mut(), &session, camera);
    }

    pub(super) fn watch(&self) {
        *self.viewer.borrow_mut() = self.feed.frames().subscribe();
    }

    pub(super) fn leave(&self) {
        *self.viewer.borrow_mut() = None;
    }

    pub(super) fn note_state(&self) {
        self.states.borrow_mut().push(self.feed.state());
    }

    pub(super) fn state(&self, at: usize) -> CameraState {
        self.states.borrow()[at].clone()
    }

    pub(super) fn newest(&self) -> Arc<Frame> {
        self.viewer.borrow_mut().as_mut().and_then(Reader::newest).expect("a frame was published")
    }
}

/// A camera that does as its plan says for each try to open it.
pub(super) struct FakeCamera<'c, 't> {
    pub(super) clock: &'c FakeClock<'t>,
    pub(super) plan: Box<dyn Fn(usize) -> Result<Film, VideoError>>,
    pub(super) has_stand_in: bool,
    pub(super) is_missing: Rc<Cell<bool>>,
    pub(super) opened_ms: Vec<u64>,
    pub(super) closed_ms: Rc<RefCell<Vec<u64>>>,
}

/// What an open camera gives.
#[derive(Clone, Copy)]
pub(super) struct Film {
    pub(super) frames: u32,
    pub(super) interval_ms: u64,
    /// The interval before the first frame; zero for the usual one.
    pub(super) first_ms: u64,
    pub(super) are_broken: bool,
    /// Whether it is gone behind the last frame, or else falls silent.
    pub(super) ends: bool,
    pub(super) stall: Stall,
    /// How many frames it begins with while it says that it is away.
    pub(super) away: u32,
    /// The JPEG that each frame is, instead of a grey one.
    pub(super) jpeg: Option<&'static [u8]>,
}

pub(super) const FILM: Film = Film {
    frames: u32::MAX,
    interval_ms: 100,
    first_ms: 0,
    are_broken: false,
    ends: false,
    stall: Stall::Measured,
    away: 0,
    jpeg: None,
};

/// A camera that gives nothing.
pub(super) const SILENT: Film = Film { frames: 0, ..FILM };

pub(super) fn gone() -> VideoError {
    VideoError::of(std::io::Error::other("gone"))
}

impl<'c, 't> FakeCamera<'c, 't> {
    pub(super) fn new(
        clock: &'c FakeClock<'t>,
        plan: impl Fn(usize) -> Result<Film, VideoError> + 'static,
    ) -> Self {
        Self {
            clock,
            plan: Box::new(plan),
            has_stand_in: false,
            is_missing: Rc::default(),
            opened_ms: Vec::new(),
            closed_ms: Rc::default(),
        }
    }
}

impl<'s, 'c: 's, 't: 's> OpenVideo<'s> for FakeCamera<'c, 't> {
    fn open(&mut self, _session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let film = (self.plan)(self.opened_ms.len());
        self.opened_ms.push(self.clock.elapsed_ms());
        let closed_ms = Rc::clone(&self.closed_ms);
        Ok(Box::new(FakeSource { clock: self.clock, film: film?, waited_ms: 0, closed_ms }))
    }

    fn stand_in(
        &mut self,
        error: &VideoError,
        session: &'s Session<'s>,
    ) -> Option<Box<dyn VideoSource + 's>> {
        let is_wanted = self.has_stand_in && matches!(error, VideoError::NoCamera { .. });
        let settings = testing::settings();
        is_wanted.then(|| -> Box<dyn VideoSource + 's> {
            Box::new(CardSource::new(&settings, "no camera found", Some(error.to_string()), session))
        })
    }

    fn is_missing(&self) -> bool {
        self.is_missing.get()
    }
}

struct FakeSource<'c, 't> {
    clock: &'c FakeClock<'t>,
    film: Film,
    waited_ms: u64,
    closed_ms: Rc<RefCell<Vec<u64>>>,
}

impl VideoSource for FakeSource<'_, '_> {
    fn description(&self) -> Description {
        Description {
            source: "fake camera".to_owned(),
            mode: "16x16 grey".to_owned(),
            device: "fake".to_owned(),
            format: Some(PixelFormat::Grey),
            size: Some((16, 16)),
            fps: 10.0,
            node: None,
            is_online: self.film.away == 0,
            problem: (self.film.away > 0).then(|| "away".to_owned()),
            warnings: Vec::new(),
            is_drawn: false,
            stall: self.film.stall,
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        if self.film.frames == 0 && self.film.ends {
            return Err(gone());
        }
        let interval_ms = if self.film.first_ms > 0 { self.film.first_ms } else { self.film.interval_ms };
        let wait = timeout.min(Duration::from_millis(interval_ms - self.waited_ms));
        self.clock.pass(wait, || false);
        self.waited_ms += wait.as_millis() as u64;
        if self.film.frames == 0 || self.waited_ms < interval_ms {
            self.waited_ms %= interval_ms;
            return Ok(Arrival::nothing());
        }
        self.film.first_ms = 0;
        (self.film.frames, self.waited_ms) = (self.film.frames - 1, 0);
        if self.film.are_broken {
            return Ok(Arrival::unusable(Unusable::Damaged));
        }
        let is_description_new = self.film.away == 1;
        self.film.away = self.film.away.saturating_sub(1);
        let grey = Content::Raw(RawImage {
            format: PixelFormat::Grey,
            width: 16,
            height: 16,
            stride_bytes: 16,
            range: Range601::Full,
            data: &[90; 256],
        });
        let content = self.film.jpeg.map_or(grey, Content::Jpeg);
        Ok(Arrival::picture(Picture { content, captured: None, is_description_new }))
    }
}

impl Drop for FakeSource<'_, '_> {
    fn drop(&mut self) {
        self.closed_ms.borrow_mut().push(self.clock.elapsed_ms());
    }
}
