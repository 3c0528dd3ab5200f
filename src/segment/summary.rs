//! The summary of a segment: what a catalogue knows of it, in one page of the file.
//!
//! The page has two parts. The first sector is written once, when the segment begins: the head. The rest is written when
//! it is closed: counts and stretches. Each part has a checksum, so that a torn write of the second leaves a segment that
//! is known and not closed. The second part has the checksum of the file's first sector as well, which is
//! written with it: a segment is closed when both are there.

use crate::base::utc;
use crate::media::{GapReason, SoundFormat};

use super::fields::{Fields, FieldsMut, check_crc, seal};
use super::layout::{
    GROUPS_AT, MAX_SEGMENT_BYTES, MAX_STRETCHES, PAGE_BYTES, SECTOR_BYTES, SUMMARY_AT, most_pictures,
    void_between,
};
use super::{Moment, ReadAt, SegmentError, SegmentHead, SoundTrack, Stretch, ebml};

/// Most bytes of the name of a camera or a microphone.
pub(super) const MAX_NAME_BYTES: usize = crate::media::CameraName::MAX_BYTES;

/// Most bytes of a track's CodecPrivate.
pub(super) const MAX_PRIVATE_BYTES: usize = 128;

/// Highest sample rate and number of channels that are believed.
const MAX_RATE_HZ: u32 = 1_000_000;
const MAX_CHANNELS: u32 = 8;

/// Where the second part begins.
pub(super) const COUNTS_AT: u64 = SUMMARY_AT + SECTOR_BYTES;

/// Bytes of the second part.
const COUNTS_BYTES: usize = (PAGE_BYTES - SECTOR_BYTES) as usize;

/// Where the first part's content begins, behind the Void's head, in its sector.
const HEAD_AT: usize = 16;

const MAGIC: [u8; 8] = *b"DefendSg";
const VERSION: u16 = 1;

const IS_THINNED: u8 = 1;
const IS_CLOCK_SYNCHRONISED: u8 = 2;
const IS_CLOSED: u32 = 1;
const HAS_EVENTS: u32 = 2;
const NO_GAP: u32 = u32::MAX;

/// A segment as a catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What was known when it began.
    pub head: SegmentHead,
    /// Pictures.
    pub frames: u32,
    /// Frames that were lost.
    pub missed: u32,
    /// Packets of sound.
    pub sound_blocks: u32,
    /// Time of the first block, in milliseconds from the start.
    pub start_ms: u32,
    /// Time of the last block, in milliseconds from the start.
    pub end_ms: u32,
    /// Where the last group ends, in bytes from the start of the file.
    pub data_end: u64,
    /// Whether it is complete: nothing is added to it, and players find Cues and a duration.
    pub is_closed: bool,
    /// Whether an event was noted.
    pub has_events: bool,
    /// The file's length in bytes.
    pub length: u64,
    /// Its stretches of footage.
    pub stretches: Vec<Stretch>,
    /// Where Cues begin, once it is closed and has pictures.
    pub cues_at: Option<u64>,
    /// Where the packed index begins, once it is closed.
    pub(super) index_at: Option<u64>,
}

/// Reads the summary of a segment, by one read of two pages. Of one that is not closed, the counts are zero.
///
/// # Errors
/// Those of the system; that the file is no segment or one of another version, that it is damaged, or closed and shorter than it says.
pub fn read_summary(file: &(impl ReadAt + ?Sized)) -> Result<Summary, SegmentError> {
    let mut pages = [0; 2 * PAGE_BYTES as usize];
    let count = file.read_at(&mut pages, 0).map_err(SegmentError::io("read the summary"))?;
    let is_matroska = ebml::read_element(&pages).is_some_and(|head| head.id == ebml::id::EBML);
    if count < pages.len() || !is_matroska {
        return Err(SegmentError::Foreign);
    }
    let (header, page) = pages.split_at(PAGE_BYTES as usize);
    let (sector, counts) = page.split_at(SECTOR_BYTES as usize);
    let (head, length) = read_head(&sector[HEAD_AT..])?;
    let has_bytes = file.length().map_err(SegmentError::io("read the length"))?;
    let mut summary = Summary::new(head, length);
    let header_crc = crc32fast::hash(&header[..SECTOR_BYTES as usize]);
    read_counts(counts, header_crc, &mut summary);
    if summary.is_closed && has_bytes < summary.length {
        return Err(SegmentError::Short { has_bytes, wants_bytes: summary.length });
    }
    Ok(summary)
}

