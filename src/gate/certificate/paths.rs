//! Where certificate, key and CA lie, and the CA in its files.

use std::path::{Path, PathBuf};

use log::{info, warn};
use rustls::sign::CertifiedKey;

use super::authority::{Authority, load_key_pair, new_key};
use super::error::CertificateError;
use super::files::{self, Stamp};
use super::names::Names;
use super::profile;
use crate::base::disk;

/// Where certificate and key lie or are to be made, and for which names.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authority: PathBuf,
    pub(super) authority_key: PathBuf,
    pub(super) names: Vec<String>,
}

impl CertificateFiles {
    /// The PEM files of certificate and key; the board's own CA lies beside them. `names` are names and
    /// addresses that clients use in addition to the machine's own.
    pub fn new(cert: &Path, key: &Path, names: &[String]) -> Self {
        Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            authority: cert.with_file_name("defender-ca.pem"),
            authority_key: key.with_file_name("defender-ca-key.pem"),
            names: names.to_vec(),
        }
    }

    /// The files of the board's own CA: its certificate and its key.
    pub fn authority(&self) -> (&Path, &Path) {
        (&self.authority, &self.authority_key)
    }

    /// What changes whenever one of the files does.
    pub(super) fn stamps(&self) -> [Stamp; 4] {
        [&self.cert, &self.key, &self.authority, &self.authority_key].map(|file| files::stamp(file))
    }

    /// The file that keeps the certificates for addresses over a restart.
    pub(super) fn by_address(&self) -> PathBuf {
        self.cert.with_file_name("defender-addresses.pem")
    }

    pub(super) fn has_authority(&self) -> bool {
        self.authority.exists() && self.authority_key.exists()
    }

    /// The error for a certificate without its key, or a key without its certificate.
    pub(super) fn missing_half(&self, has_cert: bool) -> CertificateError {
        let (present, missing) = if has_cert { (&self.cert, &self.key) } else { (&self.key, &self.cert) };
        CertificateError::Half { present: present.clone(), missing: missing.clone() }
    }

    /// The certificate chain with its key.
    pub(super) fn load(&self) -> Result<CertifiedKey, CertificateError> {
        files::load_pair(&self.cert, &self.key)
    }

    /// Loads the CA, or makes it. A key without a certificate, left by a power cut, gets a new certificate.
    pub(super) fn load_or_make_authority(
        &self,
        names: &Names,
        now_s: i64,
    ) -> Result<Authority, CertificateError> {
        if self.has_authority() {
            let authority = Authority::load(&self.authority, &self.authority_key)?;
            if !authority.is_in_place {
                // Best effort: without its file it is read from the key's file again.
                let written = write(&self.authority, profile::pem(&authority.certificate).as_bytes(), 0o644);
                written.unwrap_or_else(|error| {
                    warn!("the renewed CA is used, but cannot be written to its file: {error}")
                });
            }
            return Ok(authority);
        }
        if self.authority.exists() {
            let (present, missing) = (self.authority.clone(), self.authority_key.clone());
            return Err(CertificateError::Half { present, missing });
        }
        let has_key = self.authority_key.exists();
        let key = if has_key { load_key_pair(&self.authority_key)? } else { new_key()? };
        let key_text = key.serialize_pem();
        let authority = Authority::make(key, names, now_s)?;
        if !has_key {
            write(&self.authority_key, key_text.as_bytes(), 0o600)?;
        }
        write(&self.authority, profile::pem(&authority.certificate).as_bytes(), 0o644)?;
        info!("made this board's own CA: {}, {}", authority.name, self.authority.display());
        Ok(authority)
    }
}

/// Replaces a file and makes that durable.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CertificateError> {
    let written = disk::replace(path, bytes, mode).and_then(|()| disk::sync_folder(path));
    written.map_err(|error| CertificateError::File(path.to_owned(), error))
}
