//! The server's certificate and key.
//!
//! Without files of the owner's, the server makes a CA of the board's own and a key, once, and then
//! certificates of that CA for the key, anew before they expire and when names change ([`issued`]). Files
//! of the owner's are used as they are. The certificate itself says which of the two it is: one that was
//! issued by the CA beside it was made here. The self-signed certificate of older versions is replaced,
//! and its key kept.
//!
//! Files, clock and host name are checked when a client connects, at most once a second.

mod authority;
mod clock;
mod current;
mod der;
mod error;
mod files;
mod inspect;
mod issued;
mod names;
mod origin;
mod paths;
mod profile;
#[cfg(test)]
mod tests;
mod trust_anchor;
mod x509;

pub use current::Certificates;
pub use error::CertificateError;
pub use inspect::Inspection;
pub use paths::CertificateFiles;
pub use trust_anchor::TrustAnchor;
