//! Encodes each packet of sound once for all listeners of the same codec.
//!
//! The first listener to reach a packet encodes it on its own thread, and the others reuse the result. So
//! encoding needs no thread of its own, and nothing is encoded while nobody listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use super::sound::{Codec, Packet, SoundError};
use crate::base::lock;
use crate::hub::{Listening, RingReader};
use crate::media::SoundFormat;

/// Most encoded packets that are kept for slower listeners. A listener further behind skips to the present.
const RECENT_PACKETS: usize = 32;

/// Encodes one microphone's sound in one codec.
pub struct SharedEncoder {
    codec: Codec,
    format: SoundFormat,
    recent: Mutex<Recent>,
}

/// A packet and the samples it was encoded from.
pub struct EncodedPacket {
    /// The encoded bytes, before they are numbered for a listener.
    pub packet: Packet,
    /// The samples, interleaved.
    pub samples: Vec<i16>,
}

/// The encoders in use, by the ring that they read and their codec.
#[derive(Default)]
pub struct SharedEncoders {
    in_use: Mutex<Vec<(usize, Weak<SharedEncoder>)>>,
}

/// What the listeners of an encoder share.
#[derive(Default)]
struct Recent {
    /// The position of any packet's first frame, from which those of all others follow; `None` before the first
    /// packet.
    alignment: Option<u32>,
    /// The newest packets, each with the position of its first frame.
    packets: VecDeque<(u32, Arc<EncodedPacket>)>,
}

impl SharedEncoders {
    /// The encoder for this listener: the one that others use already, or a new one.
    pub fn of(&self, listening: &Listening, codec: Codec) -> Arc<SharedEncoder> {
        let ring = listening.reader.ring_id();
        let mut in_use = lock(&self.in_use);
        // An encoder lives only while a listener of its ring does, so no other ring can have the same id.
        in_use.retain(|(_, encoder)| encoder.strong_count() > 0);
        let same =
            in_use.iter().filter(|(other, _)| *other == ring).filter_map(|(_, encoder)| encoder.upgrade());
        if let Some(encoder) = same.into_iter().find(|encoder| encoder.codec == codec) {
            return encoder;
        }
        let encoder = Arc::new(SharedEncoder::new(codec, listening.format));
        in_use.push((ring, Arc::downgrade(&encoder)));
        encoder
    }
}

impl SharedEncoder {
    /// An encoder without packets.
    pub fn new(codec: Codec, format: SoundFormat) -> Self {
        Self { codec, format, recent: Mutex::default() }
    }

    /// What it encodes to.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Frames of sound in a packet.
    pub fn packet_frames(&self) -> u32 {
        self.codec.packet_frames(self.format)
    }

    /// Moves a reader back to where the packet around its cursor starts.
    pub fn align(&self, reader: &mut RingReader) {
        let mut recent = lock(&self.recent);
        let alignment = *recent.alignment.get_or_insert(reader.position());
        let ahead = reader.position().wrapping_sub(alignment) as i32;
        reader.rewind(ahead.rem_euclid(self.packet_frames() as i32) as u32);
    }

    /// The packet at an aligned reader's cursor, which moves behind it. `None` if the ring has overwritten a
    /// part of it: the reader is then aligned again.
    ///
    /// # Errors
    /// When the codec cannot carry this sound.
    pub fn packet(&self, reader: &mut RingReader) -> Result<Option<Arc<EncodedPacket>>, SoundError> {
        // Copying samples costs less than sharing them.
        if self.codec == Codec::Wav {
            return self.encode_next(reader);
        }
        let mut recent = lock(&self.recent);
        let position = reader.position();
        if let Some((_, known)) = recent.packets.iter().rev().find(|(start, _)| *start == position) {
            reader.skip(self.packet_frames());
            return Ok(Some(Arc::clone(known)));
        }
        // The lock is held while encoding: the other listeners wait for this packet.
        let Some(encoded) = self.encode_next(reader)? else {
            drop(recent);
            self.align(reader);
            return Ok(None);
        };
        recent.alignment = Some(position);
        if recent.packets.len() == RECENT_PACKETS {
            recent.packets.pop_front();
        }
        recent.packets.push_back((position, Arc::clone(&encoded)));
        Ok(Some(encoded))
    }

    /// Encodes samples for one listener alone.
    ///
    /// # Errors
    /// When the codec cannot carry this sound.
    pub fn encode(&self, samples: Vec<i16>) -> Result<EncodedPacket, SoundError> {
        Ok(EncodedPacket { packet: self.codec.encode(self.format, &samples)?, samples })
    }

    fn encode_next(&self, reader: &mut RingReader) -> Result<Option<Arc<EncodedPacket>>, SoundError> {
        let mut samples = vec![0; (self.packet_frames() * self.format.channels) as usize];
        let got = reader.read(&mut samples);
        if got.lost > 0 || got.frames < self.packet_frames() as usize {
            return Ok(None);
        }
        self.encode(samples).map(Arc::new).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::MicrophoneFeed;
    use crate::media::Timestamp;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 8000, channels: 1 };

    #[test]
    fn listeners_that_start_at_any_time_share_packets() {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let encoders = SharedEncoders::default();
        let mut first = feed.listen();
        let encoder = encoders.of(&first, Codec::Ulaw);
        encoder.align(&mut first.reader);
        writer.write(&[1; 333], Timestamp::from_micros(1));
        let mut second = feed.listen();
        let shared = encoders.of(&second, Codec::Ulaw);
        shared.align(&mut second.reader);
        writer.write(&[2; 1000], Timestamp::from_micros(2));
        // The first stands at 0, the second at 320: in the middle of what was there.
        let one = encoder.packet(&mut first.reader).unwrap().unwrap();
        let other = shared.packet(&mut second.reader).unwrap().unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        let same = encoder.packet(&mut first.reader).unwrap().unwrap();
        assert!(Arc::ptr_eq(&same, &other), "encoded once");
    }

    #[test]
    fn codecs_and_microphones_have_coders_of_their_own() {
        let (_writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let (_other_writer, other) = MicrophoneFeed::new("yard", FORMAT);
        let encoders = SharedEncoders::default();
        let (listening, there) = (feed.listen(), other.listen());
        let encoder = encoders.of(&listening, Codec::Flac);
        assert!(Arc::ptr_eq(&encoder, &encoders.of(&listening, Codec::Flac)));
        assert!(!Arc::ptr_eq(&encoder, &encoders.of(&listening, Codec::Ulaw)));
        assert!(!Arc::ptr_eq(&encoder, &encoders.of(&there, Codec::Flac)));
    }
}
