//! Cameras of the network in every dialect of HTTP and multipart that they speak.

use crate::http_camera::{
    Camera, Dialect, multipart, picture, repeats, says, streams, streams_raw, streams_some,
};
use crate::http_source::{section, wait_picture, wait_status};
use crate::support::{Setup, parts, wait_for, watch};

/// The ways in which cameras send the same picture.
fn dialects(jpeg: &[u8]) -> Vec<(&'static str, Dialect)> {
    let part = |head: &str, behind: &str| {
        [head.replace('\n', "\r\n").as_bytes(), jpeg, behind.replace('\n', "\r\n").as_bytes()].concat()
    };
    let length = jpeg.len();
    let ok = |fields: &str| format!("HTTP/1.1 200 OK\n{fields}\n");
    let mixed = "Content-Type: multipart/x-mixed-replace";
    let snapshot = |fields: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{fields}\r\n");
        [head.as_bytes(), jpeg].concat()
    };
    let lf = [format!("--b\nContent-Type: image/jpeg\nContent-Length: {length}\n\n").as_bytes(), jpeg, b"\n"]
        .concat();
    let chunks: Vec<u8> = jpeg
        .chunks(700)
        .flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
        .collect();
    vec![
        ("usual", multipart(jpeg)),
        (
            "no-length",
            streams(&ok(&format!("{mixed};boundary=b\n")), part("--b\nContent-Type: image/jpeg\n\n", "\n")),
        ),
        ("lines", streams_raw("HTTP/1.0 200 OK\nContent-type: multipart/x-mixed-replace;boundary=b\n\n", lf)),
        ("dashes", streams(&ok(&format!("{mixed};boundary=--b\n")), part("--b\n\n", "\n"))),
        ("quoted", streams(&ok(&format!("{mixed}; boundary=\"a b\"\n")), part("--a b\n\n", "\n"))),
        ("spaces", streams(&ok(&format!("{mixed} ; boundary = b \n")), part("\n --b \n X : y\n\n", "\n\n"))),
        ("no-boundary", streams(&ok(&format!("{mixed}\n")), part("--other\n\n", ""))),
        ("unfinished", streams_some(30, &ok(&format!("{mixed};boundary=b\n")), part("--b\n\n", "\n"))),
        (
            "too-short",
            streams(&ok(&format!("{mixed};boundary=b\n")), part("--b\nContent-Length: 7\n\n", "\n")),
        ),
        (
            "too-long",
            streams(
                &ok(&format!("{mixed};boundary=b\n")),
                part("--b\nContent-Length: 10737418240\n\n", "\n"),
            ),
        ),
        ("chunked", streams(&ok("Content-Type: image/x-jpeg\nTransfer-Encoding: chunked\n"), chunks)),
        ("bare", streams(&ok("Content-Type: application/octet-stream\n"), jpeg)),
        ("untyped", streams("HTTP/1.0 200 OK\n\n", jpeg)),
        (
            "no-eoi",
            streams(
                &ok(&format!("{mixed};boundary=b\n")),
                [&b"--b\r\nContent-Type: image/jpeg\r\n\r\n"[..], &jpeg[..length - 2], b"\r\n"].concat(),
            ),
        ),
        (
            "no-eoi-snapshots",
            repeats(
                [
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                        length - 2
                    )
                    .as_bytes(),
                    &jpeg[..length - 2],
                ]
                .concat(),
            ),
        ),
        ("snapshots", repeats(snapshot(&format!("Content-Length: {length}\r\n")))),
        ("closing", says(snapshot(&format!("Content-Length: {length}\r\nConnection: close\r\n")))),
        ("endless", says(snapshot(""))),
        ("claims-more", says(snapshot(&format!("Content-Length: {}\r\n", length + 10)))),
    ]
}

/// Heads that no server should send, and some cameras do.
fn odd_heads(jpeg: &[u8]) -> Vec<(&'static str, Dialect)> {
    let part = [b"--b\r\n\r\n", jpeg, b"\r\n"].concat();
    let stream = |head: &str| streams(&format!("{head}\n"), &part[..]);
    let ok = |fields: &str| stream(&format!("HTTP/1.1 200 OK\n{fields}\n"));
    let mixed = "Content-Type: multipart/x-mixed-replace;boundary=b";
    let chunk = [format!("{:x}\r\n", jpeg.len()).as_bytes(), jpeg, b"\r\n"].concat();
    let chunked = "Content-Type: video/mjpeg\nTransfer-Encoding: chunked";
    let snapshot = |fields: &str| {
        [format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{fields}\r\n\r\n").as_bytes(), jpeg].concat()
    };
    vec![
        ("no-bytes", ok(&format!("{mixed}\nContent-Length: 0"))),
        ("negative-length", ok(&format!("{mixed}\nContent-Length: -1"))),
        ("huge-length", ok(&format!("{mixed}\nContent-Length: 99999999999999999999"))),
        ("two-lengths", ok(&format!("Content-Length: 7\n{mixed}\nContent-Length: 9"))),
        ("negative-length-of-a-snapshot", says(snapshot("Content-Length: -1"))),
        ("space-before-the-colon", ok(&format!("Server : x\n{}", mixed.replace(':', " :")))),
        ("folded", ok(&mixed.replace(": ", ":\n ").replace(';', ";\n\t"))),
        ("no-colon", ok(&format!("Server\n{mixed}"))),
        ("two-spaces", stream(&format!("HTTP/1.1  200 OK\n{mixed}\n"))),
        ("old-chunks", streams(&format!("HTTP/1.0 200 OK\n{chunked}\n\n"), &chunk[..])),
        (
            "length-and-chunks",
            streams(&format!("HTTP/1.1 200 OK\nContent-Length: 0\n{chunked}\n\n"), &chunk[..]),
        ),
        ("identity", ok(&format!("{mixed}\nTransfer-Encoding: identity"))),
    ]
}

#[test]
fn every_dialect_gives_the_camera_s_own_pictures() {
    let jpeg = picture(96, 64);
    assert_shown(&jpeg, dialects(&jpeg));
}

#[test]
fn odd_heads_give_the_camera_s_own_pictures() {
    let jpeg = picture(96, 64);
    assert_shown(&jpeg, odd_heads(&jpeg));
}

/// Asserts that viewers of cameras with these dialects see the picture `jpeg`.
fn assert_shown(jpeg: &[u8], dialects: Vec<(&'static str, Dialect)>) {
    let cameras: Vec<_> = dialects.into_iter().map(|(name, dialect)| (name, Camera::new(dialect))).collect();
    let sections: String = cameras
        .iter()
        .map(|(name, camera)| section(name, &format!("http://127.0.0.1:{}/{name}?x=1", camera.port), ""))
        .collect();
    let server = Setup::new().sections(&sections).start();
    for (name, camera) in &cameras {
        assert!(wait_picture(&server, name) == jpeg, "{name}: another picture");
        wait_status(&server, name, "\"width\":96,\"height\":64");
        let (_viewers, files): (Vec<_>, Vec<_>) = (0..2)
            .map(|number| watch(&server, &format!("/video/{name}"), &format!("{name}{number}")))
            .unzip();
        for file in &files {
            wait_for(&format!("pictures of {name}"), || (parts(file) > 5).then_some(()));
        }
        assert!(!camera.was_asked_twice_at_once(), "{name}: two connections");
    }
    let log = server.log_until_now();
    assert!(!log.contains("x=1"), "a query is in the log:\n{log}");
}
