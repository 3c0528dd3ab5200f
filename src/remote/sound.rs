//! The sound of a microphone of another Defender, as it comes.

use std::time::{Duration, Instant};

use super::RemoteError;
use crate::client::Body;

/// What Defender sends before the first sample of `?codec=wav`.
const WAV_HEADER_BYTES: usize = 44;

/// Nothing for so long is too long: a lost microphone sends silence meanwhile.
const STALL: Duration = Duration::from_secs(10);

/// Sound as it comes: S16_LE, from its first frame on.
pub struct Sound<'w> {
    body: Body<'w>,
    channels: usize,
}

impl<'w> Sound<'w> {
    /// The sound in a body, which must have the rate and channels that its server lists: another would be heard too
    /// high, or as noise.
    pub(super) fn of(mut body: Body<'w>, (rate_hz, channels): (u32, u32)) -> Result<Self, RemoteError> {
        let end = Instant::now() + STALL;
        while body.ahead().len() < WAV_HEADER_BYTES {
            body.fill(end)?;
        }
        if wav_format(body.ahead()) != Some((rate_hz, channels)) {
            return Err(RemoteError::Garbled("sound in another format than its status says"));
        }
        body.take(WAV_HEADER_BYTES);
        Ok(Self { body, channels: channels as usize })
    }

    /// The samples that came since the last call, whole frames; waits for some.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn samples(&mut self) -> Result<Vec<i16>, RemoteError> {
        let frame_bytes = 2 * self.channels;
        let end = Instant::now() + STALL;
        while self.body.ahead().len() < frame_bytes {
            self.body.fill(end)?;
        }
        let whole = self.body.ahead().len() / frame_bytes * frame_bytes;
        let samples = self.body.ahead()[..whole].chunks_exact(2);
        let samples = samples.map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        self.body.take(whole);
        Ok(samples)
    }
}

/// Rate and channels of a WAV of 16 bit samples, by its header as Defender writes it (RIFF, with `fmt `
/// first and `data` at its end); `None` for anything else.
fn wav_format(header: &[u8]) -> Option<(u32, u32)> {
    let is_at = |at: usize, text: &[u8]| header.get(at..at + text.len()) == Some(text);
    // PCM is kind 1.
    let is_known = is_at(0, b"RIFF") && is_at(8, b"WAVEfmt \x10\0\0\0\x01\0") && is_at(34, b"\x10\0data");
    let two = |at: usize| Some(u16::from_le_bytes(header.get(at..at + 2)?.try_into().ok()?));
    let rate_hz = u32::from(two(24)?) | u32::from(two(26)?) << 16;
    is_known.then_some((rate_hz, u32::from(two(22)?)))
}
