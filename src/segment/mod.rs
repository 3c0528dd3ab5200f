//! One file of footage: a Matroska file that is valid at every instant.
//!
//! # The file
//!
//! A segment is a file of a fixed length, preallocated and used again when its footage is no longer wanted:
//!
//! | offset | what |
//! |---|---|
//! | 0 | EBML head, Segment, SeekHead, Info, Tracks, a Cluster without blocks, Void to 4096. What changes at close lies in the first 512 bytes |
//! | 4096 | the summary: a Void with what a catalogue needs, so that a start reads two pages of each file |
//! | 8192 | groups, each from a multiple of 4096: a Cluster, and a Void with its trailer |
//! | behind the last group | Cues, and a Void with the index, once the file is closed |
//!
//! # Hidden until synced
//!
//! The summary and each trailer are a Void, and the last one of them spans the rest of the Segment. A group is written
//! behind that Void's head, so that no reader finds it, with a trailer that spans the rest itself. It is shown by
//! making the Void before it shorter (nine bytes in one sector), and that is done with the *next* group, when
//! everything of this one is on the disk by an `fdatasync`. So a player sees whole, synced clusters only, whatever a
//! power cut tears, and never what the file held in an earlier life. The price is one page of 4096 bytes that
//! is written a second time for each group, and no further `fdatasync`.
//!
//! After a power cut the last group may be on the disk and hidden. [`recover()`] finds it behind the last Void, by the
//! number and UUID in its trailer and by its checksum, shows it, and closes the file.
//!
//! # Closing
//!
//! Cues and index are written behind the last Void and synced; then they are shown, and synced; then the head gets its
//! duration and the summary its counts, which says that all of this is done. A file of which less than three quarters
//! are used is cut before that. Its Segment then has no known size for a moment, so that it ends with the file whether that is
//! cut or not. A Segment that was made shorter first would not do: behind its end ffmpeg would find what the file held in an
//! earlier life.
//!
//! What belongs here: bytes of one file. What must not: which files there are, where they lie, and when to write.

pub mod clip;
pub mod ebml;
mod error;
mod fields;
mod file;
mod header;
mod index;
mod layout;
pub mod matroska;
pub mod mov;
mod read;
mod recover;
mod summary;
mod trailer;
mod walk;
mod writer;
pub mod zip;

pub use error::SegmentError;
pub use file::{ReadAt, SegmentFile};
pub use index::{IndexEntry, read_index};
pub use layout::{MAX_GROUP_MS, MAX_STRETCHES, PAGE_BYTES};
pub use read::{BlockPlace, Blocks, read_blocks};
pub use recover::{recover, recover_until};
pub use summary::{Summary, read_summary};
pub use writer::SegmentWriter;

use crate::media::{GapReason, SoundFormat};

/// What is known of a segment when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// The camera's name, of at most 32 bytes.
    pub camera: String,
    /// Number of the segment: counted for each camera, never restarted.
    pub sequence: u64,
    /// Number of its first frame: counted for each camera, missed frames too, never restarted.
    pub first_frame: u64,
    /// The boot in which it began (/proc/sys/kernel/random/boot_id): the monotonic clock has no meaning in another.
    pub boot_id: [u8; 16],
    /// Random bytes: another value each time that a file is used.
    pub uuid: [u8; 16],
    /// When it began. The times of blocks count from here.
    pub start: Moment,
    /// Whether the wall clock was synchronised when it began.
    pub is_clock_synchronised: bool,
    /// Whether frames were left out of older footage to make it.
    pub is_thinned: bool,
    /// Width and height of its pictures in pixels.
    pub size: (u32, u32),
    /// The sound that goes with them.
    pub sound: Option<SoundTrack>,
}

/// A moment by two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since boot.
    pub monotonic_us: u64,
    /// Microseconds since 1970 (UTC).
    pub wall_us: u64,
}

/// How the sound of a segment is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundTrack {
    /// FLAC, one frame in each block.
    Flac {
        /// Rate and channels; samples have 16 bits.
        format: SoundFormat,
        /// `fLaC` and the STREAMINFO block (RFC 9639, section 8), of at most 128 bytes: Matroska's CodecPrivate.
        private: Vec<u8>,
    },
    /// Signed samples of 16 bits, little-endian.
    Pcm {
        /// Rate and channels.
        format: SoundFormat,
    },
}

/// What is written and synced at once: a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// Its blocks, in the order of their times; at least one, within [`MAX_GROUP_MS`].
    pub blocks: &'a [Block<'a>],
    /// Frames that were lost before its first frame.
    pub missed_before: u32,
    /// Why there is no footage before it; `None` where it continues what was written before.
    pub gap_before: Option<GapReason>,
}

/// A picture or a packet of sound.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// What it is.
    pub track: Track,
    /// When it was captured: microseconds from the segment's start. The file holds milliseconds.
    pub at_us: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A track of a segment; the discriminants are Matroska's track numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Track {
    /// JPEG pictures.
    Picture = 1,
    /// Packets of sound.
    Sound = 2,
}

/// Footage without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first block, in milliseconds from the segment's start.
    pub start_ms: u32,
    /// Its last block, in milliseconds from the segment's start.
    pub end_ms: u32,
    /// Why there is nothing before it; `None` for the first stretch of a segment that continues the one before.
    pub gap_before: Option<GapReason>,
}

impl SoundTrack {
    /// Rate and channels.
    pub fn format(&self) -> SoundFormat {
        match self {
            Self::Flac { format, .. } | Self::Pcm { format } => *format,
        }
    }

    /// Matroska's CodecPrivate; empty for none.
    pub fn private(&self) -> &[u8] {
        match self {
            Self::Flac { private, .. } => private,
            Self::Pcm { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests;
