//! One request head: reading it is the connection's work, judging it is this file's.
//!
//! tiny_http behind the gate is shown only heads that passed here, written anew in one canonical
//! form, so that what it would misread never reaches it (RFC 9112). Strictness is the point:
//! nothing is repaired, and whatever two parsers could read differently is refused.

use std::fmt;

/// Most header fields a head may have.
const MAX_FIELDS: usize = 64;

/// The private header that carries the request id; a client's own copy never passes.
pub const REQUEST_ID_HEADER: &str = "X-Defender-Exchange";

/// How the names of our cookies begin. Of all cookies that a browser keeps for this host, whatever port
/// they are from, only these are passed on.
pub const COOKIE_PREFIX: &str = "__Host-defender";

/// The fields that handlers read, but for `Host` and `Cookie`, in lower case. No other is passed on.
const PASSED_ON: [&str; 11] = [
    "accept",
    "accept-encoding",
    "access-control-request-method",
    "authorization",
    "if-none-match",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-requested-with",
];

/// Of them those that hold one value and decide who asks and from where: one that came twice would be read
/// differently by a proxy before this server.
const AT_MOST_ONCE: [(&str, &str); 6] = [
    ("access-control-request-method", "more than one Access-Control-Request-Method"),
    ("authorization", "more than one Authorization"),
    ("origin", "more than one Origin"),
    ("sec-fetch-dest", "more than one Sec-Fetch-Dest"),
    ("sec-fetch-mode", "more than one Sec-Fetch-Mode"),
    ("sec-fetch-site", "more than one Sec-Fetch-Site"),
];

/// A request head that passed every check.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, as sent.
    pub method: String,
    /// The target, printable ASCII: a path with an optional query, or `*` of `OPTIONS`.
    pub target: String,
    /// The host and port that were asked for, if that was told.
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
        let method = request.method.unwrap_or("");
        let (authority, target) = split_target(method, request.path.unwrap_or(""))?;
        let fields = Fields(request.headers);
        let host = fields.at_most_one("host", "more than one Host")?;
        if host.is_none() && version == 1 {
            return Err(HeadError::Malformed("no Host"));
        }
        let host = host.map(ascii).transpose()?;
        for (name, fault) in AT_MOST_ONCE {
            fields.at_most_one(name, fault)?;
        }
        Ok(Self {
            method: method.to_owned(),
            target,
            // The authority of a target counts before the field (RFC 9112, section 3.2.2).
            host: authority.or(host).map(str::to_owned),
            body_bytes: fields.body_bytes(max_body_bytes)?,
            keep_alive: fields.keep_alive(version),
            expects_continue: fields.expects_continue()?,
            fields: fields.passed_on(),
        })
    }

    /// The head tiny_http gets to see: one spelling for everything, only fields that concern the
    /// request itself, and its id.
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

/// Whether a field of this name is passed on to handlers as it is.
pub fn is_passed_on(name: &str) -> bool {
    PASSED_ON.iter().any(|passed| name.eq_ignore_ascii_case(passed))
}

/// Bytes that have no place in a head: NUL and other controls, a bare CR or LF (which parsers
/// disagree about), and before the fields anything beyond ASCII. In the value of a field such a byte
/// means nothing (RFC 9110, section 5.5); a name of a field does not hold one, as the parser sees to.
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

