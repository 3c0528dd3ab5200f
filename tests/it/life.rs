//! Starting, stopping, reloading, logging.

use std::fs;
use std::process::Command;

use crate::support::{Setup, parts, wait_for, watch};

#[test]
fn sigterm_and_sigint_end_it_well_with_viewers_at_work() {
    for signal in ["TERM", "INT"] {
        let mut server = Setup::new().start();
        let (mut viewer, file) = watch(&server, "/video", "recording");
        wait_for("a frame", || (parts(&file) >= 1).then_some(()));
        server.signal(signal);
        let ended = server.wait_end().expect("it ends");
        assert_eq!(ended.code(), Some(0), "{}", server.log());
        assert!(!server.log().contains("still at work"), "threads were not joined:\n{}", server.log());
        wait_for("the viewer's stream to end", || (!viewer.is_running()).then_some(()));
    }
}

#[test]
fn sighup_takes_over_cameras_and_log_level_and_keeps_viewers() {
    let server = Setup::new().start();
    let (mut viewer, file) = watch(&server, "/video", "recording");
    wait_for("a frame", || (parts(&file) >= 1).then_some(()));
    let conf = server.path().join("defender.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("width = 320", "width = 160") + "\n[camera.yard]\ndevice = \"test\"\n")
        .unwrap();
    server.signal("HUP");
    server.wait_log("camera front: new settings");
    wait_for("the new camera", || (server.get("/snapshot/yard").status == 200).then_some(()));
    let before = parts(&file);
    wait_for("frames after the change", || (parts(&file) > before + 3).then_some(()));
    assert!(viewer.is_running(), "the viewer lost its stream");
    let status = server.get("/api/1.0/status").text();
    assert!(status.contains("\"width\":160"), "{status}");
}

#[test]
fn a_configuration_through_a_pipe_is_not_read_again() {
    let setup = Setup::new();
    setup.write_config();
    crate::support::add_user(setup.path(), "eve", "viewer");
    let log = setup.path().join("log");
    let script = format!(
        "exec {} -c <(cat defender.conf) -u users -s server.pem -k key.pem 2>log",
        crate::support::binary()
    );
    let mut child = Command::new("bash").args(["-c", &script]).current_dir(setup.path()).spawn().unwrap();
    let said = |text: &str| fs::read_to_string(&log).is_ok_and(|log| log.contains(text)).then_some(());
    wait_for("the start", || said("listening on"));
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    wait_for("the refusal", || said("the old configuration stays"));
    assert!(said("removed").is_none(), "a camera was removed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_broken_configuration_on_sighup_changes_nothing() {
    let mut server = Setup::new().start();
    fs::write(server.path().join("defender.conf"), "[server]\nprot = 1\n").unwrap();
    server.signal("HUP");
    server.wait_log("the old configuration stays");
    assert!(server.is_running());
    assert_eq!(server.get("/snapshot").status, 200);
}

#[test]
fn the_log_goes_to_a_file_when_asked() {
    let setup = Setup::new().server("log = \"defender.log\"");
    let folder = setup.path().to_owned();
    setup.write_config();
    crate::support::add_user(&folder, "eve", "viewer");
    let mut child = Command::new(crate::support::binary())
        .args(["-c", "defender.conf"])
        .current_dir(&folder)
        .spawn()
        .unwrap();
    let line = wait_for("the log file", || {
        let log = fs::read_to_string(folder.join("defender.log")).ok()?;
        log.lines().find(|line| line.contains("listening on https://127.0.0.1:")).map(str::to_owned)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("INFO") && line.contains("T") && line.contains("Z"), "level and time: {line}");
}

#[test]
fn a_reload_that_hangs_does_not_keep_it_from_ending() {
    let mut server = Setup::new().start();
    assert_eq!(server.get("/api/1.0/status").status, 200);
    // Whoever reads it waits for somebody who writes, and nobody does.
    let cert = server.path().join("server.pem");
    fs::remove_file(&cert).expect("there");
    assert!(Command::new("mkfifo").arg(&cert).status().expect("mkfifo runs").success());
    server.signal("HUP");
    server.wait_log("SIGHUP: reading");
    server.signal("TERM");
    assert!(server.wait_end().expect("it ends").success());
}
