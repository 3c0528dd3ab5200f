//! The keeper: reads the folder at the start, repairs what was cut off, and makes retention happen.
//!
//! It works beside the recorder, so that neither a large folder nor a deletion delays a frame. What it finds can be played at once; the
//! rest follows. A file that is not understood is named in the log and left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::{error, info, warn};
use rustix::fs::{Advice, fadvise};

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::folder::{self, Found, Listing};
use super::forecast::Warnings;
use super::recordings::Recordings;
use super::retention::{Clock, Reason, Rules, Victim};
use super::space::Space;
use super::thin;
use super::tombstones::Next;
use crate::base::clock;
use crate::hub::Stop;
use crate::media::Timestamp;
use crate::segment::{SegmentError, read_summary, recover_until};

/// Pause between two rounds.
const ROUND: Duration = Duration::from_secs(10);

/// Rounds until files that could not be thinned are tried again.
const ROUNDS_UNFIT: u32 = 360;

/// Rounds between two forecasts.
const FORECAST_ROUNDS: u32 = 3;

/// Time between two looks whether somebody asked for a deletion.
const LOOK: Duration = Duration::from_secs(1);

/// Most segments deleted in a round; the next round goes on.
const MOST_DELETED: usize = 100;

/// Most files that are named one by one in the log.
const MOST_NAMED: usize = 5;

/// Segments of a camera that are entered together: what was read can be played soon.
const ENTERED_TOGETHER: usize = 1000;

/// Segments of a camera that are tried to find where its numbers go on.
const NEWEST_TRIED: usize = 8;

/// Reads where each camera's numbers go on, and repairs the newest segments. To be done before anything is written.
///
/// # Errors
/// Those of reading the folder.
pub(super) fn prepare(recordings: &Recordings) -> Result<Listing, RecordError> {
    let listing = folder::list(recordings.dir()).map_err(RecordError::io(recordings.dir()))?;
    if listing.unknown.1 > 0 {
        let names: Vec<_> = listing.unknown.0.iter().map(|path| path.display().to_string()).collect();
        let count = listing.unknown.1;
        warn!(
            "recording: files that are not Defender's and are left alone: {count}, such as {}",
            names.join(", ")
        );
    }
    listing.parts.iter().for_each(|part| drop(fs::remove_file(part)));
    for (camera, segments) in &listing.cameras {
        if let Some(newest) = segments.last() {
            recordings.note_next(camera, Next { sequence: newest.sequence + 1, frame: 0 });
        }
        let mut newest = segments.iter().rev().take(NEWEST_TRIED);
        newest.any(|found| match read(camera, found, recordings) {
            Ok(info) => {
                let summary = &info.summary;
                let next = Next { sequence: found.sequence + 1, frame: summary.next_frame() };
                recordings.note_next(camera, next);
                recordings.put(Arc::new(info));
                true
            }
            Err(why) => {
                warn!("recording: {why}; the file is left alone");
                false
            }
        });
    }
    Ok(listing)
}

/// Enters all segments of a listing, the newest ones first.
pub(super) fn read_all(listing: Listing, recordings: &Recordings, stop: &Stop) {
    let (mut segments, mut refused) = (0, 0);
    for (camera, found) in &listing.cameras {
        let mut infos = Vec::new();
        for found in found.iter().rev() {
            if infos.len() >= ENTERED_TOGETHER {
                recordings.put_all(camera, &mut infos);
            }
            if stop.is_requested() {
                return;
            }
            // The newest one was read before.
            if recordings.segment(camera, found.sequence).is_some() {
                segments += 1;
                continue;
            }
            match read(camera, found, recordings) {
                Ok(info) => {
                    segments += 1;
                    infos.push(Arc::new(info));
                }
                Err(why) => {
                    refused += 1;
                    if refused <= MOST_NAMED {
                        warn!("recording: {why}; the file is left alone");
                    }
                }
            }
        }
        recordings.put_all(camera, &mut infos);
    }
    if refused > MOST_NAMED {
        warn!("recording: files that cannot be read and are left alone: {refused}");
    }
    recordings.is_read.set(true);
    info!("recording: segments in {}: {segments}", recordings.dir().display());
}

/// Goes on until `stop` is requested. `rules` are asked for in each round.
pub(super) fn run(recordings: &Recordings, rules: impl Fn() -> BTreeMap<String, Rules>, stop: &Stop) {
    let (mut problem, mut warnings) = (None, Warnings::default());
    let (mut clock, mut unfit) = (Clock::default(), BTreeSet::new());
    for number in 0_u32.. {
        if wait(recordings, stop) {
            return;
        }
        if number.is_multiple_of(ROUNDS_UNFIT) {
            unfit.clear();
        }
        let rules = rules();
        let mut believed = rules.clone();
        let (wall_us, now_us) = (clock::wall_us(), Timestamp::now().as_micros());
        if !clock.look(wall_us, now_us) {
            believed.values_mut().for_each(|rules| *rules = rules.without_age());
        }
        let mut done = round(&Space::new(recordings, believed), recordings, stop, &mut unfit);
        // Not in the first one: too little is known then. What is promised is so while the clock is not believed, too.
        if number % FORECAST_ROUNDS == 1 {
            let space = Space::new(recordings, rules);
            done = done.and_then(|()| warn_of_loss(&space, recordings, &mut warnings));
        }
        let now = done.err().map(|error| error.to_string());
        if now != problem {
            match &now {
                Some(why) => error!("recording: old footage cannot be deleted: {why}"),
                None => info!("recording: old footage can be deleted again"),
            }
            problem = now;
        }
    }
}

