//! What is wrong becomes events: cameras that give no pictures, recordings that cannot be written, a board that is slowed down.
//! An event begins when that was so for five seconds, and ends when it is over, or does not matter any more because the camera
//! is gone from the configuration or stopped by an admin.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use log::debug;

use crate::base::disk::read_bounded;
use crate::hub::{CameraFeed, CameraState, Named};
use crate::journal::{Journal, NewEvent};
use crate::media::{CameraName, EventKind, Timestamp};
use crate::record::{Recordings, State};

/// How often cameras are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A shorter fault is no event: a camera that is set to another size is gone for a moment.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// The bits of a Raspberry Pi's firmware for what slows it down now: its voltage is too low, or it is too hot
/// (raspberrypi.com, "vcgencmd get_throttled").
const UNDER_VOLTAGE: u32 = 1;
const HOT: u32 = 1 << 2 | 1 << 3;

/// The events of what is wrong now.
#[derive(Default)]
pub(super) struct Faults {
    /// By the name of the camera.
    cameras: HashMap<String, u32>,
    disk: Fault,
    board: Fault,
}

/// One thing that may be wrong.
#[derive(Default)]
struct Fault {
    since: Option<Timestamp>,
    event: Option<u32>,
}

/// Why a camera that is to be recorded is not; `None` while each is.
pub(super) fn unrecorded(recordings: &Recordings) -> Option<String> {
    let failed = || {
        let status = recordings.status().into_iter().find(|status| status.state == State::Failed)?;
        Some(status.problem.unwrap_or_else(|| "its recordings cannot be written".to_owned()))
    };
    recordings.problem().or_else(failed)
}

/// Why the board is slowed down; `None` while it is not, or does not tell.
pub(super) fn slowed(sys: &Path) -> Option<String> {
    let file = sys.join("devices/platform/soc/soc:firmware/get_throttled");
    let text = String::from_utf8(read_bounded(&file, 32).ok()?).ok()?;
    let bits = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
    let reasons = [(UNDER_VOLTAGE, "its voltage is too low"), (HOT, "it is too hot")];
    let found: Vec<_> =
        reasons.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, reason)| *reason).collect();
    (!found.is_empty()).then(|| format!("the board is slowed down: {}", found.join(", ")))
}

impl Fault {
    fn look(&mut self, journal: &Journal, kind: EventKind, problem: Option<String>, now: Timestamp) {
        let Some(note) = problem else {
            self.since = None;
            if let Some(id) = self.event.take() {
                journal.end_at(id, now);
            }
            return;
        };
        let since = *self.since.get_or_insert(now);
        if self.event.is_none()
            && now.since(since) >= LOST_AFTER
            && let Some(nobody) = CameraName::new("")
        {
            let new = NewEvent { note, ..NewEvent::new(nobody, kind) };
            self.event = journal.start(&new).ok().map(|record| record.event.id);
        }
    }
}

impl Faults {
    /// Looks at recording; `problem` is why a camera is not recorded.
    pub(super) fn disk(&mut self, journal: &Journal, problem: Option<String>, now: Timestamp) {
        self.disk.look(journal, EventKind::Disk, problem, now);
    }

    /// Looks at the board; `problem` is why it is slowed down.
    pub(super) fn board(&mut self, journal: &Journal, problem: Option<String>, now: Timestamp) {
        self.board.look(journal, EventKind::Board, problem, now);
    }

    /// Looks at all cameras; with `is_stopped` none is expected to give pictures.
    pub(super) fn cameras<'c>(
        &mut self,
        journal: &Journal,
        cameras: impl Iterator<Item = &'c CameraFeed>,
        is_stopped: bool,
        now: Timestamp,
    ) {
        let mut lost = HashMap::new();
        for camera in cameras {
            let state = camera.state();
            if is_stopped || !is_lost(&state, now) {
                continue;
            }
            let known = self.cameras.remove(camera.name());
            if let Some(id) = known.or_else(|| begin(journal, camera)) {
                lost.insert(camera.name().to_owned(), id);
            }
        }
        for id in std::mem::replace(&mut self.cameras, lost).into_values() {
            if let Err(error) = journal.end(id) {
                debug!("event {id} of a lost camera: {error}");
            }
        }
    }
}

