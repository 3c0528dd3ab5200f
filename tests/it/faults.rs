//! A JPEG camera that misbehaves: the stand-in of `bench/camera`, preloaded into the real binary,
//! breaks frames and unplugs itself as no driver does on request.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Server, Setup, parts, wait_for, watch};

/// A server on a stand-in camera.
pub struct Rig {
    server: Server,
    film: Vec<u8>,
    control: PathBuf,
}

impl Rig {
    /// `fault` is what is wrong with the camera from the start.
    pub fn start(fault: &str, keys: &str) -> Self {
        Self::start_with(Setup::new(), fault, keys)
    }

    /// The same for a server that is set up already but for its camera.
    pub fn start_with(setup: Setup, fault: &str, keys: &str) -> Self {
        // A node of its own: the stand-in lets one program stream at a time, as hardware does.
        let node = setup.path().join("camera");
        fs::write(&node, "").unwrap();
        let setup = setup.sections(&format!(
            "[camera.front]\ndevice = \"{}\"\nwidth = 320\nheight = 240\nfps = 15\n{keys}\n",
            node.display()
        ));
        let (standin, film) = (build_standin(setup.path()), make_film(setup.path()));
        let control = setup.path().join("control");
        fs::write(&control, fault).unwrap();
        let server = setup
            .env("LD_PRELOAD", &standin.to_string_lossy())
            .env("STANDIN_NODE", &node.to_string_lossy())
            .env("STANDIN_MJPEG", &film.to_string_lossy())
            .env("STANDIN_CONTROL", &control.to_string_lossy())
            .env("STANDIN_SIZE", "320x240")
            .env("STANDIN_FPS", "15")
            .start();
        Self { server, film: fs::read(film).unwrap(), control }
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The file from which the camera reads its fault.
    pub fn control(&self) -> &Path {
        &self.control
    }

    pub fn fault(&self, fault: &str) {
        fs::write(&self.control, fault).unwrap();
    }

    pub fn wait_status(&self, text: &str) {
        wait_for(&format!("{text} in the status"), || {
            self.server.get_on_board("/api/1.0/status").text().contains(text).then_some(())
        });
    }

    /// The film that the camera plays.
    pub fn film(&self) -> &[u8] {
        &self.film
    }

    pub fn snapshot(&self) -> Vec<u8> {
        wait_for("a snapshot", || Some(self.server.get("/snapshot")).filter(|answer| answer.status == 200))
            .body
    }

    fn dropped(&self) -> u32 {
        let status = self.server.get_on_board("/api/1.0/status").text();
        let rest = status.split("\"dropped\":").nth(1).expect("counted");
        rest.split(',').next().unwrap().parse().unwrap()
    }
}

pub fn build_standin(folder: &Path) -> PathBuf {
    let object = folder.join("standin.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/camera/standin.c");
    let built = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&object)
        .args([source, "-ldl", "-lpthread"])
        .status()
        .expect("cc runs");
    assert!(built.success(), "the stand-in does not build");
    object
}

/// A second of moving pictures with the standard Huffman tables, as webcams use.
pub fn make_film(folder: &Path) -> PathBuf {
    let film = folder.join("film.mjpeg");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15", "-t", "1"])
        .args(["-c:v", "mjpeg", "-huffman", "default", "-f", "mjpeg"])
        .arg(&film)
        .status()
        .expect("ffmpeg runs");
    assert!(made.success(), "no film");
    film
}

pub fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_jpeg_of_the_camera_reaches_the_viewer_byte_for_byte() {
    let rig = Rig::start("", "");
    assert!(holds(&rig.film, &rig.snapshot()), "the snapshot is no frame of the camera");
    rig.wait_status("\"encoded\":0");
}

