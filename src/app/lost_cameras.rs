//! Cameras that give no pictures become events: one begins when a camera is offline for five seconds, and ends when it is
//! back, gone from the configuration, or stopped by an admin.

use std::collections::HashMap;
use std::time::Duration;

use log::debug;

use crate::hub::{CameraFeed, CameraState, Named};
use crate::journal::{Journal, NewEvent};
use crate::media::{CameraName, EventKind, Timestamp};

/// How often cameras are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A shorter loss is no event: a camera that is set to another size is gone for a moment.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// The events of the cameras that are lost now.
#[derive(Default)]
pub(super) struct LostCameras {
    events: HashMap<String, u32>,
}

impl LostCameras {
    /// Looks at all cameras; with `is_stopped` none is expected to give pictures.
    pub(super) fn look<'c>(
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
            let known = self.events.remove(camera.name());
            if let Some(id) = known.or_else(|| begin(journal, camera.name(), state)) {
                lost.insert(camera.name().to_owned(), id);
            }
        }
        for id in std::mem::replace(&mut self.events, lost).into_values() {
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

fn begin(journal: &Journal, name: &str, state: CameraState) -> Option<u32> {
    let lost = NewEvent::new(CameraName::new(name)?, EventKind::CameraLost);
    let new = NewEvent { note: state.problem.unwrap_or_default(), ..lost };
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
        let mut lost = LostCameras::default();
        let mut look = |after_s: u64, is_stopped: bool| {
            let now = Timestamp::now().after(Duration::from_secs(after_s));
            lost.look(&journal, [&camera].into_iter(), is_stopped, now);
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
}
