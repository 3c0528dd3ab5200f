//! The sound of a clip as one stream of samples: recorded packets one behind the other, and silence where there are none.
//!
//! Where each sample lies is known without decoding anything, so any byte of the stream can be read. Each packet is
//! where its time says, to [`TOLERANCE_MS`]: more than that, and silence is put before it, or its start is left out.

use std::io;

use super::Place;
use crate::media::SoundFormat;
use crate::segment::SoundTrack;

/// How far sound may be from its time before that is corrected: a sound card's clock is not that of the pictures.
const TOLERANCE_MS: u64 = 30;

/// Largest packet of sound that is read, in bytes.
const MOST_BYTES: u32 = 1 << 20;

/// A stream of samples of 16 bits, little-endian.
pub(super) struct Sound {
    format: SoundFormat,
    packets: Vec<Packet>,
    /// Samples for each channel.
    frames: u64,
    /// Bytes before the first sample.
    head: Vec<u8>,
    /// The packet that was decoded last, and its samples.
    decoded: Option<(usize, Vec<u8>)>,
}

/// A recorded packet. A frame is a sample for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Its first frame that is heard.
    at: u32,
    /// Frames that are heard.
    frames: u32,
    /// Frames before these, that are not.
    skipped: u32,
    /// Where it lies.
    pub(super) place: Place,
    /// Bytes of it as it was recorded.
    pub(super) length: u32,
}

impl Sound {
    pub(super) fn new(format: SoundFormat) -> Self {
        Self { format, packets: Vec::new(), frames: 0, head: Vec::new(), decoded: None }
    }

    pub(super) fn format(&self) -> SoundFormat {
        self.format
    }

    /// Adds a packet that was captured `at_us` after the clip's start.
    pub(super) fn add(&mut self, at_us: u64, track: &SoundTrack, place: Place, length: u32) {
        let mut frames = frames_of(track, length);
        let mut at = at_us * u64::from(self.format.rate_hz) / 1_000_000;
        let mut skipped = 0;
        let tolerance = u64::from(self.format.rate_hz) * TOLERANCE_MS / 1000;
        if self.frames > 0 && at.abs_diff(self.frames) <= tolerance {
            at = self.frames;
        }
        if at < self.frames {
            skipped = u32::try_from(self.frames - at).unwrap_or(u32::MAX).min(frames);
            (frames, at) = (frames - skipped, self.frames);
        }
        // A stream of more samples than have numbers is too long for a clip.
        let end = at + u64::from(frames);
        if frames > 0 && length <= MOST_BYTES && end <= u64::from(u32::MAX) {
            self.packets.push(Packet { at: at as u32, frames, skipped, place, length });
        }
        self.frames = self.frames.max(end);
    }

    /// Silence until the clip's end, `end_ms` after its start.
    pub(super) fn pad(&mut self, end_ms: u32) {
        self.frames = self.frames.max(u64::from(end_ms) * u64::from(self.format.rate_hz) / 1000);
    }

