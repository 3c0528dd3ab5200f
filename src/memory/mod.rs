//! The bound on what all large buffers of the server take together.
//!
//! What belongs here: counting bytes against limits, and how much memory the machine has. What must
//! not: the buffers themselves, and what happens to a request or frame for which there is no room.
//!
//! Each kind of buffer has a limit of its own elsewhere (a body, a frame, a reply); this is the limit
//! of their sum. Code that allocates a large buffer takes a [`Lease`] of its size first and keeps it as
//! long as the buffer.
//!
//! Three quarters are for pictures that come over a network or a socket, and for what it takes to change pictures and
//! to find motion in them; each device leaves as much free as it uses. One quarter is for replies, pieces of files and
//! request bodies; bodies come from strangers as well, so they leave as much free as they use. Clips and played footage may take hours to send, so they leave a quarter of that free. A body of
//! 4 KiB or less is not counted, so that a sign-in always fits. Frames of the board's own cameras are not counted, so
//! that they are never refused.

mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

pub use machine::installed_bytes;

/// Most bytes used where defender.conf names no limit.
const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The server's memory for buffers, in two parts, so that no device can take what requests need.
#[derive(Clone, Debug)]
pub struct Memory {
    devices: Arc<Pool>,
    requests: Arc<Account>,
    bodies: Arc<Account>,
    footage: Arc<Account>,
}

/// A limit and what is used of it.
#[derive(Debug)]
struct Pool {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    refused: AtomicU32,
}

/// One user of a pool. Its leases are counted together.
#[derive(Debug)]
pub struct Account {
    pool: Arc<Pool>,
    used_bytes: AtomicUsize,
    /// Whether it may never use more than it leaves free for others.
    is_shared: bool,
    /// Bytes of the pool that it always leaves free.
    reserve_bytes: usize,
}

/// A number of bytes that may be allocated; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    account: Arc<Account>,
    bytes: usize,
}

/// A part of the memory as the metrics show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Most bytes that may be leased.
    pub limit_bytes: usize,
    /// Bytes leased now.
    pub used_bytes: usize,
    /// Leases refused since the start; wraps.
    pub refused: u32,
}

impl Memory {
    /// Three quarters of `bytes` for pictures of devices, one quarter for requests and replies.
    pub fn new(bytes: usize) -> Self {
        let for_requests = bytes / 4;
        let requests = Arc::new(Pool::new(for_requests));
        Self {
            devices: Arc::new(Pool::new(bytes - for_requests)),
            bodies: Arc::new(Account::new(Arc::clone(&requests), true)),
            footage: Arc::new(Account {
                reserve_bytes: for_requests / 4,
                ..Account::new(Arc::clone(&requests), false)
            }),
            requests: Arc::new(Account::new(requests, false)),
        }
    }

    /// The memory for `configured_mb` MiB; 0: a quarter of the machine's memory, at most 64 MiB.
    pub fn configured(configured_mb: u32) -> Self {
        Self::new(limit_bytes(configured_mb, installed_bytes()))
    }

    /// An account for one device, for one other Defender, or for the detector. However much is sent to it, it leaves as
    /// much free for others as it uses itself.
    pub fn for_device(&self) -> Arc<Account> {
        Arc::new(Account::new(Arc::clone(&self.devices), true))
    }

    /// The account of replies.
    pub fn for_requests(&self) -> &Arc<Account> {
        &self.requests
    }

    /// The account of request bodies, which come before it is known who sends them. They leave as much
    /// free for replies as they use themselves.
    pub fn for_bodies(&self) -> &Arc<Account> {
        &self.bodies
    }

    /// The account of clips and of footage that is played. A client may take hours for one; a quarter stays free for
    /// all other replies.
    pub fn for_footage(&self) -> &Arc<Account> {
        &self.footage
    }

