//! Replies: status, fields and body, with the security headers every response carries.

use std::borrow::Cow;
use std::io::Cursor;

use miniserde::{Serialize, json};
use tiny_http::{Header, Response, StatusCode};

use super::cors;
use crate::gate::connection_field;

/// What the page may load: itself, and nothing inline (Content Security Policy Level 3).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For pictures and sound, some of whose bytes are a stranger's: as a document of its own nothing is
/// loaded or run by it, and its origin is none.
const MEDIA_POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; sandbox";

/// What of a request shows in the fields of every reply to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The value of `Strict-Transport-Security`, where it is sent.
    pub hsts: Option<String>,
    /// The other site whose page it comes from, where that one may read the reply.
    pub origin: Option<String>,
    /// Whether the reply depends on that, for caches: whether any other site may read anything.
    pub varies: bool,
}

/// A whole response, body in memory.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Cow<'static, [u8]>,
    policy: &'static str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl Reply {
    /// A JSON document. Never stored by a cache.
    pub fn json(status: u16, document: &impl Serialize) -> Self {
        Self::new(status, "application/json", json::to_string(document).into_bytes().into())
            .with("Cache-Control", "no-store")
    }

    /// `{"error":"..."}`, a sentence for the person who asked.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &ErrorBody { error })
    }

    /// A status that has no body, and so no type of it (RFC 9110, section 8.3).
    pub fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Cow::Borrowed(&[]), policy: PAGE_POLICY }
    }

    /// Any body.
    pub fn new(status: u16, content_type: &str, body: Cow<'static, [u8]>) -> Self {
        let fields = vec![("Content-Type", content_type.to_owned())];
        Self { status, fields, body, policy: PAGE_POLICY }
    }

    /// A picture; its bytes are sent behind [`Reply::head`].
    pub fn picture() -> Self {
        Self { policy: MEDIA_POLICY, ..Self::new(200, "image/jpeg", Cow::Borrowed(&[])) }
    }

    /// Adds a header field.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Its status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Bytes of memory that its body takes of its own.
    pub fn body_bytes(&self) -> usize {
        match &self.body {
            Cow::Borrowed(_) => 0,
            Cow::Owned(bytes) => bytes.capacity(),
        }
    }

    /// The form tiny_http sends.
    pub fn into_response(self, around: &Surroundings) -> Response<Cursor<Cow<'static, [u8]>>> {
        let length = self.body.len();
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        // A field that is not ASCII is left out; every name and value here is the program's own.
        let fields = own.chain(common_fields(around, self.policy));
        let headers = fields.filter_map(|(name, value)| Header::from_bytes(name, value).ok()).collect();
        Response::new(StatusCode(self.status), headers, Cursor::new(self.body), Some(length), None)
            .with_chunked_threshold(usize::MAX)
    }

    /// The same response as bytes for a job that writes to the client itself.
    pub fn into_bytes(self, around: &Surroundings, keep: bool, with_body: bool) -> Vec<u8> {
        let mut bytes = self.head(self.body.len() as u64, around, keep);
        if with_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// Its head, for a body of `body_bytes` that the caller sends.
    pub fn head(&self, body_bytes: u64, around: &Surroundings, keep: bool) -> Vec<u8> {
        let length = body_bytes.to_string();
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        let fields = own.chain([("Content-Length", length.as_str())]);
        head(self.status, fields.chain(common_fields(around, self.policy)), keep)
    }
}

/// The head of a response without end, with `more` fields of its own. The connection closes after
/// it.
pub fn stream_head(content_type: &str, more: &[(&str, &str)], around: &Surroundings) -> Vec<u8> {
    let own = [("Content-Type", content_type), ("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    head(200, own.into_iter().chain(more.iter().copied()).chain(common_fields(around, MEDIA_POLICY)), false)
}

fn head<'a>(status: u16, fields: impl Iterator<Item = (&'a str, &'a str)>, keep: bool) -> Vec<u8> {
    let reason = StatusCode(status).default_reason_phrase();
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in fields {
        for piece in [name, ": ", value, "\r\n"] {
            head.push_str(piece);
        }
    }
    head.push_str(connection_field(keep));
    head.push_str("\r\n");
    head.into_bytes()
}

fn common_fields<'a>(
    around: &'a Surroundings,
    policy: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let readers = if around.origin.is_some() { "cross-origin" } else { "same-origin" };
    let always = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", readers),
    ];
    let hsts = around.hsts.iter().map(|value| ("Strict-Transport-Security", value.as_str()));
    let shared = around.origin.iter().flat_map(|origin| cors::fields(origin));
    let varies = around.varies.then_some(("Vary", "Origin"));
    always.into_iter().chain(hsts).chain(varies).chain(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_json_whatever_is_in_it() {
        let bytes = Reply::error(404, "no \"x\"\n").into_bytes(&Surroundings::default(), true, true);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"error\":\"no \\\"x\\\"\\n\"}"), "{text}");
    }

    #[test]
    fn pictures_and_sound_are_no_documents_that_can_do_anything() {
        let around = Surroundings::default();
        let stream = String::from_utf8(stream_head("a/b", &[], &around)).unwrap();
        let picture = String::from_utf8(Reply::picture().head(1, &around, true)).unwrap();
        for head in [stream, picture] {
            let policy = head.lines().find_map(|line| line.strip_prefix("Content-Security-Policy: "));
            let policy = policy.expect("a policy");
            assert!(policy.contains("default-src 'none'") && policy.ends_with("; sandbox"), "{policy}");
            assert!(head.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{head}");
        }
    }
}
