//! Which footage will be deleted too early: decisions over plain values, without I/O and without a clock.
//!
//! Retention deletes the oldest footage for new footage. That is as it should be, unless something is lost that was to stay: footage with an
//! event, or footage that is younger than the `days` of its camera. This says so before it happens, at the present rate:
//! what was recorded in the last day.
//!
//! New footage takes the place of the oldest footage without an event. Footage with events goes when no other is left; so only what comes
//! with new events presses it.

use std::collections::BTreeMap;

use super::retention::{Candidate, Rules};
use crate::base::utc::{DAY_US, SECOND_US};

const DAY_S: u64 = 86_400;

/// The time whose footage says what the rate is.
const WINDOW_US: u64 = DAY_US;

/// What was recorded in less time than this says nothing about a day.
const LEAST_US: u64 = 3600 * SECOND_US;

/// A loss that is further away is not said: the rate changes until then.
const SOON_S: u64 = 7 * DAY_S;

/// Footage that will be deleted too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The camera that it shows.
    pub camera: String,
    /// Whether it has an event. Otherwise it is younger than its camera's `days`.
    pub has_events: bool,
    /// When it was captured, in microseconds since 1970.
    pub captured_us: u64,
    /// Seconds until it is deleted.
    pub in_s: u64,
    /// Whether the limit is that of its camera, and not that of all footage.
    pub is_own_limit: bool,
}

