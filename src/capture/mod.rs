//! Capture: where pictures and sound come from.
//!
//! What belongs here: opening devices, the retry loop, the test card, turning what a driver
//! delivers into frames for the hub; [`sound`] does the same for microphones. What must not: sockets, HTTP, configuration files.

mod camera;
pub mod canvas;
pub mod card;
mod clock;
pub mod controls;
pub mod devices;
mod error;
mod lettering;
mod live;
mod negotiate;
mod notice;
mod output;
mod pace;
mod relay;
mod run;
mod show;
pub mod sound;
mod stream;
mod v4l2;
mod zone;
mod zone_rule;

pub use error::{Call, CaptureError};
pub use run::run;

pub use crate::encode::jpeg::Chroma;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::media::PixelFormat;
use crate::remote::Place;

/// What a camera was asked to be; the driver may give something else.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Its name in defender.conf and in URLs.
    pub name: String,
    /// Where the picture comes from.
    pub device: DeviceChoice,
    /// The pixel format to ask for; `None` takes MJPEG where offered, else the first usable one.
    pub format: Option<PixelFormat>,
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
    /// Values for the camera's controls, by name, set in this order whenever it is started.
    pub controls: Vec<(String, i32)>,
}

/// Which device a camera's picture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first capture device; the test card while there is none.
    Auto,
    /// The test card.
    Test,
    /// A device node, or a link to one such as those under /dev/v4l/by-id.
    Path(PathBuf),
    /// A camera of another Defender.
    Remote(RemoteDevice),
}

/// A camera or microphone of another Defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDevice {
    /// Where it is.
    pub place: Arc<Place>,
    /// Its name there.
    pub name: String,
}

impl fmt::Display for RemoteDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.place.settings().address)
    }
}
