//! Where log lines go: standard error, or a file that rotates.
//!
//! What belongs here: the sinks, the form of a line, the level. What must not: what is logged.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use log::{LevelFilter, Log, Metadata, Record, error};
use simple_logger::SimpleLogger;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// A file is put aside when it has this many bytes.
const ROTATE_BYTES: u64 = 10 * 1000 * 1000;

/// How many files put aside are kept: `.1`, the youngest, to `.5`.
const KEPT: u32 = 5;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The hold on the log while the server runs.
pub struct Logging {
    sink: &'static Sink,
}

/// The log cannot be written.
#[derive(Debug)]
pub enum LogError {
    /// The log file cannot be opened.
    Open(PathBuf, io::Error),
    /// A logger is there already.
    Taken,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, error) => write!(f, "{}: cannot open the log file: {error}", path.display()),
            Self::Taken => f.write_str("the log was set up twice"),
        }
    }
}

impl Logging {
    /// Sends the program's log to `file`, or to standard error. Once for each process.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn init(file: Option<&Path>, level: LevelFilter) -> Result<Self, LogError> {
        let rotating = file.map(|file| RotatingFile::open(file, ROTATE_BYTES)).transpose()?;
        let sink: &'static Sink = Box::leak(Box::new(Sink {
            file: rotating.map(Mutex::new),
            stderr: SimpleLogger::new().with_level(LevelFilter::Trace).with_utc_timestamps(),
        }));
        log::set_logger(sink).map_err(|_| LogError::Taken)?;
        let logging = Self { sink };
        logging.set_level(level);
        Ok(logging)
    }

    /// Changes the least level that is logged.
    pub fn set_level(&self, level: LevelFilter) {
        log::set_max_level(level);
    }

    /// Opens the log file again, after somebody else moved it away.
    ///
    /// # Errors
    /// When that fails; lines then go to standard error until it works again.
    pub fn reopen(&self) -> Result<(), LogError> {
        let Some(file) = &self.sink.file else { return Ok(()) };
        let mut file = lock(file);
        file.close();
        file.reopen().map_err(|error| LogError::Open(file.path.clone(), error))
    }
}

thread_local! {
    /// Whether this thread is writing to standard error.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Sends panics to the log, with the thread's name: each is a fault in Defender.
pub fn log_panics() {
    panic::set_hook(Box::new(|info| {
        if !WRITING.get() {
            error!("fault in thread {}: {info}", thread::current().name().unwrap_or("?"));
        }
    }));
}

/// The `log` crate's end.
struct Sink {
    file: Option<Mutex<RotatingFile>>,
    stderr: SimpleLogger,
}

impl Log for Sink {
    /// Chatter of libraries is kept down: below warn it is of use to nobody who runs a server.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("defender") || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = one_line(&record.args().to_string());
        match &self.file {
            None => self.to_stderr(&rebuilt(record, format_args!("{message}"))),
            Some(file) => {
                // The lock is held for the write: lines must not mix, and a file's write waits
                // for no peer.
                if let Err(trouble) = lock(file).write_line(record, &message) {
                    self.to_stderr(&rebuilt(record, format_args!("{message}{trouble}")));
                }
            }
        }
    }

    fn flush(&self) {}
}

impl Sink {
    /// simple_logger panics when nobody reads standard error any more (`defender 2>&1 | head`).
    /// That must end neither the thread nor, through the panic's own log line, the process.
    fn to_stderr(&self, record: &Record<'_>) {
        WRITING.set(true);
        let _ = panic::catch_unwind(AssertUnwindSafe(|| self.stderr.log(record)));
        WRITING.set(false);
    }
}

fn rebuilt<'a>(record: &Record<'a>, message: fmt::Arguments<'a>) -> Record<'a> {
    Record::builder().metadata(record.metadata().clone()).args(message).build()
}

/// A name from the network must not be able to forge a line or talk to a terminal.
fn one_line(message: &str) -> String {
    if !message.chars().any(char::is_control) {
        return message.to_owned();
    }
    message
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// A file, put aside when it has grown.
struct RotatingFile {
    path: PathBuf,
    limit_bytes: u64,
    open: Option<File>,
    written_bytes: u64,
    /// Whether the last write failed: its reason is told once, not with each line.
    troubled: bool,
}

/// What is added to the first line that could not go to the file.
struct Trouble(String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RotatingFile {
    fn open(path: &Path, limit_bytes: u64) -> Result<Self, LogError> {
        let mut file =
            Self { path: path.to_owned(), limit_bytes, open: None, written_bytes: 0, troubled: false };
        file.reopen().map_err(|error| LogError::Open(path.to_owned(), error))?;
        Ok(file)
    }

    fn close(&mut self) {
        self.open = None;
    }

    fn reopen(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?;
        self.written_bytes = file.metadata()?.len();
        self.open = Some(file);
        Ok(())
    }

    fn write_line(&mut self, record: &Record<'_>, message: &str) -> Result<(), Trouble> {
        let now = OffsetDateTime::now_utc().format(TIME).unwrap_or_default();
        let line = format!("{now} {:<5} [{}] {message}\n", record.level(), record.target());
        match self.append(line.as_bytes()) {
            Ok(()) => {
                self.troubled = false;
                Ok(())
            }
            Err(error) => {
                // Opened anew with the next line: that may be all that is needed.
                self.close();
                let first = !std::mem::replace(&mut self.troubled, true);
                let note =
                    format!(" (and this goes to standard error because of {}: {error})", self.path.display());
                Err(Trouble(if first { note } else { String::new() }))
            }
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.open.is_none() {
            self.reopen()?;
        }
        if self.written_bytes >= self.limit_bytes {
            self.close();
            let rotated = self.rotate();
            self.reopen()?;
            if let Err(error) = rotated {
                // Better a file too large than a line lost; tried again after as many bytes.
                self.written_bytes = 0;
                if let Some(file) = &mut self.open {
                    writeln!(file, "(this file could not be put aside: {error})")?;
                }
            }
        }
        let Some(file) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        file.write_all(line)?;
        self.written_bytes += line.len() as u64;
        Ok(())
    }

    /// Moves `.4` to `.5` and so on, the file itself to `.1`.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            let older = self.aside(number + 1);
            match fs::rename(self.aside(number), older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.aside(1))
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// A panic while a line is written leaves at worst a short line.
fn lock(file: &Mutex<RotatingFile>) -> MutexGuard<'_, RotatingFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &mut RotatingFile, message: &str) -> Result<(), String> {
        let metadata = Metadata::builder().level(log::Level::Info).target("defender::test").build();
        let record = Record::builder().metadata(metadata).build();
        file.write_line(&record, message).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_full_file_is_put_aside_and_five_are_kept() {
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
        assert!(grown.contains("could not be put aside"), "{grown}");
        fs::remove_dir_all(folder.path().join("d.log.5")).unwrap();
        for number in 10..20 {
            write(&mut file, &format!("line {number}")).unwrap();
        }
        assert!(folder.path().join("d.log.1").exists(), "rotation works again");
    }

    #[test]
    fn a_message_cannot_forge_a_line() {
        assert_eq!(
            one_line("login of `x\n2026 INFO fine\x1b[2J`"),
            "login of `x\\n2026 INFO fine\\u{1b}[2J`"
        );
        assert_eq!(one_line("späte Züge"), "späte Züge");
    }
}
