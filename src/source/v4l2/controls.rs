//! A camera's controls: brightness, exposure, focus and whatever else its driver lets be set, while
//! it streams. Opens the node anew for each question; a V4L2 device may be open any number of times.
//!
//! Switches and menus are set before numbers, and buttons last, both for a request and at a start: while an
//! automatic mode is on, some drivers refuse the number it governs, and others accept and forget it. Values are
//! set again when a camera comes back.

use std::io;
use std::path::Path;

use v4l::v4l_sys as sys;

use super::calls::controls::{self as calls, MenuItem};
use super::camera::Camera;
use super::error::{Call, DeviceError};
use super::format::text;
use crate::media::{CameraControl, ControlKind};

/// A bound on what is enumerated, for drivers that never say "no more".
const CONTROLS_MAX: usize = 256;

/// Most choices of a menu that are asked for.
const CHOICES_MAX: u32 = 256;

/// A change to several controls that was checked and is not made yet.
pub struct ControlChange {
    camera: Camera,
    /// In the order in which they are set.
    steps: Vec<(CameraControl, i32)>,
}

/// The controls of the camera at `node`. Those of kinds that one number cannot hold (strings, areas,
/// 64 bits, and whatever kernels to come may have) are left out.
///
/// # Errors
/// When the camera is gone or cannot be opened.
pub fn list(node: &Path) -> Result<Vec<CameraControl>, DeviceError> {
    Ok(known(&Camera::open(node)?))
}

/// Looks whether the camera at `node` has these controls, and whether they could take these values.
///
/// # Errors
/// The first that could not be set, and why.
pub fn prepare(node: &Path, values: &[(String, i32)]) -> Result<ControlChange, DeviceError> {
    let camera = Camera::open(node)?;
    let known = known(&camera);
    let found = values.iter().map(|(name, value)| step(&camera, &known, name, *value));
    let steps = found.collect::<Result<Vec<_>, _>>()?;
    Ok(ControlChange { camera, steps: in_order(steps) })
}

/// Sets what was wanted of a camera that has just been started, and the controls `to_reset` to the camera's own
/// values; returns what was refused.
pub(super) fn restore(camera: &Camera, values: &[(String, i32)], to_reset: &[String]) -> Vec<DeviceError> {
    if values.is_empty() && to_reset.is_empty() {
        return Vec::new();
    }
    let (known, mut refused) = (known(camera), Vec::new());
    let mut steps = own_values(&known, to_reset, values);
    for (name, value) in values {
        match step(camera, &known, name, *value) {
            Ok((control, _)) if control.kind == ControlKind::Button => {
                refused.push(refused_control(camera, name, "a button is not pressed at a start"));
            }
            Ok(step) => steps.push(step),
            Err(error) => refused.push(error),
        }
    }
    for (control, value) in in_order(steps) {
        if let Err(error) = set_one(camera, &control, value) {
            // No fault: the value is for the manual mode, while the automatic mode of this control is switched on.
            let is_governed = is_inactive(camera, &control);
            refused.extend((!is_governed).then_some(error));
        }
    }
    refused
}

impl ControlChange {
    /// What holds until it is set to something else: all but the pressing of buttons.
    pub fn lasting(&self) -> Vec<(String, i32)> {
        let lasting = self.steps.iter().filter(|(control, _)| control.kind != ControlKind::Button);
        lasting.map(|(control, value)| (control.name.clone(), *value)).collect()
    }

    /// Sets them. A number that this makes an automatic govern is left to that.
    ///
    /// # Errors
    /// The first that the driver refused, and why; it and those before it are set back.
    pub fn set(self) -> Result<(), DeviceError> {
        for (at, (control, value)) in self.steps.iter().enumerate() {
            let Err(error) = set_one(&self.camera, control, *value) else { continue };
            if !control.is_inactive && is_inactive(&self.camera, control) {
                continue;
            }
            self.set_back(at);
            return Err(error);
        }
        Ok(())
    }

    /// Sets back the first ones, to the one at `last`.
    fn set_back(&self, last: usize) {
        let done = self.steps[..=last].iter().map(|(control, _)| control).filter(|done| done.is_readable);
        let numbers = done.clone().filter(|done| done.kind == ControlKind::Integer);
        // The last one first: a number goes back while the automatic above it is still off. Then the numbers
        // again, for those above which it was on until now.
        for done in done.rev().chain(numbers) {
            let _ = calls::set_control(self.camera.fd(), done.id, done.value);
        }
    }
}

/// Switches and choices, then numbers, then buttons; each kind as it was. An automatic (exposure,
/// gain, white balance) is a switch or a choice, and what it governs is a number. While it is on, some
/// drivers refuse the number, and others take it and put their own in its place when the automatic is
/// switched off: trying again after a refusal would mend the first only. A button cannot be taken
/// back, so it waits until nothing else can be refused.
fn in_order(mut steps: Vec<(CameraControl, i32)>) -> Vec<(CameraControl, i32)> {
    steps.sort_by_key(|(control, _)| match control.kind {
        ControlKind::Boolean | ControlKind::Menu(_) => 0,
        ControlKind::Integer => 1,
        ControlKind::Button => 2,
    });
    steps
}

