//! Recording by the real server: what is on the disk, and what the API gives of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miniserde::json::{self, Number, Object, Value};

use crate::streams::{known_metric, metric};
use crate::support::{
    Answer, PASSWORD, Server, Setup, USER, add_user, defender, stderr, stdout, wait_for, watch,
};

pub const ALWAYS: &str = "[record]\nsegment_mb = 4\nmin_free_gb = 0\n\
                      [camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\nfps = 20\n\
                      [camera.front.record]\nwhen = \"always\"\n\
                      [microphone.front]\ndevice = \"test\"\nrate_hz = 16000\n";

pub fn server(sections: &str) -> Server {
    Setup::new().plain().sections(sections).start()
}

pub fn document(text: &str) -> Object {
    match json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}")) {
        Value::Object(object) => object,
        _ => panic!("no object: {text}"),
    }
}

pub fn number(value: &Value) -> f64 {
    match value {
        Value::Number(Number::F64(number)) => *number,
        Value::Number(Number::U64(number)) => *number as f64,
        _ => panic!("no number: {}", json::to_string(value)),
    }
}

/// When an event began that the API has just taken, in seconds since 1970.
pub fn event_start(posted: &Answer) -> f64 {
    let text = posted.text();
    let start = text.split("\"start\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a start");
    crate::clips::run("date", &["-d", start, "+%s.%3N"]).trim().parse().unwrap()
}

/// Waits until so many frames are on the disk; the times of the first and the last one, in seconds since 1970.
pub fn recorded(server: &Server, frames: f64) -> (f64, f64) {
    wait_for("frames on the disk", || {
        let written = known_metric(server, "defender_recorded_frames_total{camera=\"front\"}")?;
        (written >= frames).then_some(())
    });
    let stretches = stretches(server);
    (number(&stretches[0]["from"]), number(&stretches[stretches.len() - 1]["to"]))
}

pub fn stretches(server: &Server) -> Vec<Object> {
    let found = document(&server.get("/api/1.0/recordings/front").text());
    let Value::Array(stretches) = &found["stretches"] else { panic!("no stretches") };
    let object = |value: &Value| match value {
        Value::Object(object) => object.clone(),
        _ => panic!("no stretch"),
    };
    stretches.iter().map(object).collect()
}

/// The files with footage of a camera.
pub fn files(folder: &Path, camera: &str) -> Vec<PathBuf> {
    let days = fs::read_dir(folder.join("recordings").join(camera)).into_iter().flatten().flatten();
    let mut files: Vec<_> = days.flat_map(|day| fs::read_dir(day.path()).unwrap().flatten()).collect();
    files.sort_by_key(|file| file.file_name());
    files.into_iter().map(|file| file.path()).collect()
}

