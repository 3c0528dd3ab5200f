//! Tests of reading and writing together, on pictures of an encoder and on random blocks. `tests/jpeg.rs` compares with
//! libjpeg-turbo.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::coefficients::{Coefficients, Reader};
use super::dc::{DcReader, Planes};
use super::edit::{Edit, Editor};
use super::error::{Fault, JpegError, Unsupported};
use super::header::{Header, Limits};
use super::mask::Mask;
use super::stamp::Stamp;
use super::turn::Turn;
use super::variant::{Variant, VariantMaker};
use super::write::{Restarts, ScanWriter, WriteTables};
use crate::media::{Corner, Flip, Rotation, Scale};

mod faults;
mod room;
mod shifts;

const LIMITS: Limits = Limits { max_pixels: 1 << 20 };

/// A coloured picture with some detail.
fn picture(width: u16, height: u16, sampling: SamplingFactor, interval: u16) -> Vec<u8> {
    let pixels =
        (0..usize::from(width) * usize::from(height) * 3).map(|at| (at * at / 7 + at * 13) as u8 / 3);
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 80);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(interval);
    encoder.encode(&pixels.collect::<Vec<_>>(), width, height, ColorType::Rgb).unwrap();
    jpeg
}

fn small() -> Vec<u8> {
    picture(48, 32, SamplingFactor::R_4_2_0, 0)
}

fn blocks(coefficients: &Coefficients) -> Vec<[i16; 64]> {
    let planes = coefficients.planes().enumerate();
    let places = planes.flat_map(|(component, (columns, rows))| {
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (component, column, row)))
    });
    places.map(|(component, column, row)| coefficients.block(component, column, row)).collect()
}

fn read(jpeg: &[u8]) -> Result<Vec<[i16; 64]>, JpegError> {
    Reader::new().read(jpeg, LIMITS).map(blocks)
}

fn edited(jpeg: &[u8], edit: &Edit<'_>) -> Result<Vec<u8>, JpegError> {
    let mut out = Vec::new();
    Editor::new().apply(jpeg, LIMITS, edit, &mut out).map(|_| out)
}

fn turned(jpeg: &[u8], rotation: Rotation, flip: Flip) -> Vec<u8> {
    edited(jpeg, &Edit { turn: Turn::new(rotation, flip), ..Edit::default() }).unwrap()
}

/// Where the segment with this marker begins.
fn segment(jpeg: &[u8], code: u8) -> usize {
    jpeg.windows(2).position(|bytes| bytes == [0xFF, code]).expect("a segment")
}

/// Numbers that look random, the same in every run (xorshift).
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }
}

#[test]
fn random_blocks_are_read_as_they_were_written() {
    let frame = picture(128, 128, SamplingFactor::R_4_4_4, 0);
    let mut random = Random(1);
    for interval in [0, 1, 7] {
        let mut header = Header::parse(&frame, LIMITS).unwrap();
        header.restart_interval = interval;
        let mut tables = WriteTables::default();
        tables.prepare(&header, true).unwrap();
        let mut jpeg = frame[..segment(&frame, 0xC4)].to_vec();
        jpeg.extend_from_slice(&super::standard::STANDARD_TABLES);
        jpeg.extend_from_slice(&[0xFF, 0xDD, 0, 4, 0, interval as u8]);
        jpeg.extend_from_slice(&[0xFF, 0xDA, 0, 12, 3, 0, 0, 1, 0x11, 2, 0x11, 0, 63, 0]);
        let ids: Vec<u8> = header.components().iter().map(|component| component.id).collect();
        let selectors = jpeg.len() - 9;
        (0..3).for_each(|index| jpeg[selectors + 2 * index] = ids[index]);
        let mut may_grow = |_| true;
        let mut writer = ScanWriter::new(&mut jpeg, &tables, &mut may_grow);
        let mut restarts = Restarts::new(interval);
        let mut wanted = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..16 * 16 {
            if let Some(number) = restarts.next_unit() {
                writer.restart(number);
            }
            for (component, wanted) in wanted.iter_mut().enumerate() {
                let mut block = [0i16; 64];
                let filled = random.below(65);
                for value in &mut block {
                    if random.below(64) < filled {
                        *value = (random.below(2047) as i16 - 1023) >> random.below(11);
                    }
                }
                let places = (1u32..64)
                    .map(|place| (place, block[super::coefficients::ZIGZAG[place as usize] as usize]));
                let tokens = places.filter(|&(_, value)| value != 0);
                let tokens = tokens.map(|(place, value)| u32::from(value as u16) << 16 | place);
                writer.block(component, block[0].into(), tokens);
                wanted.push(block);
            }
        }
        assert!(writer.finish() == Ok(true), "every symbol has a code");
        assert!(read(&jpeg) == Ok(wanted.concat()), "interval {interval}");
        assert!(edited(&jpeg, &Edit::default()) == Ok(jpeg.clone()), "copied as bits");
    }
}

