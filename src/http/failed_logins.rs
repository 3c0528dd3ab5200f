//! Failed sign-ins become events: those that follow each other are one, with their number in its note.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::base::lock;
use crate::journal::{Journal, NewEnd, NewEvent};
use crate::media::{CameraName, EventKind};
use crate::users::Denied;

/// After so long without another one, the event is over.
const QUIET: Duration = Duration::from_secs(60);

/// Such events begin at least so far apart, and one that is over is counted on meanwhile. So a stranger who tries a
/// password now and then makes few events, and does not displace others in the journal.
const APART: Duration = Duration::from_secs(600);

/// The event of the failed sign-ins of the last minute.
#[derive(Default)]
pub struct FailedLogins {
    now: Mutex<Option<Storm>>,
}

#[derive(Clone, Copy)]
struct Storm {
    id: u32,
    count: u32,
    began: Instant,
}

impl FailedLogins {
    /// A sign-in from `peer` failed.
    pub fn add(&self, journal: &Journal, peer: SocketAddr, why: Denied) {
        self.add_at(journal, peer, why, Instant::now());
    }

    fn add_at(&self, journal: &Journal, peer: SocketAddr, why: Denied, at: Instant) {
        // That a session has ended is no attempt of anybody.
        if why == Denied::Ended {
            return;
        }
        if let Some(Storm { id, count, .. }) = self.count(journal, peer, at)
            && count > 1
            && count.is_power_of_two()
        {
            // Written at each power of two: a storm of them is a few lines on disk.
            let note = format!("at least {count} failed sign-ins, the last one from {}", peer.ip());
            // It may have been deleted meanwhile. Without the lock, for an old event is read from its file.
            let _ = journal.note(id, &note);
        }
    }

    /// Counts one more, and begins an event where there is none: under one lock, or two requests begin two events.
    fn count(&self, journal: &Journal, peer: SocketAddr, at: Instant) -> Option<Storm> {
        let mut now = lock(&self.now);
        let is_of_late = |storm: &Storm| at.saturating_duration_since(storm.began) < APART;
        match now.as_mut().filter(|storm| journal.goes_on(storm.id, QUIET) || is_of_late(storm)) {
            Some(storm) => storm.count = storm.count.saturating_add(1),
            None => *now = begin(journal, peer, at),
        }
        *now
    }
}

fn begin(journal: &Journal, peer: SocketAddr, began: Instant) -> Option<Storm> {
    let new = NewEvent {
        end: NewEnd::After(QUIET),
        note: format!("a failed sign-in from {}", peer.ip()),
        ..NewEvent::new(CameraName::new("")?, EventKind::LoginFailed)
    };
    journal.start(&new).ok().map(|record| Storm { id: record.event.id, count: 1, began })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::EventQuery;

    #[test]
    fn a_storm_of_failed_logins_is_one_event() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("events"), crate::hub::events(64));
        let (failed, peer) = (FailedLogins::default(), SocketAddr::from(([192, 0, 2, 7], 9)));
        let notes = || {
            let query =
                EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before: None, limit: 9 };
            journal.find(&query).into_iter().map(|record| record.note.to_string()).collect::<Vec<_>>()
        };
        failed.add(&journal, peer, Denied::Ended);
        assert!(notes().is_empty());
        failed.add(&journal, peer, Denied::UnknownUser);
        assert_eq!(notes(), ["a failed sign-in from 192.0.2.7"]);
        for _ in 0..1000 {
            failed.add(&journal, peer, Denied::Throttled(Duration::from_secs(1)));
        }
        assert_eq!(notes(), ["at least 512 failed sign-ins, the last one from 192.0.2.7"]);
        journal.end(1).unwrap();
        let later = Instant::now() + APART;
        for _ in 0..23 {
            failed.add_at(&journal, peer, Denied::WrongPassword, later - Duration::from_secs(60));
        }
        assert_eq!(notes(), ["at least 1024 failed sign-ins, the last one from 192.0.2.7"]);
        failed.add_at(&journal, peer, Denied::WrongPassword, later);
        assert_eq!(notes().len(), 2, "another one after that is over");
    }

    #[test]
    fn failed_logins_at_once_are_one_event() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("events"), crate::hub::events(64));
        let peer = SocketAddr::from(([192, 0, 2, 7], 9));
        for round in 1..=200 {
            let (failed, together) = (FailedLogins::default(), std::sync::Barrier::new(4));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        together.wait();
                        failed.add(&journal, peer, Denied::WrongPassword);
                    });
                }
            });
            let query =
                EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before: None, limit: 999 };
            let found = journal.find(&query);
            assert_eq!(found.len(), round);
            journal.end(found[0].event.id).unwrap();
        }
    }
}
