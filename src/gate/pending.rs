//! The hand-over between a connection and the HTTP layer: one [`PendingRequest`] for
//! each request that is being answered.
//!
//! A connection registers a pending request, sends the head with its id to the HTTP layer over
//! the [`Channel`], and reads the reply. The HTTP layer claims it by its id, which works
//! once. A reply of bytes comes back over the channel; to take over the client's connection itself
//! the handler leaves a job in it and ends its reply without a byte.
//!
//! Both sides know each other: the gate by what the kernel says of the socket's owner
//! ([`Channel::connect`]), the HTTP layer by the id, 128 random bits that only the gate and it have
//! seen. The library does not show its socket to the HTTP layer, so that the kernel cannot be asked
//! there as well; and nobody else has a way to it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::admission::Slot;
use super::channel::Channel;
use super::client::{Caller, Client};
use crate::base::{hex, lock};
use crate::memory::{Account, Lease};

/// A body of this size or less is not counted, in bytes.
const SMALL_BODY_BYTES: usize = 4096;

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

/// One request on its way through the HTTP layer.
pub struct PendingRequest {
    caller: Caller,
    secure: bool,
    keep_alive: bool,
    /// `None` in tests of handlers.
    slot: Option<Slot>,
    job: Mutex<Option<Job>>,
}

impl PendingRequest {
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

    /// Tells the gate that a user makes this request, so that the connection is not closed to make
    /// room for strangers.
    pub fn mark_signed_in(&self) {
        if let Some(slot) = &self.slot {
            slot.mark_signed_in();
        }
    }

    /// Asks the connection's thread to run `job` on the client once the reply ends without a byte.
    pub fn hand_over(&self, job: Job) {
        *lock(&self.job) = Some(job);
    }

    pub(super) fn take_job(&self) -> Option<Job> {
        lock(&self.job).take()
    }

    /// A pending request without a connection, for the tests of handlers.
    #[cfg(test)]
    pub fn of(peer: SocketAddr, secure: bool) -> Self {
        let (caller, keep_alive) = (Caller::Remote(peer), true);
        Self { caller, secure, keep_alive, slot: None, job: Mutex::new(None) }
    }
}

/// All pending requests, the way to the HTTP layer, and the memory for their bodies.
pub struct PendingRequests {
    live: Mutex<HashMap<String, Arc<PendingRequest>>>,
    channel: Channel,
    loop_check: Mutex<Option<LoopCheck>>,
    bodies: Arc<Account>,
}

/// Makes the HTTP layer see whether its accept loop still runs; it must not wait for anything.
type LoopCheck = Arc<dyn Fn() + Send + Sync>;

/// The gate's registration of a pending request; dropping it invalidates the id.
pub(super) struct OpenRequest<'a> {
    pending: &'a PendingRequests,
    pub(super) id: String,
    pub(super) request: Arc<PendingRequest>,
}

impl PendingRequests {
    /// None is pending yet. Bodies of requests lie in memory of `bodies`.
    pub fn new(channel: Channel, bodies: Arc<Account>) -> Self {
        Self { live: Mutex::default(), channel, loop_check: Mutex::default(), bodies }
    }

    /// The right to hold a body of `bytes` and a copy of it; `None` where there is no room for them. A
    /// small one is not counted, so that large ones of strangers keep nobody from signing in: the limits
    /// on connections bound their number.
    pub(super) fn lease_body(&self, bytes: usize) -> Option<Lease> {
        let counted = if bytes > SMALL_BODY_BYTES { bytes } else { 0 };
        self.bodies.lease(counted.saturating_mul(2))
    }

    /// The way to the HTTP layer.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What to call while a reply is waited for: the library's accept loop can end without a word
    /// to its owner.
    pub fn set_loop_check(&self, check: impl Fn() + Send + Sync + 'static) {
        *lock(&self.loop_check) = Some(Arc::new(check));
    }

    /// Nobody waits for replies any more.
    pub fn clear_loop_check(&self) {
        *lock(&self.loop_check) = None;
    }

    /// Claims the pending request of an id, as the HTTP layer does for each request. It works once.
    pub fn claim(&self, id: &str) -> Option<Arc<PendingRequest>> {
        lock(&self.live).remove(id)
    }

    /// A reply does not come.
    pub(super) fn check_accept_loop(&self) {
        let check = lock(&self.loop_check).clone();
        if let Some(check) = check {
            check();
        }
    }

    /// Registers a request under a fresh random id of 128 bits.
    pub(super) fn open(&self, client: &Client, keep_alive: bool, slot: &Slot) -> io::Result<OpenRequest<'_>> {
        let id = hex::random_id()?;
        let (caller, secure, slot) = (client.caller(), client.is_secure(), Some(slot.clone()));
        let request = Arc::new(PendingRequest { caller, secure, keep_alive, slot, job: Mutex::default() });
        lock(&self.live).insert(id.clone(), Arc::clone(&request));
        Ok(OpenRequest { pending: self, id, request })
    }
}

impl OpenRequest<'_> {
    /// Whether the HTTP layer has not seen the request.
    pub(super) fn is_unclaimed(&self) -> bool {
        lock(&self.pending.live).contains_key(&self.id)
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        lock(&self.pending.live).remove(&self.id);
    }
}

impl fmt::Debug for PendingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("caller", &self.caller)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}
