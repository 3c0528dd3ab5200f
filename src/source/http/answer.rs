//! What a camera answers with, by the head of its answer.

use super::error::Problem;
use crate::base::text::printable;
use crate::client::Response;
use crate::jpeg::stream::MAX_PICTURE_BYTES;

/// Longest text of a camera that an error repeats, in characters.
const QUOTED_CHARS: usize = 80;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pictures, until the connection ends.
    Stream,
    /// One picture.
    Snapshot,
}

/// What is in the body of an answer.
///
/// # Errors
/// Why there is no picture in it.
pub(super) fn kind_of(response: &Response<'_>) -> Result<Kind, Problem> {
    let status = response.status();
    if status != 200 {
        return Err(Problem::Status(status));
    }
    let length = response.field("Content-Length").and_then(|digits| digits.parse().ok());
    kind(response.field("Content-Type").unwrap_or_default(), length)
}

fn kind(content_type: &str, length: Option<u64>) -> Result<Kind, Problem> {
    let name = type_name(content_type);
    let kind = match name.as_str() {
        "image/jpeg" | "image/jpg" | "image/pjpeg" => Kind::Snapshot,
        "text/html" | "application/xhtml+xml" => return Err(Problem::WebPage),
        name if is_jpeg(name) => match length {
            Some(_) => Kind::Snapshot,
            None => Kind::Stream,
        },
        name if name.starts_with("multipart/") => Kind::Stream,
        other => return Err(Problem::Type(short(other))),
    };
    match (kind, length) {
        (Kind::Snapshot, Some(length)) if length > MAX_PICTURE_BYTES as u64 => Err(Problem::TooLarge),
        (kind, _) => Ok(kind),
    }
}

/// The name in a `Content-Type`, without parameters, in small letters.
pub(super) fn type_name(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether JPEGs may be in what has this type. Cameras do not say, or say something of their own; then the pictures show
/// what it is.
pub(super) fn is_jpeg(name: &str) -> bool {
    matches!(
        name,
        "" | "application/octet-stream"
            | "image/jpeg"
            | "image/jpg"
            | "image/pjpeg"
            | "image/mjpeg"
            | "image/x-jpeg"
            | "video/mjpeg"
            | "video/x-jpeg"
            | "video/x-mjpeg"
            | "video/x-motion-jpeg"
    )
}

/// Text of a camera, short and without harm to a log.
pub(super) fn short(text: &str) -> String {
    printable(text).chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_stream_or_a_picture_by_its_type() {
        let long = Some(10_000_000_000);
        for (content_type, length, expected) in [
            ("multipart/x-mixed-replace;boundary=--x", None, Ok(Kind::Stream)),
            ("MULTIPART/X-MIXED-REPLACE; boundary=\"a b\"", long, Ok(Kind::Stream)),
            ("image/jpeg", Some(5), Ok(Kind::Snapshot)),
            ("image/jpg; name=x", None, Ok(Kind::Snapshot)),
            ("image/jpeg", long, Err(Problem::TooLarge)),
            ("", None, Ok(Kind::Stream)),
            ("", Some(5), Ok(Kind::Snapshot)),
            ("video/x-motion-jpeg", None, Ok(Kind::Stream)),
            ("text/html; charset=utf-8", Some(5), Err(Problem::WebPage)),
            ("image/png", Some(5), Err(Problem::Type("image/png".to_owned()))),
            ("video/mp4\u{7f}", None, Err(Problem::Type("video/mp4\\u{7f}".to_owned()))),
        ] {
            assert_eq!(kind(content_type, length), expected, "{content_type}");
        }
    }
}
