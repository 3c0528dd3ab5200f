//! Putting a clip together: which frames and packets of sound of which segments are in it.

use std::sync::Arc;

use crc32fast::Hasher;
use sha2::{Digest, Sha256};

use super::sound::Sound;
use super::{Clip, ClipKind, Contents, Footage, Layout, MOST_BYTES, NoClip, PIECE_BYTES, Place, Wanted};
use crate::codec::sound::wav_head;
use crate::memory::{Account, Lease};
use crate::record::catalogue::SegmentInfo;
use crate::record::error::RecordError;
use crate::record::opened::Opened;
use crate::segment::clip::{self, ClipBlock, ClipHead};
use crate::segment::mov::Mov;
use crate::segment::zip::Zip;
use crate::segment::{BlockPlace, IndexEntry, SoundTrack, Track, read_blocks};

/// Most frames and packets of sound in a clip.
const MOST_BLOCKS: usize = 400_000;

/// Memory for each frame and each packet of sound, in bytes.
const BYTES_A_BLOCK: usize = 80;

/// Pieces of sound between the pictures of a movie, in milliseconds.
const SOUND_PIECE_MS: u32 = 500;

/// A clip that is being put together.
pub(super) struct Parts<'a> {
    wanted: Wanted<'a>,
    /// When its first picture was captured.
    first_us: Option<u64>,
    blocks: Vec<ClipBlock>,
    places: Vec<Place>,
    segments: Vec<Arc<SegmentInfo>>,
    /// The form of its sound.
    track: Option<SoundTrack>,
    /// Its sound as one stream, for kinds that need that.
    sound: Option<Sound>,
    bytes: u64,
    most_blocks: usize,
    lease: Lease,
}

impl<'a> Parts<'a> {
    /// The frames and the sound of these segments from one moment to another.
    pub(super) fn gather(
        segments: &[Arc<SegmentInfo>],
        wanted: &Wanted<'a>,
        memory: &Arc<Account>,
    ) -> Result<Self, NoClip> {
        // So many at the most: some of the first and the last segment are before and behind the clip.
        let count =
            |info: &Arc<SegmentInfo>| u64::from(info.summary.frames) + u64::from(info.summary.sound_blocks);
        let known = segments.iter().map(count).sum::<u64>().min(MOST_BLOCKS as u64) as usize;
        let lease = memory.lease(PIECE_BYTES + known * BYTES_A_BLOCK).ok_or(NoClip::NoMemory)?;
        let mut parts = Self {
            wanted: *wanted,
            first_us: None,
            blocks: Vec::with_capacity(known),
            places: Vec::with_capacity(known),
            segments: Vec::new(),
            track: None,
            sound: None,
            bytes: 0,
            most_blocks: known,
            lease,
        };
        for info in segments {
            if !parts.continues(info) {
                break;
            }
            if !(wanted.is_awaited)() {
                return Err(NoClip::Unwanted);
            }
            parts.add(info)?;
        }
        Ok(parts)
    }

    /// Whether a segment can follow those before.
    fn continues(&self, info: &SegmentInfo) -> bool {
        let (Some(first), Some(last)) = (self.segments.first(), self.segments.last()) else { return true };
        let (head, next) = (&first.summary.head, &info.summary.head);
        // What was thinned has no sound.
        let is_same_sound = match (&self.track, &next.sound) {
            (Some(known), Some(next)) if self.wanted.kind == ClipKind::Mkv => known == next,
            (Some(known), Some(next)) => known.format() == next.format(),
            _ => true,
        };
        head.size == next.size && is_same_sound && info.start_us() >= last.end_us()
    }

    fn add(&mut self, info: &Arc<SegmentInfo>) -> Result<(), NoClip> {
        let opened = Opened::open_checked(info).map_err(NoClip::Unreadable)?;
        let Wanted { from_us, to_us, kind, hears, .. } = self.wanted;
        let is_wanted = |entry: &IndexEntry| (from_us..=to_us).contains(&info.wall_us(entry.at_ms));
        let clusters = opened.clusters(is_wanted);
        let head = &info.summary.head;
        let track = head.sound.as_ref().filter(|_| hears(&head.microphone));
        self.track = self.track.take().or_else(|| track.cloned());
        if let (None, Some(track), true) = (&self.sound, track, kind != ClipKind::Mkv) {
            self.sound = Some(Sound::new(track.format()));
        }
        for cluster in clusters {
            // The last group of a segment that is being written cannot be read yet.
            let Ok(blocks) = read_blocks(&opened.file, u64::from(cluster)) else { break };
            for block in blocks {
                let unreadable =
                    |error| NoClip::Unreadable(RecordError::Segment(info.path().to_owned(), error));
                self.add_block(info, track, &block.map_err(unreadable)?)?;
            }
        }
        self.segments.push(Arc::clone(info));
        Ok(())
    }

