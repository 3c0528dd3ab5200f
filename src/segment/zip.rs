//! A clip as a ZIP (PKWARE, APPNOTE.TXT 6.3.10), for people who want single pictures: a JPEG for each frame, named by its
//! time, the sound as a WAV, and a small JSON with what the clip is. Nothing is compressed.
//!
//! All lengths are known before the first content is read; only checksums are not, so whoever sends a clip brings them.
//! The checksum of a picture is in front of it. That of the sound follows it, because it may be long.

use super::clip::{ClipBlock, ClipHead};
use super::{SegmentError, SoundTrack, Track};
use crate::base::utc;

/// Bytes of a file's local head without its name (section 4.3.7).
const LOCAL_BYTES: u64 = 30;

/// Bytes of an entry of the directory without its name (section 4.3.12).
const ENTRY_BYTES: u64 = 46;

/// Bytes of the field with a place of more than 32 bits (section 4.5.3).
const WIDE_BYTES: u64 = 12;

/// Bytes of a checksum behind a file (section 4.3.9).
const DESCRIPTOR_BYTES: u64 = 16;

/// Bytes of the ends of the directory with numbers of 64 bits (sections 4.3.14 and 4.3.15).
const WIDE_END_BYTES: u64 = 56 + 20;

/// Bytes of the end of the directory (section 4.3.16).
const END_BYTES: u64 = 22;

/// What stands for a number that does not fit.
const WIDE: u32 = u32::MAX;

/// Most blocks: the number in a name has six digits.
const MOST_BLOCKS: usize = 999_999;

/// The checksum follows the file.
const HAS_DESCRIPTOR: u16 = 8;

/// A clip, without the contents of its blocks.
#[derive(Debug)]
pub struct Zip {
    /// The folder that all files are in: the camera's name.
    folder: String,
    wall_us: u64,
    /// The whole file that says what the clip is.
    head: Vec<u8>,
    about: Member,
    members: Vec<Member>,
    /// Where the last file's content ends.
    tail_at: u64,
    /// Where the directory begins.
    directory_at: u64,
    /// The first member whose place has more than 32 bits.
    first_wide: usize,
    length: u64,
}

/// A file of a ZIP.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Where its local head begins.
    at: u64,
    /// Its time, in milliseconds from the clip's start.
    at_ms: u32,
    /// Bytes of its content.
    length: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    About,
    /// The picture of this number, counted from 1.
    Picture(u32),
    Sound,
}

/// A piece behind the last file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The checksum of the sound.
    Descriptor(usize),
    /// The directory's entry of the file with what the clip is.
    About,
    /// The entry of the block of this number.
    Entry(usize),
    /// The end of the directory.
    End,
}

impl Zip {
    /// A clip of these pictures, in the order of their times, and at most one block of sound behind them: a WAV.
    ///
    /// # Errors
    /// [`SegmentError::Unfit`] for a million blocks or more: names have six digits for their number.
    pub fn new(head: &ClipHead<'_>, blocks: &[ClipBlock]) -> Result<Self, SegmentError> {
        if blocks.len() > MOST_BLOCKS {
            return Err(SegmentError::Unfit("a clip of a million pictures"));
        }
        let folder = head.title.to_owned();
        let text = about(head, blocks);
        let about = Member { at: 0, at_ms: 0, length: text.len() as u32, kind: Kind::About };
        let mut zip = Self {
            folder,
            wall_us: head.wall_us,
            head: Vec::new(),
            about,
            members: Vec::with_capacity(blocks.len()),
            tail_at: 0,
            directory_at: 0,
            first_wide: blocks.len(),
            length: 0,
        };
        zip.head = zip.local(&about, Some(crc32fast::hash(text.as_bytes())));
        zip.head.extend(text.as_bytes());
        let mut at = zip.head.len() as u64;
        let mut has_sound = false;
        for (number, block) in (1..).zip(blocks) {
            let is_sound = block.track == Track::Sound;
            let kind = if is_sound { Kind::Sound } else { Kind::Picture(number) };
            let member = Member { at, at_ms: block.at_ms, length: block.length, kind };
            if at >= u64::from(WIDE) {
                zip.first_wide = zip.first_wide.min(zip.members.len());
            }
            at += zip.local_bytes(&member) + u64::from(block.length);
            zip.members.push(member);
            has_sound |= is_sound;
        }
        zip.tail_at = at;
        zip.directory_at = at + if has_sound { DESCRIPTOR_BYTES } else { 0 };
        zip.length = zip.tail_at + zip.tails().map(|tail| zip.tail_bytes(tail)).sum::<u64>();
        Ok(zip)
    }

