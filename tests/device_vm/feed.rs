//! Cameras and a microphone made of software, behind Unix sockets in the guest: each of their pictures has a number, the
//! time at which it was sent, and bytes that follow from both, so that it is known again to the last byte.
//!
//! They are one process for all tests that use them, so that no number comes twice. It tells the host of each picture.

use std::env;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::usb_bus::{PROGRAM, bring_program};
use crate::vm::{GUEST_WORK, Job, Vm, wait_for};

const VARIABLE: &str = "FEED";

/// Where the sockets are, in the guest.
pub const FOLDER: &str = "/run/feed";

/// The picture that all pictures show, in the work folder.
const PICTURE: &str = "feed.jpg";

/// A camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Camera {
    pub name: &'static str,
    /// Its number in [`Tag`].
    number: u8,
    /// Pictures a second.
    fps: u32,
    /// Bytes of each picture.
    bytes: usize,
}

/// A card is flushed because of the bytes of one, and because of the time that passes with the other.
pub const CAMERAS: [Camera; 2] = [
    Camera { name: "front", number: 0, fps: 15, bytes: 56_000 },
    Camera { name: "yard", number: 1, fps: 5, bytes: 8000 },
];

/// Rate of the microphone.
pub const RATE_HZ: u32 = 16_000;

/// What is known of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    pub camera: u8,
    /// Counted for each camera.
    pub number: u64,
    /// When it was sent, in microseconds of the guest's monotonic clock.
    pub sent_us: u64,
}

/// The cameras, until it is dropped.
pub struct Feed {
    job: Job,
    last: Arc<Mutex<[Tag; 2]>>,
    /// The picture without its first two bytes.
    picture: Vec<u8>,
}

impl Feed {
    pub fn start(vm: &Vm) -> Self {
        bring_program(vm);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let port = socket.local_addr().expect("bound").port();
        let file = vm.work().join(PICTURE);
        let made = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=320x240",
                "-frames:v",
                "1",
            ])
            .arg(&file)
            .status();
        assert!(made.expect("ffmpeg runs").success());
        let picture = fs::read(file).expect("made").split_off(2);
        let job = vm.spawn(&format!(
            "rm -rf {FOLDER}; {VARIABLE}={port} exec {PROGRAM} --exact feed::as_cameras --ignored --nocapture"
        ));
        vm.run_ok(&format!("until [ -e {FOLDER}/ready ]; do sleep 0.1; done"));
        Self { job, last: note_last(socket), picture }
    }

    /// The last picture that each camera has sent.
    pub fn last(&self) -> [Tag; 2] {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the cameras and the microphone stand still, or go on.
    pub fn pause(&self, is_on: bool) {
        self.job.signal(if is_on { "STOP" } else { "CONT" });
    }

    /// Waits until every camera has sent pictures for so long.
    pub fn wait(&self, time: Duration) {
        // One may have sent nothing for a while; they have the same clock.
        let newest_us = self.last().iter().map(|tag| tag.sent_us).max();
        let until_us = newest_us.unwrap_or(0) + time.as_micros() as u64;
        wait_for("pictures of the cameras", || {
            self.last().iter().all(|tag| tag.sent_us >= until_us).then_some(())
        });
    }

    /// What a picture is, which must be whole.
    pub fn tag_of(&self, jpeg: &[u8]) -> Option<Tag> {
        let tag = Tag::of(jpeg.get(6..6 + Tag::BYTES)?.try_into().ok()?);
        (make(&tag, jpeg.len(), &self.picture) == jpeg).then_some(tag)
    }

    /// A picture that no camera has sent.
    pub fn stale(&self, number: u64) -> Vec<u8> {
        make(&Tag { camera: 9, number, sent_us: 0 }, CAMERAS[0].bytes, &self.picture)
    }
}

impl Tag {
    const BYTES: usize = 19;

    /// Seven bits in each byte: FF D8 at the end of a comment would be the start of another picture, as a camera sends it that was
    /// interrupted.
    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [self.camera; Self::BYTES];
        for (number, to) in [self.number, self.sent_us].into_iter().zip(bytes[1..].chunks_exact_mut(9)) {
            for (place, byte) in (0..).zip(to) {
                *byte = (number >> (7 * place)) as u8 & 0x7F;
            }
        }
        bytes
    }

    fn of(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 7 | u64::from(byte));
        Self { camera: bytes[0], number: number(&bytes[1..10]), sent_us: number(&bytes[10..]) }
    }
}

