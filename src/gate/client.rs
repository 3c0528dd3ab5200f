//! The client's end of a connection: bytes in and out under deadlines, plain or through TLS.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{ServerConfig, ServerConnection};

use super::limits::Limits;
use super::listeners::canonical;
use super::send_buffer::SendBuffer;

/// How much may wait in the kernel for a client, in bytes; of live streams less, see [`Client::stay_present`].
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// How much is handed to TLS at a time; bounds what a stalled client holds in memory.
const TLS_CHUNK_BYTES: usize = 64 * 1024;

/// How often the permission of [`Client::run_while`] is checked.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever it is, from this address.
    Remote(SocketAddr),
    /// A process of this machine, as the kernel vouches, that runs as this user.
    Local {
        /// The user's number; 0 is root.
        uid: u32,
    },
}

impl Caller {
    /// The address to name in the log.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Remote(address) => address,
            Self::Local { .. } => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

/// A connected client. The socket may be a Unix one: all that is asked of it both kinds can do.
pub struct Client {
    socket: Arc<TcpStream>,
    tls: Option<Box<ServerConnection>>,
    caller: Caller,
    write_total: Duration,
    permission: Option<Permission>,
    /// Of a live stream.
    send_buffer: Option<SendBuffer>,
}

/// The permission that the work of [`Client::run_while`] depends on.
struct Permission {
    is_permitted: Box<dyn Fn() -> bool>,
    checked: Cell<Instant>,
    is_revoked: Cell<bool>,
}

impl Client {
    /// Takes over an accepted socket.
    ///
    /// # Errors
    /// The socket's, when it cannot be set up.
    pub(super) fn new(socket: Arc<TcpStream>, caller: Caller, limits: &Limits) -> io::Result<Self> {
        if let Caller::Remote(_) = caller {
            socket.set_nodelay(true)?;
        }
        socket.set_write_timeout(Some(limits.write_stall))?;
        rustix::net::sockopt::set_socket_send_buffer_size(&*socket, SEND_BUFFER_BYTES)?;
        Ok(Self {
            socket,
            tls: None,
            caller,
            write_total: limits.write_total,
            permission: None,
            send_buffer: None,
        })
    }

    /// The client's true address.
    pub fn peer(&self) -> SocketAddr {
        self.caller.address()
    }

    /// Who it is.
    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    /// The address it connected to; one of IPv4 as such, whatever the listening socket is.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr().map(canonical)
    }

    /// Whether TLS protects the connection.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The first byte the client sends, left where it is; `None` when it closes first.
    pub(super) fn peek(&self, deadline: Instant) -> io::Result<Option<u8>> {
        self.read_until(deadline)?;
        let mut first = [0];
        Ok((self.socket.peek(&mut first)? == 1).then_some(first[0]))
    }

