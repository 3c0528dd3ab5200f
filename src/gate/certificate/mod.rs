//! The server's certificate and key.
//!
//! Without files of the owner's, the server makes a CA of the board's own and a key, once, and certificates of
//! that CA for the key, anew before they end and when names change ([`issued`]). Files of the owner's are
//! used as they are. Which of the two it is, the certificate says: one that was issued by the CA beside it was
//! made here. The self-signed one that older versions made is replaced, and its key kept.
//!
//! Files, clock and host name are checked when a client connects, at most once a second.

mod authority;
mod clock;
mod der;
mod error;
mod files;
mod inspect;
mod issued;
mod names;
mod profile;
#[cfg(test)]
mod tests;
mod x509;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use crate::disk;
use authority::{Authority, NAME_BEGINS, load_key_pair, new_key};
use clock::Clock;
pub use error::CertificateError;
use files::Stamp;
pub use inspect::{Inspection, TrustAnchor};
use issued::{Issued, Stored};
use names::Names;
use x509::{Fields, KeyKind};

/// How often the files, the host's name and the clock are looked at, at most; only when a client comes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the self-signed certificates of older versions are called, and their dates: 2024-01-01 to 2049-12-31.
const FORMER_NAME_BEGINS: &str = "Defender on ";
const FORMER_DATES_S: (i64, i64) = (1_704_067_200, 2_524_521_600);

/// Where certificate and key are, or are to be made, and for which names.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    cert: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    authority_key: PathBuf,
    names: Vec<String>,
}

/// The certificates in use, kept equal to their files, and to the clock and the machine's name.
pub struct Certificates {
    files: CertificateFiles,
    clock: Clock,
    host: fn() -> String,
    current: RwLock<Arc<Current>>,
    looked: Mutex<Looked>,
    is_looking: AtomicBool,
}

/// What is shown to clients.
enum Current {
    /// The owner's.
    Own(Arc<CertifiedKey>),
    /// Those of the board's CA.
    Issued(Box<Issued>),
}

/// When everything was last looked at, and what it was then.
struct Looked {
    at: Instant,
    stamps: [Stamp; 4],
    host: String,
}

impl CertificateFiles {
    /// The PEM files of certificate and key. A CA of the board's own lies beside them. `names` are names and
    /// addresses that clients use besides the machine's own.
    pub fn new(cert: &Path, key: &Path, names: &[String]) -> Self {
        Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            authority: cert.with_file_name("defender-ca.pem"),
            authority_key: key.with_file_name("defender-ca-key.pem"),
            names: names.to_vec(),
        }
    }

    fn stamps(&self) -> [Stamp; 4] {
        [&self.cert, &self.key, &self.authority, &self.authority_key].map(|file| files::stamp(file))
    }

    /// Certificates for addresses of the machine, over a restart.
    fn by_address(&self) -> PathBuf {
        self.cert.with_file_name("defender-addresses.pem")
    }

    fn has_authority(&self) -> bool {
        self.authority.exists() && self.authority_key.exists()
    }

    fn half(&self, is_cert_there: bool) -> CertificateError {
        let (present, missing) =
            if is_cert_there { (&self.cert, &self.key) } else { (&self.key, &self.cert) };
        CertificateError::Half { present: present.clone(), missing: missing.clone() }
    }

    /// The key and, in front, the certificate of it in one.
    fn load(&self) -> Result<CertifiedKey, CertificateError> {
        files::load_pair(&self.cert, &self.key)
    }

    /// The CA in its files, or a new one. A key that lost its certificate to a power cut gets a new one.
    fn authority(&self, names: &Names, now_s: i64) -> Result<Authority, CertificateError> {
        if self.has_authority() {
            let authority = Authority::load(&self.authority, &self.authority_key)?;
            if !authority.is_in_place {
                // It is used in any case; without its file it is found in the key's again.
                let written = write(&self.authority, profile::pem(&authority.certificate).as_bytes(), 0o644);
                written.unwrap_or_else(|error| {
                    warn!("the renewed CA is used, but not put in its place: {error}")
                });
            }
            return Ok(authority);
        }
        if self.authority.exists() {
            let (present, missing) = (self.authority.clone(), self.authority_key.clone());
            return Err(CertificateError::Half { present, missing });
        }
        let found = self.authority_key.exists();
        let key = if found { load_key_pair(&self.authority_key)? } else { new_key()? };
        let key_text = key.serialize_pem();
        let authority = Authority::make(key, names, now_s)?;
        if !found {
            write(&self.authority_key, key_text.as_bytes(), 0o600)?;
        }
        write(&self.authority, profile::pem(&authority.certificate).as_bytes(), 0o644)?;
        info!("made a CA of this board's own: {}, {}", authority.name, self.authority.display());
        Ok(authority)
    }
}

