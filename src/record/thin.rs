//! Thinning: old footage without an event is written anew with fewer frames and without sound, in the place of the old file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::{info, warn};
use rustix::fs::{FallocateFlags, fallocate};

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::folder::{self, THIN_PART};
use super::opened::Opened;
use super::space::{self, Space};
use crate::base::clock;
use crate::base::disk::{folder_of, sync_folder};
use crate::base::hex;
use crate::hub::Stop;
use crate::media::GapReason;
use crate::segment::{
    Block, Group, IndexEntry, MAX_GROUP_MS, ReadAt, SegmentError, SegmentHead, SegmentWriter, Stretch, Track,
};

/// What a segment needs beside its frames: heads, trailers, and the index.
const OVERHEAD_BYTES: u64 = 64 << 10;

/// The same for each frame, which is a group of its own at the worst.
const OVERHEAD_A_FRAME_BYTES: u64 = 8 << 10;

/// Most bytes of frames in a group, as the recorder writes them: they are in memory together.
const GROUP_BYTES: u64 = 1 << 20;

/// Thins the oldest segment that is due: one in a round, so that the disk is not busy with it. One for which that fails stays as it
/// is and is named in the log; it is put into `unfit`, so that it does not keep the others.
pub(super) fn oldest(space: &Space<'_>, unfit: &mut BTreeSet<PathBuf>, stop: &Stop) {
    let Space { recordings, rules } = space;
    if rules.values().all(|rules| rules.thin_after_us.is_none()) {
        return;
    }
    let now_us = clock::wall_us();
    let is_due = |((info, end_us), has_events): &((&&Arc<SegmentInfo>, u64), bool)| {
        let Some(rules) = rules.get(info.camera()) else { return false };
        let summary = &info.summary;
        let can_be = summary.is_closed && !has_events && !summary.head.is_thinned;
        can_be
            && rules.thin_after_us.is_some_and(|after| now_us.saturating_sub(*end_us) > after)
            && !unfit.contains(info.path())
    };
    let oldest = recordings.with_all(|all| {
        let ends = space::ends(all);
        let events = space::events(all, &ends, |camera| recordings.rolls(camera));
        let due = all.iter().zip(ends).zip(events).filter(is_due);
        due.min_by_key(|((_, end_us), _)| *end_us).map(|((info, _), _)| Arc::clone(info))
    });
    let Some(info) = oldest else { return };
    let interval_ms = 1000 / rules.get(info.camera()).map_or(1, |rules| rules.thin_fps).max(1);
    // In its folder: Landlock lets nothing go to another one before Linux 5.19.
    let part = folder_of(info.path()).join(THIN_PART);
    if let Err(error) = thin(&info, interval_ms, space, &part, stop) {
        unfit.insert(info.path().to_owned());
        if recordings.is_first_look(info.path()) {
            warn!("recording: {} is not thinned: {error}", info.path().display());
        }
    }
    let _ = fs::remove_file(&part);
}

fn thin(
    info: &Arc<SegmentInfo>,
    interval_ms: u32,
    space: &Space<'_>,
    part: &Path,
    stop: &Stop,
) -> Result<(), RecordError> {
    let (path, recordings) = (info.path(), space.recordings);
    let Opened { file, index, .. } = Opened::open(info)?;
    if index.len() != info.summary.frames as usize {
        let what = "not all of its frames are found";
        return Err(RecordError::Segment(path.to_owned(), SegmentError::Damaged { offset: 0, what }));
    }
    let kept = every(&index, interval_ms);
    let frames: u64 = kept.iter().map(|entry| u64::from(entry.length) + OVERHEAD_A_FRAME_BYTES).sum();
    let length = (frames + OVERHEAD_BYTES).next_multiple_of(4096);
    if space.short_bytes(length)? > 0 {
        // The next round asks again.
        return Ok(());
    }
    let _ = fs::remove_file(part);
    let copy = folder::create(part).map_err(RecordError::io(part))?;
    if fallocate(&copy, FallocateFlags::empty(), 0, length).is_err() {
        copy.set_len(length).map_err(RecordError::io(part))?;
    }
    let uuid = hex::random_bytes().map_err(RecordError::io(part))?;
    let head = SegmentHead {
        uuid,
        is_thinned: true,
        sound: None,
        microphone: String::new(),
        ..info.summary.head.clone()
    };
    let mut writer = SegmentWriter::create(copy, length, &head).map_err(RecordError::segment(part))?;
    // Numbers of frames go on behind those that are left out: they count as missed.
    let all = info.summary.frames.saturating_add(info.summary.missed);
    let mut left_out = all.saturating_sub(kept.len() as u32);
    for group in groups(&kept, &info.summary.stretches) {
        if stop.is_requested() {
            return Ok(());
        }
        let missed_before = std::mem::take(&mut left_out);
        append(&mut writer, &file, &group, missed_before).map_err(RecordError::segment(part))?;
    }
    let summary = writer.close().map_err(RecordError::segment(part))?;
    if recordings.segment(info.camera(), info.sequence()).is_none_or(|now| !Arc::ptr_eq(&now, info)) {
        // The recorder took its space meanwhile.
        return Ok(());
    }
    fs::rename(part, path).map_err(RecordError::io(path))?;
    sync_folder(path).map_err(RecordError::io(path))?;
    let freed = info.summary.length.saturating_sub(summary.length);
    info!(
        "recording: {} is thinned: {} of {} frames stay",
        path.display(),
        summary.frames,
        info.summary.frames
    );
    recordings.put(Arc::new(SegmentInfo::new(path.to_owned(), summary)));
    recordings.count_sacrifice(|sacrificed| {
        sacrificed.thinned.0 += 1;
        sacrificed.thinned.1 += freed;
    });
    Ok(())
}

