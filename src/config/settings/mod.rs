//! The settings: one table for each section of defender.conf. From a table come the keys of defender.conf, the
//! overrides, the fields of the API, and the fields of the page; tests hold openapi.json, the shipped
//! defender.conf and the man page to it. A new setting is a field of its struct with a default, and one row in
//! [`devices`], [`record`], [`motion`] and [`server`]. [`Form`] lists what values can be.
//!
//! The values of a camera's own controls are not in a table, because their names are its driver's. They are a
//! section of their own, [`SectionValues`] like the others.

mod devices;
pub(super) mod form;
mod motion;
mod record;
mod server;
#[cfg(test)]
mod tests;
pub(super) mod value;
mod values;

use super::paths::Paths;
use super::read::Section;

pub(super) use devices::default_microphone;
pub(super) use record::{MOST_NAME_CHARS, default_record_store};
pub(super) use server::default_server;
pub(super) use value::{key, quoted};

pub use devices::{CAMERA, MICROPHONE, default_camera};
pub use form::{Fault, Form};
pub use motion::{CAMERA_MOTION, MICROPHONE_NOISE};
pub use record::{CAMERA_RECORD, RECORD};
pub use server::SERVER;
pub use value::Value;
pub use values::{Refusal, Row, SectionValues, camera_values, each_camera_section, with_camera_setting};

/// A setting of the section that `S` holds.
pub struct Setting<S: 'static> {
    /// Its key in defender.conf and in the API.
    pub key: &'static str,
    /// What the page calls it.
    pub label: &'static str,
    /// When it matters; may be empty.
    pub hint: &'static str,
    /// Whether it can be changed while the server runs.
    pub is_live: bool,
    /// What its values are.
    pub form: Form,
    get: fn(&S) -> Value,
    set: Set<S>,
}

/// How a value gets into the settings.
enum Set<S> {
    /// A value that the form accepted.
    Value(fn(&mut S, &Value)),
    /// Only defender.conf sets it, and this reads it there.
    Own(fn(&mut S, &Section<'_>, &Paths<'_>)),
}

impl<S> Setting<S> {
    /// A setting whose values have this form. `set` gets values of this form only.
    const fn new(
        key: &'static str,
        label: &'static str,
        form: Form,
        get: fn(&S) -> Value,
        set: fn(&mut S, &Value),
    ) -> Self {
        Self { key, label, hint: "", is_live: false, form, get, set: Set::Value(set) }
    }

    /// A setting that only defender.conf sets, and that is read by a function of its own: a path or an address.
    const fn own(
        key: &'static str,
        label: &'static str,
        read: fn(&mut S, &Section<'_>, &Paths<'_>),
        get: fn(&S) -> Value,
    ) -> Self {
        Self { key, label, hint: "", is_live: false, form: Form::FileOnly, get, set: Set::Own(read) }
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// Marks it as one that can be changed while the server runs.
    const fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// The value that `settings` have.
    pub fn get(&self, settings: &S) -> Value {
        (self.get)(settings)
    }

    /// Puts a value into `settings`.
    ///
    /// # Errors
    /// What was expected, where the value is no such one; `settings` stay as they are.
    pub fn set(&self, settings: &mut S, value: &Value) -> Result<(), Fault> {
        let value = self.form.accept(value)?;
        if let Set::Value(set) = &self.set {
            set(settings, &value);
        }
        Ok(())
    }

    /// Takes the value of its key from a section of defender.conf; without one `settings` stay as they are.
    fn read(&self, settings: &mut S, section: &Section<'_>, paths: &Paths<'_>) {
        match &self.set {
            Set::Own(read) => read(settings, section, paths),
            Set::Value(set) => {
                if let Some(value) = section.take(self.key, &self.form) {
                    set(settings, &value);
                }
            }
        }
    }
}

/// Takes the values of all settings of a table from a section of defender.conf.
pub(super) fn read_all<S>(table: &[Setting<S>], settings: &mut S, section: &Section<'_>, paths: &Paths<'_>) {
    table.iter().for_each(|setting| setting.read(settings, section, paths));
}
