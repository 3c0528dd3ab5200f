//! The page: files built into the program, or those of a folder in their place.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{self, OpenFile};
use super::reply::Reply;

/// Files of `www/`, each as its name and its bytes.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => { [$(($name, include_bytes!(concat!("../../www/", $name)).as_slice())),*] };
}

const BUILT_IN: &[(&str, &[u8])] = &built_in![
    "index.html",
    "account.js",
    "api.js",
    "app.js",
    "board.js",
    "camera.js",
    "controls.js",
    "dom.js",
    "live.js",
    "log.js",
    "microphones.js",
    "multipart.js",
    "overrides.js",
    "services.js",
    "sessions.js",
    "settings.css",
    "settings.js",
    "sound.js",
    "style.css",
    "users.js",
    "video.js",
];

/// What the sign-in document needs: the only files that nobody has to sign in for. They are these
/// whatever the page is.
const SIGN_IN: &[(&str, &[u8])] = &built_in![
    "sign-in/icon.svg",
    "sign-in/old.js",
    "sign-in/sign-in.css",
    "sign-in/sign-in.js",
    "sign-in/theme.js",
];

/// The document itself: the answer to a browser that wants any page, but signed in.
const SIGN_IN_DOCUMENT: &str = include_str!("../../www/sign-in/index.html");

/// The page that says how devices come to trust the server, with places to be filled in.
pub const TRUST_DOCUMENT: &str = include_str!("../../www/sign-in/trust.html");

/// Where the page's files come from.
#[derive(Debug)]
pub enum Page {
    /// Those built in, each with its entity tag.
    BuiltIn(Vec<(&'static str, &'static [u8], String)>),
    /// Those of a folder, given as its canonical path.
    Folder(PathBuf),
}

/// A file of the page.
#[derive(Debug)]
pub enum Found {
    /// All there is to answer.
    Reply(Reply),
    /// The fields of the answer, and the file that is its body.
    File(Reply, OpenFile),
}

/// The folder for the page cannot be used.
#[derive(Debug)]
pub struct PageError {
    folder: PathBuf,
    why: std::io::Error,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot serve this folder as the page: {}", self.folder.display(), self.why)
    }
}

impl Page {
    /// The built-in page, or that of `folder`.
    ///
    /// # Errors
    /// When `folder` is not a folder that can be read.
    pub fn open(folder: Option<&Path>) -> Result<Self, PageError> {
        let Some(folder) = folder else {
            let tagged = BUILT_IN.iter().map(|(name, bytes)| (*name, *bytes, content_tag(bytes)));
            return Ok(Self::BuiltIn(tagged.collect()));
        };
        let failed = |why| PageError { folder: folder.to_owned(), why };
        let root = fs::canonicalize(folder).map_err(failed)?;
        fs::read_dir(&root).map_err(failed)?;
        Ok(Self::Folder(root))
    }

    /// The file at `path` (as [`super::route::Route::Page`] carries it), or 304 where the client
    /// has it already; `None` when there is no such file.
    pub fn get(&self, path: &str, known_tags: Option<&str>) -> Option<Found> {
        let root = match self {
            Self::BuiltIn(files) => {
                let (_, bytes, tag) = files.iter().find(|(name, ..)| *name == path)?;
                let reply = tagged(path, tag.clone(), Cow::Borrowed(*bytes), known_tags);
                return Some(Found::Reply(reply.with("Vary", WHO_ASKS)));
            }
            Self::Folder(root) => root,
        };
        let opened = file::open_below(root, path)?;
        let reply = tagged(path, opened.tag().to_owned(), Cow::Borrowed(&[]), known_tags);
        let reply = reply.with("Vary", WHO_ASKS);
        Some(if reply.status() == 304 { Found::Reply(reply) } else { Found::File(reply, opened) })
    }
}

/// The built-in file of the sign-in document at `sign-in/` and `name`, as [`Page::get`] gives those
/// of the page.
pub fn sign_in_file(name: &str, known_tags: Option<&str>) -> Option<Reply> {
    let is_wanted = |path: &str| path.strip_prefix("sign-in/") == Some(name);
    let (path, bytes) = SIGN_IN.iter().find(|(path, _)| is_wanted(path))?;
    Some(tagged(path, content_tag(bytes), Cow::Borrowed(bytes), known_tags))
}

/// The answer to a browser whose user is not signed in and wants a page, at `path`. It has no challenge,
/// so that the browser shows the form and not its own dialog; and no tag, for the same address has
/// something else for who is signed in.
pub fn sign_in_document(path: &str) -> Reply {
    let up = way_up(path);
    let mut document = SIGN_IN_DOCUMENT.to_owned();
    for address in ["\"sign-in/", "\"trust\""] {
        document = document.replace(address, &format!("\"{up}{}", &address[1..]));
    }
    Reply::new(401, content_type("index.html"), document.into_bytes().into())
        .with("Cache-Control", "no-store")
}

