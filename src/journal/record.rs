//! An event as the journal keeps it, and what is asked of it.

use std::time::Duration;

use crate::media::{Area, CameraName, Event, EventKind, Timestamp};

/// Longest note, in characters.
pub const NOTE_CHARS: usize = 200;

/// Longest name of who or what reported an event, in characters; more is cut off.
pub const REPORTER_CHARS: usize = 100;

/// An event with what the journal knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The event. Its times are of the boot in which it happened.
    pub event: Event,
    /// When it began by the wall clock, as that was set then: microseconds since 1970.
    pub wall_start_us: u64,
    /// The boot of the machine in which it happened: the first 32 bits of the kernel's boot id.
    pub boot: u32,
    /// Whether its footage is to be kept.
    pub is_kept: bool,
    /// Whether the server ended while it went on; its end is then the last moment that is known.
    pub is_interrupted: bool,
    /// What somebody wrote about it.
    pub note: Box<str>,
    /// Who or what reported it.
    pub reporter: Box<str>,
    /// The zone of the camera in which it happened; empty without one.
    pub zone: Box<str>,
    /// The microphone that heard it; empty without one.
    pub microphone: Box<str>,
    /// When its best frame was captured, where that is known.
    pub best: Option<Timestamp>,
}

/// An event that is to begin.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The camera; empty for an event that belongs to none.
    pub camera: CameraName,
    /// What kind of event it is.
    pub kind: EventKind,
    /// Its strength; see [`Event::score`].
    pub score: u8,
    /// Where in the picture it happens.
    pub area: Option<Area>,
    /// When it began; `None` for now.
    pub start: Option<Timestamp>,
    /// When its best frame was captured, where that is known.
    pub best: Option<Timestamp>,
    /// The zone of the camera in which it happens; empty without one.
    pub zone: String,
    /// The microphone that hears it; empty without one.
    pub microphone: String,
    /// When it ends.
    pub end: NewEnd,
    /// What is to be written about it, cut to [`NOTE_CHARS`].
    pub note: String,
    /// Who or what reports it, cut to [`REPORTER_CHARS`].
    pub reporter: String,
}

impl NewEvent {
    /// An event of now that goes on until it is ended, reported by Defender.
    pub fn new(camera: CameraName, kind: EventKind) -> Self {
        Self {
            camera,
            kind,
            score: 0,
            area: None,
            start: None,
            best: None,
            zone: String::new(),
            microphone: String::new(),
            end: NewEnd::Open,
            note: String::new(),
            reporter: "Defender".to_owned(),
        }
    }
}

/// When an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewEnd {
    /// At once: it is an instant.
    AtOnce,
    /// After this time, or earlier if it is ended before.
    After(Duration),
    /// When it is ended.
    Open,
}

/// Which events are looked for.
pub struct EventQuery<'q> {
    /// Those that went on at this moment or later: microseconds since 1970.
    pub from_us: Option<u64>,
    /// Those that began at this moment or earlier.
    pub to_us: Option<u64>,
    /// Those that this says yes to. It is called for many, while others wait.
    pub is_wanted: &'q dyn Fn(&EventRecord) -> bool,
    /// Those with a smaller id.
    pub before: Option<u32>,
    /// At most so many: the newest ones.
    pub limit: usize,
}

impl EventRecord {
    /// When it ended by the wall clock, as that was set when it began; `None` while it goes on.
    pub fn wall_end_us(&self) -> Option<u64> {
        let end = self.event.end?;
        Some(self.wall_start_us.saturating_add(end.since(self.event.start).as_micros() as u64))
    }

    /// When its best frame was captured by the wall clock, as that was set when it began.
    pub fn wall_best_us(&self) -> Option<u64> {
        let after_us = self.best?.as_micros().saturating_sub(self.event.start.as_micros());
        Some(self.wall_start_us.saturating_add(after_us))
    }

    /// A record of an event that began at `event.start` in this boot.
    pub(super) fn new(event: Event, wall_start_us: u64, boot: u32) -> Self {
        Self {
            event,
            wall_start_us,
            boot,
            is_kept: false,
            is_interrupted: false,
            note: Box::default(),
            reporter: Box::default(),
            zone: Box::default(),
            microphone: Box::default(),
            best: None,
        }
    }

    pub(super) fn end_at(&mut self, at: Timestamp) {
        self.event.end = Some(at.max(self.event.start));
    }
}

impl EventQuery<'_> {
    /// Whether a record is among those that are looked for.
    pub(super) fn matches(&self, record: &EventRecord) -> bool {
        self.may_match(record)
            && self.from_us.is_none_or(|from_us| record.wall_end_us().is_none_or(|end_us| end_us >= from_us))
    }

    /// As [`Self::matches`], of an event whose end is not read yet.
    pub(super) fn may_match(&self, record: &EventRecord) -> bool {
        self.before.is_none_or(|before| record.event.id < before)
            && self.to_us.is_none_or(|to_us| record.wall_start_us <= to_us)
            && (self.is_wanted)(record)
    }
}

/// The first `chars` characters of a text.
pub(super) fn cut(text: &str, chars: usize) -> Box<str> {
    match text.char_indices().nth(chars) {
        Some((at, _)) => text[..at].into(),
        None => text.into(),
    }
}
