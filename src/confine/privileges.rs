//! Changing the process' user and dropping privileges, for good.

use std::fs;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getuid, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid,
};
use rustix::{fs::Gid, fs::Uid};

use super::error::ConfineError;
use super::system_user::SystemUser;

/// Makes the process this user, for good: it takes the user's ids and groups and loses every capability.
///
/// # Errors
/// [`ConfineError::Threads`], [`ConfineError::Become`], or [`ConfineError::StillRoot`]. The process
/// must then end: the change may be incomplete.
pub fn become_user(user: &SystemUser) -> Result<(), ConfineError> {
    check_single_thread()?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    // The user last: afterwards the groups can no longer be changed.
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|error| ConfineError::Become(user.name.clone(), error.into()))?;
    if set_thread_uid(Uid::ROOT).is_ok() {
        return Err(ConfineError::StillRoot(user.name.clone()));
    }
    Ok(())
}

/// Drops what a camera server never needs, whichever user runs it: privileges gained by starting
/// programs, core dumps (its memory holds passwords and keys), being traced by a debugger, and the
/// capabilities that bound the port. Root keeps the capabilities over files.
///
/// # Errors
/// [`ConfineError::Drop`].
pub fn drop_privileges() -> Result<(), ConfineError> {
    let refused = |what| move |error: rustix::io::Errno| ConfineError::Drop(what, error.into());
    set_no_new_privs(true).map_err(refused("new privileges"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("core dumps"))?;
    // A process that is not dumpable writes no core; the limit only makes that visible. Best effort.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let keep = if getuid().is_root() { file_capabilities() } else { CapabilitySet::empty() };
    let held = rustix::thread::capabilities(None).map_err(refused("capabilities"))?;
    // A service manager's seccomp filter may refuse the call, so skip it if there is nothing to drop.
    if !((held.permitted - keep) | held.inheritable).is_empty() {
        let (effective, permitted) = (held.effective & keep, held.permitted & keep);
        set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
            .map_err(refused("capabilities"))?;
    }
    // Best effort: kernels before 4.3 have no ambient set.
    let _ = clear_ambient_capability_set();
    Ok(())
}

pub(super) fn check_single_thread() -> Result<(), ConfineError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 { Err(ConfineError::Threads(threads)) } else { Ok(()) }
}

/// The capabilities that let root work with the files of all users.
fn file_capabilities() -> CapabilitySet {
    CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
}
