//! Cameras of the network that speak HTTP: dialects, logins, bad luck, and real servers.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::faults::{build_standin, make_film};
use crate::http_camera::{
    Camera, Dialect, multipart, picture, repeats, request, says, streams, streams_raw, streams_some,
};
use crate::support::{
    Background, PASSWORD, Server, Setup, USER, add_token, add_user, defender, fingerprint, parts, stdout,
    wait_for, watch,
};

/// The section of a camera of the network.
fn section(name: &str, url: &str, keys: &str) -> String {
    format!("[camera.{name}]\ndevice = \"{url}\"\nfps = 10\n{keys}\n")
}

fn login_file(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The status of one camera.
fn status(server: &Server, name: &str) -> String {
    server.get(&format!("/api/1.0/cameras/{name}")).text()
}

/// Waits until the camera's status holds `text`.
fn wait_status(server: &Server, name: &str, text: &str) {
    wait_for(&format!("`{text}` of the camera {name}, which now says {}", status(server, name)), || {
        status(server, name).contains(text).then_some(())
    });
}

fn wait_picture(server: &Server, name: &str) -> Vec<u8> {
    wait_for(&format!("a picture of {name}: {}", status(server, name)), || {
        let answer = server.get(&format!("/snapshot/{name}"));
        (answer.status == 200).then_some(answer.body)
    })
}

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

#[test]
fn every_dialect_gives_the_camera_s_own_pictures() {
    let jpeg = picture(96, 64);
    let cameras: Vec<_> =
        dialects(&jpeg).into_iter().map(|(name, dialect)| (name, Camera::new(dialect))).collect();
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
        ("paused", streams_once(mixed), "", "stalled, no frame for "),
    ]
}

/// Sends the head and nothing more.
fn streams_once(head: &str) -> Dialect {
    let head = head.replace('\n', "\r\n");
    Arc::new(move |tcp, _| {
        let _ = tcp.write_all(head.as_bytes());
        let _ = request(tcp);
    })
}

