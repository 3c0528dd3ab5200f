//! The thread `journal`: takes in what is posted, ends what is due, and writes what the disk lacks.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{info, warn};

use super::day::{Day, DayFile};
use super::files::{self, Appender, Remains};
use super::index::{Batch, Index};
use super::line::Entry;
use super::{Health, Journal};
use crate::base::lock;
use crate::hub::{EventReader, Received};
use crate::media::{Event, Timestamp};

/// How soon what people change is written, and what is due ends. What is posted is written at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Posts that are taken in before the disk is written to.
const POSTS: usize = 64;

/// Pause after a write that failed: the first one, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What the thread alone uses.
pub(super) struct Writer {
    reader: EventReader<Event>,
    appender: Appender,
    folder: PathBuf,
    /// Whether all that is in the folder was read. Before that nothing is written: ids and numbers of lines would be used
    /// twice.
    is_loaded: bool,
    /// Posts that were lost, and those of the journal itself that were read.
    lost: u32,
    own: u32,
    /// When to write again after a failure, and the pause after the next one.
    retry: Option<(Timestamp, Duration)>,
}

impl Writer {
    pub(super) fn new(folder: &Path, reader: EventReader<Event>) -> Self {
        Self {
            reader,
            appender: Appender::new(folder),
            folder: folder.to_owned(),
            is_loaded: false,
            lost: 0,
            own: 0,
            retry: None,
        }
    }

    /// One for a journal that another one has read, which ended by a panic.
    pub(super) fn again(folder: &Path, reader: EventReader<Event>) -> Self {
        Self { is_loaded: true, ..Self::new(folder, reader) }
    }

    /// Takes all that is on disk into memory; why that cannot be done.
    pub(super) fn load(&mut self, index: &mut Index) -> Option<String> {
        let problem = load(&self.folder, &mut self.appender, index);
        self.is_loaded = problem.is_none();
        problem
    }

    pub(super) fn run(mut self, journal: &Journal) {
        if let Some(why) = lock(&journal.health).problem.clone() {
            warn!("{why}");
        }
        while self.take_posts(journal, LOOK_EVERY) {
            self.look(journal);
        }
        let now = (journal.setting.clock)();
        journal.index().interrupt(|_| now.at);
        self.retry = None;
        while journal.index().unwritten() > 0 && self.write(journal) {}
        let batch = journal.index().give_back_ids();
        if !batch.is_empty() {
            self.store(journal, Day::of(now.wall_us), batch);
        }
    }

    /// Takes in what is posted, waiting for it up to `wait`; false once the broadcast is closed.
    pub(super) fn take_posts(&mut self, journal: &Journal, mut wait: Duration) -> bool {
        for _ in 0..POSTS {
            match self.reader.next(wait) {
                Received::Posted { value, lost } => {
                    self.lost = self.lost.saturating_add(lost);
                    let is_new = journal.index().observe(&value, || journal.new_record(value));
                    self.own = self.own.wrapping_add(u32::from(!is_new));
                }
                Received::TimedOut => {
                    self.count_lost(journal);
                    break;
                }
                Received::Closed => return false,
            }
            wait = Duration::ZERO;
        }
        true
    }

    /// Ends what is due, and writes what the disk lacks.
    pub(super) fn look(&mut self, journal: &Journal) {
        let now = (journal.setting.clock)().at;
        let due = journal.index().due(now);
        for (id, at) in due {
            journal.end_at(id, at);
        }
        if self.retry.is_none_or(|(at, _)| at <= now) {
            self.write(journal);
        }
    }

    /// Writes a batch, if there is something to write; whether that worked.
    fn write(&mut self, journal: &Journal) -> bool {
        let day = Day::of((journal.setting.clock)().wall_us);
        let left_out = journal.index().left_out;
        let batch = journal.index().take(day, &journal.setting.limits);
        if left_out == 0 && journal.index().left_out > 0 {
            let limit = journal.setting.limits.day_events;
            warn!("more than {limit} events on one day: further ones are not written to disk");
        }
        batch.is_empty() || self.store(journal, day, batch) && self.remove_surplus(journal)
    }

    fn store(&mut self, journal: &Journal, day: Day, batch: Batch) -> bool {
        match self.check_folder().and_then(|()| self.appender.append(day, batch.text.as_bytes())) {
            Ok(()) => {
                journal.index().written(&batch, day);
                self.works(journal);
                true
            }
            Err(error) => {
                journal.index().not_written(batch);
                self.fails(journal, &error);
                false
            }
        }
    }

    /// A folder that could not be read at the start may be used later if nothing is in it.
    fn check_folder(&mut self) -> io::Result<()> {
        if !self.is_loaded {
            self.appender.lock_folder()?;
            if !files::days(&self.folder)?.is_empty() {
                let why = "what is there could not be read when the server started; start it again";
                return Err(io::Error::other(why));
            }
            self.is_loaded = true;
        }
        Ok(())
    }

