//! Files for new footage: from the pool, newly made, or taken from the oldest footage.
//!
//! A file gets its whole length when it is made, so a disk is full between two segments and never within one, and other programs cannot take
//! the space of a segment that was begun. Full-length files of deleted footage go through the pool to new footage: their blocks are in use
//! already, so writing them again changes nothing that the file system would have to record.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::{info, warn};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::catalogue::SegmentInfo;
use super::error::{Limit, RecordError};
use super::folder::{self, PART, POOL};
use super::forecast::{self, Loss};
use super::recordings::Recordings;
use super::retention::{self, Candidate, Rolls, Rules, Victim};
use crate::base::disk::{folder_of, sync_folder};
use crate::base::{clock, volume};
use crate::media::{RecordStore, Timestamp};
use crate::segment::SegmentHead;

/// A file that new footage may be written to; it lies in the pool.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// Makes and recycles files.
pub(super) struct Space<'r> {
    pub(super) recordings: &'r Recordings,
    /// The rules of the cameras that are configured.
    pub(super) rules: BTreeMap<String, Rules>,
}

impl<'r> Space<'r> {
    pub(super) fn new(recordings: &'r Recordings, rules: BTreeMap<String, Rules>) -> Self {
        Self { recordings, rules }
    }

    /// A file of the length of a segment. If there is no space for it, the oldest footage that may go is deleted.
    ///
    /// # Errors
    /// [`RecordError::NoSpace`] if nothing may go; those of the file system.
    pub(super) fn acquire(&self) -> Result<Spare, RecordError> {
        self.recordings.check_mounted()?;
        let length = self.recordings.store().segment_bytes;
        loop {
            let (missing, limit) = self.missing_bytes(length)?;
            // A file of the pool has its space already; it still counts as footage from now on.
            let pooled = if missing == 0 || limit == Limit::Free { self.pooled()? } else { None };
            if let Some(spare) = pooled {
                return Ok(spare);
            }
            if missing == 0
                && let Some(spare) = self.make(length)?
            {
                return Ok(spare);
            }
            let victim = self.victims(missing.max(1)).into_iter().next();
            let folder = self.recordings.dir().to_owned();
            let victim = victim.ok_or(RecordError::NoSpace { folder, needed_bytes: length, limit })?;
            self.delete(&victim, true)?;
        }
    }

    /// Deletes a segment. If `may_recycle`, a file of full length that nobody reads and that has no other name goes to the pool.
    ///
    /// # Errors
    /// Those of the file system. The segment stays in the catalogue.
    pub(super) fn delete(&self, victim: &Victim, may_recycle: bool) -> Result<(), RecordError> {
        let Some(taken) = self.recordings.take(&victim.camera, victim.sequence) else { return Ok(()) };
        let (path, length) = (taken.info.path().to_owned(), taken.info.summary.length);
        let why = victim.reason.as_text();
        let noted = self.recordings.tombstones.add(&taken.info, victim.reason);
        if let Err(error) = noted {
            warn!("recording: the deletion cannot be noted: {error}");
        }
        let is_whole = length == self.recordings.store().segment_bytes;
        let may_recycle = may_recycle && is_whole && !taken.is_in_use;
        let done = if may_recycle && fs::symlink_metadata(&path).is_ok_and(|found| has_one_name(&found)) {
            self.recycle(&path, &taken.info)
        } else {
            fs::remove_file(&path)
        };
        match done {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                self.recordings.put(taken.info);
                return Err(RecordError::Io(path, error));
            }
            // Not found: somebody else deleted it, which is what was wanted.
            Ok(()) | Err(_) => {}
        }
        info!("recording: {} is deleted: {why}", path.display());
        self.recordings.count_sacrifice(|sacrificed| sacrificed.count(victim.reason, length));
        // Best effort: a day with other footage stays.
        let _ = path.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Puts a segment's file into the pool. The disk knows of it before another segment is written to it: under its old name the file
    /// would be none of ours after a power cut.
    fn recycle(&self, path: &Path, info: &SegmentInfo) -> io::Result<()> {
        let pooled = self.pool_path(info);
        match fs::rename(path, &pooled) {
            // Landlock lets nothing go to another folder before Linux 5.19.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => fs::remove_file(path),
            renamed => renamed.and_then(|()| sync_folder(&pooled)).and_then(|()| sync_folder(path)),
        }
    }

    /// What has to go so that all rules hold.
    pub(super) fn victims(&self, missing_bytes: u64) -> Vec<Victim> {
        self.judge(|candidates, rules, now_us| retention::victims(candidates, rules, now_us, missing_bytes))
    }

