//! Signing in and out, and changing one's own password.

use miniserde::{Deserialize, Serialize};
use tiny_http::Request;
use zeroize::Zeroizing;

use crate::gate::PendingRequest;
use crate::users::{Denied, Identity, whole_seconds};

use super::reply::Reply;
use super::users::refused_edit;
use super::{Service, audit, body};

/// What a login brings.
#[derive(Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    password: String,
}

#[derive(Serialize)]
struct Session {
    token: String,
    user: String,
    role: &'static str,
    idle_s: u64,
    max_s: u64,
}

#[derive(Deserialize)]
struct NewPassword {
    old: String,
    new: String,
}

/// `POST /api/1.0/login`: a session, as a cookie and as a token for `Authorization: Bearer`.
pub fn login(service: &Service, request: &mut Request, exchange: &PendingRequest) -> Reply {
    let asked: Login = match body::read(request, r#"{"user":"alice","password":"..."}"#) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    let (password, peer) = (Zeroizing::new(asked.password), exchange.peer());
    let user = match service.accounts.authenticate(&asked.user, &password, peer.ip()) {
        Ok(user) => user,
        Err(denied) => {
            service.counts.refused(denied);
            audit::refused(peer, &asked.user, denied);
            return refusal(denied).unwrap_or_else(|| Reply::error(401, "wrong name or password"));
        }
    };
    match service.accounts.begin_session(&user, peer.ip()) {
        Ok(Some(secret)) => {
            exchange.mark_signed_in();
            service.counts.signed_in();
            audit::signed_in(peer, &user.name, "password, with a session");
            begun(service, &user, &secret)
        }
        Ok(None) => Reply::error(403, "a token is used as it is; only a password makes a session"),
        Err(error) => Reply::error(503, &error.to_string()),
    }
}

/// `POST /api/1.0/logout`: the session ends, and with it what streams by it.
pub fn logout(service: &Service, user: &Identity, exchange: &PendingRequest) -> Reply {
    if service.accounts.end_session(user) {
        audit::changed_own(exchange.peer(), user, "signed out");
    }
    no_content().with("Set-Cookie", format!("{}=; {ATTRIBUTES}; Max-Age=0", service.cookie))
}

/// `PUT /api/1.0/password`: one's own. All sessions of the user end, this one with them.
pub fn password(
    service: &Service,
    user: &Identity,
    request: &mut Request,
    exchange: &PendingRequest,
) -> Reply {
    let asked: NewPassword = match body::read(request, r#"{"old":"...","new":"..."}"#) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    let (old, new) = (Zeroizing::new(asked.old), Zeroizing::new(asked.new));
    let peer = exchange.peer();
    let present = match service.accounts.authenticate(&user.name, &old, peer.ip()) {
        Ok(present) if present.has_given_password() => present,
        Ok(_) => return Reply::error(403, "a token is no password"),
        Err(denied) => {
            service.counts.refused(denied);
            audit::refused(peer, &user.name, denied);
            return refusal(denied).unwrap_or_else(|| Reply::error(403, "the old password is wrong"));
        }
    };
    match service.accounts.change_own_password(user, &present, new, peer.ip()) {
        Ok(()) => {
            audit::changed_own(peer, user, "changed the own password");
            no_content()
        }
        Err(error) => refused_edit(&error),
    }
}

/// The reply to whoever has to wait; `None` for any other refusal.
pub fn refusal(denied: Denied) -> Option<Reply> {
    match denied {
        Denied::Busy => {
            Some(Reply::error(503, "too many logins at once, try again").with("Retry-After", "2"))
        }
        Denied::Throttled(wait) | Denied::WrongWhileThrottled(wait) => {
            let seconds = whole_seconds(wait);
            let why = format!("too many failed logins, try again in {seconds} s");
            Some(Reply::error(429, &why).with("Retry-After", seconds.to_string()))
        }
        _ => None,
    }
}

/// 204: done, and nothing to say.
pub fn no_content() -> Reply {
    Reply::empty(204).with("Cache-Control", "no-store")
}

/// No script reads the cookie, no other site's page sends it, no plain connection carries it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

fn begun(service: &Service, user: &Identity, secret: &str) -> Reply {
    let limits = service.accounts.session_limits();
    let max_s = limits.max.as_secs();
    let session = Session {
        token: secret.to_owned(),
        user: user.name.clone(),
        role: user.role.name(),
        idle_s: limits.idle.as_secs(),
        max_s,
    };
    let cookie = format!("{}={secret}; {ATTRIBUTES}; Max-Age={max_s}", service.cookie);
    Reply::json(200, &session).with("Set-Cookie", cookie)
}
