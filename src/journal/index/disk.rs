//! What passes between memory and disk: lines that are read at the start, and lines that are to be written.

use super::{Held, Index, Lacks};
use crate::journal::day::{Day, DayFile, DayLimits};
use crate::journal::line::{self, Entry};
use crate::journal::record::EventRecord;
use crate::media::Timestamp;

/// Ids are reserved on disk by so many, before they are given away.
const IDS_AHEAD: u32 = 1024;

/// Most events that are written at a time.
const BATCH: usize = 64;

/// A file with a larger id is not one of ours: the ids after it would soon come to an end.
const GREATEST_ID: u32 = 4_000_000_000;

/// Lines to write, and what they are about.
#[derive(Default)]
pub(in crate::journal) struct Batch {
    pub(in crate::journal) text: String,
    pub(in crate::journal) lines: u32,
    /// What is said of which event, and the bytes of the lines that say it.
    events: Vec<(u32, Lacks, u64)>,
    wholes: Vec<u32>,
    deleted: Vec<u32>,
    reserved: Option<u32>,
    last_n: u32,
}

impl Index {
    /// Takes a line of a file in; false if it cannot be one of ours.
    pub(in crate::journal) fn load(&mut self, n: u32, entry: Entry, day: Day) -> bool {
        if entry.greatest_id() > GREATEST_ID || n > GREATEST_ID {
            return false;
        }
        self.next_n = self.next_n.max(n + 1);
        match entry {
            Entry::Event(record) => {
                let id = record.event.id;
                self.next_id = self.next_id.max(id + 1);
                if !self.deleted.contains(&id) && self.held.get(&id).is_none_or(|held| held.n < n) {
                    let held = Held { record, n, stored: Some(day), lacks: Lacks::default(), ends_at: None };
                    self.held.insert(id, held);
                    self.drop_oldest();
                }
            }
            Entry::End { id, end, is_interrupted } => {
                if let Some(held) = self.held.get_mut(&id).filter(|held| held.n < n) {
                    held.record.end_at(end);
                    held.record.is_interrupted = is_interrupted;
                    held.n = n;
                }
            }
            Entry::Change { id, is_kept, note } => {
                if let Some(held) = self.held.get_mut(&id).filter(|held| held.n < n) {
                    (held.record.is_kept, held.record.note, held.n) = (is_kept, note, n);
                }
            }
            Entry::Delete { id } => {
                self.next_id = self.next_id.max(id + 1);
                self.held.remove(&id);
                self.deleted.insert(id);
            }
            Entry::Ids { below } => {
                if n > self.reserved_n {
                    (self.reserved_below, self.reserved_n) = (below, n);
                }
            }
        }
        true
    }

    /// Ends what went on when the server ended, once all lines are taken in. `last_known` is the last moment that is
    /// known of a boot.
    pub(in crate::journal) fn loaded(&mut self, last_known: impl Fn(u32) -> Option<Timestamp>) -> usize {
        self.next_id = self.next_id.max(self.reserved_below);
        // The ids that were reserved may have been given away.
        self.reserved_below = self.next_id;
        self.interrupt(|record| last_known(record.boot).unwrap_or(record.event.start)).len()
    }

    /// Lines for the file of `day`, at most a batch. To be followed by [`Self::written`] or [`Self::not_written`].
    pub(in crate::journal) fn take(&mut self, day: Day, limits: &DayLimits) -> Batch {
        let mut batch = Batch::default();
        let file = self.files.iter().find(|file| file.day == day);
        let mut room = limits.room(file);
        let is_new = file.is_none_or(|file| !file.has_ids);
        if !self.unwritten.is_empty() && (is_new || self.reserved_below < self.next_id + IDS_AHEAD / 4) {
            batch.reserved = Some(self.reserved_below);
            self.reserved_below = self.next_id.saturating_add(IDS_AHEAD);
            batch.add(&mut self.next_n, &Entry::Ids { below: self.reserved_below });
        }
        let ids: Vec<u32> = self.unwritten.iter().copied().take(BATCH).collect();
        for id in ids {
            self.unwritten.remove(&id);
            let Some(held) = self.held.get_mut(&id) else {
                batch.deleted.push(id);
                batch.add(&mut self.next_n, &Entry::Delete { id });
                continue;
            };
            let lacks = std::mem::take(&mut held.lacks);
            let is_there = held.stored == Some(day);
            let before = batch.text.len();
            if (lacks.event || !is_there) && room.take(&held.record) {
                batch.wholes.push(id);
                batch.add(&mut self.next_n, &Entry::Event(held.record.clone()));
            } else if !is_there {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            } else if room.has_bytes_for(&held.record) {
                held.lines(lacks, |entry| batch.add(&mut self.next_n, &entry));
            }
            held.n = batch.last_n;
            batch.events.push((id, lacks, (batch.text.len() - before) as u64));
        }
        batch
    }

