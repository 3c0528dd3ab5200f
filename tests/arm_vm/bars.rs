//! The picture vivid shows by default: eight colour bars at three quarters.

use jpeg_decoder::{Decoder, PixelFormat};

/// Red, green, blue of the bars from left to right: whether each is on.
const BARS: [[bool; 3]; 8] = [
    [true, true, true],
    [true, true, false],
    [false, true, true],
    [false, true, false],
    [true, false, true],
    [true, false, false],
    [false, false, true],
    [false, false, false],
];

/// Fails unless `jpeg` is a picture of the bars, 640 x 480.
pub fn assert_shows_bars(jpeg: &[u8]) {
    let mut decoder = Decoder::new(jpeg);
    let rgb = decoder.decode().expect("a whole JPEG");
    let info = decoder.info().expect("decoded");
    assert_eq!((info.width, info.height, info.pixel_format), (640, 480, PixelFormat::RGB24));
    let width = usize::from(info.width);
    // Below the text that vivid writes over the bars.
    for row in [300, 400, 470] {
        let pixel = |bar: usize| (row * width + width * (2 * bar + 1) / 16) * 3;
        let seen: [[u8; 3]; 8] = std::array::from_fn(|bar| {
            let at = pixel(bar);
            [rgb[at], rgb[at + 1], rgb[at + 2]]
        });
        let fits = seen
            .iter()
            .flatten()
            .zip(BARS.iter().flatten())
            .all(|(value, on)| if *on { (160..=225).contains(value) } else { *value < 40 });
        assert!(fits, "row {row} has the bars {seen:?}");
    }
}
