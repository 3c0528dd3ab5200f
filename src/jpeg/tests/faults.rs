//! Damaged pictures, and pictures of kinds that cannot be changed.

use super::*;

#[test]
fn a_frame_cut_anywhere_is_refused() {
    for interval in [0, 2] {
        let jpeg = picture(48, 32, SamplingFactor::R_4_2_0, interval);
        let mask = Mask { polygons: vec![vec![(0.5, 0.5)]], level: 128 };
        for length in 0..jpeg.len() - 2 {
            // The last byte may hold no more than filling.
            let (cut, is_last) = (&jpeg[..length], length + 3 == jpeg.len());
            assert!(read(cut).is_err() || is_last, "{length} of {}", jpeg.len());
            let mut out = vec![7];
            let edit = Edit { mask: Some(&mask), ..Edit::default() };
            let edited = Editor::new().apply(cut, LIMITS, &edit, &mut out);
            assert!(edited.is_err() && out == [7] || is_last);
        }
    }
}

#[test]
fn a_scan_that_names_a_part_of_its_blocks_is_written_whole() {
    let jpeg = small();
    let scan = segment(&jpeg, 0xDA);
    for part in [[1, 63, 0], [0, 5, 0], [0, 63, 0x21]] {
        let mut odd = jpeg.clone();
        odd[scan + 11..scan + 14].copy_from_slice(&part);
        let mut out = Vec::new();
        Editor::new().apply(&odd, LIMITS, &Edit::default(), &mut out).unwrap();
        assert!(out == jpeg, "{part:?}");
    }
}

#[test]
fn a_head_of_more_blocks_than_its_data_hold_is_refused() {
    let jpeg = small();
    let mut huge = jpeg.clone();
    let frame = segment(&jpeg, 0xC0);
    huge[frame + 5..frame + 9].fill(0xFF);
    let any = Limits { max_pixels: u32::MAX };
    // Before memory is taken for its blocks.
    assert_eq!(Header::parse(&huge, any).err(), Some(JpegError::Truncated));
    assert!(Header::parse(&jpeg, any).is_ok());
}

#[test]
fn each_fault_is_told_apart() {
    let jpeg = small();
    let (frame, scan, tables) = (segment(&jpeg, 0xC0), segment(&jpeg, 0xDA), segment(&jpeg, 0xC4));
    let changed = |at: usize, bytes: &[u8]| {
        let mut jpeg = jpeg.clone();
        jpeg[at..at + bytes.len()].copy_from_slice(bytes);
        read(&jpeg).err()
    };
    let unsupported = |kind: Unsupported| Some(JpegError::Unsupported(kind));
    let broken = |at: usize, what| Some(JpegError::Broken { offset: at, what });
    for (code, kind) in [
        (0xC2, Unsupported::Progressive),
        (0xC9, Unsupported::Arithmetic),
        (0xCA, Unsupported::Arithmetic),
        (0xC3, Unsupported::Process),
        (0xC5, Unsupported::Process),
        (0xCF, Unsupported::Process),
        (0xDC, Unsupported::Height),
    ] {
        assert_eq!(changed(frame + 1, &[code]), unsupported(kind), "{code:x}");
        assert!(JpegError::from(kind).is_lasting());
    }
    assert_eq!(changed(frame + 4, &[12]), unsupported(Unsupported::Precision));
    assert_eq!(changed(frame + 5, &[0, 0]), unsupported(Unsupported::Height), "as DNL says");
    assert_eq!(changed(frame + 7, &[0, 0]), broken(frame, Fault::FrameHeader));
    assert_eq!(changed(frame + 5, &[0xFF; 4]), Some(JpegError::TooLarge { width: 65_535, height: 65_535 }));
    for factors in [0x43, 0x33, 0x00, 0x51, 0x15] {
        assert_eq!(changed(frame + 11, &[factors]), unsupported(Unsupported::Sampling), "{factors:x}");
    }
    assert_eq!(changed(frame + 12, &[9]), broken(frame, Fault::FrameHeader), "table 9");
    assert_eq!(
        changed(frame + 12, &[3]),
        broken(segment(&jpeg, 0xDA) + 14, Fault::Quantization),
        "table 3 is missing"
    );
    let five =
        [&jpeg[..frame], b"\xff\xc0\0\x17\x08\0\x20\0\x30\x05", &[1, 0x11, 0].repeat(5)[..], &jpeg[scan..]]
            .concat();
    assert_eq!(read(&five).err(), unsupported(Unsupported::Components));
    assert_eq!(changed(scan + 5, &[99]), broken(scan, Fault::ScanHeader), "a component of no frame");
    assert_eq!(changed(scan + 6, &[0x40]), broken(scan, Fault::ScanHeader), "table 4");
    assert_eq!(changed(scan + 6, &[0x33]), broken(scan + 14, Fault::Huffman), "table 3 is missing");
    assert_eq!(changed(tables + 5, &[255]), broken(tables, Fault::Huffman));
    assert_eq!(changed(tables + 4, &[0x20]), broken(tables, Fault::Huffman), "of neither class");
    assert_eq!(read(b"").err(), Some(JpegError::Truncated));
    assert_eq!(read(b"GIF89a").err(), broken(0, Fault::Segment));
    let no_frame = [&jpeg[..frame], &jpeg[scan..]].concat();
    assert_eq!(read(&no_frame).err(), broken(frame, Fault::FrameHeader));
    let filled = [&jpeg[..scan], &[0xFF; 5], &jpeg[scan..]].concat();
    assert_eq!(read(&filled), read(&jpeg), "fill bytes");
}

