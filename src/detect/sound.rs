//! A microphone's detector: how loud it is above its own noise floor.

use crate::media::Timestamp;

/// What is chosen about one microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundSettings {
    /// How far above the noise floor a sound must be, in tenths of a dB.
    pub over_floor: u16,
}

impl Default for SoundSettings {
    /// 15 dB.
    fn default() -> Self {
        Self { over_floor: 150 }
    }
}

/// A sound that is going on, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Counts up from 1 with each sound, and never restarts within a detector.
    pub number: u32,
    /// How loud it is at its loudest: dB above the floor, times four; 255 for 64 dB or more.
    pub score: u8,
    /// When it began.
    pub first: Timestamp,
    /// When it was loudest.
    pub best: Timestamp,
}

/// What a level has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundChange {
    /// A sound begins.
    Began(Noise),
    /// It has ended: at this time it was heard last.
    Ended(Noise, Timestamp),
}

/// The detector of one microphone.
///
/// The floor follows the level: down within a second, up by [`RISE_PER_S`] only, so that speech does not lift it, and a fan
/// that is switched on is no sound any more when the floor has reached it.
#[derive(Clone, Debug)]
pub struct SoundDetector {
    settings: SoundSettings,
    /// In hundredths of a dB below full scale: negative.
    floor: Option<i32>,
    last_at: Option<Timestamp>,
    /// Since when there is nothing but silence.
    silent_since: Option<Timestamp>,
    /// Since when the level is above the threshold.
    loud_since: Option<Timestamp>,
    /// When it was last.
    loud_at: Timestamp,
    ongoing: Option<Noise>,
    numbers: u32,
}

/// A sound must last so long, or it is a click.
pub const ATTACK_US: u64 = 100_000;

/// It ends when it was quiet for so long.
pub const HOLD_US: u64 = 2_000_000;

/// Hundredths of a dB by which the floor rises in a second.
pub const RISE_PER_S: i32 = 50;

/// By which it falls.
const FALL_PER_S: i32 = 2_000;

/// Levels are not taken for lower than this, which is silence, in hundredths of a dB.
const LEVEL_MIN: i32 = -8_000;

/// Shorter silence may stand for samples that were lost, and does not change the floor. Longer silence is that of a room whose
/// microphone suppresses noise.
const LOSS_US: u64 = 4_000_000;

/// Without a level for so long, the floor is not known any more.
const GAP_US: u64 = 5_000_000;

/// So much quieter than where it began, a sound still goes on, in hundredths of a dB.
const LEAVE: i32 = 300;

impl SoundDetector {
    /// A detector that has heard nothing.
    pub fn new(settings: SoundSettings) -> Self {
        Self {
            settings,
            floor: None,
            last_at: None,
            silent_since: None,
            loud_since: None,
            loud_at: Timestamp::from_micros(0),
            ongoing: None,
            numbers: 0,
        }
    }

    /// Other settings from now on.
    pub fn change(&mut self, settings: SoundSettings) {
        self.settings = settings;
    }

    /// The floor, in tenths of a dB below full scale; `None` before the first level.
    pub fn floor(&self) -> Option<i16> {
        self.floor.map(|floor| (floor / 10) as i16)
    }

    /// Hears the level of the time since the last call, in tenths of a dB relative to full scale (RMS; 0 or negative).
    /// Meant for 10 to 20 calls a second. After a gap, or when time goes back, the floor is learnt anew, and what goes on
    /// ends.
    pub fn hear(&mut self, at: Timestamp, level: i16) -> Option<SoundChange> {
        let level = (i32::from(level) * 10).clamp(LEVEL_MIN, 0);
        let since_us = self.last_at.and_then(|last| at.as_micros().checked_sub(last.as_micros()));
        self.last_at = Some(at);
        self.silent_since = if level > LEVEL_MIN { None } else { self.silent_since.or(Some(at)) };
        let silent_us = self.silent_since.map(|since| at.as_micros().saturating_sub(since.as_micros()));
        let may_be_loss = silent_us.is_some_and(|silent_us| silent_us < LOSS_US);
        let (Some(floor), Some(since_us)) = (self.floor, since_us.filter(|&since_us| since_us <= GAP_US))
        else {
            self.floor = (!may_be_loss).then_some(level);
            self.loud_since = None;
            return self.end();
        };
        let change = self.judge(at, level, floor);
        let since_ms = (since_us / 1000) as i32;
        self.floor = Some(match level {
            _ if may_be_loss => floor,
            level if level > floor => level.min(floor + RISE_PER_S * since_ms / 1000),
            level => level.max(floor - FALL_PER_S * since_ms / 1000),
        });
        change
    }

    /// Ends what goes on, because no level will come.
    pub fn end(&mut self) -> Option<SoundChange> {
        let noise = self.ongoing.take()?;
        Some(SoundChange::Ended(noise, self.loud_at))
    }

