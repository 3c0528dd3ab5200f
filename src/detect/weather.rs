//! What disturbs the whole picture, and by what rain or snow that begins and a camera that shakes are known.

use std::time::Duration;

use crate::media::Timestamp;

/// While so many cells of the picture, in percent, differ newly outside of what is found, parts must travel: drops meet at one place by
/// chance.
const SCATTERED_PERCENT: usize = 3;

/// While it is so many, nothing begins to be motion.
const STORM_PERCENT: usize = 7;

/// Either holds for so long after the last look that showed it.
const HOLD: Duration = Duration::from_secs(1);

/// A storm lasts for so long at the most: then it is known how much each cell varies. Another one begins after as long without.
const STORM: Duration = Duration::from_secs(10);

/// What else than things has changed the picture in the last looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturbance {
    None,
    /// Some cells change all over the picture.
    Weather,
    Light,
    /// Light, by far and in parts.
    Beam,
    /// Very many cells change all over the picture: nothing begins to be motion.
    Storm,
}

impl Disturbance {
    pub(super) fn is_weather(self) -> bool {
        matches!(self, Self::Weather | Self::Storm)
    }
}

/// What the last looks showed.
#[derive(Default)]
pub(super) struct Weather {
    scattered: Option<Timestamp>,
    /// When the last storm began, and when it was last seen.
    storm: Option<(Timestamp, Timestamp)>,
}

impl Weather {
    /// Notes how many cells of a hundred differ newly outside of what is found.
    pub(super) fn note(&mut self, at: Timestamp, percent: usize) {
        if percent >= SCATTERED_PERCENT {
            self.scattered = Some(at);
        }
        if percent >= STORM_PERCENT {
            let began = match self.storm.filter(|(_, seen)| at.since(*seen) < STORM) {
                // A lull does not count.
                Some((began, seen)) if at.since(seen) >= HOLD => began.after(at.since(seen)),
                Some((began, _)) => began,
                None => at,
            };
            self.storm = Some((began, at));
        }
    }

    /// What holds at the time of a look: none, weather or a storm.
    pub(super) fn at(&self, at: Timestamp) -> Disturbance {
        let is_storm = |(began, seen)| at.since(seen) < HOLD && at.since(began) < STORM;
        match () {
            () if self.storm.is_some_and(is_storm) => Disturbance::Storm,
            () if self.scattered.is_some_and(|seen| at.since(seen) < HOLD) => Disturbance::Weather,
            () => Disturbance::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What holds at each of these looks, five a second, of which each shows so many percent.
    fn held(percents: impl IntoIterator<Item = usize>) -> Vec<Disturbance> {
        let mut weather = Weather::default();
        let looks = (0..).zip(percents).map(|(look, percent)| {
            let at = Timestamp::from_micros(look * 200_000);
            weather.note(at, percent);
            weather.at(at)
        });
        looks.collect()
    }

    #[test]
    fn a_few_changes_are_no_weather() {
        assert_eq!(held([0, 2, 2, 1, 2]), [Disturbance::None; 5]);
    }

    #[test]
    fn scattered_changes_hold_for_a_second() {
        let held = held([5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(held[..5], [Disturbance::Weather; 5]);
        assert_eq!(held[5..], [Disturbance::None; 2]);
    }

    #[test]
    fn a_storm_ends_although_it_goes_on() {
        let held = held([20; 100]);
        assert_eq!(held[..50], [Disturbance::Storm; 50]);
        assert_eq!(held[50..], [Disturbance::Weather; 50]);
    }

    #[test]
    fn another_storm_begins_after_a_calm() {
        let percents = [20; 60].into_iter().chain([0; 48]).chain([20; 5]);
        assert_eq!(held(percents)[108..], [Disturbance::Weather; 5], "a lull is not enough");
        let percents = [20; 60].into_iter().chain([0; 49]).chain([20; 5]);
        assert_eq!(held(percents)[109..], [Disturbance::Storm; 5]);
    }

    #[test]
    fn a_shake_leaves_a_storm_its_time() {
        let held = held([20].into_iter().chain([0; 45]).chain([20; 60]));
        assert_eq!(held[46..90], [Disturbance::Storm; 44]);
        assert_eq!(held[105], Disturbance::Weather);
    }
}