    /// Does the TLS handshake; all later bytes go through TLS.
    pub(super) fn start_tls(&mut self, config: Arc<ServerConfig>, deadline: Instant) -> io::Result<()> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let tls = self.tls.insert(Box::new(connection));
        while tls.is_handshaking() {
            if tls.wants_write() {
                tls.write_tls(&mut &*self.socket)?;
                continue;
            }
            set_read_deadline(&self.socket, deadline)?;
            pull_tls(tls, &self.socket)?;
        }
        flush_tls(tls, &self.socket)
    }

    /// Reads what has come, waiting for it until `deadline`; 0 means the client closed its side.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            if let Some(tls) = &mut self.tls {
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // A close without close_notify ends the stream like one with it: lengths are
                    // counted, so a cut is noticed where it matters.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                    done => return done,
                }
            }
            set_read_deadline(&self.socket, deadline)?;
            match &mut self.tls {
                None => return retry(|| (&*self.socket).read(buffer)),
                Some(tls) => pull_tls(tls, &self.socket)?,
            }
        }
    }

    /// Runs `work` for as long as `is_permitted` says so. It is asked a few times a second; once it says no,
    /// [`Client::is_gone`] is true and every write fails. So a stream ends with the permission that it
    /// began with, and no stream has to check that itself.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn run_while<T>(
        &mut self,
        is_permitted: impl Fn() -> bool + 'static,
        work: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        self.permission = Some(Permission {
            is_permitted: Box::new(is_permitted),
            checked: Cell::new(Instant::now()),
            is_revoked: Cell::new(false),
        });
        let done = work(self);
        self.permission = None;
        done
    }

    /// Sends all of `bytes`; of none, nothing is sent and nothing is wrong.
    ///
    /// # Errors
    /// `PermissionDenied` when the permission the job runs by is gone; `TimedOut` when nothing moved
    /// for the stall limit or all of it took longer than the total limit; else the socket's own.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_revoked() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let began = Instant::now();
        self.write_until(bytes, began + self.write_total)?;
        if let Some(send_buffer) = &mut self.send_buffer
            && send_buffer.learn(bytes.len(), began, Instant::now())
        {
            let option = send_buffer.option();
            self.limit_send_buffer(option);
        }
        Ok(())
    }

    fn write_until(&mut self, bytes: &[u8], give_up: Instant) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return write_until(&self.socket, bytes, give_up);
        };
        for chunk in bytes.chunks(TLS_CHUNK_BYTES) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let taken = tls.writer().write(rest)?;
                rest = &rest[taken..];
                while tls.wants_write() {
                    check_deadline(give_up)?;
                    retry(|| tls.write_tls(&mut &*self.socket)).map_err(stalled)?;
                }
            }
        }
        Ok(())
    }

    /// From now on each write is one frame or packet of a live stream: the kernel holds back no more for
    /// this client than the client takes in part of a second.
    pub fn stay_present(&mut self) {
        let send_buffer = SendBuffer::new();
        self.limit_send_buffer(send_buffer.option());
        self.send_buffer = Some(send_buffer);
    }

    /// Lets the kernel hold no more than about `bytes` for this client.
    fn limit_send_buffer(&self, bytes: usize) {
        // Best effort: a kernel that refuses leaves the buffer as it was, which works too.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&*self.socket, bytes);
    }

    /// Whether the client has closed its side, as far as can be told without waiting; bytes of it
    /// that were not read yet (under TLS its goodbye) do not hide that.
    pub fn is_gone(&self) -> bool {
        if self.is_revoked() {
            return true;
        }
        let mut polled = [PollFd::new(&*self.socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    fn is_revoked(&self) -> bool {
        let Some(permission) = &self.permission else { return false };
        if !permission.is_revoked.get() && permission.checked.get().elapsed() >= CHECK_EVERY {
            permission.checked.set(Instant::now());
            permission.is_revoked.set(!(permission.is_permitted)());
        }
        permission.is_revoked.get()
    }

    /// Says goodbye and closes. What the client still sends is read for a moment and dropped:
    /// closing over unread bytes would reset the connection and could take our last words away.
    pub(super) fn finish(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = flush_tls(tls, &self.socket);
        }
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + Duration::from_millis(500);
        let mut scrap = [0; 4096];
        for _ in 0..64 {
            if set_read_deadline(&self.socket, deadline).is_err() {
                return;
            }
            match (&*self.socket).read(&mut scrap) {
                Ok(1..) => {}
                _ => return,
            }
        }
    }

    fn read_until(&self, deadline: Instant) -> io::Result<()> {
        set_read_deadline(&self.socket, deadline)
    }
}

/// A read or write timeout shows as `WouldBlock` on Linux; one name for it is enough.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Says what a write's timeout means.
fn stalled(error: io::Error) -> io::Error {
    if is_timeout(&error) {
        io::Error::new(ErrorKind::TimedOut, "the client takes nothing any more")
    } else {
        error
    }
}

fn set_read_deadline(socket: &TcpStream, deadline: Instant) -> io::Result<()> {
    check_deadline(deadline)?;
    // At least a millisecond: a zero timeout would mean none at all.
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    socket.set_read_timeout(Some(left))
}

fn check_deadline(deadline: Instant) -> io::Result<()> {
    if Instant::now() >= deadline { Err(ErrorKind::TimedOut.into()) } else { Ok(()) }
}

fn retry<T>(mut action: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match action() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn write_until(socket: &TcpStream, bytes: &[u8], give_up: Instant) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match retry(|| (&*socket).write(rest)).map_err(stalled)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            sent if sent == rest.len() => return Ok(()),
            sent => rest = &rest[sent..],
        }
        check_deadline(give_up)?;
    }
    Ok(())
}

/// Takes in TLS bytes that have come; an error in them is answered with an alert.
fn pull_tls(tls: &mut ServerConnection, socket: &TcpStream) -> io::Result<()> {
    if retry(|| tls.read_tls(&mut &*socket))? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if let Err(error) = tls.process_new_packets() {
        let _ = flush_tls(tls, socket);
        return Err(io::Error::new(ErrorKind::InvalidData, error));
    }
    Ok(())
}

fn flush_tls(tls: &mut ServerConnection, socket: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        retry(|| tls.write_tls(&mut &*socket))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_empty_write_sends_nothing_and_succeeds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let mut client = Client::new(Arc::new(socket), Caller::Remote(peer), &Limits::default()).unwrap();
        client.write_all(&[]).unwrap();
        client.write_all(b"x").unwrap();
        drop(client);
        let mut got = Vec::new();
        other.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"x");
    }
}