    /// Puts bytes before the first sample.
    pub(super) fn set_head(&mut self, head: Vec<u8>) {
        self.head = head;
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Number of its packets.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Bytes of all samples.
    pub(super) fn sample_bytes(&self) -> u64 {
        self.frames * self.frame_bytes()
    }

    /// Bytes of a sample for each channel.
    pub(super) fn frame_bytes(&self) -> u64 {
        u64::from(self.format.frame_bytes())
    }

    /// Fills `out` with the bytes from `at` on. `decode` gives the samples of a packet; what it does not give is silence.
    ///
    /// # Errors
    /// Those of `decode`.
    pub(super) fn read(
        &mut self,
        mut at: u64,
        mut out: &mut [u8],
        decode: &mut dyn FnMut(&Packet) -> io::Result<Vec<i16>>,
    ) -> io::Result<()> {
        let head_bytes = self.head.len() as u64;
        if at < head_bytes {
            let head = &self.head[at as usize..];
            let count = head.len().min(out.len());
            out[..count].copy_from_slice(&head[..count]);
            (at, out) = (at + count as u64, &mut out[count..]);
        }
        let frame_bytes = self.frame_bytes();
        while !out.is_empty() {
            let byte = at - head_bytes;
            let frame = byte / frame_bytes;
            let next = self.packets.partition_point(|packet| u64::from(packet.at) <= frame);
            let within = next.checked_sub(1).filter(|number| frame < self.packets[*number].end());
            let until = match (within, self.packets.get(next)) {
                (Some(number), _) => self.packets[number].end() * frame_bytes,
                (None, Some(packet)) => u64::from(packet.at) * frame_bytes,
                (None, None) => u64::MAX,
            };
            let count = (until - byte).min(out.len() as u64) as usize;
            let (piece, rest) = out.split_at_mut(count);
            piece.fill(0);
            if let Some(number) = within {
                let packet = self.packets[number];
                let from =
                    byte - u64::from(packet.at) * frame_bytes + u64::from(packet.skipped) * frame_bytes;
                let samples = self.samples(number, decode)?.get(from as usize..).unwrap_or_default();
                let known = samples.len().min(count);
                piece[..known].copy_from_slice(&samples[..known]);
            }
            (at, out) = (at + count as u64, rest);
        }
        Ok(())
    }

    fn samples(
        &mut self,
        number: usize,
        decode: &mut dyn FnMut(&Packet) -> io::Result<Vec<i16>>,
    ) -> io::Result<&[u8]> {
        if self.decoded.as_ref().is_none_or(|(known, _)| *known != number) {
            let samples = decode(&self.packets[number])?;
            let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.decoded = Some((number, bytes));
        }
        Ok(self.decoded.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}

impl Packet {
    fn end(&self) -> u64 {
        u64::from(self.at) + u64::from(self.frames)
    }
}

/// Frames of a packet as its track says: nothing is decoded.
fn frames_of(track: &SoundTrack, length: u32) -> u32 {
    match track {
        // The size of a block in STREAMINFO (RFC 9639, section 8.2); all blocks have it.
        SoundTrack::Flac { private, .. } => match private.get(8..10) {
            Some(&[high, low]) => u32::from(u16::from_be_bytes([high, low])),
            _ => 0,
        },
        SoundTrack::Pcm { format } => length / format.frame_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 1 };

    /// A stream of packets of 40 samples, each with its number as every sample, at these milliseconds.
    fn sound(at_ms: &[u64]) -> Sound {
        let mut sound = Sound::new(FORMAT);
        for (number, at_ms) in (1..).zip(at_ms) {
            let place = Place { source: 0, offset: number };
            sound.add(at_ms * 1000, &SoundTrack::Pcm { format: FORMAT }, place, 80);
        }
        sound
    }

    fn decode(packet: &Packet) -> io::Result<Vec<i16>> {
        Ok(vec![packet.place.offset as i16; 40])
    }

    /// How often each sample comes in turn.
    fn runs(sound: &mut Sound) -> Vec<(usize, i16)> {
        let mut bytes = vec![1; sound.sample_bytes() as usize];
        sound.read(0, &mut bytes, &mut decode).unwrap();
        let samples: Vec<i16> = bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        samples.chunk_by(|one, next| one == next).map(|run| (run.len(), run[0])).collect()
    }

    #[test]
    fn sound_is_where_its_time_says() {
        // In time, a little early, a little late; then a gap, and one that overlaps.
        let mut sound = sound(&[10, 45, 95, 300, 300]);
        assert_eq!(runs(&mut sound), [(10, 0), (40, 1), (40, 2), (40, 3), (170, 0), (40, 4)]);
        sound.pad(400);
        assert_eq!(runs(&mut sound).last(), Some(&(60, 0)));
    }

    #[test]
    fn a_packet_that_comes_too_early_loses_its_start() {
        let mut sound = sound(&[0, 5]);
        let mut bytes = vec![0; 90];
        let mut count = |_: &Packet| Ok((0..40).collect());
        sound.read(0, &mut bytes, &mut count).unwrap();
        let samples: Vec<u8> = bytes.chunks_exact(2).map(|pair| pair[0]).collect();
        assert_eq!(samples, (0..40).chain(35..40).collect::<Vec<u8>>());
    }

    #[test]
    fn a_clock_that_differs_is_corrected() {
        // A sound card that is slow by 5 %, and one that is fast by 5 %.
        for step_ms in [42, 38] {
            let times: Vec<u64> = (0..500).map(|number| number * step_ms).collect();
            let mut sound = sound(&times);
            let mut at = 0;
            for (length, number) in runs(&mut sound) {
                if number > 0 {
                    let heard = times[number as usize - 1];
                    assert!(heard.abs_diff(at) < 40, "{heard} at {at}");
                }
                at += length as u64;
            }
            assert!(at.abs_diff(500 * step_ms) <= 40, "{at}");
        }
    }

    #[test]
    fn any_byte_is_read_as_it_is_in_the_whole() {
        let mut sound = sound(&[3, 43, 200]);
        sound.pad(250);
        let mut samples = vec![9; sound.sample_bytes() as usize];
        sound.read(0, &mut samples, &mut decode).unwrap();
        sound.set_head(b"head".to_vec());
        let mut whole = vec![9; 4 + samples.len()];
        sound.read(0, &mut whole, &mut decode).unwrap();
        assert_eq!(whole, [&b"head"[..], &samples].concat());
        for at in 0..whole.len() {
            let mut piece = vec![9; 33.min(whole.len() - at)];
            sound.read(at as u64, &mut piece, &mut decode).unwrap();
            assert_eq!(piece, whole[at..at + piece.len()], "{at}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_silence() {
        let mut sound = sound(&[0, 40]);
        let mut bytes = vec![1; 160];
        let mut short = |packet: &Packet| Ok(vec![5; if packet.place.offset == 1 { 0 } else { 10 }]);
        sound.read(0, &mut bytes, &mut short).unwrap();
        assert_eq!(
            (bytes[..80] == [0; 80], &bytes[80..84], bytes[100..] == [0; 60]),
            (true, &[5, 0, 5, 0][..], true)
        );
    }

    #[test]
    fn flac_says_how_long_its_blocks_are() {
        let private = b"fLaC\x80\0\0\x22\x02\x80\x02\x81".to_vec();
        assert_eq!(frames_of(&SoundTrack::Flac { format: FORMAT, private }, 1), 640);
        assert_eq!(frames_of(&SoundTrack::Flac { format: FORMAT, private: Vec::new() }, 1), 0);
    }
}
