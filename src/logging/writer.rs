//! A bounded queue of lines, and the thread that alone writes them. Standard error may be a pipe that is not
//! read and a file may be on a disk that hangs: then this thread waits, and no other.
//!
//! Each output has a queue and a thread of its own, so that a blocked standard error does not hold up the audit
//! file. When a queue is full, lines are dropped and counted, and the count stands where they are missing.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use simple_logger::SimpleLogger;

use super::LogError;
use super::file::RotatingFile;
use super::limit;
use crate::base::{lock, unpoisoned};

/// How much may wait to be written, in bytes: all lines but important ones, and all lines.
const MOST_BYTES: usize = 128 * 1024;
const MOST_BYTES_IMPORTANT: usize = 256 * 1024;

/// What a line takes in memory beside its text, about.
const LINE_OVERHEAD_BYTES: usize = 64;

/// Stack of the thread: a line is formatted before it gets here.
const STACK_BYTES: usize = 128 * 1024;

/// Where lines go.
pub(super) enum Output {
    /// Standard error. Each line there has the time at which it was written.
    Stderr(SimpleLogger),
    /// A file; what cannot be written there goes to the other writer.
    File(RotatingFile, &'static Writer),
}

/// An output, its queue, and from [`Writer::start`] on its thread.
pub(super) struct Writer {
    /// The thread's name.
    name: &'static str,
    /// Taken by the thread only, and before it starts by [`Writer::flush`].
    output: Mutex<Output>,
    queue: Mutex<Queue>,
    /// There is something in the queue.
    filled: Condvar,
    /// All is written.
    idle: Condvar,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    has_thread: bool,
    is_writing: bool,
}

/// A line, as a file and standard error take it.
pub(super) struct Line {
    level: Level,
    target: String,
    /// With time, level, target and line feed.
    text: String,
    /// Where in `text` the message begins, which goes on to the line feed.
    message_at: usize,
}

impl Line {
    /// A line with the present time.
    pub(super) fn new(level: Level, target: &str, message: &str) -> Self {
        let mut text = super::line(level, target, message);
        let message_at = text.len() - message.len();
        text.push('\n');
        Self { level, target: target.to_owned(), text, message_at }
    }

    /// The whole line, without its line feed.
    pub(super) fn text(&self) -> &str {
        &self.text[..self.text.len() - 1]
    }