    fn judge(&mut self, at: Timestamp, level: i32, floor: i32) -> Option<SoundChange> {
        let over = level - floor;
        let needed = i32::from(self.settings.over_floor.max(10)) * 10;
        let is_loud = over >= needed - if self.ongoing.is_some() { LEAVE } else { 0 };
        if is_loud {
            self.loud_at = at;
        }
        let score = (over * 4 / 100).clamp(0, 255) as u8;
        if let Some(noise) = &mut self.ongoing {
            if score > noise.score {
                (noise.score, noise.best) = (score, at);
            }
            let quiet_us = at.as_micros().saturating_sub(self.loud_at.as_micros());
            return if quiet_us >= HOLD_US { self.end() } else { None };
        }
        if !is_loud {
            self.loud_since = None;
            return None;
        }
        let first = *self.loud_since.get_or_insert(at);
        if at.as_micros() - first.as_micros() < ATTACK_US {
            return None;
        }
        self.loud_since = None;
        self.numbers += 1;
        let noise = Noise { number: self.numbers, score, first, best: at };
        self.ongoing = Some(noise);
        Some(SoundChange::Began(noise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of levels in dB, each for so many tenths of a second: the seconds and `+` or `-`.
    fn heard(levels: &[(i16, u64)]) -> Vec<String> {
        let mut detector = SoundDetector::new(SoundSettings::default());
        let (mut tenths, mut out) = (0u64, Vec::new());
        for &(level, count) in levels {
            for _ in 0..count {
                let change = detector.hear(Timestamp::from_micros(tenths * 100_000), level * 10);
                match change {
                    Some(SoundChange::Began(_)) => out.push(format!("+{tenths}")),
                    Some(SoundChange::Ended(_, at)) => out.push(format!("-{}", at.as_micros() / 100_000)),
                    None => {}
                }
                tenths += 1;
            }
        }
        out
    }

    #[test]
    fn what_is_above_the_floor_is_one_sound() {
        assert_eq!(heard(&[(-60, 50), (-30, 10), (-60, 50)]), ["+51", "-59"]);
        assert_eq!(heard(&[(-60, 50), (-47, 10), (-60, 50)]), [""; 0], "13 dB above it");
    }

    #[test]
    fn a_click_is_no_sound_and_pauses_do_not_end_one() {
        assert_eq!(heard(&[(-60, 50), (-10, 1), (-60, 50)]), [""; 0]);
        let speech = [(-60, 50), (-30, 5), (-60, 15), (-30, 5), (-60, 15), (-30, 5), (-60, 50)];
        assert_eq!(heard(&speech), ["+51", "-94"]);
    }

    #[test]
    fn a_fan_that_stays_on_is_no_sound_for_long() {
        assert_eq!(heard(&[(-60, 50), (-40, 3000)]), ["+51", "-210"]);
        // And what is above the fan is.
        let over = heard(&[(-60, 50), (-40, 3000), (-20, 10), (-40, 50)]);
        assert_eq!(over, ["+51", "-210", "+3051", "-3059"]);
    }

    #[test]
    fn a_room_that_becomes_quiet_is_known_within_seconds() {
        assert_eq!(heard(&[(-30, 50), (-60, 30), (-40, 10), (-60, 50)]), ["+81", "-89"]);
    }

    #[test]
    fn silence_that_stands_for_lost_samples_is_no_floor() {
        assert_eq!(heard(&[(-100, 20), (-60, 50)]), [""; 0], "at the start");
        assert_eq!(heard(&[(-60, 50), (-100, 30), (-60, 50)]), [""; 0], "while a device stalls");
        let over = heard(&[(-60, 50), (-30, 10), (-100, 30), (-60, 50)]);
        assert_eq!(over, ["+51", "-59"], "a sound ends in it");
    }

    #[test]
    fn a_sound_of_a_microphone_that_suppresses_noise_is_one() {
        assert_eq!(heard(&[(-100, 70), (-40, 10), (-100, 50)]), ["+71", "-79"]);
    }

    #[test]
    fn after_a_gap_the_floor_is_learnt_anew() {
        let mut detector = SoundDetector::new(SoundSettings::default());
        let at = |second: u64| Timestamp::from_micros(second * 1_000_000);
        assert_eq!(detector.floor(), None);
        detector.hear(at(1), -600);
        detector.hear(at(2), -300);
        assert!(matches!(detector.hear(at(3), -300), Some(SoundChange::Began(_))));
        assert!(matches!(detector.hear(at(10), -200), Some(SoundChange::Ended(_, seen)) if seen == at(3)));
        assert_eq!(detector.floor(), Some(-200));
        assert_eq!(detector.hear(at(11), -200), None);
        detector.hear(at(1), -100);
        assert_eq!(detector.floor(), Some(-100), "time went back");
    }
}
