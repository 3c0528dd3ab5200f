//! Clips: the footage of a span of time as one file, made of slices of segments while it is sent.
//!
//! All lengths are known before the first byte is sent, so a clip has a length and ranges as a file has, and no temporary file is needed. In
//! memory are a few bytes for each frame and each packet of sound, which are leased before they are read. While a clip is held, no file that
//! it is made of is written to again. One file is open at a time, however many a clip is made of: one that is
//! deleted before it is reached ends the clip early.
//!
//! A clip has one layout: it ends before the first segment whose pictures have another size, or whose sound another form.

mod parts;
mod sound;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crc32fast::Hasher;

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::opened::Opened;
use super::recordings::Recordings;
use crate::codec::sound::decode_flac;
use crate::memory::{Account, Lease};
use crate::segment::clip::{self, ClipBlock};
use crate::segment::mov::Mov;
use crate::segment::zip::Zip;
use crate::segment::{ReadAt, SegmentError, SoundTrack};
use parts::Parts;
use sound::{Packet, Sound};

/// Longest clip, in microseconds.
pub const LONGEST_US: u64 = crate::base::utc::DAY_US;

/// Fewer bytes than this are in a clip, beside its heads.
pub const MOST_BYTES: u64 = 4 << 30;

/// Bytes that are in memory at a time of the contents.
const PIECE_BYTES: usize = 64 * 1024;

/// What kind of file a clip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipKind {
    /// Matroska, with the sound as it was recorded.
    Mkv,
    /// QuickTime, with the sound as samples.
    Mov,
    /// A ZIP of pictures, with the sound as a WAV.
    Zip,
}

/// What of a camera's footage is to be in a clip.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The first moment, in microseconds since 1970.
    pub from_us: u64,
    /// The last moment.
    pub to_us: u64,
    /// The kind of file.
    pub kind: ClipKind,
    /// Whether the sound of this microphone may be in it.
    pub hears: &'a dyn Fn(&str) -> bool,
    /// Whether somebody still waits for the clip, while it is put together.
    pub is_awaited: &'a dyn Fn() -> bool,
}

/// A clip.
pub struct Clip {
    layout: Layout,
    contents: Contents,
    id: [u8; 16],
    /// When its first frame was captured, in microseconds since 1970.
    pub from_us: u64,
    /// When its last frame was captured.
    pub to_us: u64,
    _lease: Lease,
}

/// Why there is no clip.
#[derive(Debug)]
pub enum NoClip {
    /// There is no footage in that time.
    Nothing,
    /// It would be longer than [`LONGEST_US`], or as large as [`MOST_BYTES`].
    TooLong,
    /// There is no memory for it now.
    NoMemory,
    /// Nobody waits for it any more.
    Unwanted,
    /// This kind of file cannot hold it.
    Unfit(SegmentError),
    /// The footage cannot be read.
    Unreadable(RecordError),
}

enum Layout {
    Mkv(clip::Clip),
    Mov(Mov),
    Zip(Zip),
}

/// The contents of a clip's blocks.
struct Contents {
    /// Pictures and pieces of sound in the order in which they lie.
    blocks: Vec<ClipBlock>,
    /// Where the content of each block lies.
    places: Vec<Place>,
    footage: Footage,
    /// The sound, where it is not sent as it was recorded.
    sound: Option<Sound>,
    /// The checksum of each block of a ZIP, once it is known.
    crcs: Vec<Option<u32>>,
    /// How far the checksum of a block was computed by sending it.
    hashed: (usize, u64, Hasher),
}

/// The segments that a clip is made of; one of them is open.
struct Footage {
    segments: Vec<Arc<SegmentInfo>>,
    open: Option<(u32, File)>,
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The number of its segment, or [`Place::SOUND`].
    source: u32,
    /// Where it begins in the segment's file, or in the stream of samples.
    offset: u32,
}

/// Takes the bytes of a clip.
pub type Send<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// The part of a clip that is sent, and how far the clip was made.
struct Window<'a> {
    wanted: Range<u64>,
    at: u64,
    send: Send<'a>,
}

impl ClipKind {
    /// The ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Mkv => "mkv",
            Self::Mov => "mov",
            Self::Zip => "zip",
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mkv => "video/x-matroska",
            Self::Mov => "video/quicktime",
            Self::Zip => "application/zip",
        }
    }
}

