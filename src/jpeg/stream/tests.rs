//! Tests of [`super`].

use jpeg_encoder::{ColorType, Encoder};

use super::*;

const LIMIT: usize = 16 * 1024;

/// A picture of these tables and scans, with restart markers every `restarts` blocks.
fn picture(side: u16, is_progressive: bool, restarts: u16) -> Vec<u8> {
    let pixels: Vec<u8> = (0..usize::from(side) * usize::from(side)).map(|i| (i * i / 7) as u8).collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    encoder.set_progressive(is_progressive);
    if restarts > 0 {
        encoder.set_restart_interval(restarts);
    }
    encoder.encode(&pixels, side, side, ColorType::Luma).unwrap();
    jpeg
}

/// `jpeg` with another picture in an application segment, and fill bytes before that.
fn with_thumbnail(jpeg: &[u8]) -> Vec<u8> {
    let thumbnail = picture(8, false, 0);
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xff\xff\xe1", &length, &thumbnail, &jpeg[2..]].concat()
}

fn hold(_: usize) -> bool {
    true
}

/// The pictures of a stream that comes in these pieces, each taken as soon as it is whole, and what was dropped.
fn found<'s>(pieces: impl Iterator<Item = &'s [u8]>) -> (Vec<Vec<u8>>, Dropped) {
    let (mut stream, mut found) = (JpegStream::new(LIMIT), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() {
            let count = stream.feed(piece, &mut hold);
            found.extend(stream.take().map(<[u8]>::to_vec));
            piece = &piece[count..];
        }
    }
    (found, stream.take_dropped())
}

/// Asserts that the pictures of `stream` are `expected`, in pieces of every size and cut in two at every byte.
#[track_caller]
fn assert_found(stream: &[u8], expected: &[&[u8]]) -> Dropped {
    let (each, dropped) = found(stream.chunks(1));
    assert_eq!(each, expected, "byte by byte");
    for piece_bytes in (2..400).chain([stream.len()]) {
        let (some, other) = found(stream.chunks(piece_bytes));
        assert_eq!(some.len() + other.superseded as usize, expected.len(), "pieces of {piece_bytes} bytes");
        let mut rest = expected.iter();
        assert!(some.iter().all(|one| rest.any(|other| one == other)), "pieces of {piece_bytes} bytes");
        assert_eq!(Dropped { superseded: 0, ..other }, dropped, "pieces of {piece_bytes} bytes");
    }
    for cut in 0..stream.len() {
        let (some, other) = found([&stream[..cut], &stream[cut..]].into_iter());
        assert_eq!(some.len() + other.superseded as usize, expected.len(), "cut at {cut}");
        assert_eq!(some.last().map(Vec::as_slice), expected.last().copied(), "cut at {cut}");
        assert_eq!(Dropped { superseded: 0, ..other }, dropped, "cut at {cut}");
    }
    dropped
}

#[test]
fn pictures_of_every_kind_follow_one_another() {
    let pictures = [
        picture(40, false, 0),
        picture(40, true, 0),
        picture(64, false, 3),
        with_thumbnail(&picture(16, false, 1)),
        picture(8, false, 0),
    ];
    let expected: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
    let dropped = assert_found(&pictures.concat(), &expected);
    assert_eq!(dropped, Dropped::default());
}

#[test]
fn what_is_between_pictures_is_skipped() {
    let jpeg = with_thumbnail(&picture(24, false, 0));
    let head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n\r\n";
    let stream =
        [&head[..], &jpeg, b"\r\n--b\n\n", &jpeg, b"\xff\xd8\0\xff\xff", &jpeg, b"\r\n--b--"].concat();
    let dropped = assert_found(&stream, &[&jpeg[..]; 3]);
    let skipped_bytes = (stream.len() - 3 * jpeg.len()) as u64;
    assert_eq!(dropped, Dropped { skipped_bytes, ..Dropped::default() });
}

#[test]
fn the_last_of_two_starts_wins() {
    let jpeg = picture(24, false, 0);
    for cut in [2, 3, jpeg.len() / 2, jpeg.len() - 2, jpeg.len() - 1] {
        let stream = [&jpeg, &jpeg[..cut], &jpeg].concat();
        let dropped = assert_found(&stream, &[&jpeg[..]; 2]);
        // A SOI too many has cost no picture.
        assert_eq!(dropped.damaged(), u32::from(cut > 3), "cut at {cut}: {dropped:?}");
    }
}

