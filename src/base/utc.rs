//! Moments of the wall clock as text: RFC 3339 and seconds since 1970.
//!
//! A moment is a number of microseconds since 1970 (the Unix epoch, UTC), as `X-Timestamp` and the API have it.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Microseconds in a second.
pub const SECOND_US: u64 = 1_000_000;

/// Microseconds in a day.
pub const DAY_US: u64 = 86_400 * SECOND_US;

/// The last moment that is taken, in microseconds since 1970: the end of the year 9999.
pub const LAST_US: u64 = 253_402_300_799 * SECOND_US;

/// The calendar's view of a moment, in UTC.
pub fn calendar(wall_us: u64) -> OffsetDateTime {
    let nanos = i128::from(wall_us.min(LAST_US)) * 1000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The day of a moment, such as `2026-11-29`.
pub fn day(wall_us: u64) -> String {
    day_of(calendar(wall_us))
}

/// A moment to the millisecond as RFC 3339 has it, such as `2026-11-29T08:15:00.250Z`.
pub fn rfc3339(wall_us: u64) -> String {
    let at = calendar(wall_us);
    format!("{}.{:03}Z", date_and_time(at), at.millisecond())
}

/// A moment to the second as RFC 3339 has it, such as `2026-11-29T08:15:00Z`.
pub fn rfc3339_seconds(wall_us: u64) -> String {
    format!("{}Z", date_and_time(calendar(wall_us)))
}

/// A moment to the second for the name of a file, such as `2026-11-29T081500Z`, or `2026-11-29T091500+0100` where
/// `text`, a moment in RFC 3339, has that offset.
pub fn for_file_name(wall_us: u64, text: &str) -> String {
    let zone =
        text.get(11..).and_then(|rest| offset(&rest[rest.find(['+', '-'])?..])).unwrap_or(UtcOffset::UTC);
    let utc = calendar(wall_us);
    let (at, zone) = utc.checked_to_offset(zone).map_or((utc, UtcOffset::UTC), |there| (there, zone));
    let (sign, minutes) = (if zone.is_negative() { '-' } else { '+' }, zone.whole_minutes().unsigned_abs());
    let zone = match minutes {
        0 => "Z".to_owned(),
        minutes => format!("{sign}{:02}{:02}", minutes / 60, minutes % 60),
    };
    format!("{}{zone}", date_and_time(at).replace(':', ""))
}

/// The start of a day such as `2026-11-29`; `None` for what is no day.
pub fn of_day(text: &str) -> Option<u64> {
    let start = date(text)?.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
    u64::try_from(start).ok().map(|start| start * SECOND_US)
}

/// A moment in RFC 3339, with any offset and any fraction, or in seconds since 1970. One before 1970 counts as that, one
/// after the year 9999 as its end.
pub fn parse(text: &str) -> Option<u64> {
    seconds(text).or_else(|| date_time(text)).map(|at| at.min(LAST_US))
}

fn day_of(at: OffsetDateTime) -> String {
    format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
}

fn date_and_time(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.time().as_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}", day_of(at))
}

fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole)?.checked_mul(SECOND_US)?.checked_add(micros(fraction)?)
}

/// RFC 3339, section 5.6. A leap second counts as the one before it.
fn date_time(text: &str) -> Option<u64> {
    let (day, rest) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = two_digits(clock, 3)?[..] else { return None };
    let time = Time::from_hms(hour, minute, second.min(59)).ok().filter(|_| second <= 60)?;
    let at = date(day)?.with_time(time).assume_offset(offset(zone)?).unix_timestamp();
    u64::try_from(at).unwrap_or(0).checked_mul(SECOND_US)?.checked_add(micros(fraction)?)
}

fn date(text: &str) -> Option<Date> {
    let (year, rest) = (text.get(..4)?, text.get(4..)?.strip_prefix('-')?);
    let [month, day] = two_digits(&rest.replace('-', ":"), 2)?[..] else { return None };
    let year = i32::try_from(digits(year)?).ok()?;
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

fn offset(zone: &str) -> Option<UtcOffset> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(UtcOffset::UTC);
    }
    let [hours, minutes] = two_digits(zone.get(1..)?, 2)?[..] else { return None };
    let sign: i8 = if zone.starts_with('-') { -1 } else { 1 };
    UtcOffset::from_hms(sign * i8::try_from(hours).ok()?, sign * i8::try_from(minutes).ok()?, 0).ok()
}

/// `count` numbers of two digits with colons between them.
fn two_digits(text: &str, count: usize) -> Option<Vec<u8>> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &&str| if part.len() == 2 { digits(part)?.try_into().ok() } else { None };
    if parts.len() == count { parts.iter().map(number).collect() } else { None }
}

/// A fraction of a second in microseconds; further digits are cut off.
fn micros(fraction: &str) -> Option<u64> {
    digits(fraction)?;
    let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
    digits(&six)
}

/// A number of digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_795_939_200_250_000;

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        assert_eq!((day(AT).as_str(), rfc3339(AT).as_str()), ("2026-11-29", "2026-11-29T08:00:00.250Z"));
        assert_eq!(rfc3339_seconds(AT), "2026-11-29T08:00:00Z");
        for at in [0, AT, 951_782_400_000_000, LAST_US] {
            assert_eq!(parse(&rfc3339(at)), Some(at));
            let start = of_day(&day(at)).unwrap();
            assert!(start <= at && at - start < 86_400 * SECOND_US, "{at}");
        }
    }

    #[test]
    fn moments_are_read_in_each_of_their_forms() {
        for text in [
            "1795939200.25",
            "1795939200.250000",
            "2026-11-29T09:00:00.25+01:00",
            "2026-11-29t02:30:00.2500009-05:30",
            "2026-11-29 08:00:00.25z",
        ] {
            assert_eq!(parse(text), Some(AT), "{text}");
        }
        assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2016-12-31T23:59:59Z"));
        let ends = (parse("1969-12-31T23:59:59Z"), parse("9999-12-31T23:59:59-05:00"));
        assert_eq!(ends, (Some(0), Some(LAST_US)));
    }

    #[test]
    fn the_name_of_a_file_says_of_which_zone_its_time_is() {
        for (text, name) in [
            ("2026-11-29T13:30:00.250+05:30", "2026-11-29T133000+0530"),
            ("2026-11-29T00:30:00-07:30", "2026-11-29T003000-0730"),
            ("2026-11-29T08:00:00+00:00", "2026-11-29T080000Z"),
            ("2026-11-29T08:00:00Z", "2026-11-29T080000Z"),
            ("1795939200.25", "2026-11-29T080000Z"),
            ("2026-11-29T08:00:00+99:00", "2026-11-29T080000Z"),
            ("\u{e4}-\u{e4}-\u{e4}-\u{e4}-+", "2026-11-29T080000Z"),
        ] {
            assert_eq!(for_file_name(AT, text), name, "{text}");
        }
        assert_eq!(for_file_name(LAST_US, "2026-11-29T13:30:00+05:30"), "9999-12-31T235959Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "-1",
            "+1",
            "1e9",
            "1.",
            ".5",
            "2026-11-29",
            "2026-11-29T08:00:00",
            "2026-02-30T00:00:00Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T08:00:61Z",
            "2026-11-29T8:00:00Z",
            "26-11-29T08:00:00Z",
            "2026-11-29T08:00:00+1:00",
            "99999999999999999999",
            "2026-11-29T08:00:00.Z",
            "2026-11-29\u{e4}08:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
