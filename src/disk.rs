//! Files that are replaced whole: whoever reads one sees all of a change or nothing, also after a
//! power cut.
//!
//! What belongs here: putting bytes in a file's place. What must not: what the bytes mean, and who
//! may change them when.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Puts `bytes` in the place of the file, with the permissions `mode`, or leaves the old one and
/// nothing else. The file belongs to whom it belonged before, or, where there was none, to its
/// folder's owner. Editors must keep each other out: all use the same name beside it.
///
/// # Errors
/// Why the old file is still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = beside(path, "new");
    // A leftover of an edit that was killed; the editors' lock says it is nobody's.
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
    File::open(folder(path)).and_then(|folder| folder.sync_all())
}

/// A link stays a link: the path of what it points at, which need not be there.
///
/// # Errors
/// Links that lead round in a circle, or through a place that may not be looked into.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        // No loop is followed for ever: it is another error than NotFound.
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => follow_links(&folder(path).join(target)),
            Err(_) => Ok(path.to_owned()),
        },
        found => found,
    }
}

/// Gives `made` to whom the file at `path` belongs, or, where there is none yet, its folder: what
/// root makes must not be out of reach for a server that is not root.
///
/// # Errors
/// When it belongs to another user, and this process may not give it away.
pub fn give_to_owner(made: &File, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder(path)))?;
    if made.metadata()?.uid() == owner.uid() {
        return keep_group(made, path);
    }
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

/// The folder a file lies in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with `.suffix` behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
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
    // A umask can only have taken bits away; the owner needs both of his.
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Err(error) = give_to_owner(&file, path)
        && path.exists()
    {
        // Going on would lock out whoever works as the owner.
        let why = format!("it has another owner; do this as that user or as root ({error})");
        return Err(io::Error::new(error.kind(), why));
    }
    file.write_all(bytes)?;
    file.sync_all()
}
