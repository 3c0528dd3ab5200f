//! Each form of value and each kind of section, by a table that no real section has.

use std::path::Path;

use toml::de::DeTable;

use super::super::values::{Bound, Visit, find, insert};
use super::super::*;
use crate::base::names::joined;
use crate::config::overrides::{Override, Overrides};
use crate::config::read::Document;
use crate::config::sections::note_faults;
use crate::media::{Point, Polygon, Zone};

#[derive(Clone, Debug, Default, PartialEq)]
struct Scene {
    masks: Vec<Polygon>,
    zones: Vec<Zone>,
    stamp: String,
    rotate: u32,
    size: i64,
    on: Vec<String>,
    streams: Vec<(String, Stream)>,
    record: Option<Record>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Stream {
    fps: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Record {
    pre_s: u32,
}

static SCENE: [Setting<Scene>; 6] = [
    Setting::<Scene>::new(
        "masks",
        "Masks",
        Form::Polygons,
        |scene| scene.masks.as_slice().into(),
        |scene, value| scene.masks = value.polygons(),
    )
    .live(),
    Setting::<Scene>::new(
        "zones",
        "Zones",
        Form::Zones,
        |scene| scene.zones.as_slice().into(),
        |scene, value| scene.zones = value.zones(),
    )
    .live(),
    Setting::<Scene>::new(
        "stamp",
        "Stamp",
        Form::Text(8),
        |scene| scene.stamp.as_str().into(),
        |scene, value| scene.stamp = value.text().to_owned(),
    )
    .live(),
    Setting::<Scene>::new(
        "rotate",
        "Rotation",
        Form::Numbers(&[0, 90, 180, 270]),
        |scene| scene.rotate.into(),
        |scene, value| scene.rotate = value.number(),
    )
    .live(),
    Setting::<Scene>::new(
        "size_percent",
        "Smallest size",
        Form::Decimal(1_000..=500_000),
        |scene| Value::Decimal(scene.size),
        |scene, value| scene.size = value.ten_thousandths(),
    )
    .live(),
    Setting::<Scene>::new(
        "on",
        "Events",
        Form::Words(|| vec!["motion", "sound"]),
        |scene| scene.on.as_slice().into(),
        |scene, value| scene.on = value.texts(),
    )
    .live(),
];

static STREAM: [Setting<Stream>; 1] = [Setting::<Stream>::new(
    "fps",
    "Frames a second",
    Form::Integer(1..=30),
    |stream| stream.fps.into(),
    |stream, value| stream.fps = value.number(),
)
.live()];

static RECORD: [Setting<Record>; 1] = [Setting::<Record>::new(
    "pre_s",
    "Seconds before an event",
    Form::Integer(0..=60),
    |record| record.pre_s.into(),
    |record, value| record.pre_s = value.number(),
)
.live()];

/// The section `[camera.front]` of a file, with the sections below it.
fn read(text: &str) -> Result<Scene, Vec<String>> {
    let document = Document::new(text, Path::new("d.conf"));
    let (root, faults) = DeTable::parse_recoverable(text);
    note_faults(&document, text, faults);
    let paths = Paths { folder: Path::new("/base"), home: None };
    let root = Section::new(&document, String::new(), root.get_ref());
    let scenes = root.sections("camera", 1, |_, section| {
        let mut scene = Scene::default();
        read_all(&SCENE, &mut scene, section, &paths);
        scene.streams = section.sections("stream", 2, |name, section| {
            let mut stream = Stream::default();
            read_all(&STREAM, &mut stream, section, &paths);
            (name, stream)
        });
        scene.record = section.section("record", |section| {
            let mut record = Record::default();
            read_all(&RECORD, &mut record, section, &paths);
            record
        });
        scene
    });
    let problems = document.into_problems();
    if problems.is_empty() { Ok(scenes.into_iter().next().unwrap_or_default()) } else { Err(problems) }
}

fn each_section(scene: &mut Scene, visit: &mut Visit<'_>) {
    visit("", &mut Bound(&SCENE, scene));
    for (name, stream) in &mut scene.streams {
        visit(&format!("stream.{name}"), &mut Bound(&STREAM, stream));
    }
    if let Some(record) = &mut scene.record {
        visit("record", &mut Bound(&RECORD, record));
    }
}

fn change(scene: &mut Scene, name: &str, value: &Value) -> Result<Option<Value>, Refusal> {
    let mut changed = Err(Refusal::Unknown);
    find(name, &mut |visit| each_section(scene, visit), &mut |section, key| {
        changed = section.change(key, value);
    });
    changed
}

fn triangle() -> Polygon {
    [(1000, 2000), (4000, 0), (10_000, 10_000)].map(|(x, y)| Point { x, y }).to_vec()
}

const FULL: &str = "[camera.front]\nmasks = [[[0.1, 0.2], [0.4, 0], [1, 1.0]]]\n\
                    zones = [{ name = \"door\", points = [[0.1, 0.2], [0.4, 0], [1, 1]] }]\n\
                    stamp = \"%H:%M \u{e4}\"\nrotate = 270\nsize_percent = 0.5\non = [\"sound\", \"motion\"]\n\
                    [camera.front.stream.small]\nfps = 5\n[camera.front.stream.tiny]\nfps = 1\n\
                    [camera.front.record]\npre_s = 10\n";

#[test]
fn each_form_is_read_and_shown_as_it_was_written() {
    let scene = read(FULL).unwrap();
    let expected = Scene {
        masks: vec![triangle()],
        zones: vec![Zone { name: "door".to_owned(), points: triangle() }],
        stamp: "%H:%M \u{e4}".to_owned(),
        rotate: 270,
        size: 5000,
        on: vec!["sound".to_owned(), "motion".to_owned()],
        streams: vec![("small".to_owned(), Stream { fps: 5 }), ("tiny".to_owned(), Stream { fps: 1 })],
        record: Some(Record { pre_s: 10 }),
    };
    assert_eq!(scene, expected);
    let shown: String =
        SCENE.iter().map(|setting| format!("{} = {}\n", setting.key, setting.get(&scene))).collect();
    let again = read(&format!("[camera.front]\n{shown}")).unwrap();
    assert_eq!(again, Scene { streams: Vec::new(), record: None, ..expected });
    assert_eq!(read("[camera.front]\nmasks = []\n").unwrap(), Scene::default());
}

#[test]
fn each_mistake_names_its_line_its_key_and_what_was_expected() {
    let many = format!("masks = [{}]", "[[0, 0], [0, 1], [1, 0]],".repeat(33));
    let corners = format!("masks = [[{}]]", "[0, 0.5], ".repeat(33));
    let rows: &[(&str, &[&str])] = &[
        (
            "masks = 1",
            &["d.conf:2:9: masks in [camera.front] is 1; expected a list of polygons such as [[[0.1"],
        ),
        (
            "masks = [\n[[0, 0], [0, 1], [1, 0]],\n [[0, 0], [1, 1]]]",
            &["d.conf:4:2: masks in [camera.front]: polygon 2 has 2 points; expected 3 to 32"],
        ),
        (
            "masks = [[[0, 0], [0, 1], [1, 0]], [[0, 0], [0, 1],\n[1, 1.5]]]",
            &[
                "d.conf:3:1: masks in [camera.front]: point 3 of polygon 2 is [1, 1.5]; expected [x, y] with two",
            ],
        ),
        ("masks = [[[0, 0], [0, 1, 2], [1, 0]]]", &["point 2 of polygon 1 is [0, 1, 2]"]),
        ("masks = [[0, 0]]", &["polygon 1 has 2 points"]),
        ("masks = [7]", &["d.conf:2:10: ", "polygon 1 is 7; expected a list of points [x, y]"]),
        (&many, &["there are 33 polygons; expected at most 32"]),
        (&corners, &["polygon 1 has 33 points"]),
        ("zones = [[[0, 0]]]", &["zone 1 is [[0, 0]]; expected a table such as { name = \"door\""]),
        (
            "zones = [{ name = \"a b\", points = [] }]",
            &["zone 1 has the name \"a b\"; expected a name of 1 to 32"],
        ),
        ("zones = [{ points = [] }]", &["zone 1 has no name"]),
        ("zones = [{ name = \"a\" }]", &["zone 1 has no points; expected points = [[x, y], ...]"]),
        ("zones = [{ name = \"a\", pionts = [] }]", &["unknown key `pionts`", "did you mean `points`?"]),
        (
            "zones = [{ name = \"a\", points = [[0, 0], [0, 1], [1, 0]] },\n\
             { name = \"A\", points = [[0, 0], [0, 1], [1, 0]] }]",
            &["d.conf:3:1: zones in [camera.front]: zone 2 is the second named \"A\""],
        ),
        ("zones = [{ name = \"a\", points = [[0, 0]] }]", &["zone \"a\" has 1 points; expected 3 to 32"]),
        ("stamp = \"123456789\"", &["expected text of at most 8 characters on one line"]),
        ("stamp = \"a\\nb\"", &["expected text of at most 8 characters on one line"]),
        ("rotate = 45", &["d.conf:2:10: rotate in [camera.front] is 45; expected one of 0, 90, 180, 270"]),
        ("rotate = \"90\"", &["is \"90\"; expected one of 0, 90"]),
        ("size_percent = 0.05", &["is 0.05; expected a number from 0.1 to 50.0"]),
        ("size_percent = 51", &["is 51; expected a number from 0.1 to 50.0"]),
        ("size_percent = nan", &["is nan; expected a number"]),
        (
            "on = [\"motion\",\n\"door\"]",
            &[
                "d.conf:3:1: on in [camera.front]: entry 2 is \"door\"; expected a list of some of \"motion\", \"sound\"",
            ],
        ),
        ("on = \"motion\"", &["on in [camera.front] is \"motion\"; expected a list of some of"]),
        ("record = 1", &["record is a section: write [camera.front.record]"]),
        ("record = { pre = 1 }", &["unknown key `pre` in [camera.front.record]"]),
        (
            "stream = { fps = 1 }",
            &["`fps` in [camera.front.stream] is not a section: write [camera.front.stream.NAME]"],
        ),
        ("[camera.front.stream.\"a b\"]", &["stream name `a b`; expected 1 to 32 letters"]),
        ("[camera.front.stream.a]\n[camera.front.stream.A]", &["d.conf:3:22: a second stream is named `A`"]),
        (
            "[camera.front.stream.a]\nfps = 31",
            &["d.conf:3:7: fps in [camera.front.stream.a] is 31; expected a whole"],
        ),
        (
            "[camera.front.stream.a]\n[camera.front.stream.b]\n[camera.front.stream.c]",
            &["3 sections [camera.front.stream.NAME]; expected at most 2"],
        ),
    ];
    for (lines, parts) in rows {
        let messages = read(&format!("[camera.front]\n{lines}\n")).expect_err(lines).join("\n");
        for part in *parts {
            assert!(messages.contains(part), "{part:?} is missing for {lines:?}: {messages}");
        }
    }
}

#[test]
fn overrides_hold_each_form_and_reach_each_section() {
    let full = read(FULL).unwrap();
    let mut names = Vec::new();
    each_section(&mut full.clone(), &mut |section, values| {
        names.extend(values.rows().into_iter().map(|row| (joined(section, &row.key), row.value)));
    });
    assert_eq!(names.len(), SCENE.len() + 3, "{names:?}");
    let mut written = Overrides::default();
    for (name, value) in &names {
        written.set(Override::new(joined("camera.front", name), value.clone(), "ada"));
    }
    let read_back = Overrides::parse(&written.to_bytes());
    assert!(read_back.problems().next().is_none(), "{read_back:?}");
    let mut scene = Scene {
        streams: vec![("small".to_owned(), Stream::default()), ("tiny".to_owned(), Stream::default())],
        record: Some(Record::default()),
        ..Scene::default()
    };
    for saved in read_back.iter() {
        let name = saved.name.strip_prefix("camera.front.").unwrap();
        assert!(change(&mut scene, name, &saved.value).is_ok(), "{saved}");
    }
    assert_eq!(scene, full);
}

#[test]
fn a_change_gives_the_value_before_or_leaves_it() {
    let mut scene = read(FULL).unwrap();
    assert_eq!(change(&mut scene, "stream.tiny.fps", &7_u32.into()), Ok(Some(1_u32.into())));
    assert_eq!(change(&mut scene, "rotate", &0_u32.into()), Ok(Some(270_u32.into())));
    let before = scene.clone();
    for name in ["stream.huge.fps", "stream.tiny.pre_s", "record", "record.pre_s.x", "fps"] {
        assert_eq!(change(&mut scene, name, &1_u32.into()), Err(Refusal::Unknown), "{name}");
    }
    let refused = change(&mut scene, "masks", &Value::List(vec![Value::List(Vec::new())])).unwrap_err();
    assert_eq!(refused.to_string(), "polygon 1 has 0 points; expected 3 to 32");
    assert_eq!(scene, before);
}

#[test]
fn values_of_inner_sections_are_tables() {
    let mut values = Vec::new();
    each_section(&mut read(FULL).unwrap(), &mut |section, settings| {
        let rows = settings.rows().into_iter().filter(|row| row.key.ends_with('s'));
        insert(&mut values, section, rows.map(|row| (row.key, row.value)).collect());
    });
    values.retain(|(key, _)| !["masks", "zones"].contains(&key.as_str()));
    let shown = Value::Table(values).to_string();
    assert_eq!(shown, "{ stream = { small = { fps = 5 }, tiny = { fps = 1 } }, record = { pre_s = 10 } }");
}
