//! The guest's USB bus: udev, and devices that are plugged in and pulled. What such a device does is in
//! [`crate::usb_device`].

use std::env;
use std::fs;
use std::process::Command;

use crate::usb_device::Plan;
use crate::vm::{GUEST_WORK, Job, Vm, wait_for};

/// In the guest's memory: this program, which is the device as well.
pub const PROGRAM: &str = "/run/usb_device";

/// The bus, with udev to make its links; without it when dropped.
pub struct Bus<'a> {
    vm: &'a Vm,
}

/// A device that is plugged in, until it is dropped.
pub struct Device<'a> {
    vm: &'a Vm,
    port: u32,
    job: Option<Job>,
}

impl<'a> Bus<'a> {
    pub fn new(vm: &'a Vm) -> Self {
        bring_program(vm);
        // It outlives the job.
        vm.run_ok("/lib/systemd/systemd-udevd --daemon 2>/dev/null");
        Self { vm }
    }

    /// Plugs a device in, which is what the words of a [`Plan`] say, and waits for its links.
    pub fn plug(&self, port: u32, words: &str) -> Device<'a> {
        let device = Device { vm: self.vm, port, job: None };
        device.spoil("");
        let job = self.vm.spawn(&format!(
            "{}='port={port} defect={GUEST_WORK}/{} {words}' exec {PROGRAM} --exact usb::as_a_device --ignored --nocapture",
            Plan::VARIABLE,
            device.defect_file(),
        ));
        let device = Device { job: Some(job), ..device };
        self.vm.run_ok(&format!("until [ -e {} ]; do sleep 0.1; done; {SETTLE}", device.by_path()));
        device
    }

    /// Lets another program hold a node, so that the next device gets another number.
    pub fn hold(&self, node: &str) -> Job {
        let holder = self.vm.spawn(&format!("exec 3<{node}; echo holds it; exec sleep 1000"));
        wait_for("a program to hold the node", || (!holder.stdout().is_empty()).then_some(()));
        holder
    }
}

/// Udev's tools find themselves in a chroot, and would do nothing.
const SETTLE: &str = "SYSTEMD_IGNORE_CHROOT=1 udevadm settle";

impl Drop for Bus<'_> {
    fn drop(&mut self) {
        self.vm.spawn("SYSTEMD_IGNORE_CHROOT=1 udevadm control --exit").wait();
    }
}

/// Without what only a debugger reads.
pub fn bring_program(vm: &Vm) {
    let brought = vm.work().join("usb_device");
    if !brought.exists() {
        let program = env::current_exe().expect("a path");
        let stripped = Command::new("strip").arg("-o").arg(&brought).arg(program).status();
        assert!(stripped.expect("strip runs").success());
        vm.run_ok(&format!("cp {GUEST_WORK}/usb_device {PROGRAM}"));
    }
}

/// Udev's link to the pictures of a camera by its model and "_" and serial number, if it has one.
pub fn by_id(serial: &str) -> String {
    format!("/dev/v4l/by-id/usb-Defender_Test_Camera{serial}-video-index0")
}

impl Device<'_> {
    /// Udev's link to its pictures by the port that it is plugged into.
    pub fn by_path(&self) -> String {
        format!("/dev/v4l/by-path/platform-vhci_hcd.0-usb-0:{}:1.0-video-index0", self.port + 1)
    }

    /// The node with its pictures.
    pub fn node(&self) -> String {
        self.vm.run_ok(&format!("readlink -f {}", self.by_path())).trim().to_owned()
    }

    /// The node beside it, which gives data about pictures and none of them.
    pub fn metadata_node(&self) -> String {
        let link = self.by_path().replace("index0", "index1");
        self.vm.run_ok(&format!("readlink -f {link}")).trim().to_owned()
    }

    /// What is wrong with every other frame from now on; nothing with the empty word.
    pub fn spoil(&self, defect: &str) {
        let file = self.vm.work().join(self.defect_file());
        let part = file.with_extension("part");
        fs::write(&part, defect).expect("the work folder takes a file");
        fs::rename(&part, file).expect("a file can be renamed in the work folder");
    }

    /// How many frames it spoilt with this defect.
    pub fn spoilt(&self, defect: &str) -> u32 {
        self.said(&format!("spoilt: {defect}")) as u32
    }

    /// Waits until it has had so many messages.
    pub fn wait_said(&self, line: &str, times: usize) {
        wait_for(&format!("`{line}` in the camera"), || (self.said(line) >= times).then_some(()));
    }

    fn said(&self, line: &str) -> usize {
        let said = self.job.as_ref().map(Job::stdout).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().filter(|said| *said == line).count()
    }

    fn defect_file(&self) -> String {
        format!("usb{}.defect", self.port)
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        // The end of the program pulls the plug.
        if self.job.take().is_some() {
            let gone = format!("/sys/devices/platform/vhci_hcd.0/usb*/*-{}", self.port + 1);
            let script = format!("while ls -d {gone} >/dev/null 2>&1; do sleep 0.1; done; {SETTLE}");
            self.vm.spawn(&script).wait();
        }
    }
}
