//! Cameras behind Unix sockets, fed by real programs and by bad ones.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::feeder::{Feeder, ffmpeg, jpegs, send_for_ever};
use crate::support::{Background, Server, Setup, defender, parts, stdout, wait_for, watch};

const PICTURES: [&str; 5] = ["-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15"];

/// A server with one camera behind the socket `cam` in its folder.
fn camera(setup: Setup, keys: &str) -> Server {
    let socket = setup.path().join("cam");
    setup.sections(&format!("[camera.front]\ndevice = \"unix:{}\"\n{keys}", socket.display())).start()
}

fn socket(setup: &Setup) -> PathBuf {
    setup.path().join("cam")
}

fn status(server: &Server) -> String {
    server.get_on_board("/api/1.0/cameras/front").text()
}

fn wait_status(server: &Server, text: &str) {
    wait_for(&format!("`{text}` in the status"), || status(server).contains(text).then_some(()));
}

#[test]
fn pictures_of_ffmpeg_are_passed_through_byte_for_byte() {
    let setup = Setup::new();
    let sent = jpegs(setup.path(), "320x240", 10);
    let pictures = sent.clone();
    let _feeder = Feeder::start(&socket(&setup), move |stream, _| send_for_ever(stream, &pictures));
    let server = camera(setup, "");
    wait_status(&server, "\"online\":true");
    for _ in 0..3 {
        let snapshot = server.get("/snapshot");
        assert_eq!(snapshot.status, 200, "{}", snapshot.text());
        assert!(sent.contains(&snapshot.body), "{} other bytes", snapshot.body.len());
    }
    let status = status(&server);
    for part in ["\"width\":320,\"height\":240", "\"format\":\"mjpeg\"", "/cam\""] {
        assert!(status.contains(part), "{part} is missing in {status}");
    }
}

#[test]
fn pictures_without_eoi_get_one() {
    let setup = Setup::new();
    let whole = jpegs(setup.path(), "320x240", 10);
    let sent: Vec<Vec<u8>> = whole.iter().map(|jpeg| jpeg[..jpeg.len() - 2].to_vec()).collect();
    let _feeder = Feeder::start(&socket(&setup), move |stream, _| send_for_ever(stream, &sent));
    let server = camera(setup, "");
    wait_status(&server, "\"online\":true");
    for _ in 0..3 {
        let snapshot = server.get("/snapshot");
        assert_eq!(snapshot.status, 200, "{}", snapshot.text());
        assert!(whole.contains(&snapshot.body), "{} other bytes", snapshot.body.len());
    }
    server.wait_log("its JPEGs end without EOI (FF D9), which is added");
}

#[test]
fn ffmpeg_feeds_pictures_in_every_form() {
    let forms: [(&str, &[&str]); 5] = [
        ("", &["-c:v", "mjpeg", "-f", "mjpeg"]),
        ("", &["-c:v", "mjpeg", "-f", "mpjpeg"]),
        ("", &["-c:v", "mjpeg", "-f", "image2pipe"]),
        ("format = \"i420:320x240\"\n", &["-pix_fmt", "yuv420p", "-f", "rawvideo"]),
        ("format = \"rgb3:320x240\"\n", &["-pix_fmt", "rgb24", "-f", "rawvideo"]),
    ];
    for (keys, form) in forms {
        let setup = Setup::new();
        let arguments = [&PICTURES[..], form].concat();
        let _feeder = Feeder::start(&socket(&setup), move |stream, _| ffmpeg(stream, &arguments));
        let server = camera(setup, keys);
        let (_viewer, file) = watch(&server, "/video", "stream");
        wait_status(&server, "\"online\":true");
        wait_for(&format!("pictures of {form:?}"), || (parts(&file) >= 5).then_some(()));
        let snapshot = server.get("/snapshot").body;
        assert!(snapshot.starts_with(b"\xff\xd8") && snapshot.ends_with(b"\xff\xd9"), "{form:?}");
        assert!(status(&server).contains("\"width\":320,\"height\":240"), "{}", status(&server));
    }
}

#[test]
fn ffmpeg_that_listens_itself_is_read() {
    let setup = Setup::new();
    let path = socket(&setup);
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "quiet", "-nostdin"])
        .args(PICTURES)
        .args(["-c:v", "mjpeg", "-f", "mjpeg", "-listen", "1"]);
    let _ffmpeg = Background::start(command.arg(format!("unix:{}", path.display())));
    let server = camera(setup, "");
    wait_status(&server, "\"online\":true");
    assert_eq!(server.get("/snapshot").status, 200);
}

