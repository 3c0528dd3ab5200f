//! Which microphones a recording can have: those of this machine, and those of other Defenders, whose names are not
//! known before they answer.

use super::Config;
use super::settings::form::listed;
use crate::base::did_you_mean;

/// The microphones that a configuration knows of.
pub struct Microphones {
    /// Of this machine, by name.
    own: Vec<String>,
    /// Other Defenders, by name.
    remotes: Vec<String>,
}

impl Microphones {
    /// Those of sections with these names.
    pub(super) fn new(mut own: Vec<String>, mut remotes: Vec<String>) -> Self {
        own.sort();
        remotes.sort();
        Self { own, remotes }
    }

    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let own = config.microphones.iter().map(|microphone| microphone.name.clone());
        Self::new(own.collect(), config.remotes.iter().map(|remote| remote.name.clone()).collect())
    }

    /// Whether one of this machine has the name.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.own.iter().any(|own| own == name)
    }

    /// Checks that a recording can have the microphone `name`; the empty name is none.
    ///
    /// # Errors
    /// `expected` and what.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let is_of = |remote: &String| {
            name.strip_prefix(remote)
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|rest| !rest.is_empty())
        };
        if name.is_empty() || self.is_own(name) || self.remotes.iter().any(is_of) {
            return Ok(());
        }
        Err(format!("expected {}", self.expected(name)))
    }

    /// What could stand in the place of `name`.
    pub(super) fn expected(&self, name: &str) -> String {
        let own: Vec<&str> = self.own.iter().map(String::as_str).collect();
        let mut expected = match own.as_slice() {
            [] => "\"\" for no sound, because there is no section [microphone.NAME]".to_owned(),
            own => format!("\"\" for no sound, or one of {}", listed(own)),
        };
        for remote in &self.remotes {
            expected.push_str(&format!(", or a microphone of [remote.{remote}], \"{remote}-NAME\""));
        }
        expected.push_str(&did_you_mean(name, &own));
        expected
    }
}
