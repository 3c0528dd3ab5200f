//! What an overrides file says, what damages do to it, and what of it is in force.

use std::fs;
use std::path::Path;

use super::*;
use crate::config::{Config, ConfigError, Flags};

const CONF: &str = "[camera.front]\nfps = 30\nwidth = 320\ncontrols = { hue = 1, gain = 2 }\n";

/// A store in a folder of its own, and what CONF says.
fn ground() -> (tempfile::TempDir, Store, Config) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::beside(&folder.path().join("users"));
    let config = Config::of_text(CONF, Path::new("d.conf")).unwrap();
    (folder, store, config)
}

fn applied(store: &Store, config: &Config) -> Config {
    let mut config = config.clone();
    config.apply_overrides(store, &Flags::default());
    config
}

#[test]
fn overrides_are_read_as_they_were_written() {
    let (_folder, store, _) = ground();
    let mut before = Overrides::default();
    for (name, value) in [
        ("camera.front.fps", Value::from(9_u32)),
        ("camera.yard.controls.odd \" name.with.dots", Value::from(-3)),
        ("server.log_level", Value::from("warn")),
        ("camera.front.on_demand", Value::Boolean(true)),
        ("camera.front.fps", Value::from(8_u32)),
    ] {
        before.set(Override::new(name.to_owned(), value, "ada \"the\\admin\u{7}"));
    }
    store.write(&before).unwrap();
    let after = store.read().unwrap();
    assert!(before.iter().eq(after.iter()), "{after:?}");
    assert_eq!(after.iter().count(), 4);
    let text = String::from_utf8(after.to_bytes()).unwrap();
    assert!(
        text.starts_with("# Written by Defender") && text.contains("\ncamera.front.fps = { value = 8, by = ")
    );
    assert!(toml::de::DeTable::parse(&text).is_ok(), "the file as a whole is TOML: {text}");
}

