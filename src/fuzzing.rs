//! Entry points for the fuzzer, and for its corpus: what reads untrusted input, with what must
//! hold of any input. No part of the program's interface.

pub mod jpeg;
pub mod segment;

use std::collections::HashSet;
use std::path::Path;

use miniserde::json::{self, Value};

use crate::client::{Login, Url, addresses_in_answer, look_at_head};
use crate::config::{Overrides, sections};
use crate::gate::head::{REQUEST_ID_HEADER, RequestHead, complete_head};
use crate::http::{Credentials, LoginBody};
use crate::jpeg::scan;
use crate::jpeg::stream::{Dropped, JpegStream};
use crate::remote::{Listing, find_part};
use crate::users::file::{UserFile, is_valid_name};

/// A target: bytes in, a panic where something does not hold.
pub type Target = fn(&[u8]);

/// The targets by the names of their folders in fuzz/corpus.
pub const TARGETS: [(&str, Target); 16] = [
    ("request_head", request_head),
    ("users_file", users_file),
    ("config", config),
    ("jpeg_scan", jpeg_scan),
    ("jpeg_stream", jpeg_stream),
    ("jpeg_dc", jpeg::jpeg_dc),
    ("jpeg_edit", jpeg::jpeg_edit),
    ("jpeg_variant", jpeg::jpeg_variant),
    ("credentials", credentials),
    ("login", login),
    ("overrides", overrides),
    ("remote", remote),
    ("url", url),
    ("answer_head", answer_head),
    ("name_answer", name_answer),
    ("segment", segment::segment),
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
    let ids = lower.matches(&format!("\n{}:", REQUEST_ID_HEADER.to_ascii_lowercase())).count();
    assert_eq!(ids, 1, "the request id is ours alone");
    assert!(!lower.contains("\ntransfer-encoding:"), "no body of unknown length");
    assert!(lower.matches("\ncontent-length:").count() <= 1, "one length");
}

/// A user file is written back as it was read, a user's line means the same when it is written again, and an
/// edit changes one user and no other.
pub fn users_file(data: &[u8]) {
    let file = UserFile::parse(data);
    assert_eq!(file.to_bytes(), data, "lines that are not understood stay");
    let names: HashSet<_> = file.users().map(|user| &user.name).collect();
    assert_eq!(names.len(), file.users().count(), "one line for each name counts");
    for user in file.users().take(4) {
        assert!(is_valid_name(&user.name));
        assert!(file.find(&user.name) == Some(user));
        let again = UserFile::parse(user.line().as_bytes());
        assert!(again.users().eq([user]), "the line of `{}` is read as another", user.name);
        let others = || file.users().filter(|other| other.name != user.name);
        let removed = edited_file(data, |file| assert!(file.remove(&user.name)));
        assert!(removed.users().eq(others()), "removal of `{}`", user.name);
        assert!(removed.tokens().all(|token| token.user != user.name), "tokens of `{}`", user.name);
        let put = edited_file(data, |file| file.put(user.clone()));
        assert!(put.users().eq(file.users()), "`{}` put in its own place", user.name);
    }
    for token in file.tokens().take(4) {
        let removed = edited_file(data, |file| assert!(file.remove_token(&token.name)));
        assert!(removed.tokens().eq(file.tokens().filter(|other| other.name != token.name)));
        assert!(removed.users().eq(file.users()), "removal of the token `{}`", token.name);
    }
}

