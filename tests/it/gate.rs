//! The gate under hostile and faulty clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use crate::support::{PASSWORD, PATIENCE, Server, Setup, USER, parts, wait_for, watch};

fn plain() -> Server {
    Setup::new().plain().start()
}

/// Status of the first response in `answer`; 0 if there is none.
fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

/// A connection from another loopback address, as from another machine.
fn connect_from(source: &str, server: &Server) -> std::io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    rustix::net::bind(&socket, &source)?;
    rustix::net::connect(&socket, &server.address())?;
    Ok(TcpStream::from(socket))
}

fn answers_well(server: &Server) {
    assert_eq!(server.curl("/healthz", &[]).status, 200);
}

#[test]
fn bytes_beyond_ascii_and_targets_with_a_host_are_accepted() {
    let server = plain();
    let rows: &[(&[u8], u16)] = &[
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nCookie: farbe=Gr\xc3\xbcn\r\nConnection: close\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Raum: K\xfcche\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://a:1/healthz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 204),
        (b"GET /api/1.0/status HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \xff\r\nConnection: close\r\n\r\n", 401),
    ];
    for (request, expected) in rows {
        let answer = server.send_raw(request);
        assert_eq!(status(&answer), *expected, "{}: {answer}", String::from_utf8_lossy(request));
    }
    answers_well(&server);
}

#[test]
fn malformed_heads_are_refused_and_the_server_goes_on() {
    let server = plain();
    let rows: &[(&[u8], u16)] = &[
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ];
    for (request, expected) in rows {
        let answer = server.send_raw(request);
        assert_eq!(status(&answer), *expected, "{}: {answer}", String::from_utf8_lossy(request));
        assert!(answer.contains("Connection: close"), "{answer}");
        assert!(answer.contains("{\"error\":\""), "{answer}");
    }
    answers_well(&server);
}

#[test]
fn a_request_hidden_in_a_body_is_never_answered() {
    let server = plain();
    let hidden = "GET /api HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{hidden}",
        hidden.len()
    );
    let answer = server.send_raw(request.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!answer.contains("versions"), "{answer}");
}

