//! Sums of what was captured and sent, for whoever watches the server. Each thread adds up for itself
//! and hands that over once a second: a frame's way takes no lock and touches nothing that another
//! viewer's does, and no sum wraps where there are only 32-bit atomics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::lock;
use crate::media::Timestamp;

/// How often a thread hands over what it added up.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);

/// Upper bounds of [`Histogram`]'s buckets, in microseconds; the last one, without bound, is not here.
pub const BOUNDS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// How often a time fell between which bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Times up to each of [`BOUNDS_US`] and above the one before; above the last one in the end.
    pub counts: [u64; BOUNDS_US.len() + 1],
    /// All times together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts a time.
    pub fn count(&mut self, time: Duration) {
        let time_us = time.as_micros() as u64;
        let bucket = BOUNDS_US.iter().position(|bound| time_us <= *bound).unwrap_or(BOUNDS_US.len());
        self.counts[bucket] += 1;
        self.sum_us += time_us;
    }

    fn add(&mut self, other: &Self) {
        for (mine, others) in self.counts.iter_mut().zip(other.counts) {
            *mine += others;
        }
        self.sum_us += other.sum_us;
    }
}

/// What came together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Frames, or packets of sound.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// Frames, or frames of sound, that were left out for who was too slow.
    pub skipped: u64,
    /// Time at work on them, in microseconds.
    pub busy_us: u64,
    /// How old each was.
    pub age: Histogram,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.skipped += other.skipped;
        self.busy_us += other.busy_us;
        self.age.add(&other.age);
    }
}

/// The sums of all threads that work on one thing. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<Mutex<Sums>>);

impl Totals {
    /// The sums so far; what a thread counted in the last second may be missing.
    pub fn sums(&self) -> Sums {
        *lock(&self.0)
    }

    /// A thread's own sums, to be handed over to these.
    pub fn tally(&self) -> Tally {
        Tally { totals: self.clone(), own: Sums::default(), since: Timestamp::now() }
    }
}

/// One thread's sums since it last handed them over; dropped, it hands over the rest.
#[derive(Debug)]
pub struct Tally {
    totals: Totals,
    own: Sums,
    since: Timestamp,
}

impl Tally {
    /// Adds to the sums, and hands them over if `now` is late enough.
    pub fn add(&mut self, now: Timestamp, add: impl FnOnce(&mut Sums)) {
        add(&mut self.own);
        if now.since(self.since) >= HAND_OVER_EVERY {
            self.hand_over();
            self.since = now;
        }
    }

    fn hand_over(&mut self) {
        // Held for a few additions: who reads the sums only copies them.
        lock(&self.totals.0).add(&self.own);
        self.own = Sums::default();
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_whose_bound_it_does_not_pass() {
        let mut histogram = Histogram::default();
        for micros in [0, 500, 501, 2_500_000, 2_500_001] {
            histogram.count(Duration::from_micros(micros));
        }
        assert_eq!((histogram.counts[0], histogram.counts[1]), (2, 1));
        assert_eq!((histogram.counts[11], histogram.counts[12]), (1, 1));
        assert_eq!(histogram.sum_us, 5_001_002);
    }

    #[test]
    fn what_threads_add_up_is_all_there_in_the_end() {
        let totals = Totals::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut tally = totals.tally();
                    for second in 0..100 {
                        tally.add(Timestamp::from_micros(second * 700_000), |sums| {
                            sums.frames += 1;
                            sums.bytes += 5_000_000_000;
                        });
                    }
                });
            }
        });
        assert_eq!((totals.sums().frames, totals.sums().bytes), (400, 2_000_000_000_000));
    }

    #[test]
    fn nothing_is_handed_over_within_a_second() {
        let totals = Totals::default();
        let mut tally = totals.tally();
        let begun = tally.since;
        tally.add(begun.after(Duration::from_millis(999)), |sums| sums.frames += 1);
        assert_eq!(totals.sums().frames, 0);
        tally.add(begun.after(Duration::from_millis(1001)), |sums| sums.frames += 1);
        assert_eq!(totals.sums().frames, 2);
    }
}
