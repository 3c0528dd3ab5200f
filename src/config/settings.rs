//! The settings of cameras and microphones, and of the server where they can change while it runs: one
//! table for each section. From a table come the keys of defender.conf, the overrides, the fields of the
//! API, and the fields of the page; tests hold openapi.json, the shipped defender.conf and the man page
//! to it. A new setting is a field of its struct with a default, and one row here.
//!
//! The values of a camera's own controls are not in a table: their names are its driver's.

use std::fmt;
use std::ops::RangeInclusive;

use log::LevelFilter;

use super::ServerConfig;
use super::paths::Paths;
use super::read::Section;
use crate::capture::sound::{MicrophoneDevice, MicrophoneSettings};
use crate::capture::{CameraSettings, Chroma, DeviceChoice};
use crate::media::{PixelFormat, SoundFormat};

/// What a camera can be asked for.
pub mod limits {
    use std::ops::RangeInclusive;

    /// Width and height in pixels.
    pub const SIDE: RangeInclusive<u32> = 16..=8192;
    /// Frames a second.
    pub const FPS: RangeInclusive<u32> = 1..=240;
    /// JPEG quality.
    pub const QUALITY: RangeInclusive<u32> = 1..=100;
}

/// The levels of the log by their names.
pub const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

/// `[camera.NAME]`.
pub static CAMERA: [Setting<CameraSettings>; 8] = [
    Setting::<CameraSettings>::own("device", "Device", read_camera_device, |camera| {
        camera.device.to_string().into()
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
    || LEVELS.map(|(name, _)| name).to_vec(),
    |server| level_name(server.log_level).into(),
    |server, word| server.log_level = named(&LEVELS, word).unwrap_or(server.log_level),
)
.live()];

/// A setting of the section that `S` holds.
pub struct Setting<S: 'static> {
    /// Its key in defender.conf and in the API.
    pub key: &'static str,
    /// What the page calls it.
    pub label: &'static str,
    /// When it matters; may be empty.
    pub hint: &'static str,
    /// Whether it can be changed while the server runs.
    pub is_live: bool,
    get: fn(&S) -> Value,
    form: Form<S>,
}

/// What the values of a setting are, and how one gets into the settings.
enum Form<S> {
    Integer(RangeInclusive<u32>, fn(&mut S, u32)),
    Boolean(fn(&mut S, bool)),
    Choice(fn() -> Vec<&'static str>, fn(&mut S, &str)),
    /// Only defender.conf sets it, and this reads it there.
    Own(fn(&mut S, &Section<'_>, &Paths<'_>)),
}

/// What the values of a setting are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of this range.
    Integer(RangeInclusive<u32>),
    /// True or false.
    Boolean,
    /// One of these words.
    Choice(Vec<&'static str>),
    /// Text that only defender.conf sets.
    Text,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Text, such as one of a few words.
    Text(String),
}

impl<S> Setting<S> {
    const fn new(key: &'static str, label: &'static str, get: fn(&S) -> Value, form: Form<S>) -> Self {
        Self { key, label, hint: "", is_live: false, get, form }
    }

    const fn integer(
        key: &'static str,
        label: &'static str,
        range: RangeInclusive<u32>,
        get: fn(&S) -> Value,
        set: fn(&mut S, u32),
    ) -> Self {
        Self::new(key, label, get, Form::Integer(range, set))
    }

    const fn boolean(
        key: &'static str,
        label: &'static str,
        get: fn(&S) -> Value,
        set: fn(&mut S, bool),
    ) -> Self {
        Self::new(key, label, get, Form::Boolean(set))
    }

    const fn choice(
        key: &'static str,
        label: &'static str,
        words: fn() -> Vec<&'static str>,
        get: fn(&S) -> Value,
        set: fn(&mut S, &str),
    ) -> Self {
        Self::new(key, label, get, Form::Choice(words, set))
    }

    const fn own(
        key: &'static str,
        label: &'static str,
        read: fn(&mut S, &Section<'_>, &Paths<'_>),
        get: fn(&S) -> Value,
    ) -> Self {
        Self::new(key, label, get, Form::Own(read))
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// Marks it as one that can be changed while the server runs.
    const fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// The value that `settings` have.
    pub fn get(&self, settings: &S) -> Value {
        (self.get)(settings)
    }

    /// Puts a value into `settings`.
    ///
    /// # Errors
    /// What was expected, where the value is no such one; `settings` stay as they are.
    pub fn set(&self, settings: &mut S, value: &Value) -> Result<(), String> {
        match (&self.form, value) {
            (Form::Integer(range, set), Value::Integer(number)) => {
                let number = u32::try_from(*number).ok().filter(|number| range.contains(number));
                set(settings, number.ok_or_else(|| self.expected())?);
            }
            (Form::Boolean(set), Value::Boolean(is_on)) => set(settings, *is_on),
            (Form::Choice(words, set), Value::Text(word)) if words().contains(&word.as_str()) => {
                set(settings, word);
            }
            _ => return Err(self.expected()),
        }
        Ok(())
    }

    /// What its values are.
    pub fn kind(&self) -> Kind {
        match &self.form {
            Form::Integer(range, _) => Kind::Integer(range.clone()),
            Form::Boolean(_) => Kind::Boolean,
            Form::Choice(words, _) => Kind::Choice(words()),
            Form::Own(_) => Kind::Text,
        }
    }

    /// Takes the value of its key from a section of defender.conf; without one `settings` stay as they are.
    pub(super) fn read(&self, settings: &mut S, section: &Section<'_>, paths: &Paths<'_>) {
        let default = self.get(settings);
        match (&self.form, default) {
            (Form::Integer(range, set), Value::Integer(default)) => {
                let default = u32::try_from(default).unwrap_or_default();
                set(settings, section.integer(self.key, range.clone(), default));
            }
            (Form::Boolean(set), Value::Boolean(default)) => {
                set(settings, section.boolean(self.key, default));
            }
            (Form::Choice(words, set), Value::Text(default)) => {
                let words: Vec<_> = words().into_iter().map(|word| (word, word)).collect();
                let default = words.iter().find(|(word, _)| *word == default).map_or("", |(word, _)| word);
                set(settings, section.choice(self.key, &words, default));
            }
            (Form::Own(read), _) => read(settings, section, paths),
            (Form::Integer(..) | Form::Boolean(_) | Form::Choice(..), other) => {
                unreachable!("{} has the value {other}", self.key)
            }
        }
    }

    fn expected(&self) -> String {
        match self.kind() {
            Kind::Integer(range) => format!("expected {} to {}", range.start(), range.end()),
            Kind::Boolean => "expected true or false".to_owned(),
            Kind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("expected one of {}", words.join(", "))
            }
            Kind::Text => "it can only be changed in defender.conf".to_owned(),
        }
    }
}

impl Kind {
    /// Whether a value is of this kind; it may still be out of range.
    pub fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Integer(_) => matches!(value, Value::Integer(_)),
            Self::Boolean => matches!(value, Value::Boolean(_)),
            Self::Choice(_) | Self::Text => matches!(value, Value::Text(_)),
        }
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl fmt::Display for Value {
    /// As TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(is_on) => is_on.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

/// The name of a level.
pub fn level_name(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("", |(name, _)| name)
}

/// A text as a basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

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
        controls: Vec::new(),
    }
}

