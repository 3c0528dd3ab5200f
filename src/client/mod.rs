//! The HTTP client: one request over one connection (RFC 9112), with TLS or without.
//!
//! What belongs here: URLs, resolving names and connecting, whom TLS trusts, request and response heads, logins and
//! redirects, bodies as they arrive. All of it is untrusted input, and bounded. What must not: who is asked, what an
//! answer means, and when to try again.
//!
//! Every wait asks the caller four times a second or more often whether the request is still wanted, so that no thread
//! outlives what it works for.

mod address;
mod body;
mod challenge;
mod connect;
mod connection;
mod digest;
mod error;
mod fingerprint;
mod framing;
mod login;
mod md5;
mod mdns;
mod request;
mod resource;
mod response;
mod trust;
mod url;

use std::sync::Arc;

use crate::memory::Account;
use connection::Connection;
use response::Heads;

pub use address::Address;
pub use body::Body;
pub use error::ClientError;
pub use fingerprint::Fingerprint;
pub use login::{Login, LoginError};
pub(crate) use mdns::addresses as addresses_in_answer;
pub use request::{Authorization, Request};
pub use resource::Resource;
pub use response::Response;
pub(crate) use response::look_at_head;
pub use trust::{SYSTEM_ROOTS, Trust};
pub use url::{Url, UrlError};

/// One server, how it is known, and the memory for what it sends.
pub struct Client {
    address: Address,
    trust: Trust,
    account: Arc<Account>,
}

impl Client {
    /// A client of the server at `address`. What comes from it lies in memory of `account`.
    pub fn new(address: Address, trust: Trust, account: Arc<Account>) -> Self {
        Self { address, trust, account }
    }

    /// Whom it trusts, and what the server has shown.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Sends a request over a connection of its own, for as long as it `is_wanted`, and reads the head of the answer.
    /// Nothing is sent to a server that is not trusted.
    ///
    /// # Errors
    /// When there is no answer; an answer with an error's status is one.
    pub fn send<'w>(
        &self,
        request: &Request<'_>,
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Response<'w>, ClientError> {
        let lease = self.account.lease(0).ok_or(ClientError::NoMemory)?;
        let head = request.head(&self.address)?;
        let trust = self.address.is_secure.then_some(&self.trust);
        let mut body = Body::new(Connection::open(&self.address, trust, is_wanted)?, lease, is_wanted);
        body.send(&head, request.body())?;
        Response::read(body, Heads::Strict { takes_chunks: request.takes_chunks() })
    }
}

#[cfg(test)]
mod tests;
