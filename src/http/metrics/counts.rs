//! How often what was asked, and how it went. Each wraps at 2^32, which Prometheus takes for a restart.

use crate::hub::Count;
use crate::users::Denied;

/// How a login ended, as its label says.
pub const LOGIN_RESULTS: [&str; 3] = ["ok", "failed", "not_checked"];

/// What became of a request, as its label says.
pub const ANSWERS: [&str; 5] = ["stream", "2xx", "3xx", "4xx", "5xx"];

/// Running totals since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// By how they ended.
    pub logins: [Count; 3],
    /// By what became of them.
    pub requests: [Count; 5],
}

impl Counts {
    /// Somebody was let in by a password.
    pub fn signed_in(&self) {
        self.logins[0].add(1);
    }

    /// Somebody was not let in.
    pub fn refused(&self, why: Denied) {
        let was_checked = !matches!(why, Denied::Busy | Denied::Throttled(_));
        self.logins[if was_checked { 1 } else { 2 }].add(1);
    }

    /// A request was answered with this status; `None`: with a stream, a picture or a file.
    pub fn answered(&self, status: Option<u16>) {
        let class = status.map_or(0, |status| usize::from(status / 100).clamp(2, 5) - 1);
        self.requests[class].add(1);
    }
}
