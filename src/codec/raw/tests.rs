//! Raw pictures of every format, pixel by pixel.

use super::*;
use crate::media::{Flip, Rotation, Scale, Timestamp};

const FORMATS: [PixelFormat; 6] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::I420,
    PixelFormat::Rgb3,
    PixelFormat::Grey,
];

/// A picture of noise, with padded rows.
fn noise(format: PixelFormat, (width, height): (u32, u32)) -> (u32, Vec<u8>) {
    let stride = 4 * width.next_multiple_of(2) + 6;
    let mut seed = 7_u32;
    let data = (0..stride * height * 3).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    let stride = if format == PixelFormat::Rgb3 { stride } else { stride / 2 * 2 };
    (stride, data.collect())
}

fn image(format: PixelFormat, size: (u32, u32), (stride_bytes, data): &(u32, Vec<u8>)) -> RawImage<'_> {
    let range = Range601::Full;
    RawImage { format, width: size.0, height: size.1, stride_bytes: *stride_bytes, range, data }
}

/// The samples of the first component.
fn bright(image: &RawImage<'_>) -> Vec<Vec<u8>> {
    let plane = &planes(image.format, (image.width, image.height), image.stride_bytes, false)[0];
    let row = |y: usize| {
        (0..plane.width).map(move |x| image.data[plane.start + y * plane.stride + x * plane.step]).collect()
    };
    (0..plane.height).map(row).collect()
}

fn edit(turn: Turn) -> RawEdit<'static> {
    RawEdit { turn, mask: None, stamps: &[] }
}

#[test]
fn each_sample_of_a_smaller_picture_is_a_mean() {
    let sizes = [(32, 24), (17, 5), (1, 1), (2, 50), (9, 8)];
    for (format, size) in FORMATS.into_iter().flat_map(|format| sizes.map(|size| (format, size))) {
        let data = noise(format, size);
        let original = image(format, size, &data);
        let from = planes(format, size, original.stride_bytes, false);
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let smaller = shrink(&original, scale, Timestamp::from_micros(7), vec![9; 3]).unwrap();
            assert_eq!((smaller.width, smaller.height), scale.of(size));
            check(&smaller.image()).unwrap();
            let to = planes(format, (smaller.width, smaller.height), smaller.stride_bytes, false);
            for (from, to) in from.iter().zip(&to) {
                assert_mean(&original, from, &smaller.pixels, to, scale.divisor() as usize);
            }
        }
    }
}

fn assert_mean(original: &RawImage<'_>, from: &Plane, smaller: &[u8], to: &Plane, n: usize) {
    assert_eq!((to.width, to.height), (from.width.div_ceil(n), from.height.div_ceil(n)));
    for (x, y) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (x, y))) {
        let columns = x * n..(x * n + n).min(from.width);
        let rows = y * n..(y * n + n).min(from.height);
        let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        let samples: Vec<_> = places
            .map(|(x, y)| f64::from(original.data[from.start + y * from.stride + x * from.step]))
            .collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let found = f64::from(smaller[to.start + y * to.stride + x * to.step]);
        assert!((found - mean).abs() <= 1.0, "{found} and {mean} at {x}, {y} of {:?}", original.format);
    }
}

#[test]
fn each_format_is_turned_pixel_by_pixel() {
    let sizes = [(32, 24), (17, 5), (1, 1), (2, 50)];
    for (format, size) in FORMATS.into_iter().flat_map(|format| sizes.map(|size| (format, size))) {
        let data = noise(format, size);
        let original = image(format, size, &data);
        let before = bright(&original);
        let (last_x, last_y) = (size.0 as usize - 1, size.1 as usize - 1);
        for (rotation, place) in [
            (Rotation::None, (|x, y, _, _| (x, y)) as fn(usize, usize, usize, usize) -> (usize, usize)),
            (Rotation::Right, |x, y, _, last_y| (last_y - y, x)),
            (Rotation::Around, |x, y, last_x, last_y| (last_x - x, last_y - y)),
            (Rotation::Left, |x, y, last_x, _| (y, last_x - x)),
        ] {
            let mut editor = RawEditor::default();
            let turned = editor.apply(&original, &edit(Turn::new(rotation, Flip::None))).unwrap();
            let after = bright(&turned);
            for (y, row) in before.iter().enumerate() {
                for (x, &sample) in row.iter().enumerate() {
                    let (to_x, to_y) = place(x, y, last_x, last_y);
                    assert_eq!(after[to_y][to_x], sample, "{format} {size:?} {rotation:?} {x},{y}");
                }
            }
            check(&turned).unwrap();
        }
    }
}

#[test]
fn two_opposite_turns_give_the_picture_back() {
    for format in [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Rgb3, PixelFormat::Grey] {
        let size = (34, 20);
        let data = noise(format, size);
        let (mut first, mut second, mut plain) =
            (RawEditor::default(), RawEditor::default(), RawEditor::default());
        let turned = first
            .apply(&image(format, size, &data), &edit(Turn::new(Rotation::Right, Flip::Horizontal)))
            .unwrap();
        let back = second.apply(&turned, &edit(Turn::new(Rotation::Right, Flip::Horizontal))).unwrap();
        let same = plain.apply(&image(format, size, &data), &edit(Turn::default())).unwrap();
        assert_eq!(back.data, same.data, "{format}");
    }
}

#[test]
fn a_mask_is_flat_in_luma_and_chroma_and_nothing_else_is() {
    for format in FORMATS {
        let size = (64, 48);
        let data = noise(format, size);
        let mask = Mask { polygons: vec![vec![(0.26, 0.1), (0.4, 0.1), (0.4, 0.3)]], level: 128 };
        let mut editor = RawEditor::default();
        let edit = RawEdit { turn: Turn::default(), mask: Some(&mask), stamps: &[] };
        let masked = editor.apply(&image(format, size, &data), &edit).unwrap();
        for plane in planes(format, size, masked.stride_bytes, false) {
            let sample = |x: usize, y: usize| {
                let (x, y) = (x / plane.shares.0, y / plane.shares.1);
                masked.data[plane.start + y * plane.stride + x * plane.step]
            };
            let all = |columns: std::ops::Range<usize>| {
                columns.into_iter().all(|x| (0..16).all(|y| sample(x, y) == 128))
            };
            assert!(all(16..32) && !all(0..16) && !all(32..48), "{format}");
        }
    }
}

#[test]
fn lettering_is_in_its_corner_without_colour() {
    for format in FORMATS {
        let size = (64, 48);
        let data = noise(format, size);
        let stamps = [Stamp { corner: Corner::BottomRight, width: 16, grey: vec![200; 16 * 16] }];
        let mut editor = RawEditor::default();
        let edit = RawEdit { turn: Turn::default(), mask: None, stamps: &stamps };
        let stamped = editor.apply(&image(format, size, &data), &edit).unwrap();
        let rows = bright(&stamped);
        assert!(rows[32..].iter().all(|row| row[48..].iter().all(|&sample| sample == 200)), "{format}");
        assert!(rows[..32].iter().any(|row| row[48..].iter().any(|&sample| sample != 200)), "{format}");
    }
}

#[test]
fn a_picture_that_is_too_short_is_refused() {
    let mut editor = RawEditor::default();
    let short = (64, vec![0; 100]);
    let image = image(PixelFormat::Yuyv, (32, 24), &short);
    assert!(editor.apply(&image, &edit(Turn::default())).is_err());
}
