//! What others see of the detection at one camera.

use std::sync::Mutex;

use super::looks::Looks;
use crate::base::lock;
use crate::hub::{Count, Latest, Reader};
use crate::media::{Area, EventKind, Timestamp};

/// Most readers of the looks of a camera.
pub(super) const READERS: u32 = 16;

/// What detection at a camera does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The camera gives no pictures.
    #[default]
    NoPicture,
    /// Its pictures cannot be read; see the problem.
    Failed,
    /// The background is learnt.
    Learning,
    /// The whole picture changes.
    Settling,
    /// Motion is found, and does not count now.
    Disarmed,
    /// Motion counts.
    Watching,
}

/// One look, for those who want to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLook {
    /// When the frame was captured.
    pub at: Timestamp,
    /// What detection did.
    pub state: State,
    /// Blocks of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// A bit for each block, row by row, the lowest one of each byte first: whether it counts.
    pub blocks: Vec<u8>,
    /// Where something moves.
    pub boxes: Vec<Area>,
}

/// What others see of the detection at one camera.
pub struct Watch {
    /// Looks since the start.
    pub looks: Count,
    /// Looks that were skipped: the board was too slow.
    pub skipped: Count,
    events: [Count; EventKind::ALL.len()],
    shown: Mutex<(State, Option<String>)>,
    live: Latest<LiveLook>,
    /// The last looks.
    pub(super) memory: Mutex<Looks>,
}

impl State {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPicture => "no picture",
            Self::Failed => "failed",
            Self::Learning => "learning",
            Self::Settling => "settling",
            Self::Disarmed => "disarmed",
            Self::Watching => "watching",
        }
    }
}

impl Watch {
    /// That of a camera whose looks are published to `live`.
    pub(super) fn new(live: Latest<LiveLook>, memory: Looks) -> Self {
        Self {
            looks: Count::default(),
            skipped: Count::default(),
            events: Default::default(),
            shown: Mutex::default(),
            live,
            memory: Mutex::new(memory),
        }
    }

    /// What it does, and what is wrong, for people.
    pub fn state(&self) -> (State, Option<String>) {
        lock(&self.shown).clone()
    }

    pub(super) fn set_state(&self, state: State, problem: Option<String>) {
        let mut shown = lock(&self.shown);
        if shown.0 != state || shown.1 != problem {
            *shown = (state, problem);
        }
    }

    /// A reader of the looks from now on; `None` when there are too many.
    pub fn follow(&self) -> Option<Reader<LiveLook>> {
        self.live.subscribe()
    }

    /// Events since the start of each kind that there were.
    pub fn events(&self) -> impl Iterator<Item = (EventKind, u32)> + '_ {
        let counts = EventKind::ALL.into_iter().zip(self.events.iter().map(Count::get));
        counts.filter(|(_, count)| *count > 0)
    }

    pub(super) fn count_event(&self, kind: EventKind) {
        self.events[kind as usize].add(1);
    }
}
