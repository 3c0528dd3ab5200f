//! The local socket: the same requests as at the public port, from processes of this machine that run
//! as root or as the server's own user. The kernel says who they are, so they need no password.

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

use super::client::Caller;
use super::connection::Context;
use super::exchange::Exchanges;
use super::hall::Hall;
use super::limits::Limits;

/// Connections at a time: commands that are typed, and a script or two.
const CONNECTIONS: u32 = 16;

/// The listening local socket; its file is removed when this is dropped.
pub struct LocalGate {
    listener: UnixListener,
    path: PathBuf,
    hall: Hall,
}

impl LocalGate {
    /// Listens at `path`, which only its own user and root can connect to. A socket that another
    /// server left there is taken over; any other file stays. To be called while there is no other thread: it sets the
    /// process' file mask for a moment.
    ///
    /// # Errors
    /// `AddrInUse` where a server answers there, `AlreadyExists` where a file is no socket; else why
    /// the file cannot be made.
    pub fn listen(path: &Path, exchanges: Arc<Exchanges>) -> io::Result<Self> {
        match UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another defender answers there")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) if fs::symlink_metadata(path)?.file_type().is_socket() => fs::remove_file(path)?,
            Err(_) => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "a file is there that is no socket"));
            }
        }
        // From the first moment on nobody else may connect.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        let limits =
            Limits { connections: CONNECTIONS, connections_per_address: CONNECTIONS, ..Limits::default() };
        let hall = Hall::new(Context { limits, tls: None, exchanges });
        Ok(Self { listener: bound?, path: path.to_owned(), hall })
    }

    /// Accepts and serves until [`LocalGate::stop`].
    pub fn run(&self) {
        self.hall.serve(|| {
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
        self.hall.close(&self.listener);
    }
}

impl Drop for LocalGate {
    fn drop(&mut self) {
        // The next start takes over what stays behind.
        let _ = fs::remove_file(&self.path);
    }
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
