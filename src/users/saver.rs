//! Saves sessions over a restart: reads them at a start, writes them seldom, and at once when one ends.
//!
//! Sessions live in memory. Their digests are written within a minute after they begin, once an hour (or after
//! an eighth of `session_idle_s`) while they are used, and at a stop. A session holds the user's line as it was
//! at its beginning; any change of the line ends it. A session that ends is removed from the disk before the end
//! is confirmed. If the file cannot be written, it is removed.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use log::{error, info, warn};

use super::file::Record;
use super::secret::Digest;
use super::session_file::{Moment, SessionFile};
use super::sessions::{Sessions, Unsaved};
use crate::base::{lock, unpoisoned};

/// New sessions are written at most this often.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// That sessions were used is written at most this often: what is lost in a power cut ends a session a
/// little earlier.
const WRITE_USE_EVERY: Duration = Duration::from_secs(3600);

/// For so long after a board started, a wall clock that jumps ahead is one that learns the time.
const LEARNS_TIME_WITHIN: Duration = Duration::from_secs(3600);

/// Where and when sessions are written.
pub struct SessionSaver {
    file: SessionFile,
    started: (Instant, Moment),
    state: Mutex<State>,
    wake: Condvar,
    /// Held while the file is written, on purpose: of two writers the later one has the later sessions.
    writing: Mutex<Writing>,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    has_new: bool,
}

#[derive(Default)]
struct Writing {
    last: Option<Instant>,
    has_failed: bool,
}

/// What was read at the start, as far as the clock may still have to learn how long ago that was written.
pub struct Restored {
    saved: Moment,
    counted: Duration,
}

impl SessionSaver {
    /// Nothing is read or written yet.
    pub fn new(file: SessionFile) -> Self {
        let started = (Instant::now(), file.now());
        Self { file, started, state: Mutex::default(), wake: Condvar::new(), writing: Mutex::default() }
    }

    /// Puts the sessions of the file whose users' lines are still the same back.
    pub fn restore(&self, sessions: &Sessions, users: &[Arc<Record>]) -> Option<Restored> {
        let (saved, found) = match self.file.read() {
            Ok(read) => read?,
            Err(error) => {
                let path = self.file.path().display();
                warn!("{path}: cannot read the sessions, so every user must sign in again: {error}");
                return None;
            }
        };
        let counted = self.started.1.since(&saved).unwrap_or_default();
        let by_digest: HashMap<Digest, &Arc<Record>> =
            users.iter().map(|record| (Digest::of(&record.line()), record)).collect();
        let mut count = 0;
        for session in found {
            if let Some(record) = by_digest.get(&session.record) {
                count += u32::from(sessions.restore(&session, Arc::clone(record), counted, self.started.0));
            }
        }
        if count > 0 {
            info!("restored {count} sessions from before the restart");
        }
        self.started.1.is_of_another_boot(&saved).then_some(Restored { saved, counted })
    }

    /// Writes the sessions when it is time to, until [`SessionSaver::stop`], and once more then.
    pub fn run(&self, sessions: &Sessions, mut restored: Option<Restored>) {
        let mut pause = Duration::ZERO;
        while !self.sleep(pause) {
            if let Some(restored) = &mut restored {
                self.count_more(sessions, restored, Instant::now());
            }
            pause = self.write_if_due(sessions, Instant::now());
        }
        if sessions.unsaved() != Unsaved::Nothing {
            self.write(sessions, Instant::now());
        }
    }

