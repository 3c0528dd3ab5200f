//! Tests of [`super`].

use super::*;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A coloured picture whose tables are the standard ones, optimised ones, or left out.
fn picture(width: u16, height: u16, optimised: bool) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..usize::from(width) * usize::from(height) * 3).map(|i| (i * i / 7 + i * 13) as u8).collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 80);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_2);
    encoder.set_optimized_huffman_tables(optimised);
    encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
    jpeg
}

/// The same JPEG as a camera delivers it that counts on the standard tables.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
    loop {
        let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match jpeg[at + 1] {
            0xC4 => {}
            0xDA => {
                out.extend_from_slice(&jpeg[at..]);
                return out;
            }
            _ => out.extend_from_slice(&jpeg[at..at + 2 + length]),
        }
        at += 2 + length;
    }
}

fn decode(jpeg: &[u8]) -> Vec<u8> {
    jpeg_decoder::Decoder::new(jpeg).decode().unwrap()
}

#[test]
fn a_whole_picture_is_found_with_its_size() {
    let jpeg = picture(40, 24, true);
    let found = scan(&jpeg).unwrap();
    assert_eq!(found.range, 0..jpeg.len());
    assert_eq!((found.width, found.height, found.has_huffman_tables), (40, 24, true));
    let mut out = Vec::new();
    append_with_tables(&jpeg, &found, &mut out);
    assert_eq!(out, jpeg);
}

#[test]
fn a_frame_without_tables_gets_the_standard_ones() {
    let jpeg = picture(40, 24, false);
    let frame = without_tables(&jpeg);
    assert!(jpeg_decoder::Decoder::new(&frame[..]).decode().is_err(), "it misses its tables");
    let found = scan(&frame).unwrap();
    assert!(!found.has_huffman_tables);
    let mut out = b"before".to_vec();
    append_with_tables(&frame, &found, &mut out);
    assert!(scan(&out).unwrap().has_huffman_tables);
    assert_eq!(decode(&out[6..]), decode(&jpeg));
}

#[test]
fn bytes_around_the_picture_are_left_out() {
    let jpeg = without_tables(&picture(16, 8, false));
    let trailers: [&[u8]; 4] = [b"", &[0; 4000], &[0, 0, 7, 0], &[0x55; 100]];
    for trailer in trailers {
        let frame = [&b"\xff\xd8junk"[..], &jpeg, trailer].concat();
        let found = scan(&frame).unwrap();
        assert_eq!(&frame[found.range.clone()], jpeg);
        let mut out = Vec::new();
        append_with_tables(&frame, &found, &mut out);
        assert_eq!(decode(&out), decode(&picture(16, 8, false)));
    }
}

#[test]
fn a_truncated_frame_is_refused_at_every_length() {
    let jpeg = picture(24, 16, false);
    for length in 0..jpeg.len() {
        let frame = &jpeg[..length];
        let wanted = if length < 3 { ScanError::NoStart } else { ScanError::NoEnd };
        assert_eq!(scan(frame), Err(wanted), "{length} bytes");
        let padded = [frame, &[0; 64]].concat();
        assert!(scan(&padded).is_err(), "{length} bytes, then zeros");
    }
}

#[test]
fn a_progressive_picture_is_found_whole() {
    let (mut jpeg, pixels) = (Vec::new(), [99; 16 * 8 * 3]);
    let mut encoder = Encoder::new(&mut jpeg, 80);
    encoder.set_progressive(true);
    encoder.encode(&pixels, 16, 8, ColorType::Rgb).unwrap();
    let found = scan(&jpeg).unwrap();
    assert_eq!((found.range, found.width, found.height), (0..jpeg.len(), 16, 8));
}

#[test]
fn a_picture_of_arithmetic_coding_is_found_and_gets_no_tables() {
    let mut jpeg = without_tables(&picture(64, 48, false));
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).expect("a frame header");
    for kind in [0xC9, 0xCA] {
        jpeg[frame + 1] = kind;
        let found = scan(&jpeg).expect("a picture");
        let mut sent = Vec::new();
        append_with_tables(&jpeg, &found, &mut sent);
        assert_eq!((found.width, found.height, sent), (64, 48, jpeg.clone()));
    }
}

#[test]
fn a_segment_may_hold_the_bytes_of_a_marker() {
    let jpeg = picture(16, 8, false);
    let comment = b"\xff\xfe\x00\x08\xff\xd9\xff\xda\xff\xc0";
    let frame = [&jpeg[..2], comment, &jpeg[2..]].concat();
    assert_eq!(scan(&frame).map(|found| (found.width, found.height)), Ok((16, 8)));
}

#[test]
fn fill_bytes_before_a_marker_are_skipped() {
    let jpeg = without_tables(&picture(16, 8, false));
    let sos = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
    let frame = [&jpeg[..sos], &[0xFF; 3], &jpeg[sos..]].concat();
    let found = scan(&frame).unwrap();
    let mut out = Vec::new();
    append_with_tables(&frame, &found, &mut out);
    assert_eq!(decode(&out), decode(&picture(16, 8, false)));
}

