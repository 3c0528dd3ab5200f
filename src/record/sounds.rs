//! The sound that is recorded with a camera: what is in memory, encoded.

use log::warn;

use super::changes::Changes;
use super::intake::Piece;
use super::pending::{Pending, Sound};
use crate::codec::sound::Codec;
use crate::hub::{RecentItem, RecentReader};
use crate::media::{RecordSound, SoundFormat};
use crate::segment::SoundTrack;

/// The sound of one camera.
pub(super) struct Sounds {
    reader: RecentReader<Piece>,
    next: Option<RecentItem<Piece>>,
    formats: Changes<SoundFormat>,
    /// Whether it cannot be stored.
    is_silent: bool,
}

impl Sounds {
    pub(super) fn new(reader: RecentReader<Piece>) -> Self {
        Self { reader, next: None, formats: Changes::new(), is_silent: false }
    }

    /// The format that is recorded, once there was sound.
    pub(super) fn format(&self) -> Option<SoundFormat> {
        self.formats.known()
    }

    /// Gives back the memory of what was taken.
    pub(super) fn release(&mut self) {
        self.reader.release();
    }

    /// Takes what was captured before the moment `until_us`, in the form `stored`; of it what is kept, at `now_us`. Returns whether
    /// that is all: later sound has come.
    pub(super) fn take(
        &mut self,
        (until_us, now_us): (u64, u64),
        is_kept: impl Fn(u64) -> bool,
        (camera, stored): (&str, RecordSound),
        into: &mut Pending,
    ) -> bool {
        loop {
            let Some(item) = self.next.take().or_else(|| self.reader.read()) else { return false };
            let at_us = item.captured_us;
            if at_us >= until_us {
                self.next = Some(item);
                return true;
            }
            let Piece { format, samples } = &*item.value;
            if !is_kept(at_us) || !self.follows(*format, at_us, camera, into) {
                continue;
            }
            let codec = match stored {
                RecordSound::Flac => Codec::Flac,
                RecordSound::Pcm => Codec::Wav,
            };
            let packet = match codec.encode(*format, samples) {
                Ok(packet) => packet,
                Err(error) => {
                    // The pictures are recorded without it.
                    if !std::mem::replace(&mut self.is_silent, true) {
                        warn!("camera {camera}: its sound is not recorded: {error}");
                    }
                    continue;
                }
            };
            let bytes = samples.len() * size_of::<i16>();
            into.add_sound(Sound { at_us, format: *format, packet, bytes }, now_us);
        }
    }

    /// Whether sound of this format can be added. With another one than before, a new file begins, and that does with a picture.
    fn follows(&mut self, format: SoundFormat, at_us: u64, camera: &str, into: &mut Pending) -> bool {
        let before = self.formats.known();
        if !self.formats.takes(format, at_us) {
            self.formats.warn_once(camera, "the format of its sound", &format);
            return false;
        }
        if before.is_some_and(|before| before != format) {
            into.end();
        }
        !into.is_over()
    }
}

/// The track of sound of this format.
pub(super) fn track(stored: RecordSound, format: SoundFormat) -> SoundTrack {
    match stored {
        RecordSound::Flac => SoundTrack::Flac { format, private: Codec::Flac.opening(format) },
        RecordSound::Pcm => SoundTrack::Pcm { format },
    }
}
