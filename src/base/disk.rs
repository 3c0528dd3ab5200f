//! Files that are replaced whole, and files that are read whole: a reader sees all of a change or
//! nothing, also after a power cut, and no file in the place of another makes a reader wait or take
//! all memory.
//!
//! What belongs here: reading and replacing bytes. What must not: what the bytes mean, and who
//! may change them when.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

/// Pause between two looks at a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What mends files that others may write on a file system without owners and modes; for the end of a
/// message that says so of one.
pub const FAT_HINT: &str =
    "; on a disk with FAT or exFAT, where chmod does nothing, mount it with the options uid=USER,umask=077";

/// Reads a whole regular file of at most `most_bytes`.
///
/// # Errors
/// Those of opening and reading; `InvalidInput` for a FIFO, a device or anything else that is no
/// regular file; `FileTooLarge` for a larger one, with a message that gives the limit.
pub fn read_bounded(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    read_open(&open_regular(path)?, most_bytes)
}

/// Opens a regular file to read. Nothing else is opened, not even for a moment: a FIFO would wait
/// for its other end, and a device may act on being opened.
///
/// # Errors
/// Those of opening; `InvalidInput` for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    check_regular(&fs::metadata(path)?)?;
    // Another file may have taken its place meanwhile: this does not wait, and looks once more.
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(at_once).open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Checks that nobody could have changed an open file but root and the user that this process runs as.
///
/// # Errors
/// Those of [`check_unshared`] and [`check_owner`].
pub fn check_own(file: &File) -> io::Result<()> {
    check_unshared(file)?;
    check_owner(file.metadata()?.uid())
}

/// Checks that nobody may change an open file but its owner.
///
/// # Errors
/// Where others may, with what to do about it.
pub fn check_unshared(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let why = format!("others than its owner may change it (mode {mode:03o}); `chmod 600` it{FAT_HINT}");
    Err(io::Error::other(why))
}

/// Checks that the owner of a file is root or the user that this process runs as: an owner may change it at any time.
///
/// # Errors
/// Where it is another user, with what to do about it.
pub fn check_owner(uid: u32) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if [0, own, UNMAPPED].contains(&uid) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the user {uid} owns it and may change it, but is neither root nor the user {own} that this runs as; `chown` it"
    )))
}

/// As whom a container sees users that it has not (user_namespaces(7)).
const UNMAPPED: u32 = 65_534;

