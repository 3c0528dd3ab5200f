//! One request head: reading it is the connection's work, judging it is this file's.
//!
//! tiny_http behind the gate is shown only heads that passed here, written anew in one canonical
//! form, so that what it would misread never reaches it (RFC 9112). Strictness is the point:
//! nothing is repaired, and whatever two parsers could read differently is refused.

use std::fmt;

/// Most header fields a head may have.
const MAX_FIELDS: usize = 64;

/// The private header that carries the exchange id; a client's own copy never passes.
pub const EXCHANGE_HEADER: &str = "X-Defender-Exchange";

/// Fields about one connection only (RFC 9110, section 7.6.1), and those the gate sets itself.
const NOT_PASSED_ON: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request head that passed every check.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, as sent.
    pub method: String,
    /// The target in origin form: a path with an optional query, printable ASCII.
    pub target: String,
    /// The `Host` field, if there is one.
    pub host: Option<String>,
    /// Length of the body that follows, in bytes.
    pub body_bytes: usize,
    /// Whether the client wants the connection kept for another request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    fields: Vec<(String, String)>,
}

/// Why a head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Not HTTP, or against its grammar.
    Malformed(&'static str),
    /// More header fields than allowed.
    TooManyFields,
    /// Larger than the limit, in bytes.
    TooLarge(usize),
    /// The body is larger than the limit, in bytes.
    BodyTooLarge(usize),
    /// A body of unknown length.
    LengthRequired,
    /// An HTTP version other than 1.0 and 1.1.
    Version,
    /// An `Expect` other than `100-continue`.
    Expectation,
}

impl HeadError {
    /// The status code to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::LengthRequired => 411,
            Self::BodyTooLarge(_) => 413,
            Self::Expectation => 417,
            Self::TooManyFields | Self::TooLarge(_) => 431,
            Self::Version => 505,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed request: {why}"),
            Self::TooManyFields => write!(f, "more than {MAX_FIELDS} header fields"),
            Self::TooLarge(limit) => write!(f, "request head larger than {limit} bytes"),
            Self::BodyTooLarge(limit) => write!(f, "request body larger than {limit} bytes"),
            Self::LengthRequired => write!(f, "a body needs a Content-Length, not a Transfer-Encoding"),
            Self::Version => write!(f, "HTTP versions other than 1.0 and 1.1 are not spoken here"),
            Self::Expectation => write!(f, "only Expect: 100-continue is known"),
        }
    }
}

/// Length of the head at the start of `received`, with its closing empty line; `None` while that
/// line is still missing. The first `searched` bytes are known not to hold that line whole, so
/// that a head which comes byte by byte is not searched again from its start each time.
pub fn complete_head(received: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    received[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|start| from + start + 4)
}

impl RequestHead {
    /// Checks a complete head, closing empty line included.
    ///
    /// # Errors
    /// The first rule that is broken; `max_body_bytes` is one of them.
    pub fn parse(head: &[u8], max_body_bytes: usize) -> Result<Self, HeadError> {
        check_bytes(head)?;
        let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut storage);
        match request.parse(head) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(HeadError::Malformed("the head does not end where it should")),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
            Err(httparse::Error::Version) => return Err(HeadError::Version),
            Err(_) => return Err(HeadError::Malformed("not an HTTP/1.1 request head")),
        }
        let version = request.version.unwrap_or(0);
        let target = check_target(request.path.unwrap_or(""))?;
        let fields = Fields::collect(request.headers)?;
        let host = fields.at_most_one("host", "more than one Host")?;
        if host.is_none() && version == 1 {
            return Err(HeadError::Malformed("no Host"));
        }
        Ok(Self {
            method: request.method.unwrap_or("").to_owned(),
            target,
            host: host.map(str::to_owned),
            body_bytes: fields.body_bytes(max_body_bytes)?,
            keep_alive: fields.keep_alive(version),
            expects_continue: fields.expects_continue()?,
            fields: fields.0,
        })
    }

    /// The head tiny_http gets to see: one spelling for everything, only fields that concern the
    /// request itself, and the id of the exchange.
    pub fn canonical(&self, exchange_id: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            let passes = !NOT_PASSED_ON.iter().any(|dropped| name.eq_ignore_ascii_case(dropped));
            if passes && !name.eq_ignore_ascii_case(EXCHANGE_HEADER) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", self.body_bytes));
        head.push_str(&format!("{EXCHANGE_HEADER}: {exchange_id}\r\n\r\n"));
        head.into_bytes()
    }
}

/// Bytes that have no place in a head: NUL and other controls, a bare CR or LF (which parsers
/// disagree about), and anything beyond ASCII.
fn check_bytes(head: &[u8]) -> Result<(), HeadError> {
    for (at, byte) in head.iter().enumerate() {
        let fault = match byte {
            b'\n' if at == 0 || head[at - 1] != b'\r' => "a bare line feed",
            b'\r' if head.get(at + 1) != Some(&b'\n') => "a bare carriage return",
            b'\r' | b'\n' | b'\t' | b' '..=b'~' => continue,
            0x80.. => "a byte beyond ASCII",
            _ => "a control character",
        };
        return Err(HeadError::Malformed(fault));
    }
    Ok(())
}

