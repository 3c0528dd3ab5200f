//! `/audio`: sends sound to one listener until it disconnects, on its connection's own thread.
//!
//! A listener that keeps up hears everything, in order. One that falls behind skips to the present; the sound there
//! fades in from the last sample that it heard.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::part;
use crate::codec::shared::{EncodedPacket, SharedEncoder};
use crate::codec::sound::SoundError;
use crate::gate::{After, Client, Job};
use crate::hub::{Listening, LocalTotals};
use crate::media::Timestamp;

use crate::http::reply::{ResponseContext, stream_head};

/// How long to wait for sound before checking that the listener is still connected and still allowed.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// A listener that was not up to date for so long skips to the present. After a shorter delay it catches up by
/// itself, because sound is sent faster than it is heard.
const MAX_LAG: Duration = Duration::from_secs(1);

/// The same for a listener whose link has proved too slow for the sound: it would fall behind again and again,
/// and the sound in its send buffer comes on top.
const MAX_LAG_ON_SLOW_LINK: Duration = Duration::from_millis(200);

/// After so long without a skip, a link counts as fast enough again.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// The length of the fade after lost sound.
const FADE: Duration = Duration::from_millis(5);

/// The job that streams sound; only the head of the response if `head_only`.
pub fn stream(
    listening: Listening,
    encoder: Arc<SharedEncoder>,
    totals: LocalTotals,
    head_only: bool,
    context: ResponseContext,
) -> Job {
    Box::new(move |client: &mut Client| {
        let mut listener = Listener::new(listening, encoder, totals);
        let (codec, format) = (listener.encoder.codec(), listener.listening.format);
        // When the first sample was captured. All others follow at the stream's rate.
        let captured = listener.listening.next_captured().unwrap_or_else(Timestamp::now);
        let stamp = part::x_timestamp(captured);
        let mut opening = stream_head(codec.content_type(), &[("X-Timestamp", &stamp)], &context);
        if !head_only {
            opening.extend(codec.opening(format));
        }
        client.write_all(&opening)?;
        if !head_only {
            client.limit_latency();
            listener.send(client)?;
        }
        Ok(After::Close)
    })
}

/// A listener.
struct Listener {
    listening: Listening,
    encoder: Arc<SharedEncoder>,
    totals: LocalTotals,
    /// Packets sent.
    number: u32,
    /// The last frame sent, from which the fade after lost sound begins.
    last: Vec<i16>,
    /// When there was last less than a packet to send.
    caught_up: Instant,
    /// When sound was last skipped because the listener was late.
    last_late: Option<Instant>,
    /// Whether sound was skipped since the last packet.
    skipped: bool,
}

impl Listener {
    fn new(mut listening: Listening, encoder: Arc<SharedEncoder>, totals: LocalTotals) -> Self {
        encoder.align(&mut listening.reader);
        let caught_up = Instant::now();
        Self {
            listening,
            encoder,
            totals,
            number: 0,
            last: Vec::new(),
            caught_up,
            last_late: None,
            skipped: false,
        }
    }

    /// Sends until the listener disconnects or the sound ends.
    fn send(&mut self, client: &mut Client) -> io::Result<()> {
        let packet = self.encoder.packet_frames();
        loop {
            if self.listening.reader.behind() < packet {
                if !self.listening.reader.wait(packet, CHECK_EVERY) {
                    if self.listening.reader.is_closed() || client.is_gone() {
                        return Ok(());
                    }
                    continue;
                }
                // Not before the wait: sound that arrives at once after a gap is not a delay of the listener.
                self.caught_up = Instant::now();
            }
            self.skip_late_sound(Instant::now());
            match self.next_packet() {
                Ok(Some(encoded)) => {
                    let bytes = encoded.packet.bytes(self.number);
                    client.write_all(&bytes)?;
                    self.totals.add(Timestamp::now(), |sums| {
                        sums.frames += 1;
                        sums.bytes += bytes.len() as u64;
                    });
                    self.number = self.number.wrapping_add(1);
                }
                Ok(None) => self.skipped = true,
                Err(error) => return Err(io::Error::new(io::ErrorKind::Unsupported, error)),
            }
        }
    }

