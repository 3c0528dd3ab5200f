//! What the capture thread of a camera and its clients share: frames, counters, state.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::public::public;
use super::{FeedList, Latest, Named, SmallerPictures, StreamFeed, Totals};
use crate::base::lock;
use crate::media::{
    Frame, MotionSettings, PictureEdits, PixelFormat, RecordChoice, RecordSettings, Timestamp,
};

/// One camera as the rest of the program sees it: its frames, its counters, its state.
pub struct CameraFeed {
    name: String,
    frames: Latest<Frame>,
    streams: FeedList<StreamFeed>,
    /// Raw pictures for its streams, made smaller.
    pub smaller: SmallerPictures,
    /// Counted by the capture thread, read by anybody.
    pub counters: CameraCounters,
    /// Rounds of the capture thread: increases several times a second, with or without a camera, and stops
    /// when that thread hangs.
    pub pulse: Count,
    /// What was published: frames, their bytes, their age at that moment, and the time that encoding took.
    pub published: Totals,
    /// What viewers were sent: frames, bytes, frames skipped because a viewer was too slow, and the age of
    /// each frame when it was sent.
    pub sent: Totals,
    /// Whether its pictures come from another Defender.
    pub relayed: Flag,
    /// Whether its device is one of the network.
    pub networked: Flag,
    /// Whether a recorder is among the readers of its frames.
    pub recorded: Flag,
    /// Whether a detector is among the readers of its frames.
    pub detected: Flag,
    state: Mutex<CameraState>,
    edits: Mutex<Arc<PictureEdits>>,
    /// How often `edits` were replaced; wraps.
    edits_version: Count,
    controls: Mutex<Vec<(String, i32)>>,
    controls_to_reset: Mutex<Vec<String>>,
    recording: Mutex<(bool, Arc<RecordSettings>)>,
    motion: Mutex<Option<Arc<MotionSettings>>>,
}

/// Running totals since the start; each wraps at 2^32 (four and a half years at 30 fps).
#[derive(Debug, Default)]
pub struct CameraCounters {
    /// Frames the driver delivered whole.
    pub captured: Arrivals,
    /// Frames that were lost: broken, skipped to catch up, or lost by the driver.
    pub dropped: Count,
    /// JPEGs of the camera that lacked their EOI, and were given it.
    pub completed: Count,
    /// Frames encoded to JPEG by Defender.
    pub encoded: Count,
}

/// A counter many threads may read while one adds.
#[derive(Debug, Default)]
pub struct Count(AtomicU32);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u32) {
        // Relaxed: a statistic; it publishes nothing else.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The total so far.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter of arrivals that also measures the time between them. One thread writes it.
#[derive(Debug, Default)]
pub struct Arrivals {
    count: Count,
    last_ms: AtomicU32,
    interval_ms: AtomicU32,
    before_ms: AtomicU32,
}

impl Arrivals {
    /// Counts `n` arrivals at the present moment.
    pub fn add(&self, n: u32) {
        self.arrived(n, Timestamp::now());
    }

    /// The total so far.
    pub fn get(&self) -> u32 {
        self.count.get()
    }

    /// Milliseconds between arrivals: the shorter one of the last two intervals, so that one gap does not
    /// count. `None` before the third arrival.
    pub fn interval_ms(&self) -> Option<u32> {
        // Relaxed, here and below: statistics; a reader between two stores sees a mixture of two
        // neighbouring intervals.
        let both = (self.interval_ms.load(Ordering::Relaxed), self.before_ms.load(Ordering::Relaxed));
        (self.get() > 2).then_some(both.0.min(both.1))
    }