#[test]
fn on_demand_the_connection_lasts_as_long_as_somebody_watches() {
    let setup = Setup::new();
    let sent = jpegs(setup.path(), "64x48", 3);
    let open = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&open);
    let feeder = Feeder::start(&socket(&setup), move |stream, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        send_for_ever(stream, &sent);
        counted.fetch_sub(1, Ordering::Relaxed);
    });
    let server = camera(setup, "on_demand = true\n");
    wait_status(&server, "closed until somebody watches");
    assert_eq!(feeder.connections(), 0);
    for number in 1..=2 {
        let (viewer, file) = watch(&server, "/video", &format!("viewer{number}"));
        wait_for("pictures", || (parts(&file) >= 3).then_some(()));
        assert_eq!(feeder.connections(), number, "one connection, and another after a hang-up");
        drop(viewer);
        wait_for("the hang-up", || (open.load(Ordering::Relaxed) == 0).then_some(()));
    }
}

#[test]
fn pictures_of_changing_size_are_shown_as_they_are() {
    let setup = Setup::new();
    let mut pictures = jpegs(setup.path(), "64x48", 20);
    pictures.extend(jpegs(setup.path(), "320x240", 20));
    let _feeder = Feeder::start(&socket(&setup), move |stream, _| send_for_ever(stream, &pictures));
    let server = camera(setup, "");
    let (_viewer, _file) = watch(&server, "/video", "stream");
    wait_status(&server, "\"width\":64,\"height\":48");
    wait_status(&server, "\"width\":320,\"height\":240");
}

/// What a bad sender does with each connection, and the words that the status has for it.
type Bad = (&'static str, fn(&mut UnixStream, &[u8]), &'static str);

const BAD: [Bad; 7] = [
    ("closes at once", |_, _| {}, "closed before anything came"),
    ("says nothing", |stream, _| hold(stream), "connected, but nothing comes"),
    (
        "sends text",
        |stream, _| {
            let _ = stream.write_all(b"ERROR: no cameras available\n");
        },
        "what came is no JPEG: `ERROR: no cameras available",
    ),
    (
        "sends text and waits",
        |stream, _| {
            let _ = stream.write_all(b"<html>sign in</html>");
            hold(stream);
        },
        "sends no JPEG: `<html>sign in</html>`",
    ),
    (
        "stalls in a picture",
        |stream, jpeg| {
            let _ = stream.write_all(&jpeg[..jpeg.len() / 2]);
            hold(stream);
        },
        "nothing more comes, in the middle of a JPEG",
    ),
    (
        "never ends a picture",
        |stream, jpeg| {
            let _ = stream.write_all(&jpeg[..jpeg.len() - 2]);
            while stream.write_all(&[0x55; 64 * 1024]).is_ok() {}
        },
        "none of its pictures can be shown: it has no end (no FF D9 in 8 MiB)",
    ),
    (
        "sends zeros without end",
        |stream, _| while stream.write_all(&[0; 64 * 1024]).is_ok() {},
        "sends no JPEG: `",
    ),
];

/// Keeps the connection until Defender hangs up.
fn hold(stream: &mut UnixStream) {
    let _ = stream.read(&mut [0]);
}

#[test]
fn bad_senders_are_named_and_heal() {
    let setup = Setup::new();
    let jpeg = jpegs(setup.path(), "64x48", 1).remove(0);
    let is_good = Arc::new(AtomicBool::new(false));
    let mut sections = String::new();
    let mut feeders = Vec::new();
    for (number, (_, act, _)) in BAD.iter().enumerate() {
        let path = setup.path().join(format!("bad{number}"));
        sections.push_str(&format!("[camera.bad{number}]\ndevice = \"unix:{}\"\n", path.display()));
        let (jpeg, is_good, act) = (jpeg.clone(), Arc::clone(&is_good), *act);
        feeders.push(Feeder::start(&path, move |mut stream, _| {
            if is_good.load(Ordering::Relaxed) {
                send_for_ever(stream, std::slice::from_ref(&jpeg));
            } else {
                act(&mut stream, &jpeg);
            }
        }));
    }
    let server = setup.sections(&sections).start();
    for (number, (name, _, expected)) in BAD.iter().enumerate() {
        wait_for(name, || {
            let found = server.get_on_board(&format!("/api/1.0/cameras/bad{number}")).text();
            (found.contains("\"online\":false") && found.contains(expected)).then_some(())
        });
        server.wait_log(expected);
    }
    is_good.store(true, Ordering::Relaxed);
    for (number, (name, ..)) in BAD.iter().enumerate() {
        wait_for(&format!("the one that {name} to heal"), || {
            let found = server.get_on_board(&format!("/api/1.0/cameras/bad{number}")).text();
            found.contains("\"online\":true").then_some(())
        });
    }
}

