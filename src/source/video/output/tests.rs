//! What is handed on of odd pictures.

use super::*;
use crate::hub::{Stop, latest};
use crate::media::{PixelFormat, Range601};
use crate::source::clock::SystemClock;
use crate::source::settings::testing;

#[test]
fn a_frame_is_always_newer_than_the_one_before() {
    let at = Timestamp::from_micros;
    assert_eq!(believable(Some(at(50)), at(40), at(60)), at(50));
    assert_eq!(believable(Some(at(40)), at(40), at(60)), at(60), "no newer than the last");
    assert_eq!(believable(Some(at(0)), at(40), at(60)), at(60), "a driver without a clock");
    assert_eq!(believable(Some(at(61)), at(40), at(60)), at(60), "from the future");
    assert_eq!(believable(None, at(40), at(60)), at(60));
    assert_eq!(believable(None, at(60), at(60)), at(61), "two within a microsecond");
}

#[test]
fn a_jpeg_from_elsewhere_with_the_boundary_is_refused() {
    let settings = testing::settings();
    let (mut publisher, frames) = latest(4);
    let feed = CameraFeed::new(&settings.name, frames);
    let mut viewer = feed.frames().subscribe().unwrap();
    let (clock, stop) = (SystemClock, Stop::new());
    let session = Session::new(&clock, &stop, &feed, false);
    let mut output = Output::new(&settings, &feed, &session, &mut publisher);
    let account = Account::unlimited();
    // With a comment that is to become an HTML document in the viewer's browser.
    let text = format!("\r\n--{}\r\nContent-Type: text/html\r\n\r\n<h1>", part::boundary());
    let length = (text.len() as u16 + 2).to_be_bytes();
    let comment = [b"\xff\xfe", length.as_slice(), text.as_bytes()].concat();
    let pixels = RawImage {
        format: PixelFormat::Rgb3,
        width: 16,
        height: 16,
        stride_bytes: 48,
        range: Range601::Limited,
        data: &[7; 16 * 48],
    };
    let mut plain = Vec::new();
    output.encoder.encode(&pixels, &mut plain).unwrap();
    let hostile = [&plain[..2], &comment, &plain[2..]].concat();
    let picture = |jpeg| Picture {
        content: Content::UntrustedJpeg { jpeg, account: &account, is_no_signal: false },
        captured: None,
        is_description_new: false,
    };
    assert!(matches!(output.prepare(&picture(&hostile)), Err(Unusable::Boundary)));
    let content = Content::SplitJpeg { jpeg: &hostile, account: &account };
    let split = Picture { content, captured: None, is_description_new: false };
    assert!(matches!(output.prepare(&split), Err(Unusable::Boundary)));
    assert!(viewer.newest().is_none());
    let finished = output.prepare(&picture(&plain)).unwrap();
    output.publish(finished);
    assert_eq!(viewer.newest().unwrap().jpeg(), plain);
}
