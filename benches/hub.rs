//! What the hub costs: the camera thread (`publish`), a viewer (`newest`), and who keeps and reads the frames
//! of the last seconds (`recent`) or posts what happened (`events`).
//!
//! A publish with readers asleep includes waking all of them: that is what the camera thread
//! pays for its viewers, 30 times a second.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use defender::hub::{Latest, Publisher, Received, RecentBounds, Wait, events, latest, recent};
use defender::media::{Area, CameraName, Event, EventKind, Timestamp};

/// A common size of a 1280x720 JPEG. Published by move: the size must not matter.
const FRAME_BYTES: usize = 43_000;
const MAX_READERS: u32 = 64;

/// Time for readers that have answered to fall asleep again.
const SETTLE: Duration = Duration::from_micros(200);

criterion_group!(benches, publish, newest, recent_frames, posted_events);
criterion_main!(benches);

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for readers in [0, 1, 50] {
        group.bench_function(BenchmarkId::new("readers asleep", readers), |bencher| {
            let (mut publisher, frames) = latest(MAX_READERS);
            let sleepers = Sleepers::start(&frames, readers);
            bencher.iter_custom(|rounds| publish_to(&mut publisher, &sleepers, rounds));
            frames.close();
            sleepers.join();
        });
    }
    group.finish();
}

/// Time of `rounds` publishes alone: the readers' own work lies between them.
fn publish_to(publisher: &mut Publisher<Vec<u8>>, sleepers: &Sleepers, rounds: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let mut frame = vec![0; FRAME_BYTES];
    for _ in 0..rounds {
        sleepers.settle();
        let start = Instant::now();
        let old = publisher.publish(frame);
        spent += start.elapsed();
        frame = old.unwrap_or_else(|| vec![0; FRAME_BYTES]);
    }
    spent
}

fn newest(criterion: &mut Criterion) {
    let (mut publisher, frames) = latest(MAX_READERS);
    publisher.publish(vec![0_u8; FRAME_BYTES]);
    let mut reader = frames.subscribe().expect("the first reader gets a slot");
    criterion.bench_function("newest", |bencher| bencher.iter(|| black_box(reader.newest())));
}

/// Ten seconds at 30 frames a second, of which the oldest goes with each push.
fn ten_seconds() -> RecentBounds {
    RecentBounds { values: 512, bytes: 300 * FRAME_BYTES, age: Duration::from_secs(3600) }
}

fn recent_frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recent");
    let (mut writer, frames) = recent(ten_seconds(), 1);
    let frame = Arc::new(vec![0_u8; FRAME_BYTES]);
    group.bench_function("push", |bencher| {
        bencher.iter(|| writer.push(Arc::clone(&frame), FRAME_BYTES, 0));
    });
    let mut reader = frames.reader().expect("the first reader gets a slot");
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let item = reader.read();
            if item.is_none() {
                reader.rewind();
            }
            black_box(item)
        });
    });
    let picture = vec![1_u8; FRAME_BYTES];
    group.bench_function("a frame copied into a recycled buffer", |bencher| {
        let (mut publisher, _frames) = latest(1);
        let mut buffer = Vec::new();
        bencher.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(&picture);
            buffer = publisher.publish(std::mem::take(&mut buffer)).unwrap_or_default();
        });
    });
    group.bench_function("a frame copied into a new buffer, and kept", |bencher| {
        let (mut publisher, frames) = latest(1);
        let mut intake = frames.subscribe().expect("the first reader gets a slot");
        let (mut writer, _kept) = recent(ten_seconds(), 1);
        bencher.iter(|| {
            publisher.publish(picture.clone());
            let frame = intake.newest().expect("it was just published");
            writer.push(frame, FRAME_BYTES, 0);
        });
    });
    group.finish();
}

fn posted_events(criterion: &mut Criterion) {
    let events = events(256);
    let mut reader = events.reader();
    let event = Event {
        id: 1,
        camera: CameraName::new("front").expect("a short name"),
        kind: EventKind::Motion,
        start: Timestamp::now(),
        end: None,
        score: 100,
        area: Some(Area { left: 0, top: 0, right: 30_000, bottom: 30_000 }),
    };
    criterion.bench_function("events/post", |bencher| bencher.iter(|| events.post(black_box(&event))));
    criterion.bench_function("events/post and read", |bencher| {
        bencher.iter(|| {
            events.post(&event);
            assert!(matches!(reader.next(Duration::ZERO), Received::Posted { .. }));
        });
    });
}

/// Readers that do nothing but wait for frames and count them.
struct Sleepers {
    threads: Vec<JoinHandle<()>>,
    /// Frames seen by all of them since the last settling.
    answers: Arc<AtomicU32>,
}

impl Sleepers {
    fn start(frames: &Latest<Vec<u8>>, count: u32) -> Self {
        let answers = Arc::new(AtomicU32::new(count));
        let threads = (0..count).map(|_| {
            let mut reader = frames.subscribe().expect("every sleeper gets a slot");
            let answers = Arc::clone(&answers);
            thread::spawn(move || {
                loop {
                    match reader.wait_newer(Duration::from_secs(1)) {
                        Wait::Fresh { value, .. } => {
                            drop(value);
                            // Relaxed: counted, nothing else is published by it.
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                        Wait::TimedOut => {}
                        Wait::Closed => return,
                    }
                }
            })
        });
        Self { threads: threads.collect(), answers }
    }

    /// Waits until every reader has the last frame and sleeps again.
    fn settle(&self) {
        let all = self.threads.len() as u32;
        if all == 0 {
            return;
        }
        while self.answers.load(Ordering::Relaxed) < all {
            thread::yield_now();
        }
        self.answers.store(0, Ordering::Relaxed);
        thread::sleep(SETTLE);
    }

    fn join(self) {
        for thread in self.threads {
            thread.join().expect("a sleeper has nothing to panic over");
        }
    }
}
