//! Holds the table of who may depend on whom: the arrows of ARCHITECTURE.md, read off the
//! `use crate::` lines and every other `crate::` path of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms its code may name. All may name `base`.
const MAY_NAME: [(&str, &[&str]); 19] = [
    ("base", &[]),
    ("memory", &[]),
    ("media", &["memory"]),
    ("hub", &["media"]),
    ("codec", &["hub", "media"]),
    ("client", &["memory"]),
    ("remote", &["client", "memory"]),
    ("draw", &["codec", "media"]),
    ("source", &["codec", "draw", "hub", "media", "memory", "remote"]),
    ("users", &["logging"]),
    ("gate", &["hub", "memory"]),
    ("http", &["codec", "control", "gate", "hub", "logging", "media", "memory", "users"]),
    ("config", &["client", "media", "remote", "source"]),
    ("confine", &[]),
    ("logging", &[]),
    ("control", &["config", "hub", "logging", "media", "memory", "remote", "source"]),
    ("cli", &["app", "config", "memory", "remote", "source", "users"]),
    ("fuzzing", &["codec", "config", "gate", "http", "remote", "users"]),
    ("app", &["config", "confine", "control", "gate", "http", "hub", "logging", "media", "memory", "users"]),
];

#[test]
fn no_room_names_one_it_must_not_know() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_NAME.into_iter().collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let room = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("room {room} is not in the table"));
        seen.insert(room.clone());
        for named in named_rooms(&fs::read_to_string(&file).unwrap()) {
            let fine = named == room
                || named == "base"
                || may.contains(&named.as_str())
                || !allowed.contains_key(named.as_str());
            assert!(fine, "{}: room {room} must not know {named}", relative.display());
        }
    }
    assert_eq!(seen.len(), MAY_NAME.len(), "a room of the table is gone: {seen:?}");
}

#[test]
fn table_of_modules_in_architecture_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once("\n## Modules\n").expect("ARCHITECTURE.md has a section of modules");
    let table = below.split("\n## ").next().unwrap();
    let shown: BTreeMap<_, _> = table.lines().filter_map(row).collect();
    for (module, may) in MAY_NAME {
        let may: BTreeSet<_> = may.iter().copied().collect();
        let wanted = may.iter().copied().collect::<Vec<_>>().join(", ");
        let wanted = if wanted.is_empty() { "nothing" } else { &wanted };
        assert_eq!(shown.get(module), Some(&may), "ARCHITECTURE.md: {module} may name: {wanted}");
    }
    let surplus: Vec<_> =
        shown.keys().filter(|module| MAY_NAME.iter().all(|(known, _)| known != *module)).collect();
    assert!(surplus.is_empty(), "ARCHITECTURE.md has modules that are not in the table here: {surplus:?}");
}

/// A row of ARCHITECTURE.md's table of modules: `| name | purpose | may name |`.
fn row(line: &str) -> Option<(&str, BTreeSet<&str>)> {
    let cells: Vec<_> = line.strip_prefix("| `")?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [module, _, may] = cells[..] else { return None };
    let may = may.split(',').map(str::trim).filter(|name| *name != "nothing").collect();
    Some((module.strip_suffix('`')?, may))
}

/// The first segments of all `crate::` paths in the code; comments do not count.
fn named_rooms(source: &str) -> BTreeSet<String> {
    assert!(
        !source.contains("crate::{"),
        "one `use crate::room` for each room, so that this test can read it"
    );
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = BTreeSet::new();
    for line in code {
        for path in line.split("crate::").skip(1) {
            rooms.extend(path.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
        }
    }
    rooms
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
