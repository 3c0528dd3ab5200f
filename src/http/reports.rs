//! How many events one user or token may report: a script that reports without end must not displace the events of
//! others in the journal.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::base::lock;

/// Reports in a row that are not delayed.
const BURST: u32 = 60;

/// After them, one report in so long.
const APART: Duration = Duration::from_secs(2);

/// The limit on reports of each user and token.
#[derive(Default)]
pub struct Reports {
    reporters: Mutex<Vec<Reporter>>,
}

/// Somebody whose reports are not forgotten yet. There are no more of these than users and tokens.
struct Reporter {
    actor: String,
    /// From then on, [`BURST`] reports are free again.
    idle_at: Instant,
}

impl Reports {
    /// Counts a report of `actor`.
    ///
    /// # Errors
    /// How long to wait, where this is one too many. It is not counted then.
    pub(super) fn count(&self, actor: &str, now: Instant) -> Result<(), Duration> {
        let mut reporters = lock(&self.reporters);
        reporters.retain(|reporter| reporter.idle_at > now);
        let known = reporters.iter().position(|reporter| reporter.actor == actor);
        let idle_at = known.map_or(now, |at| reporters[at].idle_at) + APART;
        if let Some(wait) = idle_at.checked_duration_since(now + APART * BURST).filter(|wait| !wait.is_zero())
        {
            return Err(wait);
        }
        match known {
            Some(at) => reporters[at].idle_at = idle_at,
            None => reporters.push(Reporter { actor: actor.to_owned(), idle_at }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reports_without_end_waits_and_others_do_not() {
        let (reports, start) = (Reports::default(), Instant::now());
        assert!((0..BURST).all(|_| reports.count("door", start).is_ok()));
        assert_eq!(reports.count("door", start), Err(APART));
        assert_eq!(
            reports.count("door", start + APART / 2),
            Err(APART / 2),
            "a refused report is not counted"
        );
        assert_eq!(reports.count("bell", start), Ok(()));
        assert_eq!(reports.count("door", start + APART), Ok(()));
        assert_eq!(reports.count("door", start + APART), Err(APART));
        let later = start + APART * (2 * BURST + 1);
        assert!((0..BURST).all(|_| reports.count("door", later).is_ok()), "all are free again");
        assert_eq!(lock(&reports.reporters).len(), 1, "who reports no more is forgotten");
    }
}
