//! Frames and sound that are to be written next.

use std::sync::Arc;

use crate::codec::sound::Packet;
use crate::media::{Frame, GapReason, SoundFormat};

/// Bytes at which a group is written, however young it is.
const MOST_BYTES: u64 = 1 << 20;

/// Time that a group covers at the most, in microseconds.
const MOST_US: u64 = 2_000_000;

/// Least time between two pictures: a file rounds to milliseconds, and the next one begins between two of them.
const APART_US: u64 = 1500;

/// What is to be written as one group.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) pictures: Vec<Picture>,
    pub(super) sound: Vec<Sound>,
    /// Frames that were lost before the first one.
    pub(super) missed: u32,
    /// Why there is no footage before the first frame.
    pub(super) gap: Option<GapReason>,
    /// Whether an event asked for one of the frames.
    pub(super) has_event: bool,
    bytes: usize,
    /// Since when the first of them could have been here, in microseconds of the monotonic clock.
    since_us: Option<u64>,
    /// The same of its last frame.
    last_since_us: u64,
    is_over: bool,
}

/// A frame and its time.
pub(super) struct Picture {
    /// When it was captured, in microseconds of the monotonic clock, or a little later: see [`Times`].
    pub(super) at_us: u64,
    pub(super) frame: Arc<Frame>,
}

/// The times of the pictures of a camera. Each has a millisecond of its own, by which it is found again and a player knows its place: after
/// a delay, several may come within one.
#[derive(Default)]
pub(super) struct Times {
    free_us: u64,
}

impl Times {
    /// The time of the next picture, captured at `captured_us`.
    pub(super) fn next_us(&mut self, captured_us: u64) -> u64 {
        let at_us = captured_us.max(self.free_us);
        self.free_us = at_us + APART_US;
        at_us
    }
}

/// A piece of sound.
pub(super) struct Sound {
    /// When its first sample was captured, in microseconds of the monotonic clock.
    pub(super) at_us: u64,
    /// The format of its samples.
    pub(super) format: SoundFormat,
    pub(super) packet: Packet,
    /// Bytes of its samples; the packet is about as long, or shorter.
    pub(super) bytes: usize,
}

/// Most bytes of a group in a segment of `segment_bytes`: so many fit into it that a full one is not cut, and can be used again.
pub(super) fn group_bytes(segment_bytes: u64) -> usize {
    (segment_bytes / 8).min(MOST_BYTES) as usize
}

impl Pending {
    /// Adds a picture, which could have been here since `since_us`.
    pub(super) fn add_picture(&mut self, picture: Picture, since_us: u64) {
        self.bytes += picture.frame.jpeg().len();
        self.since_us = Some(self.since_us.map_or(since_us, |known| known.min(since_us)));
        self.last_since_us = since_us;
        self.pictures.push(picture);
    }

    /// Splits off the last frame and the sound from there on, if there is sound and another frame. A group that is written before the next
    /// frame comes leaves them to the next group: that, which may be the first one of a file, begins with a picture and its sound.
    /// Before another format they stay: what follows lacks the sound that was captured with the frame.
    pub(super) fn split_last(&mut self) -> Option<Self> {
        if self.pictures.len() < 2 || self.sound.is_empty() || self.is_over {
            return None;
        }
        let mut last = Self { has_event: self.has_event, ..Self::default() };
        let picture = self.pictures.pop()?;
        self.bytes -= picture.frame.jpeg().len();
        let from_us = picture.at_us;
        last.add_picture(picture, self.last_since_us);
        for sound in self.sound.extract_if(.., |sound| sound.at_us >= from_us) {
            self.bytes -= sound.bytes;
            last.add_sound(sound, self.last_since_us);
        }
        Some(last)
    }

    /// Adds what was split off, behind what is still here.
    pub(super) fn join(&mut self, last: Self) {
        self.has_event |= last.has_event;
        for picture in last.pictures {
            self.add_picture(picture, last.last_since_us);
        }
        for sound in last.sound {
            self.add_sound(sound, last.last_since_us);
        }
    }

