//! G.711 mu-law (ITU-T G.711, 1988, table 2a): sign, exponent and four bits of mantissa, inverted.

/// Added before the logarithm, so that the smallest segment is linear.
const BIAS: i32 = 132;

/// The greatest amplitude that has a code.
const CLIP: i32 = 32_635;

/// The code of a 16-bit sample.
pub(super) fn byte(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let biased = i32::from(sample).abs().min(CLIP) + BIAS;
    // From 132 to 32767 the highest bit is one of 7 to 14: the segment.
    let segment = 24 - biased.leading_zeros() as i32;
    let mantissa = (biased >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | mantissa as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What G.711 says a code means, in 16 bits.
    fn decoded(code: u8) -> i32 {
        let code = !code;
        let amplitude = ((i32::from(code & 0x0f) << 3) + BIAS) << ((code >> 4) & 7);
        (amplitude - BIAS) * if code & 0x80 == 0 { 1 } else { -1 }
    }

    #[test]
    fn codes_of_the_standard_are_met() {
        for (sample, code) in
            [(0, 0xff), (i16::MAX, 0x80), (i16::MIN, 0x00), (-1, 0x7f), (8159 / 2 * 4, 0x8f)]
        {
            assert_eq!(byte(sample), code, "{sample}");
        }
    }

    #[test]
    fn every_sample_comes_back_within_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let back = decoded(byte(sample));
            let off = (back - i32::from(sample)).abs();
            // Half a step, and what clipping takes.
            assert!(off <= (i32::from(sample).abs() + BIAS) / 31 + 4, "{sample} came back as {back}");
        }
    }
}
