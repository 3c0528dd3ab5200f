//! The journal's folder: reading files, appending lines so that they survive a power cut, removing files.
//!
//! A file is only appended to. What a power cut left of a last line is cut off before the next one is written. Whatever
//! else is not understood is left alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::day::Day;
use super::line::{self, Entry, LINE_BYTES};
use crate::base::disk;

/// A longer file is not one of ours.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Most files that are looked at.
const MAX_FILES: usize = 10_000;

/// What is in a file beside lines that are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// Length of the file.
    pub(super) bytes: u64,
    /// Lines that are not understood.
    pub(super) garbage: u32,
    /// Whether the last line was cut.
    pub(super) is_cut: bool,
}

/// Appends to the file of one day after the other.
pub(super) struct Appender {
    folder: PathBuf,
    open: Option<(Day, File)>,
    /// Keeps other servers out.
    lock: Option<File>,
    /// Whether another server was there first. Its lines are not in our memory, so this one does not write until it
    /// is started again.
    is_other_there: bool,
}

/// The days that have a file, in order.
pub(super) fn days(folder: &Path) -> io::Result<Vec<Day>> {
    let mut days = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_FILES) {
        days.extend(entry?.file_name().to_str().and_then(Day::of_name));
    }
    days.sort_unstable();
    Ok(days)
}

/// Reads the file of a day line by line; `take` gets the number, the content and the length of each, and says whether it
/// can use that one.
pub(super) fn read(
    folder: &Path,
    day: Day,
    mut take: impl FnMut(u32, Entry, usize) -> bool,
) -> io::Result<Remains> {
    let file = open(&folder.join(day.name()), OpenOptions::new().read(true))?;
    let mut remains = Remains { bytes: file.metadata()?.len(), ..Remains::default() };
    if remains.bytes > MAX_FILE_BYTES {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is too large for a file of events"));
    }
    let mut reader = BufReader::new(file.take(MAX_FILE_BYTES));
    let (mut line, mut is_inside) = (Vec::new(), false);
    loop {
        line.clear();
        if (&mut reader).take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(remains);
        }
        let is_whole = line.ends_with(b"\n");
        let is_start = !is_inside;
        // Of a line that is too long the rest comes next.
        is_inside = !is_whole && line.len() > LINE_BYTES;
        if !is_start {
            continue;
        }
        let is_taken = line::parse(trimmed(&line)).is_some_and(|(n, entry)| take(n, entry, line.len()));
        remains.is_cut |= !is_taken && !is_whole && !is_inside;
        remains.garbage += u32::from(!is_taken && (is_whole || is_inside));
    }
}

/// Removes the file of a day.
pub(super) fn remove(folder: &Path, day: Day) -> io::Result<()> {
    match fs::remove_file(folder.join(day.name())) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Appender {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: None, lock: None, is_other_there: false }
    }

    /// Creates a missing folder, and keeps other servers out of it.
    pub(super) fn lock_folder(&mut self) -> io::Result<()> {
        make_folder(&self.folder)?;
        if self.lock.is_none() && !self.is_other_there {
            // What is no folder is not opened: a FIFO in its place would hang the start.
            let flags = OFlags::DIRECTORY.bits().cast_signed();
            let folder = OpenOptions::new().read(true).custom_flags(flags).open(&self.folder)?;
            match folder.try_lock() {
                Ok(()) => self.lock = Some(folder),
                Err(TryLockError::WouldBlock) => self.is_other_there = true,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        if self.is_other_there {
            let why = "another server stores its events here; end one of them, and start the other one again";
            return Err(io::Error::new(ErrorKind::ResourceBusy, why));
        }
        Ok(())
    }

    /// Appends lines to the file of a day, so that they survive a power cut. After an error any part of them may be in
    /// the file.
    pub(super) fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        let appended = self.file(day).and_then(|mut file| {
            file.write_all(lines)?;
            file.sync_data()
        });
        if appended.is_err() {
            // What is at the end of the file is looked at anew.
            self.open = None;
        }
        appended
    }

    fn file(&mut self, day: Day) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != day) {
            self.lock_folder()?;
            let path = self.folder.join(day.name());
            let is_new = !path.exists();
            let file = open(&path, OpenOptions::new().read(true).append(true).create(true).mode(0o600))?;
            repair_end(&file)?;
            if is_new {
                disk::sync_folder(&path)?;
            }
            self.open = Some((day, file));
        }
        let (_, file) = self.open.as_ref().expect("it was opened above");
        Ok(file)
    }
}

