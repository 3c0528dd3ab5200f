//! Documents with an entity tag: a client that has one already gets 304.

use std::borrow::Cow;
use std::path::Path;

use super::reply::Reply;

/// `Vary` for files of a folder: only users get them.
pub const VARY_BY_USER: &str = "Cookie, Authorization";

/// `Vary` for files that are built in and that only users get.
pub const VARY_BY_USER_AND_ENCODING: &str = "Cookie, Authorization, Accept-Encoding";

/// `Vary` for files that are built in and that anybody gets.
pub const VARY_BY_ENCODING: &str = "Accept-Encoding";

/// A document with its entity tag, or 304 if the client sent that tag. `body` is called only for the former.
pub fn conditional(
    path: &str,
    tag: String,
    body: impl FnOnce() -> Cow<'static, [u8]>,
    known_tags: Option<&str>,
) -> Reply {
    let reply = if is_known(&tag, known_tags) {
        Reply::empty(304)
    } else {
        Reply::new(200, content_type(path), body())
    };
    // no-cache: it may be stored, but is to be revalidated each time; the answer is a 304.
    reply.with("ETag", tag).with("Cache-Control", "no-cache")
}

/// Whether `tag` is among those that a client sent (`If-None-Match`). They are compared weakly (RFC 9110, section 13.1.2): a proxy
/// that compresses makes our tags weak.
pub fn is_known(tag: &str, known_tags: Option<&str>) -> bool {
    let is_ours = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    known_tags.is_some_and(|tags| tags.split(',').any(|known| is_ours(known.trim())))
}

/// The media type of a file, by the ending of its name.
pub fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
