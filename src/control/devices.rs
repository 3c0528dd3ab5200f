//! The capture threads: one for each camera and microphone, started, supervised, changed and
//! joined.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info};

use crate::hub::{
    CameraFeed, CameraState, FeedList, MicrophoneFeed, MicrophoneState, Named, Publisher, SoundWriter, Stop,
    latest,
};
use crate::media::Frame;
use crate::memory::{Account, Memory};
use crate::source::{
    CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, run_camera, run_microphone,
};

/// Stack of a capture thread: encoding works on small blocks, pictures are on the heap.
const STACK_BYTES: usize = 512 * 1024;

/// Pause before a capture thread that panicked starts over.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A kind of device: what its thread works with, and what it does.
pub(super) trait Kind: 'static {
    /// The settings of one.
    type Settings: Clone + PartialEq + Send;
    /// What readers see of it.
    type Feed: Named + Send + Sync;
    /// The end of the feed that the capture thread writes.
    type Writer: Send;

    /// For the log and the threads' names.
    const NAME: &'static str;

    /// Its name in defender.conf.
    fn name(settings: &Self::Settings) -> &str;

    /// Both ends of a new feed, for at most `max_readers`.
    fn open(settings: &Self::Settings, max_readers: u32) -> (Self::Writer, Self::Feed);

    /// Prepares the feed for a capture thread that is about to start.
    fn prepare(settings: &Self::Settings, feed: &Self::Feed);

    /// Captures until `stop` is requested; keeps the device closed while `stopped_by` names a user. What comes from the
    /// network lies in memory of `account`.
    fn capture(
        settings: &Self::Settings,
        stopped_by: Option<&str>,
        feed: &Self::Feed,
        writer: &mut Self::Writer,
        stop: &Stop,
        account: &Arc<Account>,
    );

    /// Records in the feed that the device does not run, and why.
    fn set_failed(feed: &Self::Feed, problem: String);

    /// Ends its readers' waits.
    fn close(feed: &Self::Feed);
}

/// Cameras.
pub(super) struct Camera;

/// Microphones.
pub(super) struct Microphone;

/// The devices of a kind that run.
pub(super) struct Devices<K: Kind> {
    running: Vec<Running<K>>,
    list: Arc<FeedList<K::Feed>>,
    max_readers: u32,
    memory: Memory,
}

struct Running<K: Kind> {
    settings: K::Settings,
    /// Who stopped capture, while it is stopped.
    stopped_by: Option<String>,
    feed: Arc<K::Feed>,
    stop: Stop,
    thread: JoinHandle<K::Writer>,
}

impl Kind for Camera {
    type Settings = CameraSettings;
    type Feed = CameraFeed;
    type Writer = Publisher<Frame>;

    const NAME: &'static str = "camera";

    fn name(settings: &CameraSettings) -> &str {
        &settings.name
    }

    fn open(settings: &CameraSettings, max_readers: u32) -> (Publisher<Frame>, CameraFeed) {
        let (publisher, frames) = latest(max_readers);
        (publisher, CameraFeed::new(&settings.name, frames))
    }

    fn prepare(settings: &CameraSettings, feed: &CameraFeed) {
        feed.set_controls(settings.controls.clone());
        feed.relayed.set(matches!(settings.device, DeviceChoice::Remote(_)));
    }

    fn capture(
        settings: &CameraSettings,
        stopped_by: Option<&str>,
        feed: &CameraFeed,
        writer: &mut Publisher<Frame>,
        stop: &Stop,
        account: &Arc<Account>,
    ) {
        run_camera(settings, stopped_by, feed, writer, stop, account);
    }

    fn set_failed(feed: &CameraFeed, problem: String) {
        feed.set_state(CameraState { online: false, problem: Some(problem), node: None, ..feed.state() });
    }

    fn close(feed: &CameraFeed) {
        feed.frames().close();
    }
}

impl Kind for Microphone {
    type Settings = MicrophoneSettings;
    type Feed = MicrophoneFeed;
    type Writer = SoundWriter;

    const NAME: &'static str = "microphone";

    fn name(settings: &MicrophoneSettings) -> &str {
        &settings.name
    }

    fn open(settings: &MicrophoneSettings, _max_readers: u32) -> (SoundWriter, MicrophoneFeed) {
        MicrophoneFeed::new(&settings.name, settings.format)
    }

    fn prepare(settings: &MicrophoneSettings, feed: &MicrophoneFeed) {
        feed.relayed.set(matches!(settings.device, MicrophoneDevice::Remote(_)));
    }

    fn capture(
        settings: &MicrophoneSettings,
        stopped_by: Option<&str>,
        feed: &MicrophoneFeed,
        writer: &mut SoundWriter,
        stop: &Stop,
        _account: &Arc<Account>,
    ) {
        run_microphone(settings, stopped_by, feed, writer, stop);
    }

    fn set_failed(feed: &MicrophoneFeed, problem: String) {
        feed.set_state(MicrophoneState { online: false, problem: Some(problem), pcm: None, ..feed.state() });
    }