/// Creates the folder, open to its owner alone, if it is missing.
fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => disk::sync_folder(folder),
    }
}

/// Opens a regular file: no link is followed, and no FIFO is waited for.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = options.custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Ends a last line that is whole but for its end, and cuts off what there is of another one.
fn repair_end(mut file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LINE_BYTES as u64);
    let mut end = vec![0; (length - start) as usize];
    file.read_exact_at(&mut end, start)?;
    let last = end.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if last.is_empty() {
        return Ok(());
    }
    // A piece of a longer line is none of ours either; a line end keeps it apart from the next line.
    if line::parse(last).is_some() || last.len() == end.len() && start > 0 {
        return file.write_all(b"\n");
    }
    file.set_len(length - last.len() as u64)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::utc::DAY_US;

    fn lines(ids: std::ops::Range<u32>) -> String {
        let mut text = String::new();
        ids.for_each(|id| line::write(&mut text, id, &Entry::Delete { id }));
        text
    }

    fn ids(folder: &Path, day: Day) -> (Vec<u32>, Remains) {
        let mut ids = Vec::new();
        let remains = read(folder, day, |n, _, _| {
            ids.push(n);
            true
        });
        (ids, remains.unwrap())
    }

    #[test]
    fn a_file_cut_at_any_byte_loses_its_last_line_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let day = Day::of(20_000 * DAY_US);
        let path = folder.path().join(day.name());
        let (whole, last) = (lines(1..4), lines(4..5));
        for cut in 0..=last.len() {
            fs::write(&path, format!("{whole}{}", &last[..cut])).unwrap();
            // Without its line end, the last line is whole.
            let kept = if cut + 1 >= last.len() { vec![1, 2, 3, 4] } else { vec![1, 2, 3] };
            let (found, remains) = ids(folder.path(), day);
            let is_cut = cut > 0 && cut + 1 < last.len();
            assert_eq!((found, remains.is_cut, remains.garbage), (kept.clone(), is_cut, 0), "cut at {cut}");
            Appender::new(folder.path()).append(day, lines(9..10).as_bytes()).unwrap();
            let (found, remains) = ids(folder.path(), day);
            assert_eq!(found, [kept, vec![9]].concat(), "after a cut at {cut}");
            assert_eq!((remains.is_cut, remains.garbage), (false, 0), "after a cut at {cut}");
        }
    }

    #[test]
    fn garbage_is_counted_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let day = Day::of(20_000 * DAY_US);
        let path = folder.path().join(day.name());
        let long = "x".repeat(3 * LINE_BYTES);
        let text = format!("{}garbage\n\n\0\0\0\n{long}\n{}{long}", lines(1..2), lines(2..3));
        fs::write(&path, &text).unwrap();
        let (found, remains) = ids(folder.path(), day);
        assert_eq!((found, remains.garbage, remains.is_cut), (vec![1, 2], 5, false));
        let mut appender = Appender::new(folder.path());
        appender.append(day, lines(3..4).as_bytes()).unwrap();
        appender.append(day, lines(4..5).as_bytes()).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(after, format!("{text}\n{}", lines(3..5)));
        assert_eq!(ids(folder.path(), day).0, [1, 2, 3, 4]);
    }

    #[test]
    fn no_link_and_no_fifo_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let day = Day::of(20_000 * DAY_US);
        let path = folder.path().join(day.name());
        let other = folder.path().join("other");
        fs::write(&other, "secret").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(Appender::new(folder.path()).append(day, b"x\n").is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "secret");
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(read(folder.path(), day, |_, _, _| true).is_err());
        assert!(Appender::new(folder.path()).append(day, b"x\n").is_err());
        assert_eq!(days(folder.path()).unwrap(), [day], "other files are none of the journal's");
    }
}
