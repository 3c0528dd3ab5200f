//! Why there is no usable certificate, with what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::disk;

/// The command that makes a key and certificate which every client accepts.
const MAKE_COMMAND: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 \
     -subj /CN=board -addext subjectAltName=DNS:board.local -keyout key.pem -out server.pem";

/// Why there is no usable certificate.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// One of two files exists and the other does not.
    Half {
        /// The file that exists.
        present: PathBuf,
        /// The file that does not.
        missing: PathBuf,
    },
    /// A file holds no PEM block of the expected kind, but something else.
    Empty(PathBuf, &'static str, FoundInstead),
    /// A PEM file that cannot be parsed, and why.
    Broken(PathBuf, String),
    /// A certificate of version 1 or 2.
    Version(PathBuf, u8),
    /// A key that is protected by a passphrase.
    Encrypted(PathBuf),
    /// A key of an unsupported kind or size, which the text describes.
    KeyKind(PathBuf, String),
    /// The key belongs to another certificate: files of certificate and key.
    Mismatch(PathBuf, PathBuf),
    /// The key belongs to a later certificate of the chain; its number, from 1.
    Order(PathBuf, usize),
    /// Users other than its owner may change the key; its mode.
    Exposed(PathBuf, u32),
    /// A new certificate could not be made.
    Make(rcgen::Error),
    /// The request needs the board's own CA, and this certificate is not of it.
    NotOurs(PathBuf),
}

/// What a file holds in place of PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundInstead {
    /// Nothing known.
    Unknown,
    /// PEM of this other kind.
    Pem(&'static str),
    /// The same in DER, or an archive of PKCS #12.
    Der,
    /// Text in UTF-16.
    Utf16,
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Make(error) => Some(error),
            Self::Half { .. }
            | Self::Empty(..)
            | Self::Broken(..)
            | Self::Version(..)
            | Self::Encrypted(_)
            | Self::KeyKind(..)
            | Self::Mismatch(..)
            | Self::Order(..)
            | Self::Exposed(..)
            | Self::NotOurs(_) => None,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Half { present, missing } => write!(
                f,
                "{} exists but {} is missing; restore it, or remove the other file, and both are made anew",
                present.display(),
                missing.display()
            ),
            Self::Empty(path, kind, found) => empty(f, path, kind, *found),
            Self::Broken(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Version(path, version) => version_error(f, path, *version),
            Self::Encrypted(path) => write!(
                f,
                "{0}: the key is encrypted, and a server cannot ask for the passphrase; \
                 `(umask 077; openssl pkey -in {0} -out plain.pem)` writes it unencrypted",
                path.display()
            ),
            Self::KeyKind(path, found) => key_kind(f, path, found),
            Self::Mismatch(cert, key) => mismatch(f, cert, key),
            Self::Order(cert, number) => write!(
                f,
                "{}: the certificate of the server is number {number}; move it to the beginning, before those of \
                 its CAs",
                cert.display()
            ),
            Self::Exposed(key, mode) => write!(
                f,
                "{key}: users other than its owner may change this key (mode {mode:03o}); run `chmod 600 {key}`{FAT_HINT}",
                key = key.display(),
                FAT_HINT = disk::FAT_HINT
            ),
            Self::Make(error) => write!(f, "cannot make a certificate: {error}"),
            Self::NotOurs(cert) => write!(
                f,
                "{}: this certificate was not made by Defender, so this board has no CA of its own; renew it \
                 where it was made",
                cert.display()
            ),
        }
    }
}

fn version_error(f: &mut fmt::Formatter<'_>, path: &Path, version: u8) -> fmt::Result {
    write!(
        f,
        "{}: an X.509 certificate of version {version}, which has no names and which clients no longer \
         accept; expected version 3, as `{MAKE_COMMAND}` makes it",
        path.display()
    )
}

fn key_kind(f: &mut fmt::Formatter<'_>, path: &Path, found: &str) -> fmt::Result {
    write!(
        f,
        "{}: {found}; expected ECDSA on P-256 or P-384, RSA of 2048 to 4096 bits, or Ed25519, as \
         `{MAKE_COMMAND}` makes it",
        path.display()
    )
}

fn mismatch(f: &mut fmt::Formatter<'_>, cert: &Path, key: &Path) -> fmt::Result {
    write!(
        f,
        "the key in {key} does not belong to the certificate in {cert}; \
         `openssl x509 -noout -pubkey -in {cert}` and `openssl pkey -pubout -in {key}` must print the same",
        key = key.display(),
        cert = cert.display()
    )
}

fn empty(f: &mut fmt::Formatter<'_>, path: &Path, kind: &str, found: FoundInstead) -> fmt::Result {
    let file = path.display();
    write!(f, "{file}: expected a PEM file with a {kind}")?;
    let command = if kind == "CERTIFICATE" { "x509" } else { "pkey" };
    match found {
        FoundInstead::Unknown => Ok(()),
        FoundInstead::Pem(kind) => write!(f, "; found a {kind}"),
        FoundInstead::Der => write!(
            f,
            "; found DER: `openssl {command} -inform der -in {file} -out FILE.pem` converts it, or, where it is a \
             .p12 or .pfx, `openssl pkcs12 -nodes -in {file} -out FILE.pem`"
        ),
        FoundInstead::Utf16 => {
            write!(f, "; found text in UTF-16: `iconv -f utf-16 -t ascii {file} >FILE.pem` converts it")
        }
    }
}
