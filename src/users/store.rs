//! The user file on disk: reading it, and edits that are all or nothing.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::UsersError;
use super::file::UserFile;
use crate::base::disk;

/// Largest file read or written, in bytes: some thousand users.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Longest wait for another editor.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// Changes whenever the file does. The time of the last status change is in it because the
/// modification time can be set back (`cp -p`, `rsync -t`), and this one cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size_bytes: u64,
    inode: u64,
    mode: u32,
    owner: u32,
}

impl FileStamp {
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
            owner: metadata.uid(),
        }
    }

    /// Checks that no other user may change the file: for a server, which believes it.
    ///
    /// # Errors
    /// Where one may, with what to do about it.
    pub fn check_owner(&self) -> io::Result<()> {
        disk::check_owner(self.owner)
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
pub fn read(path: &Path) -> Result<(UserFile, Option<FileStamp>), UsersError> {
    match read_bounded(path) {
        Ok((text, stamp)) => Ok((UserFile::parse(disk::without_bom(&text)), Some(stamp))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Default::default()),
        Err(error) => Err(UsersError::Read(path.to_owned(), error)),
    }
}

/// Reads the file anew under an exclusive lock, lets `change` change it, and puts the result in
/// its place in one step: a reader sees all of the change or nothing, and of two editors
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
        // No user could sign in with a file that is too large to be read.
        return Err(failed(too_large()));
    }
    disk::replace(&path, &after, 0o600).map_err(failed)?;
    // The new name, too, must survive a power cut.
    disk::sync_folder(&path).map_err(|error| UsersError::Sync(path, error))?;
    Ok(done)
}

fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, FileStamp)> {
    let file = disk::open_regular(path)?;
    let metadata = file.metadata()?;
    disk::check_unshared(&file)?;
    let text = disk::read_open(&file, MAX_FILE_BYTES)?;
    Ok((text, FileStamp::from_metadata(&metadata)))
}

fn too_large() -> io::Error {
    io::Error::new(
        ErrorKind::FileTooLarge,
        format!("it would have more than {MAX_FILE_BYTES} bytes, the most that is read"),
    )
}

/// The lock lies beside the file: the file itself is replaced by every edit. Another editor has it for
/// milliseconds; one that keeps it is an error, and not waited for without end.
fn lock(path: &Path) -> io::Result<File> {
    let lock_path = disk::beside(path, "lock");
    // Neither a link nor a FIFO in its place leads anywhere or waits.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let failed = |why: String| io::Error::other(format!("{}: {why}", lock_path.display()));
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(&lock_path)
        .map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => failed("it is a link; remove it, it is made anew".to_owned()),
            Some(Errno::NXIO) => failed("it is not a regular file; remove it, it is made anew".to_owned()),
            _ => io::Error::new(error.kind(), format!("{}: {error}", lock_path.display())),
        })?;
    if !lock.metadata()?.is_file() {
        return Err(failed("it is not a regular file; remove it, it is made anew".to_owned()));
    }
    // Where root made it for a server that is not root, the server must be able to take it, too.
    // Where it was not root, giving it away fails and is not needed.
    let _ = disk::give_to_owner(&lock, path);
    disk::lock_exclusively(&lock, LOCK_WAIT).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => failed(error.to_string()),
        _ => error,
    })?;
    Ok(lock)
}

#[cfg(test)]
mod tests;