    fn arrived(&self, n: u32, now: Timestamp) {
        // Wraps after 49 days, and differences with it.
        let now_ms = (now.as_micros() / 1000) as u32;
        let interval_ms = now_ms.wrapping_sub(self.last_ms.swap(now_ms, Ordering::Relaxed));
        self.before_ms.store(self.interval_ms.swap(interval_ms, Ordering::Relaxed), Ordering::Relaxed);
        self.count.add(n);
    }
}

/// A boolean that many threads may read.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// Sets the value.
    pub fn set(&self, is_so: bool) {
        // Relaxed, as above.
        self.0.store(is_so, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of a camera as its capture thread last set it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraState {
    /// The source of the frames, as text: a device node and its card name, or "test card".
    pub source: String,
    /// Whether real frames are coming (or, on demand, would come). If not, viewers see a no-signal frame.
    pub online: bool,
    /// While it is not online: whether it is being started, in which case `problem` may be out of date.
    pub starting: bool,
    /// The time from one frame to the next, if that is seconds.
    pub slow_interval: Option<Duration>,
    /// Why it is not online, as text for admins; see [`CameraFeed::public_problem`].
    pub problem: Option<String>,
    /// The driver's pixel format.
    pub format: Option<PixelFormat>,
    /// Pixels in a row, as viewers see them.
    pub width: u32,
    /// Rows, as viewers see them.
    pub height: u32,
    /// Columns and rows of pixels that a turn has cut off, as viewers would see them.
    pub trimmed: (u32, u32),
    /// Frames a second that the driver announced.
    pub fps: f32,
    /// Since when `online` has its value.
    pub since: Option<Timestamp>,
    /// The open camera's node; `None` while none is open.
    pub node: Option<PathBuf>,
}

impl CameraFeed {
    /// A feed for the camera `name`, whose frames are read through `frames`.
    pub fn new(name: &str, frames: Latest<Frame>) -> Self {
        Self {
            name: name.to_owned(),
            frames,
            streams: FeedList::default(),
            smaller: SmallerPictures::default(),
            counters: CameraCounters::default(),
            pulse: Count::default(),
            published: Totals::default(),
            sent: Totals::default(),
            relayed: Flag::default(),
            networked: Flag::default(),
            recorded: Flag::default(),
            detected: Flag::default(),
            state: Mutex::default(),
            edits: Mutex::default(),
            edits_version: Count::default(),
            controls: Mutex::default(),
            controls_to_reset: Mutex::default(),
            recording: Mutex::default(),
            motion: Mutex::default(),
        }
    }

    /// Access to its frames.
    pub fn frames(&self) -> &Latest<Frame> {
        &self.frames
    }

    /// Its further streams, in the order of defender.conf.
    pub fn streams(&self) -> &FeedList<StreamFeed> {
        &self.streams
    }

    /// How many watch the camera or one of its streams; recorder and detector do not count. While streams come and go, it may be one too many or too few.
    pub fn viewers(&self) -> u32 {
        let streams = self.streams.all();
        let follow = streams.iter().filter(|stream| stream.follows.get()).count() as u32;
        let watch: u32 = streams.iter().map(|stream| stream.frames().readers()).sum();
        let others = follow + u32::from(self.recorded.get()) + u32::from(self.detected.get());
        self.frames.readers().saturating_sub(others) + watch
    }

    /// A copy of the state as of now.
    pub fn state(&self) -> CameraState {
        self.lock().clone()
    }

    /// Why it is not online, for everybody who may see it: without the address of its device.
    pub fn public_problem(&self) -> Option<String> {
        self.state().problem.map(|problem| public(problem, self.networked.get()))
    }

    /// Replaces the state; `since` is kept while `online` stays what it was.
    pub fn set_state(&self, mut state: CameraState) {
        let mut held = self.lock();
        let unchanged = held.online == state.online && held.since.is_some();
        state.since = if unchanged { held.since } else { Some(Timestamp::now()) };
        *held = state;
    }

    /// What is to be done to its pictures, and the number of changes so far.
    pub fn edits(&self) -> (Arc<PictureEdits>, u32) {
        let held = lock(&self.edits);
        (Arc::clone(&held), self.edits_version.get())
    }

    /// How often that was changed. Cheap: capture threads ask for each frame.
    pub fn edits_version(&self) -> u32 {
        self.edits_version.get()
    }

    /// Replaces what is to be done to its pictures, from the next one on that is captured. If they are turned
    /// otherwise than before, width and height in the state change places.
    pub fn set_edits(&self, edits: &PictureEdits) {
        let mut held = lock(&self.edits);
        if **held == *edits {
            return;
        }
        if held.swaps_sides() != edits.swaps_sides() {
            let mut state = self.lock();
            (state.width, state.height) = (state.height, state.width);
            state.trimmed = (state.trimmed.1, state.trimmed.0);
        }
        *held = Arc::new(edits.clone());
        self.edits_version.add(1);
    }

    /// How it is to be recorded; `None` if it is not.
    pub fn recording(&self) -> Option<Arc<RecordSettings>> {
        let (is_on, settings) = &*lock(&self.recording);
        is_on.then(|| Arc::clone(settings))
    }

    /// How long footage of it is kept, among other settings: they hold for what there is of a camera that is not recorded now, too.
    pub fn retention(&self) -> Arc<RecordSettings> {
        Arc::clone(&lock(&self.recording).1)
    }

    /// Replaces whether and how it is to be recorded.
    pub fn set_recording(&self, choice: &RecordChoice) {
        let (is_on, settings) = &mut *lock(&self.recording);
        *is_on = choice.is_on;
        if **settings != choice.settings {
            *settings = Arc::new(choice.settings.clone());
        }
    }

    /// How motion is to be looked for; `None` if it is not.
    pub fn motion(&self) -> Option<Arc<MotionSettings>> {
        lock(&self.motion).clone()
    }

    /// Replaces how motion is to be looked for.
    pub fn set_motion(&self, settings: Option<&MotionSettings>) {
        let mut held = lock(&self.motion);
        if held.as_deref() != settings {
            *held = settings.cloned().map(Arc::new);
        }
    }

    /// How motion is looked for while nobody but a detector reads the frames; `None` while others do.
    pub fn only_motion(&self) -> Option<Arc<MotionSettings>> {
        let is_alone = self.detected.get() && self.frames.readers() == 1;
        is_alone.then(|| self.motion()).flatten()
    }

    /// The values that the camera's controls should have, by name.
    pub fn controls(&self) -> Vec<(String, i32)> {
        lock(&self.controls).clone()
    }

    /// Sets the values that the controls get when the camera is started the next time.
    pub fn set_controls(&self, values: Vec<(String, i32)>) {
        *lock(&self.controls) = values;
    }

    /// Notes that a control gets the camera's own value when the camera is started the next time.
    pub fn reset_control(&self, name: &str) {
        let mut names = lock(&self.controls_to_reset);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }

    /// The controls that are to get the camera's own value now; they are forgotten.
    pub fn take_controls_to_reset(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.controls_to_reset))
    }

    /// The lock guards plain values and is held only to copy them: a thread that panicked with
    /// it cannot have left them half written.
    fn lock(&self) -> std::sync::MutexGuard<'_, CameraState> {
        lock(&self.state)
    }
}

