//! What a camera sends instead of pictures, in words: a person must see whether it is of another type, or says why.

use super::answer::{is_jpeg, short, type_name};
use super::error::Problem;

/// What a body begins with, whatever its head says.
const MAGIC: [(&[u8], &str); 4] = [
    (b"\x89PNG", "image/png"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    // The start code of H.264 and H.265.
    (b"\0\0\0\x01", "a video that is no JPEG"),
];

/// What is wrong with bytes of a stream that belong to no picture.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Stray {
    /// Nothing: there are none, or only a head.
    Nothing,
    /// They are of another type.
    Other(Problem),
    /// They are no picture. Padding between pictures is neither.
    Unknown(Problem),
}

impl Stray {
    /// What they are, by the first ones.
    pub(super) fn of(first: &[u8]) -> Self {
        let (declared, body) = split(first);
        let found = MAGIC.iter().find(|(magic, _)| body.starts_with(magic));
        let name = match found {
            Some((_, name)) => name,
            None if is_jpeg(&declared) => "",
            None => declared.as_str(),
        };
        let text = short(&String::from_utf8_lossy(body.trim_ascii()));
        match name {
            "" if text.is_empty() => Self::Nothing,
            // Bytes that are no text say nothing to people.
            "" if text.contains('\u{fffd}') => Self::Unknown(Problem::NoPicture(String::new())),
            "" => Self::Unknown(Problem::NoPicture(format!("`{text}`"))),
            name if name.starts_with("text/") && !text.is_empty() => {
                Self::Other(Problem::NoPicture(format!("{}: `{text}`", short(name))))
            }
            name => Self::Other(Problem::Type(short(name))),
        }
    }
}

/// The type that the heads before a part name, which may be none, and what is in the part.
fn split(first: &[u8]) -> (String, &[u8]) {
    let (mut declared, mut rest) = (String::new(), first.trim_ascii_start());
    while rest.starts_with(b"--") || type_in(rest).is_some() {
        let mut line;
        loop {
            (line, rest) = split_line(rest);
            declared = type_in(line).unwrap_or(declared);
            if line.trim_ascii().is_empty() {
                break;
            }
        }
        rest = rest.trim_ascii_start();
    }
    let end = rest.windows(3).position(|bytes| bytes == b"\n--").unwrap_or(rest.len());
    (declared, &rest[..end])
}

/// The type that the first line names, in small letters, if it is the field for that.
fn type_in(lines: &[u8]) -> Option<String> {
    let (line, _) = split_line(lines);
    let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
    let is_type = name.trim_ascii().eq_ignore_ascii_case(b"content-type");
    is_type.then(|| type_name(&String::from_utf8_lossy(&value[1..])))
}

/// The first line, and what is behind it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(name: &str) -> Stray {
        Stray::Other(Problem::Type(name.to_owned()))
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let page = "text/html: `<p>busy`";
        for (first, expected) in [
            ("", Stray::Nothing),
            ("\r\n", Stray::Nothing),
            ("\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n", Stray::Nothing),
            ("--b\r\n\r\n--b\nX: y", Stray::Nothing),
            ("--b\nContent-Type: image/png\n\n", other("image/png")),
            ("content-type : Image/PNG; x\r\n\r\n\x01", other("image/png")),
            ("--b\n\nGIF89a", other("image/gif")),
            ("\0\0\0\x01\x67", other("a video that is no JPEG")),
            ("--b\nContent-Type: image/jpeg\n\nRIFF", other("image/webp")),
            ("--b\nContent-Type: a/\x1bb\n\n", other("a/\\u{1b}b")),
            (
                "--b\nContent-Type: text/html\n\n<p>busy\r\n--b\nContent-Type: text/html",
                Stray::Other(Problem::NoPicture(page.to_owned())),
            ),
            ("Error: no sensor\n", Stray::Unknown(Problem::NoPicture("`Error: no sensor`".to_owned()))),
        ] {
            assert_eq!(Stray::of(first.as_bytes()), expected, "{first:?}");
        }
        let long = format!("--b\nContent-Type: text/plain\n\n{}", "x".repeat(400));
        let Stray::Other(Problem::NoPicture(quoted)) = Stray::of(long.as_bytes()) else { panic!("no text") };
        assert!(quoted.len() < 100, "{quoted}");
    }
}
