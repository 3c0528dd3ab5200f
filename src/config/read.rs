//! Reading one section of a TOML document: each value is checked as it is taken, every mistake is
//! collected with its position, and unknown keys are found at the end.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::paths::Paths;
use super::quoted::{HIDDEN, shown};
use super::settings::form::Form;
use super::settings::value::Value;
use crate::base::did_you_mean;
use crate::base::names::{self, joined};

/// Most mistakes that are reported at once.
const MOST_PROBLEMS: usize = 20;

/// Most entries of a list or table in a section.
const MOST_ENTRIES: usize = 128;

/// The document's text, and what is wrong with it so far.
pub(super) struct Document<'a> {
    text: &'a str,
    file: &'a Path,
    problems: RefCell<Vec<(usize, String)>>,
}

/// One table being read.
pub(super) struct Section<'a> {
    document: &'a Document<'a>,
    /// As written between brackets.
    name: String,
    table: &'a DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(text: &'a str, file: &'a Path) -> Self {
        Self { text, file, problems: RefCell::default() }
    }

    /// Records a mistake at a position in the text.
    pub(super) fn problem(&self, at: Range<usize>, message: impl Display) {
        self.problems.borrow_mut().push((at.start.min(self.text.len()), message.to_string()));
    }

    /// The mistakes with their positions, in the order of the text: the first ones, and how many more.
    pub(super) fn into_problems(self) -> Vec<String> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(at, _)| *at);
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        // The lines are counted once for all: a file may have as many mistakes as lines.
        let (mut line, mut line_start, mut counted) = (1, 0, 0);
        let located = |(at, message): (usize, String)| {
            let at = self.text.floor_char_boundary(at);
            let passed = &self.text[counted..at.max(counted)];
            line += passed.matches('\n').count();
            line_start = passed.rfind('\n').map_or(line_start, |end| counted + end + 1);
            counted = at.max(counted);
            let column = self.text[line_start..at].chars().count() + 1;
            format!("{}:{line}:{column}: {message}", self.file.display())
        };
        let mut messages: Vec<String> = problems.into_iter().take(MOST_PROBLEMS).map(located).collect();
        if more > 0 {
            messages.push(format!("{}: and {more} more", self.file.display()));
        }
        messages
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(document: &'a Document<'a>, name: String, table: &'a DeTable<'a>) -> Self {
        Self { document, name, table, known: RefCell::default() }
    }

    /// The value of this key in the form that it has; `None` where it is missing, or wrong, which is recorded.
    pub(super) fn take(&self, key: &'static str, form: &Form) -> Option<Value> {
        self.known.borrow_mut().push(key);
        let found = self.table.get(key)?;
        let accepted = match Value::from_toml(found.get_ref()) {
            Some(value) => form.accept(&value),
            None => Err(form.fault()),
        };
        accepted
            .map_err(|fault| {
                let message = fault.message(&format!("{key} in [{}]", self.name), &self.written(key, found));
                self.document.problem(place(found, &fault.within), message);
            })
            .ok()
    }

    /// The section of this name below this one, read by `read`; `None` where there is none.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> Option<T> {
        let table = self.table_of(key, "")?;
        let section = Section::new(self.document, joined(&self.name, key), table);
        let value = read(&section);
        section.finish();
        Some(value)
    }

    /// The sections `[KEY.NAME]` below this one, in the order of the file; at most `most`.
    pub(super) fn sections<T>(
        &self,
        key: &'static str,
        most: usize,
        read: impl Fn(String, &Section<'_>) -> T,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (name, section) in self.named(key, most) {
            values.push(read(name, &section));
            section.finish();
        }
        values
    }

    /// The names of the sections `[KEY.NAME]`, whether they are read or not.
    pub(super) fn names_below(&self, key: &str) -> Vec<String> {
        match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::Table(tables)) => tables.keys().map(|name| name.get_ref().to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// Records sections `[KEY.NAME.BELOW]` without a section `[KEY.NAME]` where a section of a similar name is there: a mistyped
    /// name would silently be one more of its kind.
    pub(super) fn check_headers(&self, key: &'static str) {
        let Some(DeValue::Table(tables)) = self.table.get(key).map(Spanned::get_ref) else { return };
        let is_headless = |name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>| match value.get_ref() {
            // A table that only its sections below imply has the place of its name in the first of them.
            DeValue::Table(table) => {
                name.span() == value.span()
                    && table.values().all(|value| matches!(value.get_ref(), DeValue::Table(_)))
            }
            _ => false,
        };
        let (headless, others): (Vec<_>, Vec<_>) =
            tables.iter().partition(|(name, value)| is_headless(name, value));
        let others: Vec<&str> = others.iter().map(|(name, _)| name.get_ref().as_ref()).collect();
        for (name, _) in headless {
            let hint = did_you_mean(name.get_ref(), &others);
            if !hint.is_empty() {
                let path = joined(&joined(&self.name, key), &shown(name.get_ref()));
                let message = format!("a section below [{path}], but no section [{path}]{hint}");
                self.document.problem(name.span(), message);
            }
        }
    }

    fn named(&self, key: &'static str, most: usize) -> Vec<(String, Section<'a>)> {
        let Some(tables) = self.table_of(key, ".NAME") else { return Vec::new() };
        let path = joined(&self.name, key);
        let mut entries: Vec<_> = tables.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        if let Some((name, _)) = entries.get(most) {
            let message = format!("{} sections [{path}.NAME]; expected at most {most}", entries.len());
            self.document.problem(name.span(), message);
            entries.truncate(most);
        }
        let mut seen = HashSet::new();
        let mut sections = Vec::new();
        for (name, value) in entries {
            self.check_name(key, name, &seen);
            seen.insert(name.get_ref().to_ascii_lowercase());
            let shown_name = shown(name.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                let section = Section::new(self.document, joined(&path, &shown_name), table);
                sections.push((name.get_ref().to_string(), section));
            } else {
                let message = format!(
                    "`{shown_name}` in [{path}] is not a section: write [{path}.NAME] and its keys below"
                );
                self.document.problem(value.span(), message);
            }
        }
        sections
    }

    fn table_of(&self, key: &'static str, after: &str) -> Option<&'a DeTable<'a>> {
        self.known.borrow_mut().push(key);
        let found = self.table.get(key)?;
        let DeValue::Table(table) = found.get_ref() else {
            let message = format!("{key} is a section: write [{}{after}]", joined(&self.name, key));
            self.document.problem(found.span(), message);
            return None;
        };
        Some(table)
    }

    fn check_name(&self, kind: &str, name: &Spanned<Cow<'_, str>>, seen: &HashSet<String>) {
        let text = name.get_ref();
        let message = if !names::is_name(text) {
            format!(
                "{kind} name `{}`; expected 1 to 32 letters, digits, - or _, because it becomes part of a URL",
                shown(text)
            )
        } else if seen.contains(&text.to_ascii_lowercase()) {
            format!("a second {kind} is named `{text}`; names must differ in more than upper and lower case")
        } else {
            return;
        };
        self.document.problem(name.span(), message);
    }

    /// A path for the key in the place of `path`, where there is one.
    pub(super) fn path(&self, key: &'static str, paths: &Paths<'_>, path: &mut PathBuf) {
        let read = |found: &str| paths.resolve(found).filter(|_| !found.is_empty());
        *path = self.string(key, &paths.expected("a path"), std::mem::take(path), read);
    }

    /// A path for the key, or `""` for none, in the place of `path`, where there is one.
    pub(super) fn optional_path(&self, key: &'static str, paths: &Paths<'_>, path: &mut Option<PathBuf>) {
        let expected = paths.expected("a path, or \"\" for none");
        *path = self.string(key, &expected, path.take(), |found| match found {
            "" => Some(None),
            path => paths.resolve(path).map(Some),
        });
    }

    /// A string that `read` understands, or a list of at least one; `expected` says what that is.
    pub(super) fn one_or_more<T>(
        &self,
        key: &'static str,
        expected: &str,
        default: Vec<T>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let text = |value: &DeValue<'_>| match value {
            DeValue::String(found) => read(found),
            _ => None,
        };
        self.value(key, expected, default, |value| match value {
            DeValue::Array(list) if list.is_empty() => None,
            DeValue::Array(list) => list.iter().map(|value| text(value.get_ref())).collect(),
            one => text(one).map(|one| vec![one]),
        })
    }

    /// A table of whole numbers, in the order of the file, under keys of any name.
    pub(super) fn numbers(&self, key: &'static str) -> Vec<(String, i32)> {
        let expected =
            format!("a table of at most {MOST_ENTRIES} whole numbers such as {{ brightness = 128 }}");
        self.value(key, &expected, Vec::new(), |value| {
            let DeValue::Table(table) = value else { return None };
            if table.len() > MOST_ENTRIES {
                return None;
            }
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(name, _)| name.span().start);
            let number = |value: &DeValue<'_>| match value {
                DeValue::Integer(found) => i32::from_str_radix(found.as_str(), found.radix()).ok(),
                _ => None,
            };
            entries
                .into_iter()
                .map(|(name, value)| Some((name.get_ref().to_string(), number(value.get_ref())?)))
                .collect()
        })
    }

    /// A string that `read` understands; `expected` says what that is.
    pub(super) fn string<T>(
        &self,
        key: &'static str,
        expected: &str,
        default: T,
        read: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.value(key, expected, default, |value| match value {
            DeValue::String(found) => read(found),
            _ => None,
        })
    }

    /// Reports `what` of the value of this key, which is not quoted.
    pub(super) fn refuse(&self, key: &'static str, what: &str) {
        self.known.borrow_mut().push(key);
        if let Some(value) = self.table.get(key) {
            self.document.problem(value.span(), format!("{key} in [{}] {what}", self.name));
        }
    }

    /// The value of this key, where it is a string.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.table.get(key)?.get_ref() {
            DeValue::String(found) => Some(found),
            _ => None,
        }
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Spanned<Cow<'a, str>>> {
        self.table.keys()
    }

    /// Whether the section has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A required value. Records a mistake where it is missing; one that is there and wrong is recorded
    /// already.
    pub(super) fn needed<T>(&self, key: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            let first = self.table.values().map(Spanned::span).min_by_key(|span| span.start);
            let message = format!("[{}] needs `{key}`", self.name);
            self.document.problem(first.unwrap_or(0..0), message);
        }
        value
    }

    /// Records unknown keys; to be called when all values are taken.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let hint = did_you_mean(key.get_ref(), &known);
            let message = format!("unknown key `{}` in [{}]{hint}", shown(key.get_ref()), self.name);
            self.document.problem(key.span(), message);
        }
    }

    fn value<T>(
        &self,
        key: &'static str,
        expected: &str,
        default: T,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> T {
        self.known.borrow_mut().push(key);
        let Some(found) = self.table.get(key) else { return default };
        read(found.get_ref()).unwrap_or_else(|| {
            let written = self.written(key, found);
            let message = format!("{key} in [{}] is {written}; expected {expected}", self.name);
            self.document.problem(found.span(), message);
            default
        })
    }

    /// The value as it is written, for a message.
    fn written(&self, key: &str, found: &Spanned<DeValue<'_>>) -> String {
        match key {
            "token" | "password" => HIDDEN.to_owned(),
            _ => shown(self.document.text.get(found.span()).unwrap_or("?")),
        }
    }
}

/// The place of an entry of a list, of an entry of that and so on; of the innermost that is there.
fn place(found: &Spanned<DeValue<'_>>, within: &[usize]) -> Range<usize> {
    match (found.get_ref(), within) {
        (DeValue::Array(list), [at, inner @ ..]) => {
            list.get(*at).map_or(found.span(), |entry| place(entry, inner))
        }
        _ => found.span(),
    }
}
