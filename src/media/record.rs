//! What is asked of recording: where footage lies, whether and how a camera is recorded, and why footage has gaps.

use std::path::PathBuf;
use std::time::Duration;

/// Where footage lies, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordStore {
    /// The folder of all footage.
    pub dir: PathBuf,
    /// Whether `dir` must be a mount point: nothing is recorded while the disk or stick is not mounted.
    pub is_mount: bool,
    /// Most bytes of footage; `None` for no limit.
    pub max_bytes: Option<u64>,
    /// Bytes of the file system that are left to others.
    pub min_free_bytes: u64,
    /// Bytes of a file of footage.
    pub segment_bytes: u64,
    /// Longest time from a frame to its place on the disk.
    pub flush: Duration,
}

/// Whether and how a camera is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChoice {
    /// Whether it is recorded.
    pub is_on: bool,
    /// Whether no microphone was named: that of the camera's own name is recorded, if there is one.
    pub is_own_sound: bool,
    /// How it is recorded, or would be.
    pub settings: RecordSettings,
}

/// How a camera is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSettings {
    /// When frames are kept.
    pub when: RecordWhen,
    /// Frames a second between events, for [`RecordWhen::IdleAndEvents`], and of old footage that is thinned.
    pub idle_fps: u32,
    /// Time before an event that is kept in full.
    pub pre: Duration,
    /// Time after an event that is kept in full.
    pub post: Duration,
    /// The microphone that is recorded with it; `None` for silence.
    pub microphone: Option<String>,
    /// How its sound is stored.
    pub sound: RecordSound,
    /// Days that footage without an event is kept; `None` for as long as there is space.
    pub days: Option<u32>,
    /// Days that footage with an event is kept; `None` for as long as there is space.
    pub event_days: Option<u32>,
    /// Days after which footage without an event is thinned to `idle_fps`; `None` for never.
    pub thin_after_days: Option<u32>,
    /// Most bytes of this camera's footage; `None` for no limit of its own.
    pub max_bytes: Option<u64>,
}

/// When the frames of a camera are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordWhen {
    /// All frames, at all times.
    Always,
    /// All frames around events, and no others.
    #[default]
    Events,
    /// All frames around events, and a few a second between them.
    IdleAndEvents,
}

/// How recorded sound is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordSound {
    /// FLAC: about half the bytes, without loss.
    #[default]
    Flac,
    /// Samples as they are.
    Pcm,
}

/// Why there is no footage before a moment. The discriminants are stored on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GapReason {
    /// The server did not run, or did not record this camera.
    NotRunning = 0,
    /// No event asked for footage.
    NoEvent = 1,
    /// The camera gave no pictures.
    CameraLost = 2,
    /// Somebody stopped recording or capture.
    Stopped = 3,
    /// The disk was too slow, or could not be written to.
    Disk = 4,
    /// Space was needed for newer footage.
    Deleted = 5,
}

impl RecordStore {
    /// Names beside the folders of cameras. A camera of such a name cannot be recorded.
    pub const TAKEN_NAMES: [&str; 5] = ["pool", "lock", "tombstones", "catalog", "lost+found"];

    /// What is recorded into `dir` if nothing else is said.
    pub fn in_folder(dir: PathBuf) -> Self {
        Self {
            dir,
            is_mount: false,
            max_bytes: None,
            min_free_bytes: 2_000_000_000,
            segment_bytes: 32 << 20,
            flush: Duration::from_secs(2),
        }
    }
}

impl RecordChoice {
    /// How the camera is recorded; `None` if it is not.
    pub fn active(&self) -> Option<&RecordSettings> {
        self.is_on.then_some(&self.settings)
    }

    /// Chooses the microphone for the camera `name` if none was named. `is_microphone` says which names there are.
    pub fn choose_microphone(&mut self, name: &str, is_microphone: impl Fn(&str) -> bool) {
        if self.is_own_sound {
            self.settings.microphone = is_microphone(name).then(|| name.to_owned());
        }
    }
}

impl RecordSettings {
    /// Most bytes of frames that a camera keeps in memory, for the time before an event and while a disk is slow.
    pub const MOST_RECENT_BYTES: usize = 16 << 20;
}

impl RecordWhen {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, RecordWhen); 3] =
        [("always", Self::Always), ("events", Self::Events), ("idle+events", Self::IdleAndEvents)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, when)| *when == self).map_or("", |(name, _)| name)
    }
}

impl RecordSound {
    /// By the names used in defender.conf and in the API.
    pub const NAMES: [(&'static str, RecordSound); 2] = [("flac", Self::Flac), ("pcm", Self::Pcm)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, sound)| *sound == self).map_or("", |(name, _)| name)
    }
}

impl GapReason {
    /// Every reason, in the order of their discriminants, with its name in the API.
    pub const NAMES: [(&'static str, GapReason); 6] = [
        ("not running", Self::NotRunning),
        ("no event", Self::NoEvent),
        ("camera lost", Self::CameraLost),
        ("stopped", Self::Stopped),
        ("disk", Self::Disk),
        ("deleted", Self::Deleted),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The reason of a discriminant; `None` for one that there is not.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::NAMES.get(usize::from(code)).map(|(_, reason)| *reason)
    }
}

impl Default for RecordChoice {
    /// Not recorded.
    fn default() -> Self {
        Self { is_on: false, is_own_sound: true, settings: RecordSettings::default() }
    }
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self {
            when: RecordWhen::default(),
            idle_fps: 1,
            pre: Duration::from_secs(10),
            post: Duration::from_secs(20),
            microphone: None,
            sound: RecordSound::default(),
            days: None,
            event_days: None,
            thin_after_days: None,
            max_bytes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_microphone_is_chosen_unless_one_was_named() {
        let chosen = |is_own_sound, name: &str| {
            let mut choice = RecordChoice { is_own_sound, ..RecordChoice::default() };
            choice.choose_microphone(name, |known| known == "front");
            choice.settings.microphone
        };
        assert_eq!(chosen(true, "front").as_deref(), Some("front"));
        assert_eq!((chosen(true, "yard"), chosen(false, "front")), (None, None));
    }

    #[test]
    fn reasons_are_found_by_their_codes() {
        for (at, (name, reason)) in (0_u8..).zip(GapReason::NAMES) {
            assert_eq!((reason as u8, reason.name(), GapReason::from_code(at)), (at, name, Some(reason)));
        }
        assert_eq!(GapReason::from_code(6), None);
    }
}
