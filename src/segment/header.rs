//! The first page of a segment: what a player reads first.

use super::ebml::{self, id};
use super::layout::{PAGE_BYTES, SECTOR_BYTES};
use super::matroska::{
    EBML_HEAD_BYTES, Info, SEGMENT_HEAD_BYTES, ebml_head, put_info, put_seek_head, put_tracks,
    seek_head_bytes, wide_head,
};
use super::summary::{MAX_CAMERA_BYTES, MAX_PRIVATE_BYTES};
use super::{SegmentError, SegmentHead};

/// The content of a Cluster without blocks: its Timestamp. A file in which no Cluster is shown yet is taken for a damaged one
/// by ffmpeg, which then looks for Clusters at every byte, and finds those that are hidden.
const EMPTY_CLUSTER: [u8; 3] = [id::TIMESTAMP as u8, 0x81, 0];

/// The size of an element that ends with the file, in eight bytes (RFC 8794, section 6.2).
const UNKNOWN_SIZE: u64 = (1 << 56) - 1;

/// What is known at the close only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    /// Where Cues begin.
    pub(super) cues_at: Option<u64>,
    /// How long the footage is.
    pub(super) duration_ms: u32,
}

/// The page, for a Segment that ends at `segment_end`, or with the file. What they and `closed` change lies in its first
/// sector.
pub(super) fn page(head: &SegmentHead, segment_end: Option<u64>, closed: Option<Closed>) -> Vec<u8> {
    let content_at = EBML_HEAD_BYTES + SEGMENT_HEAD_BYTES;
    let position = |at: u64| at - content_at;
    let info_at = content_at + seek_head_bytes(3);
    let info = Info {
        uuid: head.uuid,
        wall_us: head.start.wall_us,
        title: &head.camera,
        duration_ms: closed.map(|closed| closed.duration_ms),
    };
    let mut info_bytes = Vec::with_capacity(SECTOR_BYTES as usize);
    put_info(&mut info_bytes, &info);
    let tracks_at = info_at + info_bytes.len() as u64;
    debug_assert!(tracks_at <= SECTOR_BYTES, "what changes lies in one sector");

    let mut out = Vec::with_capacity(PAGE_BYTES as usize);
    out.extend(ebml_head());
    out.extend(wide_head(id::SEGMENT, segment_end.map_or(UNKNOWN_SIZE, |end| end - content_at)));
    let cues = closed.and_then(|closed| closed.cues_at).map(position);
    let elements =
        [(id::INFO, Some(position(info_at))), (id::TRACKS, Some(position(tracks_at))), (id::CUES, cues)];
    put_seek_head(&mut out, &elements);
    out.extend(info_bytes);
    put_tracks(&mut out, head.size, head.sound.as_ref());
    ebml::put(&mut out, id::CLUSTER, &EMPTY_CLUSTER);
    let rest = PAGE_BYTES as usize - out.len();
    ebml::put_void(&mut out, rest);
    out
}

/// Whether a segment may begin so.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(head: &SegmentHead) -> Result<(), SegmentError> {
    let sound = head.sound.as_ref();
    if head.camera.len() > MAX_CAMERA_BYTES {
        return Err(SegmentError::Unfit("a name of a camera of more than 32 bytes"));
    }
    if sound.is_some_and(|sound| sound.private().len() > MAX_PRIVATE_BYTES) {
        return Err(SegmentError::Unfit("a CodecPrivate of more than 128 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::head;

    #[test]
    fn closing_changes_the_first_sector_only() {
        let head = SegmentHead { camera: "x".repeat(32), ..head() };
        let open = page(&head, Some(1 << 25), None);
        let closed = page(&head, Some(1 << 20), Some(Closed { cues_at: Some(1 << 19), duration_ms: 1234 }));
        assert_eq!((open.len(), closed.len()), (4096, 4096));
        assert_ne!(open[..512], closed[..512]);
        assert_eq!(open[512..], closed[512..]);
    }
}
