//! Who a signed-in user is and what signed them in, and why a sign-in is refused.
//!
//! No token manages accounts, not even an admin's: what its holder changed there would outlive the token. An
//! admin's token without limits may read the list of users.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::file::{Record, TokenRecord};
use super::secret::Digest;
use super::{Role, Scope};

/// A user who signed in.
#[derive(Clone)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the user may see and hear.
    pub scope: Scope,
    /// Whether the user's line allows recordings; see [`Identity::may_see_past`].
    pub(super) past: bool,
    /// Whether a password was checked the slow way just now: of the many requests of a client that
    /// sends it each time, the first.
    pub is_new: bool,
    pub(super) grant: Grant,
}

/// What signed a user in; [`super::Accounts::holds`] says whether it still would.
#[derive(Clone)]
pub(super) enum Grant {
    /// The user's line as it was.
    Password(Arc<Record>),
    Session(Digest),
    /// The token's line and its user's as they were.
    Token(Arc<TokenRecord>, Arc<Record>),
    /// The kernel says who it is: root, or the server's own user.
    Local,
}

/// Why a sign-in is refused. For the log; the client learns nothing but how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No such user.
    UnknownUser,
    /// The user's line in the file is malformed; the log named it when the file was read.
    MalformedRecord,
    /// Not the user's password.
    WrongPassword,
    /// No such session or token, or no longer.
    Ended,
    /// The user's line changed while the password was checked.
    Changed,
    /// Too many passwords are being checked already; nothing was checked.
    Busy,
    /// Too many failures; nothing was checked, and nothing will be for so long.
    Throttled(Duration),
    /// Too many failures, and the password is none that worked from there lately. Checked no further;
    /// nothing will be for so long.
    WrongWhileThrottled(Duration),
}

impl Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUser => f.write_str("no such user"),
            Self::MalformedRecord => f.write_str("the user's line in the file is malformed"),
            Self::WrongPassword => f.write_str("wrong password"),
            Self::Ended => f.write_str("no such session or token, or it has ended"),
            Self::Changed => f.write_str("the user was changed while the password was checked"),
            Self::Busy => f.write_str("too many passwords are being checked already"),
            Self::Throttled(wait) => write!(f, "too many failures, wait {} s", whole_seconds(*wait)),
            Self::WrongWhileThrottled(wait) => {
                write!(f, "another guess after too many failures, wait {} s", whole_seconds(*wait))
            }
        }
    }
}

/// Seconds to wait, rounded up: a client that comes back after them does not have to wait again.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl Identity {
    /// The user of a line.
    pub(super) fn new(record: &Record, grant: Grant) -> Self {
        Self {
            name: record.name.clone(),
            role: record.role,
            scope: record.scope.clone(),
            past: record.past,
            is_new: false,
            grant,
        }
    }

    /// A client of the local socket that runs as this user of the machine: an admin of everything.
    pub fn local(uid: u32) -> Self {
        let name = if uid == 0 { "root (on the board)" } else { "the server's user (on the board)" };
        Self {
            name: name.to_owned(),
            role: Role::Admin,
            scope: Scope::default(),
            past: true,
            is_new: false,
            grant: Grant::Local,
        }
    }

    /// Whether the user may see and hear recordings of what is in the scope, and events, and not only what is live.
    pub fn may_see_past(&self) -> bool {
        self.past
    }

    /// Whether a token signed the user in.
    pub fn is_token(&self) -> bool {
        matches!(self.grant, Grant::Token(..))
    }

    /// Who acts, for the audit log: the user, and the token that acts in the user's name, if one does.
    pub fn actor(&self) -> String {
        match &self.grant {
            Grant::Token(token, _) => format!("`{}` by token `{}`", self.name, token.name),
            _ => format!("`{}`", self.name),
        }
    }

    /// Whether a name and password signed them in, and no session or token.
    pub fn has_given_password(&self) -> bool {
        matches!(self.grant, Grant::Password(_))
    }

    /// The id of the session that signed them in, if one did.
    pub fn session_id(&self) -> Option<String> {
        match &self.grant {
            Grant::Session(digest) => Some(digest.id()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::password::PasswordHash;

    #[test]
    fn seconds_to_wait_are_rounded_up() {
        for (wait_ms, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait_ms)), seconds, "{wait_ms} ms");
        }
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
    }

    #[test]
    fn only_a_password_counts_as_given() {
        let hash = PasswordHash::of_nobody();
        let record =
            Record { name: "eve".to_owned(), role: Role::Viewer, hash, scope: Scope::All, past: true };
        let user = Identity::new(&record, Grant::Password(Arc::new(record.clone())));
        assert!(user.has_given_password() && !user.is_token() && !user.is_new);
        let (root, other) = (Identity::local(0), Identity::local(1000));
        assert_eq!(root.name, "root (on the board)");
        assert_eq!(other.name, "the server's user (on the board)");
        assert!([root, other].iter().all(|one| !one.has_given_password() && !one.is_new));
    }
}
