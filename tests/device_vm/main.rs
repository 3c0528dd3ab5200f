//! Tests against real V4L2 drivers, in a virtual machine that runs the host's programs on Debian's
//! kernel; tests/vm/README.md says how. One file for each feature.
//!
//! Cameras in the guest: `/dev/video0` is vivid, raw formats only; `/dev/video9` is v4l2loopback,
//! which is a camera while a job feeds it MJPEG.
//!
//! A webcam with a microphone is plugged into the guest's USB bus by the tests that want one.
//!
//! The guest's sound card is snd-aloop: what is played to its device 0 is captured from its device 1.
//!
//! The memory cards of one machine are disks of this process, which lose what was not flushed, stall and fail on demand.
//!
//! Emulation makes time slow: assert on counts and contents, never on speed.

mod bad_cards;
mod bars;
mod card;
mod confine;
mod controls;
mod devices;
mod discovery;
mod faults;
mod feed;
mod figures;
mod footage;
mod ground;
#[path = "../it/links.rs"]
#[allow(dead_code)]
mod links;
mod motion;
mod nbd;
mod page;
mod pictures;
mod power_cuts;
#[path = "../segment/reader.rs"]
#[allow(dead_code)]
mod reader;
mod ribbon;
mod server;
mod slow_links;
mod sound;
mod soundcard;
#[path = "../it/support.rs"]
#[allow(dead_code)]
mod support;
mod usb;
mod usb_bus;
mod usb_device;
mod vm;
