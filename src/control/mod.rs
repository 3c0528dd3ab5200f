//! What a running server can be told: other settings for its cameras, to stop and start capture, to
//! log more or less, to read its configuration again.
//!
//! What belongs here: the one place that knows what runs with which settings, the capture threads,
//! keeping a change in defender.conf. What must not: who may ask for it, and how it is asked.

mod change;
mod devices;
mod error;
mod keep;
mod reload;
mod remotes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, error};

use crate::capture::controls;
use crate::capture::devices::{check_size, sizes_offered};
use crate::config::{Config, Flags, LEVELS};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Named};
use crate::logging::Logging;
use crate::memory::Memory;
use crate::remote::{Listing, Place};
use remotes::Follower;
use state::{Seen, State};

pub use change::{CameraChange, Told};
pub use error::ControlError;
pub use reload::tell_overridden;
pub use state::Media;

pub use crate::capture::CameraSettings;
pub use crate::capture::devices::list as cameras_plugged_in;
pub use crate::capture::sound::cards::list as microphones_plugged_in;

pub use crate::capture::controls::{Control as CameraControl, ControlKind};

/// The hold on what runs. Changes are made one at a time: the lock of `state` is held while threads are
/// joined, controls are set and a file is written, on purpose, and only other changes wait for it.
/// Whoever asks is told from `seen`, whose lock is held to copy a pointer.
pub struct Control {
    state: Mutex<State>,
    seen: Mutex<Arc<Seen>>,
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
        let mut state = State::new(config, Arc::clone(&cameras), Arc::clone(&microphones));
        state.apply()?;
        let seen = Mutex::new(Arc::new(state.seen()));
        let state = Mutex::new(state);
        let control =
            Arc::new(Self { state, seen, flags: flags.clone(), logging, memory, cameras, microphones });
        control.follow_remotes()?;
        Ok(control)
    }

    /// A hold on nothing, for the tests of those who have one.
    #[cfg(test)]
    pub fn without_devices() -> Arc<Self> {
        let config =
            Config::of_text("", std::path::Path::new("defender.conf")).expect("nothing is wrong in it");
        Self::start(config, &Flags::default(), Logging::unheard(), Memory::new(0))
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
        let told = |place: &Arc<Place>| {
            let settings = place.settings();
            (settings.name.clone(), settings.address.to_string(), place.problem())
        };
        self.seen().remotes.iter().map(told).collect()
    }

    /// The mode it runs in, as defender.conf names it.
    pub fn mode_name(&self) -> &'static str {
        self.seen().mode
    }

    /// Whether changed settings can be kept for the next start.
    pub fn keeps(&self) -> bool {
        self.seen().keeps
    }

    /// What the camera was asked to be; `None` for one that is not this server's own.
    pub fn camera_settings(&self, name: &str) -> Option<CameraSettings> {
        self.seen().cameras.iter().find(|camera| camera.name == name).cloned()
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
        node.zip(settings).map(|(node, settings)| sizes_offered(&node, &settings)).unwrap_or_default()
    }

    /// Changes a camera while it runs, and keeps that for the next start if `keeps`; a change of nothing
    /// keeps what was changed before. In this order all values are looked at, the file is written,
    /// controls are set, and the camera is started anew if it must be: what is likeliest to fail comes
    /// first, and is taken back if the driver then refuses. Viewers stay. `may` tells whether whoever asks
    /// may do so still, now that it is this change's turn; `told` logs the change, once it is made.
    ///
    /// # Errors
    /// Why the change was not made, or, if it was told, that the system gives a device no thread.
    pub fn change_camera(
        &self,
        name: &str,
        change: &CameraChange,
        keeps: bool,
        may: impl FnOnce() -> bool,
        told: impl FnOnce(),
    ) -> Result<(), ControlError> {
        self.change(|state| {
            if !may() {
                return Err(ControlError::NotAllowed);
            }
            let Some(at) = state.config.cameras.iter().position(|camera| camera.name == name) else {
                return Err(ControlError::NotOurs(name.to_owned()));
            };
            let before = state.config.cameras[at].clone();
            self.check_size(name, change, &change.applied_to(&before)?)?;
            let asked = self.ask_controls(name, change)?;
            // A button is pressed once: neither a start nor a file does it again.
            let lasting = asked.as_ref().map(controls::Asked::lasting).unwrap_or_default();
            let lasting = CameraChange { controls: lasting, ..change.clone() };
            let after = lasting.applied_to(&before)?;
            let kept = keeps.then(|| if change.is_nothing() { state.not_kept(&before) } else { lasting });
            let written = kept.as_ref().map(|kept| keep::camera(&state.config, name, kept)).transpose()?;
            if let Some(Err(refused)) = asked.map(controls::Asked::set) {
                written.into_iter().for_each(keep::Written::undo);
                return Err(ControlError::Camera(refused));
            }
            kept.iter().for_each(|kept| state.has_kept(name, kept));
            state.config.cameras[at] = after.clone();
            told();
            if before == (CameraSettings { controls: before.controls.clone(), ..after.clone() }) {
                state.cameras.adopt(&after);
                return Ok(());
            }
            state.apply()
        })
    }

    /// Whether capture runs, or who stopped it.
    pub fn stopped_by(&self, media: Media) -> Option<String> {
        self.seen().stopped_by(media)
    }

    /// Stops capture in the name of `who`, or starts it again. Viewers stay, and see it stopped.
    /// What is stopped stays so in the name of who was first. `may` and `told` as in
    /// [`Control::change_camera`]; `told` logs what is a change.
    ///
    /// # Errors
    /// When the system gives a device no thread; the others are stopped or started.
    pub fn set_running(
        &self,
        media: Media,
        running: bool,
        who: &str,
        may: impl FnOnce() -> bool,
        told: impl FnOnce(),
    ) -> Result<(), ControlError> {
        self.change(|state| {
            if !may() {
                return Err(ControlError::NotAllowed);
            }
            let stopped_by = state.stopped_by(media);
            if running == stopped_by.is_none() {
                return Ok(());
            }
            *stopped_by = (!running).then(|| who.to_owned());
            told();
            state.apply()
        })
    }

    /// The least level that is logged.
    pub fn log_level(&self) -> &'static str {
        level_name(self.logging.level())
    }

    /// Logs from this level on, and keeps that for the next start if `keeps`. `may` as in
    /// [`Control::change_camera`]. `told` logs the change; it is called while the louder of both levels
    /// holds, so that turning the log off is still in it.
    ///
    /// # Errors
    /// A name that is none, or why it could not be kept; nothing is changed then.
    pub fn set_log_level(
        &self,
        name: &str,
        keeps: bool,
        may: impl FnOnce() -> bool,
        told: impl FnOnce(),
    ) -> Result<(), ControlError> {
        let level = LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level);
        let level = level.ok_or_else(|| ControlError::Level(name.to_owned()))?;
        self.change(|state| {
            if !may() {
                return Err(ControlError::NotAllowed);
            }
            if keeps {
                keep::log_level(&state.config, level)?;
            }
            self.logging.set_level(level.max(self.logging.level()));
            told();
            self.logging.set_level(level);
            state.config.server.log_level = level;
            Ok(())
        })
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

    /// Makes the followers those of the configured remotes.
    fn follow_remotes(self: &Arc<Self>) -> Result<(), ControlError> {
        let (followed, ended) = self.change(|state| {
            let wanted = state.config.remotes.clone();
            let mut before = std::mem::take(&mut state.remotes);
            let mut failed = None;
            for settings in &wanted {
                let same = before.iter().position(|follower| follower.place.settings() == settings);
                let started = match same {
                    Some(at) => Ok(before.remove(at)),
                    None => Follower::start(settings, self.memory.for_remote(), Arc::downgrade(self)),
                };
                match started {
                    Ok(mut follower) => {
                        // Reached in another way, it has what it had until it says otherwise: viewers stay.
                        let old = before.iter().find(|old| old.place.settings().name == settings.name);
                        if let Some(old) = old {
                            follower.listing = old.listing.clone();
                        }
                        state.remotes.push(follower);
                    }
                    Err(error) => failed = Some(ControlError::System(error)),
                }
            }
            let ended: Vec<_> = before.into_iter().map(Follower::end).collect();
            let applied = if ended.is_empty() { Ok(()) } else { state.apply() };
            (failed.map_or(applied, Err), ended)
        });
        join(ended);
        followed
    }

    /// A remote has told what it has.
    fn has_listed(&self, place: &Place, listing: Listing) {
        self.change(|state| {
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
        });
    }

    /// Refuses a size that an open camera does not have: its driver would give another one, silently.
    fn check_size(
        &self,
        name: &str,
        change: &CameraChange,
        after: &CameraSettings,
    ) -> Result<(), ControlError> {
        if change.width.or(change.height).is_none() {
            return Ok(());
        }
        let node = self.cameras.find(Some(name), |_| true).and_then(|feed| feed.state().node);
        node.map_or(Ok(()), |node| check_size(&node, after)).map_err(|nearest| {
            let nearest: Vec<String> =
                nearest.into_iter().map(|(width, height)| format!("{width}x{height}")).collect();
            ControlError::Value(format!(
                "the camera has no size {}x{}; the nearest it has: {}",
                after.width,
                after.height,
                nearest.join(", ")
            ))
        })
    }

    /// The camera's controls that are to be changed, looked at; `None` where there are none.
    fn ask_controls(
        &self,
        name: &str,
        change: &CameraChange,
    ) -> Result<Option<controls::Asked>, ControlError> {
        if change.controls.is_empty() {
            return Ok(None);
        }
        let node = self.cameras.find(Some(name), |_| true).and_then(|feed| feed.state().node);
        let node = node.ok_or_else(|| ControlError::NoCamera(name.to_owned()))?;
        controls::ask(&node, &change.controls).map(Some).map_err(ControlError::Camera)
    }

    /// Makes a change, while no other is made, and shows what came of it.
    fn change<T>(&self, make: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let made = make(&mut state);
        *lock(&self.seen) = Arc::new(state.seen());
        made
    }

    fn seen(&self) -> Arc<Seen> {
        Arc::clone(&lock(&self.seen))
    }
}

/// A panic under a lock leaves devices and configuration as they were between two steps, which the
/// next change brings together again.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
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
                let mode = (asking.mode_name(), asking.keeps(), asking.log_level());
                asked.send((stopped, nothing, mode)).expect("somebody waits");
            });
            let answer = answers.recv_timeout(Duration::from_secs(30)).expect("an answer under the lock");
            assert_eq!(answer, (None, true, ("both", true, "info")));
        });
    }

    #[test]
    fn what_is_stopped_already_is_no_change_and_stays_in_the_name_of_the_first() {
        let control = Control::without_devices();
        let set = |running, who| {
            let is_told = std::cell::Cell::new(false);
            control.set_running(Media::Video, running, who, || true, || is_told.set(true)).unwrap();
            is_told.get()
        };
        assert!(!set(true, "ada"));
        assert!(set(false, "ada"));
        assert!(!set(false, "eve"));
        assert_eq!(control.stopped_by(Media::Video).as_deref(), Some("ada"));
        assert!(set(true, "eve") && control.stopped_by(Media::Video).is_none());
    }
}
