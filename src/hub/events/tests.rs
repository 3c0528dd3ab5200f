//! Tests of the broadcast, with real threads.

use std::thread;

use super::*;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(2);

impl Packed for u32 {
    type Words = [u32; 1];

    fn pack(&self) -> Self::Words {
        [*self]
    }

    fn unpack(words: &Self::Words) -> Self {
        words[0]
    }
}

/// The same number in each word, so that a torn copy shows.
impl Packed for [u32; 16] {
    type Words = Self;

    fn pack(&self) -> Self::Words {
        *self
    }

    fn unpack(words: &Self::Words) -> Self {
        *words
    }
}

/// Events whose first number is `start`, a multiple of `capacity`.
fn begun_at(start: u32, capacity: u32) -> Events<u32> {
    let events = events(capacity);
    events.shared.next.store(start, Ordering::Relaxed);
    for (at, stamp) in (0..).zip(&events.shared.stamps) {
        stamp.store(complete(start.wrapping_sub(capacity) + at), Ordering::Relaxed);
    }
    events
}

fn posted(value: u32, lost: u32) -> Received<u32> {
    Received::Posted { value, lost }
}

#[test]
fn each_reader_gets_what_is_posted_after_it_came() {
    let events = events(4);
    events.post(&1);
    let mut first = events.reader();
    events.post(&2);
    let mut second = events.reader();
    events.clone().post(&3);
    assert_eq!([first.next(LONG), first.next(LONG)], [posted(2, 0), posted(3, 0)]);
    assert_eq!(second.next(LONG), posted(3, 0));
    assert_eq!([first.next(SHORT), second.next(SHORT)], [Received::TimedOut; 2]);
}

#[test]
fn an_overtaken_reader_learns_how_many_it_lost() {
    let events = events(4);
    let mut reader = events.reader();
    for value in 0..11 {
        events.post(&value);
    }
    assert_eq!([reader.next(LONG), reader.next(LONG)], [posted(7, 7), posted(8, 0)]);
    events.post(&11);
    assert_eq!(reader.next(LONG), posted(9, 0));
}

#[test]
fn closing_ends_a_wait_after_what_was_posted_is_read() {
    let events = events(4);
    let mut reader = events.reader();
    let waiting = thread::spawn(move || [reader.next(LONG), reader.next(LONG), reader.next(LONG)]);
    events.post(&5);
    events.close();
    assert_eq!(waiting.join().unwrap(), [posted(5, 0), Received::Closed, Received::Closed]);
}

#[test]
fn numbers_wrap() {
    for start in [(1 << 31) - 4, u32::MAX - 3] {
        let events = begun_at(start, 4);
        let mut reader = events.reader();
        events.post(&0);
        assert_eq!(reader.next(LONG), posted(0, 0));
        for value in 1..10 {
            events.post(&value);
        }
        assert_eq!([reader.next(LONG), reader.next(LONG)], [posted(6, 5), posted(7, 0)]);
    }
}

#[test]
fn stamps_are_ordered_across_the_wrap() {
    let before = [(complete(3), 4), (claimed(3), 4), (complete(u32::MAX), 0)];
    assert!(before.into_iter().all(|(stamp, number)| is_before(stamp, number)));
    let after = [(complete(4), 4), (claimed(4), 4), (complete(5), 4), (complete(0), u32::MAX)];
    assert!(after.into_iter().all(|(stamp, number)| !is_before(stamp, number)));
}

#[test]
fn a_value_that_is_still_being_written_is_waited_for() {
    let events = events(4);
    let mut reader = events.reader();
    let number = events.shared.claim();
    events.post(&2);
    assert_eq!(reader.next(SHORT), Received::TimedOut);
    let (stamp, words) = events.shared.slot(number);
    words[0].store(1, Ordering::Relaxed);
    stamp.store(complete(number), Ordering::Release);
    assert_eq!([reader.next(LONG), reader.next(LONG)], [posted(1, 0), posted(2, 0)]);
}

