//! The log file: written line by line, rotated when it has grown, and opened again after trouble.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::LogError;

/// How many rotated files there are: `.1`, the youngest, to `.5`.
const ROTATED: u32 = 5;

/// A file that is rotated when it has grown.
pub(super) struct RotatingFile {
    path: PathBuf,
    limit_bytes: u64,
    open: Option<File>,
    written_bytes: u64,
    /// Whether the file ends within a line: a disk ran full or the power failed while it was
    /// written. The next line must not be glued to it.
    torn: bool,
    /// Whether the last write failed: its reason is written once, not with each line.
    troubled: bool,
}

/// What is added to the first line that could not go to the file.
pub(super) struct Trouble(String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RotatingFile {
    /// Opens or makes the file at `path`, which is rotated at `limit_bytes`.
    ///
    /// # Errors
    /// When it can be neither opened nor made.
    pub(super) fn open(path: &Path, limit_bytes: u64) -> Result<Self, LogError> {
        let path = path.to_owned();
        let mut file = Self { path, limit_bytes, open: None, written_bytes: 0, torn: false, troubled: false };
        file.reopen()?;
        Ok(file)
    }

    /// Opens the file at the path again, whatever has become of the one that is open.
    ///
    /// # Errors
    /// When that fails; each later line tries again.
    pub(super) fn reopen(&mut self) -> Result<(), LogError> {
        self.open = None;
        self.open_path().map_err(|error| LogError::Open(self.path.clone(), error))
    }

    /// Writes one line, which ends with a line feed.
    ///
    /// # Errors
    /// When it is not in the file, or not whole; the reason comes with the first such line.
    pub(super) fn write_line(&mut self, line: &str) -> Result<(), Trouble> {
        match self.append(line.as_bytes()) {
            Ok(()) => {
                self.troubled = false;
                Ok(())
            }
            Err(error) => {
                // Opened anew with the next line: that may be all that is needed.
                self.open = None;
                let first = !std::mem::replace(&mut self.troubled, true);
                let note =
                    format!(" (and this goes to standard error because of {}: {error})", self.path.display());
                Err(Trouble(if first { note } else { String::new() }))
            }
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.open_if_gone()?;
        if self.written_bytes >= self.limit_bytes {
            self.open = None;
            let rotated = self.rotate();
            self.open_path()?;
            if let Err(error) = rotated {
                // Better a file too large than a line lost; tried again after as many bytes.
                self.written_bytes = 0;
                self.write(format!("(this file could not be rotated: {error})\n").as_bytes())?;
            }
        }
        self.write(line)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        if self.torn {
            file.write_all(b"\n")?;
            self.torn = false;
        }
        file.write_all(bytes)?;
        self.written_bytes += bytes.len() as u64;
        Ok(())
    }

    /// A file that was deleted still takes lines, which are lost.
    fn open_if_gone(&mut self) -> io::Result<()> {
        match &self.open {
            Some(file) if file.metadata()?.nlink() > 0 => Ok(()),
            _ => self.open_path(),
        }
    }

    fn open_path(&mut self) -> io::Result<()> {
        // Without waiting: a pipe that is not read must not block the log.
        let at_once = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(at_once)
            .open(&self.path)?;
        let found = file.metadata()?;
        self.written_bytes = found.len();
        self.torn = found.is_file() && ends_within_a_line(&self.path, found.len());
        self.open = Some(file);
        Ok(())
    }

    /// Moves `.4` to `.5` and so on, the file itself to `.1`.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..ROTATED).rev() {
            let older = self.rotated(number + 1);
            match fs::rename(self.rotated(number), older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.rotated(1))
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// False also for a file that may be written and not read: a guess would add empty lines.
fn ends_within_a_line(path: &Path, length_bytes: u64) -> bool {
    let Some(last) = length_bytes.checked_sub(1) else { return false };
    let mut byte = [0];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut byte, last));
    read.is_ok() && byte != *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &mut RotatingFile, message: &str) -> Result<(), String> {
        let line = super::super::line(log::Level::Info, "defender::test", message) + "\n";
        file.write_line(&line).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_full_file_is_rotated_and_five_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        let mut file = RotatingFile::open(&path, 1).unwrap();
        for number in 1..=8 {
            write(&mut file, &format!("line {number}")).unwrap();
        }
        let holds = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(
            holds("d.log").contains("line 8")
                && holds("d.log.1").contains("line 7")
                && holds("d.log.5").contains("line 3")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
    }

    #[test]
    fn a_line_has_time_level_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        write(&mut RotatingFile::open(&path, 1000).unwrap(), "hello").unwrap();
        let line = fs::read_to_string(&path).unwrap();
        assert!(line.ends_with("Z INFO  [defender::test] hello\n") && line.starts_with("20"), "{line}");
    }

    #[test]
    fn a_full_disk_sends_lines_elsewhere_says_so_once_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut file = RotatingFile::open(&path, 1000).unwrap();
        assert!(write(&mut file, "first").unwrap_err().contains("No space left"));
        assert_eq!(write(&mut file, "second").unwrap_err(), "");
        fs::remove_file(&path).unwrap();
        write(&mut file, "third").unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("third"));
    }

    #[test]
    fn a_rotation_that_fails_loses_no_line_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        let mut file = RotatingFile::open(&path, 100).unwrap();
        // A folder that is not empty cannot be replaced by a file, not even by root.
        fs::write(folder.path().join("d.log.4"), "old").unwrap();
        fs::create_dir_all(folder.path().join("d.log.5/x")).unwrap();
        for number in 0..10 {
            write(&mut file, &format!("line {number}")).unwrap();
        }
        let grown = fs::read_to_string(&path).unwrap();
        assert!((0..10).all(|number| grown.contains(&format!("line {number}"))), "{grown}");
        assert!(grown.contains("could not be rotated"), "{grown}");
        fs::remove_dir_all(folder.path().join("d.log.5")).unwrap();
        for number in 10..20 {
            write(&mut file, &format!("line {number}")).unwrap();
        }
        assert!(folder.path().join("d.log.1").exists(), "rotation works again");
    }

    #[test]
    fn a_deleted_file_is_made_again_once_its_folder_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let path = logs.join("d.log");
        let mut file = RotatingFile::open(&path, 1000).unwrap();
        write(&mut file, "first").unwrap();
        fs::remove_file(&path).unwrap();
        write(&mut file, "second").unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("second"));
        fs::remove_dir_all(&logs).unwrap();
        assert!(write(&mut file, "third").unwrap_err().contains("No such file"));
        assert_eq!(write(&mut file, "fourth").unwrap_err(), "");
        fs::create_dir(&logs).unwrap();
        write(&mut file, "fifth").unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("fifth"));
    }

    #[test]
    fn a_line_is_not_glued_to_one_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        fs::write(&path, "whole\nhalf a li").unwrap();
        let mut file = RotatingFile::open(&path, 1000).unwrap();
        write(&mut file, "first").unwrap();
        write(&mut file, "second").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[..2] == ["whole", "half a li"] && lines.len() == 4, "{text}");
    }

    #[test]
    fn a_moved_log_file_is_released_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("d.log"), folder.path().join("moved"));
        let mut file = RotatingFile::open(&path, 1000).unwrap();
        write(&mut file, "before").unwrap();
        fs::rename(&path, &moved).unwrap();
        file.reopen().unwrap();
        write(&mut file, "after").unwrap();
        assert!(fs::read_to_string(&moved).unwrap().contains("before"));
        assert!(!fs::read_to_string(&moved).unwrap().contains("after"));
        assert!(fs::read_to_string(&path).unwrap().contains("after"));
    }

    #[test]
    fn others_may_not_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.log");
        write(&mut RotatingFile::open(&path, 1000).unwrap(), "hello").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7137, 0);
    }
}