/// The frames that are at least `interval_ms` apart.
fn every(index: &[IndexEntry], interval_ms: u32) -> Vec<IndexEntry> {
    let mut due_ms = 0;
    let mut kept = Vec::new();
    for entry in index {
        if entry.at_ms >= due_ms {
            due_ms = entry.at_ms.saturating_add(interval_ms.saturating_sub(8));
            kept.push(*entry);
        }
    }
    kept
}

/// Frames that are written as one group, and why there is nothing before them.
struct Thinned {
    entries: Vec<IndexEntry>,
    gap_before: Option<GapReason>,
}

impl Thinned {
    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.length)).sum()
    }
}

/// Groups of frames that are near to each other, without a gap between them.
fn groups(kept: &[IndexEntry], stretches: &[Stretch]) -> Vec<Thinned> {
    let stretch = |entry: &IndexEntry| stretches.iter().rposition(|stretch| stretch.start_ms <= entry.at_ms);
    let mut groups: Vec<Thinned> = Vec::new();
    let mut before = None;
    for entry in kept {
        let within = stretch(entry);
        match groups.last_mut() {
            Some(group)
                if within == before
                    && entry.at_ms - group.entries[0].at_ms < MAX_GROUP_MS
                    && group.bytes() + u64::from(entry.length) <= GROUP_BYTES =>
            {
                group.entries.push(*entry);
            }
            _ => {
                let begins = within.filter(|_| groups.is_empty() || within != before);
                let gap_before = begins.and_then(|at| stretches[at].gap_before);
                groups.push(Thinned { entries: vec![*entry], gap_before });
            }
        }
        before = within;
    }
    groups
}

/// Copies the frames of a group.
fn append(
    writer: &mut SegmentWriter<fs::File>,
    file: &fs::File,
    group: &Thinned,
    missed_before: u32,
) -> Result<(), SegmentError> {
    let mut frames = Vec::with_capacity(group.entries.len());
    for entry in &group.entries {
        let mut bytes = vec![0; entry.length as usize];
        let read = ReadAt::read_at(file, &mut bytes, u64::from(entry.offset));
        let read = read.map_err(|source| SegmentError::Io { what: "read a frame", source })?;
        if read < bytes.len() {
            return Err(SegmentError::Damaged { offset: entry.offset.into(), what: "a frame is cut off" });
        }
        frames.push((u64::from(entry.at_ms) * 1000, bytes));
    }
    let blocks: Vec<Block<'_>> =
        frames.iter().map(|(at_us, bytes)| Block { track: Track::Picture, at_us: *at_us, bytes }).collect();
    writer.append(&Group { blocks: &blocks, missed_before, gap_before: group.gap_before })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at_ms: u32) -> IndexEntry {
        IndexEntry { at_ms, offset: 0, length: 1, cluster: 0 }
    }

    #[test]
    fn one_frame_of_an_interval_stays() {
        let index: Vec<IndexEntry> = (0..100).map(|tenth| entry(tenth * 100)).collect();
        let kept: Vec<u32> = every(&index, 1000).iter().map(|entry| entry.at_ms).collect();
        assert_eq!(kept, (0..10).map(|second| second * 1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_gap_stays_between_two_groups_with_its_reason() {
        let stretch = |start_ms, end_ms, gap_before| Stretch { start_ms, end_ms, gap_before };
        let stretches = [stretch(0, 3000, None), stretch(9000, 9900, Some(GapReason::CameraLost))];
        let kept = [0, 1000, 2000, 3000, 9000].map(entry);
        let groups = groups(&kept, &stretches);
        let shown: Vec<_> = groups.iter().map(|group| (group.entries[0].at_ms, group.gap_before)).collect();
        assert!(shown.iter().all(|(at_ms, gap)| (*at_ms == 9000) == (*gap == Some(GapReason::CameraLost))));
        assert_eq!(shown.last().map(|(at_ms, _)| *at_ms), Some(9000));
    }
}
