//! Other Defenders, as their client: what cameras and microphones they have, and their streams.
//!
//! What belongs here: finding the other, knowing it by its certificate, one request at a time, reading
//! what comes as a stranger's. What must not: what becomes of pictures and sound, when to try again.

mod address;
mod body;
mod connect;
mod error;
mod parts;
mod pin;
mod place;
mod status;

pub use address::{Address, Fingerprint};
pub use error::RemoteError;
pub(crate) use parts::find_part;
pub use parts::{Part, Parts};
pub use place::{Place, RemoteSettings, Sound, Token};
pub use status::{Listing, RemoteCamera, RemoteMicrophone};

#[cfg(test)]
mod tests;
