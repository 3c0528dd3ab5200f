//! A clip as a QuickTime movie (QuickTime File Format, 2012-08-14), for programs that do not read Matroska: pictures as
//! `jpeg`, sound as `sowt`. Its head has the tables of all blocks, so that their contents follow without anything between.
//!
//! A block of sound holds samples of 16 bits, little-endian, and follows the one before without a gap: who makes a clip
//! fills gaps by silence.

use super::clip::{ClipBlock, ClipHead};
use super::{SegmentError, Track};

/// Units of time in a second, for the movie and its pictures.
const TIMESCALE: u32 = 1000;

/// Seconds from 1904, where QuickTime's dates begin, to 1970.
const EPOCH_S: u64 = 2_082_844_800;

/// Bytes of the head of `mdat`, with a size of 64 bits.
const MDAT_HEAD_BYTES: u64 = 16;

/// No turn and no scaling.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// A clip, without the contents of its blocks.
#[derive(Debug)]
pub struct Mov {
    head: Vec<u8>,
    /// Where each block's content begins.
    places: Vec<u64>,
    length: u64,
}

/// What a track is made of.
struct TrackPlan<'a> {
    track: Track,
    /// Its blocks, with their places behind the head of `mdat`.
    blocks: Vec<(u64, &'a ClipBlock)>,
    timescale: u32,
    /// Its length in units of its timescale.
    duration: u32,
}

impl Mov {
    /// A clip of these blocks, in the order of their times. The blocks of sound are samples, whatever the head says of
    /// how they were stored.
    ///
    /// # Errors
    /// [`SegmentError::Unfit`] for a size or a rate of more than 16 bits, and for more than four billion blocks or samples.
    pub fn new(head: &ClipHead<'_>, blocks: &[ClipBlock]) -> Result<Self, SegmentError> {
        let rate_hz = head.sound.map_or(0, |sound| sound.format().rate_hz);
        if head.size.0.max(head.size.1).max(rate_hz) > u32::from(u16::MAX) {
            return Err(SegmentError::Unfit(
                "a side of more than 65535 pixels, or a rate of more than 65535 Hz",
            ));
        }
        let mut places = Vec::with_capacity(blocks.len());
        let mut data_bytes = 0;
        for block in blocks {
            places.push(data_bytes);
            data_bytes += u64::from(block.length);
        }
        let tracks = plan(head, blocks, &places)?;
        let file_type = file_type();
        // Places have a fixed length, so that the first pass finds out how long the head is.
        let head_bytes = (file_type.len() + movie(head, &tracks, 0).len()) as u64 + MDAT_HEAD_BYTES;
        let mut out = file_type;
        out.extend(movie(head, &tracks, head_bytes));
        out.extend(1_u32.to_be_bytes());
        out.extend(b"mdat");
        out.extend((MDAT_HEAD_BYTES + data_bytes).to_be_bytes());
        debug_assert_eq!(out.len() as u64, head_bytes);
        places.iter_mut().for_each(|place| *place += head_bytes);
        Ok(Self { head: out, places, length: head_bytes + data_bytes })
    }

    /// Its bytes before the first block's content.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of the whole clip.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the content of the block `number` begins, in bytes from the start of the clip.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn place(&self, number: usize) -> u64 {
        self.places[number]
    }

    /// The block in which the byte `offset` lies; `None` for the head, and behind the end.
    pub fn block_at(&self, offset: u64) -> Option<usize> {
        if offset >= self.length {
            return None;
        }
        self.places.partition_point(|place| *place <= offset).checked_sub(1)
    }
}

fn plan<'a>(
    head: &ClipHead<'_>,
    blocks: &'a [ClipBlock],
    places: &[u64],
) -> Result<Vec<TrackPlan<'a>>, SegmentError> {
    let of = |track| -> Vec<(u64, &'a ClipBlock)> {
        let placed = places.iter().copied().zip(blocks);
        placed.filter(|(_, block)| block.track == track).collect()
    };
    let (pictures, sound) = (of(Track::Picture), of(Track::Sound));
    if u32::try_from(blocks.len()).is_err() {
        return Err(SegmentError::Unfit("a clip of more than four billion blocks"));
    }
    let mut tracks = Vec::new();
    if let Some((_, first)) = pictures.first() {
        let duration = head.duration_ms.saturating_sub(first.at_ms).max(1);
        tracks.push(TrackPlan { track: Track::Picture, blocks: pictures, timescale: TIMESCALE, duration });
    }
    if let (Some(format), false) = (head.sound.map(super::SoundTrack::format), sound.is_empty()) {
        let sample_bytes = u64::from(format.channels.max(1)) * 2;
        let samples = sound.iter().map(|(_, block)| u64::from(block.length)).sum::<u64>() / sample_bytes;
        let duration = u32::try_from(samples).map_err(|_| SegmentError::Unfit("four billion samples"))?;
        tracks.push(TrackPlan { track: Track::Sound, blocks: sound, timescale: format.rate_hz, duration });
    }
    Ok(tracks)
}

