//! The overrides file on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::former::{self, FORMER_FILE};
use super::{Overrides, shown};
use crate::base::disk;
use crate::config::ConfigError;
use crate::config::locate::MAX_FILE_BYTES;

/// Its name, beside the user file.
const FILE: &str = "overrides.conf";

/// Longest wait for another editor.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Its permissions: it is nobody else's business.
const MODE: u32 = 0o600;

/// Where the overrides are: beside the user file, in a folder that the server's user may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    file: PathBuf,
    former: PathBuf,
}

/// A store that nobody else edits.
#[must_use]
pub struct LockedStore {
    store: Store,
    _folder: File,
}

impl Store {
    /// The store that belongs to a user file.
    pub fn beside(users: &Path) -> Self {
        Self { file: users.with_file_name(FILE), former: users.with_file_name(FORMER_FILE) }
    }

    /// The overrides file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The file that version 0.1.0 wrote in its place.
    pub fn former(&self) -> &Path {
        &self.former
    }

    /// Keeps every other editor from the store until the value is dropped: the folder is locked, so that nothing is
    /// left behind.
    ///
    /// # Errors
    /// That another holds it, or that the folder cannot be opened.
    pub fn lock(&self) -> io::Result<LockedStore> {
        let folder = File::open(disk::folder_of(&self.file))?;
        disk::lock_exclusively(&folder, LOCK_WAIT)?;
        Ok(LockedStore { store: self.clone(), _folder: folder })
    }

    /// The overrides, those in the file of version 0.1.0 among them. Without any file there are none.
    ///
    /// # Errors
    /// Those of opening and reading the overrides file. What is wrong in it is no error.
    pub fn read(&self) -> Result<Overrides, ConfigError> {
        let text = read(&self.file)?.unwrap_or_default();
        let mut overrides = Overrides::parse(disk::without_bom(&text));
        let adopted = match read(&self.former) {
            Ok(None) => Ok(()),
            Ok(Some(text)) => match str::from_utf8(disk::without_bom(&text)) {
                Ok(text) => former::adopt(text, &self.former, &mut overrides),
                Err(_) => Err(ConfigError::NotText(self.former.clone()).to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        overrides.former_problem = adopted.err();
        Ok(overrides)
    }

    /// See [`LockedStore::write`].
    pub(super) fn write(&self, overrides: &Overrides) -> io::Result<()> {
        let bytes = overrides.to_bytes();
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::new(ErrorKind::FileTooLarge, "there are too many overrides in it"));
        }
        let before = if overrides.has_former { read(&self.file).map_err(io::Error::other)? } else { None };
        self.put(&bytes)?;
        // After a power cut the old text would be in force again, which is no harm.
        let _ = disk::sync_folder(&self.file);
        if overrides.has_former
            && let Err(error) = remove(&self.former)
        {
            // What it says would be in force over this at the next start.
            let _ = self.put(&before.unwrap_or_default());
            return Err(io::Error::new(error.kind(), format!("{}: {error}", self.former.display())));
        }
        Ok(())
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() { remove(&self.file) } else { disk::replace(&self.file, bytes, MODE) }
    }

    /// Moves what version 0.1.0 saved into the overrides file; gives a line for the log where it did.
    ///
    /// # Errors
    /// Why it is still where it was; it is in force all the same.
    pub fn move_former(&self) -> Result<Option<String>, String> {
        let failed = |error: &dyn std::fmt::Display| {
            format!("{}: it cannot be moved to {}: {error}", self.former.display(), self.file.display())
        };
        if !self.read().map_err(|error| failed(&error))?.has_former {
            return Ok(None);
        }
        let locked = self.lock().map_err(|error| failed(&error))?;
        let overrides = self.read().map_err(|error| failed(&error))?;
        locked.write(&overrides).map_err(|error| failed(&error))?;
        let (from, to) = (self.former.display(), self.file.display());
        Ok(Some(format!("{from}: the settings that version 0.1.0 saved there are in {to} now")))
    }
}

impl LockedStore {
    /// As [`Store::read`].
    ///
    /// # Errors
    /// Those of [`Store::read`].
    pub fn read(&self) -> Result<Overrides, ConfigError> {
        self.store.read()
    }

    /// Replaces the file whole, or leaves it as it was. No file is left where there is nothing to say. The
    /// file of version 0.1.0 is removed once what it said is in this one.
    ///
    /// # Errors
    /// Why the old file is still there.
    pub fn write(&self, overrides: &Overrides) -> io::Result<()> {
        self.store.write(overrides)
    }

    /// The overrides file.
    pub fn file(&self) -> &Path {
        self.store.file()
    }
}

/// The bytes of a file; `None` where there is none.
fn read(file: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let failed = |error: io::Error| ConfigError::Read(file.to_owned(), error);
    // Its folder is the server's: a link there leads nowhere, and a pipe makes nobody wait.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    if !opened.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    disk::check_own(&opened).map_err(failed)?;
    match disk::read_open(&opened, MAX_FILE_BYTES) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(ConfigError::TooLarge(file.to_owned())),
        read => read.map(Some).map_err(failed),
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Overrides {
    /// What of the store is not in force because it is damaged, for the log and for people.
    pub fn damages(&self, store: &Store) -> Vec<String> {
        let file = store.file().display();
        let lines = self
            .problems()
            .map(|(line, why)| format!("{file}:{line}: ignored, mend or remove it: {}", shown(why)));
        let former = self.former_problem.iter().map(|why| format!("ignored, mend or remove it: {why}"));
        lines.chain(former).collect()
    }
}
