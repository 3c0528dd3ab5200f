//! One try of a name and password.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::asker::Asker;
use super::file::Record;
use super::followed::Followed;
use super::identity::Denied;
use super::index::UserIndex;
use super::password::PasswordHash;
use super::queue::{Full, Outcome, Queue, Requester};
use super::remembered::{Remembered, Tag, TagKey};
use super::secret::Digest;
use super::throttle::Throttle;
use super::{Role, Scope};
use crate::base::{Network, lock};

/// What all checks of passwords share. Each lock is held for a look at a map and no longer.
pub struct PasswordChecks {
    pub tag_key: TagKey,
    pub remembered: Mutex<Remembered>,
    pub throttle: Mutex<Throttle>,
    pub queue: Queue,
    /// What an unknown user's password is checked against.
    nobody: Arc<Record>,
}

/// One try of a name and password. An unknown name goes the same way as a known one.
pub struct Attempt<'a> {
    checks: &'a PasswordChecks,
    file: &'a Followed,
    users: &'a UserIndex,
    name: &'a str,
    password: &'a str,
    asker: &'a dyn Asker,
    network: Network,
    account: Digest,
    record: &'a Arc<Record>,
    tag: Option<Tag>,
}

/// What is known of an attempt without a hash.
enum Precheck {
    /// The same sign-in worked lately.
    Right,
    /// It has to wait for so long.
    Wait(Duration),
    /// The same, and it is none of the sign-ins that worked lately, although there are some.
    WrongAndWait(Duration),
    /// It may be checked.
    Free,
}

impl PasswordChecks {
    /// Nothing is remembered, and no login has failed yet.
    pub fn new() -> Self {
        let hash = PasswordHash::of_nobody();
        let nobody = Record { name: String::new(), role: Role::Viewer, hash, scope: Scope::All, past: true };
        Self {
            tag_key: TagKey::random(),
            remembered: Mutex::default(),
            throttle: Mutex::new(Throttle::new()),
            queue: Queue::default(),
            nobody: Arc::new(nobody),
        }
    }
}

impl<'a> Attempt<'a> {
    /// A password given for `name` by a client.
    pub fn new(
        checks: &'a PasswordChecks,
        file: &'a Followed,
        users: &'a UserIndex,
        (name, password): (&'a str, &'a str),
        asker: &'a dyn Asker,
    ) -> Self {
        let network = Network::of(asker.address());
        let record = users.find(name).unwrap_or(&checks.nobody);
        let tag = checks.tag_key.tag(record, password, network);
        let account = Digest::of(name);
        Self { checks, file, users, name, password, asker, network, account, record, tag }
    }

    /// The line that the password is checked against: the user's, or one that no password is known for.
    pub fn record(&self) -> &'a Arc<Record> {
        self.record
    }

    /// Whether the password is right; with true when this is news, because the same sign-in did not
    /// work lately.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn sign_in(&self) -> Result<bool, Denied> {
        loop {
            match self.precheck() {
                Precheck::Right => return Ok(false),
                Precheck::Wait(wait) => return Err(Denied::Throttled(wait)),
                Precheck::WrongAndWait(wait) => return Err(Denied::WrongWhileThrottled(wait)),
                Precheck::Free => {}
            }
            let key = self.checks.tag_key.check_tag(self.name, self.record, self.password);
            let is_wanted = || self.asker.waits();
            match self.checks.queue.check(self.requester(), key, &is_wanted, || self.check()) {
                Err(Full) => return Err(self.refused()),
                Ok(Outcome::Own(result)) => return result.and_then(|is_new| self.if_current(is_new)),
                Ok(Outcome::Shared { is_right: Some(is_right), is_first_of_network }) => {
                    let shared = self.share(is_right, is_first_of_network);
                    return shared.and_then(|is_new| self.if_current(is_new));
                }
                // The request that had the turn was refused, perhaps for failures of its own network.
                Ok(Outcome::Shared { is_right: None, .. }) => {}
            }
        }
    }

    fn requester(&self) -> Requester {
        let is_known = lock(&self.checks.throttle).is_known(self.network, self.account);
        Requester { network: self.network, account: self.account, is_known }
    }

    fn precheck(&self) -> Precheck {
        let now = Instant::now();
        let (wait, may_look_up) = {
            let throttle = lock(&self.checks.throttle);
            let wait = throttle.wait(self.network, self.account, now);
            (wait, wait.is_none() || throttle.may_look_up(self.network, self.account))
        };
        let knows = |tag| lock(&self.checks.remembered).knows(&tag, now);
        let is_remembered = may_look_up && self.tag.is_some_and(knows);
        match wait {
            _ if is_remembered => {
                lock(&self.checks.throttle).used(self.network, self.account, now);
                Precheck::Right
            }
            None => Precheck::Free,
            Some(wait) if !may_look_up => Precheck::Wait(wait),
            Some(_) => {
                let mut throttle = lock(&self.checks.throttle);
                throttle.lookup_failed(self.network, self.account, now);
                Precheck::WrongAndWait(throttle.wait(self.network, self.account, now).unwrap_or_default())
            }
        }
    }

    /// The slow way, when it is its turn; and whether the password was right, where that was found out.
    /// A request before it may have had the same password hashed, or failed once too often.
    fn check(&self) -> (Result<bool, Denied>, Option<bool>) {
        match self.precheck() {
            Precheck::Right => return (Ok(false), Some(true)),
            Precheck::Wait(wait) => return (Err(Denied::Throttled(wait)), None),
            Precheck::WrongAndWait(wait) => return (Err(Denied::WrongWhileThrottled(wait)), None),
            Precheck::Free => {}
        }
        if self.record.hash.verify(self.password, self.users.rounds()) {
            self.succeeded();
            return (Ok(true), Some(true));
        }
        lock(&self.checks.throttle).failed(self.network, self.account, Instant::now());
        (Err(self.why()), Some(false))
    }

    /// Takes the result of a check that another request had made. Requests that share a check are one
    /// guess of each address, and one at the account.
    fn share(&self, is_right: bool, is_first_of_network: bool) -> Result<bool, Denied> {
        if is_right {
            if is_first_of_network {
                self.succeeded();
            }
            return Ok(is_first_of_network);
        }
        if is_first_of_network {
            let mut throttle = lock(&self.checks.throttle);
            throttle.failed_with_another(self.network, self.account, Instant::now());
        }
        Err(self.why())
    }

    /// The line that the password was checked against may have changed during the hash or before it.
    fn if_current(&self, is_new: bool) -> Result<bool, Denied> {
        if self.file.users().has(self.record) { Ok(is_new) } else { Err(Denied::Changed) }
    }

    fn succeeded(&self) {
        let now = Instant::now();
        lock(&self.checks.throttle).succeeded(self.network, self.account, now);
        if let Some(tag) = self.tag {
            lock(&self.checks.remembered).remember(tag, now);
        }
    }

    fn refused(&self) -> Denied {
        lock(&self.checks.throttle).refused(self.network, self.account, Instant::now());
        Denied::Busy
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