fn file_type() -> Vec<u8> {
    atom(b"ftyp", &[b"qt  \x00\x00\x02\x00qt  "])
}

/// `moov`, for contents that begin at `content_at`.
fn movie(head: &ClipHead<'_>, tracks: &[TrackPlan<'_>], content_at: u64) -> Vec<u8> {
    let date =
        numbers(&[0, date(head), date(head), TIMESCALE, head.duration_ms, 0x1_0000, 0x0100_0000, 0, 0]);
    let next_track = numbers(&[0, 0, 0, 0, 0, 0, tracks.len() as u32 + 1]);
    let mut content = atom(b"mvhd", &[&date, &numbers(&MATRIX), &next_track]);
    for plan in tracks {
        content.extend(track(head, plan, content_at));
    }
    atom(b"moov", &[&content])
}

fn track(head: &ClipHead<'_>, plan: &TrackPlan<'_>, content_at: u64) -> Vec<u8> {
    let is_picture = plan.track == Track::Picture;
    let start_ms = plan.blocks.first().map_or(0, |(_, block)| block.at_ms);
    let length_ms =
        (u64::from(plan.duration) * u64::from(TIMESCALE)).div_ceil(u64::from(plan.timescale.max(1))) as u32;
    let (size, volume) = if is_picture { (head.size, 0) } else { ((0, 0), 0x0100_0000) };
    // Enabled, in the movie and in its preview.
    let start = [7, date(head), date(head), plan.track as u32, 0, start_ms + length_ms, 0, 0, 0, volume];
    let track_head =
        atom(b"tkhd", &[&numbers(&start), &numbers(&MATRIX), &numbers(&[size.0 << 16, size.1 << 16])]);
    // Nothing until the first block, and then all of it.
    let edits = if start_ms == 0 { Vec::new() } else { vec![[start_ms, u32::MAX, 0x1_0000]] };
    let edits: Vec<u32> = edits.into_iter().chain([[length_ms, 0, 0x1_0000]]).flatten().collect();
    let list = atom(b"elst", &[&numbers(&[0, edits.len() as u32 / 3]), &numbers(&edits)]);

    let media_head = [0, date(head), date(head), plan.timescale, plan.duration, 0x7FFF_0000];
    let (kind, media_info) = match plan.track {
        Track::Picture => (b"vide", atom(b"vmhd", &[&numbers(&[1, 0x40_8000, 0x8000_8000])])),
        Track::Sound => (b"soun", atom(b"smhd", &[&numbers(&[0, 0])])),
    };
    let handler = |class: &[u8; 4], kind: &[u8; 4]| atom(b"hdlr", &[&[0; 4], class, kind, &[0; 12], &[0]]);
    let reference = atom(b"dref", &[&numbers(&[0, 1]), &atom(b"alis", &[&numbers(&[1])])]);
    let info = atom(
        b"minf",
        &[
            &media_info,
            &handler(b"dhlr", b"alis"),
            &atom(b"dinf", &[&reference]),
            &table(head, plan, content_at),
        ],
    );
    let media = atom(b"mdia", &[&atom(b"mdhd", &[&numbers(&media_head)]), &handler(b"mhlr", kind), &info]);
    atom(b"trak", &[&track_head, &atom(b"edts", &[&list]), &media])
}

