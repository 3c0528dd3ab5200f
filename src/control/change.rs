//! Other settings for a camera, and whether they can be.

use std::fmt;

use super::ControlError;
use crate::base::names::joined;
use crate::config::{Override, Refusal, Value, each_camera_section, with_camera_setting};
use crate::source::CameraSettings;

/// What the names of a camera's controls begin with.
const CONTROLS: &str = "controls.";

/// The setting that names the microphone of a recording.
pub(super) const MICROPHONE: &str = "record.microphone";

/// Longest value that the audit log shows, in characters.
const SHOWN_CHARS: usize = 100;

/// What is to become of a camera; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraChange {
    /// Values by the names that settings have within a camera, such as `fps` or `controls.gain`.
    pub values: Vec<(String, Value)>,
}

/// The names that a change of a camera can have.
pub struct CameraKeys {
    sections: Vec<String>,
    settings: Vec<String>,
}

impl CameraKeys {
    pub(super) fn of(camera: &CameraSettings) -> Self {
        let mut keys = Self { sections: Vec::new(), settings: Vec::new() };
        each_camera_section(&mut camera.clone(), "", &mut |section, settings| {
            keys.sections.push(section.to_owned());
            let live = settings.rows().into_iter().filter(|row| row.is_live);
            keys.settings.extend(live.map(|row| joined(section, &row.key)));
        });
        keys
    }

    /// The keys of settings and sections that are in no section themselves.
    pub fn top(&self) -> Vec<&str> {
        let all = self.settings.iter().chain(&self.sections);
        let mut keys: Vec<_> = all.filter_map(|name| name.split('.').next()).collect();
        keys.retain(|key| !key.is_empty());
        keys.dedup();
        keys
    }

    /// Whether settings lie below this name.
    pub fn is_section(&self, name: &str) -> bool {
        let is_in = |section: &str| {
            section.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.sections.iter().any(|section| is_in(section))
    }
}

impl CameraChange {
    /// Whether nothing is to change.
    pub fn is_nothing(&self) -> bool {
        self.values.is_empty()
    }

    /// What makes of `from` what `to` is.
    pub(super) fn between(from: &CameraSettings, to: &CameraSettings) -> Self {
        let before = live_values(from);
        let values = live_values(to).into_iter().filter(|value| !before.contains(value));
        Self { values: values.collect() }
    }

    /// The values for the camera's controls, by the controls' names.
    ///
    /// # Errors
    /// A value that no control can have.
    pub(super) fn controls(&self) -> Result<Vec<(String, i32)>, ControlError> {
        let control = |(name, value): &(String, Value)| {
            let control = name.strip_prefix(CONTROLS)?;
            let number = match value {
                Value::Integer(number) => i32::try_from(*number).ok(),
                _ => None,
            };
            let wrong =
                || ControlError::Value(format!("{control} is {value}; expected a whole number of 32 bits"));
            Some(number.map(|number| (control.to_owned(), number)).ok_or_else(wrong))
        };
        self.values.iter().filter_map(control).collect()
    }

    /// The same change without the controls that are not among these.
    pub(super) fn with_controls(&self, controls: &[(String, i32)]) -> Self {
        let stays = |name: &str| {
            let control = name.strip_prefix(CONTROLS);
            control.is_none_or(|control| controls.iter().any(|(known, _)| known == control))
        };
        Self { values: self.values.iter().filter(|(name, _)| stays(name)).cloned().collect() }
    }

    /// Whether it is about the size of the picture.
    pub(super) fn has_size(&self) -> bool {
        self.values.iter().any(|(name, _)| ["width", "height"].contains(&name.as_str()))
    }

    /// The microphone that is to be recorded with the camera; empty for none.
    pub(super) fn microphone(&self) -> Option<&str> {
        self.values.iter().find_map(|(name, value)| match value {
            Value::Text(text) if name == MICROPHONE => Some(text.as_str()),
            _ => None,
        })
    }

    /// The settings with this change made.
    ///
    /// # Errors
    /// A value that defender.conf would not take either.
    pub(super) fn applied_to(&self, settings: &CameraSettings) -> Result<CameraSettings, ControlError> {
        let mut changed = settings.clone();
        for (name, value) in &self.values {
            let mut refused = None;
            with_camera_setting(&mut changed, name, &mut |section, key| {
                refused = section.change(key, value).err();
            });
            match refused {
                None => {}
                Some(Refusal::Unknown) => {
                    return Err(ControlError::Value(format!("{name} cannot be changed")));
                }
                Some(Refusal::Value(fault)) => {
                    return Err(ControlError::Value(fault.message(name, &short(value))));
                }
            }
        }
        Ok(changed)
    }

    /// The overrides that save it for the camera `name`, as the account `by` makes them now.
    pub(super) fn overrides(&self, name: &str, by: &str) -> Vec<Override> {
        let camera = joined("camera", name);
        let new =
            |(setting, value): &(String, Value)| Override::new(joined(&camera, setting), value.clone(), by);
        self.values.iter().map(new).collect()
    }
}

impl fmt::Display for CameraChange {
    /// In words, for the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(name, value): &(String, Value)| {
            format!("{:.48} {}", name.strip_prefix(CONTROLS).unwrap_or(name), short(value))
        };
        f.write_str(&self.values.iter().map(part).collect::<Vec<_>>().join(", "))
    }
}

/// The settings that can be changed while the server runs, by the names that they have within a camera.
fn live_values(camera: &CameraSettings) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    each_camera_section(&mut camera.clone(), "", &mut |section, settings| {
        let live = settings.rows().into_iter().filter(|row| row.is_live);
        values.extend(live.map(|row| (joined(section, &row.key), row.value)));
    });
    values
}

/// The value as a message and the audit log show it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
