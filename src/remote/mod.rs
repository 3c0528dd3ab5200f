//! Other Defenders: what cameras and microphones they have, and their streams.
//!
//! What belongs here: where one may be, what to ask it, and reading its status and its streams as untrusted input. What
//! must not: connections and TLS (the client's), what becomes of pictures and sound, when to try again.

mod address;
mod endpoint;
mod error;
mod parts;
mod settings;
mod sound;
mod status;

pub use address::parse_address;
pub use endpoint::Endpoint;
pub use error::RemoteError;
pub use parts::Parts;
pub(crate) use parts::find_part;
pub use settings::{RemoteSettings, Token};
pub use sound::Sound;
pub use status::{Listing, RemoteStream};

#[cfg(test)]
mod tests;
