//! What the camera sees: a ramp from left to right, as bright as the control says.

/// Bytes of a pixel and the pixels of a picture: Y, Cb and Cr of each.
fn pixels(size: (u16, u16), brightness: i16, chroma: (u8, u8)) -> impl Iterator<Item = [u8; 3]> {
    let row = move |column: u16| {
        let ramp = i32::from(column) * 128 / i32::from(size.0) - 64;
        let luma = (i32::from(brightness) + ramp).clamp(0, 255) as u8;
        [luma, chroma.0, chroma.1]
    };
    (0..size.1).flat_map(move |_| (0..size.0).map(row))
}

/// The picture as YUYV, two bytes a pixel.
pub fn yuyv(size: (u16, u16), brightness: i16, chroma: (u8, u8)) -> Vec<u8> {
    let pixels = pixels(size, brightness, chroma).enumerate();
    pixels.flat_map(|(at, [y, cb, cr])| [y, if at % 2 == 0 { cb } else { cr }]).collect()
}

/// The picture as JPEG.
pub fn jpeg(size: (u16, u16), brightness: i16, chroma: (u8, u8)) -> Vec<u8> {
    let bytes: Vec<u8> = pixels(size, brightness, chroma).flatten().collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    encoder.encode(&bytes, size.0, size.1, jpeg_encoder::ColorType::Ycbcr).expect("a picture");
    jpeg
}
