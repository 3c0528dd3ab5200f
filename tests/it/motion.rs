//! Motion at a camera that is fed with pictures: events, their footage, and what is none.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use miniserde::json::{Object, Value};

use crate::edits::{ADMIN, change};
use crate::feeder::{Feeder, drawn};
use crate::footage::{document, number, stretches};
use crate::streams::metric;
use crate::support::{Background, PASSWORD, Server, Setup, USER, add_user, wait_for};

/// What the camera sees.
const STILL: u32 = 0;
/// Somebody walks through once.
const WALK: u32 = 1;
/// Somebody walks through again and again.
const WALKS: u32 = 2;
const BRIGHT: u32 = 3;

/// Pictures of a room.
struct Room {
    still: Vec<Vec<u8>>,
    walk: Vec<Vec<u8>>,
    bright: Vec<Vec<u8>>,
}

impl Room {
    fn new(folder: &Path) -> Self {
        let noise = "noise=alls=5:allf=t";
        let room = "smptebars=size=320x240:rate=10";
        let walker = "overlay=x='40*t':y=90";
        Self {
            still: pictures(folder, "still", &format!("{room},{noise}"), 12),
            walk: pictures(
                folder,
                "walk",
                &format!("{room}[room];color=white:size=40x80:rate=10[who];[room][who]{walker},{noise}"),
                80,
            ),
            bright: pictures(folder, "bright", &format!("{room},eq=brightness=0.2,{noise}"), 12),
        }
    }

