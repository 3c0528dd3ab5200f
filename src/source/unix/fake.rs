//! A sender for tests, by a clock that no test waits for.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::connection::Wire;
use crate::source::clock::fake::FakeClock;

/// What a sender sends, and when: milliseconds after the clock began.
pub(super) struct FakeWire<'c, 't> {
    clock: &'c FakeClock<'t>,
    pieces: VecDeque<(u64, Vec<u8>)>,
    /// When it hangs up.
    ends_ms: Option<u64>,
    /// Whether it sends its first piece again and again.
    is_endless: bool,
    at: usize,
}

impl<'c, 't> FakeWire<'c, 't> {
    pub(super) fn new(clock: &'c FakeClock<'t>, pieces: &[(u64, &[u8])], ends_ms: Option<u64>) -> Self {
        let pieces = pieces.iter().map(|(at_ms, bytes)| (*at_ms, bytes.to_vec())).collect();
        Self { clock, pieces, ends_ms, is_endless: false, at: 0 }
    }

    /// A sender of `bytes` that is never done.
    pub(super) fn endless(clock: &'c FakeClock<'t>, bytes: &[u8]) -> Self {
        Self { is_endless: true, ..Self::new(clock, &[(0, bytes)], None) }
    }

    fn next_ms(&self) -> Option<u64> {
        self.pieces.front().map(|(at_ms, _)| *at_ms).or(self.ends_ms)
    }
}

impl Wire for FakeWire<'_, '_> {
    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let left_ms = self.next_ms().map_or(u64::MAX, |at_ms| at_ms.saturating_sub(self.clock.elapsed_ms()));
        self.clock.pass(timeout.min(Duration::from_millis(left_ms)), || false);
        Ok(self.next_ms().is_some_and(|at_ms| at_ms <= self.clock.elapsed_ms()))
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.next_ms().is_none_or(|at_ms| at_ms > self.clock.elapsed_ms()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Some((_, bytes)) = self.pieces.front() else { return Ok(0) };
        if self.is_endless {
            room.iter_mut().for_each(|byte| {
                *byte = bytes[self.at % bytes.len()];
                self.at += 1;
            });
            return Ok(room.len());
        }
        let count = room.len().min(bytes.len() - self.at);
        room[..count].copy_from_slice(&bytes[self.at..self.at + count]);
        self.at += count;
        if self.at == bytes.len() {
            self.at = 0;
            self.pieces.pop_front();
        }
        Ok(count)
    }
}
