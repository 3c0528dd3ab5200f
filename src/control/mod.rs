//! What a running server can be told: other settings for its cameras, to stop and start capture, to
//! log more or less, to read its configuration again.
//!
//! What belongs here: the one place that knows what runs with which settings, the capture threads,
//! keeping a change in defender.conf. What must not: who may ask for it, and how it is asked.

mod change;
mod devices;
mod error;
mod keep;
mod remotes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, error, warn};

use crate::capture::controls;
use crate::capture::sound::MicrophoneSettings;
use crate::config::{Config, Flags, LEVELS, ServerConfig};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed};
use crate::logging::Logging;
use crate::remote::{Listing, Place};
use devices::{Camera, Devices, Kind, Microphone};
use remotes::Follower;

pub use change::{CameraChange, Told};
pub use error::ControlError;

pub use crate::capture::CameraSettings;
pub use crate::capture::devices::list as cameras_plugged_in;
pub use crate::capture::sound::cards::list as microphones_plugged_in;

pub use crate::capture::controls::{Control as CameraControl, ControlKind};

/// What can be stopped and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// All cameras.
    Video,
    /// All microphones.
    Audio,
}

impl Media {
    /// Its name in the API and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// The hold on what runs. Changes are made one at a time: the lock is held while threads are joined
/// and a file is written, on purpose, and only those who ask for changes or settings wait for it.
pub struct Control {
    state: Mutex<State>,
    flags: Flags,
    logging: Logging,
    cameras: Arc<FeedList<CameraFeed>>,
    microphones: Arc<FeedList<MicrophoneFeed>>,
}

struct State {
    config: Config,
    cameras: Devices<Camera>,
    microphones: Devices<Microphone>,
    remotes: Vec<Follower>,
    video_stopped_by: Option<String>,
    audio_stopped_by: Option<String>,
}

impl Control {
    /// Starts what `config` asks for; `flags` are those it was loaded with.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: Config, flags: &Flags, logging: Logging) -> Result<Arc<Self>, ControlError> {
        let (cameras, microphones) = (Arc::new(FeedList::default()), Arc::new(FeedList::default()));
        let readers = config.server.max_connections;
        let mut state = State {
            cameras: Devices::new(Arc::clone(&cameras), readers),
            microphones: Devices::new(Arc::clone(&microphones), readers),
            config,
            remotes: Vec::new(),
            video_stopped_by: None,
            audio_stopped_by: None,
        };
        state.apply()?;
        let state = Mutex::new(state);
        let control = Arc::new(Self { state, flags: flags.clone(), logging, cameras, microphones });
        control.follow_remotes()?;
        Ok(control)
    }

    /// A hold on nothing, for the tests of those who have one.
    #[cfg(test)]
    pub fn without_devices() -> Arc<Self> {
        let config =
            Config::of_text("", std::path::Path::new("defender.conf")).expect("nothing is wrong in it");
        Self::start(config, &Flags::default(), Logging::unheard()).expect("no thread is needed")
    }

    /// The cameras, first one first.
    pub fn cameras(&self) -> &Arc<FeedList<CameraFeed>> {
        &self.cameras
    }

    /// The microphones, first one first.
    pub fn microphones(&self) -> &Arc<FeedList<MicrophoneFeed>> {
        &self.microphones
    }

    /// Each other Defender, and why it cannot be asked.
    pub fn remotes(&self) -> Vec<(String, String, Option<String>)> {
        let state = self.lock();
        let told = |follower: &Follower| {
            let settings = follower.place.settings();
            (settings.name.clone(), settings.address.to_string(), follower.place.problem())
        };
        state.remotes.iter().map(told).collect()
    }

