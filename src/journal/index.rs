//! What the journal holds in memory: the newest events, all that go on, all that are kept, and what of them is not on
//! disk yet. No I/O belongs here.

mod disk;

use std::collections::{BTreeMap, BTreeSet};

use super::day::{Day, DayFile};
use super::error::{JournalError, KEPT};
use super::record::{EventQuery, EventRecord};
use crate::media::{Area, CameraName, Event, EventKind, Timestamp};

pub(super) use disk::Batch;

/// Most events that go on at a time.
const MAX_OPEN_EVENTS: usize = 256;

/// Most of them that were reported by people and programs: the rest is for those that Defender finds itself.
const MAX_REPORTED_EVENTS: usize = 192;

/// Most of them that were reported by one user, or by one token.
const MAX_EVENTS_OF_ONE: usize = 64;

/// Events that are held beyond the limit before the oldest of them are dropped together.
const MAX_SURPLUS_EVENTS: usize = 256;

/// Most events beyond the limit that wait for a disk that cannot be written to.
const MAX_WAITING_EVENTS: usize = 1024;

/// The events in memory.
pub(super) struct Index {
    held: BTreeMap<u32, Held>,
    /// All events from this id on are in `held`.
    pub(super) complete_from: u32,
    /// Ids of deleted events whose lines may still be in files.
    deleted: BTreeSet<u32>,
    /// Ids of events of which the disk lacks something, or that have to be deleted there.
    unwritten: BTreeSet<u32>,
    /// The files, the one with the newest line last.
    pub(super) files: Vec<DayFile>,
    limit: usize,
    next_id: u32,
    next_n: u32,
    /// Ids below this one are reserved on disk.
    reserved_below: u32,
    /// Number of the line that says so.
    reserved_n: u32,
    /// Events that were dropped before they were written.
    pub(super) dropped: u32,
    /// Events that the limit of a day left out of the file.
    pub(super) left_out: u32,
}

struct Held {
    record: EventRecord,
    /// Number of its newest line.
    n: u32,
    /// The file that has all of it.
    stored: Option<Day>,
    lacks: Lacks,
    /// When it ends by itself.
    ends_at: Option<Timestamp>,
}

/// What of an event is not on disk.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Lacks {
    event: bool,
    end: bool,
    change: bool,
}