/// Packets of pictures and of sound that ffprobe finds in a file, and what it complains of.
pub fn probe(file: &Path) -> (Vec<f64>, Vec<f64>, String) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=codec_type,pts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let times = |kind: &str| {
        let of_kind = text.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(','));
        of_kind.map(|time| time.trim_end_matches(',').parse().unwrap()).collect()
    };
    (times("video"), times("audio"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn pictures_are_found_by_their_time() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 60.0);
    // A picture has its time to the millisecond, and is found by it.
    let middle = (first + last) / 2.0 + 0.001;
    let answer = server.get(&format!("/api/1.0/recordings/front/frame?at={middle:.3}"));
    assert_eq!((answer.status, &answer.body[..2]), (200, &[0xff, 0xd8][..]), "{}", answer.text());
    let time = |name: &str| answer.field(name).unwrap().parse::<f64>().unwrap();
    let (previous, at, next) = (time("X-Previous"), time("X-Timestamp"), time("X-Next"));
    assert!(
        previous < at && at <= middle + 0.001 && middle < next + 0.001,
        "{previous} {at} {next} for {middle}"
    );
    let again = server.get(&format!("/api/1.0/recordings/front/frame?at={next:.6}"));
    assert_eq!(again.field("X-Timestamp"), answer.field("X-Next"));
    assert_eq!(again.field("X-Previous"), answer.field("X-Timestamp"));
    assert_ne!(again.body, answer.body);
    let before = server.get("/api/1.0/recordings/front/frame?at=2020-01-01T00:00:00Z");
    assert_eq!((before.status, before.field("X-Previous")), (200, None));
    for (query, status) in [("", 400), ("?at=yesterday", 400)] {
        assert_eq!(server.get(&format!("/api/1.0/recordings/front/frame{query}")).status, status, "{query}");
    }
    for path in ["", "/timeline", "/frame?at=5"] {
        let answer = server.get(&format!("/api/1.0/recordings/attic{path}"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("front"), "{path}: {} names no camera", answer.text());
    }
}

/// The times of the parts of a stream that was stored, in seconds since 1970.
fn stamps(file: &Path) -> Vec<f64> {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split("X-Timestamp: ").skip(1).filter_map(|rest| rest.lines().next()?.parse().ok()).collect()
}

#[test]
fn footage_plays_on_into_the_present() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 60.0);
    let path = format!("/api/1.0/recordings/front/stream?from={first:.3}&speed=8");
    let (_player, file) = watch(&server, &path, "played");
    wait_for("live frames behind the footage", || {
        stamps(&file).last().is_some_and(|at| *at > last + 6.0).then_some(())
    });
    let times = stamps(&file);
    assert!((times[0] - first).abs() < 0.002, "{} is not {first}", times[0]);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "in order: {times:?}");
}

#[test]
fn footage_plays_backwards_to_its_start() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 60.0);
    let path = format!("/api/1.0/recordings/front/stream?from={last:.3}&speed=-4");
    let stored = server.curl(&path, &["-u", &format!("{USER}:{PASSWORD}"), "-o", "-"]);
    let file = server.path().join("backwards");
    fs::write(&file, &stored.body).unwrap();
    let times = stamps(&file);
    assert!(times.windows(2).all(|pair| pair[0] > pair[1]), "backwards: {times:?}");
    assert!(times.last().is_some_and(|at| (at - first).abs() < 0.3), "{times:?} to {first}");
}

#[test]
fn a_clip_is_a_file_with_ranges() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 100.0);
    // The microphone may have started after the camera.
    let (from, to) = (first + 1.0, last - 0.5);
    let path = format!("/api/1.0/recordings/front/clip.mkv?from={from:.3}&to={to:.3}");
    let whole = server.get(&path);
    assert_eq!(whole.status, 200, "{}", whole.text());
    let file = server.path().join("clip.mkv");
    fs::write(&file, &whole.body).unwrap();
    let (pictures, sound, complaints) = probe(&file);
    assert_eq!(complaints, "");
    assert!(pictures.len() > 40 && sound.len() > 40, "{} and {}", pictures.len(), sound.len());
    assert!(pictures[0] == 0.0 && sound[0] < 0.08, "sound begins with the pictures: {}", sound[0]);
    assert!(pictures.windows(2).all(|pair| pair[0] < pair[1]), "{pictures:?}");
    let user = format!("{USER}:{PASSWORD}");
    let part = |range: &str| server.curl(&path, &["-u", &user, "-r", range]);
    let length = whole.body.len();
    for start in (0..length).step_by(length / 7) {
        let end = (start + 70_000).min(length - 1);
        let answer = part(&format!("{start}-{end}"));
        assert_eq!((answer.status, answer.body.len()), (206, end - start + 1));
        assert!(answer.body == whole.body[start..=end], "the bytes from {start} are others");
        assert_eq!(answer.field("Content-Range"), Some(format!("bytes {start}-{end}/{length}")));
    }
    assert!(part("-1000").body == whole.body[length - 1000..]);
    assert_eq!(part(&format!("{length}-")).status, 416);
    let tag = whole.field("ETag").unwrap();
    let known = server.curl(&path, &["-u", &user, "-H", &format!("If-None-Match: {tag}")]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    let too_long = server
        .get(&format!("/api/1.0/recordings/front/clip.mkv?from={first:.3}&to={:.3}", first + 100_000.0));
    assert_eq!(too_long.status, 400, "{}", too_long.text());
    server.wait_log("took a clip of camera front");
}

