//! Other sites' pages that may read what this server answers (Fetch standard, "CORS protocol"). None
//! may unless defender.conf lists their origins; cookies are never theirs to use, so such a page signs
//! in with a token.

use super::reply::Reply;

/// The origins that may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<String>);

impl Origins {
    /// The origin a request comes from, if it is one that may.
    pub fn allowed<'o>(&self, origin: Option<&'o str>) -> Option<&'o str> {
        origin.filter(|origin| self.0.iter().any(|known| known.eq_ignore_ascii_case(origin)))
    }
}

/// What a browser asks before it sends a request of such a page: whether it may. The request itself is
/// looked at like any other.
pub fn preflight(methods: &[&str]) -> Reply {
    Reply::empty(204)
        .with("Access-Control-Allow-Methods", methods.join(", "))
        .with("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
        .with("Access-Control-Max-Age", "600")
}

/// The fields by which a browser gives the reply to the page.
pub fn fields(origin: &str) -> [(&str, &str); 2] {
    [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", "ETag, Retry-After, X-Timestamp"),
    ]
}
