//! What the devices of this machine are and offer: plain values for lists, for the API and for the page.

use std::path::PathBuf;

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraDevice {
    /// Its node, such as /dev/video0. The number may change at each boot.
    pub node: PathBuf,
    /// Its name, as its maker gave it; empty where `problem` says why.
    pub card: String,
    /// The kernel driver's name.
    pub driver: String,
    /// Links to the node that stay the same, from /dev/v4l/by-id.
    pub by_id: Vec<PathBuf>,
    /// Links to the node that stay the same as long as the camera is plugged into the same port, from
    /// /dev/v4l/by-path.
    pub by_path: Vec<PathBuf>,
    /// What it offers.
    pub formats: Vec<DeviceFormat>,
    /// Why it could not be asked; it may or may not be a camera then.
    pub problem: Option<String>,
}

/// A ribbon-cable camera of this machine, whose sensor the kernel shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RibbonDevice {
    /// Its number, as in `ribbon:1`.
    pub number: u8,
    /// What the sensor is, for people.
    pub sensor: String,
    /// What it lacks to give a picture, each with what to do.
    pub problems: Vec<String>,
}

/// A pixel format a camera offers.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceFormat {
    /// Its four character code.
    pub fourcc: String,
    /// The driver's words for it.
    pub description: String,
    /// Whether Defender can use it.
    pub usable: bool,
    /// The sizes it comes in; of a whole range of sizes the usual ones and the greatest.
    pub sizes: Vec<DeviceSize>,
}

/// A size a format comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceSize {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frame rates in frames a second; of a whole range both ends. May be empty.
    pub rates_fps: Vec<f32>,
}

/// A capture device of a sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundDevice {
    /// The PCM to name in defender.conf, such as `plughw:CARD=C210,DEV=0`; it stays the same over
    /// boots as long as there is one card of its model, and ALSA converts what the hardware cannot do.
    pub pcm: String,
    /// Card and device as their makers named them.
    pub label: String,
    /// Lowest and highest rate of the hardware in Hz.
    pub rates_hz: (u32, u32),
    /// Fewest and most channels of the hardware.
    pub channels: (u32, u32),
    /// Why it could not be asked for rates and channels.
    pub problem: Option<String>,
}

/// A control of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraControl {
    /// The driver's number for it.
    pub id: u32,
    /// Its name in defender.conf and in the API: the driver's in lower case, `_` between words.
    pub name: String,
    /// Its name for people, as the driver gives it.
    pub label: String,
    /// What its values are.
    pub kind: ControlKind,
    /// The least value.
    pub min: i32,
    /// The greatest value.
    pub max: i32,
    /// From one value to the next.
    pub step: i32,
    /// The value it began with.
    pub default: i32,
    /// The value in force; 0 for one that cannot be read, such as a button.
    pub value: i32,
    /// Whether it does nothing now, because of another control such as an automatic.
    pub is_inactive: bool,
    /// Whether it cannot be set.
    pub is_read_only: bool,
    /// Whether it has a value that can be read.
    pub is_readable: bool,
}

/// What the values of a [`CameraControl`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// Whole numbers.
    Integer,
    /// 0 and 1.
    Boolean,
    /// The numbers of these choices, each with its name.
    Menu(Vec<(i32, String)>),
    /// None: setting it does something.
    Button,
}
