//! Accepts connections and serves each on a thread of its own, within the limits, until a stop ends them.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use log::{debug, error, warn};

use super::admission::{Admission, Close};
use super::client::Caller;
use super::connection::{self, Context};

use super::reply;
use crate::base::lock;
use crate::hub::Stop;

/// Stack of a connection's thread: several times what a TLS handshake or the write of a frame needs.
const STACK_BYTES: usize = 256 * 1024;

/// Pause after a failed accept, which usually means that there are no free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the connections of one listening socket share.
pub(super) struct Acceptor {
    context: Context,
    admission: Admission,
    sockets: Sockets,
    stop: Stop,
}

impl Acceptor {
    pub(super) fn new(context: Context) -> Self {
        let admission = Admission::new(&context.limits);
        Self { context, admission, sockets: Sockets::default(), stop: Stop::new() }
    }

    /// The count of connections.
    pub(super) fn admission(&self) -> Admission {
        self.admission.clone()
    }

    /// Accepts at a listening socket and serves until [`Acceptor::close`]; returns when every connection's
    /// thread is done. `accept` returns `None` for a client that it rejects.
    pub(super) fn serve(&self, accept: impl Fn() -> io::Result<Option<(TcpStream, Caller)>>) {
        thread::scope(|scope| {
            while !self.stop.is_requested() {
                match accept() {
                    Ok(Some((socket, caller))) => self.serve_client(scope, socket, caller),
                    Ok(None) => {}
                    Err(_) if self.stop.is_requested() => {}
                    // The client left before it was accepted.
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

    /// Stops accepting at `listener` and ends every connection, also those that come later.
    pub(super) fn close(&self, listener: impl AsFd) {
        self.stop.request();
        // On Linux, shutting down a listening socket makes a blocked accept return (shutdown(2)).
        let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        self.sockets.shut_all();
    }

    /// Serves a client on a thread of its own, or rejects it at a limit.
    fn serve_client<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        socket: TcpStream,
        caller: Caller,
    ) {
        let peer = caller.address();
        let socket = Arc::new(socket);
        // Weak: a request that goes on after the connection does not keep its socket open.
        let evicted = Arc::downgrade(&socket);
        let close: Close = Arc::new(move || {
            debug!("{peer}: closed to make room for another connection");
            if let Some(evicted) = evicted.upgrade() {
                // This does not block: it only marks the socket and wakes its thread.
                let _ = evicted.shutdown(Shutdown::Both);
            }
        });
        let permit = match self.admission.admit(peer.ip(), close) {
            Ok(permit) => Arc::new(permit),
            Err(which) => {
                debug!("{peer}: rejected, {which:?} limit of connections reached");
                return self.reject(&socket);
            }
        };
        let entry = self.sockets.enter(Arc::clone(&socket));
        let spawned = thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || {
                let _held = &entry;
                let served = panic::catch_unwind(AssertUnwindSafe(|| {
                    connection::serve(&self.context, socket, caller, &permit)
                }));
                if served.is_err() {
                    // The panic itself was logged; other connections continue.
                    error!("{peer}: connection dropped after an internal error");
                }
            });
        if let Err(error) = spawned {
            warn!("{peer}: cannot start a thread for the connection: {error}");
        }
    }

    /// Answers 503 on a plain connection. A TLS connection is just closed: the answer would cost the
    /// handshake that the limit is there to save.
    fn reject(&self, mut socket: &TcpStream) {
        if self.context.tls.is_none() && socket.set_nonblocking(true).is_ok() {
            let _ = socket.write_all(&reply::refusal(503, "too many connections"));
            let _ = socket.shutdown(Shutdown::Write);
            let _ = io::Read::read(&mut socket, &mut [0; 4096]);
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

/// A socket's entry in the list; removed when this is dropped.
struct SocketEntry {
    open: Arc<Mutex<OpenSockets>>,
    number: u32,
}

impl Sockets {
    fn enter(&self, socket: Arc<TcpStream>) -> SocketEntry {
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
        SocketEntry { open: Arc::clone(&self.open), number }
    }

    fn shut_all(&self) {
        let mut open = lock(&self.open);
        open.closing = true;
        for socket in open.by_number.values() {
            // This does not block: it only marks the socket and wakes its thread.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for SocketEntry {
    fn drop(&mut self) {
        lock(&self.open).by_number.remove(&self.number);
    }
}
