//! The tone that `tone.c` plays, and knowing it again.

use std::f64::consts::TAU;

const TONE_HZ: f64 = 1000.0;
const RATE_HZ: f64 = 32_000.0;
const WAV_HEADER_BYTES: usize = 44;

/// Whether a tenth of a second of what was heard is the tone without a seam: each sample follows from the two
/// before it. More is not asked for: an emulated board that is held up loses some, and that is silence.
pub fn is_heard(wav: &[u8]) -> bool {
    assert!(wav.starts_with(b"RIFF") && &wav[8..12] == b"WAVE", "{:?}", &wav[..12]);
    let pairs = wav[WAV_HEADER_BYTES..].chunks_exact(2);
    let samples: Vec<f64> = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into()).collect();
    let twice = 2.0 * (TAU * TONE_HZ / RATE_HZ).cos();
    let follows = |three: &[f64]| (twice * three[1] - three[0] - three[2]).abs() <= 4.0;
    let tenth = RATE_HZ as usize / 10;
    samples.windows(3).map(follows).collect::<Vec<_>>().windows(tenth).enumerate().any(|(at, stretch)| {
        let loudest = samples[at..at + tenth].iter().fold(0.0, |most: f64, sample| most.max(sample.abs()));
        loudest > 15_000.0 && stretch.iter().all(|follows| *follows)
    })
}
