//! Settings that were changed while the server ran, and saved: the text of the overrides file.
//!
//! Each override is a line of its own, such as
//! `camera.front.fps = { value = 15, by = "ada", at = "2026-03-01T12:00:00Z" }`, so that a damaged line
//! costs one override. Lines that are not understood stay in the file as they are.

mod apply;
mod former;
mod store;

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::quoted::shown;
use super::settings::{Value, key, quoted};
use crate::base::{clock, utc};

pub use apply::Overridden;
pub use store::{LockedStore, Store};

/// What stands at the top of the file.
const HEADER: &str = "# Written by Defender: settings that were changed while it ran, in force over defender.conf.\n\
                      # `defender settings list` shows them, `defender settings reset NAME` takes one back.\n";

/// Longest line of which a comment is kept, in bytes: to find it, the line is read at each `#`.
const MOST_LINE_BYTES: usize = 2048;

/// A setting that is to have another value than in defender.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Where it belongs, such as `camera.front.fps`, `camera.front.controls.gain` or `server.log_level`.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// The account that saved it, where that is known.
    pub by: Option<String>,
    /// When it was saved, by the wall clock in UTC (RFC 3339), where that is known.
    pub at: Option<String>,
}

/// What an overrides file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    lines: Vec<Line>,
    /// Whether some of it comes from the file that version 0.1.0 wrote, and is not in this file yet.
    has_former: bool,
    /// What is wrong with the file that version 0.1.0 wrote.
    former_problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// With the line as it is in the file.
    Override(Override, Vec<u8>),
    Comment(Vec<u8>),
    /// Kept as it is, with what is wrong with it.
    Damaged(Vec<u8>, String),
}

impl Overrides {
    /// Reads the text of a file. Every text is one: what is wrong in it is in [`Overrides::problems`].
    pub fn parse(text: &[u8]) -> Self {
        let mut overrides = Self::default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|byte| *byte == b'\n').filter(|_| !text.is_empty()) {
            let trimmed = line.trim_ascii();
            let parsed = if trimmed.is_empty() || trimmed.starts_with(b"#") {
                Line::Comment(line.to_vec())
            } else {
                match parse_line(trimmed) {
                    Ok(found) if overrides.get(&found.name).is_some() => {
                        let why = format!("a second line for {}", shown(&found.name));
                        Line::Damaged(line.to_vec(), why)
                    }
                    Ok(found) => Line::Override(found, line.to_vec()),
                    Err(why) => Line::Damaged(line.to_vec(), why),
                }
            };
            overrides.lines.push(parsed);
        }
        overrides
    }

    /// The text of the file; empty where it needs no file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.lines.iter().all(|line| matches!(line, Line::Comment(_))) {
            return bytes;
        }
        if !matches!(self.lines.first(), Some(Line::Comment(_))) {
            bytes.extend_from_slice(HEADER.as_bytes());
        }
        for line in &self.lines {
            match line {
                Line::Override(_, text) | Line::Comment(text) | Line::Damaged(text, _) => {
                    bytes.extend_from_slice(text);
                }
            }
            bytes.push(b'\n');
        }
        bytes
    }

    /// The overrides in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.lines.iter().filter_map(|line| match line {
            Line::Override(found, _) => Some(found),
            Line::Comment(_) | Line::Damaged(..) => None,
        })
    }

    /// The override of this name.
    pub fn get(&self, name: &str) -> Option<&Override> {
        self.iter().find(|found| found.name == name)
    }

    /// Each line that is not understood: its number, and what is wrong with it.
    pub fn problems(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().filter_map(|(at, line)| match line {
            Line::Damaged(_, why) => Some((at + 1, why.as_str())),
            Line::Override(..) | Line::Comment(_) => None,
        })
    }

    /// The names of masks in lines that are not understood. A second line, over which the first one is in force, is none
    /// of these.
    pub(super) fn lost_masks(&self) -> impl Iterator<Item = String> {
        let lost = self.lines.iter().filter_map(Line::lost_masks);
        lost.filter(|name| self.get(name).is_none())
    }

    /// Adds an override, in the place of the one that has its name; a comment behind that stays.
    pub fn set(&mut self, new: Override) {
        let mut text = new.to_string().into_bytes();
        self.lines.retain(|line| line.lost_masks().as_ref() != Some(&new.name));
        let same = |line: &&mut Line| matches!(line, Line::Override(old, _) if old.name == new.name);
        match self.lines.iter_mut().find(same) {
            Some(line) => {
                if let Line::Override(_, before) = &*line {
                    text.extend_from_slice(comment_behind(before));
                }
                *line = Line::Override(new, text);
            }
            None => self.lines.push(Line::Override(new, text)),
        }
    }

    /// Removes the override of this name; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| match line {
            Line::Override(old, _) => old.name != name,
            // A second line for it would be in force in its place at the next start.
            Line::Damaged(text, _) => {
                let is_second = parse_line(text.trim_ascii()).is_ok_and(|second| second.name == name);
                !is_second && line.lost_masks().as_deref() != Some(name)
            }
            Line::Comment(_) => true,
        });
        self.lines.len() < before
    }
}

