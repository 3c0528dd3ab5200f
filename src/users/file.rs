//! The user file: one line for each user, comments kept, every edit all or nothing.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::password::PasswordHash;
use super::{Role, UsersError};

/// Largest file read, in bytes: some thousand users.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One user's line.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The name: 1 to 32 of A-Z a-z 0-9 . _ -, not starting with a sign.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the password is checked against.
    pub hash: PasswordHash,
}

/// A line that could not be understood; its user cannot sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// What was expected.
    pub why: &'static str,
}

/// A parsed user file, able to be written back with every other byte as it was.
#[derive(Default)]
pub struct UserFile {
    lines: Vec<Line>,
}

enum Line {
    User(Record),
    /// Comments, empty lines, and lines nobody understands.
    Other(String),
}

/// Whether a name can be a user's. No colon, so that Basic credentials are never ambiguous.
pub fn is_valid_name(name: &str) -> bool {
    let sign = |byte: u8| b"._-".contains(&byte);
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && name.len() <= 32 && bytes.all(|byte| byte.is_ascii_alphanumeric() || sign(byte))
}

impl UserFile {
    /// Reads a file; a missing one has no users.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(path: &Path) -> Result<(Self, Vec<BadLine>), UsersError> {
        let failed = |error| UsersError::Read(path.to_owned(), error);
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Default::default()),
            Err(error) => return Err(failed(error)),
            Ok(found) if found.len() > MAX_FILE_BYTES => {
                return Err(failed(io::Error::other("too large for a user file")));
            }
            Ok(_) => {}
        }
        let text = fs::read(path).map_err(failed)?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// Understands the text of a file, line by line.
    pub fn parse(text: &str) -> (Self, Vec<BadLine>) {
        let mut file = Self::default();
        let mut bad = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let parsed = parse_line(line).and_then(|record| match record {
                Some(record) if file.find(&record.name).is_some() => {
                    Err("a second line for this name; the first one counts")
                }
                record => Ok(record),
            });
            file.lines.push(match parsed {
                Ok(Some(record)) => Line::User(record),
                Ok(None) => Line::Other(line.to_owned()),
                Err(why) => {
                    bad.push(BadLine { number: at + 1, why });
                    Line::Other(line.to_owned())
                }
            });
        }
        (file, bad)
    }

    /// All users, in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = &Record> {
        self.lines.iter().filter_map(|line| match line {
            Line::User(record) => Some(record),
            Line::Other(_) => None,
        })
    }

    /// The user of a name.
    pub fn find(&self, name: &str) -> Option<&Record> {
        self.users().find(|record| record.name == name)
    }

    /// Puts a record in the place of the one of its name, or at the end.
    pub fn put(&mut self, record: Record) {
        let name = &record.name;
        let place =
            self.lines.iter_mut().find(|line| matches!(line, Line::User(found) if found.name == *name));
        match place {
            Some(line) => *line = Line::User(record),
            None => self.lines.push(Line::User(record)),
        }
    }

    /// Takes a user out; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !matches!(line, Line::User(found) if found.name == name));
        self.lines.len() < before
    }
}

impl fmt::Display for UserFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::User(record) => writeln!(f, "{}:{}:{}", record.name, record.role.name(), record.hash)?,
                Line::Other(text) => writeln!(f, "{text}")?,
            }
        }
        Ok(())
    }
}

/// Reads the file anew under an exclusive lock, lets `change` change it, and puts the result in
/// its place in one step: whoever reads sees all of the change or nothing, and of two editors
/// neither undoes the other.
///
/// # Errors
/// `change`'s own, after which nothing is written; or why the file could not be written, after
/// which the old one is still there.
pub fn edit<T>(
    path: &Path,
    change: impl FnOnce(&mut UserFile) -> Result<T, UsersError>,
) -> Result<T, UsersError> {
    // A link stays a link: what it points at is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error| UsersError::Write(path.clone(), error);
    let _lock = lock(&path).map_err(failed)?;
    let (mut file, _) = UserFile::read(&path)?;
    let done = change(&mut file)?;
    replace(&path, file.to_string().as_bytes()).map_err(failed)?;
    Ok(done)
}