#[test]
fn four_turns_and_two_flips_change_nothing() {
    let samplings =
        [(SamplingFactor::R_4_2_0, 4), (SamplingFactor::R_4_2_2, 4), (SamplingFactor::R_4_4_4, 8)];
    for (sampling, units_across) in samplings {
        for interval in [0, units_across] {
            let jpeg = picture(64, 32, sampling, interval);
            assert!(edited(&jpeg, &Edit::default()) == Ok(jpeg.clone()));
            // This encoder writes some blocks longer than they must be.
            let twice = turned(&turned(&jpeg, Rotation::Around, Flip::None), Rotation::Around, Flip::None);
            assert!(read(&twice) == read(&jpeg));
            let jpeg = twice;
            let mut round = jpeg.clone();
            for _ in 0..4 {
                round = turned(&round, Rotation::Right, Flip::None);
            }
            assert!(round == jpeg, "{sampling:?}");
            for flip in [Flip::Horizontal, Flip::Vertical] {
                assert!(turned(&turned(&jpeg, Rotation::None, flip), Rotation::None, flip) == jpeg);
            }
            let around = turned(&jpeg, Rotation::Around, Flip::None);
            let right = turned(&jpeg, Rotation::Right, Flip::None);
            assert!(turned(&right, Rotation::Right, Flip::None) == around);
            assert!(
                turned(&turned(&jpeg, Rotation::None, Flip::Vertical), Rotation::None, Flip::Horizontal)
                    == around
            );
        }
    }
}

#[test]
fn points_turn_with_the_picture() {
    let turn = Turn::new(Rotation::Right, Flip::None);
    assert_eq!(turn.turned_point((0.25, 0.0)), (1.0, 0.25), "the upper edge becomes the right one");
    for rotation in [Rotation::None, Rotation::Right, Rotation::Around, Rotation::Left] {
        for flip in [Flip::None, Flip::Horizontal, Flip::Vertical] {
            let turn = Turn::new(rotation, flip);
            assert_eq!(turn.original_point(turn.turned_point((0.25, 0.125))), (0.25, 0.125));
        }
    }
}

#[test]
fn what_is_trimmed_is_told() {
    let jpeg = picture(50, 37, SamplingFactor::R_4_2_0, 0);
    let cases = [
        (Rotation::None, (50, 37, 0, 0)),
        (Rotation::Right, (32, 50, 5, 0)),
        (Rotation::Around, (48, 32, 2, 5)),
        (Rotation::Left, (37, 48, 0, 2)),
    ];
    for (rotation, wanted) in cases {
        let edit = Edit { turn: Turn::new(rotation, Flip::None), ..Edit::default() };
        let mut out = b"before".to_vec();
        let edited = Editor::new().apply(&jpeg, LIMITS, &edit, &mut out).unwrap();
        assert_eq!((edited.width, edited.height, edited.trimmed_columns, edited.trimmed_rows), wanted);
        let header = Header::parse(&out[6..], LIMITS).unwrap();
        assert_eq!((header.width, header.height), (wanted.0, wanted.1));
    }
    let tiny = picture(8, 40, SamplingFactor::R_4_2_0, 0);
    let edit = Edit { turn: Turn::new(Rotation::Around, Flip::None), ..Edit::default() };
    assert_eq!(edited(&tiny, &edit), Err(Unsupported::TooSmall.into()));
}

