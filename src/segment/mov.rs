//! A clip as a QuickTime movie (QuickTime File Format, 2012-08-14), for programs that do not read Matroska: pictures as
//! `jpeg`, sound as `sowt`. Its head has the tables of all blocks, so that their contents follow without anything between.
//!
//! A block of sound holds samples of 16 bits, little-endian. Pictures and sound begin together, and each block of sound
//! follows the one before without a gap: who makes a clip fills gaps by silence.

use super::clip::{ClipBlock, ClipHead};
use super::{SegmentError, SoundTrack, Track};
use crate::media::SoundFormat;

/// Units of time in a second, for the movie and its pictures.
const TIMESCALE: u32 = 1000;

/// Seconds from 1904, where QuickTime's dates begin, to 1970.
const EPOCH_S: u64 = 2_082_844_800;

/// Bytes of the head of `mdat`, with a size of 64 bits.
const MDAT_HEAD_BYTES: u64 = 16;

/// Bytes of the head without its tables, about.
const HEAD_BYTES: usize = 2048;

/// Bytes of the tables for each block at the most: time, length and place.
const TABLE_BYTES: usize = 8 + 4 + 8;

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

/// Writes the head.
struct Writer<'a> {
    head: &'a ClipHead<'a>,
    blocks: &'a [ClipBlock],
    /// Where each block lies behind the head of `mdat`.
    places: &'a [u64],
    out: Vec<u8>,
    /// Where places are written, from and to.
    tables: Vec<(usize, usize)>,
}

/// How long a track is.
struct Length {
    timescale: u32,
    units: u32,
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
        if u32::try_from(blocks.len()).is_err() {
            return Err(SegmentError::Unfit("a clip of more than four billion blocks"));
        }
        let mut places = Vec::with_capacity(blocks.len());
        let mut data_bytes = 0;
        for block in blocks {
            places.push(data_bytes);
            data_bytes += u64::from(block.length);
        }
        let out = Vec::with_capacity(HEAD_BYTES + blocks.len() * TABLE_BYTES);
        let mut writer = Writer { head, blocks, places: &places, out, tables: Vec::new() };
        writer.file_type();
        writer.movie()?;
        let Writer { mut out, tables, .. } = writer;
        out.extend(1_u32.to_be_bytes());
        out.extend(b"mdat");
        out.extend((MDAT_HEAD_BYTES + data_bytes).to_be_bytes());
        // Only now is it known how long the head is.
        let head_bytes = out.len() as u64;
        for (from, to) in tables {
            for place in out[from..to].as_chunks_mut::<8>().0 {
                *place = (u64::from_be_bytes(*place) + head_bytes).to_be_bytes();
            }
        }
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

impl<'a> Writer<'a> {
    fn file_type(&mut self) {
        let atom = self.begin(b"ftyp");
        self.out.extend(b"qt  \x00\x00\x02\x00qt  ");
        self.end(atom);
    }

    fn movie(&mut self) -> Result<(), SegmentError> {
        let format = self.head.sound.map(SoundTrack::format);
        let mut tracks = Vec::new();
        if self.of(Track::Picture).next().is_some() {
            let units = self.durations().sum();
            tracks.push((Track::Picture, Length { timescale: TIMESCALE, units }));
        }
        if let (Some(format), true) = (format, self.of(Track::Sound).next().is_some()) {
            let bytes: u64 = self.of(Track::Sound).map(|(_, block)| u64::from(block.length)).sum();
            let units = u32::try_from(bytes / u64::from(format.frame_bytes()));
            let units = units.map_err(|_| SegmentError::Unfit("four billion samples"))?;
            tracks.push((Track::Sound, Length { timescale: format.rate_hz, units }));
        }
        let length_ms = tracks.iter().map(|(_, length)| length.ms()).max().unwrap_or(0);
        let date = date(self.head);
        let movie = self.begin(b"moov");
        let atom = self.begin(b"mvhd");
        self.numbers(&[0, date, date, TIMESCALE, length_ms, 0x1_0000, 0x0100_0000, 0, 0]);
        self.numbers(&MATRIX);
        self.numbers(&[0, 0, 0, 0, 0, 0, tracks.len() as u32 + 1]);
        self.end(atom);
        for (track, length) in tracks {
            self.track(track, &length);
        }
        self.end(movie);
        Ok(())
    }

