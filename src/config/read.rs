//! Reading one section of a TOML document: each value is checked as it is taken, every mistake is
//! collected with its position, and unknown keys are found at the end.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::did_you_mean;

/// Longest piece of the file that a message quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// Longest piece of the file that a message may quote from, in bytes; for a longer one it gives the length.
const LOOKED_AT_BYTES: usize = 4096;

/// Most mistakes that are reported at once.
const MOST_PROBLEMS: usize = 20;

/// Most entries of a list or table in a section.
const MOST_ENTRIES: usize = 128;

/// What every token begins with.
const TOKEN_PREFIX: &str = "dft_";

/// Stands for a secret.
const HIDDEN: &str = "...";

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

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        self.value(key, "true or false", default, |value| match value {
            DeValue::Boolean(found) => Some(*found),
            _ => None,
        })
    }

    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.value(key, &expected, default, |value| match value {
            DeValue::Integer(found) => {
                let number = u32::from_str_radix(found.as_str(), found.radix()).ok()?;
                range.contains(&number).then_some(number)
            }
            _ => None,
        })
    }

    /// A list of strings, each of which `is_good`.
    pub(super) fn strings(
        &self,
        key: &'static str,
        expected: &str,
        is_good: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let expected = format!("{expected}, of at most {MOST_ENTRIES}");
        self.value(key, &expected, Vec::new(), |value| {
            let DeValue::Array(list) = value else { return None };
            if list.len() > MOST_ENTRIES {
                return None;
            }
            let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
                DeValue::String(found) if is_good(found) => Some(found.to_string()),
                _ => None,
            };
            list.iter().map(text).collect()
        })
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

    /// The value of this key, where it is a string.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.table.get(key)?.get_ref() {
            DeValue::String(found) => Some(found),
            _ => None,
        }
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

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)], default: T) -> T {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let mut expected = format!("one of {}", quoted(&words));
        if let Some(DeValue::String(found)) = self.table.get(key).map(Spanned::get_ref) {
            expected.push_str(&did_you_mean(found, &words));
        }
        self.string(key, &expected, default, |found| {
            choices.iter().find(|(word, _)| *word == found).map(|(_, value)| *value)
        })
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
            let written = match key {
                "token" => HIDDEN.to_owned(),
                _ => shown(self.document.text.get(found.span()).unwrap_or("?")),
            };
            let message = format!("{key} in [{}] is {written}; expected {expected}", self.name);
            self.document.problem(found.span(), message);
            default
        })
    }
}

/// A piece of the file as a message may quote it: on one line, without secrets and control characters, and
/// short.
pub(super) fn shown(piece: &str) -> String {
    if piece.len() > LOOKED_AT_BYTES {
        return format!("a text of {} bytes", piece.len());
    }
    let mut text = String::new();
    for (number, c) in without_secrets(piece).chars().enumerate() {
        if number == QUOTED_CHARS {
            text.push_str("...");
            break;
        }
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// The piece without a token, and without a name and password in a URL: messages go into logs.
fn without_secrets(piece: &str) -> String {
    if let Some(at) = piece.find(TOKEN_PREFIX) {
        return format!("{}{TOKEN_PREFIX}{HIDDEN}", &piece[..at]);
    }
    match (piece.find("://"), piece.rfind('@')) {
        (Some(scheme), Some(host)) if scheme < host => {
            format!("{}://{HIDDEN}{}", &piece[..scheme], &piece[host..])
        }
        _ => piece.to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
