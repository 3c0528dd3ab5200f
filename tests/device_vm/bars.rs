//! Vivid's colour bars: eight of them, side by side and equally wide, over the whole height.

/// The colours, left to right, of `test_pattern=1` (100% bars) as vivid gives them in `RGB3`.
///
/// In the YCbCr formats it calls its values sRGB, ITU-R 601, limited range; in `GREY` full range.
pub const BARS: [[u8; 3]; 8] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
    [0, 0, 0],
];

/// Fails unless `rgb` (3 bytes a pixel, rows without padding) shows the bars, each value at most
/// `tolerance` away, in the upper, middle and lower part of the picture.
pub fn assert_bars(rgb: &[u8], width: usize, tolerance: u8) {
    let rows: Vec<&[u8]> = rgb.chunks_exact(width * 3).collect();
    for row in [rows.len() / 10, rows.len() / 2, rows.len() * 9 / 10] {
        let colours = middles(rows[row]);
        let near = |(seen, bar): (&u8, &u8)| seen.abs_diff(*bar) <= tolerance;
        assert!(
            colours.iter().flatten().zip(BARS.iter().flatten()).all(near),
            "row {row} has {colours:?}, more than {tolerance} away from {BARS:?}"
        );
    }
}

/// The pixel in the middle of each bar of a row.
pub fn middles(row: &[u8]) -> [[u8; 3]; 8] {
    let pixels: Vec<&[u8]> = row.chunks_exact(3).collect();
    std::array::from_fn(|bar| {
        let pixel = pixels[(2 * bar + 1) * pixels.len() / 16];
        [pixel[0], pixel[1], pixel[2]]
    })
}
