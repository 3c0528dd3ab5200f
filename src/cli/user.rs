//! `defender user add|edit|remove|list`: the user file, edited by a person or a script.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::base::text::printable;
use crate::users::{self, Change, MAX_PASSWORD_BYTES, Role, Scope, UsersError};

/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// An edit of the user file.
#[derive(Debug)]
pub enum UserCommand {
    /// Add a user.
    Add {
        /// The new user's name.
        name: String,
        /// Role; admin for the first user and viewer for later ones when not given.
        role: Option<Role>,
        /// The devices that the user is confined to.
        confined: Confined,
        /// Whether recordings may be seen; yes when not given.
        past: Option<bool>,
        /// Read the password from standard input.
        password_stdin: bool,
    },
    /// Change a user.
    Edit {
        /// The user's name.
        name: String,
        /// The new role. Without anything to change the command asks for a new password.
        role: Option<Role>,
        /// The new confinement.
        confined: Confined,
        /// Remove the confinement.
        unconfined: bool,
        /// Whether recordings may be seen from now on.
        past: Option<bool>,
        /// Ask for a new password in any case.
        password: bool,
        /// Read the new password from standard input.
        password_stdin: bool,
    },
    /// Remove a user.
    Remove {
        /// The user's name.
        name: String,
        /// Do not ask for confirmation.
        yes: bool,
    },
    /// List the users.
    List,
}

impl UserCommand {
    /// The new confinement.
    pub fn confined(&self) -> Option<&Confined> {
        match self {
            Self::Add { confined, .. } | Self::Edit { confined, .. } => Some(confined),
            Self::Remove { .. } | Self::List => None,
        }
    }
}

/// The lists of `--cameras` and `--microphones`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Confined {
    /// The only cameras; `None` without the flag.
    pub cameras: Option<Vec<String>>,
    /// The only microphones; `None` without the flag.
    pub microphones: Option<Vec<String>>,
}

/// Why an edit was not made.
#[derive(Debug)]
pub enum UserCommandError {
    /// The error of the user file.
    Users(UsersError),
    /// There is no terminal, and this flag is missing.
    NoTerminal(&'static str),
    /// The terminal or standard input cannot be read.
    Input(io::Error),
    /// The password is not acceptable, for this reason.
    Password(&'static str),
    /// The repeated password is another one.
    Mismatch,
    /// The user did not confirm.
    Declined,
}

impl Error for UserCommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Input(error) => Some(error),
            Self::Users(_) | Self::NoTerminal(_) | Self::Password(_) | Self::Mismatch | Self::Declined => {
                None
            }
        }
    }
}

impl fmt::Display for UserCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users(error) => error.fmt(f),
            Self::NoTerminal(flag) => write!(f, "there is no terminal for the question; use {flag}"),
            Self::Input(error) => write!(f, "cannot read the answer: {error}"),
            Self::Password(why) => write!(f, "the password {why}"),
            Self::Mismatch => f.write_str("the passwords do not match"),
            Self::Declined => f.write_str("not confirmed, nothing was changed"),
        }
    }
}

/// Runs an edit of the file `users`, and asks for what is missing.
///
/// # Errors
/// See [`UserCommandError`]; the file is then unchanged.
pub fn run(command: UserCommand, users: &Path) -> Result<(), UserCommandError> {
    match command {
        UserCommand::Add { name, role, confined, past, password_stdin } => {
            check_new_name(users, &name)?;
            let password = Some(password(&name, password_stdin)?);
            let Confined { cameras, microphones } = confined;
            add(users, &name, &Change { role, password, cameras, microphones, unconfined: false, past })
        }
        UserCommand::Edit { name, role, confined, unconfined, past, password: asks, password_stdin } => {
            let Confined { cameras, microphones } = confined;
            let mut change = Change { role, password: None, cameras, microphones, unconfined, past };
            check_known_name(users, &name)?;
            if change.is_nothing() || asks || password_stdin {
                change.password = Some(password(&name, password_stdin)?);
            }
            edit(users, &name, &change)
        }
        UserCommand::Remove { name, yes } => remove(users, &name, yes),
        UserCommand::List => list(users),
    }
}

