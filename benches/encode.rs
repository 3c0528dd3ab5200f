//! What a frame costs to encode, by pixel format, and to pass through.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use defender::codec::jpeg::{Encoder, Settings};
use defender::jpeg::scan;
use defender::media::{Chroma, PixelFormat, Range601, RawImage};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// A gradient with some noise: neither the best nor the worst a camera gives.
fn pixels(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % 16
    });
    (0..bytes).zip(noise).map(|(at, noise)| ((at / 97) as u32 % 200 + 20 + noise) as u8).collect()
}

/// Bytes of a row in the first plane, and of the whole image.
fn layout(format: PixelFormat) -> (u32, usize) {
    let area = (WIDTH * HEIGHT) as usize;
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => (WIDTH * 2, area * 2),
        PixelFormat::Rgb3 => (WIDTH * 3, area * 3),
        PixelFormat::Nv12 | PixelFormat::I420 => (WIDTH, area * 3 / 2),
        PixelFormat::Grey | PixelFormat::Mjpeg => (WIDTH, area),
    }
}

fn encode(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let formats = PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpeg);
    for threads in BTreeSet::from([1, cores]) {
        let mut group = c.benchmark_group(format!("encode 1280x720 q85, threads: {threads}"));
        group.sample_size(20);
        let as_captured =
            formats.clone().map(|format| (format, Chroma::AsCaptured, format.name().to_owned()));
        let thinned = [(PixelFormat::Yuyv, Chroma::Quarter, "yuyv as 4:2:0".to_owned())];
        for (format, chroma, name) in as_captured.chain(thinned) {
            let (stride_bytes, bytes) = layout(format);
            let data = pixels(bytes);
            let (width, height, range) = (WIDTH, HEIGHT, Range601::Limited);
            let image = RawImage { format, width, height, stride_bytes, range, data: &data };
            let mut encoder = Encoder::new(Settings { quality: 85, chroma, threads });
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(name, |b| {
                let mut out = Vec::new();
                b.iter(|| {
                    out.clear();
                    encoder.encode(&image, &mut out).expect("the image is whole");
                    black_box(out.len())
                });
            });
        }
        group.finish();
    }
}

fn pass_through(c: &mut Criterion) {
    let (stride_bytes, bytes) = layout(PixelFormat::Yuyv);
    let data = pixels(bytes);
    let image = RawImage {
        format: PixelFormat::Yuyv,
        width: WIDTH,
        height: HEIGHT,
        stride_bytes,
        range: Range601::Full,
        data: &data,
    };
    let mut frame = Vec::new();
    let settings = Settings { quality: 60, chroma: Chroma::AsCaptured, threads: 1 };
    Encoder::new(settings).encode(&image, &mut frame).expect("the image is whole");
    c.bench_function("pass through: scan and copy", |b| {
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            let found = scan::scan(black_box(&frame)).expect("a whole JPEG");
            scan::append_with_tables(&frame, &found, &mut out);
            black_box(out.len())
        });
    });
}

criterion_group!(benches, encode, pass_through);
criterion_main!(benches);
