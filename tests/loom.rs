//! Model checks of the hub with loom: every interleaving of small programs. Built only by `.ci/loom`, with
//! `--cfg loom`; it compiles the hub's own source files, not copies.
#![cfg(loom)]
#![deny(unsafe_code)]

#[path = "../src/hub/mod.rs"]
#[allow(dead_code, unused_imports)]
mod hub;

use std::time::Duration;

use hub::{Packed, Received, RecentBounds, Wait, events, latest, recent, ring};

/// Two publishes race a reader: it gets whole values, and never an older one after a newer one.
#[test]
fn a_reader_never_sees_a_slot_being_written() {
    loom::model(|| {
        let (mut publisher, latest) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = latest.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            let first = *reader.newest().unwrap();
            let second = *reader.newest().unwrap();
            assert!(first <= second && second <= 3, "{first} then {second}");
        });
        publisher.publish(2);
        publisher.publish(3);
        reading.join().unwrap();
    });
}

/// With three slots for one reader, four publishes must reuse a slot while the reader may hold a stale
/// index of it: the invariants that a slot is free and that no reader accesses it.
#[test]
fn slots_are_reused_under_a_slow_reader() {
    check_bounded(3, || {
        let (mut publisher, latest) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = latest.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            assert!(*reader.newest().unwrap() >= 1);
        });
        for value in 2..=5 {
            publisher.publish(value);
        }
        reading.join().unwrap();
    });
}

/// Two readers and a writer: the pin of one reader confirms nothing for the other.
#[test]
fn two_readers_do_not_disturb_each_other() {
    check_bounded(2, || {
        let (mut publisher, latest) = latest::<u32>(2);
        publisher.publish(1);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let mut reader = latest.subscribe().unwrap();
                loom::thread::spawn(move || assert!(*reader.newest().unwrap() >= 1))
            })
            .collect();
        publisher.publish(2);
        publisher.publish(3);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// With three slots for one reader, one leaves and another joins while the writer publishes: the reader that
/// joins must not pin a second slot while the writer may still see the pin of the one that left.
#[test]
fn a_reader_that_replaces_another_leaves_a_slot_free() {
    check_bounded(3, || {
        let (mut publisher, latest) = latest::<u32>(1);
        publisher.publish(1);
        let mut leaving = latest.subscribe().unwrap();
        let left = loom::thread::spawn(move || {
            assert!(*leaving.newest().unwrap() >= 1);
        });
        let joined = loom::thread::spawn(move || drop(latest.subscribe()));
        // `publish` panics when no slot is free.
        for value in 2..=4 {
            publisher.publish(value);
        }
        left.join().unwrap();
        joined.join().unwrap();
    });
}

/// What is taken back is not given to a reader that asks after that, whatever it saw before: a picture without the masks
/// that an admin has just drawn.
#[test]
fn a_value_that_is_taken_back_is_given_to_nobody() {
    loom::model(|| {
        let (mut publisher, latest) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = latest.subscribe().unwrap();
        let is_retracted = loom::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let seen = loom::sync::Arc::clone(&is_retracted);
        let reading = loom::thread::spawn(move || {
            let is_after = seen.load(loom::sync::atomic::Ordering::Acquire);
            let found = reader.newest().map(|value| *value);
            assert!(!is_after || found != Some(1), "{found:?} was taken back before");
        });
        publisher.retract();
        is_retracted.store(true, loom::sync::atomic::Ordering::Release);
        publisher.publish(2);
        reading.join().unwrap();
    });
}

/// Taking values back under a slow reader, which may have a stale index of their slot: the value that it gets is whole,
/// and a slot is free for each publish.
#[test]
fn slots_of_values_taken_back_are_reused_under_a_slow_reader() {
    check_bounded(3, || {
        let (mut publisher, latest) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = latest.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            let found = reader.newest().map_or(0, |value| *value);
            let later = reader.newest().map_or(u32::MAX, |value| *value);
            assert!(found <= 4 && found <= later, "{found} then {later}");
        });
        publisher.retract();
        publisher.publish(2);
        publisher.retract();
        for value in 3..=4 {
            publisher.publish(value);
        }
        reading.join().unwrap();
    });
}

