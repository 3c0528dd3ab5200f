//! Finding events that are no longer in memory, in their files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use log::warn;

use super::day::DayFile;
use super::files;
use super::line::Entry;
use super::record::{EventQuery, EventRecord};

/// Most events of a file that are looked at, the newest ones: more than a query returns.
const FROM_FILE: usize = 2048;

/// The newest events in `files` that are looked for and not in `skip`, the newest first. `query.before` is given.
pub(super) fn find(
    folder: &Path,
    mut files: Vec<DayFile>,
    skip: &BTreeSet<u32>,
    query: &EventQuery<'_>,
) -> Vec<EventRecord> {
    // The newest line about an event is in the file with the newest lines, as whoever changes an event in another
    // file writes all of it.
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.last_n));
    let before = query.before.unwrap_or(u32::MAX);
    let (from_us, to_us) = (query.from_us.unwrap_or(0), query.to_us.unwrap_or(u64::MAX));
    let mut found: BTreeMap<u32, EventRecord> = BTreeMap::new();
    for file in files {
        // Events that are older than as many as are wanted need not be read.
        let least = found.keys().rev().nth(query.limit.saturating_sub(1)).map_or(0, |id| id + 1);
        if !file.may_have(least..before, from_us, to_us) {
            continue;
        }
        match read(folder, &file, skip, query) {
            Ok(events) => {
                for (id, record) in events {
                    found.entry(id).or_insert(record);
                }
            }
            Err(error) => {
                warn!("{}: cannot read its events: {error}", folder.join(file.day.name()).display())
            }
        }
    }
    found.retain(|_, record| query.matches(record));
    found.into_values().rev().take(query.limit).collect()
}

/// The events of a file that may be looked for, and those that are not because of their end.
fn read(
    folder: &Path,
    file: &DayFile,
    skip: &BTreeSet<u32>,
    query: &EventQuery<'_>,
) -> std::io::Result<BTreeMap<u32, EventRecord>> {
    let mut events: BTreeMap<u32, EventRecord> = BTreeMap::new();
    files::read(folder, file.day, |_, entry, _| {
        match entry {
            Entry::Event(record) => {
                let id = record.event.id;
                if !skip.contains(&id) && query.may_match(&record) {
                    events.insert(id, record);
                    if events.len() > FROM_FILE {
                        events.pop_first();
                    }
                }
            }
            Entry::End { id, end, is_interrupted } => {
                if let Some(record) = events.get_mut(&id) {
                    record.end_at(end);
                    record.is_interrupted = is_interrupted;
                }
            }
            Entry::Change { id, is_kept, note } => {
                if let Some(record) = events.get_mut(&id) {
                    (record.is_kept, record.note) = (is_kept, note);
                }
            }
            Entry::Delete { .. } | Entry::Ids { .. } => {}
        }
        true
    })?;
    Ok(events)
}