#[test]
fn the_file_is_private_and_gone_when_it_says_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store, _) = ground();
    let mut overrides = Overrides::default();
    overrides.set(Override::new("camera.front.fps".to_owned(), Value::from(9_u32), "ada"));
    store.write(&overrides).unwrap();
    assert_eq!(fs::metadata(store.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(overrides.remove("camera.front.fps") && !overrides.remove("camera.front.fps"));
    store.write(&overrides).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    store.write(&overrides).unwrap();
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let (folder, store, _) = ground();
    fs::write(store.file(), "camera.front.fps = 9\n").unwrap();
    // What is in the way of the new file cannot be removed.
    fs::create_dir_all(folder.path().join("overrides.conf.new/x")).unwrap();
    let mut overrides = store.read().unwrap();
    overrides.set(Override::new("camera.front.fps".to_owned(), Value::from(1_u32), "ada"));
    assert!(store.write(&overrides).is_err());
    assert_eq!(fs::read_to_string(store.file()).unwrap(), "camera.front.fps = 9\n");
}

#[test]
fn a_second_line_for_a_name_goes_with_the_first() {
    let (_folder, store, _) = ground();
    fs::write(store.file(), "camera.front.fps = 7\ncamera.front.fps = 9\ncamera.front.width = 64\n").unwrap();
    let mut overrides = store.read().unwrap();
    assert!(overrides.remove("camera.front.fps"));
    store.write(&overrides).unwrap();
    let left = fs::read_to_string(store.file()).unwrap();
    assert!(!left.contains("fps") && left.contains("width"), "{left}");
}

#[test]
fn comments_behind_overrides_stay() {
    let (_folder, store, _) = ground();
    let text = "# top\ncamera.front.fps = 7 # slow \"bus\"\r\ncamera.front.width = { value = 64 } \t# a # b\n\
                server.log_level = \"#warn\" # why\n";
    fs::write(store.file(), text).unwrap();
    let mut overrides = store.read().unwrap();
    overrides.set(Override::new("camera.front.height".to_owned(), Value::from(64_u32), "ada"));
    store.write(&overrides).unwrap();
    let written = fs::read_to_string(store.file()).unwrap();
    assert!(written.starts_with(text), "lines that are not changed stay as they are: {written}");
    for name in ["camera.front.fps", "server.log_level"] {
        overrides.set(Override { by: None, at: None, ..Override::new(name.to_owned(), 9_u32.into(), "ada") });
    }
    store.write(&overrides).unwrap();
    let written = fs::read_to_string(store.file()).unwrap();
    assert!(written.contains("\ncamera.front.fps = { value = 9 } # slow \"bus\"\r\n"), "{written}");
    assert!(written.contains("\nserver.log_level = { value = 9 } # why\n"), "{written}");
    assert_eq!(store.read().unwrap(), overrides);
}

#[test]
fn one_editor_at_a_time_has_the_store() {
    let (folder, store, _) = ground();
    let locked = store.lock().unwrap();
    let second = fs::File::open(folder.path()).unwrap();
    assert!(second.try_lock().is_err());
    let mut overrides = locked.read().unwrap();
    overrides.set(Override::new("camera.front.fps".to_owned(), Value::from(9_u32), "ada"));
    locked.write(&overrides).unwrap();
    drop(locked);
    assert!(second.try_lock().is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock file is left");
}

#[test]
fn a_byte_order_mark_is_no_damage() {
    let (_folder, store, config) = ground();
    fs::write(store.file(), "\u{feff}# by hand\ncamera.front.fps = 7\n").unwrap();
    let config = applied(&store, &config);
    assert_eq!((config.cameras[0].fps, config.warnings.len()), (7, 0), "{:?}", config.warnings);
}

#[test]
fn a_damaged_line_costs_one_override_and_stays() {
    let (_folder, store, config) = ground();
    let text =
        b"# mine\ncamera.front.fps = { value = \ncamera.front.width = 160 # by hand\r\n[camera.front]\n\
                 camera.front.width = 99\n\xff\xfe\nx = 1.5\n";
    fs::write(store.file(), text).unwrap();
    let laid = applied(&store, &config);
    assert_eq!((laid.cameras[0].fps, laid.cameras[0].width), (30, 160));
    assert_eq!(laid.warnings.len(), 5, "{:?}", laid.warnings);
    for (warning, place) in laid.warnings.iter().zip(["conf:2:", "conf:4:", "conf:5:", "conf:6:", "conf:7:"])
    {
        assert!(warning.contains(place) && warning.contains("mend or remove it"), "{warning}");
    }
    let mut overrides = store.read().unwrap();
    overrides.remove("camera.front.width");
    store.write(&overrides).unwrap();
    let left = fs::read(store.file()).unwrap();
    let expected = String::from_utf8_lossy(text).replace("camera.front.width = 160 # by hand\r\n", "");
    // The second line for a name goes with the first.
    let expected = expected.replace("camera.front.width = 99\n", "");
    assert_eq!(String::from_utf8_lossy(&left), expected);
}

#[test]
fn what_the_configuration_does_not_allow_is_ignored_and_stays() {
    let (_folder, store, config) = ground();
    let lines = [
        ("camera.gone.fps = 1", "defender.conf has no [camera.gone]"),
        ("camera.front.fps = 0", "expected a whole number from 1 to 240"),
        ("camera.front.width = \"wide\"", "expected a whole number from 16 to 8192"),
        ("camera.front.device = \"test\"", "no such setting"),
        ("camera.front.tilt = 90", "no such setting"),
        ("camera.front.controls.gain = 99999999999", "32 bits"),
        ("server.port = 1", "no such setting"),
        ("server.log_level = \"loud\"", "expected one of \"off\", \"error\""),
        ("microphone.front.rate_hz = 8000", "defender.conf has no [microphone.front]"),
    ];
    let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    fs::write(store.file(), &text).unwrap();
    let laid = applied(&store, &config);
    assert_eq!((&laid.cameras, &laid.server), (&config.cameras, &config.server));
    for ((line, why), (overridden, warning)) in lines.iter().zip(laid.overrides.iter().zip(&laid.warnings)) {
        assert!(overridden.problem.as_ref().unwrap().contains(why), "{line}: {overridden}");
        assert!(warning.contains(line) && warning.contains(why), "{line}: {warning}");
    }
    assert_eq!(fs::read_to_string(store.file()).unwrap(), text);
}

#[test]
fn overrides_are_in_force_and_say_what_they_change() {
    let (_folder, store, config) = ground();
    let text = "server.log_level = { value = \"warn\", by = \"eve\" }\n\
                camera.front.fps = { value = 15, by = \"ada\", at = \"2026-03-01T12:00:00Z\" }\n\
                camera.front.controls.gain = 3\ncamera.front.controls.focus = 9\n";
    fs::write(store.file(), text).unwrap();
    let laid = applied(&store, &config);
    let shown: Vec<_> = laid.overrides.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "server.log_level = \"warn\" (by eve; defender.conf: \"info\")",
            "camera.front.fps = 15 (by ada at 2026-03-01T12:00:00Z; defender.conf: 30)",
            "camera.front.controls.gain = 3 (by version 0.1.0 or by hand; defender.conf: 2)",
            "camera.front.controls.focus = 9 (by version 0.1.0 or by hand; not in defender.conf)",
        ]
    );
    let controls = [("hue", 1), ("gain", 3), ("focus", 9)].map(|(name, value)| (name.to_owned(), value));
    assert_eq!(laid.cameras[0].controls, controls);
    assert!(laid.warnings.is_empty(), "{:?}", laid.warnings);
    let mut louder = config.clone();
    louder.apply_overrides(&store, &Flags { debug: true, ..Flags::default() });
    assert_eq!(louder.server.log_level, log::LevelFilter::Debug);
}

