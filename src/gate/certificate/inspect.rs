//! Certificates as commands show and renew them.

use std::fmt;

use zeroize::Zeroizing;

use super::authority::{Authority, load_key_pair, new_key};
use super::clock::{Clock, Validity};
use super::current::Certificates;
use super::error::CertificateError;
use super::files;
use super::issued::{Issued, validity_of};
use super::names::{self, Names};
use super::origin::{Origin, origin, stored};
use super::paths::{CertificateFiles, write};
use super::profile::{fingerprint, pem};
use super::trust_anchor::TrustAnchor;
use super::x509::Fields;

/// What commands show of the certificate in the files.
#[derive(Clone, Debug)]
pub struct Inspection {
    subject: String,
    validity: Validity,
    names: Vec<String>,
    key_fingerprint: String,
    is_legacy: bool,
    /// The CA; `None` if the certificate is the owner's or an older version's.
    pub trust_anchor: Option<TrustAnchor>,
    /// Problems that a person should solve.
    pub remarks: Vec<String>,
}

impl Certificates {
    /// Inspects the files and changes nothing; `None` if they are missing and the first start will make them.
    ///
    /// # Errors
    /// The problems with the files that [`Certificates::open`] would find.
    pub fn inspect(files: &CertificateFiles) -> Result<Option<Inspection>, CertificateError> {
        match (files.cert.exists(), files.key.exists()) {
            (true, true) => inspect(files).map(Some),
            (false, false) => Ok(None),
            (false, true) if files.has_authority() => Ok(None),
            (has_cert, _) => Err(files.missing_half(has_cert)),
        }
    }

    /// Makes a new certificate for the existing key, with a new CA if `with_authority`. A running server
    /// loads it by itself.
    ///
    /// # Errors
    /// [`CertificateError::NotOurs`] for a certificate that was not made here.
    pub fn renew(files: &CertificateFiles, with_authority: bool) -> Result<Inspection, CertificateError> {
        let pair = files.load()?;
        let stored = stored(files, &pair)?.ok_or_else(|| CertificateError::NotOurs(files.cert.clone()))?;
        let clock = Clock::system();
        let names = Names::of(&names::host(), &files.names).0;
        let now_s = clock.best_s(validity_of(&stored.leaf));
        let authority = if with_authority {
            let key = new_key()?;
            let text = key.serialize_pem();
            let authority = Authority::make(key, &names, now_s)?;
            let replaced = files::load_chain(&files.authority).unwrap_or_default();
            let text = Zeroizing::new(authority.key_file(&text, replaced.first()));
            write(&files.authority_key, text.as_bytes(), 0o600)?;
            write(&files.authority, pem(&authority.certificate).as_bytes(), 0o644)?;
            authority
        } else {
            files.load_or_make_authority(&names, now_s)?
        };
        let mut issued = Issued::new(
            authority,
            load_key_pair(&files.key)?,
            &names,
            Some(stored),
            &files.by_address(),
            clock,
        )?
        .0;
        issued.renew(clock)?;
        // These are of the old certificate or CA.
        let _ = std::fs::remove_file(files.by_address());
        write(&files.cert, issued.file().as_bytes(), 0o644)?;
        inspect(files)
    }
}

fn inspect(files: &CertificateFiles) -> Result<Inspection, CertificateError> {
    let pair = files.load()?;
    let leaf = pair.cert.first().map_or(&[][..], |leaf| leaf.as_ref());
    let fields = Fields::read(leaf)
        .ok_or_else(|| CertificateError::Broken(files.cert.clone(), "not a certificate".to_owned()))?;
    let (names, addresses) = fields.alt_names();
    let origin = origin(files, leaf)?;
    let clock = Clock::system();
    let wanted = Names::of(&names::host(), &files.names).0;
    let (trust_anchor, remarks) = match origin {
        Origin::Authority => {
            let authority = Authority::load(&files.authority, &files.authority_key)?;
            let stored = stored(files, &pair)?;
            let anchor = TrustAnchor::of(&authority);
            let issued = Issued::new(
                authority,
                load_key_pair(&files.key)?,
                &wanted,
                stored,
                &files.by_address(),
                clock,
            )?
            .0;
            (Some(anchor), issued.remarks(&wanted, clock))
        }
        Origin::Legacy => (None, Vec::new()),
        Origin::Owner => (None, files::remarks(&files.cert, &pair.cert, clock)),
    };
    Ok(Inspection {
        subject: fields.common_name(),
        validity: Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s },
        names: names.into_iter().chain(addresses.iter().map(ToString::to_string)).collect(),
        key_fingerprint: fingerprint(fields.public_key),
        is_legacy: matches!(origin, Origin::Legacy),
        trust_anchor,
        remarks,
    })
}

/// For people, line by line.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "certificate   {}", self.subject)?;
        writeln!(f, "valid         {} ({} days)", self.validity, self.validity.days())?;
        writeln!(f, "for           {}", self.names.join(", "))?;
        writeln!(f, "key           {}", self.key_fingerprint)?;
        match &self.trust_anchor {
            Some(anchor) => {
                writeln!(f, "CA            {}", anchor.name)?;
                writeln!(f, "CA valid      {}", anchor.validity)?;
                writeln!(f, "CA print      {}", anchor.fingerprint())?;
                writeln!(f, "Clients get a certificate of this CA for the address that they connect to.")?;
            }
            None if self.is_legacy => {
                writeln!(f, "made by an older version; the next start replaces it and keeps the key")?;
            }
            None => writeln!(f, "made by its owner, who renews it")?,
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "warning       {remark}"))
    }
}
