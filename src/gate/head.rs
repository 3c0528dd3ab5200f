//! Checks one request head; the connection has read it.
//!
//! tiny_http sees only heads that passed these checks, written anew in one canonical form, so that
//! nothing reaches it that it would misread (RFC 9112). The checks are strict on purpose: nothing is
//! repaired, and whatever two parsers could read differently is refused.

mod error;
mod fields;

use error::MAX_FIELDS;
use fields::Fields;

pub use error::HeadError;
pub use fields::COOKIE_PREFIX;
#[cfg(test)]
pub use fields::is_passed_on;

/// The private header that carries the id of a pending request; a client's own copy never passes.
pub const REQUEST_ID_HEADER: &str = "X-Defender-Exchange";

/// A request head that passed every check.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, as sent.
    pub method: String,
    /// The target, printable ASCII: a path with an optional query, or `*` of `OPTIONS`.
    pub target: String,
    /// The requested host and port, if the client named them.
    pub host: Option<String>,
    /// Length of the body that follows, in bytes.
    pub body_bytes: usize,
    /// Whether the client wants the connection kept for another request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    fields: Vec<(String, String)>,
}

/// The length of the head at the start of `received`, closing empty line included; `None` while that
/// line is missing. The first `searched` bytes are known not to hold the whole line, so that a head
/// which arrives byte by byte is not searched from its start each time.
pub fn complete_head(received: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    received[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|start| from + start + 4)
}

impl RequestHead {
    /// Checks a complete head, closing empty line included, whose body may have `max_body_bytes`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(head: &[u8], max_body_bytes: usize) -> Result<Self, HeadError> {
        check_bytes(head)?;
        let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut storage);
        match request.parse(head) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(HeadError::Malformed("bytes behind the end of the head")),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
            Err(httparse::Error::Version) => return Err(HeadError::Version),
            Err(_) => return Err(HeadError::Malformed("not an HTTP/1.1 request head")),
        }
        let version = request.version.unwrap_or(0);
        let method = request.method.unwrap_or("");
        let (authority, target) = split_target(method, request.path.unwrap_or(""))?;
        let fields = Fields(request.headers);
        let host = fields.host()?;
        if host.is_none() && version == 1 {
            return Err(HeadError::Malformed("no Host"));
        }
        fields.check_repeated()?;
        Ok(Self {
            method: method.to_owned(),
            target,
            // The authority of a target takes precedence over the field (RFC 9112, section 3.2.2).
            host: authority.or(host).map(str::to_owned),
            body_bytes: fields.body_bytes(max_body_bytes)?,
            keep_alive: fields.keep_alive(version),
            expects_continue: fields.expects_continue()?,
            fields: fields.passed_on(),
        })
    }

    /// The head as tiny_http gets it: in one spelling, with the fields that concern the request itself
    /// and no others, and with the id of the pending request.
    pub fn canonical(&self, request_id: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let host = self.host.iter().map(|host| ("Host", host.as_str()));
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in host.chain(fields) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", self.body_bytes));
        head.push_str(&format!("{REQUEST_ID_HEADER}: {request_id}\r\n\r\n"));
        head.into_bytes()
    }
}

/// Refuses bytes that a head must not have: NUL and other controls, a bare CR or LF (which parsers
/// read differently), and in the request line anything beyond ASCII. In the value of a field such a
/// byte is opaque (RFC 9110, section 5.5); the parser refuses it in the name of a field.
fn check_bytes(head: &[u8]) -> Result<(), HeadError> {
    let mut is_first_line = true;
    for (at, byte) in head.iter().enumerate() {
        let fault = match byte {
            b'\n' if at == 0 || head[at - 1] != b'\r' => "a bare line feed",
            b'\r' if head.get(at + 1) != Some(&b'\n') => "a bare carriage return",
            b'\n' => {
                is_first_line = false;
                continue;
            }
            b'\r' | b'\t' | b' '..=b'~' => continue,
            0x80.. if is_first_line => "a byte beyond ASCII in the request line",
            0x80.. => continue,
            _ => "a control character",
        };
        return Err(HeadError::Malformed(fault));
    }
    Ok(())
}

/// The authority of a target, if it has one, and its path and query (RFC 9112, section 3.2).
fn split_target<'t>(method: &str, target: &'t str) -> Result<(Option<&'t str>, String), HeadError> {
    if target.contains('#') {
        return Err(HeadError::Malformed("a fragment in the target"));
    }
    if method == "CONNECT" {
        return Err(HeadError::Malformed("CONNECT, but this server is no proxy"));
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok((None, target.to_owned()));
    }
    let rest = target
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    let Some((_, rest)) = rest else {
        return Err(HeadError::Malformed("the target is neither a path nor a URL"));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // No user name and password, and nothing that another parser could take for the end of the host.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(is_plain) {
        return Err(HeadError::Malformed("the URL of the target has no plain host"));
    }
    let target = match path {
        "" if method == "OPTIONS" => "*".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        query => format!("/{query}"),
    };
    Ok((Some(authority), target))
}

#[cfg(test)]
mod tests;
