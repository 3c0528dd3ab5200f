//! The sound of footage, sent to one listener as fast as it was captured.
//!
//! Where a short piece is missing there is silence of the same length; longer gaps are left out, as they are in the stream of pictures.
//! For a listener whose link is too slow, sound is left out as well: it stays beside the pictures.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::playback::MAX_LAG;
use crate::codec::part;
use crate::codec::sound::{Codec, SoundError};
use crate::gate::{After, Client, Job};
use crate::http::reply::{ResponseContext, stream_head};
use crate::record::{RecordedSound, SoundPlayer};

/// Missing sound of this length or more is left out.
const GAP_US: u64 = 3_000_000;

/// Missing sound of this length or less is no gap: stamps are exact to the millisecond.
const JITTER_US: u64 = 30_000;

/// How much sooner than it is due sound is sent.
const LEAD: Duration = Duration::from_millis(1000);

/// The longest sleep: after it, it is checked whether the listener is still there.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// How long it is waited for sound that is being recorded.
const LATEST: Duration = Duration::from_secs(10);

/// The job that streams the sound; only the head of the response if `head_only`.
pub fn stream(
    mut player: SoundPlayer,
    to_us: Option<u64>,
    codec: Codec,
    head_only: bool,
    context: ResponseContext,
) -> Job {
    Box::new(move |client: &mut Client| {
        let first = player.next();
        let stamp = first.as_ref().map_or_else(String::new, |first| part::x_timestamp_at(first.at_us));
        let fields: &[_] = if first.is_some() { &[("X-Timestamp", stamp.as_str())] } else { &[] };
        let mut opening = stream_head(codec.content_type(), fields, &context);
        if !head_only {
            opening.extend(codec.opening(player.format()));
        }
        client.write_all(&opening)?;
        if let Some(first) = first.filter(|_| !head_only) {
            client.limit_latency();
            let begin = Instant::now();
            Sender { player, codec, to_us, begin, sent: 0, packets: 0, is_late: false }.run(first, client)?;
        }
        Ok(After::Close)
    })
}

struct Sender {
    player: SoundPlayer,
    codec: Codec,
    to_us: Option<u64>,
    begin: Instant,
    /// Frames of sound that were sent, or left out.
    sent: u64,
    packets: u32,
    /// Whether sound is being left out.
    is_late: bool,
}

impl Sender {
    fn run(&mut self, first: RecordedSound, client: &mut Client) -> io::Result<()> {
        let format = self.player.format();
        let mut next = Some(first);
        let mut expected_us = None;
        while let Some(RecordedSound { at_us, samples }) = next {
            if self.to_us.is_some_and(|to| at_us > to) {
                return Ok(());
            }
            let missing_us = expected_us.map_or(0, |expected| at_us.saturating_sub(expected));
            if (JITTER_US..GAP_US).contains(&missing_us) {
                let frames = format.frames_in(Duration::from_micros(missing_us)) as usize;
                self.send(&vec![0; frames * format.channels as usize], client)?;
            }
            let frames = (samples.len() / format.channels as usize) as u64;
            let lag = self.lag();
            self.is_late = lag >= MAX_LAG || self.is_late && !lag.is_zero();
            if self.is_late {
                self.sent += frames;
            } else {
                self.send(&samples, client)?;
            }
            expected_us = Some(at_us + format.length_of(frames).as_micros() as u64);
            if !self.wait(client) {
                return Ok(());
            }
            next = self.following(client);
        }
        Ok(())
    }

    /// Sends samples in packets of the codec's size.
    fn send(&mut self, samples: &[i16], client: &mut Client) -> io::Result<()> {
        let format = self.player.format();
        let packet = (self.codec.packet_frames(format) * format.channels) as usize;
        for piece in samples.chunks(packet.max(format.channels as usize)) {
            let encoded = self
                .codec
                .encode(format, piece)
                .map_err(|error: SoundError| io::Error::other(error.to_string()))?;
            client.write_all(&encoded.bytes(self.packets))?;
            self.packets = self.packets.wrapping_add(1);
        }
        self.sent += (samples.len() / format.channels as usize) as u64;
        Ok(())
    }

    /// How much later than it is due the next sound is.
    fn lag(&self) -> Duration {
        Instant::now().saturating_duration_since(self.begin + self.player.format().length_of(self.sent))
    }

    /// Waits until more is due; false if the listener is gone.
    fn wait(&self, client: &mut Client) -> bool {
        let due = self.begin + self.player.format().length_of(self.sent);
        loop {
            let left = due.saturating_duration_since(Instant::now() + LEAD);
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(CHECK_EVERY));
            if left > CHECK_EVERY && client.is_gone() {
                return false;
            }
        }
    }

    /// The next packet. It is waited for one that is being recorded.
    fn following(&mut self, client: &mut Client) -> Option<RecordedSound> {
        let since = Instant::now();
        let mut has_waited = false;
        loop {
            if let Some(packet) = self.player.next() {
                // What is not written yet is no delay of the listener.
                if has_waited {
                    self.begin += self.lag();
                }
                return Some(packet);
            }
            has_waited = true;
            if since.elapsed() >= LATEST || self.player.lacks_memory() || client.is_gone() {
                return None;
            }
            thread::sleep(CHECK_EVERY);
        }
    }
}
