//! The files that are built into the program: those of the page and of the sign-in form, and openapi.json.
//!
//! build.rs leaves out comments and indentation, compresses them, and they are sent like that to clients that accept gzip. For
//! all others a file is inflated: such clients are few, and the inflater (15 KB of program) is smaller than a second, plain
//! copy of all files. The files hold no secret and nothing of the request, so their compressed length
//! reveals nothing over TLS.

use std::borrow::Cow;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::etag;
use super::reply::Reply;
use super::request::Negotiation;
use crate::base::hex;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The header of a gzip file and its trailer, in bytes (RFC 1952, section 2.3). build.rs adds no more fields.
const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

/// A file that is built in.
#[derive(Debug)]
pub struct EmbeddedFile {
    name: &'static str,
    gzip: &'static [u8],
}

/// The file of a name.
pub fn find(files: &'static [EmbeddedFile], name: &str) -> Option<&'static EmbeddedFile> {
    files.iter().find(|file| file.name == name)
}

impl EmbeddedFile {
    /// The file in an encoding that the client accepts, or 304 if it has that already. `Vary` is the caller's to
    /// add.
    pub fn reply(&self, negotiation: &Negotiation<'_>) -> Reply {
        let accepts_gzip = negotiation.accepts_gzip;
        let body = || if accepts_gzip { Cow::Borrowed(self.gzip) } else { Cow::Owned(self.inflated()) };
        let reply = etag::conditional(self.name, self.tag(accepts_gzip), body, negotiation.known_tags);
        if accepts_gzip && reply.status() == 200 { reply.with("Content-Encoding", "gzip") } else { reply }
    }

    /// The entity tag of one of the file's two forms, which must differ (RFC 9110, section 8.8.3). It is made of
    /// the checksum and the length that end a gzip file.
    fn tag(&self, is_gzip: bool) -> String {
        let trailer = &self.gzip[self.gzip.len() - TRAILER_BYTES..];
        format!("\"{}{}\"", hex::encode(trailer), if is_gzip { "-gzip" } else { "" })
    }

    fn inflated(&self) -> Vec<u8> {
        let deflated = &self.gzip[HEADER_BYTES..self.gzip.len() - TRAILER_BYTES];
        decompress_to_vec_with_limit(deflated, self.bytes()).expect("build.rs compressed it")
    }

    /// The length of the plain file: the last four bytes of a gzip file.
    fn bytes(&self) -> usize {
        let length = self.gzip.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        usize::try_from(length).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::ResponseContext;
    use std::path::Path;

    fn answer(file: &EmbeddedFile, accepts_gzip: bool, known_tags: Option<&str>) -> (String, Vec<u8>) {
        let reply = file.reply(&Negotiation { accepts_gzip, known_tags });
        let bytes = reply.into_bytes(&ResponseContext::default(), true, true);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end..].to_vec())
    }

    fn tag(head: &str) -> &str {
        head.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap()
    }

    #[test]
    fn files_are_those_of_the_source_in_either_form() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = [("www", &PAGE[..]), ("www/sign-in", &SIGN_IN), ("src/http", &DESCRIPTION)];
        for (folder, file) in
            folders.iter().flat_map(|(folder, files)| files.iter().map(move |f| (folder, f)))
        {
            let source = std::fs::read_to_string(root.join(folder).join(file.name)).unwrap();
            let (plain_head, plain) = answer(file, false, None);
            assert!(!plain_head.contains("Content-Encoding"), "{}: {plain_head}", file.name);
            assert_is_source(file.name, std::str::from_utf8(&plain).unwrap(), &source);
            let (head, body) = answer(file, true, None);
            assert_eq!(body, file.gzip, "{}", file.name);
            for field in ["Content-Encoding: gzip".to_owned(), format!("Content-Length: {}", body.len())] {
                assert!(head.contains(&format!("\r\n{field}\r\n")), "{}: {head}", file.name);
            }
            assert_ne!(tag(&head), tag(&plain_head), "{}", file.name);
        }
    }

    /// Checks that a built-in file has all lines of its source but empty ones and comments.
    fn assert_is_source(name: &str, built_in: &str, source: &str) {
        if !name.ends_with(".js") && !name.ends_with(".css") {
            assert!(built_in == source, "{name}");
            return;
        }
        let mut built_in = built_in.lines().peekable();
        let mut is_in_block = false;
        for line in source.lines().map(str::trim) {
            if built_in.next_if_eq(&line).is_some() {
                assert!(!is_in_block, "{name}: a part of a comment is built in: {line}");
                continue;
            }
            is_in_block |= line.starts_with("/*");
            let is_left_out = is_in_block || line.is_empty() || line.starts_with("//");
            assert!(is_left_out, "{name}: not built in: {line}");
            is_in_block &= !line.ends_with("*/");
        }
        assert_eq!(built_in.next(), None, "{name}: not in the source");
    }

    #[test]
    fn a_client_that_has_the_file_in_its_encoding_gets_304() {
        for accepts_gzip in [false, true] {
            let (head, _) = answer(&PAGE[0], accepts_gzip, None);
            let (again, body) = answer(&PAGE[0], accepts_gzip, Some(tag(&head)));
            assert!(again.starts_with("HTTP/1.1 304 ") && !again.contains("Content-Encoding"), "{again}");
            assert_eq!((tag(&again), body.len()), (tag(&head), 0));
            let (other, _) = answer(&PAGE[0], !accepts_gzip, Some(tag(&head)));
            assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
        }
    }
}