#[test]
fn each_kind_of_bad_frame_is_distinguished() {
    assert_eq!(scan(b""), Err(ScanError::NoStart));
    assert_eq!(scan(&[0; 100_000]), Err(ScanError::NoStart));
    assert_eq!(scan(b"\xff\xd8\xff\xd9"), Err(ScanError::NoPicture));
    assert_eq!(scan(b"\xff\xd8\xff\xe0\x00\x01rest"), Err(ScanError::BrokenSegment(2)));
    assert_eq!(scan(b"\xff\xd8\xff\xe0\x00\x02rest"), Err(ScanError::BrokenSegment(6)));
    assert_eq!(scan(b"\xff\xd8\xff\xda\x00\x02\xff\xd9"), Err(ScanError::NoPicture));
    assert_eq!(scan(b"\xff\xd8\xff\xc0\x00\x04\x08\x00"), Err(ScanError::BrokenSegment(2)));
}

/// `jpeg` with another picture in a segment behind SOI, as cameras put a thumbnail.
fn with_thumbnail(jpeg: &[u8]) -> Vec<u8> {
    let thumbnail = [&b"Exif\0\0"[..], &picture(16, 8, true)].concat();
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &thumbnail, &jpeg[2..]].concat()
}

/// A picture with restart markers, in one colour layout or another.
fn restarting(colour: ColorType, sampling: SamplingFactor, interval: u16) -> Vec<u8> {
    let pixels: Vec<u8> = (0..50 * 38 * if colour == ColorType::Luma { 1 } else { 3 })
        .map(|i| (i * i / 5 + i * 11) as u8)
        .collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(interval);
    encoder.encode(&pixels, 50, 38, colour).unwrap();
    jpeg
}

fn found(data: &[u8]) -> &[u8] {
    &data[scan(data).unwrap().range]
}

#[test]
fn old_bytes_behind_the_picture_are_left_out() {
    let (jpeg, old) = (picture(24, 16, true), picture(64, 48, true));
    for left in [&old[..], &old[old.len() / 2..], &[0x55; 700], b"\xff\xd9", b"\xff", &[0; 9]] {
        assert!(found(&[&jpeg, left].concat()) == jpeg);
    }
}

#[test]
fn a_cut_picture_before_a_whole_one_is_left_out() {
    let jpeg = picture(40, 24, true);
    let half = picture(40, 24, false);
    // Large enough that a segment that takes all of a picture for its length ends in another place.
    let large = picture(320, 240, true);
    for length in 0..half.len() - 1 {
        assert!(found(&[&half[..length], &jpeg].concat()) == jpeg, "cut at {length}");
        assert!(found(&[&half[..length], &large, b"old"].concat()) == large, "cut at {length}");
    }
}

#[test]
fn a_cut_picture_with_a_thumbnail_is_left_out() {
    let wholes = [with_thumbnail(&picture(40, 24, true)), picture(40, 24, true), picture(320, 240, true)];
    let half = with_thumbnail(&picture(40, 24, false));
    for whole in wholes {
        for length in 0..half.len() - 1 {
            assert!(found(&[&half[..length], &whole].concat()) == whole, "cut at {length}");
        }
    }
}

#[test]
fn two_pictures_that_were_cut_before_a_whole_one_are_left_out() {
    let (jpeg, half) = (picture(40, 24, true), picture(24, 16, false));
    for first in (0..half.len() - 1).step_by(3) {
        for second in (0..half.len() - 1).step_by(11) {
            let frame = [&half[..first], &half[..second], &jpeg].concat();
            assert!(found(&frame) == jpeg, "cut at {first} and {second}");
        }
    }
}

#[test]
fn a_table_may_hold_the_bytes_of_a_soi() {
    let jpeg = picture(40, 24, true);
    // The last values of the first quantization table.
    let table = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xDB]).unwrap();
    let end = table + 2 + usize::from(u16::from_be_bytes([jpeg[table + 2], jpeg[table + 3]]));
    for at in [end - 2, end - 3, end - 1 - 60] {
        let mut frame = jpeg.clone();
        frame[at..at + 2].copy_from_slice(&[0xFF, 0xD8]);
        assert!(found(&frame) == frame, "at {at}");
        assert!(found(&[&frame[..], &[0; 99]].concat()) == frame, "at {at}");
    }
}

#[test]
fn a_soi_too_many_and_junk_of_any_length_are_left_out() {
    let jpeg = picture(40, 24, true);
    for before in [&b"\xff\xd8"[..], &b"\xff\xd8".repeat(9), b"\xff\xd8\xff\xd9", b"\xff\xd8\xff", b"\xff"] {
        assert!(found(&[before, &jpeg].concat()) == jpeg, "{before:02x?}");
    }
    assert!(found(&[&[7; 5000], &jpeg[..]].concat()) == jpeg);
    let tail = &picture(64, 48, true)[700..];
    assert!(found(&[tail, &jpeg].concat()) == jpeg, "the end of another picture");
}

