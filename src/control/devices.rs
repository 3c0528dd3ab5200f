//! The capture threads: one for each camera and microphone, started, supervised, changed and joined.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info};

use super::relayed;
use crate::base::limits;
use crate::hub::{
    CameraFeed, CameraState, FeedList, MicrophoneFeed, MicrophoneState, Named, Publisher, SoundWriter, Stop,
    latest,
};
use crate::media::Frame;
use crate::memory::{Account, Memory};
use crate::source::{
    CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, run_camera, run_microphone,
};
use crate::streams::{self, StreamWriter};

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

    /// Prepares the feed for a capture thread that is about to start, or runs already with these settings.
    fn prepare(settings: &Self::Settings, feed: &Self::Feed);

    /// Whether a device that runs with the settings `before` can take `after` without being started anew.
    fn is_live_change(_before: &Self::Settings, _after: &Self::Settings) -> bool {
        false
    }

    /// Makes nobody get what was captured with the settings `before` if that is not to be seen with `after`.
    fn retract(_before: &Self::Settings, _after: &Self::Settings, _writer: &mut Self::Writer) {}

    /// Gives feed and writer the further streams of `settings`, each for at most `max_readers`.
    fn equip(_settings: &Self::Settings, _feed: &Self::Feed, _writer: &mut Self::Writer, _max_readers: u32) {}

    /// The feeds that are listed of those that run with these settings: all, unless some are parts of others.
    fn listed(running: &[(&Self::Settings, &Arc<Self::Feed>)]) -> Vec<Arc<Self::Feed>> {
        running.iter().map(|(_, feed)| Arc::clone(feed)).collect()
    }

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

/// The ends of a camera's feed that its threads write.
pub(super) struct CameraWriter {
    frames: Publisher<Frame>,
    streams: Vec<StreamWriter>,
}

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
    type Writer = CameraWriter;

    const NAME: &'static str = "camera";

    fn name(settings: &CameraSettings) -> &str {
        &settings.name
    }

    fn open(settings: &CameraSettings, max_readers: u32) -> (CameraWriter, CameraFeed) {
        let (frames, reading) = latest(limits::camera_readers(max_readers));
        (CameraWriter { frames, streams: Vec::new() }, CameraFeed::new(&settings.name, reading))
    }

    fn prepare(settings: &CameraSettings, feed: &CameraFeed) {
        feed.set_controls(settings.controls.clone());
        feed.set_edits(&settings.edits);
        feed.set_recording(&settings.record);
        feed.set_motion(settings.motion.active());
        feed.relayed.set(matches!(settings.device, DeviceChoice::Remote(_)));
        feed.networked.set(matches!(settings.device, DeviceChoice::Remote(_) | DeviceChoice::Http(_)));
    }

    fn is_live_change(before: &CameraSettings, after: &CameraSettings) -> bool {
        // Recorder and detector read their settings from the feed. Masks wait for the end of the thread: no picture with the
        // former ones is published after that.
        let (edits, record, motion) = (before.edits.clone(), before.record.clone(), before.motion.clone());
        let with = CameraSettings { edits, record, motion, ..after.clone() };
        before.edits.masks == after.edits.masks && *before == with
    }

    fn retract(before: &CameraSettings, after: &CameraSettings, writer: &mut CameraWriter) {
        if before.edits.masks != after.edits.masks {
            writer.frames.retract();
            writer.streams.iter_mut().for_each(StreamWriter::retract);
        }
    }

    fn equip(settings: &CameraSettings, feed: &CameraFeed, writer: &mut CameraWriter, max_readers: u32) {
        if relayed::is_relayed(settings) {
            // Not made here; see `listed`.
            writer.streams.clear();
            return;
        }
        let mut before = std::mem::take(&mut writer.streams);
        for stream in &settings.streams {
            let found = before.iter().position(|known| known.name() == stream.name);
            let mut stays = match found {
                Some(at) => before.swap_remove(at),
                None => StreamWriter::new(stream, max_readers),
            };
            stays.set_settings(stream, settings.quality, settings.chroma);
            writer.streams.push(stays);
        }
        feed.streams().replace(writer.streams.iter().map(|stream| Arc::clone(stream.feed())).collect());
    }

    fn listed(running: &[(&CameraSettings, &Arc<CameraFeed>)]) -> Vec<Arc<CameraFeed>> {
        let (streams, cameras): (Vec<_>, Vec<_>) =
            running.iter().partition(|(settings, _)| relayed::is_stream(settings));
        let streams: Vec<_> = streams.into_iter().map(|(_, feed)| Arc::clone(feed)).collect();
        for (settings, feed) in &cameras {
            if relayed::is_relayed(settings) {
                relayed::list_streams(settings, feed.streams(), &streams);
            }
        }
        cameras.into_iter().map(|(_, feed)| Arc::clone(feed)).collect()
    }

    fn capture(
        settings: &CameraSettings,
        stopped_by: Option<&str>,
        feed: &CameraFeed,
        CameraWriter { frames, streams }: &mut CameraWriter,
        stop: &Stop,
        account: &Arc<Account>,
    ) {
        let capture = || run_camera(settings, stopped_by, feed, frames, stop, account);
        streams::run_beside(feed, streams, account, capture);
    }

    fn set_failed(feed: &CameraFeed, problem: String) {
        feed.set_state(CameraState { online: false, problem: Some(problem), node: None, ..feed.state() });
    }

    fn close(feed: &CameraFeed) {
        feed.frames().close();
        for stream in feed.streams().all().iter() {
            stream.frames().close();
        }
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
        feed.networked.set(feed.relayed.get());
        feed.set_noise(settings.noise.active());
    }

    fn is_live_change(before: &MicrophoneSettings, after: &MicrophoneSettings) -> bool {
        *before == MicrophoneSettings { noise: before.noise.clone(), ..after.clone() }
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
            let settings = &running.settings;
            let is_same = |wanted: &K::Settings| wanted == settings || K::is_live_change(settings, wanted);
            let same_name = wanted.iter().filter(|wanted| K::name(wanted) == K::name(settings));
            running.stopped_by.as_deref() == stopped_by && same_name.take(1).any(is_same)
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
                Some(mut live)
                    if K::is_live_change(&live.settings, settings)
                        && live.stopped_by.as_deref() == stopped_by =>
                {
                    live.adopt(settings);
                    Ok(live)
                }
                before => self.start(settings, stopped_by, before),
            };
            // One device that cannot start is no reason to lose the others.
            match started {
                Ok(running) => self.running.push(running),
                Err(error) => failed = Some(error),
            }
        }
        let running: Vec<_> = self.running.iter().map(|running| (&running.settings, &running.feed)).collect();
        self.list.replace(K::listed(&running));
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
            running.adopt(settings);
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
            let mut writer = join::<K>(before.thread)?;
            K::retract(&before.settings, settings, &mut writer);
            Some((writer, before.feed))
        });
        let (mut writer, feed) = reused.unwrap_or_else(|| {
            let (writer, feed) = K::open(settings, self.max_readers);
            (writer, Arc::new(feed))
        });
        K::prepare(settings, &feed);
        K::equip(settings, &feed, &mut writer, self.max_readers);
        let stop = Stop::new();
        let stopped_by = stopped_by.map(str::to_owned);
        let mine = (settings.clone(), stopped_by.clone(), Arc::clone(&feed), stop.clone());
        let account = self.memory.for_device();
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

impl<K: Kind> Running<K> {
    /// Takes settings that need no new thread.
    fn adopt(&mut self, settings: &K::Settings) {
        K::prepare(settings, &self.feed);
        self.settings = settings.clone();
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
