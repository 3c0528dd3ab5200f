//! Finding cameras: by themselves, in any order, only while somebody watches, and for people.

use crate::bars::assert_bars;
use crate::server::{DEFENDER, Server, bring_binary};
use crate::vm::{self, wait_for};

#[test]
fn a_camera_that_comes_after_the_server_replaces_the_test_card() {
    let vm = vm::lock();
    vm.unplug();
    let server = Server::start(&vm, "[camera.front]\nwidth = 320\nheight = 180\nfps = 5\n");
    server.wait_status("no camera found");
    let mut viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    vm.plug();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    server.wait_status("/dev/video0");
    let picture =
        wait_for("vivid's own picture", || Some(server.snapshot()).filter(|picture| picture.width == 320));
    assert_bars(&picture.pixels, 320, 12);
    viewer.wait_parts(2);
    assert!(viewer.is_watching());
}

#[test]
fn on_demand_the_device_is_open_only_while_somebody_watches() {
    let vm = vm::lock();
    let server = Server::start(
        &vm,
        "[camera.front]\ndevice = \"/dev/video0\"\nwidth = 320\nheight = 180\nfps = 5\non_demand = true\n",
    );
    let is_open = || vm.run("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q /dev/video0").status == 0;
    wait_for("the device to be closed", || (!is_open()).then_some(()));
    let viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    assert!(is_open(), "open while watched");
    drop(viewer);
    wait_for("the device to be closed again", || (!is_open()).then_some(()));
    assert_eq!(server.snapshot().width, 320);
}

#[test]
fn a_camera_that_this_server_shows_is_listed_as_used_by_it() {
    let vm = vm::lock();
    vm.plug_anew();
    let server = Server::start(&vm, "[camera.yard]\ndevice = \"/dev/video0\"\nwidth = 320\nheight = 180\n");
    server.snapshot();
    let devices = server.get("/api/1.0/devices").1;
    let ours = devices.split("{\"node\":").find(|device| device.starts_with("\"/dev/video0\"")).unwrap();
    assert!(ours.contains("\"problem\":null,\"used_by\":\"yard\""), "{ours}");
    assert_eq!(devices.matches("\"used_by\":\"yard\"").count(), 1, "{devices}");
}

#[test]
fn people_see_the_cameras_with_formats_and_sizes() {
    let vm = vm::lock();
    bring_binary(&vm);
    let listed = vm.run_ok(&format!("{} --list-devices", DEFENDER));
    for part in ["/dev/video0", "vivid", "YUYV", "640x360", "fps"] {
        assert!(listed.contains(part), "{part} is missing in\n{listed}");
    }
    let checked = vm.run(&format!(
        "mkdir -p /tmp/check && cd /tmp/check && printf '[camera.front]\\ndevice = \"/dev/video0\"\\nwidth = 320\\nheight = 180\\n' >defender.conf && \
         HOME=/tmp/check {} check",
        DEFENDER
    ));
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status, 0, "{text}{}", checked.stderr);
    assert!(text.contains("320x180") && text.contains("yuyv"), "{text}");
}
