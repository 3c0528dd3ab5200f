//! Root in folders of other users. Whoever owns a folder can put a link, a hard link or a FIFO in the
//! place of any file in it, at any moment; root, working there by path, would change what that leads
//! to. So root works by path only where root alone can change what the path leads to, and becomes the
//! owner of the folder everywhere else: what the owner plants then leads to nothing the owner could not
//! reach anyway.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, openat, readlinkat, statat};
use rustix::process::{geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::{ConfineError, DEFAULT_USER, SystemUser, become_user, drop_privileges, system_user};

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// What is to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is read, or connected to.
    Read,
    /// It is written, and other files are made beside it.
    Write,
}

/// Who can change what a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// Root alone.
    Root,
    /// This user, who owns the folder: numbers of the user and of the folder's group.
    User { uid: u32, gid: u32, folder: PathBuf },
}

/// For root: becomes, for good, the user who owns the folder that `file` lies in; stays root where
/// that is root. Gives the name of the user it became. For anybody else nothing is done. To be called
/// before the first file of that folder is opened, and while there is one thread. `named_by` is the user
/// who chose the path, where that is not root: see [`check_named_by`].
///
/// # Errors
/// [`ConfineError::SharedFolder`], [`ConfineError::ForeignLink`] and [`ConfineError::MixedOwners`] where no
/// single user owns the way to the file; those of [`check_named_by`] and [`become_user`].
pub fn become_owner(
    file: &Path,
    purpose: Purpose,
    named_by: Option<&str>,
) -> Result<Option<String>, ConfineError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = user_of_owner(file, purpose)?;
    check_named_by(file, named_by, user.as_ref().map_or("root", |user| &user.name))?;
    let Some(user) = user else { return Ok(None) };
    become_user(&user)?;
    drop_privileges()?;
    Ok(Some(user.name))
}

/// Does `work` with the rights of the user who owns the folder that `file` lies in, and goes back to
/// being root. For anybody but root it is just done. Gives the user's name where it is not root.
///
/// # Errors
/// As [`become_owner`]. Where the way back fails the process must end.
pub fn as_owner<T>(file: &Path, work: impl FnOnce() -> T) -> Result<(T, Option<String>), ConfineError> {
    let Some(user) = user_of_owner(file, Purpose::Read)? else { return Ok((work(), None)) };
    let failed = |error: rustix::io::Errno| ConfineError::Become(user.name.clone(), error.into());
    super::check_single_thread()?;
    let root_groups = getgroups().map_err(failed)?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    // The effective ones only: the real and saved ones are the way back.
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(None, Gid::from_raw(user.gid), None))
        .and_then(|()| set_thread_res_uid(None, Uid::from_raw(user.uid), None))
        .map_err(failed)?;
    let done = work();
    set_thread_res_uid(None, Uid::ROOT, None)
        .and_then(|()| set_thread_res_gid(None, Gid::ROOT, None))
        .and_then(|()| set_thread_groups(&root_groups))
        .map_err(failed)?;
    Ok((done, Some(user.name)))
}

