//! A clip: a Matroska file of blocks of segments, of which all lengths are known before its first byte is sent.
//!
//! A clip is its head, and then for each block a few bytes of its own and the block's content as it lies in a segment. What
//! is here makes these bytes, and says where in the clip each block lies, for requests of a range. Cues are in front,
//! so that a player that reads from a network seeks without reading the end first.

use super::ebml::id;
use super::layout::{BLOCK_HEAD_BYTES, CLUSTER_HEAD_BYTES, MAX_BLOCK_BYTES};
use super::matroska::{
    CUE_POINT_BYTES, CUES_HEAD_BYTES, EBML_HEAD_BYTES, Info, SEGMENT_HEAD_BYTES, block_head, cluster_head,
    ebml_head, put_cue_point, put_info, put_seek_head, put_tracks, seek_head_bytes, wide_head,
};
use super::{MAX_GROUP_MS, SegmentError, SoundTrack, Track};

/// A Cluster of a clip ends before the picture that is so much later than its first block.
const CLUSTER_MS: u32 = 2000;

/// Bytes of a Cluster's Timestamp.
const TIMESTAMP_BYTES: u64 = 6;

/// Most bytes before a block's content.
const MAX_PREFIX_BYTES: usize = (CLUSTER_HEAD_BYTES + TIMESTAMP_BYTES + BLOCK_HEAD_BYTES) as usize;

/// What is known of a clip.
#[derive(Clone, Copy, Debug)]
pub struct ClipHead<'a> {
    /// Another value for each clip; the same for the same one.
    pub uuid: [u8; 16],
    /// When time 0 was, in microseconds since 1970.
    pub wall_us: u64,
    /// The title; the camera's name.
    pub title: &'a str,
    /// How long it is.
    pub duration_ms: u32,
    /// Width and height of its pictures in pixels.
    pub size: (u32, u32),
    /// The sound that goes with them.
    pub sound: Option<&'a SoundTrack>,
}

/// A block of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipBlock {
    /// What it is.
    pub track: Track,
    /// Milliseconds from the clip's start.
    pub at_ms: u32,
    /// Bytes of its content.
    pub length: u32,
}

/// A clip, without the contents of its blocks.
#[derive(Debug)]
pub struct Clip {
    head: Vec<u8>,
    blocks: Vec<Placed>,
    clusters: Vec<Cluster>,
    length: u64,
}

/// The bytes before a block's content.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    bytes: [u8; MAX_PREFIX_BYTES],
    length: usize,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    /// Where its prefix begins: at first from the first Cluster on, then from the start of the clip.
    at: u64,
    /// Its Cluster.
    cluster: u32,
    block: ClipBlock,
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    /// Where it begins, from the first Cluster on.
    at: u64,
    /// Its first block.
    first: u32,
    at_ms: u32,
    content_bytes: u64,
}

impl Clip {
    /// A clip of these blocks, in the order of their times.
    ///
    /// # Errors
    /// [`SegmentError::Unfit`] for a block of more than 16 MiB, and for more than four billion blocks.
    pub fn new(head: &ClipHead<'_>, blocks: &[ClipBlock]) -> Result<Self, SegmentError> {
        if blocks.iter().any(|block| block.length > MAX_BLOCK_BYTES) {
            return Err(SegmentError::Unfit("a block of more than 16 MiB"));
        }
        if u32::try_from(blocks.len()).is_err() {
            return Err(SegmentError::Unfit("a clip of more than four billion blocks"));
        }
        let (mut placed, clusters) = place(blocks);
        let data_bytes = placed.last().map_or(0, |last| last.at + prefix_bytes(last, &clusters) as u64)
            + blocks.last().map_or(0, |last| u64::from(last.length));
        let head = head_bytes(head, &placed, &clusters, data_bytes);
        placed.iter_mut().for_each(|placed| placed.at += head.len() as u64);
        let length = head.len() as u64 + data_bytes;
        Ok(Self { head, blocks: placed, clusters, length })
    }

    /// Its bytes before the first block's prefix.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of the whole clip.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes before the content of the block `number`.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn prefix(&self, number: usize) -> Prefix {
        let placed = &self.blocks[number];
        let cluster = &self.clusters[placed.cluster as usize];
        let mut prefix = Prefix { bytes: [0; MAX_PREFIX_BYTES], length: 0 };
        if cluster.first as usize == number {
            prefix.add(&cluster_head(cluster.content_bytes));
            prefix.add(&[id::TIMESTAMP as u8, 0x84]);
            prefix.add(&cluster.at_ms.to_be_bytes());
        }
        let relative_ms = i64::from(placed.block.at_ms) - i64::from(cluster.at_ms);
        prefix.add(&block_head(placed.block.track, relative_ms as i16, placed.block.length));
        prefix
    }

    /// Where the prefix of the block `number` begins, in bytes from the start of the clip.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn prefix_at(&self, number: usize) -> u64 {
        self.blocks[number].at
    }

    /// The block in whose prefix or content the byte `offset` lies; `None` for the head, and behind the end.
    pub fn block_at(&self, offset: u64) -> Option<usize> {
        if offset >= self.length {
            return None;
        }
        self.blocks.partition_point(|block| block.at <= offset).checked_sub(1)
    }
}