#[test]
fn footage_outlives_a_kill() {
    let mut server = server(ALWAYS);
    recorded(&server, 60.0);
    server.signal("KILL");
    server.wait_end();
    for file in files(server.path(), "front") {
        let (pictures, _, complaints) = probe(&file);
        assert!(!pictures.is_empty(), "{}: {complaints}", file.display());
    }
    server.start_again();
    server.wait_log("was cut off and is repaired");
    let (before, _) = recorded(&server, 20.0);
    let gaps: Vec<String> =
        stretches(&server).iter().map(|stretch| json::to_string(&stretch["gap"])).collect();
    assert!(gaps.len() >= 2 && gaps.iter().all(|gap| gap == "\"not running\""), "{gaps:?}");
    let answer = server.get(&format!("/api/1.0/recordings/front/frame?at={before:.3}"));
    assert_eq!(answer.status, 200);
}

#[test]
fn an_event_is_recorded_with_what_was_before_it() {
    let sections = ALWAYS.replace("\"always\"", "\"events\"\npre_s = 2\npost_s = 1");
    let setup = Setup::new().plain().sections(&sections);
    let token = add_token_of(&setup);
    let server = setup.start();
    wait_for("three seconds in memory", || {
        (metric(&server, "defender_frames_captured_total{camera=\"front\"}") >= 60.0).then_some(())
    });
    assert_eq!(metric(&server, "defender_recorded_frames_total{camera=\"front\"}"), 0.0);
    let bearer = format!("Authorization: Bearer {token}");
    let body = r#"{"camera":"front","note":"door bell"}"#;
    let posted = server.curl("/api/1.0/events", &["-H", &bearer, "-X", "POST", "-d", body]);
    assert_eq!(posted.status, 201, "{}", posted.text());
    let start = event_start(&posted);
    // The pre-roll, the moment and the second after it.
    let (first, last) = wait_for("the footage of the event", || {
        let (first, last) = recorded(&server, 1.0);
        (last > start + 0.2).then_some((first, last))
    });
    // A busy machine captures no frame at the very ends.
    let is_around = (start - 2.1..start - 0.8).contains(&first) && last < start + 1.2;
    assert!(is_around, "{first} to {last}, the event at {start}");
    assert_eq!(json::to_string(&stretches(&server)[0]["gap"]), "\"not running\"");
}

fn add_token_of(setup: &Setup) -> String {
    setup.write_config();
    // The user file is written at the start otherwise.
    add_user(setup.path(), "door", "admin");
    let output = defender(setup.path(), &["token", "add", "contact", "--user", "door", "-u", "users"], "");
    let printed = stdout(&output);
    printed.split_whitespace().find(|word| word.starts_with("dft_")).expect("a token").to_owned()
}

#[test]
fn recordings_are_a_right_of_their_own() {
    let setup = Setup::new().plain().sections(ALWAYS);
    add_user(setup.path(), "guest", "viewer");
    let changed = defender(setup.path(), &["user", "edit", "guest", "--past", "no", "-u", "users"], "");
    assert!(changed.status.success(), "{}", stderr(&changed));
    let server = setup.start();
    let (first, _) = recorded(&server, 20.0);
    let guest = format!("guest:{PASSWORD}");
    for path in [
        "/api/1.0/recordings".to_owned(),
        "/api/1.0/recordings/front".to_owned(),
        format!("/api/1.0/recordings/front/frame?at={first}"),
        format!("/api/1.0/recordings/front/stream?from={first}"),
        format!("/api/1.0/recordings/front/clip.mkv?from={first}&to={}", first + 1.0),
        format!("/api/1.0/recordings/front/clip.mov?from={first}&to={}", first + 1.0),
        format!("/api/1.0/recordings/front/clip.zip?from={first}&to={}", first + 1.0),
        format!("/api/1.0/recordings/front/sound?from={first}"),
        "/api/1.0/recordings/front/thumbnails".to_owned(),
        "/api/1.0/recordings/front/timeline".to_owned(),
        "/api/1.0/events".to_owned(),
        "/api/1.0/events/1".to_owned(),
    ] {
        assert_eq!(server.curl(&path, &["-u", &guest]).status, 403, "{path}");
    }
    assert_eq!(server.curl("/snapshot", &["-u", &guest]).status, 200);
}

