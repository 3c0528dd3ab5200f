//! Holds back a camera that changes the size of its pictures again and again, and a microphone that changes its format: each change is a
//! file of its own, which is allocated, synced and closed.

use std::fmt::Display;

use log::warn;

/// The pause after the first change, in microseconds.
const FIRST_PAUSE_US: u64 = 1_000_000;

/// The longest pause between two changes, in microseconds.
const LONGEST_PAUSE_US: u64 = 60_000_000;

/// What is recorded of something that may change. The first change is followed at once, the next ones after pauses that double.
#[derive(Debug)]
pub(super) struct Changes<T> {
    known: Option<T>,
    changed_us: Option<u64>,
    pause_us: u64,
    is_said: bool,
}

impl<T: Copy + PartialEq> Changes<T> {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { known: None, changed_us: None, pause_us: 0, is_said: false }
    }

    /// What is recorded now.
    pub(super) fn known(&self) -> Option<T> {
        self.known
    }

    /// Whether what was captured at `at_us`, and is `value`, is recorded.
    pub(super) fn takes(&mut self, value: T, at_us: u64) -> bool {
        if self.known.is_some_and(|known| known != value) {
            let since_us = self.changed_us.map(|changed| at_us.saturating_sub(changed));
            if since_us.is_some_and(|since| since < self.pause_us) {
                return false;
            }
            let is_calm = since_us.is_none_or(|since| since >= 2 * LONGEST_PAUSE_US);
            self.pause_us = if is_calm { FIRST_PAUSE_US } else { (2 * self.pause_us).min(LONGEST_PAUSE_US) };
            self.is_said &= !is_calm;
            self.changed_us = Some(at_us);
        }
        self.known = Some(value);
        true
    }

    /// Says once that not all is recorded, because `what` of this camera changes too often.
    pub(super) fn warn_once(&mut self, camera: &str, what: &str, left_out: &dyn Display) {
        if !std::mem::replace(&mut self.is_said, true) {
            warn!(
                "camera {camera}: {what} changes too often: some is not recorded, such as that of {left_out}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_camera_of_two_sizes_is_followed_less_often() {
        let mut sizes = Changes::new();
        // 50 pictures a second, each of another size than the one before.
        let mut changes = |seconds: std::ops::Range<u64>| {
            let mut known = None;
            let pictures = (seconds.start * 50..seconds.end * 50).map(|number| {
                let size = (16 + 8 * (number as u32 % 2), 16);
                sizes.takes(size, number * SECOND / 50).then_some(size)
            });
            pictures
                .flatten()
                .filter(|size| known.replace(*size).is_some_and(|before| before != *size))
                .count()
        };
        assert_eq!(changes(0..1), 1, "the first change at once");
        assert_eq!(changes(1..60), 5, "then after 1, 2, 4, 8 and 16 s");
        assert!((40..=61).contains(&changes(60..3600)), "then once a minute");
    }

    #[test]
    fn a_size_that_lasts_is_followed_at_once() {
        let mut sizes = Changes::new();
        for change in 0..10_u32 {
            assert!(sizes.takes((64 + change, 48), u64::from(change) * 121 * SECOND));
            assert!(!sizes.is_said, "a new series of changes is said again");
            sizes.warn_once("front", "the size of its pictures", &"64x48");
        }
    }
}
