//! `DIR/tombstones`: a line for each segment that a rule deleted, so that a deletion by a rule can be distinguished from a loss, and so that sequence
//! numbers never start over.
//!
//! A line is `CAMERA SEQUENCE FIRST_FRAME FRAMES FROM TO REASON`, with times in RFC 3339. A file that grows beyond [`MOST_BYTES`] is cut to
//! its newer half, and the line with the highest number of each camera. A line that is cut by a power failure is ignored.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::catalogue::SegmentInfo;
use super::folder;
use super::retention::Reason;
use crate::base::disk::{read_open, replace};
use crate::base::utc;

/// Size at which the older half is dropped.
const MOST_BYTES: u64 = 4 << 20;

/// The numbers that a camera's next segment goes on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) sequence: u64,
    pub(super) frame: u64,
}

/// The file.
#[derive(Debug)]
pub(super) struct Tombstones {
    path: PathBuf,
}

impl Tombstones {
    /// That of a folder.
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join("tombstones") }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Those of writing it.
    pub(super) fn add(&self, info: &SegmentInfo, reason: Reason) -> io::Result<()> {
        let head = &info.summary.head;
        let line = format!(
            "{} {} {} {} {} {} {}\n",
            head.camera,
            head.sequence,
            head.first_frame,
            info.summary.frames.saturating_add(info.summary.missed),
            utc::rfc3339(info.start_us()),
            utc::rfc3339(info.end_us()),
            reason.name().replace(' ', "-"),
        );
        let mut file = folder::append(&self.path)?;
        let length = file.metadata()?.len();
        file.write_all(line.as_bytes())?;
        if length > MOST_BYTES { self.cut() } else { Ok(()) }
    }

    /// The next numbers of each camera, as far as its deleted segments tell.
    pub(super) fn next(&self) -> BTreeMap<String, Next> {
        let text = self.newest().unwrap_or_default();
        let mut next = BTreeMap::new();
        for line in text.lines() {
            let Some((camera, found)) = numbers(line) else { continue };
            let known: &mut Next = next.entry(camera.to_owned()).or_default();
            known.sequence = known.sequence.max(found.sequence);
            known.frame = known.frame.max(found.frame);
        }
        next
    }

    fn cut(&self) -> io::Result<()> {
        let text = self.newest()?;
        let half = text.as_bytes().iter().skip(text.len() / 2).position(|byte| *byte == b'\n');
        let (older, newer) = text.split_at(half.map_or(text.len(), |at| text.len() / 2 + at + 1));
        let mut highest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for line in older.lines() {
            let Some((camera, Next { sequence, .. })) = numbers(line) else { continue };
            let known = highest.entry(camera).or_default();
            *known = (*known).max((sequence, line));
        }
        let mut left = String::with_capacity(newer.len() + 80 * highest.len());
        for (_, line) in highest.values() {
            left.push_str(line);
            left.push('\n');
        }
        left.push_str(newer);
        replace(&self.path, left.as_bytes(), 0o600)
    }

    /// The text of the file; of a longer one than Defender leaves, the end.
    fn newest(&self) -> io::Result<String> {
        let mut file = folder::open(&self.path, false)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2 * MOST_BYTES)))?;
        Ok(String::from_utf8_lossy(&read_open(&file, 2 * MOST_BYTES)?).into_owned())
    }
}

/// The camera of a line, and the numbers behind those in it; `None` for what is no line, or one with a number that no segment has.
fn numbers(line: &str) -> Option<(&str, Next)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [camera, sequence, first, frames, _, _, _] = fields[..] else { return None };
    let number = |text: &str| text.parse::<u64>().ok();
    let sequence = number(sequence).filter(|sequence| *sequence < folder::NUMBERS)?;
    Some((camera, Next { sequence: sequence + 1, frame: number(first)?.saturating_add(number(frames)?) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_behind_those_that_were_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let tombstones = Tombstones::of(folder.path());
        assert!(tombstones.next().is_empty());
        let lines = "front 7 100 40 A B age\nyard 1 0 9 A B space\nfront 6 90 10 A B age\nfront 99 nonsense\nfront 8 14";
        std::fs::write(folder.path().join("tombstones"), lines).unwrap();
        let next = tombstones.next();
        assert_eq!(next.get("front"), Some(&Next { sequence: 8, frame: 140 }));
        assert_eq!(next.get("yard"), Some(&Next { sequence: 2, frame: 9 }));
    }

    #[test]
    fn a_cut_or_long_file_still_tells_each_number() {
        let folder = tempfile::tempdir().unwrap();
        let (tombstones, path) = (Tombstones::of(folder.path()), folder.path().join("tombstones"));
        let line = |camera: &str, sequence: u64| format!("{camera} {sequence} 10 5 A B age\n");
        let many: String = (0..250_000).map(|sequence| line("front", sequence)).collect();
        std::fs::write(&path, format!("{}{}{many}", line("attic", 7), line("attic", 6))).unwrap();
        tombstones.cut().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < many.len() as u64 * 2 / 3);
        let next = tombstones.next();
        assert_eq!((next["attic"].sequence, next["front"].sequence), (8, 250_000));
        let garbage = "x".repeat(3 << 20);
        std::fs::write(&path, [&*garbage, &*garbage, &*garbage, "\n", &line("front", 9)].concat()).unwrap();
        assert_eq!(tombstones.next()["front"].sequence, 10);
    }

    #[test]
    fn numbers_that_cannot_be_counted_on_from_are_no_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let lines = format!("front {} 0 1 A B age\nfront 3 {} 9 A B age\n", u64::MAX, u64::MAX);
        std::fs::write(folder.path().join("tombstones"), lines).unwrap();
        let next = Tombstones::of(folder.path()).next();
        assert_eq!(next.get("front"), Some(&Next { sequence: 4, frame: u64::MAX }));
    }

    #[test]
    fn no_link_and_no_fifo_takes_the_file_s_place() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("tombstones"), folder.path().join("users"));
        std::fs::write(&other, "front 7 100 40 A B age\n").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(folder::append(&path).is_err() && Tombstones::of(folder.path()).next().is_empty());
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(folder::append(&path).is_err() && Tombstones::of(folder.path()).next().is_empty());
    }
}