    /// Removes the oldest files beyond the limits, once the kept events in them are in another file.
    fn remove_surplus(&mut self, journal: &Journal) -> bool {
        loop {
            let surplus = journal.setting.limits.surplus(&journal.index().files);
            let Some(day) = surplus else { return true };
            journal.index().carry_over(day);
            let today = Day::of((journal.setting.clock)().wall_us);
            while journal.index().has_to_carry(day) {
                let batch = journal.index().take(today, &journal.setting.limits);
                if batch.is_empty() || !self.store(journal, today, batch) {
                    return false;
                }
            }
            if let Err(error) = files::remove(&self.folder, day) {
                self.fails(journal, &error);
                return false;
            }
            journal.index().removed(day);
        }
    }

    fn works(&mut self, journal: &Journal) {
        self.retry = None;
        let before = lock(&journal.health).problem.take();
        if before.is_some() {
            info!("{}: events are written again", self.folder.display());
        }
    }

    fn fails(&mut self, journal: &Journal, error: &io::Error) {
        let pause = self.retry.map_or(PAUSES.0, |(_, pause)| pause);
        let next = (pause * 2).min(PAUSES.1);
        self.retry = Some(((journal.setting.clock)().at.after(pause), next));
        let why = failed(&self.folder, error);
        let Health { problem, .. } = &mut *lock(&journal.health);
        if problem.is_none() {
            warn!("{why}");
        }
        *problem = Some(why);
    }

    /// Counts lost posts, once all are read, but for those of the journal itself: their events are in memory.
    fn count_lost(&self, journal: &Journal) {
        // Below zero where others posted what was known.
        let own = journal.posted.load(Ordering::Relaxed).wrapping_sub(self.own).cast_signed().max(0);
        let lost = self.lost.saturating_sub(own.cast_unsigned());
        let mut health = lock(&journal.health);
        if lost > 0 && health.lost == 0 {
            warn!("events were posted faster than the journal reads them; {lost} are lost");
        }
        health.lost = health.lost.max(lost);
    }
}

/// Locks the folder and reads all files; why that cannot be done.
fn load(folder: &Path, appender: &mut Appender, index: &mut Index) -> Option<String> {
    let days = match appender.lock_folder().and_then(|()| files::days(folder)) {
        Ok(days) => days,
        Err(error) => return Some(failed(folder, &error)),
    };
    let mut last_known = HashMap::new();
    for day in days {
        load_day(folder, day, index, &mut last_known);
    }
    index.files.sort_unstable_by_key(|file| file.last_n);
    let interrupted = index.loaded(|boot| last_known.get(&boot).copied());
    if interrupted > 0 {
        info!(
            "events that went on when the server ended: {interrupted}; each ends at the last moment that is known"
        );
    }
    None
}

/// Takes in the lines of a file. `last_known` is the last moment of each boot that a line has.
fn load_day(folder: &Path, day: Day, index: &mut Index, last_known: &mut HashMap<u32, Timestamp>) {
    let mut file = DayFile::new(day);
    let mut boot = 0;
    let read = files::read(folder, day, |n, entry, bytes| {
        let mut known = None;
        match &entry {
            Entry::Event(record) => {
                boot = record.boot;
                known = record.event.end.or(Some(record.event.start));
                file.saw(record);
                file.count_bytes(record, bytes as u64);
            }
            Entry::End { id, end, .. } => {
                if let Some(record) = index.get(*id) {
                    file.count_bytes(record, bytes as u64);
                    known = Some(*end);
                    boot = record.boot;
                    let length_us = end.since(record.event.start).as_micros() as u64;
                    file.saw_end(record.wall_start_us.saturating_add(length_us));
                }
            }
            Entry::Ids { .. } => file.has_ids = true,
            Entry::Change { .. } | Entry::Delete { .. } => {}
        }
        let is_ours = index.load(n, entry, day);
        if is_ours {
            file.last_n = file.last_n.max(n);
            if let Some(at) = known {
                let last = last_known.entry(boot).or_insert(at);
                *last = at.max(*last);
            }
        }
        is_ours
    });
    let path = folder.join(day.name());
    let path = path.display();
    match read {
        Ok(Remains { bytes, garbage, is_cut }) => {
            if garbage > 0 {
                warn!("{path}: {garbage} lines are not understood, and left alone");
            }
            if is_cut {
                warn!("{path}: the last line was cut, as by a power cut, and is dropped");
            }
            file.bytes = bytes;
            index.files.push(file);
        }
        Err(error) => warn!("{path}: cannot read its events: {error}"),
    }
}

fn failed(folder: &Path, error: &io::Error) -> String {
    let folder = folder.display();
    format!(
        "{folder}: cannot store events, so they are lost when the server ends; it is tried again: {error}"
    )
}
