//! A webcam at the USB bus, with the kernel's own `uvcvideo` and `snd-usb-audio` as its drivers.

use crate::usb_device::{self, Plan};

#[test]
#[ignore = "the tests of this file run it in the guest"]
fn in_the_guest() {
    usb_device::run(Plan::of_the_environment());
}
