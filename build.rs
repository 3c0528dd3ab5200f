//! Compresses the web files that are built into the program (`src/http/embedded.rs`).
//!
//! The sources in www/ are served as they are written, without comments and indentation, which are a fifth of the compressed
//! bytes: there is no step for them but this one. A file that is added there is built in without being listed anywhere.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miniz_oxide::deflate::compress_to_vec;

/// The endings of the files that are built in. Editors leave others.
const ENDINGS: [&str; 5] = ["css", "html", "js", "json", "svg"];

/// The best compression of miniz_oxide.
const LEVEL: u8 = 10;

/// Member header (RFC 1952, section 2.3): magic number, deflate, no flags, no time, best compression, Unix.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let page = files(&root.join("www"))?;
    let mut sign_in = files(&root.join("www/sign-in"))?;
    // The documents have placeholders, which are replaced in the plain text.
    sign_in.retain(|path| !has_ending(path, &["html"]));
    let description = [root.join("src/http/openapi.json")];
    let lists = [("PAGE", &page[..]), ("SIGN_IN", &sign_in), ("DESCRIPTION", &description)];
    let mut source = String::new();
    for (name, paths) in lists {
        writeln!(source, "pub static {name}: [EmbeddedFile; {}] = [", paths.len())
            .expect("a string takes it");
        for path in paths {
            let file_name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
            let compressed = format!("{name}-{file_name}.gz");
            fs::write(out.join(&compressed), gzip(compact(path)?.as_bytes()))?;
            let bytes = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{compressed}\"))");
            writeln!(source, "    EmbeddedFile {{ name: {file_name:?}, gzip: {bytes} }},").expect("as above");
        }
        source.push_str("];\n");
    }
    fs::write(out.join("embedded.rs"), source)?;
    for path in ["build.rs", "www", "src/http/openapi.json"] {
        println!("cargo::rerun-if-changed={path}");
    }
    Ok(())
}

/// The files of a folder that are built in, by their names.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && has_ending(&path, &ENDINGS) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// The text of a file; of a script or style sheet without indentation, and without the lines that are only a comment.
///
/// # Errors
/// Those of the system; a template literal over several lines, of which indentation would be a part.
fn compact(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let is_script = has_ending(path, &["js"]);
    if !is_script && !has_ending(path, &["css"]) {
        return Ok(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut is_comment = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_left_out = line.is_empty() || is_script && line.starts_with("//");
        if is_comment || line.starts_with("/*") {
            is_comment = !line.ends_with("*/");
        } else if !is_left_out {
            if is_script && line.matches('`').count() % 2 != 0 {
                let place = format!("{}:{}", path.display(), at + 1);
                return Err(io::Error::other(format!(
                    "{place}: expected a template literal to end in its line"
                )));
            }
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Ok(kept)
}

/// A gzip file with these contents (RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GZIP_HEADER.to_vec();
    gzip.extend(compress_to_vec(bytes, LEVEL));
    gzip.extend(crc32(bytes).to_le_bytes());
    gzip.extend((bytes.len() as u32).to_le_bytes());
    gzip
}

/// The checksum of a gzip file (RFC 1952, section 8), a bit at a time: it is computed once in a build.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}
