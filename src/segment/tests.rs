//! What holds of a whole segment. What must hold of torn writes is in tests/segment.

use std::fs::File;

use super::fields::seal;
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
        microphone: "front".to_owned(),
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

#[test]
fn a_repair_leaves_out_what_could_not_be_synced() {
    let file = file(1 << 20);
    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    let mut ends = Vec::new();
    for second in 0..3 {
        let blocks = [picture(second * 1_000_000, &[1; 5000])];
        writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
        ends.push(writer.summary().data_end);
    }
    drop(writer);
    let recovered = recover_until(&file, ends[1]).unwrap();
    assert_eq!((recovered.frames, recovered.data_end), (2, ends[1]));
    assert_eq!(read_index(&file, &recovered).unwrap().len(), 2);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_of_it_is_written() {
    let file = file(1 << 20);
    for length in [0, 8192, (1 << 20) - 1, (1 << 20) + 4096, 1 << 32] {
        let refused = SegmentWriter::create(&file, length, &head());
        assert!(matches!(refused, Err(SegmentError::Unfit(_) | SegmentError::Short { .. })), "{length}");
    }
    let long = SegmentHead { camera: "x".repeat(66), ..head() };
    assert!(matches!(SegmentWriter::create(&file, 1 << 20, &long), Err(SegmentError::Unfit(_))));
    assert!(matches!(read_summary(&file), Err(SegmentError::Foreign)));

    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    let mut refused = |blocks: &[Block<'_>]| {
        let group = Group { blocks, missed_before: 0, gap_before: None };
        writer.append(&group).unwrap_err()
    };
    assert!(matches!(refused(&[]), SegmentError::Unfit(_)));
    assert!(matches!(refused(&[picture(0, &[1]), picture(32_768_000, &[2])]), SegmentError::Unfit(_)));
    assert!(matches!(refused(&[picture(u64::MAX, &[1])]), SegmentError::Unfit(_)));
    assert!(matches!(refused(&vec![picture(0, &[1]); 8193]), SegmentError::Unfit(_)));
    assert!(matches!(refused(&[picture(0, &vec![1; 1 << 20])]), SegmentError::Full));
    let blocks = [picture(0, &[1]), picture(32_767_000, &[2])];
    writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    assert_eq!(writer.close().unwrap().frames, 2);
}

#[test]
fn a_segment_has_128_stretches_and_no_more() {
    let file = file(1 << 20);
    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    for number in 0..MAX_STRETCHES as u64 {
        let blocks = [picture(number * 1_000_000, &[1])];
        let group = Group { blocks: &blocks, missed_before: 0, gap_before: Some(GapReason::NoEvent) };
        assert!(writer.fits(&group));
        writer.append(&group).unwrap();
    }
    let blocks = [picture(200_000_000, &[1])];
    let group = Group { blocks: &blocks, missed_before: 0, gap_before: Some(GapReason::Disk) };
    assert!(!writer.fits(&group) && matches!(writer.append(&group), Err(SegmentError::Full)));
    assert!(writer.has_room(1, 1), "its bytes would fit");
    writer.append(&Group { gap_before: None, ..group }).unwrap();
    drop(writer);
    let recovered = recover(&file).unwrap();
    assert_eq!((recovered.stretches.len(), recovered.frames), (128, 129));
    assert_eq!(recovered.stretches[127].end_ms, 200_000);
    assert_eq!(read_summary(&file).unwrap(), recovered);
}

#[test]
fn a_file_that_is_none_or_damaged_is_named_and_left_alone() {
    let length = 1 << 16;
    let file = file(length);
    SegmentWriter::create(&file, length, &head()).unwrap();
    let mut good = vec![0; length as usize];
    ReadAt::read_at(&file, &mut good, 0).unwrap();
    let read = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        read_summary(&bytes[..])
    };
    assert!(read(&|_| {}).is_ok());
    assert!(matches!(read(&|bytes| bytes[0] = 0), Err(SegmentError::Foreign)));
    assert!(matches!(read(&|bytes| bytes.truncate(8191)), Err(SegmentError::Foreign)));
    assert!(matches!(read(&|bytes| bytes[4096 + 16] = 0), Err(SegmentError::Foreign)));
    assert!(matches!(read(&|bytes| bytes[4096 + 25] = 2), Err(SegmentError::Version(2))));
    assert!(matches!(read(&|bytes| bytes[4096 + 40] ^= 1), Err(SegmentError::Damaged { offset: 4096, .. })));

    SegmentWriter::create(&file, length, &head()).unwrap().close().unwrap();
    let closed = ReadAt::length(&file).unwrap();
    file.set_len(closed - 1).unwrap();
    let short = SegmentError::Short { has_bytes: closed - 1, wants_bytes: closed };
    assert_eq!(recover(&file).unwrap_err().to_string(), short.to_string());
    assert_eq!(ReadAt::length(&file).unwrap(), closed - 1);
}

