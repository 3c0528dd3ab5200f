//! What version 0.1.0 saved: `kept.conf`, with the sections of defender.conf.

use std::path::Path;

use toml::de::DeTable;

use super::{Override, Overrides};
use crate::config::quoted::shown;
use crate::config::read::Document;
use crate::config::sections::note_faults;
use crate::config::settings::Value;

/// Its name, beside the user file.
pub(super) const FORMER_FILE: &str = "kept.conf";

/// Puts what the text of that file says into `overrides`, over what they have: version 0.1.0 wrote it
/// after a step back from a later version, so it is the newer one.
///
/// # Errors
/// What is wrong in it, with its place; `overrides` stay as they are.
pub(super) fn adopt(text: &str, file: &Path, overrides: &mut Overrides) -> Result<(), String> {
    let document = Document::new(text, file);
    let (root, faults) = DeTable::parse_recoverable(text);
    note_faults(&document, text, faults);
    let mut found = Vec::new();
    collect(root.get_ref(), "", &document, &mut found);
    if let Some(problem) = document.into_problems().into_iter().next() {
        return Err(problem);
    }
    overrides.has_former |= !found.is_empty();
    found.into_iter().for_each(|each| overrides.set(each));
    Ok(())
}

/// Collects the values below a table as overrides.
fn collect(table: &DeTable<'_>, prefix: &str, document: &Document<'_>, found: &mut Vec<Override>) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let name = format!("{prefix}{}", key.get_ref());
        // Version 0.1.0 saved no lists.
        let plain = Value::from_toml(value.get_ref()).filter(|value| !matches!(value, Value::List(_)));
        match (value.get_ref().as_table(), plain) {
            (Some(inner), _) if prefix.split('.').count() < 4 => {
                collect(inner, &format!("{name}."), document, found);
            }
            (None, Some(value)) => found.push(Override { name, value, by: None, at: None }),
            _ => document.problem(value.span(), format_args!("{} is no setting", shown(&name))),
        }
    }
}
