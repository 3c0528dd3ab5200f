//! The running server's view of the users: may this name with this password, this session or this
//! token come in, and does what let somebody in still hold?

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::edits::{self, Change};
use super::file::Record;
use super::followed::{Followed, Users};
use super::identity::{Denied, Grant, Identity};
use super::password::PasswordHash;
use super::queue::Queue;
use super::remembered::{Remembered, Tag, TagKey};
use super::secret::Digest;
use super::sessions::{SessionInfo, SessionLimits, Sessions};
use super::throttle::{Source, Throttle};
use super::{Listing, Role, Scope, UsersError};

/// The users, followed as the file changes, and their sessions.
///
/// Each lock is taken for a look at a map and no longer: none is held while the file is read or a
/// line is logged. Only the queue's is held for long, for that is what it is for.
pub struct Accounts {
    file: Followed,
    tag_key: TagKey,
    remembered: Mutex<Remembered>,
    throttle: Mutex<Throttle>,
    queue: Queue,
    sessions: Sessions,
    /// What an unknown user's password is checked against.
    nobody: Arc<Record>,
}

impl Accounts {
    /// The users of a file, which need not exist yet.
    pub fn open(path: &Path, limits: SessionLimits) -> Self {
        let hash = PasswordHash::of_nobody();
        let nobody = Record { name: String::new(), role: Role::Viewer, hash, scope: Scope::All };
        Self {
            file: Followed::new(path),
            tag_key: TagKey::random(),
            remembered: Mutex::default(),
            throttle: Mutex::new(Throttle::new()),
            queue: Queue::default(),
            sessions: Sessions::new(limits),
            nobody: Arc::new(nobody),
        }
    }

    /// Checks a name and password given by somebody at `from`. Slow (one PBKDF2) unless the same
    /// sign-in worked lately from there. A token of the user's is as good as the password.
    ///
    /// # Errors
    /// See [`Denied`]. An unknown user and a wrong password cost the same.
    pub fn authenticate(&self, name: &str, password: &str, from: IpAddr) -> Result<Identity, Denied> {
        let users = self.file.users();
        if let Some(identity) = token_identity(&users, password).filter(|user| user.name == name) {
            return Ok(identity);
        }
        let attempt = Attempt::new(self, &users, (name, password), Source::of(from));
        let is_new = match attempt.look() {
            (true, _) => false,
            (false, Some(wait)) => return Err(Denied::Throttled(wait)),
            (false, None) => {
                self.queue.alone(attempt.source, || attempt.check()).map_err(|_| Denied::Busy)??
            }
        };
        let grant = Grant::Password(Arc::clone(attempt.record));
        Ok(Identity { is_new, ..Identity::new(attempt.record, grant) })
    }

    /// Checks the secret of a session or a token: no slow hash, no wait.
    ///
    /// # Errors
    /// [`Denied::Ended`].
    pub fn by_secret(&self, secret: &str) -> Result<Identity, Denied> {
        let users = self.file.users();
        let digest = Digest::of(secret);
        let session = self.session_identity(&users, digest);
        session.or_else(|| token_identity(&users, secret)).ok_or(Denied::Ended)
    }

    /// Whether what let somebody in still would. Cheap enough to be asked all the time; asking
    /// counts as a use of a session.
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

