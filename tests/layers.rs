//! Holds the table of who may depend on whom: the arrows of ARCHITECTURE.md, read off the
//! `use crate::` lines and every other `crate::` path of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the layers that its code may name. All may name `base`.
const MAY_NAME: [(&str, &[&str]); 26] = [
    ("base", &[]),
    ("memory", &[]),
    ("media", &["memory"]),
    ("hub", &["media"]),
    ("jpeg", &["media"]),
    ("detect", &["jpeg", "media"]),
    ("codec", &["hub", "jpeg", "media"]),
    ("client", &["memory"]),
    ("remote", &["client", "media", "memory"]),
    ("draw", &["codec", "media"]),
    ("source", &["client", "codec", "draw", "hub", "jpeg", "media", "memory", "remote"]),
    ("streams", &["codec", "hub", "jpeg", "media", "memory"]),
    ("segment", &["media"]),
    ("journal", &["hub", "media"]),
    ("record", &["codec", "hub", "jpeg", "journal", "media", "memory", "segment"]),
    ("motion", &["detect", "draw", "hub", "jpeg", "journal", "media", "memory", "record"]),
    ("users", &["logging"]),
    ("gate", &["hub", "memory"]),
    (
        "http",
        &[
            "codec", "config", "control", "gate", "hub", "journal", "logging", "media", "memory", "motion",
            "record", "streams", "users",
        ],
    ),
    ("config", &["client", "media", "remote", "source"]),
    ("confine", &[]),
    ("logging", &[]),
    ("control", &["config", "hub", "logging", "media", "memory", "remote", "source", "streams"]),
    ("cli", &["app", "config", "confine", "media", "memory", "record", "remote", "source", "users"]),
    ("fuzzing", &["client", "config", "gate", "http", "jpeg", "media", "remote", "segment", "users"]),
    (
        "app",
        &[
            "config", "confine", "control", "gate", "http", "hub", "journal", "logging", "media", "memory",
            "motion", "record", "users",
        ],
    ),
];

#[test]
fn a_layer_names_only_layers_below_it() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_NAME.into_iter().collect();
    let mut seen = BTreeSet::new();
    for (file, layer, code) in source_files() {
        let may = allowed.get(layer.as_str()).unwrap_or_else(|| panic!("layer {layer} is not in the table"));
        seen.insert(layer.clone());
        for named in named_layers(&code) {
            let is_allowed = named == layer
                || named == "base"
                || may.contains(&named.as_str())
                || !allowed.contains_key(named.as_str());
            assert!(is_allowed, "{file}: layer {layer} must not name {named}");
        }
    }
    assert_eq!(seen.len(), MAY_NAME.len(), "a layer of the table is gone: {seen:?}");
}

/// With a `pub use` of another layer's item, layers above would reach past the table.
#[test]
fn no_layer_passes_on_items_of_another() {
    for (file, layer, code) in source_files() {
        let public = code.split("pub use crate::").skip(1);
        for export in public.chain(code.split("pub(crate) use crate::").skip(1)) {
            let named = export.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let is_layer = MAY_NAME.iter().any(|(known, _)| *known == named);
            assert!(!is_layer || named == layer, "{file}: layer {layer} passes on an item of {named}");
        }
    }
}

/// The table has an order in which each layer comes after all that it names, so there is no circle.
#[test]
fn layers_form_no_circle() {
    let mut left: BTreeMap<&str, &[&str]> = MAY_NAME.into_iter().collect();
    while !left.is_empty() {
        let free: Vec<_> = left
            .iter()
            .filter(|(_, may)| may.iter().all(|name| !left.contains_key(name)))
            .map(|(name, _)| *name)
            .collect();
        assert!(!free.is_empty(), "these layers name each other: {:?}", left.keys());
        left.retain(|name, _| !free.contains(name));
    }
}

/// Programs that feed a camera are started by the service manager. Without a call that starts one, no input can make
/// Defender start another; that the kernel would refuse it as well is for `confine`.
#[test]
fn no_code_starts_a_program() {
    const STARTING: [&str; 9] = [
        "process::Command",
        "Command::new",
        "CommandExt",
        "posix_spawn",
        "fork(",
        "execv",
        "fexecve",
        "popen(",
        "libc::system",
    ];
    for (file, _, code) in source_files() {
        if file.ends_with("tests.rs") || file.contains("/tests/") {
            continue;
        }
        // Tests are at the end of a file.
        let shipped = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for call in STARTING {
            assert!(!shipped.contains(call), "src/{file}: `{call}` starts a program");
        }
    }
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

/// Each file of a layer: its path below src, its layer, and its code without comments.
fn source_files() -> Vec<(String, String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let layer = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if layer == "lib" || layer == "main" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>();
        files.push((relative.display().to_string(), layer, code.join("\n")));
    }
    files
}

/// The first segments of all `crate::` paths in the code.
fn named_layers(code: &str) -> BTreeSet<String> {
    assert!(
        !code.contains("crate::{"),
        "one `use crate::layer` for each layer, so that this test can read it"
    );
    let paths = code.split("crate::").skip(1);
    paths
        .filter_map(|path| path.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned))
        .collect()
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
