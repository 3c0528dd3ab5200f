//! The server's certificates by the board's own CA: one for each address that clients connect to, made when
//! the first of them comes, all with one key, so that who knows the key need not care.
//!
//! No client learns the board's other addresses, and a pin of the key stays valid for all certificates. At most
//! 64 addresses have one, of which 16 are kept in `defender-addresses.pem`, because a browser's exception is
//! for one certificate. The certificate file holds the one for the names, followed by the CA for clients that
//! are given the file. The CA itself is never sent in a handshake. For one more version the former self-signed
//! certificate is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::disk;

/// Most certificates in memory: a machine has a few addresses. Where it has more they are made again.
const MOST_LEAVES: usize = 64;

/// Most of them that are kept in a file, and how often that is written at most.
const MOST_KEPT: usize = 16;
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The last year of a CA is remarked, for devices have to be told of the next one.
const AUTHORITY_REMARK_DAYS: i64 = 365;

/// A CA, the server's key, and what was made of them.
pub(super) struct Issued {
    pub(super) authority: Authority,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    /// The self-signed certificate that an older Defender made for the same key. It is shown behind the new
    /// one, for other Defenders that know the board by its digest.
    former: Option<CertificateDer<'static>>,
    names: Names,
    /// For the names alone, as it stands in the file.
    common: Leaf,
    by_address: Mutex<ByAddress>,
    /// Keeps those for addresses over a restart: a browser's exception is for one certificate.
    kept_in: PathBuf,
}

/// The oldest first.
#[derive(Default)]
struct ByAddress {
    leaves: Vec<(IpAddr, Leaf)>,
    kept_at: Option<Instant>,
}

#[derive(Clone)]
struct Leaf {
    pair: Arc<CertifiedKey>,
    validity: Validity,
}

/// What was found in the certificate's file.
pub(super) struct Stored {
    pub(super) leaf: CertificateDer<'static>,
    pub(super) former: Option<CertificateDer<'static>>,
}