fn check_target(target: &str) -> Result<String, HeadError> {
    if !target.starts_with('/') {
        return Err(HeadError::Malformed("the target is not a path"));
    }
    if target.contains('#') {
        return Err(HeadError::Malformed("a fragment in the target"));
    }
    Ok(target.to_owned())
}

struct Fields(Vec<(String, String)>);

impl Fields {
    fn collect(headers: &[httparse::Header<'_>]) -> Result<Self, HeadError> {
        let mut fields = Vec::with_capacity(headers.len());
        for header in headers {
            let value =
                std::str::from_utf8(header.value).map_err(|_| HeadError::Malformed("a byte beyond ASCII"))?;
            fields.push((header.name.to_owned(), value.trim().to_owned()));
        }
        Ok(Self(fields))
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn at_most_one(&self, name: &'static str, fault: &'static str) -> Result<Option<&str>, HeadError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(HeadError::Malformed(fault)) } else { Ok(first) }
    }

    /// Transfer-Encoding is refused outright: where it meets a Content-Length, or a parser that
    /// reads it otherwise, requests are smuggled.
    fn body_bytes(&self, max: usize) -> Result<usize, HeadError> {
        let length = self.at_most_one("content-length", "more than one Content-Length")?;
        if self.all("transfer-encoding").next().is_some() {
            return match length {
                Some(_) => Err(HeadError::Malformed("Content-Length and Transfer-Encoding together")),
                None => Err(HeadError::LengthRequired),
            };
        }
        let Some(digits) = length else { return Ok(0) };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HeadError::Malformed("a Content-Length that is not a number"));
        }
        match digits.parse::<usize>() {
            Ok(bytes) if bytes <= max => Ok(bytes),
            // Digits only, so a failure to parse can only mean too many of them.
            _ => Err(HeadError::BodyTooLarge(max)),
        }
    }

    fn keep_alive(&self, version: u8) -> bool {
        let says = |word: &str| {
            self.all("connection")
                .flat_map(|value| value.split(','))
                .any(|token| token.trim().eq_ignore_ascii_case(word))
        };
        if version == 0 { says("keep-alive") } else { !says("close") }
    }

    fn expects_continue(&self) -> Result<bool, HeadError> {
        match self.at_most_one("expect", "more than one Expect")? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("100-continue") => Ok(true),
            Some(_) => Err(HeadError::Expectation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<RequestHead, HeadError> {
        RequestHead::parse(head.as_bytes(), 1000)
    }

    #[test]
    fn a_plain_request_passes() {
        let head = parse("GET /video?fps=5 HTTP/1.1\r\nHost: board:8443\r\nAccept: */*\r\n\r\n").unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/video?fps=5"));
        assert_eq!(head.host.as_deref(), Some("board:8443"));
        assert!(head.keep_alive && head.body_bytes == 0);
    }

    #[test]
    fn whatever_two_parsers_could_read_differently_is_refused() {
        let rows: &[(&str, u16)] = &[
            ("GET / HTTP/1.1\nHost: a\n\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("PRI * HTTP/2.0\r\n\r\n", 505),
            ("\x16\x03\x01 \r\n\r\n", 400),
        ];
        for (head, status) in rows {
            let error = parse(head).expect_err(head);
            assert_eq!(error.status(), *status, "{head:?} gave {error}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_comes_in() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for searched in 0..head.len() - 4 {
            assert_eq!(complete_head(head, searched), Some(head.len() - 4), "after {searched} bytes");
        }
        assert_eq!(complete_head(&head[..head.len() - 5], 0), None);
    }

    #[test]
    fn too_many_fields_are_refused() {
        let fields: String = (0..=MAX_FIELDS).map(|number| format!("X-{number}: y\r\n")).collect();
        assert_eq!(parse(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), Err(HeadError::TooManyFields));
    }

    #[test]
    fn the_canonical_head_drops_what_concerns_the_connection_and_a_forged_id() {
        let head = parse(
            "POST /api HTTP/1.1\r\nHost: a\r\nconnection: keep-alive, upgrade\r\nUpgrade: h2c\r\n\
             x-defender-exchange: forged\r\nContent-Length: 007\r\nExpect: 100-continue\r\nCookie: b\r\n\r\n",
        )
        .unwrap();
        assert!(head.expects_continue && head.body_bytes == 7);
        assert_eq!(
            String::from_utf8(head.canonical("id1")).unwrap(),
            "POST /api HTTP/1.1\r\nHost: a\r\nCookie: b\r\nContent-Length: 7\r\nConnection: close\r\n\
             X-Defender-Exchange: id1\r\n\r\n"
        );
    }

    #[test]
    fn keep_alive_follows_the_version_and_the_client() {
        let kept = |version: &str, connection: &str| {
            parse(&format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n"))
                .unwrap()
                .keep_alive
        };
        assert!(kept("1.1", "x") && !kept("1.1", "Close") && !kept("1.0", "x") && kept("1.0", "Keep-Alive"));
    }

    #[test]
    fn no_bytes_can_make_it_panic() {
        let good = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        for at in 0..good.len() {
            for byte in [0, b'\n', b'\r', b' ', b':', b'0', 0x7f, 0xff] {
                let mut head = good.to_vec();
                head[at] = byte;
                let _ = RequestHead::parse(&head, 1000);
                let _ = RequestHead::parse(&head[..at], 1000);
            }
        }
    }
}
