//! Settings that were kept while defender.conf was not the server's to write: a file of the server's own,
//! laid over defender.conf when that is loaded.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::LevelFilter;
use rustix::fs::OFlags;
use toml::de::DeTable;

use super::locate::read_open;
use super::read::{Document, Section, shown};
use super::sections::{Parser, note_faults};
use super::{Config, ConfigError, Flags, Mode};
use crate::base::{did_you_mean, level, limits};
use crate::source::CameraSettings;

/// Its name, beside the user file.
pub const KEPT_FILE: &str = "kept.conf";

/// Where settings that are changed while the server runs are kept for its next start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// In defender.conf.
    #[default]
    InFile,
    /// In this file, which is laid over defender.conf.
    Overlay(PathBuf),
    /// Nowhere: no file is the server's to write.
    Nowhere,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The least level that is logged.
    pub log_level: Option<LevelFilter>,
    cameras: Vec<KeptCamera>,
}

/// What is kept of a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptCamera {
    name: String,
    numbers: Vec<(&'static str, u32)>,
    controls: Vec<(String, i32)>,
}

impl Kept {
    /// What the file says, and its text; `None` where there is none.
    ///
    /// # Errors
    /// Those of reading it, or all mistakes in it.
    pub fn read(file: &Path) -> Result<Option<(String, Self)>, ConfigError> {
        let failed = |error: io::Error| ConfigError::Read(file.to_owned(), error);
        // Its folder is the server's: nobody else is to be led by a link, or held up by a pipe.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        if !opened.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let text = read_open(opened, file)?;
        let kept = Self::of_text(&text, file).map_err(ConfigError::Problems)?;
        Ok(Some((text, kept)))
    }

    /// The camera's entry, to be changed.
    pub fn camera(&mut self, name: &str) -> &mut KeptCamera {
        let at = self.cameras.iter().position(|camera| camera.name == name).unwrap_or_else(|| {
            self.cameras.push(KeptCamera { name: name.to_owned(), ..KeptCamera::default() });
            self.cameras.len() - 1
        });
        &mut self.cameras[at]
    }

    fn of_text(text: &str, file: &Path) -> Result<Self, Vec<String>> {
        let document = Document::new(text, file);
        let (root, faults) = DeTable::parse_recoverable(text);
        note_faults(&document, text, faults);
        let root = root.into_inner();
        let sections = ["server", "camera"];
        for (key, _) in root.iter().filter(|(key, _)| !sections.contains(&key.get_ref().as_ref())) {
            let found = key.get_ref();
            let hint = did_you_mean(found, &sections);
            let message =
                format!("unknown section [{}]; here are only [server] and [camera.NAME]{hint}", shown(found));
            document.problem(key.span(), message);
        }
        let parser = Parser::without_paths(&document);
        let nothing = DeTable::new();
        let server = parser.table(&root, "server").unwrap_or(&nothing);
        let server = Section::new(&document, "server".to_owned(), server);
        let log_level = server.has("log_level");
        let level = server.choice("log_level", &level::LEVELS, LevelFilter::Info);
        server.finish();
        let kept =
            Self { log_level: log_level.then_some(level), cameras: parser.named(&root, "camera", camera) };
        let problems = document.into_problems();
        if problems.is_empty() { Ok(kept) } else { Err(problems) }
    }
}

fn camera(name: String, section: &Section<'_>) -> KeptCamera {
    let ranges = [
        ("width", limits::SIDE),
        ("height", limits::SIDE),
        ("fps", limits::FPS),
        ("quality", limits::QUALITY),
    ];
    let numbers = ranges.map(|(key, range)| (key, section.integer(key, range, 0)));
    let numbers = numbers.into_iter().filter(|(key, _)| section.has(key)).collect();
    KeptCamera { name, numbers, controls: section.numbers("controls") }
}

