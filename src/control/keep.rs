//! Keeping a change, so that it holds after the next start: in defender.conf, or beside it where that is
//! not the server's to write.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use log::{LevelFilter, error};

use super::{CameraChange, ControlError};
use crate::base::{disk, level};
use crate::config::{Config, Edit, Keep, Kept, edited};

/// Permissions of the file of kept settings, which is nobody else's business.
const KEPT_MODE: u32 = 0o600;

/// A file that was written, with what it held before.
#[must_use]
pub(super) struct Written(Option<Old>);

struct Old {
    file: PathBuf,
    /// `None` where there was no file.
    text: Option<String>,
    mode: u32,
}

impl Written {
    /// Puts back what there was.
    pub(super) fn undo(self) {
        let Some(Old { file, text, mode }) = self.0 else { return };
        let undone = match text {
            Some(text) => disk::replace(&file, text.as_bytes(), mode),
            None => fs::remove_file(&file),
        };
        if let Err(error) = undone {
            error!(
                "{}: it keeps a change that was not made, and cannot be put back: {error}",
                file.display()
            );
        }
    }
}

/// Writes what `change` says of a camera.
pub(super) fn camera(config: &Config, name: &str, change: &CameraChange) -> Result<Written, ControlError> {
    match &config.keep {
        Keep::InFile if change.is_nothing() => {
            config.file.as_ref().map(|_| Written(None)).ok_or(ControlError::NoFile)
        }
        Keep::InFile => write(config, &edits(name, change), |meant| {
            if let Some(camera) = meant.cameras.iter_mut().find(|camera| camera.name == name)
                && let Ok(changed) = change.applied_to(camera)
            {
                *camera = changed;
            }
        }),
        Keep::Overlay(_) if change.is_nothing() => Ok(Written(None)),
        Keep::Overlay(file) => write_over(file, |kept| {
            let camera = kept.camera(name);
            change.numbers().for_each(|(key, value)| camera.set_number(key, value));
            change.controls.iter().for_each(|(name, value)| camera.set_control(name, *value));
        }),
        Keep::Nowhere => Err(ControlError::NoFile),
    }
}

/// Writes the level of the log.
pub(super) fn log_level(config: &Config, level: LevelFilter) -> Result<(), ControlError> {
    let edit = Edit {
        section: vec!["server".to_owned()],
        key: "log_level".to_owned(),
        value: format!("\"{}\"", level::name(level)),
    };
    let written = match &config.keep {
        Keep::InFile => write(config, &[edit], |meant| meant.server.log_level = level),
        Keep::Overlay(file) => write_over(file, |kept| kept.log_level = Some(level)),
        Keep::Nowhere => Err(ControlError::NoFile),
    };
    written.map(|_| ())
}

fn edits(camera: &str, change: &CameraChange) -> Vec<Edit> {
    let section = vec!["camera".to_owned(), camera.to_owned()];
    let controls = [section.clone(), vec!["controls".to_owned()]].concat();
    let numbers = change.numbers().map(|(key, value)| Edit {
        section: section.clone(),
        key: key.to_owned(),
        value: value.to_string(),
    });
    let controls = change.controls.iter().map(|(name, value)| Edit {
        section: controls.clone(),
        key: name.clone(),
        value: value.to_string(),
    });
    numbers.chain(controls).collect()
}

/// Writes the file anew, if it then says what `change` makes of what it said, and nothing else.
fn write(config: &Config, edits: &[Edit], change: impl Fn(&mut Config)) -> Result<Written, ControlError> {
    let file = config.file.as_deref().ok_or(ControlError::NoFile)?;
    let file = disk::follow_links(file).map_err(|error| not_kept(file, error))?;
    let found = fs::metadata(&file).map_err(|error| not_kept(&file, error))?;
    if !found.is_file() {
        return Err(not_kept(&file, "it is no regular file"));
    }
    let (before, mut meant) = Config::read(&file).map_err(|error| not_kept(&file, error))?;
    let text = edited(&before, edits);
    let after = Config::of_text(&text, &file).map_err(|error| not_kept(&file, error))?;
    change(&mut meant);
    if after != meant {
        return Err(not_kept(&file, "it is written in a way that cannot be edited; change it by hand"));
    }
    replace(Old { file, text: Some(before), mode: found.permissions().mode() & 0o777 }, &text)
}

/// Writes the file that is laid over defender.conf.
fn write_over(file: &Path, change: impl Fn(&mut Kept)) -> Result<Written, ControlError> {
    let found = Kept::read(file).map_err(|error| not_kept(file, error))?;
    let text = found.as_ref().map(|(text, _)| text.clone());
    let mut kept = found.map(|(_, kept)| kept).unwrap_or_default();
    change(&mut kept);
    replace(Old { file: file.to_owned(), text, mode: KEPT_MODE }, &kept.to_string())
}

