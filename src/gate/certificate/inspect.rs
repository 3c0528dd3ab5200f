//! Certificates as commands show, renew and export them.

use std::fmt;

use zeroize::Zeroizing;

use super::authority::{Authority, load_key_pair, new_key};
use super::clock::{Clock, Validity};
use super::error::CertificateError;
use super::issued::{Issued, validity_of};
use super::names::{self, Names};
use super::profile::{fingerprint, mobile_configuration, pem};
use super::x509::Fields;
use super::{CertificateFiles, Certificates, Maker, files, maker, write};

/// The board's own CA, as devices take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// What devices call it.
    pub name: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
    validity: Validity,
}

/// What there is to know of the certificate in the files.
#[derive(Clone, Debug)]
pub struct Inspection {
    subject: String,
    validity: Validity,
    names: Vec<String>,
    key_fingerprint: String,
    is_former: bool,
    /// The CA; `None` where the certificate is the owner's, or an older version's.
    pub trust_anchor: Option<TrustAnchor>,
    /// What a person should do something about.
    pub remarks: Vec<String>,
}

impl TrustAnchor {
    pub(super) fn of(authority: &Authority) -> Self {
        Self {
            name: authority.name.clone(),
            der: authority.certificate.to_vec(),
            validity: authority.validity,
        }
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// The certificate as a configuration profile for iOS and macOS.
    pub fn mobile_configuration(&self) -> String {
        mobile_configuration(&self.name, &self.der)
    }

    /// SHA-256 of the certificate, as devices show it: `sha256:` and hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }
}

impl Certificates {
    /// What the files hold; `None` where neither is there and the first start makes them. Changes nothing.
    ///
    /// # Errors
    /// What [`Certificates::open`] would find wrong with the files.
    pub fn inspect(files: &CertificateFiles) -> Result<Option<Inspection>, CertificateError> {
        match (files.cert.exists(), files.key.exists()) {
            (true, true) => inspect(files).map(Some),
            (false, false) => Ok(None),
            (false, true) if files.has_authority() => Ok(None),
            (is_cert_there, _) => Err(files.half(is_cert_there)),
        }
    }

    /// Makes a new certificate for the key there is, with a new CA if so asked. A running server follows.
    ///
    /// # Errors
    /// [`CertificateError::NotOurs`] for a certificate that was not made here.
    pub fn renew(files: &CertificateFiles, with_authority: bool) -> Result<Inspection, CertificateError> {
        let pair = files.load()?;
        let stored =
            super::stored(files, &pair)?.ok_or_else(|| CertificateError::NotOurs(files.cert.clone()))?;
        let clock = Clock::system();
        let names = Names::of(&names::host(), &files.names).0;
        let now_s = clock.best(validity_of(&stored.leaf));
        let authority = if with_authority {
            let key = new_key()?;
            let text = key.serialize_pem();
            let authority = Authority::make(key, &names, now_s)?;
            let former = files::load_chain(&files.authority).unwrap_or_default();
            let text = Zeroizing::new(authority.key_file(&text, former.first()));
            write(&files.authority_key, text.as_bytes(), 0o600)?;
            write(&files.authority, pem(&authority.certificate).as_bytes(), 0o644)?;
            authority
        } else {
            files.authority(&names, now_s)?
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
        issued.make_anew(clock)?;
        // Those were made before.
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
    let maker = maker(files, leaf)?;
    let clock = Clock::system();
    let wanted = Names::of(&names::host(), &files.names).0;
    let (trust_anchor, remarks) = match maker {
        Maker::Authority => {
            let authority = Authority::load(&files.authority, &files.authority_key)?;
            let stored = super::stored(files, &pair)?;
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
        Maker::Former => (None, Vec::new()),
        Maker::Owner => (None, files::remarks(&files.cert, &pair.cert, clock)),
    };
    Ok(Inspection {
        subject: fields.common_name(),
        validity: Validity { not_before_s: fields.not_before_s, not_after_s: fields.not_after_s },
        names: names.into_iter().chain(addresses.iter().map(ToString::to_string)).collect(),
        key_fingerprint: fingerprint(fields.public_key),
        is_former: matches!(maker, Maker::Former),
        trust_anchor,
        remarks,
    })
}

/// Line by line, for people.
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
            None if self.is_former => {
                writeln!(f, "made by an older version; the next start replaces it and keeps the key")?;
            }
            None => writeln!(f, "made by its owner, who renews it")?,
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "warning       {remark}"))
    }
}
