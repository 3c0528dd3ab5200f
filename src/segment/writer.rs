//! The writer of a segment.
//!
//! A group costs one write of its own, one of nine bytes that shows the group before, and one `fdatasync`. The bytes of
//! pictures are not copied: the kernel takes them from where they are.

use std::io::IoSlice;

use super::index::{closing, closing_bytes};
use super::layout::{
    BLOCK_HEAD_BYTES, CLUSTER_HEAD_BYTES, CLUSTER_START_BYTES, CRC_ELEMENT_BYTES, MAX_BLOCK_BYTES,
    MAX_GROUP_BLOCKS, SECTOR_BYTES, SUMMARY_AT, end_of_group, most_pictures, trailer_at, void_between,
};
use super::summary::{COUNTS_AT, Summary, is_length};
use super::trailer::Trailer;
use super::walk::Found;
use super::{
    Block, Group, IndexEntry, MAX_GROUP_MS, MAX_STRETCHES, SegmentError, SegmentFile, SegmentHead, Stretch,
    Track, ebml, header, matroska,
};

/// Longest time that the last picture is taken to last.
const LONGEST_LAST_MS: u32 = 1000;

/// Writes one segment. After an error of a write or of a sync it writes no more: what the file holds is as of the
/// last group that was appended, and [`super::recover()`] closes it.
pub struct SegmentWriter<F> {
    file: F,
    summary: Summary,
    index: Vec<IndexEntry>,
    groups: u32,
    /// The Void behind the last group, or the summary: what is written next is hidden in it.
    hider: u64,
    /// The last group, until it is shown.
    hidden: Option<Hidden>,
    /// All that is written with the bytes of blocks, used again for each group.
    heads: Vec<u8>,
    is_broken: bool,
}

/// A group that is synced and not shown.
#[derive(Clone, Copy)]
struct Hidden {
    /// The Void that hides it.
    hider: u64,
    /// Where it begins, and that Void is to end.
    at: u64,
}

/// What a group becomes.
struct Plan {
    content_bytes: u64,
    trailer_at: u64,
    end: u64,
    start_ms: u32,
    end_ms: u32,
    frames: u32,
}

impl<F: SegmentFile> SegmentWriter<F> {
    /// Begins a segment in a file that has `length` bytes already, and syncs it. What the file held before is hidden.
    ///
    /// # Errors
    /// Those of the system; [`SegmentError::Unfit`] for a length that is no multiple of [`super::PAGE_BYTES`], too short
    /// or of 4 GiB or more, and for a head that has no room; [`SegmentError::Short`] for a file that is shorter.
    pub fn create(file: F, length: u64, head: &SegmentHead) -> Result<Self, SegmentError> {
        header::check(head)?;
        if !is_length(length) {
            return Err(SegmentError::Unfit("a length that is no multiple of 4096, or 4 GiB or more"));
        }
        let has_bytes = file.length().map_err(SegmentError::io("read the length"))?;
        if has_bytes < length {
            return Err(SegmentError::Short { has_bytes, wants_bytes: length });
        }
        let mut writer = Self::resume(file, Summary::new(head.clone(), length));
        let page = header::page(head, Some(length), None);
        writer.write(&[IoSlice::new(&page), IoSlice::new(&writer.summary.to_page())], 0)?;
        writer.sync()?;
        Ok(writer)
    }

    /// Whether a group of `blocks` blocks with so many bytes of content in all fits, and can be closed.
    pub fn has_room(&self, bytes: u64, blocks: usize) -> bool {
        self.end_with(bytes, blocks, blocks).is_some()
    }

    /// Whether this group fits; another stretch may be one too many where its bytes are not.
    pub fn fits(&self, group: &Group<'_>) -> bool {
        let bytes = group.blocks.iter().map(|block| block.bytes.len() as u64).sum();
        let pictures = group.blocks.iter().filter(|block| block.track == Track::Picture).count();
        let begins_stretch = group.gap_before.is_some() || self.summary.stretches.is_empty();
        (!begins_stretch || self.summary.stretches.len() < MAX_STRETCHES)
            && self.end_with(bytes, group.blocks.len(), pictures).is_some()
    }

