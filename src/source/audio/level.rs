//! How loud it is: RMS and peak over windows of 100 ms. Values in, values out.

use crate::media::{Level, SoundFormat};

/// Windows in a second.
const WINDOWS_A_SECOND: u32 = 10;

/// Adds up samples until a window is full.
#[derive(Debug)]
pub(super) struct Meter {
    window_samples: u32,
    samples: u32,
    squares: f64,
    peak: u16,
}

impl Meter {
    /// A meter whose first window starts now.
    pub(super) fn new(format: SoundFormat) -> Self {
        let window_samples = (format.rate_hz / WINDOWS_A_SECOND).max(1) * format.channels;
        Self { window_samples, samples: 0, squares: 0.0, peak: 0 }
    }

    /// Takes samples of all channels; the level of the last window they filled, if they filled one.
    pub(super) fn take(&mut self, samples: &[i16]) -> Option<Level> {
        let mut full = None;
        let mut rest = samples;
        while !rest.is_empty() {
            let room = (self.window_samples - self.samples) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.add(now);
            if self.samples == self.window_samples {
                full = Some(self.finish());
            }
            rest = later;
        }
        full
    }

    fn add(&mut self, samples: &[i16]) {
        // Whole numbers inside: exact, and cheap where there is no fast floating point.
        let squares: u64 = samples.iter().map(|sample| i64::from(*sample).pow(2) as u64).sum();
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        self.squares += squares as f64;
        self.peak = self.peak.max(peak);
        self.samples += samples.len() as u32;
    }

    fn finish(&mut self) -> Level {
        let rms = (self.squares / f64::from(self.samples)).sqrt();
        let level = Level::of_amplitudes(rms as f32, f32::from(self.peak));
        (self.samples, self.squares, self.peak) = (0, 0.0, 0);
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_is_three_decibels_below_its_peak() {
        let format = SoundFormat { rate_hz: 8000, channels: 1 };
        let mut meter = Meter::new(format);
        let sine: Vec<i16> = (0..800).map(|at| ((f64::from(at) * 0.7).sin() * 32_767.0) as i16).collect();
        assert_eq!(meter.take(&sine[..799]), None);
        let level = meter.take(&sine[799..]).unwrap();
        assert!((level.rms_dbfs + 3.01).abs() < 0.1 && level.peak_dbfs.abs() < 0.01, "{level:?}");
    }

    #[test]
    fn windows_do_not_run_into_each_other() {
        let mut meter = Meter::new(SoundFormat { rate_hz: 1000, channels: 2 });
        let loud_then_soft: Vec<i16> = [vec![20_000; 200], vec![200; 200]].concat();
        let level = meter.take(&loud_then_soft).unwrap();
        assert!((level.rms_dbfs + 44.3).abs() < 0.1 && (level.peak_dbfs + 44.3).abs() < 0.1, "{level:?}");
    }

    #[test]
    fn silence_has_a_floor() {
        let mut meter = Meter::new(SoundFormat { rate_hz: 1000, channels: 1 });
        assert_eq!(meter.take(&[0; 100]), Some(Level::SILENCE));
    }
}
