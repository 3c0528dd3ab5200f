//! The board's own CA: made once, trusted by the user's devices, and the issuer of the server's certificates.
//!
//! It may certify only names and addresses of local networks and those of its board (name constraints, RFC
//! 5280, section 4.2.1.10): a thief of its key cannot impersonate other sites to the devices that trust it.
//! Addresses are constrained to the ranges of local networks, because the board's own ones change with DHCP.
//! OpenSSL, GnuTLS, NSS, Chromium, Go and Apple enforce such constraints in a root; Java and Android ignore
//! them.
//!
//! A CA is used because Apple accepts no server certificate of more than 825 days, and browsers forget
//! exceptions. Public addresses are outside of the constraints: an IPv6 network at home has dozens of them, and
//! they change. They are reached by name, or listed in `names` before the CA is made.
//!
//! The CA's key file decides which CA it is. A renewal writes this file first, with the new and the replaced
//! certificate behind the key; if the power fails, the other files are completed from it. The CA is for servers
//! only (extended key usage). If the machine's name is a domain of the Internet (`camera`, `tv`), only names
//! below the local domains are certified.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::clock::{Validity, date_time};
use super::error::CertificateError;
use super::files;
use super::names::{CA_NAME_PREFIX, LOCAL_DOMAINS, LOCAL_NETWORKS, Names};
use super::profile::pem;
use super::x509::{Fields, Permitted};
use crate::base::hex;

/// Most characters of a common name (RFC 5280, appendix A.1, ub-common-name).
const COMMON_NAME_CHARS: usize = 64;

