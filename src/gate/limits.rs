//! How much one client, and all of them together, may take: sizes, times, connection counts.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bounds on what a connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time, all addresses together.
    pub connections: u32,
    /// Connections at a time from one address (one /64 in IPv6).
    pub connections_per_address: u32,
    /// Largest request head, in bytes.
    pub head_bytes: usize,
    /// Largest request body, in bytes.
    pub body_bytes: usize,
    /// For the TLS handshake, and again for each head and its body, first byte to last.
    pub head_timeout: Duration,
    /// For the next request to begin on a kept connection.
    pub idle_timeout: Duration,
    /// A write that moves nothing for this long ends the connection.
    pub write_stall: Duration,
    /// A single write, one frame at most, may take this long in all: a client that takes a few
    /// bytes at a time does not hold its place forever.
    pub write_total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            connections_per_address: 64,
            head_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            write_stall: Duration::from_secs(10),
            write_total: Duration::from_secs(30),
        }
    }
}

/// Counts connections against the two caps.
#[derive(Clone)]
pub struct Admission {
    counts: Arc<Mutex<Counts>>,
    total_limit: u32,
    address_limit: u32,
}

/// One admitted connection; gives its place back when dropped.
pub struct Permit {
    counts: Arc<Mutex<Counts>>,
    key: IpAddr,
}

/// Which cap was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The cap on all connections.
    Total,
    /// The cap on connections from this address.
    Address,
}

/// Connections, by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Open now.
    pub open: u32,
    /// Let in since the start.
    pub accepted: u64,
    /// Turned away since the start because there were too many in all.
    pub refused_total: u64,
    /// Turned away since the start because there were too many from their address.
    pub refused_address: u64,
}

#[derive(Default)]
struct Counts {
    total: u32,
    accepted: u64,
    refused_total: u64,
    refused_address: u64,
    by_address: HashMap<IpAddr, u32>,
}

impl Admission {
    /// Nobody is in yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            counts: Arc::default(),
            total_limit: limits.connections,
            address_limit: limits.connections_per_address,
        }
    }

    /// Takes a place for a connection from `address`.
    ///
    /// # Errors
    /// The cap that is reached.
    pub fn admit(&self, address: IpAddr) -> Result<Permit, Refused> {
        let key = counted_as(address);
        let mut guard = lock(&self.counts);
        let counts = &mut *guard;
        if counts.total >= self.total_limit {
            counts.refused_total += 1;
            return Err(Refused::Total);
        }
        let from_here = counts.by_address.entry(key).or_insert(0);
        if *from_here >= self.address_limit {
            counts.refused_address += 1;
            return Err(Refused::Address);
        }
        *from_here += 1;
        counts.total += 1;
        counts.accepted += 1;
        Ok(Permit { counts: Arc::clone(&self.counts), key })
    }

    /// Connections now.
    pub fn connections(&self) -> u32 {
        lock(&self.counts).total
    }

    /// Connections so far.
    pub fn tally(&self) -> Tally {
        let counts = lock(&self.counts);
        Tally {
            open: counts.total,
            accepted: counts.accepted,
            refused_total: counts.refused_total,
            refused_address: counts.refused_address,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.total -= 1;
        if let Some(from_here) = counts.by_address.get_mut(&self.key) {
            *from_here -= 1;
            if *from_here == 0 {
                counts.by_address.remove(&self.key);
            }
        }
    }
}

/// The counts are whole after each statement, so a panic elsewhere cannot have torn them.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One household or attacker owns a whole /64, so that is what an IPv6 client is counted as.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: u32, connections_per_address: u32) -> Admission {
        Admission::new(&Limits { connections, connections_per_address, ..Limits::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let admission = admission(3, 2);
        let _held = [admission.admit(ip("10.0.0.1")).unwrap(), admission.admit(ip("10.0.0.1")).unwrap()];
        assert_eq!(admission.admit(ip("10.0.0.1")).err(), Some(Refused::Address));
        let _other = admission.admit(ip("10.0.0.2")).unwrap();
        assert_eq!(admission.admit(ip("10.0.0.3")).err(), Some(Refused::Total));
    }

    #[test]
    fn a_place_given_back_can_be_taken_again_and_leaves_nothing() {
        let admission = admission(1, 1);
        for _ in 0..3 {
            drop(admission.admit(ip("10.0.0.1")).unwrap());
        }
        assert_eq!(admission.connections(), 0);
        assert!(lock(&admission.counts).by_address.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_client_and_mapped_ipv4_is_ipv4() {
        let admission = admission(9, 1);
        let _held =
            (admission.admit(ip("2001:db8::1")).unwrap(), admission.admit(ip("::ffff:10.0.0.1")).unwrap());
        assert!(admission.admit(ip("2001:db8::2")).is_err());
        assert!(admission.admit(ip("2001:db8:0:1::2")).is_ok());
        assert!(admission.admit(ip("10.0.0.1")).is_err());
    }
}