/// The lock lies beside the file: the file itself is replaced by every edit.
fn lock(path: &Path) -> io::Result<File> {
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside(path, "lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let fresh = beside(path, "new");
    // A leftover of an edit that was killed; the lock says it is nobody's.
    let _ = fs::remove_file(&fresh);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, path)
        });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
        return written;
    }
    // The new name, too, must survive a power cut.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn parse_line(line: &str) -> Result<Option<Record>, &'static str> {
    if line.trim().is_empty() || line.trim_start().starts_with('#') {
        return Ok(None);
    }
    let fields: Vec<&str> = line.split(':').collect();
    let [name, role, hash] = fields[..] else { return Err("expected name:role:hash") };
    if !is_valid_name(name) {
        return Err("the name must be 1 to 32 letters, digits or . _ -, starting with a letter or digit");
    }
    let role = Role::from_name(role).ok_or("the role must be admin or viewer")?;
    Ok(Some(Record { name: name.to_owned(), role, hash: PasswordHash::parse(hash)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn record(name: &str) -> Record {
        Record { name: name.to_owned(), role: Role::Viewer, hash: PasswordHash::of_nobody() }
    }

    fn add(path: &Path, name: &str) -> Result<(), UsersError> {
        edit(path, |file| {
            file.put(record(name));
            Ok(())
        })
    }

    #[test]
    fn comments_empty_and_broken_lines_survive_edits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let hash = PasswordHash::of_nobody();
        fs::write(&path, format!("# head\n\nadam:viewer:{hash}\n  # inner\nbroken line\neve:admin:{hash}\n"))
            .unwrap();
        edit(&path, |file| {
            file.put(Record { role: Role::Admin, ..record("adam") });
            file.remove("eve");
            file.put(record("zoe"));
            Ok(())
        })
        .unwrap();
        let expected = format!("# head\n\nadam:admin:{hash}\n  # inner\nbroken line\nzoe:viewer:{hash}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn a_bad_line_is_named_and_refuses_its_user_only() {
        let hash = PasswordHash::of_nobody();
        let text = format!(
            "good:viewer:{hash}\nbad\n:admin:{hash}\nx:king:{hash}\ny:admin:plain\ngood:admin:{hash}\nz:admin:{hash}:extra\n"
        );
        let (file, bad) = UserFile::parse(&text);
        assert_eq!(file.users().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert!(file.find("good").unwrap().role == Role::Viewer, "the first line of a name counts");
        assert_eq!(bad.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn many_editors_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::thread::scope(|scope| {
            for editor in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    (0..10).for_each(|number| add(path, &format!("u{editor}-{number}")).unwrap())
                });
            }
        });
        assert_eq!(UserFile::read(&path).unwrap().0.users().count(), 80);
    }

    #[test]
    fn the_file_is_its_owners_alone_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("users"));
        fs::write(&real, "").unwrap();
        symlink(&real, &link).unwrap();
        add(&link, "eve").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
        assert!(UserFile::read(&real).unwrap().0.find("eve").is_some());
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        add(&path, "eve").unwrap();
        // A folder where the new file goes: not even root can write it.
        fs::create_dir_all(folder.path().join("users.new/x")).unwrap();
        assert!(matches!(add(&path, "adam"), Err(UsersError::Write(..))));
        let (file, _) = UserFile::read(&path).unwrap();
        assert!(file.find("eve").is_some() && file.find("adam").is_none());
    }

    #[test]
    fn a_refused_change_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let refused = edit(&path, |_| Err::<(), _>(UsersError::Unknown("eve".to_owned())));
        assert!(refused.is_err() && !path.exists());
    }

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        for name in ["", "a:b", "-a", ".a", "a b", "ä", "a\n", &"a".repeat(33)] {
            assert!(!is_valid_name(name), "{name:?}");
        }
        for name in ["a", "Eve.O_Neil-2", &"a".repeat(32)] {
            assert!(is_valid_name(name), "{name:?}");
        }
    }
}
