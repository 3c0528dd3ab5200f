//! Sockets and their senders: what is taken of a stream, and what is said of one that gives nothing.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder};

use super::connection::{Wire, connect};
use super::fake::FakeWire;
use super::jpegs::JpegFeed;
use super::microphone::SoundFeed;
use super::planes::PlaneFeed;
use crate::hub::{CameraFeed, Stop, latest};
use crate::media::{PixelFormat, SoundFormat};
use crate::memory::{Account, Memory};
use crate::source::audio::{AudioArrival, AudioSource};
use crate::source::clock::POLL;
use crate::source::clock::fake::{BEGIN, FakeClock};
use crate::source::session::Session;
use crate::source::video::{Content, Unusable, VideoSource};

fn jpeg(side: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = vec![side as u8; usize::from(side) * usize::from(side)];
    Encoder::new(&mut jpeg, 80).encode(&pixels, side, side, ColorType::Luma).unwrap();
    jpeg
}

/// Calls `test` with a session that ends with `stop`.
fn with_session<'t>(clock: &FakeClock<'t>, stop: &Stop, test: impl FnOnce(&Session<'_>)) {
    let (_publisher, frames) = latest(1);
    let feed = CameraFeed::new("front", frames);
    test(&Session::new(clock, stop, &feed, false));
}

fn path() -> PathBuf {
    PathBuf::from("/run/cam")
}

/// The next JPEG, and what was lost before it.
fn take(feed: &mut JpegFeed<'_>) -> (Vec<u8>, u32) {
    loop {
        let arrival = feed.next(POLL).unwrap();
        let lost = arrival.lost;
        match arrival.picture {
            Some(Ok(picture)) => match picture.content {
                Content::SplitJpeg { jpeg, .. } => return (jpeg.to_vec(), lost),
                _ => panic!("no JPEG"),
            },
            Some(Err(why)) => panic!("{why}"),
            None => {}
        }
    }
}

/// Why a feed gives nothing: it fails, or is stalled after `calls`.
fn reason(feed: &mut dyn VideoSource, calls: u32) -> String {
    for _ in 0..calls {
        if let Err(error) = feed.next(POLL) {
            return error.to_string();
        }
    }
    feed.stall_reason().expect("words").to_string()
}

#[test]
fn the_newest_picture_wins_and_what_began_is_kept() {
    let (clock, stop) = (FakeClock::new(), Stop::new());
    let (old, new) = (jpeg(16), jpeg(24));
    let burst = [&old[..], &old, &new, &old[..100]].concat();
    let wire = Box::new(FakeWire::new(&clock, &[(250, &burst), (300, &old[100..])], None));
    with_session(&clock, &stop, |session| {
        let mut feed = JpegFeed::new(path(), wire, session, 30, &Account::unlimited());
        assert!(feed.next(POLL).unwrap().picture.is_none(), "a wait ends in time");
        assert_eq!(clock.elapsed_ms(), 100);
        assert_eq!(take(&mut feed), (new, 2));
        assert_eq!(clock.elapsed_ms(), 250);
        assert_eq!(take(&mut feed), (old, 0));
    });
}

#[test]
fn a_damaged_picture_is_reported_and_the_next_is_shown() {
    let (clock, stop, whole) = (FakeClock::new(), Stop::new(), jpeg(16));
    // Cut in the entropy-coded data: of one that is cut in a segment, the length swallows what comes next.
    let cut = &whole[..whole.len() - 4];
    let stream = [&whole, cut, &whole, cut, &whole].concat();
    let wire = Box::new(FakeWire::new(&clock, &[(0, &stream)], None));
    with_session(&clock, &stop, |session| {
        let mut feed = JpegFeed::new(path(), wire, session, 30, &Account::unlimited());
        assert_eq!(take(&mut feed), (whole, 3), "one of the two is counted here, and two that came before");
        assert!(matches!(feed.next(POLL).unwrap().picture, Some(Err(Unusable::CutOff))));
        assert!(feed.next(POLL).unwrap().picture.is_none());
    });
}

