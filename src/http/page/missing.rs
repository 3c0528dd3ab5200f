//! What a browser shows for an address that leads to nothing.

use super::sign_in::path_to_root;
use super::trust::escaped;
use crate::http::etag;
use crate::http::reply::Reply;

/// The document, with addresses that start at `/`, and a placeholder for the reason.
const DOCUMENT: &str = include_str!("../../../www/sign-in/missing.html");

/// The answer to a browser that opens `path`, at which nothing is. `why` is a sentence without its capital.
pub fn page(path: &str, why: &str) -> Reply {
    let up = path_to_root(path);
    let (first, rest) = why.split_at_checked(1).unwrap_or(("", why));
    let why = escaped(&format!("{}{rest}", first.to_uppercase()));
    let document = DOCUMENT
        .replace("{why}", &why)
        .replace("\"sign-in/", &format!("\"{up}sign-in/"))
        .replace("\"./\"", &format!("\"{}\"", if up.is_empty() { "./" } else { &up }));
    Reply::new(404, etag::content_type("missing.html"), document.into_bytes().into())
        .with("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::ResponseContext;

    #[test]
    fn the_page_finds_its_files_at_any_depth() {
        for (path, up, home) in
            [("/nothing", "", "./"), ("/a/b", "../", "../"), ("/a/b/", "../../", "../../")]
        {
            let reply = page(path, "no <camera> here").into_bytes(&ResponseContext::default(), true, true);
            let text = String::from_utf8(reply).unwrap();
            assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
            assert!(text.contains(&format!("href=\"{up}sign-in/sign-in.css\"")), "{text}");
            assert!(text.contains("<p>No &lt;camera&gt; here.</p>"), "{text}");
            assert!(text.contains(&format!("<a href=\"{home}\">")), "{text}");
        }
    }
}