#[test]
fn pictures_without_eoi_end_where_the_next_one_begins() {
    let jpeg = picture(24, false, 0);
    let bare = &jpeg[..jpeg.len() - 2];
    let head = b"\r\n--b\r\n\r\n";
    let shown = [bare, head].concat();
    let stream = [&shown[..], &shown, &shown, bare].concat();
    let dropped = assert_found(&stream, &[&shown[..]; 3]);
    assert_eq!(dropped, Dropped::default());
    // The last one, when the sender ends.
    let (mut splitter, mut rest) = (JpegStream::new(LIMIT), bare);
    while !rest.is_empty() {
        rest = &rest[splitter.feed(rest, &mut hold)..];
    }
    assert!(!splitter.has_picture());
    splitter.finish();
    assert_eq!(splitter.take(), Some(bare));
    splitter.feed(bare, &mut hold);
    assert_eq!(splitter.unfinished_bytes(), bare.len(), "the next one begins anew");
}

#[test]
fn one_picture_without_eoi_among_others_is_dropped() {
    let jpeg = picture(24, false, 0);
    let cut = &jpeg[..jpeg.len() - 2];
    let dropped = assert_found(&[&jpeg, cut, &jpeg, &jpeg].concat(), &[&jpeg[..]; 3]);
    assert_eq!(dropped, Dropped { cut_off: 1, ..Dropped::default() });
    // Once a sender leaves it out for good, that is noticed.
    let (pictures, _) = found([jpeg.repeat(9), cut.repeat(9)].concat().chunks(99));
    assert!(pictures.iter().filter(|one| **one == cut).count() >= 4, "{}", pictures.len());
}

#[test]
fn a_picture_cut_in_its_head_is_never_shown() {
    let jpeg = picture(24, false, 0);
    let scan = jpeg.windows(2).position(|two| two == b"\xff\xda").unwrap();
    let stream = [&jpeg[..scan], &jpeg].concat();
    let dropped = assert_found(&stream, &[&jpeg[..]]);
    assert_eq!(dropped.damaged(), 1);
}

#[test]
fn a_cut_costs_at_most_what_a_segment_can_hold() {
    let jpeg = with_thumbnail(&picture(24, false, 0));
    let after = 2 + usize::from(u16::MAX) / jpeg.len();
    for cut in (0..jpeg.len()).filter(|cut| *cut < 32 || cut % 8 == 0) {
        let stream = [&jpeg[..cut], &jpeg.repeat(after + 1)].concat();
        let (pictures, _) = found(stream.chunks(100));
        assert!(pictures.last() == Some(&jpeg), "cut at {cut}");
        // By chance, the segments of a picture that was cut off may go on with those of the next one's thumbnail.
        let wrong = pictures.iter().filter(|one| **one != jpeg).count();
        assert!(wrong <= 1, "cut at {cut}: {wrong} wrong ones");
    }
}

#[test]
fn a_thumbnail_of_a_broken_picture_is_not_shown() {
    let mut jpeg = with_thumbnail(&picture(24, false, 0));
    // The segment of the thumbnail claims to be one byte longer.
    jpeg[7] += 1;
    let whole = picture(16, false, 0);
    let dropped = assert_found(&[&jpeg[..], &whole].concat(), &[&whole]);
    assert_eq!(dropped.broken, 1);
}

#[test]
fn a_damaged_scan_does_not_hide_the_next_picture() {
    let jpeg = picture(40, false, 0);
    let mut damaged = jpeg.clone();
    let middle = jpeg.len() - 20;
    // A segment in the scan whose length goes into the next picture.
    damaged.splice(middle..middle + 4, *b"\xff\xe5\x00\x40");
    let (pictures, _) = found([&damaged[..], &jpeg, &jpeg].concat().chunks(7));
    assert_eq!(pictures[pictures.len() - 2..], [&jpeg[..], &jpeg]);
}

#[test]
fn a_picture_without_end_is_dropped_at_the_limit() {
    let jpeg = picture(24, false, 0);
    let endless = [&jpeg[..jpeg.len() - 2], &vec![0x55; 3 * LIMIT]].concat();
    let (pictures, dropped) = found([&endless[..], &jpeg].concat().chunks(999));
    assert_eq!(pictures, [&jpeg[..]]);
    assert_eq!((dropped.too_long, dropped.damaged()), (1, 1));
    let padding = LIMIT - jpeg.len();
    for (added, whole) in [(padding, 1), (padding + 1, 0)] {
        let long = [&jpeg[..jpeg.len() - 2], &vec![0x55; added], b"\xff\xd9"].concat();
        let (pictures, dropped) = found(long.chunks(500));
        assert_eq!((pictures.len(), dropped.too_long), (whole, 1 - whole as u32));
    }
}

