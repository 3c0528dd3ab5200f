//! The gate: the one public socket.
//!
//! What belongs here: accepting under caps, TLS, reading one bounded and strictly checked request
//! head, lending it to the HTTP room as one exchange, and lending the client to a job that a
//! handler left. What must not: routes, users, pictures. The gate knows nothing of [`crate::http`].
//!
//! Invariant: nothing a client sends reaches tiny_http but a head written anew by
//! `RequestHead::canonical` and a body whose length was counted.
//!
//! tiny_http 0.12 has known flaws: request smuggling by Transfer-Encoding, CR and LF in header values, no limits
//! or timeouts, an accept loop that ends at the first error. Behind the gate it sees one request on each
//! connection, in ASCII, with a live random id and only those fields that handlers read. If its accept loop ends
//! or panics, the socket stays open: a waiting gate thread makes the HTTP server look whether the loop still
//! runs, and a new loop takes over what waits. A request that was lost before it was claimed is offered again.

mod admission;
mod certificate;
mod channel;
mod client;
mod connection;
mod exchange;
mod hall;
pub(crate) mod head;
mod limits;
mod listeners;
mod local;
mod reply;
mod send_buffer;
mod tls;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use admission::{Admission, Tally};
pub use certificate::{CertificateError, CertificateFiles, Certificates, Inspection, TrustAnchor};
pub use channel::{AcceptLoop, Channel, ChannelError};
pub use client::Client;
pub use exchange::{After, Exchange, Exchanges, Job};
pub use head::{COOKIE_PREFIX, EXCHANGE_HEADER, is_passed_on};
pub use limits::Limits;
pub use listeners::Listeners;
pub use local::LocalGate;
pub use reply::connection_field;

use client::Caller;
use connection::Context;
use hall::Hall;
use tls::Tls;

/// The listening sockets and everything their connections share.
pub struct Gate {
    listeners: Listeners,
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
    /// Takes a port (0: the kernel chooses) of these addresses for a gate to be. Whoever connects waits until
    /// that runs. `::` stands for every address of the machine, also those of IPv4.
    ///
    /// # Errors
    /// [`GateError::Bind`].
    pub fn listen(addresses: &[IpAddr], port: u16) -> Result<Listeners, GateError> {
        Listeners::bind(addresses, port)
    }

    /// A gate on a port that was taken, with TLS when there are certificates.
    ///
    /// # Errors
    /// [`GateError::Tls`].
    pub fn new(
        listeners: Listeners,
        limits: Limits,
        certificates: Option<Arc<Certificates>>,
        exchanges: Arc<Exchanges>,
    ) -> Result<Self, GateError> {
        let tls = certificates.map(Tls::new).transpose().map_err(GateError::Tls)?;
        Ok(Self { listeners, hall: Hall::new(Context { limits, tls, exchanges }) })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.listeners.addresses()
    }

    /// The count of connections, for the status page.
    pub fn admission(&self) -> Admission {
        self.hall.admission()
    }

    /// Accepts and serves until [`Gate::stop`]; returns when every connection's thread is done.
    pub fn run(&self) {
        self.hall.serve(|| {
            let accepted = self.listeners.accept()?;
            Ok(accepted.map(|(socket, peer)| (socket, Caller::Remote(peer))))
        });
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        for socket in self.listeners.sockets() {
            self.hall.close(socket);
        }
    }
}
