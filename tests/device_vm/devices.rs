//! The guest's cameras: unplugging, setting and reading them.

use std::fs;

use crate::vm::{GUEST_WORK, Job, Vm, wait_for};

/// Vivid's node.
pub const VIVID: &str = "/dev/video0";
/// V4l2loopback's node.
pub const LOOPBACK: &str = "/dev/video9";

impl Vm {
    /// Makes vivid's node vanish, as a pulled USB plug does.
    pub fn unplug(&self) {
        self.run_ok("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    }

    /// Makes it come back, with every setting at its default.
    pub fn plug(&self) {
        self.run_ok("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind");
    }

    /// Brings vivid to the state it has after a boot, whatever a test did to it.
    pub fn plug_anew(&self) {
        self.run_ok("cd /sys/bus/platform/drivers/vivid; [ ! -e vivid.0 ] || echo vivid.0 >unbind; echo vivid.0 >bind");
    }

    /// Sets controls of vivid: "test_pattern=1,osd_text_mode=2". `v4l2-ctl -L` lists them.
    pub fn set_controls(&self, controls: &str) {
        self.run_ok(&format!("v4l2-ctl -d {VIVID} --set-ctrl {controls}"));
    }

    /// `count` frames of a camera, one after the other; `format` is what v4l2-ctl takes behind
    /// `--set-fmt-video`, and empty to leave it.
    pub fn grab(&self, device: &str, format: &str, count: u32) -> Vec<u8> {
        let set = if format.is_empty() { String::new() } else { format!("--set-fmt-video={format}") };
        self.run_ok(&format!(
            "v4l2-ctl -d {device} {set} --stream-mmap --stream-count={count} --stream-to={GUEST_WORK}/grab"
        ));
        fs::read(self.work().join("grab")).expect("v4l2-ctl wrote the frames")
    }

    /// Makes v4l2loopback a camera that gives MJPEG, 320x180, for as long as the job lives: vivid's
    /// pictures, so that the same colours are expected of both.
    pub fn feed_loopback(&self) -> Job {
        // The driver takes no second feeder after a first one that was killed. A server that looks
        // whether the camera is back holds it for a moment.
        self.run_ok(
            "until rmmod v4l2loopback; do sleep 0.2; done; cd /run/modules && insmod $(grep ^v4l2loopback load)",
        );
        let feeder = self.spawn(&format!(
            "exec ffmpeg -v error -f v4l2 -video_size 320x180 -i {VIVID} \
             -c:v mjpeg -pix_fmt yuvj422p -q:v 2 -f v4l2 {LOOPBACK}"
        ));
        wait_for("MJPEG from the loopback", || {
            assert!(feeder.status().is_none(), "ffmpeg ended:\n{}", feeder.stderr());
            let asked = self.run(&format!("v4l2-ctl -d {LOOPBACK} --get-fmt-video | grep -q MJPG"));
            (asked.status == 0).then_some(())
        });
        feeder
    }
}