impl Issued {
    /// Goes on with the certificate in the file, where that is good still, or makes one; and whether it did.
    pub(super) fn new(
        authority: Authority,
        key: KeyPair,
        wanted: &Names,
        stored: Option<Stored>,
        kept_in: &Path,
        clock: Clock,
    ) -> Result<(Self, bool), CertificateError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_supported_type(&der)
            .map_err(|_| CertificateError::Make(rcgen::Error::CouldNotParseKeyPair))?;
        let names = authority.divide(wanted).0;
        let (leaf, former) = stored.map_or((None, None), |stored| (Some(stored.leaf), stored.former));
        let in_use = leaf.as_deref().and_then(validity_of);
        let now_s = clock.best(in_use);
        let names_in_file = in_file(&names);
        let good = leaf.filter(|leaf| is_good(leaf, &names_in_file, now_s) && authority.has_issued(leaf));
        let is_new = good.is_none();
        let (certificate, validity) = match good.zip(in_use) {
            Some(found) => found,
            None => authority.issue(&key, &names_in_file, now_s)?,
        };
        let pair = pair(certificate, former.as_ref(), &signing);
        let common = Leaf { pair, validity };
        let kept_in = kept_in.to_owned();
        let by_address = Mutex::default();
        let mut issued = Self { authority, key, signing, former, names, common, by_address, kept_in };
        // Those beside a certificate that was made anew are as old as the former one.
        if !is_new {
            issued.take_kept(now_s);
        }
        Ok((issued, is_new))
    }

    /// The certificate for who connected to `local`: that in the file, where it has the address or the CA may
    /// not certify it.
    pub(super) fn pair_for(&self, local: Option<IpAddr>, clock: Clock) -> Arc<CertifiedKey> {
        let is_common = |local: &IpAddr| in_file(&self.names).addresses.contains(local);
        let local = local.map(|local| local.to_canonical()).filter(|local| self.authority.permits(*local));
        let Some(local) = local.filter(|local| !is_common(local)) else {
            return Arc::clone(&self.common.pair);
        };
        let now_s = clock.best(Some(self.common.validity));
        let found = self.lock().get(local);
        if let Some(leaf) = found.filter(|leaf| !self.is_leaf_due(leaf, now_s)) {
            return leaf.pair;
        }
        match self.authority.issue(&self.key, &self.names_at(local), now_s) {
            Ok((certificate, validity)) => {
                let pair = pair(certificate, self.former.as_ref(), &self.signing);
                let to_keep = self.lock().put(local, Leaf { pair: Arc::clone(&pair), validity });
                if let Some(text) = to_keep
                    && let Err(error) = disk::replace(&self.kept_in, text.as_bytes(), 0o644)
                {
                    debug!("{}: certificates are made anew after a restart: {error}", self.kept_in.display());
                }
                pair
            }
            Err(error) => {
                error!("no certificate for {local}: {error}");
                Arc::clone(&self.common.pair)
            }
        }
    }

    /// Whether the certificate in the file has to be made anew.
    pub(super) fn is_due(&self, clock: Clock) -> bool {
        self.is_leaf_due(&self.common, clock.best(Some(self.common.validity)))
    }

    /// Makes the certificate for the names alone anew, whatever the old one is like.
    pub(super) fn make_anew(&mut self, clock: Clock) -> Result<(), CertificateError> {
        let now_s = clock.best(Some(self.common.validity));
        let (certificate, validity) = self.authority.issue(&self.key, &in_file(&self.names), now_s)?;
        let pair = pair(certificate, self.former.as_ref(), &self.signing);
        self.common = Leaf { pair, validity };
        Ok(())
    }

    /// The certificate for the names alone.
    pub(super) fn common(&self) -> &Arc<CertifiedKey> {
        &self.common.pair
    }

    /// What stands in the certificate's file. With the CA in it, a client that is given the file trusts later
    /// certificates, too.
    pub(super) fn file(&self) -> String {
        let own = self.common.pair.cert.first().map(|leaf| leaf.as_ref());
        let all = own.into_iter().chain([self.authority.certificate.as_ref()]).chain(self.former.as_deref());
        all.map(pem).collect()
    }

    /// What a person should know.
    pub(super) fn remarks(&self, wanted: &Names, clock: Clock) -> Vec<String> {
        let left_out = self.authority.divide(wanted).1;
        let mut remarks: Vec<String> = left_out
            .into_iter()
            .map(|name| {
                format!(
                    "the board's CA may not certify `{name}`, for it was made before; `defender certificate renew \
                     --ca` makes one that may, and each device has to trust that one anew"
                )
            })
            .collect();
        let end = self.authority.validity;
        if clock.believed().is_some_and(|now_s| end.days_left(now_s) < AUTHORITY_REMARK_DAYS) {
            remarks.push(format!(
                "the board's CA ends on {}; `defender certificate renew --ca` makes the next one, and each device has \
                 to trust that one anew",
                day(end.not_after_s)
            ));
        }
        remarks
    }

    /// Goes on with certificates that were made before a restart.
    fn take_kept(&mut self, now_s: i64) {
        let kept = if self.kept_in.exists() { files::load_chain(&self.kept_in) } else { return };
        let own_key = super::authority::spki(&self.key);
        for certificate in kept.into_iter().flatten() {
            let Some(fields) = Fields::read(&certificate) else { continue };
            let (_, addresses) = fields.alt_names();
            let Some(local) = addresses.iter().copied().find(|local| !self.names.addresses.contains(local))
            else {
                continue;
            };
            let is_ours = fields.public_key == own_key && self.authority.has_issued(&certificate);
            let validity = validity_of(&certificate).filter(|_| is_ours);
            if let Some(validity) = validity.filter(|_| is_good(&certificate, &self.names_at(local), now_s)) {
                let pair = pair(certificate, self.former.as_ref(), &self.signing);
                self.lock().leaves.push((local, Leaf { pair, validity }));
            }
        }
    }

    fn names_at(&self, local: IpAddr) -> Names {
        let mut names = self.names.clone();
        names.addresses.push(local);
        names
    }

    /// Whether a new certificate would be better: shortly before the end of the CA it would be due at once.
    fn is_leaf_due(&self, leaf: &Leaf, now_s: i64) -> bool {
        leaf.validity.is_due(now_s) && !Validity::of_leaf(now_s, self.authority.validity).is_due(now_s)
    }

    /// How many certificates for addresses are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().leaves.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByAddress> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ByAddress {
    fn get(&self, local: IpAddr) -> Option<Leaf> {
        self.leaves.iter().find(|(address, _)| *address == local).map(|(_, leaf)| leaf.clone())
    }

    /// Takes a new certificate in; gives what is to be kept, where it is time for that.
    fn put(&mut self, local: IpAddr, leaf: Leaf) -> Option<String> {
        self.leaves.retain(|(address, _)| *address != local);
        if self.leaves.len() >= MOST_LEAVES {
            self.leaves.remove(0);
        }
        self.leaves.push((local, leaf));
        // Of loopback there are millions of addresses, and nobody but this machine sees them.
        if local.is_loopback() || self.kept_at.is_some_and(|at| at.elapsed() < KEEP_EVERY) {
            return None;
        }
        self.kept_at = Some(Instant::now());
        let lasting = self.leaves.iter().rev().filter(|(address, _)| !address.is_loopback()).take(MOST_KEPT);
        Some(lasting.filter_map(|(_, leaf)| leaf.pair.cert.first()).map(|leaf| pem(leaf)).collect())
    }
}

/// What the certificate in the file is for: the names, and this machine as it calls itself.
fn in_file(names: &Names) -> Names {
    let mut names = names.clone();
    names.addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    names
}

/// From when to when a certificate is valid.
pub(super) fn validity_of(certificate: &[u8]) -> Option<Validity> {
    let fields = Fields::read(certificate)?;
    Some(Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s })
}

fn pair(
    leaf: CertificateDer<'static>,
    former: Option<&CertificateDer<'static>>,
    signing: &Arc<dyn SigningKey>,
) -> Arc<CertifiedKey> {
    let chain = std::iter::once(leaf).chain(former.cloned()).collect();
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
