//! Users: who they are, where they are kept, and whether one may come in.
//!
//! What belongs here: the flat file, password hashes, the running server's view of both. What
//! must not: HTTP, prompts, the command line. Sessions and throttling will have files here.

mod accounts;
mod file;
mod password;
mod remembered;
mod store;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use accounts::{Accounts, Denied, Identity};
pub use file::is_valid_name;

use file::{Record, UserFile};
use password::PasswordHash;
use store::edit;
use zeroize::Zeroizing;

/// Letters of a made-up password: none looks like another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// See and hear.
    Viewer,
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
            Self::Random(error) => write!(f, "the system gives no random numbers: {error}"),
            Self::Name(name) => write!(
                f,
                "`{name}` cannot be a user's name; expected 1 to 32 letters, digits or . _ -, starting with a letter or digit"
            ),
            Self::Taken(name) => {
                write!(f, "there is a user `{name}` already; `defender user edit {name}` changes it")
            }
            Self::Unknown(name) => write!(f, "there is no user `{name}`"),
            Self::LastAdmin(name) => {
                write!(f, "`{name}` is the last admin and must stay one; make another user admin first")
            }
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

/// Adds a user. Without a role the first user is an admin, any later one a viewer; the role given
/// is returned.
///
/// # Errors
/// An impossible or taken name; a file that cannot be read or written.
pub fn add(path: &Path, name: &str, role: Option<Role>, password: &str) -> Result<Role, UsersError> {
    if !is_valid_name(name) {
        return Err(UsersError::Name(name.to_owned()));
    }
    let hash = PasswordHash::new(password).map_err(UsersError::Random)?;
    edit(path, |file| {
        if file.find(name).is_some() {
            return Err(UsersError::Taken(name.to_owned()));
        }
        let usual = if file.users().next().is_none() { Role::Admin } else { Role::Viewer };
        let role = role.unwrap_or(usual);
        file.put(Record { name: name.to_owned(), role, hash });
        Ok(role)
    })
}

/// Gives a user another password, another role, or both.
///
/// # Errors
/// An unknown name; the last admin's demotion; a file that cannot be read or written.
pub fn change(path: &Path, name: &str, role: Option<Role>, password: Option<&str>) -> Result<(), UsersError> {
    let hash = password.map(PasswordHash::new).transpose().map_err(UsersError::Random)?;
    edit(path, |file| {
        let mut record = file.find(name).cloned().ok_or_else(|| UsersError::Unknown(name.to_owned()))?;
        if role == Some(Role::Viewer) {
            keep_an_admin(file, name)?;
        }
        record.role = role.unwrap_or(record.role);
        record.hash = hash.unwrap_or(record.hash);
        file.put(record);
        Ok(())
    })
}

/// Removes a user.
///
/// # Errors
/// An unknown name; the last admin; a file that cannot be read or written.
pub fn remove(path: &Path, name: &str) -> Result<(), UsersError> {
    edit(path, |file| {
        keep_an_admin(file, name)?;
        if file.remove(name) { Ok(()) } else { Err(UsersError::Unknown(name.to_owned())) }
    })
}

/// All users and their roles, in the order of the file, and what is wrong with other lines.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn list(path: &Path) -> Result<(Vec<Identity>, Vec<String>), UsersError> {
    let (file, _) = store::read(path)?;
    let users =
        file.users().map(|record| Identity { name: record.name.clone(), role: record.role }).collect();
    let complaint = |bad: &file::BadLine| format!("{}: line {}: {}", path.display(), bad.number, bad.why);
    Ok((users, file.bad_lines().map(complaint).collect()))
}

/// Makes the user `admin` with a random password when the file has no line for any user; the
/// password, to be told once.
///
/// # Errors
/// A file that cannot be read or written.
pub fn first_admin(path: &Path) -> Result<Option<String>, UsersError> {
    // A file with broken lines was meant to have users: a new admin would paper over that.
    if !store::read(path)?.0.is_unused() {
        return Ok(None);
    }
    let password = made_up_password().map_err(UsersError::Random)?;
    let hash = PasswordHash::new(&password).map_err(UsersError::Random)?;
    edit(path, |file| {
        // The hash took its time, and somebody may have added a user meanwhile.
        if !file.is_unused() {
            return Ok(None);
        }
        file.put(Record { name: "admin".to_owned(), role: Role::Admin, hash });
        Ok(Some(password))
    })
}

fn keep_an_admin(file: &UserFile, name: &str) -> Result<(), UsersError> {
    let mut admins = file.users().filter(|record| record.role == Role::Admin);
    let is_last = admins.next().is_some_and(|first| first.name == name) && admins.next().is_none();
    if is_last { Err(UsersError::LastAdmin(name.to_owned())) } else { Ok(()) }
}

/// Four groups of five letters: 100 bits.
fn made_up_password() -> Result<String, getrandom::Error> {
    let mut random = Zeroizing::new([0u8; 20]);
    getrandom::fill(&mut *random)?;
    // Room for all of it at once: growing would leave pieces of it in freed memory.
    let mut password = String::with_capacity(random.len() + 3);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_user_is_an_admin_and_the_last_admin_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        assert_eq!(add(&path, "adam", None, "p").unwrap(), Role::Admin);
        assert_eq!(add(&path, "eve", None, "p").unwrap(), Role::Viewer);
        assert!(matches!(add(&path, "eve", None, "p"), Err(UsersError::Taken(_))));
        assert!(matches!(remove(&path, "adam"), Err(UsersError::LastAdmin(_))));
        assert!(matches!(change(&path, "adam", Some(Role::Viewer), None), Err(UsersError::LastAdmin(_))));
        change(&path, "eve", Some(Role::Admin), None).unwrap();
        remove(&path, "adam").unwrap();
        let (users, _) = list(&path).unwrap();
        assert_eq!(
            users.iter().map(|user| (user.name.as_str(), user.role)).collect::<Vec<_>>(),
            [("eve", Role::Admin)]
        );
    }

    #[test]
    fn an_admin_is_made_up_only_where_nobody_was_meant_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, "# nobody yet\n").unwrap();
        let password = first_admin(&path).unwrap().expect("a password");
        let groups: Vec<_> = password.split('-').collect();
        let is_clear = |group: &&str| group.len() == 5 && group.bytes().all(|byte| LETTERS.contains(&byte));
        assert!(groups.len() == 4 && groups.iter().all(is_clear), "{password}");
        let signed_in = Accounts::open(&path).authenticate("admin", &password).unwrap();
        assert_eq!(signed_in.role, Role::Admin);
        assert!(!std::fs::read_to_string(&path).unwrap().contains(&password));
        assert_eq!(first_admin(&path).unwrap(), None);
        std::fs::write(&path, "adam:admin:broken\n").unwrap();
        assert_eq!(first_admin(&path).unwrap(), None, "a broken line is somebody");
    }
    #[test]
    fn of_many_first_starts_at_once_one_makes_the_admin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let made: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| first_admin(&path).unwrap())).collect();
            starts.into_iter().filter_map(|start| start.join().unwrap()).collect()
        });
        let [password] = &made[..] else { panic!("{} passwords were told", made.len()) };
        assert!(Accounts::open(&path).authenticate("admin", password).is_ok());
    }

    #[test]
    fn every_made_up_password_is_another_and_no_letter_is_twice_among_those_to_choose_from() {
        assert_ne!(made_up_password().unwrap(), made_up_password().unwrap());
        assert_eq!(std::collections::BTreeSet::from(*LETTERS).len(), LETTERS.len());
    }
}
