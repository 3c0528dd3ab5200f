//! The server's files and the user it becomes: creates folders for that user, and checks what the user
//! may do with existing files.
//!
//! What the user cannot use is an error at the start, with the `chown` that repairs it. Defender never gives
//! away files of others: only folders that it has just made, by descriptor, in a folder that only root may
//! write.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Access as Rights, Gid, Mode, OFlags, Uid, access};

use super::error::ConfineError;
use super::owner::check_roots_own;
use super::path_walk::Purpose;
use super::system_user::SystemUser;
use crate::base::disk::folder_of;

/// What the server does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAccess {
    /// It reads the file, and creates a missing one.
    Read,
    /// It appends to the file, and creates a missing one.
    Append,
}

/// Creates a folder and its missing parents, open to their owner alone because they will hold keys.
/// Existing folders stay as they are.
///
/// # Errors
/// [`ConfineError::Folder`].
pub fn make_folders(folder: &Path) -> Result<(), ConfineError> {
    missing(folder).into_iter().rev().try_for_each(make)
}

/// As root: creates the first missing folder on the path of `folder` and gives it to `user`, if root
/// alone may change the folder above. [`make_folders`], called as that user, creates the rest.
///
/// # Errors
/// [`ConfineError::Folder`].
pub fn make_first_folder(folder: &Path, user: &SystemUser) -> Result<(), ConfineError> {
    let Some(first) = missing(folder).pop() else { return Ok(()) };
    if check_roots_own(first, Purpose::Write).is_err() {
        return Ok(());
    }
    make(first)?;
    // By descriptor: another file may have taken the path meanwhile, and must not be given away.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::fs::open(first, flags, Mode::empty())
        .and_then(|made| rustix::fs::fchown(made, Some(uid), Some(gid)))
        .map_err(|error| ConfineError::Folder(first.to_owned(), error.into()))
}

/// The missing folders among `folder` and its parents, the innermost first.
fn missing(folder: &Path) -> Vec<&Path> {
    folder.ancestors().take_while(|path| is_missing(path)).collect()
}

fn make(path: &Path) -> Result<(), ConfineError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| ConfineError::Folder(path.to_owned(), error))
}

/// Checks that the process, which runs as `user` by now, can use a file as the server will. It asks the
/// kernel. The check comes early because a later failure could not say why.
///
/// # Errors
/// [`ConfineError::NoAccess`].
pub fn check_access(file: &Path, wanted: RequiredAccess, user: &SystemUser) -> Result<(), ConfineError> {
    let no_access = |path: &Path, action| {
        let path = std::path::absolute(path).unwrap_or(path.to_owned());
        Err(ConfineError::NoAccess { path, user: user.name.clone(), action })
    };
    let (rights, action) = match wanted {
        RequiredAccess::Read => (Rights::READ_OK, "read it"),
        RequiredAccess::Append => (Rights::WRITE_OK, "write to it"),
    };
    match file.try_exists() {
        Err(_) => no_access(file, "enter a folder on the way to it"),
        Ok(true) if access(file, rights).is_err() => no_access(file, action),
        Ok(true) => Ok(()),
        Ok(false) => {
            let folder = folder_of(file);
            match access(folder, Rights::WRITE_OK | Rights::EXEC_OK) {
                Err(_) => no_access(folder, "make files in it"),
                Ok(()) => Ok(()),
            }
        }
    }
}

/// Whether the current user may write a file or folder, by the kernel's answer; or whether `user` may,
/// by owner and mode alone, because the kernel answers only for the current user.
pub fn may_write(path: &Path, user: Option<&SystemUser>) -> bool {
    let Ok(found) = fs::metadata(path) else { return false };
    let needed = if found.is_dir() { 0o3 } else { 0o2 };
    match user {
        None if found.is_dir() => access(path, Rights::WRITE_OK | Rights::EXEC_OK).is_ok(),
        None => access(path, Rights::WRITE_OK).is_ok(),
        Some(user) => {
            let shift = match () {
                () if user.uid == 0 => return true,
                () if user.uid == found.uid() => 6,
                () if user.groups.contains(&found.gid()) => 3,
                () => 0,
            };
            found.mode() >> shift & needed == needed
        }
    }
}

/// The empty path is the working folder, which exists.
fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn new_folders_are_private_and_old_ones_keep_their_mode() {
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
    fn the_mode_says_whether_other_users_may_write() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let found = fs::metadata(&file).unwrap();
        let user = |uid, gid| SystemUser { name: String::new(), uid, gid, groups: vec![gid] };
        // Ids that no user has.
        let (owner, group, other) =
            (user(found.uid(), 7), user(found.uid() + 77_777, found.gid()), user(77_777, 77_777));
        for (mode, expected) in
            [(0o644, [true, false, false]), (0o664, [true, true, false]), (0o642, [true, false, true])]
        {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let may = [&owner, &group, &other].map(|user| may_write(&file, Some(user)));
            assert_eq!(may, expected, "{mode:o}");
        }
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o702)).unwrap();
        assert!(!may_write(base.path(), Some(&other)), "a folder must be entered as well");
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
