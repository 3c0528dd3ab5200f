//! Reads a certificate and its key from PEM files, and says what is wrong with them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use log::warn;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::clock::{Clock, Validity};
use super::der::{self, Reader};
use super::error::{CertificateError, FoundInstead};
use super::names::CA_NAME_PREFIX;
use super::x509::{self, Fields, KeyKind};
use crate::base::disk;

/// Largest file that is read, in bytes: a long chain has 20 KB.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Apple's limit for certificates of private CAs.
const APPLE_DAYS: i64 = 825;

/// Changes whenever a file does: modification time, size and inode; `None` if there is no file.
pub(super) type Stamp = Option<(i64, i64, u64, u64)>;

/// Loads a PEM chain and a PKCS#8, PKCS#1 or SEC1 key, and checks that they belong together.
pub(super) fn load_pair(cert: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let chain = load_chain(cert)?;
    let key_der = load_key(key)?;
    let signing = any_supported_type(&key_der).map_err(|_| {
        CertificateError::KeyKind(
            key.to_owned(),
            unsupported_key(&chain).unwrap_or("a key of another kind".to_owned()),
        )
    })?;
    for certificate in &chain {
        check_version(cert, certificate)?;
    }
    let spki = signing.public_key().map(|spki| spki.as_ref().to_vec());
    let has_key = |certificate: &CertificateDer<'_>| {
        let fields = Fields::read(certificate);
        fields.is_some_and(|fields| spki.as_deref().is_some_and(|spki| spki == fields.public_key))
    };
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(match pair.cert.iter().position(has_key) {
            Some(index) => CertificateError::Order(cert.to_owned(), index + 1),
            None => CertificateError::Mismatch(cert.to_owned(), key.to_owned()),
        }),
        Err(error) => Err(CertificateError::Broken(cert.to_owned(), format!("not a certificate: {error}"))),
    }
}

/// Loads the certificates of a file, at least one.
pub(super) fn load_chain(cert: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = read(cert)?;
    let chain = CertificateDer::pem_slice_iter(disk::without_bom(&text)).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| {
        CertificateError::Broken(cert.to_owned(), format!("not a PEM certificate: {}", fault_of(&error)))
    })?;
    if chain.is_empty() {
        return Err(CertificateError::Empty(cert.to_owned(), "CERTIFICATE", found_instead(&text)));
    }
    Ok(chain)
}

/// Loads a key from a file that only its owner may write.
pub(super) fn load_key(key: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let text = read_key(key)?;
    let has = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(CertificateError::Encrypted(key.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(disk::without_bom(&text)).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            CertificateError::Empty(key.to_owned(), "PRIVATE KEY", found_instead(&text))
        }
        other => {
            CertificateError::Broken(key.to_owned(), format!("not a PEM private key: {}", fault_of(&other)))
        }
    })
}

/// What is wrong with a PEM file. The error's own words quote the file, which may be a key.
fn fault_of(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a part of it has no END line; BEGIN, each 64 characters and END must have lines of their own"
        }
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is not `-----BEGIN NAME-----`",
        pem::Error::Base64Decode(_) => "what is between BEGIN and END is not base64",
        _ => "it cannot be read as text",
    }
}

/// What a person should know about a working certificate that was not made here.
pub(super) fn remarks(cert: &Path, chain: &[CertificateDer<'_>], clock: Clock) -> Vec<String> {
    let Some(fields) = chain.first().and_then(|leaf| Fields::read(leaf)) else { return Vec::new() };
    let validity = Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s };
    let file = cert.display();
    let mut remarks = Vec::new();
    if let Some(now_s) = clock.plausible_s() {
        if now_s > validity.not_after_s {
            remarks.push(format!("{file}: the certificate has expired (it was valid {validity}); renew it"));
        } else if now_s < validity.not_before_s {
            remarks.push(format!(
                "{file}: the certificate is not valid yet ({validity}); is the clock right? `date` shows it"
            ));
        }
    }
    if x509::common_name(fields.issuer).is_some_and(|issuer| issuer.starts_with(CA_NAME_PREFIX)) {
        remarks.push(format!(
            "{file}: this certificate is not renewed, because the board's CA that issued it is missing: restore \
             defender-ca.pem and defender-ca-key.pem, or remove {file} and its key, and all are made anew"
        ));
    }
    let (names, addresses) = fields.alt_names();
    if names.is_empty() && addresses.is_empty() {
        remarks.push(format!(
            "{file}: the certificate has no subjectAltName, so browsers accept it for no host; make it with \
             `-addext subjectAltName=DNS:board.local`"
        ));
    }
    if validity.days() > APPLE_DAYS {
        let days = validity.days();
        remarks.push(format!("{file}: valid for {days} days; Apple's devices accept {APPLE_DAYS} at most"));
    }
    let fields: Vec<_> = chain.iter().filter_map(|certificate| Fields::read(certificate)).collect();
    for (index, pair) in fields.windows(2).enumerate() {
        if pair[0].issuer != pair[1].subject {
            let (this, next) = (index + 1, index + 2);
            remarks.push(format!(
                "{file}: certificate number {next} did not issue certificate number {this}; each certificate must \
                 stand behind the one that it issued"
            ));
        }
    }
    remarks
}

