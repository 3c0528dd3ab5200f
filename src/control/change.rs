//! Other settings for a camera, and whether they can be.

use std::ops::RangeInclusive;

use super::{CameraSettings, ControlError};
use crate::base::limits;

/// What is to become of a camera; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraChange {
    /// Pixels in a row.
    pub width: Option<u32>,
    /// Rows.
    pub height: Option<u32>,
    /// Frames a second.
    pub fps: Option<u32>,
    /// JPEG quality where Defender encodes.
    pub quality: Option<u32>,
    /// Values of the camera's controls, by name.
    pub controls: Vec<(String, i32)>,
}

/// A change in words, for the audit log.
#[derive(Debug)]
pub struct Told<'a>(pub &'a CameraChange);

impl CameraChange {
    /// Whether nothing is to change.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What makes of `from` what `to` is.
    pub(super) fn between(from: &CameraSettings, to: &CameraSettings) -> Self {
        let number = |from: u32, to: u32| (from != to).then_some(to);
        let controls = to.controls.iter().filter(|control| !from.controls.contains(control));
        Self {
            width: number(from.width, to.width),
            height: number(from.height, to.height),
            fps: number(from.fps, to.fps),
            quality: number(from.quality.into(), to.quality.into()),
            controls: controls.cloned().collect(),
        }
    }

    /// The numbers there are, by their keys in defender.conf.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all =
            [("width", self.width), ("height", self.height), ("fps", self.fps), ("quality", self.quality)];
        all.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    /// The settings with this change made.
    ///
    /// # Errors
    /// A value that defender.conf would not take either.
    pub(super) fn applied_to(&self, settings: &CameraSettings) -> Result<CameraSettings, ControlError> {
        let mut changed = settings.clone();
        for (key, value) in self.numbers() {
            let (range, setting): (RangeInclusive<u32>, &mut u32) = match key {
                "width" => (limits::SIDE, &mut changed.width),
                "height" => (limits::SIDE, &mut changed.height),
                "fps" => (limits::FPS, &mut changed.fps),
                _ => {
                    changed.quality = u8::try_from(checked(key, value, limits::QUALITY)?).unwrap_or(u8::MAX);
                    continue;
                }
            };
            *setting = checked(key, value, range)?;
        }
        for (name, value) in &self.controls {
            match changed.controls.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = *value,
                None => changed.controls.push((name.clone(), *value)),
            }
        }
        Ok(changed)
    }
}

fn checked(key: &str, value: u32, range: RangeInclusive<u32>) -> Result<u32, ControlError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = range.into_inner();
    Err(ControlError::Value(format!("{key} is {value}; expected {least} to {most}")))
}

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = self.0.numbers().map(|(key, value)| format!("{key} {value}"));
        let controls = self.0.controls.iter().map(|(name, value)| format!("{name:.32} {value}"));
        f.write_str(&numbers.chain(controls).collect::<Vec<_>>().join(", "))
    }
}
