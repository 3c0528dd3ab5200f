//! Edited pictures on their way out, and those that nobody may see.

use super::super::fake::{FILM, FakeCamera, Film, World, gone};
use super::super::output::Output;
use super::super::{Content, Picture};
use super::*;
use crate::hub::{Publisher, Stop, latest};
use crate::jpeg::coefficients::Reader;
use crate::media::{Frame, Rotation};
use crate::memory::{Account, Memory};
use crate::source::clock::SystemClock;
use crate::source::clock::fake::FakeClock;
use crate::source::session::Session;
use crate::source::settings::{CameraSettings, testing};

/// A JPEG of 48x32 pixels whose brightness grows to the right.
fn jpeg(is_progressive: bool) -> Vec<u8> {
    jpeg_of((48, 32), is_progressive)
}

fn jpeg_of((width, height): (u16, u16), is_progressive: bool) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
    encoder.set_progressive(is_progressive);
    let pixels: Vec<u8> = (0..height).flat_map(|_| (0..width).map(|x| (x * 5) as u8)).collect();
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Luma).unwrap();
    jpeg
}

fn turned() -> PictureEdits {
    PictureEdits { rotation: Rotation::Right, ..PictureEdits::default() }
}

/// The left third is covered.
fn masked() -> PictureEdits {
    let corners = [(0, 0), (3000, 0), (3000, 10_000), (0, 10_000)];
    let polygon = corners.into_iter().map(|(x, y)| Point { x, y }).collect();
    PictureEdits { masks: vec![polygon], ..PictureEdits::default() }
}