#[test]
fn a_writer_late_by_a_lap_holds_up_no_other() {
    let events = events(2);
    let mut reader = events.reader();
    let late = events.shared.claim();
    for value in 1..4 {
        events.post(&value);
    }
    // Two numbers were the late writer's slot's: its own and the one after a lap, which was skipped.
    assert_eq!(late, 0);
    assert_eq!(events.shared.next.load(Ordering::Relaxed), 6);
    assert_eq!(reader.next(LONG), posted(3, 5));
}

#[test]
fn a_skipped_number_counts_as_lost_to_a_reader_that_is_there() {
    for start in [0, (1 << 31) - 2, u32::MAX - 1] {
        let events = begun_at(start, 2);
        let late = events.shared.claim();
        events.post(&1);
        let mut reader = events.reader();
        events.post(&2);
        assert_eq!(reader.next(LONG), posted(2, 1), "number 2 was skipped");
        events.shared.slot(late).0.store(complete(late), Ordering::Release);
        events.post(&3);
        assert_eq!(reader.next(LONG), posted(3, 0), "the slot is used again");
    }
}

#[test]
fn a_number_that_is_out_of_date_is_not_given_again() {
    let events = events(4);
    let mut reader = events.reader();
    events.post(&1);
    // As a writer sees it that loaded `next` before that post.
    events.shared.next.store(0, Ordering::Relaxed);
    events.post(&2);
    assert_eq!([reader.next(LONG), reader.next(LONG)], [posted(1, 0), posted(2, 0)]);
}

#[test]
fn the_capacity_is_rounded_up_to_a_power_of_two() {
    let events = events(3);
    let mut reader = events.reader();
    (0..4).for_each(|value| events.post(&value));
    (0..4).for_each(|value| assert_eq!(reader.next(LONG), posted(value, 0)));
}

/// Several writers at full speed beside readers of every pace: each value is whole, comes once, and in the
/// order in which its writer posted it; read and lost together are all numbers.
#[test]
fn every_post_of_many_writers_is_read_or_counted_as_lost() {
    const WRITERS: u32 = 3;
    const POSTS: u32 = 20_000;
    let events = events::<[u32; 16]>(64);
    let readers: Vec<_> = (0..3)
        .map(|pace| {
            let mut reader = events.reader();
            thread::spawn(move || {
                let (mut read, mut lost, mut last) = (0, 0, [0; WRITERS as usize]);
                loop {
                    match reader.next(LONG) {
                        Received::Posted { value, lost: before } => {
                            assert!(value.iter().all(|word| *word == value[0]), "torn: {value:?}");
                            let (writer, number) = (value[0] % WRITERS, value[0] / WRITERS);
                            let last = &mut last[writer as usize];
                            assert!(number > *last, "{number} of writer {writer} after {last}");
                            (*last, read, lost) = (number, read + 1, lost + before);
                        }
                        Received::Closed => return (read, lost),
                        Received::TimedOut => panic!("timed out"),
                    }
                    for _ in 0..pace * 300 {
                        std::hint::spin_loop();
                    }
                }
            })
        })
        .collect();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let events = &events;
            scope.spawn(move || {
                for number in 1..=POSTS {
                    events.post(&[number * WRITERS + writer; 16]);
                }
            });
        }
    });
    events.close();
    let numbers = events.shared.next.load(Ordering::Relaxed);
    assert!(numbers >= WRITERS * POSTS);
    for reader in readers {
        let (read, lost) = reader.join().unwrap();
        assert_eq!(read + lost, numbers);
    }
}

#[test]
fn a_wake_or_a_post_ends_a_long_sleep() {
    let events = events::<u32>(4);
    let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    for is_post in [false, true] {
        let (mut reader, over) = (events.reader(), std::sync::Arc::clone(&is_over));
        let sleeper = thread::spawn(move || {
            reader.sleep(LONG, || over.load(std::sync::atomic::Ordering::Relaxed));
            reader.next(Duration::ZERO)
        });
        if is_post {
            events.post(&7);
        } else {
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            events.wake();
        }
        let found = sleeper.join().unwrap();
        assert_eq!(found, if is_post { posted(7, 0) } else { Received::TimedOut });
        is_over.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}
