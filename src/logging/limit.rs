//! Limits for lines that a client or a device can cause again and again: the first few are written, the rest
//! is counted, and the count is written when the window of time is over.
//!
//! # What a flood can write
//! A limit writes at most `total` lines in a window, and at its end at most [`COUNTS`] + 1 lines of counts. The
//! audit lines that a client can cause (`http/audit.rs`, `users/audit.rs`) come in windows of ten minutes: 60 of
//! forbidden requests, 120 of logins, 300 of failed logins, 60 of those that cannot be read, 120 of what users do to
//! their own sessions and passwords, 120 of passwords that differ in the file, 300 of events that viewers' tokens report
//! and 300 of clips, and 8 x 21 lines of counts. That is 1,548 in ten minutes and 9,288 an hour, of 150 bytes each about
//! 1.4 MB: an audit file and its five rotated ones (60 MB) hold nearly two days of an attack by thousands of addresses at
//! once. One viewer at one address writes at most 10 + 10 + 20 + 10 + 10 + 10 + 60 + 60 lines and 8 counts in a window,
//! 1,188 an hour, 180 kB: the files hold two weeks.
//!
//! Of all other lines, those of one place in the code are limited by `SITE` and `SITE_DEBUG` in `sites.rs`.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::{Level, Metadata, Record};

use crate::base::lock;

/// At most so many subjects have their count in a line of its own; the counts of the others are added up.
const COUNTS: usize = 20;

/// A limit on lines of one kind.
pub struct Limit {
    what: &'static str,
    /// Lines of one subject in a window.
    each: u32,
    /// Lines of all subjects in a window; also the most subjects that are remembered.
    total: u32,
    window: Duration,
    counts: Mutex<Counts>,
}

/// What one window of a [`Limit`] has seen.
struct Counts {
    /// When the window began; `None` while there is none.
    began: Option<Instant>,
    written: u32,
    subjects: Vec<Subject>,
    /// Lines of subjects that came when `total` was used up.
    others: u64,
    /// Of the newest line that was not written.
    level: Level,
    target: String,
    is_registered: bool,
}

struct Subject {
    name: String,
    written: u32,
    unwritten: u64,
}

/// A line that says how many were not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Count {
    level: Level,
    target: String,
    text: String,
}

/// The limits that have seen a line, so that their counts are written in time.
static USED: Mutex<Vec<&'static Limit>> = Mutex::new(Vec::new());

impl Limit {
    /// At most `each` lines of one subject and `total` of all in `window`. `what` names the lines in the plural,
    /// for the line with the count.
    pub const fn new(what: &'static str, each: u32, total: u32, window: Duration) -> Self {
        let counts = Counts {
            began: None,
            written: 0,
            subjects: Vec::new(),
            others: 0,
            level: Level::Info,
            target: String::new(),
            is_registered: false,
        };
        Self { what, each, total, window, counts: Mutex::new(counts) }
    }

    /// Logs a line of `subject`, or counts it. `target` is the `module_path!()` of the caller.
    pub fn log(&'static self, subject: &str, level: Level, target: &str, line: fmt::Arguments<'_>) {
        let metadata = Metadata::builder().level(level).target(target).build();
        if level > log::max_level() || !log::logger().enabled(&metadata) {
            return;
        }
        let (is_admitted, counts) = self.admit(subject, level, target, Instant::now());
        counts.iter().for_each(Count::write);
        if is_admitted {
            write(level, target, line);
        }
    }

    /// Whether a line of `subject` would be written at `now`, in tests of the limits themselves.
    #[cfg(test)]
    pub fn admits(&'static self, subject: &str, now: Instant) -> bool {
        self.admit(subject, Level::Info, module_path!(), now).0
    }

    /// Whether a line of `subject` is to be written now; and the counts of the window before, where this is the
    /// first line after it.
    pub(super) fn admit(
        &'static self,
        subject: &str,
        level: Level,
        target: &str,
        now: Instant,
    ) -> (bool, Vec<Count>) {
        let mut counts = self.lock();
        if !std::mem::replace(&mut counts.is_registered, true) {
            lock(&USED).push(self);
        }
        let over = self.end_window(&mut counts, |began| now.duration_since(began) >= self.window);
        counts.began.get_or_insert(now);
        let is_left = counts.written < self.total;
        let is_admitted = match counts.subjects.iter_mut().find(|known| known.name == subject) {
            Some(known) if is_left && known.written < self.each => {
                known.written += 1;
                true
            }
            Some(known) => {
                known.unwritten += 1;
                false
            }
            None if is_left => {
                counts.subjects.push(Subject { name: subject.to_owned(), written: 1, unwritten: 0 });
                true
            }
            None => {
                counts.others += 1;
                false
            }
        };
        if is_admitted {
            counts.written += 1;
        } else {
            counts.level = level;
            if counts.target != target {
                counts.target = target.to_owned();
            }
        }
        (is_admitted, over)
    }

