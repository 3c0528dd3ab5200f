//! `defender token add|list|remove`: secrets for programs, to be used in place of a password.

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
        /// Whom it lets in.
        user: String,
        /// What it is confined to.
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
    /// What the token is to be confined to.
    pub fn confined(&self) -> Option<&Confined> {
        match self {
            Self::Add { confined, .. } => Some(confined),
            Self::Remove { .. } | Self::List => None,
        }
    }
}

/// Does an edit on the file `users`. A new token alone goes to standard output, so that a script
/// can take it from there.
///
/// # Errors
/// The user file's own; it is then as it was.
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
    // Standard error may be closed; the token is what counts.
    let _ = writeln!(
        io::stderr(),
        "defender: added the token {name} of {user} to {}; it is shown this once:",
        users.display()
    );
    say(&format!("{}\n", token.as_str()));
    Ok(())
}

fn list(users: &Path) -> Result<(), UsersError> {
    let found = users::list(users)?;
    let line = |token: &users::ListedToken| {
        let dead = if token.is_live { "" } else { " (lets nobody in: its user is gone)" };
        format!("{} of {}{}{dead}\n", token.name, token.user, shown_scope(&token.scope))
    };
    say(&found.tokens.iter().map(line).collect::<String>());
    Ok(())
}