    /// Skips to the present if this listener fell behind, or if the ring is about to overwrite its position.
    fn skip_late_sound(&mut self, now: Instant) {
        let (packet, reader) = (self.encoder.packet_frames(), &mut self.listening.reader);
        let behind = reader.behind();
        let room = reader.capacity() - 2 * packet;
        let slow = self.last_late.is_some_and(|late| now.saturating_duration_since(late) < RECOVERED_AFTER);
        let max_lag = if slow { MAX_LAG_ON_SLOW_LINK } else { MAX_LAG };
        let lag = now.saturating_duration_since(self.caught_up);
        let keep = if lag > max_lag { packet } else { room };
        // By whole packets, which start at the same positions for all listeners.
        let skipped = behind.saturating_sub(keep) / packet;
        if skipped > 0 {
            reader.skip(skipped * packet);
            self.last_late = Some(now);
            self.totals.add(Timestamp::now(), |sums| sums.skipped += u64::from(skipped * packet));
            self.skipped = true;
        }
    }

    /// The packet at the cursor; `None` if the ring has overwritten it.
    fn next_packet(&mut self) -> Result<Option<Arc<EncodedPacket>>, SoundError> {
        let Some(encoded) = self.encoder.packet(&mut self.listening.reader)? else { return Ok(None) };
        let encoded = if std::mem::take(&mut self.skipped) && !self.last.is_empty() {
            Arc::new(self.encoder.encode(self.smoothed(&encoded.samples))?)
        } else {
            encoded
        };
        let channels = self.listening.format.channels as usize;
        self.last.clear();
        self.last.extend(&encoded.samples[encoded.samples.len() - channels..]);
        Ok(Some(encoded))
    }

    /// `samples` faded in from the last frame sent, so that there is no step that would be heard as a click.
    fn smoothed(&self, samples: &[i16]) -> Vec<i16> {
        let format = self.listening.format;
        let fade = (format.frames_in(FADE) as i32).max(1);
        let mut samples = samples.to_vec();
        for (at, frame) in (0..fade).zip(samples.chunks_exact_mut(format.channels as usize)) {
            for (sample, last) in frame.iter_mut().zip(&self.last) {
                *sample = ((i32::from(*last) * (fade - at) + i32::from(*sample) * at) / fade) as i16;
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sound::Codec;
    use crate::hub::{MicrophoneFeed, SoundWriter};
    use crate::media::SoundFormat;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 8000, channels: 1 };

    fn listener(codec: Codec) -> (SoundWriter, Listener) {
        let (writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let encoder = Arc::new(SharedEncoder::new(codec, FORMAT));
        let listener = Listener::new(feed.listen(), encoder, feed.sent.local());
        (writer, listener)
    }

    fn write(writer: &mut SoundWriter, packets: usize, sample: i16) {
        for _ in 0..packets {
            writer.write(&[sample; 160], Timestamp::from_micros(1));
        }
    }

    #[test]
    fn a_late_listener_skips_to_the_present_without_a_step() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 1, 10_000);
        listener.next_packet().unwrap().unwrap();
        write(&mut writer, 50, -10_000);
        let now = listener.caught_up + MAX_LAG * 2;
        listener.skip_late_sound(now);
        assert_eq!(listener.listening.reader.behind(), 160, "one packet of the present is left");
        let heard = listener.next_packet().unwrap().unwrap();
        let steps = [10_000].iter().chain(&heard.samples).zip(&heard.samples);
        let greatest = steps.map(|(before, after)| (i32::from(*before) - i32::from(*after)).abs()).max();
        assert!(greatest.unwrap() <= 501, "a fortieth of the step at a time: {greatest:?}");
        assert_eq!(heard.samples[159], -10_000);
    }

    #[test]
    fn a_listener_on_a_slow_link_skips_sooner() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 50, 7);
        let now = listener.caught_up + MAX_LAG * 2;
        listener.skip_late_sound(now);
        write(&mut writer, 20, 7);
        listener.caught_up = now;
        listener.skip_late_sound(now + MAX_LAG / 2);
        assert_eq!(listener.listening.reader.behind(), 160);
    }

    #[test]
    fn a_gap_is_not_taken_for_a_delay_of_the_listener() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 100, 7);
        let now = listener.caught_up;
        listener.skip_late_sound(now);
        assert_eq!(listener.listening.reader.behind(), 100 * 160);
    }

    #[test]
    fn a_short_delay_loses_nothing() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 20, 7);
        let now = listener.caught_up + MAX_LAG / 2;
        listener.skip_late_sound(now);
        assert_eq!(listener.listening.reader.behind(), 20 * 160);
    }

    #[test]
    fn a_listener_whose_sound_is_overwritten_continues() {
        for codec in [Codec::Wav, Codec::Flac] {
            let (mut writer, mut listener) = listener(codec);
            write(&mut writer, 1000, 7);
            let now = listener.caught_up;
            listener.skip_late_sound(now);
            assert!(listener.next_packet().unwrap().is_some(), "{codec:?}");
        }
    }
}
