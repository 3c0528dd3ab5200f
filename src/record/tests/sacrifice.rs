//! What is deleted and thinned around events, and what stays.

use super::files::{footage, head};
use super::*;
use crate::base::clock;

/// A world without a recorder, whose camera keeps so many seconds before an event and behind it.
fn world(pre_s: u64, post_s: u64) -> World {
    let (pre, post) = (Duration::from_secs(pre_s), Duration::from_secs(post_s));
    let mut world = World::new(&RecordSettings { pre, post, ..RecordSettings::default() });
    world.stop();
    world
}

/// Footage of a second each that begins so many seconds after `from_s`, in seconds since 1970; numbered from 0 on.
fn seconds_of_footage(world: &World, from_s: u64, after_s: &[u64]) {
    for (sequence, after_s) in (0..).zip(after_s) {
        footage(world, sequence, &head(1, 100 + after_s, from_s + after_s), &[0, 1000]);
    }
}

#[test]
fn kept_events_keep_the_time_before_and_after_them() {
    let world = world(5, 5);
    let camera = CameraName::new("front").unwrap();
    let event = NewEvent { end: NewEnd::AtOnce, ..NewEvent::new(camera, EventKind::Manual) };
    let event = world.journal.start(&event).unwrap();
    world.journal.keep(event.event.id, true).unwrap();
    // 60 and 4 s before it, at it, 3 and 15 s after it.
    seconds_of_footage(&world, event.wall_start_us / 1_000_000 - 60, &[0, 56, 60, 63, 75]);
    let deletable = || {
        let infos = world.recordings.deletable("front", 0, u64::MAX);
        infos.iter().map(|info| info.sequence()).collect::<Vec<_>>()
    };
    assert_eq!(deletable(), [0, 4]);
    let space = Space::new(&world.recordings, BTreeMap::new());
    let victims: Vec<u64> = space.victims(u64::MAX).iter().map(|victim| victim.sequence).collect();
    assert_eq!(victims, [0, 4], "for want of space");
    // Of a camera that is not recorded any more, 10 s before and 20 s behind.
    world.recordings.set_rolls(BTreeMap::new());
    assert_eq!(deletable(), [0]);
}

#[test]
fn the_time_before_an_event_is_footage_of_it() {
    let world = world(5, 0);
    seconds_of_footage(&world, 1000, &[0, 40, 56, 60, 64]);
    let info = world.recordings.segment("front", 3).unwrap();
    let mut summary = info.summary.clone();
    summary.has_events = true;
    world.recordings.put(Arc::new(info.updated(summary, Vec::new())));
    drop(info);
    let space = Space::new(&world.recordings, BTreeMap::new());
    let victims = space.victims(u64::MAX);
    let victims: Vec<_> = victims.iter().map(|victim| (victim.sequence, victim.reason)).collect();
    let (plain, event) = (Reason::Space, Reason::SpaceEvents);
    assert_eq!(victims, [(0, plain), (1, plain), (4, plain), (2, event), (3, event)]);

    let rules = Rules { thin_after_us: Some(1), thin_fps: 1, ..Rules::default() };
    let space = Space::new(&world.recordings, [("front".to_owned(), rules)].into());
    for _ in 0..5 {
        thin::oldest(&space, &mut Default::default(), &Stop::new());
    }
    let is_thinned = |sequence| world.recordings.segment("front", sequence).unwrap().summary.head.is_thinned;
    assert_eq!([0, 1, 2, 3, 4].map(is_thinned), [true, true, false, false, true]);
}

#[test]
fn numbers_of_frames_go_on_after_thinning() {
    let world = world(0, 0);
    let times: Vec<u64> = (0..40).map(|number| number * 100).collect();
    let head = SegmentHead { first_frame: 500, ..head(1, 10, 1000) };
    footage(&world, 0, &head, &times);
    let rules = Rules { thin_after_us: Some(1), thin_fps: 1, ..Rules::default() };
    let space = Space::new(&world.recordings, [("front".to_owned(), rules)].into());
    thin::oldest(&space, &mut Default::default(), &Stop::new());
    let summary = world.recordings.segment("front", 0).unwrap().summary.clone();
    assert!(summary.head.is_thinned && summary.frames < 6, "{}", summary.frames);
    world.recordings.release();
    keeper::prepare(&world.recordings).unwrap();
    assert_eq!(world.recordings.next_numbers("front").frame, 540);
}

#[test]
fn thinning_leaves_free_what_is_to_stay_free() {
    let mut world = world(0, 0);
    let store = RecordStore { min_free_bytes: 1 << 60, ..world.recordings.store().clone() };
    world.recordings = Arc::new(Recordings::new(store, Arc::clone(&world.journal)));
    footage(&world, 0, &head(1, 10, 1000), &[0, 100, 200]);
    let rules = Rules { thin_after_us: Some(1), thin_fps: 1, ..Rules::default() };
    let space = Space::new(&world.recordings, [("front".to_owned(), rules)].into());
    let mut unfit = Default::default();
    thin::oldest(&space, &mut unfit, &Stop::new());
    assert!(!world.recordings.segment("front", 0).unwrap().summary.head.is_thinned && unfit.is_empty());
}

#[test]
fn segments_that_are_read_together_are_entered_in_order() {
    let world = world(0, 0);
    let now_s = clock::since_epoch().as_secs();
    seconds_of_footage(&world, now_s, &[0, 1, 2, 3, 4]);
    let known = world.recordings.segment("front", 4).unwrap();
    let bytes = world.recordings.bytes();
    let mut read: Vec<Arc<SegmentInfo>> =
        world.recordings.with_all(|all| all.iter().rev().map(|info| Arc::clone(info)).collect());
    for sequence in 0..4 {
        world.recordings.take("front", sequence);
    }
    // One is known already, and stays as it is.
    read[0] = Arc::new(SegmentInfo::new("elsewhere".into(), known.summary.clone()));
    world.recordings.put_all("front", &mut read);
    let found = world.recordings.with_all(|all| all.iter().map(|info| info.sequence()).collect::<Vec<_>>());
    assert_eq!((found, world.recordings.bytes()), (vec![0, 1, 2, 3, 4], bytes));
    assert_eq!(world.recordings.segment("front", 4).unwrap().path(), known.path());
}