impl KeptCamera {
    /// Keeps a number under its key in defender.conf.
    pub fn set_number(&mut self, key: &'static str, value: u32) {
        match self.numbers.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.numbers.push((key, value)),
        }
    }

    /// Keeps the value of a control.
    pub fn set_control(&mut self, name: &str, value: i32) {
        match self.controls.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.controls.push((name.to_owned(), value)),
        }
    }

    /// Gives each key that it changes of the camera, with both values.
    fn lay_over(&self, camera: &mut CameraSettings) -> Vec<String> {
        let mut told = Vec::new();
        for (key, value) in &self.numbers {
            let old = match *key {
                "width" => mem::replace(&mut camera.width, *value),
                "height" => mem::replace(&mut camera.height, *value),
                "fps" => mem::replace(&mut camera.fps, *value),
                _ => mem::replace(&mut camera.quality, u8::try_from(*value).unwrap_or(u8::MAX)).into(),
            };
            if old != *value {
                told.push(format!("[camera.{}] {key} = {value}, not {old}", self.name));
            }
        }
        for (name, value) in &self.controls {
            let at = format!("[camera.{}.controls] {} = {value}", self.name, shown(name));
            match camera.controls.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) if old == value => {}
                Some((_, old)) => told.push(format!("{at}, not {}", mem::replace(old, *value))),
                None => {
                    camera.controls.push((name.clone(), *value));
                    told.push(format!("{at}, not set there"));
                }
            }
        }
        told
    }
}

