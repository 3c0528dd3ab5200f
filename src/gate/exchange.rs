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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{Caller, Client};
use crate::memory::{Account, Lease};

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
    caller: Caller,
    secure: bool,
    keep_alive: bool,
    job: Mutex<Option<Job>>,
}

impl Exchange {
    /// The client's true address.
    pub fn peer(&self) -> SocketAddr {
        self.caller.address()
    }

    /// The user a process of this machine runs as, who came by the local socket.
    pub fn local_uid(&self) -> Option<u32> {
        match self.caller {
            Caller::Local { uid } => Some(uid),
            Caller::Remote(_) => None,
        }
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

    /// An exchange without a connection, for the tests of handlers.
    #[cfg(test)]
    pub fn of(peer: SocketAddr, secure: bool) -> Self {
        Self { caller: Caller::Remote(peer), secure, keep_alive: true, job: Mutex::new(None) }
    }
}

/// All live exchanges, where the HTTP room is, and the memory for their bodies.
pub struct Exchanges {
    live: Mutex<HashMap<String, Arc<Exchange>>>,
    room: Mutex<Option<Room>>,
    arrived: Condvar,
    bodies: Arc<Account>,
}

/// The HTTP room as the gate knows it.
struct Room {
    /// On 127.0.0.1.
    port: u16,
    /// To be called when nobody answers there.
    lost: Box<dyn Fn() + Send + Sync>,
}

/// The gate's hold on a live exchange; the id dies with it.
pub(super) struct OpenExchange<'a> {
    exchanges: &'a Exchanges,
    pub(super) id: String,
    pub(super) exchange: Arc<Exchange>,
}

impl Exchanges {
    /// No exchange is live, no HTTP room known. Bodies of requests lie in memory of `bodies`.
    pub fn new(bodies: Arc<Account>) -> Self {
        Self { live: Mutex::default(), room: Mutex::default(), arrived: Condvar::new(), bodies }
    }

    /// The right to hold a body of `bytes` and a copy of it; `None` where there is no room for them.
    pub(super) fn lease_body(&self, bytes: usize) -> Option<Lease> {
        self.bodies.lease(bytes.saturating_mul(2))
    }

    /// Tells the gate that the HTTP room listens on `port` of 127.0.0.1, and whom to tell when it
    /// does not any more: tiny_http's listening thread can die without a word to its owner. `lost`
    /// must not wait for anything.
    pub fn set_room(&self, port: u16, lost: impl Fn() + Send + Sync + 'static) {
        *lock(&self.room) = Some(Room { port, lost: Box::new(lost) });
        self.arrived.notify_all();
    }

    /// Claims the exchange of an id, as the HTTP room does for each request. It works once.
    pub fn claim(&self, id: &str) -> Option<Arc<Exchange>> {
        lock(&self.live).remove(id)
    }

    /// Where the HTTP room listens, waited for while it starts, or starts again.
    pub(super) fn room_port(&self, timeout: Duration) -> Option<u16> {
        let missing = |room: &mut Option<Room>| room.is_none();
        let waited = self.arrived.wait_timeout_while(lock(&self.room), timeout, missing);
        let (room, _) = waited.unwrap_or_else(PoisonError::into_inner);
        room.as_ref().map(|room| room.port)
    }

    /// Nobody listens on `port`: the room is forgotten until it is set again.
    pub(super) fn report_lost(&self, port: u16) {
        let mut room = lock(&self.room);
        if let Some(lost) = room.take_if(|room| room.port == port) {
            (lost.lost)();
        }
    }

    /// Opens an exchange under a fresh random id of 128 bits.
    pub(super) fn open(&self, client: &Client, keep_alive: bool) -> io::Result<OpenExchange<'_>> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let (caller, secure) = (client.caller(), client.is_secure());
        let exchange = Arc::new(Exchange { caller, secure, keep_alive, job: Mutex::default() });
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
            .field("caller", &self.caller)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

/// Held for single operations only; none of them can leave what it guards torn.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