/// Warns if every user of the machine may read a key.
pub(super) fn warn_if_open_to_all(key: &Path) {
    if fs::metadata(key).is_ok_and(|found| found.mode() & 0o004 != 0) {
        let key = key.display();
        warn!("{key}: every user of this machine may read the key; `chmod 600 {key}`");
    }
}

/// The stamp of a file.
pub(super) fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let bytes = disk::read_bounded(path, MAX_FILE_BYTES);
    bytes.map_err(|error| CertificateError::File(path.to_owned(), error))
}

/// Reads a key file. Other users who may write it could have replaced the key, so it is refused.
fn read_key(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |error| CertificateError::File(path.to_owned(), error);
    let file = disk::open_regular(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(CertificateError::Exposed(path.to_owned(), mode));
    }
    disk::read_open(&file, MAX_FILE_BYTES).map_err(failed)
}

/// What a file holds in place of the expected PEM.
fn found_instead(bytes: &[u8]) -> FoundInstead {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return FoundInstead::Utf16;
    }
    if Reader::new(bytes).tagged(der::SEQUENCE).is_some() {
        return FoundInstead::Der;
    }
    let has = |label: &str| {
        let begin = format!("-----BEGIN {label}-----");
        bytes.windows(begin.len()).any(|window| window == begin.as_bytes())
    };
    let labels = [
        ("NEW CERTIFICATE REQUEST", "CERTIFICATE REQUEST, which a CA has yet to sign"),
        ("CERTIFICATE REQUEST", "CERTIFICATE REQUEST, which a CA has yet to sign"),
        ("TRUSTED CERTIFICATE", "TRUSTED CERTIFICATE; `openssl x509 -in FILE -out FILE.pem` converts it"),
        ("PKCS7", "PKCS7; `openssl pkcs7 -print_certs -in FILE -out FILE.pem` converts it"),
        ("OPENSSH PRIVATE KEY", "OPENSSH PRIVATE KEY; `ssh-keygen -p -m PEM -f FILE` converts a copy of it"),
        ("DSA PRIVATE KEY", "DSA PRIVATE KEY, which no client accepts"),
        ("PUBLIC KEY", "PUBLIC KEY"),
        ("EC PARAMETERS", "curve without a key"),
        ("CERTIFICATE", "CERTIFICATE"),
        ("PRIVATE KEY", "PRIVATE KEY"),
        ("RSA PRIVATE KEY", "PRIVATE KEY"),
        ("EC PRIVATE KEY", "PRIVATE KEY"),
    ];
    labels
        .iter()
        .find(|(label, _)| has(label))
        .map_or(FoundInstead::Unknown, |(_, found)| FoundInstead::Pem(found))
}

/// Describes the certificate's key if it is of an unsupported kind.
fn unsupported_key(chain: &[CertificateDer<'_>]) -> Option<String> {
    match Fields::read(chain.first()?)?.key_kind() {
        KeyKind::Rsa(bits) if !(2048..=4096).contains(&bits) => Some(format!("an RSA key of {bits} bits")),
        KeyKind::Curve(name) => Some(format!("an ECDSA key on the curve {name}")),
        _ => None,
    }
}

fn check_version(cert: &Path, certificate: &CertificateDer<'_>) -> Result<(), CertificateError> {
    match Fields::read(certificate) {
        Some(fields) if fields.version < 3 => Err(CertificateError::Version(cert.to_owned(), fields.version)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_quotes_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        let begin = "-----BEGIN PRIVATE KEY-----";
        for text in [
            format!("{begin}SECRETSECRET-----END PRIVATE KEY-----"),
            format!("{begin}\nSECRETSECRET\n"),
            format!("{begin}\nSECRET*SECRET\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN SECRET\n{begin}\nSECRET"),
        ] {
            fs::write(&key, &text).unwrap();
            let error = load_key(&key).map(drop).unwrap_err().to_string();
            let quoted: Vec<String> = b"SECRET".iter().map(ToString::to_string).collect();
            assert!(!error.contains("SECRET") && !error.contains(&quoted.join(", ")), "{text:?}: {error}");
        }
    }
}
