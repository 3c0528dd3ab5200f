//! One connection to another Defender: the request, the answer's head, and its body as it comes.
//!
//! Requests are HTTP/1.0, whose answers are not chunked whatever proxy is in between.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::connect::{SLICE, connect};
use super::pin::Seen;
use super::{Address, RemoteError};
use crate::memory::{Account, Lease};

/// For the handshake, for the head of the answer, and for a document.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head read, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// Most that is read at a time, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// A buffer of this size is not made smaller.
const SMALL_BYTES: usize = 128 * 1024;

enum Socket {
    Plain(TcpStream),
    Tls(Box<Secure>),
}

struct Secure {
    connection: ClientConnection,
    tcp: TcpStream,
}

/// The body of a good answer.
pub struct Body<'a> {
    socket: Socket,
    /// Received and not yet read.
    ahead: Vec<u8>,
    /// Of the memory that `ahead` takes.
    lease: Lease,
    /// Its bytes, as the head says; `None`: all until the connection ends.
    length: Option<usize>,
    wanted: &'a dyn Fn() -> bool,
}

/// How to reach the other.
pub(super) struct Way<'a> {
    pub(super) address: &'a Address,
    pub(super) tls: &'a Arc<ClientConfig>,
    pub(super) seen: &'a Seen,
    pub(super) is_pinned: bool,
    pub(super) account: &'a Arc<Account>,
}

impl<'a> Body<'a> {
    /// Asks for `path`, signed in by `token`, for as long as it is `wanted`. The token is sent only to
    /// the certificate that is known.
    pub(super) fn get(
        way: &Way<'_>,
        path: &str,
        token: &str,
        wanted: &'a dyn Fn() -> bool,
    ) -> Result<Self, RemoteError> {
        let lease = way.account.lease(0).ok_or(RemoteError::NoMemory)?;
        let tcp = connect(way.address, wanted)?;
        tcp.set_nodelay(true).and_then(|()| tcp.set_read_timeout(Some(SLICE))).map_err(RemoteError::Io)?;
        tcp.set_write_timeout(Some(HEAD_TIMEOUT)).map_err(RemoteError::Io)?;
        let socket = if way.address.is_secure { handshake(way, tcp, wanted)? } else { Socket::Plain(tcp) };
        let mut body = Self { socket, ahead: Vec::new(), lease, length: None, wanted };
        let host = way.address.authority();
        // Nothing on the way may send chunks in answer to HTTP/1.0 (RFC 9112, section 6.1), as a proxy
        // before the other likes to do with a stream.
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        body.write(request.as_bytes()).map_err(RemoteError::Io)?;
        body.take_head()?;
        Ok(body)
    }

    /// The whole of a body that is at most `most` bytes long.
    pub(super) fn whole(mut self, most: usize) -> Result<Vec<u8>, RemoteError> {
        let end = Instant::now() + HEAD_TIMEOUT;
        loop {
            if self.ahead.len().max(self.length.unwrap_or(0)) > most {
                return Err(RemoteError::Garbled("a document too large"));
            }
            if let Some(length) = self.length.filter(|length| *length <= self.ahead.len()) {
                self.ahead.truncate(length);
                return Ok(self.ahead);
            }
            match self.fill(end) {
                Ok(()) => {}
                Err(RemoteError::Ended) if self.length.is_none() => return Ok(self.ahead),
                Err(error) => return Err(error),
            }
        }
    }

    /// What has come and was not taken yet.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes the first `count` bytes of what has come.
    pub(super) fn take(&mut self, count: usize) {
        self.ahead.drain(..count);
    }

    /// Makes room for `count` bytes ahead, and what may come behind them; false where there is no memory
    /// for them.
    pub(super) fn make_room(&mut self, count: usize) -> bool {
        let needed = count.saturating_add(CHUNK_BYTES);
        if needed <= self.ahead.capacity() {
            return true;
        }
        if !self.lease.resize(needed) {
            return false;
        }
        self.ahead.reserve_exact(needed - self.ahead.len());
        true
    }

    /// Gives up memory that `count` bytes ahead would hardly use.
    pub(super) fn shrink(&mut self, count: usize) {
        let enough = count.saturating_mul(2).max(SMALL_BYTES);
        if self.ahead.capacity() > enough.saturating_mul(2) {
            self.ahead.shrink_to(enough);
            self.lease.resize(self.ahead.capacity());
        }
    }

    /// Reads `count` bytes and keeps none of them.
    pub(super) fn skip(&mut self, count: usize, end: Instant) -> Result<(), RemoteError> {
        let mut left = count;
        loop {
            let now = left.min(self.ahead.len());
            self.take(now);
            left -= now;
            if left == 0 {
                return Ok(());
            }
            self.fill(end)?;
        }
    }

