//! Pictures of a real driver, encoded or passed through, compared with what it shows.

use crate::bars::{BARS, assert_bars, middles};
use crate::devices::{LOOPBACK, VIVID};
use crate::server::{Picture, Server, Viewer};
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

/// Covers the first two bars.
const MASKED: &str = "masks = [[[0, 0], [0.25, 0], [0.25, 1], [0, 1]]]\n";

#[test]
fn a_turned_jpeg_camera_keeps_its_mask_when_plugged() {
    let vm = vm::lock();
    vm.set_controls("test_pattern=1,osd_text_mode=2");
    let keys = format!("width = 320\nheight = 180\nrotate = 180\n{MASKED}");
    let server = Server::start(&vm, &camera(LOOPBACK, &keys));
    let viewer = server.watch("/video", "recording");
    for _ in 0..2 {
        let feeder = vm.feed_loopback();
        server.wait_status("\"format\":\"mjpeg\"");
        let picture = server.snapshot();
        // Rows that are half of a block cannot be turned.
        assert_eq!((picture.width, picture.height), (320, 176));
        assert_masked(&picture);
        assert_eq!(server.count("trimmed_rows"), 4);
        viewer.wait_parts(3);
        drop(feeder);
        server.wait_status("\"online\":false");
    }
    assert_never_unmasked(&viewer);
}

#[test]
fn a_flipped_raw_camera_keeps_its_mask_when_its_size_changes() {
    let vm = vm::lock();
    let bars = || vm.set_controls("test_pattern=1,osd_text_mode=2");
    bars();
    let sized = |(width, height): (usize, usize)| {
        let keys = format!("width = {width}\nheight = {height}\nflip = \"horizontal\"\n{MASKED}");
        camera(VIVID, &keys)
    };
    let server = Server::start(&vm, &sized((640, 480)));
    let viewer = server.watch("/video", "recording");
    assert_masked(&server.snapshot());
    server.reconfigure(&sized((320, 180)));
    server.wait_status("\"width\":320,\"height\":180");
    let picture = server.snapshot();
    assert_eq!((picture.width, picture.height), (320, 180));
    assert_masked(&picture);
    vm.unplug();
    server.wait_status("\"online\":false");
    vm.plug();
    server.wait_status("\"online\":true");
    bars();
    viewer.wait_parts(3);
    assert_masked(&server.snapshot());
    assert_never_unmasked(&viewer);
}

/// Fails unless the bars are there from right to left, and the first two are grey.
fn assert_masked(picture: &Picture) {
    let row = &picture.pixels[3 * picture.width * (picture.height / 2)..][..3 * picture.width];
    for (bar, (colour, seen)) in BARS.into_iter().zip(middles(row).into_iter().rev()).enumerate() {
        let expected = if bar < 2 { [128; 3] } else { colour };
        let is_so = seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= TOLERANCE);
        assert!(is_so, "bar {bar}: {seen:?}, expected {expected:?}");
    }
}

/// Fails if any frame shows the yellow bar, which is masked: no other is yellow.
fn assert_never_unmasked(viewer: &Viewer) {
    let pictures = viewer.pictures();
    for (number, (_, picture)) in pictures.iter().enumerate() {
        let is_yellow = |pixel: &[u8]| pixel[0] > 200 && pixel[1] > 200 && pixel[2] < 60;
        assert!(!picture.pixels.chunks_exact(3).any(is_yellow), "frame {number} of {}", pictures.len());
    }
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