    fn message(&self) -> &str {
        &self.text()[self.message_at..]
    }
}

enum Item {
    Line(Line),
    /// Lines that are missing here.
    Dropped {
        lines: u64,
        important: u64,
    },
    Reopen,
}

impl Writer {
    pub(super) fn new(name: &'static str, output: Output) -> Self {
        Self {
            name,
            output: Mutex::new(output),
            queue: Mutex::default(),
            filled: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    /// Starts the thread. Until then lines wait in the queue.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(&'static self) -> io::Result<()> {
        let run = move || {
            loop {
                // A panic was logged; the next line may do better.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| self.run()));
            }
        };
        thread::Builder::new().name(self.name.to_owned()).stack_size(STACK_BYTES).spawn(run)?;
        self.lock().has_thread = true;
        Ok(())
    }

    /// Queues a line. A part of the queue is kept for important ones.
    pub(super) fn push(&self, line: Line, is_important: bool) {
        let mut queue = self.lock();
        let cost = cost(&line);
        let most = if is_important { MOST_BYTES_IMPORTANT } else { MOST_BYTES };
        if queue.bytes + cost <= most {
            queue.bytes += cost;
            queue.items.push_back(Item::Line(line));
        } else if let Some(Item::Dropped { lines, important }) = queue.items.back_mut() {
            *lines += 1;
            *important += u64::from(is_important);
        } else {
            queue.items.push_back(Item::Dropped { lines: 1, important: u64::from(is_important) });
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Has a file opened again, behind the lines that are queued.
    pub(super) fn reopen(&self) {
        let mut queue = self.lock();
        if !matches!(queue.items.back(), Some(Item::Reopen)) {
            queue.items.push_back(Item::Reopen);
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Waits until all is written, or until `end`. Without a thread the caller writes.
    pub(super) fn flush(&self, end: Instant) {
        let mut queue = self.lock();
        if !queue.has_thread {
            drop(queue);
            return self.write_all(end);
        }
        while queue.is_writing || !queue.items.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = unpoisoned(self.idle.wait_timeout(queue, left)).0;
        }
    }

    fn run(&self) {
        loop {
            let item = self.take().or_else(|| {
                let wait = limit::write_counts(Instant::now(), false);
                self.wait(wait);
                self.take()
            });
            if let Some(item) = item {
                self.write(item);
            }
        }
    }

    /// Writes what is queued as long as that does not wait beyond `end`.
    fn write_all(&self, end: Instant) {
        while self.is_ready(end) {
            let Some(item) = self.take() else { return };
            self.write(item);
        }
    }

    /// The next item, after which [`Writer::flush`] waits for one to be written.
    fn take(&self) -> Option<Item> {
        let mut queue = self.lock();
        let item = queue.items.pop_front();
        queue.is_writing = item.is_some();
        match &item {
            Some(Item::Line(line)) => queue.bytes -= cost(line),
            Some(_) => {}
            None => self.idle.notify_all(),
        }
        item
    }

    /// Sleeps until there is something in the queue, for at most `longest`.
    fn wait(&self, longest: Option<Duration>) {
        let queue = self.lock();
        let is_empty = |queue: &mut Queue| queue.items.is_empty();
        // Both give the lock back, which is not needed.
        match longest {
            Some(longest) => drop(self.filled.wait_timeout_while(queue, longest, is_empty)),
            None => drop(self.filled.wait_while(queue, is_empty)),
        }
    }

    fn write(&self, item: Item) {
        let output = &mut *lock(&self.output);
        let line = match item {
            Item::Line(line) => line,
            Item::Dropped { lines, important } => dropped(lines, important),
            Item::Reopen => match output.reopen() {
                Ok(()) => return,
                Err(error) => own_line(Level::Error, &error.to_string()),
            },
        };
        match output {
            Output::Stderr(logger) => to_stderr(logger, &line),
            Output::File(file, other) => {
                if let Err(trouble) = file.write_line(&line.text) {
                    let message = format!("{}{trouble}", line.message());
                    other.push(Line::new(line.level, &line.target, &message), true);
                }
            }
        }
    }

    /// Whether a write would not wait, by `end` at the latest. A file is always ready, says the kernel.
    fn is_ready(&self, end: Instant) -> bool {
        if !matches!(*lock(&self.output), Output::Stderr(_)) {
            return true;
        }
        poll_stderr(Some(end.saturating_duration_since(Instant::now())))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

impl Output {
    /// Standard error, with every line that comes.
    pub(super) fn stderr() -> Self {
        Self::Stderr(SimpleLogger::new().with_level(LevelFilter::Trace).with_utc_timestamps())
    }

    fn reopen(&mut self) -> Result<(), LogError> {
        match self {
            Self::Stderr(_) => Ok(()),
            Self::File(file, _) => file.reopen(),
        }
    }
}

fn cost(line: &Line) -> usize {
    line.text.len() + line.target.len() + LINE_OVERHEAD_BYTES
}

fn dropped(lines: u64, important: u64) -> Line {
    let of_them =
        if important > 0 { format!(", {important} of them audit lines or errors") } else { String::new() };
    let text =
        format!("{lines} lines were dropped here{of_them}: they came faster than the log could be written");
    own_line(Level::Warn, &text)
}

fn own_line(level: Level, message: &str) -> Line {
    Line::new(level, module_path!(), message)
}

thread_local! {
    /// Whether this thread is writing to standard error.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic is simple_logger's, of a write to standard error that failed. It must not be logged: that
/// would be the next such write.
pub(super) fn is_writing() -> bool {
    WRITING.get()
}

/// Writes a line, however long that takes. A closed pipe (`defender 2>&1 | head`) is no reason to end,
/// though simple_logger panics then.
fn to_stderr(logger: &SimpleLogger, line: &Line) {
    // Where another process that shares it made it non-blocking, simple_logger would not wait.
    poll_stderr(None);
    let record = |message: std::fmt::Arguments<'_>| {
        logger.log(&Record::builder().level(line.level).target(&line.target).args(message).build());
    };
    WRITING.set(true);
    let _ = panic::catch_unwind(AssertUnwindSafe(|| record(format_args!("{}", line.message()))));
    WRITING.set(false);
}

/// Whether standard error takes a line or will never do, within `longest`.
fn poll_stderr(longest: Option<Duration>) -> bool {
    let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
    let stderr = io::stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut polled, longest.as_ref()).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests;
