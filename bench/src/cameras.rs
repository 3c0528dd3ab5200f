//! Cameras that this program plays: a film as multipart JPEG over HTTP, or as nothing but JPEGs over a socket, with the stamp
//! that the stand-in camera also writes (see camera/standin.c).

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The head of each answer.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";

/// What cameras play. Clones play to viewers that are counted together.
#[derive(Clone)]
pub struct Film {
    frames: Arc<[Vec<u8>]>,
    fps: u32,
    /// How long a camera takes from a connection to its first picture.
    start: Duration,
    open: Arc<AtomicU32>,
}

impl Film {
    /// The film of this file, at this rate, from cameras that take `start` for their first picture.
    ///
    /// # Errors
    /// When it cannot be read, or holds no picture.
    pub fn read(path: &Path, fps: u32, start: Duration) -> io::Result<Self> {
        let frames: Arc<[Vec<u8>]> = frames(&fs::read(path)?).into();
        if frames.is_empty() {
            return Err(io::Error::other("there is no JPEG in the film"));
        }
        Ok(Self { frames, fps, start, open: Arc::default() })
    }

    /// How many connections play it now.
    pub fn connections(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Plays it to who has just connected, each picture between `head` and `tail`, until the other leaves.
    fn play(
        &self,
        mut to: impl Write,
        head: impl Fn(usize) -> String,
        tail: &[u8],
        opening: &[u8],
    ) -> io::Result<()> {
        thread::sleep(self.start);
        to.write_all(opening)?;
        let mut due = Instant::now();
        for frame in self.frames.iter().cycle() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due += Duration::from_secs(1) / self.fps;
            let frame = stamped(frame);
            to.write_all(&[head(frame.len()).as_bytes(), &frame, tail].concat())?;
        }
        Ok(())
    }

    /// Has `play` play to a new connection, in a thread that ends when it does.
    fn start_thread(&self, play: impl FnOnce(&Film) -> io::Result<()> + Send + 'static) {
        let film = self.clone();
        film.open.fetch_add(1, Ordering::Relaxed);
        thread::spawn(move || {
            // A client that leaves is what ends it.
            let _ = play(&film);
            film.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Starts a camera of the network; its threads end with the process.
///
/// # Errors
/// When no port is free.
pub fn start_network(film: &Film) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (address, film) = (listener.local_addr()?, film.clone());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            film.start_thread(|film| play_http(film, socket));
        }
    });
    Ok(address)
}

/// Starts a camera behind a socket at `path`; its threads end with the process.
///
/// # Errors
/// When there is no such socket.
pub fn start_socket(film: &Film, path: &Path) -> io::Result<()> {
    let (listener, film) = (UnixListener::bind(path)?, film.clone());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            film.start_thread(|film| play_unix(film, socket));
        }
    });
    Ok(())
}

fn play_http(film: &Film, mut socket: TcpStream) -> io::Result<()> {
    let (mut asked, mut byte) = (Vec::new(), [0]);
    while !asked.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    socket.set_nodelay(true)?;
    let head = |length| format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n");
    film.play(socket, head, b"\r\n", HEAD)
}

fn play_unix(film: &Film, socket: UnixStream) -> io::Result<()> {
    film.play(socket, |_| String::new(), b"", b"")
}

/// A frame with the present moment in it.
fn stamped(frame: &[u8]) -> Vec<u8> {
    let now = clock_gettime(ClockId::Monotonic);
    let stamp_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    let stamp = [b"\xff\xfe\x00\x1estandin ".as_slice(), format!("{stamp_ns:020}").as_bytes()].concat();
    [&frame[..2], &stamp, &frame[2..]].concat()
}

/// The pictures of a film that ffmpeg made, which holds no thumbnails.
fn frames(film: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = film
        .windows(3)
        .enumerate()
        .filter(|(_, three)| *three == b"\xff\xd8\xff")
        .map(|(at, _)| at)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([film.len()]);
    starts.iter().zip(ends).map(|(start, end)| film[*start..end].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_cut_where_pictures_begin() {
        let film = b"\xff\xd8\xff\xe0one\xff\xd9\xff\xd8\xff\xe0two\xff\xd9";
        assert_eq!(frames(film), [film[..9].to_vec(), film[9..].to_vec()]);
        let stamped = stamped(&film[..9]);
        assert!(
            stamped.starts_with(b"\xff\xd8\xff\xfe\x00\x1estandin ") && stamped.ends_with(b"one\xff\xd9")
        );
    }

    #[test]
    fn a_socket_plays_jpegs_and_counts_who_watches() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("film");
        fs::write(&file, b"\xff\xd8\xff\xe0one\xff\xd9").unwrap();
        let film = Film::read(&file, 100, Duration::ZERO).unwrap();
        start_socket(&film, &folder.path().join("socket")).unwrap();
        let mut viewer = UnixStream::connect(folder.path().join("socket")).unwrap();
        let mut begin = [0; 14];
        viewer.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"\xff\xd8\xff\xfe\x00\x1estandin ");
        assert_eq!(film.connections(), 1);
        drop(viewer);
        while film.connections() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
