//! The local socket: the same requests as on the public port, from processes of this machine that run as root or
//! as the server's own user. The kernel reports their user, so they need no password.
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
use rustix::process::Uid;

use super::acceptor::Acceptor;
use super::client::Caller;
use super::connection::Context;
use super::limits::Limits;
use super::pending::PendingRequests;
use crate::base::limits::LOCAL_CONNECTIONS;

/// The listening local socket. Its file is removed when this is dropped.
pub struct LocalGate {
    listener: UnixListener,
    path: PathBuf,
    acceptor: Acceptor,
}

impl LocalGate {
    /// Listens at `path`, to which only the server's user and root can connect. A socket that a dead server left
    /// there is replaced; any other file stays. Call it while there is no other thread: it changes the process'
    /// file mode mask for a moment.
    ///
    /// # Errors
    /// `AddrInUse` if a server answers there; `AlreadyExists` if the file is not a socket, or if its state is
    /// unknown; else why the file cannot be made.
    pub fn listen(path: &Path, pending: Arc<PendingRequests>) -> io::Result<Self> {
        remove_dead(path)?;
        // No other user may connect, from the first moment on.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        let limits = Limits {
            connections: LOCAL_CONNECTIONS,
            connections_per_address: LOCAL_CONNECTIONS,
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
                // Only a descriptor counts: `Client` uses nothing that a Unix socket does not have.
                Ok(caller) => Ok(Some((TcpStream::from(OwnedFd::from(socket)), caller))),
                Err(why) => {
                    debug!("the local socket: rejected: {why}");
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
        // Best effort: the next start replaces a socket that stays.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the socket of a dead server.
fn remove_dead(path: &Path) -> io::Result<()> {
    let stays = |why: String| Err(io::Error::new(ErrorKind::AlreadyExists, why));
    match probe(&SocketAddrUnix::new(path)?) {
        Err(Errno::NOENT) => Ok(()),
        // Nobody listens. The kernel says the same of a file that is not a socket.
        Err(Errno::CONNREFUSED) if fs::symlink_metadata(path)?.file_type().is_socket() => {
            fs::remove_file(path)
        }
        Err(Errno::CONNREFUSED) => stays("this file exists and is not a socket".to_owned()),
        // A full queue means that somebody listens.
        Ok(()) | Err(Errno::AGAIN) => {
            Err(io::Error::new(ErrorKind::AddrInUse, "another defender answers there"))
        }
        Err(error) => stays(format!(
            "cannot find out whether another server answers there: {error}; if none does, remove the file"
        )),
    }
}

/// Connects without waiting for a busy server.
fn probe(address: &SocketAddrUnix) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, address)
}

/// The user of the client; an error for a user other than root and this process' own. The file's mode enforces
/// the same, but a mode can be changed by mistake.
fn caller(socket: &UnixStream) -> io::Result<Caller> {
    let uid = rustix::net::sockopt::socket_peercred(socket)?.uid;
    if is_admitted(uid, rustix::process::geteuid()) {
        return Ok(Caller::Local { uid: uid.as_raw() });
    }
    Err(io::Error::new(ErrorKind::PermissionDenied, format!("the user {} is not admitted", uid.as_raw())))
}

fn is_admitted(uid: Uid, own: Uid) -> bool {
    uid.is_root() || uid == own
}

#[cfg(test)]
mod tests {
    use super::super::channel::Channel;
    use super::*;
    use crate::memory::Account;
    use std::os::unix::net::UnixDatagram;

    /// Why a server does not listen at `path`; checks that the file there stays.
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
        // Its queue holds one connection that nobody accepts.
        let queued = UnixStream::connect(&path).unwrap();
        assert_eq!(refused(&path).kind(), ErrorKind::AddrInUse);
        drop((queued, listener));
    }

    #[test]
    fn a_socket_of_unknown_state_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Of another type, so that the kernel refuses to try.
        let living = UnixDatagram::bind(&path).unwrap();
        let error = refused(&path);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("cannot find out"), "{error}");
        drop(living);
    }

    #[test]
    fn the_socket_of_a_dead_server_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        remove_dead(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn root_and_the_servers_own_user_are_admitted() {
        let own = Uid::from_raw(7);
        for (uid, expected) in [(0, true), (7, true), (8, false)] {
            assert_eq!(is_admitted(Uid::from_raw(uid), own), expected, "{uid}");
        }
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        fs::write(&path, "mine").unwrap();
        assert!(refused(&path).to_string().contains("not a socket"));
    }
}
