//! The journal: what happened, on disk, with what people keep of it and wrote about it.
//!
//! What belongs here: ids of events, their lines on disk, finding them. What must not: what makes an event, footage, HTTP.
//!
//! # How it works
//! Whoever begins or ends an event changes the [`Index`] in memory under a lock, and posts to the broadcast
//! ([`crate::hub::Events`]). The thread `journal` reads the broadcast, for events of those that post to it alone, and
//! writes what the disk lacks: a few lines at a time, made safe by one `fdatasync`. Nobody else waits for a disk.
//!
//! The disk has a file for each day (`day.rs`) with lines of JSON (`line.rs`). The newest events are in memory; older
//! ones are read from the files when somebody looks for them (`older.rs`).
//!
//! Invariant: an id is never given away twice. Ids are reserved on disk ahead of their use, and a start goes on
//! behind those that were reserved.
//!
//! Invariant: the wall clock orders nothing. Ids order events, and the numbers of lines order what is said of one.

mod day;
mod error;
mod files;
mod index;
mod line;
mod older;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::base::{clock, lock};
use crate::hub::{EventReader, Events};
use crate::media::{Area, CameraName, Event, Timestamp};
use day::DayLimits;
use index::Index;
use writer::Writer;

pub use error::JournalError;
pub use record::{EventQuery, EventRecord, NOTE_CHARS, NewEnd, NewEvent, REPORTER_CHARS};

/// Most events in memory, beside those that are kept: below 1 MB.
const MAX_HELD_EVENTS: usize = 4096;

/// The journal. All methods but [`Journal::run`] take at most a look into memory, or into files where they say so.
pub struct Journal {
    events: Events<Event>,
    /// What the journal itself has posted; wraps.
    posted: AtomicU32,
    index: Mutex<Index>,
    writer: Mutex<Option<Writer>>,
    health: Mutex<Health>,
    folder: PathBuf,
    setting: Setting,
}

/// How well the journal works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why events cannot be written to disk.
    pub problem: Option<String>,
    /// Events that are not on disk yet.
    pub unwritten: usize,
    /// Events that are lost: posted faster than they were read, or more than memory holds while the disk cannot be
    /// written to.
    pub lost: u32,
    /// Lines that were not written because there were too many on one day.
    pub left_out: u32,
}

/// What the journal takes from its surroundings; tests set it.
struct Setting {
    clock: Box<dyn Fn() -> Moment + Send + Sync>,
    boot: u32,
    limits: DayLimits,
    held: usize,
}

/// The present moment by both clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Timestamp,
    wall_us: u64,
}

impl Journal {
    /// Opens the journal in a folder, which is created where that is possible, and reads it. What is posted to `events`
    /// from now on is written by [`Journal::run`]. It never fails: where the folder cannot be used, events are held in
    /// memory, the log says why, and writing is tried again and again.
    pub fn open(folder: &Path, events: Events<Event>) -> Self {
        let clock = || Moment { at: Timestamp::now(), wall_us: clock::wall_us() };
        let setting = Setting {
            clock: Box::new(clock),
            boot: boot(),
            limits: DayLimits::DEFAULT,
            held: MAX_HELD_EVENTS,
        };
        Self::open_with(folder, events, setting)
    }

    fn open_with(folder: &Path, events: Events<Event>, setting: Setting) -> Self {
        let mut index = Index::new(setting.held);
        let mut writer = Writer::new(folder, events.reader());
        let problem = writer.load(&mut index);
        Self {
            events,
            posted: AtomicU32::new(0),
            index: Mutex::new(index),
            writer: Mutex::new(Some(writer)),
            health: Mutex::new(Health { problem, ..Health::default() }),
            folder: folder.to_owned(),
            setting,
        }
    }

    /// Writes to the disk until [`Journal::stop`]; the body of the thread `journal`.
    pub fn run(&self) {
        // After a panic there is none left: then what was posted meanwhile is only in memory.
        let writer = lock(&self.writer).take();
        writer.unwrap_or_else(|| Writer::again(&self.folder, self.events.reader())).run(self);
    }

    /// Closes the broadcast, and has [`Journal::run`] end what goes on, write the rest and return.
    pub fn stop(&self) {
        self.events.close();
    }

    /// A reader of the events that begin and end from now on.
    pub fn follow(&self) -> EventReader<Event> {
        self.events.reader()
    }

    /// Ends the sleep of those that follow.
    pub fn wake(&self) {
        self.events.wake();
    }

    /// Begins an event, and posts that.
    ///
    /// # Errors
    /// [`JournalError::TooManyOpen`].
    pub fn start(&self, new: &NewEvent) -> Result<EventRecord, JournalError> {
        let now = (self.setting.clock)();
        let ends_at = match new.end {
            NewEnd::After(time) => Some(now.at.after(time)),
            NewEnd::AtOnce | NewEnd::Open => None,
        };
        let start = new.start.map_or(now.at, |start| start.min(now.at));
        let ago_us = now.at.since(start).as_micros() as u64;
        let mut index = self.index();
        let event = Event {
            id: index.new_id(),
            camera: new.camera,
            kind: new.kind,
            start,
            end: (new.end == NewEnd::AtOnce).then_some(now.at),
            score: new.score,
            area: new.area,
        };
        let record = EventRecord {
            note: record::cut(&new.note, NOTE_CHARS),
            reporter: record::cut(&new.reporter, REPORTER_CHARS),
            zone: new.zone.as_str().into(),
            microphone: new.microphone.as_str().into(),
            best: new.best,
            ..EventRecord::new(event, now.wall_us.saturating_sub(ago_us), self.setting.boot)
        };
        index.begin(record.clone(), ends_at)?;
        drop(index);
        self.post(&event);
        Ok(record)
    }

