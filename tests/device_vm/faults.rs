//! Cameras that vanish, are busy, or misbehave; and a clock that does.

use crate::devices::VIVID;
use crate::server::{DEFENDER, Server};
use crate::vm::{self, wait_for};

const CAMERA: &str = "[camera.front]\ndevice = \"/dev/video0\"\nwidth = 320\nheight = 180\nfps = 5\n";

#[test]
fn an_unplugged_camera_returns_to_all_ten_viewers() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    let mut viewers: Vec<_> =
        (0..10).map(|number| server.watch("/video", &format!("viewer{number}"))).collect();
    viewers.iter().for_each(|viewer| viewer.wait_parts(1));
    vm.unplug();
    server.wait_status("\"online\":false");
    let (status, why) = server.get("/snapshot");
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("gives no picture: ") && !why.contains(VIVID), "{why}");
    // No-signal frames: the streams go on without a camera.
    viewers.iter().for_each(|viewer| viewer.wait_parts(2));
    vm.plug();
    server.wait_status("\"online\":true");
    assert_eq!(server.snapshot().width, 320);
    viewers.iter().for_each(|viewer| viewer.wait_parts(2));
    assert!(viewers.iter_mut().all(|viewer| viewer.is_watching()));
}

#[test]
fn a_busy_camera_is_said_to_be_and_taken_when_it_is_free() {
    let vm = vm::lock();
    let other = vm.spawn(&format!("exec v4l2-ctl -d {VIVID} --stream-mmap --stream-to=/dev/null"));
    wait_for("the other program to stream", || other.stderr().contains('<').then_some(()));
    let server = Server::start(&vm, CAMERA);
    server.wait_log("/dev/video0: busy");
    drop(other);
    assert_eq!(server.snapshot().width, 320);
}

#[test]
fn a_missing_format_is_refused_with_those_that_exist() {
    let vm = vm::lock();
    let server = Server::start(&vm, &format!("{CAMERA}format = \"mjpeg\"\n"));
    server.wait_log("/dev/video0: does not offer mjpeg; it offers");
    assert!(server.log().contains("yuyv"), "{}", server.log());
}

#[test]
fn broken_buffers_are_dropped_and_counted() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    let viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    let before = server.count("dropped");
    vm.set_controls("inject_v4l2_buf_flag_error=1");
    wait_for("a dropped frame", || (server.count("dropped") > before).then_some(()));
    viewer.wait_parts(2);
}

#[test]
fn a_driver_that_dies_while_streaming_is_opened_again() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    assert_eq!(server.snapshot().width, 320);
    vm.set_controls("inject_fatal_streaming_error=1");
    server.wait_log("camera front: /dev/video0");
    assert_eq!(server.snapshot().width, 320);
}

#[test]
fn a_clock_set_back_an_hour_disturbs_no_stream() {
    let vm = vm::lock();
    let server = Server::start(&vm, CAMERA);
    let mut viewer = server.watch("/video?fps=4", "recording");
    viewer.wait_parts(2);
    vm.run_ok("date -s @$(($(date +%s) - 3600)) >/dev/null");
    viewer.wait_parts(4);
    assert_eq!(
        server.snapshot().width,
        320,
        "a snapshot is newer than its request, whatever the wall clock says"
    );
    vm.run_ok("date -s @$(($(date +%s) + 3600)) >/dev/null");
    viewer.wait_parts(2);
    assert!(viewer.is_watching());
    let stamps = viewer.stamps_s();
    let stepped_back = stamps.windows(2).any(|pair| pair[1] + 3000 < pair[0]);
    assert!(stepped_back, "X-Timestamp follows the wall clock: {stamps:?}");
}

#[test]
fn a_log_on_a_full_disk_stops_nothing() {
    let vm = vm::lock();
    vm.run_ok("mkdir -p /tmp/small && mount -t tmpfs -o size=64k,mode=755 small /tmp/small");
    let server = Server::start(&vm, CAMERA);
    vm.run_ok("cd /mnt/server && sed -i '2i log = \"/tmp/small/defender.log\"' defender.conf");
    drop(server);
    let logged = vm.spawn(&format!("cd /mnt/server && exec {} -c defender.conf", DEFENDER));
    wait_for("the log on the small disk", || {
        (vm.run("grep -q 'listening on' /tmp/small/defender.log").status == 0).then_some(())
    });
    vm.run("head -c 1M /dev/zero >/tmp/small/filler");
    // What a client repeats is written a limited number of times, a reload each time.
    let ask = || logged.signal("HUP");
    wait_for("a line on standard error", || {
        ask();
        logged.stderr().contains("goes to standard error because").then_some(())
    });
    vm.run_ok("rm /tmp/small/filler");
    let lines =
        || vm.run_ok("grep -c SIGHUP /tmp/small/defender.log || true").trim().parse::<u32>().unwrap_or(0);
    let before = lines();
    wait_for("the log to go on", || {
        ask();
        (lines() > before).then_some(())
    });
    drop(logged);
    vm.run_ok("umount /tmp/small");
}
