//! The segment that a camera's footage is being written to.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::folder;
use super::pending::Pending;
use super::recordings::Recordings;
use super::space::{Space, Spare};
use super::tombstones::Next;
use crate::base::clock::{self, RELEASED_S};
use crate::base::disk::{folder_of, sync_folder};
use crate::base::hex;
use crate::media::Timestamp;
use crate::segment::{
    Block, Group, IndexEntry, MAX_STRETCHES, Moment, SegmentHead, SegmentWriter, SoundTrack, Track,
};

/// A step of the wall clock of more than this, in microseconds, begins a new segment: a segment has one wall clock.
const CLOCK_STEP_US: u64 = 500_000;

/// A segment that is being written.
pub(super) struct OpenSegment {
    writer: SegmentWriter<File>,
    info: Arc<SegmentInfo>,
    written: Vec<Arc<[IndexEntry]>>,
    head: SegmentHead,
    /// Number of the next packet of sound.
    packets: u32,
}

impl OpenSegment {
    /// Begins a segment whose first group will be `pending`, with `sound` of the named microphone. It gets its name when the file says nothing any more of what was in it before.
    ///
    /// # Errors
    /// That there is no file for it, or that it cannot be written.
    pub(super) fn begin(
        camera: &str,
        pending: &Pending,
        sound: Option<(SoundTrack, &str)>,
        recordings: &Recordings,
        space: &Space<'_>,
    ) -> Result<Self, RecordError> {
        if folder::is_reserved(camera) {
            return Err(RecordError::Name(camera.to_owned()));
        }
        let spare = space.acquire()?;
        let Next { sequence, frame } = recordings.next_numbers(camera);
        if sequence >= folder::NUMBERS {
            return Err(RecordError::Numbers(camera.to_owned()));
        }
        let start_us = pending.start_us();
        let (sound, microphone) = sound.unzip();
        let head = SegmentHead {
            camera: camera.to_owned(),
            sequence,
            first_frame: frame,
            boot_id: clock::boot_id(),
            uuid: hex::random_bytes().map_err(RecordError::io(&spare.path))?,
            start: Moment { monotonic_us: start_us, wall_us: wall_us(start_us) },
            is_clock_synchronised: clock::since_epoch().as_secs() >= RELEASED_S.unsigned_abs(),
            is_thinned: false,
            size: pending.size().unwrap_or_default(),
            sound,
            microphone: microphone.unwrap_or_default().to_owned(),
        };
        let path = folder::segment_path(recordings.dir(), camera, head.start.wall_us, sequence);
        let pooled = spare.path.clone();
        let writer = match create(spare, &path, &head, recordings) {
            // Landlock lets nothing go to another folder before Linux 5.19.
            Err(RecordError::Io(_, error)) if error.kind() == ErrorKind::CrossesDevices => {
                fs::remove_file(&pooled).map_err(RecordError::io(&pooled))?;
                create(space.make_beside(&path)?, &path, &head, recordings)?
            }
            created => created?,
        };
        let info = Arc::new(SegmentInfo::new(path, writer.summary().clone()));
        Ok(Self { writer, info, written: Vec::new(), head, packets: 0 })
    }

    /// Whether nothing was written to it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether `pending` can be its next group.
    pub(super) fn fits(&self, pending: &Pending, sound: Option<&SoundTrack>) -> bool {
        let start_us = pending.start_us();
        let at_us = start_us.checked_sub(self.head.start.monotonic_us);
        let is_same_clock = at_us.is_some_and(|at_us| {
            wall_us(start_us).abs_diff(self.head.start.wall_us + at_us) <= CLOCK_STEP_US
        });
        let is_same = pending.size() == Some(self.head.size)
            && (pending.sound.is_empty() || self.head.sound.as_ref() == sound);
        let has_stretch = pending.gap.is_none() || self.writer.summary().stretches.len() < MAX_STRETCHES;
        let (bytes, blocks) = pending.extent();
        is_same && is_same_clock && has_stretch && self.writer.has_room(bytes as u64, blocks)
    }

