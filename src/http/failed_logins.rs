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
        let storm = {
            let mut now = lock(&self.now);
            let is_of_late = |storm: &Storm| at.saturating_duration_since(storm.began) < APART;
            let storm = now.as_mut().filter(|storm| journal.goes_on(storm.id, QUIET) || is_of_late(storm));
            storm.map(|storm| {
                storm.count = storm.count.saturating_add(1);
                *storm
            })
        };
        match storm {
            // Written at each power of two: a storm of them is a few lines on disk.
            Some(Storm { id, count, .. }) if count.is_power_of_two() => {
                let note = format!("at least {count} failed sign-ins, the last one from {}", peer.ip());
                // It may have been deleted meanwhile.
                let _ = journal.note(id, &note);
            }
            Some(_) => {}
            None => *lock(&self.now) = begin(journal, peer, at),
        }
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
}
