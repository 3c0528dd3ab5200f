//! `defender certificate show|renew|export`: the certificate in the files, and the CA that devices trust.

use crate::app::{self, AppError};
use crate::config::ServerConfig;

/// What to do with the certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum CertificateCommand {
    /// Say what there is.
    Show,
    /// Make a new one.
    Renew {
        /// With a new CA.
        with_authority: bool,
    },
    /// Print the CA's.
    Export(Form),
}

/// A form in which devices take a CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PEM.
    Pem,
    /// DER.
    Der,
    /// A configuration profile of Apple's.
    MobileConfiguration,
}

impl Form {
    /// The form of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pem" => Some(Self::Pem),
            "der" => Some(Self::Der),
            "mobileconfig" => Some(Self::MobileConfiguration),
            _ => None,
        }
    }
}

/// Does it; gives what is to be printed.
///
/// # Errors
/// What is wrong with the files, or that there are none, or none that Defender made.
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