impl Clip {
    /// The clip of a camera. Its memory is leased of `memory`.
    ///
    /// # Errors
    /// See [`NoClip`].
    pub fn new(
        recordings: &Recordings,
        camera: &str,
        wanted: &Wanted<'_>,
        memory: &Arc<Account>,
    ) -> Result<Self, NoClip> {
        let Wanted { from_us, to_us, .. } = *wanted;
        let segments = recordings.segments_played(camera, from_us, to_us);
        if !segments.is_empty() && to_us.saturating_sub(from_us) > LONGEST_US {
            return Err(NoClip::TooLong);
        }
        Parts::gather(&segments, wanted, memory)?.finish()
    }

    /// Bytes of the whole clip.
    pub fn length(&self) -> u64 {
        match &self.layout {
            Layout::Mkv(clip) => clip.length(),
            Layout::Mov(mov) => mov.length(),
            Layout::Zip(zip) => zip.length(),
        }
    }

    /// The same for the same footage and kind, and no other.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Calls `send` with the bytes from `start` up to and without `end`, in pieces. It is called without bytes where only checksums are
    /// computed, so that it can end that.
    ///
    /// # Errors
    /// Those of `send`, and of reading as an error of that kind: what was announced cannot be kept then.
    pub fn send(&mut self, start: u64, end: u64, send: Send<'_>) -> io::Result<()> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut window = Window { wanted: start..end, at: 0, send };
        let Self { layout, contents, .. } = self;
        let (head, first, last_at) = match layout {
            Layout::Mkv(clip) => (clip.head(), clip.block_at(start), clip.length()),
            Layout::Mov(mov) => (mov.head(), mov.block_at(start), mov.length()),
            Layout::Zip(zip) => (zip.head(), zip.block_at(start), zip.tail_at()),
        };
        window.put(head)?;
        // Without a block: the head, or what is behind the last one.
        let first = first.unwrap_or(if start < head.len() as u64 { 0 } else { contents.blocks.len() });
        for number in first..contents.blocks.len() {
            if window.is_done() {
                return Ok(());
            }
            contents.send_prefix(layout, number, &mut buffer, &mut window)?;
            contents.send_block(number, &mut buffer, &mut window)?;
        }
        window.at = last_at;
        match layout {
            Layout::Zip(zip) => contents.send_tails(zip, &mut buffer, &mut window),
            Layout::Mkv(_) | Layout::Mov(_) => Ok(()),
        }
    }
}

impl Contents {
    /// Sends what is wanted of the bytes before a block.
    fn send_prefix(
        &mut self,
        layout: &Layout,
        number: usize,
        buffer: &mut [u8],
        window: &mut Window<'_>,
    ) -> io::Result<()> {
        match layout {
            Layout::Mkv(clip) => {
                window.at = clip.prefix_at(number);
                window.put(clip.prefix(number).as_slice())?;
            }
            Layout::Mov(mov) => window.at = mov.place(number),
            Layout::Zip(zip) => {
                window.at = zip.prefix_at(number);
                let (bytes, is_needed) = (zip.prefix_bytes(number), zip.is_crc_first(number));
                if window.wants(bytes).is_none() {
                    window.at += bytes;
                } else {
                    let crc = if is_needed { self.crc(number, buffer, None)? } else { 0 };
                    window.put(&zip.prefix(number, crc))?;
                }
            }
        }
        Ok(())
    }

    /// Sends what is wanted of a block.
    fn send_block(&mut self, number: usize, buffer: &mut [u8], window: &mut Window<'_>) -> io::Result<()> {
        let length = u64::from(self.blocks[number].length);
        let Some(wanted) = window.wants(length) else {
            window.at += length;
            return Ok(());
        };
        window.at += wanted.start;
        let mut at = wanted.start;
        while at < wanted.end {
            let count = (wanted.end - at).min(buffer.len() as u64) as usize;
            let piece = &mut buffer[..count];
            self.read(number, at, piece)?;
            self.hash(number, at, piece);
            window.put(piece)?;
            at += count as u64;
        }
        window.at += length - wanted.end;
        Ok(())
    }

