//! Which of a source's troubles are worth a line in the log, and how soon to try again. No clock: the caller says what
//! time it is.

use std::time::Duration;

use log::{debug, info, warn};

/// How long a source must have run for its troubles to count as over.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The retry pauses: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Logs what happens to a source, each thing once, however often it is tried: one that comes and goes does not fill the
/// log.
#[derive(Debug)]
pub(super) struct ProblemLog {
    /// The module that the lines are of: each has a limit of its own, so that the devices of other servers do not
    /// use up that of this machine's.
    target: &'static str,
    /// How each line begins.
    subject: String,
    /// Problems logged since the source last ran well.
    problems: Vec<String>,
    /// What the source delivered when it last ran.
    running: Option<String>,
}

impl ProblemLog {
    /// A log whose lines have this target and begin with `subject`, such as `camera front`.
    pub(super) fn new(target: &'static str, subject: String) -> Self {
        Self { target, subject, problems: Vec::new(), running: None }
    }

    /// The target of each line.
    pub(super) fn target(&self) -> &'static str {
        self.target
    }

    /// How each line begins.
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Logs a problem, unless it was logged before.
    pub(super) fn problem(&mut self, problem: &str) {
        if self.is_new_problem(problem) {
            warn!(target: self.target, "{}: {problem}", self.subject);
        } else {
            debug!(target: self.target, "{}: {problem}", self.subject);
        }
    }

    /// Logs what the source delivers, if that is new.
    pub(super) fn running(&mut self, sentence: &str) {
        if self.is_new_run(sentence) {
            info!(target: self.target, "{}: {sentence}", self.subject);
        } else {
            debug!(target: self.target, "{}: {sentence}", self.subject);
        }
    }

    /// The source has run for `for_long`; after a while old problems are new again.
    pub(super) fn ran(&mut self, for_long: Duration) {
        if for_long >= STABLE_AFTER {
            self.problems.clear();
        }
    }

    fn is_new_problem(&mut self, problem: &str) -> bool {
        /// Sentences with a changing part must not pile up.
        const REMEMBERED: usize = 16;
        if self.problems.iter().any(|known| known == problem) {
            return false;
        }
        if self.problems.len() == REMEMBERED {
            self.problems.remove(0);
        }
        self.problems.push(problem.to_owned());
        self.running = None;
        true
    }

    fn is_new_run(&mut self, sentence: &str) -> bool {
        let is_new = self.running.as_deref() != Some(sentence);
        self.running = Some(sentence.to_owned());
        is_new
    }
}

/// How long to wait before the next try.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { pause: FIRST_PAUSE }
    }

    /// The pause before the next try; the one after it is longer.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LAST_PAUSE);
        pause
    }

    /// The source has run for `for_long`: after a good while, pauses start small again.
    pub(super) fn ran(&mut self, for_long: Duration) {
        if for_long >= STABLE_AFTER {
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> ProblemLog {
        ProblemLog::new("test", "camera front".to_owned())
    }

    #[test]
    fn a_problem_is_new_once_until_the_source_ran_well() {
        let mut log = log();
        assert!(log.is_new_problem("gone"));
        assert!(log.is_new_problem("busy"));
        assert!(!log.is_new_problem("gone"), "flapping between two problems");
        log.ran(Duration::from_secs(1));
        assert!(!log.is_new_problem("gone"), "one frame is no recovery");
        log.ran(STABLE_AFTER);
        assert!(log.is_new_problem("gone"));
    }

    #[test]
    fn a_run_is_new_after_each_new_problem_and_change() {
        let mut log = log();
        assert!(log.is_new_run("640x480"));
        assert!(!log.is_new_run("640x480"), "on demand, it comes and goes");
        assert!(log.is_new_run("320x240"));
        log.is_new_problem("gone");
        assert!(log.is_new_run("320x240"));
        log.is_new_problem("gone");
        assert!(!log.is_new_run("320x240"), "a problem that was not logged needs no all-clear");
    }

    #[test]
    fn changing_sentences_do_not_pile_up() {
        let mut log = log();
        for number in 0..1000 {
            assert!(log.is_new_problem(&format!("broken at byte {number}")));
        }
        assert!(log.problems.len() <= 16);
    }

    #[test]
    fn pauses_double_and_start_over_after_a_good_run() {
        let mut backoff = Backoff::new();
        let millis: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(millis, [500, 1000, 2000, 4000, 5000, 5000]);
        backoff.ran(Duration::from_secs(1));
        assert_eq!(backoff.next(), LAST_PAUSE);
        backoff.ran(STABLE_AFTER);
        assert_eq!(backoff.next(), FIRST_PAUSE);
    }
}
