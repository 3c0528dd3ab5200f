//! Sessions: what a login leaves behind, so that no later request needs the password. How they outlast
//! a restart is the business of [`super::keeper`].

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
mod tests {
    use super::*;
    use crate::users::password::PasswordHash;
    use crate::users::{Role, Scope};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const LIMITS: SessionLimits =
        SessionLimits { idle: Duration::from_secs(10), max: Duration::from_secs(25) };

    fn record(name: &str) -> Arc<Record> {
        let hash = PasswordHash::of_nobody();
        Arc::new(Record { name: name.to_owned(), role: Role::Viewer, hash, scope: Scope::All })
    }

    fn begin(sessions: &Sessions, name: &str, now: Instant) -> Digest {
        Digest::of(&sessions.begin(record(name), HERE, now).unwrap())
    }

    #[test]
    fn a_session_ends_unused_or_at_its_age() {
        let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let (idle, busy) = (begin(&sessions, "eve", start), begin(&sessions, "eve", start));
        for seconds in [9, 18, 24] {
            assert!(sessions.touch(&busy, at(seconds)).is_some(), "{seconds} s");
        }
        assert!(sessions.touch(&idle, at(10)).is_none());
        assert!(sessions.touch(&busy, at(25)).is_none());
        assert!(sessions.list(at(25)).is_empty());
    }

    #[test]
    fn sessions_are_bounded_and_one_user_pushes_out_only_his_own() {
        let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
        let at = |number: usize| start + Duration::from_millis(number as u64);
        let adam = begin(&sessions, "adam", start);
        let first = begin(&sessions, "eve", at(1));
        for number in 2..200 {
            begin(&sessions, "eve", at(number));
        }
        assert!(sessions.touch(&adam, at(200)).is_some() && sessions.touch(&first, at(200)).is_none());
        assert_eq!(sessions.list(at(200)).len(), MOST_OF_ONE_USER + 1);
        for number in 0..2 * MOST {
            begin(&sessions, &format!("user{number}"), at(300 + number));
        }
        assert_eq!(sessions.list(at(300 + 2 * MOST)).len(), MOST);
    }

    #[test]
    fn an_id_names_a_session_and_opens_nothing() {
        let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
        let digest = begin(&sessions, "eve", now);
        let id = sessions.list(now).remove(0).id;
        assert!(sessions.touch(&Digest::of(&id), now).is_none());
        assert_eq!(sessions.end_by_id(&id, |user| user == "adam"), None);
        let ended = Ended { user: "eve".to_owned(), is_saved: false };
        assert_eq!(sessions.end_by_id(&id, |user| user == "eve"), Some(ended));
        assert!(sessions.touch(&digest, now).is_none());
    }

    #[test]
    fn a_changed_line_ends_its_sessions_only() {
        let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
        let (eve, adam) = (begin(&sessions, "eve", now), begin(&sessions, "adam", now));
        sessions.keep(|record| record.name != "eve");
        assert!(sessions.touch(&eve, now).is_none() && sessions.touch(&adam, now).is_some());
    }

    #[test]
    fn a_saved_session_goes_on_with_its_age_and_its_disuse() {
        let (sessions, start) = (Sessions::new(LIMITS), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let digest = begin(&sessions, "eve", start);
        sessions.touch(&digest, at(4)).unwrap();
        let saved = sessions.saved(at(6));
        assert_eq!((saved[0].age.as_secs(), saved[0].idle.as_secs()), (6, 2));
        let after = |off: u64| {
            let sessions = Sessions::new(LIMITS);
            sessions.restore(&saved[0], record("eve"), Duration::from_secs(off), start).then_some(sessions)
        };
        assert!(after(8).is_none(), "unused for 10 s");
        let sessions = after(7).unwrap();
        assert!(sessions.touch(&digest, start).is_some());
        assert!(sessions.touch(&digest, at(9)).is_some(), "used, so it goes on");
        assert!(sessions.touch(&digest, at(12)).is_none(), "25 s old");
        let sessions = after(0).unwrap();
        sessions.were_off(Duration::from_secs(8));
        assert!(sessions.touch(&digest, start).is_none(), "the clock learned how long it was off");
    }

    #[test]
    fn a_session_that_was_saved_when_it_began_ages_while_the_server_is_off_too() {
        let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
        let digest = begin(&sessions, "eve", now);
        let saved = sessions.saved(now);
        let sessions = Sessions::new(LIMITS);
        assert!(sessions.restore(&saved[0], record("eve"), Duration::ZERO, now));
        let fresh = begin(&sessions, "adam", now);
        sessions.touch(&digest, now).unwrap();
        sessions.were_off(LIMITS.idle);
        assert!(sessions.touch(&digest, now).is_none() && sessions.touch(&fresh, now).is_some());
    }

    #[test]
    fn it_is_known_what_is_not_saved() {
        let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
        let digest = begin(&sessions, "eve", now);
        assert_eq!(sessions.unsaved(), Unsaved::Session);
        assert_eq!((sessions.saved(now).len(), sessions.unsaved()), (1, Unsaved::Nothing));
        sessions.touch(&digest, now);
        assert_eq!(sessions.unsaved(), Unsaved::Use);
        assert!(sessions.end(&digest).unwrap().is_saved);
        assert_eq!(sessions.unsaved(), Unsaved::Session);
    }
}
