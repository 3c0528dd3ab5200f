//! The gate: the one public socket.
//!
//! What belongs here: accepting under caps, TLS, reading one bounded and strictly checked request
//! head, lending it to the HTTP room as one exchange, and lending the client to a job that a
//! handler left. What must not: routes, users, pictures. The gate knows nothing of [`crate::http`].
//!
//! Invariant: nothing a client sends reaches tiny_http but a head written anew by
//! `RequestHead::canonical` and a body whose length was counted.

mod admission;
mod certificate;
mod channel;
mod client;
mod connection;
mod exchange;
mod hall;
pub(crate) mod head;
mod limits;
mod local;
mod reply;
mod send_buffer;
mod tls;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

pub use admission::{Admission, Tally};
pub use certificate::{CertificateError, Certificates};
pub use channel::{AcceptLoop, Channel, ChannelError};
pub use client::Client;
pub use exchange::{After, Exchange, Exchanges, Job};
pub use head::EXCHANGE_HEADER;
pub use limits::Limits;
pub use local::LocalGate;
pub use reply::connection_field;

use client::Caller;
use connection::Context;
use hall::Hall;

/// Connections that may wait to be accepted; the kernel's own bound is `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// The listening socket and everything its connections share.
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
    hall: Hall,
}

/// Why the gate cannot open.
#[derive(Debug)]
pub enum GateError {
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The socket does not say where it listens.
    Address(io::Error),
    /// TLS cannot be set up.
    Tls(rustls::Error),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => {
                write!(f, "cannot listen on {address}: {error}")?;
                match error.kind() {
                    ErrorKind::AddrInUse => {
                        write!(
                            f,
                            "; another program (or another defender) has port {}, choose another with -p",
                            address.port()
                        )
                    }
                    ErrorKind::PermissionDenied => {
                        write!(f, "; ports under 1024 need root, choose another with -p")
                    }
                    ErrorKind::AddrNotAvailable => write!(f, "; this machine has no such address"),
                    _ => Ok(()),
                }
            }
            Self::Address(error) => write!(f, "the listening socket has no address: {error}"),
            Self::Tls(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl Gate {
    /// Takes a port (0: the kernel chooses) for a gate to be. Whoever connects waits until that runs.
    ///
    /// # Errors
    /// [`GateError::Bind`].
    pub fn listen(address: SocketAddr) -> Result<TcpListener, GateError> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            // The standard library's queue is too short for a burst; listening again sets its length.
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(listener)
        });
        bound.map_err(|error| GateError::Bind(address, error))
    }

    /// A gate on a port that was taken, with TLS when there are certificates.
    ///
    /// # Errors
    /// [`GateError::Tls`], or [`GateError::Address`].
    pub fn new(
        listener: TcpListener,
        limits: Limits,
        certificates: Option<Arc<Certificates>>,
        exchanges: Arc<Exchanges>,
    ) -> Result<Self, GateError> {
        let tls = certificates.map(tls::server_config).transpose().map_err(GateError::Tls)?;
        Ok(Self {
            address: listener.local_addr().map_err(GateError::Address)?,
            listener,
            hall: Hall::new(Context { limits, tls, exchanges }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The count of connections, for the status page.
    pub fn admission(&self) -> Admission {
        self.hall.admission()
    }

    /// Accepts and serves until [`Gate::stop`]; returns when every connection's thread is done.
    pub fn run(&self) {
        self.hall.serve(|| self.listener.accept().map(|(socket, peer)| Some((socket, Caller::Remote(peer)))));
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        self.hall.close(&self.listener);
    }
}