impl Summary {
    /// That of a segment without footage.
    pub(super) fn new(head: SegmentHead, length: u64) -> Self {
        Self {
            head,
            frames: 0,
            missed: 0,
            sound_blocks: 0,
            start_ms: 0,
            end_ms: 0,
            data_end: GROUPS_AT,
            is_closed: false,
            has_events: false,
            length,
            stretches: Vec::new(),
            cues_at: None,
            index_at: None,
        }
    }

    /// The number of the frame behind the last one.
    pub fn next_frame(&self) -> u64 {
        self.head.first_frame.saturating_add(u64::from(self.frames) + u64::from(self.missed))
    }

    /// The page for a segment that begins: its Void spans the rest of the file.
    pub(super) fn to_page(&self) -> [u8; PAGE_BYTES as usize] {
        let mut page = [0; PAGE_BYTES as usize];
        let void = void_between(SUMMARY_AT, self.length);
        page[..void.len()].copy_from_slice(&void);
        write_head(&mut page[HEAD_AT..SECTOR_BYTES as usize], &self.head, self.length);
        page
    }

    /// The second part, for a segment that is closed, whose file's first sector has this checksum.
    pub(super) fn to_counts(&self, header_crc: u32) -> [u8; COUNTS_BYTES] {
        let mut bytes = [0; COUNTS_BYTES];
        let mut fields = FieldsMut(&mut bytes);
        let flags = IS_CLOSED | if self.has_events { HAS_EVENTS } else { 0 };
        let counts = [self.frames, self.missed, self.sound_blocks, self.start_ms, self.end_ms];
        [header_crc, flags].into_iter().chain(counts).for_each(|number| fields.put(number.to_be_bytes()));
        let places = [self.data_end, self.length, self.cues_at.unwrap_or(0), self.index_at.unwrap_or(0)];
        places.into_iter().for_each(|place| fields.put(place.to_be_bytes()));
        fields.put((self.stretches.len() as u32).to_be_bytes());
        for stretch in &self.stretches {
            let gap = stretch.gap_before.map_or(NO_GAP, |reason| u32::from(reason as u8));
            [stretch.start_ms, stretch.end_ms, gap]
                .into_iter()
                .for_each(|number| fields.put(number.to_be_bytes()));
        }
        seal(&mut bytes);
        bytes
    }
}

fn write_head(bytes: &mut [u8], head: &SegmentHead, length: u64) {
    let mut fields = FieldsMut(bytes);
    fields.put(MAGIC);
    fields.put(VERSION.to_be_bytes());
    fields.put(head.uuid);
    fields.put(head.boot_id);
    let numbers = [head.sequence, head.first_frame, head.start.monotonic_us, head.start.wall_us, length];
    numbers.into_iter().for_each(|number| fields.put(number.to_be_bytes()));
    let flags = if head.is_thinned { IS_THINNED } else { 0 }
        | if head.is_clock_synchronised { IS_CLOCK_SYNCHRONISED } else { 0 };
    let (kind, format, private) = match &head.sound {
        None => (0, SoundFormat { rate_hz: 0, channels: 0 }, &[][..]),
        Some(SoundTrack::Pcm { format }) => (1, *format, &[][..]),
        Some(SoundTrack::Flac { format, private }) => (2, *format, &private[..]),
    };
    fields.put([flags, kind, head.camera.len() as u8, private.len() as u8]);
    let numbers = [head.size.0, head.size.1, format.rate_hz, format.channels];
    numbers.into_iter().for_each(|number| fields.put(number.to_be_bytes()));
    fields.put(padded::<MAX_NAME_BYTES>(head.camera.as_bytes()));
    fields.put(padded::<MAX_PRIVATE_BYTES>(private));
    fields.put([head.microphone.len() as u8]);
    fields.put(padded::<MAX_NAME_BYTES>(head.microphone.as_bytes()));
    seal(bytes);
}

