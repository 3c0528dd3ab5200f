//! Clients that mean harm, many at once, all from loopback addresses: whoever means well is answered
//! throughout, and nothing of the others stays behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};

use crate::support::{PATIENCE, Server, Setup, wait_for};

/// Connections a second, all attackers together.
const RATE: u64 = 1000;

/// Attackers, each from an address of its own.
const ATTACKERS: u8 = 8;

/// How long a flood lasts; DEFENDER_HOSTILE_SECONDS sets another time.
fn flood_time() -> Duration {
    let seconds = std::env::var("DEFENDER_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// What a hostile client does with a connection before it closes it.
type Attack = fn(&mut TcpStream);

const ATTACKS: [(&str, Attack); 12] = [
    ("port scan", |_| {}),
    ("garbage", |socket| send(socket, &(0..=255).cycle().take(4000).collect::<Vec<u8>>())),
    ("HTTP/2 preface", |socket| send(socket, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")),
    ("half a request", |socket| send(socket, b"GET / HTTP/1.1\r\nHost: x\r\nX-")),
    ("a request whose answer is not read", |socket| {
        send(socket, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    }),
    ("half a TLS hello", |socket| send(socket, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc")),
    ("a TLS record of nonsense", |socket| send(socket, b"\x16\x03\x03\x00\x05\xff\xff\xff\xff\xff")),
    ("a TLS alert first", |socket| send(socket, b"\x15\x03\x01\x00\x02\x02\x00")),
    ("bytes beyond ASCII", |socket| send(socket, b"GET /\xff\xfe\xc0\x80 HTTP/1.1\r\nHost: \xff\r\n\r\n")),
    ("two lengths", |socket| {
        send(socket, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    }),
    ("a wrong password", |socket| {
        send(socket, b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ZXZlOndyb25n\r\n\r\n");
    }),
    ("a reset", |socket| {
        send(socket, b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n");
        // Closing with nothing to linger for resets the connection.
        let _ = sockopt::set_socket_linger(&*socket, Some(Duration::ZERO));
    }),
];

fn send(socket: &mut TcpStream, bytes: &[u8]) {
    let _ = socket.write_all(bytes);
}

/// A connection from another address of the loopback network.
fn connect_from(attacker: u8, server: &Server) -> Option<TcpStream> {
    let made = socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 10 + attacker), 0));
    bind(&made, &source).ok()?;
    connect(&made, &server.address()).ok()?;
    let stream = TcpStream::from(made);
    stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
    Some(stream)
}

/// Fewest connections of a flood, however busy the machine is.
const FEWEST: u32 = 500;

/// Runs all attacks in turn at [`RATE`] for `time`, while a good client makes requests; returns how many there were.
fn flood(server: &Server, time: Duration) -> u32 {
    let (over, made) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        // Also at a panic, which waits for the attackers.
        let _over = SetAtEnd(&over);
        for attacker in 0..ATTACKERS {
            let (over, made) = (&over, &made);
            scope.spawn(move || {
                let pause = Duration::from_micros(1_000_000 * u64::from(ATTACKERS) / RATE);
                let mut next = Instant::now();
                for (_, attack) in ATTACKS.iter().cycle().skip(usize::from(attacker)) {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Some(mut socket) = connect_from(attacker, server) {
                        attack(&mut socket);
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    next += pause;
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            });
        }
        let end = Instant::now() + time;
        while Instant::now() < end || made.load(Ordering::Relaxed) < FEWEST {
            // A machine that is too slow for the flood may have to close a good client's connection as well.
            wait_for("an answer to a good client", || {
                (server.curl("/healthz", &[]).status == 200).then_some(())
            });
            thread::sleep(Duration::from_millis(50));
        }
    });
    made.into_inner()
}

/// Sets a flag when it is dropped.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Private memory of the server (heap, stacks), in KiB. Its share of the program's pages is not counted: it grows
/// when a server of another test ends.
fn anonymous_kib(server: &Server) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).expect("a process");
    let line = rollup.lines().find(|line| line.starts_with("Anonymous:")).expect("Anonymous");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Threads and descriptors of an idle server after its first request.
fn at_rest(server: &Server) -> (usize, usize) {
    assert_eq!(server.curl("/healthz", &[]).status, 200);
    server.threads_and_descriptors()
}

/// Waits until the server is idle again.
fn wait_rest(server: &Server, before: (usize, usize)) {
    wait_for("threads and descriptors to be what they were", || {
        let now = server.threads_and_descriptors();
        // tiny_http keeps a few idle threads of its own for a while.
        (now.0 <= before.0 + 4 && now.1 <= before.1).then_some(())
    });
}

#[test]
fn a_flood_of_hostile_clients_leaves_nothing_behind() {
    // Glibc keeps an arena for threads that ran at the same time, and their stacks: how many that were is chance, and no leak.
    let keep_little = "glibc.malloc.arena_max=1:glibc.pthread.stack_cache_size=0";
    let server = Setup::new().env("GLIBC_TUNABLES", keep_little).start();
    let rest = at_rest(&server);
    // What is kept for later is there after two floods, and the third is compared with them.
    for _ in 0..2 {
        flood(&server, flood_time());
        wait_rest(&server, rest);
    }
    let before_kib = anonymous_kib(&server);
    let made = flood(&server, flood_time());
    wait_rest(&server, rest);
    let after_kib = anonymous_kib(&server);
    assert!(
        after_kib <= before_kib + 2048,
        "{before_kib} KiB before, {after_kib} KiB after {made} connections"
    );
}

#[test]
fn each_attack_alone_is_survived_plain_and_over_tls() {
    for server in [Setup::new().start(), Setup::new().plain().start()] {
        for (name, attack) in ATTACKS {
            let mut socket = connect_from(0, &server).expect("connected");
            attack(&mut socket);
            // A client that closes only its side is answered, or at least disconnected.
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.set_read_timeout(Some(PATIENCE));
            let mut answer = Vec::new();
            let ended = socket.read_to_end(&mut answer);
            let is_timeout = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!is_timeout, "{name}: left hanging");
            assert_eq!(server.curl("/healthz", &[]).status, 200, "after {name}");
        }
    }
}

#[test]
fn logins_that_wait_are_as_few_as_connections() {
    const EVICTED: usize = 60;
    // A wrong password costs what the slowest user's hash costs: one that keeps the queue standing.
    let setup = Setup::new().plain().server("max_connections = 16");
    let slow = format!("slow:viewer:$pbkdf2-sha512$i=10000000,l=64$c2FsdHNhbHQ${}\n", "A".repeat(86));
    fs::write(setup.path().join("users"), slow).unwrap();
    let server = setup.start();
    let evicted = || server.log().matches("closed to make room for another connection").count();
    let mut sockets = Vec::new();
    let (mut most, end) = (0, Instant::now() + PATIENCE);
    while evicted() < EVICTED {
        assert!(Instant::now() < end, "{} connections were evicted", evicted());
        // The same login again and again from one address, and others from others.
        for (attacker, login) in [(0, "bm9ib2R5Ondyb25n"), (0, "bm9ib2R5Ondyb25n"), (1, "YTpi"), (2, "Yzpk")]
        {
            let Some(mut socket) = connect_from(attacker, &server) else { continue };
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n");
            send(&mut socket, head.as_bytes());
            sockets.push(socket);
        }
        sockets.drain(..sockets.len().saturating_sub(200));
        most = most.max(server.tasks("request", 'S'));
        thread::sleep(Duration::from_millis(5));
    }
    // 16, and 8 that are leaving; a busy machine may show some that end at once.
    assert!(most <= 2 * (16 + 8), "{most} requests waited");
}

#[test]
fn a_half_closed_client_is_answered() {
    let server = Setup::new().plain().start();
    let mut socket = server.connect();
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
}

#[test]
fn a_body_of_ten_megabytes_is_refused_by_its_length() {
    let server = Setup::new().plain().start();
    let before_kib = anonymous_kib(&server);
    let mut socket = server.connect();
    socket.write_all(b"POST /api/1.0/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n").unwrap();
    // The server should close before all of it is sent.
    for _ in 0..160 {
        if socket.write_all(&[b' '; 65_536]).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(server.curl("/healthz", &[]).status, 200);
    assert!(anonymous_kib(&server) < before_kib + 2048, "the body was stored");
}

#[test]
fn slow_handshakes_are_closed() {
    let server = Setup::new().start();
    let rest = at_rest(&server);
    let mut slow: Vec<_> = (0..60).filter_map(|at| connect_from(at % ATTACKERS, &server)).collect();
    for _ in 0..3 {
        for socket in &mut slow {
            send(socket, b"\x16");
        }
        assert_eq!(server.curl("/healthz", &[]).status, 200);
        thread::sleep(Duration::from_millis(500));
    }
    // The clients keep their connections open; the server has to close them.
    wait_rest(&server, rest);
    drop(slow);
}
