//! What the recorder does, as status, log and page show it.

use super::retention::Reason;

/// Whether a camera is recorded, and why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Its frames are written.
    Recording,
    /// It waits for an event.
    Waiting,
    /// The camera gives no pictures.
    NoPicture,
    /// Somebody stopped recording.
    Stopped,
    /// Its frames cannot be written; see the problem.
    Failed,
    /// It has no settings for recording.
    #[default]
    Off,
}

/// How the recording of one camera is going.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraStatus {
    /// Its name.
    pub camera: String,
    /// What it does.
    pub state: State,
    /// Whether an event asks for footage now.
    pub is_event: bool,
    /// What is wrong, for people.
    pub problem: Option<String>,
    /// Frames written since the start.
    pub frames: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Frames lost since the start: they came faster than they could be written.
    pub missed: u64,
}

/// What retention deleted and thinned since the start of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sacrificed {
    /// Segments and bytes by reason.
    pub deleted: Vec<(Reason, u64, u64)>,
    /// Segments that were thinned, and bytes that this freed.
    pub thinned: (u64, u64),
}

impl State {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Waiting => "waiting",
            Self::NoPicture => "no picture",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Off => "off",
        }
    }
}

impl Sacrificed {
    /// Counts a segment that was deleted.
    pub(super) fn count(&mut self, reason: Reason, bytes: u64) {
        match self.deleted.iter_mut().find(|(known, ..)| *known == reason) {
            Some((_, segments, sum)) => {
                *segments += 1;
                *sum += bytes;
            }
            None => self.deleted.push((reason, 1, bytes)),
        }
    }
}