#[test]
fn a_confined_user_hears_no_other_microphone_in_footage() {
    let setup = Setup::new().plain().sections(ALWAYS);
    let sees = ["--cameras", "front"];
    let hears = ["--cameras", "front", "--microphones", "front"];
    for (name, scope) in [("seer", &sees[..]), ("hearer", &hears)] {
        add_user(setup.path(), name, "viewer");
        let edit = [&["user", "edit", name, "-u", "users"], scope].concat();
        let edited = defender(setup.path(), &edit, "");
        assert!(edited.status.success(), "{}", stderr(&edited));
    }
    let server = setup.start();
    let (first, last) = recorded(&server, 60.0);
    let span = format!("from={first:.3}&to={:.3}", last - 0.5);
    for (user, hears) in [("seer", false), ("hearer", true), (USER, true)] {
        let user = format!("{user}:{PASSWORD}");
        let of =
            |what: &str| server.curl(&format!("/api/1.0/recordings/front/{what}?{span}"), &["-u", &user]);
        assert_eq!(of("sound").status, if hears { 200 } else { 404 }, "{user}");
        for (kind, marks) in [
            ("clip.mkv", &["A_PCM/INT/LIT", "A_FLAC"][..]),
            ("clip.mov", &["soun"]),
            ("clip.zip", &["sound.wav"]),
        ] {
            let clip = of(kind);
            assert_eq!(clip.status, 200, "{user}, {kind}");
            let has = |mark: &str| clip.body.windows(mark.len()).any(|part| part == mark.as_bytes());
            assert_eq!(marks.iter().any(|mark| has(mark)), hears, "{user}, {kind}");
            assert!(clip.body.len() > 100_000, "{user}, {kind}: the pictures are there");
        }
    }
}

#[test]
fn footage_stays_that_of_the_microphone_it_was_recorded_with() {
    let two = format!("{ALWAYS}[microphone.yard]\ndevice = \"test\"\nrate_hz = 16000\n");
    let setup = Setup::new().plain().sections(&two);
    add_user(setup.path(), "boss", "admin");
    for microphone in ["front", "yard"] {
        add_user(setup.path(), microphone, "viewer");
        let scope =
            ["user", "edit", microphone, "-u", "users", "--cameras", "front", "--microphones", microphone];
        let edited = defender(setup.path(), &scope, "");
        assert!(edited.status.success(), "{}", stderr(&edited));
    }
    let server = setup.start();
    let (first, last) = recorded(&server, 40.0);
    let boss = format!("boss:{PASSWORD}");
    let body = r#"{"record":{"microphone":"yard"}}"#;
    let changed = server.curl("/api/1.0/cameras/front", &["-u", &boss, "-X", "PUT", "-d", body]);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let span = format!("from={first:.3}&to={:.3}", last - 0.5);
    let answer = |user: &str, what: &str, span: &str| {
        let user = format!("{user}:{PASSWORD}");
        server.curl(&format!("/api/1.0/recordings/front/{what}?{span}"), &["-u", &user])
    };
    let has_sound = |user| {
        let clip = answer(user, "clip.mkv", &span);
        assert_eq!(clip.status, 200, "{user}");
        let has = |mark: &[u8]| clip.body.windows(mark.len()).any(|part| part == mark);
        has(b"A_FLAC") || has(b"A_PCM/INT/LIT")
    };
    let newer = wait_for("sound of the other microphone", || {
        let last = number(&stretches(&server).last()?["to"]);
        let newer = format!("from={:.3}&to={last:.3}", last - 1.0);
        (answer("yard", "sound", &newer).status == 200).then_some(newer)
    });
    assert_eq!(answer("front", "sound", &newer).status, 404);
    assert_eq!((answer("front", "sound", &span).status, answer("yard", "sound", &span).status), (200, 404));
    assert_eq!((has_sound("front"), has_sound("yard")), (true, false));
}