/// The controls of these names with the camera's own values, but for those that are set to another value anyway.
fn own_values(
    known: &[CameraControl],
    names: &[String],
    values: &[(String, i32)],
) -> Vec<(CameraControl, i32)> {
    let is_meant = |control: &&CameraControl| {
        names.contains(&control.name)
            && !values.iter().any(|(name, _)| *name == control.name)
            && control.kind != ControlKind::Button
            && !control.is_read_only
    };
    known.iter().filter(is_meant).map(|control| (control.clone(), control.default)).collect()
}

fn known(camera: &Camera) -> Vec<CameraControl> {
    let mut controls = Vec::new();
    let mut after = 0;
    for _ in 0..CONTROLS_MAX {
        let Ok(found) = calls::query_control_after(camera.fd(), after) else { break };
        // A driver that does not count up would be asked for ever.
        if found.id <= after {
            break;
        }
        after = found.id;
        controls.extend(control(camera, &found));
    }
    name_apart(&mut controls);
    controls
}

/// Gives each control a name of its own. One whose label has no letters of ASCII, or the name of one
/// before it, gets its number, which is the same after each start.
fn name_apart(controls: &mut [CameraControl]) {
    for at in 0..controls.len() {
        let (before, [control, ..]) = controls.split_at_mut(at) else { return };
        if control.name.is_empty() {
            control.name = format!("control_{:#010x}", control.id);
        } else if before.iter().any(|other| other.name == control.name) {
            control.name = format!("{}_{:#010x}", control.name, control.id);
        }
    }
}

/// The control of this name, if it could take the value.
fn step(
    camera: &Camera,
    known: &[CameraControl],
    name: &str,
    value: i32,
) -> Result<(CameraControl, i32), DeviceError> {
    let Some(control) = known.iter().find(|control| control.name == name) else {
        let names: Vec<&str> = known.iter().map(|control| control.name.as_str()).collect();
        let why = match &names[..] {
            [] => "the camera has no controls".to_owned(),
            names => format!("the camera has no such control; it has: {}", names.join(", ")),
        };
        return Err(refused_control(camera, name, &why));
    };
    control.check(value).map_err(|why| refused_control(camera, name, &why))?;
    Ok((control.clone(), value))
}

fn set_one(camera: &Camera, control: &CameraControl, value: i32) -> Result<(), DeviceError> {
    calls::set_control(camera.fd(), control.id, value).map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => {
            refused_control(camera, &control.name, "it cannot be changed while the camera runs")
        }
        _ if is_inactive(camera, control) => refused_control(
            camera,
            &control.name,
            "has no effect now; switch off the automatic control that sets it",
        ),
        _ => camera.failed(Call::SetControl, error),
    })
}

/// Whether it does nothing as of now; what is set before it may have changed that.
fn is_inactive(camera: &Camera, control: &CameraControl) -> bool {
    calls::query_control_after(camera.fd(), control.id - 1)
        .is_ok_and(|found| found.id == control.id && found.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0)
}

fn refused_control(camera: &Camera, name: &str, why: &str) -> DeviceError {
    DeviceError::Control { node: camera.node().to_owned(), control: name.to_owned(), why: why.to_owned() }
}

impl CameraControl {
    /// Whether it could take this value.
    fn check(&self, value: i32) -> Result<(), String> {
        let Self { min, max, step, .. } = *self;
        match &self.kind {
            _ if self.is_read_only => Err("read-only control".to_owned()),
            ControlKind::Button => Ok(()),
            ControlKind::Menu(choices) if choices.iter().any(|(choice, _)| *choice == value) => Ok(()),
            ControlKind::Menu(choices) => {
                let choices: Vec<String> =
                    choices.iter().map(|(choice, name)| format!("{choice} ({name})")).collect();
                Err(format!("{value}; expected one of {}", choices.join(", ")))
            }
            _ if (min..=max).contains(&value) => Ok(()),
            _ if step > 1 => Err(format!("{value}; expected {min} to {max} in steps of {step}")),
            _ => Err(format!("{value}; expected {min} to {max}")),
        }
    }
}

/// A control as the driver reports it; `None` for one that is out of use or of a kind left out.
fn control(camera: &Camera, found: &sys::v4l2_queryctrl) -> Option<CameraControl> {
    let has = |flag| found.flags & flag != 0;
    if has(sys::V4L2_CTRL_FLAG_DISABLED) {
        return None;
    }
    let kind = match found.type_ {
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER => ControlKind::Integer,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => ControlKind::Boolean,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => ControlKind::Menu(choices(camera, found, false)),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => ControlKind::Menu(choices(camera, found, true)),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => ControlKind::Button,
        _ => return None,
    };
    let has_value = kind != ControlKind::Button && !has(sys::V4L2_CTRL_FLAG_WRITE_ONLY);
    let value = has_value.then(|| calls::get_control(camera.fd(), found.id).ok()).flatten();
    let label = text(&found.name);
    Some(CameraControl {
        id: found.id,
        name: plain_name(&label),
        label,
        kind,
        min: found.minimum,
        max: found.maximum,
        step: found.step,
        default: found.default_value,
        value: value.unwrap_or(0),
        is_inactive: has(sys::V4L2_CTRL_FLAG_INACTIVE),
        is_read_only: has(sys::V4L2_CTRL_FLAG_READ_ONLY),
        is_readable: value.is_some(),
    })
}

