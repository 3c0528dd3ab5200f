//! The sound that is recorded with a camera: what is in memory, encoded.

use log::warn;

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
    /// Whether it cannot be stored.
    is_silent: bool,
}

impl Sounds {
    pub(super) fn new(reader: RecentReader<Piece>) -> Self {
        Self { reader, next: None, is_silent: false }
    }

    /// Gives back the memory of what was taken.
    pub(super) fn release(&mut self) {
        self.reader.release();
    }

    /// Takes what was captured until the moment `until_us`, in the form `stored`; of it what is kept, at `now_us`.
    pub(super) fn take(
        &mut self,
        (until_us, now_us): (u64, u64),
        is_kept: impl Fn(u64) -> bool,
        (camera, stored): (&str, RecordSound),
        into: &mut Pending,
    ) {
        loop {
            let Some(item) = self.next.take().or_else(|| self.reader.read()) else { return };
            if item.captured_us > until_us {
                self.next = Some(item);
                return;
            }
            if !is_kept(item.captured_us) {
                continue;
            }
            let codec = match stored {
                RecordSound::Flac => Codec::Flac,
                RecordSound::Pcm => Codec::Wav,
            };
            let Piece { format, samples } = &*item.value;
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
            let sound = Sound { at_us: item.captured_us, format: *format, packet };
            into.add_sound(sound, samples.len() * 2, now_us);
        }
    }
}

/// The track of sound of this format.
pub(super) fn track(stored: RecordSound, format: SoundFormat) -> SoundTrack {
    match stored {
        RecordSound::Flac => SoundTrack::Flac { format, private: Codec::Flac.opening(format) },
        RecordSound::Pcm => SoundTrack::Pcm { format },
    }
}