#[test]
fn garbage_of_any_length_takes_no_memory() {
    let (mut stream, mut held_bytes) = (JpegStream::new(LIMIT), 0);
    let mut garbage = (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    for _ in 0..1000 {
        let piece: Vec<u8> = garbage.by_ref().take(1000).collect();
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let count = stream.feed(rest, &mut |bytes| {
                held_bytes = held_bytes.max(bytes);
                true
            });
            rest = &rest[count..];
        }
    }
    assert!(held_bytes <= 3 * LIMIT, "{held_bytes}");
    assert!(!stream.has_picture());
}

#[test]
fn only_the_newest_picture_is_kept() {
    let (old, new) = (picture(40, false, 0), picture(24, false, 0));
    let mut stream = JpegStream::new(LIMIT);
    let mut bytes = &[&old[..], &old, &new, &old[..100]].concat()[..];
    while !bytes.is_empty() {
        let count = stream.feed(bytes, &mut hold);
        bytes = &bytes[count..];
    }
    assert_eq!(stream.unfinished_bytes(), 100);
    assert_eq!(stream.take(), Some(&new[..]));
    assert_eq!(stream.take(), None);
    assert_eq!(stream.take_dropped(), Dropped { superseded: 2, ..Dropped::default() });
    bytes = &old[100..];
    while !bytes.is_empty() {
        let count = stream.feed(bytes, &mut hold);
        bytes = &bytes[count..];
    }
    assert_eq!(stream.take(), Some(&old[..]), "the one that was being read is not lost");
}

#[test]
fn a_picture_too_large_for_the_memory_is_dropped() {
    let (small, large) = (picture(16, false, 0), picture(200, false, 0));
    let mut stream = JpegStream::new(64 * 1024);
    assert!(large.len() > 4000 && small.len() < 2000);
    let mut found = Vec::new();
    for piece in [&small[..], &large, &small, &large].concat().chunks(50) {
        let mut rest = piece;
        while !rest.is_empty() {
            let count = stream.feed(rest, &mut |bytes| bytes <= 2048);
            assert!(count > 0);
            rest = &rest[count..];
        }
        found.extend(stream.take().map(<[u8]>::to_vec));
    }
    assert_eq!(found, [&small[..], &small]);
    assert_eq!(stream.take_dropped().no_memory, 2);
    assert_eq!(JpegStream::new(LIMIT).feed(&small, &mut |_| false), 0, "no memory at all");
}

#[test]
fn a_buffer_for_large_pictures_becomes_small_again() {
    let (small, large) = (picture(16, false, 0), picture(400, false, 0));
    let mut stream = JpegStream::new(256 * 1024);
    assert!(large.len() > 33 * 1024);
    let mut held_bytes = Vec::new();
    for jpeg in std::iter::once(&large).chain(std::iter::repeat_n(&small, 200)) {
        let mut rest = &jpeg[..];
        while !rest.is_empty() {
            let count = stream.feed(rest, &mut |bytes| {
                held_bytes.push(bytes);
                true
            });
            rest = &rest[count..];
        }
        assert_eq!(stream.take(), Some(&jpeg[..]));
    }
    let largest = *held_bytes.iter().max().unwrap();
    assert!(held_bytes.last().unwrap() * 2 <= largest, "{held_bytes:?}");
    assert_eq!(stream.buffer.len(), *held_bytes.last().unwrap());
}

#[test]
fn the_first_bytes_that_are_no_picture_are_kept() {
    let jpeg = picture(8, false, 0);
    let sent = [b"first", &jpeg[..], b"--b\n", &[b'x'; 2000], b"\xff\xd8\xff"].concat();
    for piece_bytes in [1, 7, 100] {
        let mut stream = JpegStream::new(LIMIT);
        let mut feed = |bytes: &[u8]| {
            for piece in bytes.chunks(piece_bytes) {
                assert_eq!(stream.feed(piece, &mut hold), piece.len());
            }
            stream.stray().to_vec()
        };
        let stray = feed(&sent);
        assert!(stray.starts_with(b"--b\nxx") && stray.len() < 1000, "{}", stray.escape_ascii());
        assert!(feed(&jpeg[3..]).is_empty(), "a picture came");
    }
}
