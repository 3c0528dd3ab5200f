//! Secrets the program makes itself: 128 random bits each. Only their digest is ever kept, and a
//! plain SHA-256 is enough for that: there is nothing to guess in a random number.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::base::hex;

const RANDOM_BYTES: usize = 16;

/// What the name of the digest is in a file.
const KIND: &str = "$sha256$";

/// The SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// A new secret, `prefix` and 22 letters of base64url (RFC 4648, section 5), and its digest.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_secret(prefix: &str) -> Result<(Zeroizing<String>, Digest), getrandom::Error> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::fill(&mut *random)?;
    // Room for all of it at once: growing would leave pieces of it in freed memory.
    let mut secret = Zeroizing::new(String::with_capacity(prefix.len() + 2 * RANDOM_BYTES));
    secret.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(*random, &mut secret);
    let digest = Digest::of(&secret);
    Ok((secret, digest))
}

impl Digest {
    /// The digest of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads `$sha256$` and 43 letters of base64url.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected $sha256$ and a digest in unpadded base64url";
        let encoded = text.strip_prefix(KIND).ok_or(EXPECTED)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| EXPECTED)?;
        bytes.try_into().map(Self).map_err(|_| EXPECTED)
    }

    /// A name for what the secret opens, which signs nobody in: 64 bits of the digest.
    pub fn id(&self) -> String {
        hex::encode(&self.0[..8])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_have_all_their_bits() {
        let (one, digest) = new_secret("p_").unwrap();
        let (other, _) = new_secret("p_").unwrap();
        assert_ne!(one, other);
        assert_eq!(URL_SAFE_NO_PAD.decode(one.strip_prefix("p_").unwrap()).unwrap().len(), 16);
        assert_eq!(Digest::of(&one), digest);
    }

    #[test]
    fn a_digest_is_read_as_written_and_anything_else_refused() {
        let digest = Digest::of("abc");
        // The SHA-256 of "abc" as FIPS 180-2, appendix B.1, gives it.
        assert_eq!(digest.id(), "ba7816bf8f01cfea");
        let written = digest.to_string();
        assert_eq!(Digest::parse(&written), Ok(digest));
        for broken in ["", "$sha256$", &written[1..], &written[..written.len() - 1], &format!("{written}=")] {
            assert!(Digest::parse(broken).is_err(), "{broken}");
        }
    }
}
