//! The server's certificates of the board's own CA: one for each address that clients connect to, made when the
//! first of them connects. All have one key, so that clients which pin the key accept each of them.
//!
//! No client learns the board's other addresses, and a pin of the key stays valid for all certificates. At most
//! 64 addresses have one, of which 16 are kept in `defender-addresses.pem`, because a browser's exception is
//! for one certificate. The certificate file holds the one for the names, followed by the CA for clients that
//! are given the file. The CA itself is never sent in a handshake. For one more version the legacy self-signed
//! certificate is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::{debug, error};
use rcgen::KeyPair;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::authority::Authority;
use super::clock::{Clock, Validity, day};
use super::error::CertificateError;
use super::files;
use super::names::Names;
use super::profile::pem;
use super::x509::Fields;
use crate::base::{disk, lock};

/// Most certificates in memory. A machine has a few addresses; for more, certificates are made again.
const MAX_LEAVES: usize = 64;

/// Most certificates that are saved in a file, and how often that is written at most.
const MAX_SAVED: usize = 16;
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// A CA that ends within this time is remarked, because the next one must be installed on each device.
const AUTHORITY_REMARK_DAYS: i64 = 365;

/// A CA, the server's key, and the certificates made with them.
pub(super) struct Issued {
    pub(super) authority: Authority,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    /// The self-signed certificate that an older version made for the same key. It is sent behind the new one
    /// to other Defenders that pin its digest.
    legacy: Option<CertificateDer<'static>>,
    names: Names,
    /// The certificate for the names alone, as in the file.
    common: Leaf,
    by_address: Mutex<ByAddress>,
    /// The file that keeps the certificates for addresses over a restart, because a browser's exception is
    /// for one certificate.
    saved_in: PathBuf,
}

/// Certificates by address, the oldest first.
#[derive(Default)]
struct ByAddress {
    leaves: Vec<(IpAddr, Leaf)>,
    saved_at: Option<Instant>,
}

#[derive(Clone)]
struct Leaf {
    pair: Arc<CertifiedKey>,
    validity: Validity,
}

/// The parts of a certificate file that was made here.
pub(super) struct Stored {
    pub(super) leaf: CertificateDer<'static>,
    pub(super) legacy: Option<CertificateDer<'static>>,
}