    /// The lines of a batch are on disk.
    pub(in crate::journal) fn written(&mut self, batch: &Batch, day: Day) {
        let at = self.files.iter().position(|file| file.day == day);
        let mut file = at.map_or_else(|| DayFile::new(day), |at| self.files.remove(at));
        file.bytes += batch.text.len() as u64;
        file.last_n = batch.last_n;
        file.has_ids |= batch.reserved.is_some();
        for (id, _, bytes) in &batch.events {
            if let Some(held) = self.held.get(id) {
                file.count_bytes(&held.record, *bytes);
            }
        }
        for id in &batch.wholes {
            if let Some(held) = self.held.get_mut(id) {
                held.stored = Some(day);
                file.saw(&held.record);
            }
        }
        self.files.push(file);
        self.drop_oldest();
    }

    /// The lines of a batch may not be on disk: they are to be written again.
    pub(in crate::journal) fn not_written(&mut self, batch: Batch) {
        if let Some(before) = batch.reserved {
            self.reserved_below = before;
        }
        for (id, lacks, _) in batch.events {
            if let Some(held) = self.held.get_mut(&id) {
                held.lacks.event |= lacks.event;
                held.lacks.end |= lacks.end;
                held.lacks.change |= lacks.change;
                // What reached the disk of an event is not known.
                held.lacks.event |= held.stored.is_none();
            }
            self.unwritten.insert(id);
        }
        self.unwritten.extend(batch.deleted);
    }

    /// A line that gives back the ids that were reserved and not used; nothing if there are none.
    pub(in crate::journal) fn give_back_ids(&mut self) -> Batch {
        if self.reserved_below <= self.next_id {
            return Batch::default();
        }
        let mut batch = Batch { reserved: Some(self.reserved_below), ..Batch::default() };
        self.reserved_below = self.next_id;
        batch.add(&mut self.next_n, &Entry::Ids { below: self.next_id });
        batch
    }

    /// Before the file of a day is removed: has the kept events of it written again.
    pub(in crate::journal) fn carry_over(&mut self, day: Day) {
        for (id, held) in self.held.iter_mut().filter(|(_, held)| held.stored == Some(day)) {
            if held.record.is_kept || held.is_open() {
                held.lacks.event = true;
                self.unwritten.insert(*id);
            }
        }
    }

    /// Whether events that are to be carried over are still in the file of a day alone.
    pub(in crate::journal) fn has_to_carry(&self, day: Day) -> bool {
        let stored = |id: &u32| self.held.get(id).and_then(|held| held.stored);
        self.unwritten.iter().any(|id| stored(id) == Some(day))
    }

    /// The file of a day was removed, and with it those of its events that were not carried over.
    pub(in crate::journal) fn removed(&mut self, day: Day) {
        self.files.retain(|file| file.day != day);
        self.held.retain(|id, held| held.stored != Some(day) || self.unwritten.contains(id));
    }
}

impl Held {
    /// What its file lacks, where that has the event itself.
    fn lines(&self, lacks: Lacks, mut add: impl FnMut(Entry)) {
        let EventRecord { event, is_interrupted, is_kept, .. } = self.record;
        if let Some(end) = event.end.filter(|_| lacks.end) {
            add(Entry::End { id: event.id, end, is_interrupted });
        }
        if lacks.change {
            add(Entry::Change { id: event.id, is_kept, note: self.record.note.clone() });
        }
    }
}

impl Batch {
    pub(in crate::journal) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    fn add(&mut self, next_n: &mut u32, entry: &Entry) {
        self.last_n = *next_n;
        line::write(&mut self.text, *next_n, entry);
        *next_n = next_n.saturating_add(1);
        self.lines += 1;
    }
}

impl Entry {
    fn greatest_id(&self) -> u32 {
        match self {
            Self::Event(record) => record.event.id,
            Self::End { id, .. } | Self::Change { id, .. } | Self::Delete { id } => *id,
            Self::Ids { below } => *below,
        }
    }
}
