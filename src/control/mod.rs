//! What can be changed of a server that runs: the settings of its cameras, whether it captures, how much
//! it logs; and reading its configuration again.
//!
//! What belongs here: the one place that knows what runs with which settings, the capture threads,
//! saving changes as overrides. What must not: who may ask for a change, and how it is asked.

mod camera;
mod change;
mod devices;
mod error;
mod follow;
mod relayed;
mod reload;
mod remotes;
mod save;
mod settings;
mod state;

use std::sync::{Arc, Mutex};

use crate::base::{level, lock};
use crate::config::{Config, Flags, Value, camera_values, default_camera};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Named};
use crate::logging::Logging;
use crate::media::{CameraControl, CameraDevice, RibbonDevice, SoundDevice};
use crate::memory::Memory;
use crate::remote::Endpoint;
use crate::source::alsa::cards;
use crate::source::ribbon;
use crate::source::v4l2::{controls, devices as cameras};
use crate::source::{CameraSettings, DeviceChoice};
use remotes::Follower;
use state::{State, StateView};

pub use change::{CameraChange, CameraKeys};
pub use error::ControlError;
pub use reload::log_overrides;
pub use settings::SettingRow;
pub use state::Media;

/// Every camera of this machine, in the order of the nodes' numbers, and every node that may be one and cannot be
/// opened. Disturbs no camera that is in use.
pub fn cameras_plugged_in() -> Vec<CameraDevice> {
    cameras::list()
}

/// Every ribbon-cable camera of this machine. Starts none.
pub fn ribbon_cameras_found() -> Vec<RibbonDevice> {
    ribbon::cameras()
}

/// Every capture device of the sound cards. Disturbs none that is in use.
pub fn microphones_plugged_in() -> Vec<SoundDevice> {
    cards::list()
}

/// Who asks for a change.
#[derive(Clone, Copy)]
pub struct Requester<'a> {
    /// The name of the account.
    pub name: &'a str,
    /// Whether the user may still make the change. Called when it is this change's turn.
    pub may: &'a dyn Fn() -> bool,
    /// Logs the change. Called once it is made.
    pub log: &'a dyn Fn(),
}

/// Changes what runs. Changes are made one at a time: the lock of `state` is held while threads are
/// joined, controls are set and a file is written, on purpose, and only other changes wait for it.
/// Questions are answered from `view`, whose lock is held to copy a pointer.
pub struct Control {
    /// A panic under the lock leaves devices and configuration as they were between two steps; the next change
    /// brings them together again.
    state: Mutex<State>,
    view: Mutex<Arc<StateView>>,
    flags: Flags,
    logging: Logging,
    memory: Memory,
    cameras: Arc<FeedList<CameraFeed>>,
    microphones: Arc<FeedList<MicrophoneFeed>>,
}

