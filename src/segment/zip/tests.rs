//! Lengths and places of a ZIP's files.

use super::*;
use crate::media::SoundFormat;

/// A ZIP of these blocks with contents of zeros; only their ends are in memory.
fn zip(blocks: &[ClipBlock]) -> Zip {
    let sound = SoundTrack::Pcm { format: SoundFormat { rate_hz: 8000, channels: 1 } };
    let head = ClipHead {
        uuid: [1; 16],
        wall_us: 1_795_939_200_250_000,
        title: "front",
        duration_ms: 9000,
        size: (64, 48),
        sound: Some(&sound),
    };
    Zip::new(&head, blocks).unwrap()
}

fn pictures(count: u32, length: u32) -> Vec<ClipBlock> {
    (0..count).map(|n| ClipBlock { track: Track::Picture, at_ms: n * 40, length }).collect()
}

/// The pieces are as long as was said, and the directory says where each file lies.
fn check(zip: &Zip, blocks: &[ClipBlock]) -> Vec<Vec<u8>> {
    let mut at = zip.head().len() as u64;
    for (number, block) in blocks.iter().enumerate() {
        assert_eq!((zip.prefix_at(number), zip.block_at(at)), (at, Some(number)));
        let prefix = zip.prefix(number, 7);
        assert_eq!(prefix.len() as u64, zip.prefix_bytes(number));
        at += prefix.len() as u64 + u64::from(block.length);
        assert_eq!(zip.block_at(at - 1), Some(number));
    }
    assert_eq!((zip.tail_at(), zip.block_at(at)), (at, None));
    let tails: Vec<_> = zip.tails().map(|tail| zip.tail(tail, 7)).collect();
    for (tail, bytes) in zip.tails().zip(&tails) {
        assert_eq!(zip.tail_bytes(tail), bytes.len() as u64, "{tail:?}");
    }
    assert_eq!(at + tails.iter().map(Vec::len).sum::<usize>() as u64, zip.length());
    tails
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[test]
fn files_are_found_where_the_directory_says() {
    let mut blocks = pictures(3, 100);
    blocks.push(ClipBlock { track: Track::Sound, at_ms: 0, length: 60 });
    let zip = zip(&blocks);
    let tails = check(&zip, &blocks);
    let names: Vec<_> = tails[1..6].iter().map(|entry| String::from_utf8_lossy(&entry[46..])).collect();
    let picture = |at| format!("front/2026-11-29-080000.{at}.jpg");
    let expected =
        ["front/clip.json", &picture("250Z-000001"), &picture("290Z-000002"), &picture("330Z-000003")];
    assert_eq!((&names[..4], &*names[4]), (&expected.map(Into::into)[..], "front/sound.wav"));
    for (at, entry) in tails[2..6].iter().enumerate() {
        assert_eq!(number(entry, 42, 4), zip.prefix_at(at));
    }
    assert_eq!(zip.block_at(zip.head().len() as u64 - 1), None);
    // 2026-11-29 08:00:00 as DOS has it; the checksum of the sound follows it.
    let (picture, sound) = (zip.prefix(0, 7), zip.prefix(3, 7));
    let fields =
        |head: &[u8]| (number(head, 6, 2), number(head, 10, 4), number(head, 14, 4), number(head, 18, 4));
    let time = (46 << 9 | 11 << 5 | 29) << 16 | 8 << 11;
    assert_eq!((fields(&picture), fields(&sound)), ((0, time, 7, 100), (8, time, 0, 0)));
    let end = tails.last().unwrap();
    assert_eq!((number(end, 10, 2), number(end, 16, 4)), (5, zip.tail_at() + 16));
}

#[test]
fn what_does_not_fit_into_32_bits_gets_64() {
    let blocks = pictures(70_000, 65_000);
    let zip = zip(&blocks);
    let tails = check(&zip, &blocks);
    let wide = blocks.len() - zip.first_wide;
    assert!(zip.first_wide > 66_000 && wide > 3000, "{wide}");
    let entry = &tails[tails.len() - 2];
    let extra = entry.len() - 12;
    assert_eq!((number(entry, 42, 4), number(entry, extra, 2)), (u64::from(u32::MAX), 1));
    assert_eq!(number(entry, extra + 4, 8), zip.prefix_at(blocks.len() - 1));
    let end = tails.last().unwrap();
    assert_eq!((number(end, 32, 8), number(end, 48, 8)), (70_001, zip.directory_at));
    assert_eq!((number(end, 86, 2), number(end, 92, 4)), (0xFFFF, 0xFFFF_FFFF));
}
