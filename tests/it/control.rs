//! Changing a server that runs: services, camera settings, logging, over the API.

use std::fs;
use std::path::Path;

use crate::support::{PASSWORD, Server, Setup, add_user, defender, parts, stdout, wait_for, watch};

const ADMIN: &str = "ada";

/// A server with an admin beside the usual viewer.
fn started(setup: Setup) -> Server {
    add_user(setup.path(), ADMIN, "admin");
    setup.start()
}

/// The status and body of a request by the admin; of a PUT where there is a body to send.
fn ask(server: &Server, path: &str, body: Option<&str>) -> (u16, String) {
    let login = format!("{ADMIN}:{PASSWORD}");
    let mut arguments = vec!["-u", login.as_str()];
    if let Some(body) = body {
        arguments.extend(["-X", "PUT", "-d", body]);
    }
    let answer = server.curl(path, &arguments);
    (answer.status, answer.text())
}

/// The overrides file.
fn saved(server: &Server) -> String {
    fs::read_to_string(server.path().join("overrides.conf")).unwrap()
}

#[test]
fn a_stopped_service_names_who_stopped_it_and_keeps_viewers() {
    let sections = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                    [microphone.front]\ndevice = \"test\"\n";
    let server = started(Setup::new().sections(sections));
    let (mut viewer, file) = watch(&server, "/video", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let stopped = ask(&server, "/api/1.0/services/video", Some(r#"{"running":false}"#));
    assert_eq!(stopped, (200, r#"{"running":false,"stopped_by":"ada"}"#.to_owned()));
    let refused = server.get("/snapshot");
    assert_eq!((refused.status, refused.text().contains("stopped by ada")), (503, true), "{refused:?}");
    let status = server.get("/api/1.0/status").text();
    assert!(
        status.contains(r#""services":{"video":false,"audio":true,"recording":true,"motion":true}"#),
        "{status}"
    );
    let shown = parts(&file);
    wait_for("no-signal frames", || (parts(&file) > shown + 2).then_some(()));

    assert_eq!(ask(&server, "/api/1.0/services/video", Some(r#"{"running":true}"#)).0, 200);
    wait_for("a picture", || (server.get("/snapshot").status == 200).then_some(()));
    assert!(viewer.is_running(), "the viewer stayed");

    assert_eq!(ask(&server, "/api/1.0/services/audio", Some(r#"{"running":false}"#)).0, 200);
    let silent = || server.get("/api/1.0/microphones/front").text().contains(r#""problem":"stopped by ada""#);
    wait_for("the microphone to be stopped", || silent().then_some(()));
    server.wait_log("`ada` stopped audio");
}

#[test]
fn a_camera_that_is_changed_while_it_is_stopped_starts_again() {
    let server = started(Setup::new());
    assert_eq!(ask(&server, "/api/1.0/services/video", Some(r#"{"running":false}"#)).0, 200);
    assert_eq!(ask(&server, "/api/1.0/cameras/front", Some("{}")).0, 200, "nothing is changed");
    assert_eq!(ask(&server, "/api/1.0/services/video", Some(r#"{"running":true}"#)).0, 200);
    wait_for("a picture", || (server.get("/snapshot").status == 200).then_some(()));
}

#[test]
fn a_stopped_service_stays_stopped_over_a_reload() {
    let server = started(Setup::new());
    assert_eq!(ask(&server, "/api/1.0/services/video", Some(r#"{"running":false}"#)).0, 200);
    server.signal("HUP");
    server.wait_log("reading the configuration");
    wait_for("the reload", || server.log().contains("SIGHUP").then_some(()));
    assert_eq!(server.get("/snapshot").status, 503);
}

#[test]
fn a_camera_is_changed_under_its_viewers_and_saved() {
    let sections =
        "# by the door\n[camera.front]\ndevice = \"test\" # no camera yet\nwidth = 320\nheight = 240\n";
    let server = started(Setup::new().sections(sections));
    let (mut viewer, file) = watch(&server, "/video", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let before = fs::read_to_string(server.path().join("defender.conf")).unwrap();
    let (status, text) =
        ask(&server, "/api/1.0/cameras/front", Some(r#"{"width":160,"height":120,"fps":5,"save":true}"#));
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(r#""settings":{"device":"test","login_file":"","fingerprint":"","format":"auto","width":160,"height":120,"fps":5"#));
    let is_smaller = || {
        let status = server.get("/api/1.0/status").text();
        status.contains(r#""width":160,"height":120"#).then_some(())
    };
    wait_for("the new size", is_smaller);
    let shown = parts(&file);
    wait_for("pictures again", || (parts(&file) > shown + 2).then_some(()));
    assert!(viewer.is_running(), "the viewer stayed");
    assert_eq!(fs::read_to_string(server.path().join("defender.conf")).unwrap(), before);
    let saved = saved(&server);
    for line in ["width = { value = 160", "height = { value = 120", "fps = { value = 5"] {
        assert!(saved.contains(&format!("\ncamera.front.{line}, by = \"ada\", at = \"")), "{saved}");
    }
}

#[test]
fn what_a_camera_cannot_be_is_refused_with_what_it_could() {
    let server = started(Setup::new());
    let path = "/api/1.0/cameras/front";
    let rows = [
        (r#"{"fps":0}"#, 400, "fps is 0; expected a whole number from 1 to 240"),
        (r#"{"width":9000}"#, 400, "width is 9000; expected a whole number from 16 to 8192"),
        (r#"{"quality":101}"#, 400, "quality is 101; expected a whole number from 1 to 100"),
        (r#"{"qualty":10}"#, 400, "unknown key `qualty`; did you mean `quality`?"),
        (r#"{"fps":null}"#, 400, "`fps` is null; leave it out instead"),
        (r#"{"fps":"x"}"#, 400, r#"fps is \"x\"; expected a whole number from 1 to 240"#),
        (r#"{"controls":7}"#, 400, "the value of `controls` is wrong: expected a JSON body"),
        (r#"{"fps":5,"save":"yes"}"#, 400, "the value of `save` is wrong: expected a JSON body"),
        (r#"{"controls":{"brightness":1}}"#, 409, "it is not connected now, and its controls cannot be set"),
    ];
    for (body, status, why) in rows {
        let (got, text) = ask(&server, path, Some(body));
        assert_eq!((got, text.contains(why)), (status, true), "{body}: {text}");
    }
    assert_eq!(ask(&server, "/api/1.0/cameras/attic", Some(r#"{"fps":1}"#)).0, 404);
}

#[test]
fn earlier_changes_are_saved_when_only_saving_is_requested() {
    let server = started(Setup::new());
    let (conf, overrides) = (server.path().join("defender.conf"), server.path().join("overrides.conf"));
    let before = fs::read_to_string(&conf).unwrap();
    let path = "/api/1.0/cameras/front";
    let (status, text) = ask(&server, path, Some(r#"{"save":true}"#));
    assert_eq!((status, text.contains(r#""keeps":true"#)), (200, true), "{text}");
    assert!(!overrides.exists(), "nothing was changed yet");
    assert_eq!(ask(&server, path, Some(r#"{"fps":5,"quality":60}"#)).0, 200);
    assert_eq!(ask(&server, path, Some(r#"{"fps":7}"#)).0, 200);
    assert!(!overrides.exists());
    for _ in 0..2 {
        assert_eq!(ask(&server, path, Some(r#"{"save":true}"#)).0, 200);
        let saved = saved(&server);
        assert_eq!(saved.matches("camera.").count(), 2, "{saved}");
        assert!(
            saved.contains("front.fps = { value = 7,") && saved.contains("front.quality = { value = 60,")
        );
    }
    server.wait_log("`ada` saved the settings of camera front");
    assert_eq!(fs::read_to_string(&conf).unwrap(), before, "the server does not write defender.conf");
}

#[test]
fn overrides_hold_after_a_restart_are_listed_and_reset() {
    let mut server = started(Setup::new());
    let camera = "/api/1.0/cameras/front";
    assert_eq!(ask(&server, camera, Some(r#"{"fps":7,"quality":60,"save":true}"#)).0, 200);
    assert_eq!(ask(&server, "/api/1.0/logging", Some(r#"{"level":"warn","save":true}"#)).0, 200);
    server.signal("TERM");
    server.wait_end();
    server.start_again();
    server.wait_log("overrides in force over defender.conf: camera.front.fps = 7 (by ada at 2");
    assert!(ask(&server, camera, None).1.contains(r#""fps":7,"quality":60"#));
    let (_, listed) = ask(&server, "/api/1.0/settings", None);
    let fps = r#""name":"camera.front.fps","label":"Frames a second","hint":"","kind":"integer","min":1,"max":240,"choices":[],"value":7,"override":{"value":7,"configured":30,"by":"ada","at":"2"#;
    assert!(listed.contains(fps), "{listed}");
    let width = r#""name":"camera.front.width","label":"Width","hint":"","kind":"integer","min":16,"max":8192,"choices":[],"value":320,"override":null"#;
    assert!(listed.contains(width), "{listed}");
    assert_eq!(server.get("/api/1.0/settings").status, 403, "no viewer's business");

    let settings = |command: &[&str]| run_settings(server.path(), command);
    let (_, listed) = settings(&["list"]);
    assert!(listed.contains("camera.front.quality = 60 (by ada at 2"), "{listed}");
    assert!(listed.contains("; defender.conf: 85)"), "{listed}");
    let (is_done, listed) = settings(&["reset", "camera.front.fps"]);
    assert!(is_done && !listed.contains("fps") && listed.contains("quality"), "{listed}");
    assert!(ask(&server, camera, None).1.contains(r#""fps":30,"quality":60"#));
    server.wait_log("reset camera.front.fps to defender.conf");
    let (is_done, listed) = settings(&["reset", "camera.front.fps"]);
    assert!(!is_done && listed.contains("camera.front.fps is not overridden"), "{listed}");

    let delete = server.curl("/api/1.0/settings", &["-u", &format!("{ADMIN}:{PASSWORD}"), "-X", "DELETE"]);
    assert_eq!(delete.status, 200, "{delete:?}");
    assert!(ask(&server, camera, None).1.contains(r#""fps":30,"quality":85"#));
    assert_eq!(ask(&server, "/api/1.0/logging", None).1, r#"{"level":"debug","keeps":true}"#);
    assert!(!server.path().join("overrides.conf").exists());
    assert_eq!(settings(&["list"]).1, "nothing is overridden: defender.conf is in force\n");

    // What an admin changes is logged, also when it is that the log is on again.
    assert_eq!(ask(&server, "/api/1.0/logging", Some(r#"{"level":"off","save":true}"#)).0, 200);
    assert!(settings(&["reset", "server.log_level"]).0);
    server.wait_log("reset server.log_level to defender.conf");
}

#[test]
fn overrides_that_cannot_be_read_stay_in_force() {
    let server = started(Setup::new());
    let camera = "/api/1.0/cameras/front";
    assert_eq!(ask(&server, camera, Some(r#"{"fps":7,"save":true}"#)).0, 200);
    let file = server.path().join("overrides.conf");
    let aside = server.path().join("elsewhere");
    fs::rename(&file, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &file).unwrap();
    server.signal("HUP");
    server.wait_log("overrides.conf: ");
    assert!(ask(&server, camera, None).1.contains(r#""fps":7"#));
    fs::rename(&aside, &file).unwrap();
    server.signal("HUP");
    wait_for("the second reload", || (server.log().matches("SIGHUP: ").count() == 2).then_some(()));
    assert!(ask(&server, camera, None).1.contains(r#""fps":7"#));
}

#[test]
fn without_a_server_overrides_are_listed_and_reset_in_the_file() {
    let setup = Setup::new();
    fs::write(setup.path().join("defender.conf"), "[camera.front]\n").unwrap();
    let file = setup.path().join("overrides.conf");
    let text = "camera.front.fps = { value = 7, by = \"ada\" }\ncamera.gone.fps = 1\nbroken\n";
    fs::write(&file, text).unwrap();
    let settings = |command: &[&str]| run_settings(setup.path(), command);
    let (is_done, listed) = settings(&["list"]);
    assert!(is_done && listed.contains("camera.front.fps = 7 (by ada; defender.conf: 30)\n"), "{listed}");
    assert!(listed.contains("IGNORED: defender.conf has no [camera.gone]"), "{listed}");
    assert!(listed.contains("warning: ") && listed.contains("overrides.conf:3: "), "{listed}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let (is_done, said) = settings(&["reset", "camera.front.quality"]);
    assert!(!is_done && said.contains("is not overridden"), "{said}");
    assert!(settings(&["reset", "camera.front.fps"]).0);
    assert!(fs::read_to_string(&file).unwrap().ends_with("camera.gone.fps = 1\nbroken\n"));
    assert!(settings(&["reset"]).0);
    assert!(fs::read_to_string(&file).unwrap().ends_with("\nbroken\n"), "what is damaged is not lost");
}

#[test]
fn a_change_that_cannot_be_saved_is_refused_and_not_made() {
    let server = started(Setup::new());
    // In the way of the new file, as a full disk is.
    fs::create_dir_all(server.path().join("overrides.conf.new/x")).unwrap();
    let (status, text) = ask(&server, "/api/1.0/cameras/front", Some(r#"{"fps":7,"save":true}"#));
    assert_eq!((status, text.contains("nothing was changed: it cannot be saved in")), (409, true), "{text}");
    let (status, text) = ask(&server, "/api/1.0/logging", Some(r#"{"level":"warn","save":true}"#));
    assert_eq!((status, text.contains("overrides.conf")), (409, true), "{text}");
    assert!(ask(&server, "/api/1.0/cameras/front", None).1.contains(r#""fps":30"#));
    assert!(ask(&server, "/api/1.0/logging", None).1.contains("debug"));
    assert!(!server.path().join("overrides.conf").exists());
}

#[test]
fn what_version_0_1_0_saved_is_in_force_after_the_update() {
    let setup = Setup::new();
    fs::write(setup.path().join("kept.conf"), "[camera.front]\nfps = 7\n").unwrap();
    let server = started(setup);
    server.wait_log("kept.conf: the settings that version 0.1.0 saved there are in ");
    server.wait_log("camera.front.fps = 7 (by version 0.1.0 or by hand; defender.conf: 30)");
    assert!(!server.path().join("kept.conf").exists());
    assert!(saved(&server).contains("\ncamera.front.fps = { value = 7 }\n"));
    assert!(ask(&server, "/api/1.0/cameras/front", None).1.contains(r#""fps":7"#));
}

#[test]
fn audit_lines_are_logged_at_every_level_but_off() {
    let server = started(Setup::new());
    let set = |level: &str| {
        let body = format!(r#"{{"level":"{level}"}}"#);
        assert_eq!(ask(&server, "/api/1.0/logging", Some(&body)).0, 200);
    };
    set("error");
    server.wait_log("`ada` set the log to error");
    assert_eq!(ask(&server, "/api/1.0/services/audio", Some(r#"{"running":false}"#)).0, 200);
    server.wait_log("`ada` stopped audio");
    set("off");
    server.wait_log("`ada` set the log to off");
    assert_eq!(ask(&server, "/api/1.0/services/audio", Some(r#"{"running":true}"#)).0, 200);
    set("info");
    server.wait_log("`ada` set the log to info");
    assert!(!server.log().contains("`ada` started audio"), "{}", server.log());
}

#[test]
fn a_stopped_service_is_not_stopped_again_by_another_user() {
    let setup = Setup::new();
    add_user(setup.path(), "bea", "admin");
    let server = started(setup);
    let stop = |who: &str| {
        let login = format!("{who}:{PASSWORD}");
        let put = ["-u", &login, "-X", "PUT", "-d", r#"{"running":false}"#];
        server.curl("/api/1.0/services/video", &put).text()
    };
    let stopped = r#"{"running":false,"stopped_by":"ada"}"#;
    assert_eq!([stop("ada"), stop("bea"), stop("ada")], [stopped; 3]);
    assert_eq!(ask(&server, "/api/1.0/services/video", Some(r#"{"running":true}"#)).0, 200);
    server.wait_log("`ada` started video");
    let log = server.log();
    assert_eq!((log.matches("stopped video").count(), log.contains("`bea` stopped")), (1, false), "{log}");
}

#[test]
fn a_body_that_is_nested_without_end_is_refused() {
    let server = started(Setup::new());
    let deep = [
        "[".repeat(4096),
        "[".repeat(4096) + &"]".repeat(4096),
        r#"{"a":"#.repeat(2000) + "1" + &"}".repeat(2000),
        format!(r#"{{"fps":{}1{}}}"#, "[".repeat(4000), "]".repeat(4000)),
    ];
    for (body, path) in deep.iter().flat_map(|body| {
        ["cameras/front", "services/video", "logging"].map(|path| (body, format!("/api/1.0/{path}")))
    }) {
        let (status, text) = ask(&server, &path, Some(body));
        assert_eq!(status, 400, "{path}: {text}");
    }
    assert_eq!(server.get("/api/1.0/status").status, 200);
}

#[test]
fn the_log_is_turned_up_and_down_and_read() {
    let server = started(Setup::new());
    assert_eq!(ask(&server, "/api/1.0/logging", None).1, r#"{"level":"debug","keeps":true}"#);
    let (status, text) = ask(&server, "/api/1.0/logging", Some(r#"{"level":"warn","save":true}"#));
    assert_eq!((status, text.as_str()), (200, r#"{"level":"warn","keeps":true}"#));
    let saved = saved(&server);
    assert!(saved.contains("\nserver.log_level = { value = \"warn\", by = \"ada\", at = "), "{saved}");
    assert_eq!(ask(&server, "/api/1.0/logging", Some(r#"{"level":"loud"}"#)).0, 400);
    let (status, text) = ask(&server, "/api/1.0/logs?lines=1000", None);
    assert!(status == 200 && text.contains("listening on"), "{text}");
    assert!(!text.contains(PASSWORD));
    assert_eq!(ask(&server, "/api/1.0/logs?lines=many", None).0, 400);
}

/// Runs `defender settings` with the configuration in `folder`: whether it succeeded, and what it printed.
fn run_settings(folder: &Path, command: &[&str]) -> (bool, String) {
    let ended = defender(folder, &[&["settings"], command, &["-c", "defender.conf"]].concat(), "");
    (ended.status.success(), stdout(&ended) + &String::from_utf8_lossy(&ended.stderr))
}
