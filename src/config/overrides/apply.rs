//! The overrides in force over what defender.conf says.
//!
//! An override that cannot be read is ignored, but for masks: nobody may see what was under them, so that they fail
//! closed. The whole picture of the camera is covered until its masks are mended, drawn again or reset.

use std::fmt;

use super::{Override, Overrides, Store};
use crate::config::settings::Value;
use crate::config::{Config, Flags, Mode};

/// An override, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// The override as it is saved.
    pub saved: Override,
    /// What defender.conf says; `None` for a control that it does not name, and where the override is ignored, but for
    /// masks, instead of which the whole picture is covered.
    pub configured: Option<Value>,
    /// Why it is ignored.
    pub problem: Option<String>,
}

impl Config {
    /// Puts the overrides in force that are beside the user file; they are in `overrides` then. What of them
    /// is ignored is among the warnings. To be called as the user the server becomes, for the file is that
    /// user's.
    pub fn apply_overrides(&mut self, store: &Store, flags: &Flags) {
        match store.read() {
            Ok(overrides) => self.apply_all(&overrides, store, flags),
            Err(error) => {
                self.warnings.push(format!("no override is in force: {error}"));
                // There may be masks among them.
                let names: Vec<_> = self.cameras.iter().map(|camera| camera.name.clone()).collect();
                names.iter().for_each(|name| drop(self.cover(&format!("camera.{name}.masks"))));
            }
        }
        self.warnings.extend(self.record_warnings());
    }

    fn apply_all(&mut self, overrides: &Overrides, store: &Store, flags: &Flags) {
        self.warnings.extend(overrides.damages(store));
        for name in overrides.lost_masks() {
            self.cover(&name);
        }
        for saved in overrides.iter() {
            let (configured, problem) = match self.change_setting(&saved.name, &saved.value) {
                Ok(configured) => (configured, None),
                Err(why) => (self.cover(&saved.name), Some(why)),
            };
            // A server without devices does not use those of defender.conf either, which is said once.
            let is_expected = self.server.mode == Mode::Server && !saved.name.starts_with("server.");
            if let Some(why) = problem.as_ref().filter(|_| !is_expected) {
                let (file, name) = (store.file().display(), &saved.name);
                self.warnings.push(format!("{file}: {name} = {} is ignored: {why}", saved.value));
            }
            self.overrides.push(Overridden { saved: saved.clone(), configured, problem });
        }
        self.raise_log_level(flags);
    }

    /// Covers the whole picture if `name` is that of a camera's masks, and returns the masks that it had.
    fn cover(&mut self, name: &str) -> Option<Value> {
        let camera = name.strip_prefix("camera.")?.strip_suffix(".masks")?;
        let corners = [[0, 0], [1, 0], [1, 1], [0, 1]];
        let corners = corners.map(|corner| Value::List(corner.map(Value::Integer).into()));
        let whole = Value::List(vec![Value::List(corners.into())]);
        let before = self.change_setting(name, &whole).ok()?;
        self.warnings.push(format!(
            "camera {camera}: its whole picture is covered, because its saved masks cannot be read; draw and save them \
             again, or reset {name} and start the server again"
        ));
        before
    }
}

impl Overridden {
    /// Whether it is in force.
    pub fn is_in_force(&self) -> bool {
        self.problem.is_none()
    }
}

impl fmt::Display for Overridden {
    /// In words, such as `camera.front.fps = 15 (by ada at 2026-03-01T12:00:00Z; defender.conf: 30)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Override { name, value, by, at } = &self.saved;
        write!(f, "{name} = {value} (")?;
        match (by, at) {
            (Some(by), Some(at)) => write!(f, "by {by} at {at}; ")?,
            (Some(by), None) => write!(f, "by {by}; ")?,
            (None, _) => f.write_str("by version 0.1.0 or by hand; ")?,
        }
        match (&self.problem, &self.configured) {
            (Some(problem), _) => write!(f, "IGNORED: {problem})"),
            (None, Some(configured)) => write!(f, "defender.conf: {configured})"),
            (None, None) => f.write_str("not in defender.conf)"),
        }
    }
}
