//! The two ways to build for boards, cross/build and the Docker image of `cross`, use the same
//! versions and flags, and the Rust that is named is the one that is brought. The Docker way itself is
//! not run by any test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of `key=value` in cross/versions, without quotes.
fn version(key: &str) -> String {
    let versions = read("cross/versions");
    let line = versions.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    line.unwrap_or_else(|| panic!("no {key} in cross/versions")).trim_matches('"').to_owned()
}

/// What cross/toolchain does where apt has `versions` of Debian's Rust. apt and dpkg are stand-ins, and
/// zig is there already.
fn bring_rust(folder: &Path, versions: &[String]) -> Output {
    let stand_ins = folder.join("stand-ins");
    fs::create_dir_all(&stand_ins).unwrap();
    let rows: String =
        versions.iter().map(|version| format!("rustc-web | {version} | an archive\n")).collect();
    for (name, script) in [
        ("apt-cache", format!("cat <<'END'\n{rows}END")),
        (
            "apt-get",
            "case $* in *--print-uris*) echo uri rustc-web_1_amd64.deb ;; *) touch a.deb ;; esac".into(),
        ),
        ("dpkg", "case $1 in -x) mkdir -p \"$3\" ;; *) exec /usr/bin/dpkg \"$@\" ;; esac".into()),
    ] {
        let path = stand_ins.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(folder.join("zig.made"), read("cross/requirements.txt")).unwrap();
    let toolchain = Path::new(env!("CARGO_MANIFEST_DIR")).join("cross/toolchain");
    let path = format!("{}:/usr/bin:/bin", stand_ins.display());
    Command::new(toolchain).arg(folder).env("PATH", path).output().expect("bash runs")
}

/// The `rust_version` of cross/versions, a later one of its line, and one of another line.
fn rusts() -> [String; 3] {
    let named = version("rust_version");
    let mut numbers = named.split('.');
    let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap().parse::<u32>().unwrap());
    let of = |minor, patch| format!("{major}.{minor}.{patch}+dfsg1-1~deb12u1");
    [named.clone(), of(minor, 7), of(minor + 1, 0)]
}

#[test]
fn the_rust_that_is_named_is_taken_though_later_ones_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let [named, later, other_line] = rusts();
    let output = bring_rust(folder.path(), &[other_line, later, named.clone()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(fs::read_to_string(folder.path().join("rust/version")).unwrap().trim(), named);
}

#[test]
fn a_later_rust_of_the_line_is_taken_and_named_at_every_build() {
    let folder = tempfile::tempdir().unwrap();
    let [named, later, other_line] = rusts();
    for _ in 0..2 {
        let output = bring_rust(folder.path(), &[other_line.clone(), later.clone()]);
        assert!(output.status.success(), "{output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(&named) && message.contains(&later), "{message}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("rust/version")).unwrap().trim(), later);
}

#[test]
fn a_rust_of_another_line_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [named, _, other_line] = rusts();
    let output = bring_rust(folder.path(), &[other_line]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(message.contains(&named) && message.contains("cross/versions"), "{message}");
    assert!(!folder.path().join("rust.made").exists());
}

/// A board's binary prints of a derived Debug the name of the variant alone (`-Zfmt-debug=shallow`).
#[test]
fn no_message_of_the_program_is_made_by_debug() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !["tests", "fuzzing"].iter().any(|part| path.to_string_lossy().contains(part)) {
                check_debug(&path);
            }
        }
    }
}

fn check_debug(path: &Path) {
    let code = fs::read_to_string(path).unwrap();
    // Names of variants are all there.
    let allowed = ["{which:?} limit of connections"];
    let product = code.split("#[cfg(test)]").next().unwrap();
    for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let is_allowed = allowed.iter().any(|part| line.contains(part));
        assert!(is_allowed || !line.contains(":?}") && !line.contains(":#?}"), "{}: {line}", path.display());
    }
}

#[test]
fn both_ways_give_rustc_the_same_flags() {
    let dockerfile = read("cross/Dockerfile");
    let flags = format!("RUSTFLAGS=\"{}\"", version("rust_flags"));
    assert!(dockerfile.contains(&flags), "{flags} is not in cross/Dockerfile");
}

#[test]
fn both_ways_make_toolchain_and_libasound_by_the_same_scripts() {
    let (build, dockerfile) = (read("cross/build"), read("cross/Dockerfile"));
    for script in ["/toolchain", "/alsa"] {
        assert!(build.contains(&format!("$here{script}")), "{script} in cross/build");
        assert!(dockerfile.contains(&format!("/cross{script}")), "{script} in cross/Dockerfile");
    }
    for target in ["arm-unknown-linux-musleabihf", "aarch64-unknown-linux-musl"] {
        assert!(read("cross/versions").contains(target), "{target} in cross/versions");
        assert!(
            read("Cross.toml").contains(&format!("[target.{target}.dockerfile]")),
            "{target} in Cross.toml"
        );
    }
}

#[test]
fn the_wheels_that_are_checked_are_those_that_are_named() {
    let requirements = read("cross/requirements.txt");
    for (wheel, key) in [("ziglang", "zig_version"), ("cargo-zigbuild", "zigbuild_version")] {
        let pinned = format!("{wheel}=={} \\", version(key));
        assert!(requirements.contains(&pinned), "{pinned} is not in cross/requirements.txt");
    }
}

#[test]
fn the_packages_of_both_ways_are_the_same() {
    let (need, dockerfile) = (read(".ci/need"), read("cross/Dockerfile"));
    let listed = need.lines().find_map(|line| line.strip_prefix("cross=(")).expect("a list");
    for package in listed.trim_end_matches(')').split_whitespace() {
        assert!(dockerfile.contains(package), "{package} is not in cross/Dockerfile");
    }
}
