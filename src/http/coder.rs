//! Packets of sound, each encoded once however many listen.
//!
//! The listener that comes to a stretch of sound first encodes it, the others take what it made.
//! So there is no thread for it, and nothing is encoded while nobody listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::codec::sound::{Codec, Packet};
use crate::hub::{Listening, RingReader};
use crate::media::SoundFormat;

/// Packets kept for those who come later; whoever is further behind is brought to the present.
const KEPT: usize = 32;

/// Encodes one microphone's sound in one codec.
pub struct Coder {
    codec: Codec,
    format: SoundFormat,
    made: Mutex<Made>,
}

/// A packet and the samples it was made of.
pub struct Coded {
    /// As it is sent.
    pub packet: Packet,
    /// As it was heard, interleaved.
    pub samples: Vec<i16>,
}

/// The coders at work, found by what they encode.
#[derive(Default)]
pub struct Coders {
    at_work: Mutex<Vec<(usize, Weak<Coder>)>>,
}

#[derive(Default)]
struct Made {
    /// A position at which a packet starts; `None` before the first.
    grid: Option<u32>,
    /// The newest packets, each with the position it starts at.
    packets: VecDeque<(u32, Arc<Coded>)>,
}

impl Coders {
    /// The coder for this listener's sound: that of others who listen, or a new one.
    pub fn of(&self, listening: &Listening, codec: Codec) -> Arc<Coder> {
        let ring = listening.reader.ring_id();
        let mut at_work = locked(&self.at_work);
        // A coder is alive only while a listener of its ring is, so that no other ring can have
        // taken the number over.
        at_work.retain(|(_, coder)| coder.strong_count() > 0);
        let same =
            at_work.iter().filter(|(other, _)| *other == ring).filter_map(|(_, coder)| coder.upgrade());
        if let Some(coder) = same.into_iter().find(|coder| coder.codec == codec) {
            return coder;
        }
        let coder = Arc::new(Coder::new(codec, listening.format));
        at_work.push((ring, Arc::downgrade(&coder)));
        coder
    }
}

impl Coder {
    /// A coder that has made nothing yet.
    pub fn new(codec: Codec, format: SoundFormat) -> Self {
        Self { codec, format, made: Mutex::default() }
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
        let mut made = locked(&self.made);
        let grid = *made.grid.get_or_insert(reader.position());
        let ahead = reader.position().wrapping_sub(grid) as i32;
        reader.rewind(ahead.rem_euclid(self.packet_frames() as i32) as u32);
    }

    /// The packet at an aligned reader's cursor, which moves on behind it. `None` where the ring
    /// has overwritten some of it: the reader is then aligned anew.
    ///
    /// # Errors
    /// Why the codec cannot carry this sound.
    pub fn packet(&self, reader: &mut RingReader) -> Result<Option<Arc<Coded>>, String> {
        // Samples as they are cost less to copy than to share.
        if self.codec == Codec::Wav {
            return self.made_of(reader);
        }
        let mut made = locked(&self.made);
        let position = reader.position();
        if let Some((_, known)) = made.packets.iter().rev().find(|(start, _)| *start == position) {
            reader.skip(self.packet_frames());
            return Ok(Some(Arc::clone(known)));
        }
        // Under the lock on purpose: the others wait for this very packet.
        let Some(coded) = self.made_of(reader)? else {
            drop(made);
            self.align(reader);
            return Ok(None);
        };
        made.grid = Some(position);
        if made.packets.len() == KEPT {
            made.packets.pop_front();
        }
        made.packets.push_back((position, Arc::clone(&coded)));
        Ok(Some(coded))
    }

    /// Encodes samples for one listener alone.
    ///
    /// # Errors
    /// Why the codec cannot carry this sound.
    pub fn encode(&self, samples: Vec<i16>) -> Result<Coded, String> {
        Ok(Coded { packet: self.codec.encode(self.format, &samples)?, samples })
    }

    fn made_of(&self, reader: &mut RingReader) -> Result<Option<Arc<Coded>>, String> {
        let mut samples = vec![0; (self.packet_frames() * self.format.channels) as usize];
        let got = reader.read(&mut samples);
        if got.lost > 0 || got.frames < self.packet_frames() as usize {
            return Ok(None);
        }
        self.encode(samples).map(Arc::new).map(Some)
    }
}

/// What the locks guard is whole between any two statements that could panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::MicrophoneFeed;
    use crate::media::Timestamp;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 8000, channels: 1 };

    #[test]
    fn listeners_who_come_at_any_time_share_one_packet() {
        let (mut writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let coders = Coders::default();
        let mut first = feed.listen();
        let coder = coders.of(&first, Codec::Ulaw);
        coder.align(&mut first.reader);
        writer.write(&[1; 333], Timestamp::from_micros(1));
        let mut second = feed.listen();
        let shared = coders.of(&second, Codec::Ulaw);
        shared.align(&mut second.reader);
        writer.write(&[2; 1000], Timestamp::from_micros(2));
        // The first stands at 0, the second at 320: in the middle of what was there.
        let one = coder.packet(&mut first.reader).unwrap().unwrap();
        let other = shared.packet(&mut second.reader).unwrap().unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        let same = coder.packet(&mut first.reader).unwrap().unwrap();
        assert!(Arc::ptr_eq(&same, &other), "encoded once");
    }

    #[test]
    fn codecs_and_microphones_have_coders_of_their_own() {
        let (_writer, feed) = MicrophoneFeed::new("front", FORMAT);
        let (_other_writer, other) = MicrophoneFeed::new("yard", FORMAT);
        let coders = Coders::default();
        let (listening, there) = (feed.listen(), other.listen());
        let coder = coders.of(&listening, Codec::Flac);
        assert!(Arc::ptr_eq(&coder, &coders.of(&listening, Codec::Flac)));
        assert!(!Arc::ptr_eq(&coder, &coders.of(&listening, Codec::Ulaw)));
        assert!(!Arc::ptr_eq(&coder, &coders.of(&there, Codec::Flac)));
    }
}
