//! The settings of cameras and microphones.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::{Fingerprint, Url};
use crate::draw;
use crate::media::{
    Chroma, MotionChoice, NoiseChoice, PictureEdits, PixelFormat, RecordChoice, SoundFormat, StreamSettings,
};
use crate::remote::Endpoint;

/// The settings of a camera; the driver may give something else.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Its name in defender.conf and in URLs.
    pub name: String,
    /// Where the picture comes from.
    pub device: DeviceChoice,
    /// The pixel format to ask for; `None` takes MJPEG where offered, else the first usable one.
    pub format: Option<PixelFormat>,
    /// The size of raw pictures that come over a socket, which does not tell it.
    pub raw_size: Option<(u32, u32)>,
    /// Pixels in a row to ask for.
    pub width: u32,
    /// Rows to ask for.
    pub height: u32,
    /// Frames a second to ask for.
    pub fps: u32,
    /// JPEG quality, 1 to 100, where Defender encodes.
    pub quality: u8,
    /// How much chroma is kept where Defender encodes.
    pub chroma: Chroma,
    /// Open the device only while somebody watches.
    pub on_demand: bool,
    /// The file with the login of a camera of the network.
    pub login_file: Option<PathBuf>,
    /// The key of a camera of the network that is reached by TLS; `None` trusts those that an authority certifies.
    pub fingerprint: Option<Fingerprint>,
    /// What is done to its pictures.
    pub edits: PictureEdits,
    /// Values for the camera's controls, by name, set in this order whenever it is started.
    pub controls: Vec<(String, i32)>,
    /// Further streams of its pictures.
    pub streams: Vec<StreamSettings>,
    /// Whether and how it is recorded.
    pub record: RecordChoice,
    /// Whether and how motion is looked for.
    pub motion: MotionChoice,
}

/// Which device a camera's picture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first capture device, else the ribbon-cable camera; the test card while there is none.
    Auto,
    /// The test card.
    Test,
    /// A ribbon-cable camera, by its number.
    Ribbon(u8),
    /// A device node, or a link to one such as those under /dev/v4l/by-id.
    Path(PathBuf),
    /// The path of a socket that another program feeds with pictures.
    Unix(PathBuf),
    /// A camera of the network, by the URL of its stream or of a snapshot.
    Http(Url),
    /// A camera of another Defender.
    Remote(RemoteDevice),
}

impl DeviceChoice {
    /// The module that the log names.
    pub(super) fn log_target(&self) -> &'static str {
        match self {
            Self::Auto | Self::Test | Self::Path(_) => "defender::source::video",
            Self::Ribbon(_) => "defender::source::ribbon",
            Self::Unix(_) => "defender::source::unix",
            Self::Http(_) => "defender::source::http",
            Self::Remote(_) => "defender::source::relay",
        }
    }
}

/// The settings of a microphone; the hardware may give something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrophoneSettings {
    /// Its name in defender.conf and in URLs.
    pub name: String,
    /// Where the sound comes from.
    pub device: MicrophoneDevice,
    /// Rate and channels to ask for.
    pub format: SoundFormat,
    /// Open the device only while somebody listens.
    pub on_demand: bool,
    /// Whether and how sound is looked for.
    pub noise: NoiseChoice,
}

/// Which device a microphone's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MicrophoneDevice {
    /// The first capture device; silence while there is none.
    Auto,
    /// A soft tone with a tick each second.
    Test,
    /// The path of a socket that another program feeds with samples.
    Unix(PathBuf),
    /// A microphone of another Defender.
    Remote(RemoteDevice),
    /// An ALSA PCM name such as `hw:1,0`, or part of a card's name.
    Named(String),
}

impl MicrophoneDevice {
    /// The module that the log names.
    pub(super) fn log_target(&self) -> &'static str {
        match self {
            Self::Auto | Self::Test | Self::Named(_) => "defender::source::audio",
            Self::Unix(_) => "defender::source::unix",
            Self::Remote(_) => "defender::source::relay",
        }
    }
}

/// A camera or microphone of another Defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDevice {
    /// Where it is.
    pub endpoint: Arc<Endpoint>,
    /// Its name there.
    pub name: String,
    /// The further stream of the camera there; `None` for the camera itself, and for a microphone.
    pub stream: Option<String>,
}

/// Most bytes of a socket's path: the kernel takes no more (unix(7)).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The path in `unix:/PATH`; `None` where it cannot be that of a socket.
pub fn socket_path(device: &str) -> Option<PathBuf> {
    let path = device.strip_prefix("unix:")?;
    let is_path = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
    (is_path && path.len() <= MAX_SOCKET_PATH_BYTES).then(|| PathBuf::from(path))
}

/// Checks lettering with conversions of strftime.
///
/// # Errors
/// In words, the first conversion that there is not.
pub fn check_stamp(text: &str) -> Result<(), String> {
    draw::check_stamp(text).map_err(|unknown| unknown.to_string())
}

impl fmt::Display for DeviceChoice {
    /// As defender.conf has it, but for the query of a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Ribbon(0) => f.write_str("ribbon"),
            Self::Ribbon(number) => write!(f, "ribbon:{number}"),
            Self::Http(url) => url.fmt(f),
            Self::Path(path) => path.display().fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Remote(device) => device.fmt(f),
        }
    }
}

impl fmt::Display for MicrophoneDevice {
    /// As defender.conf has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Named(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Remote(device) => device.fmt(f),
        }
    }
}

impl fmt::Display for RemoteDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(stream) = &self.stream {
            write!(f, "/{stream}")?;
        }
        write!(f, " at {}", self.endpoint.settings().address)
    }
}

/// Settings for tests.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A camera of 160x120 at 20 frames a second that shows the test card.
    pub(in crate::source) fn settings() -> CameraSettings {
        CameraSettings {
            name: "front".to_owned(),
            device: DeviceChoice::Test,
            format: None,
            raw_size: None,
            width: 160,
            height: 120,
            fps: 20,
            quality: 80,
            chroma: Chroma::AsCaptured,
            on_demand: false,
            login_file: None,
            fingerprint: None,
            edits: PictureEdits::default(),
            controls: Vec::new(),
            streams: Vec::new(),
            record: RecordChoice::default(),
            motion: MotionChoice::default(),
        }
    }

    /// A microphone of 8 kHz that plays the test tone.
    pub(in crate::source) fn microphone() -> MicrophoneSettings {
        MicrophoneSettings {
            name: "front".to_owned(),
            device: MicrophoneDevice::Test,
            format: SoundFormat { rate_hz: 8000, channels: 1 },
            on_demand: false,
            noise: NoiseChoice::default(),
        }
    }
}
