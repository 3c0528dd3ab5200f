//! The running server's view of the users: may this name with this password come in?

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use log::{error, info, warn};
use sha2::Sha256;

use super::Role;
use super::file::{Record, UserFile};
use super::password::PasswordHash;

/// Sign-ins remembered; more than a household has clients.
const REMEMBERED: usize = 64;

/// A sign-in is forgotten when it was not used for this long.
const FORGET_AFTER: Duration = Duration::from_secs(600);

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
    /// Not the user's password.
    WrongPassword,
    /// Too many passwords are being checked already; nothing was checked.
    Busy,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownUser => "no such user",
            Self::WrongPassword => "wrong password",
            Self::Busy => "too many passwords are being checked already",
        })
    }
}

/// The users, followed as the file changes.
pub struct Accounts {
    path: PathBuf,
    seen: Mutex<Seen>,
    remembered: Mutex<Remembered>,
    hashing: Mutex<()>,
    waiting: AtomicU32,
}

/// The file as it was last read.
#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    users: Arc<HashMap<String, Record>>,
}

/// Changes whenever the file does: modification time, its nanoseconds, size, inode.
type Stamp = (i64, i64, u64, u64);

impl Accounts {
    /// The users of a file, which need not exist yet.
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: Mutex::default(),
            remembered: Mutex::new(Remembered::new()),
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
        let Some(record) = users.get(name) else {
            self.alone(|| PasswordHash::of_nobody().verify(password))?;
            return Err(Denied::UnknownUser);
        };
        let tag = lock(&self.remembered).tag(record, password);
        let is_remembered = || lock(&self.remembered).knows(&tag, Instant::now());
        // Looked up again in the queue's turn: whoever was there before may have had it hashed.
        let check = || {
            let is_right = is_remembered() || record.hash.verify(password);
            if is_right {
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
        self.users().is_empty()
    }

    /// How many users can sign in.
    pub fn count(&self) -> usize {
        self.users().len()
    }

    /// The users as of now: a `stat` each time, a read when the file changed.
    ///
    /// A file that is gone has no users; one that cannot be read has none either, for it may be
    /// the very edit that took somebody's access away.
    fn users(&self) -> Arc<HashMap<String, Record>> {
        let stamp = fs::metadata(&self.path)
            .ok()
            .map(|file| (file.mtime(), file.mtime_nsec(), file.size(), file.ino()));
        {
            let seen = lock(&self.seen);
            if seen.stamp == stamp {
                return Arc::clone(&seen.users);
            }
        }
        // Read without the lock; of two readers the later one's stamp stays, and a stale stamp
        // only means one more reading.
        let users = Arc::new(self.read());
        let mut seen = lock(&self.seen);
        *seen = Seen { stamp, users: Arc::clone(&users) };
        users
    }

    fn read(&self) -> HashMap<String, Record> {
        match UserFile::read(&self.path) {
            Ok((file, bad)) => {
                for line in &bad {
                    warn!(
                        "{}: line {}: {}; this user cannot sign in",
                        self.path.display(),
                        line.number,
                        line.why
                    );
                }
                let users: HashMap<_, _> =
                    file.users().map(|record| (record.name.clone(), record.clone())).collect();
                info!("{}: {} can sign in", self.path.display(), users.len());
                users
            }
            Err(error) => {
                error!("{error}; nobody can sign in");
                HashMap::new()
            }
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

/// What a sign-in leaves behind: a keyed digest of name, password and record, so that neither
/// can be read back and any change of the record makes it worthless.
type Tag = [u8; 32];

/// Sign-ins that worked lately.
struct Remembered {
    /// Random, of this process: digests are of no use outside it.
    key: Option<[u8; 32]>,
    used: HashMap<Tag, Instant>,
}

impl Remembered {
    fn new() -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).ok().map(|()| key);
        Self { key, used: HashMap::new() }
    }

    fn tag(&self, record: &Record, password: &str) -> Tag {
        // Without a random key nothing is remembered, so what the key is does not matter.
        let key = self.key.unwrap_or_default();
        let mut digest = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        for part in [record.name.as_str(), password, &record.hash.to_string()] {
            // The length first: no two lists of parts are fed alike.
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        digest.finalize().into_bytes().into()
    }

    fn knows(&mut self, tag: &Tag, now: Instant) -> bool {
        match self.used.get_mut(tag) {
            Some(used) if now.duration_since(*used) < FORGET_AFTER => {
                *used = now;
                true
            }
            _ => false,
        }
    }

    fn remember(&mut self, tag: Tag, now: Instant) {
        if self.key.is_none() {
            return;
        }
        self.used.retain(|_, used| now.duration_since(*used) < FORGET_AFTER);
        if self.used.len() >= REMEMBERED {
            let oldest = self.used.iter().min_by_key(|(_, used)| **used).map(|(tag, _)| *tag);
            oldest.map(|tag| self.used.remove(&tag));
        }
        self.used.insert(tag, now);
    }
}

/// Each of these locks guards a map that is whole after every operation.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::{add, change};

    fn accounts() -> (tempfile::TempDir, PathBuf, Accounts) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        add(&path, "eve", None, "secret").unwrap();
        let accounts = Accounts::open(&path);
        (folder, path, accounts)
    }

    fn record(name: &str) -> Record {
        Record { name: name.to_owned(), role: Role::Viewer, hash: PasswordHash::of_nobody() }
    }

    #[test]
    fn the_right_password_comes_in_and_the_rest_is_told_apart() {
        let (_folder, _path, accounts) = accounts();
        assert_eq!(accounts.authenticate("eve", "secret").unwrap().role, Role::Admin);
        assert_eq!(accounts.authenticate("eve", "Secret"), Err(Denied::WrongPassword));
        assert_eq!(accounts.authenticate("adam", "secret"), Err(Denied::UnknownUser));
        assert_eq!(
            accounts.authenticate("eve", "Secret"),
            Err(Denied::WrongPassword),
            "a wrong one must not be remembered"
        );
    }

    #[test]
    fn a_repeated_sign_in_needs_no_hash_until_the_record_changes() {
        let (_folder, path, accounts) = accounts();
        accounts.authenticate("eve", "secret").unwrap();
        {
            let _hashing = accounts.hashing.lock().unwrap();
            // Would wait forever if it needed the hash.
            assert!(accounts.authenticate("eve", "secret").is_ok());
        }
        change(&path, "eve", None, Some("other")).unwrap();
        assert_eq!(accounts.authenticate("eve", "secret"), Err(Denied::WrongPassword));
        assert!(accounts.authenticate("eve", "other").is_ok());
    }

    #[test]
    fn one_hash_serves_all_who_come_at_once_with_the_same_password() {
        let (_folder, _path, accounts) = accounts();
        let hashing = accounts.hashing.lock().unwrap();
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                (0..WAITING).map(|_| scope.spawn(|| accounts.authenticate("eve", "secret"))).collect();
            while accounts.waiting.load(Ordering::Relaxed) < WAITING {
                std::thread::yield_now();
            }
            drop(hashing);
            assert!(waiting.into_iter().all(|one| one.join().unwrap().is_ok()));
        });
    }

    #[test]
    fn a_file_that_goes_takes_everybody_with_it() {
        let (_folder, path, accounts) = accounts();
        assert!(accounts.authenticate("eve", "secret").is_ok());
        fs::remove_file(&path).unwrap();
        assert_eq!(accounts.authenticate("eve", "secret"), Err(Denied::UnknownUser));
        assert!(accounts.is_empty());
    }

    #[test]
    fn the_queue_for_the_hash_is_bounded() {
        let waiting = AtomicU32::new(0);
        let places: Vec<_> = (0..=WAITING).filter_map(|_| Place::take(&waiting)).collect();
        assert_eq!(places.len() as u32, WAITING + 1);
        assert!(Place::take(&waiting).is_none());
        drop(places);
        assert!(Place::take(&waiting).is_some());
    }

    #[test]
    fn sign_ins_are_forgotten_by_time_and_by_number() {
        let mut remembered = Remembered::new();
        let start = Instant::now();
        let tag = |number: usize| remembered_tag(number);
        remembered.remember(tag(0), start);
        assert!(remembered.knows(&tag(0), start + FORGET_AFTER / 2));
        assert!(!remembered.knows(&tag(0), start + FORGET_AFTER * 2));
        for number in 1..=REMEMBERED + 1 {
            remembered.remember(tag(number), start + Duration::from_secs(number as u64));
        }
        assert!(remembered.used.len() <= REMEMBERED);
        assert!(!remembered.knows(&tag(1), start + Duration::from_secs(70)), "the oldest goes first");
        assert!(remembered.knows(&tag(REMEMBERED + 1), start + Duration::from_secs(70)));
    }

    fn remembered_tag(number: usize) -> Tag {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&(number as u64).to_le_bytes());
        tag
    }

    #[test]
    fn tags_depend_on_each_part() {
        let remembered = Remembered::new();
        let tag = remembered.tag(&record("ab"), "c");
        assert_ne!(tag, remembered.tag(&record("a"), "bc"));
        assert_ne!(tag, Remembered::new().tag(&record("ab"), "c"), "the key is of one process");
    }
}
