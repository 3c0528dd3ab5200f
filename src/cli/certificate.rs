//! `defender certificate show|renew|export`: the certificate files, and the CA that devices trust.

use crate::app::{self, AppError};
use crate::config::ServerConfig;

/// What to do with the certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum CertificateCommand {
    /// Show the certificate.
    Show,
    /// Make a new one.
    Renew {
        /// With a new CA.
        with_authority: bool,
    },
    /// Print the certificate of the CA.
    Export(Form),
}

/// A file format for a CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PEM.
    Pem,
    /// DER.
    Der,
    /// A configuration profile for iOS and macOS.
    MobileConfiguration,
}

impl Form {
    /// Parses the name of a format.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pem" => Some(Self::Pem),
            "der" => Some(Self::Der),
            "mobileconfig" => Some(Self::MobileConfiguration),
            _ => None,
        }
    }
}

/// Runs the command; returns the bytes to print.
///
/// # Errors
/// The problems of the files; also if there are none, or if Defender did not make them.
pub fn run(command: &CertificateCommand, server: &ServerConfig) -> Result<Vec<u8>, AppError> {
    Ok(match command {
        CertificateCommand::Show => app::certificate(server)?.to_string().into_bytes(),
        CertificateCommand::Renew { with_authority } => {
            app::renew_certificate(server, *with_authority)?.to_string().into_bytes()
        }
        CertificateCommand::Export(form) => {
            let anchor = app::trust_anchor(server)?;
            match form {
                Form::Pem => anchor.pem().into_bytes(),
                Form::Der => anchor.der,
                Form::MobileConfiguration => anchor.mobile_configuration().into_bytes(),
            }
        }
    })
}
