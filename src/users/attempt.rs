//! One try of a name and password.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Accounts;
use super::file::Record;
use super::followed::Users;
use super::identity::Denied;
use super::queue::{Applicant, Full, Outcome};
use super::remembered::Tag;
use super::secret::Digest;
use crate::base::{Network, lock};

/// One try of a name and password. An unknown name goes the same way as a known one.
pub struct Attempt<'a> {
    accounts: &'a Accounts,
    users: &'a Users,
    name: &'a str,
    password: &'a str,
    network: Network,
    account: Digest,
    record: &'a Arc<Record>,
    tag: Option<Tag>,
}

/// What is known of an attempt without a hash.
enum Look {
    /// The same sign-in worked lately.
    Right,
    /// It has to wait for so long.
    Wait(Duration),
    /// The same, and it is none of the sign-ins that worked lately, although there are some.
    WrongAndWait(Duration),
    /// It may be checked.
    Free,
}

impl<'a> Attempt<'a> {
    /// A password given for `name` by somebody at `network`.
    pub fn new(
        accounts: &'a Accounts,
        users: &'a Users,
        (name, password): (&'a str, &'a str),
        network: Network,
    ) -> Self {
        let record = users.find(name).unwrap_or(&accounts.nobody);
        let tag = accounts.tag_key.tag(record, password, network);
        let account = Digest::of(name);
        Self { accounts, users, name, password, network, account, record, tag }
    }

    /// The line that the password is checked against: the user's, or that of nobody.
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
            match self.look() {
                Look::Right => return Ok(false),
                Look::Wait(wait) => return Err(Denied::Throttled(wait)),
                Look::WrongAndWait(wait) => return Err(Denied::WrongWhileThrottled(wait)),
                Look::Free => {}
            }
            let key = self.accounts.tag_key.check_tag(self.name, self.record, self.password);
            match self.accounts.queue.check(self.applicant(), key, || self.check()) {
                Err(Full) => return Err(self.refused()),
                Ok(Outcome::Own(result)) => return result.and_then(|is_news| self.if_current(is_news)),
                Ok(Outcome::Shared { is_right: Some(is_right), is_first_of_network }) => {
                    let shared = self.share(is_right, is_first_of_network);
                    return shared.and_then(|is_news| self.if_current(is_news));
                }
                // Whoever had the turn was sent away, perhaps for failures of their own address.
                Ok(Outcome::Shared { is_right: None, .. }) => {}
            }
        }
    }

    fn applicant(&self) -> Applicant {
        let is_known = lock(&self.accounts.throttle).is_known(self.network, self.account);
        Applicant { network: self.network, account: self.account, is_known }
    }

    fn look(&self) -> Look {
        let now = Instant::now();
        let (wait, may_look) = {
            let throttle = lock(&self.accounts.throttle);
            let wait = throttle.wait(self.network, self.account, now);
            (wait, wait.is_none() || throttle.may_look(self.network, self.account))
        };
        let knows = |tag| lock(&self.accounts.remembered).knows(&tag, now);
        let is_remembered = may_look && self.tag.is_some_and(knows);
        match wait {
            _ if is_remembered => {
                lock(&self.accounts.throttle).used(self.network, self.account, now);
                Look::Right
            }
            None => Look::Free,
            Some(wait) if !may_look => Look::Wait(wait),
            Some(_) => {
                let mut throttle = lock(&self.accounts.throttle);
                throttle.looked_in_vain(self.network, self.account, now);
                Look::WrongAndWait(throttle.wait(self.network, self.account, now).unwrap_or_default())
            }
        }
    }

    /// The slow way, when it is its turn; and whether the password was right, where that was found out.
    /// Whoever was there before may have had the same password hashed, or failed once too often.
    fn check(&self) -> (Result<bool, Denied>, Option<bool>) {
        match self.look() {
            Look::Right => return (Ok(false), Some(true)),
            Look::Wait(wait) => return (Err(Denied::Throttled(wait)), None),
            Look::WrongAndWait(wait) => return (Err(Denied::WrongWhileThrottled(wait)), None),
            Look::Free => {}
        }
        if self.record.hash.verify(self.password, self.users.rounds()) {
            self.succeeded();
            return (Ok(true), Some(true));
        }
        lock(&self.accounts.throttle).failed(self.network, self.account, Instant::now());
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
            let mut throttle = lock(&self.accounts.throttle);
            throttle.failed_with_another(self.network, self.account, Instant::now());
        }
        Err(self.why())
    }

    /// The line that the password was checked against may have changed during the hash or before it.
    fn if_current(&self, is_news: bool) -> Result<bool, Denied> {
        if self.accounts.is_current(self.record) { Ok(is_news) } else { Err(Denied::Changed) }
    }

    fn succeeded(&self) {
        let now = Instant::now();
        lock(&self.accounts.throttle).succeeded(self.network, self.account, now);
        if let Some(tag) = self.tag {
            lock(&self.accounts.remembered).remember(tag, now);
        }
    }

    fn refused(&self) -> Denied {
        lock(&self.accounts.throttle).refused(self.network, self.account, Instant::now());
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