/// For comments, as in [`Tag::to_bytes`].
const SEVEN_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;

/// The picture with comments before its content: its tag, and bytes that no other one has, up to `bytes` in all.
fn make(tag: &Tag, bytes: usize, picture: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    out.extend([0xff, 0xd8]);
    let comment = |out: &mut Vec<u8>, length: usize| {
        out.extend([0xff, 0xfe]);
        out.extend((length as u16 + 2).to_be_bytes());
    };
    comment(&mut out, Tag::BYTES);
    out.extend(tag.to_bytes());
    let mut state = (tag.number << 8 | u64::from(tag.camera)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let rest = bytes.saturating_sub(out.len() + 4 + picture.len()) & !7;
    comment(&mut out, rest);
    for _ in 0..rest / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend((state & SEVEN_BITS).to_le_bytes());
    }
    out.extend(picture);
    out
}

/// Receives all the time: a socket whose messages nobody takes is full within seconds, and loses those that come then.
fn note_last(socket: UdpSocket) -> Arc<Mutex<[Tag; 2]>> {
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
    let noted = Arc::new(Mutex::new([Tag::default(); 2]));
    let last = Arc::downgrade(&noted);
    thread::spawn(move || {
        let mut message = [0; Tag::BYTES];
        while let Some(last) = last.upgrade() {
            if let Ok(Tag::BYTES) = socket.recv(&mut message) {
                let tag = Tag::of(&message);
                last.lock().unwrap_or_else(PoisonError::into_inner)[usize::from(tag.camera)] = tag;
            }
        }
    });
    noted
}

#[test]
#[ignore = "other tests run it: it is the cameras"]
fn as_cameras() {
    let port: u16 = env::var(VARIABLE).expect("a port").parse().expect("a number");
    let picture = fs::read(format!("{GUEST_WORK}/{PICTURE}")).expect("a picture").split_off(2);
    fs::create_dir(FOLDER).expect("a folder in memory");
    let folder = Path::new(FOLDER);
    for camera in CAMERAS {
        let listener = UnixListener::bind(folder.join(camera.name)).expect("bound");
        let host = UdpSocket::bind("0.0.0.0:0").expect("bound");
        host.connect(("10.0.2.2", port)).expect("a route to the host");
        let picture = picture.clone();
        thread::spawn(move || {
            let mut number = 0;
            for stream in listener.incoming() {
                send_pictures(stream.expect("a client"), camera, &picture, &host, &mut number);
            }
        });
    }
    let listener = UnixListener::bind(folder.join("sound")).expect("bound");
    fs::write(folder.join("ready"), "").expect("written");
    for stream in listener.incoming() {
        send_sound(stream.expect("a client"));
    }
}

/// Sends until the client hangs up. A number is used once.
fn send_pictures(mut stream: UnixStream, camera: Camera, picture: &[u8], host: &UdpSocket, number: &mut u64) {
    let interval_us = 1_000_000 / u64::from(camera.fps);
    let mut due_us = now_us();
    loop {
        let tag = Tag { camera: camera.number, number: *number, sent_us: now_us() };
        *number += 1;
        if stream.write_all(&make(&tag, camera.bytes, picture)).is_err() {
            return;
        }
        // The host may be gone; then so is the machine.
        let _ = host.send(&tag.to_bytes());
        due_us = now_us().max(due_us + interval_us);
        thread::sleep(Duration::from_micros(due_us - now_us().min(due_us)));
    }
}

fn send_sound(mut stream: UnixStream) {
    const PIECE: Duration = Duration::from_millis(40);
    let samples = RATE_HZ as usize / 25;
    for number in 0_u32.. {
        let sample = |at: usize| ((at as u32 + number).wrapping_mul(0x9E37_79B9) >> 20) as i16;
        let bytes: Vec<u8> = (0..samples).flat_map(|at| sample(at).to_le_bytes()).collect();
        if stream.write_all(&bytes).is_err() {
            return;
        }
        thread::sleep(PIECE);
    }
}

fn now_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}