/// The user file `data` after `edit`, as the next start of the server reads it.
fn edited_file(data: &[u8], edit: impl FnOnce(&mut UserFile)) -> UserFile {
    let mut file = UserFile::parse(data);
    edit(&mut file);
    UserFile::parse(&file.to_bytes())
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

/// The pictures of a stream are the same in whatever pieces it comes, whole by their markers, and within the limit.
pub fn jpeg_stream(data: &[u8]) {
    let Some((&piece_bytes, stream)) = data.split_first() else { return };
    let (each, each_dropped) = pictures(stream, 1);
    for picture in &each {
        // Without EOI a picture ends where the next one begins.
        let with_next = [picture, &b"\xff\xd8\xff"[..]].concat();
        let is_before_next = || stream.windows(with_next.len()).any(|bytes| bytes == with_next);
        assert!(picture.starts_with(b"\xff\xd8\xff"));
        assert!(picture.ends_with(b"\xff\xd9") || is_before_next());
        assert!(picture.len() <= STREAM_PICTURE_BYTES, "{} bytes", picture.len());
    }
    let (some, dropped) = pictures(stream, usize::from(piece_bytes) + 1);
    let count = |found: &[_], dropped: Dropped| found.len() + dropped.superseded as usize;
    assert_eq!(count(&some, dropped), count(&each, each_dropped));
    let mut rest = each.iter();
    assert!(
        some.iter().all(|picture| rest.any(|other| other == picture)),
        "no other pictures, in this order"
    );
    assert_eq!(Dropped { superseded: each_dropped.superseded, ..dropped }, each_dropped);
}

/// Largest picture that [`jpeg_stream`] takes.
const STREAM_PICTURE_BYTES: usize = 1024;

/// The pictures found in a stream that comes in pieces of this size, and what was dropped.
fn pictures(stream: &[u8], piece_bytes: usize) -> (Vec<Vec<u8>>, Dropped) {
    let (mut splitter, mut found, mut held_bytes) = (JpegStream::new(STREAM_PICTURE_BYTES), Vec::new(), 0);
    for mut piece in stream.chunks(piece_bytes) {
        while !piece.is_empty() {
            let count = splitter.feed(piece, &mut |bytes| {
                held_bytes = held_bytes.max(bytes);
                true
            });
            piece = &piece[count..];
        }
        found.extend(splitter.take().map(<[u8]>::to_vec));
    }
    assert!(held_bytes <= 3 * STREAM_PICTURE_BYTES, "{held_bytes} bytes of a buffer");
    (found, splitter.take_dropped())
}

/// Whatever stands in `Authorization` and `Cookie`, nothing of it is shown.
pub fn credentials(data: &[u8]) {
    const COOKIE: &str = "__Host-defender-0a1b2c3d";
    let Ok(text) = str::from_utf8(data) else { return };
    let (authorization, cookie) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(Credentials::Basic(basic)) =
        Credentials::from_fields(Some(authorization), Some(cookie), COOKIE)
    {
        assert!(!basic.name.contains(':'), "the name ends at the first colon");
    }
    let _ = Credentials::from_fields(None, Some(cookie), COOKIE);
}

/// A login is an object with a user and a password, which are texts, and the user is read as it is written.
pub fn login(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let login = json::from_str::<LoginBody>(text);
    // A value of any depth cannot be freed on a thread's stack; the server refuses it before.
    if text.matches(['[', '{']).count() > 64 {
        return;
    }
    let fields = match json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => fields,
        _ => return assert!(login.is_err(), "what is no object is no login"),
    };
    let (user, password) = (fields.get("user"), fields.get("password"));
    if let Ok(login) = login {
        assert!(matches!(user, Some(Value::String(user)) if *user == login.user));
        assert!(matches!(password, Some(Value::String(_))), "a login without a password");
    } else if let (Some(Value::String(user)), Some(Value::String(password))) = (user, password) {
        // One of the two is there twice, and once is no text; without that it is a login.
        let alone =
            format!(r#"{{"user":{},"password":{}}}"#, json::to_string(user), json::to_string(password));
        assert!(json::from_str::<LoginBody>(&alone).is_ok_and(|login| login.user == *user));
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
    const HEAD_END: &[u8] = b"\r\n\r\n";
    match find_part(data) {
        Ok(Some(jpeg)) => {
            assert!(jpeg.len() <= 8 * 1024 * 1024, "{} bytes of a picture", jpeg.len());
            let head = &data[..jpeg.start];
            assert!(head.ends_with(HEAD_END), "a picture begins behind its head");
            assert_eq!(head.windows(4).filter(|four| *four == HEAD_END).count(), 1, "one head");
            let head = str::from_utf8(head).expect("a head is text");
            let says_length = |line: &str| {
                let value = line.split_once(':').map(|(_, value)| value.trim().parse());
                value.is_some_and(|value| value == Ok(jpeg.len()))
            };
            assert!(head.lines().any(says_length), "the length is the head's");
            assert!(
                matches!(find_part(head.as_bytes()), Ok(Some(again)) if again == jpeg),
                "whatever follows"
            );
        }
        Ok(None) => {
            assert!(data.len() < 2048 + 4, "a head without end is not waited for");
            assert!(!data.windows(4).any(|four| four == HEAD_END), "a whole head is not waited for");
        }
        Err(_) => {}
    }
    if let Ok(listing) = Listing::parse(data) {
        check_listing(&listing);
    }
}

/// A URL is written as it was read, shows no query, and leads to no second request; and so does a redirect from it.
pub fn url(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (url, location) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(url) = Url::parse(url) else { return };
    check_url(&url);
    if let Ok(url) = url.join(location) {
        check_url(&url);
    }
}

fn check_url(url: &Url) {
    assert_eq!(Url::parse(&url.with_query()).as_ref(), Ok(url), "it is read as it is written");
    let (shown, target) = (url.to_string(), url.target());
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!shown.contains('@') || target.contains('@'), "a user");
    let without_query = if target.contains('?') { shown.strip_suffix("?...") } else { Some(&shown[..]) };
    assert!(without_query.is_some_and(|shown| !shown.contains('?')), "a query is shown");
    let host = &url.address().host;
    assert!(host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte)));
}

