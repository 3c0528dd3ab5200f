//! The users and tokens of one reading of the user file, found by name and by digest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::file::{Record, TokenRecord, UserFile};
use super::password::ROUNDS;
use super::secret::Digest;

/// The users and tokens of one reading.
pub struct UserIndex {
    by_name: HashMap<String, Arc<Record>>,
    tokens: HashMap<Digest, Arc<TokenRecord>>,
    /// The tokens without effect, because their user is gone.
    orphans: HashSet<Digest>,
    /// Names that have a malformed line and no good one.
    malformed: HashSet<String>,
    /// What any wrong password costs: the most that one of the records takes.
    rounds: u32,
}

impl UserIndex {
    /// The index of a file.
    pub fn of(file: &UserFile) -> Self {
        let by_name: HashMap<_, _> =
            file.users().map(|record| (record.name.clone(), Arc::new(record.clone()))).collect();
        let malformed = file.bad_lines().filter_map(|bad| bad.name.clone());
        let malformed = malformed.filter(|name| !by_name.contains_key(name)).collect();
        let rounds = by_name.values().map(|record| record.hash.rounds()).fold(ROUNDS, u32::max);
        let live = file.tokens().filter(|token| file.is_live(token));
        let tokens = live.map(|token| (token.digest, Arc::new(token.clone()))).collect();
        let orphans = file.orphans().map(|(_, token)| token.digest).collect();
        Self { by_name, tokens, orphans, malformed, rounds }
    }

    /// The user of a name.
    pub fn find(&self, name: &str) -> Option<&Arc<Record>> {
        self.by_name.get(name)
    }

    /// Whether the token of a digest is there without effect, because its user is gone.
    pub fn is_orphan(&self, token: &Digest) -> bool {
        self.orphans.contains(token)
    }

    /// The token of a digest.
    pub fn find_token(&self, digest: &Digest) -> Option<&Arc<TokenRecord>> {
        self.tokens.get(digest)
    }

    /// Whether a user's line is still the same.
    pub fn has(&self, record: &Record) -> bool {
        self.find(&record.name).is_some_and(|now| **now == *record)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.by_name.values()
    }

    /// All tokens that sign in a user, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<TokenRecord>> {
        self.tokens.values()
    }

    /// Whether the name has a malformed line and no good one.
    pub fn is_malformed(&self, name: &str) -> bool {
        self.malformed.contains(name)
    }

    /// What any wrong password costs, in rounds.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }
}

impl Default for UserIndex {
    fn default() -> Self {
        Self::of(&UserFile::default())
    }
}
