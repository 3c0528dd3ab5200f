//! The file that carries sessions over a restart. It holds digests, by which nobody can sign in. A user who can write it
//! could sign in as anybody, as with the user file beside it.
//!
//! How long a session has lasted is counted with monotonic clocks, which begin anew with each boot, and
//! the wall clock of a board may be wrong. The file therefore holds ages, and when it was written by
//! three clocks: see [`Moment::since`].
//!
//! Within one boot the kernel's clock shows how long the server was off. Over a reboot the wall clock does, if it
//! was set (2026 or later) both times and did not go back; otherwise the time off is not counted. A board that
//! learns the date within an hour of its start adds the time then. Only a wall clock that is wrongly set to the
//! future at a boot ends sessions early.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::secret::Digest;
use crate::base::{clock, disk};

/// The file's name, beside the user file.
const NAME: &str = "sessions";

/// Largest file read, in bytes: several times what is ever written.
const MAX_BYTES: u64 = 512 * 1024;

/// A wall clock that shows an earlier time (before 2026) has not been set since the board started.
const EARLIEST_S: u64 = 1_767_225_600;

const HEAD: &str =
    "# Sessions of Defender: digests, no secrets. Without this file everybody signs in anew.\n";

/// Where sessions are kept while the server does not run.
pub struct SessionFile {
    path: PathBuf,
    boot: String,
}

/// A session as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSession {
    /// Of its secret.
    pub digest: Digest,
    /// Of its user's line; any change of that ends the session.
    pub record: Digest,
    /// Where the login came from.
    pub address: IpAddr,
    /// Since the login.
    pub age: Duration,
    /// Since it was last used.
    pub idle: Duration,
}

/// A moment by the clocks of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Another with each start of the kernel.
    boot: String,
    /// Since that start.
    running_s: u64,
    /// Since 1970, by the wall clock.
    wall_s: u64,
}

impl SessionFile {
    /// The file beside a user file. To be called before the process is confined to its own files.
    pub fn beside(users: &Path) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { path: sessions_file(users), boot: boot.trim().to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        Moment {
            boot: self.boot.clone(),
            running_s: clock::since_boot().as_secs(),
            wall_s: clock::since_epoch().as_secs(),
        }
    }

    /// The sessions, and when they were written; none of a file that is not there.
    ///
    /// # Errors
    /// When it cannot be read, or others than its owner may write it.
    pub fn read(&self) -> io::Result<Option<(Moment, Vec<SavedSession>)>> {
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        disk::check_own(&file)?;
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok(parse(&text))
    }

    /// Puts sessions in the place of those in the file, so that they survive a power cut.
    ///
    /// # Errors
    /// Why the file is as it was.
    pub fn write(&self, sessions: &[SavedSession]) -> io::Result<()> {
        disk::replace(&self.path, to_text(&self.now(), sessions).as_bytes(), 0o600)?;
        disk::sync_folder(&self.path)
    }

    /// Forgets all sessions.
    ///
    /// # Errors
    /// Why the file is still there.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| disk::sync_folder(&self.path)),
        }
    }
}

/// Where the file of sessions is, beside a user file.
pub fn sessions_file(users: &Path) -> PathBuf {
    match users.file_name() {
        Some(name) if name == NAME => disk::beside(users, NAME),
        _ => users.with_file_name(NAME),
    }
}

impl Moment {
    /// How much time passed since an earlier moment; `None` where that cannot be known.
    ///
    /// While the kernel runs on, its own clock says so. Over a reboot only the wall clock can, if it was set at both
    /// moments and did not go back.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        if self.boot == earlier.boot && !self.boot.is_empty() {
            return Some(Duration::from_secs(self.running_s.saturating_sub(earlier.running_s)));
        }
        let was_set = self.wall_s >= EARLIEST_S && earlier.wall_s >= EARLIEST_S;
        let passed_s = self.wall_s.checked_sub(earlier.wall_s);
        passed_s.filter(|_| was_set).map(Duration::from_secs)
    }

    /// Whether the kernel started anew since an earlier moment.
    pub fn is_of_another_boot(&self, earlier: &Self) -> bool {
        self.boot != earlier.boot || self.boot.is_empty()
    }
}

fn to_text(now: &Moment, sessions: &[SavedSession]) -> String {
    let Moment { boot, running_s, wall_s } = now;
    let boot = if boot.is_empty() { "-" } else { boot };
    let mut text = format!("{HEAD}saved {boot} {running_s} {wall_s}\n");
    for SavedSession { digest, record, address, age, idle } in sessions {
        text += &format!("{digest} {record} {address} {} {}\n", age.as_secs(), idle.as_secs());
    }
    text
}

