//! A picture for tests that has as many coefficients as there can be.

/// A grey JPEG of noise, the same in every run, `side` pixels wide and high.
pub(crate) fn noise(side: u16) -> Vec<u8> {
    let mut state = 1u32;
    let pixel = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    let pixels: Vec<u8> = std::iter::repeat_with(pixel).take(usize::from(side).pow(2)).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 100);
    encoder.encode(&pixels, side, side, jpeg_encoder::ColorType::Luma).unwrap();
    jpeg
}
