//! Tests of the values of the last seconds.

use std::sync::Arc;
use std::thread;

use super::*;
use crate::media::{Frame, Timestamp};

const ALL: RecentBounds = RecentBounds { values: 8, bytes: usize::MAX, age: Duration::MAX };

fn push(writer: &mut RecentWriter<u32>, value: u32) {
    writer.push(Arc::new(value), 1, u64::from(value));
}

/// Number, loss before it, and value of all that the reader has not read.
fn rest(reader: &mut RecentReader<u32>) -> Vec<(u32, u32, u32)> {
    std::iter::from_fn(|| reader.read()).map(|item| (item.number, item.lost, *item.value)).collect()
}

#[test]
fn a_reader_begins_with_the_oldest_value_and_reads_each_once() {
    let (mut writer, recent) = recent(ALL, 1);
    for value in 10..13 {
        push(&mut writer, value);
    }
    let mut reader = recent.reader().unwrap();
    assert_eq!(rest(&mut reader), [(0, 0, 10), (1, 0, 11), (2, 0, 12)]);
    push(&mut writer, 13);
    assert_eq!(rest(&mut reader), [(3, 0, 13)]);
    assert_eq!(rest(&mut reader), []);
}

#[test]
fn a_late_reader_learns_which_values_it_lost() {
    let (mut writer, recent) = recent(ALL, 1);
    let mut reader = recent.reader().unwrap();
    for value in 0..3 {
        push(&mut writer, value);
    }
    assert_eq!(reader.read().map(|item| item.number), Some(0));
    for value in 3..20 {
        push(&mut writer, value);
    }
    let read = rest(&mut reader);
    assert_eq!(read[0], (12, 11, 12), "the numbers from 1 to 11 are lost");
    assert_eq!((read.len(), read[7]), (8, (19, 0, 19)));
}

#[test]
fn what_was_released_is_removed_and_nothing_else() {
    let (mut writer, recent) = recent(ALL, 1);
    let mut reader = recent.reader().unwrap();
    (0..5).for_each(|value| push(&mut writer, value));
    reader.release();
    push(&mut writer, 5);
    assert_eq!(writer.bytes(), 6, "nothing was read");
    assert_eq!([(); 3].map(|()| reader.read().map(|item| item.number)), [Some(0), Some(1), Some(2)]);
    assert_eq!(writer.bytes(), 6, "what was read is not released");
    reader.release();
    push(&mut writer, 6);
    assert_eq!(writer.bytes(), 4);
    assert_eq!(rest(&mut reader), [(3, 0, 3), (4, 0, 4), (5, 0, 5), (6, 0, 6)]);
    reader.release();
    writer.expire(6);
    assert_eq!(writer.bytes(), 0);
}

#[test]
fn the_oldest_values_make_room_for_the_bytes_of_new_ones() {
    let (mut writer, recent) = recent(RecentBounds { bytes: 100, ..ALL }, 1);
    for (number, bytes) in [40, 40, 20, 70].into_iter().enumerate() {
        writer.push(Arc::new(number as u32), bytes, 0);
        assert!(writer.bytes() <= 100);
    }
    assert_eq!(writer.bytes(), 90);
    let mut reader = recent.reader().unwrap();
    assert_eq!(rest(&mut reader), [(2, 0, 2), (3, 0, 3)]);
}

#[test]
fn a_value_larger_than_the_bound_is_lost_and_removes_no_other() {
    let (mut writer, recent) = recent(RecentBounds { bytes: 100, ..ALL }, 1);
    let mut reader = recent.reader().unwrap();
    for (number, bytes) in [50, 101, 50].into_iter().enumerate() {
        writer.push(Arc::new(number as u32), bytes, 0);
    }
    assert_eq!(rest(&mut reader), [(0, 0, 0), (2, 1, 2)]);
    writer.push(Arc::new(3), 100, 0);
    assert_eq!(rest(&mut reader), [(3, 0, 3)], "one of just the bound is kept");
}

