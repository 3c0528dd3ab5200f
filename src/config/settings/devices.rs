//! The tables of devices: a row for each setting, in the order of defender.conf.

use super::{Form, Setting};
use crate::base::limits;
use crate::client::{Fingerprint, Url, UrlError};
use crate::config::paths::Paths;
use crate::config::read::Section;
use crate::media::{
    Chroma, Corner, Flip, MotionChoice, NoiseChoice, PictureEdits, PixelFormat, RecordChoice, Rotation,
    SoundFormat, StampClock,
};
use crate::source::{
    CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings, check_stamp, socket_path,
};

/// `[camera.NAME]`.
pub static CAMERA: [Setting<CameraSettings>; 16] = [
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
    Setting::<CameraSettings>::own("format", "Pixel format", read_format, |camera| {
        let name = camera.format.map_or("auto", PixelFormat::name);
        match camera.raw_size {
            Some((width, height)) => format!("{name}:{width}x{height}").into(),
            None => name.into(),
        }
    }),
    Setting::<CameraSettings>::new(
        "width",
        "Width",
        Form::Integer(limits::SIDE),
        |camera| camera.width.into(),
        |camera, value| camera.width = value.number(),
    )
    .live(),
    Setting::<CameraSettings>::new(
        "height",
        "Height",
        Form::Integer(limits::SIDE),
        |camera| camera.height.into(),
        |camera, value| camera.height = value.number(),
    )
    .live(),
    Setting::<CameraSettings>::new(
        "fps",
        "Frames a second",
        Form::Integer(limits::FPS),
        |camera| camera.fps.into(),
        |camera, value| camera.fps = value.number(),
    )
    .live(),
    Setting::<CameraSettings>::new(
        "quality",
        "JPEG quality",
        Form::Integer(limits::QUALITY),
        |camera| u32::from(camera.quality).into(),
        |camera, value| camera.quality = u8::try_from(value.number()).unwrap_or(u8::MAX),
    )
    .hint("Where Defender encodes")
    .live(),
    Setting::<CameraSettings>::new(
        "chroma",
        "Chroma",
        Form::Choice(|| Chroma::NAMES.map(|(name, _)| name).to_vec()),
        |camera| camera.chroma.name().into(),
        |camera, value| camera.chroma = named(&Chroma::NAMES, value.text()).unwrap_or(camera.chroma),
    ),
    Setting::<CameraSettings>::new(
        "on_demand",
        "Open only while somebody watches",
        Form::Boolean,
        |camera| camera.on_demand.into(),
        |camera, value| camera.on_demand = value.is_true(),
    ),
    Setting::<CameraSettings>::new(
        "rotate",
        "Turn clockwise, in degrees",
        Form::Numbers(&[0, 90, 180, 270]),
        |camera| camera.edits.rotation.degrees().into(),
        |camera, value| {
            camera.edits.rotation = Rotation::from_degrees(value.number()).unwrap_or_default();
        },
    )
    .live(),
    Setting::<CameraSettings>::new(
        "flip",
        "Flip",
        Form::Choice(|| Flip::NAMES.map(|(name, _)| name).to_vec()),
        |camera| camera.edits.flip.name().into(),
        |camera, value| camera.edits.flip = named(&Flip::NAMES, value.text()).unwrap_or_default(),
    )
    .hint("After the turn")
    .live(),
    Setting::<CameraSettings>::new(
        "stamp",
        "Lettering",
        Form::Template(64, check_stamp),
        |camera| camera.edits.stamp.as_str().into(),
        |camera, value| camera.edits.stamp = value.text().to_owned(),
    )
    .hint("Such as %Y-%m-%d %H:%M:%S {camera}")
    .live(),
    Setting::<CameraSettings>::new(
        "stamp_corner",
        "Corner of the lettering",
        Form::Choice(|| Corner::NAMES.map(|(name, _)| name).to_vec()),
        |camera| camera.edits.stamp_corner.name().into(),
        |camera, value| {
            camera.edits.stamp_corner = named(&Corner::NAMES, value.text()).unwrap_or_default();
        },
    )
    .live(),
    Setting::<CameraSettings>::new(
        "stamp_clock",
        "Time in the lettering",
        Form::Choice(|| StampClock::NAMES.map(|(name, _)| name).to_vec()),
        |camera| camera.edits.stamp_clock.name().into(),
        |camera, value| {
            camera.edits.stamp_clock = named(&StampClock::NAMES, value.text()).unwrap_or_default();
        },
    )
    .live(),
    Setting::<CameraSettings>::new(
        "masks",
        "Masks",
        Form::Polygons,
        |camera| camera.edits.masks.as_slice().into(),
        |camera, value| camera.edits.masks = value.polygons(),
    )
    .hint("Of the picture as the camera sends it, before the turn")
    .live(),
];