impl Issued {
    /// Uses the certificate in the file if it is still good, else makes one; also returns whether it is new.
    pub(super) fn new(
        authority: Authority,
        key: KeyPair,
        wanted: &Names,
        stored: Option<Stored>,
        saved_in: &Path,
        clock: Clock,
    ) -> Result<(Self, bool), CertificateError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_supported_type(&der)
            .map_err(|_| CertificateError::Make(rcgen::Error::CouldNotParseKeyPair))?;
        let names = authority.divide(wanted).0;
        let (leaf, legacy) = stored.map_or((None, None), |stored| (Some(stored.leaf), stored.legacy));
        let in_use = leaf.as_deref().and_then(validity_of);
        let now_s = clock.best_s(in_use);
        let names_in_file = in_file(&names);
        let good = leaf.filter(|leaf| is_good(leaf, &names_in_file, now_s) && authority.has_issued(leaf));
        let is_new = good.is_none();
        let (certificate, validity) = match good.zip(in_use) {
            Some(found) => found,
            None => authority.issue(&key, &names_in_file, now_s)?,
        };
        let pair = pair(certificate, legacy.as_ref(), &signing);
        let common = Leaf { pair, validity };
        let saved_in = saved_in.to_owned();
        let by_address = Mutex::default();
        let mut issued = Self { authority, key, signing, legacy, names, common, by_address, saved_in };
        // Next to a new certificate the saved ones are as old as the one it replaces.
        if !is_new {
            issued.load_saved(now_s);
        }
        Ok((issued, is_new))
    }

    /// The certificate for a client that connected to `local`. It is the one in the file if that has the
    /// address, or if the CA may not certify the address.
    pub(super) fn pair_for(&self, local: Option<IpAddr>, clock: Clock) -> Arc<CertifiedKey> {
        let is_common = |local: &IpAddr| in_file(&self.names).addresses.contains(local);
        let local = local.map(|local| local.to_canonical()).filter(|local| self.authority.permits(*local));
        let Some(local) = local.filter(|local| !is_common(local)) else {
            return Arc::clone(&self.common.pair);
        };
        let now_s = clock.best_s(Some(self.common.validity));
        let found = self.lock().get(local);
        if let Some(leaf) = found.filter(|leaf| !self.is_leaf_due(leaf, now_s)) {
            return leaf.pair;
        }
        match self.authority.issue(&self.key, &self.names_at(local), now_s) {
            Ok((certificate, validity)) => {
                let pair = pair(certificate, self.legacy.as_ref(), &self.signing);
                let to_save =
                    self.lock().put(local, Leaf { pair: Arc::clone(&pair), validity }, Instant::now());
                if let Some(text) = to_save
                    && let Err(error) = disk::replace(&self.saved_in, text.as_bytes(), 0o644)
                {
                    debug!(
                        "{}: cannot save certificates, so a restart makes new ones: {error}",
                        self.saved_in.display()
                    );
                }
                pair
            }
            Err(error) => {
                error!("cannot make a certificate for {local}: {error}");
                Arc::clone(&self.common.pair)
            }
        }
    }

    /// Whether the certificate in the file is due for renewal.
    pub(super) fn is_due(&self, clock: Clock) -> bool {
        self.is_leaf_due(&self.common, clock.best_s(Some(self.common.validity)))
    }

    /// Renews the certificate for the names alone, even if it is not due.
    pub(super) fn renew(&mut self, clock: Clock) -> Result<(), CertificateError> {
        let now_s = clock.best_s(Some(self.common.validity));
        let (certificate, validity) = self.authority.issue(&self.key, &in_file(&self.names), now_s)?;
        let pair = pair(certificate, self.legacy.as_ref(), &self.signing);
        self.common = Leaf { pair, validity };
        Ok(())
    }

    /// The certificate for the names alone.
    pub(super) fn common(&self) -> &Arc<CertifiedKey> {
        &self.common.pair
    }

    /// The text of the certificate's file. It holds the CA, so that a client which is given the file trusts
    /// later certificates as well.
    pub(super) fn file(&self) -> String {
        let own = self.common.pair.cert.first().map(|leaf| leaf.as_ref());
        let all = own.into_iter().chain([self.authority.certificate.as_ref()]).chain(self.legacy.as_deref());
        all.map(pem).collect()
    }

    /// What a person should know about names and CA.
    pub(super) fn remarks(&self, wanted: &Names, clock: Clock) -> Vec<String> {
        let left_out = self.authority.divide(wanted).1;
        let mut remarks: Vec<String> = left_out
            .into_iter()
            .map(|name| {
                format!(
                    "the board's CA may not certify `{name}`, because it was made before that name; `defender \
                     certificate renew --ca` makes a CA that may, and each device must then trust the new one"
                )
            })
            .collect();
        let end = self.authority.validity;
        if clock.plausible_s().is_some_and(|now_s| end.days_left(now_s) < AUTHORITY_REMARK_DAYS) {
            remarks.push(format!(
                "the board's CA expires on {}; `defender certificate renew --ca` makes a new one, and each device \
                 must then trust it",
                day(end.not_after_s)
            ));
        }
        remarks
    }

    /// Loads the certificates that were made before a restart.
    fn load_saved(&mut self, now_s: i64) {
        let saved = if self.saved_in.exists() { files::load_chain(&self.saved_in) } else { return };
        let own_key = super::authority::spki(&self.key);
        for certificate in saved.into_iter().flatten() {
            let Some(fields) = Fields::read(&certificate) else { continue };
            let (_, addresses) = fields.alt_names();
            let Some(local) = addresses.iter().copied().find(|local| !self.names.addresses.contains(local))
            else {
                continue;
            };
            let is_ours = fields.public_key == own_key && self.authority.has_issued(&certificate);
            let validity = validity_of(&certificate).filter(|_| is_ours);
            if let Some(validity) = validity.filter(|_| is_good(&certificate, &self.names_at(local), now_s)) {
                let pair = pair(certificate, self.legacy.as_ref(), &self.signing);
                self.lock().leaves.push((local, Leaf { pair, validity }));
            }
        }
    }

    fn names_at(&self, local: IpAddr) -> Names {
        let mut names = self.names.clone();
        names.addresses.push(local);
        names
    }

    /// Whether a certificate is due and a new one would not be. Shortly before the end of the CA it would.
    fn is_leaf_due(&self, leaf: &Leaf, now_s: i64) -> bool {
        leaf.validity.is_due(now_s) && !Validity::of_leaf(now_s, self.authority.validity).is_due(now_s)
    }

    /// How many certificates for addresses are in memory.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().leaves.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByAddress> {
        lock(&self.by_address)
    }
}

