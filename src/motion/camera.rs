//! One camera: its frames go through its detector, a few a second.

use std::sync::Arc;
use std::time::Duration;

use super::Motion;
use super::looks::Looks;
use super::seen;
use super::watch::{LiveLook, READERS, State, Watch};
use crate::base::lock;
use crate::detect::detection::{Change, Detection, Kind};
use crate::detect::detector::{Detector, Phase};
use crate::detect::look::Look;
use crate::hub::{CameraFeed, Named, Publisher, Reader, Wait, latest};
use crate::journal::NewEvent;
use crate::jpeg::dc::{DcPlane, DcReader, Planes};
use crate::jpeg::header::Limits;
use crate::media::{Area, CameraName, EventKind, Frame, MotionSettings, PictureEdits, Timestamp};
use crate::memory::Lease;

/// The largest picture that is looked at.
pub(super) const LIMITS: Limits = Limits { max_pixels: 1 << 26 };

/// A camera that gave no frame for so long is lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// A camera that is looked at.
pub(super) struct CameraRun {
    pub(super) feed: Arc<CameraFeed>,
    watch: Arc<Watch>,
    live: Publisher<LiveLook>,
    settings: Arc<MotionSettings>,
    is_armed: bool,
    /// What is done to its pictures, and the lettering on them.
    edits: (Arc<PictureEdits>, u32),
    lettering: String,
    size: (u32, u32),
    reader: Option<Reader<Frame>>,
    detector: Detector,
    dc: DcReader,
    /// Of the memory of what the reader reads.
    means: Option<Lease>,
    planes: Vec<DcPlane>,
    /// The last frame that was looked at.
    last: Option<Arc<Frame>>,
    seen_at: Timestamp,
    open: Vec<Open>,
    changes: Vec<Change>,
}

/// An event that goes on.
struct Open {
    number: u32,
    id: u32,
    score: u8,
}