/// `[microphone.NAME]`.
pub static MICROPHONE: [Setting<MicrophoneSettings>; 4] = [
    Setting::<MicrophoneSettings>::own("device", "Device", read_microphone_device, |microphone| {
        microphone.device.to_string().into()
    }),
    Setting::<MicrophoneSettings>::new(
        "rate_hz",
        "Samples a second",
        Form::Integer(8000..=192_000),
        |microphone| microphone.format.rate_hz.into(),
        |microphone, value| microphone.format.rate_hz = value.number(),
    ),
    Setting::<MicrophoneSettings>::new(
        "channels",
        "Channels",
        Form::Integer(1..=8),
        |microphone| microphone.format.channels.into(),
        |microphone, value| microphone.format.channels = value.number(),
    ),
    Setting::<MicrophoneSettings>::new(
        "on_demand",
        "Open only while somebody listens",
        Form::Boolean,
        |microphone| microphone.on_demand.into(),
        |microphone, value| microphone.on_demand = value.is_true(),
    ),
];

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
        login_file: None,
        fingerprint: None,
        edits: PictureEdits::default(),
        controls: Vec::new(),
        streams: Vec::new(),
        record: RecordChoice::default(),
        motion: MotionChoice::default(),
    }
}

/// A microphone of this name with all defaults.
pub(in crate::config) fn default_microphone(name: String) -> MicrophoneSettings {
    MicrophoneSettings {
        name,
        device: MicrophoneDevice::Auto,
        format: SoundFormat { rate_hz: 32_000, channels: 1 },
        on_demand: false,
        noise: NoiseChoice::default(),
    }
}

pub(super) fn named<T: Copy>(names: &[(&str, T)], word: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// What a socket that Defender reads from is called.
const SOCKET: &str = "`unix:` and an absolute path of at most 107 bytes, such as \"unix:/run/camera.sock\"";

/// A pixel format; for a socket of raw pictures with their size.
fn read_format(camera: &mut CameraSettings, section: &Section<'_>, _paths: &Paths<'_>) {
    let is_socket = matches!(camera.device, DeviceChoice::Unix(_));
    let is_sized = section.text("format").is_some_and(|found| found.contains(':'));
    if is_socket {
        let found = section.string("format", &formats_of_sockets(), (None, None), |found| match found {
            "auto" => Some((None, None)),
            "mjpeg" => Some((Some(PixelFormat::Mjpeg), None)),
            sized => raw_format(sized).map(|(format, size)| (Some(format), Some(size))),
        });
        (camera.format, camera.raw_size) = found;
    } else if is_sized {
        let expected = "a pixel format without a size; only that of a socket (device = \"unix:...\") has one, for others set \
                        width and height";
        section.string("format", expected, (), |_| None);
    } else if let Some(value) = section.take("format", &Form::Choice(formats)) {
        camera.format = PixelFormat::from_name(value.text());
    }
}

fn formats() -> Vec<&'static str> {
    std::iter::once("auto").chain(PixelFormat::ALL.map(PixelFormat::name)).collect()
}

/// What a socket's format may be.
fn formats_of_sockets() -> String {
    let raw = PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpeg);
    let raw = raw.map(PixelFormat::name).collect::<Vec<_>>().join(", ");
    format!(
        "\"auto\" or \"mjpeg\" for JPEGs, or format and size of raw pictures such as \"i420:1280x720\", with even sides \
         from 16 to 8192 and one of the formats {raw}"
    )
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
        None if section.text("device").is_some_and(|found| found.starts_with("unix:")) => SOCKET.to_owned(),
        Some(Ok(_)) | None => "\"auto\", \"test\", \"ribbon\", \"ribbon:1\", a path such as \"/dev/video0\" or \"/dev/v4l/by-id/...\", the URL of a \
                               network camera such as \"http://camera/stream\", or a socket such as \"unix:/run/camera.sock\""
            .to_owned(),
    };
    camera.device =
        section.string("device", &paths.expected(&expected), DeviceChoice::Auto, |found| match found {
            "auto" => Some(DeviceChoice::Auto),
            "test" => Some(DeviceChoice::Test),
            socket if socket.starts_with("unix:") => socket_path(socket).map(DeviceChoice::Unix),
            "ribbon" | "ribbon:0" => Some(DeviceChoice::Ribbon(0)),
            "ribbon:1" => Some(DeviceChoice::Ribbon(1)),
            url if url.contains("://") => Url::parse(url).ok().map(DeviceChoice::Http),
            path if path.contains('/') && !is_like_url(path) => paths.resolve(path).map(DeviceChoice::Path),
            _ => None,
        });
}

/// Whether this was meant as a URL, which may have a password in it. As the name of a device it would be shown.
fn is_like_url(device: &str) -> bool {
    !device.starts_with('/') && (device.contains(['?', '@']) || device.contains(":/"))
}

fn read_login_file(camera: &mut CameraSettings, section: &Section<'_>, paths: &Paths<'_>) {
    let is_of_network = matches!(camera.device, DeviceChoice::Http(_));
    let expected = if is_of_network { "a path" } else { "\"\": the device is no URL, so there is no login" };
    let is_login =
        |found: &str| found.contains(':') && paths.resolve(found).is_none_or(|path| !path.exists());
    if section.text("login_file").is_some_and(is_login) {
        // Not quoted: it is a password.
        return section.refuse(
            "login_file",
            "is a login; write user:password into a file of mode 600, and name that file here",
        );
    }
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
        url if is_like_url(url) => None,
        named => Some(MicrophoneDevice::Named(named.to_owned())),
    });
}