#[test]
fn unknown_codes_and_coefficients_past_the_last_are_refused() {
    let gray = |tables: &[u8], coded: &[u8]| {
        let head = b"\xff\xd8\xff\xdb\0\x43\0";
        let frame = b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0";
        let jpeg =
            [&head[..], &[1; 64], frame, tables, b"\xff\xda\0\x08\x01\x01\0\0\x3f\0", coded, b"\xff\xd9"]
                .concat();
        read(&jpeg)
    };
    // DC: only 0 (size 0). AC: 0 is EOB, 10 is F1 (fifteen zeros and a value), 110 is 1B, too large for 8 bits.
    let tables = b"\xff\xc4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \xff\xc4\0\x16\x10\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf1\x1b";
    assert_eq!(gray(tables, &[0b0011_1111]), Ok(vec![[0; 64]]), "EOB at once");
    let past_the_last = gray(tables, &[0b0101_1011, 0b0110_1111, 0b1111_1111, 0]);
    assert!(matches!(past_the_last, Err(JpegError::Broken { what: Fault::Code, .. })), "{past_the_last:?}");
    assert!(matches!(
        gray(tables, &[0b0110_1111, 0b0111_1111]),
        Err(JpegError::Broken { what: Fault::Code, .. })
    ));
    assert!(
        matches!(gray(tables, &[0b1111_1110]), Err(JpegError::Broken { what: Fault::Code, .. })),
        "no DC code"
    );
    let fits = gray(tables, &[0b0101_1011, 0b0101_1111]);
    assert!(
        fits.is_ok_and(|blocks| blocks[0].iter().filter(|value| **value == 1).count() == 3),
        "16, 32, 48, EOB"
    );
}

#[test]
fn restart_markers_must_be_in_order() {
    let jpeg = picture(64, 32, SamplingFactor::R_4_2_0, 2);
    let first = segment(&jpeg, 0xD0);
    let mut wrong = jpeg.clone();
    wrong[first + 1] = 0xD1;
    assert_eq!(read(&wrong).err(), Some(JpegError::Broken { offset: first, what: Fault::Restart }));
    let filled = [&jpeg[..first], &[0xFF; 3], &jpeg[first..]].concat();
    assert_eq!(read(&filled), read(&jpeg), "fill bytes");
    let without = [&jpeg[..first], &jpeg[first + 2..]].concat();
    assert!(read(&without).is_err());
}

#[test]
fn no_damage_makes_anything_panic() {
    let mask = Mask { polygons: vec![vec![(0.2, 0.2), (0.7, 0.4)]], level: 50 };
    let stamps = [Stamp { corner: Corner::BottomRight, width: 10, grey: vec![200; 100] }];
    let turns = [
        Turn::default(),
        Turn::new(Rotation::Right, Flip::None),
        Turn::new(Rotation::Around, Flip::Vertical),
    ];
    let mut random = Random(7);
    let limits = Limits { max_pixels: 1 << 14 };
    let (mut editor, mut maker, mut reader) = (Editor::new(), VariantMaker::new(), DcReader::new());
    for interval in [0, 2] {
        let jpeg = picture(48, 32, SamplingFactor::R_4_2_0, interval);
        for round in 0..1500 {
            let mut damaged = jpeg.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(damaged.len() as u32) as usize;
                damaged[at] = [0, 0xFF, random.below(256) as u8][random.below(3) as usize];
            }
            let edit = Edit { turn: turns[round % 3], mask: Some(&mask), stamps: &stamps };
            let mut out = Vec::new();
            if editor.apply(&damaged, limits, &edit, &mut out).is_ok() {
                assert!(read(&out).is_ok(), "what was written can be read");
            } else {
                assert!(out.is_empty());
            }
            let scale = [Scale::Whole, Scale::Half, Scale::Quarter, Scale::Eighth][round % 4];
            let made = maker.make(&damaged, limits, &Variant { scale, quality: Some(30) }, &mut out);
            assert!(made.is_err() || !out.is_empty());
            let _ = reader.read(&damaged, limits, Planes::All, &mut Vec::new());
        }
    }
}
