//! The board's own CA, as devices install it.

use super::authority::Authority;
use super::clock::Validity;
use super::profile::{fingerprint, mobile_configuration, pem};

/// The board's own CA, as devices install it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The name that devices show.
    pub name: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
    pub(super) validity: Validity,
}

impl TrustAnchor {
    /// The anchor of a CA.
    pub(super) fn of(authority: &Authority) -> Self {
        Self {
            name: authority.name.clone(),
            der: authority.certificate.to_vec(),
            validity: authority.validity,
        }
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// The certificate as a configuration profile for iOS and macOS.
    pub fn mobile_configuration(&self) -> String {
        mobile_configuration(&self.name, &self.der)
    }

    /// SHA-256 of the certificate, as devices show it: `sha256:` and hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }
}
