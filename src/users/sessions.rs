//! Sessions: what a login leaves behind, so that no later request needs the password. How they outlast
//! a restart is the business of [`super::saver`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::file::Record;
use super::secret::{Digest, new_secret};
use super::session_file::SavedSession;
use crate::base::lock;

/// Sessions at a time, and of one user: the one longest unused makes room.
const MOST: usize = 512;
const MOST_OF_ONE_USER: usize = 32;

/// What begins every session's secret, so that it is known for what it is wherever it turns up.
const PREFIX: &str = "dfs_";

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Unused.
    pub idle: Duration,
    /// In all.
    pub max: Duration,
}

/// A session as its user may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Names it; opens nothing.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// Where the login came from.
    pub address: IpAddr,
    /// Since the login.
    pub age: Duration,
    /// Since the last request.
    pub idle: Duration,
    /// Until it ends if it is not used.
    pub left: Duration,
}

/// All sessions, by the digest of their secrets.
pub struct Sessions {
    limits: SessionLimits,
    open: Mutex<Open>,
}

/// What the file of sessions does not have yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsaved {
    /// It has everything.
    #[default]
    Nothing,
    /// When sessions were used.
    Use,
    /// Sessions that began or ended.
    Session,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<Digest, Session>,
    unsaved: Unsaved,
}

struct Session {
    /// The user's line when the session began; any change of it ends the session.
    record: Arc<Record>,
    address: IpAddr,
    /// When this process learned of it, and how old and for how long unused it was then.
    since: Instant,
    age_before: Duration,
    idle_before: Duration,
    used: Option<Instant>,
    /// Whether the file has it.
    is_saved: bool,
    /// Whether it is of before the start.
    is_restored: bool,
}

/// A session that was ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose it was.
    pub user: String,
    /// Whether the file has it still.
    pub is_saved: bool,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(12 * 3600), max: Duration::from_secs(30 * 24 * 3600) }
    }
}

impl Sessions {
    /// None yet.
    pub fn new(limits: SessionLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// How long a session may last.
    pub fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// Begins a session; its secret, of which nothing is kept. `now` is monotonic, here and below.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn begin(
        &self,
        record: Arc<Record>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Zeroizing<String>, getrandom::Error> {
        let (secret, digest) = new_secret(PREFIX)?;
        let mut open = self.lock();
        open.sessions.retain(|_, session| session.left(&self.limits, now).is_some());
        open.put(digest, Session::new(record, address, now), now);
        Ok(secret)
    }

    /// Puts a session back that was saved, and `off` ago at that; whether it still lasts.
    pub fn restore(&self, saved: &SavedSession, record: Arc<Record>, off: Duration, now: Instant) -> bool {
        let age_before = saved.age.saturating_add(off);
        let idle_before = saved.idle.saturating_add(off);
        let fresh = Session::new(record, saved.address, now);
        let session = Session { age_before, idle_before, is_saved: true, is_restored: true, ..fresh };
        if session.left(&self.limits, now).is_none() {
            return false;
        }
        self.lock().put(saved.digest, session, now);
        true
    }

    /// All of them, to be saved. They are taken for saved until [`Sessions::not_saved`].
    pub fn saved(&self, now: Instant) -> Vec<SavedSession> {
        let mut open = self.lock();
        open.sessions.retain(|_, session| session.left(&self.limits, now).is_some());
        open.unsaved = Unsaved::Nothing;
        let save = |(digest, session): (&Digest, &mut Session)| {
            session.is_saved = true;
            SavedSession {
                digest: *digest,
                record: Digest::of(&session.record.line()),
                address: session.address,
                age: session.age(now),
                idle: session.idle(now),
            }
        };
        open.sessions.iter_mut().map(save).collect()
    }

    /// Saving them failed.
    pub fn not_saved(&self) {
        self.lock().unsaved = Unsaved::Session;
    }

    /// What is to be saved.
    pub fn unsaved(&self) -> Unsaved {
        self.lock().unsaved
    }

    /// The server was off for so much longer than it thought when it put sessions back.
    pub fn were_off(&self, longer: Duration) {
        let mut open = self.lock();
        for session in open.sessions.values_mut().filter(|session| session.is_restored) {
            session.age_before = session.age_before.saturating_add(longer);
            session.idle_before = session.idle_before.saturating_add(longer);
        }
        // A use meanwhile revives none that was over before the start.
        let idle = self.limits.idle;
        open.sessions.retain(|_, session| session.idle_before < idle);
        open.unsaved = Unsaved::Session;
    }

    /// The user's line of a live session, which is used by that.
    pub fn touch(&self, digest: &Digest, now: Instant) -> Option<Arc<Record>> {
        let mut open = self.lock();
        let open = &mut *open;
        let session = open.sessions.get_mut(digest)?;
        if session.left(&self.limits, now).is_none() {
            open.end(digest);
            return None;
        }
        session.used = Some(now);
        open.unsaved = open.unsaved.max(Unsaved::Use);
        Some(Arc::clone(&session.record))
    }

    /// Ends a session, if there is one.
    pub fn end(&self, digest: &Digest) -> Option<Ended> {
        self.lock().end(digest)
    }

    /// Ends the session of an id, if it is one that `may` be ended.
    pub fn end_by_id(&self, id: &str, may: impl Fn(&str) -> bool) -> Option<Ended> {
        let mut open = self.lock();
        let is_meant =
            |(digest, session): &(&Digest, &Session)| digest.id() == id && may(&session.record.name);
        let digest = *open.sessions.iter().find(is_meant)?.0;
        open.end(&digest)
    }

    /// Ends those whose user's line is not what it was when they began.
    pub fn keep(&self, is_current: impl Fn(&Record) -> bool) {
        let mut open = self.lock();
        let before = open.sessions.len();
        open.sessions.retain(|_, session| is_current(&session.record));
        if open.sessions.len() < before {
            open.unsaved = Unsaved::Session;
        }
    }

    /// Where whose sessions began.
    pub fn origins(&self) -> Vec<(IpAddr, String)> {
        let open = self.lock();
        open.sessions.values().map(|session| (session.address, session.record.name.clone())).collect()
    }

    /// The live ones, youngest first.
    pub fn list(&self, now: Instant) -> Vec<SessionInfo> {
        let open = self.lock();
        let info = |(digest, session): (&Digest, &Session)| {
            Some(SessionInfo {
                id: digest.id(),
                user: session.record.name.clone(),
                address: session.address,
                age: session.age(now),
                idle: session.idle(now),
                left: session.left(&self.limits, now)?,
            })
        };
        let mut list: Vec<_> = open.sessions.iter().filter_map(info).collect();
        drop(open);
        list.sort_by(|a, b| a.age.cmp(&b.age).then_with(|| a.id.cmp(&b.id)));
        list
    }

    /// The map is whole after every operation on it.
    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }
}

