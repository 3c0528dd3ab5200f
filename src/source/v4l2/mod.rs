//! Cameras of this machine, through V4L2.

mod calls;
mod camera;
pub mod controls;
pub mod devices;
mod error;
mod format;
mod frame_clock;
mod negotiate;
mod open;
mod sequence;
mod source;
mod stream;

pub use error::DeviceError;
pub(super) use open::{CameraAt, FirstCamera, probe, probe_first};