impl Line {
    /// The name that a line begins with, if it is that of masks and the rest is not understood.
    fn lost_masks(&self) -> Option<String> {
        let Self::Damaged(line, _) = self else { return None };
        let end = line.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_.\" ".contains(byte)));
        let name = str::from_utf8(&line[..end.unwrap_or(line.len())]).ok()?;
        let parts: Vec<_> = name.split('.').map(|part| part.trim_matches([' ', '"'])).collect();
        let is_masks = matches!(parts[..], ["camera", _, "masks"]) && parse_line(line.trim_ascii()).is_err();
        is_masks.then(|| parts.join("."))
    }
}

impl Override {
    /// An override that `by` saves now.
    pub fn new(name: String, value: Value, by: &str) -> Self {
        let at = Some(utc::rfc3339_seconds(clock::wall_us()));
        Self { name, value, by: Some(by.to_owned()), at }
    }
}

impl fmt::Display for Override {
    /// Its line in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = split(&self.name).into_iter().map(key).collect();
        write!(f, "{} = {{ value = {}", parts.join("."), self.value)?;
        for (key, text) in [("by", &self.by), ("at", &self.at)] {
            if let Some(text) = text {
                write!(f, ", {key} = {}", quoted(text))?;
            }
        }
        f.write_str(" }")
    }
}

/// The comment behind the value of a line, with the blanks before it; empty where there is none.
fn comment_behind(line: &[u8]) -> &[u8] {
    if line.len() > MOST_LINE_BYTES {
        return &[];
    }
    let starts = (0..line.len()).filter(|at| line[*at] == b'#');
    // A `#` in a text is none: a line that is cut there is not read as the same.
    let read = parse_line(line.trim_ascii());
    let start = starts.into_iter().find(|at| read.is_ok() && parse_line(line[..*at].trim_ascii()) == read);
    start.map_or(&[], |at| &line[line[..at].trim_ascii_end().len()..])
}

/// The parts of a name. Only the last may hold dots itself: the name of a control is its driver's.
fn split(name: &str) -> Vec<&str> {
    let is_control = name.split('.').nth(2) == Some("controls");
    name.splitn(if is_control { 4 } else { usize::MAX }, '.').collect()
}

/// Reads a line such as `camera.front.fps = { value = 15 }`, or `camera.front.fps = 15`.
fn parse_line(line: &[u8]) -> Result<Override, String> {
    let text = str::from_utf8(line).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let root = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    let expected = || format!("expected NAME = {{ value = ... }}, found `{}`", shown(text));
    let mut parts: Vec<String> = Vec::new();
    let mut table = root.get_ref();
    loop {
        let mut entries = table.iter();
        let (Some((part, found)), None) = (entries.next(), entries.next()) else { return Err(expected()) };
        parts.push(part.get_ref().to_string());
        let DeValue::Table(inner) = found.get_ref() else {
            let value = Value::from_toml(found.get_ref()).ok_or_else(expected)?;
            return named(&parts, value, None, None);
        };
        if let Some(value) = inner.get("value").and_then(|value| Value::from_toml(value.get_ref())) {
            let text = |key: &str| match inner.get(key).map(Spanned::get_ref) {
                Some(DeValue::String(text)) => Some(text.to_string()),
                _ => None,
            };
            return named(&parts, value, text("by"), text("at"));
        }
        table = inner;
    }
}

fn named(parts: &[String], value: Value, by: Option<String>, at: Option<String>) -> Result<Override, String> {
    let name = parts.join(".");
    if split(&name) != *parts || parts.len() < 2 {
        return Err(format!("`{}` is no name of a setting", shown(&name)));
    }
    Ok(Override { name, value, by, at })
}

#[cfg(test)]
mod tests;
