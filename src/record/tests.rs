//! A recorder with cameras that tests play: what is on the disk afterwards.

mod files;
mod sacrifice;
mod spare;
mod times;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::catalogue::SegmentInfo;
use super::error::RecordError;
use super::retention::{Reason, Rules, Victim};
use super::space::Space;
use super::*;
use crate::base::patience::wait_until;
use crate::codec::part;
use crate::hub::{CameraFeed, CameraState, FeedList, Publisher, Stop, events, latest};
use crate::journal::{Journal, NewEnd, NewEvent};
use crate::media::{
    CameraName, EventKind, Frame, GapReason, PictureEdits, Point, RecordChoice, RecordSettings, RecordStore,
    RecordWhen, Timestamp,
};
use crate::memory::{Account, Memory};
use crate::segment::{
    Block, Group, IndexEntry, Moment, ReadAt, SegmentHead, SegmentWriter, Summary, Track, read_index,
    read_summary,
};

/// A camera, a folder, and a recorder.
struct World {
    folder: TempDir,
    feed: Arc<CameraFeed>,
    publisher: Publisher<Frame>,
    journal: Arc<Journal>,
    recordings: Arc<Recordings>,
    recorder: Option<Recorder>,
    published: u64,
}

impl World {
    fn new(settings: &RecordSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (publisher, frames) = latest(4);
        let feed = Arc::new(CameraFeed::new("front", frames));
        feed.set_state(CameraState { online: true, ..CameraState::default() });
        feed.set_recording(&RecordChoice { is_on: true, is_own_sound: false, settings: settings.clone() });
        let journal = Arc::new(Journal::open(&folder.path().join("events"), events(64)));
        let store = RecordStore {
            segment_bytes: 1 << 20,
            min_free_bytes: 0,
            flush: Duration::from_millis(50),
            ..RecordStore::in_folder(folder.path().join("footage"))
        };
        let recordings = Arc::new(Recordings::new(store, Arc::clone(&journal)));
        let mut world = Self { folder, feed, publisher, journal, recordings, recorder: None, published: 0 };
        world.start();
        world
    }

    fn start(&mut self) {
        let cameras = Arc::new(FeedList::default());
        cameras.replace(vec![Arc::clone(&self.feed)]);
        let recorder = Recorder::start(Arc::clone(&self.recordings), cameras, Arc::default()).unwrap();
        self.recorder = Some(recorder);
        wait_until(|| self.publisher.readers() == 1);
    }

    fn stop(&mut self) {
        self.recorder.take().unwrap().stop();
    }

    /// Publishes a frame of `bytes` that was captured at `at_us`. Its bytes tell its number.
    fn publish(&mut self, at_us: u64, bytes: usize) {
        let number = self.published;
        let write = |out: &mut Vec<u8>| {
            let start = out.len();
            out.extend_from_slice(&[0xff, 0xd8]);
            out.extend_from_slice(&number.to_be_bytes());
            out.resize(start + bytes - 2, 7);
            out.extend_from_slice(&[0xff, 0xd9]);
            Ok::<(), ()>(())
        };
        let frame = part::build(Vec::new(), Timestamp::from_micros(at_us), (64, 48), write).unwrap();
        self.publisher.publish(frame);
        self.published += 1;
        // So that what is written keeps up.
        thread::sleep(Duration::from_millis(3));
    }

