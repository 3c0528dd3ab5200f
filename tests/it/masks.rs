//! Nobody sees what is under a mask, whatever a camera sends and whatever is changed meanwhile: every picture that leaves the
//! server is looked at.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::edits::{ADMIN, Decoded, change, quarters};
use crate::feeder::{Feeder, send_for_ever};
use crate::remote::{section, wait_status};
use crate::support::{Server, Setup, USER, add_token, add_user, wait_for, watch};

/// The right upper quarter, and a little more.
const MASK: &str = "[[0.48, 0], [1, 0], [1, 0.52], [0.48, 0.52]]";

/// What is under the mask is green, and nothing else is: no other quarter, no lettering, no no-signal frame.
fn shows_secret(picture: &Decoded) -> bool {
    picture.rgb.chunks_exact(3).any(|pixel| pixel[1] > 140 && pixel[0] < 110 && pixel[2] < 90)
}

/// The whole pictures of a recorded stream.
fn pictures(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap_or_default();
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while let Some(start) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..start]).into_owned();
        let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let length: usize = length.expect("a length in each part");
        let Some(picture) = rest.get(start + 4..start + 4 + length) else { break };
        found.push(picture.to_vec());
        rest = &rest[start + 4 + length..];
    }
    found
}

/// Looks at all pictures, and returns how many of them show the scene beside the mask.
fn assert_secret(what: &str, pictures: &[Vec<u8>]) -> usize {
    let mut seen = 0;
    for (number, jpeg) in pictures.iter().enumerate() {
        let hidden = jpeg.windows(SECRET.len()).any(|window| window == SECRET);
        assert!(!hidden, "{what}: picture {number} has a comment or a thumbnail of the camera");
        let picture = Decoded::of(jpeg);
        if shows_secret(&picture) {
            let kept = std::env::temp_dir().join("unmasked.jpg");
            let _ = fs::write(&kept, jpeg);
            panic!("{what}: picture {number} shows what is masked; it is in {}", kept.display());
        }
        let is_red = |pixel: &[u8]| pixel[0] > 180 && pixel[1] < 90 && pixel[2] < 90;
        seen += usize::from(picture.rgb.chunks_exact(3).any(is_red));
    }
    seen
}

/// In what must not be passed on.
const SECRET: &[u8] = b"what is under the mask";

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}