fn add(users: &Path, name: &str, new: &Change) -> Result<(), UserCommandError> {
    let given = users::add(users, name, new).map_err(UserCommandError::Users)?;
    // The role was not requested, so explain it.
    let why = if new.role.is_none() && given == Role::Admin { ": the first user is an admin" } else { "" };
    say(&format!("added {} {name} to {}{why}\n", given.name(), users.display()));
    Ok(())
}

fn edit(users: &Path, name: &str, change: &Change) -> Result<(), UserCommandError> {
    users::change(users, name, change).map_err(UserCommandError::Users)?;
    let mut what = Vec::new();
    what.extend(change.password.as_ref().map(|_| "a new password".to_owned()));
    what.extend(change.role.map(|role| format!("the role {}", role.name())));
    what.extend(change.cameras.as_ref().map(|names| format!("the cameras {}", names.join(", "))));
    what.extend(change.microphones.as_ref().map(|names| format!("the microphones {}", names.join(", "))));
    what.extend(change.unconfined.then(|| "all cameras and microphones".to_owned()));
    what.extend(change.past.map(|past| if past { "recordings" } else { "no recordings" }.to_owned()));
    say(&format!("changed {name}: {} (in {})\n", what.join(" and "), users.display()));
    Ok(())
}

fn remove(users: &Path, name: &str, yes: bool) -> Result<(), UserCommandError> {
    check_known_name(users, name)?;
    if !yes {
        confirm(&format!("Remove user {name}? [y/N] "))?;
    }
    users::remove(users, name).map_err(UserCommandError::Users)?;
    say(&format!("removed {name} from {}\n", users.display()));
    Ok(())
}

fn list(users: &Path) -> Result<(), UserCommandError> {
    let found = users::list(users).map_err(UserCommandError::Users)?;
    let line = |user: &users::ListedUser| {
        let past = if user.past { "" } else { " past=no" };
        format!("{} {}{}{past}\n", user.name, user.role.name(), shown_scope(&user.scope))
    };
    say(&found.users.iter().map(line).collect::<String>());
    for complaint in found.complaints {
        // Best effort: standard error may be closed.
        let _ = writeln!(io::stderr(), "defender: {}", printable(&complaint.to_string()));
    }
    Ok(())
}

/// A confinement as in the flags; empty if there is none.
pub(super) fn shown_scope(scope: &Scope) -> String {
    scope.to_string().replace(':', " ")
}

/// Reports what cannot work before a password is typed twice.
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
    let found = users::list(users).map_err(UserCommandError::Users)?;
    Ok(found.users.iter().any(|user| user.name == name))
}

fn password(name: &str, from_stdin: bool) -> Result<Zeroizing<String>, UserCommandError> {
    if from_stdin {
        return check(name, first_line(&mut io::stdin().lock())?);
    }
    if !io::stdin().is_terminal() {
        return Err(UserCommandError::NoTerminal("--password-stdin"));
    }
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(UserCommandError::Input)
    };
    let first = check(name, ask(format!("Password for {name}: "))?)?;
    if ask("Repeat the password: ".to_owned())? == first {
        Ok(first)
    } else {
        Err(UserCommandError::Mismatch)
    }
}

