//! Holds the documents to the code: routes and fields of the API, functions that are named, links, and lengths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use miniserde::json::{self, Object, Value};

/// Documents with a limit, in lines.
const MOST_LINES: [(&str, usize); 2] = [("README.md", 150), ("ARCHITECTURE.md", 200)];

/// The name of a test has fewer letters than this.
const MOST_LETTERS: usize = 60;

/// Most terms in the glossary of ARCHITECTURE.md.
const MOST_TERMS: usize = 30;

#[test]
fn api_page_lists_the_routes_of_openapi() {
    let mut described = BTreeSet::new();
    for (path, methods) in object(&description()["paths"]) {
        for method in object(methods).keys().filter(|key| *key != "parameters") {
            described.insert(format!("{} {}", method.to_uppercase(), with_capitals(path)));
        }
    }
    let listed =
        section(&read("docs/api.md"), "## Routes").lines().filter_map(route).collect::<BTreeSet<_>>();
    let missing: Vec<_> = described.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/api.md lacks {missing:?}");
    let unknown: Vec<_> = listed.difference(&described).collect();
    assert!(unknown.is_empty(), "openapi.json lacks {unknown:?}, which docs/api.md lists");
}

#[test]
fn api_page_names_each_field_of_openapi() {
    let page = read("docs/api.md");
    let objects = section(&page, "## Objects");
    let description = description();
    let Value::Object(components) = &description["components"] else { panic!("no components") };
    for (name, schema) in object(&components["schemas"]) {
        // Errors and versions are shown whole elsewhere on the page.
        if ["Error", "Versions"].contains(&name.as_str()) {
            continue;
        }
        for field in fields(schema) {
            assert!(objects.contains(&format!("`{field}`")), "docs/api.md: `{field}` of {name} is missing");
        }
    }
}

#[test]
fn functions_named_in_architecture_exist() {
    let page = read("ARCHITECTURE.md");
    let named: Vec<_> = quoted(&page).filter_map(|quoted| quoted.split_once(".rs:")).collect();
    for (file, function) in &named {
        let source = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
        assert!(
            defines(&source, function),
            "ARCHITECTURE.md: no `fn {function}` in {file}.rs; there is one in {:?}",
            defining(function)
        );
    }
    assert!(named.len() >= 40, "only {} functions are named: were the walks read?", named.len());
}

#[test]
fn source_files_named_in_documents_exist() {
    for file in documents().iter().filter(|file| !file.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(file).unwrap();
        let names = quoted(&text).filter(|quoted| quoted.ends_with(".rs") && quoted.contains('/'));
        for name in names.filter(|name| !name.contains(['*', ' ', 'N'])) {
            let beside = [root().join("src"), root().to_owned(), file.parent().unwrap().to_owned()];
            assert!(
                beside.iter().any(|folder| folder.join(name).exists()),
                "{}: no such file: {name}",
                file.display()
            );
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let other = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(other.exists(), "{}: no such file: {target}", file.display());
            let found =
                heading.is_empty() || headings(&fs::read_to_string(&other).unwrap()).contains(heading);
            assert!(found, "{}: no such heading: {target}", file.display());
        }
    }
}

#[test]
fn documents_keep_within_their_length() {
    for (file, most) in MOST_LINES {
        let lines = read(file).lines().count();
        assert!(lines <= most, "{file} has {lines} lines; {most} are allowed");
    }
    let terms = section(&read("ARCHITECTURE.md"), "## Glossary")
        .lines()
        .filter(|line| line.starts_with("| **"))
        .count();
    assert!((1..=MOST_TERMS).contains(&terms), "the glossary has {terms} terms; {MOST_TERMS} are allowed");
}

/// CONTRIBUTING.md asks for plain statements of under 60 letters.
#[test]
fn names_of_tests_are_short() {
    let sources = ["src", "tests"].iter().flat_map(|folder| files(&root().join(folder)));
    let mut count = 0;
    for file in sources.filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let source = fs::read_to_string(&file).unwrap();
        for name in source.split("#[test]\n").skip(1).filter_map(|rest| rest.split("fn ").nth(1)) {
            let name = name.split('(').next().unwrap();
            assert!(name.len() < MOST_LETTERS, "{}: {name} has {} letters", file.display(), name.len());
            count += 1;
        }
    }
    assert!(count > 500, "only {count} tests were found");
}

fn defines(source: &str, function: &str) -> bool {
    ["(", "<"].iter().any(|after| source.contains(&format!("fn {function}{after}")))
}

/// The files of src/ that define a function of this name.
fn defining(function: &str) -> Vec<PathBuf> {
    let defines = |file: &PathBuf| fs::read_to_string(file).is_ok_and(|source| defines(&source, function));
    let found = files(&root().join("src")).into_iter().filter(defines);
    found.map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}

/// The API's description, wherever in src/ it lies.
fn description() -> Object {
    let all = files(&root().join("src"));
    let file = all.iter().find(|file| file.ends_with("openapi.json")).expect("src/ has an openapi.json");
    json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The names of a schema's properties, those of objects within it included.
fn fields(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    match schema {
        Value::Object(keys) => {
            for (key, value) in keys {
                if key == "properties" {
                    names.extend(object(value).keys().cloned());
                    names.extend(object(value).values().flat_map(fields));
                } else {
                    names.extend(fields(value));
                }
            }
        }
        Value::Array(values) => names.extend(values.iter().flat_map(fields)),
        _ => {}
    }
    names
}

fn object(value: &Value) -> &Object {
    let Value::Object(object) = value else { panic!("no object: {value:?}") };
    object
}

/// `/users/{name}` as the page has it: `/users/NAME`.
fn with_capitals(path: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => name.to_uppercase(),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The route that a row of a table begins with.
fn route(line: &str) -> Option<String> {
    let cell = line.strip_prefix("| `")?.split('`').next()?;
    let is_route = ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|method| cell.starts_with(method));
    is_route.then(|| cell.to_owned())
}

/// The text below a heading, to the next one of the same level.
fn section<'text>(text: &'text str, heading: &str) -> &'text str {
    let (_, below) = text.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    below.split("\n## ").next().unwrap()
}

/// What stands between single backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The headings of a document as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().replace(' ', "-")
    };
    text.lines().filter(|line| line.starts_with('#')).map(name).collect()
}

/// All Markdown files of the repository that are written by hand.
fn documents() -> Vec<PathBuf> {
    let folders = ["docs", "bench", "cross", "fuzz", "packaging", "tests", "src"];
    let below = folders.iter().flat_map(|folder| files(&root().join(folder)));
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    below.chain(top).filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let brought = path.ends_with("node_modules") || path.ends_with("target");
        if path.is_dir() && !brought {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
