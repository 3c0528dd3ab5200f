//! Why the server did not start.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::confine::ConfineError;
use crate::control::ControlError;
use crate::gate::{CertificateError, ChannelError, GateError};
use crate::http::PageError;
use crate::logging::LogError;
use crate::users::UsersError;

/// Why the server did not start.
#[derive(Debug)]
pub enum AppError {
    /// The log cannot be written.
    Log(LogError),
    /// There is no usable configuration.
    Config(ConfigError),
    /// The user file cannot be read or made.
    Users(UsersError),
    /// There is no usable certificate.
    Certificate(CertificateError),
    /// This certificate does not exist yet.
    NoCertificate(PathBuf),
    /// A path has two purposes, or lies where the page would show it.
    Places(String),
    /// The web root cannot be used.
    Page(PageError),
    /// The address cannot be listened on.
    Gate(GateError),
    /// The socket between gate and HTTP layer cannot be made.
    Channel(ChannelError),
    /// Without TLS, these addresses would expose passwords and pictures to the network.
    WithoutTls(Vec<IpAddr>),
    /// The user file has no usable user, and these addresses are not loopback only.
    WithoutUser(PathBuf, Vec<IpAddr>),
    /// Privileges cannot be dropped, or the server could not work without them.
    Confine(ConfineError),
    /// Capture cannot be started.
    Control(ControlError),
    /// The system refuses a thread or a signal handler.
    System(io::Error),
}

impl Error for AppError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Where the message is that of the cause, the source is the cause of that.
        match self {
            Self::System(error) => Some(error),
            Self::NoCertificate(_) | Self::Places(_) | Self::WithoutTls(_) | Self::WithoutUser(..) => None,
            Self::Confine(error) => error.source(),
            Self::Certificate(error) => error.source(),
            Self::Gate(error) => error.source(),
            Self::Channel(error) => error.source(),
            Self::Log(error) => error.source(),
            Self::Config(error) => error.source(),
            Self::Users(error) => error.source(),
            Self::Page(error) => error.source(),
            Self::Control(error) => error.source(),
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Users(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::NoCertificate(cert) => {
                write!(
                    f,
                    "{}: there is no certificate yet; start the server once, which makes one",
                    cert.display()
                )
            }
            Self::Places(why) => f.write_str(why),
            Self::Page(error) => error.fmt(f),
            Self::Gate(error) => error.fmt(f),
            Self::Channel(error) => error.fmt(f),
            Self::WithoutTls(addresses) => write!(
                f,
                "without TLS, passwords and pictures would cross the network unencrypted: not listening on {}; \
                 set tls = true, or address = \"127.0.0.1\"",
                listed(addresses)
            ),
            Self::WithoutUser(users, addresses) => write!(
                f,
                "{0} has no usable user: not listening on {1}; add one with `defender user add NAME -u {0}`",
                users.display(),
                listed(addresses)
            ),
            Self::Confine(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start a thread or install a signal handler: {error}"),
        }
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