    fn track(&mut self, track: Track, length: &Length) {
        let date = date(self.head);
        let (size, volume) = match track {
            Track::Picture => (self.head.size, 0),
            Track::Sound => ((0, 0), 0x0100_0000),
        };
        let outer = self.begin(b"trak");
        let atom = self.begin(b"tkhd");
        // Enabled, in the movie and in its preview.
        self.numbers(&[7, date, date, track as u32, 0, length.ms(), 0, 0, 0, volume]);
        self.numbers(&MATRIX);
        self.numbers(&[size.0 << 16, size.1 << 16]);
        self.end(atom);

        let media = self.begin(b"mdia");
        let atom = self.begin(b"mdhd");
        self.numbers(&[0, date, date, length.timescale, length.units, 0x7FFF_0000]);
        self.end(atom);
        let kind = if track == Track::Picture { b"vide" } else { b"soun" };
        self.handler(b"mhlr", kind);
        let info = self.begin(b"minf");
        let atom = self.begin(if track == Track::Picture { b"vmhd" } else { b"smhd" });
        let values: &[u32] = if track == Track::Picture { &[1, 0x40_8000, 0x8000_8000] } else { &[0, 0] };
        self.numbers(values);
        self.end(atom);
        self.handler(b"dhlr", b"alis");
        // The contents are in this file.
        let data = self.begin(b"dinf");
        let reference = self.begin(b"dref");
        self.numbers(&[0, 1]);
        let alias = self.begin(b"alis");
        self.numbers(&[1]);
        for atom in [alias, reference, data] {
            self.end(atom);
        }
        self.table(track, length);
        for atom in [info, media, outer] {
            self.end(atom);
        }
    }

    fn handler(&mut self, class: &[u8; 4], kind: &[u8; 4]) {
        let atom = self.begin(b"hdlr");
        self.numbers(&[0]);
        self.out.extend([*class, *kind].as_flattened());
        self.out.extend([0; 13]);
        self.end(atom);
    }

    /// `stbl`: what the samples are, how long they last, and where they lie. Each block is a chunk.
    fn table(&mut self, track: Track, length: &Length) {
        let table = self.begin(b"stbl");
        let atom = self.begin(b"stsd");
        self.numbers(&[0, 1]);
        let (times, chunks, sample_bytes) = match (track, self.head.sound.map(SoundTrack::format)) {
            (Track::Sound, Some(format)) => {
                self.sound_description(format);
                let bytes = format.frame_bytes();
                (vec![[length.units, 1]], self.chunks(bytes), bytes)
            }
            _ => {
                self.picture_description();
                (runs(self.durations()), vec![[1, 1, 1]], 0)
            }
        };
        self.end(atom);
        let atom = self.begin(b"stts");
        self.numbers(&[0, times.len() as u32]);
        self.numbers(times.as_flattened());
        self.end(atom);
        let atom = self.begin(b"stsc");
        self.numbers(&[0, chunks.len() as u32]);
        self.numbers(chunks.as_flattened());
        self.end(atom);
        let atom = self.begin(b"stsz");
        let count = self.of(track).count() as u32;
        self.numbers(&[0, sample_bytes, if sample_bytes == 0 { count } else { length.units }]);
        if sample_bytes == 0 {
            self.blocks.iter().filter(|block| block.track == track).for_each(|block| {
                self.out.extend(block.length.to_be_bytes());
            });
        }
        self.end(atom);
        let atom = self.begin(b"co64");
        self.numbers(&[0, count]);
        let from = self.out.len();
        for (place, block) in self.places.iter().zip(self.blocks) {
            if block.track == track {
                self.out.extend(place.to_be_bytes());
            }
        }
        self.tables.push((from, self.out.len()));
        self.end(atom);
        self.end(table);
    }