    /// What will be deleted too early, if there is any soon, and the present time in microseconds since 1970.
    ///
    /// # Errors
    /// Those of asking the file system.
    pub(super) fn forecast(&self) -> Result<(Option<Loss>, u64), RecordError> {
        let store = self.recordings.store();
        let free = volume::space(&store.dir).map_err(RecordError::io(&store.dir))?.free;
        let free = free.saturating_sub(store.min_free_bytes);
        let used = self.recordings.bytes();
        let room = store.max_bytes.map_or(free, |most| most.saturating_sub(used).min(free));
        Ok(self
            .judge(|candidates, rules, now_us| (forecast::forecast(candidates, rules, now_us, room), now_us)))
    }

    /// Calls `judge` with all segments, the rules, and the present time in microseconds since 1970.
    fn judge<T>(&self, judge: impl FnOnce(&[Candidate<'_>], &BTreeMap<&str, Rules>, u64) -> T) -> T {
        self.recordings.with_all(|all| self.judge_all(all, judge))
    }

    fn judge_all<T>(
        &self,
        all: &[&Arc<SegmentInfo>],
        judge: impl FnOnce(&[Candidate<'_>], &BTreeMap<&str, Rules>, u64) -> T,
    ) -> T {
        let ends = ends(all);
        let events = events(all, &ends, |camera| self.recordings.rolls(camera));
        let mut kept: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
        let mut candidates = Vec::with_capacity(all.len());
        for ((info, end_us), has_events) in all.iter().zip(ends).zip(events) {
            let ranges = kept.entry(info.camera()).or_insert_with(|| self.recordings.kept(info.camera()));
            let is_kept = info.overlaps(ranges);
            candidates.push(Candidate {
                camera: info.camera(),
                sequence: info.sequence(),
                end_us,
                bytes: info.summary.length,
                has_events,
                is_pinned: is_kept || !info.summary.is_closed,
            });
        }
        let rules = self.rules.iter().map(|(camera, rules)| (camera.as_str(), *rules)).collect();
        judge(&candidates, &rules, clock::wall_us())
    }

    /// Bytes that have to go before `length` more may be used, and which limit asks for it.
    ///
    /// # Errors
    /// Those of asking the file system.
    pub(super) fn missing_bytes(&self, length: u64) -> Result<(u64, Limit), RecordError> {
        let store = self.recordings.store();
        let used = self.recordings.bytes().saturating_add(length);
        let over = store.max_bytes.map_or(0, |most| used.saturating_sub(most));
        let short = self.short_bytes(length)?;
        Ok(if over == 0 { (short, Limit::Free) } else { (over.max(short), Limit::Most) })
    }

    /// Bytes that the disk has too few of before `length` more may be used.
    ///
    /// # Errors
    /// Those of asking the file system.
    pub(super) fn short_bytes(&self, length: u64) -> Result<u64, RecordError> {
        let store = self.recordings.store();
        let free = volume::space(&store.dir).map_err(RecordError::io(&store.dir))?.free;
        Ok(store.min_free_bytes.saturating_add(length).saturating_sub(free))
    }

    /// A file of the pool that can be used. Those of another length, or with another name, are removed; one that cannot be written
    /// is passed over.
    fn pooled(&self) -> Result<Option<Spare>, RecordError> {
        for path in self.pool()? {
            let Ok(file) = folder::open(&path, true) else { continue };
            let is_fit = |found: Metadata| {
                found.len() == self.recordings.store().segment_bytes && has_one_name(&found)
            };
            if file.metadata().is_ok_and(is_fit) {
                return Ok(Some(Spare { file, path }));
            }
            // If that fails, it is passed over the next time, too.
            let _ = fs::remove_file(&path);
        }
        Ok(None)
    }

    /// The paths of the pool's files.
    ///
    /// # Errors
    /// Those of reading the folder.
    pub(super) fn pool(&self) -> Result<Vec<PathBuf>, RecordError> {
        let pool = self.recordings.dir().join(POOL);
        let entries = fs::read_dir(&pool).map_err(RecordError::io(&pool))?;
        let is_spare = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            entry.file_type().is_ok_and(|kind| kind.is_file()) && name.to_string_lossy().ends_with(".mkv")
        };
        Ok(entries.filter_map(Result::ok).filter(is_spare).map(|entry| entry.path()).collect())
    }

    /// Makes a file; `None` if the disk is full.
    ///
    /// # Errors
    /// Those of making it.
    pub(super) fn make(&self, length: u64) -> Result<Option<Spare>, RecordError> {
        let pool = self.recordings.dir().join(POOL);
        let make = |number: u32| {
            let path = pool.join(format!("new-{number}.mkv"));
            match folder::create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
                made => Some((made, path)),
            }
        };
        let (made, path) = (0..).find_map(make).expect("there are more numbers than files");
        allocate(made.map_err(RecordError::io(&path))?, path, length)
    }

    /// Makes a file in the folder of a segment at `path`, for kernels that let no file of the pool go there.
    ///
    /// # Errors
    /// [`RecordError::NoSpace`] if the disk is full; those of making it.
    pub(super) fn make_beside(&self, path: &Path) -> Result<Spare, RecordError> {
        let part = folder_of(path).join(PART);
        let _ = fs::remove_file(&part);
        let file = folder::create(&part).map_err(RecordError::io(&part))?;
        let RecordStore { dir: folder, segment_bytes: needed_bytes, .. } = self.recordings.store().clone();
        let no_space = RecordError::NoSpace { folder, needed_bytes, limit: Limit::Free };
        allocate(file, part, needed_bytes)?.ok_or(no_space)
    }

    fn pool_path(&self, info: &SegmentInfo) -> PathBuf {
        self.recordings.dir().join(POOL).join(format!("{}-{}.mkv", info.camera(), info.sequence()))
    }
}

/// Whether a file has no other name. A hard link may be somebody's backup, and must not be written to.
fn has_one_name(file: &Metadata) -> bool {
    // Some file systems do not count, and say 0.
    file.nlink() <= 1
}

/// Gives a new file its length; `None`, and no file, if the disk is full.
fn allocate(file: File, path: PathBuf, length: u64) -> Result<Option<Spare>, RecordError> {
    let made = match fallocate(&file, FallocateFlags::empty(), 0, length) {
        // A file system without extents, such as FAT.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(length),
        made => made.map_err(Into::into),
    };
    match made {
        Ok(()) => Ok(Some(Spare { file, path })),
        Err(error) => {
            let _ = fs::remove_file(&path);
            let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            if is_full { Ok(None) } else { Err(RecordError::Io(path, error)) }
        }
    }
}

/// Whether each segment has footage of an event. Where all is recorded, the time before an event may lie in an older segment than the
/// event does, and was written before anybody knew of it. The segments of a camera are in the order of their making; `ends` are those of
/// [`ends`].
pub(super) fn events(all: &[&Arc<SegmentInfo>], ends: &[u64], rolls: impl Fn(&str) -> Rolls) -> Vec<bool> {
    let mut found = vec![false; all.len()];
    // The camera, the time before its events, and when its last segment with an event began.
    let mut event: Option<(&str, u64, u64)> = None;
    for (at, info) in all.iter().enumerate().rev() {
        let camera = info.camera();
        let known = event.filter(|(of, ..)| *of == camera);
        if info.summary.has_events {
            let pre_us = known.map_or_else(|| rolls(camera).pre_us, |(_, pre_us, _)| pre_us);
            let start_us = ends[at].saturating_sub(info.end_us().saturating_sub(info.start_us()));
            event = Some((camera, pre_us, start_us));
        }
        let is_before = |(_, pre_us, start_us): (&str, u64, u64)| ends[at].abs_diff(start_us) <= pre_us;
        found[at] = info.summary.has_events || known.is_some_and(is_before);
    }
    found
}

/// When each segment ended, in microseconds since 1970, by the last wall clock that its boot had. A board without a clock of its own
/// starts with a wrong time, and what it records before the clock is set would otherwise be the oldest footage, or never become old.
pub(super) fn ends(all: &[&Arc<SegmentInfo>]) -> Vec<u64> {
    let mut offsets = BTreeMap::new();
    for info in all {
        let SegmentHead { boot_id, start, .. } = &info.summary.head;
        let found = (start.monotonic_us, start.wall_us.wrapping_sub(start.monotonic_us));
        let known = offsets.entry(*boot_id).or_insert(found);
        *known = (*known).max(found);
    }
    let now_us = Timestamp::now().as_micros();
    let offset_us = clock::wall_us().wrapping_sub(now_us);
    offsets.insert(clock::boot_id(), (now_us, offset_us));
    let end = |info: &&Arc<SegmentInfo>| {
        let SegmentHead { boot_id, start, .. } = &info.summary.head;
        let known = offsets.get(boot_id).filter(|_| *boot_id != [0; 16]);
        let by_boot = |(_, offset_us): &(u64, u64)| offset_us.wrapping_add(start.monotonic_us);
        known.map_or(start.wall_us, by_boot).saturating_add(info.end_us().saturating_sub(start.wall_us))
    };
    all.iter().map(end).collect()
}
