//! The way from group to group, along the Voids.

use super::ebml::{self, VOID_HEAD_BYTES, id};
use super::layout::{
    CLUSTER_HEAD_BYTES, CLUSTER_START_BYTES, CRC_ELEMENT_BYTES, GROUPS_AT, SUMMARY_AT, group_end, trailer_at,
};
use super::read::ReadExact;
use super::summary::Summary;
use super::trailer::{TRAILER_BYTES, Trailer};
use super::{ReadAt, SegmentError};

/// Bytes that are read at once to check a group.
const CHUNK_BYTES: usize = 32 * 1024;

/// A group that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Where its Cluster begins.
    pub(super) at: u64,
    /// The Void before it, which hides it or ends where it begins.
    pub(super) hider: u64,
    /// Whether that Void ends where it begins.
    pub(super) is_shown: bool,
    /// Where its trailer begins.
    pub(super) trailer_at: u64,
    /// What its trailer says.
    pub(super) trailer: Trailer,
}

impl Found {
    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        group_end(self.trailer_at)
    }
}

/// The groups of a segment, from the first on, to the first that is not whole. Hidden ones are checked to the last byte.
/// It ends after an error.
pub(super) struct Groups<'a, R: ?Sized> {
    file: &'a R,
    summary: &'a Summary,
    /// Where the next one begins, and the Void before it.
    at: u64,
    hider: u64,
    number: u32,
}

impl<'a, R: ReadAt + ?Sized> Groups<'a, R> {
    pub(super) fn new(file: &'a R, summary: &'a Summary) -> Self {
        Self { file, summary, at: GROUPS_AT, hider: SUMMARY_AT, number: 0 }
    }

    fn next_group(&self) -> Result<Found, SegmentError> {
        let is_shown = self.hider_end()? == self.at;
        let mut start = [0; (CLUSTER_HEAD_BYTES + CLUSTER_START_BYTES) as usize];
        self.file.read_exact_at(&mut start, self.at)?;
        let damaged = |what| SegmentError::Damaged { offset: self.at, what };
        let (head, content) = start.split_at(CLUSTER_HEAD_BYTES as usize);
        let size = ebml::read_element(head).filter(|head| head.id == id::CLUSTER).and_then(|head| head.size);
        let size = size.filter(|size| *size <= self.summary.length).ok_or(damaged("no Cluster"))?;
        let content_at = self.at + CLUSTER_HEAD_BYTES;
        let trailer_at = trailer_at(content_at + size);
        if group_end(trailer_at) > self.summary.length {
            return Err(damaged("a Cluster that is longer than the file"));
        }
        let mut bytes = [0; TRAILER_BYTES as usize];
        self.file.read_exact_at(&mut bytes, trailer_at)?;
        let trailer = Trailer::from_bytes(&bytes, trailer_at)?;
        let crc = [&[id::CRC_32 as u8, 0x84], &trailer.cluster_crc.to_le_bytes()[..]].concat();
        let fits = trailer.uuid == self.summary.head.uuid
            && trailer.number == self.number
            && u64::from(trailer.cluster_bytes) == size
            && content.starts_with(&crc);
        if !fits {
            return Err(damaged("a trailer of another group"));
        }
        let checked = content_at + CRC_ELEMENT_BYTES..content_at + size;
        if !is_shown && self.checksum(checked)? != trailer.cluster_crc {
            return Err(damaged("the checksum of a Cluster does not fit"));
        }
        Ok(Found { at: self.at, hider: self.hider, is_shown, trailer_at, trailer })
    }

    /// Where the Void before the next group ends.
    fn hider_end(&self) -> Result<u64, SegmentError> {
        let mut head = [0; VOID_HEAD_BYTES as usize];
        self.file.read_exact_at(&mut head, self.hider)?;
        let void = ebml::read_element(&head).filter(|head| head.id == id::VOID);
        let size = void.and_then(|void| void.size);
        let size = size.ok_or(SegmentError::Damaged { offset: self.hider, what: "no Void" })?;
        Ok(self.hider + VOID_HEAD_BYTES + size)
    }

    fn checksum(&self, range: std::ops::Range<u64>) -> Result<u32, SegmentError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut hasher = crc32fast::Hasher::new();
        let mut at = range.start;
        while at < range.end {
            let count = (range.end - at).min(CHUNK_BYTES as u64) as usize;
            self.file.read_exact_at(&mut chunk[..count], at)?;
            hasher.update(&chunk[..count]);
            at += count as u64;
        }
        Ok(hasher.finalize())
    }
}

impl<R: ReadAt + ?Sized> Iterator for Groups<'_, R> {
    type Item = Result<Found, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_group() {
            Ok(found) => {
                (self.at, self.hider, self.number) = (found.end(), found.trailer_at, self.number + 1);
                Some(Ok(found))
            }
            Err(error @ SegmentError::Io { .. }) => {
                self.number = u32::MAX;
                Some(Err(error))
            }
            Err(_) => None,
        }
    }
}
