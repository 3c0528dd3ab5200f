//! One resource that is asked for again and again, over one connection at a time: signs in where that is asked for, and
//! follows the server to another place on its host.

use std::sync::Arc;

use super::challenge::{Challenge, strongest};
use super::connection::Connection;
use super::response::Heads;
use super::{
    Address, Authorization, Body, ClientError, Fingerprint, Login, Request, Response, SYSTEM_ROOTS, Trust,
    Url, digest,
};
use crate::base::hex;
use crate::base::text::printable;
use crate::memory::Account;

/// Most redirects that are followed for one answer.
const REDIRECTS: usize = 5;

/// Longest text of the server that an error repeats, in characters.
const QUOTED_CHARS: usize = 200;

/// A resource (RFC 9110, section 3.1).
pub struct Resource {
    url: Url,
    /// Where the last answer came from.
    found_at: Url,
    fingerprint: Option<Fingerprint>,
    login: Option<Login>,
    account: Arc<Account>,
    /// Made for the first connection with TLS.
    trust: Option<Trust>,
    /// What a server asked for.
    asked: Option<Asked>,
}

/// What a server asked for, which is answered nowhere else: what listens on another port of its host may be another's.
struct Asked {
    origin: Address,
    challenge: Challenge,
    /// So many requests answered it.
    count: u32,
}

impl Resource {
    /// What is at `url`. Its server is trusted by its key, where there is a `fingerprint`, or by the authorities that the
    /// system trusts. What comes from it lies in memory of `account`.
    pub fn new(
        url: Url,
        fingerprint: Option<Fingerprint>,
        login: Option<Login>,
        account: Arc<Account>,
    ) -> Self {
        Self { found_at: url.clone(), url, fingerprint, login, account, trust: None, asked: None }
    }

