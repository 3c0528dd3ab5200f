//! What the tables say is what the documents say.

mod forms;

use std::fmt;
use std::path::Path;

use super::*;
use crate::config::Config;
use crate::media::{MotionChoice, NoiseChoice, RecordChoice};

/// The lines of a section of the shipped defender.conf, without `# ` where it is commented out.
fn shipped(section: &str) -> String {
    let text = include_str!("../../../../defender.conf");
    let (_, rest) = text.split_once(&format!("[{section}]\n")).expect(section);
    let lines = rest.split("\n[").next().unwrap_or_default().lines();
    lines.map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

fn assert_lists<S>(table: &[Setting<S>], section: &str) {
    let lines = shipped(section);
    for setting in table {
        let has_it = lines.lines().any(|line| line.split(" = ").next() == Some(setting.key));
        assert!(has_it, "defender.conf does not list {} in [{section}]", setting.key);
        assert!(!setting.label.is_empty(), "{}", setting.key);
    }
}

#[test]
fn the_shipped_defender_conf_lists_each_setting() {
    assert_lists(&CAMERA, "camera.front");
    assert_lists(&MICROPHONE, "microphone.front");
    assert_lists(&SERVER, "server");
    assert_lists(&RECORD, "record");
    assert_lists(&CAMERA_RECORD, "camera.front.record");
    assert_lists(&CAMERA_MOTION, "camera.front.motion");
    assert_lists(&MICROPHONE_NOISE, "microphone.front.noise");
}

#[test]
fn each_setting_takes_its_own_value_and_no_other_kind() {
    fn check<S: Clone + PartialEq + fmt::Debug>(table: &[Setting<S>], defaults: &S) {
        for setting in table.iter().filter(|setting| !matches!(setting.form, Form::FileOnly)) {
            let (mut changed, value) = (defaults.clone(), setting.get(defaults));
            assert_eq!(setting.set(&mut changed, &value), Ok(()), "{}", setting.key);
            assert_eq!(changed, *defaults, "{}", setting.key);
            let wrong = [Value::Integer(-1), Value::Integer(i64::MAX), Value::Table(Vec::new())];
            for value in wrong {
                assert!(setting.set(&mut changed, &value).is_err(), "{} {value}", setting.key);
            }
            assert_eq!(changed, *defaults, "{}", setting.key);
        }
    }
    check(&CAMERA, &default_camera("front".to_owned()));
    check(&MICROPHONE, &default_microphone("front".to_owned()));
    let config = Config::of_text("", Path::new("d.conf")).unwrap();
    check(&SERVER, &config.server);
    check(&RECORD, &config.record);
    let not_off = RecordChoice { is_on: true, is_own_sound: false, ..RecordChoice::default() };
    check(&CAMERA_RECORD, &not_off);
    check(&CAMERA_MOTION, &MotionChoice { is_on: true, ..MotionChoice::default() });
    check(&MICROPHONE_NOISE, &NoiseChoice { is_on: true, ..NoiseChoice::default() });
}

#[test]
fn a_value_that_is_set_is_the_value_in_force() {
    let mut camera = default_camera("front".to_owned());
    let values: [(_, Value); 5] = [
        ("width", 16_u32.into()),
        ("fps", 240_u32.into()),
        ("quality", 1_u32.into()),
        ("chroma", "420".into()),
        ("on_demand", true.into()),
    ];
    for (key, value) in values {
        let setting = CAMERA.iter().find(|setting| setting.key == key).expect(key);
        setting.set(&mut camera, &value).unwrap();
        assert_eq!(setting.get(&camera), value, "{key}");
    }
}

#[test]
fn the_man_page_names_each_setting_that_can_be_changed() {
    let page = include_str!("../../../../packaging/defender.1");
    let cameras = CAMERA.iter().filter(|setting| setting.is_live).map(|setting| setting.key);
    let servers = SERVER.iter().filter(|setting| setting.is_live).map(|setting| setting.key);
    let records = CAMERA_RECORD.iter().filter(|setting| setting.is_live).map(|setting| setting.key);
    let motions = CAMERA_MOTION.iter().map(|setting| setting.key);
    for key in cameras.chain(servers).chain(records).chain(motions) {
        assert!(page.contains(&format!(".IR {key} ")) || page.contains(&format!(".I {key}\n")), "{key}");
    }
}
