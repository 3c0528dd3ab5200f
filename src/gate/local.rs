//! The local socket: the same requests as at the public port, from processes of this machine that run
//! as root or as the server's own user. The kernel says who they are, so they need no password.
//!
//! Heads, limits and routes are those of the public port. A socket that exists is replaced only if the kernel
//! says that nobody listens on it. Commands of the command line are HTTP clients of this socket;
//! `curl --unix-socket` works as well.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::debug;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::acceptor::Acceptor;
use super::client::Caller;
use super::connection::Context;
use super::limits::Limits;
use super::pending::PendingRequests;

/// The listening local socket; its file is removed when this is dropped.
pub struct LocalGate {
    listener: UnixListener,
    path: PathBuf,
    acceptor: Acceptor,
}

impl LocalGate {
    /// Connections at a time: commands that are typed, and a script or two.
    pub const CONNECTIONS: u32 = 16;

    /// Listens at `path`, which only its own user and root can connect to. A socket that another
    /// server left there is taken over; any other file stays. To be called while there is no other thread: it sets the
    /// process' file mask for a moment.
    ///
    /// # Errors
    /// `AddrInUse` where a server answers there, `AlreadyExists` where a file is no socket, or where it
    /// cannot be told whether one answers; else why the file cannot be made.
    pub fn listen(path: &Path, pending: Arc<PendingRequests>) -> io::Result<Self> {
        make_room(path)?;
        // From the first moment on nobody else may connect.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        let limits = Limits {
            connections: Self::CONNECTIONS,
            connections_per_address: Self::CONNECTIONS,
            ..Limits::default()
        };
        let acceptor = Acceptor::new(Context { limits, tls: None, pending });
        Ok(Self { listener: bound?, path: path.to_owned(), acceptor })
    }

    /// Accepts and serves until [`LocalGate::stop`].
    pub fn run(&self) {
        self.acceptor.serve(|| {
            let (socket, _) = self.listener.accept()?;
            match caller(&socket) {
                // Standard library sockets are descriptors; see `Client`.
                Ok(caller) => Ok(Some((TcpStream::from(OwnedFd::from(socket)), caller))),
                Err(why) => {
                    debug!("the local socket: turned away: {why}");
                    Ok(None)
                }
            }
        });
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        self.acceptor.close(&self.listener);
    }
}

impl Drop for LocalGate {
    fn drop(&mut self) {
        // The next start takes over what stays behind.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the socket of a server that is gone.
fn make_room(path: &Path) -> io::Result<()> {
    let stays = |why: String| Err(io::Error::new(ErrorKind::AlreadyExists, why));
    match look(&SocketAddrUnix::new(path)?) {
        Err(Errno::NOENT) => Ok(()),
        // Nobody listens; so the kernel says of a file that is no socket, too.
        Err(Errno::CONNREFUSED) if fs::symlink_metadata(path)?.file_type().is_socket() => {
            fs::remove_file(path)
        }
        Err(Errno::CONNREFUSED) => stays("a file is there that is no socket".to_owned()),
        // A queue is full: of somebody who listens.
        Ok(()) | Err(Errno::AGAIN) => {
            Err(io::Error::new(ErrorKind::AddrInUse, "another defender answers there"))
        }
        Err(error) => stays(format!(
            "whether another server answers there cannot be told: {error}; if none does, remove the file"
        )),
    }
}

/// Whether somebody answers, without waiting for one who is busy.
fn look(address: &SocketAddrUnix) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, address)
}

/// Who connects; an error for a user who is neither root nor this process' own. The file's mode says
/// the same, but a mode can be changed by mistake.
fn caller(socket: &UnixStream) -> io::Result<Caller> {
    let uid = rustix::net::sockopt::socket_peercred(socket)?.uid;
    if uid.is_root() || uid == rustix::process::geteuid() {
        return Ok(Caller::Local { uid: uid.as_raw() });
    }
    Err(io::Error::new(ErrorKind::PermissionDenied, format!("the user {} is not let in", uid.as_raw())))
}

#[cfg(test)]
mod tests {
    use super::super::channel::Channel;
    use super::*;
    use crate::memory::Account;
    use std::os::unix::net::UnixDatagram;

    /// Why a server does not listen at `path`; the file there must have stayed.
    fn refused(path: &Path) -> io::Error {
        let channel = Channel::open(&std::env::temp_dir()).unwrap();
        let refused = LocalGate::listen(path, Arc::new(PendingRequests::new(channel, Account::unlimited())));
        assert!(fs::symlink_metadata(path).is_ok(), "the file is gone");
        refused.err().expect("refused")
    }

    #[test]
    fn a_server_that_is_too_busy_to_answer_keeps_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        // Its queue holds one that nobody fetches.
        let queued = UnixStream::connect(&path).unwrap();
        assert_eq!(refused(&path).kind(), ErrorKind::AddrInUse);
        drop((queued, listener));
    }

    #[test]
    fn a_socket_of_unknown_state_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Not of our kind, so that the kernel does not even try.
        let living = UnixDatagram::bind(&path).unwrap();
        let error = refused(&path);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("cannot be told"), "{error}");
        drop(living);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        fs::write(&path, "mine").unwrap();
        assert!(refused(&path).to_string().contains("no socket"));
    }
}