    /// Frames that are written, and those that were lost.
    fn counted(&self) -> (u64, u64) {
        self.recordings.status().first().map_or((0, 0), |status| (status.frames, status.missed))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for day in fs::read_dir(self.folder.path().join("footage/front")).into_iter().flatten().flatten() {
            found.extend(fs::read_dir(day.path()).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.sort();
        found
    }

    fn segments(&self) -> Vec<(Summary, Vec<IndexEntry>, PathBuf)> {
        let read = |path: PathBuf| {
            let file = fs::File::open(&path).unwrap();
            let summary = read_summary(&file).unwrap();
            let index = read_index(&file, &summary).unwrap();
            (summary, index, path)
        };
        self.files().into_iter().map(read).collect()
    }
}

fn now_us() -> u64 {
    Timestamp::now().as_micros()
}

/// The number that [`World::publish`] gave to a frame.
fn number(file: &fs::File, entry: &IndexEntry) -> u64 {
    let mut bytes = [0; 8];
    ReadAt::read_at(file, &mut bytes, u64::from(entry.offset) + 2).unwrap();
    u64::from_be_bytes(bytes)
}

fn always() -> RecordSettings {
    RecordSettings { when: RecordWhen::Always, ..RecordSettings::default() }
}

#[test]
fn each_picture_has_a_millisecond_of_its_own() {
    let (mut world, at_us) = (World::new(&always()), now_us());
    (0..14).for_each(|number| world.publish(at_us + 100 * number, 90_000));
    wait_until(|| world.counted().0 == 14);
    world.stop();
    let (segments, mut times) = (world.segments(), Vec::new());
    for (summary, index, _) in &segments {
        let at = |entry: &IndexEntry| summary.head.start.monotonic_us + u64::from(entry.at_ms) * 1000;
        times.extend(index.iter().map(|entry| at(entry) - at_us));
    }
    let is_apart = times.windows(2).all(|pair| pair[0] + 1000 <= pair[1]) && times[13] < 25_000;
    assert!(segments.len() > 1 && is_apart, "{times:?}");
}

#[test]
fn every_frame_is_written_or_counted_over_all_segments() {
    let mut world = World::new(&always());
    while world.files().len() < 3 {
        world.publish(now_us(), 50_000);
    }
    world.stop();
    let segments = world.segments();
    let mut next = segments[0].0.head.first_frame;
    let (mut written, mut missed, mut last) = (0, 0, None);
    for (at, (summary, index, path)) in segments.iter().enumerate() {
        assert!(summary.is_closed, "{}", path.display());
        assert_eq!((summary.head.sequence, summary.head.first_frame), (at as u64, next));
        next += u64::from(summary.frames) + u64::from(summary.missed);
        let file = fs::File::open(path).unwrap();
        for entry in index {
            let found = number(&file, entry);
            assert!(last < Some(found), "in the order of capture");
            last = Some(found);
        }
        written += index.len() as u64;
        missed += u64::from(summary.missed);
    }
    // Those that came before the recorder read its first one are neither.
    let first = number(&fs::File::open(&segments[0].2).unwrap(), &segments[0].1[0]);
    assert_eq!(first + written + missed, world.published);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let mut world = World::new(&always());
    world.publish(now_us(), 1000);
    wait_until(|| world.counted().0 > 0);
    world.stop();
    world.start();
    world.publish(now_us(), 1000);
    wait_until(|| world.counted().0 > 0);
    world.stop();
    let heads: Vec<_> = world.segments().iter().map(|(summary, ..)| summary.head.clone()).collect();
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [0, 1]);
    assert!(heads[1].first_frame > heads[0].first_frame);
    assert_eq!(world.recordings.cameras().len(), 0, "the folder is given back");
}

#[test]
fn an_event_is_kept_with_what_was_before_it() {
    let settings = RecordSettings {
        when: RecordWhen::Events,
        pre: Duration::from_secs(2),
        post: Duration::ZERO,
        ..RecordSettings::default()
    };
    let mut world = World::new(&settings);
    let start_us = now_us();
    // Frames of the last five seconds, one each 50 ms.
    for frame in 0..100 {
        world.publish(start_us - (99 - frame) * 50_000, 2000);
    }
    let camera = CameraName::new("front").unwrap();
    let event = NewEvent { end: NewEnd::AtOnce, ..NewEvent::new(camera, EventKind::Manual) };
    let event = world.journal.start(&event).unwrap().event;
    // The first frame that was captured at most two seconds before.
    let first = (event.start.as_micros() - 2_000_000 - (start_us - 99 * 50_000)).div_ceil(50_000);
    wait_until(|| world.counted().0 + world.counted().1 >= 100 - first);
    // After it: not kept.
    for frame in 1..20 {
        world.publish(event.start.as_micros() + frame * 50_000, 2000);
    }
    world.stop();
    let segments = world.segments();
    let (summary, index, path) = &segments[0];
    let file = fs::File::open(path).unwrap();
    let numbers: Vec<u64> = index.iter().map(|entry| number(&file, entry)).collect();
    assert!(summary.has_events && segments.len() == 1);
    let missed = u64::from(summary.missed);
    assert!((first..=first + missed).contains(&numbers[0]), "{numbers:?} from {first}, {missed} missed");
    assert!(numbers.last() <= Some(&99) && numbers.len() as u64 + missed >= 100 - first, "{numbers:?}");
}

#[test]
fn a_lost_camera_leaves_a_gap_with_its_reason() {
    let mut world = World::new(&always());
    let start_us = now_us() - 15_000_000;
    world.publish(start_us, 1000);
    wait_until(|| world.counted().0 == 1);
    world.publish(start_us + 10_000_000, 1000);
    wait_until(|| world.counted().0 == 2);
    world.stop();
    let stretches = world.segments()[0].0.stretches.clone();
    let gaps: Vec<_> = stretches.iter().map(|stretch| stretch.gap_before).collect();
    assert_eq!(gaps, [Some(GapReason::NotRunning), Some(GapReason::CameraLost)]);
    assert_eq!((stretches[1].start_ms, stretches[1].end_ms), (10_000, 10_000));
}

#[test]
fn a_lost_camera_parts_footage_and_a_slow_one_does_not() {
    let mut world = World::new(&always());
    let slow_interval = Some(Duration::from_millis(5200));
    world.feed.set_state(CameraState { online: true, slow_interval, ..CameraState::default() });
    let start_us = now_us() - 20_900_000;
    for (count, at_us) in [(1, 0), (2, 5_200_000), (3, 20_900_000)] {
        world.publish(start_us + at_us, 1000);
        wait_until(|| world.counted().0 == count);
    }
    let mut player = Player::new(&world.recordings, "front", &Account::unlimited());
    assert!(player.seek(0));
    let mut walk = |step: fn(&mut Player) -> bool| {
        let mut apart = Vec::new();
        loop {
            let before = player.spot();
            if !step(&mut player) {
                return apart;
            }
            apart.push(player.is_apart_from(before.as_ref()));
        }
    };
    assert_eq!(walk(Player::forward), [false, true]);
    assert_eq!(walk(Player::back), [true, false]);
}

#[test]
fn a_second_recorder_does_not_touch_the_folder() {
    let world = World::new(&always());
    wait_until(|| world.recordings.is_read.get());
    let other = Recordings::new(world.recordings.store().clone(), Arc::clone(&world.journal));
    assert!(matches!(other.claim(), Err(RecordError::Locked(_))));
}

#[test]
fn nothing_from_before_a_mask_is_written_after_it() {
    let settings = RecordSettings {
        when: RecordWhen::Events,
        pre: Duration::from_secs(10),
        post: Duration::ZERO,
        ..RecordSettings::default()
    };
    let mut world = World::new(&settings);
    for _ in 0..10 {
        world.publish(now_us(), 1000);
    }
    let masks = vec![[(0, 0), (9000, 0), (9000, 9000)].map(|(x, y)| Point { x, y }).to_vec()];
    world.feed.set_edits(&PictureEdits { masks, ..PictureEdits::default() });
    let masked = world.published;
    // The recorder begins anew with the masks, and knows of the event nevertheless.
    let camera = CameraName::new("front").unwrap();
    world.journal.start(&NewEvent::new(camera, EventKind::Manual)).unwrap();
    while world.counted().0 == 0 {
        world.publish(now_us(), 1000);
    }
    world.stop();
    let (_, index, path) = &world.segments()[0];
    let file = fs::File::open(path).unwrap();
    assert!(index.iter().all(|entry| number(&file, entry) >= masked));
}

#[test]
fn stopped_recording_begins_again_with_a_gap() {
    let mut world = World::new(&always());
    world.publish(now_us(), 1000);
    wait_until(|| world.counted().0 == 1);
    assert!(world.recordings.switch().set_stopped(Some("ada")));
    assert!(!world.recordings.switch().set_stopped(Some("eve")));
    wait_until(|| world.publisher.readers() == 0);
    assert!(world.recordings.switch().set_stopped(None));
    wait_until(|| world.publisher.readers() == 1);
    world.publish(now_us(), 1000);
    world.stop();
    let segments = world.segments();
    assert_eq!(segments[1].0.stretches[0].gap_before, Some(GapReason::Stopped));
}

#[test]
fn the_oldest_footage_makes_room_for_the_newest() {
    let mut world = World::new(&always());
    world.stop();
    let store = RecordStore { max_bytes: Some(3 << 20), ..world.recordings.store().clone() };
    world.recordings = Arc::new(Recordings::new(store, Arc::clone(&world.journal)));
    world.start();
    while world.recordings.sacrificed().deleted.is_empty() {
        world.publish(now_us(), 50_000);
    }
    world.stop();
    let kept: Vec<u64> = world.segments().iter().map(|(summary, ..)| summary.head.sequence).collect();
    assert!(kept.len() <= 3 && kept[0] > 0, "{kept:?}");
    let sacrificed = world.recordings.sacrificed();
    assert!(sacrificed.deleted.iter().any(|(reason, ..)| *reason == Reason::Space), "{sacrificed:?}");
    let tombstones = fs::read_to_string(world.folder.path().join("footage/tombstones")).unwrap();
    assert_eq!(tombstones.lines().count() as u64, kept[0]);
}

#[test]
fn an_event_that_begins_while_the_folder_is_away_is_recorded() {
    let (pre, post) = (Duration::ZERO, Duration::ZERO);
    let settings = RecordSettings { when: RecordWhen::Events, pre, post, ..RecordSettings::default() };
    let mut world = World::new(&settings);
    wait_until(|| world.recordings.is_read.get());
    let dir = world.recordings.dir().to_owned();
    fs::rename(&dir, world.folder.path().join("pulled")).unwrap();
    fs::write(&dir, "").unwrap();
    wait_until(|| world.recordings.problem().is_some());
    let camera = CameraName::new("front").unwrap();
    world.journal.start(&NewEvent::new(camera, EventKind::Manual)).unwrap();
    let during = world.published;
    world.publish(now_us(), 1000);
    fs::remove_file(&dir).unwrap();
    fs::rename(world.folder.path().join("pulled"), &dir).unwrap();
    wait_until(|| world.recordings.problem().is_none() && world.recordings.is_read.get());
    world.publish(now_us(), 1000);
    // This one is recorded in any case.
    let event = NewEvent { end: NewEnd::AtOnce, ..NewEvent::new(camera, EventKind::Manual) };
    while world.counted().0 == 0 {
        world.journal.start(&event).unwrap();
        world.publish(now_us(), 1000);
    }
    world.stop();
    let (_, index, path) = &world.segments()[0];
    let first = number(&fs::File::open(path).unwrap(), &index[0]);
    assert!((during..=during + 1).contains(&first), "from {first} on, not from {during}");
}

#[test]
fn a_camera_of_two_sizes_makes_few_files() {
    let mut world = World::new(&always());
    let start_us = now_us() - 2_000_000;
    for number in 0..60 {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
            Ok::<(), ()>(())
        };
        let at = Timestamp::from_micros(start_us + number * 20_000);
        let size = (16 + 8 * (number as u32 % 2), 16);
        world.publisher.publish(part::build(Vec::new(), at, size, write).unwrap());
        thread::sleep(Duration::from_millis(3));
    }
    wait_until(|| world.counted().0 + world.counted().1 >= 50);
    world.stop();
    assert!(world.files().len() <= 4, "{} files", world.files().len());
}

#[test]
fn what_was_recorded_goes_after_recording_is_off_as_well() {
    let mut world = World::new(&always());
    world.publish(now_us(), 1000);
    wait_until(|| world.counted().0 == 1);
    let settings = RecordSettings { max_bytes: Some(1), ..always() };
    world.feed.set_recording(&RecordChoice { is_on: false, is_own_sound: false, settings });
    wait_until(|| world.files().is_empty());
    world.stop();
}