/// What is in a file; lines that are not understood are left out.
fn parse(text: &str) -> Option<(Moment, Vec<SavedSession>)> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields: Vec<&str> = lines.next()?.split(' ').collect();
    let ["saved", boot, running_s, wall_s] = fields[..] else { return None };
    let boot = if boot == "-" { "" } else { boot };
    let saved =
        Moment { boot: boot.to_owned(), running_s: running_s.parse().ok()?, wall_s: wall_s.parse().ok()? };
    Some((saved, lines.filter_map(parse_session).collect()))
}

fn parse_session(line: &str) -> Option<SavedSession> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [digest, record, address, age_s, idle_s] = fields[..] else { return None };
    let seconds = |text: &str| text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    Some(SavedSession {
        digest: Digest::parse(digest).ok()?,
        record: Digest::parse(record).ok()?,
        address: address.parse().ok()?,
        age: seconds(age_s)?,
        idle: seconds(idle_s)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn moment(boot: &str, running_s: u64, wall_s: u64) -> Moment {
        Moment { boot: boot.to_owned(), running_s, wall_s }
    }

    fn session(secret: &str) -> SavedSession {
        SavedSession {
            digest: Digest::of(secret),
            record: Digest::of("a user's line"),
            address: IpAddr::from([192, 0, 2, 1]),
            age: Duration::from_secs(100),
            idle: Duration::from_secs(7),
        }
    }

    #[test]
    fn what_is_written_is_read_again_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = SessionFile::beside(&folder.path().join("users"));
        assert!(file.read().unwrap().is_none());
        file.write(&[session("one"), session("two")]).unwrap();
        let (_, read) = file.read().unwrap().unwrap();
        assert_eq!(read, [session("one"), session("two")]);
        assert_eq!(std::fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        file.remove().unwrap();
        assert!(file.read().unwrap().is_none());
    }

    #[test]
    fn a_file_that_others_may_have_made_lets_nobody_in() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = SessionFile::beside(&folder.path().join("users"));
        file.write(&[session("one")]).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o662)).unwrap();
        assert!(file.read().is_err());
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(file.read().is_ok(), "others may not write it");
        file.remove().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", file.path()).unwrap();
        assert!(file.read().is_err());
    }

    #[test]
    fn an_unknown_boot_is_another_one_and_is_read_as_written() {
        let (known, other, unknown) = (moment("a", 1, 2), moment("b", 1, 2), moment("", 1, 2));
        assert!(!known.is_of_another_boot(&known) && known.is_of_another_boot(&other));
        assert!(unknown.is_of_another_boot(&unknown));
        for saved in [known, unknown] {
            assert_eq!(parse(&to_text(&saved, &[])), Some((saved, Vec::new())));
        }
    }

    #[test]
    fn the_file_is_another_one_than_a_user_file_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = SessionFile::beside(&folder.path().join(NAME));
        assert_eq!(file.path().parent(), Some(folder.path()));
        assert_ne!(file.path(), folder.path().join(NAME));
        file.remove().unwrap();
        std::fs::create_dir(file.path()).unwrap();
        assert!(file.remove().is_err(), "a folder in its place");
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let text = to_text(&moment("b", 1, 2), &[session("one")]);
        for broken in ["", "x", "saved b 1\n", "saved b x 2\n", "saved b 1 2 3\n"] {
            assert!(parse(broken).is_none(), "{broken:?}");
        }
        let (_, read) = parse(&format!("{text}x\n$sha256$ a b 1 2\n")).unwrap();
        assert_eq!(read, [session("one")]);
    }

    #[test]
    fn time_is_counted_by_the_clock_that_ran_on() {
        let (hour, set) = (3600, EARLIEST_S + 1_000_000);
        let passed = |from: Moment, to: Moment| to.since(&from).map(|passed| passed.as_secs());
        let rows = [
            ("the wall clock jumps ahead", moment("a", 10, set), moment("a", 20, set + 1_000_000), Some(10)),
            ("it jumps back", moment("a", 10, set), moment("a", 20, 0), Some(10)),
            ("it learns the date", moment("a", 10, 30), moment("a", 20, set), Some(10)),
            ("a reboot with a good clock", moment("a", 10, set), moment("b", 5, set + hour), Some(hour)),
            ("a reboot to the last shutdown", moment("a", 10, set), moment("b", 5, set), Some(0)),
            ("a reboot to an earlier time", moment("a", 10, set), moment("b", 5, set - hour), None),
            ("a reboot to 1970", moment("a", 10, set), moment("b", 5, 5), None),
            ("written in 1970", moment("a", 10, 10), moment("b", 5, set), None),
            ("written when 2026 began", moment("a", 1, EARLIEST_S), moment("b", 1, EARLIEST_S + 1), Some(1)),
            ("read when 2026 began", moment("a", 1, EARLIEST_S), moment("b", 1, EARLIEST_S), Some(0)),
            ("no boot is known", moment("", 10, set), moment("", 20, set + hour), Some(hour)),
        ];
        for (what, from, to, expected) in rows {
            assert_eq!(passed(from, to), expected, "{what}");
        }
    }
}