    /// Makes [`SessionSaver::run`] return.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.wake.notify_all();
    }

    /// There is a new session.
    pub fn has_new(&self) {
        self.lock().has_new = true;
        self.wake.notify_all();
    }

    /// Writes the sessions now, because one that the file has was ended: it must not come back. Where
    /// that fails, no session comes back.
    pub fn write_end(&self, sessions: &Sessions) {
        if !self.write(sessions, Instant::now())
            && let Err(error) = self.file.remove()
        {
            let path = self.file.path().display();
            error!("{path}: an ended session may be valid again after a restart; remove this file: {error}");
        }
    }

    /// Sleeps until there is news or the pause is over; true when it is time to stop.
    fn sleep(&self, pause: Duration) -> bool {
        let mut state = self.lock();
        if !state.is_stopping && !state.has_new && !pause.is_zero() {
            let woken = self.wake.wait_timeout(state, pause);
            state = unpoisoned(woken).0;
        }
        state.has_new = false;
        state.is_stopping
    }

    /// Writes if it is time to; how long to sleep then.
    fn write_if_due(&self, sessions: &Sessions, now: Instant) -> Duration {
        let every = match sessions.unsaved() {
            Unsaved::Nothing => return WRITE_EVERY,
            Unsaved::Use => WRITE_USE_EVERY.min(sessions.limits().idle / 8).max(WRITE_EVERY),
            Unsaved::Session => WRITE_EVERY,
        };
        let last = lock(&self.writing).last;
        let left =
            last.map_or(Duration::ZERO, |last| every.saturating_sub(now.saturating_duration_since(last)));
        if left.is_zero() {
            self.write(sessions, now);
            return WRITE_EVERY;
        }
        // New ones may come meanwhile: those are due earlier than uses.
        left.min(WRITE_EVERY)
    }

    fn write(&self, sessions: &Sessions, now: Instant) -> bool {
        let mut writing = lock(&self.writing);
        let written = self.file.write(&sessions.saved(now));
        writing.last = Some(now);
        let is_first_failure = writing.is_first_failure(written.is_err());
        if let Err(error) = &written {
            sessions.not_saved();
            if is_first_failure {
                let path = self.file.path().display();
                warn!("{path}: cannot store sessions, so a restart signs all users out: {error}");
            }
        }
        written.is_ok()
    }

    /// A board without a battery learns some time after its start how long it was off.
    fn count_more(&self, sessions: &Sessions, restored: &mut Restored, now: Instant) {
        let running = now.saturating_duration_since(self.started.0);
        if running > LEARNS_TIME_WITHIN {
            return;
        }
        let passed = self.file.now().since(&restored.saved);
        let off = passed.map(|passed| passed.saturating_sub(running));
        let more = off.map_or(Duration::ZERO, |off| off.saturating_sub(restored.counted));
        if more > WRITE_EVERY {
            restored.counted += more;
            sessions.were_off(more);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Writing {
    /// Notes how a write went; true for the first one that failed after one that did not.
    fn is_first_failure(&mut self, has_failed: bool) -> bool {
        !std::mem::replace(&mut self.has_failed, has_failed) && has_failed
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::PathBuf;

    use super::*;
    use crate::base::clock;
    use crate::base::patience::wait_until;
    use crate::users::password::PasswordHash;
    use crate::users::{Role, Scope, SessionLimits};

    const FOREVER: Duration = Duration::from_secs(24 * 3600);

    struct Saving {
        folder: tempfile::TempDir,
        sessions: Sessions,
        saver: SessionSaver,
    }

    impl Saving {
        fn new() -> Self {
            Self::with(SessionLimits::default())
        }

        fn with(limits: SessionLimits) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let saver = SessionSaver::new(SessionFile::beside(&folder.path().join("users")));
            Self { folder, sessions: Sessions::new(limits), saver }
        }

        fn write_if_due(&self, now: Instant) -> Duration {
            self.saver.write_if_due(&self.sessions, now)
        }

        fn begin(&self) -> Digest {
            Digest::of(&self.sessions.begin(record(), Ipv4Addr::LOCALHOST.into(), Instant::now()).unwrap())
        }

        /// The number of sessions in the file; `None` if there is no file.
        fn stored(&self) -> Option<usize> {
            self.saver.file.read().unwrap().map(|(_, sessions)| sessions.len())
        }

        fn path(&self) -> PathBuf {
            self.saver.file.path().to_owned()
        }

        /// A file that was written in another boot, so many seconds ago, with one session.
        fn write_before_boot(&self, ago_s: u64) {
            let (line, then_s) = (Digest::of(&record().line()), clock::since_epoch().as_secs() - ago_s);
            let session = format!("{} {line} {} 60 60\n", Digest::of("x"), IpAddr::V4(Ipv4Addr::LOCALHOST));
            std::fs::write(self.path(), format!("saved another-boot 5 {then_s}\n{session}")).unwrap();
        }
    }

    fn record() -> Arc<Record> {
        let hash = PasswordHash::of_nobody();
        Arc::new(Record { name: "eve".to_owned(), role: Role::Viewer, hash, scope: Scope::All, past: true })
    }

    #[test]
    fn new_sessions_are_written_once_a_minute() {
        let (saving, begin) = (Saving::new(), Instant::now());
        assert_eq!((saving.write_if_due(begin), saving.stored()), (WRITE_EVERY, None));
        saving.begin();
        assert_eq!((saving.write_if_due(begin), saving.stored()), (WRITE_EVERY, Some(1)));
        saving.begin();
        let second = Duration::from_secs(1);
        assert_eq!(saving.write_if_due(begin + WRITE_EVERY - second), second);
        assert_eq!(saving.stored(), Some(1));
        assert_eq!((saving.write_if_due(begin + WRITE_EVERY), saving.stored()), (WRITE_EVERY, Some(2)));
    }

    #[test]
    fn a_use_is_written_after_an_eighth_of_the_idle_time() {
        for (idle_s, every_s) in [(12 * 3600, 3600), (4000, 500), (80, 60)] {
            let limits = SessionLimits { idle: Duration::from_secs(idle_s), ..SessionLimits::default() };
            let (saving, begin) = (Saving::with(limits), Instant::now());
            let digest = saving.begin();
            saving.write_if_due(begin);
            saving.sessions.touch(&digest, Instant::now()).unwrap();
            // A session that begins is due within a minute, so the pause is never longer.
            let at = |before_s: u64| begin + Duration::from_secs(every_s - before_s);
            assert_eq!(saving.write_if_due(at(60)), WRITE_EVERY, "{idle_s}");
            assert_eq!(saving.write_if_due(at(1)), Duration::from_secs(1), "{idle_s}");
            assert_eq!(saving.sessions.unsaved(), Unsaved::Use, "{idle_s}");
            assert_eq!(saving.write_if_due(at(0)), WRITE_EVERY, "{idle_s}");
            assert_eq!(saving.sessions.unsaved(), Unsaved::Nothing, "{idle_s}");
        }
    }

    #[test]
    fn a_failure_is_logged_again_only_after_a_success() {
        let mut writing = Writing::default();
        let writes = [false, true, true, false, true];
        assert_eq!(writes.map(|failed| writing.is_first_failure(failed)), [false, true, false, false, true]);
    }

    #[test]
    fn news_and_a_stop_end_a_sleep_and_a_stop_writes() {
        let saving = Saving::new();
        saving.saver.has_new();
        assert!(!saving.saver.sleep(FOREVER), "there is news");
        saving.saver.stop();
        assert!(saving.saver.sleep(FOREVER), "it is time to stop");
        saving.saver.run(&saving.sessions, None);
        assert_eq!(saving.stored(), None, "nothing to write");
        saving.begin();
        saving.saver.run(&saving.sessions, None);
        assert_eq!(saving.stored(), Some(1));
    }

    #[test]
    fn a_running_saver_writes_what_is_new_until_it_is_stopped() {
        let saving = Saving::new();
        std::thread::scope(|scope| {
            scope.spawn(|| saving.saver.run(&saving.sessions, None));
            for count in 1..=2 {
                saving.begin();
                lock(&saving.saver.writing).last = None;
                saving.saver.has_new();
                wait_until(|| saving.stored() == Some(count));
            }
            saving.saver.stop();
        });
    }

    #[test]
    fn a_failed_write_is_tried_again_and_an_end_removes_the_file() {
        let saving = Saving::new();
        saving.begin();
        assert!(saving.saver.write(&saving.sessions, Instant::now()));
        // Neither root can write a file where a folder is.
        std::fs::create_dir(saving.folder.path().join("sessions.new")).unwrap();
        assert!(!saving.saver.write(&saving.sessions, Instant::now()));
        assert_eq!(saving.sessions.unsaved(), Unsaved::Session);
        saving.saver.write_end(&saving.sessions);
        assert_eq!(saving.stored(), None, "an ended session must not come back");
    }

    #[test]
    fn the_time_off_is_counted_when_the_date_is_known() {
        let saving = Saving::new();
        saving.write_before_boot(1000);
        let restored = saving.saver.restore(&saving.sessions, &[record()]).unwrap();
        assert!((1000..1100).contains(&restored.counted.as_secs()), "{:?}", restored.counted);
        let age_s = || saving.sessions.list(Instant::now())[0].age.as_secs();
        assert!((1060..1160).contains(&age_s()), "{}", age_s());
        // As if the date had been learned after the start.
        let mut late = Restored { counted: Duration::ZERO, ..restored };
        let now = saving.saver.started.0;
        saving.saver.count_more(&saving.sessions, &mut late, now);
        saving.saver.count_more(&saving.sessions, &mut late, now);
        assert!((2060..2260).contains(&age_s()), "counted once: {}", age_s());
    }

    #[test]
    fn the_time_since_the_start_is_no_time_off() {
        let counted = |off_s: u64, running: Duration| {
            let saving = Saving::new();
            saving.write_before_boot(off_s);
            let restored = saving.saver.restore(&saving.sessions, &[record()]).unwrap();
            let mut late = Restored { counted: Duration::ZERO, ..restored };
            saving.saver.count_more(&saving.sessions, &mut late, saving.saver.started.0 + running);
            late.counted
        };
        let off_s = counted(1000, Duration::from_secs(500)).as_secs();
        assert!((500..600).contains(&off_s), "{off_s}");
        // Somebody sets a clock that jumps later than this.
        assert!(!counted(10_000, LEARNS_TIME_WITHIN).is_zero());
        assert!(counted(10_000, LEARNS_TIME_WITHIN + Duration::from_nanos(1)).is_zero());
    }

    #[test]
    fn a_running_saver_counts_the_time_off() {
        let saving = Saving::new();
        saving.write_before_boot(1000);
        let restored = saving.saver.restore(&saving.sessions, &[record()]).unwrap();
        let late = Restored { counted: Duration::ZERO, ..restored };
        std::thread::scope(|scope| {
            scope.spawn(|| saving.saver.run(&saving.sessions, Some(late)));
            wait_until(|| saving.sessions.list(Instant::now())[0].age.as_secs() >= 2060);
            saving.saver.stop();
        });
    }

    #[test]
    fn a_session_of_a_changed_line_is_not_restored() {
        let saving = Saving::new();
        saving.write_before_boot(10);
        assert!(saving.saver.restore(&saving.sessions, &[]).is_some());
        assert!(saving.sessions.list(Instant::now()).is_empty());
        std::fs::remove_file(saving.path()).unwrap();
        std::fs::create_dir(saving.path()).unwrap();
        assert!(saving.saver.restore(&saving.sessions, &[record()]).is_none(), "it cannot be read");
    }
}
