//! A real driver's controls, listed and set while it streams.

use std::fs;

use crate::devices::VIVID;
use crate::page::Page;
use crate::server::{Picture, Server};
use crate::vm::{self, wait_for};

const CAMERA: &str = "[camera.front]\ndevice = \"/dev/video0\"\nformat = \"yuyv\"\nwidth = 320\nheight = 180\n\
                      fps = 5\n";

const PATH: &str = "/api/1.0/cameras/front";

fn brightness(picture: &Picture) -> f64 {
    picture.pixels.iter().map(|byte| f64::from(*byte)).sum::<f64>() / picture.pixels.len() as f64
}

/// The controls in the overrides file, as `NAME = VALUE`.
fn saved(server: &Server) -> Vec<String> {
    let text = fs::read_to_string(server.folder().join("overrides.conf")).expect("there");
    let lines = text.lines().filter_map(|line| line.strip_prefix("camera.front.controls."));
    let row = |line: &str| Some(line.split_once(',')?.0.replace("{ value = ", ""));
    lines.filter_map(row).collect()
}

#[test]
fn every_control_is_listed_and_odd_kinds_do_no_harm() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    let (status, text) = server.get(PATH);
    assert_eq!(status, 200, "{text}");
    // vivid has controls of every kind, strings, arrays, 64 bits and rectangles among them.
    for part in [
        r#""name":"brightness","label":"Brightness","kind":"integer","min":0,"max":255,"step":1,"default":128"#,
        r#""kind":"boolean""#,
        r#""kind":"button""#,
        r#""name":"test_pattern","label":"Test Pattern","kind":"menu""#,
        r#"{"value":1,"name":"100% Colorbar"}"#,
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains(r#""label":"String""#), "{text}");
}

#[test]
fn a_control_changes_the_picture_at_once_for_a_viewer() {
    let vm = vm::lock();
    vm.set_controls("brightness=128");
    let server = Server::start(&vm, CAMERA);
    let mut viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    let before = brightness(&server.snapshot());
    server.wait_log("320x180 yuyv");
    let started = server.log().matches("320x180 yuyv").count();
    let (status, text) = server.put(PATH, r#"{"controls":{"brightness":250}}"#);
    assert_eq!((status, text.contains(r#""default":128,"value":250"#)), (200, true), "{text}");
    wait_for("a brighter picture", || (brightness(&server.snapshot()) > before + 30.0).then_some(()));
    assert!(viewer.is_watching());
    assert_eq!(server.log().matches("320x180 yuyv").count(), started, "the camera was not started anew");
}

#[test]
fn a_slider_of_the_page_changes_the_picture() {
    let vm = vm::lock();
    vm.set_controls("brightness=128");
    let server = Server::start(&vm, CAMERA);
    let before = brightness(&server.snapshot());
    let mut page = Page::open(&vm, "slider.js", &["250"]);
    page.wait_said("200");
    page.wait_end();
    wait_for("a brighter picture", || (brightness(&server.snapshot()) > before + 30.0).then_some(()));
}

#[test]
fn a_control_survives_unplugging_and_a_saved_one_a_restart() {
    let vm = vm::lock();
    vm.set_controls("contrast=128,saturation=128");
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    assert_eq!(server.put(PATH, r#"{"controls":{"contrast":20}}"#).0, 200);
    assert_eq!(server.put(PATH, r#"{"controls":{"saturation":30},"save":true}"#).0, 200);
    vm.unplug();
    server.wait_status("\"online\":false");
    vm.plug();
    server.wait_status("\"online\":true");
    let value = |name: &str| vm.run_ok(&format!("v4l2-ctl -d {VIVID} -C {name}"));
    assert_eq!(value("contrast").trim(), "contrast: 20", "the driver began with its own");
    assert_eq!(saved(&server), ["saturation = 30"]);
    drop(server);
    vm.set_controls("saturation=128");
    let server = Server::start(&vm, &format!("{CAMERA}controls = {{ saturation = 30, contrst = 1 }}\n"));
    server.snapshot();
    assert_eq!(value("saturation").trim(), "saturation: 30");
    server.wait_log("contrst: the camera has no such control; it has: ");
    vm.set_controls("contrast=128,saturation=128");
}

#[test]
fn an_automatic_is_switched_before_what_it_governs() {
    let vm = vm::lock();
    vm.set_controls("gain_automatic=1");
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    let value = |name: &str| vm.run_ok(&format!("v4l2-ctl -d {VIVID} -C {name}"));
    // By name the gain would come first, and be forgotten when the automatic is switched off.
    let (status, text) = server.put(PATH, r#"{"controls":{"gain":222,"gain_automatic":0},"save":true}"#);
    assert_eq!(status, 200, "{text}");
    assert_eq!((value("gain_automatic").trim(), value("gain").trim()), ("gain_automatic: 0", "gain: 222"));
    vm.unplug();
    server.wait_status("\"online\":false");
    vm.plug();
    server.wait_status("\"online\":true");
    assert_eq!((value("gain_automatic").trim(), value("gain").trim()), ("gain_automatic: 0", "gain: 222"));
    let mut saved = saved(&server);
    saved.sort();
    assert_eq!(saved, ["gain = 222", "gain_automatic = 0"]);
    drop(server);
    vm.set_controls("gain_automatic=1");
    // Written by hand in the other order.
    let controls = "controls = { gain = 111, gain_automatic = 0 }\n";
    let server = Server::start(&vm, &format!("{CAMERA}{controls}"));
    server.snapshot();
    assert_eq!((value("gain_automatic").trim(), value("gain").trim()), ("gain_automatic: 0", "gain: 111"));
    vm.set_controls("gain_automatic=1");
}

#[test]
fn a_control_that_cannot_be_set_or_saved_leaves_the_others() {
    let vm = vm::lock();
    vm.set_controls("brightness=128,contrast=128");
    let brightness = || vm.run_ok(&format!("v4l2-ctl -d {VIVID} -C brightness"));
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    for body in [
        r#"{"controls":{"brightness":9,"saturation":256},"save":true}"#,
        r#"{"controls":{"brightness":9,"nothing_such":1},"fps":3}"#,
    ] {
        let (status, text) = server.put(PATH, body);
        assert_eq!((status, brightness().trim()), (409, "brightness: 128"), "{text}");
    }
    assert!(!server.folder().join("overrides.conf").exists());
    // In the way of the new file, as a full disk is.
    fs::create_dir_all(server.folder().join("overrides.conf.new/x")).expect("made");
    let (status, text) = server.put(PATH, r#"{"controls":{"brightness":9},"save":true}"#);
    assert_eq!((status, text.contains("nothing was changed")), (409, true), "{text}");
    assert_eq!(brightness().trim(), "brightness: 128");
}

#[test]
fn several_controls_are_saved_and_a_button_never_is() {
    let vm = vm::lock();
    vm.set_controls("brightness=128,hue=0");
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    for body in [
        r#"{"controls":{"button":1,"hue":20},"save":true}"#,
        r#"{"controls":{"brightness":100,"contrast":99},"save":true}"#,
        r#"{"controls":{"hue":21,"button":1}}"#,
        r#"{"save":true}"#,
    ] {
        let (status, text) = server.put(PATH, body);
        assert_eq!(status, 200, "{body}: {text}");
    }
    assert_eq!(saved(&server), ["hue = 21", "brightness = 100", "contrast = 99"]);
    fs::remove_file(server.folder().join("overrides.conf")).expect("it was there");
    drop(server);
    let server = Server::start(&vm, &format!("{CAMERA}controls = {{ button = 1 }}\n"));
    server.snapshot();
    server.wait_log("button: a button is not pressed at a start");
    drop(server);
    vm.set_controls("brightness=128,contrast=128,hue=0");
}

#[test]
fn a_value_the_driver_refuses_is_answered_with_good_ones() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    server.snapshot();
    for (body, why) in [
        (r#"{"controls":{"brightness":256}}"#, "brightness: 256; expected 0 to 255"),
        (r#"{"controls":{"brihtness":1}}"#, "brihtness: the camera has no such control; it has: "),
        (r#"{"controls":{"test_pattern":99}}"#, "expected one of 0 (75% Colorbar)"),
    ] {
        let (status, text) = server.put(PATH, body);
        assert_eq!((status, text.contains(why)), (409, true), "{body}: {text}");
    }
}
