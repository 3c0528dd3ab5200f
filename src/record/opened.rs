//! A segment's file, opened to be read: it is the one that the catalogue means, and where its frames lie is known.

use std::fs::File;
use std::sync::Arc;

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::folder;
use crate::memory::{Account, Lease};
use crate::segment::{IndexEntry, SegmentError, Summary, read_index, read_summary};

/// A segment that is read.
pub(super) struct Opened {
    pub(super) info: Arc<SegmentInfo>,
    pub(super) file: File,
    pub(super) index: Vec<IndexEntry>,
}

impl Opened {
    /// Opens a segment, and reads where its frames lie. The head of one that is being written is not looked at: it may change in this
    /// moment, and its file has no other use while `info` is held.
    ///
    /// # Errors
    /// That the file cannot be read, or is another segment's by now.
    pub(super) fn open(info: &Arc<SegmentInfo>) -> Result<Self, RecordError> {
        if info.summary.is_closed {
            return Self::open_checked(info);
        }
        let file = folder::open(info.path(), false).map_err(RecordError::io(info.path()))?;
        Ok(Self { info: Arc::clone(info), file, index: written(info) })
    }

    /// As [`Self::open`], with a lease for the memory of the index, which is taken before that is read; `None` where there is
    /// no room for it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn leased(
        info: &Arc<SegmentInfo>,
        memory: &Arc<Account>,
    ) -> Result<Option<(Self, Lease)>, RecordError> {
        let bytes = |entries: usize| entries * size_of::<IndexEntry>();
        let written = || info.written.iter().map(|group| group.len()).sum();
        let expected = if info.summary.is_closed { info.summary.frames as usize } else { written() };
        let Some(mut lease) = memory.lease(bytes(expected)) else { return Ok(None) };
        let opened = Self::open(info)?;
        // The file itself may have others than the catalogue knows of.
        Ok(lease.resize(bytes(opened.index.len())).then_some((opened, lease)))
    }

    /// As [`Self::open`], also of one that is being written only if its head says that it is this segment.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_checked(info: &Arc<SegmentInfo>) -> Result<Self, RecordError> {
        let (file, found) = Self::open_file(info)?;
        let index = if info.summary.is_closed {
            read_index(&file, &found).map_err(RecordError::segment(info.path()))?
        } else {
            written(info)
        };
        Ok(Self { info: Arc::clone(info), file, index })
    }

    /// Opens a segment's file, and reads what it says of itself.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_file(info: &SegmentInfo) -> Result<(File, Summary), RecordError> {
        let path = info.path();
        let file = folder::open(path, false).map_err(RecordError::io(path))?;
        let found: Summary = read_summary(&file).map_err(RecordError::segment(path))?;
        if found.head.uuid != info.summary.head.uuid {
            let what = SegmentError::Damaged { offset: 0, what: "it is another segment now" };
            return Err(RecordError::Segment(path.to_owned(), what));
        }
        Ok((file, found))
    }

    /// Where its clusters begin, in the order of their times.
    pub(super) fn clusters(&self, is_wanted: impl Fn(&IndexEntry) -> bool) -> Vec<u32> {
        let wanted = self.index.iter().filter(|entry| is_wanted(entry));
        let mut clusters: Vec<u32> = wanted.map(|entry| entry.cluster).collect();
        clusters.dedup();
        clusters
    }
}

fn written(info: &SegmentInfo) -> Vec<IndexEntry> {
    info.written.iter().flat_map(|group| group.iter().copied()).collect()
}
