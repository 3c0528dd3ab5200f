//! Why the gate cannot open, with what to do about it.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Why the gate cannot open.
#[derive(Debug)]
pub enum GateError {
    /// This address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The kernel does not report the address of a listening socket.
    Address(io::Error),
    /// TLS cannot be set up.
    Tls(rustls::Error),
}

impl Error for GateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind(_, error) | Self::Address(error) => Some(error),
            Self::Tls(error) => Some(error),
        }
    }
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => {
                write!(f, "cannot listen on {address}: {error}")?;
                match error.kind() {
                    ErrorKind::AddrInUse => write!(
                        f,
                        "; another program (or another defender) uses port {}; stop it, or choose another port with -p",
                        address.port()
                    ),
                    ErrorKind::PermissionDenied => {
                        write!(
                            f,
                            "; ports below 1024 need root; start Defender as root, or choose another port with -p"
                        )
                    }
                    ErrorKind::AddrNotAvailable => {
                        write!(f, "; this machine has no such address; change address in [server]")
                    }
                    _ => Ok(()),
                }
            }
            Self::Address(error) => write!(f, "cannot read the address of the listening socket: {error}"),
            Self::Tls(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_used_comes_with_advice() {
        for (kind, advice) in [
            (ErrorKind::AddrInUse, "uses port 443; stop it, or choose another port with -p"),
            (ErrorKind::PermissionDenied, "ports below 1024 need root"),
            (ErrorKind::AddrNotAvailable, "this machine has no such address"),
        ] {
            let error = GateError::Bind(SocketAddr::from(([127, 0, 0, 1], 443)), kind.into());
            let text = error.to_string();
            assert!(text.starts_with("cannot listen on 127.0.0.1:443: ") && text.contains(advice), "{text}");
            assert!(error.source().is_some());
        }
    }
}
