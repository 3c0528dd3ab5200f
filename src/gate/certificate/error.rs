//! Why there is no usable certificate, with what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::disk;

/// Makes a key and certificate that every client takes, as a line to be typed.
const MAKE_ANEW: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 \
     -subj /CN=board -addext subjectAltName=DNS:board.local -keyout key.pem -out server.pem";

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
    Empty(PathBuf, &'static str, Instead),
    /// A PEM file that cannot be understood.
    Broken(PathBuf, String),
    /// A certificate of version 1 or 2.
    Version(PathBuf, u8),
    /// A key that only a passphrase opens.
    Encrypted(PathBuf),
    /// A key of a kind or size that is not supported, as words say it.
    KeyKind(PathBuf, String),
    /// The key belongs to another certificate.
    Mismatch(PathBuf, PathBuf),
    /// The key belongs to a later certificate of the chain; its place, from 1.
    Order(PathBuf, usize),
    /// The key may be replaced by others than its owner; its mode.
    Exposed(PathBuf, u32),
    /// A new certificate could not be made.
    Make(rcgen::Error),
    /// What was asked for needs a CA of the board's own, which this certificate is not of.
    NotOurs(PathBuf),
}

/// What a file holds in place of PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing known.
    Unknown,
    /// PEM of this other kind.
    Pem(&'static str),
    /// The same in DER, or an archive of PKCS #12.
    Der,
    /// Text in UTF-16.
    Utf16,
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
            Self::Empty(path, kind, instead) => empty(f, path, kind, *instead),
            Self::Broken(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Version(path, version) => write!(
                f,
                "{}: an X.509 certificate of version {version}, which has no names and which no client takes any \
                 more; expected version 3, as `{MAKE_ANEW}` makes it",
                path.display()
            ),
            Self::Encrypted(path) => write!(
                f,
                "{0}: the key is encrypted, and nobody is there to type its passphrase at a start; \
                 `(umask 077; openssl pkey -in {0} -out plain.pem)` writes it without one",
                path.display()
            ),
            Self::KeyKind(path, found) => write!(
                f,
                "{}: {found}; expected ECDSA on P-256 or P-384, RSA of 2048 to 4096 bits, or Ed25519, as \
                 `{MAKE_ANEW}` makes it",
                path.display()
            ),
            Self::Mismatch(cert, key) => write!(
                f,
                "the key in {key} does not belong to the certificate in {cert}; \
                 `openssl x509 -noout -pubkey -in {cert}` and `openssl pkey -pubout -in {key}` must print the same",
                key = key.display(),
                cert = cert.display()
            ),
            Self::Order(cert, place) => write!(
                f,
                "{}: the certificate of the server is the one at place {place}; move it to the beginning, before \
                 those of its CAs",
                cert.display()
            ),
            Self::Exposed(key, mode) => write!(
                f,
                "{key}: others than its owner may change this key (mode {mode:03o}); `chmod 600 {key}`{FAT_HINT}",
                key = key.display(),
                FAT_HINT = disk::FAT_HINT
            ),
            Self::Make(error) => write!(f, "could not make a certificate: {error}"),
            Self::NotOurs(cert) => write!(
                f,
                "{}: this certificate was not made by Defender, so there is no CA of this board's own; who made it \
                 renews it, and knows the CA",
                cert.display()
            ),
        }
    }
}

fn empty(f: &mut fmt::Formatter<'_>, path: &Path, kind: &str, instead: Instead) -> fmt::Result {
    let file = path.display();
    write!(f, "{file}: expected a PEM file with a {kind}")?;
    let command = if kind == "CERTIFICATE" { "x509" } else { "pkey" };
    match instead {
        Instead::Unknown => Ok(()),
        Instead::Pem(found) => write!(f, "; found a {found}"),
        Instead::Der => write!(
            f,
            "; found DER: `openssl {command} -inform der -in {file} -out FILE.pem` converts it, or, where it is a \
             .p12 or .pfx, `openssl pkcs12 -nodes -in {file} -out FILE.pem`"
        ),
        Instead::Utf16 => {
            write!(f, "; found text in UTF-16: `iconv -f utf-16 -t ascii {file} >FILE.pem` converts it")
        }
    }
}
