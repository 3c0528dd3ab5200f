//! Where log lines go: standard error, or a file that rotates, by threads of their own.
//!
//! What belongs here: the sinks, the form of a line, the level, the limits. What must not: what is logged.

mod file;
mod limit;
mod sites;
mod writer;

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record, error};

use crate::base::{clock, lock, text, utc};
use file::RotatingFile;
pub use limit::Limit;
use writer::{Line, Output, Writer};

/// A file is rotated when it has this many bytes.
const ROTATE_BYTES: u64 = 10 * 1000 * 1000;

/// How much of the log's end is kept in memory: lines, and bytes in all.
const RECENT_LINES: usize = 1000;
const RECENT_BYTES: usize = 64 * 1024;

/// Longest message: of levels up to `info`, and of `debug` and `trace`, in bytes.
const MESSAGE_BYTES: usize = 2048;
const MESSAGE_BYTES_DEBUG: usize = 512;

/// Longest wait for lines that are not written yet, when the process ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Audit lines from here on are logged whatever the level, but for off; in a file of their own always.
const AUDIT_LEVEL: LevelFilter = LevelFilter::Info;

/// The hold on the log while the server runs.
pub struct Logging {
    sink: &'static Sink,
}

/// Writes the last lines, and the counts of lines that were not written, when it is dropped.
pub struct FlushAtEnd;

/// The log cannot be written.
#[derive(Debug)]
pub enum LogError {
    /// The log file cannot be opened.
    Open(PathBuf, io::Error),
    /// A logger is there already.
    Taken,
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(_, error) => Some(error),
            Self::Taken => None,
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, error) => write!(f, "{}: cannot open the log file: {error}", path.display()),
            Self::Taken => f.write_str("internal error: the log was set up twice"),
        }
    }
}

impl Logging {
    /// Sends the program's log to `file`, or to standard error, and the audit lines to `audit` where
    /// that is given. Once for each process. Lines are written from [`Logging::start`] on.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn init(file: Option<&Path>, audit: Option<&Path>, level: LevelFilter) -> Result<Self, LogError> {
        let open = |file: Option<&Path>| file.map(|file| RotatingFile::open(file, ROTATE_BYTES)).transpose();
        let sink: &'static Sink = Box::leak(Box::new(Sink::new(open(file)?, open(audit)?, level)));
        log::set_logger(sink).map_err(|_| LogError::Taken)?;
        let logging = Self { sink };
        logging.set_level(level);
        Ok(logging)
    }

    /// A log that goes nowhere, for tests.
    #[cfg(test)]
    pub fn to_nowhere() -> Self {
        Self { sink: Box::leak(Box::new(Sink::new(None, None, LevelFilter::Info))) }
    }

    /// Starts the threads that write. To be called when the process has given up its rights: threads inherit
    /// what the process may do.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(&self) -> io::Result<()> {
        self.sink.writers().try_for_each(Writer::start)
    }

    /// Changes the least level that is logged.
    pub fn set_level(&self, level: LevelFilter) {
        // Relaxed: a line on the edge of the change may go either way.
        self.sink.level.store(level as usize, Ordering::Relaxed);
        // The sink decides; what it may want has to get there.
        let takes_audit = self.sink.audit.is_some() || level != LevelFilter::Off;
        log::set_max_level(level.max(if takes_audit { AUDIT_LEVEL } else { LevelFilter::Off }));
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

    /// Has the log files opened again, after another program moved them away. Where that fails it is logged, and
    /// lines go to standard error until it works again.
    pub fn reopen(&self) {
        self.sink.writers().for_each(Writer::reopen);
    }
}

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush_at_end();
    }
}

/// Writes the last lines of the process, which takes a second at most.
pub fn flush_at_end() {
    limit::write_counts(Instant::now(), true);
    log::logger().flush();
}

/// Sends panics to the log, with the thread's name: each is a fault in Defender.
pub fn log_panics() {
    panic::set_hook(Box::new(|info| {
        if !writer::is_writing() {
            error!("fault in thread {}: {info}", thread::current().name().unwrap_or("?"));
        }
    }));
}

/// The `log` crate's end.
struct Sink {
    file: Option<&'static Writer>,
    audit: Option<&'static Writer>,
    stderr: &'static Writer,
    /// A [`LevelFilter`] as a number.
    level: AtomicUsize,
    recent: Mutex<Recent>,
}

