//! The index of a segment: where each picture lies. A closed file has it twice: as Cues for players, and packed in a
//! Void behind them, which is read at once and has the lengths that Cues do not have.

use super::ebml::{VOID_HEAD_BYTES, id};
use super::fields::{Fields, FieldsMut};
use super::layout::{
    BLOCK_HEAD_BYTES, CLUSTER_HEAD_BYTES, GROUPS_AT, MAX_BLOCK_BYTES, PAGE_BYTES, most_pictures, round_up,
    void_between,
};
use super::matroska::{CUE_POINT_BYTES, CUES_HEAD_BYTES, EBML_HEAD_BYTES, SEGMENT_HEAD_BYTES};
use super::read::{ReadExact, read_blocks};
use super::summary::Summary;
use super::walk::Groups;
use super::{ReadAt, SegmentError, Track, matroska};

/// Where positions of Matroska count from.
const SEGMENT_CONTENT_AT: u64 = EBML_HEAD_BYTES + SEGMENT_HEAD_BYTES;

/// Bytes of an entry.
const ENTRY_BYTES: usize = 16;

/// Bytes of the index before its entries, with the Void's head: magic, UUID, number of entries, checksum.
const HEAD_BYTES: usize = VOID_HEAD_BYTES as usize + 8 + 16 + 4 + 4;

const MAGIC: [u8; 8] = *b"DefendIx";

/// A picture of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// When it was captured, in milliseconds from the segment's start; a little later if others were captured in the same millisecond.
    pub at_ms: u32,
    /// Where its JPEG begins, in bytes from the start of the file.
    pub offset: u32,
    /// Bytes of its JPEG.
    pub length: u32,
    /// Where its Cluster begins, in bytes from the start of the file; for [`read_blocks`].
    pub cluster: u32,
}

/// Reads the index of a segment. Where the file is not closed, or its index does not fit, the clusters are walked.
///
/// # Errors
/// Those of the system, and that the file does not hold what it says.
pub fn read_index(file: &(impl ReadAt + ?Sized), summary: &Summary) -> Result<Vec<IndexEntry>, SegmentError> {
    if let Some(entries) = read_packed(file, summary)? {
        return Ok(entries);
    }
    let mut entries = Vec::new();
    for found in Groups::new(file, summary) {
        let found = found?;
        if !found.is_shown {
            break;
        }
        add_pictures(file, found.at, &mut entries)?;
    }
    Ok(entries)
}

/// Adds the pictures of the Cluster at `cluster`. Returns the packets of sound in it.
pub(super) fn add_pictures(
    file: &(impl ReadAt + ?Sized),
    cluster: u64,
    entries: &mut Vec<IndexEntry>,
) -> Result<u32, SegmentError> {
    let most = most_pictures(file.length().map_err(SegmentError::io("read the length"))?);
    let mut sound_blocks = 0;
    for block in read_blocks(file, cluster)? {
        let block = block?;
        if block.track == Track::Sound {
            sound_blocks += 1;
            continue;
        }
        if entries.len() as u64 >= most || block.length > MAX_BLOCK_BYTES {
            return Err(SegmentError::Damaged {
                offset: cluster,
                what: "too many pictures, or too large ones",
            });
        }
        let (offset, cluster) = (block.offset as u32, cluster as u32);
        entries.push(IndexEntry { at_ms: block.at_ms, offset, length: block.length, cluster });
    }
    Ok(sound_blocks)
}

/// Bytes from the end of the last group to the end of the index.
pub(super) fn closing_bytes(pictures: u64) -> u64 {
    let cues = if pictures == 0 { 0 } else { CUES_HEAD_BYTES + pictures * CUE_POINT_BYTES };
    round_up(cues + HEAD_BYTES as u64 + pictures * ENTRY_BYTES as u64, PAGE_BYTES)
}

/// Cues and the index, for the place `at`; the index's Void ends at `end`. Whole pages. Returns them with the place of
/// the index.
pub(super) fn closing(entries: &[IndexEntry], uuid: [u8; 16], at: u64, end: u64) -> (Vec<u8>, u64) {
    let bytes = closing_bytes(entries.len() as u64) as usize;
    let mut out = Vec::with_capacity(bytes);
    if !entries.is_empty() {
        out.extend(matroska::wide_head(id::CUES, entries.len() as u64 * CUE_POINT_BYTES));
    }
    for entry in entries {
        let content = entry.cluster + CLUSTER_HEAD_BYTES as u32;
        let relative = entry.offset - BLOCK_HEAD_BYTES as u32 - content;
        let position = u64::from(entry.cluster) - SEGMENT_CONTENT_AT;
        matroska::put_cue_point(&mut out, entry.at_ms, position, relative);
    }
    let index_at = at + out.len() as u64;
    let index = out.len();
    out.resize(bytes, 0);
    let mut fields = FieldsMut(&mut out[index..]);
    fields.put(void_between(index_at, end));
    fields.put(MAGIC);
    fields.put(uuid);
    fields.put((entries.len() as u32).to_be_bytes());
    fields.put([0; 4]);
    for entry in entries {
        let numbers = [entry.at_ms, entry.offset, entry.length, entry.cluster];
        numbers.into_iter().for_each(|number| fields.put(number.to_be_bytes()));
    }
    let packed = &out[index + HEAD_BYTES..][..entries.len() * ENTRY_BYTES];
    let crc = crc32fast::hash(packed).to_be_bytes();
    out[index + HEAD_BYTES - 4..][..4].copy_from_slice(&crc);
    (out, index_at)
}

/// The packed index; `None` where there is none that fits the summary.
fn read_packed(
    file: &(impl ReadAt + ?Sized),
    summary: &Summary,
) -> Result<Option<Vec<IndexEntry>>, SegmentError> {
    let Some(at) = summary.index_at else { return Ok(None) };
    let length = file.length().map_err(SegmentError::io("read the length"))?;
    let bytes = u64::from(summary.frames) * ENTRY_BYTES as u64;
    if u64::from(summary.frames) > most_pictures(length) || at + HEAD_BYTES as u64 + bytes > length {
        return Ok(None);
    }
    let mut packed = vec![0; HEAD_BYTES + bytes as usize];
    file.read_exact_at(&mut packed, at)?;
    let (head, packed) = packed.split_at(HEAD_BYTES);
    let mut fields = Fields(&head[VOID_HEAD_BYTES as usize..]);
    let is_ours =
        fields.take() == MAGIC && fields.take() == summary.head.uuid && fields.u32() == summary.frames;
    if !is_ours || fields.u32() != crc32fast::hash(packed) {
        return Ok(None);
    }
    let entries: Vec<_> = packed.chunks_exact(ENTRY_BYTES).map(unpack).collect();
    let fits = |entry: &IndexEntry| {
        let end = u64::from(entry.offset) + u64::from(entry.length);
        let is_inside = u64::from(entry.cluster) >= GROUPS_AT && entry.offset > entry.cluster;
        is_inside && end <= summary.data_end && entry.length <= MAX_BLOCK_BYTES
    };
    Ok(entries.iter().all(fits).then_some(entries))
}

fn unpack(bytes: &[u8]) -> IndexEntry {
    let mut fields = Fields(bytes);
    IndexEntry { at_ms: fields.u32(), offset: fields.u32(), length: fields.u32(), cluster: fields.u32() }
}
