//! Passes requests from a connection to the HTTP layer: one [`PendingRequest`] for each request that is being
//! answered.
//!
//! A connection registers a pending request, sends the head with its id to the HTTP layer over the [`Channel`],
//! and reads the reply. The HTTP layer claims the request by its id, which works once. A reply of bytes comes
//! back over the channel. To take over the client's connection itself, the handler leaves a job in the pending
//! request and ends its reply without a byte.
//!
//! Both sides authenticate each other: the gate asks the kernel for the owner of the socket
//! ([`Channel::connect`]), and the HTTP layer checks the id, 128 random bits that only the two of them know. It
//! cannot ask the kernel as well, because the library does not expose its socket.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::admission::Permit;
use super::channel::Channel;
use super::client::{Caller, Client, Presence};
use crate::base::{hex, lock};
use crate::memory::{Account, Lease};

/// Bodies up to this size are not counted against the memory budget, in bytes.
const SMALL_BODY_BYTES: usize = 4096;

/// Work of a handler that runs on the connection's own thread, with the client itself.
pub type Job = Box<dyn FnOnce(&mut Client) -> io::Result<After> + Send>;

/// What happens to the connection after a [`Job`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It can carry another request.
    KeepAlive,
    /// It ends.
    Close,
}

/// One request that the HTTP layer answers. It holds the connection's slot, also after the connection has ended: so the
/// limits on connections are limits on requests as well.
pub struct PendingRequest {
    caller: Caller,
    secure: bool,
    keep_alive: bool,
    /// Whether the gate still waits for the reply.
    is_open: AtomicBool,
    /// `None` in tests of handlers.
    held: Option<(Arc<Permit>, Presence)>,
    job: Mutex<Option<Job>>,
}

impl PendingRequest {
    /// The client's real address.
    pub fn peer(&self) -> SocketAddr {
        self.caller.address()
    }

    /// The user id of a client of the local socket; `None` for clients of the network.
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

    /// Marks the request as signed in, so that the gate does not evict its connection for strangers.
    pub fn mark_signed_in(&self) {
        if let Some((permit, _)) = &self.held {
            permit.slot().mark_signed_in();
        }
    }

    /// Whether anybody still waits for the answer: the client has not closed its side and was not evicted, and the gate
    /// has not given up. It does not block. Whoever lets a request wait asks it a few times a second.
    pub fn is_wanted(&self) -> bool {
        let is_there =
            |(permit, presence): &(Arc<Permit>, Presence)| !permit.slot().is_evicted() && !presence.is_gone();
        // Relaxed: it is seen some time later.
        self.is_open.load(Ordering::Relaxed) && self.held.as_ref().is_none_or(is_there)
    }

    /// Has the connection's thread run `job` on the client after the reply ends without a byte.
    pub fn hand_over(&self, job: Job) {
        *lock(&self.job) = Some(job);
    }

    pub(super) fn take_job(&self) -> Option<Job> {
        lock(&self.job).take()
    }

    /// A pending request without a connection, for tests of handlers.
    #[cfg(test)]
    pub fn of(peer: SocketAddr, secure: bool) -> Self {
        let (caller, is_open) = (Caller::Remote(peer), AtomicBool::new(true));
        Self { caller, secure, keep_alive: true, is_open, held: None, job: Mutex::new(None) }
    }
}

/// All pending requests, the channel to the HTTP layer, and the memory budget of their bodies.
pub struct PendingRequests {
    live: Mutex<HashMap<String, Arc<PendingRequest>>>,
    channel: Channel,
    loop_check: Mutex<Option<LoopCheck>>,
    bodies: Arc<Account>,
}

/// Makes the HTTP layer check whether its accept loop still runs. It must not block.
type LoopCheck = Arc<dyn Fn() + Send + Sync>;