impl Index {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            held: BTreeMap::new(),
            complete_from: 0,
            deleted: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            files: Vec::new(),
            limit,
            next_id: 1,
            next_n: 1,
            reserved_below: 0,
            reserved_n: 0,
            dropped: 0,
            left_out: 0,
        }
    }

    /// Ends all that goes on, at the moment that `end` says, because the server ends.
    pub(super) fn interrupt(&mut self, end: impl Fn(&EventRecord) -> Timestamp) -> Vec<Event> {
        let mut ended = Vec::new();
        for (id, held) in self.held.iter_mut().filter(|(_, held)| held.is_open()) {
            let at = end(&held.record);
            held.record.end_at(at);
            (held.record.is_interrupted, held.lacks.end) = (true, true);
            self.unwritten.insert(*id);
            ended.push(held.record.event);
        }
        ended
    }

    /// An id that no other event has, had or will have.
    pub(super) fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// Takes in an event of now; it ends by itself at `ends_at`.
    pub(super) fn begin(
        &mut self,
        record: EventRecord,
        ends_at: Option<Timestamp>,
    ) -> Result<(), JournalError> {
        if record.event.end.is_none() && !self.has_room_for(&record) {
            return Err(JournalError::TooManyOpen);
        }
        let id = record.event.id;
        let lacks = Lacks { event: true, ..Lacks::default() };
        self.held.insert(id, Held { record, n: 0, stored: None, lacks, ends_at });
        self.unwritten.insert(id);
        self.drop_oldest();
        Ok(())
    }

    /// Whether one more event may go on.
    fn has_room_for(&self, record: &EventRecord) -> bool {
        let open = |is_counted: &dyn Fn(&EventRecord) -> bool| {
            self.held.values().filter(|held| held.is_open() && is_counted(&held.record)).count()
        };
        let is_reported = |other: &EventRecord| other.event.kind == EventKind::Manual;
        let is_of_one = |other: &EventRecord| is_reported(other) && other.reporter == record.reporter;
        open(&|_| true) < MAX_OPEN_EVENTS
            && (!is_reported(record)
                || open(&is_reported) < MAX_REPORTED_EVENTS && open(&is_of_one) < MAX_EVENTS_OF_ONE)
    }

    /// Takes in what was posted by others. `record` makes a record of an event that is not known yet. False for what is
    /// known already, as all is that the journal posts itself.
    pub(super) fn observe(&mut self, event: &Event, record: impl FnOnce() -> EventRecord) -> bool {
        match (self.held.get(&event.id), event.end) {
            (Some(held), Some(end)) if held.is_open() => self.end(event.id, end).is_some(),
            (Some(_), _) => false,
            // Of an event that is over and no longer held, or deleted.
            (None, _) if event.id < self.complete_from || self.deleted.contains(&event.id) => false,
            (None, _) => {
                self.next_id = self.next_id.max(event.id.saturating_add(1));
                if self.begin(record(), None).is_err() {
                    self.dropped = self.dropped.saturating_add(1);
                }
                true
            }
        }
    }

    /// Ends an event; the event if it went on until now.
    pub(super) fn end(&mut self, id: u32, at: Timestamp) -> Option<Event> {
        let held = self.held.get_mut(&id).filter(|held| held.is_open())?;
        held.record.end_at(at);
        held.lacks.end = true;
        self.unwritten.insert(id);
        Some(held.record.event)
    }

    /// Notes what an event that goes on is at its best. The disk gets that when the event ends: one that rises each second
    /// is two lines nevertheless.
    pub(super) fn rise(&mut self, id: u32, score: u8, area: Option<Area>, best: Timestamp) {
        if let Some(held) = self.held.get_mut(&id).filter(|held| held.is_open()) {
            (held.record.event.score, held.record.event.area, held.record.best) = (score, area, Some(best));
            held.lacks.event = true;
        }
    }

    /// Has an event that goes on end at this moment; false if it has ended.
    pub(super) fn goes_on(&mut self, id: u32, until: Timestamp) -> bool {
        let held = self.held.get_mut(&id).filter(|held| held.is_open());
        held.map(|held| held.ends_at = Some(until)).is_some()
    }

    /// The events that end by themselves by now, with the moment.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(u32, Timestamp)> {
        let open = self.held.iter().filter(|(_, held)| held.is_open());
        open.filter_map(|(id, held)| Some((*id, held.ends_at?))).filter(|(_, at)| *at <= now).collect()
    }

    pub(super) fn get(&self, id: u32) -> Option<&EventRecord> {
        self.held.get(&id).map(|held| &held.record)
    }

    /// Whether an event can be in a file only.
    pub(super) fn may_be_on_disk_only(&self, id: u32) -> bool {
        id < self.complete_from && !self.deleted.contains(&id)
    }

    /// Takes an event of a file back in, to change it.
    pub(super) fn recall(&mut self, record: EventRecord) {
        let id = record.event.id;
        if self.may_be_on_disk_only(id) {
            let lacks = Lacks::default();
            let held = Held { record, n: 0, stored: None, lacks, ends_at: None };
            self.held.entry(id).or_insert(held);
        }
    }

    /// Changes what people can set of an event; the record then.
    pub(super) fn change(
        &mut self,
        id: u32,
        is_kept: Option<bool>,
        note: Option<Box<str>>,
    ) -> Result<EventRecord, JournalError> {
        let kept = self.held.values().filter(|held| held.record.is_kept).count();
        let held = self.held.get_mut(&id).ok_or(JournalError::NoSuchEvent)?;
        let is_kept = is_kept.unwrap_or(held.record.is_kept);
        if is_kept && !held.record.is_kept && kept >= KEPT {
            return Err(JournalError::TooManyKept);
        }
        let note = note.unwrap_or_else(|| held.record.note.clone());
        if (is_kept, &note) != (held.record.is_kept, &held.record.note) {
            (held.record.is_kept, held.record.note, held.lacks.change) = (is_kept, note, true);
            self.unwritten.insert(id);
        }
        Ok(held.record.clone())
    }

    /// Deletes an event; the record that it had.
    pub(super) fn delete(&mut self, id: u32) -> Result<EventRecord, JournalError> {
        let held = self.held.remove(&id).ok_or(JournalError::NoSuchEvent)?;
        self.deleted.insert(id);
        self.unwritten.insert(id);
        Ok(held.record)
    }

    /// The newest events in memory that are looked for, the newest first.
    pub(super) fn find(&self, query: &EventQuery<'_>) -> Vec<EventRecord> {
        let newest_first = self.held.values().rev().map(|held| &held.record);
        newest_first.filter(|record| query.matches(record)).take(query.limit).cloned().collect()
    }

    /// Ids that are not to be looked for in files: below `complete_from`, what is in memory, and what was deleted.
    pub(super) fn not_on_disk(&self) -> BTreeSet<u32> {
        let held = self.held.range(..self.complete_from).map(|(id, _)| *id);
        held.chain(self.deleted.iter().copied()).collect()
    }

    /// When there were events at a camera that are kept, in microseconds since 1970.
    pub(super) fn kept_ranges(&self, camera: &CameraName) -> Vec<(u64, u64)> {
        let held = self.held.values().map(|held| &held.record);
        // A lost camera has no footage.
        let kept = held.filter(|record| {
            record.is_kept && record.event.camera == *camera && record.event.kind != EventKind::CameraLost
        });
        let range = |record: &EventRecord| (record.wall_start_us, record.wall_end_us().unwrap_or(u64::MAX));
        let mut ranges: Vec<(u64, u64)> = kept.map(range).collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, range| {
            let touches = next.0 <= range.1;
            range.1 = if touches { range.1.max(next.1) } else { range.1 };
            touches
        });
        ranges
    }

    /// Number of events of which the disk lacks something.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Drops the oldest events that are on disk, or, where the disk cannot be written to, the oldest ones.
    fn drop_oldest(&mut self) {
        if self.held.len() <= self.limit + MAX_SURPLUS_EVENTS {
            return;
        }
        let kept = self.held.values().filter(|held| held.record.is_kept).count();
        let most = self.limit + kept;
        if self.held.len() <= most + MAX_SURPLUS_EVENTS {
            return;
        }
        let mut surplus = self.held.len() - most;
        let waiting_surplus = surplus.saturating_sub(MAX_WAITING_EVENTS);
        let mut dropped = Vec::new();
        let droppable = self.held.iter().filter(|(_, held)| !held.record.is_kept && !held.is_open());
        for (id, _) in droppable {
            if surplus == 0 {
                break;
            }
            let waits = self.unwritten.contains(id);
            if !waits || dropped.len() < waiting_surplus {
                dropped.push(*id);
                surplus -= 1;
            }
        }
        for id in dropped {
            self.dropped = self.dropped.saturating_add(u32::from(self.unwritten.remove(&id)));
            self.complete_from = self.complete_from.max(id + 1);
            self.held.remove(&id);
        }
    }
}

impl Held {
    fn is_open(&self) -> bool {
        self.record.event.end.is_none()
    }
}
