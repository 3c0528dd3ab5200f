//! Replies: status, header fields and body, with the security fields that every response carries.

use std::borrow::Cow;
use std::io::Cursor;
use std::time::Duration;

use miniserde::{Deserialize, Serialize, json};
use tiny_http::{Header, Response, StatusCode};

use crate::gate::{Job, connection_field};
use crate::users::whole_seconds;

/// What the page may load: itself, and nothing inline (Content Security Policy Level 3).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For pictures and sound, whose bytes are untrusted: opened as a document of its own, such a response loads
/// and runs nothing, and has no origin.
const MEDIA_POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; sandbox";

/// What all responses to one request have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseContext {
    /// The value of `Strict-Transport-Security`, if it is sent.
    pub hsts: Option<String>,
    /// The other site whose page made the request, if that page may read the response.
    pub origin: Option<String>,
    /// Whether caches must distinguish origins: whether any other site may read responses.
    pub varies_by_origin: bool,
}

/// What a handler decided.
pub enum Outcome {
    /// A response with its body.
    Reply(Reply),
    /// A job that runs on the client's connection and writes the response itself.
    HandOver(Job),
}

/// A whole response with its body in memory.
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

#[derive(Deserialize)]
struct ErrorText {
    error: String,
}

impl Reply {
    /// A JSON document. Never stored by a cache.
    pub fn json(status: u16, document: &impl Serialize) -> Self {
        Self::new(status, "application/json", json::to_string(document).into_bytes().into())
            .with("Cache-Control", "no-store")
    }

    /// `{"error":"..."}`: a sentence for the user.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &ErrorBody { error })
    }

    /// The sentence of an error; empty for any other reply.
    pub fn error_text(&self) -> String {
        let text = str::from_utf8(&self.body).unwrap_or_default();
        json::from_str(text).map(|ErrorText { error }| error).unwrap_or_default()
    }

    /// 204: done.
    pub fn no_content() -> Self {
        Self::empty(204).with("Cache-Control", "no-store")
    }

    /// 404 for a path that leads to nothing.
    pub fn not_found() -> Self {
        Self::error(404, "there is nothing here")
    }

    /// 503 for a reply that finds no memory.
    pub fn out_of_memory() -> Self {
        Self::error(503, "not enough memory for this reply now; try again").with("Retry-After", "5")
    }

    /// 429 for a client that has to wait, because there are too many of `what`.
    pub fn too_many(what: &str, wait: Duration) -> Self {
        let seconds = whole_seconds(wait);
        Self::error(429, &format!("too many {what}, try again in {seconds} s"))
            .with("Retry-After", seconds.to_string())
    }

    /// A response without a body, and so without a `Content-Type` (RFC 9110, section 8.3).
    pub fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Cow::Borrowed(&[]), policy: PAGE_POLICY }
    }

    /// A response with this body.
    pub fn new(status: u16, content_type: &str, body: Cow<'static, [u8]>) -> Self {
        let fields = vec![("Content-Type", content_type.to_owned())];
        Self { status, fields, body, policy: PAGE_POLICY }
    }

    /// A JPEG, whose bytes the caller sends after [`Reply::head`].
    pub fn picture() -> Self {
        Self { policy: MEDIA_POLICY, ..Self::new(200, "image/jpeg", Cow::Borrowed(&[])) }
    }

    /// A clip, whose bytes the caller sends after [`Reply::head`].
    pub fn clip(status: u16, content_type: &str) -> Self {
        Self { policy: MEDIA_POLICY, ..Self::new(status, content_type, Cow::Borrowed(&[])) }
    }

    /// A JPEG.
    pub fn jpeg(bytes: Vec<u8>) -> Self {
        Self { body: bytes.into(), ..Self::picture() }
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

    /// Bytes of memory that its body occupies; 0 if it is built into the program.
    pub fn body_bytes(&self) -> usize {
        match &self.body {
            Cow::Borrowed(_) => 0,
            Cow::Owned(bytes) => bytes.capacity(),
        }
    }

    /// The response for tiny_http.
    pub fn into_response(self, context: &ResponseContext) -> Response<Cursor<Cow<'static, [u8]>>> {
        let length = self.body.len();
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        // A field that is not ASCII is left out; all names and values are the program's own.
        let fields = own.chain(common_fields(context, self.policy));
        let headers = fields.filter_map(|(name, value)| Header::from_bytes(name, value).ok()).collect();
        Response::new(StatusCode(self.status), headers, Cursor::new(self.body), Some(length), None)
            .with_chunked_threshold(usize::MAX)
    }

    /// The response as bytes, for a job that writes to the client itself.
    pub fn into_bytes(self, context: &ResponseContext, keep: bool, with_body: bool) -> Vec<u8> {
        let mut bytes = self.head(self.body.len() as u64, context, keep);
        if with_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head of the response, for a body of `body_bytes` that the caller sends.
    pub fn head(&self, body_bytes: u64, context: &ResponseContext, keep: bool) -> Vec<u8> {
        let length = body_bytes.to_string();
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        let fields = own.chain([("Content-Length", length.as_str())]);
        head(self.status, fields.chain(common_fields(context, self.policy)), keep)
    }
}

/// The head of a stream without end, with `more` fields of its own. The connection closes after the stream.
pub fn stream_head(content_type: &str, more: &[(&str, &str)], context: &ResponseContext) -> Vec<u8> {
    let own = [("Content-Type", content_type), ("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    head(200, own.into_iter().chain(more.iter().copied()).chain(common_fields(context, MEDIA_POLICY)), false)
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
    context: &'a ResponseContext,
    policy: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let readers = if context.origin.is_some() { "cross-origin" } else { "same-origin" };
    let always = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", readers),
    ];
    let hsts = context.hsts.iter().map(|value| ("Strict-Transport-Security", value.as_str()));
    let cross_origin = context.origin.iter().flat_map(|origin| cors_fields(origin));
    let varies = context.varies_by_origin.then_some(("Vary", "Origin"));
    always.into_iter().chain(hsts).chain(varies).chain(cross_origin)
}

/// What a page of another site may read beside the body.
const EXPOSED: &str = "Content-Range, ETag, Location, Retry-After, X-Clip-From, X-Clip-To, X-Frame, X-Next, X-Previous, \
                       X-Step, X-Times, X-Timestamp";

/// The fields by which a browser lets a page of another site read the response (Fetch standard, "CORS
/// protocol").
fn cors_fields(origin: &str) -> [(&str, &str); 2] {
    [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_valid_json() {
        let bytes = Reply::error(404, "no \"x\"\n").into_bytes(&ResponseContext::default(), true, true);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"error\":\"no \\\"x\\\"\\n\"}"), "{text}");
    }

    #[test]
    fn pictures_and_sound_load_and_run_nothing() {
        let context = ResponseContext::default();
        let stream = String::from_utf8(stream_head("a/b", &[], &context)).unwrap();
        let picture = String::from_utf8(Reply::picture().head(1, &context, true)).unwrap();
        for head in [stream, picture] {
            let policy = head.lines().find_map(|line| line.strip_prefix("Content-Security-Policy: "));
            let policy = policy.expect("a policy");
            assert!(policy.contains("default-src 'none'") && policy.ends_with("; sandbox"), "{policy}");
            assert!(head.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{head}");
        }
    }
}
