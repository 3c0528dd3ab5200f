//! What root may do in folders of other users. Whoever owns a folder can replace any file in it by a
//! symbolic link, a hard link or a FIFO at any moment, and root, which works there by path, would change
//! what that leads to. So root works by path only where root alone can change what the path leads to.
//! Everywhere else the process becomes the owner of the folder: a planted link then leads to nothing
//! that the owner could not reach anyway.

use std::path::Path;

use rustix::fs::{Gid, Uid};
use rustix::process::{geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::error::ConfineError;
use super::path_walk::{Owner, Purpose, absolute, owner};
use super::privileges::{become_user, check_single_thread, drop_privileges};
use super::system_user::{self, DEFAULT_USER, SystemUser};

/// As root: becomes, for good, the user who owns the folder that `file` lies in, and returns that
/// user's name; stays root if the owner is root. As any other user: does nothing. Call it before the
/// first file of that folder is opened, and while the process has one thread. `named_by` is the user
/// who chose the path, if that is not root: see [`check_named_by`].
///
/// # Errors
/// [`ConfineError::SharedFolder`], [`ConfineError::ForeignLink`] and [`ConfineError::MixedOwners`] if no
/// single user owns the path; those of [`check_named_by`] and [`become_user`].
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

/// As root: does `work` with the permissions of the user who owns the folder that `file` lies in, then
/// becomes root again, and returns that user's name unless it is root. As any other user: does `work`.
///
/// # Errors
/// As [`become_owner`]. If the process cannot become root again, it must end.
pub fn as_owner<T>(file: &Path, work: impl FnOnce() -> T) -> Result<(T, Option<String>), ConfineError> {
    let Some(user) = user_of_owner(file, Purpose::Read)? else { return Ok((work(), None)) };
    let failed = |error: rustix::io::Errno| ConfineError::Become(user.name.clone(), error.into());
    check_single_thread()?;
    let root_groups = getgroups().map_err(failed)?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    // Only the effective ids: the real and saved ones allow the return to root.
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

/// Checks that root may act as `user` on a file, or by a configuration, that the user `named_by` chose:
/// only as `named_by` itself or as [`DEFAULT_USER`]. Otherwise `named_by` would gain the permissions of
/// `user` through root.
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

/// For a process that stays root: checks that root alone can change what a path leads to. As any other
/// user: always succeeds.
///
/// # Errors
/// [`ConfineError::ForeignFolder`] with the owner of the first folder that is not root's; else as
/// [`become_owner`].
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

/// The user to become; `None` to stay the same user.
fn user_of_owner(file: &Path, purpose: Purpose) -> Result<Option<SystemUser>, ConfineError> {
    if !geteuid().is_root() || is_own_descriptor(file) {
        return Ok(None);
    }
    match owner(file, purpose)? {
        Owner::Root => Ok(None),
        Owner::User { uid, gid, .. } => system_user::of_number(uid, gid).map(Some),
    }
}

/// Whether a path names an inherited descriptor, as a shell's `<(...)` does. The file is open already.
fn is_own_descriptor(file: &Path) -> bool {
    let is_number = |name: &Path| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|own| file == Path::new(own))
        || ["/dev/fd", "/proc/self/fd"].iter().any(|own| file.strip_prefix(own).is_ok_and(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_in_the_descriptor_folder_is_a_descriptor() {
        for own in ["/dev/stdin", "/dev/fd/63", "/proc/self/fd/3"] {
            assert!(is_own_descriptor(Path::new(own)), "{own}");
        }
        for other in
            ["/dev/fd", "/dev/fd/../../etc/users", "/proc/self/fd/3/../../../../etc/users", "/dev/stdin/x"]
        {
            assert!(!is_own_descriptor(Path::new(other)), "{other}");
        }
    }
}
