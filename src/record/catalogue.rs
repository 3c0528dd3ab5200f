//! What footage there is: every segment of every camera, in memory.
//!
//! The folder is the truth, and this is what was read of it. Recorder, keeper and requests share it; its lock is held to look something
//! up, never across I/O. Whoever has a [`SegmentInfo`] may open its file and read it: a file that somebody may be reading is not written to
//! again. It is only unlinked, and the reader keeps what is open.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::segment::{IndexEntry, Moment, Stretch, Summary};

/// Time between two segments that nothing was recorded between, in microseconds.
const TOUCHING_US: u64 = 1_000_000;

/// A step of the wall clock of more than this, in microseconds, is shown.
const CLOCK_STEP_US: u64 = 60_000_000;

/// One segment, as of the moment at which it was looked up.
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    file: Arc<PathBuf>,
    /// What the segment says of itself.
    pub summary: Summary,
    /// The frames of a segment that is being written, in the order of capture; empty for others, whose index is in the file.
    pub written: Vec<Arc<[IndexEntry]>>,
}

/// A segment of the catalogue, with what searches look at: they pass over many, each of which lies elsewhere in memory.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) sequence: u64,
    /// As [`SegmentInfo::start_us`].
    pub(super) start_us: u64,
    /// As [`SegmentInfo::end_us`].
    pub(super) end_us: u64,
    pub(super) info: Arc<SegmentInfo>,
}

/// All segments.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    cameras: BTreeMap<String, Vec<Known>>,
    bytes: u64,
}

/// A segment that was taken out of the catalogue.
#[derive(Debug)]
pub(super) struct Taken {
    /// The segment.
    pub(super) info: Arc<SegmentInfo>,
    /// Whether somebody may be reading its file.
    pub(super) is_in_use: bool,
}

impl SegmentInfo {
    /// A segment in a file at `path`.
    pub(super) fn new(path: PathBuf, summary: Summary) -> Self {
        Self { file: Arc::new(path), summary, written: Vec::new() }
    }

    /// The same segment with what was written since.
    pub(super) fn updated(&self, summary: Summary, written: Vec<Arc<[IndexEntry]>>) -> Self {
        Self { file: Arc::clone(&self.file), summary, written }
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Its sequence number, which is unique for the camera.
    pub fn sequence(&self) -> u64 {
        self.summary.head.sequence
    }

    /// The camera that it shows.
    pub fn camera(&self) -> &str {
        &self.summary.head.camera
    }

    /// When its first frame was captured, in microseconds since 1970.
    pub fn start_us(&self) -> u64 {
        self.wall_us(self.summary.stretches.first().map_or(0, |first| first.start_ms))
    }

    /// When its last picture or sound was captured, in microseconds since 1970.
    pub fn end_us(&self) -> u64 {
        self.wall_us(self.summary.end_ms)
    }

    /// The wall clock at `at_ms` milliseconds of the segment, in microseconds since 1970.
    pub fn wall_us(&self, at_ms: u32) -> u64 {
        self.summary.head.start.wall_us.saturating_add(u64::from(at_ms) * 1000)
    }

    /// The time in the segment at a moment of the wall clock, in milliseconds; 0 before its start.
    pub fn at_ms(&self, wall_us: u64) -> u32 {
        let since_us = wall_us.saturating_sub(self.summary.head.start.wall_us);
        u32::try_from(since_us / 1000).unwrap_or(u32::MAX)
    }

    /// Whether no segment between this one and `next` was deleted. A number that was never used is missing, too, but no time.
    pub(super) fn is_before(&self, next: &Self) -> bool {
        self.sequence() + 1 == next.sequence() || self.end_us().abs_diff(next.start_us()) <= TOUCHING_US
    }

    /// Whether the wall clock was not set between this segment and the other one; of another boot that is not known.
    pub(super) fn has_clock_of(&self, other: &Self) -> bool {
        let offset = |Moment { monotonic_us, wall_us }: Moment| wall_us.wrapping_sub(monotonic_us);
        let (head, other) = (&self.summary.head, &other.summary.head);
        let step_us = offset(head.start).wrapping_sub(offset(other.start)).cast_signed().unsigned_abs();
        head.boot_id == other.boot_id && step_us <= CLOCK_STEP_US
    }

    /// From when to when there is footage of it in microseconds of its boot's monotonic clock.
    fn monotonic_us(&self) -> (u64, u64) {
        let Moment { monotonic_us, wall_us } = self.summary.head.start;
        let at = |of_wall_us: u64| monotonic_us.saturating_add(of_wall_us.saturating_sub(wall_us));
        (at(self.start_us()), at(self.end_us()))
    }

    /// Whether it has a frame in one of the ranges, in microseconds since 1970.
    pub(super) fn overlaps(&self, ranges: &[(u64, u64)]) -> bool {
        let (start, end) = (self.start_us(), self.end_us());
        ranges.iter().any(|(from, to)| *from <= end && *to >= start)
    }

    /// Its stretches without a gap, each with the moments of its first and its last frame in microseconds since 1970.
    pub fn stretches(&self) -> impl Iterator<Item = (u64, u64, &Stretch)> {
        let moments = |stretch: &Stretch| (self.wall_us(stretch.start_ms), self.wall_us(stretch.end_ms));
        self.summary.stretches.iter().map(move |stretch| {
            let (from_us, to_us) = moments(stretch);
            (from_us, to_us, stretch)
        })
    }
}

impl Known {
    fn new(info: Arc<SegmentInfo>) -> Self {
        Self { sequence: info.sequence(), start_us: info.start_us(), end_us: info.end_us(), info }
    }