    /// Writes a group and waits until it is on the disk. A player sees it when the next one is written, or at the close.
    ///
    /// # Errors
    /// [`SegmentError::Full`] and [`SegmentError::Unfit`], after which another group may be written; those of the
    /// system, after which none can be.
    pub fn append(&mut self, group: &Group<'_>) -> Result<(), SegmentError> {
        if self.is_broken {
            return Err(SegmentError::Broken);
        }
        let plan = self.plan(group)?;
        let at = self.summary.data_end;
        let trailer = self.build(group, &plan);
        let mut parts = Vec::with_capacity(2 * group.blocks.len() + 1);
        let mut heads = &self.heads[..];
        let first = (CLUSTER_HEAD_BYTES + CLUSTER_START_BYTES + BLOCK_HEAD_BYTES) as usize;
        for (number, block) in group.blocks.iter().enumerate() {
            let (head, rest) = heads.split_at(if number == 0 { first } else { BLOCK_HEAD_BYTES as usize });
            parts.extend([IoSlice::new(head), IoSlice::new(block.bytes)]);
            heads = rest;
        }
        parts.push(IoSlice::new(heads));
        let written = self.file.write_at(&parts, at);
        self.note(written, "write the segment")?;
        self.show_last()?;
        self.sync()?;

        self.hidden = Some(Hidden { hider: self.hider, at });
        self.hider = plan.trailer_at;
        self.add_to_index(group, at);
        self.summary.add(&trailer, plan.end);
        self.groups += 1;
        Ok(())
    }

    /// Notes that there was an event. It is stored with the next group and at the close.
    pub fn note_event(&mut self) {
        self.summary.has_events = true;
    }

    /// The summary as of now: of all groups that were appended. Not closed.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The pictures that were appended.
    pub fn index(&self) -> &[IndexEntry] {
        &self.index
    }

    /// Writes Cues, index, duration and summary, and waits until they are on the disk. A file of which less than three
    /// quarters are used is cut.
    ///
    /// # Errors
    /// Those of the system; the file then is what it was, and [`super::recover()`] closes it.
    pub fn close(mut self) -> Result<Summary, SegmentError> {
        if self.is_broken {
            return Err(SegmentError::Broken);
        }
        let length = self.summary.length;
        let data_end = self.summary.data_end;
        let used = data_end + closing_bytes(self.index.len() as u64);
        let is_cut = used < length / 4 * 3;
        let end = if is_cut { used } else { length };
        let (tail, index_at) = closing(&self.index, self.summary.head.uuid, data_end, end);
        self.show_last()?;
        self.write(&[IoSlice::new(&tail)], data_end)?;
        if is_cut {
            self.write(&[IoSlice::new(&void_between(end, length))], end)?;
        }
        self.sync()?;
        self.write(&[IoSlice::new(&void_between(self.hider, data_end))], self.hider)?;
        if is_cut {
            self.write_first_sector(&header::page(&self.summary.head, None, None))?;
        }
        // Before the summary says that it is closed.
        self.sync()?;
        if is_cut {
            self.file.truncate(end).map_err(SegmentError::io("cut the segment"))?;
            self.sync()?;
        }
        self.summary.cues_at = (!self.index.is_empty()).then_some(data_end);
        (self.summary.index_at, self.summary.length) = (Some(index_at), end);
        self.summary.is_closed = true;
        let closed = header::Closed { cues_at: self.summary.cues_at, duration_ms: self.duration_ms() };
        let page = header::page(&self.summary.head, Some(end), Some(closed));
        self.write_first_sector(&page)?;
        let counts = self.summary.to_counts(crc32fast::hash(&page[..SECTOR_BYTES as usize]));
        self.write(&[IoSlice::new(&counts)], COUNTS_AT)?;
        self.sync()?;
        Ok(self.summary)
    }

    /// A writer of a file that has a segment without groups.
    pub(super) fn resume(file: F, summary: Summary) -> Self {
        let (hider, is_broken) = (SUMMARY_AT, false);
        Self {
            file,
            summary,
            index: Vec::new(),
            groups: 0,
            hider,
            hidden: None,
            heads: Vec::new(),
            is_broken,
        }
    }

