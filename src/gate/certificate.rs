//! The server's certificate and key: made on the first start, loaded from PEM files, followed
//! when the files change.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use crate::disk;

/// How often the files are looked at, at most; they are looked at only when a client comes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Largest file with a certificate chain or a key that is read, in bytes.
const PEM_FILE_BYTES: u64 = 256 * 1024;

/// The certificate in use, kept equal to its two files.
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    looked: Mutex<Looked>,
}

/// When the files were last looked at, and what they were then.
struct Looked {
    at: Instant,
    stamps: Stamps,
}

/// Changes whenever either file does: modification time, size and inode of both.
type Stamps = [Option<(i64, i64, u64, u64)>; 2];

/// Why there is no usable certificate.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// One of the two files exists and the other does not.
    Half {
        /// The one that is there.
        present: PathBuf,
        /// The one that is not.
        missing: PathBuf,
    },
    /// A file holds no PEM block of the kind that belongs there.
    Empty(PathBuf, &'static str),
    /// A PEM file that cannot be understood.
    Broken(PathBuf, String),
    /// The key belongs to another certificate.
    Mismatch(PathBuf, PathBuf),
    /// The key may be replaced by others than its owner; its mode.
    Exposed(PathBuf, u32),
    /// A new certificate could not be made.
    Make(rcgen::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Half { present, missing } => write!(
                f,
                "{} is there but {} is missing; put it back, or remove the former and both are made anew",
                present.display(),
                missing.display()
            ),
            Self::Empty(path, kind) => write!(f, "{}: expected a PEM file with a {kind}", path.display()),
            Self::Broken(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Mismatch(cert, key) => {
                write!(
                    f,
                    "the key in {} does not belong to the certificate in {}",
                    key.display(),
                    cert.display()
                )
            }
            Self::Exposed(key, mode) => write!(
                f,
                "{key}: others than its owner may change this key (mode {mode:03o}); `chmod 600 {key}`{FAT_HINT}",
                key = key.display(),
                FAT_HINT = disk::FAT_HINT
            ),
            Self::Make(error) => write!(f, "could not make a certificate: {error}"),
        }
    }
}

impl Certificates {
    /// Loads the certificate chain and key; makes both when neither file exists.
    ///
    /// # Errors
    /// See [`CertificateError`]; nothing is made where one of the files exists.
    pub fn open(cert: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        if !Self::are_there(cert, key)? {
            make(cert, key)?;
        }
        let stamps = stamps(cert, key);
        let current = load(cert, key)?;
        warn_if_open_to_all(key);
        Ok(Arc::new(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(current)),
            looked: Mutex::new(Looked { at: Instant::now(), stamps }),
        }))
    }

    /// Whether there is a usable pair; false where neither file exists. Changes nothing.
    ///
    /// # Errors
    /// What [`Certificates::open`] would find wrong with the files.
    pub fn are_there(cert: &Path, key: &Path) -> Result<bool, CertificateError> {
        match (cert.exists(), key.exists()) {
            (true, true) => load(cert, key).map(|_| true),
            (false, false) => Ok(false),
            (true, false) => Err(half(cert, key)),
            (false, true) => Err(half(key, cert)),
        }
    }

    /// SHA-256 of the certificate, by which another Defender knows it: `sha256:` and hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let leaf = current.cert.first().map_or(&[][..], |leaf| leaf.as_ref());
        Sha256::digest(leaf).iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Loads the files again if they changed. A broken new pair is logged, and the old one stays.
    pub fn follow(&self) {
        let seen = stamps(&self.cert, &self.key);
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            looked.at = Instant::now();
            if std::mem::replace(&mut looked.stamps, seen) == seen {
                return;
            }
        }
        match load(&self.cert, &self.key) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                warn_if_open_to_all(&self.key);
                info!("new certificate from {}: {}", self.cert.display(), self.fingerprint());
            }
            Err(error) => error!("the changed certificate is not used, the old one stays: {error}"),
        }
    }

    fn is_time_to_look(&self) -> bool {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).at.elapsed() >= LOOK_EVERY
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if self.is_time_to_look() {
            self.follow();
        }
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("cert", &self.cert).finish_non_exhaustive()
    }
}

/// Loads a PEM chain and a PKCS#8, PKCS#1 or SEC1 key, and checks that they belong together.
fn load(cert: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let broken = |path: &Path, why: String| CertificateError::Broken(path.to_owned(), why);
    let chain_pem = read(cert)?;
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken(cert, format!("not a PEM certificate: {error}")))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty(cert.to_owned(), "CERTIFICATE"));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&read_key(key)?).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => CertificateError::Empty(key.to_owned(), "PRIVATE KEY"),
        other => broken(key, format!("not a PEM private key: {other}")),
    })?;
    let signing = any_supported_type(&key_der).map_err(|_| {
        broken(key, "a key of a kind that is not supported; RSA, ECDSA and Ed25519 are".to_owned())
    })?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(CertificateError::Mismatch(cert.to_owned(), key.to_owned()))
        }
        Err(error) => Err(broken(cert, format!("not a certificate: {error}"))),
    }
}

/// Makes a self-signed certificate. ECDSA P-256: every client takes it, and a handshake costs a
/// small board a fiftieth of what RSA-4096 would.
fn make(cert: &Path, key: &Path) -> Result<(), CertificateError> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Make)?;
    let certificate =
        parameters().and_then(|parameters| parameters.self_signed(&pair)).map_err(CertificateError::Make)?;
    // The key first: with the certificate alone on a full disk the next start would find a half.
    write_new(key, 0o600, pair.serialize_pem().as_bytes())?;
    if let Err(error) = write_new(cert, 0o644, certificate.pem().as_bytes()) {
        let _ = fs::remove_file(key);
        return Err(error);
    }
    info!("made a self-signed certificate: {} and {}", cert.display(), key.display());
    Ok(())
}