    /// Its bytes before the first block's local head.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of the whole clip.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the last block's content ends, and [`Self::tails`] begin.
    pub fn tail_at(&self) -> u64 {
        self.tail_at
    }

    /// Where the local head of the block `number` begins, in bytes from the start of the clip.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn prefix_at(&self, number: usize) -> u64 {
        self.members[number].at
    }

    /// Bytes before the content of the block `number`.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn prefix_bytes(&self, number: usize) -> u64 {
        self.local_bytes(&self.members[number])
    }

    /// The bytes before the content of the block `number`, which has this checksum; of sound it comes behind it.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn prefix(&self, number: usize, crc: u32) -> Vec<u8> {
        let member = &self.members[number];
        self.local(member, (member.kind != Kind::Sound).then_some(crc))
    }

    /// Whether the checksum of the block `number` is needed before its content.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn is_crc_first(&self, number: usize) -> bool {
        self.members[number].kind != Kind::Sound
    }

    /// The block in whose local head or content the byte `offset` lies; `None` before the first one, and behind the last one's content.
    pub fn block_at(&self, offset: u64) -> Option<usize> {
        if offset >= self.tail_at {
            return None;
        }
        self.members.partition_point(|member| member.at <= offset).checked_sub(1)
    }

    /// The pieces behind the last block's content.
    pub fn tails(&self) -> impl Iterator<Item = Tail> + use<> {
        let count = self.members.len();
        let is_sound = self.members.last().is_some_and(|member| member.kind == Kind::Sound);
        let descriptor = is_sound.then(|| Tail::Descriptor(count - 1));
        let entries = [Tail::About].into_iter().chain((0..count).map(Tail::Entry));
        descriptor.into_iter().chain(entries).chain([Tail::End])
    }

    /// Bytes of such a piece.
    pub fn tail_bytes(&self, tail: Tail) -> u64 {
        let entry = |member: &Member| ENTRY_BYTES + self.name_bytes(member);
        match tail {
            Tail::Descriptor(_) => DESCRIPTOR_BYTES,
            Tail::About => entry(&self.about),
            Tail::Entry(number) => {
                entry(&self.members[number]) + if number >= self.first_wide { WIDE_BYTES } else { 0 }
            }
            Tail::End => END_BYTES + if self.is_wide() { WIDE_END_BYTES } else { 0 },
        }
    }

    /// Such a piece; `crc` is the checksum of its block, if it has one.
    pub fn tail(&self, tail: Tail, crc: u32) -> Vec<u8> {
        match tail {
            Tail::Descriptor(number) => {
                let length = self.members[number].length;
                let mut out = Fields::with(0x0807_4B50);
                out.add(&[crc, length, length]);
                out.0
            }
            Tail::About => {
                let text = &self.head[self.local_bytes(&self.about) as usize..];
                self.entry(&self.about, crc32fast::hash(text), false)
            }
            Tail::Entry(number) => self.entry(&self.members[number], crc, number >= self.first_wide),
            Tail::End => self.end(),
        }
    }

    fn local_bytes(&self, member: &Member) -> u64 {
        LOCAL_BYTES + self.name_bytes(member)
    }

    /// The local head of a file; without a checksum that follows the file, as its lengths do.
    fn local(&self, member: &Member, crc: Option<u32>) -> Vec<u8> {
        let name = self.name(member);
        let mut out = Fields::with(0x0403_4B50);
        self.put_common(&mut out, member, false);
        let length = if crc.is_some() { member.length } else { 0 };
        out.add(&[crc.unwrap_or(0), length, length]);
        out.add_short(&[name.len() as u16, 0]);
        out.0.extend(name.as_bytes());
        out.0
    }

    fn entry(&self, member: &Member, crc: u32, is_wide: bool) -> Vec<u8> {
        let name = self.name(member);
        let mut out = Fields::with(0x0201_4B50);
        out.add_short(&[45]);
        self.put_common(&mut out, member, is_wide);
        out.add(&[crc, member.length, member.length]);
        let extra = if is_wide { WIDE_BYTES as u16 } else { 0 };
        // No comment, the first disk, no attributes.
        out.add_short(&[name.len() as u16, extra, 0, 0, 0, 0, 0]);
        out.add(&[if is_wide { WIDE } else { member.at as u32 }]);
        out.0.extend(name.as_bytes());
        if is_wide {
            out.add_short(&[1, 8]);
            out.add_long(&[member.at]);
        }
        out.0
    }

    /// What local heads and entries have in common: version, flags, method, time.
    fn put_common(&self, out: &mut Fields, member: &Member, is_wide: bool) {
        let flags = if member.kind == Kind::Sound { HAS_DESCRIPTOR } else { 0 };
        let at = utc::calendar(self.wall_us + u64::from(member.at_ms) * 1000);
        let (hour, minute, second) = at.time().as_hms();
        let clock = u16::from(hour) << 11 | u16::from(minute) << 5 | u16::from(second / 2);
        let year = (at.year() - 1980).clamp(0, 127) as u16;
        let day = year << 9 | u16::from(u8::from(at.month())) << 5 | u16::from(at.day());
        out.add_short(&[if is_wide { 45 } else { 20 }, flags, 0, clock, day]);
    }

    fn end(&self) -> Vec<u8> {
        let mut out = Fields(Vec::with_capacity((END_BYTES + WIDE_END_BYTES) as usize));
        let count = self.members.len() as u64 + 1;
        let end_at = self.length - self.tail_bytes(Tail::End);
        let bytes = end_at - self.directory_at;
        if self.is_wide() {
            out.add(&[0x0606_4B50]);
            out.add_long(&[44]);
            out.add_short(&[45, 45]);
            out.add(&[0, 0]);
            out.add_long(&[count, count, bytes, self.directory_at]);
            out.add(&[0x0706_4B50, 0]);
            out.add_long(&[end_at]);
            out.add(&[1]);
        }
        let narrow = u16::try_from(count).unwrap_or(u16::MAX);
        out.add(&[0x0605_4B50]);
        out.add_short(&[0, 0, narrow, narrow]);
        out.add(&[bytes as u32, u32::try_from(self.directory_at).unwrap_or(WIDE)]);
        out.add_short(&[0]);
        out.0
    }

    /// Whether the end needs numbers of 64 bits.
    fn is_wide(&self) -> bool {
        self.members.len() + 1 >= usize::from(u16::MAX) || self.directory_at >= u64::from(WIDE)
    }

    /// Bytes of its name, without making it.
    fn name_bytes(&self, member: &Member) -> u64 {
        let in_folder = if let Kind::Picture(_) = member.kind {
            "2026-11-29-080000.250Z-000001.jpg"
        } else {
            "clip.json"
        };
        (self.folder.len() + 1 + in_folder.len()) as u64
    }

    /// The name of a file, in the folder of its camera.
    fn name(&self, member: &Member) -> String {
        let folder = &self.folder;
        match member.kind {
            Kind::About => format!("{folder}/clip.json"),
            Kind::Sound => format!("{folder}/sound.wav"),
            Kind::Picture(number) => {
                let wall_us = self.wall_us + u64::from(member.at_ms) * 1000;
                let at = utc::calendar(wall_us);
                let (hour, minute, second) = at.time().as_hms();
                let (day, millis) = (utc::day(wall_us), at.millisecond());
                format!("{folder}/{day}-{hour:02}{minute:02}{second:02}.{millis:03}Z-{number:06}.jpg")
            }
        }
    }
}