/// Says what will be deleted too early, before it is.
fn warn_of_loss(
    space: &Space<'_>,
    recordings: &Recordings,
    warnings: &mut Warnings,
) -> Result<(), RecordError> {
    let (loss, now_us) = space.forecast()?;
    if let Some(loss) = &loss
        && warnings.is_news(loss, now_us)
    {
        warn!("recording: {}", loss.as_text(now_us));
    }
    recordings.set_loss(loss);
    Ok(())
}

/// Waits for the next round: a deletion that is asked for begins it at once. True when the stop is requested.
fn wait(recordings: &Recordings, stop: &Stop) -> bool {
    let mut left = ROUND;
    while !left.is_zero() && !recordings.has_deletions() {
        if stop.sleep(LOOK) {
            return true;
        }
        left = left.saturating_sub(LOOK);
    }
    stop.is_requested()
}

fn round(
    space: &Space<'_>,
    recordings: &Recordings,
    stop: &Stop,
    unfit: &mut BTreeSet<PathBuf>,
) -> Result<(), RecordError> {
    for damaged in recordings.damaged() {
        repair(&damaged, recordings);
    }
    let length = recordings.store().segment_bytes;
    delete_requested(recordings, space)?;
    let (missing, _) = space.missing_bytes(0)?;
    if missing > 0 {
        // The recorder may have taken it, and what cannot be removed must not keep the rest.
        space.pool()?.iter().for_each(|spare| drop(fs::remove_file(spare)));
    }
    let (missing, _) = space.missing_bytes(0)?;
    for victim in space.victims(missing).iter().take(MOST_DELETED) {
        if stop.is_requested() {
            return Ok(());
        }
        let is_wanted = space.pool()?.is_empty() && space.missing_bytes(length)?.0 <= victim.bytes;
        space.delete(victim, is_wanted)?;
    }
    if space.pool()?.is_empty() && space.missing_bytes(length)?.0 == 0 {
        space.make(length)?;
    }
    thin::oldest(space, unfit, stop);
    Ok(())
}

/// Deletes what admins asked to delete. A file that cannot be deleted does not keep the others.
fn delete_requested(recordings: &Recordings, space: &Space<'_>) -> Result<(), RecordError> {
    let mut deleted = Ok(());
    for (camera, from_us, to_us) in recordings.take_deletions() {
        for info in recordings.deletable(&camera, from_us, to_us) {
            let (sequence, bytes) = (info.sequence(), info.summary.length);
            drop(info);
            let victim = Victim { camera: camera.clone(), sequence, bytes, reason: Reason::Request };
            deleted = deleted.and(space.delete(&victim, true));
        }
    }
    deleted
}

/// Reads one file. One that was cut off is repaired, without what could not be synced and is written to another file.
fn read(camera: &str, found: &Found, recordings: &Recordings) -> Result<SegmentInfo, RecordError> {
    let Found { path, sequence } = found;
    let file = folder::open(path, false).map_err(RecordError::io(path))?;
    let mut summary = read_summary(&file).map_err(RecordError::segment(path))?;
    if summary.head.camera != camera || summary.head.sequence != *sequence {
        let what = "its name is that of another segment";
        return Err(RecordError::Segment(path.clone(), SegmentError::Damaged { offset: 0, what }));
    }
    if !summary.is_closed {
        let file = folder::open(path, true).map_err(RecordError::io(path))?;
        // What the kernel could not write is not on the disk, and it keeps it in memory as if it were.
        file.sync_data()
            .and_then(|()| Ok(fadvise(&file, 0, None, Advice::DontNeed)?))
            .map_err(RecordError::io(path))?;
        let uuid = summary.head.uuid;
        summary = recover_until(&file, recordings.end_of(&uuid)).map_err(RecordError::segment(path))?;
        recordings.forget_end(&uuid);
        info!("recording: {} was cut off and is repaired; frames in it: {}", path.display(), summary.frames);
    }
    Ok(SegmentInfo::new(path.clone(), summary))
}

/// Repairs a file whose writing failed. If that is not possible now, the next round tries again.
fn repair(damaged: &SegmentInfo, recordings: &Recordings) {
    let found = Found { sequence: damaged.sequence(), path: damaged.path().to_owned() };
    match read(damaged.camera(), &found, recordings) {
        Ok(info) => {
            recordings.put(Arc::new(damaged.updated(info.summary, Vec::new())));
            recordings.note_repaired(damaged);
        }
        Err(RecordError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            recordings.take(damaged.camera(), damaged.sequence());
            recordings.note_repaired(damaged);
        }
        Err(_) => {}
    }
}
