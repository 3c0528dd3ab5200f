//! A ribbon camera on a made-up board, with a feeder that does as the test says.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::media::Sensors;
use super::*;
use crate::hub::{CameraFeed, Stop, latest};
use crate::memory::Account;
use crate::source::clock::fake::FakeClock;
use crate::source::session::Session;
use crate::source::settings::testing;
use crate::source::test::CardSource;
use crate::source::unix::UnixCamera;
use crate::source::video::{Arrival, Description, OpenVideo, VideoError, VideoSource};

/// Opens what the function returns.
struct Feeder<F>(F);

impl<'s, F: Fn(&'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError>> OpenVideo<'s>
    for Feeder<F>
{
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        (self.0)(session)
    }
}

/// A source that fails at its first picture.
struct Ended<'s>(CardSource<'s>);

impl VideoSource for Ended<'_> {
    fn description(&self) -> Description {
        self.0.description()
    }

    fn next(&mut self, _timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        Err(VideoError::of(io::Error::other("the feeder closed the connection")))
    }
}

fn no_sensor() -> Sensors {
    Sensors::default()
}

fn one_sensor() -> Sensors {
    Sensors { names: vec!["imx219 10-0010".to_owned()], problem: None }
}

/// A folder with all that a board needs but a sensor.
fn whole_board() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in ["run/defender-ribbon", "usr/bin/rpicam-vid", "run/defender/x"] {
        fs::create_dir_all(root.path().join(file).parent().unwrap()).unwrap();
        fs::write(root.path().join(file), "").unwrap();
    }
    root
}