    fn close(feed: &MicrophoneFeed) {
        feed.close();
    }
}

impl<K: Kind> Devices<K> {
    /// None yet; those to come are entered in `list`, each for at most `max_readers`. What comes from the network lies in
    /// `memory`.
    pub(super) fn new(list: Arc<FeedList<K::Feed>>, max_readers: u32, memory: Memory) -> Self {
        Self { running: Vec::new(), list, max_readers, memory }
    }

    /// Starts, changes and stops devices until they are the `wanted` ones, all of them stopped while
    /// `stopped_by` names a user. One that stays as it was is not disturbed; one that changes keeps its
    /// readers.
    ///
    /// # Errors
    /// When the system gives no thread for one; the others run.
    pub(super) fn apply(&mut self, wanted: &[K::Settings], stopped_by: Option<&str>) -> io::Result<()> {
        let mut before = std::mem::take(&mut self.running);
        let stays = |running: &Running<K>| {
            running.stopped_by.as_deref() == stopped_by && wanted.contains(&running.settings)
        };
        for running in before.iter().filter(|running| !stays(running)) {
            running.stop.request();
        }
        let mut failed = None;
        for settings in wanted {
            let found = before.iter().position(|running| K::name(&running.settings) == K::name(settings));
            let started = match found.map(|at| before.swap_remove(at)) {
                Some(same) if same.settings == *settings && same.stopped_by.as_deref() == stopped_by => {
                    Ok(same)
                }
                before => self.start(settings, stopped_by, before),
            };
            // One device that cannot start is no reason to lose the others.
            match started {
                Ok(running) => self.running.push(running),
                Err(error) => failed = Some(error),
            }
        }
        self.list.replace(self.running.iter().map(|running| Arc::clone(&running.feed)).collect());
        for gone in before {
            info!("{} {}: removed", K::NAME, K::name(&gone.settings));
            gone.stop.request();
            K::close(&gone.feed);
            join::<K>(gone.thread);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Notes that the device of this name runs with `settings` already, without starting it anew.
    pub(super) fn adopt(&mut self, settings: &K::Settings) {
        let same = |running: &&mut Running<K>| K::name(&running.settings) == K::name(settings);
        if let Some(running) = self.running.iter_mut().find(same) {
            K::prepare(settings, &running.feed);
            running.settings = settings.clone();
        }
    }

    /// Ends every device and its readers' waits; returns when the threads are done.
    pub(super) fn stop(&mut self) {
        for running in &self.running {
            running.stop.request();
            K::close(&running.feed);
        }
        for running in self.running.drain(..) {
            join::<K>(running.thread);
        }
    }

    /// Starts a device, with the readers of the one that had its name `before`.
    fn start(
        &self,
        settings: &K::Settings,
        stopped_by: Option<&str>,
        before: Option<Running<K>>,
    ) -> io::Result<Running<K>> {
        let name = K::name(settings);
        let reused = before.and_then(|before| {
            info!("{} {name}: new settings", K::NAME);
            before.stop.request();
            Some((join::<K>(before.thread)?, before.feed))
        });
        let (mut writer, feed) = reused.unwrap_or_else(|| {
            let (writer, feed) = K::open(settings, self.max_readers);
            (writer, Arc::new(feed))
        });
        K::prepare(settings, &feed);
        let stop = Stop::new();
        let stopped_by = stopped_by.map(str::to_owned);
        let mine = (settings.clone(), stopped_by.clone(), Arc::clone(&feed), stop.clone());
        let account = self.memory.for_remote();
        let thread = thread::Builder::new()
            .name(format!("{}-{name}", K::NAME))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                supervise::<K>(&mine.0, mine.1.as_deref(), &mine.2, &mut writer, &mine.3, &account);
                writer
            })?;
        Ok(Running { settings: settings.clone(), stopped_by, feed, stop, thread })
    }
}

/// Captures until `stop` is requested; a panic costs this device a second, and no other device anything.
fn supervise<K: Kind>(
    settings: &K::Settings,
    stopped_by: Option<&str>,
    feed: &K::Feed,
    writer: &mut K::Writer,
    stop: &Stop,
    account: &Arc<Account>,
) {
    while !stop.is_requested() {
        let capture = || K::capture(settings, stopped_by, feed, writer, stop, account);
        let ended = panic::catch_unwind(AssertUnwindSafe(capture));
        if stop.is_requested() {
            return;
        }
        let problem = "capture failed and is started again".to_owned();
        let why = if ended.is_err() { " after a fault in Defender" } else { "" };
        error!("{} {}: {problem}{why}", K::NAME, K::name(settings));
        K::set_failed(feed, problem);
        stop.sleep(RESTART_PAUSE);
    }
}

/// The thread's writer; `None` if it panicked outside of [`supervise`].
fn join<K: Kind>(thread: JoinHandle<K::Writer>) -> Option<K::Writer> {
    thread.join().ok()
}
