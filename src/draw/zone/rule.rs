//! The rule of a time zone as `TZ` and the end of a file of tzdata have it (POSIX, and RFC 8536,
//! section 3.3): `CET-1CEST,M3.5.0,M10.5.0/3`.

use time::{Date, Month, OffsetDateTime};

/// Offsets and, where the clock is set twice a year, when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// Standard time, in seconds east of UTC.
    pub(super) standard_s: i32,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Summer {
    offset_s: i32,
    begins: Change,
    ends: Change,
}

/// A day of each year, and the seconds from its start by the clock until then.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    day: Day,
    time_s: i32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    /// 1 to 365; the 29th of February is never counted.
    Julian(u16),
    /// 0 to 365.
    OfYear(u16),
    /// Month, week of it (5 is the last), day of the week (0 is Sunday).
    OfMonth(Month, u8, u8),
}

const DAY_S: i32 = 86_400;
const TWO_O_CLOCK_S: i32 = 7200;

impl Rule {
    /// Reads a rule; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        name(&mut rest)?;
        let standard_s = -time_s(&mut rest)?;
        if rest.is_empty() {
            return Some(Self { standard_s, summer: None });
        }
        name(&mut rest)?;
        let offset_s = match rest.as_bytes().first() {
            None | Some(b',') => standard_s + 3600,
            Some(_) => -time_s(&mut rest)?,
        };
        // Where the rule has no days, POSIX takes those of the United States.
        let days = if rest.is_empty() { "M3.2.0,M11.1.0" } else { rest.strip_prefix(',')? };
        let (begins, ends) = days.split_once(',')?;
        let (begins, ends) = (Change::parse(begins)?, Change::parse(ends)?);
        Some(Self { standard_s, summer: Some(Summer { offset_s, begins, ends }) })
    }

    /// The offset at a time in seconds since 1970, in seconds east.
    pub(super) fn offset_s(&self, at_s: i64) -> i32 {
        let Some(summer) = self.summer else { return self.standard_s };
        let Ok(here) = OffsetDateTime::from_unix_timestamp(at_s.saturating_add(self.standard_s.into()))
        else {
            return self.standard_s;
        };
        let begins = summer.begins.in_year(here.year()).map(|at| at - i64::from(self.standard_s));
        let ends = summer.ends.in_year(here.year()).map(|at| at - i64::from(summer.offset_s));
        let is_summer = match (begins, ends) {
            (Some(begins), Some(ends)) if begins < ends => (begins..ends).contains(&at_s),
            // South of the equator, it is summer at both ends of a year.
            (Some(begins), Some(ends)) => !(ends..begins).contains(&at_s),
            _ => false,
        };
        if is_summer { summer.offset_s } else { self.standard_s }
    }
}

impl Change {
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('/').map_or((text, None), |(day, time)| (day, Some(time)));
        let mut time = time.unwrap_or_default();
        let time_s = if time.is_empty() { TWO_O_CLOCK_S } else { time_s(&mut time)? };
        Some(Self { day: Day::parse(day)?, time_s }).filter(|_| time.is_empty())
    }

    /// Seconds since 1970, as if the clock showed UTC.
    fn in_year(self, year: i32) -> Option<i64> {
        let midnight = self.day.in_year(year)?.midnight().assume_utc().unix_timestamp();
        Some(midnight + i64::from(self.time_s))
    }
}

impl Day {
    fn parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix('J') {
            return number.parse().ok().filter(|day| (1..=365).contains(day)).map(Self::Julian);
        }
        let Some(date) = text.strip_prefix('M') else {
            return text.parse().ok().filter(|day| *day <= 365).map(Self::OfYear);
        };
        let mut fields = date.split('.').map(|field| field.parse::<u8>().ok());
        let (month, week, weekday) = (fields.next()??, fields.next()??, fields.next()??);
        let is_day = (1..=5).contains(&week) && weekday <= 6 && fields.next().is_none();
        Month::try_from(month).ok().filter(|_| is_day).map(|month| Self::OfMonth(month, week, weekday))
    }

    fn in_year(self, year: i32) -> Option<Date> {
        match self {
            Self::Julian(day) => {
                let leap = u16::from(time::util::is_leap_year(year) && day >= 60);
                Date::from_ordinal_date(year, day + leap).ok()
            }
            Self::OfYear(day) => Date::from_ordinal_date(year, day + 1).ok(),
            Self::OfMonth(month, week, weekday) => {
                let first = Date::from_calendar_date(year, month, 1).ok()?;
                let until = (7 + weekday - first.weekday().number_days_from_sunday()) % 7;
                let day = 1 + until + (week - 1) * 7;
                let last = if day > month.length(year) { day - 7 } else { day };
                Date::from_calendar_date(year, month, last).ok()
            }
        }
    }
}

