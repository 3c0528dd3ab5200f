//! The gate: the one public socket.
//!
//! What belongs here: accepting connections within limits, TLS, reading and checking one request head at a time,
//! passing it to the HTTP layer as a pending request, and running the job that a handler left on the client's
//! connection. What must not: routes, users, pictures. The gate knows nothing of [`crate::http`].
//!
//! Invariant: of all that a client sends, only a head that `RequestHead::canonical` wrote and a body of counted
//! length reach tiny_http.
//!
//! tiny_http 0.12 has known flaws: request smuggling by Transfer-Encoding, CR and LF in header values, no limits
//! or timeouts, an accept loop that ends at the first error. Behind the gate it sees one request on each
//! connection, in ASCII, with a live random id and only those fields that handlers read. If its accept loop ends
//! or panics, the socket stays open: a waiting gate thread makes the HTTP server check whether the loop still
//! runs, and a new loop takes over the queue. A request that was lost before it was claimed is sent again.

mod acceptor;
mod admission;
mod certificate;
mod channel;
mod client;
mod connection;
mod error;
pub(crate) mod head;
mod limits;
mod listeners;
mod local;
mod pending;
mod reply;
mod send_buffer;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use admission::Admission;
pub use certificate::{CertificateError, CertificateFiles, Certificates, Inspection, TrustAnchor};
pub use channel::{AcceptLoop, Channel, ChannelError};
pub use client::Client;
pub use error::GateError;
#[cfg(test)]
pub use head::is_passed_on;
pub use head::{COOKIE_PREFIX, REQUEST_ID_HEADER};
pub use limits::{Limits, MAX_BODY_BYTES};
pub use listeners::Listeners;
pub use local::LocalGate;
pub use pending::{After, Job, PendingRequest, PendingRequests};
pub use reply::{connection_field, longest_reply};

use acceptor::Acceptor;
use client::Caller;
use connection::Context;
use tls::Tls;

/// The listening sockets and everything their connections share.
pub struct Gate {
    listeners: Listeners,
    acceptor: Acceptor,
}

impl Gate {
    /// Binds a port (0: the kernel chooses) of these addresses for a later gate. Clients that connect wait until
    /// the gate runs. `::` stands for every address of the machine, including those of IPv4.
    ///
    /// # Errors
    /// [`GateError::Bind`].
    pub fn listen(addresses: &[IpAddr], port: u16) -> Result<Listeners, GateError> {
        Listeners::bind(addresses, port)
    }

    /// A gate on bound listeners, with TLS if there are certificates.
    ///
    /// # Errors
    /// [`GateError::Tls`].
    pub fn new(
        listeners: Listeners,
        limits: Limits,
        certificates: Option<Arc<Certificates>>,
        pending: Arc<PendingRequests>,
    ) -> Result<Self, GateError> {
        let tls = certificates.map(Tls::new).transpose().map_err(GateError::Tls)?;
        Ok(Self { listeners, acceptor: Acceptor::new(Context { limits, tls, pending }) })
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.listeners.addresses()
    }

    /// The count of connections, for the status page.
    pub fn admission(&self) -> Admission {
        self.acceptor.admission()
    }

    /// Accepts and serves until [`Gate::stop`]; returns when every connection's thread has ended.
    pub fn run(&self) {
        self.acceptor.serve(|| {
            let accepted = self.listeners.accept()?;
            Ok(accepted.map(|(socket, peer)| (socket, Caller::Remote(peer))))
        });
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        for socket in self.listeners.sockets() {
            self.acceptor.close(socket);
        }
    }
}
