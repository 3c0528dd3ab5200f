//! The recorder: one thread that writes what all cameras have in memory, and the keeper beside it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, warn};

use super::camera::CameraRecorder;
use super::error::RecordError;
use super::folder::Listing;
use super::keeper;
use super::plan::Plan;
use super::recordings::Recordings;
use super::retention::{Rolls, Rules};
use super::space::Space;
use super::status::{CameraStatus, STALL_US, State};
use crate::base::lock;
use crate::base::utc::DAY_US;
use crate::hub::{CameraFeed, EventReader, FeedList, MicrophoneFeed, Named, Received, Stop};
use crate::media::{Event, GapReason, RecordSettings, Timestamp};

/// The longest time between two rounds; an event ends it, and what is to be written. Frames are noted in memory meanwhile.
const ROUND: Duration = Duration::from_millis(500);

/// The shortest one.
const SHORTEST_ROUND: Duration = Duration::from_millis(5);

/// Pause after a failure to use the folder, and after a panic.
const PAUSE: Duration = Duration::from_secs(2);

/// Time between two looks at settings, at the services, and at the folder, in microseconds.
const CHOOSE_US: u64 = 1_000_000;

/// Stack of the threads: frames are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// What recorder and keeper work with.
struct Shared {
    recordings: Arc<Recordings>,
    cameras: Arc<FeedList<CameraFeed>>,
    microphones: Arc<FeedList<MicrophoneFeed>>,
    stop: Stop,
}

