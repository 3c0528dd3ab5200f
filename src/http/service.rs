//! Answers a request: claims it, signs its user in, checks that they may do this, and has it dispatched.

use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use log::debug;
use tiny_http::Request;

use super::auth::{self, Credentials};
use super::call::Call;
use super::reply::{Outcome, Reply, ResponseContext};
use super::request::{field, path_and_query};
use super::route::{Access, Route};
use super::state::AppState;
use super::{audit, challenge, cors, dispatch, page};
use crate::gate::{PendingRequest, PendingRequests, REQUEST_ID_HEADER};
use crate::users::{Asker, Identity, Role};

/// Replies with a body up to this size, in bytes, take no lease of memory.
const SMALL_REPLY_BYTES: usize = 4096;

/// Answers the requests that the gate sends.
pub(super) struct Service {
    state: AppState,
    pending: Arc<PendingRequests>,
}

impl Service {
    pub(super) fn new(state: AppState, pending: Arc<PendingRequests>) -> Self {
        Self { state, pending }
    }

    /// Answers a request, or hands a job for it over to the gate. A panic in a handler is answered with 500.
    pub(super) fn answer(&self, mut request: Request) {
        let Some(pending) = field(&request, REQUEST_ID_HEADER).and_then(|id| self.pending.claim(id)) else {
            debug!("a request on the channel did not come through the gate");
            let refused = Reply::error(403, "the request did not come through the public port");
            let _ = request.respond(refused.into_response(&ResponseContext::default()));
            return;
        };
        let context = self.state.response_context(&request, &pending);
        let handled = panic::catch_unwind(AssertUnwindSafe(|| handle(&self.state, &mut request, &pending)));
        let fault = || Outcome::Reply(Reply::error(500, "internal error; the server's log has the cause"));
        match handled.unwrap_or_else(|_| fault()) {
            Outcome::Reply(reply) => self.respond(request, &pending, reply, &context),
            Outcome::HandOver(job) => {
                self.state.counters.answered(None);
                pending.hand_over(job);
                // Dropped without a byte written: the gate reads end-of-file and runs the job.
                drop(request.into_writer());
            }
        }
    }

    fn respond(&self, request: Request, pending: &PendingRequest, reply: Reply, context: &ResponseContext) {
        let bytes = Some(reply.body_bytes()).filter(|bytes| *bytes > SMALL_REPLY_BYTES);
        let memory = self.state.memory.for_requests();
        // The lease is held until the reply is sent.
        let (reply, _lease) = match bytes.map(|bytes| memory.lease(bytes)) {
            Some(None) => (Reply::out_of_memory(), None),
            lease => (reply, lease.flatten()),
        };
        self.state.counters.answered(Some(reply.status()));
        let peer = pending.peer();
        // Without the query, which may hold what a log must not.
        let (path, _) = path_and_query(&request);
        debug!("{peer}: {} {path} {}", request.method(), reply.status());
        if let Err(error) = request.respond(reply.into_response(context)) {
            debug!("{peer}: reply lost: {error}");
        }
    }
}

/// A request whose client waits.
impl Asker for PendingRequest {
    fn address(&self) -> IpAddr {
        self.peer().ip()
    }

    fn waits(&self) -> bool {
        self.is_wanted()
    }
}

/// Decides what a request is answered with.
pub(super) fn handle(state: &AppState, request: &mut Request, pending: &PendingRequest) -> Outcome {
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let route = Route::of(path, query);
    let method = request.method().as_str();
    let is_preflight = method == "OPTIONS" && field(request, "Access-Control-Request-Method").is_some();
    if is_preflight && state.origins.allowed(field(request, "Origin")).is_some() {
        return Outcome::Reply(cors::preflight(route.as_ref().map_or(&[], Route::methods)));
    }
    // Before the sign-in, which may cost a hash. It depends on the header fields alone, so the answer does not
    // say which paths exist.
    if let Err(refused) = check_origin(state, request, pending, path, route.as_ref()) {
        return Outcome::Reply(refused);
    }
    if (method, path) == ("OPTIONS", "*") {
        let allowed = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
        return Outcome::Reply(Reply::empty(204).with("Allow", allowed));
    }
    // An unknown path needs a user, too: the answer to others does not say which paths exist.
    let access = route.as_ref().map_or(Access::Viewer, |route| route.access(method));
    let user = match access {
        Access::Public => None,
        Access::Viewer | Access::AdminOrToken | Access::Admin => match sign_in(state, request, pending) {
            Ok(user) => Some(user),
            Err(reply) => return Outcome::Reply(reply),
        },
    };
    if let Err(refused) = authorize(request, pending, path, (route.as_ref(), access), user.as_ref()) {
        return Outcome::Reply(refused);
    }
    let outcome = match (route, &user) {
        (None, _) => Outcome::Reply(Reply::error(404, Route::hint(path, query))),
        (Some(route), None) => dispatch::public(state, &route, request, pending),
        (Some(route), Some(user)) => dispatch::signed_in(&route, &mut Call { state, request, pending, user }),
    };
    match outcome {
        // A person reads it, who has no use for JSON.
        Outcome::Reply(reply) if reply.status() == 404 && challenge::is_navigation(request) => {
            Outcome::Reply(page::missing::page(path, &reply.error_text()))
        }
        outcome => outcome,
    }
}

