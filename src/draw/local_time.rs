//! Local time as people read it, for the pictures that Defender draws.

use std::time::{Duration, Instant};

use time::{OffsetDateTime, UtcOffset};

use super::zone::{Zone, zone};

/// A zone that was changed is shown so much later, without a restart.
const READ_EVERY: Duration = Duration::from_secs(60);

/// Tells local time.
#[derive(Debug, Default)]
pub(crate) struct LocalClock {
    zone: Zone,
    read: Option<Instant>,
}

impl LocalClock {
    /// The local time at `wall` since 1970, with its offset from UTC.
    pub(crate) fn at(&mut self, wall: Duration) -> OffsetDateTime {
        if self.read.is_none_or(|read| read.elapsed() >= READ_EVERY) {
            self.zone = zone(std::env::var("TZ").ok().as_deref());
            self.read = Some(Instant::now());
        }
        self.zone.at(wall)
    }
}

/// Date and time of day to the tenth of a second, with the offset from UTC.
pub(super) fn moment_tenths(now: OffsetDateTime) -> String {
    format!("{}.{} {}", seconds(now), now.millisecond() / 100, offset_name(now.offset()))
}

/// Date and time of day to the second, with the offset from UTC.
pub(crate) fn moment(now: OffsetDateTime) -> String {
    format!("{} {}", seconds(now), offset_name(now.offset()))
}

fn seconds(now: OffsetDateTime) -> String {
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second) = now.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}", u8::from(month))
}

/// An offset as people read it: `UTC`, `+01:00`, `-03:30`.
pub(super) fn offset_name(offset: UtcOffset) -> String {
    let (hours, minutes, _) = offset.as_hms();
    match offset.whole_minutes() {
        0 => "UTC".to_owned(),
        whole => {
            let sign = if whole < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::testing::NOW;

    #[test]
    fn the_clock_shows_local_time_with_its_offset() {
        assert_eq!(moment_tenths(NOW), "2026-11-23 14:05:17.3 +01:00");
        assert_eq!(moment_tenths(NOW).len(), "2026-11-23 13:05:17.3 +00:00".len());
        assert_eq!(moment(NOW), "2026-11-23 14:05:17 +01:00");
        assert_eq!(moment_tenths(NOW.to_offset(UtcOffset::UTC)), "2026-11-23 13:05:17.3 UTC");
    }
}
