//! When the wall clock is trusted, and how long certificates are valid.
//!
//! A board without a battery starts in 1970, or at the time of its last shutdown. A certificate that it makes
//! then must be valid for clients, whose clocks are right.
//!
//! A clock that is before the release is not believed. The date of the release is a constant, so that builds
//! stay reproducible. A certificate is made as of the latest time that is known to have passed, minus two days,
//! and replaced after two thirds of its life when a client connects: no thread waits for it.

use std::fmt;

use time::OffsetDateTime;

use crate::base::clock::{self, RELEASED_S};

const DAY_S: i64 = 24 * 3600;

/// How long before its making a certificate begins to be valid: clocks of clients may be slow.
const BACKDATE_S: i64 = 2 * DAY_S;

/// Apple accepts at most 398 days from a public CA and 825 from a private one; browsers may follow.
const LEAF_S: i64 = 397 * DAY_S;

/// A CA is valid for ten years after it is made.
const AUTHORITY_S: i64 = 3652 * DAY_S;

/// The wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(fn() -> i64);

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before_s: i64,
    pub(super) not_after_s: i64,
}

impl Clock {
    /// The system's clock.
    pub(super) fn system() -> Self {
        Self(|| i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX))
    }

    #[cfg(test)]
    pub(super) fn of(now: fn() -> i64) -> Self {
        Self(now)
    }

    /// The time, if the clock can be right.
    pub(super) fn plausible_s(self) -> Option<i64> {
        Some((self.0)()).filter(|now| *now >= RELEASED_S)
    }

    /// The time. If the clock is wrong, the latest time that is known to have passed: the release, or when
    /// the certificate in use was made.
    pub(super) fn best_s(self, in_use: Option<Validity>) -> i64 {
        let known = in_use.map_or(0, |validity| validity.not_before_s + BACKDATE_S);
        self.plausible_s().unwrap_or(known.max(RELEASED_S))
    }
}

impl Validity {
    /// The validity of a CA made at this time. It begins with the release, so that it covers a certificate
    /// that is made after the clock was set back.
    pub(super) fn of_authority(now_s: i64) -> Self {
        Self { not_before_s: RELEASED_S - BACKDATE_S, not_after_s: now_s.saturating_add(AUTHORITY_S) }
    }

    /// The validity of a server's certificate made at this time, within that of its CA.
    pub(super) fn of_leaf(now_s: i64, authority: Self) -> Self {
        let not_before_s = (now_s - BACKDATE_S).max(authority.not_before_s);
        // The last second is part of the validity (RFC 5280, section 4.1.2.5).
        Self { not_before_s, not_after_s: (not_before_s + LEAF_S - 1).min(authority.not_after_s) }
    }

    /// Whether a certificate is due for renewal at this time: after two thirds of its life, or before its
    /// beginning, as after a fast clock was set right.
    pub(super) fn is_due(self, now_s: i64) -> bool {
        let life_s = self.not_after_s.saturating_sub(self.not_before_s);
        !(self.not_before_s..self.not_before_s.saturating_add(life_s / 3 * 2)).contains(&now_s)
    }

    /// Days until its end; negative after its end.
    pub(super) fn days_left(self, now_s: i64) -> i64 {
        (self.not_after_s - now_s).div_euclid(DAY_S)
    }

    /// The days from its first to its last second.
    pub(super) fn days(self) -> i64 {
        (self.not_after_s - self.not_before_s + 1).div_euclid(DAY_S)
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", day(self.not_before_s), day(self.not_after_s))
    }
}

/// The day of a time, such as `2026-11-28`.
pub(super) fn day(seconds: i64) -> String {
    let date = date_time(seconds).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// Converts a time for rcgen; a time out of its range becomes 1970.
pub(super) fn date_time(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_S: i64 = 365 * DAY_S;

    #[test]
    fn a_clock_before_the_release_is_not_trusted() {
        let (lost, right) = (Clock::of(|| 17), Clock::of(|| RELEASED_S + YEAR_S));
        assert_eq!((lost.plausible_s(), right.plausible_s()), (None, Some(RELEASED_S + YEAR_S)));
        assert_eq!(lost.best_s(None), RELEASED_S);
        let authority = Validity::of_authority(RELEASED_S);
        let in_use = Validity::of_leaf(RELEASED_S + YEAR_S, authority);
        assert_eq!(lost.best_s(Some(in_use)), RELEASED_S + YEAR_S, "the latest time known to have passed");
        assert!(!in_use.is_due(lost.best_s(Some(in_use))), "a wrong clock renews nothing");
        assert_eq!(
            right.best_s(Some(Validity::of_leaf(RELEASED_S + 9 * YEAR_S, authority))),
            RELEASED_S + YEAR_S
        );
    }

    #[test]
    fn a_certificate_of_a_slow_clock_is_valid_by_a_right_one() {
        let authority = Validity::of_authority(RELEASED_S);
        let made = Validity::of_leaf(RELEASED_S, authority);
        assert_eq!((made.days(), day(made.not_before_s).as_str()), (397, "2026-11-26"));
        assert_eq!(day(authority.not_before_s), "2026-11-26");
        let right_s = RELEASED_S + 390 * DAY_S;
        assert!(made.not_before_s < right_s && right_s < made.not_after_s && made.is_due(right_s));
        assert!(!made.is_due(RELEASED_S + 200 * DAY_S) && made.is_due(RELEASED_S - 3 * DAY_S));
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        let authority = Validity::of_authority(RELEASED_S);
        let late = Validity::of_leaf(authority.not_after_s - 100 * DAY_S, authority);
        assert_eq!(late.not_after_s, authority.not_after_s);
        assert_eq!(authority.days_left(RELEASED_S), 3652);
    }

    #[test]
    fn a_certificate_begins_ends_and_is_due_at_exact_seconds() {
        assert_eq!(Clock::of(|| RELEASED_S).plausible_s(), Some(RELEASED_S));
        let made = Validity::of_leaf(RELEASED_S, Validity::of_authority(RELEASED_S));
        assert_eq!(made.not_after_s - made.not_before_s, LEAF_S - 1);
        let due_s = made.not_before_s + (LEAF_S - 1) / 3 * 2;
        assert!(!made.is_due(due_s - 1) && made.is_due(due_s));
        assert!(!made.is_due(made.not_before_s) && made.is_due(made.not_before_s - 1));
        assert_eq!((made.days_left(made.not_after_s), made.days_left(made.not_after_s + 1)), (0, -1));
    }
}
