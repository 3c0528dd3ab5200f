//! Numbers for Prometheus: that its own tool takes them, and that they are true.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{PASSWORD, Server, Setup, USER, add_user, wait_for, watch};

/// The value of the line that begins with `name`, labels included.
fn value(text: &str, name: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

fn metrics(server: &Server) -> String {
    server.get("/metrics").text()
}

#[test]
fn promtool_finds_nothing_to_say() {
    let sections = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                    [microphone.front]\ndevice = \"test\"\n";
    let server = Setup::new().sections(sections).start();
    wait_for("a picture", || (server.get("/snapshot").status == 200).then_some(()));
    let text = metrics(&server);
    let promtool = concat!(env!("CARGO_MANIFEST_DIR"), "/.build/promtool/usr/bin/promtool");
    if !Path::new(promtool).exists() {
        eprintln!("skipped: .ci/promtool brings the promtool that this needs");
        return;
    }
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success() && complaints.is_empty(),
        "{complaints}{}\n{text}",
        String::from_utf8_lossy(&said.stdout)
    );
}

#[test]
fn what_is_counted_as_sent_is_what_a_viewer_got() {
    let server = Setup::new().start();
    let (viewer, file) = watch(&server, "/video?fps=10", "stream");
    wait_for("a second of pictures", || {
        (value(&metrics(&server), "defender_frames_sent_total{camera=\"front\"}") >= 10.0).then_some(())
    });
    drop(viewer);
    // What the viewer was sent last it may not have read any more.
    let text = wait_for("the viewer to be gone", || {
        let text = metrics(&server);
        (value(&text, "defender_camera_viewers{camera=\"front\"}") == 0.0).then_some(text)
    });
    let (sent, got) = (
        value(&text, "defender_video_sent_bytes_total{camera=\"front\"}"),
        fs::metadata(file).unwrap().len() as f64,
    );
    let frames = value(&text, "defender_frames_sent_total{camera=\"front\"}");
    let frame = sent / frames;
    assert!(got <= sent + frame && got > sent - 8.0 * frame, "{got} bytes received, {sent} counted");
    for histogram in ["capture", "send"] {
        let name = format!("defender_{histogram}_latency_seconds");
        let counts: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}_bucket")))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(counts.is_sorted() && counts.len() == 13, "{counts:?}");
        assert_eq!(
            counts.last().copied().unwrap(),
            value(&text, &format!("{name}_count{{camera=\"front\"}}"))
        );
    }
    assert_eq!(value(&text, "defender_send_latency_seconds_count{camera=\"front\"}"), frames);
    assert!(value(&text, "defender_encode_seconds_total{camera=\"front\"}") > 0.0);
}

#[test]
fn logins_requests_and_connections_are_counted_by_outcome() {
    let server = Setup::new().start();
    let login = |password: &str| {
        let body = format!("{{\"user\":\"{USER}\",\"password\":\"{password}\"}}");
        server.curl("/api/1.0/login", &["-d", &body])
    };
    let signed_in = login(PASSWORD);
    assert_eq!(signed_in.status, 200);
    let text = signed_in.text();
    let token = text.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let guesses: Vec<u16> = (0..30).map(|_| login("wrong").status).collect();
    let denied = guesses.iter().filter(|status| **status == 401).count();
    let waits = guesses.iter().filter(|status| **status == 429).count();
    assert!(denied >= 1 && waits >= 1 && denied + waits == guesses.len(), "{guesses:?}");
    // A session does not wait.
    let text = server.curl("/metrics", &["-H", &format!("Authorization: Bearer {token}")]).text();
    assert!(value(&text, "defender_logins_total{result=\"ok\"}") >= 1.0);
    let of = |result: &str| value(&text, &format!("defender_logins_total{{result=\"{result}\"}}"));
    // Some guesses of those that wait are looked up among the passwords that worked lately, and fail there.
    assert!(of("failed") >= denied as f64 && of("not_checked") >= 1.0, "{text}");
    assert_eq!(of("failed") + of("not_checked"), guesses.len() as f64);
    assert!(value(&text, "defender_requests_total{answer=\"4xx\"}") >= 2.0);
    assert!(value(&text, "defender_connections_accepted_total") >= 4.0);
    assert!(value(&text, "process_resident_memory_bytes") > 500_000.0);
    assert!(value(&text, "process_open_fds") >= 5.0 && value(&text, "process_threads") >= 4.0);
}

#[test]
fn a_confined_user_gets_the_numbers_of_named_cameras_only() {
    let sections = "[camera.front]\ndevice = \"test\"\n[camera.yard]\ndevice = \"test\"\n";
    let setup = Setup::new().sections(sections);
    add_user(setup.path(), "guest", "viewer");
    let confined = ["user", "edit", "guest", "--cameras", "yard", "-u", "users"];
    assert!(crate::support::defender(setup.path(), &confined, "").status.success());
    let server = setup.start();
    let text = server.curl("/metrics", &["-u", &format!("guest:{PASSWORD}")]).text();
    assert!(text.contains("camera=\"yard\"") && !text.contains("front"), "{text}");
    assert!(!text.contains("defender_logins_total") && !text.contains("process_"), "{text}");
}