/// Lets `test` use a session.
fn with_session(test: impl FnOnce(&Session<'_>)) {
    let (publisher, frames) = latest(1);
    let (clock, stop, feed) = (FakeClock::new(), Stop::new(), CameraFeed::new("front", frames));
    test(&Session::new(&clock, &stop, &feed, false));
    drop(publisher);
}

/// What opening the camera of a board says if its feeder fails with `kind`.
fn sentence(root: &Path, sensors: fn() -> Sensors, kind: io::ErrorKind) -> String {
    let (board, settings) = (Board::fake(root, sensors), testing::settings());
    let mut said = String::new();
    with_session(|session| {
        let feeder = Feeder(|_: &Session<'_>| Err(VideoError::of(io::Error::from(kind))));
        let mut camera = RibbonCamera::new(&board, 0, &settings, Box::new(feeder));
        said = camera.open(session).err().map(|error| error.to_string()).unwrap_or_default();
    });
    said
}

#[test]
fn size_rate_and_quality_are_written_before_connecting() {
    let root = whole_board();
    let (board, settings) = (Board::fake(root.path(), one_sensor), testing::settings());
    let file = root.path().join("run/defender/defender-ribbon");
    with_session(|session| {
        let feeder = Feeder(|_: &Session<'_>| {
            assert_eq!(fs::read_to_string(&file).unwrap(), "width=160\nheight=120\nfps=20\nquality=80\n");
            Err(VideoError::Unwanted)
        });
        let mut camera = RibbonCamera::new(&board, 0, &settings, Box::new(feeder));
        assert!(matches!(camera.open(session), Err(VideoError::Unwanted)), "no fault is made of it");
    });
    assert!(file.exists());
}

#[test]
fn a_failed_connection_names_what_the_board_lacks() {
    let root = whole_board();
    let gone = io::ErrorKind::NotFound;
    let sensor = sentence(root.path(), no_sensor, gone);
    assert!(sensor.starts_with("ribbon:0: no ribbon camera found; check both ends"), "{sensor}");
    assert!(sensor.ends_with("; what came: entity not found"), "{sensor}");
    fs::remove_file(root.path().join("usr/bin/rpicam-vid")).unwrap();
    let program = sentence(root.path(), one_sensor, gone);
    assert_eq!(program, "ribbon:0: rpicam-vid is missing; run: sudo apt install rpicam-apps-lite");
    fs::remove_file(root.path().join("run/defender-ribbon")).unwrap();
    assert!(sentence(root.path(), one_sensor, gone).contains("; "), "both are named");
}

#[test]
fn a_program_that_fails_is_named_with_where_its_messages_are() {
    let root = whole_board();
    let ended = sentence(root.path(), one_sensor, io::ErrorKind::UnexpectedEof);
    assert!(ended.ends_with("; /run/defender-ribbon.err shows what rpicam-vid said"), "{ended}");
    fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
    let ended = sentence(root.path(), one_sensor, io::ErrorKind::UnexpectedEof);
    assert!(ended.ends_with("; `journalctl -u 'defender-ribbon@*'` shows what rpicam-vid said"), "{ended}");
}

#[test]
fn a_socket_without_a_listener_is_named_with_what_to_do() {
    let root = whole_board();
    let path = root.path().join("run/defender-ribbon");
    fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (board, settings) = (Board::fake(root.path(), one_sensor), testing::settings());
    with_session(|session| {
        let feeder = UnixCamera::new(socket(&board, 0), &settings, &Account::unlimited());
        let mut camera = RibbonCamera::new(&board, 0, &settings, Box::new(feeder));
        let said = camera.open(session).err().map(|error| error.to_string()).unwrap();
        assert!(
            said.contains("nothing listens on its socket any more; run: sudo apt install socat"),
            "{said}"
        );
    });
}

#[test]
fn a_program_that_ends_is_explained_like_a_missing_one() {
    let root = whole_board();
    let (board, settings) = (Board::fake(root.path(), one_sensor), testing::settings());
    with_session(|session| {
        let feeder = Feeder(|session| {
            let card = CardSource::new(&settings, "", None, session);
            Ok(Box::new(Ended(card)) as Box<dyn VideoSource + '_>)
        });
        let mut camera = RibbonCamera::new(&board, 0, &settings, Box::new(feeder));
        let mut source = camera.open(session).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(source.description().source, "ribbon:0: imx219 (Camera Module 2, up to 3280x2464)");
        let error = source.next(Duration::ZERO).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("closed the connection; /run/defender-ribbon.err"), "{error}");
    });
}

#[test]
fn a_request_that_cannot_be_written_is_a_warning() {
    let root = whole_board();
    fs::remove_dir_all(root.path().join("run/defender")).unwrap();
    let (board, settings) = (Board::fake(root.path(), one_sensor), testing::settings());
    with_session(|session| {
        let feeder = Feeder(|session| {
            Ok(Box::new(CardSource::new(&settings, "", None, session)) as Box<dyn VideoSource + '_>)
        });
        let mut camera = RibbonCamera::new(&board, 0, &settings, Box::new(feeder));
        let warnings = camera.open(session).unwrap_or_else(|error| panic!("{error}")).description().warnings;
        assert!(warnings[0].contains("cannot request size"), "{warnings:?}");
    });
}

#[test]
fn auto_takes_the_ribbon_camera_where_no_other_can_be_used() {
    let root = whole_board();
    let bare = tempfile::tempdir().unwrap();
    let unfed =
        "no camera can be used: ribbon:0: rpicam-vid is missing; run: sudo apt install rpicam-apps-lite; ";
    type Row<'r> = (&'r Path, fn() -> Sensors, bool, &'static str);
    let rows: [Row<'_>; 5] = [
        (root.path(), one_sensor, false, "the ribbon camera"),
        (root.path(), one_sensor, true, "the USB camera"),
        (root.path(), no_sensor, false, "no camera found"),
        (bare.path(), no_sensor, false, "no camera found"),
        // Nobody feeds it: the test card says what to do.
        (bare.path(), one_sensor, false, unfed),
    ];
    for (root, sensors, has_usb, expected) in rows {
        let board = Board::fake(root, sensors);
        with_session(|session| {
            let failing = |what: &'static str| move || Err(VideoError::of(io::Error::other(what)));
            let usb = Feeder(move |_: &Session<'_>| {
                if has_usb {
                    failing("the USB camera")()
                } else {
                    Err(VideoError::NoCamera { problem: None })
                }
            });
            let ribbon = Feeder(move |_: &Session<'_>| failing("the ribbon camera")());
            let mut auto = AutoCamera::new(&board, Box::new(usb), Box::new(ribbon));
            let said = auto.open(session).err().map(|error| error.to_string()).unwrap();
            assert!(said.starts_with(expected), "{said}");
            assert_eq!(said.contains("defender-ribbon is missing; run: "), expected == unfed, "{said}");
        });
    }
}

#[test]
fn check_names_the_sensor_or_what_is_missing() {
    let root = whole_board();
    let found = probe(&Board::fake(root.path(), one_sensor), 0).unwrap();
    assert_eq!(found, "ribbon:0: imx219 (Camera Module 2, up to 3280x2464)");
    let error = probe(&Board::fake(root.path(), no_sensor), 0).unwrap_err().to_string();
    assert!(error.contains("check both ends of its cable"), "{error}");
}
