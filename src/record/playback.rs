//! Playback: finding frames by their time, and walking over them in both directions, across segments and gaps.
//!
//! A player reads files that others may delete meanwhile. A segment that cannot be read is skipped, and said once in the log.
//! Where the frames of a segment lie takes memory of an account; without room for that, a player stands still.

use std::sync::Arc;

use log::warn;

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::opened::Opened;
use super::recordings::Recordings;
use crate::media::GapReason;
use crate::memory::{Account, Lease};
use crate::segment::{ReadAt, SegmentError, Stretch};

/// Walks over the frames of one camera.
pub struct Player {
    recordings: Arc<Recordings>,
    camera: String,
    memory: Arc<Account>,
    place: Option<Place>,
    lacks_memory: bool,
}

/// A frame of an open segment.
struct Place {
    opened: Opened,
    at: usize,
    _lease: Lease,
}

/// A place in footage where a player has stood.
pub struct Spot {
    info: Arc<SegmentInfo>,
    wall_us: u64,
}

impl Spot {
    /// Whether there is a gap between the two: time that was not recorded, or was deleted. A slow camera makes none.
    fn is_apart_from(&self, other: &Self) -> bool {
        let (early, late) = if self.wall_us <= other.wall_us { (self, other) } else { (other, self) };
        let is_between = |start_us: u64| early.wall_us < start_us && start_us <= late.wall_us;
        let is_begun = |(start_us, _, stretch): (u64, u64, &Stretch)| {
            stretch.gap_before.is_some() && is_between(start_us)
        };
        late.info.sequence().abs_diff(early.info.sequence()) > 1 || late.info.stretches().any(is_begun)
    }
}

impl Player {
    /// A player that stands nowhere yet. It leases what it needs from `memory`.
    pub fn new(recordings: &Arc<Recordings>, camera: &str, memory: &Arc<Account>) -> Self {
        let (recordings, camera, memory) = (Arc::clone(recordings), camera.to_owned(), Arc::clone(memory));
        Self { recordings, camera, memory, place: None, lacks_memory: false }
    }

    /// Whether it could not go somewhere because there was no memory for it.
    pub fn lacks_memory(&self) -> bool {
        self.lacks_memory
    }

    /// Goes to the last frame that was captured at `wall_us` or before, or to the first one after it; false where there is no frame.
    pub fn seek(&mut self, wall_us: u64) -> bool {
        let is_here = self.place.as_ref().is_some_and(|place| {
            let info = &place.opened.info;
            info.summary.is_closed && (info.start_us()..=info.end_us()).contains(&wall_us)
        });
        if !is_here {
            let found = self.recordings.segment_at(&self.camera, wall_us);
            self.place = found.and_then(|info| self.open_near(&info, true));
        }
        let Some(place) = &mut self.place else { return false };
        let at_ms = place.opened.info.at_ms(wall_us);
        place.at = place.opened.index.partition_point(|entry| entry.at_ms <= at_ms).saturating_sub(1);
        true
    }

    /// Goes to the next frame; false where it is the last one that there is now.
    pub fn forward(&mut self) -> bool {
        let Some(place) = &mut self.place else { return false };
        if place.at + 1 < place.opened.index.len() {
            place.at += 1;
            return true;
        }
        let (sequence, frames) = (place.opened.info.sequence(), place.opened.index.len());
        // It may have been written to since.
        if !place.opened.info.summary.is_closed
            && let Some(info) = self.recordings.segment(&self.camera, sequence)
            && let Some(place) = self.open(&info)
            && place.opened.index.len() > frames
        {
            self.place = Some(Place { at: frames, ..place });
            return true;
        }
        let Some(next) = self.recordings.neighbour(&self.camera, sequence, true) else { return false };
        let Some(place) = self.open_near(&next, true) else { return false };
        self.place = Some(place);
        true
    }

    /// Goes to the frame before; false where it is the first one.
    pub fn back(&mut self) -> bool {
        let Some(place) = &mut self.place else { return false };
        if place.at > 0 {
            place.at -= 1;
            return true;
        }
        let sequence = place.opened.info.sequence();
        let Some(before) = self.recordings.neighbour(&self.camera, sequence, false) else { return false };
        let Some(place) = self.open_near(&before, false) else { return false };
        let at = place.opened.index.len() - 1;
        self.place = Some(Place { at, ..place });
        true
    }

