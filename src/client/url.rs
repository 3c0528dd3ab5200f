//! URLs of HTTP (RFC 3986; RFC 9110, section 4.2), as far as a client needs them.

use std::error::Error;
use std::fmt;

use super::Address;

/// Longest URL that is read, in bytes.
const URL_BYTES: usize = 2048;

/// A URL of http or https: an origin, a path and a query.
///
/// It is shown without its query, in which some cameras have a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    address: Address,
    /// Path and query.
    target: String,
}

/// Why a text is no URL that a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It begins with neither `http://` nor `https://`.
    Scheme,
    /// It holds a user or a password.
    User,
    /// It holds a fragment.
    Fragment,
    /// Host and port are none.
    Host,
    /// Path or query hold a character that needs an escape.
    Target,
    /// It is too long.
    TooLong,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (is_secure, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        if text.len() > URL_BYTES {
            return Err(UrlError::TooLong);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        let port = if is_secure { 443 } else { 80 };
        let address = Address::from_authority(authority, is_secure, port).ok_or(UrlError::Host)?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Target);
        }
        Ok(Self { address, target })
    }

    /// What a `Location` field of the answer for this URL leads to (RFC 9110, section 10.2.2). Its fragment is left out.
    ///
    /// # Errors
    /// Why it leads to no URL.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        let location = location.split('#').next().unwrap_or_default();
        if location.contains("://") && split_scheme(location).is_some() {
            return Self::parse(location);
        }
        let scheme = if self.address.is_secure { "https" } else { "http" };
        if let Some(elsewhere) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{elsewhere}"));
        }
        let path = self.path();
        let target = match location.as_bytes().first() {
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            Some(_) if !has_scheme(location) => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                format!("{folder}{location}")
            }
            Some(_) => return Err(UrlError::Scheme),
            None => self.target.clone(),
        };
        Self::parse(&format!("{scheme}://{}{target}", self.address.authority()))
    }

    /// Its origin.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its path and query, as a request has them.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// As defender.conf has it, with its query. Not for logs and answers.
    pub fn with_query(&self) -> String {
        format!("{}{}", self.origin(), self.target)
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Scheme and authority, without a port that the scheme has anyway.
    fn origin(&self) -> String {
        let authority = self.address.authority();
        let (scheme, default) = if self.address.is_secure { ("https", ":443") } else { ("http", ":80") };
        format!("{scheme}://{}", authority.strip_suffix(default).unwrap_or(&authority))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.target.contains('?') { "?..." } else { "" };
        write!(f, "{}{}{query}", self.origin(), self.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a URL that begins with http:// or https://",
            Self::User => "a URL without user and password",
            Self::Fragment => "a URL without #",
            Self::Host => "a URL with the name or address of a host, and a port if it needs one",
            Self::Target => "a URL without spaces and other characters that need an escape such as %20",
            Self::TooLong => "a URL of at most 2048 bytes",
        })
    }
}

impl Error for UrlError {}

/// Whether the scheme is https, and what stands behind `://`. Schemes are read in either case.
fn split_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some((false, rest)),
        _ if scheme.eq_ignore_ascii_case("https") => Some((true, rest)),
        _ => None,
    }
}

/// Whether a reference begins with a scheme of its own (RFC 3986, section 4.2).
fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']).unwrap_or(reference.len());
    reference[end..].starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_origin_and_target() {
        for (text, origin, target) in [
            ("http://cam", "http://cam:80/", "/"),
            ("HTTPS://cam/", "https://cam:443/", "/"),
            ("http://esp32.local:81/stream", "http://esp32.local:81/", "/stream"),
            ("http://192.0.2.7/?action=stream", "http://192.0.2.7:80/", "/?action=stream"),
            ("http://cam?a=/b", "http://cam:80/", "/?a=/b"),
            ("https://[fe80::1]:9/a/b.cgi?x=1&y=%20", "https://[fe80::1]:9/", "/a/b.cgi?x=1&y=%20"),
            ("http://cam/a@b", "http://cam:80/", "/a@b"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.address().to_string().as_str(), url.target()), (origin, target), "{text}");
            assert_eq!(Url::parse(&url.with_query()).as_ref(), Ok(&url), "{text}");
        }
    }

    #[test]
    fn what_no_client_can_ask_for_is_refused_with_the_reason() {
        let long = format!("http://cam/{}", "x".repeat(URL_BYTES));
        for (text, why) in [
            ("", UrlError::Scheme),
            ("cam/stream", UrlError::Scheme),
            ("rtsp://cam/", UrlError::Scheme),
            ("http:/cam/", UrlError::Scheme),
            ("http://ada:secret@cam/", UrlError::User),
            ("http://ada@cam/", UrlError::User),
            ("http://cam/#top", UrlError::Fragment),
            ("http://", UrlError::Host),
            ("http:///stream", UrlError::Host),
            ("http://cam:0/", UrlError::Host),
            ("http://cam:99999/", UrlError::Host),
            ("http://[::1/", UrlError::Host),
            ("http://a b/", UrlError::Host),
            ("http://cam\r\nX: y/", UrlError::Host),
            ("http://cam/a b", UrlError::Target),
            ("http://cam/\r\nX: y", UrlError::Target),
            ("http://cam/é", UrlError::Target),
            (&long, UrlError::TooLong),
        ] {
            assert_eq!(Url::parse(text), Err(why), "{text:.40}");
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_was_said() {
        let from = Url::parse("http://cam:81/a/b?c=d").unwrap();
        for (location, expected) in [
            ("/stream", "http://cam:81/stream"),
            ("stream?x=http://y", "http://cam:81/a/stream?x=http://y"),
            ("?e=f", "http://cam:81/a/b?e=f"),
            ("", "http://cam:81/a/b?c=d"),
            ("#top", "http://cam:81/a/b?c=d"),
            ("//other/x", "http://other/x"),
            ("https://cam/x#top", "https://cam/x"),
        ] {
            assert_eq!(
                from.join(location).map(|url| url.with_query()).as_deref(),
                Ok(expected),
                "{location}"
            );
        }
        for location in ["ftp://cam/", "javascript:alert(1)", "http://", "http://u:p@cam/", "a b"] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let url = Url::parse("https://cam:443/video.cgi?user=ada&pwd=secret").unwrap();
        assert_eq!(url.to_string(), "https://cam/video.cgi?...");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(Url::parse("http://cam:81/stream").unwrap().to_string(), "http://cam:81/stream");
    }
}
