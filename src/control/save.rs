//! Saving changes as overrides, so that they hold after the next start, and taking them back.

use std::error::Error;

use log::error;

use super::ControlError;
use crate::config::{Config, LockedStore, Overridden, Override, Overrides, Store, Value};

/// Overrides that were written, with what the file held before. Nobody else edits the file until it is dropped.
#[must_use]
pub(super) struct Saved {
    store: LockedStore,
    before: Overrides,
}

impl Saved {
    /// Writes what the file held before.
    pub(super) fn undo(self) {
        if let Err(error) = self.store.write(&self.before) {
            let file = self.store.file().display();
            error!("{file}: it holds a change that was not made, and cannot be put back: {error}");
        }
    }
}

/// Adds overrides to the file.
///
/// # Errors
/// Why they cannot be saved; nothing is changed then.
pub(super) fn save(config: &Config, new: &[Override]) -> Result<Option<Saved>, ControlError> {
    if !config.can_save {
        return Err(ControlError::CannotSave);
    }
    if new.is_empty() {
        return Ok(None);
    }
    write(config, |overrides| new.iter().for_each(|each| overrides.set(each.clone()))).map(Some)
}

/// Removes the overrides whose names are meant, also those that were written into the file by hand since the start.
/// Whether there was one.
///
/// # Errors
/// Why they are still there.
pub(super) fn remove(config: &Config, is_meant: impl Fn(&str) -> bool) -> Result<bool, ControlError> {
    if !config.can_save {
        return Err(ControlError::CannotSave);
    }
    let mut names = Vec::new();
    write(config, |overrides| {
        names.extend(overrides.iter().map(|each| each.name.clone()).filter(|name| is_meant(name)));
        for name in &names {
            overrides.remove(name);
        }
    })
    .map(drop)?;
    Ok(!names.is_empty())
}

/// Notes in `config` what was saved; `configured` gives the value that a setting had without an override.
pub(super) fn note(
    config: &mut Config,
    saved: Vec<Override>,
    configured: impl Fn(&Override) -> Option<Value>,
) {
    for saved in saved {
        match config.overrides.iter_mut().find(|old| old.saved.name == saved.name) {
            Some(old) if old.is_in_force() => old.saved = saved,
            Some(old) => {
                let configured = configured(&saved);
                *old = Overridden { saved, configured, problem: None };
            }
            None => {
                let configured = configured(&saved);
                config.overrides.push(Overridden { saved, configured, problem: None });
            }
        }
    }
}

/// Reads the file, for it may have been edited by hand, and writes it anew.
fn write(config: &Config, edit: impl FnOnce(&mut Overrides)) -> Result<Saved, ControlError> {
    let store = Store::beside(&config.server.users);
    let failed = |why: Box<dyn Error + Send + Sync>| ControlError::NotSaved(store.file().to_owned(), why);
    let store = store.lock().map_err(|error| failed(error.into()))?;
    let before = store.read().map_err(|error| failed(error.into()))?;
    let mut after = before.clone();
    edit(&mut after);
    if after != before {
        store.write(&after).map_err(|error| failed(error.into()))?;
    }
    Ok(Saved { store, before })
}
