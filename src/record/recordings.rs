//! [`Recordings`]: what recorder, keeper and requests share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::catalogue::{Catalogue, Known, SegmentInfo, Taken};
use super::error::RecordError;
use super::folder;
use super::forecast::Loss;
use super::retention::Rolls;
use super::status::{CameraStatus, Sacrificed, State};
use super::tombstones::{Next, Tombstones};
use crate::base::disk::lock_exclusively;
use crate::base::{lock, volume};
use crate::hub::{Flag, Switch};
use crate::journal::Journal;
use crate::media::{RecordStore, Timestamp};

/// How long another process may have the folder before that is an error: one that is being stopped.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Most files whose playback failed that are named in the log.
const MOST_UNREADABLE: usize = 100;

/// Most segments whose writing failed that are remembered.
const MOST_CUT_OFF: usize = 1024;

/// All footage of a folder, and how recording is going.
pub struct Recordings {
    store: RecordStore,
    catalogue: Mutex<Catalogue>,
    next: Mutex<BTreeMap<String, Next>>,
    status: Mutex<Vec<CameraStatus>>,
    /// When the recorder began its present round, in microseconds of the monotonic clock.
    round_us: Mutex<u64>,
    sacrificed: Mutex<Sacrificed>,
    problem: Mutex<Option<String>>,
    loss: Mutex<Option<Loss>>,
    damaged: Mutex<Vec<Arc<SegmentInfo>>>,
    /// Segments whose writing failed, by their UUID, and where what is recorded in them ends. They are remembered while the folder is
    /// away: what lies behind is written to another file, and may have come to the disk nevertheless.
    cut_off: Mutex<VecDeque<([u8; 16], u64)>>,
    unreadable: Mutex<BTreeSet<PathBuf>>,
    pub(super) deletions: Mutex<Vec<(String, u64, u64)>>,
    pub(super) rolls: Mutex<BTreeMap<String, Rolls>>,
    switch: Switch,
    /// Whether the whole folder has been read.
    pub is_read: Flag,
    /// Whether nothing can be written to the folder that is claimed.
    pub(super) is_read_only: Flag,
    pub(super) tombstones: Tombstones,
    journal: Arc<Journal>,
    /// Keeps other processes away for as long as it is open; `None` until the folder is there.
    lock_file: Mutex<Option<File>>,
}

/// A camera's footage as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraFootage {
    /// The camera.
    pub camera: String,
    /// When its first frame was captured, in microseconds since 1970.
    pub first_us: u64,
    /// When its last frame was captured.
    pub last_us: u64,
    /// Time of the boots in which it was recorded, from the first frame to the last, in microseconds.
    pub covered_us: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Number of its files.
    pub segments: usize,
}

impl Recordings {
    /// No footage yet. Nothing is opened: see [`Self::claim`].
    pub fn new(store: RecordStore, journal: Arc<Journal>) -> Self {
        Self {
            tombstones: Tombstones::of(&store.dir),
            store,
            catalogue: Mutex::default(),
            next: Mutex::default(),
            status: Mutex::default(),
            round_us: Mutex::default(),
            sacrificed: Mutex::default(),
            problem: Mutex::default(),
            loss: Mutex::default(),
            damaged: Mutex::default(),
            cut_off: Mutex::default(),
            unreadable: Mutex::default(),
            deletions: Mutex::default(),
            rolls: Mutex::default(),
            switch: Switch::default(),
            is_read: Flag::default(),
            is_read_only: Flag::default(),
            journal,
            lock_file: Mutex::default(),
        }
    }

    /// Checks that something is mounted on the folder, where that is asked for.
    ///
    /// # Errors
    /// That nothing is, and those of the file system.
    pub(super) fn check_mounted(&self) -> Result<(), RecordError> {
        let RecordStore { dir, is_mount, .. } = &self.store;
        if *is_mount { volume::check_mounted(dir).map_err(RecordError::io(dir)) } else { Ok(()) }
    }