/// A CA with its key.
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) name: String,
    pub(super) validity: Validity,
    issuer: Issuer<'static, KeyPair>,
    permitted: Option<Permitted>,
    /// Whether the certificate's file holds it. A power cut during a renewal can leave it in the key's file alone.
    pub(super) is_in_place: bool,
    /// The CAs that it replaced.
    replaced: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Loads the CA from its two PEM files. The key's file may hold the certificate as well: see
    /// [`Authority::key_file`].
    pub(super) fn load(cert: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain = files::load_chain(cert)?;
        // Usually the key's file holds no certificate.
        let (beside_key, key) = (files::load_chain(key).unwrap_or_default(), load_key_pair(key)?);
        let broken = |why: &str| CertificateError::Broken(cert.to_owned(), why.to_owned());
        let is_of_key = |certificate: &CertificateDer<'_>| {
            Fields::read(certificate).is_some_and(|fields| fields.public_key == spki(&key))
        };
        let (of_key, replaced): (Vec<_>, Vec<_>) = beside_key.into_iter().partition(is_of_key);
        let in_file = chain.into_iter().next().ok_or_else(|| broken("no certificate"))?;
        let (certificate, is_in_place) = match of_key.into_iter().next() {
            Some(certificate) if !is_of_key(&in_file) => (certificate, false),
            _ => (in_file, true),
        };
        let fields = Fields::read(&certificate).ok_or_else(|| broken("not a certificate"))?;
        if fields.public_key != spki(&key) {
            return Err(broken(
                "this CA does not belong to the key beside it; restore the pair, or remove both files",
            ));
        }
        if !fields.has_plain_subject() {
            return Err(broken("this CA was not made by Defender and cannot be used; remove it and its key"));
        }
        let validity = Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s };
        let (name, permitted) = (fields.common_name(), fields.permitted());
        let issuer = issuer(&name, key);
        Ok(Self { name, validity, permitted, issuer, certificate, is_in_place, replaced })
    }

    /// Makes a new CA with `key` for a machine of these names.
    pub(super) fn make(key: KeyPair, names: &Names, now_s: i64) -> Result<Self, CertificateError> {
        let mut parameters = CertificateParams::default();
        // The name has a digest of the key, so that two CAs of one host can be distinguished.
        let digest = Sha256::digest(spki(&key));
        let mark = format!(" ({})", hex::encode(&digest[..3]));
        let host = names.dns.get(1).map_or("this board", String::as_str);
        let available = COMMON_NAME_CHARS - CA_NAME_PREFIX.len() - mark.len();
        let name = format!("{CA_NAME_PREFIX}{}{mark}", host.chars().take(available).collect::<String>());
        parameters.distinguished_name = common_name(&name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Other kinds of names are not constrained: without this it could certify mail addresses and programs.
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.name_constraints =
            Some(NameConstraints { permitted_subtrees: subtrees(names), excluded_subtrees: Vec::new() });
        let validity = Validity::of_authority(now_s);
        set_dates_and_serial(&mut parameters, validity)?;
        let made = parameters.self_signed(&key).map_err(CertificateError::Make)?;
        let certificate = made.der().clone();
        let permitted = Fields::read(&certificate).and_then(|fields| fields.permitted());
        let (issuer, replaced) = (issuer(&name, key), Vec::new());
        Ok(Self { name, validity, permitted, issuer, certificate, is_in_place: true, replaced })
    }

    /// The text of the key's file when the CA replaces `replaced`: with both certificates in it, this
    /// one file decides which CA it is, and a power cut before the others are written loses nothing.
    pub(super) fn key_file(&self, key_text: &str, replaced: Option<&CertificateDer<'_>>) -> String {
        let certificates = [Some(&self.certificate), replaced];
        certificates.into_iter().flatten().fold(key_text.to_owned(), |text, one| text + &pem(one))
    }

    /// Whether this CA issued a certificate, judged by the names in both.
    pub(super) fn has_issued(&self, certificate: &[u8]) -> bool {
        let (own, other) = (Fields::read(&self.certificate), Fields::read(certificate));
        own.zip(other)
            .is_some_and(|(own, other)| own.subject == other.issuer && other.subject != other.issuer)
    }

    /// Whether a CA that this one replaced issued a certificate, judged by the names in both.
    pub(super) fn follows_issuer_of(&self, certificate: &[u8]) -> bool {
        let issuer = Fields::read(certificate).map(|fields| fields.issuer);
        issuer.is_some_and(|issuer| {
            let names = self.replaced.iter().filter_map(|replaced| Fields::read(replaced));
            names.into_iter().any(|replaced| replaced.subject == issuer)
        })
    }

    /// Those of `names` that it may certify, and those that it may not.
    pub(super) fn divide(&self, names: &Names) -> (Names, Vec<String>) {
        let (dns, other): (Vec<_>, Vec<_>) =
            names.dns.iter().cloned().partition(|name| self.permits_name(name));
        let (addresses, others): (Vec<_>, Vec<_>) =
            names.addresses.iter().copied().partition(|address| self.permits(*address));
        let others = others.iter().map(ToString::to_string);
        (Names { dns, addresses }, other.into_iter().chain(others).collect())
    }

    /// Whether it may certify an address.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let Some(permitted) = &self.permitted else { return true };
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        permitted.networks.iter().any(|(network, mask)| {
            network.is_ipv4() == address.is_ipv4()
                && bits(address) & bits(*mask) == bits(*network) & bits(*mask)
        })
    }

    fn permits_name(&self, name: &str) -> bool {
        let Some(permitted) = &self.permitted else { return true };
        permitted.names.iter().any(|tree| {
            name.strip_suffix(tree.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Issues a certificate for `names` to the server with the key `key`.
    pub(super) fn issue(
        &self,
        key: &KeyPair,
        names: &Names,
        now_s: i64,
    ) -> Result<(CertificateDer<'static>, Validity), CertificateError> {
        let mut parameters = CertificateParams::default();
        let host = names.dns.get(1).map_or("this board", String::as_str);
        let subject: String = format!("Defender on {host}").chars().take(COMMON_NAME_CHARS).collect();
        parameters.distinguished_name = common_name(&subject);
        for name in &names.dns {
            let name = name.as_str().try_into().map_err(CertificateError::Make)?;
            parameters.subject_alt_names.push(SanType::DnsName(name));
        }
        parameters
            .subject_alt_names
            .extend(names.addresses.iter().map(|address| SanType::IpAddress(*address)));
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let validity = Validity::of_leaf(now_s, self.validity);
        set_dates_and_serial(&mut parameters, validity)?;
        let made = parameters.signed_by(key, &self.issuer).map_err(CertificateError::Make)?;
        Ok((made.der().clone(), validity))
    }
}

/// Makes a key: ECDSA P-256, which every client accepts, and whose handshake costs a small board a fiftieth
/// of RSA-4096.
pub(super) fn new_key() -> Result<KeyPair, CertificateError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Make)
}

/// Loads a key that signs certificates or stands in them.
pub(super) fn load_key_pair(path: &Path) -> Result<KeyPair, CertificateError> {
    let key = files::load_key(path)?;
    let broken = || CertificateError::Broken(path.to_owned(), "this key was not made by Defender".to_owned());
    let PrivateKeyDer::Pkcs8(der) = key else { return Err(broken()) };
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).map_err(|_| broken())
}

/// The public key as in certificates (SubjectPublicKeyInfo).
pub(super) fn spki(key: &KeyPair) -> Vec<u8> {
    rcgen::PublicKeyData::subject_public_key_info(key)
}

fn issuer(name: &str, key: KeyPair) -> Issuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(name);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Issuer::new(parameters, key)
}

fn common_name(name: &str) -> rcgen::DistinguishedName {
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Sets the dates and a random serial number. Clients refuse two certificates of one number, and rcgen would
/// derive it from the key, which all certificates of the server share.
fn set_dates_and_serial(
    parameters: &mut CertificateParams,
    validity: Validity,
) -> Result<(), CertificateError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| CertificateError::Make(rcgen::Error::RingUnspecified))?;
    // Positive and without a zero byte in front.
    serial[0] = serial[0] & 0x3f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    parameters.not_before = date_time(validity.not_before_s);
    parameters.not_after = date_time(validity.not_after_s);
    Ok(())
}

