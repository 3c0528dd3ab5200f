//! The user file on disk: reading it, and edits that are all or nothing.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::UsersError;
use super::file::UserFile;
use crate::disk;

/// Largest file read or written, in bytes: some thousand users.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Changes whenever the file does. The time of the last status change is in it because the
/// modification time can be set back (`cp -p`, `rsync -t`), and this one cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size_bytes: u64,
    inode: u64,
    mode: u32,
}

impl Stamp {
    /// The stamp of the file as it is now; `None` where there is none to be seen.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size_bytes: metadata.size(),
            inode: metadata.ino(),
            mode: metadata.mode(),
        }
    }

    /// Whether every user of the machine may read the hashes.
    pub fn is_open_to_all(&self) -> bool {
        self.mode & 0o004 != 0
    }
}

/// Reads a file, and its stamp of just before; a missing one has no users and no stamp.
///
/// # Errors
/// When it is there and cannot be read, is no user file at all (a folder, a pipe, over 1 MiB), or is
/// one that others than its owner may write.
pub fn read(path: &Path) -> Result<(UserFile, Option<Stamp>), UsersError> {
    match read_bounded(path) {
        Ok((text, stamp)) => Ok((UserFile::parse(&text), Some(stamp))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Default::default()),
        Err(error) => Err(UsersError::Read(path.to_owned(), error)),
    }
}

/// Reads the file anew under an exclusive lock, lets `change` change it, and puts the result in
/// its place in one step: whoever reads sees all of the change or nothing, and of two editors
/// neither undoes the other. The lock is held across this I/O on purpose; it is the file's, and
/// only editors take it.
///
/// # Errors
/// `change`'s own, after which nothing is written; or why the file could not be written, after
/// which the old one is still there.
pub fn edit<T>(
    path: &Path,
    change: impl FnOnce(&mut UserFile) -> Result<T, UsersError>,
) -> Result<T, UsersError> {
    let path = disk::follow_links(path).map_err(|error| UsersError::Write(path.to_owned(), error))?;
    let failed = |error| UsersError::Write(path.clone(), error);
    let _lock = lock(&path).map_err(failed)?;
    let (mut file, _) = read(&path)?;
    let before = file.to_bytes();
    let done = change(&mut file)?;
    let after = file.to_bytes();
    if after == before {
        return Ok(done);
    }
    if after.len() as u64 > MAX_FILE_BYTES {
        // Nobody could sign in with a file that is too large to be read.
        return Err(failed(too_large()));
    }
    disk::replace(&path, &after, 0o600).map_err(failed)?;
    // The new name, too, must survive a power cut.
    disk::sync_folder(&path).map_err(|error| UsersError::Sync(path, error))?;
    Ok(done)
}

fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    // Non-blocking: opening a pipe in the file's place must not wait for its other end.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o777;
        let why = format!("others than its owner may change it (mode {mode:03o}); `chmod 600` it");
        return Err(io::Error::other(why));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok((text, Stamp::from_metadata(&metadata)))
}

fn too_large() -> io::Error {
    io::Error::other("larger than 1 MiB, the most a user file may have")
}

/// The lock lies beside the file: the file itself is replaced by every edit.
fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let lock =
        options.write(true).create(true).truncate(false).mode(0o600).open(disk::beside(path, "lock"))?;
    // Where root made it for a server that is not root, the server must be able to take it, too.
    // Where it was not root, giving it away fails and is not needed.
    let _ = disk::give_to_owner(&lock, path);
    lock.lock()?;
    Ok(lock)
}

#[cfg(test)]
mod tests;
