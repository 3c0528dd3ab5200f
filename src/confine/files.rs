//! The server's files and the user it becomes: folders made for that user, and what the user may
//! do with what is there.
//!
//! What the user cannot use is an error at the start, with the `chown` that repairs it. Defender never gives
//! away files of others: only folders that it has just made, by descriptor, in a folder that only root may
//! write.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access as Rights, Gid, Mode, OFlags, Uid, access};

use super::{Account, ConfineError, Purpose, check_roots_own};

/// What the server does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it; makes it where it is missing.
    Read,
    /// Adds to it; makes it where it is missing.
    Append,
}

/// Makes a folder and what is missing above it, for its owner alone: keys lie in such folders. What was
/// there before is left as it is.
///
/// # Errors
/// [`ConfineError::Folder`].
pub fn make_folders(folder: &Path) -> Result<(), ConfineError> {
    missing(folder).into_iter().rev().try_for_each(make)
}

/// As root: makes the first folder that is missing on the way to `folder`, and gives it to `account`. It is
/// done only where root alone may change the folder above; [`make_folders`], as that user, makes the rest.
///
/// # Errors
/// [`ConfineError::Folder`].
pub fn make_first_folder(folder: &Path, account: &Account) -> Result<(), ConfineError> {
    let Some(first) = missing(folder).pop() else { return Ok(()) };
    if check_roots_own(first, Purpose::Write).is_err() {
        return Ok(());
    }
    make(first)?;
    // Not by its path: nobody else is to be given what is there by now.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    rustix::fs::open(first, flags, Mode::empty())
        .and_then(|made| rustix::fs::fchown(made, Some(uid), Some(gid)))
        .map_err(|error| ConfineError::Folder(first.to_owned(), error.into()))
}

/// A folder and those above it that are not there, the innermost first.
fn missing(folder: &Path) -> Vec<&Path> {
    folder.ancestors().take_while(|path| is_missing(path)).collect()
}

fn make(path: &Path) -> Result<(), ConfineError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| ConfineError::Folder(path.to_owned(), error))
}

/// Whether the process, being `account` by now, can use a file as the server will. The answer is
/// the kernel's; asked beforehand because only here it is known why it is no.
///
/// # Errors
/// [`ConfineError::OutOfReach`].
pub fn check_access(file: &Path, wanted: Access, account: &Account) -> Result<(), ConfineError> {
    let out_of_reach = |path: &Path, action| {
        let path = std::path::absolute(path).unwrap_or(path.to_owned());
        Err(ConfineError::OutOfReach { path, user: account.name.clone(), action })
    };
    let (rights, action) = match wanted {
        Access::Read => (Rights::READ_OK, "read it"),
        Access::Append => (Rights::WRITE_OK, "write to it"),
    };
    match file.try_exists() {
        Err(_) => out_of_reach(file, "enter a folder on the way to it"),
        Ok(true) if access(file, rights).is_err() => out_of_reach(file, action),
        Ok(true) => Ok(()),
        Ok(false) => {
            let folder = folder_of(file);
            match access(&folder, Rights::WRITE_OK | Rights::EXEC_OK) {
                Err(_) => out_of_reach(&folder, "make files in it"),
                Ok(()) => Ok(()),
            }
        }
    }
}

/// Whether a file or folder could be written by the user the process is, or would be by `account`,
/// should it become that; then by the mode alone, for the kernel tells only of the user there is.
pub fn may_write(path: &Path, account: Option<&Account>) -> bool {
    let Ok(found) = fs::metadata(path) else { return false };
    let needed = if found.is_dir() { 0o3 } else { 0o2 };
    match account {
        None if found.is_dir() => access(path, Rights::WRITE_OK | Rights::EXEC_OK).is_ok(),
        None => access(path, Rights::WRITE_OK).is_ok(),
        Some(account) => {
            let shift = match () {
                () if account.uid == 0 => return true,
                () if account.uid == found.uid() => 6,
                () if account.groups.contains(&found.gid()) => 3,
                () => 0,
            };
            found.mode() >> shift & needed == needed
        }
    }
}

/// The folder a file lies in, or would.
pub fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The empty path is the working folder, which is there.
fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folders_are_made_private_and_those_there_keep_their_mode() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let inner = base.path().join("a/b");
        make_folders(&inner).unwrap();
        make_folders(&inner).unwrap();
        make_folders(Path::new("")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(base.path()), mode(&base.path().join("a")), mode(&inner)], [0o755, 0o700, 0o700]);
    }

    #[test]
    fn what_another_user_may_write_goes_by_the_mode() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let found = fs::metadata(&file).unwrap();
        let account = |uid, gid| Account { name: String::new(), uid, gid, groups: vec![gid] };
        // Nobody has these numbers.
        let (owner, group, other) =
            (account(found.uid(), 7), account(found.uid() + 77_777, found.gid()), account(77_777, 77_777));
        for (mode, expected) in
            [(0o644, [true, false, false]), (0o664, [true, true, false]), (0o642, [true, false, true])]
        {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let may = [&owner, &group, &other].map(|account| may_write(&file, Some(account)));
            assert_eq!(may, expected, "{mode:o}");
        }
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o702)).unwrap();
        assert!(!may_write(base.path(), Some(&other)), "a folder has to be entered, too");
        assert!(may_write(base.path(), None) && !may_write(&base.path().join("none"), None));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), "").unwrap();
        let error = make_folders(&base.path().join("file/sub")).unwrap_err().to_string();
        assert!(error.contains("file/sub: cannot make this folder"), "{error}");
    }
}