fn subtrees(names: &Names) -> Vec<GeneralSubtree> {
    let domains = LOCAL_DOMAINS.iter().map(|domain| (*domain).to_owned());
    let dns = domains.chain(names.dns.iter().cloned()).filter(|name| {
        // A name below a local domain needs no subtree of its own.
        !LOCAL_DOMAINS.iter().any(|domain| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    });
    let networks =
        LOCAL_NETWORKS.iter().filter_map(|(network, bits)| Some((network.parse::<IpAddr>().ok()?, *bits)));
    let own = names.addresses.iter().map(|address| (*address, if address.is_ipv4() { 32 } else { 128 }));
    let networks = networks.chain(own).map(|(network, bits)| CidrSubnet::from_addr_prefix(network, bits));
    dns.map(GeneralSubtree::DnsName).chain(networks.map(GeneralSubtree::IpAddress)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::RELEASED_S;
    use crate::gate::certificate::der::{self, Reader};

    fn authority(host: &str, configured: &[&str]) -> Authority {
        let configured: Vec<String> = configured.iter().map(|name| (*name).to_owned()).collect();
        Authority::make(new_key().unwrap(), &Names::of(host, &configured).0, RELEASED_S).unwrap()
    }

    #[test]
    fn it_certifies_local_names_and_those_it_was_made_for() {
        let authority = authority("attic", &["cam.example.org", "203.0.113.5"]);
        for name in [
            "localhost",
            "attic",
            "cellar.local",
            "cellar.lan",
            "a.home.arpa",
            "cam.example.org",
            "x.cam.example.org",
        ] {
            assert!(authority.permits_name(name), "{name}");
        }
        for name in ["example.org", "evilcam.example.org", "cellar", "notlocal", "local.com", "google.com"] {
            assert!(!authority.permits_name(name), "{name}");
        }
        for address in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.7.7",
            "169.254.1.1",
            "127.0.0.9",
            "fd00::1",
            "fe80::1",
            "::1",
            "203.0.113.5",
        ] {
            assert!(authority.permits(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "::2", "203.0.113.6"] {
            assert!(!authority.permits(address.parse().unwrap()), "{address}");
        }
        let (may, not) = authority.divide(&Names::of("cellar", &["2001:db8::1".to_owned()]).0);
        assert_eq!(
            (may.dns[1].as_str(), not),
            ("cellar.local", vec!["cellar".to_owned(), "2001:db8::1".to_owned()])
        );
    }

    #[test]
    fn each_certificate_has_its_own_serial_and_the_same_key() {
        let authority = authority("attic", &[]);
        let (key, names) = (new_key().unwrap(), Names::of("attic", &[]).0);
        let made = || authority.issue(&key, &names, RELEASED_S).unwrap().0;
        let (first, second) = (made(), made());
        assert_ne!(first, second);
        let (one, other) = (Fields::read(&first).unwrap(), Fields::read(&second).unwrap());
        assert_eq!((one.public_key, one.alt_names()), (other.public_key, other.alt_names()));
        assert!(authority.has_issued(&first) && !authority.has_issued(&authority.certificate));
        for _ in 0..8 {
            let certificate = made();
            let signed = Reader::new(&certificate).tagged(der::SEQUENCE).unwrap().inside().next().unwrap();
            let mut fields = signed.inside();
            fields.tagged(0xa0).expect("the version");
            let serial = fields.tagged(der::INTEGER).unwrap().content;
            assert!(serial.len() == 16 && (0x40..0x80).contains(&serial[0]), "{serial:?}");
        }
    }

    #[test]
    fn long_and_invalid_names_fit_into_a_certificate() {
        for host in ["", "(none)", &"a".repeat(63), &["abc"; 60].join("."), "küche"] {
            let authority = authority(host, &[]);
            assert!(authority.name.chars().count() <= COMMON_NAME_CHARS, "{}", authority.name);
            let (names, left_out) = authority.divide(&Names::of(host, &[]).0);
            assert!(left_out.is_empty(), "{host}: {left_out:?}");
            let (leaf, _) = authority.issue(&new_key().unwrap(), &names, RELEASED_S).unwrap();
            assert!(Fields::read(&leaf).unwrap().common_name().chars().count() <= COMMON_NAME_CHARS);
        }
    }

    #[test]
    fn certificates_are_valid_for_as_long_as_is_said_of_them() {
        let authority = authority("attic", &[]);
        let names = Names::of("attic", &[]).0;
        let (leaf, validity) = authority.issue(&new_key().unwrap(), &names, RELEASED_S + 1000).unwrap();
        for (certificate, validity) in [(&leaf, validity), (&authority.certificate, authority.validity)] {
            let fields = Fields::read(certificate).unwrap();
            assert_eq!(
                (fields.not_before_s, fields.not_after_s),
                (validity.not_before_s, validity.not_after_s)
            );
        }
        assert_eq!(Fields::read(&leaf).unwrap().common_name(), "Defender on attic");
        assert!(!authority.follows_issuer_of(&leaf), "it replaced none");
    }
}