#[test]
fn values_older_than_the_bound_go_when_a_new_one_comes() {
    let (mut writer, recent) = recent(RecentBounds { age: Duration::from_micros(10), ..ALL }, 1);
    let mut reader = recent.reader().unwrap();
    for value in [100, 101, 111] {
        push(&mut writer, value);
    }
    assert_eq!(rest(&mut reader), [(1, 1, 101), (2, 0, 111)], "10 us old is not too old");
}

#[test]
fn values_grow_old_while_no_new_one_comes() {
    let (mut writer, recent) = recent(RecentBounds { age: Duration::from_micros(10), ..ALL }, 1);
    let value = Arc::new(7);
    writer.push(Arc::clone(&value), 5, 100);
    writer.expire(110);
    assert_eq!((writer.bytes(), Arc::strong_count(&value)), (5, 2));
    writer.expire(111);
    assert_eq!((writer.bytes(), Arc::strong_count(&value)), (0, 1), "its memory is free");
    assert_eq!(rest(&mut recent.reader().unwrap()), []);
}

#[test]
fn what_the_writer_missed_counts_as_lost() {
    let (mut writer, recent) = recent(ALL, 1);
    let mut reader = recent.reader().unwrap();
    push(&mut writer, 0);
    writer.skip(3);
    push(&mut writer, 4);
    assert_eq!(rest(&mut reader), [(0, 0, 0), (4, 3, 4)]);
    writer.skip(1000);
    push(&mut writer, 5);
    assert_eq!(rest(&mut reader), [(1005, 1000, 5)]);
}

#[test]
fn skipped_numbers_leave_no_two_values_for_one_entry() {
    let (mut writer, recent) = recent(ALL, 1);
    let first = Arc::new(0);
    writer.push(Arc::clone(&first), 1, 0);
    // The next value has the entry of the first one.
    writer.skip(7);
    push(&mut writer, 8);
    push(&mut writer, 9);
    assert_eq!((writer.bytes(), Arc::strong_count(&first)), (2, 1));
    assert_eq!(rest(&mut recent.reader().unwrap()), [(8, 0, 8), (9, 0, 9)]);
}

#[test]
fn a_reader_rewinds_without_a_loss() {
    let (mut writer, recent) = recent(ALL, 1);
    let mut reader = recent.reader().unwrap();
    for value in 0..12 {
        push(&mut writer, value);
    }
    reader.rewind();
    let (first, all) = ((4, 0, 4), rest(&mut reader));
    assert_eq!((all[0], all.len()), (first, 8));
    reader.rewind();
    assert_eq!(rest(&mut reader), all);
    writer.skip(1);
    assert_eq!(rest(&mut reader), []);
    reader.rewind();
    assert_eq!(rest(&mut reader)[0], (5, 0, 5), "what was lost before does not count");
}

#[test]
fn the_number_of_values_is_rounded_up_to_a_power_of_two() {
    let (mut writer, recent) = recent(RecentBounds { values: 3, ..ALL }, 1);
    (0..5).for_each(|value| push(&mut writer, value));
    assert_eq!(rest(&mut recent.reader().unwrap()).len(), 4);
}

#[test]
fn a_reader_rewinds_over_values_of_earlier_numbers() {
    let (mut writer, recent) = recent(ALL, 1);
    push(&mut writer, 0);
    writer.skip(9);
    // The value 0 is still at the entry of the number 8.
    let mut reader = recent.reader().unwrap();
    push(&mut writer, 10);
    assert_eq!(rest(&mut reader), [(10, 0, 10)]);
}

#[test]
fn numbers_wrap() {
    let (mut writer, recent) = recent(ALL, 1);
    writer.skip(u32::MAX - 1);
    let mut reader = recent.reader().unwrap();
    for value in 0..3 {
        push(&mut writer, value);
    }
    assert_eq!(rest(&mut reader), [(u32::MAX - 1, 0, 0), (u32::MAX, 0, 1), (0, 0, 2)]);
    for value in 3..13 {
        push(&mut writer, value);
    }
    assert_eq!(rest(&mut reader)[0], (3, 2, 5));
}

