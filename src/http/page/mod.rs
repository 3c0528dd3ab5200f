//! The page: the files built into the program, or those of a folder instead.
//!
//! The page is plain modules (`www/`), sent as they are written but compressed. Modules of the settings are loaded
//! when they are opened. Files of `www/sign-in/` are sent without a sign-in.

mod file;
pub mod missing;
pub mod sign_in;
pub mod trust;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::reply::Reply;
use super::request::Negotiation;
use super::{embedded, etag};
use file::OpenFile;
pub use file::PIECE_BYTES;

/// Where the page's files come from.
#[derive(Debug)]
pub enum Page {
    /// The files built in.
    BuiltIn,
    /// The files of a folder, by its canonical path.
    Folder(PathBuf),
}

/// A file of the page.
#[derive(Debug)]
pub enum Found {
    /// The whole answer.
    Reply(Reply),
    /// The answer's header fields, and the file that is its body.
    File(Reply, OpenFile),
}

/// The folder for the page cannot be used.
#[derive(Debug)]
pub struct PageError {
    folder: PathBuf,
    error: io::Error,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot serve this folder as the page: {}", self.folder.display(), self.error)
    }
}

impl Error for PageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl Page {
    /// The built-in page, or that of `folder`.
    ///
    /// # Errors
    /// When `folder` is not a folder that can be read.
    pub fn open(folder: Option<&Path>) -> Result<Self, PageError> {
        let Some(folder) = folder else { return Ok(Self::BuiltIn) };
        let failed = |error| PageError { folder: folder.to_owned(), error };
        let root = fs::canonicalize(folder).map_err(failed)?;
        fs::read_dir(&root).map_err(failed)?;
        Ok(Self::Folder(root))
    }

    /// The file at `path` (of [`super::route::Route::Page`]), or 304 if the client has it already; `None` if
    /// there is no such file.
    pub(super) fn get(&self, path: &str, negotiation: &Negotiation<'_>) -> Option<Found> {
        let root = match self {
            Self::BuiltIn => {
                let reply = embedded::find(&embedded::PAGE, path)?.reply(negotiation);
                return Some(Found::Reply(reply.with("Vary", etag::VARY_BY_USER_AND_ENCODING)));
            }
            Self::Folder(root) => root,
        };
        let opened = file::open_below(root, path)?;
        let body = || Cow::Borrowed(&[][..]);
        let reply = etag::conditional(path, opened.tag().to_owned(), body, negotiation.known_tags);
        let reply = reply.with("Vary", etag::VARY_BY_USER);
        Some(if reply.status() == 304 { Found::Reply(reply) } else { Found::File(reply, opened) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::ResponseContext;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_that_the_client_has_is_not_sent_again() {
        let page = Page::open(None).unwrap();
        let get = |known_tags: Option<&str>| match page
            .get("index.html", &Negotiation { known_tags, accepts_gzip: false })
        {
            Some(Found::Reply(reply)) => reply,
            other => panic!("{other:?}"),
        };
        let first = get(None).into_bytes(&ResponseContext::default(), true, true);
        let first = String::from_utf8(first).unwrap();
        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
        let known = format!("\"other\", {tag}");
        assert_eq!(get(Some(&known)).status(), 304);
        assert_eq!(get(Some("\"other\"")).status(), 200);
    }

    #[test]
    fn each_file_is_built_in_and_only_those_of_the_form_are_public() {
        let page = Page::open(None).unwrap();
        let names = |folder: &str| {
            let all = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
            all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        for name in names("www").iter().filter(|name| *name != "sign-in") {
            assert!(
                page.get(name, &Negotiation::default()).is_some()
                    && sign_in::file(name, &Negotiation::default()).is_none(),
                "{name}"
            );
        }
        for name in names("www/sign-in") {
            // The documents have handlers of their own.
            assert_eq!(
                sign_in::file(&name, &Negotiation::default()).is_some(),
                !name.ends_with(".html"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_folder_serves_only_files_below_it() {
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
            assert_eq!(page.get(path, &Negotiation::default()).is_some(), served, "{path}");
        }
        // A folder that was moved away serves nothing.
        fs::rename(&root, folder.path().join("moved")).unwrap();
        assert!(page.get("sub/a.txt", &Negotiation::default()).is_none());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Page::open(Some(Path::new("/nowhere/www"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/www"), "{error}");
    }
}
