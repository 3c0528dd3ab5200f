//! What the hub costs the camera thread (`publish`) and a viewer (`newest`).
//!
//! A publish with readers asleep includes waking all of them: that is what the camera thread
//! pays for its viewers, 30 times a second.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use defender::hub::{Latest, Publisher, Wait, latest};

/// A common size of a 1280x720 JPEG. Published by move: the size must not matter.
const FRAME_BYTES: usize = 43_000;
const MAX_READERS: u32 = 64;

/// Time for readers that have answered to fall asleep again.
const SETTLE: Duration = Duration::from_micros(200);

criterion_group!(benches, publish, newest);
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
    let mut reader = frames.subscribe().expect("the first reader finds room");
    criterion.bench_function("newest", |bencher| bencher.iter(|| black_box(reader.newest())));
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
            let mut reader = frames.subscribe().expect("there is room for every sleeper");
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