    /// What is used by pictures of devices, which the metrics call `relays`, and by requests.
    pub fn usage(&self) -> [(&'static str, Usage); 2] {
        [("relays", self.devices.usage()), ("requests", self.requests.pool.usage())]
    }
}

/// The limit in bytes for `configured_mb` MiB on a machine with `installed` bytes, where that is known.
pub fn limit_bytes(configured_mb: u32, installed: Option<u64>) -> usize {
    if configured_mb > 0 {
        return usize::try_from(u64::from(configured_mb) << 20).unwrap_or(usize::MAX);
    }
    let quarter = installed.map_or(u64::MAX, |bytes| bytes / 4);
    usize::try_from(quarter).unwrap_or(usize::MAX).min(DEFAULT_MAX_BYTES)
}

impl Pool {
    fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, used_bytes: AtomicUsize::new(0), refused: AtomicU32::new(0) }
    }

    fn usage(&self) -> Usage {
        Usage {
            limit_bytes: self.limit_bytes,
            used_bytes: self.used_bytes.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

impl Account {
    fn new(pool: Arc<Pool>, is_shared: bool) -> Self {
        Self { pool, used_bytes: AtomicUsize::new(0), is_shared, reserve_bytes: 0 }
    }

    /// An account without a limit, for programs that are no server and for tests.
    pub fn unlimited() -> Arc<Self> {
        Arc::new(Self::new(Arc::new(Pool::new(usize::MAX)), false))
    }

    /// The right to allocate `bytes`; `None` where there is no room for them. A lease of no bytes is always given.
    pub fn lease(self: &Arc<Self>, bytes: usize) -> Option<Lease> {
        self.take(bytes).then(|| Lease { account: Arc::clone(self), bytes })
    }

    // Relaxed throughout: the counts guard no data, only sums.
    fn take(&self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let own = self.used_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let pool = &self.pool;
        let taken = pool.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let used = used.checked_add(bytes)?;
            let free = pool.limit_bytes.checked_sub(used)?;
            let is_left = self.reserve_bytes <= free && (!self.is_shared || own <= free);
            is_left.then_some(used)
        });
        if taken.is_err() {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            pool.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.pool.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Lease {
    /// The account that it is of.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Makes it a lease of `bytes`; false, and no change, where there is no room for more. One that
    /// becomes smaller always does.
    pub fn resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            if !self.account.take(bytes - self.bytes) {
                return false;
            }
        } else {
            self.account.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_lease_is_bounded_and_returned_when_it_ends() {
        let memory = Memory::new(4 * MIB);
        let requests = memory.for_requests();
        let mut held = requests.lease(MIB / 2).unwrap();
        assert!(held.resize(MIB) && !held.resize(MIB + 1));
        assert!(requests.lease(1).is_none());
        assert!(held.resize(MIB / 2));
        assert!(requests.lease(MIB / 2).is_some());
        drop(held);
        let Usage { used_bytes, refused, .. } = memory.usage()[1].1;
        assert_eq!((used_bytes, refused), (0, 2));
        assert!(requests.lease(usize::MAX).is_none(), "sums do not wrap");
        assert!(requests.lease(MIB).is_some());
    }

    #[test]
    fn one_remote_leaves_room_for_another_and_for_requests() {
        let memory = Memory::new(64 * MIB);
        let greedy = memory.for_device();
        let held: Vec<_> = std::iter::from_fn(|| greedy.lease(MIB)).take(1000).collect();
        assert_eq!(held.len(), 24, "half of three quarters");
        let other = memory.for_device();
        assert!(other.lease(8 * MIB).is_some());
        assert!(memory.for_requests().lease(16 * MIB).is_some());
    }

    #[test]
    fn bodies_leave_room_for_replies() {
        let memory = Memory::new(64 * MIB);
        let held: Vec<_> = std::iter::from_fn(|| memory.for_bodies().lease(MIB)).take(1000).collect();
        assert_eq!(held.len(), 8, "half of a quarter");
        assert!(memory.for_requests().lease(8 * MIB).is_some());
        let _all = memory.for_requests().lease(8 * MIB).unwrap();
        assert!(memory.for_bodies().lease(1).is_none() && memory.for_bodies().lease(0).is_some());
    }

    #[test]
    fn footage_leaves_memory_for_other_replies() {
        let memory = Memory::new(64 * MIB);
        let held: Vec<_> = std::iter::from_fn(|| memory.for_footage().lease(MIB)).take(1000).collect();
        assert_eq!(held.len(), 12, "three quarters of a quarter");
        let _reply = memory.for_requests().lease(4 * MIB).expect("what clips leave free");
        assert!(memory.for_footage().lease(1).is_none());
    }

    #[test]
    fn the_limit_is_a_quarter_of_the_machine_and_64_mib_at_most() {
        let limit = |configured, installed: Option<usize>| {
            limit_bytes(configured, installed.map(|bytes| bytes as u64)) / MIB
        };
        assert_eq!(limit(0, Some(128 * MIB)), 32);
        assert_eq!(limit(0, Some(1024 * MIB)), 64);
        assert_eq!(limit(0, None), 64);
        assert_eq!(limit(200, Some(128 * MIB)), 200);
    }
}