    /// Writes `pending` as the next group, and enters it in the catalogue; the bytes that were written.
    ///
    /// # Errors
    /// Those of the file, which must not be written to any more.
    pub(super) fn append(&mut self, pending: &Pending, recordings: &Recordings) -> Result<u64, RecordError> {
        let packets: Vec<(u64, Cow<'_, [u8]>)> = (self.packets..)
            .zip(&pending.sound)
            .map(|(number, sound)| (sound.at_us, sound.packet.bytes(number)))
            .collect();
        let start_us = self.head.start.monotonic_us;
        let block = |track, at_us: u64, bytes| Block { track, at_us: at_us.saturating_sub(start_us), bytes };
        let pictures = pending.pictures.iter();
        let mut blocks: Vec<Block<'_>> = pictures
            .map(|picture| block(Track::Picture, picture.at_us, picture.frame.jpeg()))
            .chain(packets.iter().map(|(at_us, bytes)| block(Track::Sound, *at_us, bytes)))
            .collect();
        blocks.sort_by_key(|block| block.at_us);
        let group = Group { blocks: &blocks, missed_before: pending.missed, gap_before: pending.gap };
        let known = self.writer.index().len();
        if pending.has_event {
            self.writer.note_event();
        }
        self.writer.append(&group).map_err(RecordError::segment(self.info.path()))?;
        self.packets += packets.len() as u32;
        self.written.push(self.writer.index()[known..].into());
        self.update(recordings);
        Ok(blocks.iter().map(|block| block.bytes.len() as u64).sum())
    }

    /// Closes the file.
    ///
    /// # Errors
    /// Those of the file. What is in it can be read.
    pub(super) fn close(self, recordings: &Recordings) -> Result<(), RecordError> {
        let next = self.next_numbers();
        let Self { writer, info, head, .. } = self;
        recordings.note_next(&head.camera, next);
        match writer.close() {
            Ok(summary) => {
                recordings.put(Arc::new(info.updated(summary, Vec::new())));
                Ok(())
            }
            Err(error) => {
                recordings.note_damaged(&info);
                Err(RecordError::Segment(info.path().to_owned(), error))
            }
        }
    }

    /// Leaves the file as it is after an error. The keeper repairs it.
    pub(super) fn abandon(self, recordings: &Recordings) {
        recordings.note_next(&self.head.camera, self.next_numbers());
        recordings.note_damaged(&self.info);
    }

    fn next_numbers(&self) -> Next {
        Next { sequence: self.head.sequence + 1, frame: self.writer.summary().next_frame() }
    }

    fn update(&mut self, recordings: &Recordings) {
        self.info = Arc::new(self.info.updated(self.writer.summary().clone(), self.written.clone()));
        recordings.put(Arc::clone(&self.info));
    }
}

/// Begins a segment in a spare file, and gives it its name.
fn create(
    Spare { file, path: spare }: Spare,
    path: &Path,
    head: &SegmentHead,
    recordings: &Recordings,
) -> Result<SegmentWriter<File>, RecordError> {
    let length = recordings.store().segment_bytes;
    let writer = SegmentWriter::create(file, length, head).map_err(RecordError::segment(&spare))?;
    place(&spare, path, recordings.dir()).map_err(RecordError::io(path))?;
    Ok(writer)
}

/// Moves a file out of the pool, to a name that a power cut does not take away.
fn place(spare: &Path, path: &Path, folder: &Path) -> std::io::Result<()> {
    folder::make_above(path, folder)?;
    fs::rename(spare, path)?;
    sync_folder(path)?;
    sync_folder(folder_of(path))
}

/// The wall clock at a moment of the monotonic clock, in microseconds since 1970.
fn wall_us(monotonic_us: u64) -> u64 {
    Timestamp::from_micros(monotonic_us).wall_us()
}
