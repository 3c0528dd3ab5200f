//! The body of an answer, as it comes.

use std::io::ErrorKind;
use std::time::Instant;

use super::ClientError;
use super::connection::{Connection, TIMEOUT, is_waiting};
use super::framing::Framing;
use crate::memory::Lease;

/// Largest head read, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// Most that is read at a time, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// A buffer of this size is not made smaller.
const SMALL_BYTES: usize = 128 * 1024;

/// The body of an answer.
pub struct Body<'w> {
    connection: Connection,
    /// Received and not yet taken.
    ahead: Vec<u8>,
    /// Of the memory that `ahead` takes.
    lease: Lease,
    framing: Framing,
    /// Whether the server keeps the connection behind this body.
    is_kept: bool,
    is_wanted: &'w dyn Fn() -> bool,
}

impl<'w> Body<'w> {
    /// What comes over a connection, in memory of `lease`; until [`Body::begin`] that is a head.
    pub(super) fn new(connection: Connection, lease: Lease, is_wanted: &'w dyn Fn() -> bool) -> Self {
        Self { connection, ahead: Vec::new(), lease, framing: Framing::UntilClose, is_kept: false, is_wanted }
    }

    /// Reads until `parse` finds a head.
    pub(super) fn read_head<H>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<H>, ClientError>,
    ) -> Result<H, ClientError> {
        let end = Instant::now() + TIMEOUT;
        loop {
            match parse(&self.ahead)? {
                Some(head) => return Ok(head),
                None if self.ahead.len() < HEAD_BYTES => self.fill(end)?,
                None => return Err(ClientError::Garbled("the head of its answer")),
            }
        }
    }

    /// Takes a head of so many bytes; what is behind it is the beginning of a body with this `framing`, behind which the
    /// connection may be kept.
    pub(super) fn begin(
        &mut self,
        head_bytes: usize,
        framing: Framing,
        is_kept: bool,
    ) -> Result<(), ClientError> {
        self.framing = framing;
        self.is_kept = is_kept;
        let received = self.ahead.split_off(head_bytes);
        self.ahead.clear();
        self.framing.decode(&received, &mut self.ahead)
    }

    /// Sends a request over the connection of a body that has ended, or has not begun.
    pub(super) fn send(&mut self, head: &str, body: &[u8]) -> Result<(), ClientError> {
        self.connection.write_all(head.as_bytes()).map_err(ClientError::Io)?;
        self.connection.write_all(body).map_err(ClientError::Io)
    }

    /// The same connection for another request, where the body is whole and the server keeps it.
    pub(super) fn again(mut self) -> Option<Self> {
        let may_go_on = self.is_kept && self.framing.is_complete() && !self.connection.has_more();
        self.ahead.clear();
        self.framing = Framing::UntilClose;
        may_go_on.then_some(self)
    }

    /// Whether the whole body has come, and is known to be whole. Some of it may not be taken yet.
    pub fn is_complete(&self) -> bool {
        self.framing.is_complete()
    }

    /// Whether the whole body was taken.
    pub fn has_ended(&self) -> bool {
        self.framing.is_complete() && self.ahead.is_empty()
    }

    /// Whether reading will likely not wait.
    pub fn has_more(&self) -> bool {
        self.connection.has_more()
    }

    /// The whole of a body that is at most `most` bytes long.
    ///
    /// # Errors
    /// A longer body, one that does not come in ten seconds, and the errors of the connection.
    pub fn whole(mut self, most: usize) -> Result<Vec<u8>, ClientError> {
        let end = Instant::now() + TIMEOUT;
        loop {
            if self.ahead.len() as u64 + self.framing.promised_bytes() > most as u64 {
                return Err(ClientError::Garbled("a document too large"));
            }
            if self.framing.is_complete() {
                return Ok(self.ahead);
            }
            match self.fill(end) {
                Ok(()) => {}
                Err(ClientError::Ended) if matches!(self.framing, Framing::UntilClose) => {
                    return Ok(self.ahead);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What has come and was not taken yet.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes the first `count` bytes of what has come.
    pub fn take(&mut self, count: usize) {
        self.ahead.drain(..count);
    }

    /// Makes room for `count` bytes ahead, and what may come behind them; false where there is no memory
    /// for them.
    pub fn make_room(&mut self, count: usize) -> bool {
        let needed = count.saturating_add(CHUNK_BYTES);
        if needed <= self.ahead.capacity() {
            return true;
        }
        if !self.lease.resize(needed) {
            return false;
        }
        self.ahead.reserve_exact(needed - self.ahead.len());
        true
    }

    /// Gives up memory that `count` bytes ahead would hardly use.
    pub fn shrink(&mut self, count: usize) {
        let enough = count.saturating_mul(2).max(SMALL_BYTES);
        if self.ahead.capacity() > enough.saturating_mul(2) {
            self.ahead.shrink_to(enough);
            self.lease.resize(self.ahead.capacity());
        }
    }

    /// Reads `count` bytes and keeps none of them.
    ///
    /// # Errors
    /// As [`Body::fill`].
    pub fn skip(&mut self, count: usize, end: Instant) -> Result<(), ClientError> {
        let mut left = count;
        loop {
            let now = left.min(self.ahead.len());
            self.take(now);
            left -= now;
            if left == 0 {
                return Ok(());
            }
            self.fill(end)?;
        }
    }

    /// Waits for more, until `end` at most, and reads it into `room` of the caller's, which saves a copy. Returns how many
    /// bytes that were; none where only the size of a chunk has come.
    ///
    /// # Errors
    /// As [`Body::fill`].
    pub fn read(&mut self, room: &mut [u8], end: Instant) -> Result<usize, ClientError> {
        if self.ahead.is_empty() {
            let most = self.framing.plain_bytes().min(room.len());
            if most > 0 {
                let count = self.receive(&mut room[..most], end)?;
                self.framing.pass(count);
                return Ok(count);
            }
            self.fill(end)?;
        }
        let count = self.ahead.len().min(room.len());
        room[..count].copy_from_slice(&self.ahead[..count]);
        self.take(count);
        Ok(count)
    }

    /// Waits for more, until `end` at most.
    ///
    /// # Errors
    /// [`ClientError::Ended`] at the end of the body and of the connection, [`ClientError::Stalled`] at `end`; chunks
    /// that are none; no memory; the errors of the connection.
    pub fn fill(&mut self, end: Instant) -> Result<(), ClientError> {
        let mut chunk = [0; CHUNK_BYTES];
        if self.framing.is_complete() {
            return Err(ClientError::Ended);
        }
        if self.ahead.capacity() - self.ahead.len() < CHUNK_BYTES && !self.make_room(self.ahead.len() * 2) {
            return Err(ClientError::NoMemory);
        }
        let received = self.receive(&mut chunk, end)?;
        self.framing.decode(&chunk[..received], &mut self.ahead)
    }

    /// Waits for bytes of the connection, until `end` at most.
    fn receive(&mut self, room: &mut [u8], end: Instant) -> Result<usize, ClientError> {
        loop {
            if !(self.is_wanted)() {
                return Err(ClientError::Stopped);
            }
            // Before the read, so that nothing that was read is lost.
            if Instant::now() >= end {
                return Err(ClientError::Stalled);
            }
            match self.connection.read(room) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(received) => return Ok(received),
                Err(error) if is_waiting(&error) => {}
                // An end without close_notify: lengths are counted where it matters.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(ClientError::Ended),
                Err(error) => return Err(ClientError::Io(error)),
            }
        }
    }
}
