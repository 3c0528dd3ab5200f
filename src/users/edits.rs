//! Edits of the user file: what the command line and the API do to it, under the same rules.

use std::path::Path;

use zeroize::Zeroizing;

use super::file::{Record, TokenRecord, UserFile};
use super::password::PasswordHash;
use super::secret::new_secret;
use super::store::{self, edit};
use super::{ListedToken, ListedUser, Listing, Role, Scope, UsersError, is_valid_name, rules};

/// Letters of a generated password: none looks like another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What begins every token, so that it is known for what it is wherever it turns up.
const TOKEN_PREFIX: &str = "dft_";

const BOTH_WAYS: &str = "either name cameras and microphones, or allow all of them again";
const ADMIN_CONFINED: &str =
    "an admin sees and hears everything; only a viewer can be limited to cameras and microphones";
const ADMIN_WITHOUT_PAST: &str = "an admin sees recordings; only a viewer can be kept from them";
const BAD_NAMES: &str =
    "expected at least one camera or microphone, named by 1 to 32 letters, digits, - or _";

/// What is to become of a user; what is `None` stays, or is the usual for a new one.
#[derive(Default)]
pub struct Change {
    /// The role. Without one the first user is an admin, any later one a viewer.
    pub role: Option<Role>,
    /// The password; a new user must have one.
    pub password: Option<Zeroizing<String>>,
    /// The only cameras to be seen.
    pub cameras: Option<Vec<String>>,
    /// The only microphones to be heard.
    pub microphones: Option<Vec<String>>,
    /// See and hear everything again.
    pub unconfined: bool,
    /// Whether recordings may be seen and heard.
    pub past: Option<bool>,
}

impl Change {
    /// Whether nothing is to change.
    pub fn is_nothing(&self) -> bool {
        let Self { role, password, cameras, microphones, unconfined, past } = self;
        let is_same_scope = cameras.is_none() && microphones.is_none() && !unconfined;
        role.is_none() && password.is_none() && is_same_scope && past.is_none()
    }

    /// Whether a user may see recordings then, for whom that was `before`.
    fn past(&self, before: bool, role: Role) -> Result<bool, UsersError> {
        match (role, self.past) {
            (Role::Admin, Some(false)) => Err(UsersError::Scope(ADMIN_WITHOUT_PAST)),
            (Role::Admin, _) => Ok(true),
            (Role::Viewer, past) => Ok(past.unwrap_or(before)),
        }
    }

    /// The new scope of a user who had `before`.
    fn scope(&self, before: &Scope, role: Role) -> Result<Scope, UsersError> {
        let (cameras, microphones) = (self.cameras.as_ref(), self.microphones.as_ref());
        let names = cameras.is_some() || microphones.is_some();
        if self.unconfined && names {
            return Err(UsersError::Scope(BOTH_WAYS));
        }
        if self.unconfined || (role == Role::Admin && !names) {
            return Ok(Scope::All);
        }
        if !names {
            return Ok(before.clone());
        }
        if role == Role::Admin {
            return Err(UsersError::Scope(ADMIN_CONFINED));
        }
        let (old_cameras, old_microphones) = before.names().unwrap_or_default();
        Scope::only(cameras.unwrap_or(&old_cameras), microphones.unwrap_or(&old_microphones))
            .ok_or(UsersError::Scope(BAD_NAMES))
    }
}

/// Adds a user; the role given is returned.
///
/// # Errors
/// An impossible or taken name; a password against the rules; a scope that makes no sense; a file
/// that cannot be read or written.
pub fn add(path: &Path, name: &str, new: &Change) -> Result<Role, UsersError> {
    add_with(path, name, new, ANYONE, |password| PasswordHash::new(password).map_err(UsersError::Random))
}

/// Changes a user.
///
/// # Errors
/// An unknown name; the last admin's demotion; a password against the rules; a scope that makes no
/// sense; a file that cannot be read or written.
pub fn change(path: &Path, name: &str, change: &Change) -> Result<(), UsersError> {
    change_with(path, name, change, ANYONE, |password| {
        PasswordHash::new(password).map_err(UsersError::Random)
    })
}

/// Whether an edit is still allowed, by the file as it is just before the edit: a hash, a lock and a disk take their
/// time.
pub(super) type May<'a> = &'a dyn Fn(&UserFile) -> Result<(), UsersError>;

/// Every process that can write the file may edit it.
const ANYONE: May<'static> = &|_| Ok(());

/// As [`add`], with a hash that takes its turn.
pub(super) fn add_with(
    path: &Path,
    name: &str,
    new: &Change,
    may: May<'_>,
    hash: impl FnOnce(&str) -> Result<PasswordHash, UsersError>,
) -> Result<Role, UsersError> {
    if !is_valid_name(name) {
        return Err(UsersError::Name(name.to_owned()));
    }
    let free = |file: &UserFile| {
        if file.find(name).is_some() { Err(UsersError::Taken(name.to_owned())) } else { Ok(()) }
    };
    // Before the hash, which is slow; and once more below, for the hash took its time.
    free(&store::read(path)?.0)?;
    let password = new.password.as_ref().ok_or(UsersError::Password("is missing"))?;
    rules::check(name, password).map_err(UsersError::Password)?;
    let hash = hash(password)?;
    edit(path, |file| {
        may(file)?;
        free(file)?;
        let usual = if file.users().next().is_none() { Role::Admin } else { Role::Viewer };
        let role = new.role.unwrap_or(usual);
        let (scope, past) = (new.scope(&Scope::All, role)?, new.past(true, role)?);
        file.put(Record { name: name.to_owned(), role, hash, scope, past });
        Ok(role)
    })
}

