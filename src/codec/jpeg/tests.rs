//! Encoded pictures, decoded again and compared.

use super::*;
use crate::media::Range601;

/// Full-range RGB of the bars the test pictures show, left to right.
const BARS: [[u8; 3]; 8] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
    [16, 16, 16],
];

const RAW_FORMATS: [PixelFormat; 6] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::I420,
    PixelFormat::Rgb3,
    PixelFormat::Grey,
];

/// Colour bars as a driver would deliver them, with `padding` bytes of `filler` behind each row.
struct Picture {
    format: PixelFormat,
    range: Range601,
    width: u32,
    height: u32,
    padding: u32,
    filler: u8,
}

impl Picture {
    fn new(format: PixelFormat, range: Range601, width: u32, height: u32) -> Self {
        Self { format, range, width, height, padding: 0, filler: 0 }
    }

    fn colour(&self, x: u32) -> [u8; 3] {
        BARS[(x.min(self.width - 1) * BARS.len() as u32 / self.width) as usize]
    }

    /// BT.601, in floating point, independent of the code under test.
    fn ycbcr(&self, x: u32) -> [u8; 3] {
        let [r, g, b] = self.colour(x).map(f64::from);
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        let (cb, cr) = ((b - y) / 1.772, (r - y) / 1.402);
        let coded = match self.range {
            Range601::Full => [y, 128.0 + cb, 128.0 + cr],
            Range601::Limited => {
                [16.0 + y * 219.0 / 255.0, 128.0 + cb * 224.0 / 255.0, 128.0 + cr * 224.0 / 255.0]
            }
        };
        coded.map(|value| value.round().clamp(0.0, 255.0) as u8)
    }

    fn row(&self, plane: usize) -> Vec<u8> {
        let pixels = 0..self.width;
        let pairs = (0..self.width).step_by(2);
        match (self.format, plane) {
            (PixelFormat::Yuyv, _) => pairs
                .flat_map(|x| {
                    let [y, cb, cr] = self.ycbcr(x);
                    [y, cb, self.ycbcr(x + 1)[0], cr]
                })
                .collect(),
            (PixelFormat::Uyvy, _) => pairs
                .flat_map(|x| {
                    let [y, cb, cr] = self.ycbcr(x);
                    [cb, y, cr, self.ycbcr(x + 1)[0]]
                })
                .collect(),
            (PixelFormat::Rgb3, _) => pixels.flat_map(|x| self.colour(x)).collect(),
            (PixelFormat::Nv12, 1) => pairs.flat_map(|x| [self.ycbcr(x)[1], self.ycbcr(x)[2]]).collect(),
            (PixelFormat::I420, 1 | 2) => pairs.map(|x| self.ycbcr(x)[plane]).collect(),
            _ => pixels.map(|x| self.ycbcr(x)[0]).collect(),
        }
    }

    fn stride_bytes(&self) -> u32 {
        self.row(0).len() as u32 + self.padding
    }

    fn data(&self) -> Vec<u8> {
        let stride = self.stride_bytes();
        let mut planes = vec![(self.row(0), self.height, stride)];
        let chroma_rows = self.height.div_ceil(2);
        match self.format {
            PixelFormat::Nv12 => planes.push((self.row(1), chroma_rows, stride.div_ceil(2) * 2)),
            PixelFormat::I420 => {
                planes.push((self.row(1), chroma_rows, stride.div_ceil(2)));
                planes.push((self.row(2), chroma_rows, stride.div_ceil(2)));
            }
            _ => {}
        }
        let mut data = Vec::new();
        for (mut row, rows, stride) in planes {
            row.resize(stride as usize, self.filler);
            (0..rows).for_each(|_| data.extend_from_slice(&row));
        }
        data
    }

    fn image<'a>(&self, data: &'a [u8]) -> RawImage<'a> {
        RawImage {
            format: self.format,
            width: self.width,
            height: self.height,
            stride_bytes: self.stride_bytes(),
            range: self.range,
            data,
        }
    }

    fn encoded(&self) -> Vec<u8> {
        self.encoded_by(1, Chroma::AsCaptured)
    }

    fn encoded_by(&self, threads: usize, chroma: Chroma) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(Settings { quality: 90, chroma, threads });
        encoder.encode(&self.image(&self.data()), &mut out).unwrap();
        out
    }
}

fn encode(image: &RawImage<'_>, quality: u8, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    Encoder::new(Settings { quality, chroma: Chroma::AsCaptured, threads: 1 }).encode(image, out)
}