/// The first line without its line end. At most one byte more than allowed is read.
fn first_line(input: &mut impl BufRead) -> Result<Zeroizing<String>, UserCommandError> {
    const LINE_END_BYTES: usize = 2;
    let most = BOM.len() + MAX_PASSWORD_BYTES + LINE_END_BYTES;
    // Full capacity at once: growing would leave copies in freed memory.
    let mut line = Zeroizing::new(Vec::with_capacity(most));
    input.take(most as u64).read_until(b'\n', &mut line).map_err(UserCommandError::Input)?;
    // Some editors write a byte order mark; nobody types one.
    let start = line.strip_prefix(BOM).unwrap_or(&line);
    let text = start.strip_suffix(b"\n").unwrap_or(start);
    let text = text.strip_suffix(b"\r").filter(|_| line.ends_with(b"\n")).unwrap_or(text);
    check_length(text.len())?;
    let text = str::from_utf8(text).map_err(|_| UserCommandError::Password("is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Checks the password before it is typed again. The edit of the user file checks once more.
fn check(name: &str, password: Zeroizing<String>) -> Result<Zeroizing<String>, UserCommandError> {
    users::check_password(name, &password).map_err(UserCommandError::Password)?;
    Ok(password)
}

fn check_length(bytes: usize) -> Result<(), UserCommandError> {
    if bytes > MAX_PASSWORD_BYTES {
        return Err(UserCommandError::Password("has more than 1024 bytes"));
    }
    Ok(())
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

/// Prints text; errors are ignored because the edit is done.
pub(super) fn say(text: &str) {
    super::print(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<String, String> {
        let line = first_line(&mut &*text).map_err(|error| error.to_string())?;
        Ok(line.to_string())
    }

    #[test]
    fn a_password_is_the_first_line_whole() {
        assert_eq!(read(b" two words \r\nmore\n").unwrap(), " two words ");
        assert_eq!(read(b"no end").unwrap(), "no end");
        assert_eq!(read(b"\n").unwrap(), "");
        assert_eq!(read(b"").unwrap(), "");
        assert_eq!(read(b"a\r\r\n").unwrap(), "a\r", "one line end is taken off, and no more");
        assert_eq!(read(b"a\r").unwrap(), "a\r", "no line end at all");
        assert_eq!(read(b"\xef\xbb\xbftwo words\r\n").unwrap(), "two words", "a byte order mark");
    }

    #[test]
    fn a_password_of_1025_bytes_is_refused() {
        let longest = "x".repeat(1024);
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(format!("{longest}{end}").as_bytes()).unwrap(), longest, "{end:?}");
            let more = read(format!("{longest}x{end}").as_bytes()).unwrap_err();
            assert!(more.contains("1024"), "{more}");
        }
        let cut_in_a_letter = read("\u{20ac}".repeat(4000).as_bytes()).unwrap_err();
        assert!(cut_in_a_letter.contains("1024"), "{cut_in_a_letter}");
        let binary = read(b"\xff\xfe\n").unwrap_err();
        assert!(binary.contains("UTF-8"), "{binary}");
    }

    #[test]
    fn a_role_needs_no_password_and_the_last_admin_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let new = || Change {
            password: Some(Zeroizing::new("correct horse battery".to_owned())),
            ..Change::default()
        };
        users::add(&file, "adam", &new()).unwrap();
        users::add(&file, "eve", &new()).unwrap();
        let give = |name: &str, role| {
            let (name, confined) = (name.to_owned(), Confined::default());
            let (role, password, password_stdin) = (Some(role), false, false);
            let (unconfined, past) = (false, None);
            run(UserCommand::Edit { name, role, confined, unconfined, past, password, password_stdin }, &file)
        };
        let is_last = |done| matches!(done, Err(UserCommandError::Users(UsersError::LastAdmin(_))));
        assert!(is_last(give("adam", Role::Viewer)));
        assert!(is_last(run(UserCommand::Remove { name: "adam".to_owned(), yes: true }, &file)));
        give("eve", Role::Admin).unwrap();
        run(UserCommand::Remove { name: "adam".to_owned(), yes: true }, &file).unwrap();
        let left = users::list(&file).unwrap().users;
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].name.as_str(), left[0].role), ("eve", Role::Admin));
    }

    #[test]
    fn no_message_shows_a_password() {
        let error = read(b"secret\xff\n").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
