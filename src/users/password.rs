//! Password hashes: PBKDF2-HMAC-SHA512 (RFC 8018, section 5.2) in the PHC string format.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;

/// Rounds of a new hash: OWASP's figure for PBKDF2-HMAC-SHA512.
pub const ROUNDS: u32 = 210_000;

const HASH_BYTES: usize = 64;

const SALT_BYTES: usize = 16;

/// Rounds accepted in a file: fewer would be no protection, more would hang the board.
const ROUNDS_ACCEPTED: std::ops::RangeInclusive<u32> = 1_000..=10_000_000;

/// A salted hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

impl PasswordHash {
    /// Hashes `password` under a new random salt. Slow on purpose: seconds on a Pi Zero.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(password: &str) -> Result<Self, getrandom::Error> {
        let mut salt = vec![0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        let hash = derive(password, &salt, ROUNDS);
        Ok(Self { rounds: ROUNDS, salt, hash })
    }

    /// A hash no password is known for: what an unknown user's password is checked against.
    pub fn of_nobody() -> Self {
        Self { rounds: ROUNDS, salt: vec![0; SALT_BYTES], hash: [0; HASH_BYTES] }
    }

    /// Reads `$pbkdf2-sha512$i=ROUNDS,l=64$SALT$HASH`.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "pbkdf2-sha512", parameters, salt, hash] = parts[..] else {
            return Err("expected $pbkdf2-sha512$i=ROUNDS,l=64$SALT$HASH");
        };
        let rounds = parameters.strip_prefix("i=").and_then(|rest| rest.strip_suffix(",l=64"));
        let is_plain = |digits: &&str| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let rounds = rounds.filter(is_plain);
        let rounds =
            rounds.and_then(|digits| digits.parse().ok()).filter(|rounds| ROUNDS_ACCEPTED.contains(rounds));
        let rounds = rounds.ok_or("expected i=ROUNDS,l=64 with 1000 to 10000000 rounds")?;
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| "the salt is not unpadded base64")?;
        if !(8..=64).contains(&salt.len()) {
            return Err("the salt must have 8 to 64 bytes");
        }
        let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| "the hash is not unpadded base64")?;
        let hash = hash.try_into().map_err(|_| "the hash must have 64 bytes")?;
        Ok(Self { rounds, salt, hash })
    }

    /// How many rounds it takes.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Whether `password` is the one; not telling by its time how much of it was right.
    ///
    /// A wrong one takes `rounds` rounds even where this hash has fewer, so that time does not
    /// distinguish an old record, and so an existing user, from none.
    pub fn verify(&self, password: &str, rounds: u32) -> bool {
        let is_right = constant_time_eq(&derive(password, &self.salt, self.rounds), &self.hash);
        let missing = rounds.saturating_sub(self.rounds);
        if !is_right && missing > 0 {
            std::hint::black_box(derive(password, &self.salt, missing));
        }
        is_right
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(self.hash));
        write!(f, "$pbkdf2-sha512$i={},l={HASH_BYTES}${salt}${hash}", self.rounds)
    }
}

fn derive(password: &str, salt: &[u8], rounds: u32) -> [u8; HASH_BYTES] {
    #[cfg(test)]
    rounds_spent::add(rounds);
    let mut hash = [0; HASH_BYTES];
    pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut hash);
    hash
}

/// Compares without telling by its time where the difference is.
fn constant_time_eq(a: &[u8; HASH_BYTES], b: &[u8; HASH_BYTES]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// What hashing cost, counted instead of timed.
#[cfg(test)]
pub mod rounds_spent {
    use std::cell::Cell;

    thread_local! {
        static SPENT: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn add(rounds: u32) {
        SPENT.set(SPENT.get() + rounds);
    }

    /// The rounds this thread spends in `work`.
    pub fn during<T>(work: impl FnOnce() -> T) -> (T, u32) {
        let before = SPENT.get();
        let done = work();
        (done, SPENT.get() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_differences_cancel_each_other() {
        let (zeros, ones) = ([0; HASH_BYTES], [1; HASH_BYTES]);
        assert!(constant_time_eq(&ones, &ones) && !constant_time_eq(&ones, &zeros));
    }

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let hash = PasswordHash::parse(&PasswordHash::new("secret").unwrap().to_string()).unwrap();
        assert!(hash.verify("secret", ROUNDS));
        assert!(!hash.verify("Secret", ROUNDS));
    }

    #[test]
    fn the_same_password_never_gives_the_same_line() {
        assert_ne!(PasswordHash::new("a").unwrap().to_string(), PasswordHash::new("a").unwrap().to_string());
    }

    #[test]
    fn a_known_vector_comes_out() {
        // PBKDF2-HMAC-SHA512, password "password", salt "saltsalt", 1000 rounds, 64 bytes, as
        // Python's hashlib.pbkdf2_hmac gives it.
        let text = "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$\
                    Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA";
        let hash = PasswordHash::parse(text).unwrap();
        assert!(hash.verify("password", 1000));
    }

    #[test]
    fn malformed_strings_are_refused_with_what_was_expected() {
        let good = PasswordHash::of_nobody().to_string();
        assert!(PasswordHash::parse(&good).is_ok());
        for broken in [
            "".to_owned(),
            "plain".to_owned(),
            good.replace("sha512", "sha1"),
            good.replace("i=210000", "i=999"),
            good.replace("i=210000", "i=99999999"),
            good.replace("i=210000", "i=+210000"),
            good.replace("i=210000", "i=0210000"),
            good.replace("i=210000", "i=4294967297"),
            good.replace("i=210000", "i="),
            good.replace("i=210000,", ""),
            good.replace("l=64", "l=32"),
            format!("{good}="),
            format!("{good}$x"),
            good[..good.len() - 4].to_owned(),
            "$pbkdf2-sha512$i=210000,l=64$AAAA$".to_owned(),
        ] {
            assert!(PasswordHash::parse(&broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_wrong_password_costs_what_the_slowest_record_costs() {
        let salt = STANDARD_NO_PAD.encode([7; SALT_BYTES]);
        let hash = STANDARD_NO_PAD.encode(derive("right", &[7; SALT_BYTES], 1000));
        let hash = PasswordHash::parse(&format!("$pbkdf2-sha512$i=1000,l=64${salt}${hash}")).unwrap();
        assert_eq!(hash.rounds(), 1000);
        for (password, slowest, spent) in
            [("right", 3000, 1000), ("wrong", 3000, 3000), ("wrong", 1001, 1001), ("wrong", 999, 1000)]
        {
            let verified = rounds_spent::during(|| hash.verify(password, slowest));
            assert_eq!(verified, (password == "right", spent), "{password}, {slowest}");
        }
    }

    #[test]
    fn a_salt_has_8_to_64_bytes() {
        let hash = STANDARD_NO_PAD.encode([0; HASH_BYTES]);
        for (length, is_accepted) in [(7, false), (8, true), (64, true), (65, false)] {
            let salt = STANDARD_NO_PAD.encode(vec![0; length]);
            let parsed = PasswordHash::parse(&format!("$pbkdf2-sha512$i=1000,l=64${salt}${hash}"));
            assert_eq!(parsed.is_ok(), is_accepted, "{length} bytes");
        }
    }
}