impl Tail {
    /// The block whose checksum it has.
    pub fn block(self) -> Option<usize> {
        match self {
            Self::Descriptor(number) | Self::Entry(number) => Some(number),
            Self::About | Self::End => None,
        }
    }
}

/// Numbers, little-endian.
struct Fields(Vec<u8>);

impl Fields {
    fn with(signature: u32) -> Self {
        Self(signature.to_le_bytes().to_vec())
    }

    fn add_short(&mut self, values: &[u16]) {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }

    fn add(&mut self, values: &[u32]) {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }

    fn add_long(&mut self, values: &[u64]) {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }
}

/// What the clip is, for people and programs. A name has no character that JSON would have to escape.
fn about(head: &ClipHead<'_>, blocks: &[ClipBlock]) -> String {
    let pictures = blocks.iter().filter(|block| block.track == Track::Picture);
    let last_ms = pictures.clone().map(|block| block.at_ms).max().unwrap_or(0);
    let (from, to) = (utc::rfc3339(head.wall_us), utc::rfc3339(head.wall_us + u64::from(last_ms) * 1000));
    let has_sound = blocks.iter().any(|block| block.track == Track::Sound);
    let sound =
        head.sound.map(SoundTrack::format).filter(|_| has_sound).map_or("null".to_owned(), |format| {
            let (rate, channels) = (format.rate_hz, format.channels);
            format!(
                "{{\"file\":\"sound.wav\",\"from\":\"{from}\",\"rate_hz\":{rate},\"channels\":{channels}}}"
            )
        });
    format!(
        "{{\"camera\":\"{}\",\"from\":\"{from}\",\"to\":\"{to}\",\"pictures\":{},\"sound\":{sound}}}\n",
        head.title,
        pictures.count()
    )
}

#[cfg(test)]
mod tests;