    /// Takes a group that lies in the file already, and shows it. Returns whether it fits to those before.
    pub(super) fn take_found(&mut self, found: &Found, entries: &[IndexEntry]) -> Result<bool, SegmentError> {
        let trailer = &found.trailer;
        let pictures = (self.index.len() + entries.len()) as u64;
        let stretches = self.summary.stretches.len() + usize::from(trailer.gap_before.is_some());
        let fits = trailer.first_frame
            == self.summary.next_frame().saturating_add(trailer.missed_before.into())
            && trailer.start_ms <= trailer.end_ms
            && pictures <= most_pictures(self.summary.length)
            && stretches <= MAX_STRETCHES
            && found.end() + closing_bytes(pictures) <= self.summary.length;
        if !fits {
            return Ok(false);
        }
        if !found.is_shown {
            self.write(&[IoSlice::new(&void_between(found.hider, found.at))], found.hider)?;
        }
        self.index.extend_from_slice(entries);
        self.summary.add(trailer, found.end());
        self.hider = found.trailer_at;
        self.groups += 1;
        Ok(true)
    }

    /// Where a group would end; `None` where it does not fit.
    fn end_with(&self, bytes: u64, blocks: usize, pictures: usize) -> Option<u64> {
        let pictures = (self.index.len() + pictures) as u64;
        let end = end_of_group(self.summary.data_end, bytes, blocks as u64);
        let fits = end + closing_bytes(pictures) <= self.summary.length
            && pictures <= most_pictures(self.summary.length);
        fits.then_some(end)
    }

    fn plan(&self, group: &Group<'_>) -> Result<Plan, SegmentError> {
        let blocks = group.blocks;
        if blocks.is_empty() || blocks.len() > MAX_GROUP_BLOCKS {
            return Err(SegmentError::Unfit("a group without blocks, or with more than 8192"));
        }
        if blocks.iter().any(|block| block.bytes.len() > MAX_BLOCK_BYTES as usize) {
            return Err(SegmentError::Unfit("a block of more than 16 MiB"));
        }
        let (mut start_ms, mut end_ms) = (u32::MAX, 0);
        for block in blocks {
            let at_ms = at_ms(block).ok_or(SegmentError::Unfit("a time of more than 49 days"))?;
            (start_ms, end_ms) = (start_ms.min(at_ms), end_ms.max(at_ms));
        }
        if end_ms - start_ms > MAX_GROUP_MS {
            return Err(SegmentError::Unfit("a group of more than 32 s"));
        }
        if !self.fits(group) {
            return Err(SegmentError::Full);
        }
        let bytes: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
        let frames = blocks.iter().filter(|block| block.track == Track::Picture).count() as u32;
        let content_bytes = CLUSTER_START_BYTES + blocks.len() as u64 * BLOCK_HEAD_BYTES + bytes;
        let trailer_at = trailer_at(self.summary.data_end + CLUSTER_HEAD_BYTES + content_bytes);
        let end = super::layout::group_end(trailer_at);
        Ok(Plan { content_bytes, trailer_at, end, start_ms, end_ms, frames })
    }