/// The gate's registration of a pending request; dropping it invalidates the id.
pub(super) struct OpenRequest<'a> {
    pending: &'a PendingRequests,
    pub(super) id: String,
    pub(super) request: Arc<PendingRequest>,
}

impl PendingRequests {
    /// Without any pending request. Bodies are counted against `bodies`.
    pub fn new(channel: Channel, bodies: Arc<Account>) -> Self {
        Self { live: Mutex::default(), channel, loop_check: Mutex::default(), bodies }
    }

    /// Reserves memory for a body of `bytes` and a copy of it; `None` if there is none left. Small bodies are not
    /// counted, so that large ones of strangers keep nobody from signing in; the limits on connections bound
    /// their number.
    pub(super) fn lease_body(&self, bytes: usize) -> Option<Lease> {
        let counted = if bytes > SMALL_BODY_BYTES { bytes } else { 0 };
        self.bodies.lease(counted.saturating_mul(2))
    }

    /// The channel to the HTTP layer.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sets what is called while a connection waits for a reply: the library's accept loop can end without
    /// reporting it.
    pub fn set_loop_check(&self, check: impl Fn() + Send + Sync + 'static) {
        *lock(&self.loop_check) = Some(Arc::new(check));
    }

    /// Removes the check; no connection waits for a reply any more.
    pub fn clear_loop_check(&self) {
        *lock(&self.loop_check) = None;
    }

    /// Claims the pending request of an id, as the HTTP layer does for each request. It works once.
    pub fn claim(&self, id: &str) -> Option<Arc<PendingRequest>> {
        lock(&self.live).remove(id)
    }

    /// Calls the check, because a reply is late.
    pub(super) fn check_accept_loop(&self) {
        let check = lock(&self.loop_check).clone();
        if let Some(check) = check {
            check();
        }
    }

    /// Registers a request under a fresh random id of 128 bits.
    pub(super) fn open(
        &self,
        client: &Client,
        keep_alive: bool,
        permit: &Arc<Permit>,
    ) -> io::Result<OpenRequest<'_>> {
        let id = hex::random_id()?;
        let request = Arc::new(PendingRequest {
            caller: client.caller(),
            secure: client.is_secure(),
            keep_alive,
            is_open: AtomicBool::new(true),
            held: Some((Arc::clone(permit), client.presence())),
            job: Mutex::default(),
        });
        lock(&self.live).insert(id.clone(), Arc::clone(&request));
        Ok(OpenRequest { pending: self, id, request })
    }
}

