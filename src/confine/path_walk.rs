//! Who can change what a path leads to: the path is walked component by component, as the kernel does.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};

use super::error::ConfineError;
use super::system_user;

/// Most symbolic links that are followed in one path: the kernel's own limit.
const MAX_LINKS: u32 = 40;

/// What a path is walked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading the file, or connecting to the socket.
    Read,
    /// Writing the file, and creating other files in its folder.
    Write,
}

/// Who can change what a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Root alone.
    Root,
    /// This user, who owns the folder: numbers of the user and of the folder's group.
    User { uid: u32, gid: u32, folder: PathBuf },
}

/// Walks a path and finds the first user other than root who could change what it leads to. From that
/// folder on, everything must belong to that user, and no symbolic link is followed.
///
/// # Errors
/// [`ConfineError::Walk`], [`ConfineError::SharedFolder`], [`ConfineError::ForeignLink`] and
/// [`ConfineError::MixedOwners`].
pub(super) fn owner(file: &Path, purpose: Purpose) -> Result<Owner, ConfineError> {
    let path = absolute(file);
    let mut walk = Walk::from_root(&path)?;
    let mut left: Vec<OsString> = reversed_parts(&path);
    let mut links = 0;
    while let Some(part) = left.pop() {
        let found = match walk.stat(&part) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return walk.missing(purpose),
            Err(error) => return Err(walk.failed(error)),
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => {
                walk.check_link(&part, &found)?;
                links += 1;
                if links > MAX_LINKS {
                    return Err(walk.failed(rustix::io::Errno::LOOP));
                }
                let target = readlinkat(&walk.folder, part.as_os_str(), Vec::new())
                    .map_err(|error| walk.failed(error))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    walk = Walk::from_root(&path)?;
                }
                left.extend(reversed_parts(&target));
            }
            FileType::Directory => walk.enter(&part)?,
            _ => return walk.file(&part, &found, purpose),
        }
    }
    // The path ends in a folder: opening it as a file will fail, or it is the web root.
    Ok(walk.owner)
}

/// The folder that a walk has reached.
struct Walk<'p> {
    /// The whole path, for error messages.
    whole: &'p Path,
    folder: OwnedFd,
    /// The folder's path, for error messages.
    shown: PathBuf,
    /// Whether others may create files in the folder, and change only their own.
    is_sticky: bool,
    owner: Owner,
}

impl<'p> Walk<'p> {
    fn from_root(whole: &'p Path) -> Result<Self, ConfineError> {
        let folder = openat(rustix::fs::CWD, "/", Self::FLAGS, Mode::empty())
            .map_err(|error| ConfineError::Walk(whole.to_owned(), error.into()))?;
        let mut walk = Self { whole, folder, shown: "/".into(), is_sticky: false, owner: Owner::Root };
        walk.update_owner()?;
        Ok(walk)
    }

    const FLAGS: OFlags =
        OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

