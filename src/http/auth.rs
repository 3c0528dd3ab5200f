//! The credentials of a request, and whether a page of another site made it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A name and password as the client sent them.
#[derive(PartialEq, Eq)]
pub struct BasicCredentials {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// The credentials of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP Basic (RFC 7617).
    Basic(BasicCredentials),
    /// The secret of a session or token, as Bearer (RFC 6750) or in the cookie.
    Secret(Zeroizing<String>),
    /// An `Authorization` that cannot be read, and why.
    Malformed(&'static str),
}

impl Credentials {
    /// Reads the fields `Authorization` and `Cookie`. The session cookie `name` counts only if there is no
    /// `Authorization`.
    pub fn from_fields(authorization: Option<&str>, cookie: Option<&str>, name: &str) -> Option<Self> {
        let Some(field) = authorization else {
            return cookie
                .and_then(|field| session_cookie(field, name))
                .map(|secret| Self::Secret(secret.to_owned().into()));
        };
        let (scheme, rest) = field.split_once(' ').unwrap_or((field, ""));
        Some(if scheme.eq_ignore_ascii_case("Basic") {
            BasicCredentials::decode(rest.trim()).map_or_else(Self::Malformed, Self::Basic)
        } else if !scheme.eq_ignore_ascii_case(BEARER) {
            Self::Malformed("the credentials are neither Basic nor Bearer")
        } else if rest.trim().is_empty() {
            Self::Malformed("there is no token behind Bearer")
        } else {
            Self::Secret(rest.trim().to_owned().into())
        })
    }
}

impl BasicCredentials {
    /// Reads name and password (RFC 7617, section 2). They are UTF-8, as the challenge asks. Bytes that are not
    /// UTF-8 come from a client that ignores this, and are read as ISO-8859-1.
    fn decode(encoded: &str) -> Result<Self, &'static str> {
        let decoded = STANDARD.decode(encoded).map_err(|_| "the Basic credentials are not base64")?;
        let decoded = Zeroizing::new(decoded);
        let text = match str::from_utf8(&decoded) {
            Ok(text) => Zeroizing::new(text.to_owned()),
            Err(_) => from_latin_1(&decoded),
        };
        let (name, password) =
            text.split_once(':').ok_or("the Basic credentials have no colon behind the name")?;
        Ok(Self { name: name.to_owned(), password: password.to_owned().into() })
    }
}

/// Decodes ISO-8859-1: each byte is the code point of its character.
fn from_latin_1(bytes: &[u8]) -> Zeroizing<String> {
    // Allocated once: growing would leave pieces of it in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    text.extend(bytes.iter().copied().map(char::from));
    text
}

/// Hides the password.
impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether a request that changes something was made by our own page, or by no page at all.
///
/// Browsers say so in fields that no page can forge: `Sec-Fetch-Site` (Fetch Metadata), or `Origin` in older
/// browsers. Other clients send neither. This check backs up the cookie's SameSite attribute, and is the only one
/// for Basic credentials, which a browser sends with requests of any page.
pub fn is_own_page(fetch_site: Option<&str>, origin: Option<&str>, host: Option<&str>, secure: bool) -> bool {
    match (fetch_site, origin) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let scheme = if secure { "https://" } else { "http://" };
            let from = origin.strip_prefix(scheme);
            matches!((from, host), (Some(from), Some(host)) if from.eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    }
}

/// Whether an `Authorization` field holds a bearer token (RFC 6750, section 2.1), which no browser adds by itself.
pub fn is_bearer(field: &str) -> bool {
    field.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(BEARER))
}

const BEARER: &str = "Bearer";