    /// The mode it runs in, as defender.conf names it.
    pub fn mode_name(&self) -> &'static str {
        self.lock().config.server.mode.name()
    }

    /// What the camera was asked to be; `None` for one that is not this server's own.
    pub fn camera_settings(&self, name: &str) -> Option<CameraSettings> {
        self.lock().config.cameras.iter().find(|camera| camera.name == name).cloned()
    }

    /// The controls of a camera as they are now; none while no camera is open.
    pub fn camera_controls(&self, feed: &CameraFeed) -> Vec<CameraControl> {
        // Not under the lock: a driver may take its time.
        let Some(node) = feed.state().node else { return Vec::new() };
        controls::list(&node).unwrap_or_else(|refused| {
            log::debug!("cannot list controls: {refused}");
            Vec::new()
        })
    }

    /// Changes a camera while it runs, and keeps that in defender.conf if `keeps`: in this order,
    /// all values are looked at, controls set, the file written, the camera started anew if it must
    /// be. Viewers stay.
    ///
    /// # Errors
    /// Why the change was not made. Controls that were set before one that was refused stay set.
    pub fn change_camera(&self, name: &str, change: &CameraChange, keeps: bool) -> Result<(), ControlError> {
        let mut state = self.lock();
        let Some(at) = state.config.cameras.iter().position(|camera| camera.name == name) else {
            return Err(ControlError::NotOurs(name.to_owned()));
        };
        let before = state.config.cameras[at].clone();
        let after = change.applied_to(&before)?;
        if !change.controls.is_empty() {
            let feed = self.cameras.find(Some(name), |_| true);
            let node = feed.and_then(|feed| feed.state().node);
            let node = node.ok_or_else(|| ControlError::NoCamera(name.to_owned()))?;
            controls::set(&node, &change.controls).map_err(ControlError::Camera)?;
        }
        if keeps {
            keep::camera(&state.config, &after, change)?;
        }
        state.config.cameras[at] = after.clone();
        if before == (CameraSettings { controls: before.controls.clone(), ..after.clone() }) {
            let stopped_by = state.video_stopped_by.clone();
            state.cameras.adopt(&CameraSettings { stopped_by, ..after });
            return Ok(());
        }
        state.apply()
    }

    /// Whether capture runs, or who stopped it.
    pub fn stopped_by(&self, media: Media) -> Option<String> {
        self.lock().stopped_by(media).clone()
    }

    /// Stops capture in the name of `who`, or starts it again. Viewers stay, and see it stopped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn set_running(&self, media: Media, running: bool, who: &str) -> Result<(), ControlError> {
        let mut state = self.lock();
        let stopped_by = state.stopped_by(media);
        if running == stopped_by.is_none() {
            return Ok(());
        }
        *stopped_by = (!running).then(|| who.to_owned());
        state.apply()
    }

    /// The least level that is logged.
    pub fn log_level(&self) -> &'static str {
        level_name(self.logging.level())
    }

    /// Logs from this level on, and keeps that in defender.conf if `keeps`.
    ///
    /// # Errors
    /// A name that is none, or why it could not be kept; nothing is changed then.
    pub fn set_log_level(&self, name: &str, keeps: bool) -> Result<(), ControlError> {
        let level = LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level);
        let level = level.ok_or_else(|| ControlError::Level(name.to_owned()))?;
        let mut state = self.lock();
        if keeps {
            keep::log_level(&state.config, level)?;
        }
        self.logging.set_level(level);
        state.config.server.log_level = level;
        Ok(())
    }

    /// The newest `count` lines of the log that are still in memory, oldest first.
    pub fn log_lines(&self, count: usize) -> Vec<String> {
        self.logging.last_lines(count)
    }

    /// Reads the configuration again and takes over what goes without a restart; what was stopped
    /// stays so. Trouble is logged, and leaves what runs as it is.
    pub fn reload(self: &Arc<Self>) {
        self.read_again();
        if let Err(error) = self.follow_remotes() {
            error!("cannot follow every remote: {error}");
        }
    }

    fn read_again(&self) {
        if let Err(error) = self.logging.reopen() {
            error!("{error}");
        }
        let mut state = self.lock();
        let file = state.config.file.as_deref();
        if file.is_some_and(|file| std::fs::metadata(file).is_ok_and(|found| !found.is_file())) {
            return error!("the old configuration stays: it came through a pipe, which cannot be read again");
        }
        let new = match Config::load(&self.flags) {
            Ok(new) => new,
            Err(error) => return error!("the old configuration stays: {error}"),
        };
        for warning in &new.warnings {
            warn!("{warning}");
        }
        self.logging.set_level(new.server.log_level);
        let level: LevelFilter = new.server.log_level;
        let unchanged = ServerConfig { log_level: level, ..state.config.server.clone() } == new.server;
        if !unchanged {
            warn!("changes in [server] other than log_level need a restart");
        }
        // The server part stays what runs, so that the next reload compares with the truth.
        state.config.server.log_level = level;
        state.config.cameras = new.cameras;
        state.config.microphones = new.microphones;
        state.config.remotes = new.remotes;
        if let Err(error) = state.apply() {
            error!("cannot start every camera and microphone: {error}");
        }
    }

    /// Ends all capture; returns when the threads are done.
    pub fn stop(&self) {
        let mut state = self.lock();
        let followers = std::mem::take(&mut state.remotes);
        let ended: Vec<_> = followers.into_iter().map(Follower::end).collect();
        state.cameras.stop();
        state.microphones.stop();
        drop(state);
        join(ended);
    }

    /// Makes the followers those of the configured remotes.
    fn follow_remotes(self: &Arc<Self>) -> Result<(), ControlError> {
        let mut state = self.lock();
        let wanted = state.config.remotes.clone();
        let mut before = std::mem::take(&mut state.remotes);
        let mut failed = None;
        for settings in &wanted {
            let same = before.iter().position(|follower| follower.place.settings() == settings);
            let started = match same {
                Some(at) => Ok(before.remove(at)),
                None => Follower::start(settings, Arc::downgrade(self)),
            };
            match started {
                Ok(mut follower) => {
                    // Reached in another way, it has what it had until it says otherwise: viewers stay.
                    if let Some(old) = before.iter().find(|old| old.place.settings().name == settings.name) {
                        follower.listing = old.listing.clone();
                    }
                    state.remotes.push(follower);
                }
                Err(error) => failed = Some(error),
            }
        }
        let ended: Vec<_> = before.into_iter().map(Follower::end).collect();
        let applied = if ended.is_empty() { Ok(()) } else { state.apply() };
        drop(state);
        join(ended);
        failed.map_or(applied, |error| Err(ControlError::System(error)))
    }

    /// A remote has told what it has.
    fn has_listed(&self, place: &Place, listing: Listing) {
        let mut state = self.lock();
        // One that was taken out of the configuration meanwhile has nothing to say.
        let Some(follower) = state.remotes.iter_mut().find(|follower| *follower.place == *place) else {
            return;
        };
        if follower.listing.same_devices(&listing) {
            return;
        }
        follower.listing = listing;
        if let Err(error) = state.apply() {
            error!("cannot start every camera and microphone: {error}");
        }
    }

    /// A panic under the lock leaves devices and configuration as they were between two steps, which
    /// the next change brings together again.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that hangs in a network's silence ends a little later, and by itself.
