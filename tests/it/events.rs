//! Events: reported over the API, listed, followed live, changed, and kept over a restart.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{
    Answer, Background, PASSWORD, Server, Setup, USER, add_user, defender, stdout, wait_for,
};

const ADMIN: &str = "adam";
const CAMERAS: &str = "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
                       [camera.yard]\ndevice = \"test\"\nwidth = 160\nheight = 120\n";

/// A server with two cameras, the viewer [`USER`] and the admin [`ADMIN`].
fn server() -> Server {
    let setup = Setup::new().plain().sections(CAMERAS);
    add_user(setup.path(), ADMIN, "admin");
    setup.start()
}

/// A token of the viewer's, which is confined to `camera`.
fn token(server: &Server, camera: &str) -> String {
    let name = format!("at-{camera}");
    let arguments = ["token", "add", &name, "--user", USER, "--cameras", camera, "-u", "users"];
    let added = defender(server.path(), &arguments, "");
    stdout(&added).split_whitespace().find(|word| word.starts_with("dft_")).expect("a token").to_owned()
}

/// A request with a JSON body, or without one where `body` is empty.
fn ask(server: &Server, method: &str, path: &str, who: &str, body: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {who}");
    let password = format!("{who}:{PASSWORD}");
    let login = if who.starts_with("dft_") { ["-H", &bearer] } else { ["-u", &password] };
    let mut arguments = vec!["-X", method, login[0], login[1]];
    if !body.is_empty() {
        arguments.extend(["-d", body]);
    }
    server.curl(&format!("/api/1.0/events{path}"), &arguments)
}

/// The value of a key in a JSON document, as it is written there.
fn value(document: &str, key: &str) -> String {
    let (_, rest) =
        document.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key}: {document}"));
    let end = if let Some(text) = rest.strip_prefix('"') {
        text.find('"').unwrap() + 2
    } else {
        rest.find([',', '}', ']']).unwrap()
    };
    rest[..end].to_owned()
}

/// A curl that follows events into a file.
fn follow(server: &Server, who: &str, into: &str) -> (Background, PathBuf) {
    let file = server.path().join(into);
    let mut command = Command::new("curl");
    command.args(["-sN", "-o"]).arg(&file);
    match who.starts_with("dft_") {
        true => command.args(["-H", &format!("Authorization: Bearer {who}")]),
        false => command.args(["-u", &format!("{who}:{PASSWORD}")]),
    };
    let running = Background::start(command.arg(server.url("/api/1.0/events/live")));
    wait_for("the beginning of the stream", || {
        fs::read_to_string(&file).ok().filter(|text| text.contains("retry"))
    });
    (running, file)
}

