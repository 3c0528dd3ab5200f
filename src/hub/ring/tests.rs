//! Tests of the ring, with real threads.

use super::*;
use crate::base::patience::asleep;
use std::thread;

/// The sample at a position of a known endless sequence.
fn known(position: u32, channel: u32) -> i16 {
    (position.wrapping_mul(40_503) >> 7) as i16 ^ (channel as i16) << 3
}

fn frames_from(position: u32, count: u32, channels: u32) -> Vec<i16> {
    (0..count)
        .flat_map(|at| (0..channels).map(move |channel| known(position.wrapping_add(at), channel)))
        .collect()
}

#[test]
fn a_reader_starts_at_the_next_frame_and_gets_them_all() {
    let (mut writer, ring) = ring(8, 2);
    writer.write(&frames_from(0, 3, 2), 1);
    let mut reader = ring.reader();
    let mut buffer = [0; 16];
    assert_eq!(reader.read(&mut buffer), Got::default());
    writer.write(&frames_from(3, 5, 2), 2);
    assert_eq!(reader.read(&mut buffer), Got { frames: 5, lost: 0 });
    assert_eq!(buffer[..10], frames_from(3, 5, 2)[..]);
}

#[test]
fn an_overtaken_reader_learns_its_loss() {
    let (mut writer, ring) = ring(8, 1);
    let mut reader = ring.reader();
    for at in 0..5 {
        writer.write(&frames_from(at * 4, 4, 1), 1);
    }
    let mut buffer = [0; 3];
    assert_eq!(reader.read(&mut buffer), Got { frames: 3, lost: 12 });
    assert_eq!(buffer[..], frames_from(12, 3, 1)[..]);
    assert_eq!(reader.read(&mut buffer), Got { frames: 3, lost: 0 });
    assert_eq!(reader.behind(), 2);
}

#[test]
fn a_write_longer_than_the_ring_leaves_its_end() {
    let (mut writer, ring) = ring(4, 3);
    let mut reader = ring.reader();
    writer.write(&frames_from(0, 11, 3), 1);
    let mut buffer = [0; 30];
    assert_eq!(reader.read(&mut buffer), Got { frames: 4, lost: 7 });
    assert_eq!(buffer[..12], frames_from(7, 4, 3)[..]);
}

#[test]
fn no_more_frames_are_torn_than_were_copied() {
    let (mut writer, ring) = ring(4, 2);
    let reader = ring.reader();
    writer.write(&frames_from(0, 14, 2), 1);
    assert_eq!(reader.copy(&mut [0; 4]), 2);
}

#[test]
fn positions_survive_their_wrap() {
    let (mut writer, ring) = ring(8, 1);
    let start = u32::MAX - 2;
    writer.written = start;
    writer.shared.claimed.store(start, Ordering::Relaxed);
    writer.shared.written.store(start, Ordering::Relaxed);
    let mut reader = ring.reader();
    writer.write(&frames_from(start, 7, 1), 1);
    let mut buffer = [0; 8];
    assert_eq!(reader.read(&mut buffer), Got { frames: 7, lost: 0 });
    assert_eq!(buffer[..7], frames_from(start, 7, 1)[..]);
    writer.write(&frames_from(start.wrapping_add(7), 20, 1), 1);
    assert_eq!(reader.read(&mut buffer), Got { frames: 8, lost: 12 });
}

#[test]
fn the_live_edge_is_in_frames_and_in_time() {
    let (mut writer, ring) = ring(8, 1);
    let mut reader = ring.reader();
    assert_eq!(reader.live_edge(), None);
    let end_us = (7 << 32) + 5;
    writer.write(&[1, 2, 3], end_us);
    assert_eq!(reader.live_edge(), Some(LiveEdge { behind: 3, end_us }));
    reader.skip(2);
    assert_eq!(reader.live_edge(), Some(LiveEdge { behind: 1, end_us }));
    reader.skip(5);
    assert_eq!((reader.behind(), reader.position()), (0, 3));
    reader.rewind(2);
    assert_eq!(reader.behind(), 2);
}

#[test]
fn a_write_wakes_and_the_writers_end_closes() {
    let (mut writer, ring) = ring(8, 1);
    let reader = ring.reader();
    assert!(!reader.wait(1, Duration::from_millis(2)));
    let waiting = thread::spawn(move || {
        let came = reader.wait(1, Duration::from_secs(3600));
        while !reader.is_closed() {
            reader.wait(1, Duration::from_secs(3600));
            if reader.behind() > 0 {
                thread::yield_now();
            }
        }
        came
    });
    writer.write(&[1], 1);
    drop(writer);
    assert!(waiting.join().unwrap());
}

#[test]
fn a_wait_for_many_frames_goes_on_over_short_writes() {
    let (mut writer, ring) = ring(8, 1);
    let reader = ring.reader();
    thread::scope(|scope| {
        let waiting = asleep(scope, move || (reader.wait(4, Duration::from_secs(3600)), reader.behind()));
        for sample in 0..4 {
            thread::sleep(Duration::from_millis(2));
            writer.write(&[sample], 1);
        }
        assert_eq!(waiting.join().unwrap(), (true, 4));
    });
}

#[test]
fn a_spurious_wakeup_ends_no_wait() {
    let (mut writer, ring) = ring(8, 1);
    let reader = ring.reader();
    thread::scope(|scope| {
        let waiting = asleep(scope, move || reader.wait(1, Duration::from_secs(3600)));
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(2));
            // As a writer does that was preempted between a write and its notification.
            ring.shared.came.notify();
        }
        writer.write(&[1], 1);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn readers_are_counted() {
    let (writer, ring) = ring(8, 1);
    let first = ring.reader();
    let _second = ring.reader();
    assert_eq!((ring.readers(), writer.readers()), (2, 2));
    drop(first);
    assert_eq!(ring.readers(), 1);
}

/// Readers of every speed beside a writer at full speed: each sample that a reader gets is the one of its
/// position, and samples read and lost together are all that were written.
#[test]
fn every_sample_is_true_or_counted_as_lost() {
    const FRAMES: u32 = 400_000;
    const CHANNELS: u32 = 2;
    let (mut writer, ring) = ring(256, CHANNELS);
    let readers: Vec<_> = (0..4_u32)
        .map(|pace| {
            let mut reader = ring.reader();
            thread::spawn(move || {
                let mut buffer = vec![0; 97 * CHANNELS as usize];
                let (mut position, mut lost) = (0_u32, 0_u32);
                while reader.wait(1, Duration::from_secs(60)) {
                    let got = reader.read(&mut buffer);
                    position += got.lost;
                    lost += got.lost;
                    let expected = frames_from(position, got.frames as u32, CHANNELS);
                    assert_eq!(buffer[..expected.len()], expected[..], "frames from {position} on");
                    position += got.frames as u32;
                    if position == FRAMES {
                        break;
                    }
                    // The slowest reader is to be overtaken again and again.
                    for _ in 0..pace * 200 {
                        std::hint::spin_loop();
                    }
                }
                (position, lost)
            })
        })
        .collect();
    let mut at = 0;
    while at < FRAMES {
        let count = (1 + at % 61).min(FRAMES - at);
        writer.write(&frames_from(at, count, CHANNELS), u64::from(at) + 1);
        at += count;
    }
    let ends: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(ends.iter().all(|(position, _)| *position == FRAMES), "{ends:?}");
    assert!(ends.iter().any(|(_, lost)| *lost > 0), "no reader was overtaken: {ends:?}");
}