/// Before its capture thread has said anything of a camera, nothing is known.
fn is_lost(state: &CameraState, now: Timestamp) -> bool {
    !state.online && state.since.is_some_and(|since| now.since(since) >= LOST_AFTER)
}

fn begin(journal: &Journal, camera: &CameraFeed) -> Option<u32> {
    let lost = NewEvent::new(CameraName::new(camera.name())?, EventKind::CameraLost);
    let new = NewEvent { note: camera.public_problem().unwrap_or_default(), ..lost };
    journal.start(&new).ok().map(|record| record.event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{events, latest};
    use crate::journal::EventQuery;

    #[test]
    fn a_lost_camera_is_one_event_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("events"), events(64));
        let camera = CameraFeed::new("front", latest(2).1);
        let mut lost = Faults::default();
        let mut look = |after_s: u64, is_stopped: bool| {
            let now = Timestamp::now().after(Duration::from_secs(after_s));
            lost.cameras(&journal, [&camera].into_iter(), is_stopped, now);
            let query =
                EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before: None, limit: 9 };
            journal.find(&query).iter().map(|record| record.event.end.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(look(60, false), [], "nothing is known of it");
        let offline = CameraState { problem: Some("unplugged".to_owned()), ..CameraState::default() };
        camera.set_state(offline.clone());
        assert_eq!(look(4, false), [], "it is gone for a moment");
        assert_eq!(look(60, true), [], "it was stopped");
        assert_eq!(look(6, false), [false]);
        assert_eq!(look(3600, false), [false], "still the same event");
        camera.set_state(CameraState { online: true, ..offline.clone() });
        assert_eq!(look(0, false), [true]);
        camera.set_state(offline);
        assert_eq!(look(6, false), [false, true], "lost again");
        assert_eq!(look(7, true), [true, true], "stopped meanwhile");
        let last = journal.get(2).unwrap();
        assert_eq!((&*last.note, &*last.reporter), ("unplugged", "Defender"));
    }

    #[test]
    fn a_full_disk_is_one_event_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("events"), events(64));
        let mut faults = Faults::default();
        let mut look = |at_s: u64, problem: Option<&str>| {
            let now = Timestamp::from_micros(at_s * 1_000_000);
            faults.disk(&journal, problem.map(str::to_owned), now);
            let query =
                EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before: None, limit: 9 };
            journal.find(&query).iter().map(|record| record.event.end.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(look(1, Some("it is full")), []);
        assert_eq!(look(2, None), [], "it was soon over");
        assert_eq!(look(3, Some("it is full")), []);
        assert_eq!(look(8, Some("it is full")), [false]);
        assert_eq!(look(900, Some("it is full")), [false]);
        assert_eq!(look(901, None), [true]);
        let event = journal.get(1).unwrap();
        assert_eq!((event.event.kind, &*event.note), (EventKind::Disk, "it is full"));
    }

    #[test]
    fn a_board_says_why_it_is_slow() {
        let sys = tempfile::tempdir().unwrap();
        let folder = sys.path().join("devices/platform/soc/soc:firmware");
        std::fs::create_dir_all(&folder).unwrap();
        for (text, expected) in [
            ("0\n", None),
            ("50000\n", None),
            ("50005\n", Some("the board is slowed down: its voltage is too low, it is too hot")),
            ("0x8", Some("the board is slowed down: it is too hot")),
            ("hot", None),
        ] {
            std::fs::write(folder.join("get_throttled"), text).unwrap();
            assert_eq!(slowed(sys.path()).as_deref(), expected, "{text}");
        }
        assert_eq!(slowed(&sys.path().join("none")), None);
    }
}
