//! Ribbon-cable cameras, as far as the kernel's media devices show them. The sensors are those of `tests/vm/sensor`, and no
//! program gives their pictures; `tests/packaging/with-systemd` has the whole way.

use crate::server::{DEFENDER, Server, bring_binary};
use crate::usb_bus::Bus;
use crate::vm::{self, Vm, wait_for};

/// A driver with sensors, loaded until it is dropped.
struct Sensors<'a>(&'a Vm);

impl<'a> Sensors<'a> {
    fn load(vm: &'a Vm, names: &str) -> Self {
        vm.run_ok(&format!("insmod /run/modules/defender_sensor.ko 'names=\"{names}\"'"));
        Self(vm)
    }
}

impl Drop for Sensors<'_> {
    fn drop(&mut self) {
        self.0.spawn("rmmod defender_sensor").wait();
    }
}

#[test]
fn ribbon_cameras_are_sensors_but_not_those_of_webcams() {
    let vm = vm::lock();
    bring_binary(&vm);
    let list = || vm.run_ok(&format!("{DEFENDER} --list-devices"));
    let bus = Bus::new(&vm);
    let _webcam = bus.plug(0, "serial=A1");
    let media = vm.run_ok("for node in /dev/media*; do media-ctl -p -d $node; done");
    assert!(media.contains("subtype Sensor"), "the webcam has a sensor, too:\n{media}");
    assert!(!list().contains("ribbon"), "{}", list());

    let sensors = Sensors::load(&vm, "imx219 10-0010");
    let listed = list();
    assert!(listed.contains("\nribbon:0  imx219 (Camera Module 2, up to 3280x2464)\n"), "{listed}");
    for part in ["  rpicam-vid is missing; run: ", "  /run/defender-ribbon is missing; run: "] {
        assert!(listed.contains(part), "{part} is missing in\n{listed}");
    }
    assert!(!listed.contains("ribbon:1"), "{listed}");
    drop(sensors);

    let _sensors = Sensors::load(&vm, "imx219 10-0010,imx708_wide 4-001a");
    let listed = list();
    assert!(
        listed.contains("\nribbon:1  imx219 (") && listed.contains(" or imx708 (Camera Module 3"),
        "{listed}"
    );
}

#[test]
fn auto_says_why_it_does_not_show_a_ribbon_camera() {
    let vm = vm::lock();
    vm.unplug(); // vivid, which it would show
    let _sensors = Sensors::load(&vm, "imx219 10-0010");
    let server = Server::start(&vm, "[camera.front]\nwidth = 320\nheight = 180\nfps = 5\n");
    let why = "no camera can be used: ribbon:0: rpicam-vid is missing; run: ";
    server.wait_status(why);
    server.wait_log(why);
    server.wait_log("/run/defender-ribbon is missing; run: sudo apt install socat");
    assert_eq!(server.snapshot().width, 320, "the test card");
    let devices = server.get("/api/1.0/devices").1;
    let found = "\"ribbon_cameras\":[{\"device\":\"ribbon:0\",\"sensor\":\"imx219 (Camera Module 2, up to 3280x2464)\"";
    assert!(devices.contains(found) && devices.contains("\"used_by\":null"), "{devices}");
    // Set by name, it is the camera's, with a picture or without.
    server.reconfigure("[camera.front]\ndevice = \"ribbon\"\n");
    wait_for("the camera to have it", || {
        server.get("/api/1.0/devices").1.contains("\"used_by\":\"front\"").then_some(())
    });
}
