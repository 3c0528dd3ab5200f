//! The tables: a row for each setting, in the order of defender.conf.

use super::{Setting, Value};
use crate::base::{level, limits};
use crate::config::ServerConfig;
use crate::config::paths::Paths;
use crate::config::read::Section;
use crate::media::{Chroma, PixelFormat, SoundFormat};
use crate::source::{CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, socket_path};

/// `[camera.NAME]`.
pub static CAMERA: [Setting<CameraSettings>; 8] = [
    Setting::<CameraSettings>::own("device", "Device", read_camera_device, |camera| {
        camera.device.to_string().into()
    }),
    Setting::<CameraSettings>::own("format", "Pixel format", read_format, |camera| {
        let name = camera.format.map_or("auto", PixelFormat::name);
        match camera.raw_size {
            Some((width, height)) => format!("{name}:{width}x{height}").into(),
            None => name.into(),
        }
    }),
    Setting::<CameraSettings>::integer(
        "width",
        "Width",
        limits::SIDE,
        |camera| camera.width.into(),
        |camera, number| camera.width = number,
    )
    .live(),
    Setting::<CameraSettings>::integer(
        "height",
        "Height",
        limits::SIDE,
        |camera| camera.height.into(),
        |camera, number| camera.height = number,
    )
    .live(),
    Setting::<CameraSettings>::integer(
        "fps",
        "Frames a second",
        limits::FPS,
        |camera| camera.fps.into(),
        |camera, number| camera.fps = number,
    )
    .live(),
    Setting::<CameraSettings>::integer(
        "quality",
        "JPEG quality",
        limits::QUALITY,
        |camera| u32::from(camera.quality).into(),
        |camera, number| camera.quality = u8::try_from(number).unwrap_or(u8::MAX),
    )
    .hint("Where Defender encodes")
    .live(),
    Setting::<CameraSettings>::choice(
        "chroma",
        "Chroma",
        || Chroma::NAMES.map(|(name, _)| name).to_vec(),
        |camera| camera.chroma.name().into(),
        |camera, word| camera.chroma = named(&Chroma::NAMES, word).unwrap_or(camera.chroma),
    ),
    Setting::<CameraSettings>::boolean(
        "on_demand",
        "Open only while somebody watches",
        |camera| Value::Boolean(camera.on_demand),
        |camera, is_on| camera.on_demand = is_on,
    ),
];

/// `[microphone.NAME]`.
pub static MICROPHONE: [Setting<MicrophoneSettings>; 3] = [
    Setting::<MicrophoneSettings>::own("device", "Device", read_microphone_device, |microphone| {
        microphone.device.to_string().into()
    }),
    Setting::<MicrophoneSettings>::integer(
        "rate_hz",
        "Samples a second",
        8000..=192_000,
        |microphone| microphone.format.rate_hz.into(),
        |microphone, number| microphone.format.rate_hz = number,
    ),
    Setting::<MicrophoneSettings>::integer(
        "channels",
        "Channels",
        1..=8,
        |microphone| microphone.format.channels.into(),
        |microphone, number| microphone.format.channels = number,
    ),
];

/// What of `[server]` can change while it runs.
pub static SERVER: [Setting<ServerConfig>; 1] = [Setting::<ServerConfig>::choice(
    "log_level",
    "Log level",
    || level::LEVELS.map(|(name, _)| name).to_vec(),
    |server| level::name(server.log_level).into(),
    |server, word| server.log_level = level::from_name(word).unwrap_or(server.log_level),
)
.live()];

/// A camera of this name with all defaults.
pub fn default_camera(name: String) -> CameraSettings {
    CameraSettings {
        name,
        device: DeviceChoice::Auto,
        format: None,
        raw_size: None,
        width: 640,
        height: 480,
        fps: 30,
        quality: 85,
        chroma: Chroma::AsCaptured,
        on_demand: false,
        controls: Vec::new(),
    }
}

/// A microphone of this name with all defaults.
pub(in crate::config) fn default_microphone(name: String) -> MicrophoneSettings {
    MicrophoneSettings {
        name,
        device: MicrophoneDevice::Auto,
        format: SoundFormat { rate_hz: 32_000, channels: 1 },
    }
}