/// A publish between a reader's look and its sleep must end the sleep: if not, the model deadlocks.
#[test]
fn no_wakeup_is_lost() {
    loom::model(|| {
        let (mut publisher, latest) = latest::<u32>(1);
        let mut reader = latest.subscribe().unwrap();
        let reading = loom::thread::spawn(move || match reader.wait_newer(Duration::MAX) {
            Wait::Fresh { value, missed } => assert_eq!((*value, missed), (7, 0)),
            Wait::Closed => {}
            Wait::TimedOut => panic!("nobody set a timeout"),
        });
        publisher.publish(7);
        reading.join().unwrap();
    });
}

/// Closing between a reader's look and its sleep must end the sleep too.
#[test]
fn closing_is_never_missed() {
    loom::model(|| {
        let (publisher, latest) = latest::<u32>(1);
        let mut reader = latest.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            assert!(matches!(reader.wait_newer(Duration::MAX), Wait::Closed));
        });
        drop(publisher);
        reading.join().unwrap();
    });
}

/// A writer overtakes a reader of a ring of two: each sample that the reader gets is the one of its
/// position, and the rest is counted.
#[test]
fn an_overtaken_reader_of_the_ring_gets_nothing_torn() {
    check_bounded(3, || {
        let (mut writer, ring) = ring(2, 1);
        let mut reader = ring.reader();
        let reading = loom::thread::spawn(move || {
            let mut position = 0;
            for _ in 0..2 {
                let mut buffer = [0; 2];
                let got = reader.read(&mut buffer);
                position += got.lost as i16;
                for sample in &buffer[..got.frames] {
                    assert_eq!(*sample, 100 + position);
                    position += 1;
                }
            }
            assert!(position <= 4);
        });
        writer.write(&[100], 1);
        writer.write(&[101, 102], 2);
        writer.write(&[103], 3);
        reading.join().unwrap();
    });
}

/// The time of the newest frame is of one write, not of two.
#[test]
fn the_rings_clock_is_never_torn() {
    loom::model(|| {
        let (mut writer, ring) = ring(2, 1);
        let reader = ring.reader();
        let reading = loom::thread::spawn(move || {
            if let Some(edge) = reader.live_edge() {
                assert_eq!(edge.end_us, u64::from(edge.behind) << 32 | u64::from(edge.behind));
            }
        });
        writer.write(&[1], 1 << 32 | 1);
        writer.write(&[2], 2 << 32 | 2);
        reading.join().unwrap();
    });
}

/// A write between a reader's look and its sleep ends the sleep.
#[test]
fn a_write_to_the_ring_is_never_slept_through() {
    loom::model(|| {
        let (mut writer, ring) = ring(2, 1);
        let mut reader = ring.reader();
        let writing = loom::thread::spawn(move || {
            writer.write(&[7], 1);
            writer
        });
        assert!(reader.wait(1, Duration::MAX), "the notification of the frame ended the wait");
        let mut buffer = [0; 2];
        assert_eq!((reader.read(&mut buffer).frames, buffer[0]), (1, 7));
        drop(writing.join().unwrap());
    });
}

const TWO_VALUES: RecentBounds = RecentBounds { values: 2, bytes: usize::MAX, age: Duration::MAX };

/// A writer that removes old values to make room races a reader: each value is the one of its number, and
/// the numbers between are counted as lost. The cells of the slots check that none is written under a reader.
#[test]
fn a_late_reader_of_recent_values_gets_them_whole() {
    check_bounded(3, || {
        let (mut writer, recent) = recent::<u32>(TWO_VALUES, 1);
        writer.push(std::sync::Arc::new(100), 1, 0);
        let mut reader = recent.reader().unwrap();
        let reading = loom::thread::spawn(move || {
            let mut next = 0;
            for _ in 0..2 {
                let Some(item) = reader.read() else { break };
                assert_eq!((item.number, *item.value), (next + item.lost, 100 + item.number));
                next = item.number + 1;
            }
            assert!(next <= 4);
        });
        for value in 101..=103 {
            writer.push(std::sync::Arc::new(value), 1, 0);
        }
        reading.join().unwrap();
    });
}

/// Values within the bounds are never lost, however the reader and the writer race.
#[test]
fn a_reader_loses_no_recent_value_within_the_bounds() {
    loom::model(|| {
        let (mut writer, recent) = recent::<u32>(TWO_VALUES, 1);
        let mut reader = recent.reader().unwrap();
        let reading = loom::thread::spawn(move || {
            for number in 0..2 {
                let Some(item) = reader.read() else { break };
                assert_eq!((item.number, item.lost), (number, 0));
            }
        });
        writer.push(std::sync::Arc::new(1), 1, 0);
        writer.push(std::sync::Arc::new(2), 1, 0);
        reading.join().unwrap();
    });
}

