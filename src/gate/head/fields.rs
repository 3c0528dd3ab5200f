//! The header fields of a request: which of them handlers get to see, and what they say of the body and the
//! connection.

use super::error::HeadError;

/// How the names of our cookies begin. Of all cookies that a browser keeps for this host, whichever port
/// they are from, only these are passed on.
pub const COOKIE_PREFIX: &str = "__Host-defender";

/// The fields that handlers read, except `Host` and `Cookie`, in lower case. No other field is passed on.
const PASSED_ON: [&str; 13] = [
    "accept",
    "accept-encoding",
    "access-control-request-method",
    "authorization",
    "if-none-match",
    "if-range",
    "origin",
    "range",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-requested-with",
];

/// Those of [`PASSED_ON`] that hold one value and decide who makes the request and from where. A proxy in
/// front of this server could read a repeated one differently.
const AT_MOST_ONCE: [(&str, &str); 6] = [
    ("access-control-request-method", "more than one Access-Control-Request-Method"),
    ("authorization", "more than one Authorization"),
    ("origin", "more than one Origin"),
    ("sec-fetch-dest", "more than one Sec-Fetch-Dest"),
    ("sec-fetch-mode", "more than one Sec-Fetch-Mode"),
    ("sec-fetch-site", "more than one Sec-Fetch-Site"),
];

/// Whether a field of this name is passed on to handlers unchanged.
pub fn is_passed_on(name: &str) -> bool {
    PASSED_ON.iter().any(|passed| name.eq_ignore_ascii_case(passed))
}

/// The fields as received; a value may hold any byte but controls.
pub(super) struct Fields<'h>(pub(super) &'h [httparse::Header<'h>]);

impl<'h> Fields<'h> {
    /// Checks that no field is repeated that decides who makes the request.
    ///
    /// # Errors
    /// [`HeadError::Malformed`].
    pub(super) fn check_repeated(&self) -> Result<(), HeadError> {
        for (name, fault) in AT_MOST_ONCE {
            self.at_most_one(name, fault)?;
        }
        Ok(())
    }

    /// The value of `Host`.
    ///
    /// # Errors
    /// [`HeadError::Malformed`] for a repeated field or a byte beyond ASCII.
    pub(super) fn host(&self) -> Result<Option<&'h str>, HeadError> {
        let host = self.at_most_one("host", "more than one Host")?;
        host.map(|value| match str::from_utf8(value) {
            Ok(text) if text.is_ascii() => Ok(text),
            _ => Err(HeadError::Malformed("a byte beyond ASCII in Host")),
        })
        .transpose()
    }

    /// What handlers see: the fields that they read, in ASCII, and our cookies.
    pub(super) fn passed_on(&self) -> Vec<(String, String)> {
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

    /// The length of the body, at most `max`, in bytes. Transfer-Encoding is refused outright: next to a
    /// Content-Length, or before a parser that reads it differently, it would smuggle requests.
    ///
    /// # Errors
    /// [`HeadError::Malformed`], [`HeadError::LengthRequired`] and [`HeadError::BodyTooLarge`].
    pub(super) fn body_bytes(&self, max: usize) -> Result<usize, HeadError> {
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
            // These are all digits, so parsing fails only if there are too many of them.
            _ => Err(HeadError::BodyTooLarge(max)),
        }
    }

    /// Whether the client wants the connection kept for another request; `version` is the minor version of HTTP.
    pub(super) fn keep_alive(&self, version: u8) -> bool {
        let has = |option: &str| {
            self.all("connection")
                .flat_map(|value| value.split(|byte| *byte == b','))
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
        };
        if version == 0 { has("keep-alive") } else { !has("close") }
    }

    /// Whether the client waits for `100 Continue`.
    ///
    /// # Errors
    /// [`HeadError::Malformed`] for a repeated field, [`HeadError::Expectation`] for any other expectation.
    pub(super) fn expects_continue(&self) -> Result<bool, HeadError> {
        match self.at_most_one("expect", "more than one Expect")? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(HeadError::Expectation),
        }
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
        let found = self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| field.value.trim_ascii())
    }

    fn at_most_one(&self, name: &'static str, fault: &'static str) -> Result<Option<&'h [u8]>, HeadError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(HeadError::Malformed(fault)) } else { Ok(first) }
    }
}

/// A value with `?` for each byte beyond ASCII; such bytes have no meaning in these fields.
fn in_ascii(value: &[u8]) -> String {
    value.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}