    /// Waits for more, until `end` at most.
    pub(super) fn fill(&mut self, end: Instant) -> Result<(), RemoteError> {
        let mut chunk = [0; CHUNK_BYTES];
        if self.ahead.capacity() - self.ahead.len() < CHUNK_BYTES && !self.make_room(self.ahead.len() * 2) {
            return Err(RemoteError::NoMemory);
        }
        loop {
            if !(self.wanted)() {
                return Err(RemoteError::Stopped);
            }
            let got = match &mut self.socket {
                Socket::Plain(socket) => socket.read(&mut chunk),
                Socket::Tls(socket) => socket.read(&mut chunk),
            };
            match got {
                Ok(0) => return Err(RemoteError::Ended),
                _ if Instant::now() >= end => return Err(RemoteError::Stalled),
                Ok(got) => {
                    self.ahead.extend_from_slice(&chunk[..got]);
                    return Ok(());
                }
                Err(error) if is_waiting(&error) => {}
                // An end without close_notify: lengths are counted where it matters.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(RemoteError::Ended),
                Err(error) => return Err(RemoteError::Io(error)),
            }
        }
    }

    fn take_head(&mut self) -> Result<(), RemoteError> {
        let end = Instant::now() + HEAD_TIMEOUT;
        loop {
            let mut storage = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut storage);
            match head.parse(&self.ahead) {
                Ok(httparse::Status::Complete(length)) => {
                    good(head.code.unwrap_or(0))?;
                    self.length = body_length(head.headers)?;
                    self.take(length);
                    return Ok(());
                }
                Ok(httparse::Status::Partial) if self.ahead.len() < HEAD_BYTES => self.fill(end)?,
                _ => return Err(RemoteError::Garbled("the head of its answer")),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.write_all(bytes),
            Socket::Tls(socket) => {
                rustls::Stream::new(&mut socket.connection, &mut socket.tcp).write_all(bytes)
            }
        }
    }
}

impl Secure {
    /// Goes on by one read or write of the socket, so that who drips bytes cannot keep us: rustls' own
    /// `complete_io` stays until a handshake or a record is whole.
    fn step(&mut self) -> io::Result<()> {
        if self.connection.wants_write() {
            return self.connection.write_tls(&mut self.tcp).map(drop);
        }
        if self.connection.read_tls(&mut self.tcp)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let processed = self.connection.process_new_packets();
        processed.map(drop).map_err(|error| {
            // The other should hear why; if it does not, the end of the connection says enough.
            let _ = self.connection.write_tls(&mut self.tcp);
            io::Error::new(ErrorKind::InvalidData, error)
        })
    }

    /// What was sent, or [`ErrorKind::WouldBlock`] while that is not a whole record yet.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self.connection.reader().read(chunk) {
            Err(error) if is_waiting(&error) => {}
            got => return got,
        }
        self.step()?;
        self.connection.reader().read(chunk)
    }
}

fn good(status: u16) -> Result<(), RemoteError> {
    match status {
        200 => Ok(()),
        401 => Err(RemoteError::SignedOut),
        403 => Err(RemoteError::NotAllowed),
        404 => Err(RemoteError::Missing),
        other => Err(RemoteError::Status(other)),
    }
}

/// What the head says of the body's length.
fn body_length(fields: &[httparse::Header<'_>]) -> Result<Option<usize>, RemoteError> {
    let field = |name: &str| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    if field("Transfer-Encoding").is_some() {
        return Err(RemoteError::Garbled("an answer in chunks"));
    }
    let Some(field) = field("Content-Length") else { return Ok(None) };
    let length = str::from_utf8(field.value).ok().and_then(|digits| digits.trim().parse().ok());
    length.map(Some).ok_or(RemoteError::Garbled("the head of its answer"))
}

fn handshake(way: &Way<'_>, tcp: TcpStream, wanted: &dyn Fn() -> bool) -> Result<Socket, RemoteError> {
    let tls = |error: &dyn std::fmt::Display| RemoteError::Tls(error.to_string());
    // Only the certificate says who it is; a name that cannot be one is left out.
    let name = ServerName::try_from(way.address.host.clone())
        .or_else(|_| ServerName::try_from("defender".to_owned()))
        .map_err(|error| tls(&error))?;
    let connection = ClientConnection::new(Arc::clone(way.tls), name).map_err(|error| tls(&error))?;
    let mut socket = Box::new(Secure { connection, tcp });
    let end = Instant::now() + HEAD_TIMEOUT;
    while socket.connection.is_handshaking() || socket.connection.wants_write() {
        match socket.step() {
            _ if !wanted() => return Err(RemoteError::Stopped),
            Err(error) if !is_waiting(&error) => return Err(refused(way, &error)),
            _ if Instant::now() >= end => return Err(RemoteError::Stalled),
            _ => {}
        }
    }
    Ok(Socket::Tls(socket))
}

fn refused(way: &Way<'_>, error: &io::Error) -> RemoteError {
    let is_verdict =
        error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some_and(|inner| {
            use rustls::CertificateError::ApplicationVerificationFailure;
            *inner == rustls::Error::InvalidCertificate(ApplicationVerificationFailure)
        });
    match way.seen.key() {
        Some(seen) if is_verdict && way.is_pinned => RemoteError::Changed(seen),
        Some(seen) if is_verdict => RemoteError::NotTrusted(seen),
        _ => RemoteError::Tls(error.to_string()),
    }
}

fn is_waiting(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