/// Reads what is left of an open file, at most `most_bytes`. The length of a file is not asked for: one in
/// /proc has none.
///
/// # Errors
/// Those of reading; `FileTooLarge` for more, with a message that gives the limit.
pub fn read_open(file: &File, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        let why = format!("it has more than {most_bytes} bytes, the most that is read");
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Whether a file that was made with a mode keeps others from writing as the mode says. A disk with FAT has
/// the modes that it was mounted with.
///
/// # Errors
/// Where others may write though `mode` says no, with the mount options that mend it.
pub fn check_mode(made: &File, mode: u32) -> io::Result<()> {
    refuse_open_mode(made.metadata()?.mode(), mode)
}

fn refuse_open_mode(found: u32, wanted: u32) -> io::Result<()> {
    if found & !wanted & 0o022 == 0 {
        return Ok(());
    }
    let found = found & 0o777;
    let why = format!("every file here may be changed by others (mode {found:03o}){FAT_HINT}");
    Err(io::Error::new(ErrorKind::Unsupported, why))
}

/// Locks an open file or folder for this process alone. Another editor has it for milliseconds; one that keeps it
/// is an error after `wait`. The lock ends when the file is closed.
///
/// # Errors
/// That it is locked by another, or those of locking.
pub fn lock_exclusively(file: &File, wait: Duration) -> io::Result<()> {
    let end = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                let seconds = wait.as_secs();
                let why = format!("another program holds this lock for {seconds} s; `fuser` shows which");
                return Err(io::Error::new(ErrorKind::WouldBlock, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Largest file with a secret that is read, in bytes.
const SECRET_FILE_BYTES: u64 = 4096;

/// The first line of a file with a secret, without the blanks around it.
///
/// # Errors
/// Those of [`read_bounded`].
pub fn secret_line(path: &Path) -> io::Result<String> {
    first_line(&open_regular(path)?)
}

/// As [`secret_line`], of a file that nobody but its owner may read.
///
/// # Errors
/// Those of [`read_bounded`]; `PermissionDenied` where others may read it, with what to do.
pub fn private_line(path: &Path) -> io::Result<String> {
    let file = open_regular(path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        let why = format!("other users may use it (mode {mode:03o}); `chmod 600 {path}`{FAT_HINT}");
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    first_line(&file)
}

fn first_line(file: &File) -> io::Result<String> {
    let bytes = read_open(file, SECRET_FILE_BYTES)?;
    let text = String::from_utf8_lossy(without_bom(&bytes));
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The text without the byte order mark that some editors put in front of UTF-8.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Puts `bytes` in the place of the file, with the permissions `mode`, or leaves the old one and
/// nothing else. The file keeps its owner, or, where there was none, belongs to its
/// folder's owner. Editors must keep each other out: all use the same name beside it.
///
/// # Errors
/// Why the old file is still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = beside(path, "new");
    // A leftover of an edit that was killed; the editors' lock says that none uses it.
    let _ = fs::remove_file(&fresh);
    let replaced = write_fresh(&fresh, path, bytes, mode).and_then(|()| fs::rename(&fresh, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    replaced
}

/// Makes a new name in the file's folder survive a power cut.
///
/// # Errors
/// Those of opening and syncing the folder.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all())
}

/// A link stays a link: the path of what it points at, which need not be there.
///
/// # Errors
/// Links that lead round in a circle, or through a place that may not be looked into.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        // No loop is followed for ever: it is another error than NotFound.
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => follow_links(&folder_of(path).join(target)),
            Err(_) => Ok(path.to_owned()),
        },
        found => found,
    }
}

/// Gives `made` to the owner of the file at `path`, or, where there is none yet, of its folder: what
/// root makes must not be out of reach for a server that is not root.
///
/// # Errors
/// When it belongs to another user, and this process may not give it away.
pub fn give_to_owner(made: &File, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder_of(path)))?;
    if made.metadata()?.uid() == owner.uid() {
        return keep_group(made, path);
    }
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

/// The folder that a file lies in, or would: `.` for a name alone.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with `.suffix` behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn check_regular(found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let kind = found.file_type();
    let what = match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

/// Gives `made` the group of the file at `path`, if there is one. Where this process may not, those of
/// its own group get no rights instead of them.
fn keep_group(made: &File, path: &Path) -> io::Result<()> {
    let Ok(old) = fs::metadata(path) else { return Ok(()) };
    let found = made.metadata()?;
    if found.gid() == old.gid() || fchown(made, None, Some(old.gid())).is_ok() {
        return Ok(());
    }
    made.set_permissions(Permissions::from_mode(found.mode() & 0o7707))
}

fn write_fresh(fresh: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(fresh)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", fresh.display())))?;
    // A umask can only have taken bits away; the owner needs both of theirs.
    file.set_permissions(Permissions::from_mode(mode))?;
    check_mode(&file, mode)?;
    if let Err(error) = give_to_owner(&file, path)
        && path.exists()
    {
        // Going on would lock out a server that runs as the owner.
        let why = format!("it has another owner; do this as that user or as root ({error})");
        return Err(io::Error::new(error.kind(), why));
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_file_system_without_modes_is_named_with_its_mount_option() {
        let error = refuse_open_mode(0o100_777, 0o600).unwrap_err().to_string();
        assert!(error.contains("mode 777") && error.contains("umask=077"), "{error}");
        for (found, wanted) in [(0o100_755, 0o600), (0o100_600, 0o600), (0o100_664, 0o664)] {
            assert!(refuse_open_mode(found, wanted).is_ok(), "{found:o}");
        }
    }

    #[test]
    fn a_secret_is_read_without_what_editors_add() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("login");
        write_fresh(&file, &file, "\u{feff}ada:right \r\nmore\r\n".as_bytes(), 0o600).unwrap();
        assert_eq!(secret_line(&file).unwrap(), "ada:right");
        assert_eq!(private_line(&file).unwrap(), "ada:right");
    }

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let error = |path: &Path| read_bounded(path, 4).unwrap_err().to_string();
        fs::write(place("file"), "four").unwrap();
        assert_eq!(read_bounded(&place("file"), 4).unwrap(), b"four");
        fs::write(place("file"), "fives").unwrap();
        assert!(error(&place("file")).contains("more than 4 bytes"), "{}", error(&place("file")));
        rustix::fs::mknodat(rustix::fs::CWD, place("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        let _listener = UnixListener::bind(place("socket")).unwrap();
        for (path, what) in [
            (place("fifo"), "a FIFO"),
            (place("socket"), "a socket"),
            (folder.path().to_owned(), "a folder"),
            ("/dev/zero".into(), "a device"),
        ] {
            assert!(error(&path).contains(what), "{}: {}", path.display(), error(&path));
        }
        // It has no length beforehand.
        assert!(error(Path::new("/proc/self/status")).contains("more than 4 bytes"));
    }
}
