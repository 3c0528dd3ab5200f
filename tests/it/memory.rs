//! How much memory the server takes when many clients are slow at once.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::remote::wait_status;
use crate::support::{PASSWORD, Server, Setup, USER, wait_for};

const MIB: usize = 1024 * 1024;

/// A number of the process' status, which has it in KiB, in bytes.
fn memory(server: &Server, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
}

/// A session's secret: with a password each request would cost a hash.
fn session(server: &Server) -> String {
    let login = format!("{{\"user\":\"{USER}\",\"password\":\"{PASSWORD}\"}}");
    let answer = server.curl("/api/1.0/login", &["-d", &login]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// A client that asks for `path` and reads no more than the beginning of the answer.
fn slow(server: &Server, path: &str, token: &str) -> TcpStream {
    let mut socket = server.connect();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut begin = [0; 15];
    socket.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    socket
}

/// A server in the clear with a folder of its own as the page.
fn with_folder(more: &str) -> Server {
    let setup = Setup::new().plain().server("www = \"site\"").server(more).sections("");
    fs::create_dir(setup.path().join("site")).unwrap();
    setup.start()
}

#[test]
fn slow_downloads_of_a_large_file_take_little_memory() {
    let server = with_folder("");
    fs::write(server.path().join("site/large.bin"), vec![7; 16 * MIB]).unwrap();
    let token = session(&server);
    let before = memory(&server, "RssAnon");
    let clients: Vec<_> = (0..30).map(|_| slow(&server, "/large.bin", &token)).collect();
    let taken = memory(&server, "RssAnon").saturating_sub(before);
    assert!(taken < 64 * MIB, "{} MiB for {} clients", taken / MIB, clients.len());
}

#[test]
fn what_needs_no_byte_of_a_file_reads_none() {
    let server = with_folder("");
    // Larger than any memory; it takes no space on the disk.
    let file = fs::File::create(server.path().join("site/huge.bin")).unwrap();
    file.set_len(64 << 30).unwrap();
    let bearer = format!("Authorization: Bearer {}", session(&server));
    let head = server.curl("/huge.bin", &["-I", "-H", &bearer]);
    assert_eq!((head.status, head.field("content-length").as_deref()), (200, Some("68719476736")));
    let tag = head.field("etag").unwrap();
    let again = server.curl("/huge.bin", &["-H", &bearer, "-H", &format!("If-None-Match: {tag}")]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert!(memory(&server, "VmHWM") < 256 * MIB);
}

#[test]
fn a_growing_file_is_cut_and_a_shrinking_one_ends_the_reply() {
    let server = with_folder("");
    let path = server.path().join("site/log.txt");
    let token = session(&server);
    for (size_then, is_whole) in [(64 * MIB, true), (MIB, false)] {
        fs::write(&path, vec![b'x'; 32 * MIB]).unwrap();
        let mut client = slow(&server, "/log.txt", &token);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(size_then as u64).unwrap();
        // On the same connection, so that what comes too much or too little shows.
        let _ = client.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        let start = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let body = &rest[start..];
        assert_eq!(body.ends_with(b"\r\n\r\nok\n"), is_whole, "{} bytes", body.len());
        if is_whole {
            assert!(body[32 * MIB..].starts_with(b"HTTP/1.1 200 OK\r\n"));
        } else {
            assert!(body.len() < 32 * MIB, "{} bytes", body.len());
        }
    }
}

#[test]
fn requests_without_memory_get_503_with_retry_after() {
    let server = with_folder("memory_mb = 1");
    fs::write(server.path().join("site/a.bin"), vec![7; 16 * MIB]).unwrap();
    let token = session(&server);
    // A quarter of it is for requests: eight pieces of files.
    let clients: Vec<_> = (0..8).map(|_| slow(&server, "/a.bin", &token)).collect();
    let bearer = format!("Authorization: Bearer {token}");
    let refused = server.curl("/a.bin", &["-H", &bearer]);
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (503, Some("5")));
    let refused = server.curl("/api/1.0/login", &["-d", &" ".repeat(5000)]);
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (503, Some("5")));
    assert_eq!(server.curl("/api/1.0/login", &["-d", "{}"]).status, 400, "a small one is taken");
    assert_eq!(server.curl("/healthz", &[]).status, 200);
    drop(clients);
    wait_for("free memory", || (server.curl("/a.bin", &["-H", &bearer]).status == 200).then_some(()));
}

#[test]
fn bodies_of_strangers_leave_memory_for_who_is_signed_in() {
    let server = with_folder("memory_mb = 1");
    fs::write(server.path().join("site/a.bin"), "a").unwrap();
    let bearer = format!("Authorization: Bearer {}", session(&server));
    // Each gets 100 Continue when there is memory for its body, of which no byte comes.
    let head =
        "POST /api/1.0/login HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\nExpect: 100-continue\r\n\r\n";
    let begin = || {
        let mut socket = server.connect();
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        (String::from_utf8_lossy(&answer).into_owned(), socket)
    };
    let strangers: Vec<_> = (0..4).map(|_| begin()).collect();
    assert_eq!(strangers[0].0, "HTTP/1.1 100");
    assert_eq!(strangers[3].0, "HTTP/1.1 503");
    assert_eq!(server.curl("/a.bin", &["-H", &bearer]).status, 200);
    session(&server);
}

/// A JPEG of 7 MiB, made from a small one by comments.
fn swollen(jpeg: &[u8]) -> Vec<u8> {
    let comment = [b"\xff\xfe\xff\xff".as_slice(), &[b'x'; 0xfffd]].concat();
    [&jpeg[..2], &comment.repeat(7 * MIB / comment.len()), &jpeg[2..]].concat()
}

/// The port of one that lists two cameras and sends the picture as often as it is taken; and how often
/// that was. It ends with the test's process.
fn flood(picture: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sent, picture) = (Arc::new(AtomicUsize::new(0)), Arc::new(picture));
    let count = Arc::clone(&sent);
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let (count, picture) = (Arc::clone(&count), Arc::clone(&picture));
            thread::spawn(move || {
                let mut request = [0; 2048];
                let got = socket.read(&mut request).unwrap_or(0);
                if request[..got].starts_with(b"GET /api/1.0/status") {
                    let camera = |name: &str| {
                        format!(
                            "{{\"name\":\"{name}\",\"online\":true,\"problem\":null,\"width\":320,\
                             \"height\":240,\"fps\":30}}"
                        )
                    };
                    let (one, two) = (camera("one"), camera("two"));
                    let text = format!("{{\"cameras\":[{one},{two}],\"microphones\":[]}}");
                    let length = text.len();
                    let _ = write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
                    return;
                }
                let mut write = |bytes: &[u8]| socket.write_all(bytes).is_ok();
                let part = format!("--b\r\nContent-Length: {}\r\n\r\n", picture.len());
                let mut is_open = write(b"HTTP/1.1 200 OK\r\n\r\n");
                while is_open {
                    is_open = write(part.as_bytes()) && write(&picture) && write(b"\r\n");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (port, sent)
}

#[test]
fn slow_viewers_of_huge_relayed_pictures_take_bounded_memory() {
    let card = Setup::new().start().get("/snapshot/front").body;
    let (port, sent) = flood(swollen(&card));
    let sections = format!(
        "[camera.here]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
         [remote.evil]\nurl = \"http://127.0.0.1:{port}/\"\ntoken = \"dft_x\"\n"
    );
    let panel = Setup::new().plain().server("memory_mb = 32").sections(&sections).start();
    wait_status(&panel, "\"name\":\"evil-two\"");
    let token = session(&panel);
    let before = memory(&panel, "RssAnon");
    let mut viewers = Vec::new();
    for number in 0..16 {
        let camera = ["one", "two"][number % 2];
        viewers.push(slow(&panel, &format!("/video/evil-{camera}"), &token));
        // Each has another picture to hold.
        let then = sent.load(Ordering::Relaxed);
        wait_for("more pictures", || (sent.load(Ordering::Relaxed) >= then + 4).then_some(()));
    }
    let taken = memory(&panel, "RssAnon").saturating_sub(before);
    assert!(taken < 64 * MIB, "{} MiB for {} viewers", taken / MIB, viewers.len());
    panel.wait_log("some pictures are dropped: the memory for those of other servers is used up");
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(panel.curl("/snapshot/here", &["-H", &bearer]).status, 200, "the own camera goes on");
}