/// The authority that a target names, if it does, and its path and query (RFC 9112, section 3.2).
fn split_target<'t>(method: &str, target: &'t str) -> Result<(Option<&'t str>, String), HeadError> {
    if target.contains('#') {
        return Err(HeadError::Malformed("a fragment in the target"));
    }
    if method == "CONNECT" {
        return Err(HeadError::Malformed("CONNECT is for proxies, and this is none"));
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
    // Neither a name and password nor anything that two readers could take for the end of it.
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

fn ascii(value: &[u8]) -> Result<&str, HeadError> {
    match str::from_utf8(value) {
        Ok(text) if text.is_ascii() => Ok(text),
        _ => Err(HeadError::Malformed("a byte beyond ASCII in Host")),
    }
}

/// The fields as they came; values may hold any byte but controls.
struct Fields<'h>(&'h [httparse::Header<'h>]);

impl<'h> Fields<'h> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
        let found = self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| field.value.trim_ascii())
    }

    fn at_most_one(&self, name: &'static str, fault: &'static str) -> Result<Option<&'h [u8]>, HeadError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(HeadError::Malformed(fault)) } else { Ok(first) }
    }

    /// What handlers see: the fields they read, in ASCII, and our cookies.
    fn passed_on(&self) -> Vec<(String, String)> {
        let passed = self.0.iter().filter(|field| is_passed_on(field.name));
        let mut fields: Vec<_> =
            passed.map(|field| (field.name.to_owned(), in_ascii(field.value.trim_ascii()))).collect();
        let pairs = self.all("cookie").flat_map(|value| value.split(|byte| *byte == b';'));
        let own = pairs.map(<[u8]>::trim_ascii).filter(|pair| pair.starts_with(COOKIE_PREFIX.as_bytes()));
        let own: Vec<_> = own.map(in_ascii).collect();
        if !own.is_empty() {
            fields.push(("Cookie".to_owned(), own.join("; ")));
        }
        fields
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
        let digits = str::from_utf8(digits).unwrap_or("");
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
                .flat_map(|value| value.split(|byte| *byte == b','))
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        if version == 0 { says("keep-alive") } else { !says("close") }
    }

    fn expects_continue(&self) -> Result<bool, HeadError> {
        match self.at_most_one("expect", "more than one Expect")? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(HeadError::Expectation),
        }
    }
}

/// A value with `?` for each byte beyond ASCII, which means nothing here.
fn in_ascii(value: &[u8]) -> String {
    value.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
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
            ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", 400),
            ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n\u{e9}: b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\u{e9}\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{e9}\r\n\r\n", 411),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: \u{e9}\r\n\r\n", 417),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nauthorization: c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization:\r\nAuthorization: c\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n\r\n", 400),
            ("GET http://eve:secret@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http:/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http://a/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://a/#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400),
            ("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
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
             x-defender-exchange: forged\r\nContent-Length: 007\r\nExpect: 100-continue\r\nX-Odd: b\r\n\
             ORIGIN: https://a\r\n\r\n",
        )
        .unwrap();
        assert!(head.expects_continue && head.body_bytes == 7);
        assert_eq!(
            String::from_utf8(head.canonical("id1")).unwrap(),
            "POST /api HTTP/1.1\r\nHost: a\r\nORIGIN: https://a\r\nContent-Length: 7\r\nConnection: close\r\n\
             X-Defender-Exchange: id1\r\n\r\n"
        );
    }

    #[test]
    fn bytes_beyond_ascii_in_a_field_lock_nobody_out_and_never_reach_the_room() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: farbe=Gr\xc3\xbcn; __Host-defender-1=x;y=\xff\r\n\
                     X-Name: \xe9\r\nUser-Agent: Mozilla/5.0 (K\xfcche)\r\n\
                     cookie: __Host-defender-2=\xff; z\r\nConnection: \xe9, close\r\n\r\n";
        let parsed = RequestHead::parse(head, 0).unwrap();
        assert!(!parsed.keep_alive);
        assert_eq!(
            String::from_utf8(parsed.canonical("id1")).unwrap(),
            "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0 (K?che)\r\n\
             Cookie: __Host-defender-1=x; __Host-defender-2=?\r\nContent-Length: 0\r\nConnection: close\r\n\
             X-Defender-Exchange: id1\r\n\r\n"
        );
    }

    #[test]
    fn a_target_may_be_a_url_whose_host_counts_or_an_asterisk() {
        for (line, host, target) in [
            ("GET http://board:8080/video?fps=5", "board:8080", "/video?fps=5"),
            ("GET HTTPS://[fe80::1]:8443/", "[fe80::1]:8443", "/"),
            ("GET http://board", "board", "/"),
            ("GET http://board?a=b://c", "board", "/?a=b://c"),
            ("GET /x://y", "other", "/x://y"),
            ("OPTIONS *", "other", "*"),
            ("OPTIONS http://board", "board", "*"),
        ] {
            let head = parse(&format!("{line} HTTP/1.1\r\nHost: other\r\n\r\n")).expect(line);
            assert_eq!((head.host.as_deref(), head.target.as_str()), (Some(host), target), "{line}");
            let canonical = String::from_utf8(head.canonical("id1")).unwrap();
            assert!(canonical.contains(&format!(" {target} HTTP/1.1\r\nHost: {host}\r\n")), "{canonical}");
        }
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
