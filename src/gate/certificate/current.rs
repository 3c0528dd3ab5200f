//! The certificates in use: loaded or made at the start, and made or loaded again when files, names or
//! time change.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rustls::sign::CertifiedKey;

use super::authority::{load_key_pair, new_key};
use super::clock::Clock;
use super::error::CertificateError;
use super::files::{self, Stamp};
use super::issued::{self, Issued};
use super::names::{self, Names};
use super::origin::stored;
use super::paths::{CertificateFiles, write};
use super::profile;
use super::trust_anchor::TrustAnchor;
use super::x509::Fields;
use crate::base::{lock, unpoisoned};

/// How often files, host name and clock are checked at most. It happens only when a client connects.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The certificates in use. They follow changes of their files, of the clock and of the host name.
pub struct Certificates {
    files: CertificateFiles,
    clock: Clock,
    host: fn() -> String,
    current: RwLock<Arc<Current>>,
    last_check: Mutex<LastCheck>,
    is_checking: AtomicBool,
}

/// What clients get.
pub(super) enum Current {
    /// The owner's certificate.
    Own(Arc<CertifiedKey>),
    /// Certificates of the board's CA.
    Issued(Box<Issued>),
}

/// When files and host name were last checked, and what they were then.
struct LastCheck {
    at: Instant,
    stamps: [Stamp; 4],
    host: String,
}

impl Certificates {
    /// Loads certificate and key. If neither file exists, makes both, and the board's own CA.
    ///
    /// # Errors
    /// See [`CertificateError`]. If only one of the files exists, nothing is made.
    pub fn open(files: CertificateFiles) -> Result<Arc<Self>, CertificateError> {
        Self::open_with(files, Clock::system(), names::host)
    }

    pub(super) fn open_with(
        files: CertificateFiles,
        clock: Clock,
        host: fn() -> String,
    ) -> Result<Arc<Self>, CertificateError> {
        let name = host();
        let current = load_or_make(&files, &name, clock)?;
        let last_check = LastCheck { at: Instant::now(), stamps: files.stamps(), host: name };
        Ok(Arc::new(Self {
            files,
            clock,
            host,
            current: RwLock::new(Arc::new(current)),
            last_check: Mutex::new(last_check),
            is_checking: AtomicBool::new(false),
        }))
    }

    /// The certificate for a client that connected to the address `local` of this machine; `None` for an
    /// unknown address.
    pub(in crate::gate) fn for_address(&self, local: Option<IpAddr>) -> Arc<CertifiedKey> {
        if self.is_check_due() {
            self.reload_if_changed();
        }
        match &*self.current() {
            Current::Own(pair) => Arc::clone(pair),
            Current::Issued(issued) => issued.pair_for(local, self.clock),
        }
    }

    /// SHA-256 of the server's public key (SubjectPublicKeyInfo), by which another Defender identifies it:
    /// `sha256:` and hexadecimal digits. It stays the same when the certificate is renewed.
    pub fn key_fingerprint(&self) -> String {
        let current = self.current();
        let leaf = current.common().cert.first().and_then(|leaf| Fields::read(leaf));
        profile::fingerprint(leaf.map_or(&[], |fields| fields.public_key))
    }

    /// The board's own CA, for devices to trust; `None` if the certificate is the owner's.
    pub fn trust_anchor(&self) -> Option<TrustAnchor> {
        match &*self.current() {
            Current::Own(_) => None,
            Current::Issued(issued) => Some(TrustAnchor::of(&issued.authority)),
        }
    }

