//! Looks of a motion detector at JPEGs, for `work`.

use std::hint::black_box;

use defender::codec::jpeg::{Encoder, Settings};
use defender::detect::detector::{Detector, Phase};
use defender::detect::look::Look;
use defender::detect::settings::Settings as DetectorSettings;
use defender::jpeg::dc::{DcPlane, DcReader, Planes};
use defender::jpeg::header::Limits;
use defender::media::{Chroma, PixelFormat, Range601, RawImage, Timestamp};

use crate::random;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Frames of the film. Somebody walks to the right in the first half, and back.
const FRAMES: u32 = 24;

/// With it, frames have about 100 KB.
const QUALITY: u8 = 90;

/// Brightness is noisy by so many grey steps.
const NOISE: u32 = 22;

/// Time between two looks.
const LOOK_US: u64 = 200_000;

/// A detector, and what it looks at.
pub struct Watch {
    film: Vec<Vec<u8>>,
    reader: DcReader,
    planes: Vec<DcPlane>,
    detector: Detector,
    number: u64,
}

impl Watch {
    /// At somebody who walks through a noisy picture; if `is_lit`, in a light that changes with each frame, as a whole and by rows. What is
    /// known at the first look is learnt before.
    pub fn new(is_lit: bool) -> Self {
        let film = (0..FRAMES).map(|number| frame(number, is_lit)).collect();
        let detector = Detector::new(DetectorSettings::default());
        let mut watch = Self { film, reader: DcReader::new(), planes: Vec::new(), detector, number: 0 };
        (0..10).for_each(|_| watch.look_at_all());
        assert_eq!(watch.detector.phase(), Phase::Watching);
        watch
    }

    /// Reads each frame of the film, and looks at it.
    pub fn look_at_all(&mut self) {
        (0..FRAMES).for_each(|_| self.look());
    }

    fn look(&mut self) {
        let frame = &self.film[(self.number % u64::from(FRAMES)) as usize];
        let limits = Limits { max_pixels: WIDTH * HEIGHT };
        self.reader.read(black_box(frame), limits, Planes::Luma, &mut self.planes).expect("a whole frame");
        let at = Timestamp::from_micros(1_000_000 + self.number * LOOK_US);
        let look = Look { at, luma: &self.planes[0], is_repeat: false, detail: frame.len() as u32 };
        let mut changes = Vec::new();
        self.detector.look(&look, &mut changes);
        black_box(&changes);
        self.number += 1;
    }
}

/// A frame in 4:2:0.
fn frame(number: u32, is_lit: bool) -> Vec<u8> {
    let data = picture(number, is_lit);
    let (format, range) = (PixelFormat::Nv12, Range601::Full);
    let image = RawImage { format, width: WIDTH, height: HEIGHT, stride_bytes: WIDTH, range, data: &data };
    let mut frame = Vec::new();
    let settings = Settings { quality: QUALITY, chroma: Chroma::Quarter, threads: 1 };
    Encoder::new(settings).encode(&image, &mut frame).expect("the image is whole");
    assert!((95_000..105_000).contains(&frame.len()), "a frame of {} bytes", frame.len());
    frame
}

/// A wall of bricks with the noise of a sensor and somebody before it, as NV12.
fn picture(number: u32, is_lit: bool) -> Vec<u8> {
    let mut state = 0x9e37_79b9 ^ (number + 1).wrapping_mul(0x85eb_ca6b);
    let place = if number < FRAMES / 2 { number } else { FRAMES - 1 - number };
    let left = 120 + 24 * place;
    let luma = (0..WIDTH * HEIGHT).map(|at| {
        let (x, y) = (at % WIDTH, at / WIDTH);
        let is_person = (left..left + 64).contains(&x) && (160..340).contains(&y);
        let is_joint = y % 40 < 6 || (x + y / 40 * 45) % 90 < 6;
        let grey = match (is_person, is_joint) {
            (true, _) => 50,
            (false, true) => 150,
            (false, false) => 80 + (x / 90 + y / 40) % 5 * 8,
        };
        let light = if is_lit { 85 + place + (y / 30 + number) % 4 * 3 } else { 100 };
        (grey * light / 100 + random(&mut state) % NOISE) as u8
    });
    luma.chain(std::iter::repeat_n(128, (WIDTH * HEIGHT / 2) as usize)).collect()
}
