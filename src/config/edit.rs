//! Changes to the text of a configuration that leave the rest of it, comments and all, as it is. No
//! file is touched here.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value to be written: `[section.name]`, a key in it, and the value as TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The section's parts, such as `["camera", "front"]`.
    pub section: Vec<String>,
    /// The key.
    pub key: String,
    /// The value, as it stands in the file.
    pub value: String,
}

/// The text with the edits made: a value that is there is replaced where it stands, another is
/// added behind the last of its section, and a section that is not there is added at the end.
/// Whether the result says what was meant is for the caller to read: sections can be written in ways
/// that this does not follow, such as dotted keys.
pub fn edited(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, edit| edited_once(&text, edit))
}

fn edited_once(text: &str, Edit { section, key, value }: &Edit) -> String {
    let (root, _) = DeTable::parse_recoverable(text);
    let found = find(root.get_ref(), section);
    let old = found.as_ref().and_then(|found| found.table.get(key.as_str())).map(Spanned::span);
    if let Some(old) = old {
        return spliced(text, old, value);
    }
    let key = self::key(key);
    let Some(at) = found.and_then(|found| found.place(text)) else {
        let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        let broken = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{broken}{gap}[{}]\n{key} = {value}\n", section.join("."));
    };
    match at {
        Place::Inline { at, is_first: true } => spliced(text, at..at, &format!(" {key} = {value} ")),
        Place::Inline { at, is_first: false } => spliced(text, at..at, &format!(", {key} = {value}")),
        Place::Line(at) => {
            let broken = if text[..at].ends_with('\n') { "" } else { "\n" };
            spliced(text, at..at, &format!("{broken}{key} = {value}\n"))
        }
    }
}

/// A section as it stands in the text.
struct Found<'t> {
    table: &'t DeTable<'t>,
    /// The last part of its name, where it stands first.
    name: Range<usize>,
    /// Its value; for one with a header, the parser's own idea of it.
    value: Range<usize>,
}

/// Where a new key goes.
enum Place {
    /// A line of its own, from here on.
    Line(usize),
    /// Between the braces of an inline table.
    Inline { at: usize, is_first: bool },
}

fn find<'t>(root: &'t DeTable<'t>, section: &[String]) -> Option<Found<'t>> {
    let mut found = Found { table: root, name: 0..0, value: 0..0 };
    for part in section {
        let (name, value) = found.table.get_key_value(part.as_str())?;
        let DeValue::Table(table) = value.get_ref() else { return None };
        found = Found { table, name: name.span(), value: value.span() };
    }
    Some(found)
}

impl Found<'_> {
    /// Behind the section's last key, for its keys have an order: controls are set in it. `None` where
    /// the section has neither braces nor a header.
    fn place(&self, text: &str) -> Option<Place> {
        let own = self.table.iter().filter(|(key, _)| !is_in_header(text, &key.span()));
        let last = own.map(|(_, value)| end(text, value)).max();
        if is_in_header(text, &self.name) {
            let behind = last.or_else(|| header_end(text, &self.name))?;
            return Some(Place::Line(line_end(text, behind)));
        }
        let is_inline = text.get(self.value.clone())?.starts_with('{');
        let at = last.unwrap_or(self.value.start + 1);
        is_inline.then_some(Place::Inline { at, is_first: last.is_none() })
    }
}

/// Where a value ends: that of a dotted key may be spread over many lines.
fn end(text: &str, value: &Spanned<DeValue<'_>>) -> usize {
    match value.get_ref() {
        DeValue::Table(table) if !text.get(value.span()).is_some_and(|text| text.starts_with('{')) => {
            let own = table.iter().filter(|(key, _)| !is_in_header(text, &key.span()));
            own.map(|(_, value)| end(text, value)).max().unwrap_or(value.span().end)
        }
        _ => value.span().end,
    }
}

/// Whether a name stands between the brackets of a header.
fn is_in_header(text: &str, name: &Range<usize>) -> bool {
    let start = text[..name.start].rfind('\n').map_or(0, |at| at + 1);
    text[start..name.start].trim_start().starts_with('[')
}

