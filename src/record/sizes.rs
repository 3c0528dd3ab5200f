//! Holds back a camera that changes the size of its pictures again and again: each change is a file of its own, which is allocated,
//! synced and closed.

use log::warn;

/// The pause after the first change, in microseconds.
const FIRST_PAUSE_US: u64 = 1_000_000;

/// The longest pause between two changes, in microseconds.
const LONGEST_PAUSE_US: u64 = 60_000_000;

/// The size of a camera's pictures that is recorded. The first change is followed at once, the next ones after pauses that double.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    size: Option<(u32, u32)>,
    changed_us: Option<u64>,
    pause_us: u64,
    is_said: bool,
}

impl Sizes {
    /// Whether a picture of this width and height, captured at `at_us`, is recorded.
    pub(super) fn takes(&mut self, size: (u32, u32), at_us: u64) -> bool {
        if self.size.is_some_and(|known| known != size) {
            let since_us = self.changed_us.map(|changed| at_us.saturating_sub(changed));
            if since_us.is_some_and(|since| since < self.pause_us) {
                return false;
            }
            let is_calm = since_us.is_none_or(|since| since >= 2 * LONGEST_PAUSE_US);
            self.pause_us = if is_calm { FIRST_PAUSE_US } else { (2 * self.pause_us).min(LONGEST_PAUSE_US) };
            self.is_said &= !is_calm;
            self.changed_us = Some(at_us);
        }
        self.size = Some(size);
        true
    }

    /// Says once that pictures are left out, such as those of this width and height.
    pub(super) fn warn_once(&mut self, camera: &str, (width, height): (u32, u32)) {
        if !std::mem::replace(&mut self.is_said, true) {
            warn!(
                "camera {camera}: the size of its pictures changes too often: some are not recorded, such as those of \
                 {width}x{height}"
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
        let mut sizes = Sizes::default();
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
        let mut sizes = Sizes::default();
        for change in 0..10_u32 {
            assert!(sizes.takes((64 + change, 48), u64::from(change) * 121 * SECOND));
            assert!(!sizes.is_said, "a new series of changes is said again");
            sizes.warn_once("front", (64, 48));
        }
    }
}
