//! Where log lines go: standard error, or a file that rotates.
//!
//! What belongs here: the sinks, the form of a line, the level. What must not: what is logged.

mod file;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use log::{LevelFilter, Log, Metadata, Record, error};
use simple_logger::SimpleLogger;

use file::RotatingFile;

/// A file is put aside when it has this many bytes.
const ROTATE_BYTES: u64 = 10 * 1000 * 1000;

/// How much of the log's end is kept in memory: lines, and bytes in all.
const RECENT_LINES: usize = 1000;
const RECENT_BYTES: usize = 64 * 1024;

/// Audit lines from here on are logged whatever the level, but for off; in a file of their own always.
const AUDIT_LEVEL: LevelFilter = LevelFilter::Info;

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
    /// Sends the program's log to `file`, or to standard error, and the audit lines to `audit` where
    /// that is given. Once for each process.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn init(file: Option<&Path>, audit: Option<&Path>, level: LevelFilter) -> Result<Self, LogError> {
        let open = |file: Option<&Path>| {
            file.map(|file| RotatingFile::open(file, ROTATE_BYTES).map(Mutex::new)).transpose()
        };
        let sink: &'static Sink = Box::leak(Box::new(Sink::new(open(file)?, open(audit)?, level)));
        log::set_logger(sink).map_err(|_| LogError::Taken)?;
        let logging = Self { sink };
        logging.set_level(level);
        Ok(logging)
    }

    /// A log nobody hears, for the tests of those who hold one.
    #[cfg(test)]
    pub fn unheard() -> Self {
        Self { sink: Box::leak(Box::new(Sink::new(None, None, LevelFilter::Info))) }
    }

    /// Changes the least level that is logged.
    pub fn set_level(&self, level: LevelFilter) {
        // Relaxed: a line on the edge of the change may go either way.
        self.sink.level.store(level as usize, Ordering::Relaxed);
        // The sink decides; what it may want has to get there.
        let hears_audit = self.sink.audit.is_some() || level != LevelFilter::Off;
        log::set_max_level(level.max(if hears_audit { AUDIT_LEVEL } else { LevelFilter::Off }));
    }

    /// The least level that is logged.
    pub fn level(&self) -> LevelFilter {
        let number = self.sink.level.load(Ordering::Relaxed);
        LevelFilter::iter().find(|level| *level as usize == number).unwrap_or(LevelFilter::Info)
    }

    /// The newest `count` lines that are still in memory, oldest first; what is too long is cut. Lines
    /// that go to the audit log's own file are not among them.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        lock(&self.sink.recent).last(count)
    }

    /// Opens the log file again, after somebody else moved it away.
    ///
    /// # Errors
    /// When that fails; lines then go to standard error until it works again.
    pub fn reopen(&self) -> Result<(), LogError> {
        for file in [&self.sink.file, &self.sink.audit].into_iter().flatten() {
            lock(file).reopen()?;
        }
        Ok(())
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
    audit: Option<Mutex<RotatingFile>>,
    /// A [`LevelFilter`] as a number.
    level: AtomicUsize,
    recent: Mutex<Recent>,
    stderr: SimpleLogger,
}

impl Log for Sink {
    /// Chatter of libraries is kept down: below warn it is of use to nobody who runs a server.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().starts_with("defender");
        let level = self.level.load(Ordering::Relaxed);
        let is_wanted = metadata.level() as usize <= level;
        let hears_audit = self.audit.is_some() || level != LevelFilter::Off as usize;
        let is_kept_for_auditors = hears_audit && metadata.level() <= AUDIT_LEVEL && is_audit(metadata);
        is_kept_for_auditors || is_wanted && (is_ours || metadata.level() <= log::Level::Warn)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = one_line(&record.args().to_string());
        let own = self.audit.as_ref().filter(|_| is_audit(record.metadata()));
        if own.is_none() {
            let line = file::line(record, &message);
            lock(&self.recent).push(line);
        }
        match own.or(self.file.as_ref()) {
            None => self.to_stderr(&rebuilt(record, format_args!("{message}"))),
            Some(file) => {
                // The lock is held for the write: lines must not mix, and a file's write waits
                // for no peer. Standard error may be a pipe that does, so it comes after.
                let written = lock(file).write_line(record, &message);
                if let Err(trouble) = written {
                    self.to_stderr(&rebuilt(record, format_args!("{message}{trouble}")));
                }
            }
        }
    }

    fn flush(&self) {}
}

impl Sink {
    fn new(
        file: Option<Mutex<RotatingFile>>,
        audit: Option<Mutex<RotatingFile>>,
        level: LevelFilter,
    ) -> Self {
        let stderr = SimpleLogger::new().with_level(LevelFilter::Trace).with_utc_timestamps();
        Self { file, audit, level: AtomicUsize::new(level as usize), recent: Mutex::default(), stderr }
    }

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

/// Whether a line is for an auditor: what who may do, and who came in. Each room that has such
/// lines writes them from a file `audit.rs`.
fn is_audit(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("defender") && metadata.target().ends_with("::audit")
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

/// The end of the log.
#[derive(Default)]
struct Recent {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, mut line: String) {
        const LINE_BYTES: usize = 1024;
        line.truncate(line.floor_char_boundary(LINE_BYTES));
        line.shrink_to_fit();
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > RECENT_BYTES || self.lines.len() > RECENT_LINES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    fn last(&self, count: usize) -> Vec<String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count)).cloned().collect()
    }
}

/// A panic while a line is written leaves at worst a short line.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_stays_small_and_the_newest_lines_are_there() {
        let mut recent = Recent::default();
        for number in 0..5000 {
            recent.push(format!("line {number}"));
        }
        assert_eq!(recent.last(2), ["line 4998", "line 4999"]);
        assert_eq!(recent.last(usize::MAX).len(), RECENT_LINES);
        for _ in 0..200 {
            recent.push("\u{e9}".repeat(5000));
        }
        let bytes: usize = recent.last(usize::MAX).iter().map(String::len).sum();
        assert!(bytes <= RECENT_BYTES && bytes == recent.bytes, "{bytes}");
    }

    #[test]
    fn audit_lines_are_heard_at_every_level_but_off_and_others_at_theirs() {
        let is_heard = |level, target: &str, of| {
            let sink = Sink::new(None, None, level);
            sink.enabled(&Metadata::builder().target(target).level(of).build())
        };
        for level in [LevelFilter::Error, LevelFilter::Warn, LevelFilter::Info] {
            assert!(is_heard(level, "defender::http::audit", log::Level::Info), "{level}");
            assert!(!is_heard(level, "defender::http::audit", log::Level::Debug), "{level}");
            assert!(!is_heard(level, "other::audit", log::Level::Info), "{level}");
        }
        assert!(!is_heard(LevelFilter::Off, "defender::http::audit", log::Level::Warn));
        assert!(!is_heard(LevelFilter::Warn, "defender::control", log::Level::Info));
        assert!(is_heard(LevelFilter::Debug, "defender::users::audit", log::Level::Debug));
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