    fn add_block(
        &mut self,
        info: &SegmentInfo,
        track: Option<&SoundTrack>,
        block: &BlockPlace,
    ) -> Result<(), NoClip> {
        let at_us = info.wall_us(block.at_ms);
        // Sound begins with the first picture.
        let Wanted { from_us, to_us, .. } = self.wanted;
        let is_within = (from_us..=to_us).contains(&at_us)
            && (block.track == Track::Picture || track.is_some() && !self.blocks.is_empty());
        if !is_within {
            return Ok(());
        }
        let start_us = *self.first_us.get_or_insert(at_us);
        let after_us = at_us.saturating_sub(start_us);
        let place = Place { source: self.segments.len() as u32, offset: block.offset as u32 };
        match (&mut self.sound, track) {
            (Some(sound), Some(track)) if block.track == Track::Sound => {
                sound.add(after_us, track, place, block.length);
            }
            _ => {
                let at_ms = (after_us / 1000) as u32;
                self.blocks.push(ClipBlock { track: block.track, at_ms, length: block.length });
                self.places.push(place);
                self.bytes += u64::from(block.length);
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), NoClip> {
        let (packets, sound_bytes) =
            self.sound.as_ref().map_or((0, 0), |sound| (sound.len(), sound.sample_bytes()));
        let is_too_long = self.bytes + sound_bytes >= MOST_BYTES;
        if is_too_long || self.blocks.len() + packets > self.most_blocks {
            Err(NoClip::TooLong)
        } else {
            Ok(())
        }
    }

    /// The clip.
    pub(super) fn finish(mut self) -> Result<Clip, NoClip> {
        let (Some(from_us), Some(first)) = (self.first_us, self.segments.first().cloned()) else {
            return Err(NoClip::Nothing);
        };
        let duration_ms = self.blocks.iter().map(|block| block.at_ms).max().unwrap_or(0);
        let id = self.id(from_us, duration_ms);
        self.sound = self.sound.filter(|sound| !sound.is_empty());
        if let Some(sound) = &mut self.sound {
            sound.pad(duration_ms);
        }
        self.check()?;
        self.place_sound();
        let head = &first.summary.head;
        let head = ClipHead {
            uuid: id,
            wall_us: from_us,
            title: &head.camera,
            duration_ms,
            size: head.size,
            sound: self.track.as_ref(),
        };
        let layout = match self.wanted.kind {
            ClipKind::Mkv => clip::Clip::new(&head, &self.blocks).map(Layout::Mkv),
            ClipKind::Mov => Mov::new(&head, &self.blocks).map(Layout::Mov),
            ClipKind::Zip => Zip::new(&head, &self.blocks).map(Layout::Zip),
        };
        let layout = layout.map_err(NoClip::Unfit)?;
        let to_us = from_us + u64::from(duration_ms) * 1000;
        let Self { wanted, blocks, places, segments, sound, lease, .. } = self;
        let crcs = if wanted.kind == ClipKind::Zip { vec![None; blocks.len()] } else { Vec::new() };
        let footage = Footage { segments, open: None };
        let hashed = (0, 0, Hasher::new());
        let contents = Contents { blocks, places, footage, sound, crcs, hashed };
        Ok(Clip { layout, contents, id, from_us, to_us, _lease: lease })
    }

    /// What is the same for the same clip, and no other.
    fn id(&self, from_us: u64, duration_ms: u32) -> [u8; 16] {
        let mut hash = Sha256::new();
        for info in &self.segments {
            hash.update(info.summary.head.uuid);
        }
        hash.update(from_us.to_be_bytes());
        hash.update(duration_ms.to_be_bytes());
        let packets = self.sound.as_ref().map_or(0, Sound::len);
        hash.update(((self.blocks.len() + packets) as u64).to_be_bytes());
        hash.update([self.wanted.kind as u8, u8::from(self.track.is_some())]);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        id
    }

    /// Puts the stream of samples among the pictures: of a movie in pieces, so that a player finds near to each other what is heard and
    /// seen together; of a ZIP behind them.
    fn place_sound(&mut self) {
        let Some(sound) = &mut self.sound else { return };
        let all = sound.sample_bytes() as u32;
        let place = |offset| Place { source: Place::SOUND, offset };
        if self.wanted.kind == ClipKind::Zip {
            let head = wav_head(sound.format(), all);
            let length = all.saturating_add(head.len() as u32);
            sound.set_head(head);
            self.blocks.push(ClipBlock { track: Track::Sound, at_ms: 0, length });
            self.places.push(place(0));
            return;
        }
        let frames = u64::from(sound.format().rate_hz) * u64::from(SOUND_PIECE_MS) / 1000;
        let piece = (frames.max(1) * sound.frame_bytes()) as u32;
        let count = self.blocks.len() + all.div_ceil(piece) as usize;
        let pictures = std::mem::replace(&mut self.blocks, Vec::with_capacity(count));
        let places = std::mem::replace(&mut self.places, Vec::with_capacity(count));
        let (mut offset, mut at_ms) = (0, 0);
        let end = (ClipBlock { track: Track::Picture, at_ms: u32::MAX, length: 0 }, place(0));
        for (picture, at) in pictures.into_iter().zip(places).chain([end]) {
            while offset < all && at_ms <= picture.at_ms {
                let length = piece.min(all - offset);
                self.blocks.push(ClipBlock { track: Track::Sound, at_ms, length });
                self.places.push(place(offset));
                (offset, at_ms) = (offset + length, at_ms + SOUND_PIECE_MS);
            }
            self.blocks.push(picture);
            self.places.push(at);
        }
        self.blocks.pop();
        self.places.pop();
    }
}
