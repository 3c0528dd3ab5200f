//! Sign-ins that worked lately, so that a client that sends its password with each request does
//! not cost a slow hash each time.
//!
//! They are remembered for their network only. During a wait they are still looked up, so that a client that
//! sends its password with each request does not suffer from somebody else's guesses. If they were valid
//! everywhere, guesses from elsewhere would find them without a slow hash. A failed look-up counts as a failure
//! and is logged; after five of them no look-up is made until the wait is over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::file::Record;
use crate::base::Network;

/// Sign-ins remembered; more than the gate has connections by default, so that clients which all send
/// their passwords with each request do not push each other out.
const REMEMBERED: usize = 256;

/// A sign-in is forgotten when it was not used for this long.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// What a sign-in leaves behind: a keyed digest of name, password, record and where it came from,
/// so that none can be read back, any change of the record makes it worthless, and guesses from
/// elsewhere never meet it.
pub type Tag = [u8; 32];

/// The key of the tags: random, of this process. A tag is of no use outside it.
pub struct TagKey(Option<Zeroizing<[u8; 32]>>);

/// The tags of sign-ins that worked, and when each was last used.
#[derive(Default)]
pub struct Remembered {
    used: HashMap<Tag, Instant>,
}

impl TagKey {
    /// A new key. Where the system gives no random numbers there is none, and nothing is
    /// remembered: a guessable key would let tags be tried faster than passwords.
    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Self(getrandom::fill(&mut *key).ok().map(|()| key))
    }

    /// The tag of a password given for the user of `record` from `network`.
    pub fn tag(&self, record: &Record, password: &str, network: Network) -> Option<Tag> {
        let network = network.to_string();
        self.digest(&[&record.name, password, &record.hash.to_string(), &network])
    }

    /// The tag of a password that is being checked, given for `name` from anywhere. The name is in it
    /// as it was given, so that unknown names share no more checks than known ones.
    pub fn check_tag(&self, name: &str, record: &Record, password: &str) -> Option<Tag> {
        self.digest(&[name, password, &record.hash.to_string()])
    }

    fn digest(&self, parts: &[&str]) -> Option<Tag> {
        let key = self.0.as_ref()?;
        let mut digest = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes a key of any length");
        for part in parts {
            // The length first: no two lists of parts are fed alike.
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        Some(digest.finalize().into_bytes().into())
    }
}

impl Remembered {
    /// Whether this sign-in worked lately; looking counts as a use. `now` is monotonic.
    pub fn knows(&mut self, tag: &Tag, now: Instant) -> bool {
        match self.used.get_mut(tag) {
            Some(used) if now.duration_since(*used) < FORGET_AFTER => {
                *used = now;
                true
            }
            _ => false,
        }
    }

    /// Remembers a sign-in that worked; the one longest unused makes room.
    pub fn remember(&mut self, tag: Tag, now: Instant) {
        self.used.retain(|_, used| now.duration_since(*used) < FORGET_AFTER);
        if self.used.len() >= REMEMBERED
            && let Some(oldest) = self.used.iter().min_by_key(|(_, used)| **used).map(|(tag, _)| *tag)
        {
            self.used.remove(&oldest);
        }
        self.used.insert(tag, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::password::PasswordHash;
    use crate::users::{Role, Scope};

    fn record(name: &str) -> Record {
        let hash = PasswordHash::of_nobody();
        Record { name: name.to_owned(), role: Role::Viewer, hash, scope: Scope::All, past: true }
    }

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    fn tag(number: usize) -> Tag {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&(number as u64).to_le_bytes());
        tag
    }

    #[test]
    fn a_sign_in_is_forgotten_by_disuse_and_not_while_it_is_used() {
        let mut remembered = Remembered::default();
        let start = Instant::now();
        remembered.remember(tag(0), start);
        for uses in 1..5 {
            assert!(remembered.knows(&tag(0), start + FORGET_AFTER / 2 * uses), "use {uses}");
        }
        assert!(!remembered.knows(&tag(0), start + FORGET_AFTER * 3));
    }

    #[test]
    fn a_forgotten_sign_in_takes_no_memory() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        remembered.remember(tag(0), start);
        remembered.remember(tag(1), start + FORGET_AFTER - Duration::from_nanos(1));
        assert_eq!(remembered.used.len(), 2);
        remembered.remember(tag(2), start + FORGET_AFTER);
        assert_eq!(remembered.used.len(), 2, "the first one is gone");
        assert!(!remembered.knows(&tag(0), start));
    }

    #[test]
    fn sign_ins_are_bounded_and_the_longest_unused_goes_first() {
        let mut remembered = Remembered::default();
        let start = Instant::now();
        let at = |seconds: usize| start + Duration::from_secs(seconds as u64);
        (0..REMEMBERED).for_each(|number| remembered.remember(tag(number), at(number)));
        assert!(remembered.knows(&tag(0), at(REMEMBERED)));
        remembered.remember(tag(REMEMBERED), at(REMEMBERED + 1));
        assert_eq!(remembered.used.len(), REMEMBERED);
        assert!(!remembered.knows(&tag(1), at(REMEMBERED + 2)), "1 was unused the longest");
        assert!(remembered.knows(&tag(0), at(REMEMBERED + 2)));
        assert!(remembered.knows(&tag(REMEMBERED), at(REMEMBERED + 2)));
    }

    #[test]
    fn tags_depend_on_each_part_and_on_the_process() {
        let key = TagKey::random();
        let (here, there) = (network("127.0.0.1"), network("192.0.2.1"));
        let tag = key.tag(&record("ab"), "c", here);
        assert!(tag.is_some() && tag == key.tag(&record("ab"), "c", here));
        assert_ne!(tag, key.tag(&record("a"), "bc", here));
        assert_ne!(tag, key.tag(&record("ab"), "c", there));
        let rehashed = Record { hash: PasswordHash::new("c").unwrap(), ..record("ab") };
        assert_ne!(tag, key.tag(&rehashed, "c", here), "another record of the same password");
        assert_ne!(tag, TagKey::random().tag(&record("ab"), "c", here));
    }

    #[test]
    fn without_a_key_nothing_is_remembered() {
        assert_eq!(TagKey(None).tag(&record("ab"), "c", network("::1")), None);
    }
}