fn join(ended: Vec<std::thread::JoinHandle<()>>) {
    for thread in ended {
        // A panic in it was logged where it happened.
        let _ = thread.join();
    }
}

fn level_name(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("", |(name, _)| name)
}

impl State {
    fn stopped_by(&mut self, media: Media) -> &mut Option<String> {
        match media {
            Media::Video => &mut self.video_stopped_by,
            Media::Audio => &mut self.audio_stopped_by,
        }
    }

    /// Makes what runs be what is configured, or stopped.
    fn apply(&mut self) -> Result<(), ControlError> {
        let stopped_by = || self.video_stopped_by.clone();
        let camera = |camera: CameraSettings| CameraSettings { stopped_by: stopped_by(), ..camera };
        let remote = self.remotes.iter().flat_map(Follower::cameras);
        let cameras =
            first_of_each_name::<Camera>(self.config.cameras.iter().cloned().chain(remote).map(camera));
        let stopped_by = || self.audio_stopped_by.clone();
        let microphone =
            |microphone: MicrophoneSettings| MicrophoneSettings { stopped_by: stopped_by(), ..microphone };
        let remote = self.remotes.iter().flat_map(Follower::microphones);
        let own = self.config.microphones.iter().cloned();
        let microphones = first_of_each_name::<Microphone>(own.chain(remote).map(microphone));
        // One kind that cannot start is no reason to lose the other.
        let (cameras, microphones) = (self.cameras.apply(&cameras), self.microphones.apply(&microphones));
        cameras.and(microphones).map_err(ControlError::System)
    }
}

/// What another Defender calls its devices is not known beforehand, so a name may be taken: by one of
/// our own, or of another.
fn first_of_each_name<K: Kind>(devices: impl Iterator<Item = K::Settings>) -> Vec<K::Settings> {
    let mut first: Vec<K::Settings> = Vec::new();
    for device in devices {
        let name = K::name(&device);
        if first.iter().any(|other| K::name(other) == name) {
            warn!("{} {name}: another of this name is left out", K::NAME);
        } else {
            first.push(device);
        }
    }
    first
}
