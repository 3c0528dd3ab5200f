//! How much one client, and all of them together, may take: sizes, times, connections, descriptors.

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

impl Limits {
    /// How many connections that were closed to make room may still be ending, beside those that
    /// stay.
    pub fn leaving(connections: u32) -> u32 {
        (connections / 4).max(8)
    }

    /// Descriptors that the gate and what is behind it use for so many connections, all of them
    /// with a request under way.
    pub fn descriptors(connections: u32) -> u64 {
        u64::from(connections + Self::leaving(connections)) * DESCRIPTORS_PER_REQUEST
    }
}

/// The client's socket, both ends of the channel, the library's duplicate of its end, and a file that
/// is sent.
const DESCRIPTORS_PER_REQUEST: u64 = 5;
