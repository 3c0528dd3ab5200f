//! Clips: the footage of a span of time as one Matroska file, made of slices of segments while it is sent.
//!
//! All lengths are known before the first byte is sent, so a clip has a length and ranges as a file has, and no temporary file is needed. In
//! memory are a few bytes for each frame and each packet of sound. While a clip is held, no file that it is made of is written to again.
//!
//! A clip has one layout: it ends before the first segment whose pictures have another size, or whose sound another form.

use std::fs::File;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::opened::Opened;
use super::recordings::Recordings;
use crate::segment::clip::{self, ClipBlock, ClipHead};
use crate::segment::{IndexEntry, ReadAt, Track, read_blocks};

/// Longest clip, in microseconds.
pub const LONGEST_US: u64 = 86_400_000_000;

/// Most bytes of a clip.
pub const MOST_BYTES: u64 = 4 << 30;

/// Most frames and packets of sound in a clip.
const MOST_BLOCKS: usize = 400_000;

/// Memory for each frame and each packet of sound, in bytes.
const BYTES_A_BLOCK: usize = 64;

/// A clip.
pub struct Clip {
    matroska: clip::Clip,
    blocks: Vec<ClipBlock>,
    /// Where the content of each block lies.
    places: Vec<Place>,
    sources: Vec<Source>,
    id: [u8; 16],
    /// When its first frame was captured, in microseconds since 1970.
    pub from_us: u64,
    /// When its last frame was captured.
    pub to_us: u64,
}

/// Why there is no clip.
#[derive(Debug)]
pub enum NoClip {
    /// There is no footage in that time.
    Nothing,
    /// It would be longer than [`LONGEST_US`] or larger than [`MOST_BYTES`].
    TooLong,
    /// The footage cannot be read.
    Unreadable(RecordError),
}

struct Source {
    info: Arc<SegmentInfo>,
    file: File,
}

struct Place {
    source: u32,
    offset: u32,
}

impl Clip {
    /// The clip of a camera from `from_us` to `to_us`, in microseconds since 1970.
    ///
    /// # Errors
    /// See [`NoClip`].
    pub fn new(recordings: &Recordings, camera: &str, from_us: u64, to_us: u64) -> Result<Self, NoClip> {
        let segments = recordings.segments(camera, from_us, to_us);
        if !segments.is_empty() && to_us.saturating_sub(from_us) > LONGEST_US {
            return Err(NoClip::TooLong);
        }
        let mut parts = Parts {
            from_us,
            to_us,
            first_us: None,
            blocks: Vec::new(),
            places: Vec::new(),
            sources: Vec::new(),
            bytes: 0,
        };
        for info in segments {
            if !parts.continues(&info) {
                break;
            }
            parts.add(&info)?;
        }
        parts.finish()
    }

    /// Bytes of the whole clip.
    pub fn length(&self) -> u64 {
        self.matroska.length()
    }

    /// Bytes of memory that it takes, beside its head.
    pub fn memory_bytes(&self) -> usize {
        self.matroska.head().len() + self.blocks.len() * BYTES_A_BLOCK
    }

    /// The same for the same footage, and no other.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Calls `send` with the bytes from `start` up to and without `end`, in pieces of at most `buffer.len()` bytes.
    ///
    /// # Errors
    /// Those of `send`, and of reading as an error of that kind: what was announced cannot be kept then.
    pub fn send(
        &self,
        start: u64,
        end: u64,
        buffer: &mut [u8],
        mut send: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut at = start;
        let head = self.matroska.head();
        if at < head.len() as u64 {
            let until = end.min(head.len() as u64);
            send(&head[at as usize..until as usize])?;
            at = until;
        }
        let mut block = self.matroska.block_at(at);
        while let Some(number) = block.filter(|number| *number < self.blocks.len() && at < end) {
            at = self.send_block(number, at, end, buffer, &mut send)?;
            block = Some(number + 1);
        }
        Ok(())
    }