#[test]
fn a_thumbnail_is_neither_the_picture_nor_its_end() {
    let jpeg = with_thumbnail(&picture(40, 24, true));
    assert_eq!(scan(&jpeg).map(|found| (found.range, found.width)), Ok((0..jpeg.len(), 40)));
    for length in 0..jpeg.len() {
        assert!(scan(&jpeg[..length]).is_err(), "{length} bytes");
        assert!(scan_without_end(&jpeg[..length]).is_err() || length > jpeg.len() - 3, "{length} bytes");
    }
}

#[test]
fn a_picture_of_several_scans_ends_behind_the_last_one() {
    let (mut jpeg, pixels) = (Vec::new(), (0..40 * 24 * 3).map(|i| (i * i) as u8).collect::<Vec<_>>());
    let mut encoder = Encoder::new(&mut jpeg, 80);
    encoder.set_progressive(true);
    encoder.encode(&pixels, 40, 24, ColorType::Rgb).unwrap();
    assert!(found(&[&jpeg[..], &jpeg[99..]].concat()) == jpeg);
    assert!(scan_without_end(&jpeg[..jpeg.len() - 2]).is_err(), "it is unknown whether it is whole");
}

#[test]
fn without_eoi_a_picture_is_whole_when_its_blocks_are() {
    let colours = [
        (ColorType::Rgb, SamplingFactor::R_4_2_2, 0),
        (ColorType::Rgb, SamplingFactor::R_4_2_0, 3),
        (ColorType::Rgb, SamplingFactor::R_4_4_4, 1),
        (ColorType::Luma, SamplingFactor::R_4_4_4, 0),
        (ColorType::Luma, SamplingFactor::R_4_4_4, 4),
    ];
    for (colour, sampling, interval) in colours {
        let jpeg = restarting(colour, sampling, interval);
        let scanned = &jpeg[..jpeg.len() - 2];
        let behind: [&[u8]; 6] =
            [b"", b"\xff", &[0; 300_000], &[0xFF; 64], &[0x55; 64], b"\xff\xff\xff\0\0\0"];
        for behind in behind {
            let frame = [scanned, behind].concat();
            assert_eq!(scan(&frame), Err(ScanError::NoEnd));
            let found = scan_without_end(&frame).unwrap();
            let mut out = Vec::new();
            append_with_tables(&frame, &found, &mut out);
            assert!(!found.has_end && out == jpeg, "{colour:?} {sampling:?} {interval}");
        }
        // Zeros can pass for the last blocks of colour, which nobody would miss.
        for length in 0..scanned.len() - 100 {
            for behind in [&b""[..], &[0xFF], &[0; 3000], &[0xFF; 20], &[0xAA; 99]] {
                let frame = [&scanned[..length], behind].concat();
                let found = scan_without_end(&frame);
                assert!(found.is_err(), "{length} of {} bytes {colour:?} {interval}", scanned.len());
            }
        }
    }
}

#[test]
fn without_eoi_and_tables_the_standard_ones_are_meant() {
    let jpeg = without_tables(&picture(40, 24, false));
    let found = scan_without_end(&jpeg[..jpeg.len() - 2]).unwrap();
    let mut out = Vec::new();
    append_with_tables(&jpeg, &found, &mut out);
    assert_eq!(decode(&out), decode(&picture(40, 24, false)));
    assert!(scan_without_end(&jpeg).unwrap().has_end, "one that has its EOI");
}

/// Xorshift: the same bytes on every run.
struct Noise(u32);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % bound
    }
}

#[test]
fn no_damage_makes_it_panic_or_leave_the_frame() {
    let jpeg = without_tables(&picture(24, 16, false));
    let check = |frame: &[u8]| {
        for found in [scan(frame), scan_without_end(frame)].into_iter().flatten() {
            assert!(frame[found.range.clone()].starts_with(&[0xFF, 0xD8, 0xFF]));
            let mut out = Vec::new();
            append_with_tables(frame, &found, &mut out);
            assert!(out.len() >= found.range.len() && out.ends_with(&[0xFF, 0xD9]));
            let again = scan(&out).unwrap();
            assert_eq!((again.range, again.width), (0..out.len(), found.width));
        }
    };
    let mut frame = jpeg.clone();
    for at in 0..jpeg.len() {
        for damage in [0x00, 0xFF, 0xD9, 0xDA, jpeg[at] ^ 0x01, jpeg[at] ^ 0x80] {
            frame[at] = damage;
            check(&frame);
            check(&frame[..=at]);
        }
        frame[at] = jpeg[at];
    }
    let mut noise = Noise(0x2545_F491);
    for _ in 0..20_000 {
        let mut frame = jpeg.clone();
        for _ in 0..=noise.below(6) {
            let at = noise.below(frame.len());
            frame[at] = noise.below(256) as u8;
        }
        frame.truncate(1 + noise.below(frame.len() + 40));
        check(&frame);
    }
}