impl OpenRequest<'_> {
    /// Whether the HTTP layer has not claimed the request.
    pub(super) fn is_unclaimed(&self) -> bool {
        lock(&self.pending.live).contains_key(&self.id)
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        // Relaxed: who sees it later works a little longer in vain; nothing is published by it.
        self.request.is_open.store(false, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::admission::{Admission, Permit};
    use super::super::limits::Limits;
    use super::*;
    use crate::memory::Memory;

    /// Without any pending request, and with 64 KiB for bodies.
    fn pending() -> PendingRequests {
        let channel = Channel::open(&std::env::temp_dir()).unwrap();
        PendingRequests::new(channel, Arc::clone(Memory::new(512 * 1024).for_bodies()))
    }

    /// A connection over loopback of a client that looks like `caller`; its other end; and its slot, the only one
    /// of `admission`.
    fn connection(caller: Option<Caller>) -> (Client, TcpStream, Admission, Arc<Permit>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let limits = Limits { connections: 1, ..Limits::default() };
        let client = Client::new(Arc::new(socket), caller.unwrap_or(Caller::Remote(peer)), &limits).unwrap();
        let admission = Admission::new(&limits);
        let permit = admission.admit(peer.ip(), Arc::new(|| {})).unwrap();
        (client, other, admission, Arc::new(permit))
    }

    #[test]
    fn an_id_works_once_and_while_the_request_is_pending() {
        let pending = pending();
        let (client, _other, admission, permit) = connection(None);
        let open = pending.open(&client, true, &permit).unwrap();
        assert!(pending.claim("another id").is_none() && open.is_unclaimed());
        let claimed = pending.claim(&open.id).unwrap();
        assert!(pending.claim(&open.id).is_none() && !open.is_unclaimed());
        assert_eq!((claimed.peer(), claimed.local_uid()), (client.peer(), None));
        assert!(claimed.keeps_alive() && !claimed.is_secure());
        claimed.hand_over(Box::new(|_| Ok(After::Close)));
        assert!(open.request.take_job().is_some() && open.request.take_job().is_none());
        claimed.mark_signed_in();
        assert!(admission.admit([10, 0, 0, 1].into(), Arc::new(|| {})).is_err(), "the user keeps the slot");
        let second = pending.open(&client, false, &permit).unwrap();
        let id = second.id.clone();
        assert!(!second.request.keeps_alive() && id != open.id);
        drop(second);
        assert!(pending.claim(&id).is_none(), "the connection does not wait for it any more");
    }

    #[test]
    fn nobody_waits_once_the_connection_or_the_gate_has_ended() {
        type End = fn(TcpStream, &Admission, OpenRequest<'_>, Client);
        let ways: [(&str, End); 4] = [
            ("the client closes", |other, _, open, client| drop((other, open.id.len(), client.peer()))),
            ("it is evicted", |_, admission, open, _| {
                let _admitted = admission.admit([10, 0, 0, 1].into(), Arc::new(|| {})).unwrap();
                assert!(!open.request.is_wanted());
            }),
            ("the gate gives up", |_, _, open, _| drop(open)),
            ("the connection ends", |_, _, _, client| drop(client)),
        ];
        for (way, end) in ways {
            let pending = pending();
            let (client, other, admission, permit) = connection(None);
            let open = pending.open(&client, true, &permit).unwrap();
            let claimed = pending.claim(&open.id).unwrap();
            drop(permit);
            assert!(claimed.is_wanted(), "{way}");
            end(other, &admission, open, client);
            assert!(!claimed.is_wanted(), "{way}");
        }
    }

    #[test]
    fn a_request_holds_the_slot_of_its_connection() {
        let pending = pending();
        let (client, _other, admission, permit) = connection(None);
        let open = pending.open(&client, true, &permit).unwrap();
        let claimed = pending.claim(&open.id).unwrap();
        // The connection has ended, and its request goes on.
        drop((open, client, permit));
        assert_eq!(admission.connections(), 1);
        drop(claimed);
        assert_eq!(admission.connections(), 0);
    }

    #[test]
    fn a_client_of_the_local_socket_has_a_user() {
        let (client, _other, _admission, permit) = connection(Some(Caller::Local { uid: 1234 }));
        let pending = pending();
        assert_eq!(pending.open(&client, true, &permit).unwrap().request.local_uid(), Some(1234));
    }

    #[test]
    fn large_bodies_are_counted_twice_and_small_ones_not() {
        let pending = pending();
        let small: Vec<_> = (0..1000).map(|_| pending.lease_body(SMALL_BODY_BYTES)).collect();
        assert!(small.iter().all(Option::is_some));
        // 128 KiB are for requests, of which bodies leave as much free as they use.
        assert!(pending.lease_body(32 * 1024 + 1).is_none());
        let _large = pending.lease_body(32 * 1024).unwrap();
        assert!(pending.lease_body(SMALL_BODY_BYTES + 1).is_none());
        assert!(pending.lease_body(SMALL_BODY_BYTES).is_some());
    }

    #[test]
    fn the_loop_check_is_called_until_it_is_cleared() {
        let (pending, calls) = (pending(), Arc::new(AtomicU32::new(0)));
        pending.check_accept_loop();
        let counted = Arc::clone(&calls);
        pending.set_loop_check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        pending.check_accept_loop();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        pending.clear_loop_check();
        pending.check_accept_loop();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