#[test]
fn a_stream_without_pictures_is_said_to_be_one() {
    let whole = jpeg(16);
    let endless = [&whole[..whole.len() - 2], &vec![0x55; 9 << 20]].concat();
    let half = &whole[..whole.len() / 2];
    let text = b"ERROR: *** no cameras available ***\n\x1b[31m";
    let rows: [(&[u8], &str, &str); 5] = [
        (b"", "connected, but nothing comes", "closed before anything came"),
        (
            text,
            "sends no JPEG: `ERROR: *** no cameras available ***\\n\\u{1b}[31m`",
            "what came is no JPEG: `ERROR: *** no",
        ),
        (half, "nothing more comes, in the middle of a JPEG", "closed in the middle of a JPEG"),
        (&endless, "sends a JPEG without end (no FF D9 in 8 MiB)", "a JPEG without end"),
        (&whole, "nothing more comes", "closed by the program that feeds it"),
    ];
    for (bytes, stalled, closed) in rows {
        for (ends_ms, expected) in [(None, stalled), (Some(200), closed)] {
            let (clock, stop) = (FakeClock::new(), Stop::new());
            let pieces: &[(u64, &[u8])] = if bytes.is_empty() { &[] } else { &[(0, bytes)] };
            let wire = Box::new(FakeWire::new(&clock, pieces, ends_ms));
            with_session(&clock, &stop, |session| {
                let mut feed = JpegFeed::new(path(), wire, session, 30, &Account::unlimited());
                let why = reason(&mut feed, 20);
                assert!(
                    why.starts_with("unix:/run/cam: ") && why.contains(expected),
                    "{why}; expected {expected}"
                );
            });
        }
    }
}

#[test]
fn a_sender_that_is_never_done_is_held_up() {
    for bytes in [jpeg(16), b"garbage ".to_vec(), vec![0xFF, 0xD8, 0xFF]] {
        let (clock, stop) = (FakeClock::new(), Stop::new());
        let wire = Box::new(FakeWire::endless(&clock, &bytes));
        with_session(&clock, &stop, |session| {
            let mut feed = JpegFeed::new(path(), wire, session, 30, &Account::unlimited());
            (0..11).for_each(|_| drop(feed.next(POLL)));
            assert!(clock.elapsed_ms() >= 50, "{} ms for what 11 calls read", clock.elapsed_ms());
        });
    }
}

#[test]
fn what_is_read_is_counted_and_given_back() {
    let memory = Memory::new(8 << 20);
    let used = || memory.usage()[0].1.used_bytes;
    let (clock, stop, whole) = (FakeClock::new(), Stop::new(), jpeg(16));
    let endless = [&whole[..whole.len() - 2], &vec![0x55; 9 << 20]].concat();
    let wire = Box::new(FakeWire::new(&clock, &[(0, &whole), (10, &endless)], None));
    with_session(&clock, &stop, |session| {
        let mut feed = JpegFeed::new(path(), wire, session, 30, &memory.for_device());
        take(&mut feed);
        assert!(used() >= whole.len());
        let mut has_no_memory = false;
        for _ in 0..20 {
            let picture = feed.next(POLL).unwrap().picture;
            has_no_memory |= matches!(picture, Some(Err(Unusable::NoMemory)));
        }
        assert!(has_no_memory && used() <= 6 << 20, "{} bytes", used());
    });
    assert_eq!(used(), 0);
}

#[test]
fn raw_pictures_are_taken_by_their_size() {
    let (clock, stop) = (FakeClock::new(), Stop::new());
    let bytes = 16 * 16 * 3 / 2;
    let stream: Vec<u8> = [1, 2, 3].iter().flat_map(|value| vec![*value; bytes]).chain([4; 100]).collect();
    let wire =
        Box::new(FakeWire::new(&clock, &[(0, &stream[..bytes - 1]), (10, &stream[bytes - 1..])], Some(300)));
    with_session(&clock, &stop, |session| {
        let format = (PixelFormat::I420, (16, 16));
        let memory = Memory::new(6 * bytes);
        let mut feed = PlaneFeed::new(path(), wire, session, format, 30, &memory.for_device()).unwrap();
        assert!(feed.next(POLL).unwrap().picture.is_none(), "a byte is missing");
        let arrival = feed.next(POLL).unwrap();
        assert_eq!(arrival.lost, 2);
        let Some(Ok(picture)) = arrival.picture else { panic!("no picture") };
        let Content::Raw(image) = picture.content else { panic!("no raw picture") };
        assert_eq!((image.data, image.stride_bytes), (&[3; 16 * 16 * 3 / 2][..], 16));
        assert_eq!(
            reason(&mut feed, 1),
            format!(
                "unix:/run/cam: nothing more comes, in the middle of a picture: 100 of {bytes} bytes came"
            )
        );
        let why = reason(&mut feed, 5);
        assert!(why.contains("closed in the middle of a picture, after 100 of 384 bytes"), "{why}");
        let other = Box::new(FakeWire::new(&clock, &[], None));
        let refused = PlaneFeed::new(path(), other, session, format, 30, &memory.for_device()).err().unwrap();
        assert!(refused.to_string().contains("memory_mb"), "{refused}");
    });
}