/// Calls `work` with the way out of a camera whose pictures are edited so.
fn with_output(edits: &PictureEdits, work: impl FnOnce(&mut Output<'_>, &CameraFeed)) {
    let settings = testing::settings();
    let (mut publisher, frames): (Publisher<Frame>, _) = latest(4);
    let feed = CameraFeed::new(&settings.name, frames);
    feed.set_edits(edits);
    let (clock, stop) = (SystemClock, Stop::new());
    let session = Session::new(&clock, &stop, &feed, false);
    let mut output = Output::new(&settings, &feed, &session, &mut publisher);
    work(&mut output, &feed);
}

/// The frame that is made of a JPEG of this machine, and of one from elsewhere.
fn made(output: &mut Output<'_>, feed: &CameraFeed, jpeg: &[u8]) -> [Result<Arc<Frame>, String>; 2] {
    let account = Account::unlimited();
    let contents =
        [Content::Jpeg(jpeg), Content::UntrustedJpeg { jpeg, account: &account, is_no_signal: false }];
    contents.map(|content| {
        let picture = Picture { content, captured: None, is_description_new: false };
        let finished = output.prepare(&picture).map_err(|why| why.to_string())?;
        let mut viewer = feed.frames().subscribe().unwrap();
        output.publish(finished);
        Ok(viewer.newest().unwrap())
    })
}

/// Whether each block of a frame has no detail.
fn flat_blocks(frame: &Frame) -> Vec<bool> {
    let mut reader = Reader::new();
    let found = reader.read(frame.jpeg(), Limits { max_pixels: MOST_PIXELS }).unwrap();
    let (columns, rows) = found.planes().next().unwrap();
    let blocks = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
    blocks.map(|(column, row)| found.block(0, column, row)[1..].iter().all(|&value| value == 0)).collect()
}

#[test]
fn without_an_edit_a_jpeg_is_passed_through_byte_for_byte() {
    for jpeg in [jpeg(false), jpeg(true)] {
        with_output(&PictureEdits::default(), |output, feed| {
            for frame in made(output, feed, &jpeg) {
                assert_eq!(frame.unwrap().jpeg(), jpeg);
            }
        });
    }
}

#[test]
fn a_turned_frame_has_the_turned_size() {
    with_output(&turned(), |output, feed| {
        for frame in made(output, feed, &jpeg(false)) {
            let frame = frame.unwrap();
            assert_eq!(frame.size(), (32, 48));
            let decoded = jpeg_decoder::Decoder::new(frame.jpeg()).decode().unwrap();
            assert!(decoded[0] < 20 && decoded[47 * 32] > 220, "what was left is at the top");
        }
    });
}

#[test]
fn what_is_masked_is_flat_from_the_first_frame_on() {
    with_output(&masked(), |output, feed| {
        for frame in made(output, feed, &jpeg(false)) {
            let flat = flat_blocks(&frame.unwrap());
            assert_eq!(flat[..6], [true, true, false, false, false, false]);
        }
        feed.set_edits(&PictureEdits { masks: Vec::new(), ..turned() });
        assert_eq!(made(output, feed, &jpeg(false))[0].as_ref().unwrap().size(), (32, 48));
        feed.set_edits(&masked());
        let again = made(output, feed, &jpeg(false));
        assert!(flat_blocks(again[0].as_ref().unwrap())[0], "the frame after a change");
    });
}

#[test]
fn a_jpeg_that_no_mask_can_be_put_on_makes_no_frame() {
    let mut damaged = jpeg(false);
    let at = damaged.len() - 12;
    damaged[at..at + 8].fill(0xFE);
    for (jpeg, reason) in [(jpeg(true), "progressive"), (damaged, "damaged")] {
        with_output(&masked(), |output, feed| {
            for frame in made(output, feed, &jpeg) {
                let why = frame.unwrap_err();
                assert!(why.contains("masks") && why.contains(reason), "{why}");
            }
        });
    }
}

/// What is behind the last block may be blocks that an error has moved: those under a mask may be seen beside it.
#[test]
fn without_eoi_only_padding_follows_a_masked_picture() {
    let whole = jpeg(false);
    let frame = |behind: &[u8]| [&whole[..whole.len() - 2], behind].concat();
    for (edits, is_refused) in [(PictureEdits::default(), false), (masked(), true)] {
        for (behind, is_padding) in [
            (&b""[..], true),
            (&[0; 64], true),
            (&[0xFF; 64], true),
            (&[0x55; 64], true),
            (&[1, 2, 3], false),
            (&whole[whole.len() - 40..whole.len() - 2], false),
        ] {
            with_output(&edits, |output, feed| {
                let made = made(output, feed, &frame(behind));
                if is_refused && !is_padding {
                    let why = made[0].as_ref().unwrap_err();
                    assert!(why.contains("more data"), "{behind:?}: {why}");
                } else {
                    assert!(made[0].as_ref().unwrap().jpeg().ends_with(b"\xff\xd9"), "{behind:?}");
                }
            });
        }
    }
}

#[test]
fn what_editing_takes_is_counted_for_a_picture_from_elsewhere() {
    let noise = crate::codec::jpeg::noise(512);
    for (bytes, is_enough) in [(2 << 20, false), (16 << 20, true)] {
        let memory = Memory::new(bytes);
        let used = || memory.usage()[0].1.used_bytes;
        with_output(&turned(), |output, feed| {
            let account = memory.for_device();
            let mut prepare = |jpeg: &[u8]| {
                let content = Content::UntrustedJpeg { jpeg, account: &account, is_no_signal: false };
                output.prepare(&Picture { content, captured: None, is_description_new: false }).map(drop)
            };
            let prepared = prepare(&noise);
            if is_enough {
                assert!(prepared.is_ok() && used() > 512 * 512 * 4, "{}", used());
            } else {
                assert!(matches!(prepared, Err(Unusable::NoMemory)));
                assert!(prepare(&jpeg(false)).is_ok(), "a usual one");
            }
            feed.set_edits(&PictureEdits::default());
            prepare(&jpeg(false)).unwrap();
            assert_eq!(used(), 0, "it is given back");
        });
    }
}

#[test]
fn without_a_mask_a_jpeg_of_another_kind_is_passed_through() {
    with_output(&turned(), |output, feed| {
        for frame in made(output, feed, &jpeg(true)) {
            let frame = frame.unwrap();
            assert_eq!((frame.jpeg(), frame.size()), (jpeg(true).as_slice(), (48, 32)));
        }
        assert!(output.refused_edit().is_some());
    });
}

#[test]
fn a_head_of_too_many_pixels_makes_no_frame() {
    let mut huge = jpeg(false);
    let frame = huge.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    huge[frame + 5..frame + 9].fill(0xFF);
    with_output(&masked(), |output, feed| {
        for frame in made(output, feed, &huge) {
            assert!(frame.is_err());
        }
    });
}

#[test]
fn a_no_signal_frame_is_as_large_as_turned_pictures() {
    let world = World::new(CameraSettings { edits: turned(), ..testing::settings() });
    let clock = FakeClock::new();
    world.watch();
    let mut camera = FakeCamera::new(&clock, |_| Err(gone()));
    world.run(&clock, &mut camera, 1_000);
    assert_eq!((world.feed.state().width, world.feed.state().height), (120, 160));
    assert_eq!(world.newest().size(), (120, 160));
}

#[test]
fn a_camera_whose_frames_take_no_mask_says_so_and_shows_none() {
    let world = World::new(CameraSettings { edits: masked(), ..testing::settings() });
    let clock = FakeClock::new();
    world.watch();
    for at_ms in (50..6_000).step_by(100) {
        clock.at(at_ms, || {
            let mut viewer = world.viewer.borrow_mut();
            let newest = viewer.as_mut().and_then(|viewer| viewer.newest());
            assert!(newest.is_none_or(|frame| frame.is_no_signal()));
        });
    }
    let progressive: &'static [u8] = jpeg(true).leak();
    let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { jpeg: Some(progressive), ..FILM }));
    world.run(&clock, &mut camera, 6_100);
    let state = world.feed.state();
    let problem = state.problem.unwrap();
    assert!(!state.online && problem.contains("masks") && problem.contains("progressive"), "{problem}");
    assert!(world.newest().is_no_signal());
    assert!(world.feed.counters.dropped.get() > 10);
}

