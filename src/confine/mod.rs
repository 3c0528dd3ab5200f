//! Least power: who the process is, and what it may open, once it has the one thing that needs
//! more, its port.
//!
//! What belongs here: finding a system user, becoming that user, giving up rights for good. What
//! must not: configuration, and knowing what the server's files are for; [`crate::app`] says both.
//!
//! Invariant: everything here is called while the process has one thread. The kernel keeps users,
//! capabilities and Landlock for each thread, and a new thread inherits them from the one that
//! starts it; one started before would keep all its power. [`become_account`] checks it.
//!
//! Root that stays root keeps the four capabilities over files and drops the others.

mod account;
mod files;
mod landlock;
mod owner;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getuid, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid,
};
use rustix::{fs::Gid, fs::Uid};

pub use account::{Account, Choice, DEFAULT_USER, choose};
pub use files::{Access, check_access, folder_of, make_first_folder, make_folders, may_write};
pub use landlock::{Reach, restrict};
pub use owner::{Purpose, as_owner, become_owner, check_named_by, check_roots_own};

/// Why the process cannot give up its power.
#[derive(Debug)]
pub enum ConfineError {
    /// A list of the system's users or groups cannot be read.
    Accounts(PathBuf, io::Error),
    /// There is no such system user.
    UnknownUser(String),
    /// Threads were started already, and would stay what they are.
    Threads(usize),
    /// The kernel does not let the process become this user.
    Become(String, io::Error),
    /// The way back to root is still open.
    StillRoot(String),
    /// The kernel refused to take a right away; which.
    Forbid(&'static str, io::Error),
    /// A folder for the server's files cannot be made or given away.
    Folder(PathBuf, io::Error),
    /// A path cannot be walked.
    Walk(PathBuf, io::Error),
    /// Others than root may put files on the way to a file that root is to work with.
    SharedFolder {
        /// The file.
        path: PathBuf,
        /// The folder on the way to it.
        folder: PathBuf,
        /// The folder's mode.
        mode: u32,
    },
    /// A link that root does not follow, for another user could have put it there.
    ForeignLink {
        /// The link.
        path: PathBuf,
        /// The user.
        user: String,
    },
    /// A folder of one user lies in a folder of another, who could put a different one in its place.
    MixedOwners {
        /// The inner folder.
        path: PathBuf,
        /// Its owner.
        owner: String,
        /// The outer folder.
        folder: PathBuf,
        /// The outer folder's owner.
        user: String,
    },
    /// A configuration in a user's folder has root act as another user.
    ForeignConfig {
        /// The file that it names, or its own.
        path: PathBuf,
        /// The user whose rights it takes.
        user: String,
        /// The user whose folder the configuration lies in.
        named_by: String,
    },
    /// The server stays root, and a file of its lies in a folder of another user.
    ForeignFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// The folder's owner.
        user: String,
    },
    /// A file the user needs and has no right to.
    OutOfReach {
        /// The file or folder.
        path: PathBuf,
        /// The system user.
        user: String,
        /// What that user may not do with it.
        action: &'static str,
    },
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts(path, error) => {
                write!(f, "{}: cannot look up the system's users: {error}", path.display())
            }
            Self::UnknownUser(name) => write!(
                f,
                "user in [server] is `{name}`, and /etc/passwd has no such user; make it with \
                 `useradd --system {name}`, or name another"
            ),
            Self::Threads(count) => {
                write!(f, "a fault in Defender: {count} threads run before it gave up its rights")
            }
            Self::Become(user, error) => write!(
                f,
                "cannot become the user `{user}`: {error}; root needs the capabilities SETUID and SETGID \
                 for it, else say user = \"root\" in [server]"
            ),
            Self::StillRoot(user) => {
                write!(f, "became the user `{user}`, and the way back to root is still open")
            }
            Self::Forbid(what, error) => write!(f, "the kernel refused to forbid {what}: {error}"),
            Self::Folder(path, error) => write!(
                f,
                "{}: cannot make this folder: {error}; make it, and give it to the user Defender runs as",
                path.display()
            ),
            Self::Walk(path, error) => write!(f, "{}: {error}", path.display()),
            Self::SharedFolder { path, folder, mode } => write!(
                f,
                "{path}: root does not work here: others than root may put files into {folder} (mode {mode:03o}); \
                 `chmod go-w {folder}`, or `chown` it to the user Defender runs as (on a disk with FAT: mount it \
                 with the options uid=USER,umask=077), or choose another place",
                path = path.display(),
                folder = folder.display()
            ),
            Self::ForeignLink { path, user } => write!(
                f,
                "{path}: it is a link in a place where the user `{user}` may put links, and root does not follow \
                 it; do this as that user (`sudo -u {user} defender ...`), or name the place it leads to",
                path = path.display()
            ),
            Self::MixedOwners { path, owner, folder, user } => write!(
                f,
                "{path} belongs to `{owner}`, and {folder}, where it lies, to `{user}`, who could put another in its \
                 place: root does not work here; do this as the user Defender runs as (`sudo -u USER defender \
                 ...`), or `chown` one of the two",
                path = path.display(),
                folder = folder.display()
            ),
            Self::ForeignConfig { path, user, named_by } => write!(
                f,
                "{path}: the configuration lies in a folder of the user `{named_by}`, and root does nothing as the user \
                 `{user}` because `{named_by}` says so; do it as `{named_by}` (`sudo -u {named_by} defender ...`), or put \
                 the configuration into a folder of root's, such as /etc/defender",
                path = path.display()
            ),
            Self::ForeignFolder { path, folder, user } => write!(
                f,
                "{path}: Defender would stay root, and {folder} belongs to the user `{user}`, who could lead root to \
                 any file; say user = \"{user}\" in [server], start it as that user, or `chown root {folder}`",
                path = path.display(),
                folder = folder.display()
            ),
            Self::OutOfReach { path, user, action } => write!(
                f,
                "{path}: the user `{user}`, whom Defender becomes, may not {action}; `chown {user} {path}`, \
                 choose a place that is open to `{user}`, or say user = \"root\" in [server]",
                path = path.display()
            ),
        }
    }
}

