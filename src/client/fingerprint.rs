//! The fingerprint of a server's key: its SHA-256 digest.

use std::fmt;

use rustls::Error;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::base::hex;

/// SHA-256 of a public key (SubjectPublicKeyInfo in DER), or of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads `sha256:` and 64 hexadecimal digits, with colons between them or without.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.strip_prefix("sha256:")?.chars().filter(|c| *c != ':').collect();
        hex::decode(&digits).map(Self)
    }

    /// That of a certificate's public key.
    pub(super) fn of_key(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        Ok(Self(Sha256::digest(key).into()))
    }

    /// That of a whole certificate.
    pub(super) fn of_certificate(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_both_common_forms() {
        let shown = format!("sha256:{}", "0aFf".repeat(16));
        let read = Fingerprint::parse(&shown).unwrap();
        assert_eq!(read.to_string(), shown.to_lowercase());
        let with_colons = format!("sha256:{}", vec!["0A:FF"; 16].join(":"));
        assert_eq!(Fingerprint::parse(&with_colons), Some(read));
        for wrong in
            ["", "sha256:", &shown[7..], &shown[..70], "sha1:0aff", &format!("sha256:{}", "é".repeat(32))]
        {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
