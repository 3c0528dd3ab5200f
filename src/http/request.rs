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

/// What the client has and accepts of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Negotiation<'r> {
    /// `If-None-Match`: the entity tags of what it has.
    pub(super) known_tags: Option<&'r str>,
    /// Whether it accepts gzip.
    pub(super) accepts_gzip: bool,
}

impl<'r> Negotiation<'r> {
    pub(super) fn of(request: &'r Request) -> Self {
        Self {
            known_tags: field(request, "If-None-Match"),
            accepts_gzip: field(request, "Accept-Encoding").is_some_and(accepts_gzip),
        }
    }
}

/// Whether an `Accept-Encoding` field admits gzip (RFC 9110, section 12.5.3).
fn accepts_gzip(field: &str) -> bool {
    let is_accepted = |coding: &str| {
        field.split(',').find_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            name.trim().eq_ignore_ascii_case(coding).then(|| !is_zero(weight))
        })
    };
    is_accepted("gzip").or_else(|| is_accepted("x-gzip")).or_else(|| is_accepted("*")).unwrap_or(false)
}

/// Whether a weight such as `q=0.0` excludes an encoding. No weight means 1.
fn is_zero(weight: &str) -> bool {
    let (name, value) = weight.trim().split_once('=').unwrap_or((weight, ""));
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|value| value <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_as_the_standard_says() {
        let rows = [
            ("gzip, deflate, br, zstd", true),
            ("deflate, GZip;q=0.5", true),
            ("x-gzip", true),
            ("*", true),
            ("br;q=1.0, *;q=0.1", true),
            ("gzip; q=1", true),
            ("", false),
            ("identity", false),
            ("br, deflate", false),
            ("gzip;q=0", false),
            ("gzip; Q = 0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzipped", false),
        ];
        for (field, expected) in rows {
            assert_eq!(accepts_gzip(field), expected, "{field}");
        }
    }
}
