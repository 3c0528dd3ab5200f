//! Why the process cannot give up its privileges, with what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the process cannot give up its privileges.
#[derive(Debug)]
pub enum ConfineError {
    /// The list of the system's users or groups cannot be read.
    Accounts(PathBuf, io::Error),
    /// There is no such system user.
    UnknownUser(String),
    /// The process has this many threads; all but one would keep their privileges.
    Threads(usize),
    /// The kernel refuses to make the process this user.
    Become(String, io::Error),
    /// The process became this user, and could become root again.
    StillRoot(String),
    /// The kernel refuses to disable this.
    Drop(&'static str, io::Error),
    /// A folder for the server's files cannot be created or given away.
    Folder(PathBuf, io::Error),
    /// A path cannot be walked.
    Walk(PathBuf, io::Error),
    /// Other users may create files in a folder on the path of a file that root is to work with.
    SharedFolder {
        /// The file.
        path: PathBuf,
        /// The folder on its path.
        folder: PathBuf,
        /// The folder's mode.
        mode: u32,
    },
    /// A symbolic link that another user could have planted; root does not follow it.
    ForeignLink {
        /// The link.
        path: PathBuf,
        /// The user.
        user: String,
    },
    /// A folder of one user lies in a folder of another, who could replace it.
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
    /// A configuration in one user's folder would have root act as another user.
    ForeignConfig {
        /// The file that the configuration names, or the configuration itself.
        path: PathBuf,
        /// The user whom root would act as.
        user: String,
        /// The owner of the configuration's folder.
        named_by: String,
    },
    /// The server would stay root, and one of its files lies in a folder of another user.
    ForeignFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// The folder's owner.
        user: String,
    },
    /// The server's user lacks a permission on a file that it needs.
    NoAccess {
        /// The file or folder.
        path: PathBuf,
        /// The system user.
        user: String,
        /// What that user may not do with it.
        action: &'static str,
    },
}

impl Error for ConfineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Accounts(_, error)
            | Self::Become(_, error)
            | Self::Drop(_, error)
            | Self::Folder(_, error)
            | Self::Walk(_, error) => Some(error),
            Self::UnknownUser(_)
            | Self::Threads(_)
            | Self::StillRoot(_)
            | Self::SharedFolder { .. }
            | Self::ForeignLink { .. }
            | Self::MixedOwners { .. }
            | Self::ForeignConfig { .. }
            | Self::ForeignFolder { .. }
            | Self::NoAccess { .. } => None,
        }
    }
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts(path, error) => {
                write!(f, "{}: cannot read the system's users: {error}", path.display())
            }
            Self::UnknownUser(name) => write!(
                f,
                "user in [server] is `{name}`, and /etc/passwd has no such user; create it with \
                 `useradd --system {name}`, or name another"
            ),
            Self::Threads(count) => {
                write!(f, "internal error: {count} threads were running before privileges were dropped")
            }
            Self::Become(user, error) => write!(
                f,
                "cannot become the user `{user}`: {error}; root needs the capabilities SETUID and SETGID \
                 for this, or set user = \"root\" in [server]"
            ),
            Self::StillRoot(user) => {
                write!(f, "became the user `{user}`, but could still become root again")
            }
            Self::Drop(what, error) => write!(f, "the kernel refused to disable {what}: {error}"),
            Self::Folder(path, error) => write!(
                f,
                "{}: cannot make this folder: {error}; make it and give it to the user that Defender runs as",
                path.display()
            ),
            Self::Walk(path, error) => write!(f, "{}: {error}", path.display()),
            Self::SharedFolder { path, folder, mode } => shared_folder(f, path, folder, *mode),
            Self::ForeignLink { path, user } => foreign_link(f, path, user),
            Self::MixedOwners { path, owner, folder, user } => mixed_owners(f, path, owner, folder, user),
            Self::ForeignConfig { path, user, named_by } => foreign_config(f, path, user, named_by),
            Self::ForeignFolder { path, folder, user } => foreign_folder(f, path, folder, user),
            Self::NoAccess { path, user, action } => no_access(f, path, user, action),
        }
    }
}

fn shared_folder(f: &mut fmt::Formatter<'_>, path: &Path, folder: &Path, mode: u32) -> fmt::Result {
    write!(
        f,
        "{path}: root does not work here, because other users may create files in {folder} \
         (mode {mode:03o}); run `chmod go-w {folder}`, or `chown` it to the user that Defender runs as \
         (on a FAT file system: mount it with the options uid=USER,umask=077), or choose another folder",
        path = path.display(),
        folder = folder.display()
    )
}

fn foreign_link(f: &mut fmt::Formatter<'_>, path: &Path, user: &str) -> fmt::Result {
    write!(
        f,
        "{path}: this is a link in a folder where the user `{user}` may create links, and root does not \
         follow it; run the command as that user (`sudo -u {user} defender ...`), or give the path that \
         the link leads to",
        path = path.display()
    )
}

fn mixed_owners(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    owner: &str,
    folder: &Path,
    user: &str,
) -> fmt::Result {
    write!(
        f,
        "{path}: root does not work here, because it belongs to `{owner}` and lies in {folder}, whose \
         owner `{user}` could replace it; run the command as the user that Defender runs as \
         (`sudo -u USER defender ...`), or `chown` one of the two",
        path = path.display(),
        folder = folder.display()
    )
}

fn foreign_config(f: &mut fmt::Formatter<'_>, path: &Path, user: &str, named_by: &str) -> fmt::Result {
    write!(
        f,
        "{path}: the configuration lies in a folder of the user `{named_by}`, so root does not act as \
         the user `{user}` for it; run the command as `{named_by}` (`sudo -u {named_by} defender ...`), \
         or move the configuration to a folder that belongs to root, such as /etc/defender",
        path = path.display()
    )
}

fn foreign_folder(f: &mut fmt::Formatter<'_>, path: &Path, folder: &Path, user: &str) -> fmt::Result {
    write!(
        f,
        "{path}: Defender would stay root, and {folder} belongs to the user `{user}`, who could redirect \
         root to any file; set user = \"{user}\" in [server], start Defender as that user, or run \
         `chown root {folder}`",
        path = path.display(),
        folder = folder.display()
    )
}

fn no_access(f: &mut fmt::Formatter<'_>, path: &Path, user: &str, action: &str) -> fmt::Result {
    write!(
        f,
        "{path}: the user `{user}`, which Defender runs as, may not {action}; run `chown {user} {path}`, \
         choose a path that `{user}` may use, or set user = \"root\" in [server]",
        path = path.display()
    )
}
