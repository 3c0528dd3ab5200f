//! Trust in one key, whoever certifies it: boards certify their own, and their certificates change.

use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};

use super::Fingerprint;
use crate::base::lock;

/// What the last handshake showed, told apart from why it failed.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<LastSeen>);

#[derive(Clone, Copy, Debug, Default)]
struct LastSeen {
    key: Option<Fingerprint>,
    is_by_certificate: bool,
}

impl Seen {
    /// The key that it was shown.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.get().key
    }

    /// The key, where it was trusted because of the fingerprint of a certificate: one that holds only until
    /// that certificate is replaced.
    pub(super) fn key_to_write(&self) -> Option<Fingerprint> {
        self.key().filter(|_| self.get().is_by_certificate)
    }

    fn get(&self) -> LastSeen {
        *lock(&self.0)
    }
}

/// TLS that goes on only with the key of this fingerprint, with none where there is none; and where the key it
/// was shown can be looked up. Versions up to 0.1 told the fingerprint of their certificate: that is taken, too,
/// also where it is one behind the server's, for the same key.
pub(super) fn config(trusted: Option<Fingerprint>) -> Result<(Arc<ClientConfig>, Arc<Seen>), Error> {
    let provider = Arc::new(ring::default_provider());
    let seen = Arc::new(Seen::default());
    let verifier = Pin { trusted, seen: Arc::clone(&seen), provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((Arc::new(config), seen))
}

#[derive(Debug)]
struct Pin {
    trusted: Option<Fingerprint>,
    seen: Arc<Seen>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
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
        let key = key_of(end_entity)?;
        let is_by_key = self.trusted == Some(key);
        let is_certificate = |certificate: &CertificateDer<'_>| {
            self.trusted == Some(Fingerprint(Sha256::digest(certificate).into()))
        };
        let is_by_certificate = !is_by_key
            && (is_certificate(end_entity)
                || others
                    .iter()
                    .any(|other| is_certificate(other) && key_of(other).is_ok_and(|own| own == key)));
        *lock(&self.seen.0) = LastSeen { key: Some(key), is_by_certificate };
        if is_by_key || is_by_certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
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

/// SHA-256 of a certificate's public key (SubjectPublicKeyInfo).
fn key_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(Fingerprint(Sha256::digest(key).into()))
}