    /// Ends the window if it is due; the lines with its counts.
    fn end_window(&self, counts: &mut Counts, is_due: impl Fn(Instant) -> bool) -> Vec<Count> {
        if !counts.began.is_some_and(is_due) {
            return Vec::new();
        }
        counts.began = None;
        counts.written = 0;
        let (level, target) = (counts.level, std::mem::take(&mut counts.target));
        let line = |text: String| Count { level, target: target.clone(), text };
        let seconds = self.window.as_secs();
        let mut others = std::mem::take(&mut counts.others);
        let mut lines = Vec::new();
        for subject in std::mem::take(&mut counts.subjects) {
            if subject.unwritten > 0 && lines.len() < COUNTS {
                let Subject { name, unwritten, .. } = subject;
                lines.push(line(format!("{name}: {unwritten} more {} in {seconds} s", self.what)));
            } else {
                others += subject.unwritten;
            }
        }
        if others > 0 {
            lines.push(line(format!("{others} more {} of others in {seconds} s", self.what)));
        }
        lines
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        lock(&self.counts)
    }
}

impl Count {
    pub(super) fn write(&self) {
        write(self.level, &self.target, format_args!("{}", self.text));
    }
}

/// Writes the counts of all windows that are over by `now`; with `ends`, of all. Gives the time until the next
/// window is over.
pub(super) fn write_counts(now: Instant, ends: bool) -> Option<Duration> {
    let used = lock(&USED).clone();
    let mut next: Option<Duration> = None;
    for limit in used {
        let mut counts = limit.lock();
        let left = |began: Instant| limit.window.saturating_sub(now.duration_since(began));
        let lines = limit.end_window(&mut counts, |began| ends || left(began).is_zero());
        let wait = counts.began.map(left);
        // Writing takes the locks of the log.
        drop(counts);
        lines.iter().for_each(Count::write);
        next = [next, wait].into_iter().flatten().min();
    }
    next
}

/// Writes a line that no further limit is for: it has no place in the code, by which `sites.rs` would know it.
fn write(level: Level, target: &str, line: fmt::Arguments<'_>) {
    log::logger().log(&Record::builder().level(level).target(target).args(line).build());
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn limit(each: u32, total: u32) -> &'static Limit {
        Box::leak(Box::new(Limit::new("knocks", each, total, WINDOW)))
    }

    fn texts(counts: &[Count]) -> Vec<&str> {
        counts.iter().map(|count| count.text.as_str()).collect()
    }

    #[test]
    fn repeats_are_counted_and_the_count_is_written_once() {
        let (limit, start) = (limit(5, 100), Instant::now());
        let admit = |subject, now| limit.admit(subject, Level::Warn, "t", now);
        let admitted = (0..417).filter(|_| admit("a", start).0).count();
        assert_eq!(admitted, 5);
        assert!(admit("b", start).0, "another subject has lines of its own");
        let (is_admitted, counts) = admit("b", start + WINDOW);
        assert!(is_admitted);
        assert_eq!(texts(&counts), ["a: 412 more knocks in 60 s"]);
        assert_eq!((counts[0].level, counts[0].target.as_str()), (Level::Warn, "t"));
        assert!(admit("a", start + WINDOW).0, "a new window");
        assert_eq!(admit("a", start + 2 * WINDOW).1, []);
    }

    #[test]
    fn new_subjects_write_no_more_than_the_total() {
        let (limit, start) = (limit(5, 40), Instant::now());
        let admitted = (0..10_000).filter(|n| limit.admit(&n.to_string(), Level::Warn, "t", start).0).count();
        assert_eq!(admitted, 40);
        assert!(limit.lock().subjects.len() <= 40);
        for _ in 0..10 {
            (0..40).for_each(|n| drop(limit.admit(&n.to_string(), Level::Warn, "t", start)));
        }
        let counts = limit.admit("x", Level::Warn, "t", start + WINDOW).1;
        assert_eq!(counts.len(), COUNTS + 1);
        assert_eq!(counts[0].text, "0: 10 more knocks in 60 s");
        assert_eq!(counts[COUNTS].text, "10160 more knocks of others in 60 s");
    }
}
