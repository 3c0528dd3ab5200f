//! Camera threads with devices that are not there: test card, no-signal frame, stopping.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::settings::testing;
use super::*;
use crate::base::patience::wait_until;
use crate::hub::{CameraFeed, CameraState, Reader, Stop, Wait, latest};
use crate::media::Frame;
use crate::memory::Account;

const LONG: Duration = Duration::from_secs(120);

/// A capture thread of its own, stopped and joined when dropped.
struct Running {
    feed: Arc<CameraFeed>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(settings: CameraSettings) -> Self {
        let (mut publisher, frames) = latest(4);
        let feed = Arc::new(CameraFeed::new(&settings.name, frames));
        let stop = Stop::new();
        let (its_feed, its_stop) = (Arc::clone(&feed), stop.clone());
        let thread = thread::spawn(move || {
            run_camera(&settings, None, &its_feed, &mut publisher, &its_stop, &Account::unlimited());
        });
        Self { feed, stop, thread: Some(thread) }
    }

    fn watch(&self) -> Reader<Frame> {
        self.feed.frames().subscribe().unwrap()
    }

    /// Sleeps until the state is as wanted.
    fn await_state(&self, wanted: impl Fn(&CameraState) -> bool) -> CameraState {
        let mut state = self.feed.state();
        wait_until(|| {
            state = self.feed.state();
            wanted(&state)
        });
        state
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.request();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the capture thread panicked");
    }
}

fn settings(device: DeviceChoice) -> CameraSettings {
    CameraSettings { device, fps: 60, ..testing::settings() }
}

fn next(reader: &mut Reader<Frame>) -> Arc<Frame> {
    match reader.wait_newer(LONG) {
        Wait::Fresh { value, .. } => value,
        other => panic!("no frame: {other:?}"),
    }
}

#[test]
fn the_test_card_moves_and_each_picture_is_newer() {
    let running = Running::start(settings(DeviceChoice::Test));
    let mut reader = running.watch();
    let mut before = next(&mut reader);
    for _ in 0..5 {
        let frame = next(&mut reader);
        assert_eq!(frame.size(), (160, 120));
        assert!(frame.captured() > before.captured());
        assert_ne!(frame.jpeg(), before.jpeg());
        before = frame;
    }
    let state = running.feed.state();
    assert_eq!((state.source.as_str(), state.online, state.problem), ("test card", true, None));
}

#[test]
fn nothing_is_encoded_while_nobody_watches() {
    let running = Running::start(settings(DeviceChoice::Test));
    let rounds = running.feed.pulse.get();
    wait_until(|| running.feed.pulse.get() >= rounds + 3);
    assert_eq!(running.feed.counters.encoded.get(), 0);
    next(&mut running.watch());
    assert!(running.feed.counters.encoded.get() > 0);
}

#[test]
fn a_missing_camera_shows_the_no_signal_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video7");
    let running = Running::start(settings(DeviceChoice::Path(path.clone())));
    let state = running.await_state(|state| state.problem.is_some());
    assert!(!state.online && state.since.is_some(), "{state:?}");
    assert_eq!(state.problem, Some(format!("{}: no such device", path.display())));
    assert_eq!(running.feed.counters.encoded.get(), 0, "nobody watches");
    let mut reader = running.watch();
    let first = next(&mut reader);
    assert_eq!(first.size(), (160, 120));
    assert!(next(&mut reader).captured() > first.captured(), "it is sent again and again");
    assert_eq!(running.feed.counters.captured.get(), 0, "a no-signal frame is no capture");
}

#[test]
fn a_node_that_appears_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video7");
    let running = Running::start(settings(DeviceChoice::Path(path.clone())));
    running.await_state(|state| {
        state.problem.as_ref().is_some_and(|problem| problem.contains("no such device"))
    });
    std::fs::write(&path, "").unwrap();
    running
        .await_state(|state| state.problem.as_ref().is_some_and(|problem| problem.contains("not a camera")));
}

#[test]
fn on_demand_a_camera_stays_closed_until_somebody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video7");
    std::fs::write(&path, "").unwrap();
    let device = DeviceChoice::Path(path.clone());
    let running = Running::start(CameraSettings { on_demand: true, ..settings(device) });
    let state = running.await_state(|state| !state.source.is_empty());
    assert_eq!(state.source, format!("{} (closed until somebody watches)", path.display()));
    assert!(state.online && state.problem.is_none(), "{state:?}");
    let _reader = running.watch();
    running
        .await_state(|state| state.problem.as_ref().is_some_and(|problem| problem.contains("not a camera")));
}

#[test]
fn a_closed_hub_ends_capture() {
    let running = Running::start(settings(DeviceChoice::Test));
    let _reader = running.watch();
    running.feed.frames().close();
    wait_until(|| running.thread.as_ref().unwrap().is_finished());
}