#[test]
fn a_door_contact_reports_events_by_a_token() {
    let server = server();
    let door = token(&server, "front");
    let body = r#"{"camera":"front","kind":"manual","duration_s":10,"note":"door bell"}"#;
    let made = ask(&server, "POST", "", &door, body);
    assert_eq!(made.status, 201, "{}", made.text());
    let (id, document) = (value(&made.text(), "id"), made.text());
    assert_eq!(made.field("location"), Some(format!("/api/1.0/events/{id}")));
    assert!(
        document.contains(r#""kind":"manual""#) && document.contains(r#""note":"door bell""#),
        "{document}"
    );
    assert_eq!(
        (value(&document, "end"), value(&document, "by")),
        ("null".into(), "\"eve by token at-front\"".into())
    );
    assert_eq!(ask(&server, "GET", &format!("/{id}"), &door, "").text(), document);
    let ended = ask(&server, "PUT", &format!("/{id}"), &door, r#"{"ended":true}"#);
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_ne!(value(&ended.text(), "end"), "null");
    server.wait_log(&format!("`eve` by token `at-front` reported event {id} at `front`"));
    server.wait_log(&format!("`eve` by token `at-front` ended event {id} at `front`"));
}

#[test]
fn who_may_report_and_change_events() {
    let server = server();
    let (front, yard) = (token(&server, "front"), token(&server, "yard"));
    let body = r#"{"camera":"front"}"#;
    assert_eq!(ask(&server, "POST", "", USER, body).status, 403, "a viewer with a password");
    assert_eq!(ask(&server, "POST", "", &yard, body).status, 404, "a token of another camera");
    let made = ask(&server, "POST", "", ADMIN, body);
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/{}", value(&made.text(), "id"));
    for (method, who, body, status) in [
        ("GET", USER, "", 200),
        ("GET", &front, "", 200),
        ("GET", &yard, "", 404),
        ("PUT", USER, r#"{"keep":true}"#, 403),
        ("PUT", &front, r#"{"keep":true}"#, 403),
        ("PUT", &front, r#"{"note":"x"}"#, 403),
        ("PUT", &yard, r#"{"ended":true}"#, 404),
        ("DELETE", USER, "", 403),
        ("DELETE", &front, "", 403),
        ("PUT", ADMIN, r#"{"keep":null}"#, 400),
        ("PUT", ADMIN, r#"{}"#, 400),
        ("PUT", ADMIN, r#"{"keep":true,"note":"a cat"}"#, 200),
        ("DELETE", ADMIN, "", 204),
        ("DELETE", ADMIN, "", 404),
        ("GET", ADMIN, "", 404),
    ] {
        let answer = ask(&server, method, &path, who, body);
        assert_eq!(answer.status, status, "{method} {body} by {who}: {}", answer.text());
    }
    for line in ["reported event", "keeps event", "noted on event 1 at `front`: a cat", "deleted event"] {
        server.wait_log(&format!("`adam` {line}"));
    }
    for (body, why) in [
        (r#"{"camera":"front","kind":"motion"}"#, "kind must be manual"),
        (r#"{"camera":"front","duration_s":3601}"#, "duration_s"),
        (r#"{"camera":"front","note":7}"#, "the value of `note` is wrong"),
        (r#"{"camera":"front","notes":"x"}"#, "unknown key"),
        (&format!(r#"{{"camera":"front","note":"{}"}}"#, "x".repeat(201)), "200 characters"),
    ] {
        let answer = ask(&server, "POST", "", ADMIN, body);
        assert!(answer.status == 400 && answer.text().contains(why), "{body}: {}", answer.text());
    }
}

#[test]
fn who_reports_events_without_end_has_to_wait() {
    let server = server();
    let (front, yard) = (token(&server, "front"), token(&server, "yard"));
    let reports = |who: &str, camera: &str, count: usize| {
        let file = server.path().join("report.json");
        fs::write(&file, format!(r#"{{"camera":"{camera}"}}"#)).unwrap();
        let address = server.url(&format!("/api/1.0/events?[1-{count}]"));
        let (bearer, body) = (format!("Authorization: Bearer {who}"), format!("@{}", file.display()));
        let sent = Command::new("curl")
            .args(["-s", "-D", "-", "-o", "/dev/null", "-H", &bearer, "-d", &body, &address])
            .output()
            .unwrap();
        String::from_utf8(sent.stdout).unwrap()
    };
    let heads = reports(&front, "front", 200);
    let made = heads.matches("HTTP/1.1 201").count();
    assert!((60..200).contains(&made), "{made} of 200 at once");
    assert_eq!(heads.matches("HTTP/1.1 429").count(), 200 - made);
    assert!(heads.contains("Retry-After: "), "{heads}");
    assert!(reports(&yard, "yard", 1).contains("HTTP/1.1 201"), "another token");
    assert_eq!(ask(&server, "POST", "", ADMIN, r#"{"camera":"front"}"#).status, 201, "the admin");
}

#[test]
fn users_list_the_events_of_their_cameras_only() {
    let server = server();
    let yard = token(&server, "yard");
    for camera in ["front", "yard", "front"] {
        assert_eq!(ask(&server, "POST", "", ADMIN, &format!(r#"{{"camera":"{camera}"}}"#)).status, 201);
    }
    let cameras = |who: &str, query: &str| {
        let listed = ask(&server, "GET", query, who, "");
        assert_eq!(listed.status, 200, "{}", listed.text());
        let text = listed.text();
        let events = text.split("{\"id\":").skip(1).map(|event| value(event, "camera"));
        events.collect::<Vec<_>>().join(" ").replace('"', "")
    };
    // The second and the third are of one second.
    assert_eq!(cameras(USER, ""), "front yard front");
    assert_eq!(cameras(&yard, ""), "yard");
    assert_eq!(cameras(&yard, "?camera=front"), "");
    assert_eq!(cameras(ADMIN, "?camera=yard&kind=manual"), "yard");
    assert_eq!(cameras(ADMIN, "?limit=1"), "front");
    assert_eq!(cameras(ADMIN, "?before=3"), "yard front");
    assert_eq!(cameras(ADMIN, "?kind=motion"), "");
    assert_eq!(cameras(ADMIN, "?to=2020-01-01T00:00:00Z"), "");
    assert_eq!(cameras(ADMIN, "?from=1577836800"), "front yard front");
    assert_eq!(ask(&server, "GET", "?limit=0", ADMIN, "").status, 400);
}

#[test]
fn start_and_end_are_sent_to_those_who_may_see_them() {
    let server = server();
    let yard = token(&server, "yard");
    let (_all, all) = follow(&server, USER, "all");
    let (_confined, confined) = follow(&server, &yard, "confined");
    let made = ask(&server, "POST", "", ADMIN, r#"{"camera":"front","running":true}"#);
    let id = value(&made.text(), "id");
    ask(&server, "PUT", &format!("/{id}"), ADMIN, r#"{"ended":true}"#);
    ask(&server, "POST", "", ADMIN, r#"{"camera":"yard"}"#);
    let messages = |file: &PathBuf, count: usize| {
        wait_for("the messages", || {
            let text = fs::read_to_string(file).unwrap();
            let names: Vec<_> = text.lines().filter(|line| line.starts_with("event: ")).collect();
            (names.len() >= count && text.ends_with("\n\n")).then(|| (names.join(" "), text.clone()))
        })
    };
    let (names, text) = messages(&all, 4);
    assert_eq!(names, "event: start event: end event: start event: end", "{text}");
    assert!(
        text.contains(&format!("event: start\nid: {id}\ndata: {{\"id\":{id},\"camera\":\"front\"")),
        "{text}"
    );
    let (names, text) = messages(&confined, 2);
    assert!(names == "event: start event: end" && !text.contains("front"), "{text}");
}

#[test]
fn a_live_stream_ends_with_the_token() {
    let server = server();
    let front = token(&server, "front");
    let (mut running, _file) = follow(&server, &front, "live");
    let removed = defender(server.path(), &["token", "remove", "at-front", "-u", "users"], "");
    assert!(removed.status.success(), "{removed:?}");
    wait_for("the end of the stream", || (!running.is_running()).then_some(()));
}

#[test]
fn events_survive_a_restart_and_a_crash() {
    let mut server = server();
    let note = r#"{"camera":"front","note":"a \"bell\" \u202e ü"}"#;
    let made = ask(&server, "POST", "", ADMIN, note).text();
    let id = value(&made, "id");
    ask(&server, "PUT", &format!("/{id}"), ADMIN, r#"{"keep":true}"#);
    let open = ask(&server, "POST", "", ADMIN, r#"{"camera":"front","running":true}"#).text();
    let folder = server.path().join("events");
    let lines = || {
        let files =
            fs::read_dir(&folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        files.collect::<String>()
    };
    let open_id = value(&open, "id");
    wait_for("the lines on disk", || {
        let text = lines();
        (text.contains("\"keep\":true") && text.contains(&format!("\"id\":{open_id},"))).then_some(())
    });
    let before = ask(&server, "GET", &format!("/{id}"), ADMIN, "").text();
    server.signal("KILL");
    server.wait_end();
    server.start_again();
    assert_eq!(ask(&server, "GET", &format!("/{id}"), ADMIN, "").text(), before);
    assert_eq!(value(&before, "kept"), "true");
    let interrupted = ask(&server, "GET", &format!("/{open_id}"), ADMIN, "").text();
    assert_eq!(value(&interrupted, "interrupted"), "true", "{interrupted}");
    let next = ask(&server, "POST", "", ADMIN, r#"{"camera":"front"}"#).text();
    server.signal("TERM");
    server.wait_end();
    server.start_again();
    let listed = ask(&server, "GET", "", ADMIN, "").text();
    assert!(listed.contains(next.trim()) && listed.contains(before.trim()), "{listed}");
    let ids: Vec<u32> = [&made, &open, &next].map(|event| value(event, "id").parse().unwrap()).into();
    assert!(ids.is_sorted() && ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_waited_for() {
    let setup = Setup::new().plain().sections(CAMERAS);
    add_user(setup.path(), ADMIN, "admin");
    let mut server = setup.start();
    server.signal("TERM");
    server.wait_end();
    // Root writes to folders whose mode forbids it, so that there is none.
    let folder = server.path().join("events");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    server.start_again();
    server.wait_log("cannot store events");
    let made = ask(&server, "POST", "", ADMIN, r#"{"camera":"front"}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    assert!(ask(&server, "GET", "", USER, "").text().contains(made.text().trim()));
    let status = server.curl("/api/1.0/status", &["-u", &format!("{ADMIN}:{PASSWORD}")]).text();
    assert!(status.contains("\"unwritten\":1") && status.contains("cannot store events"), "{status}");
    assert!(server.get("/api/1.0/status").text().contains("\"journal\":null"), "a viewer need not know");
}

#[test]
fn lost_cameras_and_failed_logins_are_events() {
    let lost = "[camera.front]\ndevice = \"http://127.0.0.1:9/\"\non_demand = false\n";
    let setup = Setup::new().plain().sections(lost);
    add_user(setup.path(), ADMIN, "admin");
    let server = setup.start();
    for _ in 0..3 {
        assert_eq!(server.curl("/api/1.0/status", &["-u", "adam:wrong"]).status, 401);
    }
    let failed = ask(&server, "GET", "?kind=login-failed", ADMIN, "").text();
    assert_eq!(failed.matches("\"id\":").count(), 1, "{failed}");
    assert!(failed.contains("at least 2 failed sign-ins, the last one from 127.0.0.1"), "{failed}");
    assert_eq!(ask(&server, "GET", "?kind=login-failed", USER, "").text(), "{\"events\":[]}");
    let text = wait_for("the event of the lost camera", || {
        let listed = ask(&server, "GET", "?kind=camera-lost", USER, "").text();
        listed.contains("\"id\":").then_some(listed)
    });
    assert_eq!((value(&text, "camera"), value(&text, "end")), ("\"front\"".into(), "null".into()), "{text}");
}

#[test]
fn who_sees_no_past_ends_an_event_and_learns_nothing_of_others() {
    let setup = Setup::new().plain().sections(CAMERAS);
    add_user(setup.path(), ADMIN, "admin");
    add_user(setup.path(), "guest", "viewer");
    let changed = defender(setup.path(), &["user", "edit", "guest", "--past", "no", "-u", "users"], "");
    assert!(changed.status.success());
    let added = defender(setup.path(), &["token", "add", "door", "--user", "guest", "-u", "users"], "");
    let door = stdout(&added).split_whitespace().find(|word| word.starts_with("dft_")).unwrap().to_owned();
    let server = setup.start();
    let over = ask(&server, "POST", "", ADMIN, r#"{"camera":"front","note":"private"}"#);
    let running = ask(&server, "POST", "", &door, r#"{"camera":"front","running":true}"#);
    let path = |made: &Answer| format!("/{}", value(&made.text(), "id"));
    for method in ["GET", "PUT"] {
        let body = if method == "PUT" { r#"{"ended":true}"# } else { "" };
        let refused = ask(&server, method, &path(&over), &door, body);
        assert_eq!((refused.status, refused.text().contains("private")), (403, false), "{}", refused.text());
    }
    let ended = ask(&server, "PUT", &path(&running), &door, r#"{"ended":true}"#);
    assert_eq!(ended.status, 200, "{}", ended.text());
}
