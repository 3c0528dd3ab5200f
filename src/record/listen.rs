//! The sound of footage, packet by packet, across segments. Where it lies in a segment takes memory of an account.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use super::catalogue::SegmentInfo;
use super::opened::Opened;
use super::recordings::Recordings;
use crate::codec::sound::decode_flac;
use crate::media::SoundFormat;
use crate::memory::{Account, Lease};
use crate::segment::{BlockPlace, ReadAt, SoundTrack, Track, read_blocks};

/// Largest packet of sound that is read, in bytes.
const MOST_BYTES: u32 = 1 << 20;

/// Walks over the sound of one camera's footage.
pub struct SoundPlayer {
    recordings: Arc<Recordings>,
    camera: String,
    memory: Arc<Account>,
    lacks_memory: bool,
    /// Of the first segment, sound from here on. Behind it a wall clock that was set back may show any time.
    from_us: u64,
    format: SoundFormat,
    microphone: String,
    open: Option<OpenSound>,
    /// The packets of the cluster that was read; a file that lies has long ones, so each is read when it is its turn.
    packets: VecDeque<BlockPlace>,
}

/// A packet of sound.
#[derive(Debug)]
pub struct RecordedSound {
    /// When its first sample was captured, in microseconds since 1970.
    pub at_us: u64,
    /// The samples, interleaved.
    pub samples: Vec<i16>,
}

struct OpenSound {
    info: Arc<SegmentInfo>,
    file: File,
    /// Clusters, in the order of their times.
    clusters: Vec<u32>,
    /// How many of them were read.
    read: usize,
    _lease: Lease,
}

impl SoundPlayer {
    /// The sound from `from_us` on, in microseconds since 1970; `None` where the footage at that time has none of a
    /// microphone for which `hears` is true. It leases what it needs from `memory`.
    pub fn new(
        recordings: &Arc<Recordings>,
        camera: &str,
        from_us: u64,
        hears: &dyn Fn(&str) -> bool,
        memory: &Arc<Account>,
    ) -> Option<Self> {
        let info = recordings.segment_from(camera, from_us)?;
        let head = &info.summary.head;
        let format = head.sound.as_ref().filter(|_| hears(&head.microphone))?.format();
        let mut player = Self {
            recordings: Arc::clone(recordings),
            camera: camera.to_owned(),
            memory: Arc::clone(memory),
            lacks_memory: false,
            from_us,
            format,
            microphone: head.microphone.clone(),
            open: None,
            packets: VecDeque::new(),
        };
        player.open(&info);
        Some(player)
    }

    /// Whether there was no memory for the segment that it could not open last.
    pub fn lacks_memory(&self) -> bool {
        self.lacks_memory
    }

    /// Rate and channels of its samples.
    pub fn format(&self) -> SoundFormat {
        self.format
    }

    /// The next packet; `None` where there is no more now, and where the sound goes on in another format or of
    /// another microphone.
    pub fn next(&mut self) -> Option<RecordedSound> {
        loop {
            let Some(place) = self.packets.pop_front() else {
                if !self.read_cluster() && !self.next_segment() {
                    return None;
                }
                continue;
            };
            let Some(open) = &self.open else { return None };
            let at_us = open.info.wall_us(place.at_ms);
            if at_us >= self.from_us
                && let Some(samples) = samples(open, &place)
            {
                return Some(RecordedSound { at_us, samples });
            }
        }
    }

    fn open(&mut self, info: &Arc<SegmentInfo>) -> bool {
        let head = &info.summary.head;
        let is_same = head.sound.as_ref().is_some_and(|sound| sound.format() == self.format)
            && head.microphone == self.microphone;
        // What is open is given back first.
        self.open = None;
        let opened = if is_same { Opened::leased(info, &self.memory) } else { return false };
        self.lacks_memory = matches!(opened, Ok(None));
        self.open = opened.ok().flatten().map(|(opened, lease)| {
            let clusters = opened.clusters(|_| true);
            let Opened { info, file, index } = opened;
            let before = index.partition_point(|entry| info.wall_us(entry.at_ms) <= self.from_us);
            let first = before.checked_sub(1).map_or(0, |at| index[at].cluster);
            let read = clusters.iter().position(|cluster| *cluster == first).unwrap_or(0);
            OpenSound { info, file, clusters, read, _lease: lease }
        });
        self.open.is_some()
    }

    /// Reads the packets of the next cluster; false if there is none.
    fn read_cluster(&mut self) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(cluster) = open.clusters.get(open.read).copied() else { return false };
        // The last cluster of a segment that is being written can be read once the next one is there.
        let Ok(blocks) = read_blocks(&open.file, u64::from(cluster)) else { return false };
        open.read += 1;
        let blocks = blocks.map_while(Result::ok);
        self.packets.extend(blocks.filter(|block| block.track == Track::Sound));
        true
    }

    /// Goes on to what was written since, or to the next segment.
    fn next_segment(&mut self) -> bool {
        let Some(open) = &self.open else { return false };
        let (sequence, read) = (open.info.sequence(), open.read);
        if !open.info.summary.is_closed {
            let Some(info) = self.recordings.segment(&self.camera, sequence) else { return false };
            if info.summary.frames == open.info.summary.frames && !info.summary.is_closed {
                return false;
            }
            if !self.open(&info) {
                return false;
            }
            let is_more = self.open.as_mut().is_some_and(|open| {
                open.read = read;
                read < open.clusters.len()
            });
            if is_more {
                return true;
            }
        }
        let next = self.recordings.neighbour(&self.camera, sequence, true);
        self.from_us = 0;
        next.is_some_and(|info| self.open(&info))
    }
}

/// The samples of a packet; `None` for one that cannot be read.
fn samples(open: &OpenSound, place: &BlockPlace) -> Option<Vec<i16>> {
    if place.length > MOST_BYTES {
        return None;
    }
    let mut bytes = vec![0; place.length as usize];
    let read = ReadAt::read_at(&open.file, &mut bytes, place.offset).ok()?;
    match open.info.summary.head.sound.as_ref()? {
        _ if read < bytes.len() => None,
        SoundTrack::Flac { .. } => decode_flac(&bytes),
        SoundTrack::Pcm { .. } => {
            Some(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
        }
    }
}
