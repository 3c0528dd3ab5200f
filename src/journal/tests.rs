//! Tests of the journal with a clock of their own, and without its thread: they let it work step by step.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::hub::{self, Received};
use crate::media::EventKind;

const HOUR_US: u64 = 3600 * 1_000_000;

/// 2026-11-29, 08:00:00 UTC.
const BEGIN_US: u64 = 1_795_939_200_000_000;

const LIMITS: DayLimits = DayLimits { day_events: 50, day_bytes: 64 * 1024, bytes: 64 * 1024, days: 4 };

/// A machine with a disk and clocks, on which a journal is opened again and again.
struct Machine {
    folder: tempfile::TempDir,
    now: Arc<Mutex<Moment>>,
    boot: u32,
    limits: DayLimits,
}

/// A journal whose thread is the test.
struct Opened {
    journal: Journal,
    writer: Writer,
}

impl Machine {
    fn new() -> Self {
        let now = Moment { at: Timestamp::from_micros(1_000_000), wall_us: BEGIN_US };
        let now = Arc::new(Mutex::new(now));
        Self { folder: tempfile::tempdir().unwrap(), now, boot: 7, limits: LIMITS }
    }

    fn open(&self) -> Opened {
        self.open_holding(MAX_HELD_EVENTS)
    }

    fn open_holding(&self, held: usize) -> Opened {
        let now = Arc::clone(&self.now);
        let clock = Box::new(move || *lock(&now));
        let setting = Setting { clock, boot: self.boot, limits: self.limits, held };
        let journal = Journal::open_with(&self.path(), hub::events(256), setting);
        let writer = lock(&journal.writer).take().unwrap();
        Opened { journal, writer }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events")
    }

    fn pass(&self, time: Duration) {
        let mut now = lock(&self.now);
        now.at = now.at.after(time);
        now.wall_us += time.as_micros() as u64;
    }