    /// Sends what lies of a block between `at` and `end`; the place behind it.
    fn send_block(
        &self,
        number: usize,
        mut at: u64,
        end: u64,
        buffer: &mut [u8],
        send: &mut impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<u64> {
        let prefix = self.matroska.prefix(number);
        let prefix_at = self.matroska.prefix_at(number);
        let content_at = prefix_at + prefix.as_slice().len() as u64;
        if at < content_at {
            let until = end.min(content_at);
            send(&prefix.as_slice()[(at - prefix_at) as usize..(until - prefix_at) as usize])?;
            at = until;
        }
        let until = end.min(content_at + u64::from(self.blocks[number].length));
        let Place { source, offset } = self.places[number];
        let file = &self.sources[source as usize].file;
        while at < until {
            let wanted = (until - at).min(buffer.len() as u64) as usize;
            let piece = &mut buffer[..wanted];
            if ReadAt::read_at(file, piece, u64::from(offset) + at - content_at)? < wanted {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            send(piece)?;
            at += wanted as u64;
        }
        Ok(at)
    }
}

/// A clip that is being put together.
struct Parts {
    from_us: u64,
    to_us: u64,
    /// When its first picture was captured.
    first_us: Option<u64>,
    blocks: Vec<ClipBlock>,
    places: Vec<Place>,
    sources: Vec<Source>,
    bytes: u64,
}

impl Parts {
    /// Whether a segment can follow those before.
    fn continues(&self, info: &SegmentInfo) -> bool {
        let Some(Source { info: first, .. }) = self.sources.first() else { return true };
        let (head, next) = (&first.summary.head, &info.summary.head);
        let is_later = self.sources.last().is_none_or(|last| info.start_us() >= last.info.end_us());
        head.size == next.size && head.sound == next.sound && is_later
    }

    fn add(&mut self, info: &Arc<SegmentInfo>) -> Result<(), NoClip> {
        let unreadable = |error| NoClip::Unreadable(RecordError::Segment(info.path().to_owned(), error));
        let opened = Opened::open_checked(info).map_err(NoClip::Unreadable)?;
        let is_wanted = |entry: &IndexEntry| (self.from_us..=self.to_us).contains(&info.wall_us(entry.at_ms));
        let clusters = opened.clusters(is_wanted);
        let file = opened.file;
        let source = self.sources.len() as u32;
        for cluster in clusters {
            // The last group of a segment that is being written cannot be read yet.
            let Ok(blocks) = read_blocks(&file, u64::from(cluster)) else { break };
            for block in blocks {
                let block = block.map_err(unreadable)?;
                let at_us = info.wall_us(block.at_ms);
                // Sound begins with the first picture.
                let is_within = (self.from_us..=self.to_us).contains(&at_us)
                    && (block.track == Track::Picture || !self.blocks.is_empty());
                if !is_within {
                    continue;
                }
                let start_us = *self.first_us.get_or_insert(at_us);
                let at_ms = (at_us.saturating_sub(start_us) / 1000) as u32;
                self.blocks.push(ClipBlock { track: block.track, at_ms, length: block.length });
                self.places.push(Place { source, offset: block.offset as u32 });
                self.bytes += u64::from(block.length);
                if self.bytes > MOST_BYTES || self.blocks.len() > MOST_BLOCKS {
                    return Err(NoClip::TooLong);
                }
            }
        }
        self.sources.push(Source { info: Arc::clone(info), file });
        Ok(())
    }

    fn finish(self) -> Result<Clip, NoClip> {
        let (Some(from_us), Some(first)) = (self.first_us, self.sources.first()) else {
            return Err(NoClip::Nothing);
        };
        let duration_ms = self.blocks.iter().map(|block| block.at_ms).max().unwrap_or(0);
        let mut hash = Sha256::new();
        for source in &self.sources {
            hash.update(source.info.summary.head.uuid);
        }
        hash.update(from_us.to_be_bytes());
        hash.update(duration_ms.to_be_bytes());
        hash.update((self.blocks.len() as u64).to_be_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        let head = &first.info.summary.head;
        let head = ClipHead {
            uuid: id,
            wall_us: from_us,
            title: &head.camera,
            duration_ms,
            size: head.size,
            sound: head.sound.as_ref(),
        };
        let unfit = |error| NoClip::Unreadable(RecordError::Segment(first.info.path().to_owned(), error));
        let matroska = clip::Clip::new(&head, &self.blocks).map_err(unfit)?;
        let to_us = from_us + u64::from(duration_ms) * 1000;
        let Self { blocks, places, sources, .. } = self;
        Ok(Clip { matroska, blocks, places, sources, id, from_us, to_us })
    }
}
