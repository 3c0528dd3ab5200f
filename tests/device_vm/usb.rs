//! Webcams at the USB bus, with the kernel's own `uvcvideo` and `snd-usb-audio` as their drivers, and udev.

use crate::page::Page;
use crate::server::{DEFENDER, Picture, Server, bring_binary};
use crate::soundcard::heard;
use crate::usb_bus::{Bus, by_id};
use crate::usb_device::{self, Plan, TONE_HZ};
use crate::vm::{self, GUEST_WORK, wait_for};

const MODE: &str = "width = 320\nheight = 240\nfps = 5\n";

const PATH: &str = "/api/1.0/cameras/front";

#[test]
#[ignore = "other tests run it: it is the webcam"]
fn as_a_device() {
    usb_device::run(Plan::of_the_environment());
}

#[test]
fn auto_takes_the_picture_node_whatever_its_number() {
    let vm = vm::lock();
    vm.unplug(); // vivid, which would be the first
    let bus = Bus::new(&vm);
    let server = Server::start(&vm, &format!("[camera.front]\n{MODE}"));
    server.wait_status("no camera found");
    let mut viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    let camera = bus.plug(0, "serial=A1 red");
    wait_for("a red picture", || is_red(&server.snapshot()).then_some(()));
    server.wait_log("(Test Camera): 320x240 mjpeg at 5 fps");
    assert!(!server.log().contains("time stamps"), "the driver's are of use:\n{}", server.log());

    let (node, metadata_node) = (camera.node(), camera.metadata_node());
    let listed = vm.run_ok(&format!("{DEFENDER} --list-devices"));
    for part in [
        &format!("{node}  Test Camera (uvcvideo)\n  {}\n", by_id("_A1")),
        "MJPG Motion-JPEG\n    320x240 at 30, 15, 5, 1 fps\n    640x480 at",
        "YUYV",
    ] {
        assert!(listed.contains(part), "{part} is missing in\n{listed}");
    }
    assert!(!listed.contains(&metadata_node), "{metadata_node} gives no pictures:\n{listed}");
    let config = vm.work().join("metadata.conf");
    std::fs::write(config, format!("[camera.front]\ndevice = \"{metadata_node}\"\n")).expect("written");
    let checked = vm.run(&format!("{DEFENDER} check -c {GUEST_WORK}/metadata.conf"));
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains(&format!("{metadata_node}: cannot capture")), "{checked}");

    let holder = bus.hold(&node);
    drop(camera);
    server.wait_status("\"online\":false");
    let camera = bus.plug(0, "serial=A1 blue");
    assert_ne!(camera.node(), node, "the other program has it");
    wait_for("a blue picture", || is_blue(&server.snapshot()).then_some(()));
    server.wait_status(&camera.node());
    viewer.wait_parts(2);
    assert!(viewer.is_watching());
    drop(holder);
}

#[test]
fn a_camera_named_by_its_link_comes_back_to_its_viewers() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    let camera = bus.plug(0, "serial=A1 red");
    let link = by_id("_A1");
    let server = Server::start(&vm, &format!("[camera.front]\ndevice = \"{link}\"\n{MODE}"));
    assert!(is_red(&server.snapshot()));
    let mut viewers: Vec<_> =
        (0..3).map(|number| server.watch("/video", &format!("viewer{number}"))).collect();
    viewers.iter().for_each(|viewer| viewer.wait_parts(1));
    let node = camera.node();
    let holder = bus.hold(&node);
    drop(camera);
    server.wait_status("\"online\":false");
    wait_for("the reason", || {
        let (status, why) = server.get("/snapshot");
        (status == 503 && why.contains("gives no picture: no such device")).then_some(())
    });
    // No-signal frames: the streams go on without a camera.
    viewers.iter().for_each(|viewer| viewer.wait_parts(2));
    let camera = bus.plug(0, "serial=A1 blue");
    assert_ne!(camera.node(), node, "the other program has it");
    wait_for("a blue picture", || is_blue(&server.snapshot()).then_some(()));
    server.wait_status(&camera.node());
    viewers.iter().for_each(|viewer| viewer.wait_parts(2));
    assert!(viewers.iter_mut().all(|viewer| viewer.is_watching()));
    drop(holder);
}

#[test]
fn the_page_shows_a_usb_camera_through_its_plug() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    let camera = bus.plug(0, "serial=A1 red");
    let server = Server::start(&vm, &format!("[camera.front]\ndevice = \"{}\"\n{MODE}", by_id("_A1")));
    server.snapshot();
    let mut page = Page::open(&vm, "plug.js", &[]);
    page.wait_said("red");
    drop(camera);
    page.wait_said("none");
    let _camera = bus.plug(0, "serial=A1 blue");
    page.wait_said("blue");
    page.wait_end();
}