/// The value of the cookie `name` (RFC 6265, section 5.4).
fn session_cookie<'f>(field: &'f str, name: &str) -> Option<&'f str> {
    field.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Host-defender-0a1b2c3d";

    fn basic(field: &str) -> Option<(String, String)> {
        match Credentials::from_fields(Some(field), None, NAME) {
            Some(Credentials::Basic(found)) => Some((found.name, found.password.to_string())),
            _ => None,
        }
    }

    fn secret(text: &str) -> Option<Credentials> {
        Some(Credentials::Secret(text.to_owned().into()))
    }

    #[test]
    fn name_and_password_are_split_at_the_first_colon() {
        assert_eq!(basic("Basic ZXZlOmE6Yg=="), Some(("eve".into(), "a:b".into())));
        assert_eq!(basic("basic ZXZlOg=="), Some(("eve".into(), String::new())));
        assert_eq!(basic("Basic  ZXZlOmE6Yg== "), Some(("eve".into(), "a:b".into())), "spaces are allowed");
    }

    #[test]
    fn credentials_that_are_not_utf_8_are_read_as_latin_1() {
        // "eve:gr\xfcn", and the same in UTF-8.
        assert_eq!(basic("Basic ZXZlOmdy/G4="), Some(("eve".into(), "grün".into())));
        assert_eq!(basic("Basic ZXZlOmdyw7xu"), Some(("eve".into(), "grün".into())));
        // "eve:\xc3\xbc" means "ü" here and "Ã¼" there: UTF-8 is what the challenge asks for.
        assert_eq!(basic("Basic ZXZlOsO8"), Some(("eve".into(), "ü".into())));
    }

    #[test]
    fn malformed_credentials_are_not_replaced_by_the_cookie() {
        for field in [
            "",
            "Basic",
            "Basic ",
            "Digest ZXZlOmE=",
            "Basic ZXZl",
            "Basic !!!!",
            "Basic ZXZlOmE",
            "Bearer",
            "Bearer  ",
        ] {
            let read = Credentials::from_fields(Some(field), Some("__Host-defender-0a1b2c3d=x"), NAME);
            assert!(matches!(read, Some(Credentials::Malformed(_))), "{field:?}");
        }
    }

    #[test]
    fn a_secret_is_read_only_from_bearer_and_our_cookie() {
        for field in ["bearer abc", "Bearer  abc "] {
            assert_eq!(Credentials::from_fields(Some(field), None, NAME), secret("abc"), "{field}");
        }
        let cookie = |field| Credentials::from_fields(None, Some(field), NAME);
        assert_eq!(cookie("a=b; __Host-defender-0a1b2c3d=abc; c=d"), secret("abc"));
        for other in [
            "",
            "a=b",
            "defender=abc",
            "x__Host-defender-0a1b2c3d=abc",
            "__Host-defender-0a1b2c3d",
            "__Host-defender-0a1b2c3dx=a",
            "__Host-defender=of an older server",
            "__Host-defender-00000000=of another server of this host",
        ] {
            assert_eq!(cookie(other), None, "{other}");
        }
        assert_eq!(Credentials::from_fields(None, None, NAME), None);
    }

    #[test]
    fn only_a_bearer_field_brings_a_token() {
        for (field, expected) in [
            ("Bearer abc", true),
            ("bearer abc", true),
            ("Basic ZXZlOmE=", false),
            ("Bearer", false),
            ("Bearerabc x", false),
            ("", false),
        ] {
            assert_eq!(is_bearer(field), expected, "{field:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::from_fields(Some("Basic ZXZlOnNlY3JldA=="), None, NAME));
        assert!(shown.contains("eve") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_page_of_another_site_is_recognised() {
        let host = Some("board:8443");
        for (site, origin, expected) in [
            (None, None, true),
            (Some("same-origin"), Some("https://board:8443"), true),
            (Some("none"), None, true),
            (Some("same-site"), Some("https://board:8443"), false),
            (Some("cross-site"), None, false),
            (Some(""), None, false),
            (Some("anything else"), None, false),
            (None, Some("https://BOARD:8443"), true),
            (None, Some("https://board"), false),
            (None, Some("http://board:8443"), false),
            (None, Some("https://evil.example"), false),
            (None, Some("null"), false),
        ] {
            assert_eq!(is_own_page(site, origin, host, true), expected, "{site:?} {origin:?}");
        }
        assert!(!is_own_page(None, Some("https://board:8443"), None, true));
        assert!(is_own_page(None, Some("http://board:8443"), host, false));
    }
}