    /// Sends what is wanted of what follows the blocks of a ZIP.
    fn send_tails(&mut self, zip: &Zip, buffer: &mut [u8], window: &mut Window<'_>) -> io::Result<()> {
        for tail in zip.tails() {
            let bytes = zip.tail_bytes(tail);
            if window.wants(bytes).is_none() {
                window.at += bytes;
                continue;
            }
            let crc = match tail.block() {
                Some(number) => self.crc(number, buffer, Some(&mut *window.send))?,
                None => 0,
            };
            window.put(&zip.tail(tail, crc))?;
        }
        Ok(())
    }

    /// The checksum of a block. What was not sent yet is read for it; `look` is called meanwhile.
    fn crc(&mut self, number: usize, buffer: &mut [u8], mut look: Option<Send<'_>>) -> io::Result<u32> {
        let length = u64::from(self.blocks[number].length);
        while self.crcs[number].is_none() {
            if self.hashed.0 != number {
                self.hashed = (number, 0, Hasher::new());
            }
            let at = self.hashed.1;
            let piece = (length - at).min(buffer.len() as u64) as usize;
            let piece = &mut buffer[..piece];
            self.read(number, at, piece)?;
            self.hash(number, at, piece);
            if let Some(look) = &mut look {
                look(&[])?;
            }
        }
        Ok(self.crcs[number].unwrap_or(0))
    }

    /// Notes bytes of a block of a ZIP, from `at` on: if they follow those that were noted before, its checksum goes on.
    fn hash(&mut self, number: usize, at: u64, piece: &[u8]) {
        if self.crcs.get(number).is_none_or(Option::is_some) {
            return;
        }
        if at == 0 {
            self.hashed = (number, 0, Hasher::new());
        }
        let (block, next, hasher) = &mut self.hashed;
        if (*block, *next) != (number, at) {
            return;
        }
        hasher.update(piece);
        *next += piece.len() as u64;
        if *next == u64::from(self.blocks[number].length) {
            self.crcs[number] = Some(hasher.clone().finalize());
        }
    }

    /// Fills `piece` with the content of a block, from `at` on.
    fn read(&mut self, number: usize, at: u64, piece: &mut [u8]) -> io::Result<()> {
        let Place { source, offset } = self.places[number];
        let at = u64::from(offset) + at;
        let footage = &mut self.footage;
        match &mut self.sound {
            Some(sound) if source == Place::SOUND => {
                sound.read(at, piece, &mut |packet| footage.samples(packet))
            }
            _ => footage.read(source, at, piece),
        }
    }
}

impl Place {
    /// The stream of samples.
    const SOUND: u32 = u32::MAX;
}

impl Footage {
    /// Fills `piece` with the bytes of a segment's file from `at` on.
    fn read(&mut self, source: u32, at: u64, piece: &mut [u8]) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(known, _)| *known != source) {
            self.open = None;
            let opened = Opened::open_file(&self.segments[source as usize]);
            let (file, _) = opened.map_err(|error| io::Error::other(error.to_string()))?;
            self.open = Some((source, file));
        }
        let Some((_, file)) = &self.open else { return Ok(()) };
        if ReadAt::read_at(file, piece, at)? < piece.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// The samples of a packet; none of one that is damaged.
    fn samples(&mut self, packet: &Packet) -> io::Result<Vec<i16>> {
        let mut bytes = vec![0; packet.length as usize];
        let source = packet.place.source;
        self.read(source, u64::from(packet.place.offset), &mut bytes)?;
        Ok(match &self.segments[source as usize].summary.head.sound {
            Some(SoundTrack::Flac { .. }) => decode_flac(&bytes).unwrap_or_default(),
            _ => bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect(),
        })
    }
}

impl Window<'_> {
    /// Which of the next `length` bytes are wanted.
    fn wants(&self, length: u64) -> Option<Range<u64>> {
        let from = self.wanted.start.max(self.at);
        let to = self.wanted.end.min(self.at + length);
        (from < to).then(|| from - self.at..to - self.at)
    }

    /// Sends what is wanted of the next bytes.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(part) = self.wants(bytes.len() as u64) {
            (self.send)(&bytes[part.start as usize..part.end as usize])?;
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.at >= self.wanted.end
    }
}
