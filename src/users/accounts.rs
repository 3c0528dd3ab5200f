//! The running server's view of the users: may this name with this password come in?

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use log::{error, info, warn};

use super::file::{Record, UserFile};
use super::password::{PasswordHash, ROUNDS};
use super::remembered::{Remembered, TagKey};
use super::store::{self, Stamp};
use super::{Role, UsersError};

/// How many may wait for the one hash that runs. Enough for all that a page opens at once: they
/// have the same password, and the first one's hash serves them all.
const WAITING: u32 = 16;

/// A user who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// Why somebody may not come in. For the log; the client is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No such user.
    UnknownUser,
    /// The user's line in the file is malformed; the log named it when the file was read.
    MalformedRecord,
    /// Not the user's password.
    WrongPassword,
    /// Too many passwords are being checked already; nothing was checked.
    Busy,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownUser => "no such user",
            Self::MalformedRecord => "the user's line in the file is malformed",
            Self::WrongPassword => "wrong password",
            Self::Busy => "too many passwords are being checked already",
        })
    }
}

/// The users, followed as the file changes.
///
/// Each lock is taken for a look at a map and no longer: none is held while the file is read or a
/// line is logged. Only `hashing` is held for long, for that is what it is for.
pub struct Accounts {
    path: PathBuf,
    seen: Mutex<Seen>,
    tag_key: TagKey,
    remembered: Mutex<Remembered>,
    hashing: Mutex<()>,
    waiting: AtomicU32,
}

/// The file as it was last read.
#[derive(Default)]
struct Seen {
    outcome: Option<Outcome>,
    users: Arc<Users>,
}

/// How the last reading went; a change of it is news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// `None`: there was no file.
    Read(Option<Stamp>),
    /// Tried again each time: what failed (too many open files, say) may pass without the file
    /// changing.
    Failed(io::ErrorKind),
}

type Reading = Result<(UserFile, Option<Stamp>), UsersError>;

struct Users {
    by_name: HashMap<String, Record>,
    /// Names that have a malformed line and no good one.
    malformed: HashSet<String>,
    /// What any wrong password costs: the most that one of the records takes.
    rounds: u32,
}

impl Accounts {
    /// The users of a file, which need not exist yet.
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: Mutex::default(),
            tag_key: TagKey::random(),
            remembered: Mutex::default(),
            hashing: Mutex::new(()),
            waiting: AtomicU32::new(0),
        }
    }

    /// Checks a name and password. Slow (one PBKDF2) unless the same sign-in worked lately.
    ///
    /// # Errors
    /// See [`Denied`]. An unknown user and a wrong password cost the same.
    pub fn authenticate(&self, name: &str, password: &str) -> Result<Identity, Denied> {
        let users = self.users();
        let Some(record) = users.by_name.get(name) else {
            self.alone(|| PasswordHash::of_nobody().verify(password, users.rounds))?;
            let is_malformed = users.malformed.contains(name);
            return Err(if is_malformed { Denied::MalformedRecord } else { Denied::UnknownUser });
        };
        let tag = self.tag_key.tag(record, password);
        let is_remembered = || tag.is_some_and(|tag| lock(&self.remembered).knows(&tag, Instant::now()));
        // Looked up again in the queue's turn: whoever was there before may have had it hashed.
        let check = || {
            let is_right = is_remembered() || record.hash.verify(password, users.rounds);
            if let (true, Some(tag)) = (is_right, tag) {
                lock(&self.remembered).remember(tag, Instant::now());
            }
            is_right
        };
        if !is_remembered() && !self.alone(check)? {
            return Err(Denied::WrongPassword);
        }
        Ok(Identity { name: record.name.clone(), role: record.role })
    }

    /// Whether nobody can sign in.
    pub fn is_empty(&self) -> bool {
        self.users().by_name.is_empty()
    }

    /// How many users can sign in.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.users().by_name.len()
    }

    /// The users as of now: a `stat` each time, a read when the file changed.
    ///
    /// A file that is gone has no users. One that cannot be read has none either: it may hold the
    /// very edit that took somebody's access away, and a door that stays shut is noticed at once,
    /// one that stays open is not.
    fn users(&self) -> Arc<Users> {
        let (users, news) = self.look();
        if let Some(news) = news {
            self.tell(&news);
        }
        users
    }

    /// The users as of now, and what a reading found where the log has not heard of it yet.
    fn look(&self) -> (Arc<Users>, Option<Reading>) {
        if let Some(users) = self.seen_at(Stamp::of(&self.path)) {
            return (users, None);
        }
        let read = store::read(&self.path);
        let outcome = match &read {
            // The stamp of what was read: the file may have changed since it was looked at.
            Ok((_, stamp)) => Outcome::Read(*stamp),
            Err(UsersError::Read(_, error)) => Outcome::Failed(error.kind()),
            Err(_) => Outcome::Failed(io::ErrorKind::Other),
        };
        let users = Arc::new(read.as_ref().map(|(file, _)| Users::of(file)).unwrap_or_default());
        let fresh = Seen { outcome: Some(outcome), users: Arc::clone(&users) };
        // Of two readers the later one's stays; were it the older, its stamp would not fit the
        // file, and the next look would read again.
        let before = std::mem::replace(&mut *lock(&self.seen), fresh);
        let is_news = before.outcome.unwrap_or(Outcome::Read(None)) != outcome;
        (users, is_news.then_some(read))
    }

    fn seen_at(&self, stamp: Option<Stamp>) -> Option<Arc<Users>> {
        let seen = lock(&self.seen);
        (seen.outcome == Some(Outcome::Read(stamp))).then(|| Arc::clone(&seen.users))
    }

    /// Logs what a reading found.
    fn tell(&self, read: &Reading) {
        let path = self.path.display();
        match read {
            Ok((file, _)) => {
                for bad in file.bad_lines() {
                    warn!("{path}: line {}: {}; this line lets nobody in", bad.number, bad.why);
                }
                info!("{path}: {} can sign in", file.users().count());
            }
            Err(error) => error!("{error}; nobody can sign in"),
        }
    }

    /// Runs a hash while no other runs: one is all that a small board can give without its
    /// streams suffering. The lock is held for that long on purpose.
    fn alone<T>(&self, hash: impl FnOnce() -> T) -> Result<T, Denied> {
        let _place = Place::take(&self.waiting).ok_or(Denied::Busy)?;
        let _alone = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(hash())
    }
}

impl Users {
    fn of(file: &UserFile) -> Self {
        let by_name: HashMap<_, _> =
            file.users().map(|record| (record.name.clone(), record.clone())).collect();
        let malformed = file.bad_lines().filter_map(|bad| bad.name.clone());
        let malformed = malformed.filter(|name| !by_name.contains_key(name)).collect();
        let rounds = by_name.values().map(|record| record.hash.rounds()).fold(ROUNDS, u32::max);
        Self { by_name, malformed, rounds }
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::of(&UserFile::default())
    }
}

/// A place in the queue for the one hash, given back when dropped.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicU32) -> Option<Self> {
        // Relaxed: the count bounds the queue; the lock behind it orders the work.
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            // The one that runs has a place too.
            (waiting <= WAITING).then_some(waiting + 1)
        });
        // Made only when taken: dropping one gives a place back.
        taken.is_ok().then(|| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Each of these locks guards a map that is whole after every operation.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
