//! Which servers TLS accepts: the owner of one key, whoever certified it, or those that the authorities of a file certify.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{ClientError, Fingerprint};
use crate::base::{disk, lock};

/// The certificates of the authorities that the system trusts, on Debian and its derivatives (ca-certificates).
pub const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Largest file of roots that is read, in bytes: Debian's has 220 KB.
const ROOTS_BYTES: u64 = 4 * 1024 * 1024;

/// Whom TLS trusts.
pub struct Trust {
    config: Arc<ClientConfig>,
    whom: Whom,
    last_shown: Arc<LastShown>,
}

/// Whom TLS trusts, without the details.
#[derive(Clone, Copy, PartialEq)]
enum Whom {
    /// One key.
    Key,
    /// Nobody yet.
    Nobody,
    /// Authorities.
    Authorities,
}

/// What the last handshake showed, apart from why it failed.
#[derive(Debug, Default)]
struct LastShown(Mutex<ShownKey>);

#[derive(Clone, Copy, Debug, Default)]
struct ShownKey {
    key: Option<Fingerprint>,
    is_by_certificate: bool,
}

impl Trust {
    /// Trusts the key of this fingerprint, and no key where there is none: boards certify their own keys, and their
    /// certificates change. Versions up to 0.1 showed the fingerprint of their certificate. That is taken, too, also
    /// where it is one behind the server's, for the same key.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn in_key(trusted: Option<Fingerprint>) -> Result<Self, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let last_shown = Arc::<LastShown>::default();
        let verifier =
            KeyVerifier { trusted, last_shown: Arc::clone(&last_shown), provider: Arc::clone(&provider) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Tls(io::Error::other(error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let whom = if trusted.is_some() { Whom::Key } else { Whom::Nobody };
        Ok(Self { config: Arc::new(config), whom, last_shown })
    }

    /// Trusts servers that an authority of this file certifies by their name (RFC 5280, RFC 9525). The file holds
    /// certificates in PEM, as [`SYSTEM_ROOTS`]; those that cannot be read are left out. It is read now: a process that
    /// confines itself reads it before.
    ///
    /// # Errors
    /// A file that cannot be read, or in which there is no certificate.
    pub fn in_roots(file: &Path) -> Result<Self, ClientError> {
        let failed = |error| ClientError::Roots(file.to_owned(), error);
        let text = disk::read_bounded(file, ROOTS_BYTES).map_err(failed)?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
        if added == 0 {
            return Err(failed(io::Error::other("it holds no certificate")));
        }
        let provider = Arc::new(ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| ClientError::Tls(io::Error::other(error)))?;
        let last_shown = Arc::<LastShown>::default();
        let verifier = RootsVerifier { judge, last_shown: Arc::clone(&last_shown) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Tls(io::Error::other(error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), whom: Whom::Authorities, last_shown })
    }

    /// The server's key, where it was trusted because of the fingerprint of a certificate: one that holds only until
    /// that certificate is replaced.
    pub fn key_behind_certificate(&self) -> Option<Fingerprint> {
        let shown = self.last_shown.get();
        shown.key.filter(|_| shown.is_by_certificate)
    }

    pub(super) fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The name that TLS asks for. Where only the key says who the server is, one that cannot be a name is left out.
    pub(super) fn server_name(&self, host: &str) -> Result<ServerName<'static>, ClientError> {
        let name = ServerName::try_from(host.to_owned());
        let name = match self.whom {
            Whom::Authorities => name,
            Whom::Key | Whom::Nobody => name.or_else(|_| "defender".to_owned().try_into()),
        };
        name.map_err(|error| ClientError::Tls(io::Error::other(error)))
    }

    /// Why a handshake failed: with the key that the server showed, where that is the reason.
    pub(super) fn refused(&self, error: io::Error) -> ClientError {
        let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let Some(shown) = self.last_shown.get().key else { return ClientError::Tls(error) };
        match (self.whom, reason) {
            (Whom::Authorities, Some(Error::InvalidCertificate(_))) => ClientError::Uncertified(shown, error),
            (Whom::Key, Some(reason)) if *reason == VERDICT => ClientError::ChangedKey(shown),
            (Whom::Nobody, Some(reason)) if *reason == VERDICT => ClientError::UnknownKey(shown),
            _ => ClientError::Tls(error),
        }
    }
}

impl LastShown {
    fn get(&self) -> ShownKey {
        *lock(&self.0)
    }
}

/// What [`KeyVerifier`] says of a key that is not the trusted one.
const VERDICT: Error = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);

#[derive(Debug)]
struct KeyVerifier {
    trusted: Option<Fingerprint>,
    last_shown: Arc<LastShown>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for KeyVerifier {
    /// Names and dates say nothing here: the key is known, or it is not. That the server has it is proved by
    /// the handshake.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = Fingerprint::of_key(end_entity)?;
        let is_by_key = self.trusted == Some(key);
        let is_certificate =
            |certificate: &CertificateDer<'_>| self.trusted == Some(Fingerprint::of_certificate(certificate));
        let has_key = |other: &CertificateDer<'_>| Fingerprint::of_key(other).is_ok_and(|own| own == key);
        let is_by_certificate = !is_by_key
            && (is_certificate(end_entity)
                || others.iter().any(|other| is_certificate(other) && has_key(other)));
        *lock(&self.last_shown.0) = ShownKey { key: Some(key), is_by_certificate };
        if is_by_key || is_by_certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(VERDICT)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Leaves the verdict to authorities, and remembers the key.
#[derive(Debug)]
struct RootsVerifier {
    judge: Arc<WebPkiServerVerifier>,
    last_shown: Arc<LastShown>,
}

impl ServerCertVerifier for RootsVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = Fingerprint::of_key(end_entity).ok();
        *lock(&self.last_shown.0) = ShownKey { key, is_by_certificate: false };
        self.judge.verify_server_cert(end_entity, others, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