/// The first loss, if there is one soon. `room_bytes` may be written before something has to go.
pub(super) fn forecast(
    candidates: &[Candidate<'_>],
    rules: &BTreeMap<&str, Rules>,
    now_us: u64,
    room_bytes: u64,
) -> Option<Loss> {
    let all: Vec<&Candidate<'_>> = candidates.iter().collect();
    let mut losses: Vec<Loss> = first_loss(&all, rules, now_us, room_bytes).into_iter().collect();
    for (camera, own) in rules {
        let Some(most) = own.max_bytes else { continue };
        let mut of_camera = all.clone();
        of_camera.retain(|candidate| candidate.camera == *camera);
        let used: u64 = of_camera.iter().map(|candidate| candidate.bytes).sum();
        let loss = first_loss(&of_camera, rules, now_us, most.saturating_sub(used));
        losses.extend(loss.map(|loss| Loss { is_own_limit: true, ..loss }));
    }
    losses.into_iter().filter(|loss| loss.in_s < SOON_S).min_by_key(|loss| loss.in_s)
}

/// The first loss among footage that shares one limit.
fn first_loss(
    candidates: &[&Candidate<'_>],
    rules: &BTreeMap<&str, Rules>,
    now_us: u64,
    room_bytes: u64,
) -> Option<Loss> {
    let mut left: Vec<&Candidate<'_>> =
        candidates.iter().copied().filter(|candidate| !candidate.is_pinned).collect();
    left.sort_by_key(|candidate| candidate.end_us);
    let mut room = room_bytes;
    let mut found = None;
    // All other footage goes before that with events.
    for has_events in [false, true] {
        let rate = Rate::of(candidates, now_us, has_events);
        for candidate in left.iter().filter(|candidate| candidate.has_events == has_events) {
            let Some(in_s) = rate.as_ref().and_then(|rate| rate.seconds_for(room)) else { break };
            let own = rules.get(candidate.camera).copied().unwrap_or_default();
            let keep_us = if has_events { own.keep_events_us } else { own.keep_us };
            let gone_us = now_us.saturating_add(in_s.saturating_mul(SECOND_US));
            let is_over = keep_us.is_some_and(|keep| gone_us.saturating_sub(candidate.end_us) > keep);
            if !is_over && (has_events || keep_us.is_some()) {
                let camera = candidate.camera.to_owned();
                let captured_us = candidate.end_us;
                found = [found, Some(Loss { camera, has_events, captured_us, in_s, is_own_limit: false })]
                    .into_iter()
                    .flatten()
                    .min_by_key(|loss: &Loss| loss.in_s);
                break;
            }
            room += candidate.bytes;
        }
    }
    found
}

/// How much was recorded in a time.
struct Rate {
    bytes: u64,
    span_s: u64,
}

impl Rate {
    /// Of all footage, or of that with events; `None` if nothing was recorded.
    fn of(candidates: &[&Candidate<'_>], now_us: u64, only_events: bool) -> Option<Self> {
        let since_us = now_us.saturating_sub(WINDOW_US);
        let is_recent =
            |candidate: &&&Candidate<'_>| candidate.end_us > since_us && candidate.end_us <= now_us;
        let recent = candidates.iter().filter(is_recent);
        // What was deleted meanwhile is not counted, nor is its time.
        let first_us = recent.clone().map(|candidate| candidate.end_us).min()?;
        let counted = recent.filter(|candidate| candidate.has_events || !only_events);
        let bytes: u64 = counted.map(|candidate| candidate.bytes).sum();
        let span_us = now_us.saturating_sub(first_us).max(LEAST_US);
        (bytes > 0).then_some(Self { bytes, span_s: span_us / SECOND_US })
    }

    /// Seconds in which so many bytes are recorded.
    fn seconds_for(&self, bytes: u64) -> Option<u64> {
        (bytes / 1024).checked_mul(self.span_s)?.checked_div(self.bytes.div_ceil(1024))
    }
}

/// Which losses were said in the log, and when.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// By camera, and whether it was about events.
    at_us: BTreeMap<(String, bool), u64>,
}

impl Warnings {
    /// Whether a loss is to be said at `now_us`: once a day.
    pub(super) fn is_news(&mut self, loss: &Loss, now_us: u64) -> bool {
        let key = (loss.camera.clone(), loss.has_events);
        let is_news = self.at_us.get(&key).is_none_or(|at_us| now_us.abs_diff(*at_us) >= DAY_US);
        if is_news {
            self.at_us.insert(key, now_us);
        }
        is_news
    }
}

impl Loss {
    /// As text for people, at `now_us`.
    pub fn as_text(&self, now_us: u64) -> String {
        let Self { camera, has_events, captured_us, in_s, is_own_limit } = self;
        let what = if *has_events { "footage of events" } else { "footage" };
        let age = match now_us.saturating_sub(*captured_us) / SECOND_US / DAY_S {
            1 => "a day".to_owned(),
            days => format!("{days} days"),
        };
        let when = match (in_s / DAY_S, in_s / 3600) {
            (0, 0) => "within an hour".to_owned(),
            (0, 1) => "in an hour".to_owned(),
            (0, hours) => format!("in {hours} hours"),
            (1, _) => "in a day".to_owned(),
            (days, _) => format!("in {days} days"),
        };
        let (early, fewer) =
            if *has_events { ("", "") } else { (", before `days` have passed", ", or set fewer days") };
        let space = if *is_own_limit { "raise its max_gb" } else { "raise max_gb or free space" };
        format!(
            "at the present rate, {what} of camera {camera} that is {age} old now is deleted \
             {when}{early}: {space}{fewer}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: u64 = 100 * DAY_US;
    const GB: u64 = 1_000_000_000;

    /// A gigabyte that was recorded until so many days ago.
    fn footage(camera: &str, days_ago: u64, has_events: bool) -> Candidate<'_> {
        let end_us = NOW_US - days_ago * DAY_US - SECOND_US;
        Candidate { camera, sequence: 100 - days_ago, end_us, bytes: GB, has_events, is_pinned: false }
    }

    /// Ten gigabytes a day: the last day is whole, of those before there is one file each.
    fn days(count: u64) -> Vec<Candidate<'static>> {
        let today = (0..10).map(|tenth| {
            let end_us = NOW_US - DAY_US + (tenth + 1) * (DAY_US / 10);
            Candidate { end_us, ..footage("front", 0, false) }
        });
        today.chain((2..count).map(|days_ago| footage("front", days_ago, false))).collect()
    }

    fn rules(days: Option<u64>, event_days: Option<u64>) -> Rules {
        let us = |days: u64| days * DAY_US;
        Rules { keep_us: days.map(us), keep_events_us: event_days.map(us), ..Rules::default() }
    }

    fn loss(candidates: &[Candidate<'_>], rules: Rules, room_gb: u64) -> Option<(bool, u64)> {
        let found = forecast(candidates, &BTreeMap::from([("front", rules)]), NOW_US, room_gb * GB);
        found.map(|loss| (loss.has_events, loss.in_s / 3600))
    }

    #[test]
    fn footage_without_a_promise_may_go() {
        assert_eq!(loss(&days(20), rules(None, None), 0), None);
    }

    #[test]
    fn footage_that_is_younger_than_promised_is_said() {
        // The oldest is 9 days old; a gigabyte is recorded in 2.4 hours.
        let all = days(10);
        let found = loss(&all, rules(Some(14), None), 10).unwrap();
        assert!(!found.0 && (21..=24).contains(&found.1), "{found:?}");
        // It is older than that when it goes.
        assert_eq!(loss(&all, rules(Some(2), None), 10), None);
        // It is far away.
        assert_eq!(loss(&all, rules(Some(60), None), 100), None);
        // What is too old already goes before, and makes room.
        let found = loss(&all, rules(Some(5), None), 0).unwrap();
        assert!((8..=11).contains(&found.1), "five gigabytes later: {found:?}");
    }

    #[test]
    fn a_minute_says_little_about_a_day() {
        let minute = Candidate { end_us: NOW_US - 60 * SECOND_US, ..footage("front", 0, false) };
        let found = loss(&[minute], rules(Some(14), None), 6).unwrap();
        assert_eq!(found, (false, 5), "as if it had been an hour");
    }

    #[test]
    fn events_go_when_nothing_else_is_left() {
        let mut all = days(3);
        all.push(footage("front", 6, true));
        assert_eq!(loss(&all, rules(None, None), 0), None, "no event for a day");
        // A gigabyte of events a day; ten others are there to go before.
        all.push(Candidate { end_us: NOW_US - 1, ..footage("front", 0, true) });
        assert_eq!(loss(&all, rules(None, None), 0), None, "in ten days");
        all.retain(|candidate| candidate.has_events);
        all.push(Candidate { end_us: NOW_US - DAY_US + 1, ..footage("front", 0, true) });
        let found = loss(&all, rules(None, None), 2).unwrap();
        assert!(found.0 && (22..=24).contains(&found.1), "{found:?}");
        assert_eq!(loss(&all, rules(None, Some(2)), 3), None, "their time is over before");
    }

    #[test]
    fn what_is_kept_is_never_said_to_go() {
        let mut all = days(10);
        all.iter_mut().for_each(|candidate| candidate.is_pinned = true);
        assert_eq!(loss(&all, rules(Some(99), Some(99)), 0), None);
    }

    #[test]
    fn a_camera_has_a_limit_of_its_own() {
        let all = days(10);
        let own = Rules { max_bytes: Some(18 * GB), ..rules(Some(14), None) };
        let found = forecast(&all, &BTreeMap::from([("front", own)]), NOW_US, 1000 * GB).unwrap();
        assert!(found.is_own_limit && found.in_s == 0, "{found:?}");
        // What others recorded is not counted.
        let yard = Candidate { bytes: 900 * GB, ..footage("yard", 1, false) };
        let all = [all, vec![yard]].concat();
        let own = Rules { max_bytes: Some(200 * GB), ..own };
        assert_eq!(forecast(&all, &BTreeMap::from([("front", own)]), NOW_US, 9000 * GB), None);
        let text = found.as_text(NOW_US);
        assert!(text.contains("camera front") && text.contains("raise its max_gb"), "{text}");
    }

    #[test]
    fn a_loss_is_said_once_a_day() {
        let camera = || "front".to_owned();
        let loss = Loss { camera: camera(), has_events: false, captured_us: 0, in_s: 9, is_own_limit: false };
        let of_events = Loss { has_events: true, ..loss.clone() };
        let mut warnings = Warnings::default();
        assert!(warnings.is_news(&loss, NOW_US) && warnings.is_news(&of_events, NOW_US));
        assert!(!warnings.is_news(&loss, NOW_US + DAY_US - 1));
        assert!(warnings.is_news(&loss, NOW_US + DAY_US));
    }

    #[test]
    fn a_clock_before_the_footage_says_nothing() {
        assert_eq!(forecast(&days(9), &BTreeMap::from([("front", rules(Some(99), None))]), 0, 0), None);
    }
}