#[test]
fn a_value_that_a_reader_holds_outlives_the_bounds() {
    let (mut writer, recent) = recent(RecentBounds { values: 1, ..ALL }, 1);
    push(&mut writer, 1);
    let held = recent.reader().unwrap().read().unwrap().value;
    push(&mut writer, 2);
    push(&mut writer, 3);
    assert_eq!((*held, Arc::strong_count(&held), writer.bytes()), (1, 1, 1));
}

#[test]
fn readers_are_limited() {
    let (_writer, recent) = recent::<u32>(ALL, 2);
    let (first, _second) = (recent.reader().unwrap(), recent.clone().reader().unwrap());
    assert!(recent.reader().is_none());
    drop(first);
    assert!(recent.reader().is_some());
}

#[test]
fn sound_is_kept_as_slices() {
    let (mut writer, recent) = recent::<[i16]>(ALL, 1);
    writer.push(Arc::from([1, 2, 3]), 6, 20_000);
    let item = recent.reader().unwrap().read().unwrap();
    assert_eq!((&item.value[..], item.captured_us), (&[1, 2, 3][..], 20_000));
}

#[test]
fn a_frame_counts_with_its_buffer_and_its_time() {
    let (mut writer, recent) = recent::<Frame>(ALL, 1);
    let mut buffer = Vec::with_capacity(5000);
    buffer.extend_from_slice(b"JPEG");
    let frame = Frame::new(buffer, 0..4, 0..4, Timestamp::from_micros(77), (4, 4));
    writer.push_frame(Arc::new(frame), drop);
    assert_eq!(writer.bytes(), 5000);
    assert_eq!(recent.reader().unwrap().read().unwrap().captured_us, 77);
}

/// A publisher of frames goes on without a limit while all its values are kept.
#[test]
fn kept_values_take_no_slot_of_the_publisher() {
    let (mut publisher, latest) = crate::hub::latest(1);
    let mut intake = latest.subscribe().unwrap();
    let (mut writer, recent) = recent(RecentBounds { values: 64, ..ALL }, 1);
    for value in 0..64 {
        assert_eq!(publisher.publish(value), None, "a kept value is not given back");
        writer.push(intake.newest().unwrap(), 1, 0);
    }
    assert_eq!(rest(&mut recent.reader().unwrap()).len(), 64);
}

/// Readers of every pace beside a writer at full speed, with bounds that change what is kept: each value
/// that a reader gets is the one of its number, and with the losses all numbers are accounted for.
#[test]
fn every_number_is_read_or_counted_as_lost() {
    const PUSHED: u32 = 40_000;
    let (mut writer, recent) = recent::<[u32; 32]>(RecentBounds { values: 64, bytes: 4000, ..ALL }, 4);
    let readers: Vec<_> = (0..4)
        .map(|pace| {
            let mut reader = recent.reader().unwrap();
            thread::spawn(move || {
                let (mut next, mut lost) = (0_u32, 0_u32);
                while next < PUSHED {
                    let Some(item) = reader.read() else {
                        thread::yield_now();
                        continue;
                    };
                    assert_eq!(item.number, next + item.lost);
                    assert!(item.value.iter().all(|word| *word == item.number), "{item:?}");
                    next = item.number + 1;
                    lost += item.lost;
                    for _ in 0..pace * 200 {
                        std::hint::spin_loop();
                    }
                }
                lost
            })
        })
        .collect();
    for number in 0..PUSHED {
        writer.push(Arc::new([number; 32]), 1 + number as usize % 199, u64::from(number));
    }
    let lost: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(lost.iter().any(|lost| *lost > 0), "no reader was late: {lost:?}");
}
