//! The settings of a whole configuration by their names, such as `camera.front.fps`: one walk over all sections,
//! whatever struct holds their values. Overrides, the API and the page find settings by it.

use std::fmt;

use super::devices::{CAMERA, MICROPHONE};
use super::form::OFF;
use super::motion::{CAMERA_MOTION, MICROPHONE_NOISE};
use super::record::{CAMERA_RECORD, RECORD};
use super::server::SERVER;
use super::{Fault, Form, Setting, Value};
use crate::base::names::joined;
use crate::config::Config;
use crate::config::microphones::Microphones;
use crate::source::CameraSettings;

/// The values of one section of defender.conf by their keys.
pub trait SectionValues {
    /// The settings, with their values.
    fn rows(&self) -> Vec<Row>;

    /// Puts a value in the place of the present one, which it gives; `None` where the setting had none.
    ///
    /// # Errors
    /// Why not; nothing is changed then.
    fn change(&mut self, key: &str, value: &Value) -> Result<Option<Value>, Refusal>;

    /// Removes the value of a control; other settings always have one.
    fn remove(&mut self, _key: &str) {}
}

/// A setting with its value.
#[derive(Clone)]
pub struct Row {
    /// Its key in its section.
    pub key: String,
    /// What the page calls it.
    pub label: &'static str,
    /// When it matters; may be empty.
    pub hint: &'static str,
    /// Whether it can be changed while the server runs.
    pub is_live: bool,
    /// What its values are; `None` for a control, for which its driver knows that.
    pub form: Option<&'static Form>,
    /// The value.
    pub value: Value,
}

/// A table and the struct with its values.
pub(super) struct Bound<'s, S: 'static>(pub(super) &'static [Setting<S>], pub(super) &'s mut S);

/// Values for the controls of a camera.
struct Controls<'s>(&'s mut Vec<(String, i32)>);

impl Config {
    /// Calls `visit` with each section that overrides can be about, and its name, such as `camera.front`.
    pub fn each_section(&mut self, visit: &mut dyn FnMut(&str, &mut dyn SectionValues)) {
        visit("server", &mut Bound(&SERVER, &mut self.server));
        visit("record", &mut Bound(&RECORD, &mut self.record));
        for camera in &mut self.cameras {
            let name = format!("camera.{}", camera.name);
            each_camera_section(camera, &name, visit);
        }
        for microphone in &mut self.microphones {
            let name = format!("microphone.{}", microphone.name);
            visit(&name, &mut Bound(&MICROPHONE, microphone));
            visit(&joined(&name, "noise"), &mut Bound(&MICROPHONE_NOISE, &mut microphone.noise));
        }
    }

    /// Calls `call` with the section and the key that a name such as `camera.front.fps` is made of.
    ///
    /// # Errors
    /// Why there is no such section.
    pub fn with_setting(
        &mut self,
        name: &str,
        call: &mut dyn FnMut(&mut dyn SectionValues, &str),
    ) -> Result<(), String> {
        if find(name, &mut |visit| self.each_section(visit), call) {
            return Ok(());
        }
        let mut parts = name.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(kind @ ("camera" | "microphone")), Some(device), Some(_)) => {
                Err(format!("defender.conf has no [{kind}.{device}]"))
            }
            _ => Err(Refusal::Unknown.to_string()),
        }
    }

    /// Changes one setting; gives the value it had, if it had one.
    ///
    /// # Errors
    /// Why it cannot be changed, for people.
    pub fn change_setting(&mut self, name: &str, value: &Value) -> Result<Option<Value>, String> {
        if name.ends_with(".record.microphone")
            && let Value::Text(microphone) = value
        {
            Microphones::of(self).check(microphone)?;
        }
        let mut changed = Err(Refusal::Unknown);
        self.with_setting(name, &mut |section, key| changed = section.change(key, value))?;
        changed.map_err(|refusal| refusal.to_string())
    }
}

/// Calls `visit` with each section of a camera that is named `name`. An empty name gives names from the camera
/// on, such as `controls`; that of the camera itself is empty then.
pub fn each_camera_section(
    camera: &mut CameraSettings,
    name: &str,
    visit: &mut dyn FnMut(&str, &mut dyn SectionValues),
) {
    visit(name, &mut Bound(&CAMERA, camera));
    visit(&joined(name, "record"), &mut Bound(&CAMERA_RECORD, &mut camera.record));
    visit(&joined(name, "motion"), &mut Bound(&CAMERA_MOTION, &mut camera.motion));
    visit(&joined(name, "controls"), &mut Controls(&mut camera.controls));
}