impl Config {
    /// Lays what was kept over what defender.conf says; gives a line that says so, with both values of
    /// every key it changes. `users` is the user file in use, beside which it lies. To be called as the
    /// user the server becomes, for the file is that user's.
    ///
    /// # Errors
    /// A file that cannot be read, or the mistakes in it.
    pub fn lay_over(&mut self, users: &Path, flags: &Flags) -> Result<Option<String>, ConfigError> {
        let file = users.with_file_name(KEPT_FILE);
        if self.keep == Keep::InFile {
            if file.exists() {
                let warning = "it is not used, for defender.conf is the server's to write; take over what you \
                               want of it, and remove it";
                self.warnings.push(format!("{}: {warning}", file.display()));
            }
            return Ok(None);
        }
        let Some((_, kept)) = Kept::read(&file)? else { return Ok(None) };
        let mut told = Vec::new();
        for camera in &kept.cameras {
            match self.cameras.iter_mut().find(|known| known.name == camera.name) {
                Some(known) => told.extend(camera.lay_over(known)),
                // No reason not to start: the one who took it out of defender.conf need not know this file.
                None if self.server.mode == Mode::Server => {}
                None => self.warnings.push(format!(
                    "{}: defender.conf has no [camera.{}]; what is kept of it is not used",
                    file.display(),
                    camera.name
                )),
            }
        }
        if let Some(level) = kept.log_level {
            let old = mem::replace(&mut self.server.log_level, level);
            if old != level {
                told.push(format!(
                    "[server] log_level = \"{}\", not \"{}\"",
                    level::name(level),
                    level::name(old)
                ));
            }
            self.raise_log_level(flags);
        }
        let base = self.file.as_deref().map_or("the defaults".into(), Path::to_string_lossy);
        let told = if told.is_empty() { "changes nothing".to_owned() } else { told.join("; ") };
        Ok(Some(format!("{} is in force over {base}: {told}", file.display())))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "# Written by Defender: what was kept while it ran, laid over defender.conf.\n\
             # Remove a line, or the file, to go back to what defender.conf says.\n",
        )?;
        if let Some(level) = self.log_level {
            write!(f, "\n[server]\nlog_level = \"{}\"\n", level::name(level))?;
        }
        for KeptCamera { name, numbers, controls } in &self.cameras {
            writeln!(f, "\n[camera.{name}]")?;
            numbers.iter().try_for_each(|(key, value)| writeln!(f, "{key} = {value}"))?;
            if !controls.is_empty() {
                writeln!(f, "\n[camera.{name}.controls]")?;
            }
            controls
                .iter()
                .try_for_each(|(key, value)| writeln!(f, "{} = {value}", super::edit::key(key)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn kept(text: &str) -> Result<Kept, Vec<String>> {
        Kept::of_text(text, Path::new("kept.conf"))
    }

    #[test]
    fn what_is_kept_is_read_again_as_it_was_written() {
        let mut before = Kept { log_level: Some(LevelFilter::Warn), ..Kept::default() };
        before.camera("front").set_number("fps", 9);
        before.camera("yard").set_control("gain", -3);
        before.camera("front").set_control("odd \" name", 1);
        before.camera("front").set_number("fps", 8);
        let text = before.to_string();
        assert!(text.starts_with("# Written by Defender"), "{text}");
        assert_eq!(kept(&text), Ok(before));
        assert_eq!(kept(&Kept::default().to_string()), Ok(Kept::default()));
    }

    #[test]
    fn no_link_leads_elsewhere_and_no_pipe_holds_anybody_up() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join(KEPT_FILE));
        assert!(matches!(Kept::read(&link), Ok(None)));
        fs::write(&file, "[server]\n").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(Kept::read(&link), Err(ConfigError::Read(..))));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(Kept::read(&pipe), Err(ConfigError::Read(..))));
        assert!(matches!(Kept::read(&file), Ok(Some(_))));
    }

    #[test]
    fn what_is_never_kept_is_a_mistake_with_its_place() {
        let rows = [
            ("[server]\nport = 1\n", "kept.conf:2:1: unknown key `port` in [server]"),
            ("[camera.front]\ndevice = \"test\"\n", "kept.conf:2:1: unknown key `device`"),
            ("[microphone.front]\n", "kept.conf:1:2: unknown section [microphone]"),
            ("[camera.front]\nfps = 0\n", "kept.conf:2:7: fps in [camera.front] is 0"),
            ("[camera.front\n", "kept.conf:1:"),
        ];
        for (text, expected) in rows {
            let problems = kept(text).unwrap_err();
            assert!(problems[0].starts_with(expected), "{problems:?}");
        }
    }

    #[test]
    fn each_key_that_is_laid_over_another_value_is_told_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        let conf = "[camera.front]\nfps = 30\nwidth = 320\ncontrols = { hue = 1, gain = 2 }\n";
        let text = "[server]\nlog_level = \"warn\"\n[camera.front]\nfps = 15\nwidth = 320\nquality = 50\n\
                    controls = { gain = 3, hue = 1, focus = 9 }\n[camera.gone]\nfps = 1\n";
        fs::write(folder.path().join(KEPT_FILE), text).unwrap();
        let config = Config::of_text(conf, Path::new("d.conf")).unwrap();
        let mut laid = Config { keep: Keep::Nowhere, file: Some("d.conf".into()), ..config.clone() };
        let told = laid.lay_over(&users, &Flags::default()).unwrap().unwrap();
        let told = told.strip_prefix(folder.path().to_str().unwrap()).unwrap();
        assert_eq!(
            told,
            "/kept.conf is in force over d.conf: [camera.front] fps = 15, not 30; [camera.front] quality = 50, \
             not 85; [camera.front.controls] gain = 3, not 2; [camera.front.controls] focus = 9, not set there; \
             [server] log_level = \"warn\", not \"info\""
        );
        let (camera, controls) = (&laid.cameras[0], [("hue", 1), ("gain", 3), ("focus", 9)]);
        assert_eq!((camera.fps, camera.quality, laid.server.log_level), (15, 50, LevelFilter::Warn));
        assert_eq!(camera.controls, controls.map(|(name, value)| (name.to_owned(), value)));
        assert!(laid.warnings[0].contains("no [camera.gone]"), "{:?}", laid.warnings);

        let mut other = Config { keep: Keep::InFile, ..config.clone() };
        assert_eq!(other.lay_over(&users, &Flags::default()).unwrap(), None);
        assert!(other.warnings[0].contains("not used"), "{:?}", other.warnings);
        assert_eq!(other.cameras, config.cameras);
    }
}
