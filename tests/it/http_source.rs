//! Cameras of the network that speak HTTP: logins, and real servers.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::faults::{build_standin, make_film};
use crate::http_camera::{Camera, Dialect, ReservedPort, multipart, picture};
use crate::support::{
    Background, PASSWORD, Server, Setup, USER, add_token, add_user, defender, fingerprint, parts, stdout,
    wait_for, watch,
};

/// The section of a camera of the network.
pub fn section(name: &str, url: &str, keys: &str) -> String {
    format!("[camera.{name}]\ndevice = \"{url}\"\nfps = 10\n{keys}\n")
}

pub fn login_file(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The status of one camera.
fn status(server: &Server, name: &str) -> String {
    server.get_on_board(&format!("/api/1.0/cameras/{name}")).text()
}

/// Waits until the camera's status holds `text`.
pub fn wait_status(server: &Server, name: &str, text: &str) {
    wait_for(&format!("`{text}` of the camera {name}, which now says {}", status(server, name)), || {
        status(server, name).contains(text).then_some(())
    });
}

pub fn wait_picture(server: &Server, name: &str) -> Vec<u8> {
    wait_for(&format!("a picture of {name}: {}", status(server, name)), || {
        let answer = server.get(&format!("/snapshot/{name}"));
        (answer.status == 200).then_some(answer.body)
    })
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
    let port = ReservedPort::new();
    let url = format!("http://127.0.0.1:{}/cam", port.number);
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
    let reserved = ReservedPort::new();
    let port = reserved.number;
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

#[test]
fn viewers_learn_no_address_no_file_and_no_key() {
    let setup = Setup::new();
    login_file(setup.path(), "login.txt", "no login\n");
    let keys = "login_file = \"login.txt\"";
    let sections = section("front", "http://127.0.0.1:9/private/path", keys)
        + "[camera.yard]\ndevice = \"/dev/v4l/by-id/usb-SERIAL-1\"\n\
           [microphone.hall]\ndevice = \"unix:/run/none/hall.sock\"\n\
           [remote.attic]\nurl = \"https://127.0.0.1:9/\"\ntoken = \"dft_x\"\n";
    let server = setup.sections(&sections).start();
    let secrets = ["login.txt", "/private/path", "usb-SERIAL-1", "/run/none", "127.0.0.1:9"];
    let status = || server.get_on_board("/api/1.0/status").text();
    wait_for("all problems", || secrets.iter().all(|secret| status().contains(secret)).then_some(()));
    let paths = ["status", "cameras", "cameras/front", "microphones", "microphones/hall"];
    let paths = paths.map(|path| format!("/api/1.0/{path}"));
    for path in paths.iter().map(String::as_str).chain(["/snapshot/front", "/snapshot/yard"]) {
        let shown = server.get(path).text();
        assert!(
            shown.contains("front") || shown.contains("hall") || shown.contains("yard"),
            "{path}: {shown}"
        );
        for secret in secrets {
            assert!(!shown.contains(secret), "{path}: {shown}");
        }
    }
}
