//! What runs, with which settings, and the plain copy of it that those read who only ask.

use std::sync::Arc;

use log::warn;

use super::devices::{Camera, Devices, Kind, Microphone};
use super::remotes::Follower;
use super::{CameraChange, CameraSettings, ControlError};
use crate::config::{Config, Keep};
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed};
use crate::remote::Place;

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
    /// The cameras as the configuration has them, without what was changed since and not kept.
    on_file: Vec<CameraSettings>,
    video_stopped_by: Option<String>,
    audio_stopped_by: Option<String>,
}

/// What there is to see of it: replaced whole at the end of each change.
pub(super) struct Seen {
    pub(super) cameras: Vec<CameraSettings>,
    pub(super) remotes: Vec<Arc<Place>>,
    pub(super) mode: &'static str,
    /// Whether settings can be kept for the next start.
    pub(super) keeps: bool,
    video_stopped_by: Option<String>,
    audio_stopped_by: Option<String>,
}

impl State {
    /// What is to run; nothing does yet.
    pub(super) fn new(
        config: Config,
        cameras: Arc<FeedList<CameraFeed>>,
        microphones: Arc<FeedList<MicrophoneFeed>>,
    ) -> Self {
        let readers = config.server.max_connections;
        Self {
            cameras: Devices::new(cameras, readers),
            microphones: Devices::new(microphones, readers),
            remotes: Vec::new(),
            on_file: config.cameras.clone(),
            config,
            video_stopped_by: None,
            audio_stopped_by: None,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            cameras: self.config.cameras.clone(),
            remotes: self.remotes.iter().map(|follower| Arc::clone(&follower.place)).collect(),
            mode: self.config.server.mode.name(),
            keeps: self.config.keep != Keep::Nowhere,
            video_stopped_by: self.video_stopped_by.clone(),
            audio_stopped_by: self.audio_stopped_by.clone(),
        }
    }

    /// Takes over the devices of a configuration that was read again; the server part stays what runs,
    /// so that the next one is compared with the truth.
    pub(super) fn take_over(&mut self, new: Config) {
        self.config.server.log_level = new.server.log_level;
        let file = new.cameras.clone();
        let before = std::mem::replace(&mut self.config.cameras, new.cameras);
        // The driver has what was set while it ran, and a file without a word on that does not change it.
        for camera in &mut self.config.cameras {
            let old = before.iter().find(|old| old.name == camera.name && old.device == camera.device);
            let on_file = self.on_file.iter().find(|on_file| on_file.name == camera.name);
            let Some((old, on_file)) = old.zip(on_file) else { continue };
            let live = CameraChange::between(on_file, old).controls.into_iter();
            let has = |name: &String| camera.controls.iter().any(|(known, _)| known == name);
            let more: Vec<_> = live.filter(|(name, _)| !has(name)).collect();
            camera.controls.extend(more);
        }
        self.on_file = file;
        self.config.microphones = new.microphones;
        self.config.remotes = new.remotes;
    }

    /// What was changed of a camera, and not kept.
    pub(super) fn not_kept(&self, now: &CameraSettings) -> CameraChange {
        let on_file = self.on_file.iter().find(|camera| camera.name == now.name);
        on_file.map(|on_file| CameraChange::between(on_file, now)).unwrap_or_default()
    }

    /// A change of a camera has been kept.
    pub(super) fn has_kept(&mut self, name: &str, change: &CameraChange) {
        if let Some(camera) = self.on_file.iter_mut().find(|camera| camera.name == name)
            && let Ok(changed) = change.applied_to(camera)
        {
            *camera = changed;
        }
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
        let remote = self.remotes.iter().flat_map(Follower::microphones);
        let own = self.config.microphones.iter().cloned();
        let microphones = first_of_each_name::<Microphone>(own.chain(remote));
        // One kind that cannot start is no reason to lose the other.
        let cameras = self.cameras.apply(&cameras, self.video_stopped_by.as_deref());
        let microphones = self.microphones.apply(&microphones, self.audio_stopped_by.as_deref());
        cameras.and(microphones).map_err(ControlError::System)
    }
}

impl Seen {
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
