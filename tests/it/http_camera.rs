//! Cameras of the network for tests: servers that speak HTTP as cameras do, well or badly.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, getsockname, recv, socket_with, sockopt,
};

/// Answers the requests of one connection, of which the first is given.
pub type Dialect = Arc<dyn Fn(&mut TcpStream, &str) + Send + Sync>;

/// A camera. Its threads end with the test's process.
pub struct Camera {
    pub port: u16,
    dialect: Arc<Mutex<Dialect>>,
    open: Arc<Mutex<Option<TcpStream>>>,
    was_two: Arc<AtomicBool>,
}

impl Camera {
    pub fn new(dialect: Dialect) -> Self {
        Self::at(0, dialect)
    }

    /// One that listens on this port; 0 lets the kernel choose.
    pub fn at(port: u16, dialect: Dialect) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialect = Arc::new(Mutex::new(dialect));
        let (open, was_two) = (Arc::new(Mutex::new(None::<TcpStream>)), Arc::new(AtomicBool::new(false)));
        let mine = (Arc::clone(&dialect), Arc::clone(&open), Arc::clone(&was_two));
        thread::spawn(move || {
            for mut tcp in listener.incoming().flatten() {
                let former = mine.1.lock().unwrap().replace(tcp.try_clone().unwrap());
                if former.is_some_and(|former| !has_ended(&former)) {
                    mine.2.store(true, Ordering::Relaxed);
                }
                let dialect = Arc::clone(&mine.0.lock().unwrap());
                thread::spawn(move || {
                    if let Some(request) = request(&mut tcp) {
                        dialect(&mut tcp, &request);
                    }
                    let _ = tcp.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, dialect, open, was_two }
    }

    /// From the next connection on it speaks this; the one that is open ends.
    pub fn speak(&self, dialect: Dialect) {
        *self.dialect.lock().unwrap() = dialect;
        if let Some(open) = &*self.open.lock().unwrap() {
            let _ = open.shutdown(Shutdown::Both);
        }
    }

    /// Whether a client has a connection now.
    pub fn has_connection(&self) -> bool {
        self.open.lock().unwrap().as_ref().is_some_and(|open| !has_ended(open))
    }

    /// Whether a second connection was ever opened while another one was.
    pub fn was_asked_twice_at_once(&self) -> bool {
        self.was_two.load(Ordering::Relaxed)
    }
}

/// A port of 127.0.0.1 that no other program is given while this lives. Whoever connects to it is refused, until somebody who
/// asks for this port listens there: servers set SO_REUSEADDR, and so does this.
pub struct ReservedPort {
    pub number: u16,
    _socket: OwnedFd,
}

impl ReservedPort {
    pub fn new() -> Self {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap();
        Self { number: address.port(), _socket: socket }
    }
}

/// Whether the other end has closed: its end came before its next connection did.
fn has_ended(tcp: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recv(tcp, &mut [0][..], flags) {
        Ok((count, _)) => count == 0,
        Err(error) => error != rustix::io::Errno::AGAIN,
    }
}

/// The head of the next request; `None` at the end of the connection.
pub fn request(tcp: &mut TcpStream) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        tcp.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

/// A JPEG of this size.
pub fn picture(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> =
        (0..usize::from(width) * usize::from(height) * 3).map(|at| (at * at / 7) as u8).collect();
    jpeg_encoder::Encoder::new(&mut jpeg, 80)
        .encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    jpeg
}

/// Sends these bytes to each who asks, and hangs up.
pub fn says(bytes: impl Into<Vec<u8>>) -> Dialect {
    let bytes = bytes.into();
    Arc::new(move |tcp, _| drop(tcp.write_all(&bytes)))
}

/// Sends `head`, and then `part` ten times a second until the client leaves.
pub fn streams(head: &str, part: impl Into<Vec<u8>>) -> Dialect {
    streams_raw(&head.replace('\n', "\r\n"), part)
}

/// The same, with so many parts.
pub fn streams_some(count: usize, head: &str, part: impl Into<Vec<u8>>) -> Dialect {
    let (head, part) = (head.replace('\n', "\r\n"), part.into());
    Arc::new(move |tcp, _| {
        let _ = tcp.write_all(head.as_bytes());
        for _ in 0..count {
            let _ = tcp.write_all(&part);
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// As [`streams`], with line ends as they are written.
pub fn streams_raw(head: &str, part: impl Into<Vec<u8>>) -> Dialect {
    let (head, part) = (head.to_owned(), part.into());
    Arc::new(move |tcp, _| {
        let _ = tcp.write_all(head.as_bytes());
        while tcp.write_all(&part).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// Answers each request of a connection with these bytes.
pub fn repeats(answer: impl Into<Vec<u8>>) -> Dialect {
    let answer = answer.into();
    Arc::new(move |tcp, _| while tcp.write_all(&answer).is_ok() && request(tcp).is_some() {})
}

/// The usual dialect.
pub fn multipart(jpeg: &[u8]) -> Dialect {
    let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
    let part = [head.as_bytes(), jpeg, b"\r\n"].concat();
    streams("HTTP/1.1 200 OK\nContent-Type: multipart/x-mixed-replace; boundary=frame\n\n", part)
}
