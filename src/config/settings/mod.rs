//! The settings of cameras and microphones, and of the server where they can change while it runs: one
//! table for each section. From a table come the keys of defender.conf, the overrides, the fields of the
//! API, and the fields of the page; tests hold openapi.json, the shipped defender.conf and the man page
//! to it. A new setting is a field of its struct with a default, and one row in [`table`].
//!
//! The values of a camera's own controls are not in a table: their names are its driver's.

mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::RangeInclusive;

use super::paths::Paths;
use super::read::Section;

pub(super) use table::default_microphone;
pub use table::{CAMERA, MICROPHONE, SERVER, default_camera};

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
    get: fn(&S) -> Value,
    form: Form<S>,
}

/// What the values of a setting are, and how one gets into the settings.
enum Form<S> {
    Integer(RangeInclusive<u32>, fn(&mut S, u32)),
    Boolean(fn(&mut S, bool)),
    Choice(fn() -> Vec<&'static str>, fn(&mut S, &str)),
    /// Only defender.conf sets it, and this reads it there.
    Own(fn(&mut S, &Section<'_>, &Paths<'_>)),
}

/// What the values of a setting are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of this range.
    Integer(RangeInclusive<u32>),
    /// True or false.
    Boolean,
    /// One of these words.
    Choice(Vec<&'static str>),
    /// Text that only defender.conf sets.
    Text,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Text, such as one of a few words.
    Text(String),
}

impl<S> Setting<S> {
    const fn new(key: &'static str, label: &'static str, get: fn(&S) -> Value, form: Form<S>) -> Self {
        Self { key, label, hint: "", is_live: false, get, form }
    }

    const fn integer(
        key: &'static str,
        label: &'static str,
        range: RangeInclusive<u32>,
        get: fn(&S) -> Value,
        set: fn(&mut S, u32),
    ) -> Self {
        Self::new(key, label, get, Form::Integer(range, set))
    }

    const fn boolean(
        key: &'static str,
        label: &'static str,
        get: fn(&S) -> Value,
        set: fn(&mut S, bool),
    ) -> Self {
        Self::new(key, label, get, Form::Boolean(set))
    }

    const fn choice(
        key: &'static str,
        label: &'static str,
        words: fn() -> Vec<&'static str>,
        get: fn(&S) -> Value,
        set: fn(&mut S, &str),
    ) -> Self {
        Self::new(key, label, get, Form::Choice(words, set))
    }

    const fn own(
        key: &'static str,
        label: &'static str,
        read: fn(&mut S, &Section<'_>, &Paths<'_>),
        get: fn(&S) -> Value,
    ) -> Self {
        Self::new(key, label, get, Form::Own(read))
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
    pub fn set(&self, settings: &mut S, value: &Value) -> Result<(), String> {
        match (&self.form, value) {
            (Form::Integer(range, set), Value::Integer(number)) => {
                let number = u32::try_from(*number).ok().filter(|number| range.contains(number));
                set(settings, number.ok_or_else(|| self.expected())?);
            }
            (Form::Boolean(set), Value::Boolean(is_on)) => set(settings, *is_on),
            (Form::Choice(words, set), Value::Text(word)) if words().contains(&word.as_str()) => {
                set(settings, word);
            }
            _ => return Err(self.expected()),
        }
        Ok(())
    }

    /// What its values are.
    pub fn kind(&self) -> Kind {
        match &self.form {
            Form::Integer(range, _) => Kind::Integer(range.clone()),
            Form::Boolean(_) => Kind::Boolean,
            Form::Choice(words, _) => Kind::Choice(words()),
            Form::Own(_) => Kind::Text,
        }
    }

    /// Takes the value of its key from a section of defender.conf; without one `settings` stay as they are.
    pub(super) fn read(&self, settings: &mut S, section: &Section<'_>, paths: &Paths<'_>) {
        let default = self.get(settings);
        match (&self.form, default) {
            (Form::Integer(range, set), Value::Integer(default)) => {
                let default = u32::try_from(default).unwrap_or_default();
                set(settings, section.integer(self.key, range.clone(), default));
            }
            (Form::Boolean(set), Value::Boolean(default)) => {
                set(settings, section.boolean(self.key, default));
            }
            (Form::Choice(words, set), Value::Text(default)) => {
                let words: Vec<_> = words().into_iter().map(|word| (word, word)).collect();
                let default = words.iter().find(|(word, _)| *word == default).map_or("", |(word, _)| word);
                set(settings, section.choice(self.key, &words, default));
            }
            (Form::Own(read), _) => read(settings, section, paths),
            (Form::Integer(..) | Form::Boolean(_) | Form::Choice(..), other) => {
                unreachable!("{} has the value {other}", self.key)
            }
        }
    }

    fn expected(&self) -> String {
        match self.kind() {
            Kind::Integer(range) => format!("expected {} to {}", range.start(), range.end()),
            Kind::Boolean => "expected true or false".to_owned(),
            Kind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("expected one of {}", words.join(", "))
            }
            Kind::Text => "it can only be changed in defender.conf".to_owned(),
        }
    }
}

impl Kind {
    /// Whether a value is of this kind; it may still be out of range.
    pub fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Integer(_) => matches!(value, Value::Integer(_)),
            Self::Boolean => matches!(value, Value::Boolean(_)),
            Self::Choice(_) | Self::Text => matches!(value, Value::Text(_)),
        }
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl fmt::Display for Value {
    /// As TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(is_on) => is_on.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

/// A text as a basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
