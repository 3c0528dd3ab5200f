//! The sections of defender.conf. Their keys are in `settings`.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::Config;
use super::microphones::Microphones;
use super::paths::Paths;
use super::quoted::shown;
use super::read::{Document, Section};
use super::settings::{
    CAMERA, CAMERA_MOTION, CAMERA_RECORD, Form, MICROPHONE, MICROPHONE_NOISE, MOST_NAME_CHARS, RECORD,
    SERVER, default_camera, default_microphone, default_record_store, default_server, read_all,
};
use crate::base::{did_you_mean, limits};
use crate::client::Fingerprint;
use crate::media::{MotionChoice, NoiseChoice, RecordChoice, Scale, StreamSettings};
use crate::remote::{RemoteSettings, Token, parse_address};
use crate::source::{CameraSettings, MicrophoneSettings};

const SECTIONS: [&str; 5] = ["server", "record", "camera", "microphone", "remote"];

/// Most cameras, most microphones and most other Defenders: each has a thread.
const MOST_SECTIONS: usize = 64;

/// Checks a whole document. Relative paths start at `folder`, `~` at `home`.
///
/// # Errors
/// Every mistake, each with file, line and column.
pub(crate) fn parse(
    text: &str,
    file: &Path,
    folder: &Path,
    home: Option<&Path>,
) -> Result<Config, Vec<String>> {
    let document = Document::new(text, file);
    let (root, faults) = DeTable::parse_recoverable(text);
    note_faults(&document, text, faults);
    let root = Section::new(&document, String::new(), root.get_ref());
    let config = config(&root, &document, &Paths { folder, home });
    let problems = document.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Records what is not TOML.
pub(super) fn note_faults(document: &Document<'_>, text: &str, faults: Vec<toml::de::Error>) {
    for fault in faults {
        let place = fault.span().unwrap_or(0..0);
        // The parser names what it found, not where: a word of the text helps to find it.
        match text.get(place.clone()).map(str::trim).filter(|met| (1..=40).contains(&met.len())) {
            Some(met) if fault.message().contains("duplicate key") => {
                let message = format!("`{}` is set a second time here; remove one of the two", shown(met));
                document.problem(place, message);
            }
            Some(met) => document.problem(place, format_args!("{} at `{}`", fault.message(), shown(met))),
            None => document.problem(place, fault.message()),
        }
    }
}

fn config(root: &Section<'_>, document: &Document<'_>, paths: &Paths<'_>) -> Config {
    for key in root.keys().filter(|key| !SECTIONS.contains(&key.get_ref().as_ref())) {
        let hint = did_you_mean(key.get_ref(), &SECTIONS);
        let message = format!(
            "unknown section [{}]; there are [server], [record], [camera.NAME], [microphone.NAME] and [remote.NAME]{hint}",
            shown(key.get_ref())
        );
        document.problem(key.span(), message);
    }
    root.check_headers("camera");
    root.check_headers("microphone");
    let mut server = default_server(paths.folder);
    root.section("server", |section| read_all(&SERVER, &mut server, section, paths));
    let mut store = default_record_store(&server.users);
    root.section("record", |section| read_all(&RECORD, &mut store, section, paths));
    let known = Microphones::new(root.names_below("microphone"), root.names_below("remote"));
    let remotes =
        root.sections("remote", MOST_SECTIONS, |name, section| remote(name, section, paths, &known));
    Config {
        file: None,
        read_as: None,
        can_save: true,
        overrides: Vec::new(),
        server,
        record: store,
        cameras: root.sections("camera", MOST_SECTIONS, |name, section| camera(name, section, paths, &known)),
        microphones: root
            .sections("microphone", MOST_SECTIONS, |name, section| microphone(name, section, paths)),
        remotes: remotes.into_iter().flatten().collect(),
        warnings: Vec::new(),
    }
}

fn camera(name: String, section: &Section<'_>, paths: &Paths<'_>, known: &Microphones) -> CameraSettings {
    let mut camera = default_camera(name);
    read_all(&CAMERA, &mut camera, section, paths);
    camera.controls = section.numbers("controls");
    camera.streams = section.sections("stream", limits::STREAMS, stream);
    camera.record = record(section, paths, known);
    camera.record.choose_microphone(&camera.name, |name| known.is_own(name));
    let motion = section.section("motion", |section| {
        let mut motion = MotionChoice { is_on: true, ..MotionChoice::default() };
        read_all(&CAMERA_MOTION, &mut motion, section, paths);
        motion
    });
    camera.motion = motion.unwrap_or_default();
    camera
}

/// `[camera.NAME.record]` or `[remote.NAME.record]`, which turns recording on by being there.
fn record(above: &Section<'_>, paths: &Paths<'_>, known: &Microphones) -> RecordChoice {
    let read = above.section("record", |section| {
        let mut record = RecordChoice { is_on: true, ..RecordChoice::default() };
        read_all(&CAMERA_RECORD, &mut record, section, paths);
        // One that is too long was found to be wrong already.
        if let Some(name) = section.text("microphone").filter(|name| name.chars().count() <= MOST_NAME_CHARS)
        {
            let is_known = |name: &str| known.check(name).is_ok().then_some(());
            section.string("microphone", &known.expected(name), (), is_known);
        }
        record
    });
    read.unwrap_or_default()
}

/// `[camera.NAME.stream.STREAM]`.
fn stream(name: String, section: &Section<'_>) -> StreamSettings {
    let scales = Form::Choice(|| Scale::NAMES.map(|(name, _)| name).to_vec());
    let scale = section.take("scale", &scales).and_then(|value| Scale::from_name(value.text()));
    StreamSettings {
        name,
        scale: scale.unwrap_or_default(),
        fps: section.take("fps", &Form::Integer(limits::FPS)).map(|value| value.number()),
        quality: section
            .take("quality", &Form::Integer(limits::QUALITY))
            .and_then(|value| u8::try_from(value.number()).ok()),
    }
}

fn microphone(name: String, section: &Section<'_>, paths: &Paths<'_>) -> MicrophoneSettings {
    let mut microphone = default_microphone(name);
    read_all(&MICROPHONE, &mut microphone, section, paths);
    let noise = section.section("noise", |section| {
        let mut noise = NoiseChoice { is_on: true, ..NoiseChoice::default() };
        read_all(&MICROPHONE_NOISE, &mut noise, section, paths);
        noise
    });
    microphone.noise = noise.unwrap_or_default();
    microphone
}

/// `None` where a required value is missing, which is recorded.
fn remote(
    name: String,
    section: &Section<'_>,
    paths: &Paths<'_>,
    known: &Microphones,
) -> Option<RemoteSettings> {
    let address = section.string(
        "url",
        "the address of another Defender such as \"https://attic:8443/\"; plain http is allowed to this machine only",
        None,
        |found| parse_address(found).map(Some),
    );
    let token = section.string("token", "what `defender token add` printed there", None, |found| {
        Token::is_one(found).then(|| Some(Token::Given(found.to_owned())))
    });
    let mut file = PathBuf::new();
    section.path("token_file", paths, &mut file);
    let file = Some(file).filter(|file| !file.as_os_str().is_empty()).map(Token::File);
    let fingerprint = section.string(
        "fingerprint",
        "`sha256:` and 64 hexadecimal digits, as the other Defender prints them when it starts",
        None,
        |found| Fingerprint::parse(found).map(Some),
    );
    let record = record(section, paths, known);
    if token.is_some() && file.is_some() {
        section.refuse("token_file", "stands beside token; name one of them");
    }
    let address = section.needed("url", address)?;
    let key = if section.has("token_file") { "token_file" } else { "token" };
    let token = section.needed(key, token.or(file))?;
    Some(RemoteSettings { name, address, token, fingerprint, record })
}

#[cfg(test)]
mod tests;
