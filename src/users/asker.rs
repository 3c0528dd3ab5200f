//! Who asks for something that costs a password hash.

use std::net::IpAddr;

/// A client that waits for the answer. Its request gives its place in the queue for hashes up when it waits no more.
pub trait Asker {
    /// From where it asks.
    fn address(&self) -> IpAddr;

    /// Whether anybody still wants the answer. It does not block.
    fn waits(&self) -> bool;
}

impl<A: Asker + ?Sized> Asker for &A {
    fn address(&self) -> IpAddr {
        (**self).address()
    }

    fn waits(&self) -> bool {
        (**self).waits()
    }
}

/// A client that waits as long as it takes, for tests and benches.
impl Asker for IpAddr {
    fn address(&self) -> IpAddr {
        *self
    }

    fn waits(&self) -> bool {
        true
    }
}
