//! The ground the other tests stand on: the machine, its cameras, and the way into it.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::bars::assert_bars;
use crate::devices::{LOOPBACK, VIVID};
use crate::vm::{self, wait_for};

#[test]
fn a_script_in_the_guest_gives_its_output_and_its_status() {
    let vm = vm::lock();
    let output = vm.run("echo to the host; echo aside >&2; exit 3");
    assert_eq!(output.status, 3);
    assert_eq!(output.stdout, b"to the host\n");
    assert_eq!(output.stderr, "aside\n");
}

#[test]
fn a_dropped_job_ends_with_all_it_started() {
    let vm = vm::lock();
    let job = vm.spawn("sleep 1000 & echo $!; wait");
    let child = wait_for("the number of the child", || {
        let stdout = job.stdout();
        stdout.ends_with(b"\n").then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
    });
    vm.run_ok(&format!("kill -0 {child}"));
    drop(job);
    assert_ne!(vm.run(&format!("kill -0 {child}")).status, 0, "the child is gone");
}

#[test]
fn the_host_reaches_port_8443_of_the_guest() {
    let vm = vm::lock();
    let _server = vm.spawn("while echo hello | busybox nc -l -p 8443; do :; done");
    // Qemu accepts before the guest does, so a connection alone says nothing.
    wait_for("a greeting through the forwarded port", || {
        greeting(vm.address()).filter(|text| text == "hello\n")
    });
}

#[test]
fn vivid_shows_its_bars_in_the_format_asked_for() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    let yuyv = vm.grab(VIVID, "width=640,height=480,pixelformat=YUYV", 2);
    assert_eq!(yuyv.len(), 2 * 640 * 480 * 2);
    let rgb = vm.grab(VIVID, "width=640,height=480,pixelformat=RGB3", 1);
    assert_eq!(rgb.len(), 640 * 480 * 3);
    assert_bars(&rgb, 640, 0);
}

#[test]
fn vivid_vanishes_and_returns_with_its_defaults() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1");
    vm.unplug();
    assert_ne!(vm.run(&format!("test -e {VIVID}")).status, 0);
    vm.plug();
    assert_eq!(
        vm.run_ok(&format!("v4l2-ctl -d {VIVID} --get-ctrl test_pattern")),
        "test_pattern: 0 (75% Colorbar)\n"
    );
}

#[test]
fn the_loopback_is_a_camera_that_gives_jpeg_while_it_is_fed() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    let feeder = vm.feed_loopback();
    let frames = vm.grab(LOOPBACK, "", 4);
    drop(feeder);

    // The driver's first frames may be padded, its later ones are not.
    let last = frames.windows(3).rposition(|bytes| bytes == [0xFF, 0xD8, 0xFF]).expect("a JPEG starts");
    let mut decoder = jpeg_decoder::Decoder::new(&frames[last..]);
    let rgb = decoder.decode().expect("a whole JPEG");
    assert_eq!(rgb.len(), 320 * 180 * 3);
    assert_bars(&rgb, 320, 12);

    let capture = format!("v4l2-ctl -d {LOOPBACK} --info | sed 1,/Caps/d | grep -q 'Video Capture'");
    assert_ne!(vm.run(&capture).status, 0, "without its feeder it is no camera");
}

/// What the server in the guest says first; `None` when it is not there yet.
fn greeting(address: SocketAddr) -> Option<String> {
    let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(10)).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    Some(text)
}
