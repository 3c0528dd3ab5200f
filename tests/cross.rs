//! The two ways to build for boards, cross/build and the Docker image of `cross`, use the same
//! versions and flags. The Docker way itself is not run by any test.

use std::fs;
use std::path::Path;

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
