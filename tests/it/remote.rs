//! Cameras and microphones of other Defenders: several real servers.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::streams::{metric, size};
use crate::support::{
    PASSWORD, Server, Setup, USER, add_token, add_user, defender, fingerprint, parts, stderr, stdout,
    wait_for, watch,
};

const DEVICES: &str = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                       [microphone.desk]\ndevice = \"test\"\nrate_hz = 16000\n";

/// A board with a camera and a microphone, and the token to it.
fn board() -> (Server, String) {
    board_of(DEVICES)
}

/// A board with these sections, and the token to it.
fn board_of(sections: &str) -> (Server, String) {
    let setup = Setup::new().sections(sections);
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    (setup.keep_users().start(), token)
}

/// The section that leads to a board.
pub fn section(board: &Server, token: &str) -> String {
    format!(
        "[remote.attic]\nurl = \"{}\"\ntoken = \"{token}\"\nfingerprint = \"{}\"\n",
        board.url("/"),
        fingerprint(board)
    )
}

/// A server without devices of its own that shows a board's.
fn panel(board: &Server, token: &str) -> Server {
    Setup::new().server("mode = \"server\"").sections(&section(board, token)).start()
}

pub fn wait_status(server: &Server, text: &str) {
    wait_for(&format!("`{text}` in the status"), || {
        server.get_on_board("/api/1.0/status").text().contains(text).then_some(())
    });
}

/// How many watch the board's camera.
fn viewers(board: &Server) -> String {
    let status = board.get_on_board("/api/1.0/cameras/front").text();
    status.split("\"viewers\":").nth(1).unwrap().split(',').next().unwrap().to_owned()
}

#[test]
fn ten_viewers_here_are_one_there_and_none_here_are_none_there() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    assert_eq!(viewers(&board), "0", "nobody watches yet");
    let watching: Vec<_> =
        (0..10).map(|number| watch(&panel, "/video/attic-front", &format!("viewer{number}"))).collect();
    for (_, file) in &watching {
        wait_for("pictures", || (parts(file) > 5).then_some(()));
    }
    assert_eq!(viewers(&board), "1");
    assert_eq!(panel.get("/snapshot/attic-front").status, 200);
    let status = panel.get_on_board("/api/1.0/cameras/attic-front").text();
    for part in ["\"online\":true", "\"width\":320,\"height\":240", "\"viewers\":10", "\"settings\":null"] {
        assert!(status.contains(part), "{part} is missing in {status}");
    }
    drop(watching);
    wait_for("the stream to end there", || (viewers(&board) == "0").then_some(()));
}

/// A camera with a small stream.
const STREAMS: &str = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                       [camera.front.stream.small]\nscale = \"1/2\"\nfps = 5\nquality = 40\n";

/// Of a stream of the board's camera, by its own numbers.
fn stream_viewers(board: &Server, name: &str) -> f64 {
    metric(board, &format!("defender_stream_viewers{{camera=\"front\",stream=\"{name}\"}}"))
}

#[test]
fn a_stream_is_relayed_once_and_only_while_watched() {
    let (board, token) = board_of(STREAMS);
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let status = panel.get_on_board("/api/1.0/cameras/attic-front").text();
    let listed = "\"streams\":[{\"name\":\"small\",\"scale\":\"1/2\",\"width\":160,\"height\":120,\"fps\":5,\
                  \"quality\":40,\"viewers\":0,\"problem\":null}]";
    assert!(status.contains(listed), "{listed} is missing in {status}");
    let cameras = panel.get_on_board("/api/1.0/cameras").text();
    assert!(!cameras.contains("attic-front/small"), "a stream is no camera: {cameras}");
    let watching: Vec<_> =
        (0..5).map(|number| watch(&panel, "/video/attic-front/small", &format!("viewer{number}"))).collect();
    for (_, file) in &watching {
        wait_for("pictures", || (parts(file) > 3).then_some(()));
    }
    assert_eq!(stream_viewers(&board, "small"), 1.0);
    let status = panel.get_on_board("/api/1.0/cameras/attic-front").text();
    assert!(
        status.contains("\"viewers\":5,\"since_s\"") && status.contains("\"viewers\":5,\"problem\""),
        "{status}"
    );
    let picture = panel.get("/snapshot/attic-front/small");
    assert_eq!((picture.status, size(&picture.body)), (200, (160, 120)));
    drop(watching);
    wait_for("the stream to end there", || (stream_viewers(&board, "small") == 0.0).then_some(()));
    assert_eq!(viewers(&board), "0");
    assert_eq!(
        metric(&board, "defender_frames_sent_total{camera=\"front\"}"),
        0.0,
        "the full stream crossed the network"
    );
}

