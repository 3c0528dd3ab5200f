//! The overrides in force over what defender.conf says.

use std::fmt;

use super::{Override, Store};
use crate::config::settings::{CAMERA, MICROPHONE, SERVER, Setting, Value};
use crate::config::{Config, Flags, Mode};

/// An override, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// The override as it is saved.
    pub saved: Override,
    /// What defender.conf says; `None` for a control that it does not name, and where the override is ignored.
    pub configured: Option<Value>,
    /// Why it is ignored.
    pub problem: Option<String>,
}

impl Config {
    /// Puts the overrides in force that are beside the user file; they are in `overrides` then. What of them
    /// is ignored is among the warnings. To be called as the user the server becomes, for the file is that
    /// user's.
    pub fn apply_overrides(&mut self, store: &Store, flags: &Flags) {
        let overrides = match store.read() {
            Ok(overrides) => overrides,
            Err(error) => return self.warnings.push(format!("no override is in force: {error}")),
        };
        self.warnings.extend(overrides.damages(store));
        for saved in overrides.iter() {
            let (configured, problem) = match self.override_one(&saved.name, &saved.value) {
                Ok(configured) => (configured, None),
                Err(why) => (None, Some(why)),
            };
            // A server without devices does not use those of defender.conf either, which is said once.
            let is_expected = self.server.mode == Mode::Server && !saved.name.starts_with("server.");
            if let Some(why) = problem.as_ref().filter(|_| !is_expected) {
                let (file, name) = (store.file().display(), &saved.name);
                self.warnings.push(format!("{file}: {name} = {} is ignored: {why}", saved.value));
            }
            self.overrides.push(Overridden { saved: saved.clone(), configured, problem });
        }
        self.raise_log_level(flags);
    }

    /// Changes one setting; gives the value it had, if it had one.
    fn override_one(&mut self, name: &str, value: &Value) -> Result<Option<Value>, String> {
        let missing = |kind: &str, name: &str| format!("defender.conf has no [{kind}.{name}]");
        let unknown = || "there is no such setting that can be changed while the server runs".to_owned();
        let (section, rest) = name.split_once('.').ok_or_else(unknown)?;
        if section == "server" {
            return assign(&SERVER, rest, &mut self.server, value).unwrap_or_else(|| Err(unknown()));
        }
        let (device, key) = rest.split_once('.').ok_or_else(unknown)?;
        match section {
            "camera" => {
                let camera = self.cameras.iter_mut().find(|camera| camera.name == device);
                let camera = camera.ok_or_else(|| missing("camera", device))?;
                match key.strip_prefix("controls.") {
                    Some(control) => set_control(&mut camera.controls, control, value),
                    None => assign(&CAMERA, key, camera, value).unwrap_or_else(|| Err(unknown())),
                }
            }
            "microphone" => {
                let microphone = self.microphones.iter_mut().find(|microphone| microphone.name == device);
                let microphone = microphone.ok_or_else(|| missing("microphone", device))?;
                assign(&MICROPHONE, key, microphone, value).unwrap_or_else(|| Err(unknown()))
            }
            _ => Err(unknown()),
        }
    }
}

/// `None` where the table has no such key that can be changed while the server runs.
fn assign<S>(
    table: &[Setting<S>],
    key: &str,
    settings: &mut S,
    value: &Value,
) -> Option<Result<Option<Value>, String>> {
    let setting = table.iter().find(|setting| setting.key == key && setting.is_live)?;
    let before = setting.get(settings);
    Some(setting.set(settings, value).map(|()| Some(before)))
}

fn set_control(
    controls: &mut Vec<(String, i32)>,
    name: &str,
    value: &Value,
) -> Result<Option<Value>, String> {
    let number = match value {
        Value::Integer(number) => i32::try_from(*number).ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| "expected a whole number of 32 bits".to_owned())?;
    match controls.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => Ok(Some(std::mem::replace(old, number).into())),
        None => {
            controls.push((name.to_owned(), number));
            Ok(None)
        }
    }
}

impl Overridden {
    /// Whether it is in force.
    pub fn is_in_force(&self) -> bool {
        self.problem.is_none()
    }
}

impl fmt::Display for Overridden {
    /// In words, such as `camera.front.fps = 15 (by ada at 2026-03-01T12:00:00Z; defender.conf: 30)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Override { name, value, by, at } = &self.saved;
        write!(f, "{name} = {value} (")?;
        match (by, at) {
            (Some(by), Some(at)) => write!(f, "by {by} at {at}; ")?,
            (Some(by), None) => write!(f, "by {by}; ")?,
            (None, _) => f.write_str("by version 0.1.0 or by hand; ")?,
        }
        match (&self.problem, &self.configured) {
            (Some(problem), _) => write!(f, "IGNORED: {problem})"),
            (None, Some(configured)) => write!(f, "defender.conf: {configured})"),
            (None, None) => f.write_str("not in defender.conf)"),
        }
    }
}
