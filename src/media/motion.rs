//! What is asked of detection: whether and when motion at a camera and sound at a microphone are reported, and where.

use std::fmt;
use std::time::Duration;

use super::{Polygon, Zone};

/// Whether and how something is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice<S> {
    /// Whether it is looked for.
    pub is_on: bool,
    /// How it is, or would be.
    pub settings: S,
}

/// Whether and how motion is looked for at a camera, and with it alarms of the scene.
pub type MotionChoice = Choice<MotionSettings>;

/// Whether and how sound is looked for at a microphone.
pub type NoiseChoice = Choice<NoiseSettings>;

/// How motion is looked for at a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionSettings {
    /// The smallest size that is reported, in ten-thousandths of the picture.
    pub size: u16,
    /// Looks a second.
    pub looks: u32,
    /// Where motion counts, in the picture as the camera sends it; everywhere if there is none.
    pub zones: Vec<Zone>,
    /// Where it does not count, in the picture as the camera sends it.
    pub masks: Vec<Polygon>,
    /// When it counts.
    pub armed: Armed,
}

/// How sound is looked for at a microphone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoiseSettings {
    /// How far above the noise floor a sound must be, in dB.
    pub over_floor_db: u16,
    /// When it counts.
    pub armed: Armed,
}

/// When motion or sound counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Armed {
    /// At any time.
    #[default]
    Always,
    /// Never.
    Never,
    /// At these times.
    Times(Vec<ArmedTime>),
}

/// A time of day on some days of the week, in local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmedTime {
    /// As it was written.
    text: String,
    /// The days on which it begins: the lowest bit is Monday.
    days: u8,
    /// When it begins, in minutes of the day.
    from: u16,
    /// When it ends, in minutes of the day; on the next day if that is not after the begin.
    until: u16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const DAY_MIN: u16 = 24 * 60;

/// A camera's frames come a little early or late.
const EARLY: Duration = Duration::from_millis(8);

impl<S> Choice<S> {
    /// How it is looked for; `None` if it is not.
    pub fn active(&self) -> Option<&S> {
        self.is_on.then_some(&self.settings)
    }
}

impl MotionSettings {
    /// Time between two looks.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.looks.max(1)
    }

    /// Whether a frame is to be looked at that was captured so long after the last one that was.
    pub fn is_due(&self, since: Duration) -> bool {
        self.due_in(since).is_zero()
    }

    /// How long it is until a frame may be looked at, so long after the last one that was.
    pub fn due_in(&self, since: Duration) -> Duration {
        self.interval().saturating_sub(since + EARLY)
    }
}

impl Armed {
    /// The words that stand for no list of times.
    pub const ALWAYS: &'static str = "always";
    /// As above.
    pub const NEVER: &'static str = "never";

    /// Whether it counts on this day of the week (0 is Monday), at this minute of the day, in local time.
    pub fn at(&self, day: u8, minute: u16) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Times(times) => times.iter().any(|time| time.holds(day, minute)),
        }
    }
}

impl fmt::Display for Armed {
    /// The word, or the times with commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str(Self::ALWAYS),
            Self::Never => f.write_str(Self::NEVER),
            Self::Times(times) => {
                let texts: Vec<_> = times.iter().map(ArmedTime::text).collect();
                f.write_str(&texts.join(", "))
            }
        }
    }
}

impl ArmedTime {
    /// Reads a time such as `22:00-06:00`, `mon-fri 08:00-18:00` or `sat,sun 00:00-24:00`; `None` for anything else. A time
    /// that ends before it begins, or then, goes on until the next day.
    pub fn parse(text: &str) -> Option<Self> {
        let (days, times) = match text.split_once(' ') {
            Some((days, times)) => (days_of(days)?, times),
            None => (0x7f, text),
        };
        let (from, until) = times.split_once('-')?;
        let (from, until) = (minute_of(from)?, minute_of(until)?);
        (from < DAY_MIN).then(|| Self { text: text.to_owned(), days, from, until })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn holds(&self, day: u8, minute: u16) -> bool {
        let begins_on = |day: u8| self.days & (1 << (day % 7)) != 0;
        if self.from < self.until {
            return begins_on(day) && (self.from..self.until).contains(&minute);
        }
        (begins_on(day) && minute >= self.from) || (begins_on(day + 6) && minute < self.until)
    }
}

/// The days in `mon`, `sat,sun` or `fri-mon`.
fn days_of(text: &str) -> Option<u8> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (number(first)?, number(last)?);
        days |= 1 << day;
        while day != last {
            day = (day + 1) % 7;
            days |= 1 << day;
        }
    }
    Some(days)
}