#[test]
fn requests_in_one_packet_are_answered_in_order() {
    let server = plain();
    let answer = server.send_raw(
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /api HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let (health, versions) = (answer.find("ok\n"), answer.find("versions"));
    assert!(health.is_some() && health < versions, "{answer}");
    assert!(answer.contains("Connection: keep-alive") && answer.contains("Connection: close"), "{answer}");
}

#[test]
fn an_endless_header_line_is_cut_off() {
    let server = plain();
    let mut socket = server.connect();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
    let line = [b'x'; 4096];
    let mut sent = 0usize;
    // The peer closes once it has had enough; a write then fails.
    while sent < 64 * 1024 * 1024 && socket.write_all(&line).is_ok() {
        sent += line.len();
    }
    assert!(sent < 64 * 1024 * 1024, "64 MiB of one header line were taken");
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    answers_well(&server);
}

#[test]
fn a_head_that_comes_a_byte_a_second_is_answered_408() {
    let server = Setup::new().plain().server("log_level = \"debug\"").start();
    let mut socket = server.connect();
    // The timeout of the read is the pause between two bytes.
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let endless = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".iter().copied().chain(std::iter::repeat(b'y'));
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    let mut end = format!("none within {PATIENCE:?}");
    for (count, byte) in endless.take(PATIENCE.as_secs() as usize).enumerate() {
        // It fails once the server has closed the connection; what it sent before can still be read.
        let written = socket.write_all(&[byte]);
        match socket.read(&mut chunk) {
            Ok(length) if length > 0 => answer.extend_from_slice(&chunk[..length]),
            // Interrupted: this process was suspended and continued, as by a shell or a machine that sleeps.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            ended => {
                end = format!("{ended:?} after {count} bytes, last write {written:?}");
                break;
            }
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(status(&answer), 408, "the answer was {answer:?}; the end of the connection: {end}");
    answers_well(&server);
}

#[test]
fn a_suspended_server_loses_no_connection() {
    let server = plain();
    let mut silent = server.connect();
    let mut begun = server.connect();
    begun.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").unwrap();
    // Each waits in a read with a timeout, which the kernel interrupts.
    wait_for("both connections to wait", || (server.tasks("connection", 'S') == 2).then_some(()));
    server.signal("STOP");
    wait_for("the server to be stopped", || (server.tasks("connection", 'T') == 2).then_some(()));
    server.signal("CONT");
    wait_for("the server to go on", || (server.tasks("connection", 'S') == 2).then_some(()));
    silent.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    begun.write_all(b"Connection: close\r\n\r\n").unwrap();
    for (name, mut socket) in [("silent", silent), ("half a head", begun)] {
        let mut answer = String::new();
        let ended = socket.read_to_string(&mut answer);
        assert_eq!(status(&answer), 200, "{name}: {answer:?}, {ended:?}");
    }
}

#[test]
fn silent_connections_leave_room_for_others_and_are_closed() {
    let server = Setup::new().server("max_connections = 40\nmax_connections_per_address = 20").start();
    let silent: Vec<TcpStream> = (0..400).filter_map(|_| connect_from("127.0.0.9", &server).ok()).collect();
    assert!(silent.len() > 20, "only {} sockets could be opened", silent.len());
    answers_well(&server);
    // The clients keep their ends open: only the server can end these connections.
    wait_for("the server to close the silent connections", || {
        let status = server.get("/api/1.0/status").text();
        status.contains("\"connections\":1,").then_some(())
    });
    for mut socket in silent {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let ended = socket.read_to_end(&mut Vec::new());
        let is_reset = matches!(&ended, Err(error) if error.kind() == ErrorKind::ConnectionReset);
        assert!(is_reset || matches!(ended, Ok(0)), "a connection was left open: {ended:?}");
    }
}

#[test]
fn beyond_the_limit_a_plain_client_gets_503_and_retry_after() {
    let server = Setup::new().plain().server("max_connections_per_address = 1").start();
    let _held = signed_in(&server, "127.0.0.1", "/video");
    let answer = wait_for("a refusal", || {
        let answer = server.send_raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        (!answer.is_empty()).then_some(answer)
    });
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("Retry-After:"), "{answer}");
}

#[test]
fn beyond_the_limit_a_tls_connection_is_closed() {
    let server = Setup::new().server("max_connections_per_address = 1").start();
    let (_viewer, file) = watch(&server, "/video", "recording");
    wait_for("a frame", || (parts(&file) > 0).then_some(()));
    let mut second = server.connect();
    let got = second.read_to_end(&mut Vec::new());
    assert!(matches!(&got, Ok(0)) || got.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
}

/// A connection of [`USER`] on which `path` was requested and answered.
fn signed_in(server: &Server, source: &str, path: &str) -> TcpStream {
    let mut socket = connect_from(source, server).expect("connected");
    let login = format!("{USER}:{PASSWORD}");
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, login);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = [0; 13];
    socket.read_exact(&mut head).expect("answered");
    assert_eq!(&head, b"HTTP/1.1 200 ", "{}", String::from_utf8_lossy(&head));
    socket
}

/// Requests `/healthz` on a connection that is kept; whether it was answered.
fn keep_busy(socket: &mut TcpStream) -> bool {
    // Reading exactly a number of bytes goes on after a signal, which a plain read does not.
    let mut first = [0; 1];
    let is_answered = socket.set_read_timeout(Some(PATIENCE)).is_ok()
        && socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").is_ok()
        && socket.read_exact(&mut first).is_ok();
    // The rest of the answer came with its first byte.
    is_answered && socket.read(&mut [0; 2048]).is_ok()
}

#[test]
fn strangers_that_hold_every_slot_keep_no_user_out() {
    let server = plain();
    let mut strangers: Vec<TcpStream> =
        (0..256).filter_map(|at| connect_from(["127.0.0.7", "127.0.0.8"][at % 2], &server).ok()).collect();
    let busy = strangers.iter_mut().filter_map(|socket| keep_busy(socket).then_some(())).count();
    assert!(busy >= 64, "only {busy} of the strangers were answered");
    // From an address where nobody signed in before, again and again, beside what is held.
    let held: Vec<TcpStream> = (0..5).map(|_| signed_in(&server, "127.0.0.9", "/api/1.0/status")).collect();
    for socket in &mut strangers {
        keep_busy(socket);
    }
    let more: Vec<TcpStream> = (0..128).filter_map(|_| connect_from("127.0.0.7", &server).ok()).collect();
    let _stream = signed_in(&server, "127.0.0.9", "/video");
    for mut socket in held {
        assert!(keep_busy(&mut socket), "a user's connection was closed for a stranger's");
    }
    drop(more);
}

#[test]
fn strangers_at_a_users_address_do_not_keep_the_user_out() {
    let server = Setup::new().plain().server("max_connections_per_address = 8").start();
    let mut stream = signed_in(&server, "127.0.0.1", "/video");
    let mut strangers: Vec<TcpStream> = (0..20).map(|_| server.connect()).collect();
    for socket in &mut strangers {
        keep_busy(socket);
    }
    let _second = signed_in(&server, "127.0.0.1", "/api/1.0/status");
    stream.read_exact(&mut [0; 100_000]).expect("the stream goes on");
}

#[test]
fn connections_are_limited_by_the_descriptors() {
    let server = Setup::new()
        .plain()
        .server("max_connections = 4096\nmax_connections_per_address = 4096")
        .under(&["prlimit", "--nofile=600:600"])
        .start();
    server.wait_log("max_connections = 4096 in [server] needs");
    let mut held = Vec::new();
    for _ in 0..400 {
        let mut socket = server.connect();
        let _ = socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        held.push(socket);
    }
    // 503 while connections that were closed to make room are still ending.
    wait_for("a picture", || (server.get("/snapshot").status == 200).then_some(()));
    let log = server.log();
    assert!(!log.contains("cannot accept a connection") && !log.contains("accept loop ended"), "{log}");
}

#[test]
fn a_viewer_that_never_reads_does_not_hold_up_others() {
    let server = plain();
    let _stuck: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut socket = server.connect();
            let login = format!("{USER}:{PASSWORD}");
            let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, login);
            let request = format!("GET /video HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\n\r\n");
            socket.write_all(request.as_bytes()).unwrap();
            socket
        })
        .collect();
    let (_viewer, file) = watch(&server, "/video", "recording");
    wait_for("thirty frames for the viewer that reads", || (parts(&file) >= 30).then_some(()));
    answers_well(&server);
}