    /// When the frame was captured, in microseconds since 1970; `None` while the player stands nowhere.
    pub fn wall_us(&self) -> Option<u64> {
        self.place.as_ref().map(|place| place.opened.info.wall_us(place.opened.index[place.at].at_ms))
    }

    /// Where the player stands; `None` while it stands nowhere.
    pub fn spot(&self) -> Option<Spot> {
        let info = Arc::clone(&self.place.as_ref()?.opened.info);
        Some(Spot { info, wall_us: self.wall_us()? })
    }

    /// Whether there is a gap between here and `there`.
    pub fn is_apart_from(&self, there: Option<&Spot>) -> bool {
        there.zip(self.spot()).is_some_and(|(there, here)| here.is_apart_from(there))
    }

    /// The frame's number, counted for each camera; frames that were missed in its segment are not counted.
    pub fn number(&self) -> Option<u64> {
        self.place
            .as_ref()
            .map(|place| place.opened.info.summary.head.first_frame.saturating_add(place.at as u64))
    }

    /// Bytes of the frame's JPEG; 0 while the player stands nowhere.
    pub fn bytes(&self) -> u32 {
        self.place.as_ref().map_or(0, |place| place.opened.index[place.at].length)
    }

    /// When the frames before and behind this one were captured: those at the same millisecond are passed over, for whoever goes to
    /// one of the times must get on.
    pub fn neighbours(&mut self) -> (Option<u64>, Option<u64>) {
        (self.beside(Self::back, Self::forward), self.beside(Self::forward, Self::back))
    }

    /// The time of the nearest frame at another time, by these steps to it and back again.
    fn beside(&mut self, there: fn(&mut Self) -> bool, back: fn(&mut Self) -> bool) -> Option<u64> {
        let here = self.wall_us();
        let mut steps = 0;
        let mut found = here;
        while found == here && there(self) {
            (steps, found) = (steps + 1, self.wall_us());
        }
        for _ in 0..steps {
            back(self);
        }
        found.filter(|_| found != here)
    }

    /// Appends the frame's JPEG to `out`.
    ///
    /// # Errors
    /// That its file cannot be read any more.
    pub fn read(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let Some(place) = &self.place else { return Ok(()) };
        let entry = place.opened.index[place.at];
        let (path, start) = (place.opened.info.path(), out.len());
        out.resize(start + entry.length as usize, 0);
        let read = ReadAt::read_at(&place.opened.file, &mut out[start..], u64::from(entry.offset));
        match read.map_err(RecordError::io(path))? {
            all if all == entry.length as usize => Ok(()),
            _ => {
                let what =
                    SegmentError::Damaged { offset: u64::from(entry.offset), what: "a frame is cut off" };
                Err(RecordError::Segment(path.to_owned(), what))
            }
        }
    }

    /// Opens a segment, or, where that cannot be read, the next one that can, forwards or backwards.
    fn open_near(&mut self, info: &Arc<SegmentInfo>, is_forward: bool) -> Option<Place> {
        let mut info = Arc::clone(info);
        loop {
            match self.open(&info) {
                Some(place) if !place.opened.index.is_empty() => return Some(place),
                None if self.lacks_memory => return None,
                _ => {}
            }
            info = self.recordings.neighbour(&self.camera, info.sequence(), is_forward)?;
        }
    }

    /// Opens a segment at its first frame.
    fn open(&mut self, info: &Arc<SegmentInfo>) -> Option<Place> {
        let opened = Opened::leased(info, &self.memory);
        self.lacks_memory = matches!(opened, Ok(None));
        match opened {
            Ok(opened) => opened.map(|(opened, lease)| Place { opened, at: 0, _lease: lease }),
            Err(error) => {
                self.recordings.note_unreadable(info, &error);
                None
            }
        }
    }
}