#[test]
fn recording_is_stopped_and_started_by_an_admin() {
    let setup = Setup::new().plain().sections(ALWAYS);
    add_user(setup.path(), "boss", "admin");
    let server = setup.start();
    recorded(&server, 20.0);
    let boss = format!("boss:{PASSWORD}");
    let put = |user: &str, body: &str| {
        server.curl("/api/1.0/services/recording", &["-u", user, "-X", "PUT", "-d", body])
    };
    assert_eq!(put(&format!("{USER}:{PASSWORD}"), r#"{"running":false}"#).status, 403);
    let stopped = put(&boss, r#"{"running":false}"#);
    assert!(stopped.text().contains(r#""stopped_by":"boss""#), "{}", stopped.text());
    wait_for("the end of recording", || {
        let status = server.get("/api/1.0/status").text();
        status.contains(r#""recording":"stopped""#).then_some(())
    });
    assert_eq!(put(&boss, r#"{"running":true}"#).status, 200);
    wait_for("a stretch after the pause", || {
        let gaps: Vec<String> =
            stretches(&server).iter().map(|found| json::to_string(&found["gap"])).collect();
        gaps.contains(&"\"stopped\"".to_owned()).then_some(())
    });
}

#[test]
fn recorded_sound_is_as_long_as_it_was() {
    let server = server(ALWAYS);
    let (first, last) = recorded(&server, 80.0);
    let path = format!("/api/1.0/recordings/front/sound?from={:.3}&to={:.3}", first + 0.5, last - 0.5);
    let answer = server.get(&path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.body.starts_with(b"RIFF"));
    // 16-bit samples at 16 kHz, behind a head of at most a kilobyte; pieces of 40 ms.
    let seconds = answer.body.len() as f64 / 32_000.0;
    assert!((seconds - (last - first - 1.0)).abs() < 0.2, "{seconds} s of {first} to {last}");
    let flac = server.get(&format!("{path}&codec=flac"));
    assert!(flac.body.starts_with(b"fLaC") && flac.body.len() < answer.body.len());
    assert_eq!(server.get("/api/1.0/recordings/front/sound").status, 400);
    assert_eq!(server.get("/api/1.0/recordings/attic/sound?from=5").status, 404);
}

#[test]
fn what_retention_will_delete_too_early_is_said_before() {
    // Room for five files, of which each is full in a few seconds.
    let sections = ALWAYS
        .replace("min_free_gb = 0", "min_free_gb = 0\nmax_gb = 0.021")
        .replace("\"always\"", "\"always\"\ndays = 14")
        .replace("width = 320\nheight = 240", "width = 640\nheight = 480\nquality = 95");
    let setup = Setup::new().plain().sections(&sections);
    add_user(setup.path(), "guest", "viewer");
    let confined =
        defender(setup.path(), &["user", "edit", "guest", "--cameras", "front", "-u", "users"], "");
    assert!(confined.status.success(), "{}", stderr(&confined));
    let server = setup.start();
    server.wait_log("footage of camera front that is 0 days old now is deleted ");
    let said = |path: &str, user: &str, field: &str| {
        let answer = server.curl(path, &["-u", &format!("{user}:{PASSWORD}")]);
        json::to_string(&document(&answer.text())[field])
    };
    for (path, field) in [("/api/1.0/recordings", "warning"), ("/api/1.0/status", "recording_warning")] {
        let text = said(path, USER, field);
        assert!(text.contains("before `days` have passed: raise max_gb or free space"), "{path}: {text}");
        assert_eq!(said(path, "guest", field), "null", "{path}, for a user who sees not all of it");
    }
    let in_s = metric(&server, "defender_footage_loss_seconds");
    assert!((1.0..604_800.0).contains(&in_s), "{in_s}");
}
