//! Tests of files: their bounds, older events in them, and disks that fail.

use std::fs;
use std::time::Duration;

use super::*;

#[test]
fn a_storm_does_not_fill_the_disk() {
    let machine = Machine::new();
    let mut opened = machine.open_holding(100);
    let kept = opened.start(EventKind::Motion, NewEnd::AtOnce);
    opened.journal.keep(kept, true).unwrap();
    for day in 0..8 {
        for _ in 0..200 {
            opened.start(EventKind::Motion, NewEnd::AtOnce);
            machine.pass(Duration::from_millis(100));
            opened.step();
        }
        let bell = opened.start(EventKind::Manual, NewEnd::AtOnce);
        opened.write();
        assert!(opened.journal.get(bell).is_some());
        machine.set_wall(BEGIN_US + (day + 1) * 24 * HOUR_US);
    }
    assert_eq!(machine.files().len(), LIMITS.days);
    let size = |name: &String| fs::metadata(machine.path().join(name)).unwrap().len();
    let bytes: u64 = machine.files().iter().map(size).sum();
    assert!(bytes < LIMITS.bytes, "{bytes}");
    assert!(opened.journal.health().left_out > 0);
    drop(opened);
    let opened = machine.open();
    let found = opened.all();
    let of = |kind| found.iter().filter(|record| record.event.kind == kind).count();
    assert_eq!(of(EventKind::Manual), LIMITS.days, "what a person asks for has room on every day");
    assert_eq!(of(EventKind::Motion), LIMITS.days * LIMITS.day_events as usize + 1 - 1, "{found:?}");
    assert!(opened.journal.get(kept).unwrap().is_kept, "it was carried over");
}

#[test]
fn reports_leave_room_for_what_defender_finds() {
    let machine = Machine::new();
    let mut opened = machine.open();
    let report = |opened: &mut Opened| {
        let note = "n".repeat(NOTE_CHARS);
        let new = NewEvent { note, ..new("front", EventKind::Manual, NewEnd::Open) };
        let id = opened.journal.start(&new).unwrap().event.id;
        opened.write();
        opened.journal.end(id).unwrap();
        opened.write();
    };
    (0..400).for_each(|_| report(&mut opened));
    assert!(opened.journal.health().left_out > 0, "there were too many reports");
    // The same after a restart.
    opened.stop();
    let mut opened = machine.open();
    (0..100).for_each(|_| report(&mut opened));
    for _ in 0..LIMITS.day_events {
        opened.start(EventKind::Motion, NewEnd::AtOnce);
    }
    opened.write();
    opened.stop();
    let found = machine.open().all();
    let of = |kind| found.iter().filter(|record| record.event.kind == kind).count();
    assert_eq!(of(EventKind::Motion), LIMITS.day_events as usize);
    assert!((50..100).contains(&of(EventKind::Manual)), "{}", of(EventKind::Manual));
}

#[test]
fn files_are_bounded_in_bytes_as_well() {
    let mut machine = Machine::new();
    machine.limits = DayLimits { days: 1000, day_events: 1000, ..LIMITS };
    let mut opened = machine.open();
    for day in 0..20 {
        machine.set_wall(BEGIN_US + day * 24 * HOUR_US);
        for _ in 0..40 {
            opened.start(EventKind::Motion, NewEnd::AtOnce);
        }
        opened.write();
    }
    let size = |name: &String| fs::metadata(machine.path().join(name)).unwrap().len();
    let bytes: u64 = machine.files().iter().map(size).sum();
    assert!(bytes <= LIMITS.bytes && bytes > LIMITS.bytes / 2, "{bytes}");
    assert_eq!(machine.files().last().unwrap(), "2026-12-18.events", "the oldest ones go first");
}