/// A head ends where it says, whatever follows it, and what answers its challenge is one field without the password.
pub fn answer_head(data: &[u8]) {
    let login = Login::parse("fuzz:0123456789 secret").expect("it is one");
    let Ok(Some((length, answer))) = look_at_head(data, &login) else { return };
    assert!(length <= data.len() && data[..length].ends_with(b"\n"));
    let alone = look_at_head(&data[..length], &login);
    assert!(matches!(alone, Ok(Some((again, _))) if again == length), "whatever follows");
    if let Some(answer) = answer {
        assert!(answer.starts_with("Digest username=\"fuzz\", realm=\""));
        assert!(!answer.contains("secret"), "the password");
    }
}

/// An answer of the local network gives only addresses that stand in it, and none to another question.
pub fn name_answer(data: &[u8]) {
    const HOST: &str = "esp32.local";
    let Some(&id) = data.first_chunk() else { return };
    let id = u16::from_be_bytes(id);
    let found = addresses_in_answer(data, id, HOST);
    assert!(found.iter().all(|address| data.windows(4).any(|bytes| bytes == address.octets())));
    assert!(addresses_in_answer(data, id ^ 1, HOST).is_empty(), "an answer to another question");
}

/// Every device could be one of defender.conf, and no text of it harms a log or a terminal.
fn check_listing(listing: &Listing) {
    let Listing { cameras, microphones } = listing;
    assert!(cameras.len() <= 16 && microphones.len() <= 16, "each costs a thread");
    let names = cameras.iter().map(|one| &one.name).chain(microphones.iter().map(|one| &one.name));
    let is_name = |name: &String| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=32).contains(&name.len()) && name.chars().all(fits)
    };
    assert!(names.into_iter().all(is_name));
    let sides = cameras.iter().flat_map(|camera| [camera.width, camera.height]);
    assert!(sides.into_iter().all(|side| (16..=8192).contains(&side)));
    assert!(cameras.iter().all(|camera| camera.fps.is_finite()));
    let streams: Vec<_> = cameras.iter().flat_map(|camera| &camera.streams).collect();
    assert!(streams.len() <= 32 && streams.iter().all(|stream| is_name(&stream.name)), "each costs a thread");
    let samples = microphones.iter().map(|one| u64::from(one.rate_hz) * u64::from(one.channels));
    assert!(samples.sum::<u64>() <= 768_000, "seconds of them are held in memory");
    let problems = cameras.iter().flat_map(|camera| [&camera.problem, &camera.stand_in]);
    let mut problems = problems.chain(microphones.iter().map(|one| &one.problem)).flatten();
    assert!(problems.all(|text| !text.chars().any(char::is_control)), "control characters");
}
