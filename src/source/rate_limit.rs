//! A limit on what another server sends. No clock: the caller says what time it is.

use std::time::Duration;

use crate::media::Timestamp;

/// Slows down another server that sends more than a device could give: what is not read fills the network's
/// buffers, and then the other waits.
#[derive(Debug)]
pub(in crate::source) struct RateLimit {
    most_a_second: u64,
    began: Timestamp,
    counted: u64,
}

impl RateLimit {
    /// A limit of `most_a_second`, which may come all at once.
    pub(in crate::source) fn new(most_a_second: u64, now: Timestamp) -> Self {
        Self { most_a_second, began: now, counted: 0 }
    }

    /// Counts what came at `now`; how long to read no more.
    pub(in crate::source) fn count(&mut self, count: u64, now: Timestamp) -> Duration {
        const SECOND: Duration = Duration::from_secs(1);
        if now.since(self.began) >= SECOND {
            *self = Self::new(self.most_a_second, now);
        }
        self.counted += count;
        let left = SECOND.saturating_sub(now.since(self.began));
        if self.counted < self.most_a_second { Duration::ZERO } else { left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_waits_for_its_second_to_end_and_a_burst_does_not() {
        let start = Timestamp::from_micros(0);
        let at = |millis| start.after(Duration::from_millis(millis));
        let mut limit = RateLimit::new(100, start);
        assert_eq!(limit.count(99, at(1)), Duration::ZERO, "what a network held up comes at once");
        assert_eq!(limit.count(1, at(300)), Duration::from_millis(700));
        assert_eq!(limit.count(1, at(1000)), Duration::ZERO, "another second");
        assert_eq!(limit.count(500, at(2500)), Duration::from_secs(1), "one that begins with too much");
        assert!((0..100).all(|tenth| limit.count(9, at(4000 + tenth * 100)).is_zero()), "the usual rate");
    }
}
