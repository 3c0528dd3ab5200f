//! What a frame costs to encode, by pixel format, and to pass through.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use defender::encode::{jpeg, scan};
use defender::media::{PixelFormat, Range601, RawImage};

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
    let mut group = c.benchmark_group("encode 1280x720 q85");
    group.sample_size(20);
    for format in PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpeg) {
        let (stride_bytes, bytes) = layout(format);
        let data = pixels(bytes);
        let image = RawImage {
            format,
            width: WIDTH,
            height: HEIGHT,
            stride_bytes,
            range: Range601::Limited,
            data: &data,
        };
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(format), |b| {
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                jpeg::encode(&image, 85, &mut out).expect("the image is whole");
                black_box(out.len())
            });
        });
    }
    group.finish();
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
    jpeg::encode(&image, 60, &mut frame).expect("the image is whole");
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
