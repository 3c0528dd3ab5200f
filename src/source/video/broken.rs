//! How often broken frames are logged. No clock: the caller says what time it is.

use std::time::Duration;

use crate::media::Timestamp;

/// At most one line about broken frames in this time.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Counts broken frames and says when to log them.
#[derive(Debug, Default)]
pub(super) struct BrokenFrames {
    unreported: u32,
    reported: Option<Timestamp>,
}

impl BrokenFrames {
    /// Counts one at `now`; how many to log, once in a while.
    pub(super) fn count(&mut self, now: Timestamp) -> Option<u32> {
        self.unreported = self.unreported.saturating_add(1);
        if self.reported.is_some_and(|reported| now.since(reported) < REPORT_EVERY) {
            return None;
        }
        self.reported = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_frames_are_logged_at_once_then_summed_up() {
        let (mut broken, start) = (BrokenFrames::default(), Timestamp::from_micros(7));
        assert_eq!(broken.count(start), Some(1));
        assert_eq!(broken.count(start.after(Duration::from_secs(1))), None);
        assert_eq!(broken.count(start.after(Duration::from_secs(59))), None);
        assert_eq!(broken.count(start.after(Duration::from_secs(60))), Some(3));
    }
}
