//! Reading of a segment: every length is checked against the file, because a file may be a lie.

use super::ebml::{self, Element, id};
use super::layout::MAX_GROUP_BLOCKS;
use super::{ReadAt, SegmentError, Track};

/// Bytes that are read at once to find the heads of blocks: pictures are far apart, packets of sound are not.
const WINDOW_BYTES: usize = 256;

/// Longest head of an element that is looked at, with what a block has before its content: 4 + 8 + 4.
const LONGEST_HEAD_BYTES: u64 = 16;

/// Most elements of a cluster: its blocks, time and checksum. More is a lie that would take long to read.
const MAX_ELEMENTS: u64 = MAX_GROUP_BLOCKS as u64 + 4;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// What it is.
    pub track: Track,
    /// When it was captured, in milliseconds from the segment's start.
    pub at_ms: u32,
    /// Where its content begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of its content.
    pub length: u32,
}

/// The blocks of a Cluster; made by [`read_blocks`]. It ends after an error.
pub struct Blocks<'a, R: ?Sized> {
    file: &'a R,
    /// The next element.
    at: u64,
    end: u64,
    timestamp_ms: Option<u32>,
    /// Elements that may still come.
    elements_left: u64,
    window: [u8; WINDOW_BYTES],
    window_at: u64,
    window_bytes: usize,
}

/// The blocks of the Cluster that begins at `cluster`, in the order in which they lie.
///
/// # Errors
/// Those of the system, and that there is no Cluster, or one that is longer than the file.
pub fn read_blocks<R: ReadAt + ?Sized>(file: &R, cluster: u64) -> Result<Blocks<'_, R>, SegmentError> {
    let length = file.length().map_err(SegmentError::io("read the length"))?;
    let mut blocks = Blocks {
        file,
        at: cluster,
        end: length,
        timestamp_ms: None,
        elements_left: 1,
        window: [0; WINDOW_BYTES],
        window_at: 0,
        window_bytes: 0,
    };
    let (head, content_at) = blocks.next_head()?;
    let (id::CLUSTER, Some(size)) = (head.id, head.size) else {
        return Err(blocks.damaged("no Cluster"));
    };
    blocks.at = content_at;
    blocks.end = content_at + size;
    blocks.elements_left = MAX_ELEMENTS;
    Ok(blocks)
}

impl<R: ReadAt + ?Sized> Blocks<'_, R> {
    /// The head of the next element, which lies in the Cluster, and where its content begins.
    fn next_head(&mut self) -> Result<(Element, u64), SegmentError> {
        self.elements_left =
            self.elements_left.checked_sub(1).ok_or(self.damaged("more elements than a Cluster has"))?;
        let at = self.at;
        let head = ebml::read_element(self.look(at)?).ok_or(self.damaged("no element"))?;
        let size = head.size.ok_or(self.damaged("an element of unknown size"))?;
        let content_at = at + head.head_bytes as u64;
        if content_at.checked_add(size).is_none_or(|end| end > self.end) {
            return Err(self.damaged("an element that is longer than what it is in"));
        }
        Ok((head, content_at))
    }

    /// The bytes from `at` on, at least as many as the longest head has, or all until the end of the file.
    fn look(&mut self, at: u64) -> Result<&[u8], SegmentError> {
        let is_inside =
            at >= self.window_at && at + LONGEST_HEAD_BYTES <= self.window_at + self.window_bytes as u64;
        if !is_inside {
            let read = self.file.read_at(&mut self.window, at);
            self.window_bytes = read.map_err(SegmentError::io("read a block"))?;
            self.window_at = at;
        }
        Ok(&self.window[(at - self.window_at) as usize..self.window_bytes])
    }

    /// The block with this head.
    fn block(&mut self, size: u64, content_at: u64) -> Result<BlockPlace, SegmentError> {
        let at = self.at;
        let head_bytes = (content_at - at) as usize;
        let start = self.look(at)?.get(head_bytes..head_bytes + 4).and_then(|bytes| bytes.first_chunk());
        let (Some(&[track, high, low, flags]), Some(content)) = (start, size.checked_sub(4)) else {
            return Err(self.damaged("a block that is too short"));
        };
        let track = match track {
            0x81 => Track::Picture,
            0x82 => Track::Sound,
            _ => return Err(self.damaged("a block of another track")),
        };
        if flags & 0x06 != 0 {
            return Err(self.damaged("a block with lacing"));
        }
        let timestamp = self.timestamp_ms.ok_or(self.damaged("a block before the time"))?;
        let at_ms = timestamp.checked_add_signed(i16::from_be_bytes([high, low]).into());
        let at_ms = at_ms.ok_or(self.damaged("a block before the start"))?;
        let length = u32::try_from(content).map_err(|_| self.damaged("a block that is too long"))?;
        Ok(BlockPlace { track, at_ms, offset: content_at + 4, length })
    }

    fn timestamp(&mut self, size: u64, content_at: u64) -> Result<u32, SegmentError> {
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..size as usize).ok_or(self.damaged("a time of more than 8 bytes"))?;
        self.file.read_exact_at(bytes, content_at)?;
        u32::try_from(ebml::read_uint(bytes)).map_err(|_| self.damaged("a time out of range"))
    }

    fn next_block(&mut self) -> Result<Option<BlockPlace>, SegmentError> {
        while self.at < self.end {
            let (head, content_at) = self.next_head()?;
            let size = head.size.unwrap_or(0);
            let block = match head.id {
                id::TIMESTAMP => {
                    self.timestamp_ms = Some(self.timestamp(size, content_at)?);
                    None
                }
                id::SIMPLE_BLOCK => Some(self.block(size, content_at)?),
                _ => None,
            };
            self.at = content_at + size;
            if block.is_some() {
                return Ok(block);
            }
        }
        Ok(None)
    }

    fn damaged(&self, what: &'static str) -> SegmentError {
        SegmentError::Damaged { offset: self.at, what }
    }
}

impl<R: ReadAt + ?Sized> Iterator for Blocks<'_, R> {
    type Item = Result<BlockPlace, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_block().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.at = self.end;
        }
        next
    }
}

/// What [`ReadAt`] does not have for the sake of those who implement it.
pub(super) trait ReadExact {
    /// Fills the buffer.
    ///
    /// # Errors
    /// Those of the system, and that the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SegmentError>;
}

impl<R: ReadAt + ?Sized> ReadExact for R {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SegmentError> {
        let count = self.read_at(buffer, offset).map_err(SegmentError::io("read the segment"))?;
        if count < buffer.len() {
            return Err(SegmentError::Damaged { offset, what: "the file ends" });
        }
        Ok(())
    }
}
