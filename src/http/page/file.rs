//! Files of the folder that is served in place of the page: found below it, and sent in small pieces.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::gate::{After, Client, Job};
use crate::http::reply::{Reply, ResponseContext};
use crate::memory::Lease;

/// How much of a file is in memory at a time.
pub const PIECE_BYTES: usize = 32 * 1024;

/// A client that takes a file more slowly than this is given up.
const SLOWEST_BYTES_A_SECOND: u64 = 16 * 1024;

/// What any client is given in addition.
const GRACE: Duration = Duration::from_secs(30);

/// A regular file, open. What is said of it and what is sent are of this one, whatever lies at its path
/// meanwhile.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    bytes: u64,
    tag: String,
}

/// Opens the file at `path` below `root`, which is a canonical path. Links are followed only to places
/// below it. What is not a regular file is not waited for, and not given.
pub fn open_below(root: &Path, path: &str) -> Option<OpenFile> {
    // The path without links; whatever replaces a part of it by a link from here on is not followed.
    let real = fs::canonicalize(root.join(path)).ok()?;
    let file = File::from(open_without_links(root, real.strip_prefix(root).ok()?).ok()?);
    let found = file.metadata().ok()?;
    found.is_file().then(|| OpenFile {
        file,
        bytes: found.len(),
        tag: format!("\"{:x}-{:x}-{:x}\"", found.mtime(), found.mtime_nsec(), found.len()),
    })
}

impl OpenFile {
    /// Its entity tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The job that sends it behind the fields of `reply`; only those when `head_only`. `lease` is of
    /// [`PIECE_BYTES`], and kept to the end.
    pub fn send(
        self,
        reply: Reply,
        context: ResponseContext,
        head_only: bool,
        keep: bool,
        lease: Lease,
    ) -> Job {
        Box::new(move |client: &mut Client| {
            let _lease = lease;
            client.write_all(&reply.head(self.bytes, &context, keep))?;
            if !head_only {
                self.send_pieces(client)?;
            }
            Ok(if keep { After::KeepAlive } else { After::Close })
        })
    }

    /// Sends as many bytes as were announced. A file that has become shorter meanwhile is an error: the
    /// connection must end, or the client would take the next reply for the rest of it.
    fn send_pieces(mut self, client: &mut Client) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        // Each write has its own limit; this one is for the whole.
        let give_up = Instant::now() + GRACE + Duration::from_secs(self.bytes / SLOWEST_BYTES_A_SECOND);
        let mut left = self.bytes;
        while left > 0 {
            if Instant::now() >= give_up {
                return Err(ErrorKind::TimedOut.into());
            }
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            match self.file.read(&mut piece[..wanted]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => {
                    client.write_all(&piece[..got])?;
                    left -= got as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens `path` below `root`, one folder after the other, and follows no link on the way.
fn open_without_links(root: &Path, path: &Path) -> io::Result<rustix::fd::OwnedFd> {
    const FOLDER: OFlags =
        OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    // Without O_NONBLOCK a pipe would be waited for; a device must not become our terminal.
    const FILE: OFlags = OFlags::RDONLY
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);
    let mut at = openat(CWD, root, FOLDER, Mode::empty())?;
    let mut parts = path.components().peekable();
    while let Some(Component::Normal(name)) = parts.next() {
        if parts.peek().is_none() {
            return Ok(openat(&at, name, FILE, Mode::empty())?);
        }
        at = openat(&at, name, FOLDER, Mode::empty())?;
    }
    Err(ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_that_appears_after_the_path_was_looked_at_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap().join("www");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/a.txt"), "inside").unwrap();
        fs::write(root.join("b.txt"), "inside").unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/a.txt"), "outside").unwrap();
        assert!(open_without_links(&root, Path::new("sub/a.txt")).is_ok());
        fs::remove_dir_all(root.join("sub")).unwrap();
        symlink(folder.path().join("outside"), root.join("sub")).unwrap();
        fs::remove_file(root.join("b.txt")).unwrap();
        symlink(folder.path().join("outside/a.txt"), root.join("b.txt")).unwrap();
        for path in ["sub/a.txt", "b.txt", "../outside/a.txt", "/etc/passwd", ""] {
            assert!(open_without_links(&root, Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_pipe_is_neither_waited_for_nor_given() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let pipe = root.join("pipe");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(open_below(&root, "pipe").is_none());
        assert!(open_below(&root, "").is_none(), "the folder itself");
    }
}