impl ByAddress {
    fn get(&self, local: IpAddr) -> Option<Leaf> {
        self.leaves.iter().find(|(address, _)| *address == local).map(|(_, leaf)| leaf.clone())
    }

    /// Adds a new certificate; returns the text to save if it is time for that.
    fn put(&mut self, local: IpAddr, leaf: Leaf, now: Instant) -> Option<String> {
        self.leaves.retain(|(address, _)| *address != local);
        if self.leaves.len() >= MAX_LEAVES {
            self.leaves.remove(0);
        }
        self.leaves.push((local, leaf));
        // Loopback has millions of addresses, which only this machine can use.
        if local.is_loopback() || self.saved_at.is_some_and(|at| now < at + SAVE_EVERY) {
            return None;
        }
        self.saved_at = Some(now);
        let lasting = self.leaves.iter().rev().filter(|(address, _)| !address.is_loopback()).take(MAX_SAVED);
        Some(lasting.filter_map(|(_, leaf)| leaf.pair.cert.first()).map(|leaf| pem(leaf)).collect())
    }
}

/// The names of the certificate in the file: those configured, and the loopback addresses.
fn in_file(names: &Names) -> Names {
    let mut names = names.clone();
    names.addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    names
}

/// The validity of a certificate.
pub(super) fn validity_of(certificate: &[u8]) -> Option<Validity> {
    let fields = Fields::read(certificate)?;
    Some(Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s })
}

fn pair(
    leaf: CertificateDer<'static>,
    legacy: Option<&CertificateDer<'static>>,
    signing: &Arc<dyn SigningKey>,
) -> Arc<CertifiedKey> {
    let chain = std::iter::once(leaf).chain(legacy.cloned()).collect();
    Arc::new(CertifiedKey::new(chain, Arc::clone(signing)))
}

fn is_good(leaf: &[u8], names: &Names, now_s: i64) -> bool {
    let Some(fields) = Fields::read(leaf) else { return false };
    let (mut dns, mut addresses) = fields.alt_names();
    let mut wanted = names.clone();
    dns.sort();
    addresses.sort();
    wanted.dns.sort();
    wanted.addresses.sort();
    !validity_of(leaf).is_none_or(|validity| validity.is_due(now_s))
        && (dns, addresses) == (wanted.dns, wanted.addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::RELEASED_S;
    use crate::gate::certificate::authority::new_key;

    #[test]
    fn certificates_are_saved_once_a_minute_but_for_loopback() {
        let (names, clock) = (Names::of("attic", &[]).0, Clock::of(|| RELEASED_S));
        let authority = Authority::make(new_key().unwrap(), &names, RELEASED_S).unwrap();
        let saved_in = Path::new("/nonexistent/addresses");
        let issued = Issued::new(authority, new_key().unwrap(), &names, None, saved_in, clock).unwrap().0;
        let (mut by_address, now) = (ByAddress::default(), Instant::now());
        // How many are in the text to save.
        let mut put = |local: [u8; 4], now: Instant| {
            let text = by_address.put(local.into(), issued.common.clone(), now);
            text.map(|text| text.matches("BEGIN").count())
        };
        assert_eq!(put([127, 0, 0, 9], now), None);
        assert_eq!(put([10, 0, 0, 1], now), Some(1));
        assert_eq!(put([10, 0, 0, 2], now + SAVE_EVERY - Duration::from_nanos(1)), None);
        assert_eq!(put([10, 0, 0, 1], now + SAVE_EVERY), Some(2), "one for each address");
        for number in 3..=100 {
            let _ = put([10, 0, 0, number], now);
        }
        assert_eq!(put([10, 0, 0, 100], now + SAVE_EVERY * 2), Some(MAX_SAVED));
        assert_eq!(by_address.leaves.len(), MAX_LEAVES);
        let is_there = |number: u8| by_address.get([10, 0, 0, number].into()).is_some();
        assert!(!is_there(36) && is_there(37), "the oldest makes room");
    }
}
