//! What holds of a whole segment. What must hold of torn writes is in tests/segment.

use std::fs::File;

use super::*;
use crate::media::GapReason;

/// A head of the tests.
pub(super) fn head() -> SegmentHead {
    SegmentHead {
        camera: "front".to_owned(),
        sequence: 7,
        first_frame: 1000,
        boot_id: [3; 16],
        uuid: [9; 16],
        start: Moment { monotonic_us: 5_000_000, wall_us: 1_764_000_000_000_000 },
        is_clock_synchronised: true,
        is_thinned: false,
        size: (64, 48),
        sound: Some(SoundTrack::Pcm { format: SoundFormat { rate_hz: 8000, channels: 1 } }),
    }
}

fn file(length: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(length).unwrap();
    file
}

fn picture(at_us: u64, bytes: &[u8]) -> Block<'_> {
    Block { track: Track::Picture, at_us, bytes }
}

#[test]
fn what_is_appended_is_found_again() {
    let file = file(1 << 20);
    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    let (first, second, sound) = (vec![1; 5000], vec![2; 700], vec![3; 320]);
    let blocks = [
        picture(0, &first),
        Block { track: Track::Sound, at_us: 20_400, bytes: &sound },
        picture(66_600, &second),
    ];
    writer.append(&Group { blocks: &blocks, missed_before: 2, gap_before: None }).unwrap();
    let blocks = [picture(9_000_000, &second)];
    let gap_before = Some(GapReason::NoEvent);
    writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before }).unwrap();
    let open = read_summary(&file).unwrap();
    assert!(!open.is_closed);
    assert_eq!(read_index(&file, &open).unwrap(), writer.index()[..2], "the last group is hidden");
    let (as_of_now, index) = (writer.summary().clone(), writer.index().to_vec());
    let closed = writer.close().unwrap();
    assert_eq!(closed, read_summary(&file).unwrap());
    assert_eq!((closed.frames, closed.missed, closed.sound_blocks), (3, 2, 1));
    assert_eq!((closed.next_frame(), closed.end_ms), (1005, 9000));
    let stretches = [
        Stretch { start_ms: 0, end_ms: 67, gap_before: None },
        Stretch { start_ms: 9000, end_ms: 9000, gap_before },
    ];
    assert_eq!((&closed.stretches[..], &as_of_now.stretches[..]), (&stretches[..], &stretches[..]));
    assert_eq!(read_index(&file, &closed).unwrap(), index);
    let mut bytes = vec![0; index[1].length as usize];
    ReadAt::read_at(&file, &mut bytes, index[1].offset.into()).unwrap();
    assert_eq!((bytes, index[1].at_ms), (second, 67));
    let blocks: Vec<_> = read_blocks(&file, index[0].cluster.into()).unwrap().map(Result::unwrap).collect();
    let shown: Vec<_> = blocks.iter().map(|block| (block.track, block.at_ms, block.length)).collect();
    assert_eq!(shown, [(Track::Picture, 0, 5000), (Track::Sound, 20, 320), (Track::Picture, 67, 700)]);
    assert_eq!(ReadAt::length(&file).unwrap(), closed.length, "a short file is cut");
}

#[test]
fn a_file_that_was_not_closed_is_recovered_with_its_last_group() {
    let file = file(1 << 20);
    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    let jpeg = vec![1; 5000];
    for second in 0..3 {
        let blocks = [picture(second * 1_000_000, &jpeg)];
        writer.note_event();
        writer.append(&Group { blocks: &blocks, missed_before: 1, gap_before: None }).unwrap();
    }
    let (summary, index) = (writer.summary().clone(), writer.index().to_vec());
    drop(writer);
    let recovered = recover(&file).unwrap();
    assert!(recovered.is_closed && recovered.has_events);
    assert_eq!((recovered.frames, recovered.missed), (summary.frames, summary.missed));
    assert_eq!(recovered.stretches, summary.stretches);
    assert_eq!(read_index(&file, &recovered).unwrap(), index);
    assert_eq!(recover(&file).unwrap(), recovered, "again");
}
