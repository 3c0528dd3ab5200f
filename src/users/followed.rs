//! The user file as the running server sees it: read again when it changed.
//!
//! The file is checked at every sign-in with one `stat`. There is no watcher thread, and a removed user is
//! rejected at once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use log::{error, info, warn};

use super::UsersError;
use super::audit;
use super::file::UserFile;
use super::index::UserIndex;
use super::store::{self, FileStamp};
use crate::base::lock;

/// A user file that is checked for changes at each use.
pub struct Followed {
    path: PathBuf,
    last_read: Mutex<LastRead>,
}

/// The file as it was last read.
#[derive(Default)]
struct LastRead {
    outcome: Option<Outcome>,
    users: Arc<UserIndex>,
}

/// How the last reading went; a change of it is logged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// `None`: there was no file.
    Read(Option<FileStamp>),
    /// Tried again each time: what failed (too many open files, say) may pass without the file
    /// changing.
    Failed(io::ErrorKind),
}

/// What a reading found that is not in the log yet.
struct Change {
    read: Result<(UserFile, Option<FileStamp>), UsersError>,
    /// The users before; `None` with the first reading.
    before: Option<Arc<UserIndex>>,
    after: Arc<UserIndex>,
}

impl Followed {
    /// The users of a file, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), last_read: Mutex::default() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The users as of now: a `stat` each time, a read when the file changed.
    ///
    /// A file that is gone has no users. One that cannot be read has none either: it may hold the
    /// very edit that took somebody's access away. Access that is refused by mistake is noticed at once; access that
    /// is granted by mistake is not.
    pub fn users(&self) -> Arc<UserIndex> {
        let (users, change) = self.look();
        if let Some(change) = change {
            self.log(&change);
        }
        users
    }

    /// The users as of now, and what a reading found where that is not in the log yet.
    fn look(&self) -> (Arc<UserIndex>, Option<Change>) {
        if let Some(users) = self.users_at(FileStamp::of(&self.path)) {
            return (users, None);
        }
        let read = store::read(&self.path).and_then(|(file, stamp)| {
            let checked = stamp.map_or(Ok(()), |stamp| stamp.check_owner());
            checked.map(|()| (file, stamp)).map_err(|error| UsersError::Read(self.path.clone(), error))
        });
        let outcome = match &read {
            // The stamp of what was read: the file may have changed since it was looked at.
            Ok((_, stamp)) => Outcome::Read(*stamp),
            Err(UsersError::Read(_, error)) => Outcome::Failed(error.kind()),
            Err(_) => Outcome::Failed(io::ErrorKind::Other),
        };
        let users = Arc::new(read.as_ref().map(|(file, _)| UserIndex::of(file)).unwrap_or_default());
        let fresh = LastRead { outcome: Some(outcome), users: Arc::clone(&users) };
        // Of two readers the later one's stays; were it the older, its stamp would not fit the
        // file, and the next look would read again.
        let before = std::mem::replace(&mut *self.lock(), fresh);
        let is_change = before.outcome.unwrap_or(Outcome::Read(None)) != outcome;
        let before = before.outcome.map(|_| before.users);
        let after = Arc::clone(&users);
        (users, is_change.then_some(Change { read, before, after }))
    }

    fn users_at(&self, stamp: Option<FileStamp>) -> Option<Arc<UserIndex>> {
        let last = self.lock();
        (last.outcome == Some(Outcome::Read(stamp))).then(|| Arc::clone(&last.users))
    }

    /// Logs what a reading found.
    fn log(&self, change: &Change) {
        let path = self.path.display();
        match &change.read {
            Ok((file, stamp)) => {
                if stamp.is_some_and(|stamp| stamp.is_open_to_all()) {
                    warn!("{path}: every user of this machine may read it; `chmod 600 {path}`");
                }
                let orphans: Vec<_> = file.orphans().map(|(line, _)| line).collect();
                for bad in file.bad_lines().chain(&orphans) {
                    warn!("{path}: line {}: {}; this line is ignored", bad.number, bad.why);
                }
                info!("{path}: {} can sign in", file.users().count());
            }
            Err(error) => error!("{error}; nobody can sign in"),
        }
        if let Some(before) = &change.before {
            audit::file_changed(&self.path, before, &change.after);
        }
    }

    /// The lock guards plain values and is held only to copy or replace them.
    fn lock(&self) -> MutexGuard<'_, LastRead> {
        lock(&self.last_read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
        // The kernel's clock for files stands still for some milliseconds: until a new file has another time.
        let other = path.with_extension("other");
        let changed = |path: &std::path::Path| {
            let found = fs::metadata(path).unwrap();
            (found.ctime(), found.ctime_nsec())
        };
        while {
            fs::write(&other, "").unwrap();
            changed(&other) == changed(&path)
        } {}
        fs::write(&path, line("eve").replace("eve", "#ve")).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(count(&followed), 0);
    }

    #[test]
    fn an_unchanged_file_is_not_read_again() {
        let (_folder, path, followed) = followed();
        let users = followed.users();
        assert!(Arc::ptr_eq(&users, &followed.users()));
        fs::write(&path, line("adam")).unwrap();
        assert!(!Arc::ptr_eq(&users, &followed.users()));
    }

    #[test]
    fn an_unreadable_file_admits_nobody_and_is_tried_again() {
        let (_folder, path, followed) = followed();
        assert_eq!(count(&followed), 1);
        // A folder in the file's place: not even root can read it.
        fs::rename(&path, path.with_extension("away")).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(count(&followed), 0);
        assert!(followed.lock().outcome == Some(Outcome::Failed(io::ErrorKind::InvalidInput)));
        // What failed is not taken for what is there, even where the stamp stays the same.
        assert!(followed.users_at(FileStamp::of(&path)).is_none());
        fs::remove_dir(&path).unwrap();
        fs::rename(path.with_extension("away"), &path).unwrap();
        assert_eq!(count(&followed), 1);
    }

    #[test]
    fn a_file_that_others_may_write_admits_nobody() {
        let (_folder, path, followed) = followed();
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for (mode, users) in [(0o644, 1), (0o664, 0), (0o640, 1), (0o602, 0), (0o611, 1), (0o600, 1)] {
            set_mode(mode);
            assert_eq!(count(&followed), users, "mode {mode:o}");
        }
        assert!(!FileStamp::of(&path).unwrap().is_open_to_all());
        set_mode(0o611);
        assert!(!FileStamp::of(&path).unwrap().is_open_to_all());
        set_mode(0o644);
        assert!(FileStamp::of(&path).unwrap().is_open_to_all());
    }

    #[test]
    fn a_file_of_another_user_admits_nobody() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("not run: only root makes files of other users");
        }
        let (_folder, path, followed) = followed();
        std::os::unix::fs::chown(&path, Some(54_321), None).unwrap();
        assert_eq!(count(&followed), 0);
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        assert_eq!(count(&followed), 1);
    }

    #[test]
    fn each_state_of_the_file_is_logged_once() {
        let (_folder, path, followed) = followed();
        fs::write(&path, line("eve") + "bad\n").unwrap();
        let is_logged = || followed.look().1.is_some();
        assert_eq!([is_logged(), is_logged()], [true, false], "a malformed line");
        fs::remove_file(&path).unwrap();
        assert_eq!([is_logged(), is_logged()], [true, false], "no file");
        fs::create_dir(&path).unwrap();
        assert_eq!([is_logged(), is_logged()], [true, false], "no readable file");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, line("eve")).unwrap();
        assert_eq!([is_logged(), is_logged()], [true, false], "a good file");
    }
}