impl Certificates {
    /// Loads certificate and key; makes both, and a CA of the board's own, when neither file exists.
    ///
    /// # Errors
    /// See [`CertificateError`]; nothing is made where one of the files exists.
    pub fn open(files: CertificateFiles) -> Result<Arc<Self>, CertificateError> {
        Self::open_with(files, Clock::system(), names::host)
    }

    fn open_with(
        files: CertificateFiles,
        clock: Clock,
        host: fn() -> String,
    ) -> Result<Arc<Self>, CertificateError> {
        let name = host();
        let current = establish(&files, &name, clock)?;
        let looked = Looked { at: Instant::now(), stamps: files.stamps(), host: name };
        Ok(Arc::new(Self {
            files,
            clock,
            host,
            current: RwLock::new(Arc::new(current)),
            looked: Mutex::new(looked),
            is_looking: AtomicBool::new(false),
        }))
    }

    /// The certificate for a client that connected to this address of the machine; `None`: for no address.
    pub(super) fn for_address(&self, local: Option<IpAddr>) -> Arc<CertifiedKey> {
        if self.is_time_to_look() {
            self.follow();
        }
        match &*self.current() {
            Current::Own(pair) => Arc::clone(pair),
            Current::Issued(issued) => issued.pair_for(local, self.clock),
        }
    }

    /// SHA-256 of the server's public key (SubjectPublicKeyInfo), by which another Defender knows it:
    /// `sha256:` and hexadecimal digits. It stays when the certificate is renewed.
    pub fn key_fingerprint(&self) -> String {
        let current = self.current();
        let leaf = current.common().cert.first().and_then(|leaf| Fields::read(leaf));
        profile::fingerprint(leaf.map_or(&[], |fields| fields.public_key))
    }

    /// The board's own CA, for devices to trust; `None` where the certificate is the owner's.
    pub fn trust_anchor(&self) -> Option<TrustAnchor> {
        match &*self.current() {
            Current::Own(_) => None,
            Current::Issued(issued) => Some(TrustAnchor::of(&issued.authority)),
        }
    }

    /// Loads the files again if they changed, and makes a new certificate if it is time for one or the
    /// machine has another name. A broken new pair is logged, and the old one stays.
    pub fn follow(&self) {
        if self.is_looking.swap(true, Ordering::Acquire) {
            return;
        }
        let _looking = Looking(&self.is_looking);
        let (stamps, host) = (self.files.stamps(), (self.host)());
        {
            let mut looked = self.lock_looked();
            looked.at = Instant::now();
            let is_due = matches!(&*self.current(), Current::Issued(issued) if issued.is_due(self.clock));
            if looked.stamps == stamps && looked.host == host && !is_due {
                return;
            }
            (looked.stamps, looked.host) = (stamps, host.clone());
        }
        match establish(&self.files, &host, self.clock) {
            Ok(current) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
                self.lock_looked().stamps = self.files.stamps();
                info!("new certificate from {}: key {}", self.files.cert.display(), self.key_fingerprint());
            }
            Err(error) => error!("the changed certificate is not used, the old one stays: {error}"),
        }
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_time_to_look(&self) -> bool {
        self.lock_looked().at.elapsed() >= LOOK_EVERY
    }

    fn lock_looked(&self) -> std::sync::MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// The certificate for no address.
    fn common(&self) -> &Arc<CertifiedKey> {
        match self {
            Self::Own(pair) => pair,
            Self::Issued(issued) => issued.common(),
        }
    }
}

/// One thread at a time looks at the files.
struct Looking<'a>(&'a AtomicBool);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("cert", &self.files.cert).finish_non_exhaustive()
    }
}

/// Whose a certificate is.
enum Maker {
    Owner,
    Authority,
    /// An older Defender, which signed it by its own key.
    Former,
}