/// Signs the request in. The log has the reason of a refusal; the client learns only that it was refused.
fn sign_in(state: &AppState, request: &Request, pending: &PendingRequest) -> Result<Identity, Reply> {
    if let Some(uid) = pending.local_uid() {
        pending.mark_signed_in();
        return Ok(Identity::local(uid));
    }
    let peer = pending.peer();
    let (authorization, cookies) = (field(request, "Authorization"), field(request, "Cookie"));
    let credentials = Credentials::from_fields(authorization, cookies, &state.cookie);
    let (name, signed_in) = match &credentials {
        None => return Err(challenge::unauthorized(request)),
        Some(Credentials::Malformed(why)) => {
            audit::malformed(peer, why);
            return Err(challenge::unauthorized(request));
        }
        Some(Credentials::Secret(secret)) => ("", state.accounts.by_secret(secret)),
        Some(Credentials::Basic(basic)) => {
            let signed_in = state.accounts.authenticate(&basic.name, &basic.password, pending);
            (basic.name.as_str(), signed_in)
        }
    };
    match signed_in {
        Ok(user) => {
            pending.mark_signed_in();
            if user.is_new {
                state.counters.signed_in();
                audit::signed_in(peer, &user.name, "password, with each request");
            }
            Ok(user)
        }
        Err(denied) => {
            state.refused(peer, name, denied);
            Err(challenge::retry_later(denied).unwrap_or_else(|| challenge::unauthorized(request)))
        }
    }
}

/// Refuses a request that changes something if a page of another site made it: a browser adds cookies and
/// remembered passwords to it without its user's knowledge. A page of a listed origin may, with a token of its
/// own.
fn check_origin(
    state: &AppState,
    request: &Request,
    pending: &PendingRequest,
    path: &str,
    route: Option<&Route>,
) -> Result<(), Reply> {
    let method = request.method().as_str();
    let (site, origin) = (field(request, "Sec-Fetch-Site"), field(request, "Origin"));
    let brings_token = || {
        matches!(route, Some(Route::Login)) || field(request, "Authorization").is_some_and(auth::is_bearer)
    };
    let is_own = || {
        state.origins.allowed(origin).is_some() && brings_token()
            || auth::is_own_page(site, origin, field(request, "Host"), pending.is_secure())
    };
    if !["GET", "HEAD"].contains(&method) && !is_own() {
        debug!("{}: {method} {path} refused: it comes from a page of another site", pending.peer());
        return Err(Reply::error(403, "the request comes from a page of another site"));
    }
    Ok(())
}

/// Checks that the user may use this route, that the route takes this method, and that it takes tokens if the
/// request brought one.
fn authorize(
    request: &Request,
    pending: &PendingRequest,
    path: &str,
    (route, access): (Option<&Route>, Access),
    user: Option<&Identity>,
) -> Result<(), Reply> {
    let method = request.method().as_str();
    let refused = |user: &Identity, why: &str| {
        audit::forbidden(pending.peer(), user, &format!("{method} {path}"));
        Err(Reply::error(403, why))
    };
    let is_admin = |user: &&Identity| user.role == Role::Admin;
    if access == Access::Admin
        && let Some(user) = user.filter(|user| !is_admin(user))
    {
        return refused(user, "only an admin may do this");
    }
    if access == Access::AdminOrToken
        && let Some(user) = user.filter(|user| !is_admin(user) && !user.is_token())
    {
        return refused(user, "only an admin may do this, or a program with a token");
    }
    if let Some(route) = route
        && !route.methods().contains(&method)
    {
        let allowed = route.methods().join(", ");
        return Err(Reply::error(405, &format!("{path} takes {allowed}")).with("Allow", allowed));
    }
    let takes_tokens = route.is_none_or(|route| route.takes_tokens(method));
    if let Some(user) = user.filter(|user| user.is_token() && !takes_tokens) {
        return refused(user, "a token may not do this; sign in with a password");
    }
    Ok(())
}
