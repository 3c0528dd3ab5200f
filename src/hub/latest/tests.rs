//! Tests of `Latest`, with real threads.

use super::*;
use std::thread;

const LONG: Duration = Duration::from_secs(3600);

fn fresh<T>(wait: Wait<T>) -> (std::sync::Arc<T>, u32) {
    match wait {
        Wait::Fresh { value, missed } => (value, missed),
        Wait::TimedOut => panic!("timed out"),
        Wait::Closed => panic!("closed"),
    }
}

#[test]
fn a_reader_gets_the_newest_and_learns_what_it_missed() {
    let (mut publisher, latest) = latest(1);
    let mut reader = latest.subscribe().unwrap();
    assert!(reader.newest().is_none());
    publisher.publish(1);
    assert_eq!(fresh(reader.wait_newer(LONG)).1, 0);
    for value in 2..=5 {
        publisher.publish(value);
    }
    let (value, missed) = fresh(reader.wait_newer(LONG));
    assert_eq!((*value, missed), (5, 3));
}

#[test]
fn a_value_that_was_taken_back_is_given_to_nobody() {
    let (mut publisher, latest) = latest(2);
    let mut before = latest.subscribe().unwrap();
    for value in 0..5 {
        publisher.publish(value);
        publisher.retract();
        assert!(before.newest().is_none() && latest.subscribe().unwrap().newest().is_none());
        assert!(matches!(before.wait_newer(Duration::from_millis(1)), Wait::TimedOut));
    }
    publisher.publish(9);
    assert_eq!(*fresh(before.wait_newer(LONG)).0, 9);
}

#[test]
fn a_reader_waits_for_a_value_newer_than_itself() {
    let (mut publisher, latest) = latest(1);
    publisher.publish("old");
    let mut reader = latest.subscribe().unwrap();
    assert!(matches!(reader.wait_newer(Duration::from_millis(2)), Wait::TimedOut));
    publisher.publish("new");
    let (value, missed) = fresh(reader.wait_newer(LONG));
    assert_eq!((*value, missed), ("new", 0));
}

#[test]
fn a_value_is_not_returned_twice() {
    let (mut publisher, latest) = latest(1);
    let mut reader = latest.subscribe().unwrap();
    publisher.publish(1);
    fresh(reader.wait_newer(LONG));
    assert!(matches!(reader.wait_newer(Duration::from_millis(2)), Wait::TimedOut));
}

#[test]
fn the_sequence_survives_its_wrap() {
    let (mut publisher, latest) = latest(1);
    publisher.sequence = u32::MAX - 1;
    let mut reader = latest.subscribe().unwrap();
    publisher.publish('a');
    fresh(reader.wait_newer(LONG));
    publisher.publish('b');
    publisher.publish('c');
    let (value, missed) = fresh(reader.wait_newer(LONG));
    assert_eq!((*value, missed), ('c', 1));
}

#[test]
fn closing_ends_a_wait() {
    let (publisher, latest) = latest::<u8>(1);
    let mut reader = latest.subscribe().unwrap();
    let waiting = thread::spawn(move || matches!(reader.wait_newer(LONG), Wait::Closed));
    drop(publisher);
    assert!(waiting.join().unwrap());
}

#[test]
fn readers_are_counted_and_capped() {
    let (publisher, latest) = latest::<u8>(2);
    let first = latest.subscribe().unwrap();
    let _second = latest.subscribe().unwrap();
    assert!(latest.subscribe().is_none(), "a third reader of two");
    drop(first);
    assert_eq!(publisher.readers(), 1);
    assert!(latest.subscribe().is_some());
}

#[test]
fn a_first_reader_wakes_the_publisher() {
    let (publisher, latest) = latest::<u8>(1);
    let waiting = thread::spawn(move || publisher.wait_for_reader(LONG));
    let _reader = latest.subscribe().unwrap();
    assert!(waiting.join().unwrap());
}

#[test]
fn a_wait_for_a_reader_ends_by_its_time_or_the_close() {
    let (publisher, latest) = latest::<u8>(1);
    assert!(!publisher.wait_for_reader(Duration::from_millis(2)), "there is no reader");
    latest.close();
    assert!(!publisher.wait_for_reader(LONG), "there will be none");
}

#[test]
fn a_value_still_held_is_not_reused_and_lives_on() {
    let (mut publisher, latest) = latest(2);
    let mut reader = latest.subscribe().unwrap();
    publisher.publish(vec![1]);
    let held = reader.newest().unwrap();
    let reused: Vec<_> = (2..10).filter_map(|value| publisher.publish(vec![value])).collect();
    assert_eq!(*held, vec![1]);
    assert!(!reused.contains(&vec![1]) && reused.len() == 6, "reused {reused:?}");
}

/// Values whose halves disagree when torn, published as fast as possible at readers that
/// come and go; each reader must see them whole, in order, and account for every number.
#[test]
fn no_value_is_torn_reordered_or_unaccounted_for() {
    const PUBLISHED: u32 = 60_000;
    let (mut publisher, latest) = latest::<[u32; 64]>(4);
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut reader = latest.subscribe().unwrap();
            thread::spawn(move || account(&mut reader, PUBLISHED))
        })
        .collect();
    let mut spare = None;
    for number in 1..=PUBLISHED {
        let mut value: [u32; 64] = spare.take().unwrap_or([0; 64]);
        value.fill(number);
        spare = publisher.publish(value);
    }
    for reader in readers {
        assert_eq!(reader.join().unwrap(), PUBLISHED, "seen + missed must be all");
    }
}

fn account(reader: &mut Reader<[u32; 64]>, last: u32) -> u32 {
    let mut accounted = 0;
    let mut before = 0;
    while before != last {
        let (value, missed) = fresh(reader.wait_newer(LONG));
        assert!(value.iter().all(|half| *half == value[0]), "torn: {value:?}");
        assert!(value[0] > before, "{} after {before}", value[0]);
        // The first value is the start of the account: what came before it was not missed.
        accounted += if before == 0 { value[0] } else { missed + 1 };
        before = value[0];
    }
    accounted
}

#[test]
fn a_tap_gets_every_value_and_may_keep_it() {
    let (mut publisher, latest) = latest(1);
    let (sender, taken) = std::sync::mpsc::channel();
    publisher.publish(0);
    latest.tap(move |value: std::sync::Arc<u32>| {
        sender.send(value).unwrap();
        None
    });
    for value in 1..=100 {
        publisher.publish(value);
    }
    latest.untap();
    publisher.publish(101);
    assert_eq!(taken.iter().map(|value| *value).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    assert_eq!(publisher.publish(102), Some(100), "nobody else holds it");
    let mut kept = std::collections::VecDeque::new();
    latest.tap(move |value| {
        kept.push_back(value);
        if kept.len() > 3 { kept.pop_front().and_then(std::sync::Arc::into_inner) } else { None }
    });
    let given: Vec<Option<u32>> = (103..=107).map(|value| publisher.publish(value)).collect();
    assert_eq!(given, [Some(101), Some(102), None, Some(103), Some(104)], "the tap gives the last ones back");
}
