//! What the recorder does, as status, log and page show it.

use super::retention::Reason;

/// A round of the recorder that takes longer than this, in microseconds, waits for the disk.
pub(super) const STALL_US: u64 = 4_000_000;

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

impl CameraStatus {
    /// The same while the recorder's round has taken `stall_us`: it cannot say itself that it waits.
    pub(super) fn in_a_stall(&self, stall_us: u64) -> Self {
        let mut status = self.clone();
        if stall_us > STALL_US && self.problem.is_none() && self.state != State::Stopped {
            status.state = State::Failed;
            status.problem = Some(format!("the disk has not answered for {} s", stall_us / 1_000_000));
        }
        status
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_is_said_to_fail() {
        let status = CameraStatus { state: State::Recording, ..CameraStatus::default() };
        assert_eq!(status.in_a_stall(STALL_US), status);
        let stalled = status.in_a_stall(5_900_000);
        assert_eq!(stalled.state, State::Failed);
        assert_eq!(stalled.problem.as_deref(), Some("the disk has not answered for 5 s"));
        // What is wrong already says more, and nobody waits for what was stopped.
        let failed = CameraStatus { problem: Some("it is full".to_owned()), ..status.clone() };
        assert_eq!(failed.in_a_stall(5_900_000), failed);
        let stopped = CameraStatus { state: State::Stopped, ..status };
        assert_eq!(stopped.in_a_stall(5_900_000), stopped);
    }
}
