//! Signing in and out, and changing the own password.

use miniserde::{Deserialize, Serialize};
use tiny_http::Request;
use zeroize::Zeroizing;

use super::errors::users_error;
use crate::gate::PendingRequest;
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::http::{audit, body, challenge};
use crate::users::Identity;

/// The body of a login.
#[derive(Deserialize)]
pub(crate) struct LoginBody {
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
struct PasswordBody {
    old: String,
    new: String,
}

/// `POST /api/1.0/login`: begins a session, for use as a cookie or with `Authorization: Bearer`.
pub fn login(state: &AppState, request: &mut Request, pending: &PendingRequest) -> Reply {
    let body: LoginBody = match body::read(request, r#"{"user":"alice","password":"..."}"#) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (password, peer) = (Zeroizing::new(body.password), pending.peer());
    let user = match state.accounts.authenticate(&body.user, &password, pending) {
        Ok(user) => user,
        Err(denied) => {
            state.refused(peer, &body.user, denied);
            return challenge::retry_later(denied)
                .unwrap_or_else(|| Reply::error(401, "wrong name or password"));
        }
    };
    match state.accounts.begin_session(&user, peer.ip()) {
        Ok(Some(secret)) => {
            pending.mark_signed_in();
            state.counters.signed_in();
            audit::signed_in(peer, &user.name, "password, with a session");
            session_reply(state, &user, &secret)
        }
        Ok(None) => Reply::error(
            403,
            "a token cannot begin a session; send it as `Authorization: Bearer`, or log in with a password",
        ),
        Err(error) => Reply::error(503, &error.to_string()),
    }
}

/// `POST /api/1.0/logout`: ends the session, and the streams that were opened with it.
pub fn logout(state: &AppState, user: &Identity, pending: &PendingRequest) -> Reply {
    if state.accounts.end_session(user) {
        audit::changed_own(pending.peer(), user, "signed out");
    }
    Reply::no_content().with("Set-Cookie", format!("{}=; {ATTRIBUTES}; Max-Age=0", state.cookie))
}

/// `PUT /api/1.0/password`: changes the own password, and ends all sessions of the user.
pub fn password(call: &mut Call<'_>) -> Reply {
    let Call { state, request, pending, user } = call;
    let body: PasswordBody = match body::read(request, r#"{"old":"...","new":"..."}"#) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (old, new) = (Zeroizing::new(body.old), Zeroizing::new(body.new));
    let peer = pending.peer();
    let current = match state.accounts.authenticate(&user.name, &old, *pending) {
        Ok(current) if current.has_given_password() => current,
        Ok(_) => return Reply::error(403, "`old` is a token; expected the password"),
        Err(denied) => {
            state.refused(peer, &user.name, denied);
            return challenge::retry_later(denied)
                .unwrap_or_else(|| Reply::error(403, "the old password is wrong"));
        }
    };
    match state.accounts.change_own_password(user, &current, new, *pending) {
        Ok(()) => {
            audit::changed_own(peer, user, "changed the own password");
            Reply::no_content()
        }
        Err(error) => users_error(&error),
    }
}

/// Scripts cannot read the cookie, pages of other sites cannot send it, and it is not sent without TLS.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

fn session_reply(state: &AppState, user: &Identity, secret: &str) -> Reply {
    let limits = state.accounts.session_limits();
    let max_s = limits.max.as_secs();
    let session = Session {
        token: secret.to_owned(),
        user: user.name.clone(),
        role: user.role.name(),
        idle_s: limits.idle.as_secs(),
        max_s,
    };
    let cookie = format!("{}={secret}; {ATTRIBUTES}; Max-Age={max_s}", state.cookie);
    Reply::json(200, &session).with("Set-Cookie", cookie)
}
