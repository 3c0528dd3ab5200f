//! The limits of one client, and of all clients together: sizes, times, connections, descriptors.

use std::time::Duration;

use crate::base::limits::leaving_connections;

/// Largest request body, in bytes. The HTTP layer takes less, but for the settings of a camera.
pub const MAX_BODY_BYTES: usize = 128 * 1024;

/// Limits on connections and requests.
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
    /// For the TLS handshake, and for each head and each body from the first byte to the last.
    pub head_timeout: Duration,
    /// For the next request to begin on a kept-alive connection.
    pub idle_timeout: Duration,
    /// A write that makes no progress for this long ends the connection.
    pub write_stall: Duration,
    /// Longest time of one write, which is one frame at most: a client that receives a few bytes at a time
    /// does not keep its slot forever.
    pub write_total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            connections_per_address: 64,
            head_bytes: 16 * 1024,
            body_bytes: MAX_BODY_BYTES,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            write_stall: Duration::from_secs(10),
            write_total: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Descriptors that so many connections need in the whole server if each has a request under way.
    pub fn descriptors(connections: u32) -> u64 {
        u64::from(connections + leaving_connections(connections)) * DESCRIPTORS_PER_REQUEST
    }
}

/// The client's socket, both ends of the channel, the library's duplicate of its end, and a file that is sent.
const DESCRIPTORS_PER_REQUEST: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_may_have_sixteen_kibibytes() {
        assert_eq!(Limits::default().head_bytes, 16_384);
    }

    #[test]
    fn evicted_connections_need_descriptors_as_well() {
        for (connections, leaving, descriptors) in [(128, 32, 800), (16, 8, 120), (1, 8, 45)] {
            assert_eq!(leaving_connections(connections), leaving);
            assert_eq!(Limits::descriptors(connections), descriptors);
        }
    }
}