/// Whether root may act as `user` on a file, or with a configuration, that the user `named_by` chose: only
/// as that user, or as the one that servers run as by default. With any other user's rights root would do
/// what it is told by somebody who has not those rights.
///
/// # Errors
/// [`ConfineError::ForeignConfig`].
pub fn check_named_by(file: &Path, named_by: Option<&str>, user: &str) -> Result<(), ConfineError> {
    match named_by {
        Some(named_by) if ![named_by, DEFAULT_USER].contains(&user) => Err(ConfineError::ForeignConfig {
            path: absolute(file),
            user: user.to_owned(),
            named_by: named_by.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// For a process that stays root: whether root alone can change what a path leads to. For anybody else
/// everything is in order.
///
/// # Errors
/// [`ConfineError::ForeignFolder`] with the user whose folder is on the way; else as [`become_owner`].
pub fn check_roots_own(file: &Path, purpose: Purpose) -> Result<(), ConfineError> {
    if !geteuid().is_root() || is_own_descriptor(file) {
        return Ok(());
    }
    match owner(file, purpose)? {
        Owner::Root => Ok(()),
        Owner::User { uid, folder, .. } => Err(ConfineError::ForeignFolder {
            path: absolute(file),
            folder,
            user: system_user::name_of(uid)?,
        }),
    }
}

/// Whom to become; `None` to stay.
fn user_of_owner(file: &Path, purpose: Purpose) -> Result<Option<SystemUser>, ConfineError> {
    if !geteuid().is_root() || is_own_descriptor(file) {
        return Ok(None);
    }
    match owner(file, purpose)? {
        Owner::Root => Ok(None),
        Owner::User { uid, gid, .. } => system_user::of_number(uid, gid).map(Some),
    }
}

/// Whether a path names a descriptor that the process was started with, as a shell's `<(...)` does: it
/// is open already.
fn is_own_descriptor(file: &Path) -> bool {
    let is_number = |name: &Path| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|own| file == Path::new(own))
        || ["/dev/fd", "/proc/self/fd"].iter().any(|own| file.strip_prefix(own).is_ok_and(is_number))
}

/// Walks a path component by component, as the kernel does, and finds the first user other than root
/// who could change what it leads to. From there on all must belong to that user, and no link is followed.
fn owner(file: &Path, purpose: Purpose) -> Result<Owner, ConfineError> {
    let path = absolute(file);
    let mut walk = Walk::from_root(&path)?;
    let mut left: Vec<OsString> = parts(&path);
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
                if links > MOST_LINKS {
                    return Err(walk.failed(rustix::io::Errno::LOOP));
                }
                let target = readlinkat(&walk.folder, part.as_os_str(), Vec::new())
                    .map_err(|error| walk.failed(error))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    walk = Walk::from_root(&path)?;
                }
                left.extend(parts(&target));
            }
            FileType::Directory => walk.enter(&part)?,
            _ => return walk.file(&part, &found, purpose),
        }
    }
    // A folder in the place of the file: opening it will fail, or it is the page's.
    Ok(walk.owner)
}

/// The place that a walk has come to.
struct Walk<'p> {
    /// The whole path, for messages.
    whole: &'p Path,
    folder: OwnedFd,
    shown: PathBuf,
    /// Whether everybody may make files in the folder, and nobody may touch those of others.
    is_sticky: bool,
    owner: Owner,
}

impl<'p> Walk<'p> {
    fn from_root(whole: &'p Path) -> Result<Self, ConfineError> {
        let folder = openat(rustix::fs::CWD, "/", Self::FLAGS, Mode::empty())
            .map_err(|error| ConfineError::Walk(whole.to_owned(), error.into()))?;
        let mut walk = Self { whole, folder, shown: "/".into(), is_sticky: false, owner: Owner::Root };
        walk.judge()?;
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
        self.judge()
    }

    /// Takes note of who may change the folder that was entered.
    fn judge(&mut self) -> Result<(), ConfineError> {
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
                let by_group = mode.contains(Mode::WGRP) && found.st_gid != 0;
                let is_shared = by_group || mode.contains(Mode::WOTH);
                self.is_sticky = is_shared && mode.contains(Mode::SVTX);
                if is_shared && !self.is_sticky { Err(self.shared(found.st_mode)) } else { Ok(()) }
            }
        }
    }

    /// Root follows the links of root, and no others.
    fn check_link(&self, part: &OsStr, found: &Stat) -> Result<(), ConfineError> {
        let uid = match &self.owner {
            Owner::User { uid, .. } => *uid,
            Owner::Root if self.is_sticky && found.st_uid != 0 => found.st_uid,
            Owner::Root => return Ok(()),
        };
        Err(ConfineError::ForeignLink { path: self.shown.join(part), user: system_user::name_of(uid)? })
    }

    /// The owner where the path ends in a file that is there.
    fn file(&self, part: &OsStr, found: &Stat, purpose: Purpose) -> Result<Owner, ConfineError> {
        match (&self.owner, purpose) {
            (Owner::Root, Purpose::Write) if self.is_sticky => Err(self.shared(0o1777)),
            (Owner::Root, Purpose::Read) if self.is_sticky && found.st_uid != 0 => {
                Ok(Owner::User { uid: found.st_uid, gid: found.st_gid, folder: self.shown.join(part) })
            }
            // Anybody could have made the second name.
            (Owner::Root, Purpose::Read) if self.is_sticky && found.st_nlink > 1 => {
                Err(ConfineError::ForeignLink { path: self.shown.join(part), user: "another".to_owned() })
            }
            _ => Ok(self.owner.clone()),
        }
    }

    /// The owner where the path ends before its file.
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

