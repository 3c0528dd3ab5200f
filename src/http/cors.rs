//! Pages of other sites that may read this server's responses (Fetch standard, "CORS protocol"): those whose
//! origins defender.conf lists, and no others. They cannot use our cookies, so they sign in with a token.

use super::reply::Reply;

/// The listed origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<String>);

impl Origins {
    /// The origin of a request, if it is listed.
    pub fn allowed<'o>(&self, origin: Option<&'o str>) -> Option<&'o str> {
        origin.filter(|origin| self.0.iter().any(|known| known.eq_ignore_ascii_case(origin)))
    }
}

/// The answer to a browser that asks whether a page may send a request. The request itself is checked like any
/// other.
pub fn preflight(methods: &[&str]) -> Reply {
    Reply::empty(204)
        .with("Access-Control-Allow-Methods", methods.join(", "))
        .with("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, If-Range, Range")
        .with("Access-Control-Max-Age", "600")
}