/// Width, height and RGB pixels of a JPEG.
fn decode(jpeg: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    let bytes = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let pixels = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => bytes.iter().map(|&grey| [grey; 3]).collect(),
        _ => bytes.as_chunks::<3>().0.to_vec(),
    };
    (u32::from(info.width), u32::from(info.height), pixels)
}

fn is_near(seen: [u8; 3], wanted: [u8; 3]) -> bool {
    seen.iter().zip(wanted).all(|(seen, wanted)| seen.abs_diff(wanted) <= 8)
}

#[test]
fn colours_survive_in_every_format_and_range() {
    for format in RAW_FORMATS {
        for range in [Range601::Limited, Range601::Full] {
            let picture = Picture::new(format, range, 256, 48);
            let (width, height, pixels) = decode(&picture.encoded());
            assert_eq!((width, height), (256, 48), "{format}");
            for (bar, colour) in BARS.into_iter().enumerate() {
                let [r, g, b] = colour.map(f64::from);
                let grey = (0.299 * r + 0.587 * g + 0.114 * b).round() as u8;
                let wanted = if format == PixelFormat::Grey { [grey; 3] } else { colour };
                for y in [0, 1, 23, 46, 47] {
                    let seen = pixels[y * 256 + bar * 32 + 16];
                    assert!(is_near(seen, wanted), "{format} {range:?} bar {bar}: {seen:?}, not {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn padding_behind_rows_is_not_part_of_the_picture() {
    for format in RAW_FORMATS {
        let plain = Picture::new(format, Range601::Limited, 70, 20);
        let padded = Picture { padding: 58, filler: 0xAA, ..Picture::new(format, Range601::Limited, 70, 20) };
        assert_eq!(plain.encoded(), padded.encoded(), "{format}");
    }
}

#[test]
fn the_last_row_may_come_without_its_padding() {
    for format in RAW_FORMATS {
        let picture = Picture { padding: 10, ..Picture::new(format, Range601::Full, 64, 16) };
        let data = picture.data();
        let padding = if format == PixelFormat::I420 { 5 } else { 10 };
        let mut out = Vec::new();
        encode(&picture.image(&data[..data.len() - padding]), 90, &mut out).unwrap();
        assert_eq!(out, picture.encoded(), "{format}");
    }
}

#[test]
fn small_and_odd_sizes_are_encoded_whole() {
    for format in RAW_FORMATS {
        for (width, height) in [(1, 1), (2, 1), (1, 2), (7, 9), (8, 8), (9, 7), (17, 15), (33, 3)] {
            let (w, h, pixels) = decode(&Picture::new(format, Range601::Limited, width, height).encoded());
            assert_eq!((w, h, pixels.len()), (width, height, (width * height) as usize), "{format}");
        }
    }
}

#[test]
fn the_last_blocks_are_filled_with_the_bottom_row() {
    // All rows are alike, so a lower picture differs from a full one in its height alone.
    for format in RAW_FORMATS {
        let full = Picture::new(format, Range601::Limited, 256, 32).encoded();
        for height in 25..32 {
            let mut low = Picture::new(format, Range601::Limited, 256, height).encoded();
            let sof = low.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
            low[sof + 5..sof + 7].copy_from_slice(&32_u16.to_be_bytes());
            assert!(low == full, "{format}, height {height}");
        }
    }
}

#[test]
fn a_picture_is_the_same_however_many_threads_encode_it() {
    for format in RAW_FORMATS {
        // 1, 2 and 4 slices; the last of the four is one unit high, and cut off.
        let picture = Picture::new(format, Range601::Limited, 1030, 386);
        let alone = decode(&picture.encoded());
        for threads in [2, 3, 4, 64] {
            let sliced = picture.encoded_by(threads, Chroma::AsCaptured);
            assert!(sliced.windows(2).any(|marker| marker == [0xFF, 0xDD]), "{format}: one slice");
            assert!(decode(&sliced) == alone, "{format}, {threads} threads");
        }
    }
}

#[test]
fn an_encoder_takes_pictures_of_any_size_one_after_another() {
    let settings = Settings { quality: 90, chroma: Chroma::AsCaptured, threads: 4 };
    let mut encoder = Encoder::new(settings);
    for (format, width, height) in
        [(PixelFormat::Yuyv, 640, 480), (PixelFormat::Grey, 16, 16), (PixelFormat::Nv12, 800, 600)]
    {
        let picture = Picture::new(format, Range601::Full, width, height);
        let mut out = Vec::new();
        encoder.encode(&picture.image(&picture.data()), &mut out).unwrap();
        assert!(out == picture.encoded_by(4, Chroma::AsCaptured), "{format}");
    }
}

#[test]
fn thinned_chroma_is_the_mean_of_two_rows() {
    let (width, height) = (64, 32_u8);
    // Rows red and blue in turn, in Cb and Cr alone.
    let data: Vec<u8> = (0..height)
        .flat_map(|y: u8| [[128, 90, 128, 200], [128, 200, 128, 90]][usize::from(y % 2)].repeat(32))
        .collect();
    let (format, range) = (PixelFormat::Yuyv, Range601::Full);
    let image =
        RawImage { format, width, height: height.into(), stride_bytes: width * 2, range, data: &data };
    let mut out = Vec::new();
    let settings = Settings { quality: 95, chroma: Chroma::Quarter, threads: 1 };
    Encoder::new(settings).encode(&image, &mut out).unwrap();
    let mixed = 128.0 + 1.402 * 17.0;
    for [red, _, _] in decode(&out).2 {
        assert!((f64::from(red) - mixed).abs() < 4.0, "{red}, not {mixed}");
    }
}

#[test]
fn thinned_chroma_takes_fewer_bytes_and_keeps_the_colours() {
    for format in [PixelFormat::Yuyv, PixelFormat::Uyvy] {
        let picture = Picture::new(format, Range601::Limited, 256, 47);
        let thin = picture.encoded_by(1, Chroma::Quarter);
        assert!(thin.len() < picture.encoded().len(), "{format}");
        let (_, _, pixels) = decode(&thin);
        for (bar, colour) in BARS.into_iter().enumerate() {
            for y in [0, 23, 46] {
                let seen = pixels[y * 256 + bar * 32 + 16];
                assert!(is_near(seen, colour), "{format} bar {bar}: {seen:?}, not {colour:?}");
            }
        }
    }
}

#[test]
fn an_encoded_image_is_appended() {
    let picture = Picture::new(PixelFormat::Yuyv, Range601::Limited, 16, 16);
    let mut out = b"before".to_vec();
    encode(&picture.image(&picture.data()), 90, &mut out).unwrap();
    assert!(out.starts_with(b"before\xff\xd8") && out.ends_with(b"\xff\xd9"));
}

#[test]
fn higher_quality_takes_more_bytes_and_any_quality_works() {
    let picture = Picture::new(PixelFormat::Yuyv, Range601::Limited, 128, 64);
    let data = picture.data();
    let length = |quality| {
        let mut out = Vec::new();
        encode(&picture.image(&data), quality, &mut out).unwrap();
        out.len()
    };
    assert!(length(20) < length(95));
    assert_eq!(length(0), length(1));
    assert_eq!(length(255), length(100));
}

#[test]
fn data_one_byte_too_short_are_refused_and_nothing_is_appended() {
    for format in RAW_FORMATS {
        let picture = Picture::new(format, Range601::Limited, 34, 18);
        let data = picture.data();
        let mut out = Vec::new();
        let error = encode(&picture.image(&data[..data.len() - 1]), 90, &mut out).unwrap_err();
        let needed = format!("takes {} bytes, got {}", data.len(), data.len() - 1);
        assert!(error.to_string().contains(&needed), "{format}: {error}");
        assert!(out.is_empty());
    }
}

#[test]
fn impossible_images_are_refused_by_name() {
    let data = [0; 4096];
    let refuse = |format, width, height, stride_bytes| {
        let range = Range601::Full;
        let image = RawImage { format, width, height, stride_bytes, range, data: &data };
        encode(&image, 90, &mut Vec::new()).unwrap_err().to_string()
    };
    assert!(refuse(PixelFormat::Mjpeg, 8, 8, 8).contains("expected raw pixels"));
    assert!(refuse(PixelFormat::Grey, 0, 8, 8).contains("0x8"));
    assert!(refuse(PixelFormat::Grey, 8, 0, 8).contains("8x0"));
    assert!(refuse(PixelFormat::Grey, 65_536, 1, 65_536).contains("1 to 65535"));
    assert!(refuse(PixelFormat::Yuyv, 9, 8, 19).contains("takes 20 bytes"));
    for format in RAW_FORMATS {
        let error = refuse(format, 65_535, 65_535, u32::MAX);
        assert!(error.contains("65535x65535"), "{format}: {error}");
    }
}
