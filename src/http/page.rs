//! The page: files built into the program, or those of a folder in their place.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::reply::Reply;

/// Largest file served from a folder, in bytes: it is read into memory.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

const BUILT_IN: [(&str, &[u8]); 6] = [
    ("index.html", include_bytes!("../../www/index.html")),
    ("app.js", include_bytes!("../../www/app.js")),
    ("microphones.js", include_bytes!("../../www/microphones.js")),
    ("sound.js", include_bytes!("../../www/sound.js")),
    ("style.css", include_bytes!("../../www/style.css")),
    ("icon.svg", include_bytes!("../../www/icon.svg")),
];

/// Where the page's files come from.
#[derive(Debug)]
pub enum Page {
    /// Those built in, each with its entity tag.
    BuiltIn(Vec<(&'static str, &'static [u8], String)>),
    /// Those of a folder, given as its canonical path.
    Folder(PathBuf),
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
            return Ok(Self::BuiltIn(BUILT_IN.map(|(name, bytes)| (name, bytes, content_tag(bytes))).into()));
        };
        let failed = |why| PageError { folder: folder.to_owned(), why };
        let root = fs::canonicalize(folder).map_err(failed)?;
        fs::read_dir(&root).map_err(failed)?;
        Ok(Self::Folder(root))
    }

    /// The file at `path` (as [`super::route::Route::Page`] carries it), or 304 where the client
    /// has it already; `None` when there is no such file.
    pub fn get(&self, path: &str, known_tags: Option<&str>) -> Option<Reply> {
        let (tag, body) = match self {
            Self::BuiltIn(files) => {
                let (_, bytes, tag) = files.iter().find(|(name, ..)| *name == path)?;
                (tag.clone(), Cow::Borrowed(*bytes))
            }
            Self::Folder(root) => read_inside(root, path)?,
        };
        let known = known_tags
            .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag || known.trim() == "*"));
        let reply = if known {
            Reply::new(304, content_type(path), Cow::Borrowed(&[]))
        } else {
            Reply::new(200, content_type(path), body)
        };
        // no-cache: keep it, but ask each time whether it is still the one; the answer is a 304.
        Some(reply.with("ETag", tag).with("Cache-Control", "no-cache"))
    }
}

/// Reads a file below `root`. Links are followed only to places below it.
fn read_inside(root: &Path, path: &str) -> Option<(String, Cow<'static, [u8]>)> {
    let file = fs::canonicalize(root.join(path)).ok()?;
    let found = fs::metadata(&file).ok()?;
    if !file.starts_with(root) || !found.is_file() || found.len() > MAX_FILE_BYTES {
        return None;
    }
    let tag = format!("\"{:x}-{:x}-{:x}\"", found.mtime(), found.mtime_nsec(), found.len());
    Some((tag, fs::read(&file).ok()?.into()))
}

fn content_tag(bytes: &[u8]) -> String {
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
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_the_client_has_is_not_sent_again() {
        let page = Page::open(None).unwrap();
        let text = |reply: Reply| String::from_utf8(reply.into_bytes(false, true, true)).unwrap();
        let first = text(page.get("index.html", None).unwrap());
        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
        let again = page.get("index.html", Some(&format!("\"other\", {tag}"))).unwrap();
        assert_eq!(again.status(), 304);
        assert_eq!(page.get("index.html", Some("\"other\"")).unwrap().status(), 200);
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
    fn a_missing_folder_is_named() {
        let error = Page::open(Some(Path::new("/nowhere/www"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/www"), "{error}");
    }
}