/// A microphone of this name with all defaults.
pub(super) fn default_microphone(name: String) -> MicrophoneSettings {
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
    let is_address = section.text("device").is_some_and(|found| found.contains("://"));
    let expected = if is_address {
        "a camera of this machine. For one of the network use ffmpeg and v4l2loopback (see SETUP.md), and the \
         device that they make; for another Defender a section [remote.NAME]"
    } else {
        "\"auto\", \"test\", or a path such as \"/dev/video0\" or \"/dev/v4l/by-id/...\""
    };
    camera.device =
        section.string("device", &paths.expected(expected), DeviceChoice::Auto, |found| match found {
            "auto" => Some(DeviceChoice::Auto),
            "test" => Some(DeviceChoice::Test),
            path if path.contains('/') && !path.contains("://") => {
                paths.resolve(path).map(DeviceChoice::Path)
            }
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The lines of a section of the shipped defender.conf, without `# ` where it is commented out.
    fn shipped(section: &str) -> String {
        let text = include_str!("../../defender.conf");
        let (_, rest) = text.split_once(&format!("[{section}]\n")).expect(section);
        rest.split("\n[").next().unwrap_or_default().lines().map(|line| format!("{line}\n")).collect()
    }

    fn assert_lists<S>(table: &[Setting<S>], section: &str) {
        let lines = shipped(section);
        for setting in table {
            let has_it = lines.lines().any(|line| line.split(" = ").next() == Some(setting.key));
            assert!(has_it, "defender.conf does not list {} in [{section}]", setting.key);
            assert!(!setting.label.is_empty(), "{}", setting.key);
        }
    }

    #[test]
    fn the_shipped_defender_conf_lists_each_setting() {
        assert_lists(&CAMERA, "camera.front");
        assert_lists(&MICROPHONE, "microphone.front");
        assert_lists(&SERVER, "server");
    }

    #[test]
    fn each_setting_takes_its_own_value_and_no_other_kind() {
        fn check<S: Clone + PartialEq + fmt::Debug>(table: &[Setting<S>], defaults: &S) {
            for setting in table.iter().filter(|setting| setting.kind() != Kind::Text) {
                let (mut changed, value) = (defaults.clone(), setting.get(defaults));
                assert_eq!(setting.set(&mut changed, &value), Ok(()), "{}", setting.key);
                assert_eq!(changed, *defaults, "{}", setting.key);
                let wrong = ["nonsense".into(), Value::Integer(-1), Value::Integer(i64::MAX)];
                for value in wrong {
                    assert!(setting.set(&mut changed, &value).is_err(), "{} {value}", setting.key);
                }
                assert_eq!(changed, *defaults, "{}", setting.key);
            }
        }
        check(&CAMERA, &default_camera("front".to_owned()));
        check(&MICROPHONE, &default_microphone("front".to_owned()));
        check(&SERVER, &super::super::Config::of_text("", Path::new("d.conf")).unwrap().server);
    }

    #[test]
    fn a_value_that_is_set_is_the_value_in_force() {
        let mut camera = default_camera("front".to_owned());
        let values: [(_, Value); 6] = [
            ("width", 16_u32.into()),
            ("fps", 240_u32.into()),
            ("quality", 1_u32.into()),
            ("format", "yuyv".into()),
            ("chroma", "420".into()),
            ("on_demand", Value::Boolean(true)),
        ];
        for (key, value) in values {
            let setting = CAMERA.iter().find(|setting| setting.key == key).expect(key);
            setting.set(&mut camera, &value).unwrap();
            assert_eq!(setting.get(&camera), value, "{key}");
        }
    }

    #[test]
    fn the_man_page_names_each_setting_that_can_be_changed() {
        let page = include_str!("../../packaging/defender.1");
        let cameras = CAMERA.iter().filter(|setting| setting.is_live).map(|setting| setting.key);
        let servers = SERVER.iter().filter(|setting| setting.is_live).map(|setting| setting.key);
        for key in cameras.chain(servers) {
            assert!(page.contains(&format!(".IR {key} ")) || page.contains(&format!(".I {key}\n")), "{key}");
        }
    }
}