fn named<T: Copy>(names: &[(&str, T)], word: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// What a socket that Defender reads from is called.
const SOCKET: &str = "`unix:` and an absolute path of at most 107 bytes, such as \"unix:/run/camera.sock\"";

/// A pixel format; for a socket of raw pictures with their size.
fn read_format(camera: &mut CameraSettings, section: &Section<'_>, _paths: &Paths<'_>) {
    let is_socket = matches!(camera.device, DeviceChoice::Unix(_));
    let is_sized = section.text("format").is_some_and(|found| found.contains(':'));
    if is_socket {
        let expected = "\"auto\" for JPEGs, or the format and size of raw pictures such as \"i420:1280x720\", with even \
                        sides from 16 to 8192";
        let found = section.string("format", expected, (None, None), |found| match found {
            "auto" => Some((None, None)),
            "mjpeg" => Some((Some(PixelFormat::Mjpeg), None)),
            sized => raw_format(sized).map(|(format, size)| (Some(format), Some(size))),
        });
        (camera.format, camera.raw_size) = found;
    } else if is_sized {
        let expected = "a pixel format without a size; only that of a socket (device = \"unix:...\") has one, for others set \
                        width and height";
        section.string("format", expected, (), |_| None);
    } else {
        let formats = PixelFormat::ALL.map(|format| (format.name(), Some(format)));
        let choices: Vec<_> = std::iter::once(("auto", None)).chain(formats).collect();
        camera.format = section.choice("format", &choices, camera.format);
    }
}

/// A raw format and its size in `i420:1280x720`.
fn raw_format(text: &str) -> Option<(PixelFormat, (u32, u32))> {
    let (name, size) = text.split_once(':')?;
    let (width, height) = size.split_once('x')?;
    let side = |digits: &str| {
        let side: Option<u32> = digits.parse().ok();
        side.filter(|side| limits::SIDE.contains(side) && side % 2 == 0)
    };
    let format = PixelFormat::from_name(name).filter(|format| *format != PixelFormat::Mjpeg)?;
    Some((format, (side(width)?, side(height)?)))
}

fn read_camera_device(camera: &mut CameraSettings, section: &Section<'_>, paths: &Paths<'_>) {
    let is_address = section.text("device").is_some_and(|found| found.contains("://"));
    let expected = if section.text("device").is_some_and(|found| found.starts_with("unix:")) {
        SOCKET
    } else if is_address {
        "a camera of this machine. For a network camera, feed a v4l2loopback device with ffmpeg (see SETUP.md) and name this \
         device; for another Defender add a section [remote.NAME]"
    } else {
        "\"auto\", \"test\", \"ribbon\", \"ribbon:1\", or a path such as \"/dev/video0\" or \"/dev/v4l/by-id/...\", or a socket such as \
         \"unix:/run/camera.sock\""
    };
    camera.device =
        section.string("device", &paths.expected(expected), DeviceChoice::Auto, |found| match found {
            "auto" => Some(DeviceChoice::Auto),
            "test" => Some(DeviceChoice::Test),
            socket if socket.starts_with("unix:") => socket_path(socket).map(DeviceChoice::Unix),
            "ribbon" | "ribbon:0" => Some(DeviceChoice::Ribbon(0)),
            "ribbon:1" => Some(DeviceChoice::Ribbon(1)),
            path if path.contains('/') && !path.contains("://") => {
                paths.resolve(path).map(DeviceChoice::Path)
            }
            _ => None,
        });
}

fn read_microphone_device(microphone: &mut MicrophoneSettings, section: &Section<'_>, _paths: &Paths<'_>) {
    let expected = if section.text("device").is_some_and(|found| found.starts_with("unix:")) {
        SOCKET
    } else {
        "\"auto\", \"test\", an ALSA name such as \"hw:1,0\", part of a card's name, or a socket such as \
         \"unix:/run/sound.sock\""
    };
    microphone.device = section.string("device", expected, MicrophoneDevice::Auto, |found| match found {
        // An empty name would be part of every card's; a NUL no name can hold.
        found if found.trim().is_empty() || found.contains('\0') => None,
        "auto" => Some(MicrophoneDevice::Auto),
        "test" => Some(MicrophoneDevice::Test),
        socket if socket.starts_with("unix:") => socket_path(socket).map(MicrophoneDevice::Unix),
        named => Some(MicrophoneDevice::Named(named.to_owned())),
    });
}
