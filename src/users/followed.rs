//! The user file as the running server sees it: read anew when it changed.
//!
//! The file is checked at every sign-in with one `stat`. There is no watcher thread, and a removed user is
//! rejected at once.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use log::{error, info, warn};

use super::UsersError;
use super::audit;
use super::file::{Record, TokenRecord, UserFile};
use super::password::ROUNDS;
use super::secret::Digest;
use super::store::{self, Stamp};
use crate::base::lock;

/// A user file that is looked at whenever somebody asks.
pub struct Followed {
    path: PathBuf,
    seen: Mutex<Seen>,
}

/// The users and tokens of one reading.
pub struct Users {
    by_name: HashMap<String, Arc<Record>>,
    tokens: HashMap<Digest, Arc<TokenRecord>>,
    /// The tokens that let nobody in because their user is gone.
    orphans: HashSet<Digest>,
    /// Names that have a malformed line and no good one.
    malformed: HashSet<String>,
    /// What any wrong password costs: the most that one of the records takes.
    rounds: u32,
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

/// What a reading found that the log has not heard of yet.
struct News {
    read: Result<(UserFile, Option<Stamp>), UsersError>,
    /// The users before; `None` with the first reading.
    before: Option<Arc<Users>>,
    after: Arc<Users>,
}

impl Followed {
    /// The users of a file, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: Mutex::default() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The users as of now: a `stat` each time, a read when the file changed.
    ///
    /// A file that is gone has no users. One that cannot be read has none either: it may hold the
    /// very edit that took somebody's access away, and a door that stays shut is noticed at once,
    /// one that stays open is not.
    pub fn users(&self) -> Arc<Users> {
        let (users, news) = self.look();
        if let Some(news) = news {
            self.tell(&news);
        }
        users
    }

    /// The users as of now, and what a reading found where the log has not heard of it yet.
    fn look(&self) -> (Arc<Users>, Option<News>) {
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
        let before = std::mem::replace(&mut *self.lock(), fresh);
        let is_news = before.outcome.unwrap_or(Outcome::Read(None)) != outcome;
        let before = before.outcome.map(|_| before.users);
        let after = Arc::clone(&users);
        (users, is_news.then_some(News { read, before, after }))
    }

    fn seen_at(&self, stamp: Option<Stamp>) -> Option<Arc<Users>> {
        let seen = self.lock();
        (seen.outcome == Some(Outcome::Read(stamp))).then(|| Arc::clone(&seen.users))
    }

    /// Logs what a reading found.
    fn tell(&self, news: &News) {
        let path = self.path.display();
        match &news.read {
            Ok((file, stamp)) => {
                if stamp.is_some_and(|stamp| stamp.is_open_to_all()) {
                    warn!("{path}: every user of this machine may read it; `chmod 600 {path}`");
                }
                let orphans: Vec<_> = file.orphans().map(|(line, _)| line).collect();
                for bad in file.bad_lines().chain(&orphans) {
                    warn!("{path}: line {}: {}; this line lets nobody in", bad.number, bad.why);
                }
                info!("{path}: {} can sign in", file.users().count());
            }
            Err(error) => error!("{error}; nobody can sign in"),
        }
        if let Some(before) = &news.before {
            audit::file_changed(&self.path, before, &news.after);
        }
    }

    /// The lock guards plain values and is held only to copy or replace them.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Users {
    fn of(file: &UserFile) -> Self {
        let by_name: HashMap<_, _> =
            file.users().map(|record| (record.name.clone(), Arc::new(record.clone()))).collect();
        let malformed = file.bad_lines().filter_map(|bad| bad.name.clone());
        let malformed = malformed.filter(|name| !by_name.contains_key(name)).collect();
        let rounds = by_name.values().map(|record| record.hash.rounds()).fold(ROUNDS, u32::max);
        let live = file.tokens().filter(|token| file.is_live(token));
        let tokens = live.map(|token| (token.digest, Arc::new(token.clone()))).collect();
        let orphans = file.orphans().map(|(_, token)| token.digest).collect();
        Self { by_name, tokens, orphans, malformed, rounds }
    }

