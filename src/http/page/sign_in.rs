//! The sign-in form, and the files that it needs.
//!
//! The sign-in form is the answer itself, with status 401, at the address that was asked for. There is no
//! redirect, so a stranger cannot choose where it leads. The cookie is SameSite=Strict and therefore missing
//! when a link on another site leads here; the form asks once whether the browser is signed in, and goes on.
//! Addresses in the form are relative to the one that was asked for, so that it works below any path of a
//! reverse proxy.

use crate::http::reply::Reply;
use crate::http::request::Negotiation;
use crate::http::{embedded, etag};

/// The answer to a browser that opens any page without a session.
const DOCUMENT: &str = include_str!("../../../www/sign-in/index.html");

/// The file `name` of the form, or 304 if the client has it already; `None` if there is no such file.
pub fn file(name: &str, negotiation: &Negotiation<'_>) -> Option<Reply> {
    let file = embedded::find(&embedded::SIGN_IN, name)?;
    Some(file.reply(negotiation).with("Vary", etag::VARY_BY_ENCODING))
}

/// The form, as the answer to a browser that opens `path` without a session. It has no challenge, so that the
/// browser does not show its own dialog, and no entity tag, because the same address has another document for
/// a user who is signed in.
pub fn document(path: &str) -> Reply {
    let up = path_to_root(path);
    let mut document = DOCUMENT.to_owned();
    for address in ["\"sign-in/", "\"trust\""] {
        document = document.replace(address, &format!("\"{up}{}", &address[1..]));
    }
    Reply::new(401, etag::content_type("index.html"), document.into_bytes().into())
        .with("Cache-Control", "no-store")
}

/// The relative address of `/` for a document at `path`. It is relative because a proxy may serve us below a
/// path of its own.
pub(super) fn path_to_root(path: &str) -> String {
    // No real address is deeper; the bound keeps the document small.
    const MAX_DEPTH: usize = 32;
    let depth = path.bytes().filter(|byte| *byte == b'/').count().saturating_sub(1);
    if depth > MAX_DEPTH { "/".to_owned() } else { "../".repeat(depth) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::ResponseContext;

    #[test]
    fn the_form_finds_its_files_at_any_depth() {
        for (path, up) in [
            ("/", ""),
            ("/video", ""),
            ("/video/front", "../"),
            ("/a/b/", "../../"),
            ("//a", "../"),
            ("*", ""),
        ] {
            let reply = document(path).into_bytes(&ResponseContext::default(), true, true);
            let text = String::from_utf8(reply).unwrap();
            let links: Vec<_> =
                [" src=\"", " href=\""].iter().flat_map(|name| text.split(name).skip(1)).collect();
            assert!(links.len() >= 5, "{text}");
            for link in links {
                let leads_up = ["sign-in/", "trust\""].map(|place| link.starts_with(&format!("{up}{place}")));
                assert!(leads_up.contains(&true), "{path}: {link:.40}");
            }
        }
        let deep = document(&"/".repeat(10_000)).into_bytes(&ResponseContext::default(), true, true);
        assert!(deep.len() < 4096, "{} bytes", deep.len());
    }
}