/// The names of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut parts: Vec<OsString> = named.collect();
    parts.reverse();
    parts
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const STRANGER: u32 = 54_321;
    const OTHER: u32 = 54_322;

    /// A folder of root's; `None`, said, where the tests do not run as root.
    fn folder() -> Option<tempfile::TempDir> {
        if !geteuid().is_root() {
            eprintln!("not run: folders of other users take root");
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
    fn the_first_user_on_the_way_owns_it_and_nobody_else_may_come_after() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("root"), 0, 0o755);
        make(&at("hers"), STRANGER, 0o700);
        make(&at("hers/deep"), STRANGER, 0o700);
        make(&at("hers/roots"), 0, 0o755);
        make(&at("hers/his"), OTHER, 0o755);
        assert_eq!(uid_of(&at("root/users")), Ok(None));
        assert_eq!(uid_of(&at("hers/users")), Ok(Some(STRANGER)));
        assert_eq!(uid_of(&at("hers/deep/none/users")), Ok(Some(STRANGER)));
        for mixed in ["hers/roots/users", "hers/his/users"] {
            let told = uid_of(&at(mixed)).unwrap_err();
            assert!(told.contains("54321"), "{told}");
        }
    }

    #[test]
    fn links_of_root_are_followed_and_links_of_others_are_not() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("root"), 0, 0o755);
        make(&at("hers"), STRANGER, 0o700);
        make(&at("tmp"), 0, 0o1777);
        symlink(at("hers"), at("root/link")).unwrap();
        symlink("../hers/users", at("root/users")).unwrap();
        symlink(at("root"), at("hers/link")).unwrap();
        symlink("/etc/shadow", at("hers/users")).unwrap();
        symlink(at("root"), at("tmp/link")).unwrap();
        rustix::fs::chownat(
            rustix::fs::CWD,
            at("tmp/link"),
            Some(Uid::from_raw(STRANGER)),
            None,
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
        assert_eq!(uid_of(&at("root/link/new")), Ok(Some(STRANGER)));
        for planted in ["hers/users", "hers/link/users", "root/users", "root/link/users", "tmp/link/users"] {
            let told = uid_of(&at(planted)).unwrap_err();
            assert!(told.contains("is a link"), "{planted}: {told}");
        }
        symlink("round", at("root/round")).unwrap();
        assert!(uid_of(&at("root/round")).is_err());
    }

    #[test]
    fn only_a_number_behind_the_folder_of_descriptors_is_one() {
        for own in ["/dev/stdin", "/dev/fd/63", "/proc/self/fd/3"] {
            assert!(is_own_descriptor(Path::new(own)), "{own}");
        }
        for other in
            ["/dev/fd", "/dev/fd/../../etc/users", "/proc/self/fd/3/../../../../etc/users", "/dev/stdin/x"]
        {
            assert!(!is_own_descriptor(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_folder_of_root_that_others_may_write_is_refused() {
        let Some(folder) = folder() else { return };
        let at = |name: &str| folder.path().join(name);
        make(&at("open"), 0, 0o777);
        make(&at("group"), 0, 0o775);
        chown(at("group"), None, Some(STRANGER)).unwrap();
        make(&at("tmp"), 0, 0o1777);
        make(&at("open/inner"), 0, 0o700);
        for shared in ["open/users", "group/users", "tmp/users", "open/inner/users"] {
            let told = uid_of(&at(shared)).unwrap_err();
            assert!(told.contains("others than root"), "{shared}: {told}");
        }
        fs::write(at("tmp/mine"), "").unwrap();
        assert_eq!(owner(&at("tmp/mine"), Purpose::Read).unwrap(), Owner::Root);
        fs::hard_link(at("tmp/mine"), at("tmp/second")).unwrap();
        assert!(owner(&at("tmp/second"), Purpose::Read).is_err());
    }
}
