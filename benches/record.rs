//! Recording of frames into segments, for `work`.

use std::fs;

use defender::segment::{Block, Group, Moment, SegmentError, SegmentHead, SegmentWriter, Track};

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
        };
        let file = self.file.try_clone().expect("a handle");
        SegmentWriter::create(file, SEGMENT_BYTES, &head).expect("a segment")
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