fn parameters() -> Result<CertificateParams, rcgen::Error> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names = vec!["localhost".to_owned()];
    if !host.is_empty() && host != "localhost" {
        names.push(host.clone());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    let mut parameters = CertificateParams::new(names)?;
    for address in interface_addresses() {
        parameters.subject_alt_names.push(SanType::IpAddress(address));
    }
    parameters.distinguished_name.push(DnType::CommonName, format!("Defender on {host}"));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Fixed dates, not "now": a board without a clock may believe it is 1970. 2049 is the last
    // year every X.509 parser reads (RFC 5280, section 4.1.2.5).
    parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2049, 12, 31);
    Ok(parameters)
}

fn interface_addresses() -> Vec<std::net::IpAddr> {
    let mut addresses: Vec<_> =
        if_addrs::get_if_addrs().unwrap_or_default().iter().map(|face| face.ip()).collect();
    addresses.push(std::net::Ipv4Addr::LOCALHOST.into());
    addresses.sort();
    addresses.dedup();
    addresses
}

fn half(present: &Path, missing: &Path) -> CertificateError {
    CertificateError::Half { present: present.to_owned(), missing: missing.to_owned() }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let bytes = disk::read_bounded(path, PEM_FILE_BYTES);
    bytes.map_err(|error| CertificateError::File(path.to_owned(), error))
}

/// A key that others may write is no secret's proof: they could have put theirs there.
fn read_key(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |error| CertificateError::File(path.to_owned(), error);
    let file = disk::open_regular(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(CertificateError::Exposed(path.to_owned(), mode));
    }
    disk::read_open(&file, PEM_FILE_BYTES).map_err(failed)
}

fn warn_if_open_to_all(key: &Path) {
    if fs::metadata(key).is_ok_and(|found| found.mode() & 0o004 != 0) {
        let key = key.display();
        warn!("{key}: every user of this machine may read the key; `chmod 600 {key}`");
    }
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), CertificateError> {
    let written =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
            let done = disk::check_mode(&file, mode)
                .and_then(|()| file.write_all(bytes))
                .and_then(|()| file.sync_all());
            if done.is_err() {
                let _ = fs::remove_file(path);
            }
            done
        });
    written.map_err(|error| CertificateError::File(path.to_owned(), error))
}

fn stamps(cert: &Path, key: &Path) -> Stamps {
    [cert, key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Files {
        _folder: tempfile::TempDir,
        cert: PathBuf,
        key: PathBuf,
    }

    fn files() -> Files {
        let folder = tempfile::tempdir().unwrap();
        Files { cert: folder.path().join("server.pem"), key: folder.path().join("key.pem"), _folder: folder }
    }

    fn end_entity(certificates: &Certificates) -> Vec<u8> {
        certificates.current.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_first_start_makes_a_pair_with_a_private_key_and_the_next_finds_it() {
        let files = files();
        let made = end_entity(&Certificates::open(&files.cert, &files.key).unwrap());
        assert_eq!(fs::metadata(&files.key).unwrap().mode() & 0o777, 0o600);
        assert_eq!(end_entity(&Certificates::open(&files.cert, &files.key).unwrap()), made);
    }

    #[test]
    fn half_a_pair_is_an_error_and_nothing_is_made() {
        let files = files();
        Certificates::open(&files.cert, &files.key).unwrap();
        fs::remove_file(&files.key).unwrap();
        let error = Certificates::open(&files.cert, &files.key).unwrap_err();
        assert!(matches!(&error, CertificateError::Half { missing, .. } if *missing == files.key), "{error}");
        assert!(!files.key.exists());
    }

    #[test]
    fn a_key_of_another_certificate_and_files_of_another_kind_are_told_apart() {
        let (mine, other) = (files(), files());
        Certificates::open(&mine.cert, &mine.key).unwrap();
        Certificates::open(&other.cert, &other.key).unwrap();
        let error = |cert: &Path, key: &Path| Certificates::open(cert, key).unwrap_err().to_string();
        assert!(error(&mine.cert, &other.key).contains("does not belong"), "mismatch");
        assert!(
            error(&mine.key, &mine.key).contains("expected a PEM file with a CERTIFICATE"),
            "key as certificate"
        );
        assert!(error(&mine.cert, &mine.cert).contains("expected a PEM file with a PRIVATE KEY"), "reverse");
    }

    #[test]
    fn a_key_that_others_may_write_is_refused_and_one_they_may_read_is_not() {
        let files = files();
        Certificates::open(&files.cert, &files.key).unwrap();
        for (mode, taken) in [(0o620, false), (0o602, false), (0o644, true), (0o640, true)] {
            fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
            let opened = Certificates::open(&files.cert, &files.key);
            assert_eq!(opened.is_ok(), taken, "mode {mode:o}");
            if let Err(error) = opened {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn a_changed_pair_is_followed_and_a_broken_one_is_not() {
        let (mine, other) = (files(), files());
        let certificates = Certificates::open(&mine.cert, &mine.key).unwrap();
        let first = end_entity(&certificates);
        fs::write(&mine.cert, "garbage").unwrap();
        certificates.follow();
        assert_eq!(end_entity(&certificates), first, "the old certificate stays");
        Certificates::open(&other.cert, &other.key).unwrap();
        fs::copy(&other.key, &mine.key).unwrap();
        fs::copy(&other.cert, &mine.cert).unwrap();
        certificates.follow();
        assert_ne!(end_entity(&certificates), first, "the new certificate is used");
    }
}