#[test]
fn streams_that_come_and_go_there_do_so_here() {
    let (board, token) = board_of(STREAMS);
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"small\"");
    let (mut viewer, file) = watch(&panel, "/video/attic-front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let path = board.path().join("defender.conf");
    let other =
        fs::read_to_string(&path).unwrap().replace("stream.small", "stream.tiny").replace("1/2", "1/8");
    fs::write(&path, other).unwrap();
    board.signal("HUP");
    wait_status(&panel, "\"name\":\"tiny\"");
    let gone = panel.get("/snapshot/attic-front/small");
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("it has tiny"), "{}", gone.text());
    assert_eq!(size(&panel.get("/snapshot/attic-front/tiny").body), (40, 30));
    let shown = parts(&file);
    wait_for("more pictures", || (parts(&file) > shown + 3).then_some(()));
    assert!(viewer.is_running(), "who watches the camera stays");
}

#[test]
fn a_lost_board_is_shown_as_lost_and_returns_to_its_viewers() {
    let (mut board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let (mut viewer, file) = watch(&panel, "/video/attic-front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    board.signal("KILL");
    board.wait_end();
    wait_for("the camera to be lost", || {
        let camera = panel.get_on_board("/api/1.0/cameras/attic-front").text();
        camera.contains("\"online\":false").then_some(())
    });
    let refused = panel.get("/snapshot/attic-front");
    assert_eq!(refused.status, 503, "{refused:?}");
    let is_up =
        |up: u8| panel.get("/metrics").text().contains(&format!("remote_up{{remote=\"attic\"}} {up}\n"));
    wait_for("the numbers to say so", || is_up(0).then_some(()));
    let shown = parts(&file);
    wait_for("no-signal frames", || (parts(&file) > shown + 2).then_some(()));
    board.start_again();
    wait_for("a picture", || (panel.get("/snapshot/attic-front").status == 200).then_some(()));
    wait_for("the numbers to say so", || is_up(1).then_some(()));
    assert!(viewer.is_running(), "the viewer stayed");
}

#[test]
fn a_board_that_returns_with_another_key_gets_nothing() {
    let (mut board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let (mut viewer, file) = watch(&panel, "/video/attic-front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    board.signal("KILL");
    board.wait_end();
    for file in ["server.pem", "key.pem"] {
        let _ = fs::remove_file(board.path().join(file));
    }
    board.start_again();
    panel.wait_log("ITS KEY HAS CHANGED");
    wait_status(&panel, "ITS KEY HAS CHANGED");
    let shown = parts(&file);
    wait_for("no-signal frames", || (parts(&file) > shown + 3).then_some(()));
    assert!(viewer.is_running(), "the viewer stayed");
    let log = board.log_until_now();
    assert!(!log.contains("GET /"), "a request came through:\n{log}");
}

#[test]
fn a_remotes_new_size_and_format_reach_running_streams() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let (mut viewer, file) = watch(&panel, "/video/attic-front", "stream");
    let (_listener, _) = watch(&panel, "/audio/attic-desk", "sound");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let path = board.path().join("defender.conf");
    let other =
        fs::read_to_string(&path).unwrap().replace("width = 320\nheight = 240", "width = 640\nheight = 480");
    fs::write(&path, other.replace("16000", "32000")).unwrap();
    board.signal("HUP");
    wait_status(&panel, "\"width\":640,\"height\":480");
    wait_status(&panel, "\"rate_hz\":32000");
    let shown = parts(&file);
    wait_for("more pictures", || (parts(&file) > shown + 10).then_some(()));
    assert!(viewer.is_running(), "the viewer stayed");
    let (_listener, file) = watch(&panel, "/audio/attic-desk", "again");
    let heard = wait_for("sound", || fs::read(&file).ok().filter(|bytes| bytes.len() > 44 + 32_000));
    assert_eq!(heard[24..28], 32_000u32.to_le_bytes(), "the rate in its header");
    wait_status(&panel, "\"problem\":null,\"rate_hz\":32000");
}

#[test]
fn what_is_stopped_there_is_offline_here_with_the_reason() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let stopped = defender(board.path(), &["service", "video", "stop"], "");
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    wait_status(&panel, "stopped by root");
    assert_eq!(panel.get("/snapshot/attic-front").status, 503);
}

#[test]
fn sound_is_relayed_as_the_microphone_has_it() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-desk\"");
    let (_listener, file) = watch(&panel, "/audio/attic-desk", "sound");
    // A machine that holds up one of the two servers for 0.4 s makes a gap, which is silence: three seconds without one count.
    wait_for("three seconds of the tone", || {
        let bytes = fs::read(&file).unwrap_or_default();
        let samples = bytes.get(44..)?.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
        let samples: Vec<i16> = samples.collect();
        let last = samples.get(samples.len().checked_sub(3 * 16_000)?..)?;
        let is_silent = |piece: &[i16]| piece.iter().all(|sample| sample.abs() < 20);
        (!last.windows(160).any(is_silent)).then_some(())
    });
    assert!(board.get_on_board("/api/1.0/microphones/desk").text().contains("\"listeners\":1"));
}

