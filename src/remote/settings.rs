//! What defender.conf says of another Defender.

use std::fmt;
use std::path::PathBuf;

use super::RemoteError;
use crate::base::disk;
use crate::client::{Address, Fingerprint};
use crate::media::RecordChoice;

/// What defender.conf says of another Defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Its name here.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// What signs this server in there.
    pub token: Token,
    /// Its key, once that is known; or a certificate of it.
    pub fingerprint: Option<Fingerprint>,
    /// Whether and how its cameras are recorded here.
    pub record: RecordChoice,
}

/// A token, or the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// As it stands in defender.conf.
    Given(String),
    /// The first line of this file.
    File(PathBuf),
}

/// Never shows the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Token {
    /// The token. A file is read each time, for it may be changed without a restart.
    ///
    /// # Errors
    /// When the file cannot be read, or there is nothing in it that could be a token.
    pub(super) fn read(&self) -> Result<String, RemoteError> {
        let token = match self {
            Self::Given(token) => token.clone(),
            Self::File(path) => {
                disk::secret_line(path).map_err(|error| RemoteError::Token(path.clone(), error))?
            }
        };
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then_some(token).ok_or(RemoteError::SignedOut)
    }
}
