//! What of a stream belongs to no picture: enough of it that a person sees what comes instead.

use super::JpegStream;

/// Of what stands before a picture, so much is kept: the head of a part, and the beginning of what is in it.
const KEPT_BYTES: usize = 512;

impl JpegStream {
    /// The first bytes since the last whole picture that belong to none.
    pub fn stray(&self) -> &[u8] {
        &self.stray
    }

    /// Goes on at `next`, with no picture before it.
    pub(super) fn skip_to(&mut self, next: usize) {
        let skipped = &self.buffer[self.at..next];
        self.dropped.skipped_bytes += skipped.len() as u64;
        let kept = skipped.len().min(KEPT_BYTES - self.stray.len());
        self.stray.extend_from_slice(&skipped[..kept]);
        self.search_from(next);
    }
}
