//! Pictures that are turned, masked and stamped on their way through the server, decoded by others than the server.

use std::fs;
use std::process::Command;

use crate::feeder::{Feeder, send_for_ever};
use crate::remote::{section, wait_status};
use crate::support::{PASSWORD, Server, Setup, USER, add_token, add_user, defender, stderr, wait_for, watch};

pub const ADMIN: &str = "ada";

/// A JPEG of 320x240 pixels of ffmpeg, with red, green, blue and white quarters.
pub fn quarters(setup: &Setup) -> Vec<u8> {
    let file = setup.path().join("quarters.jpg");
    let fill =
        |x: u32, y: u32, colour: &str| format!("drawbox=x={x}:y={y}:w=160:h=120:color={colour}:t=fill");
    let quarters =
        [fill(0, 0, "red"), fill(160, 0, "lime"), fill(0, 120, "blue"), fill(160, 120, "white")].join(",");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=black:size=320x240", "-vf", &quarters])
        .args(["-q:v", "2", "-frames:v", "1"])
        .arg(&file)
        .status();
    assert!(made.expect("ffmpeg runs").success());
    fs::read(file).expect("made")
}

/// A decoded picture.
pub struct Decoded {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Decoded {
    pub fn of(jpeg: &[u8]) -> Self {
        let mut decoder = jpeg_decoder::Decoder::new(jpeg);
        let rgb = decoder.decode().expect("a whole JPEG");
        let info = decoder.info().expect("decoded");
        Self { width: info.width.into(), height: info.height.into(), rgb }
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// The colours of the four quarters, from left to right and from top to bottom.
    fn quarters(&self) -> String {
        let colour = |(x, y): (usize, usize)| match self
            .pixel(self.width * x / 4, self.height * y / 4)
            .map(|value| value > 128)
        {
            [true, false, false] => 'r',
            [false, true, false] => 'g',
            [false, false, true] => 'b',
            [true, true, true] => 'w',
            _ => '?',
        };
        [(1, 1), (3, 1), (1, 3), (3, 3)].map(colour).iter().collect()
    }

    fn is_grey(&self, x: usize, y: usize) -> bool {
        self.pixel(x, y).iter().all(|value| value.abs_diff(128) <= 4)
    }
}

/// A camera that is fed with pictures, its server with an admin, and the feeder.
fn camera(setup: Setup, pictures: Vec<Vec<u8>>, keys: &str) -> (Server, Feeder) {
    let socket = setup.path().join("cam");
    let feeder = Feeder::start(&socket, move |stream, _| send_for_ever(stream, &pictures));
    add_user(setup.path(), ADMIN, "admin");
    let section = format!("[camera.front]\ndevice = \"unix:{}\"\n{keys}", socket.display());
    (setup.sections(&section).start(), feeder)
}

pub fn change(server: &Server, camera: &str, body: &str) -> String {
    let login = format!("{ADMIN}:{PASSWORD}");
    let answer = server.curl(&format!("/api/1.0/cameras/{camera}"), &["-u", &login, "-X", "PUT", "-d", body]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

fn snapshot(server: &Server, path: &str) -> Decoded {
    Decoded::of(&wait_for("a snapshot", || {
        let answer = server.get(path);
        (answer.status == 200).then_some(answer.body)
    }))
}

/// The first picture of a recorded stream.
fn first_picture(server: &Server, path: &str, into: &str) -> Decoded {
    let (_viewer, file) = watch(server, path, into);
    wait_for("a picture", || {
        let bytes = fs::read(&file).unwrap_or_default();
        let start = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&bytes[..start]).into_owned();
        let length: usize = head.split("Content-Length: ").nth(1)?.lines().next()?.parse().ok()?;
        bytes.get(start..start + length).map(Decoded::of)
    })
}

#[test]
fn a_camera_is_turned_while_it_runs_and_after_a_restart() {
    let setup = Setup::new();
    let pictures = vec![quarters(&setup)];
    let (mut server, feeder) = camera(setup, pictures, "");
    assert_eq!(snapshot(&server, "/snapshot").quarters(), "rgbw");
    for (body, expected, size) in [
        (r#"{"rotate":90}"#, "brwg", (240, 320)),
        (r#"{"rotate":180}"#, "wbgr", (320, 240)),
        (r#"{"rotate":270}"#, "gwrb", (240, 320)),
        (r#"{"rotate":0,"flip":"vertical"}"#, "bwrg", (320, 240)),
        (r#"{"rotate":90,"flip":"horizontal","save":true}"#, "rbgw", (240, 320)),
    ] {
        let status = change(&server, "front", body);
        let shown = snapshot(&server, "/snapshot");
        assert_eq!((shown.quarters().as_str(), (shown.width, shown.height)), (expected, size), "{body}");
        let (width, height) = size;
        assert!(status.contains(&format!("\"width\":{width},\"height\":{height}")), "{status}");
    }
    assert_eq!(feeder.connections(), 1, "the camera was not started anew");
    server.signal("TERM");
    server.wait_end();
    server.start_again();
    assert_eq!(snapshot(&server, "/snapshot").quarters(), "rbgw");
}

#[test]
fn masks_cover_every_picture_from_a_reload_on() {
    let setup = Setup::new();
    let pictures = vec![quarters(&setup)];
    let (server, _feeder) =
        camera(setup, pictures, "rotate = 180\n[camera.front.stream.small]\nscale = \"1/2\"\n");
    let (_viewer, _file) = watch(&server, "/video/front/small", "small");
    assert_eq!(snapshot(&server, "/snapshot/front/small").quarters(), "wbgr");
    let config = server.path().join("defender.conf");
    let text = fs::read_to_string(&config).unwrap();
    let masks = "masks = [[[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]]\nrotate";
    fs::write(&config, text.replacen("rotate", masks, 1)).unwrap();
    server.signal("HUP");
    server.wait_log("camera front: new settings");
    // The white quarter is covered: right and below as the camera sends it, left and above once it is turned.
    let settings = || server.get("/api/1.0/cameras/front").text().contains("\"masks\":[[[0.5,0.5]");
    wait_for("the reload", || settings().then_some(()));
    for (number, path) in ["/video", "/video/front/small"].into_iter().enumerate() {
        let first = first_picture(&server, path, &format!("first{number}"));
        assert!(first.is_grey(first.width / 4, first.height / 4) && first.is_grey(2, 2), "{path}");
    }
    for path in ["/snapshot", "/snapshot/front/small", "/snapshot?scale=1/8"] {
        let shown = snapshot(&server, path);
        assert!(shown.is_grey(shown.width / 4, shown.height / 4), "{path}");
        assert_eq!(&shown.quarters()[1..], "bgr", "{path}");
    }
}

#[test]
fn a_relay_shows_what_is_turned_and_masked_there() {
    let setup = Setup::new();
    let pictures = vec![quarters(&setup)];
    // The white quarter is covered.
    let keys = "rotate = 90\nmasks = [[[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]]\n\
                [camera.front.stream.small]\nscale = \"1/4\"\n";
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    let (board, _feeder) = camera(setup.keep_users(), pictures, keys);
    let panel = Setup::new().sections(&section(&board, &token)).start();
    wait_status(&panel, "\"name\":\"attic-front\"");
    for (path, size) in [("/snapshot/attic-front", (240, 320)), ("/snapshot/attic-front/small", (60, 80))] {
        let shown = snapshot(&panel, path);
        assert_eq!((shown.width, shown.height), size, "{path}");
        assert_eq!(shown.quarters().replace('w', "?"), "br?g", "{path}");
        assert!(shown.is_grey(shown.width / 4, shown.height * 3 / 4), "{path}");
    }
    change(&board, "front", r#"{"rotate":180}"#);
    wait_for("the other turn", || {
        (snapshot(&panel, "/snapshot/attic-front/small").quarters() == "?bgr").then_some(())
    });
    assert_eq!(snapshot(&panel, "/snapshot/attic-front").quarters(), "?bgr");
    let status = || panel.get("/api/1.0/cameras/attic-front").text();
    wait_for("the size", || status().contains("\"width\":80,\"height\":60").then_some(()));
}

#[test]
fn a_camera_of_progressive_pictures_with_a_mask_shows_none() {
    let setup = Setup::new();
    let mut picture = quarters(&setup);
    let frame = picture.windows(2).position(|two| two == [0xFF, 0xC0]).expect("a frame header");
    picture[frame + 1] = 0xC2;
    let (server, _feeder) = camera(setup, vec![picture], "masks = [[[0, 0], [0.5, 0], [0.5, 0.5]]]\n");
    server.wait_log("progressive");
    let refused = server.get("/snapshot");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("masks") && refused.text().contains("progressive"), "{}", refused.text());
    let status = server.get("/api/1.0/cameras/front").text();
    assert!(status.contains("\"online\":false"), "{status}");
}

#[test]
fn lettering_is_in_its_corner_of_jpeg_and_raw_pictures() {
    let setup = Setup::new();
    let pictures = vec![quarters(&setup)];
    let section = "stamp = \"%Y {camera}\"\nstamp_corner = \"top-right\"\n\
                   [camera.raw]\ndevice = \"test\"\nwidth = 320\nheight = 240\nmasks = [[[0, 0], [0.4, 0], [0.4, 0.4]]]\n\
                   stamp = \"%Y {camera}\"\nstamp_corner = \"top-right\"\n";
    let (server, _feeder) = camera(setup, pictures, section);
    for path in ["/snapshot/front", "/snapshot/raw"] {
        let shown = snapshot(&server, path);
        let line: Vec<[u8; 3]> =
            (0..16).flat_map(|y| (240..320).map(move |x| (x, y))).map(|(x, y)| shown.pixel(x, y)).collect();
        let count = |is_so: fn(u8) -> bool| {
            line.iter().filter(|pixel| pixel.iter().all(|&value| is_so(value))).count()
        };
        let (light, dark) = (count(|value| value > 180), count(|value| value < 90));
        assert!(
            light > line.len() / 20 && dark > line.len() / 3,
            "{path}: {light} and {dark} of {}",
            line.len()
        );
    }
    let raw = snapshot(&server, "/snapshot/raw");
    assert!(raw.is_grey(100, 20) && !raw.is_grey(200, 40));
}

#[test]
fn a_mistake_in_an_edit_names_line_and_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("defender.conf");
    for (line, parts) in [
        ("stamp = \"%Y %Q\"", ["defender.conf:3:9:", "stamp in [camera.front]", "unknown conversion `%Q`"]),
        ("rotate = 45", ["defender.conf:3:10:", "rotate in [camera.front] is 45", "one of 0, 90, 180, 270"]),
        (
            "flip = \"horizontl\"",
            ["defender.conf:3:8:", "flip in [camera.front]", "did you mean `horizontal`?"],
        ),
        (
            "masks = [[[0, 0], [1, 1]]]",
            ["defender.conf:3:", "masks in [camera.front]", "polygon 1 has 2 points"],
        ),
    ] {
        fs::write(&file, format!("[camera.front]\ndevice = \"test\"\n{line}\n")).unwrap();
        let checked = defender(folder.path(), &["check", "-c", "defender.conf"], "");
        let said = stderr(&checked);
        assert_eq!(checked.status.code(), Some(2), "{said}");
        for part in parts {
            assert!(said.contains(part), "{line}: `{part}` is missing in {said}");
        }
    }
}