#[test]
fn bad_luck_is_told_in_words_and_heals() {
    let rows: Vec<_> =
        bad_luck().into_iter().map(|(name, says, keys, why)| (name, Camera::new(says), keys, why)).collect();
    let url = |camera: &Camera| format!("http://127.0.0.1:{}/cam?pwd=secret-query", camera.port);
    let mut sections: String =
        rows.iter().map(|(name, camera, keys, _)| section(name, &url(camera), keys)).collect();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sections += &section("closed", &format!("http://127.0.0.1:{closed}/"), "");
    sections += &section("nameless", "http://no-such-camera.invalid/", "");
    let setup = Setup::new().sections(&sections);
    login_file(setup.path(), "wrong", "ada:secret-password\n");
    fs::write(setup.path().join("open"), "ada:secret-password\n").unwrap();
    fs::set_permissions(setup.path().join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = setup.start();
    for (name, _, _, why) in &rows {
        wait_status(&server, name, &why.replace('"', "\\\""));
        server.wait_log(why);
    }
    wait_status(&server, "closed", "it does not answer: ");
    wait_status(&server, "nameless", "its name cannot be resolved: ");
    let (_viewer, file) = watch(&server, "/video/missing", "no-signal");
    wait_for("no-signal frames", || (parts(&file) > 2).then_some(()));
    // The check is a client of its own.
    let twice = rows.iter().find(|row| row.1.was_asked_twice_at_once());
    assert!(twice.is_none(), "{}: two connections", twice.unwrap().0);
    let checked = stdout(&defender(server.path(), &["check", "-c", "defender.conf"], ""));
    for (name, _, _, why) in rows.iter().filter(|row| row.0 != "paused") {
        let line =
            checked.lines().find(|line| line.starts_with(&format!("camera {name} "))).unwrap_or_default();
        assert!(line.contains("NO SIGNAL now") && line.contains(why), "{name}: {line}\n{checked}");
    }
    let shown = server.log_until_now() + &server.get("/api/1.0/status").text() + &checked;
    assert!(!shown.contains("secret"), "a password is shown:\n{shown}");
    // The cameras come to their senses.
    let jpeg = picture(96, 64);
    for file in ["wrong", "open", "none"] {
        login_file(server.path(), file, "ada:right\n");
    }
    rows.iter().for_each(|(_, camera, _, _)| camera.speak(multipart(&jpeg)));
    let _late = Camera::at(closed, multipart(&jpeg));
    for name in rows.iter().map(|row| row.0).chain(["closed"]) {
        assert!(wait_picture(&server, name) == jpeg, "{name}");
        wait_status(&server, name, "\"problem\":null");
    }
}

#[test]
fn a_login_is_given_as_the_camera_asks_for_it() {
    let jpeg = picture(96, 64);
    let asks = |challenge: &'static str, expected: &'static str| -> Dialect {
        let part = multipart(&jpeg);
        Arc::new(move |tcp, asked| {
            if asked.contains(expected) {
                return part(tcp, asked);
            }
            let _ =
                write!(tcp, "HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n");
        })
    };
    let old: &'static str = format!("response=\"{}\"", old_digest()).leak();
    let cameras = [
        ("basic", asks("Basic realm=\"cam\"", "Authorization: Basic YWRhOnNlY3JldA==")),
        (
            "digest",
            asks("Digest realm=\"cam\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256", "algorithm=SHA-256"),
        ),
        ("old", asks("Digest realm=\"cam\", nonce=\"n\"", old)),
    ]
    .map(|(name, dialect)| (name, Camera::new(dialect)));
    let sections: String = cameras
        .iter()
        .map(|(name, camera)| {
            section(name, &format!("http://127.0.0.1:{}/cam", camera.port), "login_file = \"cam.login\"")
        })
        .collect();
    let setup = Setup::new().sections(&sections);
    login_file(setup.path(), "cam.login", "ada:secret\n");
    let server = setup.start();
    for (name, camera) in &cameras {
        assert!(wait_picture(&server, name) == jpeg, "{name}");
        assert!(!camera.was_asked_twice_at_once(), "{name}");
    }
    server.wait_log("its password is sent without encryption (Basic, without TLS)");
    let log = server.log_until_now();
    assert!(log.matches("is sent without encryption").count() == 1 && !log.contains("secret"), "{log}");
    let checked = stdout(&defender(server.path(), &["check", "-c", "defender.conf"], ""));
    for line in ["a stream of JPEGs, 96x64, login by Basic", "a stream of JPEGs, 96x64, login by Digest"] {
        assert!(checked.contains(line), "{line} is missing in {checked}");
    }
}

/// What answers a challenge without qop, by openssl.
fn old_digest() -> String {
    let md5 = |text: &str| {
        let mut openssl = Command::new("openssl")
            .args(["md5", "-r"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl runs");
        openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        stdout(&openssl.wait_with_output().unwrap())[..32].to_owned()
    };
    md5(&format!("{}:n:{}", md5("ada:cam:secret"), md5("GET:/cam")))
}

#[test]
fn on_demand_the_camera_is_connected_while_somebody_watches() {
    let camera = Camera::new(multipart(&picture(96, 64)));
    let url = format!("http://127.0.0.1:{}/", camera.port);
    let server = Setup::new().sections(&section("front", &url, "on_demand = true")).start();
    wait_status(&server, "front", "closed until somebody watches");
    assert!(!camera.has_connection(), "nobody watches yet");
    let (viewer, file) = watch(&server, "/video/front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    assert!(camera.has_connection());
    drop(viewer);
    wait_for("the connection to end", || (!camera.has_connection()).then_some(()));
}

#[test]
fn another_defender_is_a_camera_by_tls_with_a_pinned_key() {
    let setup = Setup::new();
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    let mut board = setup.keep_users().start();
    let url = board.url("/video/front");
    let key = fingerprint(&board);
    let start = |keys: &str| {
        let setup =
            Setup::new().sections(&section("far", &url, &format!("login_file = \"far.login\"\n{keys}")));
        login_file(setup.path(), "far.login", &format!("{USER}:{token}\n"));
        setup.start()
    };
    let unknown = start("");
    wait_status(
        &unknown,
        "far",
        &format!("if this is the camera's own key, write fingerprint = \\\"{key}\\\""),
    );
    let wrong = start(&format!("fingerprint = \"sha256:{}\"", "00".repeat(32)));
    wait_status(&wrong, "far", "THE CAMERA'S KEY HAS CHANGED; nothing was sent to it");
    assert!(!board.log_until_now().contains("/video/front"), "a request came through");
    let panel = start(&format!("fingerprint = \"{key}\""));
    wait_picture(&panel, "far");
    wait_status(&panel, "far", "\"width\":320,\"height\":240");
    let log = panel.log_until_now();
    assert!(
        !log.contains(&token) && !log.contains(PASSWORD) && !log.contains("goes over the network"),
        "{log}"
    );
    // It goes, and comes back.
    board.signal("KILL");
    board.wait_end();
    wait_status(&panel, "far", "\"online\":false");
    board.start_again();
    wait_picture(&panel, "far");
}

#[test]
fn ffmpeg_is_a_camera() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/cam");
    let mut command = Command::new("ffmpeg");
    command.args([
        "-v",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=320x240:rate=10",
        "-f",
        "mpjpeg",
        "-listen",
        "1",
    ]);
    let _ffmpeg = Background::start(command.arg(&url).stdin(Stdio::null()));
    let server = Setup::new().sections(&section("ffmpeg", &url, "")).start();
    wait_picture(&server, "ffmpeg");
    wait_status(&server, "ffmpeg", "\"width\":320,\"height\":240");
}

#[test]
fn ustreamer_is_a_camera_by_its_stream_and_by_its_snapshots() {
    let setup = Setup::new();
    let folder = setup.path();
    let (standin, film, node) = (build_standin(folder), make_film(folder), folder.join("camera"));
    fs::write(&node, "").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("ustreamer");
    command
        .args(["--format", "MJPEG", "--encoder", "HW", "-r", "320x240", "--host", "127.0.0.1"])
        .args(["--user", "ada", "--passwd", "secret", "--port", &port.to_string(), "--device"])
        .arg(&node)
        .env("LD_PRELOAD", &standin)
        .env("STANDIN_NODE", &node)
        .env("STANDIN_MJPEG", &film)
        .env("STANDIN_SIZE", "320x240")
        .env("STANDIN_FPS", "15")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _ustreamer = Background::start(&mut command);
    login_file(folder, "ustreamer.login", "ada:secret\n");
    let keys = "login_file = \"ustreamer.login\"";
    let sections = section("stream", &format!("http://127.0.0.1:{port}/stream"), keys)
        + &section("snapshot", &format!("http://127.0.0.1:{port}/snapshot"), keys);
    let server = setup.sections(&sections).start();
    for (name, mode) in
        [("stream", "a stream of JPEGs, login by Basic"), ("snapshot", "one JPEG for each request")]
    {
        wait_picture(&server, name);
        wait_status(&server, name, "\"width\":320,\"height\":240");
        server.wait_log(mode);
    }
}
