//! What runs, and with which settings. Who only reads it gets a copy.
//!
//! Settings live here, with the threads that run by them, under one lock that only changes take. A change checks
//! all values, stores what is to last, sets the driver's controls, and restarts the camera only if it must;
//! viewers stay connected. If the driver refuses a value, what was set and stored before it is undone.

use std::sync::Arc;

use log::{LevelFilter, warn};

use super::change::CameraChange;
use super::devices::{Camera, Devices, Kind, Microphone};
use super::error::ControlError;
use super::relayed;
use super::remotes::Follower;
use super::save;
use crate::base::limits;
use crate::config::{Config, Overridden, Override, SectionValues, with_camera_setting};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed};
use crate::memory::Memory;
use crate::remote::Endpoint;
use crate::source::CameraSettings;

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

/// All that changes touch.
pub(super) struct State {
    pub(super) config: Config,
    pub(super) cameras: Devices<Camera>,
    pub(super) microphones: Devices<Microphone>,
    pub(super) remotes: Vec<Follower>,
    /// The level of the log as defender.conf and the overrides have it.
    pub(super) saved_log_level: LevelFilter,
    /// The cameras as defender.conf and the overrides have them, without what was changed since and not saved.
    saved: Vec<CameraSettings>,
    video_stopped_by: Option<String>,
    audio_stopped_by: Option<String>,
}

/// A copy of what questions are about: replaced whole at the end of each change.
pub(super) struct StateView {
    pub(super) config: Config,
    pub(super) remotes: Vec<Arc<Endpoint>>,
    video_stopped_by: Option<String>,
    audio_stopped_by: Option<String>,
}

impl State {
    /// What is to run; nothing does yet. What comes from the network lies in `memory`.
    pub(super) fn new(
        config: Config,
        memory: &Memory,
        cameras: Arc<FeedList<CameraFeed>>,
        microphones: Arc<FeedList<MicrophoneFeed>>,
    ) -> Self {
        let readers = limits::viewers(config.server.max_connections);
        Self {
            cameras: Devices::new(cameras, readers, memory.clone()),
            microphones: Devices::new(microphones, readers, memory.clone()),
            remotes: Vec::new(),
            saved_log_level: config.server.log_level,
            saved: config.cameras.clone(),
            config,
            video_stopped_by: None,
            audio_stopped_by: None,
        }
    }

    pub(super) fn view(&self) -> StateView {
        StateView {
            config: self.config.clone(),
            remotes: self.remotes.iter().map(|follower| Arc::clone(&follower.endpoint)).collect(),
            video_stopped_by: self.video_stopped_by.clone(),
            audio_stopped_by: self.audio_stopped_by.clone(),
        }
    }

    /// Takes over the devices of a configuration that was read again; the server part stays what runs,
    /// so that the next one is compared with the truth.
    pub(super) fn take_over(&mut self, new: Config) {
        self.config.server.log_level = new.server.log_level;
        self.saved_log_level = new.server.log_level;
        self.config.overrides = new.overrides;
        let saved = new.cameras.clone();
        let before = std::mem::replace(&mut self.config.cameras, new.cameras);
        // The driver has what was set while it ran, and a file without a word on that does not change it.
        for camera in &mut self.config.cameras {
            let old = before.iter().find(|old| old.name == camera.name && old.device == camera.device);
            let was_saved = self.saved.iter().find(|saved| saved.name == camera.name);
            let Some((old, was_saved)) = old.zip(was_saved) else { continue };
            let changed = old.controls.iter().filter(|control| !was_saved.controls.contains(control));
            let has = |name: &String| camera.controls.iter().any(|(known, _)| known == name);
            let more: Vec<_> = changed.filter(|(name, _)| !has(name)).cloned().collect();
            camera.controls.extend(more);
        }
        self.saved = saved;
        self.config.microphones = new.microphones;
        self.config.remotes = new.remotes;
    }

    /// What was changed of a camera, and not saved.
    pub(super) fn unsaved(&self, now: &CameraSettings) -> CameraChange {
        let saved = self.saved.iter().find(|camera| camera.name == now.name);
        saved.map(|saved| CameraChange::between(saved, now)).unwrap_or_default()
    }

    /// Notes that a change of a camera was saved as `overrides`.
    pub(super) fn note_saved(&mut self, name: &str, change: &CameraChange, overrides: Vec<Override>) {
        let Some(camera) = self.saved.iter_mut().find(|camera| camera.name == name) else { return };
        let prefix = format!("camera.{name}.");
        save::note(&mut self.config, overrides, |new| {
            let mut value = None;
            with_camera_setting(&mut camera.clone(), new.name.strip_prefix(&prefix)?, &mut |section, key| {
                value = section.rows().into_iter().find(|row| row.key == key).map(|row| row.value);
            });
            value
        });
        if let Ok(changed) = change.applied_to(camera) {
            *camera = changed;
        }
    }

    /// Configures what a setting has without its override, now and for the next change that is saved.
    pub(super) fn restore(&mut self, overridden: &Overridden) {
        let Overridden { saved, configured, .. } = overridden;
        let mut restore = |section: &mut dyn SectionValues, key: &str| match configured {
            // It was in force before, so it can be.
            Some(value) => drop(section.change(key, value)),
            None => section.remove(key),
        };
        let _ = self.config.with_setting(&saved.name, &mut restore);
        let rest = saved.name.strip_prefix("camera.").and_then(|rest| rest.split_once('.'));
        let camera = rest.and_then(|(name, _)| self.saved.iter_mut().find(|camera| camera.name == name));
        if let (Some(camera), Some((_, setting))) = (camera, rest) {
            with_camera_setting(camera, setting, &mut restore);
        }
    }

    /// Makes cameras that ran with the settings `before` be what is configured. Controls were set while
    /// they ran, and are no reason to start one anew.
    pub(super) fn apply_cameras(&mut self, before: &[CameraSettings]) -> Result<(), ControlError> {
        let mut is_same = true;
        for after in &self.config.cameras {
            let Some(before) = before.iter().find(|before| before.name == after.name) else { continue };
            if *before == (CameraSettings { controls: before.controls.clone(), ..after.clone() }) {
                self.cameras.adopt(after);
            } else {
                is_same = false;
            }
        }
        if is_same { Ok(()) } else { self.apply() }
    }

    pub(super) fn stopped_by(&mut self, media: Media) -> &mut Option<String> {
        match media {
            Media::Video => &mut self.video_stopped_by,
            Media::Audio => &mut self.audio_stopped_by,
        }
    }

    /// Makes what runs be what is configured, or stopped.
    pub(super) fn apply(&mut self) -> Result<(), ControlError> {
        let remote = self.remotes.iter().flat_map(Follower::cameras);
        let cameras = first_of_each_name::<Camera>(self.config.cameras.iter().cloned().chain(remote));
        let cameras = relayed::with_streams(cameras);
        let remote = self.remotes.iter().flat_map(Follower::microphones);
        let own = self.config.microphones.iter().cloned();
        let microphones = first_of_each_name::<Microphone>(own.chain(remote));
        // One kind that cannot start is no reason to lose the other.
        let cameras = self.cameras.apply(&cameras, self.video_stopped_by.as_deref());
        let microphones = self.microphones.apply(&microphones, self.audio_stopped_by.as_deref());
        cameras.and(microphones).map_err(ControlError::System)
    }
}

impl StateView {
    pub(super) fn stopped_by(&self, media: Media) -> Option<String> {
        match media {
            Media::Video => self.video_stopped_by.clone(),
            Media::Audio => self.audio_stopped_by.clone(),
        }
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
