//! One connection, plain or by TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use rustls::ClientConnection;

use super::connect::{SLICE, connect};
use super::trust::Trust;
use super::{Address, ClientError};

/// For the handshake, for a write, for the head of the answer, and for a document.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a server.
pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

/// TLS over a socket.
pub(super) struct TlsStream {
    session: ClientConnection,
    tcp: TcpStream,
}

impl Connection {
    /// Connects; with TLS where there is `trust`, and then makes sure that the server is one that is trusted.
    ///
    /// # Errors
    /// When there is no such connection, or it `is_wanted` no more.
    pub(super) fn open(
        address: &Address,
        trust: Option<&Trust>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, ClientError> {
        let tcp = connect(address, is_wanted)?;
        tcp.set_nodelay(true).and_then(|()| tcp.set_read_timeout(Some(SLICE))).map_err(ClientError::Io)?;
        tcp.set_write_timeout(Some(TIMEOUT)).map_err(ClientError::Io)?;
        let Some(trust) = trust else { return Ok(Self::Plain(tcp)) };
        let name = trust.server_name(&address.host)?;
        let session = ClientConnection::new(Arc::clone(trust.config()), name)
            .map_err(|error| ClientError::Tls(io::Error::other(error)))?;
        let mut stream = Box::new(TlsStream { session, tcp });
        let end = Instant::now() + TIMEOUT;
        while stream.session.is_handshaking() || stream.session.wants_write() {
            match stream.step() {
                _ if !is_wanted() => return Err(ClientError::Stopped),
                Err(error) if !is_waiting(&error) => return Err(trust.refused(error)),
                _ if Instant::now() >= end => return Err(ClientError::Stalled),
                _ => {}
            }
        }
        Ok(Self::Tls(stream))
    }

    /// What has come; nothing at the connection's end. An error for which [`is_waiting`] holds while nothing has.
    pub(super) fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(chunk),
            Self::Tls(stream) => stream.read(chunk),
        }
    }

    /// Whether something has come that was not read yet: of TLS, perhaps less than a record.
    pub(super) fn has_more(&self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(stream) => &stream.tcp,
        };
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(tcp, &mut [0], flags).is_ok_and(|(count, _)| count > 0)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(stream) => rustls::Stream::new(&mut stream.session, &mut stream.tcp).write_all(bytes),
        }
    }
}

impl TlsStream {
    /// Goes on by one read or write of the socket, so that a server that drips bytes cannot keep us: rustls' own
    /// `complete_io` stays until a handshake or a record is whole.
    fn step(&mut self) -> io::Result<()> {
        if self.session.wants_write() {
            return self.session.write_tls(&mut self.tcp).map(drop);
        }
        if self.session.read_tls(&mut self.tcp)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let processed = self.session.process_new_packets();
        processed.map(drop).map_err(|error| {
            // Tells the server why; if that fails, the end of the connection says enough.
            let _ = self.session.write_tls(&mut self.tcp);
            io::Error::new(ErrorKind::InvalidData, error)
        })
    }

    /// What was sent, or [`ErrorKind::WouldBlock`] while that is not a whole record yet.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self.session.reader().read(chunk) {
            Err(error) if is_waiting(&error) => {}
            got => return got,
        }
        self.step()?;
        self.session.reader().read(chunk)
    }
}

/// Whether an error says that nothing has come yet.
pub(super) fn is_waiting(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
