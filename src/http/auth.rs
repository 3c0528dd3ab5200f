//! Who is asking: HTTP Basic credentials (RFC 7617) into a user.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A name and password as the client sent them.
#[derive(PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// Reads an `Authorization` field; `None` for one that is not well-formed Basic.
    pub fn from_basic(field: &str) -> Option<Self> {
        let (scheme, encoded) = field.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        Some(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

/// Never shows the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str) -> Option<(String, String)> {
        Credentials::from_basic(field).map(|found| (found.name, found.password))
    }

    #[test]
    fn name_and_password_are_split_at_the_first_colon() {
        assert_eq!(read("Basic ZXZlOmE6Yg=="), Some(("eve".into(), "a:b".into())));
        assert_eq!(read("basic ZXZlOg=="), Some(("eve".into(), String::new())));
    }

    #[test]
    fn anything_else_is_nobody() {
        for field in [
            "",
            "Basic",
            "Basic ",
            "Bearer ZXZlOmE=",
            "Basic ZXZl",
            "Basic !!!!",
            "Basic //79Ojo=",
            "Basic ZXZlOmE",
        ] {
            assert_eq!(read(field), None, "{field:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::from_basic("Basic ZXZlOnNlY3JldA==").unwrap());
        assert!(shown.contains("eve") && !shown.contains("secret"), "{shown}");
    }
}