/// Where the segment with this marker begins.
fn find(jpeg: &[u8], marker: u8) -> usize {
    let mut at = 2;
    while jpeg[at + 1] != marker {
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    at
}

/// The picture with `byte` at a place behind a marker.
fn with(jpeg: &[u8], marker: u8, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let (mut jpeg, at) = (jpeg.to_vec(), find(jpeg, marker) + offset);
    jpeg[at..at + bytes.len()].copy_from_slice(bytes);
    jpeg
}

fn inserted(jpeg: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    [&jpeg[..at], bytes, &jpeg[at..]].concat()
}

/// Frames that cameras are not known to send, and some that they are.
fn odd_frames(good: &[u8], other: &[u8]) -> Vec<Vec<u8>> {
    let scan = find(good, 0xDA);
    let data = scan + 2 + usize::from(u16::from_be_bytes([good[scan + 2], good[scan + 3]]));
    let middle = data + (good.len() - data) / 2;
    let middle = if good[middle - 1] == 0xFF { middle + 1 } else { middle };
    let cut = |at: usize| good[..at].to_vec();
    let ended = |mut jpeg: Vec<u8>| {
        jpeg.extend([0xFF, 0xD9]);
        jpeg
    };
    let thumbnail = segment(0xE1, &[b"Exif\0\0", SECRET, &good[..good.len().min(60_000)]].concat());
    let mut frames = vec![
        good.to_vec(),
        other.to_vec(),
        // Kinds that are not edited: progressive, arithmetic, lossless, 12 bits.
        with(good, 0xC0, 1, &[0xC2]),
        with(good, 0xC0, 1, &[0xC9]),
        with(good, 0xC0, 1, &[0xC3]),
        with(good, 0xC0, 4, &[12]),
        // Too large, and with its height behind the scan.
        with(good, 0xC0, 5, &[0xFF; 4]),
        with(good, 0xC0, 5, &[0, 0]),
        // Components, their sampling, their tables.
        with(good, 0xC0, 9, &[5]),
        with(good, 0xC0, 11, &[0x33]),
        with(good, 0xC0, 11, &[0x34]),
        with(good, 0xC0, 11, &[0]),
        with(good, 0xC0, 12, &[3]),
        with(good, 0xDA, 6, &[0x33]),
        with(good, 0xDA, 4, &[4]),
        // The part of the coefficients.
        with(good, 0xDA, 11, &[1]),
        with(good, 0xDA, 12, &[62]),
        with(good, 0xDA, 13, &[0x10]),
        // Restart markers that are not due, and ones that are missing.
        inserted(good, middle, &[0xFF, 0xD5]),
        inserted(good, scan, &segment(0xDD, &[0, 1])),
        // Codes that are in no table.
        inserted(good, middle, &[0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0]),
        // Fill bytes, comments, thumbnails, and a second picture behind the first.
        inserted(good, scan, &[0xFF; 3]),
        inserted(good, 2, &segment(0xFE, &[SECRET, good].concat()[..good.len().min(60_000)])),
        inserted(good, 2, &thumbnail),
        inserted(good, 2, &segment(0xE2, &[b"MPF\0", SECRET].concat())),
        // Reserved segments, which decoders refuse or read over.
        inserted(good, 2, &segment(0x02, SECRET)),
        inserted(good, scan, &segment(0xBF, SECRET)),
        inserted(good, 2, &segment(0xDE, SECRET)),
        inserted(good, scan, &segment(0xDF, SECRET)),
        [good, other].concat(),
        [good, &good[2..scan], other].concat(),
        with(good, 0xDB, 4, &[7]),
        with(good, 0xC4, 4, &[0x77]),
        with(good, 0xC4, 5, &[200]),
    ];
    for quarter in 1..4 {
        frames.push(ended(cut(data + (good.len() - data) * quarter / 4)));
    }
    frames.push(cut(middle));
    frames.push(other.to_vec());
    frames
}

/// Sends the frames, and hangs up.
fn send_once(mut stream: UnixStream, frames: &[Vec<u8>]) {
    for frame in frames {
        if stream.write_all(frame).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(40));
    }
}

/// A picture as ffmpeg makes it of another one.
fn converted(setup: &Setup, jpeg: &[u8], arguments: &[&str], name: &str) -> Vec<u8> {
    let (from, to) = (setup.path().join("from.jpg"), setup.path().join(name));
    fs::write(&from, jpeg).unwrap();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-i"])
        .arg(&from)
        .args(arguments)
        .arg(&to)
        .status();
    assert!(made.expect("ffmpeg runs").success());
    fs::read(to).unwrap()
}

/// A server with a camera of JPEGs that misbehaves and one of raw pictures, both masked, and one without a mask.
fn server(setup: Setup) -> (Server, [Feeder; 3]) {
    let good = quarters(&setup);
    let large = converted(&setup, &good, &["-vf", "scale=648x470", "-q:v", "2"], "large.jpg");
    let raw = converted(&setup, &good, &["-pix_fmt", "yuv420p", "-f", "rawvideo"], "raw");
    let (odd, plain) = (odd_frames(&good, &large), vec![good]);
    let path = |name: &str| setup.path().join(name);
    let feeders = [
        Feeder::start(&path("odd"), move |stream, _| send_once(stream, &odd)),
        Feeder::start(&path("raw-socket"), move |stream, _| {
            send_for_ever(stream, std::slice::from_ref(&raw))
        }),
        Feeder::start(&path("plain"), move |stream, _| send_for_ever(stream, &plain)),
    ];
    let streams = |name: &str| {
        format!(
            "[camera.{name}.stream.small]\nscale = \"1/2\"\n[camera.{name}.stream.tiny]\nscale = \"1/8\"\n\
             [camera.{name}.stream.light]\nquality = 30\n"
        )
    };
    let sections = format!(
        "[camera.front]\ndevice = \"unix:{}\"\nmasks = [{MASK}]\n{}\
         [camera.raw]\ndevice = \"unix:{}\"\nformat = \"i420:320x240\"\non_demand = true\nmasks = [{MASK}]\n{}\
         [camera.bare]\ndevice = \"unix:{}\"\n",
        path("odd").display(),
        streams("front"),
        path("raw-socket").display(),
        streams("raw"),
        path("plain").display(),
    );
    (setup.sections(&sections).start(), feeders)
}