impl Named for CameraFeed {
    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gap_does_not_change_the_interval_of_arrivals() {
        let arrivals = Arrivals::default();
        let mut known = Vec::new();
        for at_ms in [5_000, 12_000, 19_000, 26_100, 60_000, 60_040, 60_080] {
            arrivals.arrived(1, Timestamp::from_micros(at_ms * 1000));
            known.push(arrivals.interval_ms());
        }
        let expected = [None, None, Some(7000), Some(7000), Some(7100), Some(40), Some(40)];
        assert_eq!((known, arrivals.get()), (expected.to_vec(), 7));
    }

    #[test]
    fn since_moves_only_when_online_changes() {
        let (_publisher, frames) = crate::hub::latest(1);
        let feed = CameraFeed::new("front", frames);
        feed.set_state(CameraState { online: true, ..CameraState::default() });
        let since = feed.state().since;
        while Some(Timestamp::now()) == since {
            std::hint::spin_loop();
        }
        feed.set_state(CameraState { online: true, width: 9, ..CameraState::default() });
        assert_eq!(feed.state().since, since);
        feed.set_state(CameraState::default());
        assert!(feed.state().since > since);
    }

    #[test]
    fn flags_and_controls_are_what_was_set_last() {
        let (_publisher, frames) = crate::hub::latest(1);
        let feed = CameraFeed::new("front", frames);
        assert!(feed.controls().is_empty());
        for value in [7, 9] {
            feed.set_controls(vec![("brightness".to_owned(), value)]);
            assert_eq!(feed.controls(), [("brightness".to_owned(), value)]);
        }
        let flag = Flag::default();
        for value in [true, false] {
            flag.set(value);
            assert_eq!(flag.get(), value);
        }
    }
}