#[test]
fn a_camera_that_cannot_be_turned_is_online_with_the_reason() {
    let world = World::new(CameraSettings { edits: turned(), ..testing::settings() });
    let clock = FakeClock::new();
    world.watch();
    let progressive: &'static [u8] = jpeg(true).leak();
    let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { jpeg: Some(progressive), ..FILM }));
    world.run(&clock, &mut camera, 1_000);
    let state = world.feed.state();
    assert!(state.online && state.problem.unwrap().contains("progressive"));
    assert_eq!((state.width, state.height), (48, 32));
}

#[test]
fn the_state_says_what_a_turn_cuts_off() {
    let around = PictureEdits { rotation: Rotation::Around, ..PictureEdits::default() };
    for (edits, size, trimmed) in [
        (PictureEdits::default(), (51, 37), (0, 0)),
        (turned(), (32, 51), (5, 0)),
        (around.clone(), (48, 32), (3, 5)),
    ] {
        let world = World::new(CameraSettings { edits, ..testing::settings() });
        let clock = FakeClock::new();
        world.watch();
        clock.at(1_500, || assert_eq!(world.feed.state().trimmed, trimmed));
        // What is turned otherwise from now on.
        clock.at(1_600, || world.feed.set_edits(&around));
        let odd: &'static [u8] = jpeg_of((51, 37), false).leak();
        let mut camera = FakeCamera::new(&clock, move |_| Ok(Film { jpeg: Some(odd), ..FILM }));
        clock.at(1_550, || {
            let state = world.feed.state();
            assert_eq!((state.width, state.height), size);
        });
        world.run(&clock, &mut camera, 3_000);
        let state = world.feed.state();
        assert_eq!((state.width, state.height, state.trimmed), (48, 32, (3, 5)));
    }
}
