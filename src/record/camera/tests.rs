//! What becomes of frames that were lost, and of those of another size.

use super::*;
use crate::codec::part;
use crate::hub::latest;
use crate::media::{CameraName, EventKind, RecordSound};
use std::time::Duration;

const SECOND: u64 = 1_000_000;

fn recorder(when: RecordWhen) -> CameraRecorder {
    let (_, frames) = latest(4);
    let feed = Arc::new(CameraFeed::new("front", frames));
    let (pre, post) = (Duration::ZERO, Duration::ZERO);
    let settings = Arc::new(RecordSettings { when, pre, post, ..RecordSettings::default() });
    let plan = Plan::new(&settings);
    let mut camera = CameraRecorder::start(&feed, settings, plan, None, GapReason::NotRunning).unwrap();
    // As if it had recorded for a while.
    (camera.gap, camera.last_us) = (None, Some(0));
    camera
}

/// Has a frame judged that was captured at this moment, behind `lost` others.
fn judge(camera: &mut CameraRecorder, captured_us: u64, lost: u32, size: (u32, u32)) -> Option<Judged> {
    let write = |out: &mut Vec<u8>| {
        out.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
        Ok::<(), ()>(())
    };
    let frame = part::build(Vec::new(), Timestamp::from_micros(captured_us), size, write).unwrap();
    camera.judge(RecentItem { number: 0, lost, captured_us, value: Arc::new(frame) });
    camera.judged.take()
}

fn note(camera: &mut CameraRecorder, id: u32, from_us: u64, to_us: u64) {
    let event = Event {
        id,
        camera: CameraName::new("front").unwrap(),
        kind: EventKind::Manual,
        start: Timestamp::from_micros(from_us),
        end: Some(Timestamp::from_micros(to_us)),
        score: 0,
        area: None,
    };
    camera.note(&event);
}

#[test]
fn lost_frames_of_an_event_are_counted_and_their_gap_is_named() {
    let mut camera = recorder(RecordWhen::Events);
    let size = (64, 48);
    assert!(judge(&mut camera, 0, 0, size).is_none());
    assert_eq!(camera.gap, Some(GapReason::NoEvent));
    note(&mut camera, 1, 10 * SECOND, 20 * SECOND);
    // The disk stalled for a minute and a half; the frames of the event are gone.
    assert!(judge(&mut camera, 100 * SECOND, 500, size).is_none());
    assert_eq!((camera.status.missed, camera.gap), (500, Some(GapReason::Disk)));
    note(&mut camera, 2, 110 * SECOND, 120 * SECOND);
    let judged = judge(&mut camera, 110 * SECOND, 0, size).unwrap();
    assert_eq!((judged.lost, judged.gap, camera.status.missed), (500, Some(GapReason::Disk), 500));
    // A frame less at the end of an event makes no gap of the disk.
    assert!(judge(&mut camera, 119 * SECOND, 0, size).is_some());
    assert!(judge(&mut camera, 121 * SECOND, 1, size).is_none());
    assert_eq!((camera.status.missed, camera.gap), (501, Some(GapReason::NoEvent)));
    // Without an event nobody misses them.
    assert!(judge(&mut camera, 200 * SECOND, 700, size).is_none());
    assert_eq!(camera.status.missed, 501);
}

#[test]
fn another_form_of_sound_begins_recording_anew() {
    let mut camera = recorder(RecordWhen::Always);
    let settings = |sound, days| Arc::new(RecordSettings { sound, days, ..(*camera.settings).clone() });
    let (kept_longer, pcm) = (settings(RecordSound::Flac, Some(9)), settings(RecordSound::Pcm, Some(9)));
    assert!(camera.set(&kept_longer));
    assert!(!camera.set(&pcm), "packets that wait are FLAC");
}

#[test]
fn few_frames_between_events_are_no_gaps() {
    let mut camera = recorder(RecordWhen::IdleAndEvents);
    let frames = (1..=1000_u64).filter_map(|tenth| judge(&mut camera, tenth * SECOND / 10, 0, (64, 48)));
    let gaps: Vec<Option<GapReason>> = frames.map(|judged| judged.gap).collect();
    assert!(gaps.len() == 100 && gaps.iter().all(Option::is_none), "{gaps:?}");
}

#[test]
fn frames_of_another_size_are_missed_after_a_change() {
    let mut camera = recorder(RecordWhen::Always);
    camera.last_us = Some(1000 * SECOND);
    // A thousand of one size, then two sizes in turn, 50 a second.
    let kept: Vec<(u64, Judged)> = (0..9000_u64)
        .filter_map(|number| {
            let size = if number < 1000 || number % 2 == 0 { (16, 16) } else { (24, 16) };
            judge(&mut camera, 1000 * SECOND + number * SECOND / 50, 0, size).map(|judged| (number, judged))
        })
        .collect();
    let changes = kept.windows(2).filter(|pair| pair[0].1.frame.size() != pair[1].1.frame.size()).count();
    assert!((2..10).contains(&changes), "{changes}");
    let missed: u64 = kept.iter().map(|(_, judged)| u64::from(judged.lost)).sum();
    let last = kept.last().unwrap().0;
    assert_eq!(kept.len() as u64 + missed, last + 1, "each is kept or counted as missed in the file");
    assert_eq!(camera.status.missed, missed + 8999 - last);
}

#[test]
fn a_long_time_of_another_size_is_a_gap() {
    let mut camera = recorder(RecordWhen::Always);
    for (at_s, size) in [(0, (16, 16)), (1, (24, 16)), (2, (16, 16)), (3, (24, 16)), (4, (16, 16))] {
        judge(&mut camera, at_s * SECOND, 0, size);
    }
    let mut reasons = Vec::new();
    for at_s in 5..60 {
        if let Some(judged) = judge(&mut camera, at_s * SECOND, 0, (24 + at_s as u32, 16)) {
            reasons.extend(judged.gap.map(|gap| (gap, judged.lost > 4)));
        }
    }
    assert!(!reasons.is_empty());
    assert!(reasons.iter().all(|found| *found == (GapReason::CameraLost, true)), "{reasons:?}");
}
