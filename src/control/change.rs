//! Other settings for a camera, and whether they can be.

use std::fmt;

use super::ControlError;
use crate::config::{CAMERA, Override, Value};
use crate::source::CameraSettings;

/// What is to become of a camera; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraChange {
    /// Settings by their keys in [`CAMERA`].
    pub settings: Vec<(&'static str, Value)>,
    /// Values of the camera's controls, by name.
    pub controls: Vec<(String, i32)>,
}

impl CameraChange {
    /// Whether nothing is to change.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What makes of `from` what `to` is.
    pub(super) fn between(from: &CameraSettings, to: &CameraSettings) -> Self {
        let live = CAMERA.iter().filter(|setting| setting.is_live);
        let changed = live.filter(|setting| setting.get(from) != setting.get(to));
        let controls = to.controls.iter().filter(|control| !from.controls.contains(control));
        Self {
            settings: changed.map(|setting| (setting.key, setting.get(to))).collect(),
            controls: controls.cloned().collect(),
        }
    }

    /// Whether it is about the size of the picture.
    pub(super) fn has_size(&self) -> bool {
        self.settings.iter().any(|(key, _)| ["width", "height"].contains(key))
    }

    /// The settings with this change made.
    ///
    /// # Errors
    /// A value that defender.conf would not take either.
    pub(super) fn applied_to(&self, settings: &CameraSettings) -> Result<CameraSettings, ControlError> {
        let mut changed = settings.clone();
        for (key, value) in &self.settings {
            let setting = CAMERA.iter().find(|setting| setting.key == *key && setting.is_live);
            let setting = setting.ok_or_else(|| ControlError::Value(format!("{key} cannot be changed")))?;
            let set = setting.set(&mut changed, value);
            set.map_err(|expected| ControlError::Value(format!("{key} is {value}; {expected}")))?;
        }
        for (name, value) in &self.controls {
            match changed.controls.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = *value,
                None => changed.controls.push((name.clone(), *value)),
            }
        }
        Ok(changed)
    }

    /// The overrides that save it for the camera `name`, as the account `by` makes them now.
    pub(super) fn overrides(&self, name: &str, by: &str) -> Vec<Override> {
        let settings =
            self.settings.iter().map(|(key, value)| (format!("camera.{name}.{key}"), value.clone()));
        let control_name = |control: &str| format!("camera.{name}.controls.{control}");
        let controls =
            self.controls.iter().map(|(control, value)| (control_name(control), Value::from(*value)));
        settings.chain(controls).map(|(name, value)| Override::new(name, value, by)).collect()
    }
}

impl fmt::Display for CameraChange {
    /// In words, for the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings.iter().map(|(key, value)| format!("{key} {value}"));
        let controls = self.controls.iter().map(|(name, value)| format!("{name:.32} {value}"));
        f.write_str(&settings.chain(controls).collect::<Vec<_>>().join(", "))
    }
}
