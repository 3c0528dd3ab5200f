//! The board's time zone: that of `TZ`, else that of /etc/localtime, in the form that tzdata has it (RFC 8536).
//!
//! The C library's reader is not used: in a static binary it would read the environment a second time. That of the
//! `time` crate refuses to answer in a program with threads.
//!
//! The zone is read again at most once a minute. A crate for time zones would add more bytes than the limit of
//! the binary allows. The log file and `X-Timestamp` stay in UTC.

mod rule;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};

use rule::Rule;

const LOCALTIME: &str = "/etc/localtime";
const ZONEINFO: &str = "/usr/share/zoneinfo";

/// Larger than any file of tzdata.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// When a zone has which offset from UTC.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Zone {
    /// The offset before the first change, in seconds east.
    first_s: i32,
    /// Changes, oldest first: seconds since 1970, and the offset from then on.
    changes: Vec<(i64, i32)>,
    /// What holds after the last change.
    rule: Option<Rule>,
}

/// The zone that the environment variable `TZ` names, or the machine's; UTC where there is none.
pub(super) fn zone(named: Option<&str>) -> Zone {
    let Some(name) = named.map(|name| name.trim_start_matches(':')) else {
        return read(Path::new(LOCALTIME)).unwrap_or_default();
    };
    let is_name = !name.is_empty() && !name.split('/').any(|part| part == "..");
    // An absolute path stays one when it is joined.
    let file = is_name.then(|| read(&Path::new(ZONEINFO).join(name))).flatten();
    file.unwrap_or_else(|| {
        let rule = Rule::parse(name);
        Zone { first_s: rule.map_or(0, |rule| rule.standard_s), changes: Vec::new(), rule }
    })
}

fn read(file: &Path) -> Option<Zone> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Zone::parse(&bytes)
}

impl Zone {
    /// The local time at `wall` since 1970. A clock that is set beyond the year 9999 shows 1970.
    pub(super) fn at(&self, wall: Duration) -> OffsetDateTime {
        let at_s = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
        let utc = OffsetDateTime::from_unix_timestamp(at_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let offset = UtcOffset::from_whole_seconds(self.offset_s(at_s)).unwrap_or(UtcOffset::UTC);
        (utc + Duration::from_nanos(wall.subsec_nanos().into()))
            .checked_to_offset(offset)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn offset_s(&self, at_s: i64) -> i32 {
        let passed = self.changes.partition_point(|(since_s, _)| *since_s <= at_s);
        match (&self.rule, passed) {
            (Some(rule), passed) if passed == self.changes.len() => rule.offset_s(at_s),
            (_, 0) => self.first_s,
            (_, passed) => self.changes[passed - 1].1,
        }
    }

    /// Reads a file of tzdata; `None` where it is none.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let first = Counts::parse(bytes)?;
        if bytes[4] == 0 {
            return first.block(bytes.get(HEADER_BYTES..)?, 4);
        }
        // From version 2 on everything comes a second time, with times of 64 bits.
        let second = bytes.get(HEADER_BYTES + first.bytes(4)..)?;
        let counts = Counts::parse(second)?;
        let block = second.get(HEADER_BYTES..)?;
        let footer = block.get(counts.bytes(8)..)?.trim_ascii();
        let rule = str::from_utf8(footer).ok().and_then(Rule::parse);
        Some(Self { rule, ..counts.block(block, 8)? })
    }
}

const HEADER_BYTES: usize = 44;

/// How much of what a block holds (RFC 8536, section 3.1).
struct Counts {
    universal: usize,
    standard: usize,
    leaps: usize,
    times: usize,
    types: usize,
    letters: usize,
}

impl Counts {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        if !header.starts_with(b"TZif") {
            return None;
        }
        let count = |at: usize| {
            let field = header[20 + at * 4..][..4].try_into().unwrap_or_default();
            // So many fit into no file that is read; and no sum of them overflows.
            usize::try_from(u32::from_be_bytes(field)).ok().filter(|count| *count <= MAX_FILE_BYTES as usize)
        };
        Some(Self {
            universal: count(0)?,
            standard: count(1)?,
            leaps: count(2)?,
            times: count(3)?,
            types: count(4)?,
            letters: count(5)?,
        })
    }

    /// The length of a block whose times have so many bytes.
    fn bytes(&self, time: usize) -> usize {
        let per_time = self.times * (time + 1);
        per_time + self.types * 6 + self.letters + self.leaps * (time + 4) + self.standard + self.universal
    }