    /// How it is signed in: "Basic" or "Digest". `None` before the server has asked for that.
    pub fn login_kind(&self) -> Option<&'static str> {
        self.asked.as_ref().map(|asked| match asked.challenge {
            Challenge::Basic => "Basic",
            Challenge::Digest(_) => "Digest",
        })
    }

    /// Whether the last answer came by TLS.
    pub fn is_secure(&self) -> bool {
        self.found_at.address().is_secure
    }

    /// Asks for it, for as long as it `is_wanted`: over the connection of the `last` body if that can be used again, else
    /// over a new one, which is opened once the other is closed.
    ///
    /// # Errors
    /// When there is no answer, it needs another login, or it is elsewhere. An answer with an error's status is one.
    pub fn get<'w>(
        &mut self,
        last: Option<Body<'w>>,
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Response<'w>, ClientError> {
        if let Some(kept) = last.and_then(Body::again) {
            match self.ask(&self.found_at.clone(), Some(kept), is_wanted) {
                // The server has closed it meanwhile, as it may at any time.
                Err(ClientError::Io(_) | ClientError::Ended | ClientError::Garbled(_)) => {}
                Ok(response) if response.status() == 200 => return checked(response),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        self.get_anew(is_wanted)
    }

    fn get_anew<'w>(&mut self, is_wanted: &'w dyn Fn() -> bool) -> Result<Response<'w>, ClientError> {
        let (mut at, mut redirects) = (self.url.clone(), 0);
        let mut answers = 0;
        loop {
            let response = self.ask(&at, None, is_wanted)?;
            match response.status() {
                401 => {
                    let challenge = strongest(response.fields("WWW-Authenticate"));
                    self.take_challenge(challenge, &at, answers)?;
                    answers += 1;
                }
                301 | 302 | 303 | 307 | 308 => {
                    redirects += 1;
                    if redirects > REDIRECTS {
                        return Err(ClientError::Circle);
                    }
                    let next = next_place(&at, response.field("Location"))?;
                    if !is_same_origin(next.address(), at.address()) {
                        answers = 0;
                    }
                    at = next;
                }
                _ => {
                    self.found_at = at;
                    return checked(response);
                }
            }
        }
    }

    /// Sends one request, and reads the head of its answer.
    fn ask<'w>(
        &mut self,
        at: &Url,
        kept: Option<Body<'w>>,
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Response<'w>, ClientError> {
        let request = Request::get(at.target()).with("Accept-Encoding", "identity").on_kept_connection();
        let request = self.sign(request, at)?;
        let head = request.head(at.address())?;
        let mut body = match kept {
            Some(body) => body,
            None => {
                let lease = self.account.lease(0).ok_or(ClientError::NoMemory)?;
                let trust = if at.address().is_secure { Some(self.trust()?) } else { None };
                Body::new(Connection::open(at.address(), trust, is_wanted)?, lease, is_wanted)
            }
        };
        body.send(&head, &[])?;
        Response::read(body, Heads::Lenient)
    }

    fn trust(&mut self) -> Result<&Trust, ClientError> {
        if self.trust.is_none() {
            self.trust = Some(match self.fingerprint {
                Some(_) => Trust::in_key(self.fingerprint)?,
                None => Trust::in_roots(SYSTEM_ROOTS.as_ref())?,
            });
        }
        Ok(self.trust.as_ref().expect("it was just made"))
    }

    /// Adds the login, where the server there has asked for one.
    fn sign<'r>(&mut self, request: Request<'r>, at: &Url) -> Result<Request<'r>, ClientError> {
        let asked = self.asked.as_mut().filter(|asked| is_same_origin(&asked.origin, at.address()));
        let (Some(login), Some(Asked { challenge, count, .. })) = (&self.login, asked) else {
            return Ok(request);
        };
        *count += 1;
        Ok(match challenge {
            Challenge::Basic => {
                let (user, password) = (login.user(), login.password());
                request.signed_in(Authorization::Basic { user, password })
            }
            Challenge::Digest(challenge) => {
                let own_nonce = hex::random_id().map_err(ClientError::Io)?;
                let answer = digest::answer(challenge, login, at.target(), *count, &own_nonce);
                request.with("Authorization", answer)
            }
        })
    }

    /// Takes what an answer 401 of the server `at` a place asks for, for the next request. So many `answers` were given to
    /// challenges of it that came for this request already.
    fn take_challenge(
        &mut self,
        challenge: Option<Challenge>,
        at: &Url,
        answers: u32,
    ) -> Result<(), ClientError> {
        self.asked = None;
        if self.login.is_none() {
            return Err(ClientError::LoginMissing);
        }
        // A nonce may be old when it comes. When the next one is, too, none will do.
        let is_stale = matches!(&challenge, Some(Challenge::Digest(digest)) if digest.is_stale);
        if answers > u32::from(is_stale) {
            return Err(ClientError::LoginRefused);
        }
        let challenge = challenge.ok_or(ClientError::LoginUnknown)?;
        self.asked = Some(Asked { origin: at.address().clone(), challenge, count: 0 });
        Ok(())
    }
}

/// The answer, unless it is compressed.
fn checked(response: Response<'_>) -> Result<Response<'_>, ClientError> {
    let mut codings = response.fields("Content-Encoding");
    let coding = codings.find(|coding| !coding.eq_ignore_ascii_case("identity")).map(quoted);
    drop(codings);
    coding.map_or(Ok(response), |coding| Err(ClientError::Compressed(coding)))
}

/// Whether two addresses are of one server (RFC 6454). Names are the same in capital letters.
fn is_same_origin(one: &Address, other: &Address) -> bool {
    one.host.eq_ignore_ascii_case(&other.host) && (one.port, one.is_secure) == (other.port, other.is_secure)
}

/// Where a redirect leads, if it is on the same host, and not from TLS to none.
fn next_place(from: &Url, location: Option<&str>) -> Result<Url, ClientError> {
    let location = location.ok_or(ClientError::Garbled("a redirect that leads nowhere"))?;
    let to = from.join(location).map_err(|_| ClientError::Garbled("a redirect that leads to no URL"))?;
    let (here, there) = (from.address(), to.address());
    let is_here = here.host.eq_ignore_ascii_case(&there.host) && (there.is_secure || !here.is_secure);
    if is_here { Ok(to) } else { Err(ClientError::Elsewhere(quoted(&to.to_string()))) }
}

/// A text of the server, short and without harm to a log.
fn quoted(text: &str) -> String {
    printable(text).chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests;