/// Makes the process this user, for good: user, groups, and with them every capability.
///
/// # Errors
/// [`ConfineError::Threads`], [`ConfineError::Become`], or [`ConfineError::StillRoot`]; the process
/// must then end, for it may have given up a part.
pub fn become_account(account: &Account) -> Result<(), ConfineError> {
    check_single_thread()?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    // The user last: it takes the right to change the groups away.
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|error| ConfineError::Become(account.name.clone(), error.into()))?;
    if set_thread_uid(Uid::ROOT).is_ok() {
        return Err(ConfineError::StillRoot(account.name.clone()));
    }
    Ok(())
}

/// Gives up what a camera server never needs, whoever runs it: rights gained by starting programs,
/// core dumps (passwords and keys are in its memory), being read by a debugger, and the
/// capabilities that the port was bound with. Root keeps those over files, so that it still owns
/// what it owned.
///
/// # Errors
/// [`ConfineError::Forbid`].
pub fn forbid() -> Result<(), ConfineError> {
    let refused = |what| move |error: rustix::io::Errno| ConfineError::Forbid(what, error.into());
    set_no_new_privs(true).map_err(refused("new privileges"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("core dumps"))?;
    // What is not dumpable leaves no core; the limit says so to people, where it may be set at all.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let keep = if getuid().is_root() { files_of_others() } else { CapabilitySet::empty() };
    let held = rustix::thread::capabilities(None).map_err(refused("capabilities"))?;
    // A service manager's filter refuses the call; where there is nothing to give up it is not made.
    if !((held.permitted - keep) | held.inheritable).is_empty() {
        let (effective, permitted) = (held.effective & keep, held.permitted & keep);
        set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
            .map_err(refused("capabilities"))?;
    }
    // A kernel before 4.3 has no ambient set to clear.
    let _ = clear_ambient_capability_set();
    Ok(())
}

fn check_single_thread() -> Result<(), ConfineError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 { Err(ConfineError::Threads(threads)) } else { Ok(()) }
}

/// What makes root the owner of everything.
fn files_of_others() -> CapabilitySet {
    CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
}