    /// Adds sound at `now_us`.
    pub(super) fn add_sound(&mut self, sound: Sound, now_us: u64) {
        self.bytes += sound.bytes;
        self.since_us.get_or_insert(now_us);
        self.sound.push(sound);
    }

    /// Leaves out the sound that comes before the first picture.
    pub(super) fn begin_with_picture(&mut self) {
        let first_us = self.pictures.first().map_or(u64::MAX, |picture| picture.at_us);
        self.sound.retain(|sound| sound.at_us >= first_us);
    }

    /// Takes no more sound: what follows has another format. Sound alone, which is not written, is left out.
    pub(super) fn end(&mut self) {
        self.is_over = !self.pictures.is_empty();
        self.sound.retain(|_| self.is_over);
    }

    /// Whether it takes no more sound.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether there is no frame. Sound alone is not written.
    pub(super) fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Whether it is as much as a group may have.
    pub(super) fn is_full(&self, most_bytes: usize) -> bool {
        let ends = self.pictures.first().zip(self.pictures.last());
        let covered = ends.map_or(0, |(first, last)| last.at_us.saturating_sub(first.at_us));
        self.is_over || self.bytes >= most_bytes || covered >= MOST_US
    }

    /// When the first of them will have waited for `flush_us`; `None` where there is no frame.
    pub(super) fn due_us(&self, flush_us: u64) -> Option<u64> {
        self.since_us.filter(|_| !self.is_empty()).map(|since| since + flush_us)
    }

    /// When its first frame or sound was captured, in microseconds of the monotonic clock.
    pub(super) fn start_us(&self) -> u64 {
        let picture = self.pictures.first().map(|picture| picture.at_us);
        let sound = self.sound.first().map(|sound| sound.at_us);
        picture.into_iter().chain(sound).min().unwrap_or(0)
    }

    /// Its bytes at the most, and how many frames and packets there are.
    pub(super) fn extent(&self) -> (usize, usize) {
        (self.bytes, self.pictures.len() + self.sound.len())
    }

    /// The width and height of its frames.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        self.pictures.last().map(|picture| picture.frame.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::part;
    use crate::codec::sound::Codec;
    use crate::media::Timestamp;

    fn picture(at_us: u64) -> Picture {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
            Ok::<(), ()>(())
        };
        let frame = part::build(Vec::new(), Timestamp::from_micros(at_us), (2, 2), write).unwrap();
        Picture { at_us, frame: Arc::new(frame) }
    }

    fn sound(at_us: u64) -> Sound {
        let format = SoundFormat { rate_hz: 16_000, channels: 1 };
        Sound { at_us, format, packet: Codec::Wav.encode(format, &[0; 640]).unwrap(), bytes: 1280 }
    }

    /// Two frames, and the sound of the first one.
    fn pending() -> Pending {
        let mut pending = Pending::default();
        pending.add_picture(picture(0), 1);
        pending.add_sound(sound(10_000), 2);
        pending.add_picture(picture(50_000), 3);
        pending
    }

    #[test]
    fn the_last_frame_waits_for_its_sound() {
        let mut pending = pending();
        let last = pending.split_last().unwrap();
        assert_eq!((last.start_us(), last.due_us(10), pending.pictures.len()), (50_000, Some(13), 1));
        assert!(pending.split_last().is_none(), "the only frame stays");
    }

    #[test]
    fn sound_of_the_last_frame_goes_with_it() {
        let mut pending = pending();
        pending.add_sound(sound(50_000), 4);
        pending.add_sound(sound(90_000), 4);
        let before = pending.extent();
        let last = pending.split_last().unwrap();
        let times = |pending: &Pending| pending.sound.iter().map(|sound| sound.at_us).collect::<Vec<_>>();
        assert_eq!((times(&pending), times(&last)), (vec![10_000], vec![50_000, 90_000]));
        // As if it could not be written.
        pending.join(last);
        assert_eq!((times(&pending), pending.extent()), (vec![10_000, 50_000, 90_000], before));
    }

    #[test]
    fn the_last_frame_before_another_format_stays() {
        let mut pending = pending();
        pending.end();
        assert!(pending.split_last().is_none(), "a file that begins with it would lack sound at its start");
        assert_eq!(pending.pictures.len(), 2);
    }
}