/// `stbl`: what the samples are, how long they last, and where they lie. Each block is a chunk.
fn table(head: &ClipHead<'_>, plan: &TrackPlan<'_>, content_at: u64) -> Vec<u8> {
    let (description, times, sizes, chunks) = match plan.track {
        Track::Picture => {
            let lengths: Vec<u32> = plan.blocks.iter().map(|(_, block)| block.length).collect();
            let count = lengths.len() as u32;
            let sizes = [numbers(&[0, 0, count]), numbers(&lengths)].concat();
            (picture_description(head), runs(&durations(plan)), sizes, vec![[1, 1, 1]])
        }
        Track::Sound => {
            let format = head.sound.map(super::SoundTrack::format);
            let channels = format.map_or(1, |format| format.channels.max(1));
            let counts: Vec<u32> =
                plan.blocks.iter().map(|(_, block)| block.length / (channels * 2)).collect();
            let mut chunks: Vec<[u32; 3]> = Vec::new();
            for (number, count) in (1..).zip(counts) {
                if chunks.last().is_none_or(|last| last[1] != count) {
                    chunks.push([number, count, 1]);
                }
            }
            let sizes = numbers(&[0, channels * 2, plan.duration]);
            (sound_description(channels, plan.timescale), vec![[plan.duration, 1]], sizes, chunks)
        }
    };
    let places = plan.blocks.iter().flat_map(|(place, _)| (content_at + place).to_be_bytes());
    let count = plan.blocks.len() as u32;
    let parts = [
        atom(b"stsd", &[&numbers(&[0, 1]), &description]),
        atom(b"stts", &[&numbers(&[0, times.len() as u32]), &numbers(times.as_flattened())]),
        atom(b"stsc", &[&numbers(&[0, chunks.len() as u32]), &numbers(chunks.as_flattened())]),
        atom(b"stsz", &[&sizes]),
        atom(b"co64", &[&numbers(&[0, count]), &places.collect::<Vec<_>>()]),
    ];
    atom(b"stbl", &[&parts.concat()])
}

/// How long each picture is shown: until the next one, the last one until the end.
fn durations(plan: &TrackPlan<'_>) -> Vec<u32> {
    let start_ms = plan.blocks.first().map_or(0, |(_, block)| block.at_ms);
    let starts = plan.blocks.iter().map(|(_, block)| block.at_ms);
    let ends = starts.clone().skip(1).chain([start_ms.saturating_add(plan.duration)]);
    starts.zip(ends).map(|(start, end)| end.saturating_sub(start)).collect()
}

/// How often each value comes in turn.
fn runs(values: &[u32]) -> Vec<[u32; 2]> {
    values.chunk_by(|one, next| one == next).map(|run| [run.len() as u32, run[0]]).collect()
}

fn picture_description(head: &ClipHead<'_>) -> Vec<u8> {
    let side = |pixels: u32| (pixels as u16).to_be_bytes();
    let mut name = [0; 32];
    name[..5].copy_from_slice(b"\x04JPEG");
    let (width, height) = (side(head.size.0), side(head.size.1));
    // 72 pixels an inch, one frame in a sample, 24 bits a pixel, no table of colours.
    let resolution = numbers(&[0x48_0000, 0x48_0000, 0]);
    let start = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &width, &height, &resolution, &[0, 1]].concat();
    atom(b"jpeg", &[&start, &name, &[0, 24, 0xFF, 0xFF]])
}

fn sound_description(channels: u32, rate_hz: u32) -> Vec<u8> {
    let start = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    atom(b"sowt", &[&start, &numbers(&[channels << 16 | 16, 0, rate_hz << 16])])
}

/// The clip's start as QuickTime counts.
fn date(head: &ClipHead<'_>) -> u32 {
    u32::try_from(head.wall_us / 1_000_000 + EPOCH_S).unwrap_or(0)
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn atom(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let bytes = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(bytes);
    out.extend((bytes as u32).to_be_bytes());
    out.extend(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_movie_are_found_where_it_says() {
        let head =
            ClipHead { uuid: [1; 16], wall_us: 0, title: "", duration_ms: 200, size: (64, 48), sound: None };
        let block = |at_ms, length| ClipBlock { track: Track::Picture, at_ms, length };
        let mov = Mov::new(&head, &[block(0, 100), block(67, 50)]).unwrap();
        let start = mov.head().len() as u64;
        assert_eq!((mov.place(0), mov.place(1), mov.length()), (start, start + 100, start + 150));
        let found = [start - 1, start, start + 99, start + 100, start + 149, start + 150];
        assert_eq!(found.map(|at| mov.block_at(at)), [None, Some(0), Some(0), Some(1), Some(1), None]);
        assert_eq!(runs(&[67, 67, 66, 67]), [[2, 67], [1, 66], [1, 67]]);
    }
}