impl CameraRun {
    pub(super) fn new(motion: &Motion, feed: &Arc<CameraFeed>, settings: Arc<MotionSettings>) -> Self {
        let (live, reading) = latest(READERS);
        let watch = Arc::new(Watch::new(reading, Looks::new(Arc::clone(&motion.memory))));
        lock(&motion.watches).insert(feed.name().to_owned(), Arc::clone(&watch));
        let edits = feed.edits();
        Self {
            feed: Arc::clone(feed),
            watch,
            live,
            detector: Detector::new(seen::settings(&settings, &edits.0, "", (0, 0))),
            settings,
            is_armed: false,
            edits,
            lettering: String::new(),
            size: (0, 0),
            reader: None,
            dc: DcReader::new(),
            means: motion.memory.lease(0),
            planes: Vec::new(),
            last: None,
            seen_at: Timestamp::now(),
            open: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Takes other settings, the time of the week, and the text of the lettering.
    pub(super) fn set(
        &mut self,
        motion: &Motion,
        settings: Arc<MotionSettings>,
        is_armed: bool,
        lettering: String,
    ) {
        let is_other_length = lettering.chars().count() != self.lettering.chars().count();
        let is_same = Arc::ptr_eq(&self.settings, &settings) && is_armed == self.is_armed && !is_other_length;
        (self.settings, self.lettering) = (settings, lettering);
        if !is_same {
            // What goes on ends: it counted by other rules, or begins to count now.
            self.change_detector(motion);
            self.is_armed = is_armed;
        }
    }

    /// Looks at the newest frame if it is time.
    pub(super) fn work(&mut self, motion: &Motion, now: Timestamp) {
        let Some(reader) = &mut self.reader else {
            self.reader = self.feed.frames().subscribe();
            self.feed.detected.set(self.reader.is_some());
            return;
        };
        match reader.wait_newer(Duration::ZERO) {
            Wait::Fresh { value: frame, missed } => self.look_at(motion, frame, missed, now),
            Wait::TimedOut if now.since(self.seen_at) >= LOST_AFTER => self.is_lost(motion),
            Wait::TimedOut | Wait::Closed => {}
        }
    }

    /// How long it is from `now` until the next frame is to be looked at, at least.
    pub(super) fn due_in(&self, now: Timestamp) -> Duration {
        let last = self.last.as_ref().filter(|last| last.captured() <= now);
        last.map_or(Duration::ZERO, |last| self.settings.due_in(now.since(last.captured())))
    }

    /// Ends what goes on, because the camera is not looked at any more.
    pub(super) fn end(&mut self, motion: &Motion) {
        self.detector.end_all(&mut self.changes);
        self.report(motion);
        self.feed.detected.set(false);
    }

    fn look_at(&mut self, motion: &Motion, frame: Arc<Frame>, missed: u32, now: Timestamp) {
        if frame.is_no_signal() {
            self.is_lost(motion);
            return;
        }
        if let Some(last) = &self.last {
            let since = frame.captured().since(last.captured());
            if !self.settings.is_due(since) && frame.captured() > last.captured() {
                return;
            }
            // Frames that came in between could have been looked at.
            let late = (since.as_millis() / self.settings.interval().as_millis().max(1)) as u32;
            if late > 1 && missed > 0 && since < LOST_AFTER {
                self.watch.skipped.add((late - 1).min(missed));
            }
        }
        self.seen_at = now;
        self.follow_edits(motion, frame.size());
        let is_repeat = self.last.as_ref().is_some_and(|last| last.jpeg() == frame.jpeg());
        let may_hold = &mut |bytes| self.means.as_mut().is_some_and(|lease| lease.resize(bytes));
        if !is_repeat
            && let Err(why) =
                self.dc.read_within(frame.jpeg(), LIMITS, Planes::Luma, &mut self.planes, may_hold)
        {
            self.end_all(motion);
            self.watch.set_state(State::Failed, Some(format!("its pictures cannot be looked at: {why}")));
            self.last = Some(frame);
            return;
        }
        let Some(luma) = self.planes.first() else { return };
        let detail = frame.jpeg().len() as u32;
        let at = frame.captured();
        let look = Look { at, luma, is_repeat, detail };
        self.detector.look(&look, &mut self.changes);
        self.watch.looks.add(1);
        if !is_repeat {
            lock(&self.watch.memory).push(at, detail, luma);
        }
        self.last = Some(frame);
        self.report(motion);
        let state = self.state();
        self.watch.set_state(state, None);
        self.show(at, state);
    }

    /// Pictures that are turned otherwise are other pictures.
    fn follow_edits(&mut self, motion: &Motion, size: (u32, u32)) {
        if self.feed.edits_version() != self.edits.1 {
            self.end_all(motion);
            lock(&self.watch.memory).clear();
            self.edits = self.feed.edits();
            self.size = size;
            self.detector = Detector::new(self.seen_settings());
        } else if size != self.size {
            self.size = size;
            self.change_detector(motion);
        }
    }

    fn seen_settings(&self) -> crate::detect::settings::Settings {
        seen::settings(&self.settings, &self.edits.0, &self.lettering, self.size)
    }

    fn change_detector(&mut self, motion: &Motion) {
        // Ended with the settings that it began with: zones are known by their place.
        let settings = self.seen_settings();
        self.detector.change(settings, &mut self.changes);
        self.report(motion);
    }

    fn is_lost(&mut self, motion: &Motion) {
        self.end_all(motion);
        self.watch.set_state(State::NoPicture, None);
        self.last = None;
    }

    fn end_all(&mut self, motion: &Motion) {
        self.detector.end_all(&mut self.changes);
        self.report(motion);
    }

    fn state(&self) -> State {
        match self.detector.phase() {
            Phase::Learning => State::Learning,
            Phase::Settling => State::Settling,
            Phase::Watching if self.is_armed => State::Watching,
            Phase::Watching => State::Disarmed,
        }
    }

    /// Makes events of what the detector said.
    fn report(&mut self, motion: &Motion) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Began(found) => self.begin(motion, found),
                Change::Rose(found) => self.rise(motion, &found),
                Change::Ended(found, at) => {
                    self.rise(motion, &found);
                    let ended = self.open.iter().position(|open| open.number == found.number);
                    if let Some(at_place) = ended {
                        motion.end_event(self.open.remove(at_place).id, at);
                    }
                }
            }
        }
    }

    fn begin(&mut self, motion: &Motion, found: Detection) {
        if found.kind == Kind::Motion && !self.is_armed {
            return;
        }
        let Some(camera) = CameraName::new(self.feed.name()) else { return };
        let kind = kind_of(found.kind);
        let zone = found.zone.and_then(|zone| self.settings.zones.get(usize::from(zone)));
        let new = NewEvent {
            score: found.score,
            area: area_of(&found),
            start: Some(found.first),
            best: Some(found.best),
            zone: zone.map(|zone| zone.name.clone()).unwrap_or_default(),
            ..NewEvent::new(camera, kind)
        };
        if let Some(id) = motion.begin_event(new) {
            self.watch.count_event(kind);
            self.open.push(Open { number: found.number, id, score: found.score });
        }
    }

    fn rise(&mut self, motion: &Motion, found: &Detection) {
        if let Some(open) = self.open.iter_mut().find(|open| open.number == found.number)
            && found.score != open.score
        {
            open.score = found.score;
            motion.journal.rise(open.id, found.score, area_of(found), found.best);
        }
    }

    /// Shows a look to those who want to see it.
    fn show(&mut self, at: Timestamp, state: State) {
        if self.live.readers() == 0 {
            return;
        }
        let blocks = self.detector.blocks();
        let mut bytes: Vec<u8> = blocks.bits().iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize((blocks.width * blocks.height).div_ceil(8), 0);
        let (width, height) = (blocks.width, blocks.height);
        let boxes = self.detector.moving().to_vec();
        self.live.publish(LiveLook { at, state, width, height, blocks: bytes, boxes });
    }
}

impl Drop for CameraRun {
    fn drop(&mut self) {
        self.feed.detected.set(false);
    }
}

pub(super) fn kind_of(kind: Kind) -> EventKind {
    match kind {
        Kind::Motion => EventKind::Motion,
        Kind::Covered => EventKind::Covered,
        Kind::Dark => EventKind::Dark,
        Kind::Frozen => EventKind::Frozen,
        Kind::Moved => EventKind::Moved,
        Kind::Defocused => EventKind::Defocused,
    }
}

/// Alarms are about the whole picture.
fn area_of(found: &Detection) -> Option<Area> {
    Some(found.area).filter(|_| found.kind == Kind::Motion)
}
