//! The load: many viewers of one stream, read by one thread that sleeps in epoll.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::failure::Failure;
use connection::{Buffers, Connection};
use multipart::{Parser, Picture};

mod connection;
mod multipart;

pub use connection::{Endpoint, careless_tls};

/// A viewer that never reads gets a small buffer, so that the server meets its end at once.
const STALLED_RECEIVE_BYTES: usize = 4096;

/// Viewers of one stream.
pub struct Crowd {
    epoll: OwnedFd,
    viewers: Vec<Viewer>,
    stalled: Vec<Connection>,
    buffers: Buffers,
}

/// What a crowd saw in one stretch of time.
#[derive(Default)]
pub struct Seen {
    /// From the camera's stamp to the last byte of the picture, one for each new picture.
    pub latencies_us: Vec<u32>,
    /// New pictures of each viewer.
    pub frames: Vec<u32>,
    /// When the first of them was whole, by CLOCK_MONOTONIC.
    pub first_ns: Option<u64>,
    /// What the reading thread itself used.
    pub client_cpu: Duration,
}

struct Viewer {
    connection: Connection,
    parser: Parser,
    newest_ns: u64,
}

impl Crowd {
    /// A crowd of nobody.
    pub fn new() -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| Failure::while_doing("making an epoll")(error.into()))?;
        Ok(Self { epoll, viewers: Vec::new(), stalled: Vec::new(), buffers: Buffers::new() })
    }

    /// Lets `count` more viewers in.
    pub fn join(&mut self, endpoint: &Endpoint, count: u32) -> Result<(), Failure> {
        for _ in 0..count {
            let doing = || format!("connecting viewer {}", self.viewers.len() + 1);
            let connection = Connection::open(endpoint, None).map_err(Failure::while_doing(doing()))?;
            let token = epoll::EventData::new_u64(self.viewers.len() as u64);
            epoll::add(&self.epoll, &connection, token, epoll::EventFlags::IN)
                .map_err(|error| Failure::while_doing(doing())(error.into()))?;
            self.viewers.push(Viewer { connection, parser: Parser::new(), newest_ns: 0 });
        }
        Ok(())
    }

    /// Lets `count` viewers in that ask for the stream and never read it.
    pub fn join_stalled(&mut self, endpoint: &Endpoint, count: u32) -> Result<(), Failure> {
        for _ in 0..count {
            let opened = Connection::open(endpoint, Some(STALLED_RECEIVE_BYTES));
            self.stalled.push(opened.map_err(Failure::while_doing("connecting a viewer that stalls"))?);
        }
        Ok(())
    }

    /// Reads for `duration`.
    ///
    /// # Errors
    /// When a stream ends or is none.
    pub fn watch(&mut self, duration: Duration) -> Result<Seen, Failure> {
        let mut seen = Seen { frames: vec![0; self.viewers.len()], ..Seen::default() };
        let end = Instant::now() + duration;
        let cpu_before = cpu_of_this_thread();
        let mut events = Vec::with_capacity(64);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Failure::while_doing("waiting for pictures")(error.into())),
            }
            for event in &events {
                let index = event.data.u64() as usize;
                self.viewers[index].read(index, &mut self.buffers, &mut seen)?;
            }
        }
        seen.client_cpu = cpu_of_this_thread().saturating_sub(cpu_before);
        Ok(seen)
    }
}

impl Viewer {
    fn read(&mut self, index: usize, buffers: &mut Buffers, seen: &mut Seen) -> Result<(), Failure> {
        let (parser, newest_ns) = (&mut self.parser, &mut self.newest_ns);
        let open = self.connection.receive(buffers, |bytes| {
            let now_ns = monotonic_ns();
            let arrived = |picture: Picture| {
                // The same picture again is no frame delivered, and a no-signal frame has no age.
                if let Some(captured_ns) = picture.captured_ns.filter(|stamp| *stamp > *newest_ns) {
                    *newest_ns = captured_ns;
                    seen.frames[index] += 1;
                    seen.first_ns.get_or_insert(now_ns);
                    let latency_us = now_ns.saturating_sub(captured_ns) / 1000;
                    seen.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
                }
            };
            parser.feed(bytes, arrived).map_err(std::io::Error::other)
        });
        match open {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Stream(format!("the server hung up on viewer {}", index + 1))),
            Err(error) => Err(Failure::while_doing(format!("reading as viewer {}", index + 1))(error)),
        }
    }
}

/// The present moment, by CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn cpu_of_this_thread() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// Serves two pictures and a repeated one to one viewer, and then stays silent.
    fn serve(tls: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            if !tls {
                return answer(socket);
            }
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
            answer(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket))
        });
        address
    }

    fn answer(stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            stream.read_line(&mut head).unwrap();
        }
        assert!(head.contains("Authorization: Basic x\r\n"), "{head}");
        let now_ns = monotonic_ns();
        let mut sent = b"HTTP/1.1 200 OK\r\n\r\n--b\r\n".to_vec();
        for captured_ns in [now_ns, now_ns + 1, now_ns + 1] {
            sent.extend_from_slice(b"Content-Length: 100000\r\n\r\n");
            let start = sent.len();
            sent.extend_from_slice(b"\xff\xd8\xff\xfe\x00\x1e");
            sent.extend_from_slice(format!("standin {captured_ns:020}").as_bytes());
            sent.resize(start + 100_000, 0);
            sent.extend_from_slice(b"\r\n--b\r\n");
        }
        stream.get_mut().write_all(&sent).unwrap();
        stream.get_mut().flush().unwrap();
        // Until the viewer leaves.
        let _ = stream.read_line(&mut head);
    }

    fn frames_seen(tls: bool) -> Vec<u32> {
        let endpoint = Endpoint {
            address: serve(tls),
            path: "/video".to_owned(),
            tls: tls.then(|| careless_tls().unwrap()),
            authorization: Some("Basic x".into()),
        };
        let mut crowd = Crowd::new().unwrap();
        crowd.join(&endpoint, 1).unwrap();
        let mut frames = vec![0];
        let deadline = Instant::now() + Duration::from_secs(20);
        while frames[0] < 2 && Instant::now() < deadline {
            frames[0] += crowd.watch(Duration::from_millis(100)).unwrap().frames[0];
        }
        // The repeated picture has come by now, or comes in this time; it must not count.
        frames.push(crowd.watch(Duration::from_millis(100)).unwrap().frames[0]);
        frames
    }

    #[test]
    fn new_pictures_are_counted_once_plain() {
        assert_eq!(frames_seen(false), [2, 0]);
    }

    #[test]
    fn new_pictures_are_counted_once_over_tls() {
        assert_eq!(frames_seen(true), [2, 0]);
    }
}