#[test]
fn frames_without_huffman_tables_get_the_standard_ones() {
    let rig = Rig::start("nodht", "");
    let jpeg = rig.snapshot();
    assert!(holds(&jpeg, &[0xff, 0xc4]), "no tables");
    let own = jpeg_decoder::Decoder::new(jpeg.as_slice()).decode().expect("decodable");
    rig.fault("");
    let decoded: Vec<Vec<u8>> =
        frames(&rig.film).map(|frame| jpeg_decoder::Decoder::new(frame).decode().unwrap()).collect();
    assert!(decoded.contains(&own), "the picture is not one the camera took");
}

#[test]
fn truncated_frames_are_dropped_and_counted() {
    let rig = Rig::start("", "");
    let (_viewer, file) = watch(&rig.server, "/video", "recording");
    wait_for("frames", || (parts(&file) >= 3).then_some(()));
    rig.fault("truncate");
    let before = rig.dropped();
    wait_for("dropped frames", || (rig.dropped() > before + 3).then_some(()));
    rig.fault("");
    rig.snapshot();
    let bytes = fs::read(&file).unwrap();
    for frame in frames(&bytes) {
        assert!(jpeg_decoder::Decoder::new(frame).decode().is_ok(), "a broken frame reached the viewer");
    }
}

#[test]
fn an_unplugged_camera_returns_to_all_ten_viewers() {
    let rig = Rig::start("", "");
    let mut viewers: Vec<_> =
        (0..10).map(|number| watch(&rig.server, "/video", &format!("viewer{number}"))).collect();
    let all_get = |more: usize, viewers: &[(crate::support::Background, PathBuf)]| {
        let before: Vec<usize> = viewers.iter().map(|(_, file)| parts(file)).collect();
        wait_for("frames at every viewer", || {
            viewers.iter().zip(&before).all(|((_, file), before)| parts(file) >= before + more).then_some(())
        });
    };
    all_get(3, &viewers);
    rig.fault("unplug");
    rig.wait_status("\"online\":false");
    all_get(2, &viewers);
    rig.fault("");
    rig.wait_status("\"online\":true");
    all_get(3, &viewers);
    assert!(viewers.iter_mut().all(|(curl, _)| curl.is_running()), "a viewer lost its stream");
}

#[test]
fn a_camera_that_falls_silent_is_opened_again() {
    let rig = Rig::start("", "");
    rig.snapshot();
    rig.fault("stall");
    rig.wait_status("\"online\":false");
    rig.fault("");
    rig.wait_status("\"online\":true");
    rig.snapshot();
}

#[test]
fn a_busy_camera_is_said_to_be_and_taken_when_it_is_free() {
    let rig = Rig::start("busy", "");
    rig.server.wait_log("camera: busy");
    rig.fault("");
    rig.snapshot();
}

#[test]
fn a_node_that_cannot_capture_is_said_to_be_none() {
    let rig = Rig::start("notcapture", "");
    rig.server.wait_log("camera: cannot capture");
}

#[test]
fn a_missing_format_is_refused_with_those_that_exist() {
    let rig = Rig::start("", "format = \"yuyv\"");
    rig.server.wait_log("camera: does not offer yuyv; it offers mjpeg");
}

#[test]
fn on_demand_a_first_viewer_gets_a_fresh_picture() {
    let rig = Rig::start("", "on_demand = true");
    rig.wait_status("closed until somebody watches");
    assert!(holds(&rig.film, &rig.snapshot()));
    rig.wait_status("closed until somebody watches");
    assert!(holds(&rig.film, &rig.snapshot()));
}

/// The JPEGs in a film or a recorded stream, from SOI to EOI.
fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> = (0..bytes.len().saturating_sub(2))
        .filter(|at| bytes[*at..].starts_with(&[0xff, 0xd8, 0xff]))
        .collect();
    starts.into_iter().filter_map(move |start| {
        let end = bytes[start..].windows(2).position(|pair| pair == [0xff, 0xd9])?;
        Some(&bytes[start..start + end + 2])
    })
}
