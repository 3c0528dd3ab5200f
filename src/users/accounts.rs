//! The running server's view of the users: whether a name and password, a session or a token signs a user in, and
//! whether what signed one in still holds.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use zeroize::Zeroizing;

use super::asker::Asker;
use super::attempt::{Attempt, PasswordChecks};
use super::edits::{self, Change};
use super::file::{Record, UserFile};
use super::followed::Followed;
use super::identity::{Denied, Grant, Identity};
use super::index::UserIndex;
use super::password::PasswordHash;
use super::queue::Requester;
use super::saver::{Restored, SessionSaver};
use super::secret::Digest;
use super::session_file::SessionFile;
use super::sessions::{Ended, SessionInfo, SessionLimits, Sessions};
use super::{Listing, Role, Scope, UsersError};
use crate::base::{Network, lock};

/// The users, followed as the file changes, and their sessions.
///
/// Each lock is taken for a look at a map and no longer: none is held while the file is read or a
/// line is logged. Password hashes take turns without one.
pub struct Accounts {
    file: Followed,
    checks: PasswordChecks,
    sessions: Sessions,
    saver: SessionSaver,
    restored: Mutex<Option<Restored>>,
}

impl Accounts {
    /// The users of a file, which need not exist yet, and the sessions that were kept beside it.
    pub fn open(path: &Path, limits: SessionLimits) -> Self {
        let (sessions, saver) = (Sessions::new(limits), SessionSaver::new(SessionFile::beside(path)));
        let file = Followed::new(path);
        let records: Vec<_> = file.users().all().cloned().collect();
        let restored = saver.restore(&sessions, &records);
        let checks = PasswordChecks::new();
        for (address, name) in sessions.origins() {
            lock(&checks.throttle).succeeded(Network::of(address), Digest::of(&name), Instant::now());
        }
        Self { file, checks, sessions, saver, restored: Mutex::new(restored) }
    }

    /// Keeps sessions on disk until [`Accounts::stop_saving`].
    pub fn save_sessions(&self) {
        let restored = lock(&self.restored).take();
        self.saver.run(&self.sessions, restored);
    }

    /// Makes [`Accounts::save_sessions`] write them once more and return.
    pub fn stop_saving(&self) {
        self.saver.stop();
    }

    /// Checks a name and password that a client gave. Slow (one PBKDF2) unless the same sign-in worked
    /// lately from there. A token of the user's is as good as the password.
    ///
    /// # Errors
    /// See `Denied`. An unknown user and a wrong password cost the same.
    pub fn authenticate(&self, name: &str, password: &str, asker: impl Asker) -> Result<Identity, Denied> {
        let users = self.file.users();
        if let Some(identity) = token_identity(&users, password).filter(|user| user.name == name) {
            return Ok(identity);
        }
        let attempt = Attempt::new(&self.checks, &self.file, &users, (name, password), &asker);
        let is_new = attempt.sign_in()?;
        let grant = Grant::Password(Arc::clone(attempt.record()));
        Ok(Identity { is_new, ..Identity::new(attempt.record(), grant) })
    }

    /// Checks the secret of a session or a token: no slow hash, no wait.
    ///
    /// # Errors
    /// `Denied::Ended`.
    pub fn by_secret(&self, secret: &str) -> Result<Identity, Denied> {
        let users = self.file.users();
        let digest = Digest::of(secret);
        let session = self.session_identity(&users, digest);
        session.or_else(|| token_identity(&users, secret)).ok_or(Denied::Ended)
    }

    /// Whether what signed a user in still would. Cheap enough for each request; it counts as a use of a session.
    pub fn holds(&self, identity: &Identity) -> bool {
        let users = self.file.users();
        match &identity.grant {
            Grant::Password(record) => users.has(record),
            Grant::Local => true,
            Grant::Session(digest) => self.session_identity(&users, *digest).is_some(),
            Grant::Token(token, record) => {
                users.has(record) && users.find_token(&token.digest).is_some_and(|now| now == token)
            }
        }
    }

