//! Streams and snapshots, read by curl, ffmpeg and ffprobe.

use std::fs;
use std::process::Command;

use crate::feeder::{Feeder, jpegs, send_for_ever};
use crate::support::{PASSWORD, Server, Setup, USER, parts, wait_for, watch};

fn two_cameras() -> Server {
    Setup::new()
        .sections(
            "[camera.yard]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
             [camera.front]\ndevice = \"test\"\nwidth = 160\nheight = 120\nfps = 10\n",
        )
        .start()
}

/// Width and height of a JPEG, as a real decoder sees them.
pub fn decoded_size(jpeg: &[u8]) -> (u16, u16) {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    decoder.decode().expect("a whole JPEG");
    let info = decoder.info().expect("decoded");
    (info.width, info.height)
}

fn ffprobe(arguments: &[&str], url: &str) -> String {
    let ran = Command::new("ffprobe")
        .args(["-v", "error", "-tls_verify", "0", "-headers"])
        .arg(format!("Authorization: Basic {}\r\n", basic()))
        .args(arguments)
        .arg(url)
        .output()
        .expect("ffprobe runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn basic() -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{PASSWORD}"))
}

#[test]
fn the_first_camera_in_the_file_is_the_one_without_a_name() {
    let server = two_cameras();
    assert_eq!(decoded_size(&server.get("/snapshot").body), (320, 240));
    assert_eq!(decoded_size(&server.get("/snapshot/front").body), (160, 120));
    let unknown = server.get("/video/attic");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.text().contains("no camera is named attic; there are: yard, front"),
        "{}",
        unknown.text()
    );
}

#[test]
fn every_part_of_a_stream_says_what_it_is() {
    let server = two_cameras();
    let (viewer, file) = watch(&server, "/video", "recording");
    wait_for("five frames", || (parts(&file) >= 5).then_some(()));
    drop(viewer);
    let bytes = fs::read(&file).unwrap();
    let first = bytes.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    assert!(bytes.starts_with(b"--"));
    assert!(bytes[first..].starts_with(b"Content-Type: image/jpeg\r\nContent-Length: "));
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length: usize =
        head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!(decoded_size(&bytes[head_end + 4..head_end + 4 + length]), (320, 240));
    let stamp = head.split("X-Timestamp: ").nth(1).unwrap();
    let (seconds, micros) = stamp.split_once('.').unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(micros.len() == 6 && seconds.parse::<u64>().unwrap().abs_diff(now) < 60, "{stamp}");
}

#[test]
fn ffprobe_and_ffmpeg_read_the_stream() {
    let server = two_cameras();
    let seen = ffprobe(
        &["-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"],
        &server.url("/video"),
    );
    assert_eq!(seen.trim(), "mjpeg,320,240");
    let film = server.path().join("film.mkv");
    let recorded = Command::new("ffmpeg")
        .args(["-v", "error", "-tls_verify", "0", "-f", "mpjpeg", "-headers"])
        .arg(format!("Authorization: Basic {}\r\n", basic()))
        .args(["-i", &server.url("/video/front"), "-frames:v", "10", "-c", "copy"])
        .arg(&film)
        .output()
        .expect("ffmpeg runs");
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let counted = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(&film)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), "10");
}

#[test]
fn a_viewer_may_have_fewer_frames_and_nothing_is_encoded_twice() {
    let server = two_cameras();
    let (_all, every) = watch(&server, "/video", "all");
    // Few enough that a camera on a busy machine, with far fewer than its thirty a second, still has more.
    let (_some, some) = watch(&server, "/video?fps=0.5", "some");
    wait_for("frames", || (parts(&every) >= 60 && parts(&some) >= 1).then_some(()));
    let (every, some) = (parts(&every), parts(&some));
    assert!(some * 4 < every, "{some} frames at fps=0.5 beside {every} of all");
    let status = server.get_on_board("/api/1.0/status").text();
    let number = |key: &str| -> usize {
        let rest = status.split(&format!("\"{key}\":")).nth(1).unwrap();
        rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap()].parse().unwrap()
    };
    assert!(number("encoded") <= number("captured"), "{status}");
    assert_eq!(server.get("/video?fps=many").status, 400);
}

#[test]
fn a_viewer_of_rare_frames_that_leaves_is_noticed() {
    let server = two_cameras();
    let (viewer, file) = watch(&server, "/video?fps=0.001", "recording");
    wait_for("the one frame", || (parts(&file) >= 1).then_some(()));
    drop(viewer);
    wait_for("the viewer to be forgotten", || {
        let status = server.get_on_board("/api/1.0/status").text();
        (status.matches("\"viewers\":0").count() == 2).then_some(())
    });
}