impl Control {
    /// Starts what `config` asks for; `flags` are those it was loaded with. What comes from other
    /// Defenders lies in `memory`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        config: Config,
        flags: &Flags,
        logging: Logging,
        memory: Memory,
    ) -> Result<Arc<Self>, ControlError> {
        let (cameras, microphones) = (Arc::new(FeedList::default()), Arc::new(FeedList::default()));
        let mut state = State::new(config, &memory, Arc::clone(&cameras), Arc::clone(&microphones));
        state.apply()?;
        let view = Mutex::new(Arc::new(state.view()));
        let state = Mutex::new(state);
        let control =
            Arc::new(Self { state, view, flags: flags.clone(), logging, memory, cameras, microphones });
        control.follow_remotes()?;
        Ok(control)
    }

    /// One that runs nothing, for tests.
    #[cfg(test)]
    pub fn without_devices() -> Arc<Self> {
        let config =
            Config::of_text("", std::path::Path::new("defender.conf")).expect("nothing is wrong in it");
        Self::start(config, &Flags::default(), Logging::to_nowhere(), Memory::new(0))
            .expect("no thread is needed")
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
        let row = |endpoint: &Arc<Endpoint>| {
            let settings = endpoint.settings();
            (settings.name.clone(), settings.address.to_string(), endpoint.problem())
        };
        self.view().remotes.iter().map(row).collect()
    }

    /// The mode it runs in, as defender.conf names it.
    pub fn mode_name(&self) -> &'static str {
        self.view().config.server.mode.name()
    }

    /// Whether changed settings can be saved for the next start.
    pub fn can_save(&self) -> bool {
        self.view().config.can_save
    }

    /// The settings of a camera; `None` if it is not this server's own.
    pub(crate) fn camera_settings(&self, name: &str) -> Option<CameraSettings> {
        self.view().config.cameras.iter().find(|camera| camera.name == name).cloned()
    }

    /// The settings that the camera was asked to have, but for its controls; `None` for one that is not this
    /// server's own.
    pub fn camera_values(&self, name: &str) -> Option<Vec<(String, Value)>> {
        self.camera_settings(name).map(|mut settings| camera_values(&mut settings))
    }

    /// The names of settings that a change of the camera can have. For one that is not this server's own they are
    /// those of any camera: the change itself says that it is another's.
    pub fn camera_keys(&self, name: &str) -> CameraKeys {
        let settings = self.camera_settings(name);
        CameraKeys::of(&settings.unwrap_or_else(|| default_camera(name.to_owned())))
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

    /// The sizes that a camera offers; none where it does not list them, or no camera is open.
    pub fn camera_sizes(&self, feed: &CameraFeed) -> Vec<(u32, u32)> {
        // Not under the lock, as above.
        let (node, settings) = (feed.state().node, self.camera_settings(feed.name()));
        node.zip(settings)
            .map(|(node, settings)| cameras::sizes_offered(&node, &settings))
            .unwrap_or_default()
    }

    /// Whether a camera of this server is set to the ribbon-cable camera `number`, or found it as `auto`.
    pub fn has_ribbon(&self, feed: &CameraFeed, number: u8) -> bool {
        match self.camera_settings(feed.name()).map(|settings| settings.device) {
            Some(DeviceChoice::Ribbon(chosen)) => chosen == number,
            Some(DeviceChoice::Auto) => ribbon::is_source(&feed.state().source, number),
            _ => false,
        }
    }

    /// Whether capture runs, or who stopped it.
    pub fn stopped_by(&self, media: Media) -> Option<String> {
        self.view().stopped_by(media)
    }

    /// Stops capture in the name of the requester, or starts it again. Viewers stay, and see it stopped.
    /// What is stopped stays so in the name of who was first. What is no change is not logged.
    ///
    /// # Errors
    /// When the system gives a device no thread; the others are stopped or started.
    pub fn set_running(
        &self,
        media: Media,
        running: bool,
        requester: &Requester<'_>,
    ) -> Result<(), ControlError> {
        self.change_for(requester, |state| {
            let stopped_by = state.stopped_by(media);
            if running == stopped_by.is_none() {
                return Ok(());
            }
            *stopped_by = (!running).then(|| requester.name.to_owned());
            (requester.log)();
            state.apply()
        })
    }

    /// The least level that is logged.
    pub fn log_level(&self) -> &'static str {
        level::name(self.logging.level())
    }

    /// The newest `count` lines of the log that are still in memory, oldest first.
    pub fn log_lines(&self, count: usize) -> Vec<String> {
        self.logging.last_lines(count)
    }

    /// Ends all capture; returns when the threads are done.
    pub fn stop(&self) {
        let ended = self.change(|state| {
            let followers = std::mem::take(&mut state.remotes);
            let ended: Vec<_> = followers.into_iter().map(Follower::end).collect();
            state.cameras.stop();
            state.microphones.stop();
            ended
        });
        join(ended);
    }

    /// Makes a change for a user, if the user may still make it.
    fn change_for<T>(
        &self,
        requester: &Requester<'_>,
        make: impl FnOnce(&mut State) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        self.change(|state| if (requester.may)() { make(state) } else { Err(ControlError::NotAllowed) })
    }

    /// Makes a change, while no other is made, and shows its result to readers.
    fn change<T>(&self, make: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let made = make(&mut state);
        *lock(&self.view) = Arc::new(state.view());
        made
    }

    fn view(&self) -> Arc<StateView> {
        Arc::clone(&lock(&self.view))
    }
}

/// A thread that hangs in a network's silence ends a little later, and by itself.
fn join(ended: Vec<std::thread::JoinHandle<()>>) {
    for thread in ended {
        // A panic in it was logged where it happened.
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn who_only_asks_does_not_wait_for_a_change_that_hangs() {
        let control = Control::without_devices();
        let (asked, answers) = mpsc::channel();
        let asking = Arc::clone(&control);
        control.change(|_| {
            std::thread::spawn(move || {
                let stopped = asking.stopped_by(Media::Video);
                let nothing = asking.camera_settings("front").is_none() && asking.remotes().is_empty();
                let mode = (asking.mode_name(), asking.can_save(), asking.log_level());
                asked.send((stopped, nothing, mode)).expect("somebody waits");
            });
            let answer = answers.recv_timeout(Duration::from_secs(30)).expect("an answer under the lock");
            assert_eq!(answer, (None, true, ("both", true, "info")));
        });
    }

    #[test]
    fn what_is_stopped_already_stays_in_the_name_of_the_first() {
        let control = Control::without_devices();
        let set = |running, who| {
            let is_logged = std::cell::Cell::new(false);
            let requester = Requester { name: who, may: &|| true, log: &|| is_logged.set(true) };
            control.set_running(Media::Video, running, &requester).unwrap();
            is_logged.get()
        };
        assert!(!set(true, "ada"));
        assert!(set(false, "ada"));
        assert!(!set(false, "eve"));
        assert_eq!(control.stopped_by(Media::Video).as_deref(), Some("ada"));
        assert!(set(true, "eve") && control.stopped_by(Media::Video).is_none());
    }
}