    /// Sends pictures at ten a second until Defender hangs up.
    fn send(&self, mut stream: UnixStream, scene: &AtomicU32) {
        let mut walked = 0;
        for at in 0.. {
            let pictures = match scene.load(Ordering::Relaxed) {
                WALK | WALKS => &self.walk,
                BRIGHT => &self.bright,
                _ => &self.still,
            };
            let picture = if std::ptr::eq(pictures, &self.walk) {
                walked += 1;
                if walked == self.walk.len() {
                    walked = 0;
                    let _ = scene.compare_exchange(WALK, STILL, Ordering::Relaxed, Ordering::Relaxed);
                }
                &self.walk[walked]
            } else {
                &pictures[at % pictures.len()]
            };
            if stream.write_all(picture).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn pictures(folder: &Path, name: &str, source: &str, count: u32) -> Vec<Vec<u8>> {
    drawn(folder, name, source, &["-q:v", "3"], count)
}

/// A server with a camera that sees a room.
struct World {
    server: Server,
    scene: Arc<AtomicU32>,
    _feeder: Feeder,
}

impl World {
    fn new(sections: &str) -> Self {
        let setup = Setup::new().plain();
        let room = Room::new(setup.path());
        let scene = Arc::new(AtomicU32::new(STILL));
        let seen = Arc::clone(&scene);
        let socket = setup.path().join("cam");
        let feeder = Feeder::start(&socket, move |stream, _| room.send(stream, &seen));
        add_user(setup.path(), ADMIN, "admin");
        let camera = format!("[camera.front]\ndevice = \"unix:{}\"\n{sections}", socket.display());
        Self { server: setup.sections(&camera).start(), scene, _feeder: feeder }
    }

    fn wait_detection(&self, state: &str) {
        let shown = format!("\"detection\":\"{state}\"");
        wait_for(&shown, || self.server.get("/api/1.0/cameras/front").text().contains(&shown).then_some(()));
    }

    fn show(&self, scene: u32) {
        self.scene.store(scene, Ordering::Relaxed);
    }

    /// Lets somebody walk through once.
    fn walk(&self) {
        self.show(WALK);
        wait_for("the end of the walk", || (self.scene.load(Ordering::Relaxed) == STILL).then_some(()));
    }

    fn wait_looks(&self, count: f64) {
        let looks = || metric(&self.server, "defender_looks_total{camera=\"front\"}");
        let before = looks();
        wait_for("looks", || (looks() >= before + count).then_some(()));
    }

    fn events(&self) -> Vec<Object> {
        let found = document(&self.server.get("/api/1.0/events").text());
        let Value::Array(events) = &found["events"] else { panic!("no events") };
        let object = |value: &Value| match value {
            Value::Object(object) => object.clone(),
            _ => panic!("no event"),
        };
        events.iter().map(object).collect()
    }

    /// Waits until there is an event, and each has ended.
    fn ended(&self) -> Vec<Object> {
        wait_for("the end of the event", || {
            let events = self.events();
            let is_over = |event: &Object| !matches!(event["end"], Value::Null);
            (!events.is_empty() && events.iter().all(is_over)).then_some(events)
        })
    }

    fn replayed(&self, settings: &str) -> Object {
        let login = format!("{ADMIN}:{PASSWORD}");
        let arguments = ["-u", &login, "-X", "POST", "-d", settings];
        let answer = self.server.curl("/api/1.0/cameras/front/motion/replay", &arguments);
        assert_eq!(answer.status, 200, "{}", answer.text());
        document(&answer.text())
    }
}

fn text(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        _ => "",
    }
}

fn kinds(events: &[Object]) -> Vec<&str> {
    events.iter().map(|event| text(&event["kind"])).collect()
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        _ => &[],
    }
}

const MOTION: &str = "[camera.front.motion]\n";

#[test]
fn a_walk_is_one_event_with_its_pre_roll() {
    let zone = "zones = [{ name = \"all\", points = [[0, 0], [1, 0], [1, 1], [0, 1]] }]\n";
    let record = "[record]\nsegment_mb = 4\nmin_free_gb = 0\n[camera.front.record]\nwhen = \"events\"\npre_s = 2\npost_s = 1\n";
    let world = World::new(&format!("[camera.front.motion]\n{zone}{record}"));
    world.wait_detection("watching");
    world.wait_looks(20.0);
    let file = world.server.path().join("looks");
    let mut curl = Command::new("curl");
    curl.args(["-sN", "-u", &format!("{USER}:{PASSWORD}"), "-o"]).arg(&file);
    let _live = Background::start(curl.arg(world.server.url("/api/1.0/cameras/front/motion/live")));
    wait_for("a look", || fs::read_to_string(&file).ok().filter(|text| text.contains("\"watching\"")));
    world.walk();
    let events = world.ended();
    assert_eq!(kinds(&events), ["motion"]);
    let event = &events[0];
    let sides: Vec<f64> = list(&event["area"]).iter().map(number).collect();
    // The walker is from 0.375 to 0.708 of the height, and 0.125 wide.
    assert!((0.25..0.5).contains(&sides[1]) && (0.6..0.85).contains(&sides[3]), "{sides:?}");
    assert!((0.1..0.4).contains(&(sides[2] - sides[0])), "{sides:?}");
    assert!(number(&event["score"]) > 20.0 && text(&event["zone"]) == "all", "{event:?}");
    assert!(text(&event["best"]) > text(&event["start"]) && text(&event["best"]) < text(&event["end"]));
    let listed = |zone: &str| world.server.get(&format!("/api/1.0/events?zone={zone}")).text();
    assert!(listed("all").contains("\"motion\""));
    assert_eq!(listed("door"), "{\"events\":[]}");
    let looks = fs::read_to_string(&file).unwrap();
    assert!(looks.contains("\"boxes\":[[") && looks.contains("\"width\":40,\"height\":30"), "{looks}");

    let at = wait_for("the recording", || {
        let path = format!("/api/1.0/recordings/front/frame?at={}", text(&event["start"]));
        let answer = world.server.get(&path);
        answer.field("X-Timestamp").filter(|_| answer.status == 200)
    });
    let begin = number(&stretches(&world.server)[0]["from"]);
    let pre_s = at.parse::<f64>().unwrap() - begin;
    assert!((1.0..4.0).contains(&pre_s), "{pre_s} s");

    let same = world.replayed("{\"motion\":{}}");
    let found = list(&same["events"]);
    assert_eq!((found.len(), text(&same["source"])), (1, "memory"), "{same:?}");
    let Value::Object(replayed) = &found[0] else { panic!("no event") };
    assert_eq!((text(&replayed["kind"]), text(&replayed["zone"])), ("motion", "all"));
    let larger = world.replayed("{\"motion\":{\"size_percent\":40}}");
    assert_eq!(list(&larger["events"]).len(), 0, "{larger:?}");
}

#[test]
fn a_lamp_is_no_event_and_a_walk_after_it_is() {
    let world = World::new(MOTION);
    world.wait_detection("watching");
    world.wait_looks(20.0);
    for scene in [BRIGHT, STILL] {
        world.show(scene);
        world.wait_looks(30.0);
    }
    assert_eq!(kinds(&world.events()), [""; 0]);
    world.walk();
    assert_eq!(kinds(&world.ended()), ["motion"]);
}

#[test]
fn while_it_is_disarmed_nothing_is_an_event() {
    let world = World::new("");
    let shown = world.server.get("/api/1.0/cameras/front").text();
    assert!(shown.contains("\"motion\":null") && shown.contains("\"detection\":null"), "{shown}");
    change(&world.server, "front", "{\"motion\":{\"armed\":[\"00:00-24:00\"]}}");
    world.wait_detection("watching");
    let shown = change(&world.server, "front", "{\"motion\":{\"armed\":\"never\"}}");
    assert!(shown.contains("\"armed\":\"never\""), "{shown}");
    world.wait_detection("disarmed");
    world.wait_looks(20.0);
    world.walk();
    world.wait_looks(20.0);
    assert_eq!(kinds(&world.events()), [""; 0]);
    change(&world.server, "front", "{\"motion\":{\"armed\":\"always\"}}");
    let login = format!("{ADMIN}:{PASSWORD}");
    let run = |body| {
        let answer = world.server.curl("/api/1.0/services/motion", &["-u", &login, "-X", "PUT", "-d", body]);
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    run("{\"running\":false}");
    world.wait_detection("disarmed");
    world.walk();
    world.wait_looks(20.0);
    assert_eq!(kinds(&world.events()), [""; 0]);
    run("{\"running\":true}");
    world.wait_detection("watching");
    world.walk();
    assert_eq!(kinds(&world.ended()), ["motion"]);
}

#[test]
fn a_restart_ends_an_event_as_interrupted() {
    let mut world = World::new(MOTION);
    world.wait_detection("watching");
    world.wait_looks(20.0);
    world.show(WALKS);
    wait_for("an event", || (!world.events().is_empty()).then_some(()));
    world.show(STILL);
    world.server.signal("TERM");
    assert!(world.server.wait_end().is_some());
    world.server.start_again();
    let events = world.events();
    assert_eq!(kinds(&events), ["motion"]);
    let event = &events[0];
    assert!(
        matches!(event["interrupted"], Value::Bool(true)) && !text(&event["end"]).is_empty(),
        "{event:?}"
    );
}
