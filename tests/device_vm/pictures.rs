//! Pictures of a real driver, encoded or passed through, compared with what it shows.

use crate::bars::{BARS, assert_bars};
use crate::devices::{LOOPBACK, VIVID};
use crate::server::Server;
use crate::vm;

/// How far JPEG may move a colour in the middle of a bar.
const TOLERANCE: u8 = 12;

fn camera(device: &str, keys: &str) -> String {
    format!("[camera.front]\ndevice = \"{device}\"\nfps = 5\nquality = 90\n{keys}\n")
}

#[test]
fn every_raw_format_of_the_driver_gives_its_colours() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    let settings = |format: &str| camera(VIVID, &format!("format = \"{format}\"\nwidth = 640\nheight = 480"));
    let server = Server::start(&vm, &settings("yuyv"));
    for format in ["yuyv", "uyvy", "nv12", "i420", "rgb3", "grey"] {
        server.reconfigure(&settings(format));
        server.wait_status(&format!("\"format\":\"{format}\""));
        let picture = server.snapshot();
        assert_eq!((picture.width, picture.height), (640, 480), "{format}");
        if format == "grey" {
            assert_grey_bars(&picture.pixels, picture.width);
        } else {
            assert_bars(&picture.pixels, picture.width, TOLERANCE);
        }
    }
}

#[test]
fn raw_pictures_are_turned_before_they_are_encoded() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    for format in ["yuyv", "nv12", "rgb3"] {
        let keys = format!("format = \"{format}\"\nwidth = 640\nheight = 480\nrotate = 180");
        let server = Server::start(&vm, &camera(VIVID, &keys));
        server.wait_status(&format!("\"format\":\"{format}\""));
        let picture = server.snapshot();
        assert_eq!((picture.width, picture.height), (640, 480), "{format}");
        // Turned back: the last pixel first.
        let back: Vec<u8> = picture.pixels.chunks_exact(3).rev().flatten().copied().collect();
        assert_bars(&back, picture.width, TOLERANCE);
    }
}

#[test]
fn a_change_of_size_reaches_a_viewer_that_stays() {
    let vm = vm::lock();
    let server = Server::start(&vm, &camera(VIVID, "width = 640\nheight = 480"));
    let mut viewer = server.watch("/video", "recording");
    viewer.wait_parts(2);
    server.reconfigure(&camera(VIVID, "width = 320\nheight = 180"));
    server.wait_status("\"width\":320,\"height\":180");
    let picture = server.snapshot();
    assert_eq!((picture.width, picture.height), (320, 180));
    viewer.wait_parts(2);
    assert!(viewer.is_watching());
}

#[test]
fn a_size_the_driver_does_not_have_gives_its_own_and_is_said() {
    let vm = vm::lock();
    let server = Server::start(&vm, &camera(VIVID, "width = 700\nheight = 500"));
    let picture = server.snapshot();
    assert_ne!((picture.width, picture.height), (700, 500));
    server.wait_status(&format!("\"width\":{},\"height\":{}", picture.width, picture.height));
    server.wait_log("700x500");
}

#[test]
fn a_jpeg_camera_is_passed_through_and_may_come_and_go() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    let server = Server::start(&vm, &camera(LOOPBACK, "width = 320\nheight = 180"));
    server.wait_status("\"online\":false");
    let feeder = vm.feed_loopback();
    server.wait_status("\"format\":\"mjpeg\"");
    let picture = server.snapshot();
    assert_eq!((picture.width, picture.height), (320, 180));
    assert_bars(&picture.pixels, picture.width, TOLERANCE);
    assert_eq!(server.count("encoded"), 0, "a JPEG from the camera needs no encoding");
    drop(feeder);
    server.wait_status("\"online\":false");
    let _feeder = vm.feed_loopback();
    server.wait_status("\"online\":true");
    assert_bars(&server.snapshot().pixels, 320, TOLERANCE);
}

/// The bars' luma by ITU-R BT.709, with which vivid makes its grey pictures.
fn assert_grey_bars(pixels: &[u8], width: usize) {
    let row = &pixels[width * (pixels.len() / width / 2)..][..width];
    for (bar, [red, green, blue]) in BARS.into_iter().enumerate() {
        let luma = 0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue);
        let seen = row[(2 * bar + 1) * width / 16];
        assert!(
            (f64::from(seen) - luma).abs() <= f64::from(TOLERANCE),
            "bar {bar}: {seen}, expected {luma:.0}"
        );
    }
}
