//! Which people were found, and what was found where nobody was.

use defender::detect::detection::{Change, Kind};
use defender::media::Area;

use crate::scene::{Clip, HEIGHT, Person, WARM_UP_S, WIDTH};

/// What a detector said of a clip.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// From when to when each detection went on, in seconds.
    pub spans: Vec<(f32, f32)>,
    /// Where motion was in each look.
    pub looks: Vec<(f32, Vec<Area>)>,
}

/// The result of clips.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub people: usize,
    pub found: usize,
    pub detections: usize,
    pub right: usize,
    /// Longest time from the first look with 0.75 % of a person to the look that reported it, in seconds, of 95 in 100.
    pub delays: Vec<f32>,
    /// Times of people who were missed, and of what was wrong.
    pub missed: Vec<f32>,
    pub wrong: Vec<f32>,
}

impl Score {
    pub fn recall(&self) -> f32 {
        self.found as f32 / self.people.max(1) as f32
    }

    pub fn precision(&self) -> f32 {
        self.right as f32 / self.detections.max(1) as f32
    }

    /// Adds what was said of a clip.
    pub fn add(&mut self, clip: &Clip, said: &Said) {
        let looks: Vec<_> = said.looks.iter().filter(|(at, _)| *at >= WARM_UP_S).collect();
        for (person, &(from, to)) in clip.people.iter().zip(&clip.truth()) {
            self.people += 1;
            let is_seen = |(at, areas): &&&(f32, Vec<Area>)| {
                *at >= from - 0.01 && *at <= to + 0.21 && areas.iter().any(|area| touches(person, *at, area))
            };
            match looks.iter().find(is_seen) {
                Some((at, _)) => {
                    self.found += 1;
                    self.delays.push(at - from);
                }
                None => self.missed.push((from + to) / 2.0),
            }
        }
        let near = |at: f32, area: &Area| {
            clip.people.iter().any(|person| {
                touches(person, at, area)
                    || (1..=30).any(|look| person.seen(at - look as f32 / 5.0).is_some())
            })
        };
        for &(from, to) in said.spans.iter().filter(|span| span.1 >= WARM_UP_S) {
            let of_span = || looks.iter().filter(|(at, _)| *at >= from && *at <= to);
            let is_person = |(at, areas): &&&(f32, Vec<Area>)| {
                areas.iter().any(|area| clip.people.iter().any(|person| touches(person, *at, area)))
            };
            let has_person = of_span().any(|look| is_person(&look));
            self.detections += 1;
            self.right += usize::from(has_person);
            // Where nobody is nor was in the last seconds, it is wrong, even if it had begun with somebody.
            let alone = of_span().find(|(at, areas)| areas.iter().any(|area| !near(*at, area)));
            match alone {
                Some((at, _)) => {
                    self.detections += usize::from(has_person);
                    self.wrong.push(*at);
                }
                None if !has_person => self.wrong.push(from),
                None => {}
            }
        }
    }

    pub fn join(&mut self, other: Self) {
        self.people += other.people;
        self.found += other.found;
        self.detections += other.detections;
        self.right += other.right;
        self.delays.extend(other.delays);
    }
}

/// Whether the person is where motion is.
fn touches(person: &Person, at: f32, area: &Area) -> bool {
    let share = |at: u16, whole: usize| f32::from(at) / 65_535.0 * whole as f32;
    let (left, right) = (share(area.left, WIDTH), share(area.right, WIDTH));
    let (top, bottom) = (share(area.top, HEIGHT), share(area.bottom, HEIGHT));
    person.seen(at).is_some_and(|[l, t, r, b]| l < right + 8.0 && left < r + 8.0 && t < bottom && top < b)
}

/// From when to when each detection of motion went on, reported at these times.
pub fn spans(changes: &[(f32, Change)], end: f32) -> Vec<(f32, f32)> {
    let began = changes.iter().filter_map(|(reported, change)| match change {
        Change::Began(detection) if detection.kind == Kind::Motion => Some((*reported, detection.number)),
        _ => None,
    });
    let ended = |number: u32| {
        changes.iter().find_map(|(_, change)| match change {
            Change::Ended(detection, at) if detection.number == number => Some(seconds(at.as_micros())),
            _ => None,
        })
    };
    began.map(|(reported, number)| (reported, ended(number).unwrap_or(end))).collect()
}

/// Clips begin a minute after the machine.
pub const START_US: u64 = 60_000_000;

fn seconds(micros: u64) -> f32 {
    micros.saturating_sub(START_US) as f32 / 1e6
}