#[test]
fn raw_pictures_of_a_fast_sender_are_thinned() {
    let (clock, stop, bytes) = (FakeClock::new(), Stop::new(), 16 * 16 * 3 / 2);
    let picture = vec![7; bytes];
    // 50 a second for two seconds.
    let pieces: Vec<(u64, &[u8])> = (1..=100).map(|number| (number * 20, &picture[..])).collect();
    let wire = Box::new(FakeWire::new(&clock, &pieces, None));
    with_session(&clock, &stop, |session| {
        let format = (PixelFormat::I420, (16, 16));
        let mut feed = PlaneFeed::new(path(), wire, session, format, 10, &Account::unlimited()).unwrap();
        let (mut shown, mut lost) = (0, 0);
        while clock.elapsed_ms() < 2_000 {
            let arrival = feed.next(POLL).unwrap();
            shown += u32::from(arrival.picture.is_some());
            lost += arrival.lost;
        }
        assert_eq!((shown, lost), (20, 80));
    });
}

#[test]
fn samples_are_put_together_and_a_flood_of_them_waits() {
    const FORMAT: SoundFormat = SoundFormat { rate_hz: 1000, channels: 2 };
    let (clock, stop) = (FakeClock::new(), Stop::new());
    let bytes: Vec<u8> = (0..400u16).flat_map(u16::to_le_bytes).collect();
    let wire = Box::new(FakeWire::new(&clock, &[(100, &bytes[..399]), (200, &bytes[399..])], Some(1_500)));
    with_session(&clock, &stop, |session| {
        let mut feed = SoundFeed::new(path(), wire, session, FORMAT);
        let mut heard = Vec::new();
        let mut ends = Vec::new();
        let error = loop {
            match feed.next(POLL) {
                Ok(AudioArrival::Samples(samples)) => {
                    heard.extend_from_slice(samples.samples);
                    ends.push((samples.end.since(BEGIN).as_millis(), samples.is_after_gap));
                }
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(heard, (0..400).collect::<Vec<i16>>());
        assert_eq!(ends, [(100, true), (200, false)]);
        assert_eq!(error.to_string(), "unix:/run/cam: closed by the program that feeds it");
    });
    let (clock, stop) = (FakeClock::new(), Stop::new());
    let frames = Cell::new(0);
    let wire = Box::new(FakeWire::endless(&clock, b"tone"));
    with_session(&clock, &stop, |session| {
        let mut feed = SoundFeed::new(path(), wire, session, FORMAT);
        while clock.elapsed_ms() < 60_000 {
            let Ok(AudioArrival::Samples(samples)) = feed.next(POLL) else { panic!("no sound") };
            assert!(samples.end <= session.now());
            frames.set(frames.get() + samples.samples.len() / 2);
        }
    });
    assert!((60_000..70_000).contains(&frames.get()), "{} frames in a minute", frames.get());
}

/// The words for why there is no connection.
fn refusal(path: &Path) -> String {
    connect(path).expect_err("no connection").to_string()
}

#[test]
fn what_is_no_socket_to_read_from_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(refusal(&at("gone")).contains("no such socket; start the program"));
    fs::write(at("file"), "").unwrap();
    assert!(refusal(&at("file")).contains("not a socket"));
    assert!(refusal(folder.path()).contains("not a socket"));
    drop(UnixListener::bind(at("left")).unwrap());
    assert!(refusal(&at("left")).contains("connection refused, because no program listens"));
    let _packets = UnixDatagram::bind(at("packets")).unwrap();
    assert!(refusal(&at("packets")).contains("a socket for packets"));
    let full = UnixListener::bind(at("full")).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let waiting: Vec<_> = std::iter::from_fn(|| connect(&at("full")).ok()).take(100).collect();
    assert!(waiting.len() < 100 && refusal(&at("full")).contains("accepts no more connections"));
    if !rustix::process::geteuid().is_root() {
        let _denied = UnixListener::bind(at("denied")).unwrap();
        fs::set_permissions(at("denied"), fs::Permissions::from_mode(0o400)).unwrap();
        assert!(refusal(&at("denied")).contains("permission denied; let the user"));
    }
}

#[test]
fn a_connection_is_read_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cam");
    let listener = UnixListener::bind(&path).unwrap();
    let mut wire = connect(&path).unwrap();
    let (mut sender, _) = listener.accept().unwrap();
    let mut room = [0; 8];
    assert_eq!(Wire::read(&mut wire, &mut room).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(!wire.wait(Duration::ZERO).unwrap());
    sender.write_all(b"picture").unwrap();
    assert!(wire.wait(Duration::from_secs(60)).unwrap());
    assert_eq!(Wire::read(&mut wire, &mut room).unwrap(), 7);
    drop(sender);
    assert!(wire.wait(Duration::from_secs(60)).unwrap(), "its end can be read");
    assert_eq!(Wire::read(&mut wire, &mut room).unwrap(), 0);
}
