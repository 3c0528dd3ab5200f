//! The description of the API as an OpenAPI 3.1 document.

use crate::http::reply::Reply;
use crate::http::request::Negotiation;
use crate::http::{embedded, etag};

/// `GET /api/1.0/openapi.json`, or 304 if the client has it already.
pub fn description(negotiation: &Negotiation<'_>) -> Reply {
    let [description] = &embedded::DESCRIPTION;
    description.reply(negotiation).with("Vary", etag::VARY_BY_USER_AND_ENCODING)
}