    /// Ends an event now, and posts that. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`JournalError::NoSuchEvent`].
    pub fn end(&self, id: u32) -> Result<EventRecord, JournalError> {
        self.end_at(id, (self.setting.clock)().at);
        self.get(id).ok_or(JournalError::NoSuchEvent)
    }

    /// Lets an event go on for so long from now; false if it has ended.
    pub fn goes_on(&self, id: u32, time: Duration) -> bool {
        let until = (self.setting.clock)().at.after(time);
        self.index().goes_on(id, until)
    }

    /// Notes what an event is at its best: its strength, its place, and the moment of that frame. It is written to disk with the
    /// end of the event.
    pub fn rise(&self, id: u32, score: u8, area: Option<Area>, best: Timestamp) {
        self.index().rise(id, score, area, best);
    }

    /// Ends an event at this moment, and posts that. One that has ended stays as it is.
    pub fn end_at(&self, id: u32, at: Timestamp) {
        let ended = self.index().end(id, at);
        if let Some(event) = ended {
            self.post(&event);
        }
    }

    /// An event; an old one is read from its file.
    pub fn get(&self, id: u32) -> Option<EventRecord> {
        let index = self.index();
        let found = index.get(id).cloned();
        if found.is_some() || !index.may_be_on_disk_only(id) {
            return found;
        }
        drop(index);
        let is_it = |record: &EventRecord| record.event.id == id;
        let before = id.checked_add(1);
        let query = EventQuery { from_us: None, to_us: None, is_wanted: &is_it, before, limit: 1 };
        self.older(&query).pop()
    }

    /// The record of an event that was just posted: of one that is not taken in yet, what the event says.
    pub fn record_of(&self, event: &Event) -> EventRecord {
        let known = self.index().get(event.id).cloned();
        known.unwrap_or_else(|| self.new_record(*event))
    }

    /// The newest events that are looked for, the newest first. Old ones are read from files.
    pub fn find(&self, query: &EventQuery<'_>) -> Vec<EventRecord> {
        let mut found = self.index().find(query);
        if found.len() < query.limit {
            found.extend(self.older(query));
            // Kept ones in memory may be older than some that are not.
            found.sort_unstable_by_key(|record| std::cmp::Reverse(record.event.id));
            found.truncate(query.limit);
        }
        found
    }

    /// Keeps the footage of an event, or lets it go.
    ///
    /// # Errors
    /// [`JournalError::NoSuchEvent`], [`JournalError::TooManyKept`].
    pub fn keep(&self, id: u32, is_kept: bool) -> Result<EventRecord, JournalError> {
        self.change(id, Some(is_kept), None)
    }

    /// Writes a note on an event, in place of that which it has; cut to [`NOTE_CHARS`].
    ///
    /// # Errors
    /// [`JournalError::NoSuchEvent`].
    pub fn note(&self, id: u32, text: &str) -> Result<EventRecord, JournalError> {
        self.change(id, None, Some(text))
    }

    /// Deletes an event. Its footage stays.
    ///
    /// # Errors
    /// [`JournalError::NoSuchEvent`].
    pub fn delete(&self, id: u32) -> Result<EventRecord, JournalError> {
        self.recall(id);
        let deleted = self.index().delete(id)?;
        if deleted.event.end.is_none() {
            self.post(&Event { end: Some((self.setting.clock)().at), ..deleted.event });
        }
        Ok(deleted)
    }

    /// When events at a camera were whose footage is kept: microseconds since 1970, in order, apart from each other. One
    /// that goes on ends at `u64::MAX`.
    pub fn kept_ranges(&self, camera: &CameraName) -> Vec<(u64, u64)> {
        self.index().kept_ranges(camera)
    }

    /// How well it works.
    pub fn health(&self) -> Health {
        let health = lock(&self.health).clone();
        let index = self.index();
        Health {
            unwritten: index.unwritten(),
            lost: health.lost.saturating_add(index.dropped),
            left_out: index.left_out,
            ..health
        }
    }

    fn change(
        &self,
        id: u32,
        is_kept: Option<bool>,
        note: Option<&str>,
    ) -> Result<EventRecord, JournalError> {
        self.recall(id);
        self.index().change(id, is_kept, note.map(|note| record::cut(note, NOTE_CHARS)))
    }

    /// Takes an event that is only on disk into memory, to be changed there.
    fn recall(&self, id: u32) {
        if self.index().get(id).is_none()
            && let Some(record) = self.get(id)
        {
            self.index().recall(record);
        }
    }

    fn new_record(&self, event: Event) -> EventRecord {
        let now = (self.setting.clock)();
        let ago_us = now.at.since(event.start).as_micros() as u64;
        EventRecord::new(event, now.wall_us.saturating_sub(ago_us), self.setting.boot)
    }

    /// Events that are only in files.
    fn older(&self, query: &EventQuery<'_>) -> Vec<EventRecord> {
        let index = self.index();
        let before = query.before.unwrap_or(u32::MAX).min(index.complete_from);
        if before == 0 {
            return Vec::new();
        }
        let (files, skip) = (index.files.clone(), index.not_on_disk());
        drop(index);
        let query = EventQuery { before: Some(before), ..*query };
        older::find(&self.folder, files, &skip, &query)
    }

    fn post(&self, event: &Event) {
        // Relaxed: it is only compared with what was read, some time later.
        self.posted.fetch_add(1, Ordering::Relaxed);
        self.events.post(event);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }
}

/// The first 32 bits of the kernel's boot id; 0 where it has none.
fn boot() -> u32 {
    let [first, second, third, fourth, ..] = clock::boot_id();
    u32::from_be_bytes([first, second, third, fourth])
}

#[cfg(test)]
mod tests;