/// Every block that the polygon touches is flat, and every other one is as it was; also in a turned picture.
#[test]
fn a_mask_makes_blocks_flat_and_leaves_the_others() {
    let mask = Mask { polygons: vec![vec![(0.3, 0.2), (0.7, 0.3), (0.5, 0.9)]], level: 128 };
    for interval in [0, 3] {
        let jpeg = picture(80, 64, SamplingFactor::R_4_2_0, interval);
        let masked = edited(&jpeg, &Edit { mask: Some(&mask), ..Edit::default() }).unwrap();
        let (before, after) = (read(&jpeg).unwrap(), read(&masked).unwrap());
        let flat: Vec<usize> = (0..after.len()).filter(|&at| after[at] == [0; 64]).collect();
        assert!((0..after.len()).all(|at| flat.contains(&at) || after[at] == before[at]));
        // Of luma, row by row, ten blocks in each: from 24 to 56 pixels across, 12 to 58 down.
        let rows: Vec<String> = after[..80]
            .chunks(10)
            .map(|row| row.iter().map(|block| if *block == [0; 64] { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(
            rows,
            [
                "..........",
                "..####....",
                "...#####..",
                "...####...",
                "...####...",
                "....##....",
                "....##....",
                "....##...."
            ][..]
                .iter()
                .map(|row| row.to_string())
                .collect::<Vec<_>>()
        );
        let turn = Turn::new(Rotation::Right, Flip::Horizontal);
        let both = edited(&jpeg, &Edit { turn, mask: Some(&mask), ..Edit::default() }).unwrap();
        let one_by_one = edited(&masked, &Edit { turn, ..Edit::default() }).unwrap();
        assert!(read(&both) == read(&one_by_one), "in one go as one after the other");
    }
}

#[test]
fn a_polygon_that_is_none_covers_everything() {
    let jpeg = small();
    for corner in [f32::NAN, f32::INFINITY] {
        let mask = Mask { polygons: vec![vec![(0.5, corner)]], level: 0 };
        let masked = edited(&jpeg, &Edit { mask: Some(&mask), ..Edit::default() }).unwrap();
        assert!(read(&masked).unwrap().iter().all(|block| block[1..] == [0; 63]));
    }
    let point = Mask { polygons: vec![vec![(0.99, 0.99)], vec![]], level: 128 };
    let masked = edited(&jpeg, &Edit { mask: Some(&point), ..Edit::default() }).unwrap();
    assert_eq!(read(&masked).unwrap().iter().filter(|block| **block == [0; 64]).count(), 3, "one of each");
}

#[test]
fn a_mask_leaves_no_thumbnail_and_no_comment() {
    let plain = small();
    let secret = b"\xff\xe1\x00\x09Exif!!!\xff\xfe\x00\x06abcd";
    let jfif_with_thumbnail = b"\xff\xe0\x00\x13JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01abc";
    let from = 2 + 2 + 16;
    assert_eq!(plain[2..4], [0xFF, 0xE0], "JFIF, which another one replaces");
    let jpeg = [&plain[..2], jfif_with_thumbnail, secret, &plain[from..], b"behind"].concat();
    let mask = Mask { polygons: vec![vec![(0.1, 0.1)]], level: 128 };
    let masked = edited(&jpeg, &Edit { mask: Some(&mask), ..Edit::default() }).unwrap();
    let holds = |jpeg: &[u8], text: &[u8]| jpeg.windows(text.len()).any(|bytes| bytes == text);
    for text in [&b"Exif"[..], b"abc", b"behind"] {
        assert!(holds(&jpeg, text) && !holds(&masked, text), "{text:?}");
    }
    assert!(holds(&masked, b"JFIF") && read(&masked).is_ok());
    let kept = turned(&jpeg, Rotation::Around, Flip::None);
    assert!(holds(&kept, b"Exif!!!") && holds(&kept, b"abcd") && !holds(&kept, b"behind"));
}

#[test]
fn a_turned_picture_says_that_it_is_upright() {
    let plain = small();
    for (order, tag, count, six, one) in [
        (b"II*\0\x08\0\0\0", b"\x12\x01\x03\0", b"\x01\0\0\0", b"\x06\0\0\0", b"\x01\0\0\0"),
        (b"MM\0*\0\0\0\x08", b"\x01\x12\0\x03", b"\0\0\0\x01", b"\0\x06\0\0", b"\0\x01\0\0"),
    ] {
        let entries: &[u8] = if order[0] == b'I' { b"\x01\0" } else { b"\0\x01" };
        let exif = |value: &[u8]| [b"Exif\0\0", &order[..], entries, tag, count, value].concat();
        let with = |value: &[u8]| {
            let exif = exif(value);
            [&plain[..2], &[0xFF, 0xE1, 0, 2 + exif.len() as u8], &exif, &plain[2..]].concat()
        };
        let turned = turned(&with(six), Rotation::Around, Flip::None);
        assert!(turned.windows(exif(one).len()).any(|bytes| bytes == exif(one)), "{order:?}");
        assert!(edited(&with(six), &Edit::default()) == Ok(with(six)), "not turned");
        // A directory that is cut off, or lies elsewhere, is left as it is.
        for damage in 6..exif(six).len() {
            let mut jpeg = with(six);
            jpeg[6 + damage] = 0xFF;
            assert!(
                edited(&jpeg, &Edit { turn: Turn::new(Rotation::Left, Flip::None), ..Edit::default() })
                    .is_ok()
            );
        }
    }
}

#[test]
fn a_stamp_is_where_it_should_be_and_nothing_else_changes() {
    let jpeg = picture(100, 60, SamplingFactor::R_4_2_0, 0);
    let before = read(&jpeg).unwrap();
    for (corner, first) in [
        (Corner::TopLeft, 0),
        (Corner::TopRight, 8),
        (Corner::BottomLeft, 4 * 13),
        (Corner::BottomRight, 4 * 13 + 8),
    ] {
        // White; 20 pixels wide, so that two units take it.
        let stamps = [Stamp { corner, width: 20, grey: vec![255; 20 * 3] }];
        let stamped = edited(&jpeg, &Edit { stamps: &stamps, ..Edit::default() }).unwrap();
        let after = read(&stamped).unwrap();
        let changed: Vec<usize> = (0..13 * 8).filter(|&at| after[at] != before[at]).collect();
        let wanted: Vec<usize> =
            [0, 13].iter().flat_map(|row| (0..4).map(move |at| first + row + at)).collect();
        assert_eq!(changed, wanted, "{corner:?}: two rows of four blocks of luma");
        let white = after[first][0];
        assert!(white > 0 && wanted.iter().all(|&at| after[at][0] == white && after[at][1..] == [0; 63]));
        assert_eq!(
            (104..after.len()).filter(|&at| after[at] != before[at]).count(),
            4,
            "two blocks of each colour"
        );
        let size = (100 - 100 % 16, 60 - 60 % 16);
        let huge = [Stamp { corner, width: 5000, grey: vec![9; 5000 * 400] }];
        assert!(edited(&jpeg, &Edit { stamps: &huge, ..Edit::default() }).is_ok(), "cut to {size:?}");
    }
    for nothing in [
        Stamp { corner: Corner::TopLeft, width: 0, grey: vec![1] },
        Stamp { corner: Corner::TopLeft, width: 9, grey: vec![1] },
    ] {
        assert!(edited(&jpeg, &Edit { stamps: &[nothing], ..Edit::default() }) == Ok(jpeg.clone()));
    }
}

#[test]
fn an_editor_follows_what_changes_from_frame_to_frame() {
    let frames =
        [small(), picture(64, 48, SamplingFactor::R_4_2_2, 2), picture(48, 32, SamplingFactor::R_4_4_4, 0)];
    let masks = [0.2, 0.6].map(|at| Mask { polygons: vec![vec![(at, at)]], level: 16 });
    let stamps = [7, 200].map(|grey| [Stamp { corner: Corner::TopLeft, width: 4, grey: vec![grey; 16] }]);
    let (mut editor, mut maker) = (Editor::new(), VariantMaker::new());
    for step in 0..24 {
        let frame = &frames[step % 3];
        let turn = Turn::new(if step % 5 == 0 { Rotation::Right } else { Rotation::None }, Flip::None);
        let edit =
            Edit { turn, mask: (step % 4 > 0).then_some(&masks[step % 2]), stamps: &stamps[step / 2 % 2] };
        let mut out = Vec::new();
        editor.apply(frame, LIMITS, &edit, &mut out).unwrap();
        assert!(edited(frame, &edit).as_ref() == Ok(&out), "step {step}");
        let variant = Variant {
            scale: [Scale::Whole, Scale::Half, Scale::Eighth][step % 3],
            quality: Some(20 + step as u8),
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        maker.make(frame, LIMITS, &variant, &mut one).unwrap();
        VariantMaker::new().make(frame, LIMITS, &variant, &mut other).unwrap();
        assert!(one == other, "step {step}");
    }
}

#[test]
fn tables_that_lack_a_code_are_replaced_by_the_standard_ones() {
    let flat = {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_optimized_huffman_tables(true);
        encoder.encode(&[99; 64 * 32], 64, 32, ColorType::Luma).unwrap();
        jpeg
    };
    let noise =
        [Stamp { corner: Corner::TopLeft, width: 8, grey: (0..64).map(|at| (at * 37) as u8).collect() }];
    let stamped = edited(&flat, &Edit { stamps: &noise, ..Edit::default() }).unwrap();
    let header = Header::parse(&stamped, LIMITS).unwrap();
    assert_eq!(header.codes(4), super::huffman::Codes::standard(4));
    let (before, after) = (read(&flat).unwrap(), read(&stamped).unwrap());
    assert!(after[1..] == before[1..] && after[0][1..] != [0; 63]);
}

#[test]
fn missing_tables_and_a_missing_end_are_added() {
    let whole = small();
    let tables = segment(&whole, 0xC4);
    let scan = segment(&whole, 0xDA);
    let bare = [&whole[..tables], &whole[scan..whole.len() - 2]].concat();
    assert_eq!(read(&bare), read(&whole));
    let mended = edited(&bare, &Edit::default()).unwrap();
    assert!(mended.ends_with(&[0xFF, 0xD9]) && read(&mended) == read(&whole));
    assert!(jpeg_decoder::Decoder::new(&mended[..]).decode().is_ok());
}

#[test]
fn planes_of_dc_are_the_means() {
    let jpeg = picture(50, 37, SamplingFactor::R_4_2_0, 0);
    let (mut planes, blocks) = (Vec::new(), read(&jpeg).unwrap());
    let mut reader = DcReader::new();
    reader.read(&jpeg, LIMITS, Planes::All, &mut planes).unwrap();
    let sizes: Vec<_> = planes.iter().map(|plane| (plane.width, plane.height)).collect();
    assert_eq!(sizes, [(7, 5), (4, 3), (4, 3)]);
    let step = i32::from(Header::parse(&jpeg, LIMITS).unwrap().quantization(0)[0]);
    assert_eq!(i32::from(planes[0].step), step);
    for (&eighths, block) in planes[0].eighths.iter().zip(&blocks) {
        assert_eq!(i32::from(eighths), (i32::from(block[0]) * step + 1024).clamp(0, 2040));
    }
    let luma = planes[0].clone();
    reader.read(&jpeg, LIMITS, Planes::Luma, &mut planes).unwrap();
    assert_eq!(planes, [luma]);
}
