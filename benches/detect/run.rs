//! Runs the detector over clips.

use std::fs;
use std::path::{Path, PathBuf};

use defender::detect::detection::{Change, Kind};
use defender::detect::detector::Detector;
use defender::detect::look::Look;
use defender::detect::settings::Settings;
use defender::jpeg::dc::{DcPlane, DcReader, Planes};
use defender::jpeg::header::Limits;
use defender::media::{Area, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::draw::{Artist, encode};
use crate::scene::{Clip, LOOKS, Nuisance, WIDTH};
use crate::score::{START_US, Said, Score, spans};

const LIMITS: Limits = Limits { max_pixels: 1 << 24 };

/// Looks at each frame of a clip: those that [`export`] has written to a folder, or new ones.
pub fn look_at(clip: &Clip, exported: Option<&Path>) -> Said {
    let mut eye = Eye::new();
    let mut artist = None;
    for number in 0..clip.frames() {
        let jpeg = match exported {
            Some(folder) => fs::read(folder.join(file_of(number))).expect("an exported frame"),
            None => artist.get_or_insert_with(|| Artist::new(clip)).jpeg(number),
        };
        eye.look(number, &jpeg);
    }
    for (at, change) in &eye.changes {
        if let Change::Began(detection) = change
            && detection.kind != Kind::Motion
        {
            println!("alarm: {:?} at {at:.1} s of {} {}", detection.kind, clip.nuisance.name(), clip.seed);
        }
    }
    Said { spans: spans(&eye.changes, clip.seconds), looks: eye.looks }
}

/// A detector with the reader in front of it.
pub struct Eye {
    reader: DcReader,
    pub planes: Vec<DcPlane>,
    detector: Detector,
    /// What was said, and when in seconds.
    pub changes: Vec<(f32, Change)>,
    looks: Vec<(f32, Vec<Area>)>,
}

impl Eye {
    pub fn new() -> Self {
        let detector = Detector::new(Settings::default());
        Self { reader: DcReader::new(), planes: Vec::new(), detector, changes: Vec::new(), looks: Vec::new() }
    }

    fn look(&mut self, number: usize, jpeg: &[u8]) {
        self.reader.read(jpeg, LIMITS, Planes::Luma, &mut self.planes).expect("a whole JPEG");
        self.look_at_plane(number, jpeg.len() as u32);
    }

    /// Looks at the first of `planes`.
    pub fn look_at_plane(&mut self, number: usize, detail: u32) {
        let at = Timestamp::from_micros(START_US + number as u64 * 1_000_000 / u64::from(LOOKS));
        let look = Look { at, luma: &self.planes[0], is_repeat: false, detail };
        let mut changes = Vec::new();
        self.detector.look(&look, &mut changes);
        let at_s = number as f32 / LOOKS as f32;
        if !self.detector.moving().is_empty() {
            self.looks.push((at_s, self.detector.moving().to_vec()));
        }
        self.changes.extend(changes.into_iter().map(|change| (at_s, change)));
    }
}

/// Writes pictures of what was missed and of what was wrong in a clip: its frames with the blocks that count.
pub fn show(clip: &Clip, score: &Score, folder: &str) {
    let moments =
        score.missed.iter().map(|&at| ("missed", at)).chain(score.wrong.iter().map(|&at| ("wrong", at)));
    let moments: Vec<_> = moments.collect();
    if moments.is_empty() {
        return;
    }
    fs::create_dir_all(folder).expect("a folder");
    let (mut artist, mut eye) = (Artist::new(clip), Eye::new());
    for number in 0..clip.frames() {
        let grey = artist.grey(number);
        eye.look(number, &encode(&grey, clip.quality, clip.is_quarter));
        let at = number as f32 / LOOKS as f32;
        for (what, moment) in moments.iter().filter(|(_, moment)| (at - moment).abs() < 0.11 + 0.2) {
            let _ = moment;
            let mut grey = grey.clone();
            let blocks = eye.detector.blocks();
            for (place, pixel) in grey.iter_mut().enumerate() {
                let block = place / WIDTH / 8 * blocks.width + place % WIDTH / 8;
                if blocks.bits()[block / 32] >> (block % 32) & 1 == 1
                    && (place + place / WIDTH).is_multiple_of(4)
                {
                    *pixel = 255;
                }
            }
            let name = clip.nuisance.name().replace(' ', "-");
            let path = Path::new(folder).join(format!("{name}-{}-{at:05.1}-{what}.jpg", clip.seed));
            fs::write(path, encode(&grey, 85, false)).expect("a file");
        }
    }
}

/// What a look costs at 640x480.
pub fn time() {
    for (nuisance, quality) in [(Nuisance::Day, 75), (Nuisance::Dusk, 75), (Nuisance::Dusk, 85)] {
        let mut clip = Clip::new(nuisance, 3, 3);
        clip.quality = quality;
        let mut artist = Artist::new(&clip);
        let jpegs: Vec<_> = (0..100).map(|number| artist.jpeg(number)).collect();
        let bytes = jpegs.iter().map(Vec::len).sum::<usize>() / jpegs.len();
        let mut eye = Eye::new();
        let (mut reading, mut looking) = (0, 0);
        for (number, jpeg) in jpegs.iter().enumerate() {
            let start = cpu_ns();
            eye.reader.read(jpeg, LIMITS, Planes::Luma, &mut eye.planes).expect("a whole JPEG");
            let read = cpu_ns();
            eye.look_at_plane(number, 0);
            looking += cpu_ns() - read;
            reading += read - start;
        }
        println!("{} bytes: {} us to read, {} us to judge", bytes, reading / 100_000, looking / 100_000);
    }
}

/// CPU time of this thread.
fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Writes clips as folders of JPEGs, with the truth beside them.
pub fn export(folder: &str, clips: u64, seed: u64) {
    for (nuisance, _) in Nuisance::ALL {
        for number in 0..clips {
            let clip = Clip::new(nuisance, seed * 1000 + number, 3);
            let path = folder_of(folder, &clip, number);
            fs::create_dir_all(&path).expect("a folder");
            let mut artist = Artist::new(&clip);
            for frame in 0..clip.frames() {
                fs::write(path.join(file_of(frame)), artist.jpeg(frame)).expect("a file");
            }
            let truth: String = clip.truth().iter().map(|(from, to)| format!("{from} {to}\n")).collect();
            fs::write(path.join("truth"), truth).expect("a file");
        }
    }
}

/// Where [`export`] writes a clip.
pub fn folder_of(folder: &str, clip: &Clip, number: u64) -> PathBuf {
    Path::new(folder).join(format!("{}-{number}", clip.nuisance.name().replace([' ', ','], "-")))
}

fn file_of(frame: usize) -> String {
    format!("{frame:04}.jpg")
}