#[test]
fn a_missing_or_replaced_socket_is_connected_to_later() {
    let setup = Setup::new();
    let (path, sent) = (socket(&setup), jpegs(setup.path(), "64x48", 2));
    let server = camera(setup, "");
    server.wait_log("no such socket; start the program that feeds it");
    fs::write(&path, "").unwrap();
    server.wait_log("not a socket");
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let pictures = sent.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let mine = Arc::clone(&is_over);
        let feeder = Feeder::start(&path, move |mut stream, _| {
            while !mine.load(Ordering::Relaxed) && stream.write_all(&pictures[0]).is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        wait_status(&server, "\"online\":true");
        is_over.store(true, Ordering::Relaxed);
        drop(feeder);
        wait_status(&server, "no program listens on it");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn raw_pictures_that_end_in_the_middle_are_said_to() {
    let setup = Setup::new();
    let _feeder = Feeder::start(&socket(&setup), |mut stream, _| {
        let _ = stream.write_all(&vec![128; 64 * 48 * 3 / 2 + 100]);
    });
    let server = camera(setup, "format = \"i420:64x48\"\n");
    server.wait_log("closed in the middle of a picture, after 100 of 4608 bytes");
}

#[test]
fn check_looks_at_a_socket_without_connecting() {
    let setup = Setup::new();
    let path = socket(&setup);
    let feeder = Feeder::start(&path, |mut stream, _| hold(&mut stream));
    let gone = setup.path().join("gone");
    let setup = setup.sections(&format!(
        "[camera.good]\ndevice = \"unix:{0}\"\nformat = \"i420:64x48\"\n[camera.gone]\ndevice = \"unix:{1}\"\n\
         [microphone.good]\ndevice = \"unix:{0}\"\n[microphone.gone]\ndevice = \"unix:{1}\"\n",
        path.display(),
        gone.display()
    ));
    setup.write_config();
    let report = stdout(&defender(setup.path(), &["check", "-c", "defender.conf"], ""));
    for part in ["with i420 of 64x48", "with s16le: 32000 Hz", "NO SIGNAL now: unix:", "SILENT now: unix:"] {
        assert!(report.contains(part), "{part} is missing in {report}");
    }
    assert_eq!(report.matches("no such socket").count(), 2, "{report}");
    assert_eq!(feeder.connections(), 0);
    drop(feeder);
    let report = stdout(&defender(setup.path(), &["check", "-c", "defender.conf"], ""));
    assert!(report.contains("no program listens on it"), "{report}");
}

#[test]
fn two_readers_of_a_feeder_for_one_are_told_apart() {
    let setup = Setup::new();
    let (path, sent) = (socket(&setup), jpegs(setup.path(), "64x48", 2));
    let is_busy = Arc::new(AtomicBool::new(false));
    let _feeder = Feeder::start(&path, move |stream, _| {
        // As systemd does with MaxConnections=1.
        if !is_busy.swap(true, Ordering::Relaxed) {
            send_for_ever(stream, &sent);
            is_busy.store(false, Ordering::Relaxed);
        }
    });
    let device = format!("device = \"unix:{}\"\n", path.display());
    let server = setup.sections(&format!("[camera.one]\n{device}[camera.two]\n{device}")).start();
    server.wait_log("it serves only one reader and has one");
    wait_for("one that is online", || {
        let status = server.get_on_board("/api/1.0/cameras").text();
        (status.matches("\"online\":true").count() == 1).then_some(())
    });
}

#[test]
fn a_program_with_a_picture_every_seven_seconds_is_kept() {
    let setup = Setup::new();
    let sent = jpegs(setup.path(), "320x240", 10);
    let most = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&most);
    // Each connection begins with a picture, as that of a program that is started for it.
    let _feeder = Feeder::start(&socket(&setup), move |mut stream, _| {
        for (number, picture) in (1..).zip(sent.iter().cycle()) {
            if stream.write_all(picture).is_err() {
                return;
            }
            counted.fetch_max(number, Ordering::Relaxed);
            thread::sleep(Duration::from_secs(7));
        }
    });
    let server = camera(setup, "");
    wait_for("four pictures of one connection", || {
        (most.load(Ordering::Relaxed) >= 4 && server.get("/snapshot").status == 200).then_some(())
    });
    wait_status(&server, "\"online\":true");
}
