//! `/audio`: sound to one listener for as long as it likes, on its connection's own thread.
//!
//! A listener that keeps up hears everything, in order. One that does not loses what lies in the
//! middle, and is at once near the present again; what it hears there fades in from where it was.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::encode::part;
use crate::encode::sound::Codec;
use crate::gate::{After, Client, Job};
use crate::hub::{Listening, Tally};
use crate::media::Timestamp;

use super::coder::{Coded, Coder};
use super::reply::{Surroundings, stream_head};

/// How long to wait for sound before looking whether the listener is still there, and still may be.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A listener that was not up to date for so long is brought back to the present. One that was
/// held up for less has taken what it missed by then: that goes faster than it is heard.
const MAX_LAG: Duration = Duration::from_secs(1);

/// The same for a listener whose link turned out to be too slow for the sound: it would fall behind
/// again and again, and what the send buffer holds comes on top.
const MAX_LAG_ON_SLOW_LINK: Duration = Duration::from_millis(200);

/// A listener that lost nothing for so long has a link that is fast enough.
const KEPT_UP_FOR: Duration = Duration::from_secs(10);

/// How long the step over lost sound is smoothed.
const FADE: Duration = Duration::from_millis(5);

/// The job that streams what is heard; only the head of the response when `head_only`.
pub fn stream(
    listening: Listening,
    coder: Arc<Coder>,
    tally: Tally,
    head_only: bool,
    around: Surroundings,
) -> Job {
    Box::new(move |client: &mut Client| {
        let mut listener = Listener::new(listening, coder, tally);
        let (codec, format) = (listener.coder.codec(), listener.listening.format);
        // When the first sample was captured: the others follow at the stream's rate.
        let captured = listener.listening.next_captured().unwrap_or_else(Timestamp::now);
        let stamp = part::x_timestamp(captured);
        let mut opening = stream_head(codec.content_type(), &[("X-Timestamp", &stamp)], &around);
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

/// The codec that a query asks for.
///
/// # Errors
/// A sentence that names those there are.
pub fn codec(query: &str) -> Result<Codec, String> {
    let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("codec=")) else {
        return Ok(Codec::Wav);
    };
    Codec::from_name(name).ok_or_else(|| {
        let names = Codec::NAMES.map(|(name, _)| name).join(", ");
        format!("codec must be one of {names}")
    })
}

/// One who listens.
struct Listener {
    listening: Listening,
    coder: Arc<Coder>,
    tally: Tally,
    /// Packets sent.
    number: u32,
    /// The last frame sent, from which a step over lost sound is smoothed.
    last: Vec<i16>,
    /// When there was last less than a packet to send.
    caught_up: Instant,
    /// When sound was last skipped because the listener was late.
    last_late: Option<Instant>,
    /// Whether sound was skipped since the last packet.
    skipped: bool,
}

impl Listener {
    fn new(mut listening: Listening, coder: Arc<Coder>, tally: Tally) -> Self {
        coder.align(&mut listening.reader);
        let caught_up = Instant::now();
        Self {
            listening,
            coder,
            tally,
            number: 0,
            last: Vec::new(),
            caught_up,
            last_late: None,
            skipped: false,
        }
    }

    /// Sends until the listener leaves or the sound ends.
    fn send(&mut self, client: &mut Client) -> io::Result<()> {
        let packet = self.coder.packet_frames();
        loop {
            if self.listening.reader.behind() < packet {
                if !self.listening.reader.wait(packet, LOOK_EVERY) {
                    if self.listening.reader.is_closed() || client.is_gone() {
                        return Ok(());
                    }
                    continue;
                }
                // Not before the wait: what a gap leaves at once is no lag of the listener.
                self.caught_up = Instant::now();
            }
            self.skip_what_is_late();
            match self.next_packet() {
                Ok(Some(coded)) => {
                    let bytes = coded.packet.bytes(self.number);
                    client.write_all(&bytes)?;
                    self.tally.add(Timestamp::now(), |sums| {
                        sums.frames += 1;
                        sums.bytes += bytes.len() as u64;
                    });
                    self.number = self.number.wrapping_add(1);
                }
                Ok(None) => self.skipped = true,
                Err(why) => return Err(io::Error::new(io::ErrorKind::Unsupported, why)),
            }
        }
    }

    /// Goes on near the present if this listener fell behind, or if the ring is about to lap it.
    fn skip_what_is_late(&mut self) {
        let (packet, reader) = (self.coder.packet_frames(), &mut self.listening.reader);
        let behind = reader.behind();
        let room = reader.capacity() - 2 * packet;
        let slow = self.last_late.is_some_and(|late| late.elapsed() < KEPT_UP_FOR);
        let max_lag = if slow { MAX_LAG_ON_SLOW_LINK } else { MAX_LAG };
        let keep = if self.caught_up.elapsed() > max_lag { packet } else { room };
        // By whole packets, for those who share them start where others do.
        let skipped = behind.saturating_sub(keep) / packet;
        if skipped > 0 {
            reader.skip(skipped * packet);
            self.last_late = Some(Instant::now());
            self.tally.add(Timestamp::now(), |sums| sums.skipped += u64::from(skipped * packet));
            self.skipped = true;
        }
    }

    /// The packet at the cursor; `None` where the ring has it no more.
    fn next_packet(&mut self) -> Result<Option<Arc<Coded>>, String> {
        let Some(coded) = self.coder.packet(&mut self.listening.reader)? else { return Ok(None) };
        let coded = if std::mem::take(&mut self.skipped) && !self.last.is_empty() {
            Arc::new(self.coder.encode(self.smoothed(&coded.samples))?)
        } else {
            coded
        };
        let channels = self.listening.format.channels as usize;
        self.last.clear();
        self.last.extend(&coded.samples[coded.samples.len() - channels..]);
        Ok(Some(coded))
    }

    /// `samples` with their beginning drawn to the last frame sent: there is no step, and so no
    /// click.
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
    use crate::hub::{MicrophoneFeed, SoundWriter};
    use crate::media::SoundFormat;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 8000, channels: 1 };

    fn listener(codec: Codec) -> (SoundWriter, Listener) {
        let (writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let coder = Arc::new(Coder::new(codec, FORMAT));
        let listener = Listener::new(feed.listen(), coder, feed.sent.tally());
        (writer, listener)
    }

    fn write(writer: &mut SoundWriter, packets: usize, sample: i16) {
        for _ in 0..packets {
            writer.write(&[sample; 160], Timestamp::from_micros(1));
        }
    }

    #[test]
    fn a_query_without_a_codec_asks_for_wav() {
        assert_eq!(codec(""), Ok(Codec::Wav));
        assert_eq!(codec("at=1&codec=flac"), Ok(Codec::Flac));
        assert_eq!(codec("codec=mp3"), Err("codec must be one of wav, ulaw, flac".to_owned()));
    }

    #[test]
    fn a_late_listener_is_brought_to_the_present_without_a_step() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 1, 10_000);
        listener.next_packet().unwrap().unwrap();
        write(&mut writer, 50, -10_000);
        listener.caught_up = Instant::now() - MAX_LAG * 2;
        listener.skip_what_is_late();
        assert_eq!(listener.listening.reader.behind(), 160, "one packet of the present is left");
        let heard = listener.next_packet().unwrap().unwrap();
        let steps = [10_000].iter().chain(&heard.samples).zip(&heard.samples);
        let greatest = steps.map(|(before, after)| (i32::from(*before) - i32::from(*after)).abs()).max();
        assert!(greatest.unwrap() <= 501, "a fortieth of the step at a time: {greatest:?}");
        assert_eq!(heard.samples[159], -10_000);
    }

    #[test]
    fn a_listener_on_a_slow_link_is_not_left_to_fall_far_behind_again() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 50, 7);
        listener.caught_up = Instant::now() - MAX_LAG * 2;
        listener.skip_what_is_late();
        write(&mut writer, 20, 7);
        listener.caught_up = Instant::now() - MAX_LAG / 2;
        listener.skip_what_is_late();
        assert_eq!(listener.listening.reader.behind(), 160);
    }

    #[test]
    fn a_gap_that_comes_at_once_is_not_taken_for_lag() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 100, 7);
        listener.caught_up = Instant::now();
        listener.skip_what_is_late();
        assert_eq!(listener.listening.reader.behind(), 100 * 160);
    }

    #[test]
    fn who_was_held_up_for_a_moment_loses_nothing() {
        let (mut writer, mut listener) = listener(Codec::Wav);
        write(&mut writer, 20, 7);
        listener.caught_up = Instant::now() - MAX_LAG / 2;
        listener.skip_what_is_late();
        assert_eq!(listener.listening.reader.behind(), 20 * 160);
    }

    #[test]
    fn a_lapped_listener_goes_on_from_what_there_is() {
        for codec in [Codec::Wav, Codec::Flac] {
            let (mut writer, mut listener) = listener(codec);
            write(&mut writer, 1000, 7);
            listener.skip_what_is_late();
            assert!(listener.next_packet().unwrap().is_some(), "{codec:?}");
        }
    }
}
