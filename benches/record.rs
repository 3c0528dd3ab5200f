//! Recording of frames into segments, for `work`.

use std::fs;
use std::io::{self, IoSlice};
use std::path::Path;

use defender::segment::{Block, Group, Moment, SegmentError, SegmentFile, SegmentHead, SegmentWriter, Track};

/// Frames in a group: two seconds at 15 frames a second.
const GROUP_FRAMES: usize = 30;

/// Bytes of a frame, where no film says otherwise.
const FRAME_BYTES: usize = 40_000;

/// Time between two frames.
const FRAME_US: u64 = 66_667;

const SEGMENT_BYTES: u64 = 32 << 20;

/// What is recorded, and the file it goes to.
pub struct Recording {
    frames: Vec<Vec<u8>>,
    file: fs::File,
    at_us: u64,
    writer: Option<SegmentWriter<fs::File>>,
}

impl Recording {
    /// Of the JPEGs in the file `film`, or of one group of frames without content.
    pub fn new(film: Option<&str>) -> Self {
        let frames = match film {
            Some(film) => split(&fs::read(film).expect("a film")),
            None => (0..GROUP_FRAMES).map(|number| vec![number as u8; FRAME_BYTES]).collect(),
        };
        let file = tempfile::tempfile().expect("a file");
        let mut recording = Self { frames, file, at_us: 0, writer: None };
        recording.writer = Some(recording.begin());
        recording
    }

    /// Records all frames.
    pub fn record(&mut self) {
        let all = std::mem::take(&mut self.frames);
        for frames in all.chunks(GROUP_FRAMES) {
            let start_us = self.at_us;
            let block =
                |(number, bytes)| Block { track: Track::Picture, at_us: start_us + number * FRAME_US, bytes };
            let blocks: Vec<_> = (0..).zip(frames.iter().map(Vec::as_slice)).map(block).collect();
            let group = Group { blocks: &blocks, missed_before: 0, gap_before: None };
            let mut writer = self.writer.take().expect("it is put back");
            match writer.append(&group) {
                Ok(()) => {}
                Err(SegmentError::Full) => {
                    writer.close().expect("it is closed");
                    writer = self.begin();
                    writer.append(&group).expect("a new segment has room");
                }
                Err(error) => panic!("{error}"),
            }
            self.writer = Some(writer);
            self.at_us += frames.len() as u64 * FRAME_US;
        }
        self.frames = all;
    }

    fn begin(&mut self) -> SegmentWriter<fs::File> {
        self.at_us = 0;
        self.file.set_len(SEGMENT_BYTES).expect("room");
        let head = SegmentHead {
            camera: "bench".to_owned(),
            sequence: 1,
            first_frame: 0,
            boot_id: [1; 16],
            uuid: [2; 16],
            start: Moment::default(),
            is_clock_synchronised: true,
            is_thinned: false,
            size: (1280, 720),
            sound: None,
            microphone: String::new(),
        };
        let file = self.file.try_clone().expect("a handle");
        SegmentWriter::create(file, SEGMENT_BYTES, &head).expect("a segment")
    }
}

/// Makes `count` segments of the camera `front` in a folder of recordings, each of 20 frames in ten seconds, one behind the other
/// from 2026-01-01 on, for a server to start with.
pub fn footage(folder: &Path, count: u64) {
    const START_US: u64 = 1_767_225_600_000_000;
    const LENGTH_US: u64 = 10_000_000;
    const FRAMES: u64 = 20;
    let jpeg = vec![7; 4096];
    for sequence in 0..count {
        let start_us = sequence * LENGTH_US;
        let seconds = start_us / 1_000_000;
        // Of January alone the names are right, and no program needs them to be: the head has the time.
        let day = folder.join(format!("front/2026-01-{:02}", (1 + seconds / 86_400).min(31)));
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let path = day.join(format!("{hour:02}{minute:02}{second:02}.000-{sequence:09}.mkv"));
        fs::create_dir_all(&day).expect("a folder");
        let file = fs::File::options().read(true).write(true).create_new(true).open(path).expect("a file");
        file.set_len(1 << 20).expect("room");
        let head = SegmentHead {
            camera: "front".to_owned(),
            sequence,
            first_frame: sequence * FRAMES,
            boot_id: [1; 16],
            uuid: u128::from(sequence).to_be_bytes(),
            start: Moment { monotonic_us: start_us, wall_us: START_US + start_us },
            is_clock_synchronised: true,
            is_thinned: false,
            size: (1280, 720),
            sound: None,
            microphone: String::new(),
        };
        let mut writer = SegmentWriter::create(NoSync(file), 1 << 20, &head).expect("a segment");
        for group in 0..4_u64 {
            let block = |number: u64| Block {
                track: Track::Picture,
                at_us: (group * 5 + number) * LENGTH_US / FRAMES,
                bytes: &jpeg,
            };
            let blocks: Vec<_> = (0..5).map(block).collect();
            writer.append(&Group { blocks: &blocks, missed_before: 0, gap_before: None }).expect("room");
        }
        writer.close().expect("it is closed");
    }
}

/// A file that is not synced: what is made here need not outlive a power cut.
struct NoSync(fs::File);

impl SegmentFile for NoSync {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        SegmentFile::write_at(&self.0, parts, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        SegmentFile::length(&self.0)
    }
}

/// The JPEGs of a film that ffmpeg made: each begins behind the end of the one before.
fn split(film: &[u8]) -> Vec<Vec<u8>> {
    let ends =
        film.windows(4).enumerate().filter(|(_, four)| *four == b"\xff\xd9\xff\xd8").map(|(at, _)| at + 2);
    let mut start = 0;
    let mut frames = Vec::new();
    for end in ends.chain([film.len()]) {
        frames.push(film[start..end].to_vec());
        start = end;
    }
    frames
}