#[test]
fn an_unknown_certificate_is_reported_and_gets_no_token() {
    let (board, token) = board();
    let known = section(&board, &token);
    let without: String =
        known.lines().filter(|line| !line.starts_with("fingerprint")).collect::<Vec<_>>().join("\n");
    let panel = Setup::new().sections(&without).start();
    panel.wait_log(&format!("its key is not known here; if the board logs the same fingerprint when it starts, write fingerprint = \"{}\"", fingerprint(&board)));
    let checked = stdout(&defender(panel.path(), &["check", "-c", "defender.conf"], ""));
    let advice = format!("write fingerprint = \"{}\"", fingerprint(&board));
    assert!(checked.contains("NOT TRUSTED: ") && checked.contains(&advice), "{checked}");
    let other = format!("{without}\nfingerprint = \"sha256:{}\"\n", "00".repeat(32));
    let panel = Setup::new().sections(&other).start();
    panel.wait_log("ITS KEY HAS CHANGED; nothing was sent to it");
    wait_status(&panel, "ITS KEY HAS CHANGED");
    let log = board.log_until_now();
    assert!(!log.contains("/api/1.0/status"), "a request came through:\n{log}");
    let log = panel.log_until_now();
    assert!(log.contains("ITS KEY HAS CHANGED") && !log.contains(&token), "the token is in the log:\n{log}");
}

/// The digest of the first certificate in a PEM file, as versions up to 0.1 printed it.
fn certificate_print(file: &Path) -> String {
    let digest = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(file)
        .output()
        .expect("openssl runs");
    let text = stdout(&digest);
    format!("sha256:{}", text.trim().rsplit('=').next().expect("a digest").replace(':', "").to_lowercase())
}

#[test]
fn a_board_is_known_by_its_key_after_a_new_certificate() {
    let setup = Setup::new().sections(DEVICES);
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    crate::certificate::write_legacy(setup.path());
    let before = certificate_print(&setup.path().join("server.pem"));
    let board = setup.keep_users().start();
    assert_ne!(certificate_print(&board.path().join("server.pem")), before, "it has a new one");
    let old = section(&board, &token).replace(&fingerprint(&board), &before);
    let panel = Setup::new().sections(&old).start();
    panel.wait_log(&format!("that of its key, which stays: fingerprint = \"{}\"", fingerprint(&board)));
    wait_status(&panel, "\"name\":\"attic-front\"");
    let checked = stdout(&defender(panel.path(), &["check", "-c", "defender.conf"], ""));
    assert!(checked.contains("which the next version takes no more"), "{checked}");
    // One made for another key is worth nothing, though it stands behind.
    let mut chain = fs::read_to_string(board.path().join("server.pem")).unwrap();
    let other = tempfile::tempdir().unwrap();
    crate::certificate::write_legacy(other.path());
    chain.push_str(&fs::read_to_string(other.path().join("server.pem")).unwrap());
    let forger = Setup::new().sections(DEVICES);
    fs::copy(board.path().join("key.pem"), forger.path().join("key.pem")).unwrap();
    fs::write(forger.path().join("server.pem"), chain).unwrap();
    let forger = forger.start();
    let foreign = certificate_print(&other.path().join("server.pem"));
    let section = section(&forger, &token).replace(&fingerprint(&forger), &foreign);
    Setup::new().sections(&section).start().wait_log("ITS KEY HAS CHANGED; nothing was sent to it");
}