impl Open {
    /// Adds a session; where there are too many the one longest unused makes room.
    fn put(&mut self, digest: Digest, session: Session, now: Instant) {
        let of_user = |other: &Session| other.record.name == session.record.name;
        if self.sessions.values().filter(|other| of_user(other)).count() >= MOST_OF_ONE_USER {
            self.drop_longest_unused(of_user, now);
        } else if self.sessions.len() >= MOST {
            self.drop_longest_unused(|_| true, now);
        }
        self.unsaved = Unsaved::Session;
        self.sessions.insert(digest, session);
    }

    fn end(&mut self, digest: &Digest) -> Option<Ended> {
        let Session { record, is_saved, .. } = self.sessions.remove(digest)?;
        self.unsaved = Unsaved::Session;
        Some(Ended { user: record.name.clone(), is_saved })
    }

    fn drop_longest_unused(&mut self, among: impl Fn(&Session) -> bool, now: Instant) {
        let candidates = self.sessions.iter().filter(|(_, session)| among(session));
        if let Some(digest) =
            candidates.max_by_key(|(_, session)| session.idle(now)).map(|(digest, _)| *digest)
        {
            self.sessions.remove(&digest);
        }
    }
}

impl Session {
    fn new(record: Arc<Record>, address: IpAddr, now: Instant) -> Self {
        let (age_before, idle_before) = (Duration::ZERO, Duration::ZERO);
        let (is_saved, is_restored) = (false, false);
        Self { record, address, since: now, age_before, idle_before, used: None, is_saved, is_restored }
    }

    fn age(&self, now: Instant) -> Duration {
        self.age_before.saturating_add(now.saturating_duration_since(self.since))
    }

    fn idle(&self, now: Instant) -> Duration {
        match self.used {
            Some(used) => now.saturating_duration_since(used),
            None => self.idle_before.saturating_add(now.saturating_duration_since(self.since)),
        }
    }

    fn left(&self, limits: &SessionLimits, now: Instant) -> Option<Duration> {
        let left = limits.idle.checked_sub(self.idle(now))?.min(limits.max.checked_sub(self.age(now))?);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests;
