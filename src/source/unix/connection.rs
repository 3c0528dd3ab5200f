//! The connection to the program that feeds a socket.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::error::{Fault, FeedError};

/// What a source reads from. Tests have one of their own.
pub(super) trait Wire {
    /// Waits until something can be read, for at most `timeout`; true when it can.
    fn wait(&mut self, timeout: Duration) -> io::Result<bool>;

    /// Reads what is there into `room`, without waiting; zero bytes at the end of the connection.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize>;
}

/// Connects to the socket at `path`. Never waits: a program that accepts nothing refuses.
///
/// # Errors
/// Why there is no connection.
pub(super) fn connect(path: &Path) -> Result<UnixStream, FeedError> {
    let fail = |fault| FeedError { path: path.to_owned(), fault };
    inspect(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connected = SocketAddrUnix::new(path).and_then(|address| {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)?;
        Ok(socket)
    });
    connected.map(UnixStream::from).map_err(|errno| fail(of_connect(errno)))
}

/// Looks at the socket at `path` without connecting.
///
/// # Errors
/// When there is none, or something else.
pub(super) fn inspect(path: &Path) -> Result<(), FeedError> {
    let fault = match fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => return Ok(()),
        Ok(_) => Fault::NotSocket,
        Err(error) => match Errno::from_io_error(&error) {
            Some(errno) => of_connect(errno),
            None => Fault::Connect(error),
        },
    };
    Err(FeedError { path: path.to_owned(), fault })
}

/// What it means that connecting failed.
fn of_connect(errno: Errno) -> Fault {
    match errno {
        Errno::NOENT => Fault::NotFound,
        Errno::ACCESS | Errno::PERM => Fault::Denied,
        Errno::CONNREFUSED => Fault::Refused,
        Errno::PROTOTYPE => Fault::NotStream,
        Errno::AGAIN => Fault::Busy,
        other => Fault::Connect(other.into()),
    }
}

impl Wire for UnixStream {
    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        let fd = self.as_fd();
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Read::read(self, room)
    }
}

/// Reads into `room`; `None` when there is nothing to read now.
///
/// # Errors
/// An error of the kernel.
pub(super) fn read_now(wire: &mut dyn Wire, room: &mut [u8]) -> Result<Option<usize>, Fault> {
    match wire.read(room) {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        // The program was killed before it read or wrote everything.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Some(0)),
        Err(error) => Err(Fault::Read(error)),
    }
}
