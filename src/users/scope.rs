//! Which cameras and microphones a user may see and hear.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::names;

/// The cameras and microphones that a user may see and hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All there are, and those to come.
    #[default]
    All,
    /// Those named and no other; a kind that is not named is closed whole.
    Only {
        /// Names of cameras.
        cameras: BTreeSet<String>,
        /// Names of microphones.
        microphones: BTreeSet<String>,
    },
}

/// The two fields of a line, in the order they are written.
const CAMERAS: &str = "cameras=";
const MICROPHONES: &str = "microphones=";

impl Scope {
    /// The named cameras and microphones; `None` for a name no camera can have, or for no name at
    /// all: a user who may see and hear nothing needs no account.
    pub fn only(cameras: &[String], microphones: &[String]) -> Option<Self> {
        let plain = cameras.iter().chain(microphones).all(|name| names::is_full_name(name));
        let any = !cameras.is_empty() || !microphones.is_empty();
        (plain && any).then(|| Self::Only {
            cameras: cameras.iter().cloned().collect(),
            microphones: microphones.iter().cloned().collect(),
        })
    }

    /// Whether a camera may be seen.
    pub fn sees(&self, camera: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only { cameras, .. } => cameras.contains(camera),
        }
    }

    /// Whether a microphone may be heard.
    pub fn hears(&self, microphone: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only { microphones, .. } => microphones.contains(microphone),
        }
    }

    /// The names of both kinds; `None` for all there are.
    pub fn names(&self) -> Option<(Vec<String>, Vec<String>)> {
        match self {
            Self::All => None,
            Self::Only { cameras, microphones } => {
                Some((cameras.iter().cloned().collect(), microphones.iter().cloned().collect()))
            }
        }
    }

    /// What is in both.
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, scope) | (scope, Self::All) => scope.clone(),
            (
                Self::Only { cameras, microphones },
                Self::Only { cameras: other_cameras, microphones: other_microphones },
            ) => {
                Self::Only { cameras: cameras & other_cameras, microphones: microphones & other_microphones }
            }
        }
    }

    /// Reads the fields behind a line's hash: none, or `cameras=a,b`, `microphones=c`, or both.
    ///
    /// # Errors
    /// What was expected instead.
    pub(super) fn parse(fields: &[&str]) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "only cameras=NAME,NAME and microphones=NAME,NAME may follow the hash, and past=no behind them";
        let (mut cameras, mut microphones) = (Vec::new(), Vec::new());
        for field in fields {
            let (list, names) = if let Some(names) = field.strip_prefix(CAMERAS) {
                (&mut cameras, names)
            } else if let Some(names) = field.strip_prefix(MICROPHONES) {
                (&mut microphones, names)
            } else {
                return Err(EXPECTED);
            };
            if !list.is_empty() {
                return Err("a list is given twice");
            }
            list.extend(names.split(',').map(str::to_owned));
        }
        if fields.is_empty() {
            return Ok(Self::All);
        }
        Self::only(&cameras, &microphones)
            .ok_or("a camera or microphone name is not 1 to 65 letters, digits, - or _")
    }
}

/// The fields as they stand behind a hash, each with its colon before it; nothing for all.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((cameras, microphones)) = self.names() else { return Ok(()) };
        for (key, names) in [(CAMERAS, cameras), (MICROPHONES, microphones)] {
            if !names.is_empty() {
                write!(f, ":{key}{}", names.join(","))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Scope, &'static str> {
        let fields: Vec<&str> = text.split(':').skip(1).collect();
        Scope::parse(&fields)
    }

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["", ":cameras=front,yard", ":microphones=desk", ":cameras=front:microphones=desk"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn nothing_that_is_not_understood_opens_a_camera() {
        for text in [
            ":",
            ":cameras=",
            ":cameras=a,,b",
            ":cameras=a b",
            ":cameras=a:cameras=b",
            ":cameras=a:x=y",
            ":camera=a",
            ":cameras=*",
            "::cameras=a",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_kind_that_is_not_named_is_closed() {
        let scope = read(":cameras=front").unwrap();
        assert!(scope.sees("front") && !scope.sees("yard") && !scope.hears("front"));
        assert!(Scope::All.sees("x") && Scope::All.hears("x"));
        assert_eq!(Scope::only(&[], &[]), None);
    }

    #[test]
    fn two_scopes_together_open_what_both_open() {
        let both = read(":cameras=a,b:microphones=m").unwrap().and(&read(":cameras=b,c").unwrap());
        assert!(both.sees("b") && !both.sees("a") && !both.sees("c") && !both.hears("m"));
        assert_eq!(Scope::All.and(&both), both);
        assert_eq!(both.and(&Scope::All), both);
    }
}