    /// Begins a session for somebody who gave name and password; its secret, to be told once.
    /// `None` for whoever came in by other means: a session must not outlive the token or the
    /// session it was made with.
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
        begun.map(Some).map_err(UsersError::Random)
    }

    /// Ends the session somebody came in by; false when he came in by other means.
    pub fn end_session(&self, identity: &Identity) -> bool {
        matches!(&identity.grant, Grant::Session(digest) if self.sessions.end(digest))
    }

    /// Ends a session by its id, if it is somebody's own or he is an admin; whose it was.
    pub fn end_session_by_id(&self, id: &str, identity: &Identity) -> Option<String> {
        self.sessions.end_by_id(id, |user| identity.role == Role::Admin || user == identity.name)
    }

    /// The sessions somebody may see: his own, or all for an admin. Youngest first.
    pub fn sessions(&self, identity: &Identity) -> Vec<SessionInfo> {
        let users = self.file.users();
        self.sessions.keep(|record| users.has(record));
        let mut list = self.sessions.list(Instant::now());
        list.retain(|session| identity.role == Role::Admin || session.user == identity.name);
        list
    }

    /// How long sessions last.
    pub fn session_limits(&self) -> SessionLimits {
        self.sessions.limits()
    }

    /// Adds a user, as [`super::add`] does; the password's hash takes its turn behind others.
    ///
    /// # Errors
    /// As [`super::add`]; [`UsersError::Busy`].
    pub fn add(&self, name: &str, new: &Change, from: IpAddr) -> Result<Role, UsersError> {
        edits::add_with(self.file.path(), name, new, |password| self.hash(password, from))
    }

    /// Changes a user, as [`super::change`] does; the password's hash takes its turn behind others.
    ///
    /// # Errors
    /// As [`super::change`]; [`UsersError::Busy`].
    pub fn change(&self, name: &str, change: &Change, from: IpAddr) -> Result<(), UsersError> {
        edits::change_with(self.file.path(), name, change, |password| self.hash(password, from))
    }

    /// Removes a user and his tokens.
    ///
    /// # Errors
    /// As [`super::remove`].
    pub fn remove(&self, name: &str) -> Result<(), UsersError> {
        edits::remove(self.file.path(), name)
    }

    /// All users and tokens, and what is wrong with other lines.
    ///
    /// # Errors
    /// As [`super::list`].
    pub fn list(&self) -> Result<Listing, UsersError> {
        edits::list(self.file.path())
    }

    /// Whether nobody can sign in.
    pub fn is_empty(&self) -> bool {
        self.file.users().all().next().is_none()
    }

    fn hash(&self, password: &str, from: IpAddr) -> Result<PasswordHash, UsersError> {
        let hashed = self.queue.alone(Source::of(from), || PasswordHash::new(password));
        hashed.map_err(|_| UsersError::Busy)?.map_err(UsersError::Random)
    }

    fn session_identity(&self, users: &Users, digest: Digest) -> Option<Identity> {
        let record = self.sessions.touch(&digest, Instant::now())?;
        if !users.has(&record) {
            self.sessions.end(&digest);
            return None;
        }
        Some(Identity::new(&record, Grant::Session(digest)))
    }
}

/// Who a token lets in. One that is confined is a viewer's, whoever made it.
fn token_identity(users: &Users, secret: &str) -> Option<Identity> {
    let token = users.find_token(&Digest::of(secret))?;
    let record = users.find(&token.user)?;
    let role = if token.scope == Scope::All { record.role } else { Role::Viewer };
    let grant = Grant::Token(Arc::clone(token), Arc::clone(record));
    Some(Identity { role, scope: record.scope.and(&token.scope), ..Identity::new(record, grant) })
}

/// One try of a name and password. An unknown name goes the same way as a known one.
struct Attempt<'a> {
    accounts: &'a Accounts,
    users: &'a Users,
    name: &'a str,
    password: &'a str,
    source: Source,
    record: &'a Arc<Record>,
    tag: Option<Tag>,
}

impl<'a> Attempt<'a> {
    fn new(
        accounts: &'a Accounts,
        users: &'a Users,
        (name, password): (&'a str, &'a str),
        source: Source,
    ) -> Self {
        let record = users.find(name).unwrap_or(&accounts.nobody);
        let tag = accounts.tag_key.tag(record, password, source);
        Self { accounts, users, name, password, source, record, tag }
    }

    /// Whether it worked lately; else how long it has to wait.
    fn look(&self) -> (bool, Option<Duration>) {
        let now = Instant::now();
        let mut throttle = lock(&self.accounts.throttle);
        let wait = throttle.wait(self.source, self.name, now);
        let may_look = wait.is_none() || throttle.may_look(self.source, now);
        drop(throttle);
        let knows = |tag| lock(&self.accounts.remembered).knows(&tag, now);
        (may_look && self.tag.is_some_and(knows), wait)
    }

    /// The slow way, when it is its turn. Whoever was there before may have had the same password
    /// hashed, or failed once too often. False when that made the hash needless.
    fn check(&self) -> Result<bool, Denied> {
        match self.look() {
            (true, _) => return Ok(false),
            (false, Some(wait)) => return Err(Denied::Throttled(wait)),
            (false, None) => {}
        }
        let is_right = self.record.hash.verify(self.password, self.users.rounds());
        let now = Instant::now();
        let mut throttle = lock(&self.accounts.throttle);
        if !is_right {
            throttle.failed(self.source, self.name, now);
            return Err(self.why());
        }
        throttle.succeeded(self.source, self.name, now);
        drop(throttle);
        if let Some(tag) = self.tag {
            lock(&self.accounts.remembered).remember(tag, now);
        }
        Ok(true)
    }

    fn why(&self) -> Denied {
        if self.users.find(self.name).is_some() {
            Denied::WrongPassword
        } else if self.users.is_malformed(self.name) {
            Denied::MalformedRecord
        } else {
            Denied::UnknownUser
        }
    }
}

/// Each of these locks guards a map that is whole after every operation.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
