//! What a camera answers with, by the head of its answer.

use super::error::Problem;
use crate::base::text::printable;
use crate::client::Response;
use crate::jpeg::stream::MAX_PICTURE_BYTES;

/// Longest type that an error repeats, in characters.
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
    let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = match name.as_str() {
        "image/jpeg" | "image/jpg" | "image/pjpeg" => Kind::Snapshot,
        "text/html" | "application/xhtml+xml" => return Err(Problem::WebPage),
        // Cameras that do not say, or say something of their own. The pictures show what it is.
        ""
        | "application/octet-stream"
        | "video/x-motion-jpeg"
        | "video/x-mjpeg"
        | "video/mjpeg"
        | "video/x-jpeg"
        | "image/x-jpeg"
        | "image/mjpeg" => match length {
            Some(_) => Kind::Snapshot,
            None => Kind::Stream,
        },
        name if name.starts_with("multipart/") => Kind::Stream,
        other => return Err(Problem::Type(printable(other).chars().take(QUOTED_CHARS).collect())),
    };
    match (kind, length) {
        (Kind::Snapshot, Some(length)) if length > MAX_PICTURE_BYTES as u64 => Err(Problem::TooLarge),
        (kind, _) => Ok(kind),
    }
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