#[test]
fn a_removed_token_ends_the_relay_and_a_confined_one_limits_it() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let (_viewer, file) = watch(&panel, "/video/attic-front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let removed = defender(board.path(), &["token", "remove", "panel", "-u", "users"], "");
    assert!(removed.status.success(), "{}", stderr(&removed));
    panel.wait_log("it does not take the token");
    wait_status(&panel, "it does not take the token");
    let only = ["token", "add", "deaf", "--user", USER, "--cameras", "front", "-u", "users"];
    let added = stdout(&defender(board.path(), &only, ""));
    let deaf = added.split_whitespace().find(|word| word.starts_with("dft_")).unwrap();
    let panel = self::panel(&board, deaf);
    wait_status(&panel, "\"name\":\"attic-front\"");
    assert!(!panel.get_on_board("/api/1.0/status").text().contains("attic-desk"));
}

#[test]
fn a_confined_user_sees_only_the_allowed_remote_cameras() {
    let (board, token) = board_of(STREAMS);
    let setup = Setup::new().sections(&section(&board, &token));
    add_user(setup.path(), "guest", "viewer");
    let confined = ["user", "edit", "guest", "--cameras", "yard", "-u", "users"];
    assert!(defender(setup.path(), &confined, "").status.success());
    let panel = setup.start();
    wait_status(&panel, "\"name\":\"attic-front\"");
    let login = format!("guest:{PASSWORD}");
    assert_eq!(panel.curl("/video/attic-front", &["-u", &login]).status, 404);
    assert_eq!(panel.curl("/snapshot/attic-front", &["-u", &login]).status, 404);
    assert_eq!(panel.get("/snapshot/attic-front/small").status, 200);
    for path in ["/video/attic-front/small", "/snapshot/attic-front/small"] {
        assert_eq!(panel.curl(path, &["-u", &login]).status, 404, "{path}");
    }
    let status = panel.curl("/api/1.0/status", &["-u", &login]).text();
    assert!(!status.contains("attic"), "{status}");
}

