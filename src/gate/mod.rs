//! The gate: the one public socket.
//!
//! What belongs here: accepting under caps, TLS, reading one bounded and strictly checked request
//! head, lending it to the HTTP room as one exchange, and lending the client to a job that a
//! handler left. What must not: routes, users, pictures. The gate knows nothing of [`crate::http`].
//!
//! Invariant: nothing a client sends reaches tiny_http but a head written anew by
//! `RequestHead::canonical` and a body whose length was counted.

mod certificate;
mod client;
mod connection;
mod exchange;
pub(crate) mod head;
mod limits;
mod reply;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::{debug, error, warn};

pub use certificate::{CertificateError, Certificates};
pub use client::Client;
pub use exchange::{After, Exchange, Exchanges, Job};
pub use head::EXCHANGE_HEADER;
pub use limits::{Admission, Limits};
pub use reply::connection_field;

use crate::hub::Stop;
use connection::Context;

/// Stack of a connection's thread: a TLS handshake and a frame's write fit several times over.
const STACK_BYTES: usize = 256 * 1024;

/// Pause after a failed accept: out of descriptors is not mended by trying harder.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening socket and everything its connections share.
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
    context: Context,
    admission: Admission,
    sockets: Sockets,
    stop: Stop,
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
        TcpListener::bind(address).map_err(|error| GateError::Bind(address, error))
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
            admission: Admission::new(&limits),
            context: Context { limits, tls, exchanges },
            sockets: Sockets::default(),
            stop: Stop::new(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The count of connections, for the status page.
    pub fn admission(&self) -> Admission {
        self.admission.clone()
    }

    /// Accepts and serves until [`Gate::stop`]; returns when every connection's thread is done.
    pub fn run(&self) {
        thread::scope(|scope| {
            while !self.stop.is_requested() {
                match self.listener.accept() {
                    Ok((socket, peer)) => self.welcome(scope, socket, peer),
                    Err(_) if self.stop.is_requested() => {}
                    // The client left while it waited; the next one may be fine.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        warn!("cannot accept a connection: {error}");
                        self.stop.sleep(ACCEPT_PAUSE);
                    }
                }
            }
            self.sockets.shut_all();
        });
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        self.stop.request();
        // Shutting a listening socket makes the pending accept return (Linux, shutdown(2)).
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        self.sockets.shut_all();
    }

    fn welcome<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        socket: TcpStream,
        peer: SocketAddr,
    ) {
        let permit = match self.admission.admit(peer.ip()) {
            Ok(permit) => permit,
            Err(which) => {
                debug!("{peer}: turned away, {which:?} limit of connections reached");
                return self.turn_away(socket);
            }
        };
        let socket = Arc::new(socket);
        let entry = self.sockets.enter(Arc::clone(&socket));
        let spawned = thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || {
                let _held = (permit, entry);
                let served =
                    panic::catch_unwind(AssertUnwindSafe(|| connection::serve(&self.context, socket, peer)));
                if served.is_err() {
                    // The panic itself was logged where it happened; other connections go on.
                    error!("{peer}: connection dropped by a fault in Defender");
                }
            });
        if let Err(error) = spawned {
            warn!("{peer}: no thread for the connection: {error}");
        }
    }

    /// Says 503 where that can be said at once (in the clear); under TLS it would cost the
    /// handshake that the cap is there to save, so the socket is closed.
    fn turn_away(&self, socket: TcpStream) {
        if self.context.tls.is_none() && socket.set_nonblocking(true).is_ok() {
            let _ = (&socket).write_all(&reply::refusal(503, "too many connections"));
            let _ = socket.shutdown(Shutdown::Write);
            let _ = io::Read::read(&mut &socket, &mut [0; 4096]);
        }
    }
}

/// The open sockets, so that a stop can end them.
#[derive(Default)]
struct Sockets {
    open: Arc<Mutex<OpenSockets>>,
}

#[derive(Default)]
struct OpenSockets {
    next: u32,
    closing: bool,
    by_number: HashMap<u32, Arc<TcpStream>>,
}

/// A socket's place in the list; leaves it when dropped.
struct Entry {
    open: Arc<Mutex<OpenSockets>>,
    number: u32,
}

impl Sockets {
    fn enter(&self, socket: Arc<TcpStream>) -> Entry {
        let mut open = lock(&self.open);
        while open.by_number.contains_key(&open.next) {
            open.next = open.next.wrapping_add(1);
        }
        let number = open.next;
        open.next = number.wrapping_add(1);
        if open.closing {
            let _ = socket.shutdown(Shutdown::Both);
        }
        open.by_number.insert(number, socket);
        Entry { open: Arc::clone(&self.open), number }
    }

    fn shut_all(&self) {
        let mut open = lock(&self.open);
        open.closing = true;
        for socket in open.by_number.values() {
            // Not I/O that waits: it only marks the socket and wakes its thread.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.open).by_number.remove(&self.number);
    }
}

fn lock(open: &Mutex<OpenSockets>) -> MutexGuard<'_, OpenSockets> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
