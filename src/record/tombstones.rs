//! `DIR/tombstones`: a line for each segment that a rule deleted, so that a deletion by a rule can be distinguished from a loss, and so that sequence
//! numbers never start over.
//!
//! A line is `CAMERA SEQUENCE FIRST_FRAME FRAMES FROM TO REASON`, with times in RFC 3339. A file that grows beyond [`MOST_BYTES`] is cut to
//! its newer half. A line that is cut by a power failure is ignored.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::catalogue::SegmentInfo;
use super::retention::Reason;
use crate::base::disk::{read_bounded, replace};
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
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let length = file.metadata()?.len();
        file.write_all(line.as_bytes())?;
        if length > MOST_BYTES { self.cut() } else { Ok(()) }
    }

    /// The next numbers of each camera, as far as its deleted segments tell.
    pub(super) fn next(&self) -> BTreeMap<String, Next> {
        let text = read_bounded(&self.path, 2 * MOST_BYTES).unwrap_or_default();
        let mut next = BTreeMap::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [camera, sequence, first, frames, _, _, _] = fields[..] else { continue };
            let number = |text: &str| text.parse::<u64>().ok();
            let Some(((sequence, first), frames)) = number(sequence).zip(number(first)).zip(number(frames))
            else {
                continue;
            };
            let found = Next { sequence: sequence.saturating_add(1), frame: first.saturating_add(frames) };
            let known: &mut Next = next.entry(camera.to_owned()).or_default();
            known.sequence = known.sequence.max(found.sequence);
            known.frame = known.frame.max(found.frame);
        }
        next
    }

    fn cut(&self) -> io::Result<()> {
        let text = read_bounded(&self.path, 2 * MOST_BYTES)?;
        let half = text.len() / 2;
        let start =
            text[half..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| half + at + 1);
        replace(&self.path, &text[start..], 0o600)
    }
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
}
