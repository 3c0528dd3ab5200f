//! `defender user add|edit|remove|list`: the user file, edited by a person or a script.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use crate::users::{self, Role, UsersError};

/// Longest password taken, in bytes.
const MAX_PASSWORD_BYTES: usize = 1024;

/// An edit of the user file.
#[derive(Debug)]
pub enum UserCommand {
    /// Add a user.
    Add {
        /// The new user's name.
        name: String,
        /// Role; admin for the first user and viewer for later ones when not given.
        role: Option<Role>,
        /// Read the password from standard input.
        password_stdin: bool,
    },
    /// Change a user.
    Edit {
        /// The user's name.
        name: String,
        /// The new role; without one a new password is asked for.
        role: Option<Role>,
        /// Ask for a new password whether or not there is a role.
        password: bool,
        /// Read the new password from standard input.
        password_stdin: bool,
    },
    /// Remove a user.
    Remove {
        /// The user's name.
        name: String,
        /// Do not ask.
        yes: bool,
    },
    /// List the users.
    List,
}

/// Why an edit was not made.
#[derive(Debug)]
pub enum UserCommandError {
    /// The user file's own reasons.
    Users(UsersError),
    /// Nothing to type at, and no `--password-stdin` or `--yes`.
    NoTerminal(&'static str),
    /// The terminal or standard input failed.
    Input(io::Error),
    /// A password that cannot be taken.
    Password(&'static str),
    /// The person said no.
    Declined,
}

impl fmt::Display for UserCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users(error) => error.fmt(f),
            Self::NoTerminal(flag) => write!(f, "there is no terminal to ask at; use {flag}"),
            Self::Input(error) => write!(f, "cannot read the answer: {error}"),
            Self::Password(why) => write!(f, "the password {why}"),
            Self::Declined => f.write_str("nothing was changed"),
        }
    }
}

/// Does an edit on the file `users`, asking what is still to be known.
///
/// # Errors
/// See [`UserCommandError`]; the file is then as it was.
pub fn run(command: UserCommand, users: &Path) -> Result<(), UserCommandError> {
    let file = users.display();
    match command {
        UserCommand::Add { name, role, password_stdin } => {
            check_new_name(users, &name)?;
            let password = password(&name, password_stdin)?;
            let role = users::add(users, &name, role, &password).map_err(UserCommandError::Users)?;
            say(&format!("added {} {name} to {file}\n", role.name()));
        }
        UserCommand::Edit { name, role, password: asks, password_stdin } => {
            check_known_name(users, &name)?;
            let wants_password = role.is_none() || asks || password_stdin;
            let password = wants_password.then(|| password(&name, password_stdin)).transpose()?;
            users::change(users, &name, role, password.as_deref()).map_err(UserCommandError::Users)?;
            let what = match (role, password.is_some()) {
                (Some(role), true) => format!("a new password and the role {}", role.name()),
                (Some(role), false) => format!("the role {}", role.name()),
                (None, _) => "a new password".to_owned(),
            };
            say(&format!("gave {name} {what} in {file}\n"));
        }
        UserCommand::Remove { name, yes } => {
            check_known_name(users, &name)?;
            if !yes {
                confirm(&format!("Remove user {name}? [y/N] "))?;
            }
            users::remove(users, &name).map_err(UserCommandError::Users)?;
            say(&format!("removed {name} from {file}\n"));
        }
        UserCommand::List => {
            let (found, complaints) = users::list(users).map_err(UserCommandError::Users)?;
            say(&found
                .iter()
                .map(|user| format!("{} {}\n", user.name, user.role.name()))
                .collect::<String>());
            for complaint in complaints {
                let _ = writeln!(io::stderr(), "defender: {complaint}");
            }
        }
    }
    Ok(())
}

/// What cannot work is said before a password is typed twice.
fn check_new_name(users: &Path, name: &str) -> Result<(), UserCommandError> {
    let fault = if !users::is_valid_name(name) {
        UsersError::Name(name.to_owned())
    } else if is_known(users, name)? {
        UsersError::Taken(name.to_owned())
    } else {
        return Ok(());
    };
    Err(UserCommandError::Users(fault))
}

fn check_known_name(users: &Path, name: &str) -> Result<(), UserCommandError> {
    if is_known(users, name)? {
        Ok(())
    } else {
        Err(UserCommandError::Users(UsersError::Unknown(name.to_owned())))
    }
}

fn is_known(users: &Path, name: &str) -> Result<bool, UserCommandError> {
    let (found, _) = users::list(users).map_err(UserCommandError::Users)?;
    Ok(found.iter().any(|user| user.name == name))
}

fn password(name: &str, from_stdin: bool) -> Result<String, UserCommandError> {
    if from_stdin {
        return check(first_line(&mut io::stdin().lock())?);
    }
    if !io::stdin().is_terminal() {
        return Err(UserCommandError::NoTerminal("--password-stdin"));
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).map_err(UserCommandError::Input);
    let first = check(ask(format!("Password for {name}: "))?)?;
    if ask("Once more: ".to_owned())? == first {
        Ok(first)
    } else {
        Err(UserCommandError::Password("was not the same twice"))
    }
}

/// The first line without its end; a password may hold any other character.
fn first_line(input: &mut impl BufRead) -> Result<String, UserCommandError> {
    let mut line = String::new();
    let bounded = &mut input.take(MAX_PASSWORD_BYTES as u64 + 2);
    bounded.read_line(&mut line).map_err(UserCommandError::Input)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn check(password: String) -> Result<String, UserCommandError> {
    if password.is_empty() {
        Err(UserCommandError::Password("is empty"))
    } else if password.len() > MAX_PASSWORD_BYTES {
        Err(UserCommandError::Password("has more than 1024 bytes"))
    } else if password.chars().any(char::is_control) {
        Err(UserCommandError::Password("holds a control character"))
    } else {
        Ok(password)
    }
}

fn confirm(question: &str) -> Result<(), UserCommandError> {
    if !io::stdin().is_terminal() {
        return Err(UserCommandError::NoTerminal("--yes"));
    }
    say(question);
    let mut answer = String::new();
    io::stdin().lock().take(16).read_line(&mut answer).map_err(UserCommandError::Input)?;
    let said_yes = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
    if said_yes { Ok(()) } else { Err(UserCommandError::Declined) }
}

/// Nobody reading it does not undo what was done.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_whole() {
        let read = |text: &str| first_line(&mut text.as_bytes()).unwrap();
        assert_eq!(read(" two words \r\nmore\n"), " two words ");
        assert_eq!(read("no end"), "no end");
        assert_eq!(read("\n"), "");
    }

    #[test]
    fn passwords_nobody_could_type_again_are_refused() {
        for bad in ["", "a\tb", "a\u{7f}", &"x".repeat(1025)] {
            assert!(check(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(check("pässword: $ecret".to_owned()).is_ok());
    }
}
