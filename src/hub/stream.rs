//! What the thread of a camera's further stream and its clients share.

use std::sync::Mutex;

use super::{Flag, Latest, Named, Totals};
use crate::base::lock;
use crate::media::{Frame, StreamSettings};

/// A further stream of a camera as the rest of the program sees it: its frames, its settings, its state.
pub struct StreamFeed {
    name: String,
    frames: Latest<Frame>,
    /// What was published: frames, their bytes, their age at that moment, and the time it took to make them.
    pub published: Totals,
    /// What viewers were sent, as for a camera.
    pub sent: Totals,
    /// Whether its thread reads the camera's frames now, as a viewer does.
    pub follows: Flag,
    settings: Mutex<StreamSettings>,
    state: State,
}

/// Where the state of a stream is.
enum State {
    /// Here: its thread sets it.
    Own(Mutex<StreamState>),
    /// In the camera whose pictures it has; the function asks for it.
    Asked(Box<dyn Fn() -> StreamState + Send + Sync>),
}

/// The state of a stream as its thread last set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Width and height of its newest frame; `None` before the first.
    pub size: Option<(u32, u32)>,
    /// Why its frames are not what was asked for, as text for users.
    pub problem: Option<String>,
}

impl StreamFeed {
    /// A feed with these settings, whose frames are read through `frames`.
    pub fn new(settings: &StreamSettings, frames: Latest<Frame>) -> Self {
        Self {
            name: settings.name.clone(),
            frames,
            published: Totals::default(),
            sent: Totals::default(),
            follows: Flag::default(),
            settings: Mutex::new(settings.clone()),
            state: State::Own(Mutex::default()),
        }
    }

    /// A stream that a thread captures as it captures a camera, instead of making it of another's frames: what is published
    /// and sent counts in these totals, and `state` says how it goes.
    pub fn captured(
        settings: &StreamSettings,
        frames: Latest<Frame>,
        (published, sent): (Totals, Totals),
        state: impl Fn() -> StreamState + Send + Sync + 'static,
    ) -> Self {
        Self { published, sent, state: State::Asked(Box::new(state)), ..Self::new(settings, frames) }
    }

    /// Access to its frames.
    pub fn frames(&self) -> &Latest<Frame> {
        &self.frames
    }

    /// Its settings.
    pub fn settings(&self) -> StreamSettings {
        lock(&self.settings).clone()
    }

    /// Replaces the settings; the name stays.
    pub fn set_settings(&self, settings: &StreamSettings) {
        lock(&self.settings).clone_from(settings);
    }

    /// A copy of the state as of now.
    pub fn state(&self) -> StreamState {
        match &self.state {
            State::Own(state) => lock(state).clone(),
            State::Asked(ask) => ask(),
        }
    }

    /// Replaces the state, where it is the stream's own.
    pub fn set_state(&self, state: StreamState) {
        if let State::Own(held) = &self.state {
            *lock(held) = state;
        }
    }
}

impl Named for StreamFeed {
    fn name(&self) -> &str {
        &self.name
    }
}