    /// Puts all that is not a block's content into `heads`. Returns the trailer.
    fn build(&mut self, group: &Group<'_>, plan: &Plan) -> Trailer {
        let heads = &mut self.heads;
        heads.clear();
        heads.extend(matroska::cluster_head(plan.content_bytes));
        ebml::put_u32(heads, ebml::id::CRC_32, 0);
        ebml::put_u32(heads, ebml::id::TIMESTAMP, plan.start_ms);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&heads[(CLUSTER_HEAD_BYTES + CRC_ELEMENT_BYTES) as usize..]);
        for block in group.blocks {
            let relative_ms = at_ms(block).unwrap_or(plan.start_ms) - plan.start_ms;
            let head = matroska::block_head(block.track, relative_ms as i16, block.bytes.len() as u32);
            hasher.update(&head);
            hasher.update(block.bytes);
            heads.extend(head);
        }
        let cluster_crc = hasher.finalize();
        // EBML's checksum is the only number that is little-endian (RFC 8794, section 11.3.1).
        heads[CLUSTER_HEAD_BYTES as usize + 2..][..4].copy_from_slice(&cluster_crc.to_le_bytes());
        let trailer = Trailer {
            uuid: self.summary.head.uuid,
            number: self.groups,
            cluster_bytes: plan.content_bytes as u32,
            cluster_crc,
            frames: plan.frames,
            sound_blocks: group.blocks.len() as u32 - plan.frames,
            missed_before: group.missed_before,
            first_frame: self.summary.next_frame().saturating_add(group.missed_before.into()),
            start_ms: plan.start_ms,
            end_ms: plan.end_ms,
            gap_before: group.gap_before,
            has_events: self.summary.has_events,
        };
        let cluster_end = self.summary.data_end + CLUSTER_HEAD_BYTES + plan.content_bytes;
        if plan.trailer_at > cluster_end {
            ebml::put_void(heads, (plan.trailer_at - cluster_end) as usize);
        }
        let trailer_start = heads.len();
        heads.extend(trailer.to_bytes());
        let void = void_between(plan.trailer_at, self.summary.length);
        heads[trailer_start..][..void.len()].copy_from_slice(&void);
        heads.resize(trailer_start + (plan.end - plan.trailer_at) as usize, 0);
        trailer
    }

    fn add_to_index(&mut self, group: &Group<'_>, at: u64) {
        let mut offset = at + CLUSTER_HEAD_BYTES + CLUSTER_START_BYTES;
        for block in group.blocks {
            offset += BLOCK_HEAD_BYTES;
            let length = block.bytes.len() as u32;
            if block.track == Track::Picture {
                let at_ms = at_ms(block).unwrap_or(0);
                self.index.push(IndexEntry { at_ms, offset: offset as u32, length, cluster: at as u32 });
            }
            offset += u64::from(length);
        }
    }

    /// Writes what may change of the file's first page.
    fn write_first_sector(&mut self, page: &[u8]) -> Result<(), SegmentError> {
        self.write(&[IoSlice::new(&page[..SECTOR_BYTES as usize])], 0)
    }

    fn show_last(&mut self) -> Result<(), SegmentError> {
        let Some(Hidden { hider, at }) = self.hidden.take() else { return Ok(()) };
        self.write(&[IoSlice::new(&void_between(hider, at))], hider)
    }

    /// Until the last block, and until the end of the last picture, which lasts as long as the one before.
    fn duration_ms(&self) -> u32 {
        let end_of_last = match self.index[..] {
            [.., before, last] => {
                last.at_ms.saturating_add(last.at_ms.saturating_sub(before.at_ms).clamp(1, LONGEST_LAST_MS))
            }
            _ => 1,
        };
        self.summary.end_ms.max(end_of_last)
    }

    fn write(&mut self, parts: &[IoSlice<'_>], offset: u64) -> Result<(), SegmentError> {
        let written = self.file.write_at(parts, offset);
        self.note(written, "write the segment")
    }

    fn sync(&mut self) -> Result<(), SegmentError> {
        let synced = self.file.sync();
        self.note(synced, "sync the segment")
    }

    fn note(&mut self, result: std::io::Result<()>, what: &'static str) -> Result<(), SegmentError> {
        self.is_broken |= result.is_err();
        result.map_err(SegmentError::io(what))
    }
}

impl Summary {
    /// Counts one more group, which ends at `end` of the file.
    fn add(&mut self, group: &Trailer, end: u64) {
        self.frames += group.frames;
        self.missed = self.missed.saturating_add(group.missed_before);
        self.sound_blocks += group.sound_blocks;
        self.has_events |= group.has_events;
        self.data_end = end;
        let is_first = self.stretches.is_empty();
        self.start_ms = if is_first { group.start_ms } else { self.start_ms.min(group.start_ms) };
        self.end_ms = self.end_ms.max(group.end_ms);
        match self.stretches.last_mut() {
            Some(stretch) if group.gap_before.is_none() => stretch.end_ms = stretch.end_ms.max(group.end_ms),
            _ => {
                let Trailer { start_ms, end_ms, gap_before, .. } = *group;
                self.stretches.push(Stretch { start_ms, end_ms, gap_before });
            }
        }
    }
}

/// A block's time in the file.
fn at_ms(block: &Block<'_>) -> Option<u32> {
    u32::try_from(block.at_us.saturating_add(500) / 1000).ok()
}