#[test]
fn old_events_are_read_from_their_files() {
    let mut machine = Machine::new();
    machine.limits = DayLimits { days: 100, bytes: 1 << 20, ..LIMITS };
    let mut opened = machine.open_holding(20);
    let mut expected = Vec::new();
    for day in 0..20 {
        machine.set_wall(BEGIN_US + day * 24 * HOUR_US);
        for _ in 0..30 {
            expected.push(opened.start(EventKind::Motion, NewEnd::Open));
            machine.pass(Duration::from_secs(1));
            opened.journal.end(*expected.last().unwrap()).unwrap();
            opened.step();
        }
        opened.write();
    }
    expected.reverse();
    let old = expected[580];
    opened.journal.note(old, "old").unwrap();
    opened.journal.keep(expected[590], true).unwrap();
    opened.journal.delete(expected[595]).unwrap();
    expected.remove(595);
    opened.write();
    let mut first = Some(opened);
    for _ in 0..2 {
        let opened = first.take().unwrap_or_else(|| machine.open_holding(20));
        assert!(opened.journal.index().find(&everything()).len() < 400, "not all of them are in memory");
        assert_eq!(opened.ids(), expected);
        assert!(opened.all().iter().all(|record| record.event.end.is_some() && !record.is_interrupted));
        let (mut paged, mut before) = (Vec::<u32>::new(), None);
        loop {
            let page = ids(&opened.find(before, 7));
            before = page.last().copied();
            paged.extend(&page);
            if page.len() < 7 {
                break;
            }
        }
        assert_eq!(paged, expected, "page by page");
        assert_eq!(&*opened.journal.get(old).unwrap().note, "old");
        assert!(opened.journal.get(expected[590]).unwrap().is_kept);
        let (from, to) = (BEGIN_US + 48 * HOUR_US, BEGIN_US + 48 * HOUR_US + 4_000_000);
        let query = EventQuery { from_us: Some(from), to_us: Some(to), ..everything() };
        assert_eq!(opened.journal.find(&query).len(), 5, "those of five seconds of the third day");
        assert_eq!(opened.journal.kept_ranges(&camera()).len(), 1);
        assert_eq!(opened.journal.note(1_000_000, "x"), Err(JournalError::NoSuchEvent));
    }
}

fn everything() -> EventQuery<'static> {
    EventQuery { from_us: None, to_us: None, is_wanted: &|_| true, before: None, limit: 1000 }
}

#[test]
fn a_disk_that_fails_loses_nothing_and_heals() {
    let machine = Machine::new();
    let mut opened = machine.open();
    opened.start(EventKind::Manual, NewEnd::AtOnce);
    opened.write();
    // The clock passes midnight, and a folder is in the place of the next file.
    machine.set_wall(BEGIN_US + 24 * HOUR_US);
    let obstacle = machine.path().join("2026-11-30.events");
    fs::create_dir(&obstacle).unwrap();
    let open = opened.start(EventKind::Motion, NewEnd::Open);
    for _ in 0..100 {
        opened.start(EventKind::Manual, NewEnd::AtOnce);
        machine.pass(Duration::from_millis(100));
        opened.step();
    }
    opened.journal.end(open).unwrap();
    let health = opened.journal.health();
    assert!(health.problem.is_some_and(|why| why.contains("cannot store events")));
    assert_eq!(health.unwritten, 101);
    fs::remove_dir(&obstacle).unwrap();
    machine.pass(Duration::from_secs(60));
    opened.write();
    assert_eq!(opened.journal.health(), Health::default());
    let before = opened.all();
    drop(opened);
    assert_eq!((machine.open().all(), before.len()), (before, 102));
}

#[test]
fn a_disk_that_fails_for_long_takes_no_more_memory() {
    let machine = Machine::new();
    fs::write(machine.path(), "no folder").unwrap();
    let mut opened = machine.open_holding(100);
    for _ in 0..5000 {
        opened.start(EventKind::Motion, NewEnd::AtOnce);
    }
    opened.step();
    let health = opened.journal.health();
    assert!(health.problem.is_some() && health.unwritten < 1500, "{health:?}");
    assert_eq!(health.lost as usize + health.unwritten + health.left_out as usize, 5000);
    opened.stop();
}

