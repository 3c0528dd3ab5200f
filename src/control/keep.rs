//! Keeping a change in defender.conf, so that it holds after the next start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use log::LevelFilter;

use super::level_name;
use super::{CameraChange, CameraSettings, ControlError};
use crate::config::{Config, Edit, edited};
use crate::disk;

/// Writes what `change` says of a camera, which is to be `wanted`.
pub(super) fn camera(
    config: &Config,
    wanted: &CameraSettings,
    change: &CameraChange,
) -> Result<(), ControlError> {
    let section = vec!["camera".to_owned(), wanted.name.clone()];
    let mut edits: Vec<Edit> = change
        .numbers()
        .map(|(key, value)| Edit { section: section.clone(), key: key.to_owned(), value: value.to_string() })
        .collect();
    let controls = [section, vec!["controls".to_owned()]].concat();
    edits.extend(change.controls.iter().map(|(name, value)| Edit {
        section: controls.clone(),
        key: name.clone(),
        value: value.to_string(),
    }));
    write(config, &edits, |meant| {
        if let Some(camera) = meant.cameras.iter_mut().find(|camera| camera.name == wanted.name)
            && let Ok(changed) = change.applied_to(camera)
        {
            *camera = changed;
        }
    })
}

/// Writes the level of the log.
pub(super) fn log_level(config: &Config, level: LevelFilter) -> Result<(), ControlError> {
    let edit = Edit {
        section: vec!["server".to_owned()],
        key: "log_level".to_owned(),
        value: format!("\"{}\"", level_name(level)),
    };
    write(config, &[edit], |meant| meant.server.log_level = level)
}

/// Writes the file anew, if it then says what `change` makes of what it said, and nothing else.
fn write(config: &Config, edits: &[Edit], change: impl Fn(&mut Config)) -> Result<(), ControlError> {
    let file = config.file.as_deref().ok_or(ControlError::NoFile)?;
    let file = disk::follow_links(file).map_err(|error| not_kept(file, error))?;
    let found = fs::metadata(&file).map_err(|error| not_kept(&file, error))?;
    if !found.is_file() {
        return Err(not_kept(&file, "it is no regular file"));
    }
    let (text, mut meant) = Config::read(&file).map_err(|error| not_kept(&file, error))?;
    let text = edited(&text, edits);
    let after = Config::of_text(&text, &file).map_err(|error| not_kept(&file, error))?;
    change(&mut meant);
    if after != meant {
        return Err(not_kept(&file, "it is written in a way that cannot be edited; change it by hand"));
    }
    let mode = found.permissions().mode() & 0o777;
    disk::replace(&file, text.as_bytes(), mode).map_err(|error| not_kept(&file, error))?;
    // The old text after a power cut would be a pity, and no harm.
    let _ = disk::sync_folder(&file);
    Ok(())
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
        let wanted = change.applied_to(&config.cameras[0]).unwrap();
        camera(config, &wanted, change)?;
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
        for text in ["[camera.front]\n", "[camera.front]\ncontrols = {}\n", "[camera.front.controls]\n# mine\n"] {
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
    fn without_a_file_nothing_can_be_kept() {
        let (_folder, config) = folder_with("[camera.front]\n");
        let config = Config { file: None, ..config };
        assert!(matches!(keep(&config, &change()), Err(ControlError::NoFile)));
    }
}