#[test]
fn a_reload_adds_and_removes_remotes_and_keeps_the_others() {
    let (board, token) = board();
    let own = "[camera.here]\ndevice = \"test\"\nwidth = 320\nheight = 240\n";
    let panel = Setup::new().sections(own).start();
    let (mut viewer, file) = watch(&panel, "/video/here", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let path = panel.path().join("defender.conf");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{before}{}", section(&board, &token))).unwrap();
    panel.signal("HUP");
    wait_status(&panel, "\"name\":\"attic-front\"");
    panel.wait_log("every user may read the token in it");
    fs::write(&path, before).unwrap();
    panel.signal("HUP");
    wait_for("the remote to be gone", || {
        (!panel.get_on_board("/api/1.0/status").text().contains("attic")).then_some(())
    });
    let shown = parts(&file);
    wait_for("more pictures", || (parts(&file) > shown + 3).then_some(()));
    assert!(viewer.is_running());
    let log = panel.log_until_now();
    assert_eq!(log.matches("camera here: test card").count(), 1, "it was not started anew:\n{log}");
}

#[test]
fn a_remote_that_is_reached_in_another_way_keeps_its_viewers() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    wait_status(&panel, "\"name\":\"attic-front\"");
    let (mut viewer, file) = watch(&panel, "/video/attic-front", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    fs::write(panel.path().join("token"), &token).unwrap();
    let path = panel.path().join("defender.conf");
    let given = format!("token = \"{token}\"");
    let text = fs::read_to_string(&path).unwrap().replace(&given, "token_file = \"token\"");
    fs::write(&path, text).unwrap();
    panel.signal("HUP");
    panel.wait_log("camera attic-front: new settings");
    let shown = parts(&file);
    wait_for("more pictures", || (parts(&file) > shown + 10).then_some(()));
    assert!(viewer.is_running());
}

#[test]
fn two_that_show_each_other_show_each_device_once() {
    let (attic, token) = board();
    let (yard, back) = board();
    let lists = |server: &Server, section: &str| {
        let path = server.path().join("defender.conf");
        let own = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{own}{section}")).unwrap();
        server.signal("HUP");
    };
    lists(&yard, &section(&attic, &token));
    lists(&attic, &section(&yard, &back).replace("[remote.attic]", "[remote.yard]"));
    wait_status(&yard, "\"name\":\"attic-desk\"");
    wait_status(&attic, "\"name\":\"yard-desk\"");
    // Until each has asked the other twice more, what it has from it could come back.
    for server in [&attic, &yard] {
        let asked = || server.log().matches("GET /api/1.0/status 200").count();
        let before = asked();
        wait_for("more questions", || (asked() >= before + 2).then_some(()));
    }
    for (server, other) in [(&attic, "yard"), (&yard, "attic")] {
        let status = server.get_on_board("/api/1.0/status").text();
        let names: Vec<_> =
            status.split("\"name\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(names, ["front", &format!("{other}-front"), "desk", &format!("{other}-desk"), other]);
        let relayed: Vec<_> =
            status.split("\"relayed\":").skip(1).map(|rest| rest.starts_with("true")).collect();
        assert_eq!(relayed, [false, true, false, true], "{status}");
    }
}

#[test]
fn names_that_are_taken_are_left_out_and_nothing_stands_still() {
    let (board, token) = board();
    let own = "[camera.attic-front]\ndevice = \"test\"\nwidth = 160\nheight = 120\n";
    let panel = Setup::new().sections(&format!("{own}{}", section(&board, &token))).start();
    panel.wait_log("camera attic-front: another of this name is left out");
    wait_status(&panel, "\"name\":\"attic-desk\"");
    for _ in 0..3 {
        panel.signal("HUP");
        assert_eq!(panel.get_on_board("/api/1.0/status").status, 200);
    }
    let camera = panel.get_on_board("/api/1.0/cameras/attic-front").text();
    assert!(camera.contains("\"width\":160"), "our own: {camera}");
}

#[test]
fn a_wrong_remote_section_is_reported_with_its_place() {
    let setup = Setup::new().sections(
        "[remote.a]\nurl = \"http://attic/\"\ntoken = \"x\"\n[remote.b]\nurl = \"https://attic\"\n\
         [remote.c]\nurl = \"https://c\"\ntoken = \"x\"\nfingerprnt = \"y\"\n",
    );
    setup.write_config();
    let refused = defender(setup.path(), &["check", "-c", "defender.conf"], "");
    let message = stderr(&refused);
    for why in [
        "url in [remote.a] is \"http://attic/\"; expected the address of another Defender",
        "[remote.b] needs `token`",
        "unknown key `fingerprnt` in [remote.c]; did you mean `fingerprint`?",
    ] {
        assert!(message.contains(why), "{why} is missing in {message}");
    }
}

#[test]
fn check_tries_each_remote_and_ffmpeg_plays_what_is_relayed() {
    let (board, token) = board();
    let panel = panel(&board, &token);
    let checked = stdout(&defender(panel.path(), &["check", "-c", "defender.conf"], ""));
    assert!(checked.contains("1 camera, 1 microphone"), "{checked}");
    wait_status(&panel, "\"name\":\"attic-front\"");
    let played = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "mpjpeg", "-tls_verify", "0", "-headers"])
        .arg(format!("Authorization: Bearer {}", local_token(&panel)))
        .arg("-i")
        .arg(panel.url("/video/attic-front"))
        .args(["-frames:v", "10", "-f", "null", "-"])
        .output()
        .unwrap();
    assert!(played.status.success(), "{}", stderr(&played));
}

fn local_token(panel: &Server) -> String {
    add_token(panel.path())
}