fn replace(old: Old, text: &str) -> Result<Written, ControlError> {
    disk::replace(&old.file, text.as_bytes(), old.mode).map_err(|error| not_kept(&old.file, error))?;
    // The old text after a power cut would be a pity, and no harm.
    let _ = disk::sync_folder(&old.file);
    Ok(Written(Some(old)))
}

fn not_kept(file: &Path, why: impl std::fmt::Display) -> ControlError {
    ControlError::NotKept(file.to_owned(), why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn folder_with(text: &str) -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender.conf");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let config = Config::load(&Flags { config: Some(file), ..Flags::default() }).unwrap();
        (folder, config)
    }

    fn keep(config: &Config, change: &CameraChange) -> Result<String, ControlError> {
        let _ = camera(config, "front", change)?;
        Ok(fs::read_to_string(config.file.as_ref().unwrap()).unwrap())
    }

    fn change() -> CameraChange {
        CameraChange { fps: Some(9), controls: vec![("gain".to_owned(), -3)], ..CameraChange::default() }
    }

    #[test]
    fn a_change_is_in_the_file_and_everything_else_still_is() {
        let text = "# my board\n[camera.front] # door\nfps = 30 # not more\n\n[server]\nport = 1\n";
        let (folder, config) = folder_with(text);
        let expected = format!("{}\n[camera.front.controls]\ngain = -3\n", text.replace("30", "9"));
        assert_eq!(keep(&config, &change()).unwrap(), expected);
        let mode = fs::metadata(config.file.as_ref().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn several_controls_are_kept_at_once_and_one_after_the_other_in_the_order_they_are_set_in() {
        let controls = |list: &[(&str, i32)]| CameraChange {
            controls: list.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            ..CameraChange::default()
        };
        for text in
            ["[camera.front]\n", "[camera.front]\ncontrols = {}\n", "[camera.front.controls]\n# mine\n"]
        {
            let (_folder, config) = folder_with(text);
            keep(&config, &controls(&[("auto", 0), ("gain", 3)])).unwrap();
            let again = |config: &Config| Config::read(config.file.as_ref().unwrap()).unwrap().1;
            let config = Config { file: config.file.clone(), ..again(&config) };
            keep(&config, &controls(&[("focus", 5), ("auto", 1), ("brightness", 7)])).unwrap();
            let names = [("auto", 1), ("gain", 3), ("focus", 5), ("brightness", 7)];
            assert_eq!(again(&config).cameras[0].controls, controls(&names).controls, "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_edited_safely_stays_as_it_is() {
        let text = "camera = { front = { fps = 30 } }\n";
        let (_folder, config) = folder_with(text);
        assert!(matches!(keep(&config, &change()), Err(ControlError::NotKept(..))));
        assert_eq!(fs::read_to_string(config.file.unwrap()).unwrap(), text);
    }

    #[test]
    fn without_a_file_to_write_nothing_can_be_kept() {
        let (_folder, config) = folder_with("[camera.front]\n");
        for keep_in in [Keep::InFile, Keep::Nowhere] {
            let config = Config { file: None, keep: keep_in, ..config.clone() };
            for change in [change(), CameraChange::default()] {
                assert!(matches!(camera(&config, "front", &change), Err(ControlError::NoFile)));
            }
        }
    }

    #[test]
    fn what_is_kept_beside_the_user_file_grows_and_is_private_and_can_be_taken_back() {
        let (folder, config) = folder_with("[camera.front]\n");
        let kept = folder.path().join("kept.conf");
        let config = Config { keep: Keep::Overlay(kept.clone()), ..config };
        camera(&config, "front", &change()).unwrap().undo();
        assert!(!kept.exists(), "there was none");
        let _ = camera(&config, "front", &change()).unwrap();
        log_level(&config, LevelFilter::Warn).unwrap();
        let text = fs::read_to_string(&kept).unwrap();
        let expected = "\n[server]\nlog_level = \"warn\"\n\n[camera.front]\nfps = 9\n\n\
                        [camera.front.controls]\ngain = -3\n";
        assert!(text.starts_with("# ") && text.ends_with(expected), "{text}");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        camera(&config, "front", &CameraChange { fps: Some(2), ..change() }).unwrap().undo();
        assert_eq!(fs::read_to_string(&kept).unwrap(), text);
        assert_eq!(fs::read_to_string(config.file.unwrap()).unwrap(), "[camera.front]\n");
    }
}
