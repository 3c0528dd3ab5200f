//! Programs that feed Unix sockets, and the pictures that they send.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A listener that has each connection fed in a thread, as a service manager starts a program for each.
pub struct Feeder {
    connections: Arc<AtomicU32>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// Calls `feed` with each connection and its number.
    pub fn start(path: &Path, feed: impl Fn(UnixStream, u32) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("bound");
        listener.set_nonblocking(true).expect("set");
        let connections = Arc::new(AtomicU32::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let mine = (Arc::clone(&connections), Arc::clone(&is_over), Arc::new(feed));
        let thread = thread::spawn(move || {
            while !mine.1.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        stream.set_nonblocking(false).expect("set");
                        let number = mine.0.fetch_add(1, Ordering::Relaxed);
                        let feed = Arc::clone(&mine.2);
                        thread::spawn(move || feed(stream, number));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        thread::sleep(Duration::from_millis(10));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self { connections, is_over, thread: Some(thread) }
    }

    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Runs ffmpeg with its output to `stream` until Defender hangs up.
pub fn ffmpeg(stream: UnixStream, arguments: &[&str]) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "quiet", "-nostdin"]).args(arguments).arg("-");
    command.stdin(Stdio::null()).stdout(Stdio::from(OwnedFd::from(stream)));
    let _ = command.status();
}

/// Some JPEGs of ffmpeg, one after another.
pub fn jpegs(folder: &Path, size: &str, count: u32) -> Vec<Vec<u8>> {
    drawn(folder, size, &format!("testsrc=size={size}:rate=10"), &[], count)
}

/// JPEGs of what ffmpeg draws, by files with this name.
pub fn drawn(folder: &Path, name: &str, source: &str, options: &[&str], count: u32) -> Vec<Vec<u8>> {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", source])
        .args(options)
        .args(["-frames:v", &count.to_string()])
        .arg(folder.join(format!("{name}-%d.jpg")))
        .status();
    assert!(made.expect("ffmpeg runs").success());
    (1..=count).map(|number| fs::read(folder.join(format!("{name}-{number}.jpg"))).expect("made")).collect()
}

/// Sends `pictures` again and again until Defender hangs up.
pub fn send_for_ever(mut stream: UnixStream, pictures: &[Vec<u8>]) {
    for picture in pictures.iter().cycle() {
        if stream.write_all(picture).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
