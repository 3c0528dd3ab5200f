//! Requests, and their heads on the wire.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Address, ClientError};

/// A request. Its head is checked when it is sent.
#[derive(Clone)]
pub struct Request<'a> {
    method: &'static str,
    /// Path and query.
    target: &'a str,
    takes_chunks: bool,
    keeps_connection: bool,
    fields: Vec<(&'a str, Cow<'a, str>)>,
    body: Option<(&'a str, &'a [u8])>,
}

/// What signs a request in.
#[derive(Clone, Copy)]
pub enum Authorization<'a> {
    /// A token (RFC 6750).
    Bearer(&'a str),
    /// A name and a password (RFC 7617). Only for servers that are reached by TLS, or in the same network.
    Basic {
        /// The user's name, without a colon.
        user: &'a str,
        /// The password.
        password: &'a str,
    },
}

impl<'a> Request<'a> {
    /// Asks for what is at `target`, a path with its query.
    pub fn get(target: &'a str) -> Self {
        Self {
            method: "GET",
            target,
            takes_chunks: true,
            keeps_connection: false,
            fields: Vec::new(),
            body: None,
        }
    }

    /// Sends `body` to `target`.
    #[cfg_attr(not(test), expect(dead_code, reason = "notifications to other servers will use it"))]
    pub fn post(target: &'a str, content_type: &'a str, body: &'a [u8]) -> Self {
        Self { method: "POST", body: Some((content_type, body)), ..Self::get(target) }
    }

    /// The same with another field.
    pub fn with(mut self, name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The same, signed in.
    pub fn signed_in(self, by: Authorization<'_>) -> Self {
        let value = match by {
            Authorization::Bearer(token) => format!("Bearer {token}"),
            Authorization::Basic { user, password } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
        };
        self.with("Authorization", value)
    }

    /// The same as HTTP/1.0, in answer to which nothing on the way may send chunks (RFC 9112, section 6.1): a stream's
    /// parts arrive as they were written.
    pub fn without_chunks(mut self) -> Self {
        self.takes_chunks = false;
        self
    }

    /// The same, with the wish for another request over the same connection.
    pub(super) fn on_kept_connection(mut self) -> Self {
        self.keeps_connection = true;
        self
    }

    pub(super) fn takes_chunks(&self) -> bool {
        self.takes_chunks
    }

    pub(super) fn body(&self) -> &'a [u8] {
        self.body.map_or(&[], |(_, body)| body)
    }

    /// The head as it is sent.
    ///
    /// # Errors
    /// A target or field that would be more than one.
    pub(super) fn head(&self, address: &Address) -> Result<String, ClientError> {
        if !self.target.starts_with('/') || !self.target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Request(
                "its path holds a space or another character that needs an escape",
            ));
        }
        let version = if self.takes_chunks { "1.1" } else { "1.0" };
        let mut head =
            format!("{} {} HTTP/{version}\r\nHost: {}\r\n", self.method, self.target, address.authority());
        let length = self.body.map(|(_, body)| body.len().to_string());
        let of_body = self.body.iter().flat_map(|(content_type, _)| {
            [("Content-Type", *content_type), ("Content-Length", length.as_deref().unwrap_or_default())]
        });
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_ref()));
        let connection = if self.keeps_connection { "keep-alive" } else { "close" };
        for (name, value) in fields.chain(of_body).chain([("Connection", connection)]) {
            if name.contains(':') || [name, value].iter().any(|text| text.contains(char::is_control)) {
                return Err(ClientError::Request("a field of its head holds a control character"));
            }
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &Request<'_>) -> Result<String, String> {
        let address = Address { host: "::1".to_owned(), port: 80, is_secure: false };
        request.head(&address).map_err(|error| error.to_string())
    }

    #[test]
    fn a_head_is_written_as_rfc_9112_has_it() {
        let request = Request::get("/v?a=b").signed_in(Authorization::Bearer("t")).without_chunks();
        let expected =
            "GET /v?a=b HTTP/1.0\r\nHost: [::1]:80\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n";
        assert_eq!(head(&request).as_deref(), Ok(expected));
        let request = Request::post("/", "application/json", b"{}").with("X-Event", "motion");
        let expected = "POST / HTTP/1.1\r\nHost: [::1]:80\r\nX-Event: motion\r\nContent-Type: application/json\r\n\
                        Content-Length: 2\r\nConnection: close\r\n\r\n";
        assert_eq!((head(&request).as_deref(), request.body()), (Ok(expected), &b"{}"[..]));
    }

    #[test]
    fn basic_credentials_are_encoded() {
        // The example of RFC 7617, section 2.
        let by = Authorization::Basic { user: "Aladdin", password: "open sesame" };
        let head = head(&Request::get("/").signed_in(by)).unwrap();
        assert!(head.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{head}");
    }

    #[test]
    fn no_value_can_begin_another_field_or_request() {
        for target in ["", "x", "/a b", "/a\r\nX: y", "/é"] {
            assert!(head(&Request::get(target)).is_err(), "{target:?}");
        }
        for (name, value) in [("X", "a\r\nY: b"), ("X\n", "a"), ("X: y", "a"), ("X", "a\0")] {
            assert!(head(&Request::get("/").with(name, value)).is_err(), "{name:?}: {value:?}");
        }
    }
}
