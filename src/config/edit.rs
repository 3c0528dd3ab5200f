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
/// added to its section, and a section that is not there is added at the end. Whether the result
/// says what was meant is for the caller to read: sections can be written in ways that this does
/// not follow, such as inline tables.
pub fn edited(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, edit| edited_once(&text, edit))
}

fn edited_once(text: &str, Edit { section, key, value }: &Edit) -> String {
    let (root, _) = DeTable::parse_recoverable(text);
    let found = find(root.get_ref(), section);
    let old = found.as_ref().and_then(|(table, _)| table.get(key.as_str())).map(Spanned::span);
    if let Some(old) = old {
        return spliced(text, old, value);
    }
    let header = found.and_then(|(_, name)| line_end(text, &name));
    let Some(at) = header else {
        let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        let broken = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{broken}{gap}[{}]\n{key} = {value}\n", section.join("."));
    };
    let broken = if text[..at].ends_with('\n') { "" } else { "\n" };
    spliced(text, at..at, &format!("{broken}{key} = {value}\n"))
}

/// The table of a section, and where the last part of its name stands.
fn find<'t>(root: &'t DeTable<'t>, section: &[String]) -> Option<(&'t DeTable<'t>, Range<usize>)> {
    let mut found = (root, 0..0);
    for part in section {
        let (name, value) = found.0.get_key_value(part.as_str())?;
        let DeValue::Table(table) = value.get_ref() else { return None };
        found = (table, name.span());
    }
    Some(found)
}

/// Behind the line of a section's header; `None` where the name stands in no header.
fn line_end(text: &str, name: &Range<usize>) -> Option<usize> {
    let start = text[..name.start].rfind('\n').map_or(0, |at| at + 1);
    let is_header = text[start..].trim_start().starts_with('[');
    let end = text[name.end..].find('\n').map_or(text.len(), |at| name.end + at + 1);
    is_header.then_some(end)
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
    fn a_new_key_goes_below_its_sections_header() {
        let text = "[camera.front] # the door\nfps = 30\n[camera.yard]";
        let got = edited(
            text,
            &[edit(&["camera", "front"], "width", "320"), edit(&["camera", "yard"], "fps", "5")],
        );
        assert_eq!(got, "[camera.front] # the door\nwidth = 320\nfps = 30\n[camera.yard]\nfps = 5\n");
    }

    #[test]
    fn a_new_section_goes_to_the_end_once() {
        let controls = ["camera", "front", "controls"];
        let got = edited("[camera.front]", &[edit(&controls, "gain", "3"), edit(&controls, "gain", "4")]);
        assert_eq!(got, "[camera.front]\n\n[camera.front.controls]\ngain = 4\n");
    }

    #[test]
    fn an_inline_table_takes_a_new_value_in_place() {
        let text = "[camera.front]\ncontrols = { gain = 1, hue = 2 }\n";
        let got = edited(text, &[edit(&["camera", "front", "controls"], "hue", "9")]);
        assert_eq!(got, text.replace('2', "9"));
    }
}
