//! Cameras whose frames are not as they should be, and who asks for a picture while a camera starts: the
//! stand-in of `bench/camera` under the real binary.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use crate::faults::{Rig, build_standin, holds, make_film};
use crate::support::{PASSWORD, Setup, add_user, binary, wait_for};

/// How many ask at once.
const ASKING: usize = 60;

/// Whether `jpeg` decodes and is one picture of the camera, byte for byte.
fn is_of_the_film(rig: &Rig, jpeg: &[u8]) -> bool {
    jpeg_decoder::Decoder::new(jpeg).decode().is_ok() && holds(rig.film(), jpeg)
}

#[test]
fn frames_with_too_many_or_too_few_bytes_become_pictures() {
    for fault in ["twosoi", "half", "stale", "noeoi"] {
        let rig = Rig::start(fault, "");
        for _ in 0..3 {
            assert!(is_of_the_film(&rig, &rig.snapshot()), "{fault}");
        }
        rig.wait_status("\"online\":true");
        let status = rig.server().get_on_board("/api/1.0/status").text();
        assert_eq!(status.contains("\"completed\":0"), fault != "noeoi", "{fault}: {status}");
        if fault == "noeoi" {
            rig.server().wait_log("end without EOI");
            let log = rig.server().log_until_now();
            assert_eq!(log.matches("end without EOI").count(), 1, "{log}");
        }
    }
}

#[test]
fn one_camera_may_be_careless_in_one_way_after_another() {
    let rig = Rig::start("", "");
    assert!(is_of_the_film(&rig, &rig.snapshot()));
    for fault in ["stale", "half", "", "noeoi", "twosoi"] {
        rig.fault(fault);
        for _ in 0..3 {
            assert!(is_of_the_film(&rig, &rig.snapshot()), "{fault}");
        }
    }
}

#[test]
fn stamps_of_another_clock_keep_no_picture_back() {
    for fault in ["oldstamp", "zerostamp"] {
        let rig = Rig::start(fault, "");
        rig.snapshot();
        for _ in 0..5 {
            let answer = rig.server().get("/snapshot");
            assert_eq!(answer.status, 200, "{fault}: {}", answer.text());
        }
        rig.server().wait_log("time stamps are of another clock");
        let log = rig.server().log_until_now();
        assert_eq!(log.matches("time stamps are").count(), 1, "{fault}:\n{log}");
    }
}

#[test]
fn a_camera_with_a_frame_every_seven_seconds_is_online() {
    let rig = Rig::start("slow", "");
    rig.server().wait_log("stalled, no frame for");
    rig.wait_status("\"online\":true");
    let answer = rig.server().get("/snapshot");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The answers to many who ask for a picture at once, but for the pictures.
fn ask_at_once(rig: &Rig, cookie: &str) -> Vec<String> {
    let server = rig.server();
    let request =
        format!("GET /snapshot HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    thread::scope(|scope| {
        let asked: Vec<_> =
            (0..ASKING).map(|_| scope.spawn(|| server.send_raw(request.as_bytes()))).collect();
        let answers = asked.into_iter().map(|answer| answer.join().unwrap());
        answers.map(|answer| answer.split('\u{fffd}').next().unwrap_or_default().to_owned()).collect()
    })
}

#[test]
fn none_of_sixty_who_ask_while_a_camera_starts_is_refused() {
    const ADMIN: &str = "ada";
    let setup = Setup::new().plain();
    add_user(setup.path(), ADMIN, "admin");
    let rig = Rig::start_with(setup, "", "on_demand = true");
    let server = rig.server();
    let login = format!(r#"{{"user":"{ADMIN}","password":"{PASSWORD}"}}"#);
    let session = server.curl("/api/1.0/login", &["-d", &login]).field("set-cookie").unwrap();
    let cookie = session.split(';').next().unwrap();
    let put = |path: &str, body: &str| {
        let answer = server.curl(path, &["-b", cookie, "-X", "PUT", "-d", body]);
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
    };
    let all = |start: &str, when: &str| {
        for answer in ask_at_once(&rig, cookie) {
            assert!(answer.starts_with(start), "{when}: {answer}");
        }
    };
    rig.wait_status("closed until somebody watches");
    all("HTTP/1.1 200", "opened on demand");
    for round in 0..3 {
        put("/api/1.0/services/video", r#"{"running":false}"#);
        for answer in ask_at_once(&rig, cookie) {
            let is_present = answer.starts_with("HTTP/1.1 503") && answer.contains("stopped by ada");
            assert!(is_present, "stopped: {answer}");
        }
        put("/api/1.0/services/video", r#"{"running":true}"#);
        all("HTTP/1.1 200", "the service was started");
        put("/api/1.0/cameras/front", &format!(r#"{{"fps":{}}}"#, 10 + round));
        all("HTTP/1.1 200", "the camera got new settings");
    }
    rig.fault("unplug");
    let unplugged = || server.curl("/snapshot", &["-b", cookie]);
    let refused = wait_for("the camera's loss", || Some(unplugged()).filter(|answer| answer.status == 503));
    assert!(!refused.text().contains("stopped"), "{}", refused.text());
    rig.fault("");
    rig.wait_status("\"online\":true");
    all("HTTP/1.1 200", "the camera is back");
}

#[test]
fn check_sets_nothing_at_a_camera() {
    let setup = Setup::new();
    let (standin, film) = (build_standin(setup.path()), make_film(setup.path()));
    let (node, log) = (setup.path().join("camera"), setup.path().join("requests"));
    fs::write(&node, "").unwrap();
    let setup = setup.sections(&format!(
        "[camera.front]\ndevice = \"{}\"\nwidth = 640\nheight = 240\nfps = 15\n",
        node.display()
    ));
    setup.write_config();
    let run = |arguments: &[&str]| {
        let ran = Command::new(binary())
            .args(arguments)
            .current_dir(setup.path())
            .env("HOME", setup.path())
            .env("LD_PRELOAD", &standin)
            .env("STANDIN_NODE", &node)
            .env("STANDIN_MJPEG", &film)
            .env("STANDIN_SIZE", "320x240")
            .env("STANDIN_FPS", "15")
            .env("STANDIN_LOG", &log)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let checked = run(&["check", "-c", "defender.conf"]);
    assert!(checked.contains("320x240 mjpeg at 15 fps"), "{checked}");
    assert_eq!(fs::read_to_string(&log).unwrap(), "TRY_FMT\n");
    run(&["--list-devices"]);
    assert_eq!(fs::read_to_string(&log).unwrap(), "TRY_FMT\n");
}