    fn stat(&self, part: &OsStr) -> rustix::io::Result<Stat> {
        statat(&self.folder, part, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn enter(&mut self, part: &OsStr) -> Result<(), ConfineError> {
        self.folder = openat(self.folder.as_fd(), part, Self::FLAGS, Mode::empty())
            .map_err(|error| self.failed(error))?;
        if part == ".." {
            self.shown.pop();
        } else {
            self.shown.push(part);
        }
        self.update_owner()
    }

    /// Updates the owner by the folder that was entered.
    fn update_owner(&mut self) -> Result<(), ConfineError> {
        let found = rustix::fs::fstat(&self.folder).map_err(|error| self.failed(error))?;
        let mode = Mode::from_raw_mode(found.st_mode);
        self.is_sticky = false;
        match &self.owner {
            Owner::User { uid, .. } if found.st_uid == *uid => Ok(()),
            Owner::User { uid, folder, .. } => Err(ConfineError::MixedOwners {
                path: self.shown.clone(),
                owner: system_user::name_of(found.st_uid)?,
                folder: folder.clone(),
                user: system_user::name_of(*uid)?,
            }),
            Owner::Root if found.st_uid != 0 && system_user::is_mapped(found.st_uid) => {
                let (uid, gid) = (found.st_uid, found.st_gid);
                self.owner = Owner::User { uid, gid, folder: self.shown.clone() };
                Ok(())
            }
            Owner::Root => {
                // The bit of the group is also that of other users whom an access control list names (acl(5)).
                let is_shared = mode.intersects(Mode::WGRP.union(Mode::WOTH));
                self.is_sticky = is_shared && mode.contains(Mode::SVTX);
                if is_shared && !self.is_sticky { Err(self.shared(found.st_mode)) } else { Ok(()) }
            }
        }
    }

    /// Root follows only links that belong to root.
    fn check_link(&self, part: &OsStr, found: &Stat) -> Result<(), ConfineError> {
        let uid = match &self.owner {
            Owner::User { uid, .. } => *uid,
            // Also where nobody else can make links now: one may be left from a time when others could.
            Owner::Root if found.st_uid != 0 && system_user::is_mapped(found.st_uid) => found.st_uid,
            Owner::Root => return Ok(()),
        };
        Err(ConfineError::ForeignLink { path: self.shown.join(part), user: system_user::name_of(uid)? })
    }

    /// The owner of a path that ends in an existing file.
    fn file(&self, part: &OsStr, found: &Stat, purpose: Purpose) -> Result<Owner, ConfineError> {
        match (&self.owner, purpose) {
            (Owner::Root, Purpose::Write) if self.is_sticky => Err(self.shared(0o1777)),
            (Owner::Root, Purpose::Read) if self.is_sticky && found.st_uid != 0 => {
                Ok(Owner::User { uid: found.st_uid, gid: found.st_gid, folder: self.shown.join(part) })
            }
            // Any user could have created the second hard link.
            (Owner::Root, Purpose::Read) if self.is_sticky && found.st_nlink > 1 => {
                Err(ConfineError::ForeignLink { path: self.shown.join(part), user: "another".to_owned() })
            }
            _ => Ok(self.owner.clone()),
        }
    }

    /// The owner of a path whose file, or a folder on the way, does not exist.
    fn missing(&self, purpose: Purpose) -> Result<Owner, ConfineError> {
        match purpose {
            Purpose::Write if self.is_sticky => Err(self.shared(0o1777)),
            Purpose::Read if self.is_sticky => Err(self.failed(rustix::io::Errno::NOENT)),
            _ => Ok(self.owner.clone()),
        }
    }

    fn shared(&self, mode: u32) -> ConfineError {
        ConfineError::SharedFolder {
            path: self.whole.to_owned(),
            folder: self.shown.clone(),
            mode: mode & 0o7777,
        }
    }

    fn failed(&self, error: rustix::io::Errno) -> ConfineError {
        ConfineError::Walk(self.whole.to_owned(), io::Error::from(error))
    }
}

/// The components of a path in reverse order.
fn reversed_parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut parts: Vec<OsString> = named.collect();
    parts.reverse();
    parts
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use rustix::fs::Uid;
    use rustix::process::geteuid;

    use super::*;

    const STRANGER: u32 = 54_321;
    const OTHER: u32 = 54_322;

    /// A folder that belongs to root; `None`, with a message, unless the tests run as root.
    fn folder() -> Option<tempfile::TempDir> {
        if !geteuid().is_root() {
            eprintln!("not run: folders of other users need root");
            return None;
        }
        Some(tempfile::tempdir().unwrap())
    }

    fn make(path: &Path, uid: u32, mode: u32) {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        chown(path, Some(uid), Some(uid)).unwrap();
    }

    fn uid_of(file: &Path) -> Result<Option<u32>, String> {
        match owner(file, Purpose::Write) {
            Ok(Owner::Root) => Ok(None),
            Ok(Owner::User { uid, .. }) => Ok(Some(uid)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_first_user_on_a_path_must_own_the_rest_of_it() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("root"), 0, 0o755);
        make(&at("theirs"), STRANGER, 0o700);
        make(&at("theirs/deep"), STRANGER, 0o700);
        make(&at("theirs/roots"), 0, 0o755);
        make(&at("theirs/other"), OTHER, 0o755);
        assert_eq!(uid_of(&at("root/users")), Ok(None));
        assert_eq!(uid_of(&at("theirs/users")), Ok(Some(STRANGER)));
        assert_eq!(uid_of(&at("theirs/deep/none/users")), Ok(Some(STRANGER)));
        for mixed in ["theirs/roots/users", "theirs/other/users"] {
            let error = uid_of(&at(mixed)).unwrap_err();
            assert!(error.contains("54321"), "{error}");
        }
    }

    #[test]
    fn only_links_of_root_are_followed() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("root"), 0, 0o755);
        make(&at("theirs"), STRANGER, 0o700);
        make(&at("tmp"), 0, 0o1777);
        symlink(at("theirs"), at("root/link")).unwrap();
        symlink("../theirs/users", at("root/users")).unwrap();
        symlink(at("root"), at("theirs/link")).unwrap();
        symlink("/etc/shadow", at("theirs/users")).unwrap();
        symlink(at("root"), at("tmp/link")).unwrap();
        symlink("/etc/shadow", at("root/left")).unwrap();
        for planted in ["tmp/link", "root/left"] {
            let owner = Some(Uid::from_raw(STRANGER));
            rustix::fs::chownat(rustix::fs::CWD, at(planted), owner, None, AtFlags::SYMLINK_NOFOLLOW)
                .unwrap();
        }
        assert_eq!(uid_of(&at("root/link/new")), Ok(Some(STRANGER)));
        for planted in [
            "theirs/users",
            "theirs/link/users",
            "root/users",
            "root/link/users",
            "tmp/link/users",
            "root/left",
        ] {
            let error = uid_of(&at(planted)).unwrap_err();
            assert!(error.contains("is a link"), "{planted}: {error}");
        }
        symlink("round", at("root/round")).unwrap();
        assert!(uid_of(&at("root/round")).is_err());
    }

    #[test]
    fn a_folder_of_root_that_others_may_write_is_refused() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("open"), 0, 0o777);
        make(&at("group"), 0, 0o775);
        chown(at("group"), None, Some(STRANGER)).unwrap();
        make(&at("listed"), 0, 0o775);
        make(&at("tmp"), 0, 0o1777);
        make(&at("open/inner"), 0, 0o700);
        for shared in ["open/users", "group/users", "listed/users", "tmp/users", "open/inner/users"] {
            let error = uid_of(&at(shared)).unwrap_err();
            assert!(error.contains("other users may create files"), "{shared}: {error}");
        }
        fs::write(at("tmp/mine"), "").unwrap();
        assert_eq!(owner(&at("tmp/mine"), Purpose::Read).unwrap(), Owner::Root);
        fs::hard_link(at("tmp/mine"), at("tmp/second")).unwrap();
        assert!(owner(&at("tmp/second"), Purpose::Read).is_err());
    }
}