    /// From which chunk on there are so many samples in each chunk.
    fn chunks(&self, sample_bytes: u32) -> Vec<[u32; 3]> {
        let mut chunks: Vec<[u32; 3]> = Vec::new();
        for (number, (_, block)) in (1..).zip(self.of(Track::Sound)) {
            let count = block.length / sample_bytes;
            if chunks.last().is_none_or(|last| last[1] != count) {
                chunks.push([number, count, 1]);
            }
        }
        chunks
    }

    fn picture_description(&mut self) {
        let (width, height) = self.head.size;
        let atom = self.begin(b"jpeg");
        self.numbers(&[0, 1, 0, 0, 0, 0, width << 16 | height]);
        // 72 pixels an inch, one frame in a sample.
        self.numbers(&[0x48_0000, 0x48_0000, 0]);
        self.out.extend(b"\0\x01\x04JPEG");
        // The rest of the name; 24 bits a pixel, no table of colours.
        self.out.extend([0; 27]);
        self.out.extend([0, 24, 0xFF, 0xFF]);
        self.end(atom);
    }

    fn sound_description(&mut self, format: SoundFormat) {
        let atom = self.begin(b"sowt");
        self.numbers(&[0, 1, 0, 0, format.channels << 16 | 16, 0, format.rate_hz << 16]);
        self.end(atom);
    }

    /// How long each picture is shown: until the next one, the last one as long as the one before, but at most a second.
    fn durations(&self) -> impl Iterator<Item = u32> + use<'a> {
        let blocks = self.blocks;
        let starts = blocks.iter().filter(|block| block.track == Track::Picture).map(|block| block.at_ms);
        let mut last = 1;
        let between = starts.clone().zip(starts.skip(1)).map(move |(start, next)| next.saturating_sub(start));
        between.map(Some).chain([None]).map(move |duration| {
            last = duration.unwrap_or(last.min(TIMESCALE));
            last
        })
    }

    /// The blocks of a track, with their places.
    fn of(&self, track: Track) -> impl Iterator<Item = (&u64, &ClipBlock)> {
        self.places.iter().zip(self.blocks).filter(move |(_, block)| block.track == track)
    }

    fn begin(&mut self, kind: &[u8; 4]) -> usize {
        let at = self.out.len();
        self.numbers(&[0]);
        self.out.extend(kind);
        at
    }

    fn end(&mut self, at: usize) {
        let bytes = (self.out.len() - at) as u32;
        self.out[at..at + 4].copy_from_slice(&bytes.to_be_bytes());
    }

    fn numbers(&mut self, values: &[u32]) {
        values.iter().for_each(|value| self.out.extend(value.to_be_bytes()));
    }
}

impl Length {
    fn ms(&self) -> u32 {
        (u64::from(self.units) * u64::from(TIMESCALE)).div_ceil(u64::from(self.timescale.max(1))) as u32
    }
}

/// How often each value comes in turn.
fn runs(values: impl Iterator<Item = u32>) -> Vec<[u32; 2]> {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some([count, known]) if *known == value => *count += 1,
            _ => runs.push([1, value]),
        }
    }
    runs
}

/// The clip's start as QuickTime counts.
fn date(head: &ClipHead<'_>) -> u32 {
    u32::try_from(head.wall_us / 1_000_000 + EPOCH_S).unwrap_or(0)
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
        let places = [mov.place(0).to_be_bytes(), mov.place(1).to_be_bytes()].concat();
        assert!(mov.head().windows(16).any(|table| *table == places));
        let found = [start - 1, start, start + 99, start + 100, start + 149, start + 150];
        assert_eq!(found.map(|at| mov.block_at(at)), [None, Some(0), Some(0), Some(1), Some(1), None]);
        assert_eq!(runs([67, 67, 66, 67].into_iter()), [[2, 67], [1, 66], [1, 67]]);
    }
}