/// As [`change`], with a hash that takes its turn.
pub(super) fn change_with(
    path: &Path,
    name: &str,
    change: &Change,
    may: May<'_>,
    hash: impl FnOnce(&str) -> Result<PasswordHash, UsersError>,
) -> Result<(), UsersError> {
    let known =
        |file: &UserFile| file.find(name).cloned().ok_or_else(|| UsersError::Unknown(name.to_owned()));
    // Before the hash, which is slow.
    known(&store::read(path)?.0)?;
    let checked = change.password.as_ref().map(|password| {
        rules::check(name, password).map_err(UsersError::Password)?;
        hash(password)
    });
    let hash = checked.transpose()?;
    edit(path, |file| {
        may(file)?;
        let mut record = known(file)?;
        if change.role == Some(Role::Viewer) {
            keep_an_admin(file, name)?;
        }
        record.role = change.role.unwrap_or(record.role);
        record.scope = change.scope(&record.scope, record.role)?;
        record.past = change.past(record.past, record.role)?;
        record.hash = hash.unwrap_or(record.hash);
        file.put(record);
        Ok(())
    })
}

/// Removes a user and their tokens.
///
/// # Errors
/// An unknown name; the last admin; a file that cannot be read or written.
pub fn remove(path: &Path, name: &str) -> Result<(), UsersError> {
    remove_with(path, name, ANYONE)
}

/// As [`remove`], by a user who must still be allowed to.
pub(super) fn remove_with(path: &Path, name: &str, may: May<'_>) -> Result<(), UsersError> {
    edit(path, |file| {
        may(file)?;
        keep_an_admin(file, name)?;
        if file.remove(name) { Ok(()) } else { Err(UsersError::Unknown(name.to_owned())) }
    })
}

/// Adds a token that signs its bearer in as `user`, confined to what is named if anything is; the token, to be shown
/// once.
///
/// # Errors
/// An impossible or taken name; an unknown user; names no camera can have; a file that cannot be
/// read or written.
pub fn add_token(
    path: &Path,
    name: &str,
    user: &str,
    cameras: &[String],
    microphones: &[String],
) -> Result<Zeroizing<String>, UsersError> {
    if !is_valid_name(name) {
        return Err(UsersError::Name(name.to_owned()));
    }
    let is_confined = !cameras.is_empty() || !microphones.is_empty();
    let only = || Scope::only(cameras, microphones).ok_or(UsersError::Scope(BAD_NAMES));
    let scope = if is_confined { only()? } else { Scope::All };
    let (secret, digest) = new_secret(TOKEN_PREFIX).map_err(UsersError::Random)?;
    edit(path, |file| {
        let record = file.find(user).ok_or_else(|| UsersError::Unknown(user.to_owned()))?;
        let bound = Some(record.binding());
        if file.find_token(name).is_some() {
            return Err(UsersError::TokenTaken(name.to_owned()));
        }
        file.add_token(TokenRecord { name: name.to_owned(), user: user.to_owned(), digest, scope, bound });
        Ok(secret)
    })
}

/// Removes a token; what it signed in ends.
///
/// # Errors
/// An unknown name; a file that cannot be read or written.
pub fn remove_token(path: &Path, name: &str) -> Result<(), UsersError> {
    edit(
        path,
        |file| {
            if file.remove_token(name) { Ok(()) } else { Err(UsersError::UnknownToken(name.to_owned())) }
        },
    )
}

/// All users and tokens, in the order of the file, and what is wrong with other lines.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn list(path: &Path) -> Result<Listing, UsersError> {
    let (file, _) = store::read(path)?;
    let user = |record: &Record| ListedUser {
        name: record.name.clone(),
        role: record.role,
        scope: record.scope.clone(),
        past: record.past,
    };
    let token = |token: &TokenRecord| ListedToken {
        name: token.name.clone(),
        user: token.user.clone(),
        scope: token.scope.clone(),
        is_live: file.is_live(token),
    };
    let complaint = |bad: &super::file::BadLine| {
        format!("{}: line {}: {}; this line is ignored", path.display(), bad.number, bad.why)
    };
    let orphans: Vec<_> = file.orphans().map(|(line, _)| line).collect();
    Ok(Listing {
        users: file.users().map(user).collect(),
        tokens: file.tokens().map(token).collect(),
        is_unused: file.is_unused(),
        complaints: file.bad_lines().chain(&orphans).map(complaint).collect(),
    })
}

/// Makes the user `admin` with a random password when the file has no line for any user; the
/// password, to be shown once.
///
/// # Errors
/// A file that cannot be read or written.
pub fn first_admin(path: &Path) -> Result<Option<String>, UsersError> {
    // A file with broken lines was meant to have users: a new admin would paper over that.
    if !store::read(path)?.0.is_unused() {
        return Ok(None);
    }
    let password = generated_password().map_err(UsersError::Random)?;
    let hash = PasswordHash::new(&password).map_err(UsersError::Random)?;
    edit(path, |file| {
        // The hash took its time, and a user may have been added meanwhile.
        if !file.is_unused() {
            return Ok(None);
        }
        file.put(Record { name: "admin".to_owned(), role: Role::Admin, hash, scope: Scope::All, past: true });
        Ok(Some(password))
    })
}

fn keep_an_admin(file: &UserFile, name: &str) -> Result<(), UsersError> {
    let mut admins = file.users().filter(|record| record.role == Role::Admin);
    let is_last = admins.next().is_some_and(|first| first.name == name) && admins.next().is_none();
    if is_last { Err(UsersError::LastAdmin(name.to_owned())) } else { Ok(()) }
}

/// Four groups of five letters: 100 bits.
fn generated_password() -> Result<String, getrandom::Error> {
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
mod tests;