/// The choices of a menu; it may leave numbers out.
fn choices(camera: &Camera, found: &sys::v4l2_queryctrl, has_numbers: bool) -> Vec<(i32, String)> {
    let first = u32::try_from(found.minimum).unwrap_or(0);
    let last = u32::try_from(found.maximum).unwrap_or(0).min(first.saturating_add(CHOICES_MAX));
    let choice = |index: u32| {
        let item = calls::query_menu(camera.fd(), found.id, index, has_numbers).ok()?;
        let name = match item {
            MenuItem::Named(name) => text(&name),
            MenuItem::Number(number) => number.to_string(),
        };
        Some((index.cast_signed(), name))
    };
    (first..=last).filter_map(choice).collect()
}

/// Letters and digits in lower case, with one `_` for whatever lies between them.
fn plain_name(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(kind: ControlKind) -> CameraControl {
        CameraControl {
            id: 1,
            name: "gain".to_owned(),
            label: "Gain".to_owned(),
            kind,
            min: -4,
            max: 8,
            step: 2,
            default: 0,
            value: 0,
            is_inactive: false,
            is_read_only: false,
            is_readable: true,
        }
    }

    #[test]
    fn automatic_controls_are_set_first_and_buttons_last() {
        let step = |name: &str, kind| (CameraControl { name: name.to_owned(), ..control(kind) }, 0);
        let steps = vec![
            step("restore", ControlKind::Button),
            step("exposure", ControlKind::Integer),
            step("auto_exposure", ControlKind::Menu(Vec::new())),
            step("gain", ControlKind::Integer),
            step("autogain", ControlKind::Boolean),
        ];
        let order = in_order(steps).into_iter().map(|(control, _)| control.name).collect::<Vec<_>>();
        assert_eq!(order, ["auto_exposure", "autogain", "exposure", "gain", "restore"]);
    }

    #[test]
    fn a_control_is_reset_to_the_default_of_its_driver() {
        let named = |name: &str, kind, default| CameraControl {
            name: name.to_owned(),
            default,
            value: 7,
            ..control(kind)
        };
        let known = [
            named("gain", ControlKind::Integer, 4),
            named("hue", ControlKind::Integer, 2),
            named("restart", ControlKind::Button, 1),
            named("other", ControlKind::Boolean, 1),
        ];
        let names = ["gain", "hue", "restart", "gone"].map(str::to_owned);
        let steps = own_values(&known, &names, &[("hue".to_owned(), 5)]);
        let steps: Vec<_> = steps.iter().map(|(control, value)| (control.name.as_str(), *value)).collect();
        assert_eq!(steps, [("gain", 4)]);
    }

    #[test]
    fn each_control_has_a_name_of_its_own() {
        let named =
            |id, label: &str| CameraControl { id, name: plain_name(label), ..control(ControlKind::Integer) };
        let mut controls = [
            named(0x0098_0900, "\u{4eae}\u{5ea6}"),
            named(0x0098_0901, "Gain"),
            named(0x0098_0902, "\u{42f}\u{440}\u{43a}\u{43e}\u{441}\u{442}\u{44c}"),
            named(0x0098_0913, "Gain"),
            named(0x0098_0914, "gain"),
        ];
        name_apart(&mut controls);
        let names = controls.map(|control| control.name);
        let wanted =
            ["control_0x00980900", "gain", "control_0x00980902", "gain_0x00980913", "gain_0x00980914"];
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_name_is_the_label_in_the_letters_of_a_key() {
        assert_eq!(plain_name("White Balance, Auto & Preset"), "white_balance_auto_preset");
        assert_eq!(plain_name("Brightness"), "brightness");
        assert_eq!(plain_name("(Exposure) "), "exposure");
    }

    #[test]
    fn an_impossible_value_is_reported_with_possible_ones() {
        let number = control(ControlKind::Integer);
        assert!(number.check(-4).is_ok() && number.check(8).is_ok());
        assert_eq!(number.check(9), Err("9; expected -4 to 8 in steps of 2".to_owned()));
        let menu = control(ControlKind::Menu(vec![(0, "Off".to_owned()), (3, "50 Hz".to_owned())]));
        assert!(menu.check(3).is_ok());
        assert_eq!(menu.check(1), Err("1; expected one of 0 (Off), 3 (50 Hz)".to_owned()));
        assert!(control(ControlKind::Button).check(77).is_ok());
        assert!(CameraControl { is_read_only: true, ..number }.check(0).is_err());
    }
}
