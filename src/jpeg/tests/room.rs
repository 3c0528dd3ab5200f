//! Memory for pictures that need far more of it than others.

use super::super::room::MayHold;
use super::*;

/// A grey picture of `side` blocks each way, in which each block has as many coefficients as there can be, of two bits
/// each; and one that has none.
fn dense_and_flat(side: u8) -> [Vec<u8>; 2] {
    let head = b"\xff\xd8\xff\xdb\0\x43\0";
    let size = (u16::from(side) * 8).to_be_bytes();
    let frame = [&b"\xff\xc0\0\x0b\x08"[..], &size, &size, b"\x01\x01\x11\0"].concat();
    // DC: 0 is the difference 0. AC: 0 is a value of one bit, 10 the end of a block.
    let dc = b"\xff\xc4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let ac = b"\xff\xc4\0\x15\x10\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0";
    let scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0";
    let blocks = usize::from(side) * usize::from(side);
    let jpeg = |bits: &str| {
        let mut bits = bits.repeat(blocks);
        bits.extend(std::iter::repeat_n('1', bits.len().wrapping_neg() % 8));
        let bytes = bits.as_bytes().chunks(8);
        let byte = |bits: &[u8]| bits.iter().fold(0, |byte, &bit| byte << 1 | (bit - b'0'));
        let coded: Vec<u8> =
            bytes.map(byte).flat_map(|byte| if byte == 0xFF { vec![byte, 0] } else { vec![byte] }).collect();
        [&head[..], &[1; 64], &frame, dc, ac, scan, &coded, b"\xff\xd9"].concat()
    };
    [jpeg(&format!("0{}", "01".repeat(63))), jpeg("010")]
}

/// Calls `work` with what may hold up to `limit` bytes; returns what it held at the most, and what it holds now.
fn within<T>(limit: usize, work: impl FnOnce(&mut MayHold<'_>) -> T) -> (T, usize, usize) {
    let (mut most, mut now) = (0, 0);
    let done = work(&mut |bytes| {
        if bytes <= limit {
            (most, now) = (most.max(bytes), bytes);
        }
        bytes <= limit
    });
    (done, most, now)
}

#[test]
fn coefficients_are_asked_for_before_there_are_more() {
    let [dense, flat] = dense_and_flat(64);
    let edit = Edit { turn: Turn::new(Rotation::Around, Flip::None), ..Edit::default() };
    let needed = 64 * 64 * 63 * 4;
    let mut editor = Editor::new();
    let mut out = Vec::new();
    let (done, most, _) = within(usize::MAX, |may| editor.apply_within(&dense, LIMITS, &edit, &mut out, may));
    assert!(done.is_ok() && (needed..2 * needed).contains(&most), "{most}");
    out = Vec::with_capacity(3 * dense.len());
    editor = Editor::new();
    let (done, most, now) =
        within(needed / 2, |may| editor.apply_within(&dense, LIMITS, &edit, &mut out, may));
    assert_eq!((done, out.len()), (Err(JpegError::NoMemory), 0));
    assert!(most <= needed / 2 && now < 64 * 64 * 8, "{now}: it is given up");
    for _ in 0..2 {
        let (done, most, _) =
            within(needed / 2, |may| editor.apply_within(&flat, LIMITS, &edit, &mut out, may));
        assert!(done.is_ok() && most < needed / 4, "{most}");
    }
}

#[test]
fn variants_hold_the_coefficients_of_a_few_rows_only() {
    let [dense, _] = dense_and_flat(64);
    for (scale, rows) in [(Scale::Whole, 1), (Scale::Half, 2), (Scale::Quarter, 4)] {
        let variant = Variant { scale, quality: Some(50) };
        let needed = rows * 64 * 63 * 4;
        let make = |limit| {
            let mut out = Vec::with_capacity(3 * dense.len());
            let mut maker = VariantMaker::new();
            let made = within(limit, |may| maker.make_within(&dense, LIMITS, &variant, &mut out, may));
            (made, out.len())
        };
        let ((done, most, _), _) = make(usize::MAX);
        assert!(done.is_ok() && most < 3 * needed.max(1 << 16), "{scale:?}: {most}");
        assert!(matches!(make(needed / 2), ((Err(JpegError::NoMemory), _, now), 0) if now == 0));
    }
}

#[test]
fn memory_is_given_up_when_pictures_need_less() {
    let [dense, flat] = dense_and_flat(64);
    let edit = Edit { turn: Turn::new(Rotation::Around, Flip::None), ..Edit::default() };
    let (mut editor, mut held, mut asked) = (Editor::new(), 0, 0);
    for number in 0..300 {
        let mut out = Vec::with_capacity(3 * dense.len());
        let may_hold = &mut |bytes| {
            (held, asked) = (bytes, asked + 1);
            true
        };
        let jpeg = if number == 0 { &dense } else { &flat };
        editor.apply_within(jpeg, LIMITS, &edit, &mut out, may_hold).unwrap();
        if number == 0 {
            assert!(held > 64 * 64 * 63 * 4);
        }
    }
    assert!(held < 200_000 && asked < 20, "{held} bytes after {asked} changes");
}

#[test]
fn what_is_written_is_asked_for_before_it_grows() {
    let [dense, _] = dense_and_flat(64);
    let mut editor = Editor::new();
    let edit = Edit { turn: Turn::new(Rotation::Around, Flip::None), ..Edit::default() };
    let mut out = Vec::new();
    let held = 64 * 64 * (63 * 4 + 12) + 256;
    let (done, ..) =
        within(held + dense.len() / 2, |may| editor.apply_within(&dense, LIMITS, &edit, &mut out, may));
    assert_eq!((done, out.len()), (Err(JpegError::NoMemory), 0));
    assert!(out.capacity() <= dense.len() / 2);
    let (done, _, now) =
        within(held + 3 * dense.len(), |may| editor.apply_within(&dense, LIMITS, &edit, &mut out, may));
    assert!(done.is_ok() && now <= held, "what was written is the caller's");
}

#[test]
fn planes_of_means_are_asked_for() {
    let [_, flat] = dense_and_flat(64);
    let (mut reader, mut planes) = (DcReader::new(), Vec::new());
    let mut read =
        |limit| within(limit, |may| reader.read_within(&flat, LIMITS, Planes::All, &mut planes, may));
    assert_eq!(read(10_000), (Err(JpegError::NoMemory), 0, 0));
    assert_eq!(read(1 << 20), (Ok(()), 64 * 64 * 4, 64 * 64 * 4));
    assert_eq!(read(0), (Ok(()), 0, 0), "it is not asked for each frame");
}
