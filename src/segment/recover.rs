//! Repair of a segment that was not closed.

use super::index::add_pictures;
use super::summary::{Summary, read_summary};
use super::walk::Groups;
use super::writer::SegmentWriter;
use super::{ReadAt, SegmentError, SegmentFile};

/// Closes a segment that was not closed, with all groups that are whole: those that were shown, and behind them those that
/// were written and not shown yet. What follows them stays hidden. One that is closed is not touched.
///
/// It reads the heads of all blocks, and all bytes of the groups that were not shown.
///
/// # Errors
/// Those of the system, and those of [`read_summary`]; the file stays as it is where it is no segment.
pub fn recover<F: SegmentFile + ReadAt>(file: &F) -> Result<Summary, SegmentError> {
    recover_until(file, u64::MAX)
}

/// As [`recover()`], without groups that end behind `end` of the file: what could not be synced is written to another one.
///
/// # Errors
/// As [`recover()`].
pub fn recover_until<F: SegmentFile + ReadAt>(file: &F, end: u64) -> Result<Summary, SegmentError> {
    let summary = read_summary(file)?;
    if summary.is_closed {
        return Ok(summary);
    }
    let length = SegmentFile::length(file).map_err(SegmentError::io("read the length"))?;
    if length < summary.length {
        // It was cut and then not closed, or copied in part.
        file.truncate(summary.length).map_err(SegmentError::io("extend the segment"))?;
    }
    // After a crash of the program alone, what was written is in memory and not yet on the disk.
    file.sync().map_err(SegmentError::io("sync the segment"))?;
    let mut writer = SegmentWriter::resume(file, summary.clone());
    for found in Groups::new(file, &summary) {
        let found = found?;
        let mut entries = Vec::new();
        let is_whole = match add_pictures(file, found.at, &mut entries) {
            Ok(sound_blocks) => {
                sound_blocks == found.trailer.sound_blocks && entries.len() == found.trailer.frames as usize
            }
            Err(error @ SegmentError::Io { .. }) => return Err(error),
            Err(_) => false,
        };
        if !is_whole || found.end() > end || !writer.take_found(&found, &entries)? {
            break;
        }
    }
    writer.close()
}