#[test]
fn nothing_is_encoded_while_nobody_watches() {
    let server = two_cameras();
    server.get("/snapshot/front");
    let encoded = || -> u64 {
        let status = server.get_on_board("/api/1.0/cameras/front").text();
        let (_, rest) = status.split_once("\"encoded\":").unwrap_or_else(|| panic!("{status}"));
        rest.split([',', '}']).next().unwrap().parse().unwrap()
    };
    assert!(encoded() > 0, "the snapshot");
    // The pictures of another camera, which somebody watches, take the place of a clock.
    let (_viewer, file) = watch(&server, "/video/yard", "yard");
    wait_for("ten pictures of the other camera and none of this one", || {
        let (before, shown) = (encoded(), parts(&file));
        wait_for("ten more pictures", || (parts(&file) >= shown + 10).then_some(()));
        (encoded() == before).then_some(())
    });
}

#[test]
fn kinds_of_jpeg_that_cannot_be_edited_pass_through() {
    let setup = Setup::new();
    let source = &jpegs(setup.path(), "64x48", 1)[0];
    let plain = setup.path().join("plain.jpg");
    fs::write(&plain, source).unwrap();
    let mut cameras = String::new();
    let mut sent = Vec::new();
    for kind in ["progressive", "arithmetic"] {
        let made =
            Command::new("jpegtran").arg(format!("-{kind}")).arg(&plain).output().expect("jpegtran runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let socket = setup.path().join(kind);
        let pictures = vec![made.stdout.clone()];
        let feeder = Feeder::start(&socket, move |stream, _| send_for_ever(stream, &pictures));
        cameras += &format!("[camera.{kind}]\ndevice = \"unix:{}\"\nrotate = 180\n", socket.display());
        sent.push((kind, made.stdout, feeder));
    }
    let server = setup.sections(&cameras).start();
    for (kind, jpeg, _feeder) in &sent {
        let shown = wait_for("a picture", || {
            let answer = server.get(&format!("/snapshot/{kind}"));
            (answer.status == 200).then_some(answer.body)
        });
        assert_eq!(&shown, jpeg, "{kind}");
        server.wait_log(&format!("camera {kind}: its pictures are neither turned nor stamped"));
    }
}

#[test]
fn two_snapshots_are_two_moments() {
    let server = two_cameras();
    let (first, second) = (server.get("/snapshot"), server.get("/snapshot"));
    assert_eq!((first.status, first.field("content-type").as_deref()), (200, Some("image/jpeg")));
    assert_ne!(first.body, second.body, "the test card moves, so later pictures differ");
    assert_eq!(first.field("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn clients_of_other_servers_find_what_they_ask_for() {
    let server = two_cameras();
    for path in ["/stream", "/?action=stream"] {
        assert_eq!(server.curl(path, &["-I"]).status, 401, "{path} without signing in");
        let (_viewer, file) = watch(&server, path, &path.replace(['/', '?'], ""));
        wait_for("pictures", || (parts(&file) >= 3).then_some(()));
    }
    let snapshot = server.get("/?action=snapshot");
    assert_eq!((snapshot.status, snapshot.field("content-type").as_deref()), (200, Some("image/jpeg")));
}

#[test]
fn a_missing_camera_shows_no_signal_and_no_snapshot() {
    let server = Setup::new().sections("[camera.front]\ndevice = \"/dev/video99\"\n").start();
    server.wait_log("/dev/video99");
    let (_viewer, file) = watch(&server, "/video", "recording");
    wait_for("no-signal frames", || (parts(&file) >= 2).then_some(()));
    let snapshot = server.get("/snapshot");
    assert_eq!(snapshot.status, 503, "{}", snapshot.text());
    assert!(snapshot.text().contains("gives no picture: no such device"), "{}", snapshot.text());
    assert!(snapshot.field("retry-after").is_some());
    let status = server.get_on_board("/api/1.0/status").text();
    assert!(status.contains("\"online\":false") && status.contains("/dev/video99"), "{status}");
}

#[test]
fn what_is_no_camera_is_said_to_be_none() {
    let server = Setup::new().sections("[camera.front]\ndevice = \"/dev/null\"\n").start();
    server.wait_log("/dev/null: not a camera");
}

#[test]
fn head_answers_like_get_without_a_body() {
    let server = two_cameras();
    let login = format!("{USER}:{PASSWORD}");
    for (path, content_type) in [
        ("/video", "multipart/x-mixed-replace; boundary="),
        ("/snapshot", "image/jpeg"),
        ("/api/1.0/status", "application/json"),
        ("/", "text/html; charset=utf-8"),
    ] {
        let answer = server.curl(path, &["-I", "-u", &login]);
        let found = answer.field("content-type").unwrap_or_default();
        // A boundary is another at each start.
        let (known, rest) = found.split_at(content_type.len().min(found.len()));
        assert_eq!((answer.status, known), (200, content_type), "{path}");
        assert!(rest.is_empty() || path == "/video", "{path}: {found}");
        assert!(
            path == "/video" || answer.field("content-length").is_some_and(|length| length != "0"),
            "{path}"
        );
    }
}