    /// Whether it has a frame from one moment to another, in microseconds since 1970.
    pub(super) fn is_between(&self, from_us: u64, to_us: u64) -> bool {
        from_us <= self.end_us && to_us >= self.start_us
    }
}

impl Deref for Known {
    type Target = SegmentInfo;

    fn deref(&self) -> &SegmentInfo {
        &self.info
    }
}

impl Catalogue {
    /// Enters a segment, in the place of what was known of it.
    pub(super) fn put(&mut self, info: Arc<SegmentInfo>) {
        let segments = self.cameras.entry(info.camera().to_owned()).or_default();
        self.bytes += info.summary.length;
        match segments.binary_search_by_key(&info.sequence(), |known| known.sequence) {
            Ok(at) => {
                self.bytes -= segments[at].summary.length;
                segments[at] = Known::new(info);
            }
            Err(at) => segments.insert(at, Known::new(info)),
        }
    }

    /// Enters segments of a camera that are not known yet, in any order. One after the other in front of the others would move all of
    /// these each time.
    pub(super) fn put_all(&mut self, camera: &str, infos: &mut Vec<Arc<SegmentInfo>>) {
        if infos.is_empty() {
            return;
        }
        let segments = self.cameras.entry(camera.to_owned()).or_default();
        self.bytes += infos.iter().map(|info| info.summary.length).sum::<u64>();
        segments.extend(infos.drain(..).map(Known::new));
        segments.sort_by_key(|known| known.sequence);
        let bytes = &mut self.bytes;
        segments.dedup_by(|second, first| {
            let is_known = second.sequence == first.sequence;
            *bytes -= if is_known { second.summary.length } else { 0 };
            is_known
        });
    }

    /// Takes a segment out; `None` where another thread was first.
    pub(super) fn take(&mut self, camera: &str, sequence: u64) -> Option<Taken> {
        let segments = self.cameras.get_mut(camera)?;
        let at = segments.binary_search_by_key(&sequence, |known| known.sequence).ok()?;
        let Known { info, .. } = segments.remove(at);
        if segments.is_empty() {
            self.cameras.remove(camera);
        }
        self.bytes -= info.summary.length;
        // Older entries of the same segment share the file, so this counts whoever has one of them.
        let is_in_use = Arc::strong_count(&info) > 1 || Arc::strong_count(&info.file) > 1;
        Some(Taken { info, is_in_use })
    }

    /// The names of the cameras with footage.
    pub(super) fn cameras(&self) -> impl Iterator<Item = &str> {
        self.cameras.keys().map(String::as_str)
    }

    /// The segments of a camera, in the order of their sequence numbers.
    pub(super) fn segments(&self, camera: &str) -> &[Known] {
        self.cameras.get(camera).map_or(&[], Vec::as_slice)
    }

    /// The time from the first footage of each boot to its last, together, in microseconds: a wall clock that is set adds none.
    pub(super) fn covered_us(&self, camera: &str) -> u64 {
        let mut covered_us = 0_u64;
        let mut before: Option<([u8; 16], u64)> = None;
        for info in self.segments(camera) {
            let (boot, (start_us, end_us)) = (info.summary.head.boot_id, info.monotonic_us());
            let from_us =
                before.filter(|(of, _)| *of == boot && boot != [0; 16]).map_or(start_us, |(_, at)| at);
            covered_us = end_us.saturating_sub(from_us).saturating_add(covered_us);
            before = Some((boot, end_us));
        }
        covered_us
    }

    /// The segments of all cameras.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<SegmentInfo>> {
        self.cameras.values().flatten().map(|known| &known.info)
    }

    /// Bytes of all files together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
