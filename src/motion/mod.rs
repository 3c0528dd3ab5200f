//! Detection at work: frames and sound of the hub go through the detectors, and what they find becomes events.
//!
//! What belongs here: the thread `detect`, which looks at cameras and hears microphones as a viewer and a listener do; when they are armed;
//! what the page is shown of it; the memory of the last looks. What must not: how motion is found ([`crate::detect`]), and HTTP.
//!
//! One thread serves all: a look takes a few milliseconds on the slowest board, and no camera waits for it. While it is late, looks are
//! skipped and counted.

mod camera;
mod looks;
mod microphone;
mod replay;
mod runner;
mod seen;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::base::lock;
use crate::hub::{CameraFeed, FeedList, MicrophoneFeed, Stop, Switch};
use crate::journal::Journal;
use crate::memory::Account;

pub use replay::ReplayedEvent;
#[cfg(test)]
pub use watch::State;
pub use watch::{LiveLook, Watch};

/// Detection of all cameras and microphones.
pub struct Motion {
    cameras: Arc<FeedList<CameraFeed>>,
    microphones: Arc<FeedList<MicrophoneFeed>>,
    journal: Arc<Journal>,
    /// For the looks that are remembered.
    memory: Arc<Account>,
    watches: Mutex<BTreeMap<String, Arc<Watch>>>,
    switch: Switch,
    /// Events that go on.
    open: Mutex<Vec<u32>>,
    /// Held during a replay: one at a time.
    replaying: Mutex<()>,
}

impl Motion {
    /// Detection that does not run yet. What it remembers lies in memory of `account`.
    pub fn new(
        cameras: Arc<FeedList<CameraFeed>>,
        microphones: Arc<FeedList<MicrophoneFeed>>,
        journal: Arc<Journal>,
        account: Arc<Account>,
    ) -> Self {
        Self {
            cameras,
            microphones,
            journal,
            memory: account,
            watches: Mutex::default(),
            switch: Switch::default(),
            open: Mutex::default(),
            replaying: Mutex::default(),
        }
    }

    /// Detects until the stop is requested; the body of the thread `detect`. What goes on then is left to the journal, which
    /// ends it as interrupted.
    pub fn run(&self, stop: &Stop) {
        // What a thread has left behind that panicked.
        for id in std::mem::take(&mut *lock(&self.open)) {
            let _ = self.journal.end(id);
        }
        runner::Runner::new(self).run(stop);
    }

    /// What is known of the detection at a camera; `None` where there is none.
    pub fn watch(&self, camera: &str) -> Option<Arc<Watch>> {
        lock(&self.watches).get(camera).cloned()
    }

    /// Disarms motion and noise everywhere, and arms them again.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }
}
