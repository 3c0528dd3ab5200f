//! Who made a certificate: its owner, the board's CA, or an older version of Defender.

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::authority::Authority;
use super::error::CertificateError;
use super::issued::Stored;
use super::names::CA_NAME_PREFIX;
use super::paths::CertificateFiles;
use super::x509::{self, Fields, KeyKind};

/// How the names of the self-signed certificates of older versions begin, and their dates: 2024-01-01 to
/// 2049-12-31.
const LEGACY_NAME_PREFIX: &str = "Defender on ";
const LEGACY_DATES_S: (i64, i64) = (1_704_067_200, 2_524_521_600);

/// Who made a certificate.
pub(super) enum Origin {
    /// The owner of the board.
    Owner,
    /// The board's own CA.
    Authority,
    /// An older version of Defender, which made it self-signed.
    Legacy,
}

/// Finds who made a certificate.
///
/// # Errors
/// If it names a CA of ours as its issuer, and the files of the CA cannot be used.
pub(super) fn origin(files: &CertificateFiles, certificate: &[u8]) -> Result<Origin, CertificateError> {
    let Some(fields) = Fields::read(certificate) else { return Ok(Origin::Owner) };
    let issuer = x509::common_name(fields.issuer).unwrap_or_default();
    // Only then are the CA's files read: broken ones must not affect an owner's certificate.
    if issuer.starts_with(CA_NAME_PREFIX) {
        if !files.has_authority() {
            return Ok(Origin::Owner);
        }
        let authority = Authority::load(&files.authority, &files.authority_key)?;
        let is_ours = authority.has_issued(certificate) || authority.follows_issuer_of(certificate);
        return Ok(if is_ours { Origin::Authority } else { Origin::Owner });
    }
    Ok(if is_legacy(&fields) { Origin::Legacy } else { Origin::Owner })
}

/// Whether it is the self-signed certificate of an older version.
fn is_legacy(fields: &Fields<'_>) -> bool {
    fields.issuer == fields.subject
        && fields.has_plain_subject()
        && fields.common_name().starts_with(LEGACY_NAME_PREFIX)
        && (fields.not_before_s, fields.not_after_s) == LEGACY_DATES_S
        && fields.key_kind() == KeyKind::Curve("P-256")
}

/// The parts of a certificate file that was made here; `None` for the owner's.
///
/// # Errors
/// As [`origin`].
pub(super) fn stored(
    files: &CertificateFiles,
    pair: &CertifiedKey,
) -> Result<Option<Stored>, CertificateError> {
    let Some(leaf) = pair.cert.first() else { return Ok(None) };
    let is_legacy =
        |certificate: &&CertificateDer<'_>| Fields::read(certificate).as_ref().is_some_and(is_legacy);
    Ok(match origin(files, leaf)? {
        Origin::Owner => None,
        Origin::Authority | Origin::Legacy => {
            let own_key = Fields::read(leaf).map(|fields| fields.public_key);
            let of_same_key =
                |other: &&CertificateDer<'_>| Fields::read(other).map(|fields| fields.public_key) == own_key;
            let legacy = pair.cert.iter().filter(is_legacy).find(of_same_key).cloned();
            Some(Stored { leaf: leaf.clone(), legacy })
        }
    })
}