const PATHS: [&str; 8] =
    ["front", "front/small", "front/tiny", "front/light", "raw", "raw/small", "raw/tiny", "raw/light"];

/// Asks for one picture in every way that there is; those that are refused show nothing.
fn snapshots(server: &Server) -> Vec<Vec<u8>> {
    let scaled = ["front?scale=1/8", "front/small?scale=1/2", "raw?scale=1/4"];
    let paths = PATHS.into_iter().chain(scaled).map(|path| server.get(&format!("/snapshot/{path}")));
    paths.filter(|answer| answer.status == 200).map(|answer| answer.body).collect()
}

#[test]
fn no_picture_shows_what_is_masked_whatever_happens() {
    let setup = Setup::new();
    add_user(setup.path(), ADMIN, "admin");
    let (mut server, _feeders) = server(setup);
    let bare =
        wait_for("a picture", || Some(server.get("/snapshot/bare")).filter(|answer| answer.status == 200));
    assert!(shows_secret(&Decoded::of(&bare.body)), "it would be noticed");
    let watching: Vec<_> =
        PATHS.iter().map(|path| watch(&server, &format!("/video/{path}"), &path.replace('/', "-"))).collect();
    let mut taken = Vec::new();
    let larger = "[[0.4, 0], [1, 0], [1, 0.6], [0.4, 0.6]]";
    for body in [
        r#"{"rotate":90}"#.to_owned(),
        format!(r#"{{"masks":[{larger}]}}"#),
        r#"{"rotate":180,"flip":"horizontal","stamp":"%H:%M:%S"}"#.to_owned(),
        format!(r#"{{"rotate":0,"flip":"none","masks":[{MASK},[[0,0.9],[0.1,0.9],[0.1,1]]]}}"#),
        format!(r#"{{"masks":[{MASK}],"stamp":"","rotate":270}}"#),
        format!(r#"{{"masks":[{larger}],"save":true}}"#),
    ] {
        for camera in ["front", "raw"] {
            change(&server, camera, &body);
        }
        taken.extend(snapshots(&server));
    }
    server.signal("HUP");
    taken.extend(snapshots(&server));
    for (_, file) in &watching {
        wait_for("many pictures", || (pictures(file).len() > 40).then_some(()));
    }
    for (path, (_, file)) in PATHS.iter().zip(&watching) {
        let seen = assert_secret(path, &pictures(file));
        assert!(seen > 5, "{path}: {seen} pictures of the scene");
    }
    server.signal("TERM");
    server.wait_end();
    server.start_again();
    wait_for("pictures after the restart", || {
        let taken = snapshots(&server);
        (assert_secret("after the restart", &taken) >= 6).then_some(())
    });
    assert!(assert_secret("snapshots", &taken) > 0);
}

#[test]
fn a_relay_shows_nothing_that_is_masked_there_either() {
    let setup = Setup::new();
    add_user(setup.path(), ADMIN, "admin");
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    let (board, _feeders) = server(setup.keep_users());
    let panel = Setup::new().sections(&section(&board, &token)).start();
    wait_status(&panel, "\"name\":\"attic-raw\"");
    let watching: Vec<_> = PATHS
        .iter()
        .map(|path| watch(&panel, &format!("/video/attic-{path}"), &path.replace('/', "-")))
        .collect();
    for body in [r#"{"rotate":90}"#.to_owned(), format!(r#"{{"masks":[{MASK},{MASK}]}}"#)] {
        change(&board, "front", &body);
        change(&board, "raw", &body);
    }
    for (path, (_, file)) in PATHS.iter().zip(&watching) {
        wait_for("many pictures", || (pictures(file).len() > 30).then_some(()));
        let seen = assert_secret(path, &pictures(file));
        assert!(seen > 5, "{path}: {seen} pictures of the scene");
    }
}
