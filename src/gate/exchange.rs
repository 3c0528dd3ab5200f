//! The hand-over between a connection and the HTTP room: one live exchange for each request that
//! is being answered.
//!
//! A connection opens an exchange, sends the request with the exchange's id to the HTTP room over
//! loopback, and reads the reply. The HTTP room claims the exchange by its id, which works once.
//! A reply of bytes comes back over loopback; to take over the client's connection itself the
//! handler leaves a job in the exchange and ends its reply without a byte.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::Client;

/// What a handler wants done on the connection's own thread, with the client itself.
pub type Job = Box<dyn FnOnce(&mut Client) -> io::Result<After> + Send>;

/// What becomes of the connection after a [`Job`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It may carry another request.
    KeepAlive,
    /// It ends.
    Close,
}

/// One request on its way through the HTTP room.
pub struct Exchange {
    peer: SocketAddr,
    secure: bool,
    keep_alive: bool,
    job: Mutex<Option<Job>>,
}

impl Exchange {
    /// The client's true address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether TLS protects the client's connection.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the connection can be kept after a complete response.
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Asks the connection's thread to run `job` on the client once the reply ends without a byte.
    pub fn hand_over(&self, job: Job) {
        *lock(&self.job) = Some(job);
    }

    pub(super) fn take_job(&self) -> Option<Job> {
        lock(&self.job).take()
    }
}

/// All live exchanges, and the loopback port of the HTTP room.
#[derive(Default)]
pub struct Exchanges {
    live: Mutex<HashMap<String, Arc<Exchange>>>,
    /// 0 while the HTTP room is not there.
    backend_port: AtomicU32,
}

/// The gate's hold on a live exchange; the id dies with it.
pub(super) struct OpenExchange<'a> {
    exchanges: &'a Exchanges,
    pub(super) id: String,
    pub(super) exchange: Arc<Exchange>,
}

impl Exchanges {
    /// No exchange is live, no HTTP room known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the gate where the HTTP room listens on 127.0.0.1.
    pub fn set_backend_port(&self, port: u16) {
        // Relaxed: the port is the whole message.
        self.backend_port.store(u32::from(port), Ordering::Relaxed);
    }

    /// Claims the exchange of an id, as the HTTP room does for each request. It works once.
    pub fn claim(&self, id: &str) -> Option<Arc<Exchange>> {
        lock(&self.live).remove(id)
    }

    pub(super) fn backend_port(&self) -> Option<u16> {
        u16::try_from(self.backend_port.load(Ordering::Relaxed)).ok().filter(|port| *port != 0)
    }

    /// Opens an exchange under a fresh random id of 128 bits.
    pub(super) fn open(&self, client: &Client, keep_alive: bool) -> io::Result<OpenExchange<'_>> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let (peer, secure) = (client.peer(), client.is_secure());
        let exchange = Arc::new(Exchange { peer, secure, keep_alive, job: Mutex::default() });
        lock(&self.live).insert(id.clone(), Arc::clone(&exchange));
        Ok(OpenExchange { exchanges: self, id, exchange })
    }
}

impl Drop for OpenExchange<'_> {
    fn drop(&mut self) {
        lock(&self.exchanges.live).remove(&self.id);
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("peer", &self.peer)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

/// Held for single map operations only; none of them can leave the map torn.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