/// Calls `call` with the section of a camera and the key that a name such as `fps` or `controls.gain` is made of.
pub fn with_camera_setting(
    camera: &mut CameraSettings,
    name: &str,
    call: &mut dyn FnMut(&mut dyn SectionValues, &str),
) {
    find(name, &mut |visit| each_camera_section(camera, "", visit), call);
}

/// The values of a camera but for its controls, by their keys; those of a section within it are a table, which is
/// empty for a detection that is off.
pub fn camera_values(camera: &mut CameraSettings) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    each_camera_section(camera, "", &mut |section, settings| {
        let rows = settings.rows().into_iter().filter(|row| row.form.is_some());
        let new: Vec<_> = rows.map(|row| (row.key, row.value)).collect();
        if new.contains(&("armed".to_owned(), OFF.into())) {
            return values.push((section.to_owned(), Value::Table(Vec::new())));
        }
        insert(&mut values, section, new);
    });
    values
}

/// Inserts values into the table of a section, such as `stream.small`: the table `small` in the table `stream`.
pub(super) fn insert(values: &mut Vec<(String, Value)>, section: &str, new: Vec<(String, Value)>) {
    if section.is_empty() || new.is_empty() {
        return values.extend(new);
    }
    let (first, rest) = section.split_once('.').unwrap_or((section, ""));
    let at = values.iter().position(|(key, _)| key == first).unwrap_or_else(|| {
        values.push((first.to_owned(), Value::Table(Vec::new())));
        values.len() - 1
    });
    if let Value::Table(inner) = &mut values[at].1 {
        insert(inner, rest, new);
    }
}

/// Gets called with each section and its name.
pub(super) type Visit<'v> = dyn FnMut(&str, &mut dyn SectionValues) + 'v;

/// Calls `call` with the innermost section that `name` belongs to, and the rest of the name; whether there is one.
/// The rest may hold dots: the name of a control is its driver's.
pub(super) fn find(
    name: &str,
    each: &mut dyn FnMut(&mut Visit<'_>),
    call: &mut dyn FnMut(&mut dyn SectionValues, &str),
) -> bool {
    let mut innermost: Option<usize> = None;
    each(&mut |section, _| {
        if key_in(name, section).is_some() {
            innermost = innermost.max(Some(section.len()));
        }
    });
    each(&mut |section, values| {
        if let Some(key) = key_in(name, section).filter(|_| innermost == Some(section.len())) {
            call(values, key);
        }
    });
    innermost.is_some()
}

/// What is left of the name of a setting after that of a section.
fn key_in<'n>(name: &'n str, section: &str) -> Option<&'n str> {
    if section.is_empty() { Some(name) } else { name.strip_prefix(section)?.strip_prefix('.') }
}

impl<S> SectionValues for Bound<'_, S> {
    fn rows(&self) -> Vec<Row> {
        let row = |setting: &'static Setting<S>| Row {
            key: setting.key.to_owned(),
            label: setting.label,
            hint: setting.hint,
            is_live: setting.is_live,
            form: Some(&setting.form),
            value: setting.get(self.1),
        };
        self.0.iter().map(row).collect()
    }

    fn change(&mut self, key: &str, value: &Value) -> Result<Option<Value>, Refusal> {
        let setting = self.0.iter().find(|setting| setting.key == key && setting.is_live);
        let setting = setting.ok_or(Refusal::Unknown)?;
        let before = setting.get(self.1);
        setting.set(self.1, value).map_err(Refusal::Value)?;
        Ok(Some(before))
    }
}

impl SectionValues for Controls<'_> {
    fn rows(&self) -> Vec<Row> {
        let row = |(name, value): &(String, i32)| Row {
            key: name.clone(),
            label: "",
            hint: "",
            is_live: true,
            form: None,
            value: (*value).into(),
        };
        self.0.iter().map(row).collect()
    }

    fn change(&mut self, key: &str, value: &Value) -> Result<Option<Value>, Refusal> {
        let number = match value {
            Value::Integer(number) => i32::try_from(*number).ok(),
            _ => None,
        };
        let expected = || "a whole number of 32 bits".to_owned();
        let number =
            number.ok_or_else(|| Refusal::Value(Fault { expected: expected(), ..Fault::default() }))?;
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => Ok(Some(std::mem::replace(old, number).into())),
            None => {
                self.0.push((key.to_owned(), number));
                Ok(None)
            }
        }
    }

    fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }
}

/// Why a setting was not changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No setting of this name can be changed while the server runs.
    Unknown,
    /// It cannot have this value.
    Value(Fault),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("there is no such setting that can be changed while the server runs")
            }
            Self::Value(fault) => fault.fmt(f),
        }
    }
}