/// The threads that record.
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Starts recording the cameras that have settings for it. While none has, and there is no footage, the folder is not touched.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        recordings: Arc<Recordings>,
        cameras: Arc<FeedList<CameraFeed>>,
        microphones: Arc<FeedList<MicrophoneFeed>>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { recordings, cameras, microphones, stop: Stop::new() });
        let mine = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || mine.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Writes what is left and ends the threads.
    pub fn stop(&self) {
        self.shared.stop.request();
        self.shared.recordings.journal().wake();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic in it was logged where it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        while !self.stop.is_requested() {
            if panic::catch_unwind(AssertUnwindSafe(|| self.record())).is_err() {
                error!("recording failed after a fault in Defender and is started again");
                self.stop.sleep(PAUSE);
            }
        }
    }

    /// Claims the folder when a camera is to be recorded, and records until the folder is lost.
    fn record(&self) {
        let mut problem = None;
        // They outlive the loss of the folder: what they have in memory is written when it is back.
        let mut cameras = Vec::new();
        // Of what happens meanwhile, too.
        let mut events = self.recordings.journal().follow();
        while !self.stop.is_requested() {
            self.recordings.note_round();
            if cameras.is_empty() && self.wanted().is_empty() && !self.recordings.has_footage() {
                self.recordings.set_status(Vec::new());
                take_events(&mut events, &mut cameras);
                self.stop.sleep(ROUND);
                continue;
            }
            match self.recordings.claim().and_then(|()| keeper::prepare(&self.recordings)) {
                Ok(listing) if self.recordings.is_read_only.get() => {
                    let why = RecordError::Io(
                        self.recordings.dir().to_owned(),
                        ErrorKind::ReadOnlyFilesystem.into(),
                    );
                    self.note_problem(&mut problem, &why);
                    keeper::read_all(listing, &self.recordings, &self.stop);
                    while self.recordings.is_claimed()
                        && !self.recordings.can_be_written()
                        && !self.stop.sleep(PAUSE)
                    {
                        self.recordings.note_round();
                        self.note_problem(&mut problem, &why);
                        take_events(&mut events, &mut cameras);
                    }
                    self.recordings.release();
                }
                Ok(listing) => {
                    self.recordings.set_problem(None);
                    problem = None;
                    self.record_with(listing, &mut cameras, &mut events);
                    self.recordings.release();
                }
                Err(error) => {
                    self.note_problem(&mut problem, &error);
                    take_events(&mut events, &mut cameras);
                    self.stop.sleep(PAUSE);
                }
            }
        }
    }

    /// Records with the keeper beside it, until the folder is lost or the stop is requested.
    fn record_with(
        &self,
        listing: Listing,
        cameras: &mut Vec<CameraRecorder>,
        events: &mut EventReader<Event>,
    ) {
        let end = &Stop::new();
        thread::scope(|scope| {
            let keeper = thread::Builder::new().name("keeper".to_owned()).stack_size(STACK_BYTES);
            let keep = move || {
                keeper::read_all(listing, &self.recordings, end);
                keeper::run(&self.recordings, || self.rules(), end);
            };
            if let Err(error) = keeper.spawn_scoped(scope, keep) {
                warn!("recording: nothing is deleted: no thread: {error}");
            }
            let _end = end.request_at_end();
            self.follow(cameras, events);
        });
    }

    /// Serves all cameras until the folder is lost or the stop is requested.
    fn follow(&self, cameras: &mut Vec<CameraRecorder>, events: &mut EventReader<Event>) {
        let mut gap = GapReason::NotRunning;
        let mut space = Space::new(&self.recordings, BTreeMap::new());
        let mut chosen_us = None;
        // What came before was reading.
        self.recordings.note_round();
        while !self.stop.is_requested() {
            let took_us = self.recordings.note_round();
            if took_us > STALL_US {
                warn!("recording: the disk did not answer for {} s", took_us / 1_000_000);
            }
            let now_us = Timestamp::now().as_micros();
            let is_due = chosen_us.is_none_or(|at| now_us.saturating_sub(at) >= CHOOSE_US);
            if is_due || cameras.iter().any(|camera| camera.is_stale) {
                chosen_us = Some(now_us);
                // What goes by age goes by the keeper.
                let rules = self.rules().into_iter();
                space.rules = rules.map(|(camera, rules)| (camera, rules.without_age())).collect();
                self.recordings.set_rolls(self.rolls());
                self.choose(cameras, &mut gap, &space);
                self.show(cameras);
                if !self.recordings.is_claimed() {
                    warn!("recording: {} is another folder now", self.recordings.store().dir.display());
                    cameras.iter_mut().for_each(CameraRecorder::lose_file);
                    return;
                }
            }
            take_events(events, cameras);
            for camera in cameras.iter_mut() {
                camera.work(&self.recordings, &space);
            }
            events.sleep(self.pause(cameras), || self.stop.is_requested());
        }
        for camera in cameras.drain(..) {
            camera.finish(&self.recordings, &space);
        }
    }

    /// How long nothing is to be written.
    fn pause(&self, cameras: &[CameraRecorder]) -> Duration {
        let flush = self.recordings.store().flush;
        let due_us = cameras.iter().filter_map(|camera| camera.due_us(flush.as_micros() as u64)).min();
        let now_us = Timestamp::now().as_micros();
        let left = due_us.map_or(ROUND, |due_us| Duration::from_micros(due_us.saturating_sub(now_us)));
        left.min(flush / 4).clamp(SHORTEST_ROUND, ROUND)
    }

    /// Begins and ends the recording of cameras, as their settings ask for it.
    fn choose(&self, cameras: &mut Vec<CameraRecorder>, gap: &mut GapReason, space: &Space<'_>) {
        let is_stopped = self.recordings.switch().stopped_by().is_some();
        if is_stopped {
            *gap = GapReason::Stopped;
        }
        let wanted = if is_stopped { Vec::new() } else { self.wanted() };
        let (mut stay, mut ended) = (Vec::new(), Vec::new());
        for mut camera in cameras.drain(..) {
            let settings = wanted.iter().find(|(feed, _)| Arc::ptr_eq(feed, &camera.feed));
            if settings.is_some_and(|(_, settings)| camera.set(settings)) && !camera.has_ended() {
                stay.push(camera);
            } else {
                let feed = Arc::clone(&camera.feed);
                ended.push((feed, camera.finish(&self.recordings, space)));
            }
        }
        *cameras = stay;
        for (feed, settings) in wanted {
            if cameras.iter().any(|camera| Arc::ptr_eq(&camera.feed, &feed)) {
                continue;
            }
            let microphone = settings.microphone.as_deref();
            let microphone = microphone.and_then(|name| self.microphones.find(Some(name), |_| true));
            let mut plan = Plan::new(&settings);
            // Events that are under way are recorded by who comes after.
            if let Some(at) = ended.iter().position(|(of, _)| Arc::ptr_eq(of, &feed)) {
                plan = ended.swap_remove(at).1;
                plan.set(&settings);
            }
            match CameraRecorder::start(&feed, settings, plan, microphone, *gap) {
                Ok(camera) => cameras.push(camera),
                Err(error) => warn!("camera {}: not recorded: no thread: {error}", feed.name()),
            }
        }
    }

    /// The cameras that are to be recorded.
    fn wanted(&self) -> Vec<(Arc<CameraFeed>, Arc<RecordSettings>)> {
        let feeds = self.cameras.all();
        feeds.iter().filter_map(|feed| Some((Arc::clone(feed), feed.recording()?))).collect()
    }

    /// The rules of all cameras, also of those whose recording is off: what was recorded of them before is deleted in time.
    fn rules(&self) -> BTreeMap<String, Rules> {
        let days = |days: Option<u32>| days.map(|days| u64::from(days) * DAY_US);
        let rules = |settings: &RecordSettings| Rules {
            keep_us: days(settings.days),
            keep_events_us: days(settings.event_days),
            thin_after_us: days(settings.thin_after_days),
            thin_fps: settings.idle_fps,
            max_bytes: settings.max_bytes,
        };
        let feeds = self.cameras.all();
        feeds.iter().map(|feed| (feed.name().to_owned(), rules(&feed.retention()))).collect()
    }

    /// How much footage belongs to an event of the cameras that are to be recorded.
    fn rolls(&self) -> BTreeMap<String, Rolls> {
        let rolls = |settings: &RecordSettings| Rolls {
            pre_us: settings.pre.as_micros() as u64,
            post_us: settings.post.as_micros() as u64,
        };
        self.wanted().iter().map(|(feed, settings)| (feed.name().to_owned(), rolls(settings))).collect()
    }

    fn show(&self, cameras: &mut [CameraRecorder]) {
        let stopped = self.recordings.switch().stopped_by().is_some();
        let mut status: Vec<CameraStatus> =
            cameras.iter_mut().map(|camera| camera.status().clone()).collect();
        if stopped {
            let camera = |(feed, _): &(Arc<CameraFeed>, Arc<RecordSettings>)| feed.name().to_owned();
            let state = State::Stopped;
            let row = |camera| CameraStatus { camera, state, ..CameraStatus::default() };
            status = self.wanted().iter().map(camera).map(row).collect();
        }
        self.recordings.set_status(status);
    }

    /// Logs a problem of the folder once, and shows it for each camera.
    fn note_problem(&self, known: &mut Option<String>, error: &RecordError) {
        let problem = error.to_string();
        if known.as_ref() != Some(&problem) {
            error!("nothing is recorded: {problem}");
        }
        let row = |(feed, _): &(Arc<CameraFeed>, Arc<RecordSettings>)| CameraStatus {
            camera: feed.name().to_owned(),
            state: State::Failed,
            problem: Some(problem.clone()),
            ..CameraStatus::default()
        };
        self.recordings.set_status(self.wanted().iter().map(row).collect());
        self.recordings.set_problem(Some(problem.clone()));
        *known = Some(problem);
    }
}

/// Gives each event that was posted to its camera.
fn take_events(events: &mut EventReader<Event>, cameras: &mut [CameraRecorder]) {
    while let Received::Posted { value: event, lost } = events.next(Duration::ZERO) {
        if lost > 0 {
            warn!("recording: events that came too fast and were not seen: {lost}");
        }
        let name = event.camera.as_str();
        cameras.iter_mut().filter(|camera| camera.feed.name() == name).for_each(|camera| camera.note(&event));
    }
}
