//! What is asked of the recording of a camera, and why footage has gaps.

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
    fn reasons_are_found_by_their_codes() {
        for (at, (name, reason)) in (0_u8..).zip(GapReason::NAMES) {
            assert_eq!((reason as u8, reason.name(), GapReason::from_code(at)), (at, name, Some(reason)));
        }
        assert_eq!(GapReason::from_code(6), None);
    }
}