impl Prefix {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// Divides the blocks among Clusters, and places them from the first Cluster on.
fn place(blocks: &[ClipBlock]) -> (Vec<Placed>, Vec<Cluster>) {
    let mut placed = Vec::with_capacity(blocks.len());
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut at = 0;
    for (number, block) in (0_u32..).zip(blocks) {
        let begins = clusters.last().is_none_or(|cluster| {
            let later_ms = i64::from(block.at_ms) - i64::from(cluster.at_ms);
            let is_due = later_ms >= i64::from(CLUSTER_MS) && block.track == Track::Picture;
            is_due || later_ms.unsigned_abs() > u64::from(MAX_GROUP_MS)
        });
        if begins {
            clusters.push(Cluster { at, first: number, at_ms: block.at_ms, content_bytes: 0 });
        }
        placed.push(Placed { at, cluster: clusters.len() as u32 - 1, block: *block });
        at += prefix_bytes(&placed[number as usize], &clusters) as u64 + u64::from(block.length);
        if let Some(cluster) = clusters.last_mut() {
            cluster.content_bytes = at - cluster.at - CLUSTER_HEAD_BYTES;
        }
    }
    (placed, clusters)
}

/// Bytes before the content of a block.
fn prefix_bytes(placed: &Placed, clusters: &[Cluster]) -> usize {
    let is_first = clusters[placed.cluster as usize].at == placed.at;
    if is_first { MAX_PREFIX_BYTES } else { BLOCK_HEAD_BYTES as usize }
}

/// All before the first Cluster, behind which there are so many bytes.
fn head_bytes(head: &ClipHead<'_>, blocks: &[Placed], clusters: &[Cluster], data_bytes: u64) -> Vec<u8> {
    let info = Info {
        uuid: head.uuid,
        wall_us: head.wall_us,
        title: head.title,
        duration_ms: Some(head.duration_ms),
    };
    let (mut info_bytes, mut tracks) = (Vec::new(), Vec::new());
    put_info(&mut info_bytes, &info);
    put_tracks(&mut tracks, head.size, head.sound);
    let pictures = blocks.iter().filter(|placed| placed.block.track == Track::Picture).count() as u64;
    let cues = if pictures == 0 { 0 } else { CUES_HEAD_BYTES + pictures * CUE_POINT_BYTES };
    let info_at = seek_head_bytes(3);
    let tracks_at = info_at + info_bytes.len() as u64;
    let cues_at = tracks_at + tracks.len() as u64;
    let clusters_at = cues_at + cues;

    let bytes = EBML_HEAD_BYTES + SEGMENT_HEAD_BYTES + clusters_at;
    let mut out = Vec::with_capacity(bytes as usize);
    out.extend(ebml_head());
    out.extend(wide_head(id::SEGMENT, clusters_at + data_bytes));
    let cues_place = (pictures > 0).then_some(cues_at);
    put_seek_head(
        &mut out,
        &[(id::INFO, Some(info_at)), (id::TRACKS, Some(tracks_at)), (id::CUES, cues_place)],
    );
    out.extend(info_bytes);
    out.extend(tracks);
    if pictures > 0 {
        out.extend(wide_head(id::CUES, pictures * CUE_POINT_BYTES));
    }
    for placed in blocks.iter().filter(|placed| placed.block.track == Track::Picture) {
        let cluster = &clusters[placed.cluster as usize];
        let block_at = placed.at + prefix_bytes(placed, clusters) as u64 - BLOCK_HEAD_BYTES;
        let relative = block_at - cluster.at - CLUSTER_HEAD_BYTES;
        put_cue_point(&mut out, placed.block.at_ms, clusters_at + cluster.at, relative as u32);
    }
    debug_assert_eq!(out.len() as u64, bytes, "all lengths are known before");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::{ReadAt, read_blocks};

    fn clip(blocks: &[ClipBlock]) -> (Clip, Vec<u8>) {
        let head = ClipHead {
            uuid: [1; 16],
            wall_us: 1_764_000_000_000_000,
            title: "front",
            duration_ms: 9000,
            size: (64, 48),
            sound: None,
        };
        let clip = Clip::new(&head, blocks).unwrap();
        let mut bytes = clip.head().to_vec();
        for (number, block) in blocks.iter().enumerate() {
            assert_eq!(clip.prefix_at(number), bytes.len() as u64);
            bytes.extend(clip.prefix(number).as_slice());
            bytes.resize(bytes.len() + block.length as usize, number as u8);
        }
        assert_eq!(bytes.len() as u64, clip.length());
        (clip, bytes)
    }

    #[test]
    fn blocks_of_a_clip_are_found_where_it_says() {
        let times = [0, 40, 1990, 2040, 2080, 40_000];
        let tracks =
            [Track::Picture, Track::Sound, Track::Picture, Track::Picture, Track::Sound, Track::Sound];
        let blocks: Vec<_> =
            (0..6).map(|n| ClipBlock { track: tracks[n], at_ms: times[n], length: 100 + n as u32 }).collect();
        let (clip, bytes) = clip(&blocks);
        let mut found = Vec::new();
        let mut at = clip.head().len() as u64;
        while at < clip.length() {
            for block in read_blocks(&bytes[..], at).unwrap() {
                let block = block.unwrap();
                found.push(ClipBlock { track: block.track, at_ms: block.at_ms, length: block.length });
                at = block.offset + u64::from(block.length);
                assert_eq!(clip.block_at(block.offset), Some(found.len() - 1));
            }
        }
        assert_eq!(found, blocks);
        assert_eq!(clip.clusters.len(), 3, "one from each 2 s, and one where 16 bits are too few");
        assert_eq!((clip.block_at(0), clip.block_at(clip.length())), (None, None));
        assert_eq!(clip.block_at(clip.length() - 1), Some(5));
        assert_eq!(ReadAt::length(&bytes[..]).unwrap(), clip.length());
    }

    #[test]
    fn a_clip_without_blocks_is_a_head() {
        let (clip, _) = clip(&[]);
        assert_eq!(clip.head().len() as u64, clip.length());
    }
}
