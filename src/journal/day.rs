//! The journal's files: one for each day in UTC, by the wall clock as it is set when a line is written.

use super::record::EventRecord;
use crate::base::utc::{self, DAY_US};
use crate::media::EventKind;

/// The ending of the files' names.
const ENDING: &str = ".events";

/// A day, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u32);

/// What is known of the file of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DayFile {
    pub(super) day: Day,
    /// Its length.
    pub(super) bytes: u64,
    /// Number of its newest line.
    pub(super) last_n: u32,
    /// Whether it says which ids are reserved.
    pub(super) has_ids: bool,
    /// Bytes of lines about events that people and programs reported.
    reported_bytes: u64,
    /// Lines with a whole event, but for those that were reported.
    events: u32,
    /// Least and greatest id among them.
    ids: (u32, u32),
    /// When the first of them began, and when the last one began or ended: microseconds since 1970.
    wall_us: (u64, u64),
}

/// How much may be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct DayLimits {
    /// Events of a day that Defender finds. Beyond that only those are stored that people keep or wrote about.
    pub(super) day_events: u32,
    /// Bytes of a day's file, beyond which nothing is added but kept events. Events that are reported take half of them at
    /// the most, however many there are: the rest is for what Defender finds.
    pub(super) day_bytes: u64,
    /// Bytes of all files; beyond that the oldest ones are removed.
    pub(super) bytes: u64,
    /// Number of files.
    pub(super) days: usize,
}

/// What may still be added to the file of a day.
pub(super) struct Room {
    events: u32,
    has_bytes: bool,
    has_bytes_for_reported: bool,
}

impl Day {
    /// The day of a moment, in microseconds since 1970.
    pub(super) fn of(wall_us: u64) -> Self {
        Self((wall_us / DAY_US) as u32)
    }

    /// The day of a file; `None` for a file that is not the journal's.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let day = Self::of(utc::of_day(name.strip_suffix(ENDING)?)?);
        (day.name() == name).then_some(day)
    }

    /// The name of its file, such as `2026-11-29.events`.
    pub(super) fn name(self) -> String {
        utc::day(u64::from(self.0) * DAY_US) + ENDING
    }
}

impl DayFile {
    pub(super) fn new(day: Day) -> Self {
        let (none, wall_us) = ((u32::MAX, 0), (u64::MAX, 0));
        Self { day, bytes: 0, last_n: 0, has_ids: false, reported_bytes: 0, events: 0, ids: none, wall_us }
    }

    /// So many bytes of it are about this event.
    pub(super) fn count_bytes(&mut self, record: &EventRecord, bytes: u64) {
        self.reported_bytes += if is_reported(record) { bytes } else { 0 };
    }

    /// A line with a whole event is in it.
    pub(super) fn saw(&mut self, record: &EventRecord) {
        let id = record.event.id;
        let end_us = record.wall_end_us().unwrap_or(record.wall_start_us);
        self.events = self.events.saturating_add(u32::from(!is_reported(record)));
        self.ids = (self.ids.0.min(id), self.ids.1.max(id));
        self.wall_us = (self.wall_us.0.min(record.wall_start_us), self.wall_us.1.max(end_us));
    }

    /// An event in it ended at this moment.
    pub(super) fn saw_end(&mut self, wall_end_us: u64) {
        self.wall_us.1 = self.wall_us.1.max(wall_end_us);
    }

    /// Whether it can have an event with an id in `from..before` that went on within these moments.
    pub(super) fn may_have(&self, ids: std::ops::Range<u32>, from_us: u64, to_us: u64) -> bool {
        self.ids.0 < ids.end
            && self.ids.1 >= ids.start
            && self.wall_us.0 <= to_us
            && self.wall_us.1 >= from_us
    }
}

impl DayLimits {
    pub(super) const DEFAULT: Self =
        Self { day_events: 10_000, day_bytes: 4 * 1024 * 1024, bytes: 16 * 1024 * 1024, days: 400 };

    /// The room in the file of a day, which need not be there yet.
    pub(super) fn room(&self, file: Option<&DayFile>) -> Room {
        let new = DayFile::new(Day(0));
        let DayFile { events, bytes, reported_bytes, .. } = file.unwrap_or(&new);
        let has_bytes = *bytes < self.day_bytes;
        let has_bytes_for_reported = has_bytes && *reported_bytes < self.day_bytes / 2;
        Room { events: self.day_events.saturating_sub(*events), has_bytes, has_bytes_for_reported }
    }

    /// The file to be removed next, where there are too many or too large ones; never the newest one.
    pub(super) fn surplus(&self, files: &[DayFile]) -> Option<Day> {
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let is_over = files.len() > self.days || bytes > self.bytes;
        files.first().filter(|_| is_over && files.len() > 1).map(|file| file.day)
    }
}

impl Room {
    /// Whether there is room for a line with this event, which takes it.
    pub(super) fn take(&mut self, record: &EventRecord) -> bool {
        let is_counted = !is_reported(record);
        let has_room =
            self.has_bytes_for(record) && (!is_counted || self.events > 0 || !record.note.is_empty());
        self.events = self.events.saturating_sub(u32::from(is_counted));
        // There are few that are kept, and they move from file to file.
        has_room || record.is_kept
    }

    /// Whether there is room for a short line about this event.
    pub(super) fn has_bytes_for(&self, record: &EventRecord) -> bool {
        if is_reported(record) { self.has_bytes_for_reported } else { self.has_bytes }
    }
}

/// Whether a person or a program reported it, and not Defender.
fn is_reported(record: &EventRecord) -> bool {
    record.event.kind == EventKind::Manual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_day() {
        let day = Day::of(1_795_996_799_999_999);
        assert_eq!(day.name(), "2026-11-29.events");
        assert_eq!(Day::of(1_795_996_800_000_000).name(), "2026-11-30.events");
        assert_eq!(
            (Day::of_name("2026-11-29.events"), Day::of(0).name().as_str()),
            (Some(day), "1970-01-01.events")
        );
        for other in [
            "2026-11-29",
            "2026-11-31.events",
            "2026-1-1.events",
            "x.events",
            ".events",
            "2026-11-29.events~",
        ] {
            assert_eq!(Day::of_name(other), None, "{other}");
        }
    }
}
