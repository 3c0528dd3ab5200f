//! Values of sound. A *frame* of sound is one sample for each channel, as in ALSA.

use std::fmt;
use std::time::Duration;

/// How samples are to be understood; each is S16, interleaved by channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundFormat {
    /// Frames a second.
    pub rate_hz: u32,
    /// Samples in a frame.
    pub channels: u32,
}

/// How loud it is, in dB relative to the greatest amplitude (dBFS): 0 is the loudest that
/// samples can hold, a sine at full scale has an RMS of -3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Root mean square.
    pub rms_dbfs: f32,
    /// Greatest amplitude.
    pub peak_dbfs: f32,
}

impl SoundFormat {
    /// How long `frames` frames last.
    pub fn length_of(self, frames: u64) -> Duration {
        let (rate, rest) = (u64::from(self.rate_hz), frames % u64::from(self.rate_hz));
        Duration::from_secs(frames / rate) + Duration::from_nanos(rest * 1_000_000_000 / rate)
    }

    /// How many frames last for `time`, to the nearest one.
    pub fn frames_in(self, time: Duration) -> u64 {
        let part = (u64::from(time.subsec_nanos()) * u64::from(self.rate_hz) + 500_000_000) / 1_000_000_000;
        time.as_secs() * u64::from(self.rate_hz) + part
    }

    /// Bytes of a frame.
    pub fn frame_bytes(self) -> u32 {
        self.channels * 2
    }

    /// Bytes a second of samples as they are.
    pub fn bytes_per_second(self) -> u32 {
        self.rate_hz * self.frame_bytes()
    }
}

impl fmt::Display for SoundFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.channels == 1 { "" } else { "s" };
        write!(f, "{} Hz, {} channel{plural}", self.rate_hz, self.channels)
    }
}

impl Level {
    /// Nothing but zeros; also the lowest level that is reported.
    pub const SILENCE: Self = Self { rms_dbfs: -100.0, peak_dbfs: -100.0 };

    /// The level of amplitudes, of which 32768 is full scale.
    pub fn of_amplitudes(rms: f32, peak: f32) -> Self {
        let dbfs = |amplitude: f32| (20.0 * (amplitude / 32_768.0).log10()).max(Self::SILENCE.rms_dbfs);
        Self { rms_dbfs: dbfs(rms), peak_dbfs: dbfs(peak) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_time_turn_into_each_other() {
        let format = SoundFormat { rate_hz: 44_100, channels: 2 };
        for frames in [0, 1, 882, 44_100, 44_101, 1_000_000_007] {
            assert_eq!(format.frames_in(format.length_of(frames)), frames);
        }
    }

    #[test]
    fn levels_are_relative_to_full_scale() {
        let level = Level::of_amplitudes(16_384.0, 32_768.0);
        assert!((level.rms_dbfs + 6.02).abs() < 0.01 && level.peak_dbfs == 0.0, "{level:?}");
        assert_eq!(Level::of_amplitudes(0.0, 0.0), Level::SILENCE);
    }
}