/// Who made a certificate.
fn maker(files: &CertificateFiles, certificate: &[u8]) -> Result<Maker, CertificateError> {
    let Some(fields) = Fields::read(certificate) else { return Ok(Maker::Owner) };
    let issuer = x509::common_name(fields.issuer).unwrap_or_default();
    // Only then are the files of a CA looked at: a broken one is nothing to an owner's certificate.
    if issuer.starts_with(NAME_BEGINS) {
        if !files.has_authority() {
            return Ok(Maker::Owner);
        }
        let authority = Authority::load(&files.authority, &files.authority_key)?;
        let is_ours = authority.has_issued(certificate) || authority.follows_issuer_of(certificate);
        return Ok(if is_ours { Maker::Authority } else { Maker::Owner });
    }
    Ok(if is_former(&fields) { Maker::Former } else { Maker::Owner })
}

/// Whether it is the self-signed certificate that an older version made by itself.
fn is_former(fields: &Fields<'_>) -> bool {
    fields.issuer == fields.subject
        && fields.has_plain_subject()
        && fields.common_name().starts_with(FORMER_NAME_BEGINS)
        && (fields.not_before_s, fields.not_after_s) == FORMER_DATES_S
        && fields.key_kind() == KeyKind::Curve("P-256")
}

/// Loads what there is and makes what is missing.
fn establish(files: &CertificateFiles, host: &str, clock: Clock) -> Result<Current, CertificateError> {
    let stored = match (files.cert.exists(), files.key.exists()) {
        (true, true) => {
            let pair = files.load()?;
            files::warn_if_open_to_all(&files.key);
            let Some(stored) = stored(files, &pair)? else {
                files::remarks(&files.cert, &pair.cert, clock).iter().for_each(|remark| warn!("{remark}"));
                return Ok(Current::Own(Arc::new(pair)));
            };
            Some(stored)
        }
        (false, false) => None,
        // A first start that a power cut ended.
        (false, true) if files.has_authority() => None,
        (is_cert_there, _) => return Err(files.half(is_cert_there)),
    };
    let (names, odd) = Names::of(host, &files.names);
    for name in odd {
        warn!("names: `{name}` can be no name of a host and is left out of the certificate");
    }
    let in_use = stored.as_ref().and_then(|stored| issued::validity_of(&stored.leaf));
    let authority = files.authority(&names, clock.best(in_use))?;
    let key = if files.key.exists() { load_key_pair(&files.key)? } else { make_key(&files.key)? };
    let is_first = stored.is_none();
    let is_former = stored.as_ref().is_some_and(|stored| stored.former.as_ref() == Some(&stored.leaf));
    let (issued, is_new) = Issued::new(authority, key, &names, stored, &files.by_address(), clock)?;
    issued.remarks(&names, clock).iter().for_each(|remark| warn!("{remark}"));
    if is_new {
        match write(&files.cert, issued.file().as_bytes(), 0o644) {
            Ok(()) => info!("made a certificate of this board's CA: {}", files.cert.display()),
            Err(error) if is_first => return Err(error),
            Err(error) => warn!("the new certificate is used, but not kept: {error}"),
        }
    }
    if is_former {
        warn!(
            "{}: the self-signed certificate of an older version is replaced by one of this board's CA, for the same \
             key; browsers ask once more, and copies of the file have to be made anew",
            files.cert.display()
        );
    }
    Ok(Current::Issued(Box::new(issued)))
}

/// What is to be gone on with of a certificate that was made here; `None` for the owner's.
fn stored(files: &CertificateFiles, pair: &CertifiedKey) -> Result<Option<Stored>, CertificateError> {
    let Some(leaf) = pair.cert.first() else { return Ok(None) };
    let is_former =
        |certificate: &&CertificateDer<'_>| Fields::read(certificate).as_ref().is_some_and(is_former);
    Ok(match maker(files, leaf)? {
        Maker::Owner => None,
        Maker::Authority | Maker::Former => {
            let own_key = Fields::read(leaf).map(|fields| fields.public_key);
            let of_same_key =
                |other: &&CertificateDer<'_>| Fields::read(other).map(|fields| fields.public_key) == own_key;
            let former = pair.cert.iter().filter(is_former).find(of_same_key).cloned();
            Some(Stored { leaf: leaf.clone(), former })
        }
    })
}

fn make_key(path: &Path) -> Result<rcgen::KeyPair, CertificateError> {
    let key = new_key()?;
    // Before the certificate: with that alone on a full disk the next start would find a half.
    write(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CertificateError> {
    let written = disk::replace(path, bytes, mode).and_then(|()| disk::sync_folder(path));
    written.map_err(|error| CertificateError::File(path.to_owned(), error))
}