    fn set_wall(&self, wall_us: u64) {
        lock(&self.now).wall_us = wall_us;
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Opened {
    fn start(&self, kind: EventKind, end: NewEnd) -> u32 {
        self.journal.start(&new("front", kind, end)).unwrap().event.id
    }

    fn step(&mut self) {
        self.writer.take_posts(&self.journal, Duration::ZERO);
        self.writer.look(&self.journal);
    }

    /// Has all of it taken in and written.
    fn write(&mut self) {
        self.step();
        while self.journal.health().unwritten > 0 {
            self.step();
        }
    }

    fn stop(self) {
        self.journal.stop();
        self.writer.run(&self.journal);
    }

    fn all(&self) -> Vec<EventRecord> {
        self.find(None, 1000)
    }

    fn find(&self, before: Option<u32>, limit: usize) -> Vec<EventRecord> {
        let query = EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before, limit };
        self.journal.find(&query)
    }

    fn ids(&self) -> Vec<u32> {
        ids(&self.all())
    }
}

fn ids(records: &[EventRecord]) -> Vec<u32> {
    records.iter().map(|record| record.event.id).collect()
}

fn new(camera: &str, kind: EventKind, end: NewEnd) -> NewEvent {
    let camera = CameraName::new(camera).unwrap();
    NewEvent { end, reporter: "test".to_owned(), ..NewEvent::new(camera, kind) }
}

fn camera() -> CameraName {
    CameraName::new("front").unwrap()
}

#[test]
fn events_are_the_same_after_a_restart() {
    let machine = Machine::new();
    let mut first = machine.open();
    let door = NewEvent { note: "door bell".to_owned(), ..new("front", EventKind::Manual, NewEnd::AtOnce) };
    let door = first.journal.start(&door).unwrap().event.id;
    let motion = first.start(EventKind::Motion, NewEnd::Open);
    first.write();
    machine.pass(Duration::from_millis(1500));
    first.journal.end(motion).unwrap();
    first.journal.keep(door, true).unwrap();
    first.journal.note(motion, "a cat").unwrap();
    first.write();
    let before = first.all();
    first.stop();
    let second = machine.open();
    assert_eq!(second.all(), before);
    assert_eq!(before[0].wall_end_us(), Some(BEGIN_US + 1_500_000));
    let texts: Vec<_> = before.iter().map(|record| (&*record.note, record.is_kept)).collect();
    assert_eq!(texts, [("a cat", false), ("door bell", true)]);
    assert_eq!(machine.files(), ["2026-11-29.events"]);
}

#[test]
fn no_id_is_given_away_twice() {
    let machine = Machine::new();
    let mut used = Vec::new();
    for round in 0..3 {
        let mut opened = machine.open();
        let id = opened.start(EventKind::Manual, NewEnd::AtOnce);
        opened.write();
        opened.journal.delete(id).unwrap();
        opened.write();
        let unwritten = opened.start(EventKind::Manual, NewEnd::AtOnce);
        assert!(used.iter().all(|used| *used < id) && id < unwritten, "round {round}: {id} after {used:?}");
        used.extend([id, unwritten]);
        // A crash: the last event did not reach the disk, but its id was seen.
    }
    let mut opened = machine.open();
    let last = opened.start(EventKind::Manual, NewEnd::AtOnce);
    opened.write();
    opened.stop();
    assert_eq!(machine.open().start(EventKind::Manual, NewEnd::AtOnce), last + 1, "after a clean end");
}

#[test]
fn an_event_that_a_crash_cut_off_ends_and_is_marked() {
    let mut machine = Machine::new();
    let mut opened = machine.open();
    let open = opened.start(EventKind::Motion, NewEnd::Open);
    machine.pass(Duration::from_secs(5));
    opened.start(EventKind::Manual, NewEnd::AtOnce);
    opened.write();
    machine.pass(Duration::from_secs(60));
    drop(opened);
    // The monotonic clock begins anew.
    machine.boot = 8;
    lock(&machine.now).at = Timestamp::from_micros(50);
    let mut opened = machine.open();
    let check = |opened: &Opened| {
        let record = opened.journal.get(open).unwrap();
        assert!(record.is_interrupted, "{record:?}");
        assert_eq!(record.wall_end_us(), Some(BEGIN_US + 5_000_000), "the last moment that is known");
    };
    check(&opened);
    opened.write();
    drop(opened);
    check(&machine.open());
}

#[test]
fn a_clean_end_ends_what_goes_on() {
    let machine = Machine::new();
    let opened = machine.open();
    let open = opened.start(EventKind::Motion, NewEnd::Open);
    machine.pass(Duration::from_secs(9));
    opened.stop();
    let record = machine.open().journal.get(open).unwrap();
    assert_eq!((record.is_interrupted, record.wall_end_us()), (true, Some(BEGIN_US + 9_000_000)));
}

#[test]
fn steps_of_the_wall_clock_reorder_nothing() {
    let machine = Machine::new();
    let mut opened = machine.open();
    let mut expected = Vec::new();
    let long = opened.start(EventKind::Motion, NewEnd::Open);
    expected.push(long);
    for wall_us in [BEGIN_US, BEGIN_US - HOUR_US, 5 * HOUR_US, BEGIN_US + 50 * 8766 * HOUR_US, BEGIN_US + 1] {
        machine.set_wall(wall_us);
        machine.pass(Duration::from_secs(1));
        expected.push(opened.start(EventKind::Manual, NewEnd::AtOnce));
        opened.journal.keep(long, expected.len() % 2 == 0).unwrap();
        opened.write();
    }
    opened.journal.end(long).unwrap();
    opened.write();
    expected.reverse();
    assert_eq!(opened.ids(), expected);
    drop(opened);
    let opened = machine.open();
    assert_eq!(opened.ids(), expected, "{:?}", machine.files());
    let record = opened.journal.get(long).unwrap();
    assert!(record.is_kept && !record.is_interrupted, "what was said last: {record:?}");
    assert_eq!(record.wall_end_us(), Some(BEGIN_US + 5_000_000), "its length is by the monotonic clock");
    assert_eq!(machine.files().len(), 3);
    assert!(opened.start(EventKind::Manual, NewEnd::AtOnce) > expected[0]);
}

#[test]
fn posts_of_others_are_taken_in_and_lost_ones_are_counted() {
    let machine = Machine::new();
    let mut opened = machine.open();
    let at = Timestamp::from_micros(400_000);
    let event = |id, end| Event {
        id,
        camera: camera(),
        kind: EventKind::Sound,
        start: at,
        end,
        score: 9,
        area: None,
    };
    let id = opened.journal.index().new_id();
    opened.journal.events.post(&event(id, None));
    opened.step();
    let record = opened.journal.get(id).unwrap();
    assert_eq!((record.wall_start_us, record.event.end), (BEGIN_US - 600_000, None));
    opened.journal.events.post(&event(id, Some(at.after(Duration::from_secs(1)))));
    opened.write();
    assert_eq!(opened.journal.get(id).unwrap().wall_end_us(), Some(BEGIN_US + 400_000));
    for _ in 0..300 {
        opened.journal.events.post(&event(opened.journal.index().new_id(), Some(at)));
    }
    for _ in 0..5 {
        opened.step();
    }
    assert_eq!(opened.journal.health().lost, 300 - 256);
    for _ in 0..300 {
        opened.start(EventKind::Motion, NewEnd::AtOnce);
    }
    for _ in 0..10 {
        opened.step();
    }
    assert_eq!(opened.journal.health().lost, 300 - 256, "what the journal posts itself is in its memory");
    opened.journal.delete(id).unwrap();
    opened.journal.events.post(&event(id, Some(at)));
    opened.write();
    assert_eq!(opened.journal.get(id), None, "a late post does not bring it back");
}

#[test]
fn an_event_of_set_length_ends_by_itself() {
    let machine = Machine::new();
    let mut opened = machine.open();
    let mut follower = opened.journal.follow();
    let id = opened.start(EventKind::Manual, NewEnd::After(Duration::from_secs(10)));
    machine.pass(Duration::from_secs(9));
    opened.step();
    assert_eq!(opened.journal.get(id).unwrap().event.end, None);
    machine.pass(Duration::from_secs(2));
    opened.step();
    assert_eq!(opened.journal.get(id).unwrap().wall_end_us(), Some(BEGIN_US + 10_000_000));
    let ends: Vec<bool> = std::iter::from_fn(|| match follower.next(Duration::ZERO) {
        Received::Posted { value, .. } => Some(value.end.is_some()),
        _ => None,
    })
    .collect();
    assert_eq!(ends, [false, true], "its start and its end are posted");
}

#[test]
fn only_so_many_events_go_on_at_a_time() {
    let machine = Machine::new();
    let opened = machine.open();
    let ids: Vec<u32> = (0..256).map(|_| opened.start(EventKind::Motion, NewEnd::Open)).collect();
    let one_more = new("front", EventKind::Motion, NewEnd::Open);
    assert_eq!(opened.journal.start(&one_more), Err(JournalError::TooManyOpen));
    opened.journal.end(ids[0]).unwrap();
    assert!(opened.journal.start(&one_more).is_ok());
}

#[test]
fn reported_events_keep_no_others_out() {
    let machine = Machine::new();
    let opened = machine.open();
    let report = |reporter: &str, end| {
        let manual = new("front", EventKind::Manual, end);
        opened.journal.start(&NewEvent { reporter: reporter.to_owned(), ..manual }).is_ok()
    };
    for (reporter, most) in [("eve by token door", 64), ("eve by token gate", 64), ("bob", 64), ("ada", 0)] {
        let begun = (0..256).filter(|_| report(reporter, NewEnd::Open)).count();
        assert_eq!(begun, most, "{reporter}");
        assert!(report(reporter, NewEnd::AtOnce), "{reporter}: what is over takes no place");
    }
    let lost = new("front", EventKind::CameraLost, NewEnd::Open);
    assert!((0..64).all(|_| opened.journal.start(&lost).is_ok()));
}

#[test]
fn ranges_say_when_footage_is_to_be_kept() {
    let machine = Machine::new();
    let opened = machine.open();
    let first = opened.start(EventKind::Motion, NewEnd::Open);
    machine.pass(Duration::from_secs(4));
    let second = opened.start(EventKind::Manual, NewEnd::AtOnce);
    machine.pass(Duration::from_secs(4));
    opened.journal.end(first).unwrap();
    let lost = opened.start(EventKind::CameraLost, NewEnd::Open);
    let other = opened.journal.start(&new("yard", EventKind::Motion, NewEnd::AtOnce)).unwrap().event.id;
    assert!(opened.journal.kept_ranges(&camera()).is_empty());
    for id in [first, second, lost, other] {
        opened.journal.keep(id, true).unwrap();
    }
    let s = 1_000_000;
    let joined = (BEGIN_US, BEGIN_US + 8 * s);
    assert_eq!(opened.journal.kept_ranges(&camera()), [joined]);
    machine.pass(Duration::from_secs(4));
    let open = opened.start(EventKind::Motion, NewEnd::Open);
    opened.journal.keep(open, true).unwrap();
    assert_eq!(opened.journal.kept_ranges(&camera()), [joined, (BEGIN_US + 12 * s, u64::MAX)]);
}

mod disk;