#[test]
fn only_the_port_and_the_local_socket_accept_connections() {
    let server = plain();
    answers_well(&server);
    assert_eq!(listening_ports(server.pid()), [server.port]);
    let inodes = sockets(server.pid());
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let named =
        rows.filter(|row| inodes.iter().any(|inode| inode == row[6])).filter_map(|row| row.get(7).copied());
    let open: Vec<_> = named
        .filter(|name| name.starts_with('@') || UnixStream::connect(server.path().join(name)).is_ok())
        .filter(|name| !name.ends_with("defender.sock"))
        .collect();
    assert!(open.is_empty(), "sockets that a local user finds by name: {open:?}");
    let left: Vec<_> = std::fs::read_dir(server.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn connections_leave_no_thread_and_no_descriptor_behind() {
    let server = plain();
    answers_well(&server);
    let before = server.threads_and_descriptors();
    for round in 0..60 {
        let mut socket = server.connect();
        match round % 3 {
            0 => drop(socket),
            1 => drop(socket.write_all(b"GET / HT")),
            _ => drop(socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")),
        }
    }
    wait_for("threads and descriptors to come back to what they were", || {
        let now = server.threads_and_descriptors();
        // tiny_http keeps a few idle threads of its own for a while.
        (now.1 <= before.1 && now.0 <= before.0 + 4).then_some(())
    });
}

#[test]
fn the_server_survives_running_out_of_descriptors() {
    let server = plain();
    answers_well(&server);
    let limit = |count: usize| {
        let set = std::process::Command::new("prlimit")
            .args([format!("--pid={}", server.pid()), format!("--nofile={count}:4096")])
            .status()
            .expect("prlimit runs");
        assert!(set.success());
    };
    // Below the limit there are so many numbers that are free.
    let limit_free = |free: usize| {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let used: std::collections::BTreeSet<usize> = names.collect();
        limit((0..).filter(|number| !used.contains(number)).nth(free).expect("a free number"));
    };
    // A few more each time: at first the gate has too few, then what is behind it.
    let both = ["cannot accept a connection", "accept loop ended and is started again"];
    // Which number has which effect is the machine's: many are tried, however long that takes.
    let are_both_seen = (0..8).cycle().take(600).any(|free| {
        limit_free(free);
        server.curl("/healthz", &["--max-time", "2"]);
        limit(1024);
        both.iter().all(|line| server.log().contains(line))
    });
    assert!(are_both_seen, "both faults of too few descriptors: {}", server.log());
    wait_for("an answer", || (server.curl("/healthz", &["--max-time", "5"]).status == 200).then_some(()));
}

/// The inodes of a process' sockets.
fn sockets(pid: u32) -> Vec<String> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// TCP ports a process listens on.
fn listening_ports(pid: u32) -> Vec<u16> {
    let inodes = sockets(pid);
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[3] == "0A" && inodes.iter().any(|inode| inode == row[9]))
        .filter_map(|row| u16::from_str_radix(row[1].split(':').nth(1)?, 16).ok())
        .collect()
}
