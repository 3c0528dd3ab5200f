//! The tables: a row for each setting, in the order of defender.conf.

use super::{Setting, Value};
use crate::base::{level, limits};
use crate::client::{Fingerprint, Url, UrlError};
use crate::config::ServerConfig;
use crate::config::paths::Paths;
use crate::config::read::Section;
use crate::media::{Chroma, PixelFormat, SoundFormat};
use crate::source::{CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings};

/// `[camera.NAME]`.
pub static CAMERA: [Setting<CameraSettings>; 10] = [
    Setting::<CameraSettings>::own("device", "Device", read_camera_device, |camera| {
        camera.device.to_string().into()
    }),
    Setting::<CameraSettings>::own("login_file", "Login file", read_login_file, |camera| {
        let name = camera.login_file.as_ref().and_then(|file| file.file_name());
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default().into()
    }),
    Setting::<CameraSettings>::own("fingerprint", "Key", read_fingerprint, |camera| {
        camera.fingerprint.map_or_else(String::new, |key| key.to_string()).into()
    }),
    Setting::<CameraSettings>::choice(
        "format",
        "Pixel format",
        formats,
        |camera| camera.format.map_or("auto", PixelFormat::name).into(),
        |camera, word| camera.format = PixelFormat::from_name(word),
    ),
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
        width: 640,
        height: 480,
        fps: 30,
        quality: 85,
        chroma: Chroma::AsCaptured,
        on_demand: false,
        login_file: None,
        fingerprint: None,
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

fn formats() -> Vec<&'static str> {
    std::iter::once("auto").chain(PixelFormat::ALL.map(PixelFormat::name)).collect()
}

fn read_camera_device(camera: &mut CameraSettings, section: &Section<'_>, paths: &Paths<'_>) {
    let address = section.text("device").filter(|found| found.contains("://"));
    let expected = match address.map(Url::parse) {
        Some(Err(UrlError::Scheme)) => {
            "an address that begins with http:// or https://, of JPEG pictures. For a camera that speaks RTSP, let ffmpeg \
             write JPEGs to a socket, and name it as \"unix:/run/NAME\"; for another Defender add a section [remote.NAME]"
                .to_owned()
        }
        Some(Err(UrlError::User)) => {
            "a URL without user and password: write them as user:password into a file of mode 600, and name it with \
             login_file = \"...\""
                .to_owned()
        }
        Some(Err(why)) => why.to_string(),
        Some(Ok(_)) | None => "\"auto\", \"test\", or a path such as \"/dev/video0\" or \"/dev/v4l/by-id/...\", or the URL of \
                               a network camera such as \"http://camera/stream\""
            .to_owned(),
    };
    camera.device =
        section.string("device", &paths.expected(&expected), DeviceChoice::Auto, |found| match found {
            "auto" => Some(DeviceChoice::Auto),
            "test" => Some(DeviceChoice::Test),
            url if url.contains("://") => Url::parse(url).ok().map(DeviceChoice::Http),
            path if path.contains('/') => paths.resolve(path).map(DeviceChoice::Path),
            _ => None,
        });
}

fn read_login_file(camera: &mut CameraSettings, section: &Section<'_>, paths: &Paths<'_>) {
    let is_of_network = matches!(camera.device, DeviceChoice::Http(_));
    let expected = if is_of_network { "a path" } else { "\"\": the device is no URL, so there is no login" };
    camera.login_file = section.string("login_file", &paths.expected(expected), None, |found| match found {
        "" => Some(None),
        path => paths.resolve(path).filter(|_| is_of_network).map(Some),
    });
}

fn read_fingerprint(camera: &mut CameraSettings, section: &Section<'_>, _paths: &Paths<'_>) {
    let is_of_network = matches!(camera.device, DeviceChoice::Http(_));
    let expected = if is_of_network {
        "`sha256:` and 64 hexadecimal digits, as Defender prints them for a camera that it does not know"
    } else {
        "\"\": the device is no URL, so there is no key"
    };
    camera.fingerprint = section.string("fingerprint", expected, None, |found| match found {
        "" => Some(None),
        key => Fingerprint::parse(key).filter(|_| is_of_network).map(Some),
    });
}

fn read_microphone_device(microphone: &mut MicrophoneSettings, section: &Section<'_>, _paths: &Paths<'_>) {
    let expected = "\"auto\", \"test\", an ALSA name such as \"hw:1,0\", or part of a card's name";
    microphone.device = section.string("device", expected, MicrophoneDevice::Auto, |found| match found {
        // An empty name would be part of every card's; a NUL no name can hold.
        found if found.trim().is_empty() || found.contains('\0') => None,
        "auto" => Some(MicrophoneDevice::Auto),
        "test" => Some(MicrophoneDevice::Test),
        named => Some(MicrophoneDevice::Named(named.to_owned())),
    });
}
