//! The client's end of a connection: reads and writes with deadlines, plain or through TLS.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{ServerConfig, ServerConnection};

use super::limits::Limits;
use super::listeners::canonical;
use super::send_buffer::SendBuffer;

/// Size of the kernel's send buffer, in bytes; smaller for live streams, see [`Client::limit_latency`].
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// How much is passed to TLS at a time, in bytes; limits the memory for a stalled client.
const TLS_CHUNK_BYTES: usize = 64 * 1024;

/// How often the permission of [`Client::run_while`] is checked.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client of the network at this address.
    Remote(SocketAddr),
    /// A process of this machine, according to the kernel.
    Local {
        /// The id of its user; 0 is root.
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

/// A connected client. The socket may be a Unix socket: only operations that both kinds have are used.
pub struct Client {
    socket: Arc<TcpStream>,
    tls: Option<Box<ServerConnection>>,
    caller: Caller,
    write_total: Duration,
    permission: Option<Permission>,
    /// Only for a live stream.
    send_buffer: Option<SendBuffer>,
}

/// Whether a client is connected, for others than its own thread. It does not keep the connection.
pub(super) struct Presence(Weak<TcpStream>);

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
    /// If the socket cannot be configured.
    pub(super) fn new(socket: Arc<TcpStream>, caller: Caller, limits: &Limits) -> io::Result<Self> {
        if let Caller::Remote(_) = caller {
            socket.set_nodelay(true)?;
            // A client that went without a word, as a phone that sleeps, is seen by what is not acknowledged. Writes tell
            // nothing while they fit into the buffer, as those of a stream of events do for hours.
            let timeout_ms = limits.write_total.as_millis() as u32;
            rustix::net::sockopt::set_tcp_user_timeout(&*socket, timeout_ms)?;
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

    /// Address or user of the client.
    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    /// The local address that the client connected to; an IPv4 address is never mapped to IPv6.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr().map(canonical)
    }

    /// Whether TLS protects the connection.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The first byte of the client, which is not consumed; `None` if the client closes the connection.
    pub(super) fn peek(&self, deadline: Instant) -> io::Result<Option<u8>> {
        set_read_deadline(&self.socket, deadline)?;
        let mut first = [0];
        Ok((retry(|| self.socket.peek(&mut first))? == 1).then_some(first[0]))
    }

    /// Does the TLS handshake. From then on all bytes go through TLS.
    pub(super) fn start_tls(&mut self, config: Arc<ServerConfig>, deadline: Instant) -> io::Result<()> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let tls = self.tls.insert(Box::new(connection));
        while tls.is_handshaking() {
            if tls.wants_write() {
                retry(|| tls.write_tls(&mut &*self.socket))?;
                continue;
            }
            set_read_deadline(&self.socket, deadline)?;
            pull_tls(tls, &self.socket)?;
        }
        flush_tls(tls, &self.socket)
    }

    /// Reads what has arrived, or waits for it until `deadline`; 0 means that the client closed its side.
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            if let Some(tls) = &mut self.tls {
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // Close without close_notify is accepted: bodies have a length, so that a
                    // truncation is noticed.
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

    /// Sends all of `bytes`; an empty write sends nothing.
    ///
    /// # Errors
    /// `PermissionDenied` after the permission of [`Client::run_while`] was revoked; `TimedOut` if nothing
    /// moved for the stall limit, or all of it took longer than the total limit; else the error of the socket.
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

    /// From now on each write is one frame or packet of a live stream: the kernel buffers no more for this
    /// client than it receives in part of a second.
    pub fn limit_latency(&mut self) {
        let send_buffer = SendBuffer::new();
        self.limit_send_buffer(send_buffer.option());
        self.send_buffer = Some(send_buffer);
    }

    /// Limits the kernel's buffer for this client to about `bytes`.
    fn limit_send_buffer(&self, bytes: usize) {
        // Best effort: if the kernel refuses, the buffer stays as it is.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&*self.socket, bytes);
    }

    /// Whether the client has closed its side, or its permission was revoked. It does not block, and unread
    /// bytes of the client (with TLS its close_notify) do not hide the close.
    pub fn is_gone(&self) -> bool {
        if self.is_revoked() {
            return true;
        }
        has_hung_up(&self.socket)
    }

    /// What says to others whether the client is connected.
    pub(super) fn presence(&self) -> Presence {
        Presence(Arc::downgrade(&self.socket))
    }

    fn is_revoked(&self) -> bool {
        let Some(permission) = &self.permission else { return false };
        if !permission.is_revoked.get() && permission.checked.get().elapsed() >= CHECK_EVERY {
            permission.checked.set(Instant::now());
            permission.is_revoked.set(!(permission.is_permitted)());
        }
        permission.is_revoked.get()
    }

    /// Closes the connection. Bytes that the client still sends are read for a moment and dropped: closing
    /// with unread bytes would reset the connection and could discard the end of the response.
    pub(super) fn finish(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = flush_tls(tls, &self.socket);
        }
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + Duration::from_millis(500);
        let mut discarded = [0; 4096];
        for _ in 0..64 {
            if set_read_deadline(&self.socket, deadline).is_err() {
                return;
            }
            match retry(|| (&*self.socket).read(&mut discarded)) {
                Ok(1..) => {}
                _ => return,
            }
        }
    }
}

impl Presence {
    /// Whether the client has closed its side, or the connection has ended. It does not block.
    pub(super) fn is_gone(&self) -> bool {
        self.0.upgrade().is_none_or(|socket| has_hung_up(&socket))
    }
}

fn has_hung_up(socket: &TcpStream) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::RDHUP)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// Whether an error is a timeout, which Linux reports as `WouldBlock`.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Explains the timeout of a write.
fn stalled(error: io::Error) -> io::Error {
    if is_timeout(&error) {
        io::Error::new(ErrorKind::TimedOut, "the client no longer receives")
    } else {
        error
    }
}

fn set_read_deadline(socket: &TcpStream, deadline: Instant) -> io::Result<()> {
    check_deadline(deadline)?;
    // At least a millisecond: zero would mean no timeout.
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    socket.set_read_timeout(Some(left))
}

fn check_deadline(deadline: Instant) -> io::Result<()> {
    if Instant::now() >= deadline { Err(ErrorKind::TimedOut.into()) } else { Ok(()) }
}

/// Repeats a call that was interrupted. A socket with a timeout returns EINTR after the process was stopped or frozen and
/// continued, without any signal handler (signal(7)).
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

/// Receives TLS records; an error in them is answered with an alert.
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