/// What leads from a document at `path` to the place of `/`, which may be below a path of a proxy that
/// is not known here.
fn way_up(path: &str) -> String {
    // An address this deep is nobody's; the document stays small.
    const DEEPEST: usize = 32;
    let depth = path.bytes().filter(|byte| *byte == b'/').count().saturating_sub(1);
    if depth > DEEPEST { "/".to_owned() } else { "../".repeat(depth) }
}

/// The fields of a request that say who asks: on them depends what of the page and of the API is given,
/// and whether anything is.
pub const WHO_ASKS: &str = "Cookie, Authorization";

/// A document with its entity tag, or 304 where one of the client's tags is its. They are compared
/// weakly (RFC 9110, section 13.1.2): a proxy that compresses makes weak ones of ours.
pub fn tagged(path: &str, tag: String, body: Cow<'static, [u8]>, known_tags: Option<&str>) -> Reply {
    let is_ours = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    let reply = if known_tags.is_some_and(|tags| tags.split(',').any(|known| is_ours(known.trim()))) {
        Reply::empty(304)
    } else {
        Reply::new(200, content_type(path), body)
    };
    // no-cache: keep it, but ask each time whether it is still the one; the answer is a 304.
    reply.with("ETag", tag).with("Cache-Control", "no-cache")
}

/// The entity tag of these bytes.
pub fn content_tag(bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::Surroundings;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_the_client_has_is_not_sent_again() {
        let page = Page::open(None).unwrap();
        let get = |known_tags: Option<&str>| match page.get("index.html", known_tags) {
            Some(Found::Reply(reply)) => reply,
            other => panic!("{other:?}"),
        };
        let first = get(None).into_bytes(&Surroundings::default(), true, true);
        let first = String::from_utf8(first).unwrap();
        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
        let known = format!("\"other\", {tag}");
        assert_eq!(get(Some(&known)).status(), 304);
        assert_eq!(get(Some("\"other\"")).status(), 200);
    }

    #[test]
    fn each_file_of_the_page_is_built_in_and_no_more_than_the_form_needs_is_for_anybody() {
        let page = Page::open(None).unwrap();
        let names = |folder: &str| {
            let all = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
            all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        for name in names("www").iter().filter(|name| *name != "sign-in") {
            assert!(page.get(name, None).is_some() && sign_in_file(name, None).is_none(), "{name}");
        }
        for name in names("www/sign-in") {
            // Documents are answers of their own.
            assert_eq!(sign_in_file(&name, None).is_some(), !name.ends_with(".html"), "{name}");
        }
    }

    #[test]
    fn a_folder_serves_what_is_in_it_and_nothing_outside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("www");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/a.txt"), "inside").unwrap();
        fs::write(folder.path().join("secret"), "outside").unwrap();
        symlink(folder.path().join("secret"), root.join("leak")).unwrap();
        symlink(root.join("sub/a.txt"), root.join("link.txt")).unwrap();
        let page = Page::open(Some(&root)).unwrap();
        for (path, served) in [
            ("sub/a.txt", true),
            ("link.txt", true),
            ("leak", false),
            ("../secret", false),
            ("sub", false),
            ("none", false),
        ] {
            assert_eq!(page.get(path, None).is_some(), served, "{path}");
        }
        // A folder that was moved away serves nothing rather than something else.
        fs::rename(&root, folder.path().join("moved")).unwrap();
        assert!(page.get("sub/a.txt", None).is_none());
    }

    #[test]
    fn the_form_finds_its_files_at_any_depth_and_below_the_path_of_a_proxy() {
        for (path, up) in [
            ("/", ""),
            ("/video", ""),
            ("/video/front", "../"),
            ("/a/b/", "../../"),
            ("//a", "../"),
            ("*", ""),
        ] {
            let reply = sign_in_document(path).into_bytes(&Surroundings::default(), true, true);
            let text = String::from_utf8(reply).unwrap();
            let links: Vec<_> =
                [" src=\"", " href=\""].iter().flat_map(|name| text.split(name).skip(1)).collect();
            assert!(links.len() >= 5, "{text}");
            for link in links {
                let leads_up = ["sign-in/", "trust\""].map(|place| link.starts_with(&format!("{up}{place}")));
                assert!(leads_up.contains(&true), "{path}: {link:.40}");
            }
        }
        let deep = sign_in_document(&"/".repeat(10_000)).into_bytes(&Surroundings::default(), true, true);
        assert!(deep.len() < 4096, "{} bytes", deep.len());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Page::open(Some(Path::new("/nowhere/www"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/www"), "{error}");
    }
}