/// The minute of the day in `07:30`; `24:00` is the end of a day.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| is_number)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let sum = hour * 60 + minute;
    (minute < 60 && sum <= DAY_MIN).then_some(sum)
}

impl Default for MotionSettings {
    /// Half a percent of the picture, five looks a second, everywhere, always.
    fn default() -> Self {
        Self { size: 50, looks: 5, zones: Vec::new(), masks: Vec::new(), armed: Armed::Always }
    }
}

impl Default for NoiseSettings {
    /// 15 dB, always.
    fn default() -> Self {
        Self { over_floor_db: 15, armed: Armed::Always }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(times: &[&str]) -> Armed {
        Armed::Times(times.iter().map(|time| ArmedTime::parse(time).expect(time)).collect())
    }

    const MON: u8 = 0;
    const FRI: u8 = 4;
    const SAT: u8 = 5;
    const SUN: u8 = 6;

    #[test]
    fn a_look_is_due_a_little_before_its_time() {
        let settings = MotionSettings { looks: 5, ..MotionSettings::default() };
        for (since_ms, due_in_ms) in [(0, 192), (150, 42), (191, 1), (192, 0), (1000, 0)] {
            let since = Duration::from_millis(since_ms);
            assert_eq!(settings.due_in(since), Duration::from_millis(due_in_ms), "after {since_ms} ms");
            assert_eq!(settings.is_due(since), due_in_ms == 0, "after {since_ms} ms");
        }
    }

    #[test]
    fn a_time_ends_at_its_end() {
        let day = armed(&["mon-fri 08:00-18:00"]);
        for (weekday, minute, expected) in [
            (MON, 8 * 60 - 1, false),
            (MON, 8 * 60, true),
            (FRI, 18 * 60 - 1, true),
            (FRI, 18 * 60, false),
            (SAT, 12 * 60, false),
        ] {
            assert_eq!(day.at(weekday, minute), expected, "{weekday} {minute}");
        }
        assert!(armed(&["00:00-24:00"]).at(SUN, 1439));
        assert!(Armed::Always.at(MON, 0) && !Armed::Never.at(MON, 0) && !armed(&[]).at(MON, 0));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = armed(&["sun 22:00-06:00"]);
        for (weekday, minute, expected) in [
            (SUN, 0, false),
            (SUN, 22 * 60 - 1, false),
            (SUN, 22 * 60, true),
            (MON, 0, true),
            (MON, 6 * 60, false),
            (MON, 23 * 60, false),
        ] {
            assert_eq!(night.at(weekday, minute), expected, "{weekday} {minute}");
        }
        let whole = armed(&["mon 08:00-08:00"]);
        assert!(whole.at(MON, 8 * 60) && whole.at(MON + 1, 8 * 60 - 1) && !whole.at(MON + 1, 8 * 60));
        let weekend = armed(&["fri-mon 10:00-11:00", "wed 00:00-01:00"]);
        let days: Vec<u8> = (0..7).filter(|day| weekend.at(*day, 600)).collect();
        assert_eq!(days, [0, 4, 5, 6]);
        assert!(weekend.at(2, 0));
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for bad in [
            "",
            "22:00",
            "22:00-",
            "24:00-06:00",
            "22:60-23:00",
            "2:00-3:00",
            "22:00-24:01",
            "mo 08:00-09:00",
            "mon-fri",
            "mon - fri 08:00-09:00",
            "MON 08:00-09:00",
            "08:00-09:00 ",
            "+8:00-09:00",
            "mon, 08:00-09:00",
        ] {
            assert_eq!(ArmedTime::parse(bad), None, "{bad}");
        }
    }
}
