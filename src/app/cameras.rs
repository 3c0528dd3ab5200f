//! The capture threads: one for each camera, started, watched over, changed and joined.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info};

use crate::capture::{self, CameraSettings};
use crate::hub::{CameraFeed, CameraList, CameraState, Publisher, Stop, latest};
use crate::media::Frame;

/// Stack of a capture thread: encoding works on small blocks, pictures are on the heap.
const STACK_BYTES: usize = 512 * 1024;

/// Pause before a capture thread that panicked starts over.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The cameras that run.
pub(super) struct Cameras {
    running: Vec<Running>,
    list: Arc<CameraList>,
    max_viewers: u32,
}

struct Running {
    settings: CameraSettings,
    feed: Arc<CameraFeed>,
    stop: Stop,
    thread: JoinHandle<Publisher<Frame>>,
}

impl Cameras {
    /// None yet; those to come are entered in `list`, each for at most `max_viewers`.
    pub(super) fn new(list: Arc<CameraList>, max_viewers: u32) -> Self {
        Self { running: Vec::new(), list, max_viewers }
    }

    /// Starts, changes and stops cameras until they are the `wanted` ones. One whose settings
    /// stay is not disturbed; one whose settings change keeps its viewers.
    ///
    /// # Errors
    /// When the system gives no thread for one; the others run.
    pub(super) fn apply(&mut self, wanted: &[CameraSettings]) -> io::Result<()> {
        let mut before = std::mem::take(&mut self.running);
        for running in before.iter().filter(|running| !wanted.contains(&running.settings)) {
            running.stop.request();
        }
        let mut failed = None;
        for settings in wanted {
            let found = before.iter().position(|running| running.settings.name == settings.name);
            let started = match found.map(|at| before.swap_remove(at)) {
                Some(same) if same.settings == *settings => Ok(same),
                before => self.start(settings, before),
            };
            // One camera that cannot start is no reason to lose the others.
            match started {
                Ok(running) => self.running.push(running),
                Err(error) => failed = Some(error),
            }
        }
        self.list.replace(self.running.iter().map(|running| Arc::clone(&running.feed)).collect());
        for gone in before {
            info!("camera {}: removed", gone.settings.name);
            gone.stop.request();
            gone.feed.frames().close();
            join(gone.thread);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends every camera and its viewers' waits; returns when the threads are done.
    pub(super) fn stop(self) {
        for running in &self.running {
            running.stop.request();
            running.feed.frames().close();
        }
        for running in self.running {
            join(running.thread);
        }
    }

    /// Starts a camera, with the viewers of the one that had its name `before`.
    fn start(&self, settings: &CameraSettings, before: Option<Running>) -> io::Result<Running> {
        let kept = before.and_then(|before| {
            info!("camera {}: new settings", settings.name);
            Some((join(before.thread)?, before.feed))
        });
        let (mut publisher, feed) = kept.unwrap_or_else(|| {
            let (publisher, frames) = latest(self.max_viewers);
            (publisher, Arc::new(CameraFeed::new(&settings.name, frames)))
        });
        let stop = Stop::new();
        let mine = (settings.clone(), Arc::clone(&feed), stop.clone());
        let thread = thread::Builder::new()
            .name(format!("camera-{}", settings.name))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                watch_over(&mine.0, &mine.1, &mut publisher, &mine.2);
                publisher
            })?;
        Ok(Running { settings: settings.clone(), feed, stop, thread })
    }
}

/// Captures until told to stop; a panic costs the camera a second, and nobody else anything.
fn watch_over(settings: &CameraSettings, feed: &CameraFeed, publisher: &mut Publisher<Frame>, stop: &Stop) {
    while !stop.is_requested() {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| capture::run(settings, feed, publisher, stop)));
        if stop.is_requested() {
            return;
        }
        let problem = "capture failed and is started again".to_owned();
        error!(
            "camera {}: {problem}{}",
            settings.name,
            if ended.is_err() { " after a fault in Defender" } else { "" }
        );
        feed.set_state(CameraState { online: false, problem: Some(problem), ..feed.state() });
        stop.sleep(RESTART_PAUSE);
    }
}

/// The thread's publisher; `None` if it panicked outside of [`watch_over`]'s care.
fn join(thread: JoinHandle<Publisher<Frame>>) -> Option<Publisher<Frame>> {
    thread.join().ok()
}