#[test]
fn two_cameras_of_one_model_are_told_apart() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    bring_binary(&vm);
    let cameras = |left: &str, right: &str| {
        format!("[camera.left]\ndevice = \"{left}\"\n{MODE}[camera.right]\ndevice = \"{right}\"\n{MODE}")
    };
    let (left, right) = (bus.plug(0, "serial=A1 red"), bus.plug(1, "serial=B2 blue"));
    let server = Server::start(&vm, &cameras(&by_id("_A1"), &by_id("_B2")));
    assert!(is_red(&server.snapshot_of("/snapshot/left")));
    assert!(is_blue(&server.snapshot_of("/snapshot/right")));
    drop((left, right));

    // The cheapest have no serial number: one link for both, which leads to one of them.
    let (left, right) = (bus.plug(0, "red"), bus.plug(1, "blue"));
    let listed = vm.run_ok(&format!("{DEFENDER} --list-devices"));
    for camera in [&left, &right] {
        let link = camera.by_path();
        assert!(listed.contains(&format!("\n  {link}\n")), "{link} is missing in\n{listed}");
    }
    assert_eq!(listed.matches(&by_id("")).count(), 1, "{listed}");
    let note = "use the name of its port, by-path";
    assert_eq!(
        listed.matches(note).count(),
        2,
        "a link leads to one of them, and may lead to the other\n{listed}"
    );
    server.reconfigure(&cameras(&left.by_path(), &right.by_path()));
    wait_for("a red picture", || is_red(&server.snapshot_of("/snapshot/left")).then_some(()));
    wait_for("a blue picture", || is_blue(&server.snapshot_of("/snapshot/right")).then_some(()));

    // Plugged in again in the other order they have each other's numbers.
    let nodes = (left.node(), right.node());
    drop((left, right));
    wait_for("both to be gone", || {
        (server.get("/api/1.0/status").1.matches("\"online\":false").count() == 2).then_some(())
    });
    let right = bus.plug(1, "blue");
    let left = bus.plug(0, "red");
    assert_eq!((right.node(), left.node()), nodes);
    wait_for("a red picture", || is_red(&server.snapshot_of("/snapshot/left")).then_some(()));
    wait_for("a blue picture", || is_blue(&server.snapshot_of("/snapshot/right")).then_some(()));
}

#[test]
fn controls_of_a_usb_camera_survive_its_plug() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    let camera = bus.plug(0, "serial=A1");
    let server = Server::start(&vm, &format!("[camera.front]\ndevice = \"{}\"\n{MODE}", by_id("_A1")));
    let before = brightness(&server.snapshot());
    let (_, text) = server.get(PATH);
    for part in [
        r#""name":"brightness","label":"Brightness","kind":"integer","min":0,"max":255,"step":1,"default":128"#,
        r#""name":"auto_exposure","label":"Auto Exposure","kind":"menu""#,
        r#"{"value":1,"name":"Manual Mode"},{"value":3,"name":"Aperture Priority Mode"}"#,
        r#""name":"pan_absolute""#,
        r#""name":"tilt_absolute","label":"Tilt, Absolute","kind":"integer","min":-36000,"max":36000,"step":3600"#,
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }

    let moved = r#"{"controls":{"brightness":200,"pan_absolute":7200,"tilt_absolute":-3600}}"#;
    assert_eq!(server.put(PATH, moved).0, 200);
    for part in ["brightness 200", "pan 7200", "tilt -3600"] {
        camera.wait_said(part, 1);
    }
    wait_for("a brighter picture", || (brightness(&server.snapshot()) > before + 30.0).then_some(()));

    // The camera itself refuses the time while it sets it, and says that it is in the wrong state.
    let (status, text) = server.put(PATH, r#"{"controls":{"exposure_time_absolute":500}}"#);
    assert_eq!((status, text.contains("switch off the automatic control")), (409, true), "{text}");
    let manual = r#"{"controls":{"exposure_time_absolute":500,"auto_exposure":1}}"#;
    assert_eq!(server.put(PATH, manual).0, 200);
    camera.wait_said("exposure mode 1", 1);
    camera.wait_said("exposure time 500", 1);

    // It says that it has this contrast, and refuses it.
    let (status, text) = server.put(PATH, r#"{"controls":{"brightness":77,"contrast":13}}"#);
    assert_eq!((status, text.contains("VIDIOC_S_CTRL")), (409, true), "{text}");
    camera.wait_said("brightness 77", 1);
    camera.wait_said("brightness 200", 2);

    drop(camera);
    server.wait_status("\"online\":false");
    let camera = bus.plug(0, "serial=A1");
    for part in ["brightness 200", "pan 7200", "tilt -3600", "exposure mode 1", "exposure time 500"] {
        camera.wait_said(part, 1);
    }
    server.wait_status("\"online\":true");
}

#[test]
fn frames_that_a_usb_camera_spoils_are_counted_and_left_out() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    let camera = bus.plug(0, "serial=A1");
    let config = |format: &str| {
        format!("[camera.front]\ndevice = \"{}\"\nformat = \"{format}\"\n{MODE}", by_id("_A1"))
    };
    let server = Server::start(&vm, &config("mjpeg"));
    server.snapshot();
    let mut viewer = server.watch("/video", "recording");
    // Each defect is in every other frame. The first two are in payloads, and the driver drops those frames.
    let all_are_counted = |defects: &[&str]| {
        for defect in defects {
            let before = server.count("dropped");
            camera.spoil(defect);
            let sent = wait_for("spoilt frames", || Some(camera.spoilt(defect)).filter(|sent| *sent >= 3));
            wait_for("them to be counted", || (server.count("dropped") >= before + sent).then_some(()));
            camera.spoil("");
        }
    };
    all_are_counted(&["error", "lost", "truncated", "garbage", "no-end"]);
    camera.spoil("zeros");
    wait_for("zeros behind pictures", || (camera.spoilt("zeros") >= 3).then_some(()));
    viewer.wait_parts(2);
    camera.spoil("");
    assert!(viewer.is_watching());
    assert!(!viewer.frames().is_empty(), "each was a whole JPEG");
    assert!(!server.log().contains("stalled"), "{}", server.log());

    server.reconfigure(&config("yuyv"));
    server.wait_log("320x240 yuyv");
    server.snapshot();
    all_are_counted(&["error", "lost", "truncated"]);

    // It hangs, as some do until they are started anew.
    camera.spoil("nothing");
    server.wait_log("stalled, no frame");
    camera.spoil("");
    server.wait_status("\"online\":true");
    server.snapshot();
    viewer.wait_parts(2);
}

