//! Reading the parts of a request.

use tiny_http::Request;

/// The value of the first header field `name`.
pub(super) fn field<'r>(request: &'r Request, name: &'static str) -> Option<&'r str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

/// The path and the query of the request's target; the query is empty if there is none.
pub(super) fn path_and_query(request: &Request) -> (&str, &str) {
    request.url().split_once('?').unwrap_or((request.url(), ""))
}

/// Whether only the head of the response is wanted.
pub(super) fn is_head(request: &Request) -> bool {
    request.method().as_str() == "HEAD"
}