#[test]
fn what_version_0_1_0_saved_is_moved_over() {
    let (folder, store, config) = ground();
    let kept = folder.path().join("kept.conf");
    fs::write(store.file(), "camera.front.fps = 9\ncamera.front.width = 160\n").unwrap();
    let text = "# Written by Defender\n\n[server]\nlog_level = \"warn\"\n\n[camera.front]\nfps = 7\n\n\
                [camera.front.controls]\n\"odd \\\" name\" = -1\n";
    fs::write(&kept, text).unwrap();
    let before = applied(&store, &config);
    assert!(kept.exists(), "reading moves nothing");
    let moved = store.move_former().unwrap().unwrap();
    assert!(moved.contains("kept.conf") && moved.contains("overrides.conf"), "{moved}");
    assert!(!kept.exists());
    assert_eq!(store.move_former(), Ok(None), "once");
    let after = applied(&store, &config);
    assert_eq!((before.cameras, before.server.log_level), (after.cameras.clone(), log::LevelFilter::Warn));
    assert_eq!((after.cameras[0].fps, after.cameras[0].width), (7, 160));
    assert_eq!(after.cameras[0].controls[2], ("odd \" name".to_owned(), -1));
}

#[test]
fn a_damaged_file_of_version_0_1_0_is_named_and_stays() {
    let (folder, store, config) = ground();
    let kept = folder.path().join("kept.conf");
    for (text, why) in [
        ("[camera.front]\nfps = 7\nfps = = 8\n", "kept.conf:3:"),
        ("[camera.front]\nfps = [7]\n", "kept.conf:2:7: camera.front.fps is no setting"),
    ] {
        fs::write(&kept, text).unwrap();
        let laid = applied(&store, &config);
        assert_eq!(laid.cameras, config.cameras);
        assert!(laid.warnings[0].contains(why), "{:?}", laid.warnings);
        assert_eq!(store.move_former(), Ok(None));
        let mut overrides = store.read().unwrap();
        overrides.set(Override::new("camera.front.fps".to_owned(), Value::from(9_u32), "ada"));
        store.write(&overrides).unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), text);
        fs::remove_file(store.file()).unwrap();
    }
}

/// Whether the whole picture of the first camera is masked.
fn is_covered(config: &Config) -> bool {
    let corners: Vec<_> =
        config.cameras[0].edits.masks.iter().flatten().map(|point| (point.x, point.y)).collect();
    let full = crate::media::Point::FULL;
    corners == [(0, 0), (full, 0), (full, full), (0, full)]
}

#[test]
fn saved_masks_that_cannot_be_read_cover_everything() {
    let (_folder, store, config) = ground();
    for line in [
        "camera.front.masks = { value = [[[0.1,0.1],[0.5,0.1],[0.5,",
        "camera.front.masks = [[[0,0],[1,1]]]",
        "camera.front.masks = 7",
        "camera.\"front\".masks = {{",
        "camera.front.masks\0\0\0",
    ] {
        fs::write(store.file(), format!("camera.front.fps = 7\n{line}\n")).unwrap();
        let laid = applied(&store, &config);
        assert!(is_covered(&laid) && laid.cameras[0].fps == 7, "{line}: {:?}", laid.warnings);
        assert!(laid.warnings.iter().any(|warning| warning.contains("front: its whole picture")), "{line}");
        // Masks that are saved again take their place.
        let mut overrides = store.read().unwrap();
        let none = Value::List(Vec::new());
        overrides.set(Override::new("camera.front.masks".to_owned(), none, "ada"));
        store.write(&overrides).unwrap();
        assert_eq!(applied(&store, &config).warnings, Vec::<String>::new(), "{line}");
    }
    for line in ["camera.other.masks = 7", "camera.front.fps = {", "# camera.front.masks = {"] {
        fs::write(store.file(), line).unwrap();
        assert!(!is_covered(&applied(&store, &config)), "{line}");
    }
    fs::write(store.file(), "camera.front.masks = []\ncamera.front.masks = {").unwrap();
    assert!(!is_covered(&applied(&store, &config)), "the first one is in force");
}

#[test]
fn no_link_leads_elsewhere_and_no_pipe_makes_it_wait() {
    let (folder, store, config) = ground();
    let other = folder.path().join("other");
    fs::write(&other, "camera.front.fps = 9\n").unwrap();
    std::os::unix::fs::symlink(&other, store.file()).unwrap();
    assert!(matches!(store.read(), Err(ConfigError::Read(..))));
    let laid = applied(&store, &config);
    assert!(
        laid.cameras[0].fps == config.cameras[0].fps && laid.warnings[0].contains("no override is in force")
    );
    assert!(is_covered(&laid), "there may be masks in it");
    fs::remove_file(store.file()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, store.file(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(store.read(), Err(ConfigError::Read(..))));
}
