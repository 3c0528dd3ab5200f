//! A name and a password, in a file of their own.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::disk;

/// A name and a password. Never shown.
#[derive(PartialEq, Eq)]
pub struct Login {
    text: Zeroizing<String>,
    /// Where the colon stands that ends the name.
    colon: usize,
}

/// Why a file gives no login.
#[derive(Debug)]
pub enum LoginError {
    /// It cannot be read, or others may read it.
    File(PathBuf, io::Error),
    /// Its first line is not `user:password`.
    Form(PathBuf),
}

impl Login {
    /// Reads `user:password`. A name has no colon; a password may be empty.
    pub fn parse(text: &str) -> Option<Self> {
        let colon = text.find(':').filter(|at| *at > 0)?;
        (!text.contains(char::is_control)).then(|| Self { text: Zeroizing::new(text.to_owned()), colon })
    }

    /// The login in the first line of a file that its owner alone may read.
    ///
    /// # Errors
    /// Why it gives none.
    pub fn read(file: &Path) -> Result<Self, LoginError> {
        let line = disk::private_line(file).map_err(|error| LoginError::File(file.to_owned(), error))?;
        let line = Zeroizing::new(line);
        Self::parse(&line).ok_or_else(|| LoginError::Form(file.to_owned()))
    }

    pub(super) fn user(&self) -> &str {
        &self.text[..self.colon]
    }

    pub(super) fn password(&self) -> &str {
        &self.text[self.colon + 1..]
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl Error for LoginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Form(_) => None,
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: cannot use this login file: {error}", path.display()),
            Self::Form(path) => {
                write!(f, "{}: the first line of a login file must be user:password", path.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_colon() {
        let login = Login::parse("ada:pass:word").unwrap();
        assert_eq!(
            (login.user(), login.password(), format!("{login:?}")),
            ("ada", "pass:word", "Login".to_owned())
        );
        assert_eq!(Login::parse("ada:").unwrap().password(), "");
        for wrong in ["", "ada", ":x", "a:b\r", "a\0:b"] {
            assert!(Login::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