/// The bytes, and zeros behind them.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// The head, and the length that the file was made with.
fn read_head(bytes: &[u8]) -> Result<(SegmentHead, u64), SegmentError> {
    let damaged = |what| SegmentError::Damaged { offset: SUMMARY_AT, what };
    let mut fields = Fields(bytes);
    if fields.take() != MAGIC {
        return Err(SegmentError::Foreign);
    }
    let version = fields.u16();
    if version != VERSION {
        return Err(SegmentError::Version(version));
    }
    check_crc(bytes).ok_or(damaged("the checksum of the summary does not fit"))?;
    let (uuid, boot_id) = (fields.take(), fields.take());
    let (sequence, first_frame) = (fields.u64(), fields.u64());
    let start = Moment { monotonic_us: fields.u64(), wall_us: fields.u64() };
    let length = fields.u64();
    let [flags, kind, camera_bytes, private_bytes] = fields.take();
    let size = (fields.u32(), fields.u32());
    let format = SoundFormat { rate_hz: fields.u32(), channels: fields.u32() };
    let camera: [u8; MAX_NAME_BYTES] = fields.take();
    let private: [u8; MAX_PRIVATE_BYTES] = fields.take();
    let [microphone_bytes] = fields.take();
    let microphone: [u8; MAX_NAME_BYTES] = fields.take();
    let camera = name(&camera, camera_bytes).ok_or(damaged("no name of a camera"))?;
    let microphone = name(&microphone, microphone_bytes).ok_or(damaged("no name of a microphone"))?;
    let private = private.get(..usize::from(private_bytes)).ok_or(damaged("no CodecPrivate"))?;
    let sound = match kind {
        0 => None,
        1 => Some(SoundTrack::Pcm { format }),
        2 => Some(SoundTrack::Flac { format, private: private.to_vec() }),
        _ => return Err(damaged("a sound of no known kind")),
    };
    if !is_length(length) || start.wall_us > utc::LAST_US {
        return Err(damaged("a length or a time that no segment has"));
    }
    let is_sound =
        (1..=MAX_RATE_HZ).contains(&format.rate_hz) && (1..=MAX_CHANNELS).contains(&format.channels);
    if kind != 0 && !is_sound {
        return Err(damaged("a sound that there is not"));
    }
    let head = SegmentHead {
        camera,
        sequence,
        first_frame,
        boot_id,
        uuid,
        start,
        is_clock_synchronised: flags & IS_CLOCK_SYNCHRONISED != 0,
        is_thinned: flags & IS_THINNED != 0,
        size,
        sound,
        microphone,
    };
    Ok((head, length))
}

fn name(stored: &[u8], length: u8) -> Option<String> {
    let bytes = stored.get(..usize::from(length))?;
    str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Whether a segment may have this length.
pub(super) fn is_length(length: u64) -> bool {
    length.is_multiple_of(PAGE_BYTES) && (GROUPS_AT + PAGE_BYTES..=MAX_SEGMENT_BYTES).contains(&length)
}

/// Reads the second part into `summary`, if it is there and of the same moment as the file's first sector.
fn read_counts(bytes: &[u8], header_crc: u32, summary: &mut Summary) {
    let mut fields = Fields(bytes);
    let (of_header, flags) = (fields.u32(), fields.u32());
    if check_crc(bytes).is_none() || of_header != header_crc || flags & IS_CLOSED == 0 {
        return;
    }
    let [frames, missed, sound_blocks] = [fields.u32(), fields.u32(), fields.u32()];
    let [start_ms, end_ms] = [fields.u32(), fields.u32()];
    let [data_end, length, cues_at, index_at] = [fields.u64(), fields.u64(), fields.u64(), fields.u64()];
    let count = fields.u32() as usize;
    let is_possible = is_length(length)
        && (GROUPS_AT..=length).contains(&data_end)
        && cues_at < length
        && (data_end..length).contains(&index_at)
        && u64::from(frames) <= most_pictures(length)
        && count <= MAX_STRETCHES;
    if !is_possible {
        return;
    }
    let stretches: Vec<_> = (0..count).map(|_| read_stretch(&mut fields)).collect();
    if stretches.iter().any(|stretch| stretch.start_ms > stretch.end_ms || stretch.end_ms > end_ms) {
        return;
    }
    summary.stretches = stretches;
    (summary.frames, summary.missed, summary.sound_blocks) = (frames, missed, sound_blocks);
    (summary.start_ms, summary.end_ms) = (start_ms, end_ms);
    (summary.data_end, summary.length) = (data_end, length);
    (summary.cues_at, summary.index_at) = ((cues_at != 0).then_some(cues_at), Some(index_at));
    (summary.is_closed, summary.has_events) = (true, flags & HAS_EVENTS != 0);
}

fn read_stretch(fields: &mut Fields<'_>) -> Stretch {
    let (start_ms, end_ms, gap) = (fields.u32(), fields.u32(), fields.u32());
    Stretch { start_ms, end_ms, gap_before: u8::try_from(gap).ok().and_then(GapReason::from_code) }
}
