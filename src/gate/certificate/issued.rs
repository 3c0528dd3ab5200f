//! The server's certificates by the board's own CA: one for each address that clients connect to, made when
//! the first of them comes, all with one key, so that who knows the key need not care.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use log::error;
use rcgen::KeyPair;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::authority::Authority;
use super::clock::{Clock, Validity, day};
use super::error::CertificateError;
use super::names::Names;
use super::profile::pem;
use super::x509::Fields;

/// Most certificates kept: a machine has a few addresses. Where it has more they are made again.
const MOST_LEAVES: usize = 64;

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
    by_address: Mutex<HashMap<IpAddr, Leaf>>,
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
        Ok((Self { authority, key, signing, former, names, common, by_address: Mutex::default() }, is_new))
    }

    /// The certificate for who connected to `local`. One for an address that the CA may not certify has the
    /// names alone.
    pub(super) fn pair_for(&self, local: Option<IpAddr>, clock: Clock) -> Arc<CertifiedKey> {
        let Some(local) =
            local.map(|local| local.to_canonical()).filter(|local| self.authority.permits(*local))
        else {
            return Arc::clone(&self.common.pair);
        };
        let now_s = clock.best(Some(self.common.validity));
        if let Some(leaf) = self.lock().get(&local).filter(|leaf| !self.is_leaf_due(leaf, now_s)) {
            return Arc::clone(&leaf.pair);
        }
        let mut names = self.names.clone();
        if !names.addresses.contains(&local) {
            names.addresses.push(local);
        }
        match self.authority.issue(&self.key, &names, now_s) {
            Ok((certificate, validity)) => {
                let pair = pair(certificate, self.former.as_ref(), &self.signing);
                let leaf = Leaf { pair: Arc::clone(&pair), validity };
                let mut leaves = self.lock();
                if leaves.len() >= MOST_LEAVES {
                    leaves.clear();
                }
                leaves.insert(local, leaf);
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

    /// Whether a new certificate would be better: shortly before the end of the CA it would be due at once.
    fn is_leaf_due(&self, leaf: &Leaf, now_s: i64) -> bool {
        leaf.validity.is_due(now_s) && !Validity::of_leaf(now_s, self.authority.validity).is_due(now_s)
    }

    /// How many certificates for addresses are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Leaf>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
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
