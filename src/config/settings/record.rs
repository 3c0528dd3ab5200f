//! The tables of recording: a row for each setting, in the order of defender.conf.

use std::path::Path;
use std::time::Duration;

use super::devices::named;
use super::form::OFF;
use super::server::seconds;
use super::value::ONE;
use super::{Form, Setting, Value};
use crate::media::{RecordChoice, RecordSound, RecordStore, RecordWhen};

/// Longest name of a microphone of another Defender: two names and a hyphen.
pub(in crate::config) const MOST_NAME_CHARS: usize = 65;

/// Bytes of a GB, in ten-thousandths of which sizes are given.
const GB: i64 = 1_000_000_000;

/// Greatest size, in ten-thousandths of a GB: 1000 TB.
const MOST_GB: i64 = 1_000_000 * ONE;

/// Longest time that footage is kept, in days: a hundred years.
const MOST_DAYS: u32 = 36_500;

/// `[record]`.
pub static RECORD: [Setting<RecordStore>; 6] = [
    Setting::<RecordStore>::own(
        "dir",
        "Folder of recordings",
        |store, section, paths| section.path("dir", paths, &mut store.dir),
        |store| store.dir.display().to_string().into(),
    ),
    Setting::<RecordStore>::new(
        "mount",
        "The folder must be a mount point",
        Form::Boolean,
        |store| store.is_mount.into(),
        |store, value| store.is_mount = value.is_true(),
    ),
    Setting::<RecordStore>::new(
        "max_gb",
        "Most GB of recordings",
        Form::Decimal(0..=MOST_GB),
        |store| gigabytes(store.max_bytes.unwrap_or(0)),
        |store, value| store.max_bytes = limit(bytes(value)),
    ),
    Setting::<RecordStore>::new(
        "min_free_gb",
        "GB of the disk left to others",
        Form::Decimal(0..=MOST_GB),
        |store| gigabytes(store.min_free_bytes),
        |store, value| store.min_free_bytes = bytes(value),
    ),
    Setting::<RecordStore>::new(
        "segment_mb",
        "MiB of a file of recordings",
        Form::Integer(4..=256),
        |store| u32::try_from(store.segment_bytes >> 20).unwrap_or(u32::MAX).into(),
        |store, value| store.segment_bytes = u64::from(value.number()) << 20,
    ),
    Setting::<RecordStore>::new(
        "flush_s",
        "Seconds until a picture is on the disk",
        Form::Integer(1..=30),
        |store| seconds(store.flush),
        |store, value| store.flush = Duration::from_secs(value.number().into()),
    ),
];

/// `[camera.NAME.record]` and `[remote.NAME.record]`.
pub static CAMERA_RECORD: [Setting<RecordChoice>; 10] = [
    Setting::<RecordChoice>::new(
        "when",
        "Record",
        Form::Choice(|| {
            let names = RecordWhen::NAMES.into_iter().map(|(name, _)| name);
            std::iter::once(OFF).chain(names).collect()
        }),
        |record| if record.is_on { record.settings.when.name() } else { OFF }.into(),
        |record, value| {
            record.is_on = value.text() != OFF;
            record.settings.when = named(&RecordWhen::NAMES, value.text()).unwrap_or(record.settings.when);
        },
    )
    .hint("Events: only around events; idle+events: a few pictures a second between them")
    .live(),
    Setting::<RecordChoice>::new(
        "idle_fps",
        "Pictures a second between events",
        Form::Integer(1..=30),
        |record| record.settings.idle_fps.into(),
        |record, value| record.settings.idle_fps = value.number(),
    )
    .hint("For idle+events, and for old recordings that are thinned")
    .live(),
    Setting::<RecordChoice>::new(
        "pre_s",
        "Seconds before an event",
        Form::Integer(0..=60),
        |record| seconds(record.settings.pre),
        |record, value| record.settings.pre = Duration::from_secs(value.number().into()),
    )
    .live(),
    Setting::<RecordChoice>::new(
        "post_s",
        "Seconds after an event",
        Form::Integer(0..=600),
        |record| seconds(record.settings.post),
        |record, value| record.settings.post = Duration::from_secs(value.number().into()),
    )
    .live(),
    Setting::<RecordChoice>::new(
        "microphone",
        "Microphone of the recording",
        Form::Text(MOST_NAME_CHARS),
        |record| record.settings.microphone.as_deref().unwrap_or_default().into(),
        |record, value| {
            record.is_own_sound = false;
            record.settings.microphone = Some(value.text().to_owned()).filter(|name| !name.is_empty());
        },
    )
    .hint("Empty: no sound")
    .live(),
    Setting::<RecordChoice>::new(
        "sound",
        "Format of recorded sound",
        Form::Choice(|| RecordSound::NAMES.map(|(name, _)| name).to_vec()),
        |record| record.settings.sound.name().into(),
        |record, value| record.settings.sound = named(&RecordSound::NAMES, value.text()).unwrap_or_default(),
    )
    .live(),
    Setting::<RecordChoice>::new(
        "days",
        "Days that recordings are kept",
        Form::Integer(0..=MOST_DAYS),
        |record| record.settings.days.unwrap_or(0).into(),
        |record, value| record.settings.days = days(value),
    )
    .hint("0: as long as there is space")
    .live(),
    Setting::<RecordChoice>::new(
        "event_days",
        "Days that recordings with an event are kept",
        Form::Integer(0..=MOST_DAYS),
        |record| record.settings.event_days.unwrap_or(0).into(),
        |record, value| record.settings.event_days = days(value),
    )
    .hint("0: as long as there is space")
    .live(),
    Setting::<RecordChoice>::new(
        "thin_after_days",
        "Days until recordings are thinned",
        Form::Integer(0..=MOST_DAYS),
        |record| record.settings.thin_after_days.unwrap_or(0).into(),
        |record, value| record.settings.thin_after_days = days(value),
    )
    .hint("0: never. The sound is removed, too. Footage of events stays")
    .live(),
    Setting::<RecordChoice>::new(
        "max_gb",
        "Most GB of recordings of this camera",
        Form::Decimal(0..=MOST_GB),
        |record| gigabytes(record.settings.max_bytes.unwrap_or(0)),
        |record, value| record.settings.max_bytes = limit(bytes(value)),
    )
    .hint("0: no limit of its own")
    .live(),
];

/// The defaults: footage lies beside the user file, in a folder that the server may write to.
pub(in crate::config) fn default_record_store(users: &Path) -> RecordStore {
    RecordStore::in_folder(users.with_file_name("recordings"))
}

/// The bytes of a size in GB.
fn bytes(value: &Value) -> u64 {
    u64::try_from(value.ten_thousandths() * (GB / ONE)).unwrap_or(0)
}

/// The size in GB of so many bytes.
fn gigabytes(bytes: u64) -> Value {
    Value::Decimal(i64::try_from(bytes).unwrap_or(i64::MAX) / (GB / ONE))
}

/// 0 is no limit.
fn limit(bytes: u64) -> Option<u64> {
    Some(bytes).filter(|bytes| *bytes > 0)
}

/// 0 is no limit.
fn days(value: &Value) -> Option<u32> {
    Some(value.number()).filter(|days| *days > 0)
}
