//! Counters of logins and requests. Each wraps at 2^32, which Prometheus takes for a restart.

use crate::hub::Count;
use crate::users::Denied;

/// The results of a login, as in the metric's label.
pub const LOGIN_RESULTS: [&str; 3] = ["ok", "failed", "not_checked"];

/// The results of a request, as in the metric's label.
pub const ANSWERS: [&str; 5] = ["stream", "2xx", "3xx", "4xx", "5xx"];

/// Totals since the start.
#[derive(Debug, Default)]
pub struct RequestCounters {
    /// Logins, in the order of [`LOGIN_RESULTS`].
    pub logins: [Count; 3],
    /// Requests, in the order of [`ANSWERS`].
    pub requests: [Count; 5],
}

impl RequestCounters {
    /// A password was accepted.
    pub fn signed_in(&self) {
        self.logins[0].add(1);
    }

    /// A login was refused.
    pub fn refused(&self, why: Denied) {
        let was_checked = !matches!(why, Denied::Busy | Denied::Throttled(_));
        self.logins[if was_checked { 1 } else { 2 }].add(1);
    }

    /// A request was answered with this status; `None` for a stream, a picture or a file.
    pub fn answered(&self, status: Option<u16>) {
        let class = status.map_or(0, |status| usize::from(status / 100).clamp(2, 5) - 1);
        self.requests[class].add(1);
    }
}
