//! Users: who they are, where they are stored, and whether one may sign in.
//!
//! What belongs here: the flat file, password hashes and rules, sessions, tokens, the throttle, the
//! running server's view of them all. What must not: HTTP, prompts, the command line.

mod accounts;
mod asker;
mod attempt;
mod audit;
mod edits;
pub(crate) mod file;
mod followed;
mod identity;
mod index;
mod password;
mod queue;
mod remembered;
mod rules;
mod saver;
mod scope;
mod secret;
mod server_id;
mod session_file;
mod sessions;
mod store;
mod throttle;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

pub use accounts::Accounts;
pub(crate) use asker::Asker;
pub use edits::{Change, add, add_token};
pub(crate) use edits::{change, first_admin, list, remove, remove_token};
pub(crate) use file::is_valid_name;
pub(crate) use identity::{Denied, Identity, whole_seconds};
#[cfg(test)]
pub(crate) use password::rounds_spent;
pub(crate) use rules::{MAX_PASSWORD_BYTES, check as check_password};
pub(crate) use scope::Scope;
pub(crate) use server_id::{server_id, server_id_file};
pub(crate) use session_file::sessions_file;
pub(crate) use sessions::SessionInfo;
pub use sessions::SessionLimits;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// See and hear.
    Viewer,
}

/// A user as the file has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the user may see and hear.
    pub scope: Scope,
    /// Whether the user may see and hear recordings of that, too.
    pub past: bool,
}

/// A token as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedToken {
    /// The name.
    pub name: String,
    /// The user it signs in.
    pub user: String,
    /// What it opens of what its user may see and hear.
    pub scope: Scope,
    /// Whether it signs in a user; not when the user is gone that it was made for.
    pub is_live: bool,
}

/// What a user file holds, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Who can sign in.
    pub users: Vec<ListedUser>,
    /// The tokens.
    pub tokens: Vec<ListedToken>,
    /// What is wrong with lines that are ignored, each with file and line.
    pub complaints: Vec<String>,
    /// Whether no line was meant for a user: the next start makes one.
    pub is_unused: bool,
}

/// What can go wrong with the user file.
#[derive(Debug)]
pub enum UsersError {
    /// The file is there and cannot be read.
    Read(PathBuf, io::Error),
    /// The file cannot be written; the old one is untouched.
    Write(PathBuf, io::Error),
    /// The file was written and is in its place, but a power cut may still undo that.
    Sync(PathBuf, io::Error),
    /// The system gives no random numbers.
    Random(getrandom::Error),
    /// A name no user may have.
    Name(String),
    /// There is a user of this name already.
    Taken(String),
    /// There is no user of this name.
    Unknown(String),
    /// The last admin must stay one.
    LastAdmin(String),
    /// A password that is not taken, and why.
    Password(&'static str),
    /// A confinement that makes no sense, and why.
    Scope(&'static str),
    /// There is a token of this name already.
    TokenTaken(String),
    /// There is no token of this name.
    UnknownToken(String),
    /// Too many passwords are being hashed already; nothing was done.
    Busy,
    /// The user may not do this any more; nothing was done.
    NotAllowed,
}

impl Error for UsersError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(_, error) | Self::Write(_, error) | Self::Sync(_, error) => Some(error),
            Self::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{}: cannot read the user file: {error}", path.display()),
            Self::Write(path, error) => write!(f, "{}: cannot write the user file: {error}", path.display()),
            Self::Sync(path, error) => write!(
                f,
                "{}: changed, but a power cut now may undo it: cannot sync the folder: {error}",
                path.display()
            ),
            Self::Random(error) => write!(f, "cannot get random numbers from the system: {error}"),
            Self::Name(name) => write!(
                f,
                "`{name}` cannot be a user's name; expected 1 to 32 letters, digits or . _ -, starting with a letter or digit"
            ),
            Self::Taken(name) => {
                write!(f, "there is a user `{name}` already; `defender user edit {name}` changes it")
            }
            Self::Unknown(name) => {
                write!(f, "there is no user `{name}`; `defender user list` shows the users")
            }
            Self::LastAdmin(name) => {
                write!(f, "`{name}` is the last admin and must stay one; make another user admin first")
            }
            Self::Password(why) => write!(f, "the password {why}"),
            Self::Scope(why) => f.write_str(why),
            Self::TokenTaken(name) => {
                write!(f, "there is a token `{name}` already; `defender token remove {name}` removes it")
            }
            Self::UnknownToken(name) => {
                write!(f, "there is no token `{name}`; `defender token list` shows the tokens")
            }
            Self::Busy => f.write_str("too many passwords are being checked already; try again"),
            Self::NotAllowed => f.write_str("you are no longer allowed to do this"),
        }
    }
}

impl Role {
    /// Its name in the file, in flags and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::Viewer].into_iter().find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_the_source_of_ours() {
        let (path, denied) = (PathBuf::from("users"), || io::Error::from(io::ErrorKind::PermissionDenied));
        for error in [
            UsersError::Read(path.clone(), denied()),
            UsersError::Write(path.clone(), denied()),
            UsersError::Sync(path, denied()),
        ] {
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::PermissionDenied), "{error}");
        }
        assert!(UsersError::Random(getrandom::Error::UNSUPPORTED).source().is_some());
        assert!(UsersError::Busy.source().is_none());
    }
}
