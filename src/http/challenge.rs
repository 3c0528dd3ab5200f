//! The replies to a request that is not signed in: the sign-in form, the challenge, or a wait.
//!
//! No browser gets the Basic challenge: it would show its own dialog over the page when a session ends. A
//! browser is recognised by Fetch Metadata. An older one is recognised by our cookie, by what our scripts send,
//! and by its name (`Mozilla/`) if it prefers HTML or asks for a file of the page. All other programs get the
//! challenge, with the form if they accept HTML.

use tiny_http::Request;

use super::page::sign_in;
use super::reply::Reply;
use super::request::{field, path_and_query};
use super::route::Route;
use crate::gate::COOKIE_PREFIX;
use crate::users::Denied;

/// The reply to a request without a user. A browser that opens a page gets the sign-in form. A browser that
/// loads a part of a page gets a plain 401: a challenge would make it show its own dialog over the page. All
/// other clients get the challenge, with the form if they take HTML.
pub fn unauthorized(request: &Request) -> Reply {
    let document = || sign_in::document(path_and_query(request).0);
    if is_navigation(request) {
        return document();
    }
    let refused = || Reply::error(401, "sign in");
    if is_browser(request) {
        return refused();
    }
    let takes_html = request.method().as_str() == "GET"
        && field(request, "Accept").is_some_and(|types| types.contains("text/html"));
    let reply = if takes_html { document() } else { refused() };
    reply.with("WWW-Authenticate", "Basic realm=\"Defender\", charset=\"UTF-8\"")
}

/// Whether a browser opens a page. It says so (Fetch Metadata), or, if it is too old for that or the
/// connection is not encrypted, it prefers HTML and has the name of a browser. Other programs take HTML, too,
/// but wait for the challenge.
pub fn is_navigation(request: &Request) -> bool {
    request.method().as_str() == "GET"
        && field(request, "Sec-Fetch-Mode").map_or_else(|| is_old_browser(request), |mode| mode == "navigate")
}

/// Whether the client is a browser. It says so (Fetch Metadata). One that is too old for that is recognised by
/// our cookie, which it keeps after the session has ended, by a field that our scripts add, or by its name when
/// it asks for a file of the page.
fn is_browser(request: &Request) -> bool {
    let signs = ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Requested-With"];
    signs.iter().any(|name| field(request, name).is_some())
        || field(request, "Cookie").is_some_and(|field| field.contains(COOKIE_PREFIX))
        || is_old_browser(request)
        || (is_named_as_browser(request) && matches!(route(request), Some(Route::Page(_))))
}

/// Whether a browser without Fetch Metadata opens a document.
fn is_old_browser(request: &Request) -> bool {
    field(request, "Accept").is_some_and(|types| types.starts_with("text/html"))
        && is_named_as_browser(request)
}

/// Whether the client calls itself by a name that all browsers have, and few other programs.
fn is_named_as_browser(request: &Request) -> bool {
    field(request, "User-Agent").is_some_and(|name| name.starts_with("Mozilla/"))
}

fn route(request: &Request) -> Option<Route> {
    let (path, query) = path_and_query(request);
    Route::of(path, query)
}

/// The reply to a client that has to wait before it tries again; `None` for any other refusal.
pub fn retry_later(denied: Denied) -> Option<Reply> {
    match denied {
        Denied::Busy => {
            Some(Reply::error(503, "too many logins at once, try again").with("Retry-After", "2"))
        }
        Denied::Throttled(wait) | Denied::WrongWhileThrottled(wait) => {
            Some(Reply::too_many("failed logins", wait))
        }
        _ => None,
    }
}