impl Log for Sink {
    /// Of libraries only warnings and errors are logged: the rest is of no use to an operator.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().starts_with("defender");
        let level = self.level.load(Ordering::Relaxed);
        let is_wanted = metadata.level() as usize <= level;
        let takes_audit = self.audit.is_some() || level != LevelFilter::Off as usize;
        let is_kept_for_auditors = takes_audit && metadata.level() <= AUDIT_LEVEL && is_audit(metadata);
        is_kept_for_auditors || is_wanted && (is_ours || metadata.level() <= Level::Warn)
    }

    fn log(&self, record: &Record<'_>) {
        let metadata = record.metadata();
        if !self.enabled(metadata) {
            return;
        }
        let is_audit = is_audit(metadata);
        // Audit lines have limits of their own, where they are written.
        if !is_audit {
            let (is_admitted, counts) = sites::admit(record);
            counts.iter().for_each(limit::Count::write);
            if !is_admitted {
                return;
            }
        }
        let line = Line::new(record.level(), record.target(), &message(record));
        let own = self.audit.filter(|_| is_audit);
        if own.is_none() {
            lock(&self.recent).push(line.text().to_owned());
        }
        let is_important = is_audit || record.level() == Level::Error;
        own.or(self.file).unwrap_or(self.stderr).push(line, is_important);
    }

    fn flush(&self) {
        let end = Instant::now() + FLUSH_WITHIN;
        self.writers().for_each(|writer| writer.flush(end));
    }
}

impl Sink {
    fn new(file: Option<RotatingFile>, audit: Option<RotatingFile>, level: LevelFilter) -> Self {
        let leak = |name, output| -> &'static Writer { Box::leak(Box::new(Writer::new(name, output))) };
        let stderr = leak("log", Output::stderr());
        let to_file =
            |name, file: Option<RotatingFile>| file.map(|file| leak(name, Output::File(file, stderr)));
        Self {
            file: to_file("log-file", file),
            audit: to_file("log-audit", audit),
            stderr,
            level: AtomicUsize::new(level as usize),
            recent: Mutex::default(),
        }
    }

    /// Standard error last: what files do not take goes there.
    fn writers(&self) -> impl Iterator<Item = &'static Writer> {
        [self.file, self.audit, Some(self.stderr)].into_iter().flatten()
    }
}

/// A line as it stands in a file and on standard error, without its end.
fn line(level: Level, target: &str, message: &str) -> String {
    let now = utc::rfc3339(clock::wall_us());
    format!("{now} {level:<5} [{target}] {message}")
}

/// A record's message on one line: a name from the network must not be able to forge a line, talk to a terminal
/// or fill the log.
fn message(record: &Record<'_>) -> String {
    let longest = if record.level() <= Level::Info { MESSAGE_BYTES } else { MESSAGE_BYTES_DEBUG };
    let mut message = text::printable(&record.args().to_string()).into_owned();
    if message.len() > longest {
        let cut = message.floor_char_boundary(longest);
        let left_out = message.len() - cut;
        message.truncate(cut);
        message.push_str(&format!("... ({left_out} more bytes)"));
    }
    message
}

/// Whether a line is for an auditor: about permissions and sign-ins. Each layer that has such lines writes them from a
/// file `audit.rs`.
fn is_audit(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("defender") && metadata.target().ends_with("::audit")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_lines_are_bounded_and_the_newest() {
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
    fn audit_lines_are_logged_at_every_level_but_off() {
        let is_logged = |level, target: &str, of| {
            let sink = Sink::new(None, None, level);
            sink.enabled(&Metadata::builder().target(target).level(of).build())
        };
        for level in [LevelFilter::Error, LevelFilter::Warn, LevelFilter::Info] {
            assert!(is_logged(level, "defender::http::audit", log::Level::Info), "{level}");
            assert!(!is_logged(level, "defender::http::audit", log::Level::Debug), "{level}");
            assert!(!is_logged(level, "other::audit", log::Level::Info), "{level}");
        }
        assert!(!is_logged(LevelFilter::Off, "defender::http::audit", log::Level::Warn));
        assert!(!is_logged(LevelFilter::Warn, "defender::control", log::Level::Info));
        assert!(is_logged(LevelFilter::Debug, "defender::users::audit", log::Level::Debug));
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_fill_the_log() {
        let of =
            |level, text: &str| message(&Record::builder().level(level).args(format_args!("{text}")).build());
        assert_eq!(of(Level::Info, "`x\n2026 INFO fine\u{202e}`"), "`x\\n2026 INFO fine\\u{202e}`");
        let long = "\u{e9}".repeat(10_000);
        for (level, longest) in [(Level::Warn, MESSAGE_BYTES), (Level::Debug, MESSAGE_BYTES_DEBUG)] {
            let expected = format!("{}... ({} more bytes)", &long[..longest], long.len() - longest);
            assert_eq!(of(level, &long), expected);
        }
    }
}
