//! Totals of what was captured and sent, for the metrics. Each thread adds up its own sums and hands
//! them over once a second. So the path of a frame takes no lock and touches no memory that another
//! viewer writes, and no sum wraps on processors that have only 32-bit atomics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::lock;
use crate::media::Timestamp;

/// How often a thread hands over what it added up.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);

/// Upper bounds of [`Histogram`]'s buckets, in microseconds; the last one, without bound, is not here.
pub const BOUNDS_US: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// How many times fell into each bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// One count for each bound of [`BOUNDS_US`], then one for times above the last bound.
    pub counts: [u64; BOUNDS_US.len() + 1],
    /// All times together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts `time` in its bucket and adds it to the sum.
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

/// Sums of one kind of delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Frames, or packets of sound.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// Frames, or frames of sound, that were left out because a client was too slow.
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

/// The sums of all threads that deliver one camera's or microphone's data. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<Mutex<Sums>>);

impl Totals {
    /// The sums so far, without what threads counted in the last second and have not handed over.
    pub fn sums(&self) -> Sums {
        *lock(&self.0)
    }

    /// Sums for one thread, which hands them over to these.
    pub fn local(&self) -> LocalTotals {
        LocalTotals { totals: self.clone(), own: Sums::default(), since: Timestamp::now() }
    }
}

/// One thread's sums since it last handed them over. Dropping it hands over the rest.
#[derive(Debug)]
pub struct LocalTotals {
    totals: Totals,
    own: Sums,
    since: Timestamp,
}

impl LocalTotals {
    /// Changes the sums by `add`, and hands them over if the last time was a second before `now`.
    pub fn add(&mut self, now: Timestamp, add: impl FnOnce(&mut Sums)) {
        add(&mut self.own);
        if now.since(self.since) >= HAND_OVER_EVERY {
            self.hand_over();
            self.since = now;
        }
    }

    fn hand_over(&mut self) {
        // The lock is held for a few additions; readers hold it only to copy the sums.
        lock(&self.totals.0).add(&self.own);
        self.own = Sums::default();
    }
}

impl Drop for LocalTotals {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for micros in [0, 500, 501, 2_500_000, 2_500_001] {
            histogram.count(Duration::from_micros(micros));
        }
        assert_eq!((histogram.counts[0], histogram.counts[1]), (2, 1));
        assert_eq!((histogram.counts[11], histogram.counts[12]), (1, 1));
        assert_eq!(histogram.sum_us, 5_001_002);
    }

    #[test]
    fn the_totals_hold_what_all_threads_added() {
        let totals = Totals::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut local = totals.local();
                    for second in 0..100 {
                        local.add(Timestamp::from_micros(second * 700_000), |sums| {
                            sums.frames += 1;
                            sums.bytes += 5_000_000_000;
                            sums.skipped += 2;
                            sums.busy_us += 3;
                            sums.age.count(Duration::from_micros(4));
                        });
                    }
                });
            }
        });
        let sums = totals.sums();
        assert_eq!((sums.frames, sums.bytes), (400, 2_000_000_000_000));
        assert_eq!((sums.skipped, sums.busy_us), (800, 1200));
        assert_eq!((sums.age.counts[0], sums.age.sum_us), (400, 1600));
    }

    #[test]
    fn sums_are_handed_over_after_a_second() {
        let totals = Totals::default();
        let mut local = totals.local();
        let begun = local.since;
        local.add(begun.after(Duration::from_millis(999)), |sums| sums.frames += 1);
        assert_eq!(totals.sums().frames, 0);
        local.add(begun.after(Duration::from_millis(1001)), |sums| sums.frames += 1);
        assert_eq!(totals.sums().frames, 2);
    }
}
