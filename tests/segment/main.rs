//! Segments as others see them: after a power cut at any moment, and in players. Readers of the tests know nothing of
//! Defender's own.

mod disk;
mod film;
mod players;
mod reader;
mod torn;

use defender::media::SoundFormat;
use defender::segment::{Moment, SegmentHead, SoundTrack};

/// A head with PCM sound.
fn head(uuid: u8) -> SegmentHead {
    SegmentHead {
        camera: "front".to_owned(),
        sequence: 7,
        first_frame: 1000,
        boot_id: [3; 16],
        uuid: [uuid; 16],
        start: Moment { monotonic_us: 5_000_000, wall_us: 1_764_000_000_000_000 },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (320, 240),
        sound: Some(SoundTrack::Pcm { format: SoundFormat { rate_hz: 8000, channels: 1 } }),
        microphone: "front".to_owned(),
    }
}
