//! Where the parts of a segment lie, and its limits.

use super::ebml::VOID_HEAD_BYTES;

/// Groups begin at multiples of this: a page of memory, and the block of a file system.
pub const PAGE_BYTES: u64 = 4096;

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;

/// Where the summary begins.
pub(super) const SUMMARY_AT: u64 = PAGE_BYTES;

/// Where the first group begins.
pub(super) const GROUPS_AT: u64 = 2 * PAGE_BYTES;

/// Most stretches in a segment: the summary has room for so many.
pub const MAX_STRETCHES: usize = 128;

/// Most time between the first and the last block of a group: what a block's 16 bits hold.
pub const MAX_GROUP_MS: u32 = i16::MAX as u32;

/// Most blocks in a group.
pub(super) const MAX_GROUP_BLOCKS: usize = 8192;

/// Most bytes of a block: twice the largest picture that a source takes.
pub(super) const MAX_BLOCK_BYTES: u32 = 16 * 1024 * 1024;

/// Longest segment. Offsets of pictures have 32 bits.
pub(super) const MAX_SEGMENT_BYTES: u64 = u32::MAX as u64 / PAGE_BYTES * PAGE_BYTES;

/// A segment has at most one picture for so many bytes, and so many in all: it bounds what is read of a file that lies.
const BYTES_A_PICTURE: u64 = 256;
const MAX_PICTURES: u64 = 1 << 18;

/// Bytes of a Cluster's head: identifier and a size of eight bytes.
pub(super) const CLUSTER_HEAD_BYTES: u64 = 12;

/// Bytes of a Cluster's content before its blocks: CRC-32 and Timestamp.
pub(super) const CLUSTER_START_BYTES: u64 = 12;

/// Bytes of the content that the checksum does not cover: the CRC-32 itself.
pub(super) const CRC_ELEMENT_BYTES: u64 = 6;

/// Bytes before the content of a block.
pub(super) const BLOCK_HEAD_BYTES: u64 = 9;

/// Most pictures in a segment of `length` bytes.
pub(super) fn most_pictures(length: u64) -> u64 {
    (length / BYTES_A_PICTURE).min(MAX_PICTURES)
}

/// The least multiple of `step` that is not below `offset`.
pub(super) fn round_up(offset: u64, step: u64) -> u64 {
    offset.div_ceil(step) * step
}

/// Where the trailer of a cluster that ends at `cluster_end` begins: at a sector, because its head is written a second
/// time and must not be torn. What is between is a Void, which cannot have one byte only.
pub(super) fn trailer_at(cluster_end: u64) -> u64 {
    let at = round_up(cluster_end, SECTOR_BYTES);
    if at - cluster_end == 1 { at + SECTOR_BYTES } else { at }
}

/// Where what follows a trailer begins.
pub(super) fn group_end(trailer_at: u64) -> u64 {
    round_up(trailer_at + super::trailer::TRAILER_BYTES, PAGE_BYTES)
}

/// The end of a group of so many blocks with so many bytes, which begins at `at`.
pub(super) fn end_of_group(at: u64, bytes: u64, blocks: u64) -> u64 {
    let content = CLUSTER_START_BYTES + blocks * BLOCK_HEAD_BYTES + bytes;
    group_end(trailer_at(at + CLUSTER_HEAD_BYTES + content))
}

/// The head of the Void at `at` that ends at `end`.
pub(super) fn void_between(at: u64, end: u64) -> [u8; VOID_HEAD_BYTES as usize] {
    super::ebml::void_head(end - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_begins_at_a_sector_and_leaves_no_gap_of_one_byte() {
        for end in 8192..8192 + 3 * SECTOR_BYTES {
            let at = trailer_at(end);
            assert_eq!(at % SECTOR_BYTES, 0);
            assert!(at - end != 1 && at - end <= SECTOR_BYTES + 1, "{end}");
        }
    }
}