/// Takes the name of a time from the front: three letters or more, or anything in angle brackets.
fn name(rest: &mut &str) -> Option<()> {
    let length = match rest.strip_prefix('<') {
        Some(quoted) => quoted.find('>')? + 2,
        None => rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()),
    };
    *rest = rest.get(length..)?;
    (length >= 3).then_some(())
}

/// Takes `[+-]hours[:minutes[:seconds]]` from the front, in seconds.
fn time_s(rest: &mut &str) -> Option<i32> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ':');
    let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    let (text, behind) = rest.split_at(length);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut sum_s = 0;
    let (mut unit_s, mut most) = (3600, 167);
    for part in digits.split(':') {
        let number = part.parse::<i32>().ok().filter(|number| (0..=most).contains(number) && unit_s > 0)?;
        sum_s += number * unit_s;
        (unit_s, most) = (unit_s / 60, 59);
    }
    *rest = behind;
    Some(sign * sum_s).filter(|sum_s| sum_s.abs() <= 7 * DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(rule: &str, times_s: &[i64]) -> Vec<i32> {
        let rule = Rule::parse(rule).unwrap();
        times_s.iter().map(|at_s| rule.offset_s(*at_s)).collect()
    }

    #[test]
    fn the_clock_is_set_at_the_second_that_the_rule_names() {
        // 2026-03-29 and 2026-10-25, both at 01:00 UTC.
        let europe = [1_774_745_999, 1_774_746_000, 1_792_889_999, 1_792_890_000];
        assert_eq!(offsets("CET-1CEST,M3.5.0,M10.5.0/3", &europe), [3600, 7200, 7200, 3600]);
        assert_eq!(
            offsets("IST-1GMT0,M10.5.0,M3.5.0/1", &europe),
            [0, 3600, 3600, 0],
            "winter is the odd one"
        );
        // 2026-03-08 at 07:00 UTC and 2026-11-01 at 06:00 UTC.
        let america = [1_772_953_199, 1_772_953_200, 1_793_512_799, 1_793_512_800];
        assert_eq!(offsets("EST5EDT", &america), [-18_000, -14_400, -14_400, -18_000]);
        // 2026-04-05 and 2026-10-04, both at 16:00 UTC of the day before.
        let australia = [1_775_318_399, 1_775_318_400, 1_791_043_199, 1_791_043_200];
        let south = offsets("AEST-10AEDT,M10.1.0,M4.1.0/3", &australia);
        assert_eq!(south, [39_600, 36_000, 36_000, 39_600]);
    }

    #[test]
    fn names_offsets_and_days_have_every_form() {
        assert_eq!(offsets("<+0545>-5:45", &[0]), [20_700]);
        assert_eq!(offsets("<-03>3", &[0]), [-10_800]);
        assert_eq!(offsets("XXX3YYY,J60/0,300/-1:30", &[68_299_200, 68_299_199 - 86_400]), [-7200, -10_800]);
    }

    #[test]
    fn what_is_no_rule_is_none() {
        for odd in [
            "",
            "UTC",
            "AB3",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1:",
            "CET-1CEST,M13.5.0,M1.1.0",
            "CET-999",
            "CET-1:99",
            "CET-1CEST,J0,J9",
            "CET-1CEST,M3.5.0/x,M10.5.0",
            "<CET-1",
            "CET-1CEST,M3.5.0.1,M10.5.0",
        ] {
            assert_eq!(Rule::parse(odd), None, "{odd}");
        }
    }
}
