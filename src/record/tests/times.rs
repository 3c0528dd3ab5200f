//! Footage of a board whose wall clock was set.

use super::files::{footage, head};
use super::*;
use crate::memory::Memory;

const START_S: u64 = 1_795_000_000;

/// A segment of ten seconds with a picture and a packet of sound each 100 ms, `offset_ms` after the second. Each sample is the
/// number of the segment.
fn heard(world: &World, sequence: u64, (monotonic_s, wall_s): (u64, u64), offset_ms: u64) {
    let path = folder::segment_path(world.recordings.dir(), "front", wall_s * 1_000_000, sequence);
    folder::make(path.parent().unwrap()).unwrap();
    let file = folder::create(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let format = crate::media::SoundFormat { rate_hz: 8000, channels: 1 };
    let head = SegmentHead {
        camera: "front".to_owned(),
        sequence,
        sound: Some(crate::segment::SoundTrack::Pcm { format }),
        microphone: "front".to_owned(),
        ..head(1, monotonic_s, wall_s)
    };
    let mut writer = SegmentWriter::create(file, 1 << 20, &head).unwrap();
    let samples: Vec<u8> = [sequence as u8, 0].repeat(800);
    for tenth in 0..100 {
        let at_us = (tenth * 100 + offset_ms) * 1000;
        let blocks = [
            Block { track: Track::Picture, at_us, bytes: &[7; 40] },
            Block { track: Track::Sound, at_us, bytes: &samples },
        ];
        writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).unwrap();
    }
    world.recordings.put(Arc::new(SegmentInfo::new(path, writer.close().unwrap())));
}

#[test]
fn picture_sound_and_clips_are_of_the_same_footage() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    // The clock was an hour ahead, and then set back; an hour later it shows the same time again.
    heard(&world, 1, (100, START_S), 0);
    heard(&world, 2, (3700, START_S), 50);
    heard(&world, 3, (3710, START_S - 100), 50);
    let at_us = (START_S + 5) * 1_000_000;
    let mut player = Player::new(&world.recordings, "front", &Account::unlimited());
    assert!(player.seek(at_us));
    assert_eq!(player.wall_us(), Some(at_us - 50_000), "the newer one is played");
    let mut sound =
        SoundPlayer::new(&world.recordings, "front", at_us, &|_| true, &Account::unlimited()).unwrap();
    let heard: Vec<i16> = std::iter::from_fn(|| sound.next()).map(|packet| packet.samples[0]).collect();
    assert_eq!((heard[0], heard.last(), heard.len()), (2, Some(&3), 150), "and goes on as the picture does");
    let (memory, hears) = (Memory::new(64 << 20), |_: &str| true);
    let (from_us, to_us) = (at_us, at_us + 2_000_000);
    let wanted = Wanted { from_us, to_us, kind: ClipKind::Mkv, hears: &hears, is_awaited: &|| true };
    let clip = Clip::new(&world.recordings, "front", &wanted, memory.for_footage()).unwrap();
    assert_eq!((clip.from_us, clip.to_us), (at_us + 50_000, at_us + 1_950_000));
}

#[test]
fn sound_from_a_gap_begins_behind_it() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    heard(&world, 1, (100, START_S), 0);
    heard(&world, 2, (200, START_S + 100), 0);
    let begins = |at_s: u64| {
        let (at_us, memory) = (at_s * 1_000_000, Account::unlimited());
        let sound = SoundPlayer::new(&world.recordings, "front", at_us, &|_| true, &memory);
        sound.and_then(|mut sound| sound.next()).map(|packet| packet.samples[0])
    };
    assert_eq!(
        [0, 5, 50, 105, 500].map(|after_s| begins(START_S + after_s)),
        [Some(1), Some(1), Some(2), Some(2), None]
    );
    assert_eq!(begins(1), Some(1));
}

#[test]
fn deleted_footage_is_a_gap() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    for (sequence, after_s) in [(1, 0), (2, 10), (4, 30), (6, 31), (7, 500)] {
        footage(&world, sequence, &head(1, 100 + after_s, START_S + after_s), &[0, 500]);
    }
    let deleted = Some(GapReason::Deleted);
    world.recordings.is_read.set(true);
    // A number that was never used is no footage: nothing can have been between two that touch.
    let gaps = [(deleted, false), (None, true), (deleted, false), (None, true), (None, true)];
    assert_eq!(shown(&world, 0), gaps);
    world.recordings.is_read.set(false);
    let gaps = [(None, false), (None, true), (None, true), (None, true), (None, true)];
    assert_eq!(shown(&world, 0), gaps, "what is not read yet is not deleted");
}

/// Why there is nothing before each stretch from a moment on, in seconds, and whether it goes on from the one before.
fn shown(world: &World, from_s: u64) -> Vec<(Option<GapReason>, bool)> {
    let mut shown = Vec::new();
    let mut look = |_, _, gap, goes_on| shown.push((gap, goes_on));
    world.recordings.look_at_stretches("front", (from_s * 1_000_000, u64::MAX), &mut look);
    shown
}

#[test]
fn a_step_of_the_clock_parts_footage() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    world.recordings.is_read.set(true);
    // A slow camera, and a clock that begins in 1970, is an hour ahead, and right in the end.
    for (sequence, monotonic_s, wall_s) in [
        (0, 10, 10),
        (1, 200, 200),
        (2, 210, START_S + 3600),
        (3, 400, START_S + 3790),
        (4, 600, START_S + 400),
        (5, 800, START_S + 601),
    ] {
        footage(&world, sequence, &head(1, monotonic_s, wall_s), &[0, 500]);
    }
    let goes_on = |from_s| shown(&world, from_s).iter().map(|(_, goes_on)| *goes_on).collect::<Vec<_>>();
    assert_eq!(goes_on(0), [false, true, false, true, false, true]);
    assert_eq!(goes_on(START_S + 500), [false, true, false], "which go on from what is not shown");
}

#[test]
fn a_clock_that_was_set_adds_no_time_to_footage() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    footage(&world, 0, &head(1, 10, 10), &[0, 500]);
    footage(&world, 1, &head(1, 70, START_S), &[0, 500]);
    footage(&world, 2, &head(2, 5, 1000), &[0, 500]);
    let found = &world.recordings.cameras()[0];
    assert_eq!(found.covered_us, 61_000_000, "of two boots");
}

#[test]
fn sound_leases_what_it_remembers_of_a_segment() {
    let mut world = World::new(&RecordSettings::default());
    world.stop();
    heard(&world, 1, (100, START_S), 0);
    heard(&world, 2, (110, START_S + 10), 0);
    let listen = |memory: &Memory| {
        SoundPlayer::new(&world.recordings, "front", 0, &|_| true, memory.for_footage()).unwrap()
    };
    let (enough, little) = (Memory::new(64 * 1024), Memory::new(256));
    let used = || enough.usage()[1].1.used_bytes;
    let mut sound = listen(&enough);
    assert!(!sound.lacks_memory());
    assert_eq!(used(), 100 * 16, "16 bytes for each frame");
    assert_eq!(std::iter::from_fn(|| sound.next()).count(), 200);
    assert!(used() <= 100 * 16, "of one segment at a time");
    drop(sound);
    assert_eq!(used(), 0);
    let mut sound = listen(&little);
    assert!(sound.lacks_memory() && sound.next().is_none());
}
