//! Why a request has no answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Fingerprint;

/// Why a request has no answer, or the rest of its body does not come. The sentences speak of the server as "it": they
/// stand behind its address.
#[derive(Debug)]
pub enum ClientError {
    /// Its name cannot be resolved.
    Unknown(io::Error),
    /// None of its addresses takes a connection.
    Unreachable(io::Error),
    /// No key is trusted yet; this is the one it has.
    UnknownKey(Fingerprint),
    /// No trusted authority certifies it, and why not; this is the key it has.
    Uncertified(Fingerprint, io::Error),
    /// It has this key, which is not the trusted one.
    ChangedKey(Fingerprint),
    /// The certificates of the authorities that are trusted cannot be read from this file.
    Roots(PathBuf, io::Error),
    /// TLS failed.
    Tls(io::Error),
    /// It wants a login, and there is none.
    LoginMissing,
    /// It does not take the login.
    LoginRefused,
    /// It wants a login of a kind that is not known here.
    LoginUnknown,
    /// It sends the client to another host, at this address.
    Elsewhere(String),
    /// It sends the client on and on.
    Circle,
    /// Its answer is compressed in this way, though that was not asked for.
    Compressed(String),
    /// The request cannot be sent as it is, and why.
    Request(&'static str),
    /// What it sent is not what a server sends, and what of it.
    Garbled(&'static str),
    /// The connection ended, or the body did.
    Ended,
    /// There is no memory for what it sends.
    NoMemory,
    /// Nothing, or too little, came in time.
    Stalled,
    /// The connection failed.
    Io(io::Error),
    /// The request is not wanted any more.
    Stopped,
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unknown(error)
            | Self::Unreachable(error)
            | Self::Roots(_, error)
            | Self::Uncertified(_, error)
            | Self::Tls(error)
            | Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => write!(f, "its name cannot be resolved: {error}"),
            Self::Unreachable(error) => write!(f, "it does not answer: {error}"),
            Self::UnknownKey(shown) => write!(f, "its key is not known here: {shown}"),
            Self::ChangedKey(shown) => {
                write!(f, "its key has changed; nothing was sent to it. It is now {shown}")
            }
            Self::Roots(path, error) => write!(
                f,
                "{}: cannot read the certificates of the trusted authorities: {error}; install ca-certificates",
                path.display()
            ),
            Self::Uncertified(shown, error) => {
                write!(f, "no authority that is trusted here certifies it ({error}); its key is {shown}")
            }
            Self::Tls(error) => write!(f, "no TLS connection: {error}"),
            Self::LoginMissing => f.write_str("it wants a login"),
            Self::LoginRefused => f.write_str("it refuses the login"),
            Self::LoginUnknown => f.write_str("it wants a login that is neither Basic nor Digest"),
            Self::Elsewhere(url) => {
                write!(f, "it redirects to another place, which is not followed: {url}")
            }
            Self::Circle => f.write_str("it redirects too often"),
            Self::Compressed(coding) => {
                write!(f, "its answer is compressed ({coding}), though that was not asked for")
            }
            Self::Request(why) => write!(f, "the request cannot be sent: {why}"),
            Self::Garbled(what) => write!(f, "its answer cannot be read: {what}"),
            Self::Ended => f.write_str("it ended the connection"),
            Self::NoMemory => {
                f.write_str("there is no memory left for what it sends; raise memory_mb in [server]")
            }
            Self::Stalled => f.write_str("nothing comes from it any more"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}
