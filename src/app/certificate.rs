//! The certificate that a configuration names, for the commands.

use super::error::AppError;
use crate::config::ServerConfig;
use crate::gate::{CertificateError, CertificateFiles, Certificates, Inspection, TrustAnchor};

/// Inspects the certificate; `None` if the first start will make it.
///
/// # Errors
/// The problems of the files that would keep the server from starting.
pub fn find_certificate(server: &ServerConfig) -> Result<Option<Inspection>, AppError> {
    Certificates::inspect(&files(server)).map_err(AppError::Certificate)
}

/// Inspects the certificate.
///
/// # Errors
/// As [`find_certificate`], and if there is none yet.
pub fn certificate(server: &ServerConfig) -> Result<Inspection, AppError> {
    find_certificate(server)?.ok_or_else(|| AppError::NoCertificate(server.cert.clone()))
}

/// Makes a new certificate for the same key, with a new CA if `with_authority`; returns the new state.
///
/// # Errors
/// As [`certificate`], and if the certificate is the owner's, or cannot be written.
pub fn renew_certificate(server: &ServerConfig, with_authority: bool) -> Result<Inspection, AppError> {
    certificate(server)?;
    Certificates::renew(&files(server), with_authority).map_err(AppError::Certificate)
}

/// The board's own CA.
///
/// # Errors
/// As [`certificate`], and if there is no such CA.
pub fn trust_anchor(server: &ServerConfig) -> Result<TrustAnchor, AppError> {
    let not_ours = || AppError::Certificate(CertificateError::NotOurs(server.cert.clone()));
    certificate(server)?.trust_anchor.ok_or_else(not_ours)
}

/// The files of the server's certificate.
pub(super) fn files(server: &ServerConfig) -> CertificateFiles {
    CertificateFiles::new(&server.cert, &server.key, &server.names)
}
