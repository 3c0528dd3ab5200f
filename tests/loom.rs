//! Model checks of the hub with loom: every interleaving of small scenes. Built only by
//! `make test` with `--cfg loom`; it compiles the hub's own source files, not copies.
#![cfg(loom)]
#![deny(unsafe_code)]

#[path = "../src/hub/mod.rs"]
#[allow(dead_code, unused_imports)]
mod hub;

use std::time::Duration;

use hub::{Wait, latest, ring};

/// Two publishes race a reader: what it sees is whole, and never goes back in time.
#[test]
fn a_reader_never_sees_a_slot_being_written() {
    loom::model(|| {
        let (mut publisher, door) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = door.subscribe().unwrap();
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

/// With three slots for one reader, four publishes must reuse a slot while the reader may hold
/// a stale name for it: the invariant that `free` is never empty and never read.
#[test]
fn slots_are_reused_under_a_slow_reader() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (mut publisher, door) = latest::<u32>(1);
        publisher.publish(1);
        let mut reader = door.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            assert!(*reader.newest().unwrap() >= 1);
        });
        for value in 2..=5 {
            publisher.publish(value);
        }
        reading.join().unwrap();
    });
}

/// Two readers and a writer: pins of one reader do not confirm for the other.
#[test]
fn two_readers_do_not_disturb_each_other() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let (mut publisher, door) = latest::<u32>(2);
        publisher.publish(1);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let mut reader = door.subscribe().unwrap();
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

/// With three slots for one reader, one leaves and another joins while the writer publishes: whoever joins in the
/// place of one that left must not pin a second slot while the writer may still see the first one pinned.
#[test]
fn a_reader_that_joins_in_the_place_of_one_that_left_leaves_a_slot_free() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (mut publisher, door) = latest::<u32>(1);
        publisher.publish(1);
        let mut leaving = door.subscribe().unwrap();
        let left = loom::thread::spawn(move || {
            assert!(*leaving.newest().unwrap() >= 1);
        });
        let joined = loom::thread::spawn(move || drop(door.subscribe()));
        // `publish` panics when no slot is free.
        for value in 2..=4 {
            publisher.publish(value);
        }
        left.join().unwrap();
        joined.join().unwrap();
    });
}

/// A publish between looking and sleeping must end the sleep: the model deadlocks if it is lost.
#[test]
fn no_wakeup_is_lost() {
    loom::model(|| {
        let (mut publisher, door) = latest::<u32>(1);
        let mut reader = door.subscribe().unwrap();
        let reading = loom::thread::spawn(move || match reader.wait_newer(Duration::MAX) {
            Wait::Fresh { value, missed } => assert_eq!((*value, missed), (7, 0)),
            Wait::Closed => {}
            Wait::TimedOut => panic!("nobody set a timeout"),
        });
        publisher.publish(7);
        reading.join().unwrap();
    });
}

/// Closing between looking and sleeping must end the sleep too.
#[test]
fn closing_is_never_missed() {
    loom::model(|| {
        let (publisher, door) = latest::<u32>(1);
        let mut reader = door.subscribe().unwrap();
        let reading = loom::thread::spawn(move || {
            assert!(matches!(reader.wait_newer(Duration::MAX), Wait::Closed));
        });
        drop(publisher);
        reading.join().unwrap();
    });
}

/// A writer laps a reader of a ring of two: what the reader is given belongs where it is given,
/// and the rest is counted.
#[test]
fn a_lapped_reader_of_the_ring_is_given_nothing_torn() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (mut writer, door) = ring(2, 1);
        let mut reader = door.reader();
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
        let (mut writer, door) = ring(2, 1);
        let reader = door.reader();
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

/// A write between looking and sleeping ends the sleep.
#[test]
fn a_write_to_the_ring_is_never_slept_through() {
    loom::model(|| {
        let (mut writer, door) = ring(2, 1);
        let mut reader = door.reader();
        let writing = loom::thread::spawn(move || {
            writer.write(&[7], 1);
            writer
        });
        assert!(reader.wait(1, Duration::MAX), "word of the frame ended the wait");
        let mut buffer = [0; 2];
        assert_eq!((reader.read(&mut buffer).frames, buffer[0]), (1, 7));
        drop(writing.join().unwrap());
    });
}