    /// Loads the files again if they changed, and makes a new certificate if the old one is due or the host
    /// name changed. If the new files cannot be used, it logs why and keeps the old certificate.
    pub fn reload_if_changed(&self) {
        // Acquire, twin of the Release of the guard: the next check sees what this one did.
        if self.is_checking.swap(true, Ordering::Acquire) {
            return;
        }
        let _guard = CheckGuard(&self.is_checking);
        let (stamps, host) = (self.files.stamps(), (self.host)());
        {
            let mut last = self.lock_last_check();
            last.at = Instant::now();
            let is_due = matches!(&*self.current(), Current::Issued(issued) if issued.is_due(self.clock));
            if last.stamps == stamps && last.host == host && !is_due {
                return;
            }
            (last.stamps, last.host) = (stamps, host.clone());
        }
        match load_or_make(&self.files, &host, self.clock) {
            Ok(current) => {
                *unpoisoned(self.current.write()) = Arc::new(current);
                self.lock_last_check().stamps = self.files.stamps();
                info!("new certificate from {}: key {}", self.files.cert.display(), self.key_fingerprint());
            }
            Err(error) => error!("the changed certificate cannot be used, the old one stays in use: {error}"),
        }
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&*unpoisoned(self.current.read()))
    }

    fn is_check_due(&self) -> bool {
        self.lock_last_check().at.elapsed() >= CHECK_EVERY
    }

    fn lock_last_check(&self) -> std::sync::MutexGuard<'_, LastCheck> {
        lock(&self.last_check)
    }
}

impl Current {
    /// The certificate for clients of an unknown address.
    pub(super) fn common(&self) -> &Arc<CertifiedKey> {
        match self {
            Self::Own(pair) => pair,
            Self::Issued(issued) => issued.common(),
        }
    }
}

/// Lets one thread at a time check the files.
struct CheckGuard<'a>(&'a AtomicBool);

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("cert", &self.files.cert).finish_non_exhaustive()
    }
}

/// Loads the files that exist and makes those that are missing.
fn load_or_make(files: &CertificateFiles, host: &str, clock: Clock) -> Result<Current, CertificateError> {
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
        // A power cut ended the first start.
        (false, true) if files.has_authority() => None,
        (has_cert, _) => return Err(files.missing_half(has_cert)),
    };
    let (names, invalid) = Names::of(host, &files.names);
    for name in invalid {
        warn!("names: `{name}` is no valid host name or address and is left out of the certificate");
    }
    let in_use = stored.as_ref().and_then(|stored| issued::validity_of(&stored.leaf));
    let authority = files.load_or_make_authority(&names, clock.best_s(in_use))?;
    let key = if files.key.exists() { load_key_pair(&files.key)? } else { make_key(&files.key)? };
    let is_first = stored.is_none();
    let is_legacy = stored.as_ref().is_some_and(|stored| stored.legacy.as_ref() == Some(&stored.leaf));
    let (issued, is_new) = Issued::new(authority, key, &names, stored, &files.by_address(), clock)?;
    issued.remarks(&names, clock).iter().for_each(|remark| warn!("{remark}"));
    if is_new {
        match write(&files.cert, issued.file().as_bytes(), 0o644) {
            Ok(()) => info!("made a certificate of this board's CA: {}", files.cert.display()),
            Err(error) if is_first => return Err(error),
            Err(error) => warn!("the new certificate is used, but cannot be saved: {error}"),
        }
    }
    if is_legacy {
        warn!(
            "{}: replaced the self-signed certificate of an older version by one of this board's CA, for the same \
             key; browsers warn once more, and copies of the file must be replaced",
            files.cert.display()
        );
    }
    Ok(Current::Issued(Box::new(issued)))
}

/// Makes the server's key.
fn make_key(path: &Path) -> Result<rcgen::KeyPair, CertificateError> {
    let key = new_key()?;
    // Before the certificate: a full disk must not leave a certificate without its key.
    write(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::RELEASED_S;

    #[test]
    fn files_are_checked_at_most_once_in_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let [cert, key] = ["server.pem", "key.pem"].map(|file| folder.path().join(file));
        let files = CertificateFiles::new(&cert, &key, &[]);
        let certificates =
            Certificates::open_with(files, Clock::of(|| RELEASED_S), || "attic".to_owned()).unwrap();
        let now = Instant::now();
        for (at, is_due) in [(now + Duration::from_secs(3600), false), (now - CHECK_EVERY, true)] {
            certificates.lock_last_check().at = at;
            assert_eq!(certificates.is_check_due(), is_due);
        }
    }
}
