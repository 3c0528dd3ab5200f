//! Doors for the fuzzer, and for the corpus it left: what reads bytes from strangers, with what must
//! hold of any input. No part of the program's interface.

use std::path::Path;

use miniserde::json;

use crate::config::{Overrides, sections};
use crate::encode::scan;
use crate::gate::head::{EXCHANGE_HEADER, RequestHead, complete_head};
use crate::http::auth::Given;
use crate::http::login::Login;
use crate::remote::{Listing, find_part};
use crate::users::file::{UserFile, is_valid_name};

/// A target: bytes in, a panic where something does not hold.
pub type Target = fn(&[u8]);

/// The targets by the names of their folders in fuzz/corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("request_head", request_head),
    ("users_file", users_file),
    ("config", config),
    ("jpeg_scan", jpeg_scan),
    ("credentials", credentials),
    ("login", login),
    ("overrides", overrides),
    ("remote", remote),
];

/// What passes for a request is rewritten to one that means the same and hides no second one.
pub fn request_head(data: &[u8]) {
    const ID: &str = "0123456789abcdef";
    let Some(length) = complete_head(data, 0) else { return };
    let Ok(head) = RequestHead::parse(&data[..length], 64 * 1024) else { return };
    let canonical = head.canonical(ID);
    assert_eq!(complete_head(&canonical, 0), Some(canonical.len()), "one head, and nothing behind it");
    let text = str::from_utf8(&canonical).expect("what tiny_http gets is ASCII");
    let lower = text.to_ascii_lowercase();
    let ids = lower.matches(&format!("\n{}:", EXCHANGE_HEADER.to_ascii_lowercase())).count();
    assert_eq!(ids, 1, "the exchange's id is ours alone");
    assert!(!lower.contains("\ntransfer-encoding:"), "no body of unknown length");
    assert!(lower.matches("\ncontent-length:").count() <= 1, "one length");
}

/// A user file is written back as it was read, and whoever is in it has a name.
pub fn users_file(data: &[u8]) {
    let file = UserFile::parse(data);
    assert_eq!(file.to_bytes(), data, "lines that are not understood stay");
    assert!(file.users().all(|user| is_valid_name(&user.name)));
    for user in file.users() {
        assert!(file.find(&user.name).is_some());
    }
}

/// A configuration is understood, or every problem says where it is.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parsed =
        sections::parse(text, Path::new("defender.conf"), Path::new("/etc"), Some(Path::new("/root")));
    if let Err(problems) = parsed {
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|problem| problem.starts_with("defender.conf:")), "{problems:?}");
    }
}

/// A picture that is found lies in the data, and is found again in what is sent of it.
pub fn jpeg_scan(data: &[u8]) {
    for found in [scan::scan(data), scan::scan_without_end(data)].into_iter().flatten() {
        let mut sent = Vec::new();
        scan::append_with_tables(data, &found, &mut sent);
        assert!(sent.starts_with(b"\xff\xd8") && sent.ends_with(b"\xff\xd9"));
        let again = scan::scan(&sent).expect("a picture");
        assert!(again.has_huffman_tables && (again.width, again.height) == (found.width, found.height));
        assert_eq!(again.range, 0..sent.len(), "nothing behind its end");
    }
}

/// Whatever stands in `Authorization` and `Cookie`, nothing of it is shown.
pub fn credentials(data: &[u8]) {
    const COOKIE: &str = "__Host-defender-0a1b2c3d";
    let Ok(text) = str::from_utf8(data) else { return };
    let (authorization, cookie) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(Given::Basic(given)) = Given::from_fields(Some(authorization), Some(cookie), COOKIE) {
        assert!(!given.name.contains(':'), "the name ends at the first colon");
    }
    let _ = Given::from_fields(None, Some(cookie), COOKIE);
}

/// A login's document is one or is not.
pub fn login(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(asked) = json::from_str::<Login>(text) {
        assert!(asked.user.len() <= text.len());
    }
}

/// An overrides file of any bytes is read, loses no line when it is written, and says the same again.
pub fn overrides(data: &[u8]) {
    let read = Overrides::parse(data);
    let written = read.to_bytes();
    let again = Overrides::parse(&written);
    assert!(read.iter().eq(again.iter()), "each override says the same");
    assert_eq!(read.problems().count(), again.problems().count(), "no damaged line is lost");
    assert_eq!(again.to_bytes(), written, "a file that was written stays as it is");
    let mut emptied = again.clone();
    for found in again.iter() {
        assert!(emptied.remove(&found.name));
    }
    assert_eq!(emptied.iter().count(), 0);
}

/// What another Defender sends is a part that lies in what came, or refused; and its status names
/// nothing that could not be here.
pub fn remote(data: &[u8]) {
    if let Ok(Some(jpeg)) = find_part(data) {
        assert!(jpeg.len() <= 16 * 1024 * 1024 && jpeg.start <= data.len());
    }
    if let Ok(listing) = Listing::parse(data) {
        assert!(listing.cameras.len() <= 64 && listing.microphones.len() <= 64);
        assert!(listing.cameras.iter().all(|camera| camera.name.len() <= 32 && camera.width > 0));
    }
}
