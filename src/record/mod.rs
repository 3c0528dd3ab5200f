//! Footage: what is recorded, kept, found and played.
//!
//! ```text
//! capture threads ──intake──► memory of the last seconds ──recorder──► segments ──► requests
//!                                                                      ▲
//!                                                   keeper: retention, thinning, the pool
//! ```
//!
//! - *Intake* notes frames in the capture thread, takes sound in one thread for each recorded microphone, and never touches the disk.
//! - The *recorder* (one thread) decides which frames are kept ([`plan`]), and writes them. Whatever it waits for, frames wait in memory.
//! - The *keeper* (one thread) reads the folder at the start, repairs what a power cut left, deletes and thins ([`retention`]), and keeps a
//!   file ready for the recorder.
//! - Requests look footage up in the catalogue ([`Recordings`]) and read the files.
//!
//! What belongs here: which frames are kept for how long, and finding them again. What must not: how a file is laid out (`segment`), what
//! happened (`journal`), who may see it (`http`).

mod camera;
mod catalogue;
mod changes;
mod clip;
mod deletions;
mod error;
mod folder;
mod forecast;
mod intake;
mod keeper;
mod listen;
mod open;
mod opened;
mod pending;
mod plan;
mod playback;
mod recorder;
mod recordings;
mod retention;
mod sounds;
mod space;
mod status;
pub mod strip;
#[cfg(test)]
mod tests;
mod thin;
mod tombstones;

pub use clip::{Clip, ClipKind, NoClip, Wanted};
pub use listen::{RecordedSound, SoundPlayer};
pub use playback::Player;
pub use recorder::Recorder;
pub use recordings::{CameraFootage, Recordings};
pub use status::{CameraStatus, State};
