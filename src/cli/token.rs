//! `defender token add|list|remove`: secrets for programs, in place of a password.

use std::io::{self, Write};
use std::path::Path;

use super::user::{Confined, say, shown_scope};
use crate::users::{self, UsersError};

/// An edit of the tokens in the user file.
#[derive(Debug)]
pub enum TokenCommand {
    /// Add a token and print it.
    Add {
        /// The new token's name.
        name: String,
        /// Its user.
        user: String,
        /// The devices that it is confined to.
        confined: Confined,
    },
    /// Remove a token.
    Remove {
        /// The token's name.
        name: String,
    },
    /// List the tokens.
    List,
}

impl TokenCommand {
    /// The devices that the new token is confined to.
    pub fn confined(&self) -> Option<&Confined> {
        match self {
            Self::Add { confined, .. } => Some(confined),
            Self::Remove { .. } | Self::List => None,
        }
    }
}

/// Runs an edit of the file `users`. Only a new token is printed on standard output, so that a script can read
/// it from there.
///
/// # Errors
/// The error of the user file, which is then unchanged.
pub fn run(command: TokenCommand, users: &Path) -> Result<(), UsersError> {
    match command {
        TokenCommand::Add { name, user, confined } => add(users, &name, &user, &confined),
        TokenCommand::Remove { name } => {
            users::remove_token(users, &name)?;
            say(&format!("removed the token {name} from {}\n", users.display()));
            Ok(())
        }
        TokenCommand::List => list(users),
    }
}

fn add(users: &Path, name: &str, user: &str, confined: &Confined) -> Result<(), UsersError> {
    let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
    let (cameras, microphones) = (list(&confined.cameras), list(&confined.microphones));
    let token = users::add_token(users, name, user, &cameras, &microphones)?;
    // Best effort: standard error may be closed; only the token matters.
    let _ = writeln!(
        io::stderr(),
        "defender: added the token {name} of {user} to {}; it is not shown again:",
        users.display()
    );
    say(&format!("{}\n", token.as_str()));
    Ok(())
}

fn list(users: &Path) -> Result<(), UsersError> {
    let found = users::list(users)?;
    let line = |token: &users::ListedToken| {
        let dead = if token.is_live { "" } else { " (rejected: its user no longer exists)" };
        format!("{} of {}{}{dead}\n", token.name, token.user, shown_scope(&token.scope))
    };
    say(&found.tokens.iter().map(line).collect::<String>());
    Ok(())
}
