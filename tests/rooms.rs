//! Holds the table of who may depend on whom: the arrows of ARCHITECTURE.md, read off the
//! `use crate::` lines and every other `crate::` path of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms its code may name.
const MAY_NAME: [(&str, &[&str]); 18] = [
    ("memory", &[]),
    ("media", &["memory"]),
    ("text", &[]),
    ("hub", &["media"]),
    ("encode", &["media"]),
    ("remote", &["disk", "memory", "text"]),
    ("capture", &["encode", "hub", "media", "memory", "remote"]),
    ("disk", &[]),
    ("users", &["disk", "logging"]),
    ("gate", &["disk", "hub", "memory"]),
    ("http", &["control", "encode", "gate", "hub", "logging", "media", "memory", "users"]),
    ("config", &["capture", "disk", "media", "remote"]),
    ("confine", &[]),
    ("logging", &["text"]),
    ("control", &["capture", "config", "hub", "logging", "media", "memory", "remote"]),
    ("cli", &["app", "capture", "config", "memory", "remote", "text", "users"]),
    ("fuzzing", &["config", "encode", "gate", "http", "remote", "users"]),
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
            let fine =
                named == room || may.contains(&named.as_str()) || !allowed.contains_key(named.as_str());
            assert!(fine, "{}: room {room} must not know {named}", relative.display());
        }
    }
    assert_eq!(seen.len(), MAY_NAME.len(), "a room of the table is gone: {seen:?}");
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
