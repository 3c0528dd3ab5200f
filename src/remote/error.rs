//! Why another Defender gives nothing, for the log, the status and the no-signal frame.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::client::ClientError;

/// Why another Defender gives nothing. Its address stands before each sentence.
#[derive(Debug)]
pub enum RemoteError {
    /// There is no answer from it.
    Client(ClientError),
    /// The file with its token cannot be read.
    Token(PathBuf, io::Error),
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
    /// There is no memory here for what it sends.
    NoMemory,
    /// It is not wanted any more.
    Stopped,
}

impl RemoteError {
    /// Whether it stays so until a person does something about it.
    pub fn is_for_a_person(&self) -> bool {
        self.is_untrusted() || matches!(self, Self::SignedOut | Self::NotAllowed)
    }

    /// Whether it answered with a key that is not trusted; the message has the line that would trust it.
    pub fn is_untrusted(&self) -> bool {
        matches!(self, Self::Client(ClientError::UnknownKey(_) | ClientError::ChangedKey(_)))
    }
}

impl From<ClientError> for RemoteError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Garbled(what) => Self::Garbled(what),
            ClientError::NoMemory => Self::NoMemory,
            ClientError::Stopped => Self::Stopped,
            error => Self::Client(error),
        }
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Client(error) => Some(error),
            Self::Token(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(ClientError::UnknownKey(shown)) => write!(
                f,
                "its key is not known here; if it is that board's, which logs it when it starts, write \
                 fingerprint = \"{shown}\""
            ),
            Self::Client(ClientError::ChangedKey(shown)) => write!(
                f,
                "ITS KEY HAS CHANGED; nothing was sent to it. If that board has a new one, which it tells \
                 when it starts, write fingerprint = \"{shown}\""
            ),
            Self::Client(error) => error.fmt(f),
            Self::Token(path, error) => write!(f, "{}: cannot read its token: {error}", path.display()),
            Self::SignedOut => {
                f.write_str("it does not take the token; make one there with `defender token add`")
            }
            Self::NotAllowed => f.write_str("the token's user may not have this"),
            Self::Missing => f.write_str("it has no such device, or the token's user may not have it"),
            Self::Status(status) => write!(f, "it answers with error {status}"),
            Self::Garbled(what) => write!(f, "what it sends is no Defender's: {what}"),
            Self::NoMemory => f.write_str(
                "its pictures are too large for the memory that is left here; raise memory_mb in [server], or \
                 let it send smaller ones",
            ),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}