impl Recordings {
    /// The segment with the last frame at `wall_us` or before; where there is none, the first one of all.
    fn segment_at(&self, camera: &str, wall_us: u64) -> Option<Arc<SegmentInfo>> {
        self.with_segments(camera, |segments| {
            let before = || {
                let begun = segments.iter().filter(|known| known.start_us <= wall_us);
                begun.max_by_key(|known| (known.end_us, known.sequence))
            };
            let found = segments.iter().rev().find(|known| known.is_between(wall_us, wall_us));
            found.or_else(before).or(segments.first()).map(|known| Arc::clone(&known.info))
        })
    }

    /// The segment that footage from `wall_us` on begins in.
    pub(super) fn segment_from(&self, camera: &str, wall_us: u64) -> Option<Arc<SegmentInfo>> {
        let info = self.segment_at(camera, wall_us)?;
        if info.end_us() >= wall_us { Some(info) } else { self.neighbour(camera, info.sequence(), true) }
    }

    /// The segments with a frame from `from_us` to `to_us`, in the order of their making. They begin with the one that a player begins with:
    /// where the wall clock was set back, older ones have the same time.
    pub(super) fn segments_played(&self, camera: &str, from_us: u64, to_us: u64) -> Vec<Arc<SegmentInfo>> {
        let first = self.segment_from(camera, from_us).map(|info| info.sequence());
        let mut segments = self.segments(camera, from_us, to_us);
        let before = segments.iter().position(|info| Some(info.sequence()) == first).unwrap_or(0);
        segments.drain(..before);
        segments
    }

    /// Looks at each stretch of a camera's footage from `from_us` to `to_us`, in the order of their making: when it begins and ends, why
    /// there is nothing before it, and whether it goes on from the one that was looked at before. It does not after a step of the wall clock,
    /// though nothing is missing.
    pub fn look_at_stretches(
        &self,
        camera: &str,
        (from_us, to_us): (u64, u64),
        look: &mut dyn FnMut(u64, u64, Option<GapReason>, bool),
    ) {
        // Until all is read, more is missing than was deleted.
        let is_read = self.is_read.get();
        let mut is_shown = false;
        self.with_segments(camera, |segments| {
            for (at, info) in segments.iter().enumerate() {
                if !info.is_between(from_us, to_us) {
                    is_shown = false;
                    continue;
                }
                let before = at.checked_sub(1).and_then(|at| segments.get(at));
                is_shown &= before.is_some_and(|before| before.has_clock_of(info));
                let is_missing = before.map_or(info.sequence() > 0, |before| !before.is_before(info));
                let mut missing = (is_read && is_missing).then_some(GapReason::Deleted);
                for (start, end, stretch) in info.stretches() {
                    let gap = stretch.gap_before.or(missing.take());
                    let goes_on = is_shown && gap.is_none();
                    is_shown = start <= to_us && end >= from_us;
                    if is_shown {
                        look(start, end, gap, goes_on);
                    }
                }
            }
        });
    }

    /// A segment by its number.
    pub(super) fn segment(&self, camera: &str, sequence: u64) -> Option<Arc<SegmentInfo>> {
        self.with_segments(camera, |segments| {
            let at = segments.binary_search_by_key(&sequence, |known| known.sequence).ok()?;
            Some(Arc::clone(&segments[at].info))
        })
    }

    /// The segment that was made next after the one with this number, or before it.
    pub(super) fn neighbour(
        &self,
        camera: &str,
        sequence: u64,
        is_forward: bool,
    ) -> Option<Arc<SegmentInfo>> {
        self.with_segments(camera, |segments| {
            let at = segments.partition_point(|known| known.sequence < sequence);
            let is_there = segments.get(at).is_some_and(|known| known.sequence == sequence);
            let at = if is_forward { Some(at + usize::from(is_there)) } else { at.checked_sub(1) };
            at.and_then(|at| segments.get(at)).map(|known| Arc::clone(&known.info))
        })
    }

    /// Logs once that a segment cannot be played.
    fn note_unreadable(&self, info: &SegmentInfo, error: &RecordError) {
        if self.is_first_look(info.path()) {
            warn!("recording: {error}; it is skipped in playback");
        }
    }
}
