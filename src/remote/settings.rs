//! What defender.conf says of another Defender.

use std::fmt;
use std::io::{self, ErrorKind};
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
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path) => {
                let token = disk::secret_line(path).and_then(checked);
                token.map_err(|error| RemoteError::Token(path.clone(), error))
            }
        }
    }

    /// Whether this can be a token.
    pub fn is_one(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// Takes the first line of a token's file, if it can be a token.
fn checked(line: String) -> io::Result<String> {
    if Token::is_one(&line) {
        return Ok(line);
    }
    let found = if line.is_empty() { "the first line is empty" } else { "the first line is no token" };
    let why = format!("{found}; expected what `defender token add` printed there");
    Err(io::Error::new(ErrorKind::InvalidData, why))
}
