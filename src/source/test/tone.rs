//! The test tone: soft, with a tick at the start of each second of the monotonic clock, so that
//! sound and the test card's picture can be compared. Values in, values out.

use std::f64::consts::TAU;
use std::ops::Range;

use crate::media::{SoundFormat, Timestamp};

const TONE_HZ: f64 = 440.0;
const TONE_AMPLITUDE: f64 = 0.02 * 32_768.0;
const TICK_HZ: f64 = 1_760.0;
const TICK_AMPLITUDE: f64 = 0.2 * 32_768.0;
const TICK_US: u64 = 20_000;

/// The frames numbered `range` of a stretch that starts at `start`, on every channel the same.
pub(super) fn frames(format: SoundFormat, start: Timestamp, range: Range<u64>) -> Vec<i16> {
    range
        .flat_map(|frame| {
            let sample = sample_at(start.after(format.length_of(frame)));
            (0..format.channels).map(move |_| sample)
        })
        .collect()
}

fn sample_at(moment: Timestamp) -> i16 {
    // The tone and the tick have whole cycles in a second: only the part within it matters.
    let us = moment.as_micros() % 1_000_000;
    let seconds = us as f64 / 1e6;
    let tone = (seconds * TONE_HZ * TAU).sin() * TONE_AMPLITUDE;
    let tick = if us < TICK_US {
        let fade = 1.0 - us as f64 / TICK_US as f64;
        (seconds * TICK_HZ * TAU).sin() * TICK_AMPLITUDE * fade
    } else {
        0.0
    };
    (tone + tick) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: SoundFormat = SoundFormat { rate_hz: 8000, channels: 2 };

    #[test]
    fn stretches_join_without_a_seam() {
        let start = Timestamp::from_micros(77_123_000_000);
        let joined = [frames(FORMAT, start, 0..77), frames(FORMAT, start, 77..200)].concat();
        assert_eq!(joined, frames(FORMAT, start, 0..200));
    }

    #[test]
    fn each_second_starts_with_a_tick() {
        let second = frames(FORMAT, Timestamp::from_micros(5_000_000), 0..8000);
        let loudest =
            |from: usize, to: usize| second[from * 2..to * 2].iter().map(|s| s.abs()).max().unwrap();
        assert!(loudest(0, 160) > 5 * loudest(160, 8000));
        assert!(loudest(160, 8000) > 600);
    }
}