    /// Begins a session for a user who gave name and password; its secret, to be shown once. `None` for a user who signed
    /// in by other means: a session must not outlive the token or the session it was made with.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn begin_session(
        &self,
        identity: &Identity,
        from: IpAddr,
    ) -> Result<Option<Zeroizing<String>>, UsersError> {
        let Grant::Password(record) = &identity.grant else { return Ok(None) };
        let users = self.file.users();
        self.sessions.keep(|record| users.has(record));
        let begun = self.sessions.begin(Arc::clone(record), from, Instant::now());
        self.saver.has_new();
        begun.map(Some).map_err(UsersError::Random)
    }

    /// Ends the session that signed the user in; false when something else did.
    pub fn end_session(&self, identity: &Identity) -> bool {
        let Grant::Session(digest) = &identity.grant else { return false };
        self.ended(self.sessions.end(digest)).is_some()
    }

    /// Ends a session by its id, if it is one of those that [`Accounts::sessions`] lists; whose it was.
    pub fn end_session_by_id(&self, id: &str, identity: &Identity) -> Option<String> {
        self.ended(self.sessions.end_by_id(id, |user| may_see_sessions(identity, user)))
    }

    /// Makes sure that a session that was ended does not come back; whose it was.
    fn ended(&self, ended: Option<Ended>) -> Option<String> {
        let Ended { user, is_saved } = ended?;
        if is_saved {
            self.saver.write_end(&self.sessions);
        }
        Some(user)
    }

    /// The sessions a user may see: their own, or all for an admin; none for a token.
    /// Youngest first.
    pub fn sessions(&self, identity: &Identity) -> Vec<SessionInfo> {
        let users = self.file.users();
        self.sessions.keep(|record| users.has(record));
        let mut list = self.sessions.list(Instant::now());
        list.retain(|session| may_see_sessions(identity, &session.user));
        list
    }

    /// How long sessions last.
    pub fn session_limits(&self) -> SessionLimits {
        self.sessions.limits()
    }

    /// Adds a user, as [`super::add`] does; the password's hash takes its turn behind others. `by` must
    /// be an admin still when the file is changed, here and below.
    ///
    /// # Errors
    /// As [`super::add`]; [`UsersError::Busy`], [`UsersError::NotAllowed`].
    pub fn add(
        &self,
        name: &str,
        new: &Change,
        by: &Identity,
        asker: impl Asker,
    ) -> Result<Role, UsersError> {
        let may = |file: &UserFile| self.must_be_admin(by, file);
        edits::add_with(self.file.path(), name, new, &may, |password| self.hash(password, &asker))
    }

    /// Changes a user, as `super::change` does; the password's hash takes its turn behind others.
    ///
    /// # Errors
    /// As `super::change`; [`UsersError::Busy`], [`UsersError::NotAllowed`].
    pub fn change(
        &self,
        name: &str,
        change: &Change,
        by: &Identity,
        asker: impl Asker,
    ) -> Result<(), UsersError> {
        let may = |file: &UserFile| self.must_be_admin(by, file);
        edits::change_with(self.file.path(), name, change, &may, |password| self.hash(password, &asker))
    }

    /// Changes the password of the user `by`, who gave the present one as `present`. What let both in
    /// must hold still when the file is changed.
    ///
    /// # Errors
    /// As `super::change`; [`UsersError::Busy`], [`UsersError::NotAllowed`].
    pub fn change_own_password(
        &self,
        by: &Identity,
        present: &Identity,
        new: Zeroizing<String>,
        asker: impl Asker,
    ) -> Result<(), UsersError> {
        let change = Change { password: Some(new), ..Change::default() };
        let may = |file: &UserFile| {
            let hold = self.holds_by(by, file) && self.holds_by(present, file);
            if hold && present.name == by.name { Ok(()) } else { Err(UsersError::NotAllowed) }
        };
        edits::change_with(self.file.path(), &by.name, &change, &may, |password| self.hash(password, &asker))
    }

    /// Removes a user and their tokens.
    ///
    /// # Errors
    /// As `super::remove`; [`UsersError::NotAllowed`].
    pub fn remove(&self, name: &str, by: &Identity) -> Result<(), UsersError> {
        edits::remove_with(self.file.path(), name, &|file| self.must_be_admin(by, file))
    }

    /// All users and tokens, and what is wrong with other lines.
    ///
    /// # Errors
    /// As `super::list`.
    pub fn list(&self) -> Result<Listing, UsersError> {
        edits::list(self.file.path())
    }

    /// Whether there is no user who can sign in.
    pub fn is_empty(&self) -> bool {
        self.file.users().all().next().is_none()
    }

    fn must_be_admin(&self, by: &Identity, file: &UserFile) -> Result<(), UsersError> {
        let is_admin = by.role == Role::Admin && self.holds_by(by, file);
        if is_admin { Ok(()) } else { Err(UsersError::NotAllowed) }
    }

    /// Whether what signed a user in still would by this file.
    fn holds_by(&self, identity: &Identity, file: &UserFile) -> bool {
        let has = |record: &Record| file.find(&record.name).is_some_and(|now| now == record);
        match &identity.grant {
            Grant::Password(record) => has(record),
            Grant::Local => true,
            Grant::Session(digest) => {
                self.sessions.touch(digest, Instant::now()).is_some_and(|record| has(&record))
            }
            Grant::Token(token, record) => {
                has(record) && file.find_token(&token.name).is_some_and(|now| *now == **token)
            }
        }
    }

    /// Hashes a new password for a user who is signed in.
    fn hash(&self, password: &str, asker: &dyn Asker) -> Result<PasswordHash, UsersError> {
        let account = Digest::of("a new password");
        let requester = Requester { network: Network::of(asker.address()), account, is_known: true };
        let is_wanted = || asker.waits();
        let hashed = self.checks.queue.alone(requester, &is_wanted, || PasswordHash::new(password));
        hashed.map_err(|_| UsersError::Busy)?.map_err(UsersError::Random)
    }

    fn session_identity(&self, users: &UserIndex, digest: Digest) -> Option<Identity> {
        let record = self.sessions.touch(&digest, Instant::now())?;
        if !users.has(&record) {
            self.sessions.end(&digest);
            return None;
        }
        Some(Identity::new(&record, Grant::Session(digest)))
    }
}

/// Whether a user may see and end sessions of `user`. Sessions are people's; a token has none, and acts for no person in
/// this.
fn may_see_sessions(identity: &Identity, user: &str) -> bool {
    !identity.is_token() && (identity.role == Role::Admin || user == identity.name)
}

/// The user that a token signs in. One that is confined is a viewer's, also where an admin made it.
fn token_identity(users: &UserIndex, secret: &str) -> Option<Identity> {
    let token = users.find_token(&Digest::of(secret))?;
    let record = users.find(&token.user)?;
    let role = if token.scope == Scope::All { record.role } else { Role::Viewer };
    let grant = Grant::Token(Arc::clone(token), Arc::clone(record));
    Some(Identity { role, scope: record.scope.and(&token.scope), ..Identity::new(record, grant) })
}

#[cfg(test)]
mod tests;