    /// Makes the folder if it is missing, and keeps other processes from recording into it. Does nothing if that was done. A folder of a disk
    /// that is read-only can be read.
    ///
    /// # Errors
    /// Why it cannot be used, now.
    pub(super) fn claim(&self) -> Result<(), RecordError> {
        if lock(&self.lock_file).is_some() {
            return Ok(());
        }
        let dir = &self.store.dir;
        self.check_mounted()?;
        folder::make(dir)
            .and_then(|()| folder::make_above(&dir.join(folder::POOL).join("spare"), dir))
            .map_err(RecordError::io(dir))?;
        let path = dir.join("lock");
        let file = match folder::create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => folder::open(&path, true),
            made => made,
        };
        let is_read_only = file.as_ref().is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem);
        let file = if is_read_only { folder::open(&path, false) } else { file };
        let file = file.map_err(RecordError::io(&path))?;
        lock_exclusively(&file, LOCK_WAIT).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => RecordError::Locked(dir.clone()),
            _ => RecordError::Io(path.clone(), error),
        })?;
        self.is_read_only.set(is_read_only);
        *lock(&self.next) = self.tombstones.next();
        *lock(&self.lock_file) = Some(file);
        Ok(())
    }

    /// Whether the folder is still the one that was claimed: another disk may be mounted there by now, or none.
    pub(super) fn is_claimed(&self) -> bool {
        let held = lock(&self.lock_file).as_ref().and_then(|file| file.metadata().ok());
        let found = std::fs::symlink_metadata(self.store.dir.join("lock")).ok();
        let is_same =
            |(held, found): (Metadata, Metadata)| (held.dev(), held.ino()) == (found.dev(), found.ino());
        held.zip(found).is_some_and(is_same)
    }

    /// Whether a disk that was read-only is so no longer.
    pub(super) fn can_be_written(&self) -> bool {
        folder::open(&self.store.dir.join("lock"), true).is_ok()
    }

    /// Gives the folder back and forgets what is in it.
    pub(super) fn release(&self) {
        *lock(&self.lock_file) = None;
        *lock(&self.catalogue) = Catalogue::default();
        lock(&self.damaged).clear();
        self.is_read.set(false);
    }

    /// Whether the folder was used before.
    pub(super) fn has_footage(&self) -> bool {
        self.store.dir.join(folder::POOL).is_dir()
    }

    /// Where footage lies, and how much of it.
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.store.dir
    }

    /// The events; those that are kept keep their footage.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Each camera with footage.
    pub fn cameras(&self) -> Vec<CameraFootage> {
        let catalogue = lock(&self.catalogue);
        let footage = |camera: &str| {
            let segments = catalogue.segments(camera);
            CameraFootage {
                camera: camera.to_owned(),
                first_us: segments.iter().map(|segment| segment.start_us).min().unwrap_or(0),
                last_us: segments.iter().map(|segment| segment.end_us).max().unwrap_or(0),
                covered_us: catalogue.covered_us(camera),
                bytes: segments.iter().map(|segment| segment.summary.length).sum(),
                segments: segments.len(),
            }
        };
        catalogue.cameras().map(footage).collect()
    }

    /// The segments of a camera with a frame from `from_us` to `to_us`, in the order of their making. While somebody holds one, its file is not
    /// written to again.
    pub fn segments(&self, camera: &str, from_us: u64, to_us: u64) -> Vec<Arc<SegmentInfo>> {
        let catalogue = lock(&self.catalogue);
        let segments = catalogue.segments(camera).iter().filter(|known| known.is_between(from_us, to_us));
        segments.map(|known| Arc::clone(&known.info)).collect()
    }

    /// Whether there is footage of a camera.
    pub fn has_footage_of(&self, camera: &str) -> bool {
        !lock(&self.catalogue).segments(camera).is_empty()
    }

    /// Looks at each segment of a camera with a frame from `from_us` to `to_us`, in the order of their making.
    pub fn look_at_segments(
        &self,
        camera: &str,
        from_us: u64,
        to_us: u64,
        look: &mut dyn FnMut(&SegmentInfo),
    ) {
        let catalogue = lock(&self.catalogue);
        let segments = catalogue.segments(camera).iter();
        segments.filter(|known| known.is_between(from_us, to_us)).for_each(|known| look(known));
    }

    /// Looks at all segments of a camera, in the order of their numbers.
    pub(super) fn with_segments<T>(&self, camera: &str, look: impl FnOnce(&[Known]) -> T) -> T {
        look(lock(&self.catalogue).segments(camera))
    }

    /// Whether nobody asked this of a file before. Only so many files are remembered; for others it is false.
    pub(super) fn is_first_look(&self, path: &Path) -> bool {
        let mut unreadable = lock(&self.unreadable);
        unreadable.len() < MOST_UNREADABLE && unreadable.insert(path.to_owned())
    }

    /// Free bytes of the disk with the footage; `None` if it does not tell.
    pub fn free_bytes(&self) -> Option<u64> {
        volume::space(&self.store.dir).ok().map(|space| space.free)
    }

    /// Bytes of all files with footage.
    pub fn bytes(&self) -> u64 {
        lock(&self.catalogue).bytes()
    }

    /// How recording is going, for each camera that is to be recorded.
    pub fn status(&self) -> Vec<CameraStatus> {
        let stall_us = self.stall_us();
        lock(&self.status).iter().map(|status| status.in_a_stall(stall_us)).collect()
    }

    /// Whether a camera is recorded; `None` for one that is not to be.
    pub fn state_of(&self, camera: &str) -> Option<State> {
        let stall_us = self.stall_us();
        let status = lock(&self.status);
        status.iter().find(|status| status.camera == camera).map(|status| status.in_a_stall(stall_us).state)
    }

    /// Notes that the recorder begins a round; how long the one before took, in microseconds.
    pub(super) fn note_round(&self) -> u64 {
        let took_us = self.stall_us();
        *lock(&self.round_us) = Timestamp::now().as_micros();
        took_us
    }

    /// How long the recorder's round has taken until now, in microseconds.
    fn stall_us(&self) -> u64 {
        Timestamp::now().as_micros().saturating_sub(*lock(&self.round_us))
    }

    /// What was deleted and thinned.
    pub fn sacrificed(&self) -> Sacrificed {
        lock(&self.sacrificed).clone()
    }

    /// What will be deleted too early, if there is any soon.
    pub fn loss(&self) -> Option<Loss> {
        lock(&self.loss).clone()
    }

    pub(super) fn set_loss(&self, loss: Option<Loss>) {
        *lock(&self.loss) = loss;
    }

    /// Stops recording, and starts it again.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// What is wrong with the folder as a whole, for people.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    pub(super) fn set_problem(&self, problem: Option<String>) {
        *lock(&self.problem) = problem;
    }

    pub(super) fn set_status(&self, status: Vec<CameraStatus>) {
        *lock(&self.status) = status;
    }

    /// Notes a segment whose file cannot be written to any more, and has to be repaired.
    pub(super) fn note_damaged(&self, info: &Arc<SegmentInfo>) {
        lock(&self.damaged).push(Arc::clone(info));
        let mut cut_off = lock(&self.cut_off);
        if cut_off.len() >= MOST_CUT_OFF {
            cut_off.pop_front();
        }
        cut_off.push_back((info.summary.head.uuid, info.summary.data_end));
    }

    /// Where what is recorded in a segment ends, in bytes of its file; `u64::MAX` if its writing did not fail.
    pub(super) fn end_of(&self, uuid: &[u8; 16]) -> u64 {
        let cut_off = lock(&self.cut_off);
        cut_off.iter().find(|(of, _)| of == uuid).map_or(u64::MAX, |(_, end)| *end)
    }

    /// Forgets where a segment ends: it is closed there.
    pub(super) fn forget_end(&self, uuid: &[u8; 16]) {
        lock(&self.cut_off).retain(|(of, _)| of != uuid);
    }

    /// The segments that have to be repaired.
    pub(super) fn damaged(&self) -> Vec<Arc<SegmentInfo>> {
        lock(&self.damaged).clone()
    }

    /// Notes that a segment was repaired, or cannot be.
    pub(super) fn note_repaired(&self, info: &SegmentInfo) {
        lock(&self.damaged).retain(|other| other.path() != info.path());
    }

    pub(super) fn put(&self, info: Arc<SegmentInfo>) {
        lock(&self.catalogue).put(info);
    }

    /// Enters segments of a camera that are not known yet.
    pub(super) fn put_all(&self, camera: &str, infos: &mut Vec<Arc<SegmentInfo>>) {
        lock(&self.catalogue).put_all(camera, infos);
    }

    pub(super) fn take(&self, camera: &str, sequence: u64) -> Option<Taken> {
        lock(&self.catalogue).take(camera, sequence)
    }

    /// Looks at every segment. Nobody holds one because of it: a file in use would not be written to again.
    pub(super) fn with_all<T>(&self, look: impl FnOnce(&[&Arc<SegmentInfo>]) -> T) -> T {
        let catalogue = lock(&self.catalogue);
        look(&catalogue.all().collect::<Vec<_>>())
    }

    pub(super) fn count_sacrifice(&self, count: impl FnOnce(&mut Sacrificed)) {
        count(&mut lock(&self.sacrificed));
    }

    /// Notes that a camera has used numbers before these.
    pub(super) fn note_next(&self, camera: &str, found: Next) {
        let mut all = lock(&self.next);
        let known = all.entry(camera.to_owned()).or_default();
        known.sequence = known.sequence.max(found.sequence);
        known.frame = known.frame.max(found.frame);
    }

    /// The numbers that a camera's next segment begins with. The sequence number is given once.
    pub(super) fn next_numbers(&self, camera: &str) -> Next {
        let mut all = lock(&self.next);
        let known = all.entry(camera.to_owned()).or_default();
        let next = *known;
        known.sequence += 1;
        next
    }
}
