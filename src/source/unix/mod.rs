//! Cameras and microphones behind a Unix socket: another program feeds pictures or sound to whoever connects. Defender
//! connects as a client, and hangs up when nobody wants the source any more, so that a service manager can start and stop
//! the program by the connection.
//!
//! A camera's stream is JPEGs one after another, with or without multipart heads, or raw pictures of a size that
//! defender.conf names. A microphone's is samples, S16 of little endian. No stream carries a time, so all are stamped when
//! they arrive: the time that the program took is not known, and is missing.
//!
//! What must not be here: starting a program.

mod camera;
mod connection;
mod error;
mod jpegs;
mod microphone;
mod planes;
mod probe;
mod sound_clock;

pub(super) use camera::UnixCamera;
pub(super) use error::is_refused;
pub(super) use microphone::UnixMicrophone;
pub(super) use probe::{probe_camera, probe_microphone};

use std::path::Path;
use std::time::Duration;

use crate::media::PixelFormat;
use crate::source::video::{Description, Stall};

/// After so much was read at once, a sender that has still more is given a pause.
const READ_AT_ONCE_BYTES: usize = 4 * 1024 * 1024;

/// How long a sender waits that sends more than a device could: the kernel holds it up meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// Describes a camera behind a socket; the size is that of raw pictures.
fn description(path: &Path, format: PixelFormat, size: Option<(u32, u32)>, fps: u32) -> Description {
    let name = format!("unix:{}", path.display());
    Description {
        source: name.clone(),
        mode: size.map_or_else(String::new, |(width, height)| format!("{width}x{height} {format}")),
        device: name,
        format: Some(format),
        size,
        fps: fps as f32,
        node: None,
        is_online: true,
        problem: None,
        warnings: Vec::new(),
        is_drawn: false,
        stall: Stall::Learned,
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