    /// The user of a name.
    pub fn find(&self, name: &str) -> Option<&Arc<Record>> {
        self.by_name.get(name)
    }

    /// Whether the token of a digest is there and lets nobody in, because its user is gone.
    pub fn is_orphan(&self, token: &Digest) -> bool {
        self.orphans.contains(token)
    }

    /// The token of a digest.
    pub fn find_token(&self, digest: &Digest) -> Option<&Arc<TokenRecord>> {
        self.tokens.get(digest)
    }

    /// Whether a user's line is still the same.
    pub fn has(&self, record: &Record) -> bool {
        self.find(&record.name).is_some_and(|now| **now == *record)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.by_name.values()
    }

    /// All tokens that let somebody in, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<TokenRecord>> {
        self.tokens.values()
    }

    /// Whether the name has a malformed line and no good one.
    pub fn is_malformed(&self, name: &str) -> bool {
        self.malformed.contains(name)
    }

    /// What any wrong password costs, in rounds.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::of(&UserFile::default())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::users::password::PasswordHash;

    fn followed() -> (tempfile::TempDir, PathBuf, Followed) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, line("eve")).unwrap();
        let followed = Followed::new(&path);
        (folder, path, followed)
    }

    fn line(name: &str) -> String {
        format!("{name}:admin:{}\n", PasswordHash::of_nobody())
    }

    fn count(followed: &Followed) -> usize {
        followed.users().all().count()
    }

    #[test]
    fn a_change_that_keeps_size_and_modification_time_is_noticed() {
        let (_folder, path, followed) = followed();
        assert_eq!(count(&followed), 1);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        // The kernel's clock for files stands still for some milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs::write(&path, line("eve").replace("eve", "#ve")).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(count(&followed), 0);
    }

    #[test]
    fn a_file_that_cannot_be_read_lets_nobody_in_and_is_tried_again() {
        let (_folder, path, followed) = followed();
        assert_eq!(count(&followed), 1);
        // A folder in the file's place: not even root can read it.
        fs::rename(&path, path.with_extension("away")).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(count(&followed), 0);
        assert!(followed.lock().outcome == Some(Outcome::Failed(io::ErrorKind::InvalidInput)));
        // What failed is not taken for what is there, even where the stamp stays the same.
        assert!(followed.seen_at(Stamp::of(&path)).is_none());
        fs::remove_dir(&path).unwrap();
        fs::rename(path.with_extension("away"), &path).unwrap();
        assert_eq!(count(&followed), 1);
    }

    #[test]
    fn a_file_that_others_may_write_lets_nobody_in_until_that_is_mended() {
        let (_folder, path, followed) = followed();
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for (mode, users) in [(0o644, 1), (0o664, 0), (0o640, 1), (0o602, 0), (0o600, 1)] {
            set_mode(mode);
            assert_eq!(count(&followed), users, "mode {mode:o}");
        }
        assert!(!Stamp::of(&path).unwrap().is_open_to_all());
        set_mode(0o644);
        assert!(Stamp::of(&path).unwrap().is_open_to_all());
    }

    #[test]
    fn the_log_hears_of_each_state_of_the_file_once() {
        let (_folder, path, followed) = followed();
        fs::write(&path, line("eve") + "bad\n").unwrap();
        let is_news = || followed.look().1.is_some();
        assert_eq!([is_news(), is_news()], [true, false], "a malformed line");
        fs::remove_file(&path).unwrap();
        assert_eq!([is_news(), is_news()], [true, false], "no file");
        fs::create_dir(&path).unwrap();
        assert_eq!([is_news(), is_news()], [true, false], "no readable file");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, line("eve")).unwrap();
        assert_eq!([is_news(), is_news()], [true, false], "a good file");
    }
}