/// The end of a header whose last part is `name`; `None` for a part further in front.
fn header_end(text: &str, name: &Range<usize>) -> Option<usize> {
    let rest = text[name.end..].trim_start_matches([' ', '\t']);
    rest.starts_with(']').then_some(name.end)
}

/// Behind the line that `at` is in.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |more| at + more + 1)
}

/// A key as it is written: quoted, unless it may do without (TOML 1.0, "Keys").
pub(super) fn key(key: &str) -> String {
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return key.to_owned();
    }
    let escaped = key.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn spliced(text: &str, place: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..place.start], &text[place.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(section: &[&str], key: &str, value: &str) -> Edit {
        let section = section.iter().map(|part| (*part).to_owned()).collect();
        Edit { section, key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_value_is_replaced_where_it_stands_and_the_rest_stays_byte_for_byte() {
        let text = "# mine\r\n[camera.front]\nfps = 30   # as the lamp flickers\nwidth=640\n[server]\n";
        let got = edited(text, &[edit(&["camera", "front"], "fps", "15")]);
        assert_eq!(got, text.replace("30", "15"));
    }

    #[test]
    fn a_new_key_goes_behind_the_last_of_its_section_and_its_comment() {
        let text = "[camera.front] # the door\nfps = 30 # not more\n\n# below is the yard\n\
                    [camera.front.controls]\nhue = 1\n[camera.yard]";
        let got = edited(
            text,
            &[
                edit(&["camera", "front"], "width", "320"),
                edit(&["camera", "yard"], "fps", "5"),
                edit(&["camera", "front", "controls"], "gain", "3"),
                edit(&["camera", "front", "controls"], "auto", "0"),
            ],
        );
        let expected = text
            .replace("not more\n", "not more\nwidth = 320\n")
            .replace("hue = 1\n", "hue = 1\ngain = 3\nauto = 0\n")
            + "\nfps = 5\n";
        assert_eq!(got, expected);
    }

    #[test]
    fn a_value_over_many_lines_is_not_broken_by_a_new_key() {
        let text = "[server]\ncors_origins = [\n  \"https://a.example\", # a ]\n]\n[camera.front]\n\
                    controls.gain = 1\n";
        let server = edited(text, &[edit(&["server"], "port", "1")]);
        assert_eq!(server, text.replace("]\n[camera", "]\nport = 1\n[camera"));
        let camera = edited(text, &[edit(&["camera", "front"], "fps", "1")]);
        assert_eq!(camera, format!("{text}fps = 1\n"));
    }

    #[test]
    fn a_section_whose_name_stands_only_in_front_of_another_is_added() {
        let text = "[camera.front.controls]\ngain = 1\n";
        let got = edited(text, &[edit(&["camera", "front"], "fps", "9")]);
        assert_eq!(got, format!("{text}\n[camera.front]\nfps = 9\n"));
    }

    #[test]
    fn a_key_that_is_not_bare_is_quoted() {
        let got = edited("[a]\n", &[edit(&["a"], "x\"\n y", "1"), edit(&["a"], "", "2")]);
        assert_eq!(got, "[a]\n\"x\\\"\\u000a y\" = 1\n\"\" = 2\n");
    }

    #[test]
    fn a_new_section_goes_to_the_end_once() {
        let controls = ["camera", "front", "controls"];
        let got = edited("[camera.front]", &[edit(&controls, "gain", "3"), edit(&controls, "gain", "4")]);
        assert_eq!(got, "[camera.front]\n\n[camera.front.controls]\ngain = 4\n");
    }

    #[test]
    fn an_inline_table_takes_new_values_and_keys_in_place() {
        let controls = ["camera", "front", "controls"];
        let text = "[camera.front]\ncontrols = { gain = 1, hue = 2 } # mine\n";
        let got = edited(text, &[edit(&controls, "hue", "9"), edit(&controls, "auto", "0")]);
        assert_eq!(got, text.replace("hue = 2", "hue = 9, auto = 0"));
        let empty = edited("[camera.front]\ncontrols = {}\n", &[edit(&controls, "hue", "9")]);
        assert_eq!(empty, "[camera.front]\ncontrols = { hue = 9 }\n");
    }
}