    /// The changes in a block (RFC 8536, section 3.2).
    fn block(&self, bytes: &[u8], time: usize) -> Option<Zone> {
        let (times, rest) = bytes.split_at_checked(self.times * time)?;
        let (kinds, rest) = rest.split_at_checked(self.times)?;
        let types = rest.get(..self.types * 6)?;
        let offset_s = |kind: u8| {
            let at = usize::from(kind) * 6;
            Some(i32::from_be_bytes(types.get(at..at + 4)?.try_into().ok()?))
        };
        let since_s = |bytes: &[u8]| match bytes.try_into() {
            Ok(wide) => i64::from_be_bytes(wide),
            Err(_) => bytes.try_into().map_or(0, |narrow| i32::from_be_bytes(narrow).into()),
        };
        let changes = times.chunks_exact(time).zip(kinds);
        let changes = changes.map(|(at, kind)| Some((since_s(at), offset_s(*kind)?)));
        Some(Zone { first_s: offset_s(0)?, changes: changes.collect::<Option<_>>()?, rule: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::local_time::offset_name;

    fn block(time: usize, changes: &[(i64, u8)], types: &[i32]) -> Vec<u8> {
        let mut bytes = b"TZif2".to_vec();
        bytes.resize(20, 0);
        for count in [0, 0, 0, changes.len(), types.len(), 4] {
            bytes.extend((count as u32).to_be_bytes());
        }
        bytes.extend(changes.iter().flat_map(|(at, _)| at.to_be_bytes()[8 - time..].to_vec()));
        bytes.extend(changes.iter().map(|(_, kind)| kind));
        bytes.extend(types.iter().flat_map(|offset| [&offset.to_be_bytes()[..], &[0, 0]].concat()));
        bytes.extend(b"CET\0");
        bytes
    }

    /// From 2000 an hour east of UTC, from 2026 by the rule of central Europe.
    fn file() -> Vec<u8> {
        let changes = [(946_684_800, 1), (1_767_225_600, 1)];
        let mut bytes = block(4, &changes, &[0, 3600]);
        bytes.extend(block(8, &changes, &[0, 3600]));
        bytes.extend(b"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
        bytes
    }

    fn shown(zone: &Zone, unix_s: u64) -> String {
        let now = zone.at(Duration::from_secs(unix_s));
        format!("{} {} {}", now.date(), now.time(), offset_name(now.offset()))
    }

    #[test]
    fn a_file_of_tzdata_gives_the_offset_of_each_time() {
        let zone = Zone::parse(&file()).unwrap();
        assert_eq!(shown(&zone, 946_684_799), "1999-12-31 23:59:59.0 UTC");
        assert_eq!(shown(&zone, 946_684_800), "2000-01-01 1:00:00.0 +01:00");
        assert_eq!(shown(&zone, 1_782_000_000), "2026-06-21 2:00:00.0 +02:00");
        assert_eq!(shown(&zone, 1_795_439_117), "2026-11-23 14:05:17.0 +01:00");
    }

    #[test]
    fn a_version_1_file_has_times_of_32_bits_and_no_rule() {
        let mut old = block(4, &[(946_684_800, 1)], &[0, -12_600]);
        old[4] = 0;
        let zone = Zone::parse(&old).unwrap();
        assert_eq!(shown(&zone, 1_795_439_117), "2026-11-23 9:35:17.0 -03:30");
    }

    #[test]
    fn a_broken_file_is_none_and_breaks_nothing() {
        let whole = file();
        for length in 0..whole.len() {
            let _ = Zone::parse(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] = 0xFF;
            if let Some(zone) = Zone::parse(&bent) {
                zone.at(Duration::from_secs(1_795_439_117));
            }
        }
        assert_eq!(Zone::parse(b"Berlin"), None);
    }

    #[test]
    fn the_environment_names_a_zone_or_has_its_rule() {
        assert_eq!(shown(&zone(Some("XXX3")), 1_795_439_117), "2026-11-23 10:05:17.0 -03:00");
        for odd in ["", ":", "../../etc/passwd", "/etc/passwd", "No/Such_Zone"] {
            assert_eq!(zone(Some(odd)), Zone::default(), "{odd}");
        }
    }

    #[test]
    fn a_clock_that_is_far_off_is_no_fault() {
        let zone = Zone::parse(&file()).unwrap();
        for wall in [Duration::ZERO, Duration::from_secs(253_402_300_799), Duration::MAX] {
            zone.at(wall);
        }
    }
}
