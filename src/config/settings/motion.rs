//! The tables of detection: a row for each setting, in the order of defender.conf.

use super::form::OFF;
use super::{Form, Setting, Value};
use crate::media::{Armed, ArmedTime, MotionChoice, NoiseChoice};

/// `size_percent` is in ten-thousandths of a percent, a size in ten-thousandths of the picture.
const PERCENT: i64 = 100;

/// Looks a second.
const LOOKS: std::ops::RangeInclusive<u32> = 1..=10;

/// `[camera.NAME.motion]`.
pub static CAMERA_MOTION: [Setting<MotionChoice>; 5] = [
    Setting::<MotionChoice>::new(
        "size_percent",
        "Smallest size of motion, in percent of the picture",
        Form::Decimal(PERCENT..=10_000 * PERCENT),
        |motion| Value::Decimal(i64::from(motion.settings.size) * PERCENT),
        |motion, value| {
            motion.settings.size = u16::try_from(value.ten_thousandths() / PERCENT).unwrap_or(u16::MAX);
        },
    )
    .live(),
    Setting::<MotionChoice>::new(
        "looks",
        "Pictures examined per second",
        Form::Integer(LOOKS),
        |motion| motion.settings.looks.into(),
        |motion, value| motion.settings.looks = value.number(),
    )
    .live(),
    Setting::<MotionChoice>::new(
        "zones",
        "Where motion counts",
        Form::Zones,
        |motion| motion.settings.zones.as_slice().into(),
        |motion, value| motion.settings.zones = value.zones(),
    )
    .hint("Everywhere if there is none; of the picture as the camera sends it, before the turn")
    .live(),
    Setting::<MotionChoice>::new(
        "masks",
        "Where motion does not count",
        Form::PlainPolygons,
        |motion| motion.settings.masks.as_slice().into(),
        |motion, value| motion.settings.masks = value.polygons(),
    )
    .hint("Of the picture as the camera sends it, before the turn")
    .live(),
    Setting::<MotionChoice>::new(
        "armed",
        "When motion counts",
        Form::Armed,
        |motion| shown(motion.active().map(|motion| &motion.armed)),
        |motion, value| set_armed(value, &mut motion.is_on, &mut motion.settings.armed),
    )
    .hint("always, never, or local times; off: no alarms of the scene either")
    .live(),
];

/// `[microphone.NAME.noise]`.
pub static MICROPHONE_NOISE: [Setting<NoiseChoice>; 2] = [
    Setting::<NoiseChoice>::new(
        "over_floor_db",
        "dB above the noise floor",
        Form::Integer(3..=60),
        |noise| u32::from(noise.settings.over_floor_db).into(),
        |noise, value| noise.settings.over_floor_db = u16::try_from(value.number()).unwrap_or(u16::MAX),
    ),
    Setting::<NoiseChoice>::new(
        "armed",
        "When sound counts",
        Form::Armed,
        |noise| shown(noise.active().map(|noise| &noise.armed)),
        |noise, value| set_armed(value, &mut noise.is_on, &mut noise.settings.armed),
    ),
];

/// Sets whether something is looked for, and when it counts.
fn set_armed(value: &Value, is_on: &mut bool, armed: &mut Armed) {
    *is_on = !matches!(value, Value::Text(word) if word == OFF);
    *armed = match value {
        Value::Text(word) if word == Armed::NEVER => Armed::Never,
        Value::List(times) => {
            Armed::Times(times.iter().filter_map(|time| ArmedTime::parse(time.text())).collect())
        }
        _ => Armed::Always,
    };
}

/// When it counts; `None` while it is not looked for.
fn shown(armed: Option<&Armed>) -> Value {
    match armed {
        None => OFF.into(),
        Some(Armed::Always) => Armed::ALWAYS.into(),
        Some(Armed::Never) => Armed::NEVER.into(),
        Some(Armed::Times(times)) => Value::List(times.iter().map(|time| time.text().into()).collect()),
    }
}
