//! Text from devices, clients and other servers, made safe for a terminal and for a log.
//!
//! What belongs here: the one filter. What must not: what is printed, and where.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` on one line, with each character escaped that a terminal acts on or that changes how its neighbours
/// are shown: control characters (C0, DEL, C1), line and paragraph separators, marks and overrides of the
/// writing direction, and characters without a shape. Letters, accents, emoji and joiners of any language stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe, |c, out| out.extend(c.escape_default()))
}

/// As [`printable`], for text of several lines: line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !is_layout(c) && is_unsafe(c), |c, out| out.extend(c.escape_default()))
}

/// As [`printable_lines`], for a JSON document (RFC 8259): a character within a string is escaped as JSON does,
/// so that the document means what it meant.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| !is_layout(c) && is_unsafe(c),
        |c, out| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

/// Whether a character is more than what it looks like: controls, separators, and those that are shown as nothing
/// (`Default_Ignorable_Code_Point` of Unicode). The zero-width joiner and non-joiner (U+200C, U+200D), the grapheme
/// joiner and the variation selectors are not: scripts and emoji are written with them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
            | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

fn escaped(text: &str, is_unsafe: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            escape(c, &mut safe);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_text_around_passes() {
        assert_eq!(
            printable("login of `x\n2026 INFO fine\x1b[2J`"),
            "login of `x\\n2026 INFO fine\\u{1b}[2J`"
        );
        let ranges = ['\0'..='\x1f', '\x7f'..='\u{9f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}'];
        let single = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{feff}', '\u{200b}', '\u{e0041}', '\u{ad}'];
        let shapeless = ['\u{115f}', '\u{3164}', '\u{ffa0}', '\u{17b4}', '\u{1d173}', '\u{e0fff}'];
        for c in ranges.into_iter().flatten().chain(single).chain(shapeless) {
            let text = format!("a{c}b");
            assert!(printable(&text).chars().all(|shown| (' '..='~').contains(&shown)), "{text:?}");
            assert_eq!(printable_lines(&text).contains(c), matches!(c, '\n' | '\t'), "{text:?}");
        }
    }

    #[test]
    fn letters_of_any_language_stay() {
        for text in [
            "späte Züge",
            "камера",
            "カメラ",
            "می\u{200c}خواهم",
            "👨\u{200d}👩",
            "e\u{301}",
            "مرحبا",
            "❤\u{fe0f}",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn a_json_document_means_the_same_afterwards() {
        let text = "{\"a\":\n\t\"\u{202e}\u{e0041}\u{9b}\"}";
        assert_eq!(printable_json(text), "{\"a\":\n\t\"\\u202e\\udb40\\udc41\\u009b\"}");
    }
}
