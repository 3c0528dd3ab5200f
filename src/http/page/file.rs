//! Files of the folder that is served instead of the built-in page: opened below it, and sent in small pieces.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};
use std::time::Instant;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::gate::{After, Client, Job, longest_reply};
use crate::http::reply::{Reply, ResponseContext};
use crate::memory::Lease;

/// How much of a file is in memory at a time.
pub const PIECE_BYTES: usize = 32 * 1024;

/// A regular file, open. Its head and its bytes are of the same file, even if its path leads to another one
/// meanwhile.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    bytes: u64,
    tag: String,
}

/// Opens the file at `path` below the canonical path `root`. Links are followed only to places below `root`. Opening
/// never waits, and anything but a regular file is refused.
pub fn open_below(root: &Path, path: &str) -> Option<OpenFile> {
    // The path without links; a link that replaces a part of it from here on is not followed.
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

    /// The job that sends the head of `reply` and, unless `head_only`, the file. It holds `lease`, of
    /// [`PIECE_BYTES`], until it ends.
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

    /// Sends as many bytes as were announced. A file that has become shorter is an error: the connection must
    /// close, or the client would take the next reply for the rest of the file.
    fn send_pieces(mut self, client: &mut Client) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        // Each write has its own limit; this one is for the whole file.
        let deadline = Instant::now() + longest_reply(self.bytes);
        let mut left = self.bytes;
        while left > 0 {
            if Instant::now() >= deadline {
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
    // Without O_NONBLOCK opening a pipe would wait; without O_NOCTTY a device could become our terminal.
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
    fn a_link_that_appears_after_the_check_is_not_followed() {
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
    fn a_pipe_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let pipe = root.join("pipe");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(open_below(&root, "pipe").is_none());
        assert!(open_below(&root, "").is_none(), "the folder itself");
    }
}
