//! The description of the API as an OpenAPI 3.1 document.

use crate::http::etag;
use crate::http::reply::Reply;

static DESCRIPTION: &[u8] = include_bytes!("../openapi.json");

/// `GET /api/1.0/openapi.json`, or 304 if the client has it already.
pub fn description(known_tags: Option<&str>) -> Reply {
    etag::conditional("openapi.json", etag::content_tag(DESCRIPTION), DESCRIPTION.into(), known_tags)
        .with("Vary", etag::VARY_BY_USER)
}
