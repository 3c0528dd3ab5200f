//! Why another Defender gives nothing, for the log, the status and the no-signal frame.

use std::fmt;
use std::io;

use super::Fingerprint;

/// Why another Defender gives nothing. Each is told behind its address.
#[derive(Debug)]
pub enum RemoteError {
    /// Its name leads nowhere.
    Unknown(io::Error),
    /// Nobody answers.
    Unreachable(io::Error),
    /// Its key is not known yet.
    NotTrusted(Fingerprint),
    /// Its key is another one than it was.
    Changed(Fingerprint),
    /// TLS failed.
    Tls(String),
    /// It does not take the token.
    SignedOut,
    /// The token's user may not have this.
    NotAllowed,
    /// It has no such camera or microphone.
    Missing,
    /// It answered with another error.
    Status(u16),
    /// What it sent is not what a Defender sends.
    Garbled(&'static str),
    /// The connection ended.
    Ended,
    /// There is no memory here for what it sends.
    NoMemory,
    /// Nothing came for a while.
    Stalled,
    /// The connection failed.
    Io(io::Error),
    /// Somebody here wants it to stop.
    Stopped,
}

impl RemoteError {
    /// Whether it stays so until a person does something about it.
    pub fn is_for_a_person(&self) -> bool {
        matches!(self, Self::NotTrusted(_) | Self::Changed(_) | Self::SignedOut | Self::NotAllowed)
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => write!(f, "its name cannot be resolved: {error}"),
            Self::Unreachable(error) => write!(f, "it does not answer: {error}"),
            Self::NotTrusted(seen) => write!(
                f,
                "its key is not known here; if it is that board's, which tells it when it starts, write \
                 fingerprint = \"{seen}\""
            ),
            Self::Changed(seen) => write!(
                f,
                "ITS KEY HAS CHANGED; nothing was sent to it. If that board has a new one, which it tells \
                 when it starts, write fingerprint = \"{seen}\""
            ),
            Self::Tls(why) => write!(f, "no TLS connection: {why}"),
            Self::SignedOut => {
                f.write_str("it does not take the token; make one there with `defender token add`")
            }
            Self::NotAllowed => f.write_str("the token's user may not have this"),
            Self::Missing => f.write_str("it has no such device, or the token's user may not have it"),
            Self::Status(status) => write!(f, "it answers with error {status}"),
            Self::Garbled(what) => write!(f, "what it sends is no Defender's: {what}"),
            Self::Ended => f.write_str("it ended the connection"),
            Self::NoMemory => f.write_str(
                "its pictures are too large for the memory that is left here; raise memory_mb in [server], or \
                 let it send smaller ones",
            ),
            Self::Stalled => f.write_str("nothing comes from it any more"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}