#[test]
fn a_folder_that_comes_late_is_used_if_it_is_empty() {
    let machine = Machine::new();
    let mut opened = machine.open();
    opened.start(EventKind::Manual, NewEnd::AtOnce);
    opened.write();
    opened.stop();
    // As of a disk that is mounted after the start.
    let (folder, aside) = (machine.path(), machine.folder.path().join("aside"));
    for is_empty in [false, true] {
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "").unwrap();
        let mut opened = machine.open();
        opened.start(EventKind::Motion, NewEnd::AtOnce);
        opened.step();
        assert!(opened.journal.health().problem.is_some());
        fs::remove_file(&folder).unwrap();
        if is_empty { fs::create_dir(&folder) } else { fs::rename(&aside, &folder) }.unwrap();
        machine.pass(Duration::from_secs(60));
        opened.step();
        let problem = opened.journal.health().problem;
        assert_eq!(problem.is_none(), is_empty, "{problem:?}");
        assert!(is_empty || problem.is_some_and(|why| why.contains("start it again")));
        drop(opened);
        assert_eq!(machine.open().all().len(), 1);
    }
}

#[test]
fn a_second_server_does_not_write_into_the_folder() {
    let machine = Machine::new();
    let mut first = machine.open();
    let mut second = machine.open();
    first.start(EventKind::Manual, NewEnd::AtOnce);
    second.start(EventKind::Manual, NewEnd::AtOnce);
    first.write();
    drop(first);
    second.step();
    let health = second.journal.health();
    assert!(health.problem.is_some_and(|why| why.contains("another server")));
    assert_eq!(health.unwritten, 1);
    drop(second);
    assert_eq!(machine.open().all().len(), 1);
}

#[test]
fn an_id_that_cannot_be_ours_is_not_taken() {
    let machine = Machine::new();
    let mut opened = machine.open();
    let id = opened.start(EventKind::Manual, NewEnd::AtOnce);
    opened.write();
    opened.stop();
    let path = machine.path().join("2026-11-29.events");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.clone() + "{\"n\":90,\"do\":\"ids\",\"below\":4294967295}\n").unwrap();
    assert_eq!(machine.open().start(EventKind::Manual, NewEnd::AtOnce), id + 1);
}

#[test]
fn ten_events_a_second_for_an_hour_fill_no_disk() {
    let mut machine = Machine::new();
    machine.limits = DayLimits::DEFAULT;
    let mut opened = machine.open();
    let area = Some(crate::media::Area { left: 1, top: 2, right: 3, bottom: 4 });
    for number in 0..36_000 {
        let id = opened.start(EventKind::Motion, NewEnd::Open);
        machine.pass(Duration::from_millis(50));
        let now = lock(&machine.now).at;
        opened.journal.rise(id, 99, area, now);
        machine.pass(Duration::from_millis(50));
        opened.journal.end(id).unwrap();
        if number % 60 == 59 {
            opened.write();
        }
    }
    let health = opened.journal.health();
    assert!(health.left_out > 0 && health.lost == 0, "{health:?}");
    let bytes: u64 = machine.files().iter().map(|name| file_bytes(&machine, name)).sum();
    assert!(bytes <= DayLimits::DEFAULT.day_bytes + 64 * 1024, "{bytes} bytes");
    let before = opened.find(None, 1000);
    assert_eq!((before.len(), before[0].event.score, before[0].event.area), (1000, 99, area));
    drop(opened);
    let again = machine.open();
    let oldest = again.journal.get(2).expect("an early event");
    assert!(!oldest.is_interrupted && oldest.best.is_some() && oldest.event.score == 99, "{oldest:?}");
}

fn file_bytes(machine: &Machine, name: &str) -> u64 {
    std::fs::metadata(machine.path().join(name)).map_or(0, |found| found.len())
}
