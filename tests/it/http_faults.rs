//! Cameras of the network that give no picture: the status, the log and `defender check` say why.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::http_camera::{Camera, Dialect, ReservedPort, multipart, picture, request, says, streams};
use crate::http_source::{login_file, section, wait_picture, wait_status};
use crate::support::{Setup, defender, parts, stdout, wait_for, watch};

/// What is wrong with a camera: its name, what it says, further keys, and what the status says of it.
type Row = (&'static str, Dialect, &'static str, &'static str);

fn bad_luck() -> Vec<Row> {
    let ok = |fields: &str, body: &[u8]| {
        says([format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(), body].concat())
    };
    let status = |line: &str| says(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"));
    let mixed = "HTTP/1.1 200 OK\nContent-Type: multipart/x-mixed-replace;boundary=b\n\n";
    let basic = "401 No\r\nWWW-Authenticate: Basic realm=\"cam\"";
    let page = b"<html><form>sign in</form>";
    // A picture whose scan goes on and on.
    let jpeg = picture(96, 64);
    let endless = [&jpeg[..jpeg.len() - 2], &vec![0x55; 3_000_000]].concat();
    let endless = Arc::new(move |tcp: &mut std::net::TcpStream, _: &str| {
        let _ = tcp.write_all(mixed.replace('\n', "\r\n").as_bytes());
        let _ = tcp.write_all(&endless[..]);
        while tcp.write_all(&[0x55; 65_536]).is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    let silent = Arc::new(|tcp: &mut std::net::TcpStream, _: &str| drop(request(tcp)));
    let half = streams(mixed, &picture(96, 64)[..300]);
    vec![
        (
            "no-login",
            status(basic),
            "",
            "the camera wants a login; write user:password into a file of mode 600",
        ),
        ("wrong-login", status(basic), "login_file = \"wrong\"", "the camera refuses the login in"),
        ("odd-login", status("401 No"), "login_file = \"wrong\"", "neither Basic nor Digest"),
        (
            "open-login",
            status(basic),
            "login_file = \"open\"",
            "other users may use it (mode 644); `chmod 600",
        ),
        ("no-file", status(basic), "login_file = \"none\"", "cannot use this login file: No such file"),
        ("forbidden", status("403 No"), "", "the camera does not allow this (status 403)"),
        ("missing", status("404 No"), "", "the camera has nothing at this path (status 404)"),
        ("busy", status("503 No"), "", "the camera is busy (status 503)"),
        ("broken", status("500 No"), "", "the camera answers with status 500"),
        (
            "elsewhere",
            status("302 Go\r\nLocation: http://elsewhere.example/x?token=1"),
            "",
            "another place, which is not followed: http://elsewhere.example/x?...",
        ),
        ("circle", status("301 Go\r\nLocation: /x"), "", "redirects too often"),
        (
            "gzip",
            ok("Content-Type: image/jpeg\r\nContent-Encoding: gzip\r\n", b"\x1f\x8b"),
            "",
            "compressed (gzip)",
        ),
        (
            "huge",
            ok("Content-Type: image/jpeg\r\nContent-Length: 10737418240\r\n", b"\xff\xd8"),
            "",
            "the camera announces a picture of more than 8 MiB",
        ),
        ("endless", endless, "", "the camera sends a JPEG without end (no FF D9 in 8 MiB)"),
        ("halves", half, "", "none of its pictures can be shown: a part of it is missing"),
        (
            "png",
            ok("Content-Type: image/png\r\nContent-Length: 4\r\n", b"\x89PNG"),
            "",
            "the camera sends image/png",
        ),
        ("page", ok("Content-Type: text/html\r\n", page), "", "the address answers with a web page"),
        ("lying-page", ok("Content-Type: image/jpeg\r\n", page), "", "holds no JPEG picture"),
        ("text", streams(mixed, vec![b'x'; 2_000_000]), "", "holds no JPEG picture"),
        ("garbage", says("SSH-2.0-OpenSSH_9.6\r\n"), "", "its answer cannot be read: the head of its answer"),
        ("empty", says(""), "", "it ended the connection"),
        ("silent", silent, "", "nothing comes from it any more"),
        ("paused", says_and_waits(mixed, b""), "", "nothing comes from it any more"),
    ]
}

/// Cameras that begin a stream in which no picture is.
fn no_pictures() -> Vec<Row> {
    let mixed = "HTTP/1.1 200 OK\nContent-Type: multipart/x-mixed-replace;boundary=b\n\n";
    let part = |content_type: &str, body: &[u8]| {
        let head = format!("--b\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let full = part("text/html", b"Too many clients");
    let jpeg = picture(96, 64);
    let half = &jpeg[..jpeg.len() / 2];
    let snapshot = format!("HTTP/1.1 200 OK\nContent-Type: image/jpeg\nContent-Length: {}\n\n", jpeg.len());
    let head = mixed.replace('\n', "\r\n");
    let ended = |body: &[u8]| says([head.as_bytes(), body].concat());
    vec![
        ("pngs", streams(mixed, part("image/png", png)), "", "the camera sends image/png"),
        ("lying-pngs", streams(mixed, part("image/jpeg", png)), "", "the camera sends image/png"),
        ("bare-pngs", streams("HTTP/1.0 200 OK\n\n", &png[..]), "", "the camera sends image/png"),
        (
            "full",
            says_and_waits(mixed, &full),
            "",
            "holds no JPEG picture, but text/html: `Too many clients`",
        ),
        ("full-and-closed", ended(&full), "", "holds no JPEG picture, but text/html: `Too many clients`"),
        (
            "words",
            says_and_waits(mixed, b"no \x1bsensor\n"),
            "",
            "holds no JPEG picture, but `no \\u{1b}sensor`",
        ),
        ("announced", says_and_waits(mixed, &part("image/jpeg", b"")), "", "nothing comes from it any more"),
        ("half", says_and_waits(mixed, half), "", "in the middle of a JPEG"),
        ("half-a-snapshot", says_and_waits(&snapshot, half), "", "in the middle of a JPEG"),
        ("half-and-closed", ended(half), "", "ended the connection in the middle of a JPEG"),
    ]
}

/// Sends a head and the beginning of a body, and nothing more.
fn says_and_waits(head: &str, body: &[u8]) -> Dialect {
    let sent = [head.replace('\n', "\r\n").as_bytes(), body].concat();
    Arc::new(move |tcp, _| {
        let _ = tcp.write_all(&sent);
        let _ = request(tcp);
    })
}

#[test]
fn bad_luck_is_told_in_words_and_heals() {
    let rows: Vec<_> = [bad_luck(), no_pictures()]
        .into_iter()
        .flatten()
        .map(|(name, says, keys, why)| (name, Camera::new(says), keys, why))
        .collect();
    let url = |camera: &Camera| format!("http://127.0.0.1:{}/cam?pwd=secret-query", camera.port);
    let mut sections: String =
        rows.iter().map(|(name, camera, keys, _)| section(name, &url(camera), keys)).collect();
    let closed = ReservedPort::new();
    sections += &section("closed", &format!("http://127.0.0.1:{}/", closed.number), "");
    sections += &section("nameless", "http://no-such-camera.invalid/", "");
    let setup = Setup::new().sections(&sections);
    login_file(setup.path(), "wrong", "ada:secret-password\n");
    fs::write(setup.path().join("open"), "ada:secret-password\n").unwrap();
    fs::set_permissions(setup.path().join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = setup.start();
    for (name, _, _, why) in &rows {
        wait_status(&server, name, &why.replace('\\', "\\\\").replace('"', "\\\""));
        server.wait_log(why);
    }
    wait_status(&server, "closed", "it does not answer: ");
    wait_status(&server, "nameless", "its name cannot be resolved: ");
    let (_viewer, file) = watch(&server, "/video/missing", "no-signal");
    wait_for("no-signal frames", || (parts(&file) > 2).then_some(()));
    // The check is a client of its own.
    let twice = rows.iter().find(|row| row.1.was_asked_twice_at_once());
    assert!(twice.is_none(), "{}: two connections", twice.unwrap().0);
    let rows_with_urls = rows.iter().map(|(name, camera, keys, why)| (*name, url(camera), *keys, *why));
    let checked = assert_checks(server.path(), rows_with_urls);
    let shown = server.log_until_now() + &server.get_on_board("/api/1.0/status").text() + &checked;
    assert!(!shown.contains("secret"), "a password is shown:\n{shown}");
    // The cameras come to their senses.
    let jpeg = picture(96, 64);
    for file in ["wrong", "open", "none"] {
        login_file(server.path(), file, "ada:right\n");
    }
    rows.iter().for_each(|(_, camera, _, _)| camera.speak(multipart(&jpeg)));
    let _late = Camera::at(closed.number, multipart(&jpeg));
    for name in rows.iter().map(|row| row.0).chain(["closed"]) {
        assert!(wait_picture(&server, name) == jpeg, "{name}");
        wait_status(&server, name, "\"problem\":null");
    }
}

/// Asserts that `defender check` says of each camera what its row says; what it said. The checks run at once: many wait.
fn assert_checks(
    folder: &Path,
    rows: impl Iterator<Item = (&'static str, String, &'static str, &'static str)>,
) -> String {
    let checks: Vec<_> = rows
        .map(|(name, url, keys, why)| {
            let file = format!("{name}.conf");
            let text = format!("[server]\nuser = \"root\"\n{}", section(name, &url, keys));
            fs::write(folder.join(&file), text).unwrap();
            let folder = folder.to_owned();
            (name, why, thread::spawn(move || stdout(&defender(&folder, &["check", "-c", &file], ""))))
        })
        .collect();
    let mut all = String::new();
    for (name, why, check) in checks {
        let said = check.join().unwrap();
        let line = said.lines().find(|line| line.starts_with(&format!("camera {name} "))).unwrap_or_default();
        assert!(line.contains("NO SIGNAL now") && line.contains(why), "{name}: {line}\n{said}");
        all += &said;
    }
    all
}
