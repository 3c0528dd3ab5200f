//! Cameras of the network: a server in this process that sends a film as multipart JPEG, with the stamp that the stand-in
//! camera also writes (see camera/standin.c).

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The head of each answer.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";

/// Starts a camera that plays the film at this rate to each who connects; its threads end with the process.
///
/// # Errors
/// When the film cannot be read, or no port is free.
pub fn start(film: &Path, fps: u32) -> io::Result<SocketAddr> {
    let frames: Arc<[Vec<u8>]> = frames(&fs::read(film)?).into();
    if frames.is_empty() {
        return Err(io::Error::other("there is no JPEG in the film"));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let frames = Arc::clone(&frames);
            // A client that leaves ends its thread.
            thread::spawn(move || drop(play(socket, &frames, fps)));
        }
    });
    Ok(address)
}

fn play(mut socket: TcpStream, frames: &[Vec<u8>], fps: u32) -> io::Result<()> {
    let (mut asked, mut byte) = (Vec::new(), [0]);
    while !asked.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    socket.set_nodelay(true)?;
    socket.write_all(HEAD)?;
    let mut due = Instant::now();
    for frame in frames.iter().cycle() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += Duration::from_secs(1) / fps;
        socket.write_all(&part(frame))?;
    }
    Ok(())
}

/// A frame with the present moment in it, as a part.
fn part(frame: &[u8]) -> Vec<u8> {
    let now = clock_gettime(ClockId::Monotonic);
    let stamp_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    let stamp = [b"\xff\xfe\x00\x1estandin ".as_slice(), format!("{stamp_ns:020}").as_bytes()].concat();
    let length = frame.len() + stamp.len();
    let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), &frame[..2], &stamp, &frame[2..], b"\r\n"].concat()
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
        let part = part(&film[..9]);
        assert!(part.windows(14).any(|window| window == b"\xff\xd8\xff\xfe\x00\x1estandin "));
    }
}