#[test]
fn the_microphone_of_a_webcam_is_heard_and_comes_back_with_it() {
    let vm = vm::lock();
    let bus = Bus::new(&vm);
    let webcam = bus.plug(0, "serial=A1 microphone");
    bring_binary(&vm);
    let listed = vm.run_ok(&format!("{DEFENDER} --list-devices"));
    let device = "plughw:CARD=Camera,DEV=0";
    let line = format!("{device}  Test Camera, USB Audio\n  16000 to 48000 Hz, 1 channel\n");
    assert!(listed.contains(&line), "{line} is missing in\n{listed}");

    const RATE_HZ: usize = 48_000;
    let server = Server::start(
        &vm,
        &format!(
            "[camera.front]\ndevice = \"{}\"\n{MODE}[microphone.front]\ndevice = \"{device}\"\nrate_hz = {RATE_HZ}\n",
            by_id("_A1")
        ),
    );
    server.snapshot();
    let mut listener = server.watch("/audio", "sound");
    let hears_the_tone = |from: usize| {
        wait_for("a second of the tone", || {
            let heard = heard(&listener);
            let second = &heard[from.max(heard.len().saturating_sub(RATE_HZ)).min(heard.len())..];
            let crossings = second.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            (crossings.abs_diff(TONE_HZ as usize) <= 5).then_some(())
        });
    };
    hears_the_tone(0);
    drop(webcam);
    wait_for("both to be gone", || {
        (server.get("/api/1.0/status").1.matches("\"online\":false").count() == 2).then_some(())
    });
    let before = heard(&listener).len();
    wait_for("silence", || (heard(&listener).len() > before + 2 * RATE_HZ).then_some(()));
    assert!(heard(&listener)[before + RATE_HZ..].iter().all(|sample| *sample == 0));
    let webcam = bus.plug(0, "serial=A1 microphone");
    webcam.wait_said("microphone on", 1);
    hears_the_tone(heard(&listener).len());
    server.snapshot();
    assert!(listener.is_watching());
}

fn brightness(picture: &Picture) -> f64 {
    picture.pixels.iter().map(|byte| f64::from(*byte)).sum::<f64>() / picture.pixels.len() as f64
}

/// The sum of the bytes of one colour.
fn sum(picture: &Picture, colour: usize) -> u32 {
    picture.pixels.iter().skip(colour).step_by(3).map(|byte| u32::from(*byte)).sum()
}

fn is_red(picture: &Picture) -> bool {
    picture.width == 320 && sum(picture, 0) > 2 * sum(picture, 2)
}

fn is_blue(picture: &Picture) -> bool {
    picture.width == 320 && sum(picture, 2) > 2 * sum(picture, 0)
}