/// Values that grow old are removed while a reader may be cloning them.
#[test]
fn recent_values_expire_under_a_reader() {
    check_bounded(3, || {
        let bounds = RecentBounds { age: Duration::from_micros(1), ..TWO_VALUES };
        let (mut writer, recent) = recent::<u32>(bounds, 1);
        writer.push(std::sync::Arc::new(1), 1, 1);
        let mut reader = recent.reader().unwrap();
        let reading = loom::thread::spawn(move || {
            if let Some(item) = reader.read() {
                assert_eq!(*item.value, item.number + 1);
            }
        });
        writer.expire(3);
        writer.push(std::sync::Arc::new(2), 1, 4);
        reading.join().unwrap();
    });
}

/// A value of two words, which are equal unless a copy is torn.
#[derive(Debug, PartialEq)]
struct Twice(u32);

impl Packed for Twice {
    type Words = [u32; 2];

    fn pack(&self) -> Self::Words {
        [self.0; 2]
    }

    fn unpack(words: &Self::Words) -> Self {
        assert_eq!(words[0], words[1], "torn");
        Self(words[0])
    }
}

/// A writer overtakes a reader: the reader gets values whole and learns how many it lost.
#[test]
fn an_overtaken_reader_of_events_gets_them_whole() {
    check_bounded(2, || {
        let events = events::<Twice>(2);
        let mut reader = events.reader();
        let reading = loom::thread::spawn(move || {
            let mut next = 0;
            for _ in 0..2 {
                let Received::Posted { value, lost } = reader.next(Duration::ZERO) else { break };
                assert_eq!(value.0, 100 + next + lost);
                next += lost + 1;
            }
        });
        for number in 0..3 {
            events.post(&Twice(100 + number));
        }
        reading.join().unwrap();
    });
}

/// Two writers race for slots: in the end each slot holds one whole value, and each number is read or lost.
#[test]
fn two_writers_of_events_share_no_slot() {
    check_bounded(3, || {
        let events = events::<Twice>(2);
        let mut reader = events.reader();
        let other = events.clone();
        let writing = loom::thread::spawn(move || other.post(&Twice(1)));
        events.post(&Twice(2));
        events.post(&Twice(3));
        writing.join().unwrap();
        let (mut read, mut lost) = (Vec::new(), 0);
        while let Received::Posted { value, lost: before } = reader.next(Duration::ZERO) {
            assert!(!read.contains(&value), "{value:?} came twice");
            read.push(value);
            lost += before;
        }
        assert!((1..=2).contains(&read.len()), "{read:?}");
        assert!(read.contains(&Twice(3)) || read.contains(&Twice(1)), "{read:?}");
        assert!(read.len() as u32 + lost >= 3, "{read:?} and {lost} lost");
    });
}

/// With as many slots as posts, nothing is lost to a reader, and the posts of one writer keep their order.
#[test]
fn a_reader_loses_no_event_that_its_slots_hold() {
    check_bounded(2, || {
        let events = events::<Twice>(2);
        let mut reader = events.reader();
        let other = events.clone();
        let writing = loom::thread::spawn(move || other.post(&Twice(1)));
        events.post(&Twice(2));
        let mut sum = 0;
        for _ in 0..2 {
            let Received::Posted { value, lost } = reader.next(Duration::MAX) else { panic!("it waits") };
            assert_eq!(lost, 0);
            sum += value.0;
        }
        assert_eq!(sum, 3);
        writing.join().unwrap();
    });
}

/// A post between a reader's look and its sleep ends the sleep, and is returned before the close after it.
#[test]
fn a_post_is_never_slept_through() {
    check_bounded(2, || {
        let events = events::<Twice>(2);
        let mut reader = events.reader();
        let writing = loom::thread::spawn(move || {
            events.post(&Twice(7));
            events.close();
        });
        assert_eq!(reader.next(Duration::MAX), Received::Posted { value: Twice(7), lost: 0 });
        assert_eq!(reader.next(Duration::MAX), Received::Closed);
        writing.join().unwrap();
    });
}

/// Checks a model with at most so many preemptions in each interleaving: without a bound there are too many.
fn check_bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
