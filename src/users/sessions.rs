//! Sessions: what a login leaves behind, so that no later request needs the password. They live
//! in memory only; a restart signs everybody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::file::Record;
use super::secret::{Digest, new_secret};

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
    open: Mutex<HashMap<Digest, Session>>,
}

struct Session {
    /// The user's line when the session began; any change of it ends the session.
    record: Arc<Record>,
    address: IpAddr,
    began: Instant,
    used: Instant,
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
        open.retain(|_, session| session.left(&self.limits, now).is_some());
        let of_user = |session: &Session| session.record.name == record.name;
        if open.values().filter(|session| of_user(session)).count() >= MOST_OF_ONE_USER {
            drop_longest_unused(&mut open, of_user);
        } else if open.len() >= MOST {
            drop_longest_unused(&mut open, |_| true);
        }
        open.insert(digest, Session { record, address, began: now, used: now });
        Ok(secret)
    }

    /// The user's line of a live session, which is used by that.
    pub fn touch(&self, digest: &Digest, now: Instant) -> Option<Arc<Record>> {
        let mut open = self.lock();
        let session = open.get_mut(digest)?;
        if session.left(&self.limits, now).is_none() {
            open.remove(digest);
            return None;
        }
        session.used = now;
        Some(Arc::clone(&session.record))
    }

    /// Ends a session; whether there was one.
    pub fn end(&self, digest: &Digest) -> bool {
        self.lock().remove(digest).is_some()
    }

    /// Ends the session of an id, if it is one that `may` be ended; the user's name.
    pub fn end_by_id(&self, id: &str, may: impl Fn(&str) -> bool) -> Option<String> {
        let mut open = self.lock();
        let found = open.iter().find(|(digest, session)| digest.id() == id && may(&session.record.name));
        let digest = *found?.0;
        open.remove(&digest).map(|session| session.record.name.clone())
    }

    /// Ends those whose user's line is not what it was when they began.
    pub fn keep(&self, is_current: impl Fn(&Record) -> bool) {
        self.lock().retain(|_, session| is_current(&session.record));
    }

    /// The live ones, youngest first.
    pub fn list(&self, now: Instant) -> Vec<SessionInfo> {
        let open = self.lock();
        let info = |(digest, session): (&Digest, &Session)| {
            Some(SessionInfo {
                id: digest.id(),
                user: session.record.name.clone(),
                address: session.address,
                age: now.saturating_duration_since(session.began),
                idle: now.saturating_duration_since(session.used),
                left: session.left(&self.limits, now)?,
            })
        };
        let mut list: Vec<_> = open.iter().filter_map(info).collect();
        drop(open);
        list.sort_by(|a, b| a.age.cmp(&b.age).then_with(|| a.id.cmp(&b.id)));
        list
    }

    /// The map is whole after every operation on it.
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn left(&self, limits: &SessionLimits, now: Instant) -> Option<Duration> {
        let idle = limits.idle.checked_sub(now.saturating_duration_since(self.used))?;
        let max = limits.max.checked_sub(now.saturating_duration_since(self.began))?;
        let left = idle.min(max);
        (!left.is_zero()).then_some(left)
    }
}

fn drop_longest_unused(open: &mut HashMap<Digest, Session>, among: impl Fn(&Session) -> bool) {
    let candidates = open.iter().filter(|(_, session)| among(session));
    if let Some(digest) = candidates.min_by_key(|(_, session)| session.used).map(|(digest, _)| *digest) {
        open.remove(&digest);
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
        assert_eq!(sessions.end_by_id(&id, |user| user == "eve").as_deref(), Some("eve"));
        assert!(sessions.touch(&digest, now).is_none());
    }

    #[test]
    fn a_changed_line_ends_its_sessions_only() {
        let (sessions, now) = (Sessions::new(LIMITS), Instant::now());
        let (eve, adam) = (begin(&sessions, "eve", now), begin(&sessions, "adam", now));
        sessions.keep(|record| record.name != "eve");
        assert!(sessions.touch(&eve, now).is_none() && sessions.touch(&adam, now).is_some());
    }
}