#[test]
fn a_part_of_a_segment_is_recovered_as_far_as_it_goes() {
    let file = file(1 << 20);
    let mut writer = SegmentWriter::create(&file, 1 << 20, &head()).unwrap();
    let jpeg = vec![1; 50_000];
    for second in 0..4 {
        let blocks = [picture(second * 1_000_000, &jpeg)];
        writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    }
    let index = writer.index().to_vec();
    drop(writer);
    file.set_len(u64::from(index[2].offset) + 10).unwrap();
    let recovered = recover(&file).unwrap();
    assert_eq!((recovered.frames, recovered.is_closed), (2, true));
    assert_eq!(read_index(&file, &recovered).unwrap(), index[..2]);
}

/// A closed segment of three pictures and two packets of sound, in memory.
fn closed_bytes() -> Vec<u8> {
    let file = file(1 << 16);
    let mut writer = SegmentWriter::create(&file, 1 << 16, &head()).unwrap();
    let sound = Block { track: Track::Sound, at_us: 0, bytes: &[0; 320] };
    let blocks = [picture(0, &[1; 300]), sound, picture(50_000, &[2; 300]), picture(90_000, &[3; 300])];
    writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    let length = writer.close().unwrap().length as usize;
    let mut bytes = vec![0; length];
    ReadAt::read_at(&file, &mut bytes, 0).unwrap();
    bytes
}

#[test]
fn claims_that_no_segment_makes_are_not_believed() {
    let good = closed_bytes();
    assert!(read_summary(&good[..]).unwrap().is_closed);
    let forged = |part: std::ops::Range<usize>, offset: usize, claim: &[u8]| {
        let mut bytes = good.clone();
        bytes[part.start + offset..][..claim.len()].copy_from_slice(claim);
        seal(&mut bytes[part]);
        read_summary(&bytes[..])
    };
    let head = |offset, claim: &[u8]| forged(4096 + 16..4096 + 512, offset, claim);
    let counts = |offset, claim: &[u8]| forged(4096 + 512..8192, offset, claim);
    let refused = |offset, claim: &[u8]| matches!(head(offset, claim), Err(SegmentError::Damaged { .. }));
    assert!(refused(66, &[0xff; 8]), "a time after the year 9999");
    assert!(refused(94, &[0; 4]) && refused(94, &[0xff; 4]), "a rate");
    assert!(refused(98, &[0; 4]) && refused(98, &[0, 0, 0, 9]), "channels");
    assert!(head(66, &[0; 8]).is_ok(), "1970 is a time");
    // What is wrong in the counts is found out again by a recovery.
    let is_open = |offset, claim: &[u8]| !counts(offset, claim).unwrap().is_closed;
    assert!(is_open(8, &[0, 0, 0xff, 0xff]), "more frames than there is room for");
    assert!(is_open(64, &[0, 0, 0, 91]), "a stretch that starts behind its end");
    assert!(is_open(68, &[0, 0, 0, 91]), "a stretch that ends behind the end");
}

#[test]
fn a_cluster_with_too_many_blocks_is_not_read_to_its_end() {
    let mut bytes = matroska::cluster_head(6 * 20_000 + 3).to_vec();
    bytes.extend([0xe7, 0x81, 0]);
    (0..20_000).for_each(|_| bytes.extend([0xa3, 0x84, 0x82, 0, 0, 0x80]));
    let found: Vec<_> = read_blocks(&bytes[..], 0).unwrap().collect();
    assert!(found.len() < 8200 && found.last().unwrap().is_err(), "{}", found.len());
}
