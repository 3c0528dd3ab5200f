//! Sources: where video and audio come from.
//!
//! | module | what is in it |
//! |---|---|
//! | `video`, `audio` | the trait of a source, and the supervisor that opens one, retries, and keeps its state |
//! | `v4l2`, `alsa` | cameras and microphones of this machine |
//! | `unix` | cameras and microphones that another program feeds to a socket |
//! | `ribbon` | cameras that libcamera reads, such as those on the ribbon cable of a Raspberry Pi |
//! | `http` | cameras of the network |
//! | `relay` | cameras and microphones of other Defenders |
//! | `test` | the test card and the test tone |
//! | `kinds` | which of them a configured device is |
//!
//! A new kind of source implements `VideoSource` and `OpenVideo` (or `AudioSource` and `OpenAudio`) in a module of its
//! own, and `kinds` names it. Supervisors know no kind. What must not be here: HTTP itself, configuration files.

pub mod alsa;
mod audio;
mod clock;
mod http;
mod kinds;
mod problem_log;
mod rate_limit;
mod relay;
pub mod ribbon;
mod session;
mod settings;
mod test;
mod unix;
pub mod v4l2;
mod video;

pub(crate) use kinds::{probe_camera, probe_microphone, run_camera, run_microphone};
pub use settings::{
    CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, RemoteDevice, check_stamp,
    socket_path,
};

#[cfg(test)]
mod tests;
