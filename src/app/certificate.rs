//! The certificate that a configuration names, for commands.

use super::error::AppError;
use crate::config::ServerConfig;
use crate::gate::{CertificateError, CertificateFiles, Certificates, Inspection, TrustAnchor};

/// What there is; `None` where the first start will make it.
///
/// # Errors
/// What would keep the server from starting with the files there are.
pub fn find_certificate(server: &ServerConfig) -> Result<Option<Inspection>, AppError> {
    Certificates::inspect(&files(server)).map_err(AppError::Certificate)
}

/// What there is.
///
/// # Errors
/// As [`find_certificate`], and where there is none yet.
pub fn certificate(server: &ServerConfig) -> Result<Inspection, AppError> {
    find_certificate(server)?.ok_or_else(|| AppError::NoCertificate(server.cert.clone()))
}

/// Makes a new certificate for the same key, with a new CA if so asked; what there is then.
///
/// # Errors
/// As [`certificate`], and where the certificate is the owner's, or cannot be written.
pub fn renew_certificate(server: &ServerConfig, with_authority: bool) -> Result<Inspection, AppError> {
    certificate(server)?;
    Certificates::renew(&files(server), with_authority).map_err(AppError::Certificate)
}

/// The CA of the board's own.
///
/// # Errors
/// As [`certificate`], and where there is none.
pub fn trust_anchor(server: &ServerConfig) -> Result<TrustAnchor, AppError> {
    let not_ours = || AppError::Certificate(CertificateError::NotOurs(server.cert.clone()));
    certificate(server)?.trust_anchor.ok_or_else(not_ours)
}

/// The files of the server's certificate.
pub(super) fn files(server: &ServerConfig) -> CertificateFiles {
    CertificateFiles::new(&server.cert, &server.key, &server.names)
}
