//! Untrusted servers: what they send costs an error, and never more.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::memory::{Account, Memory};

use super::{Endpoint, Listing, RemoteError, RemoteSettings, Token};
use crate::client::{Address, ClientError};

const NOTHING: &str = "{\"cameras\":[],\"microphones\":[]}";

/// An endpoint whose other end is given to `answer` with each request read, and the requests. It ends with
/// the test's process, whatever it waits for.
fn untrusted(answer: impl Fn(&mut TcpStream) + Send + 'static) -> (Endpoint, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|got| got == 1) {
                request.push(byte[0]);
            }
            let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
            answer(&mut socket);
        }
    });
    let settings = RemoteSettings {
        name: "evil".to_owned(),
        address: Address { host: "127.0.0.1".to_owned(), port, is_secure: false },
        token: Token::Given("dft_x".to_owned()),
        fingerprint: None,
        record: Default::default(),
    };
    (Endpoint::new(settings, Account::unlimited()).unwrap(), requests)
}

/// One that answers every request with this, and hangs up.
fn sends(bytes: Vec<u8>) -> Endpoint {
    untrusted(move |socket| drop(socket.write_all(&bytes))).0
}

fn why<T>(result: Result<T, RemoteError>) -> String {
    result.err().map_or_else(|| "nothing is wrong".to_owned(), |error| error.to_string())
}

#[test]
fn a_broken_status_is_refused_with_what_is_wrong() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    for (sent, expected) in [
        (format!("{}{}", head(""), "x".repeat(300 * 1024)), "a document too large"),
        (head("Content-Length: 999999999\r\n"), "a document too large"),
        (head("Content-Length: -1\r\n"), "the head of its answer"),
        (format!("{}{NOTHING}", head("Content-Length: 99\r\n")), "it ended the connection"),
        (
            format!("{}1e\r\n{NOTHING}\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n")),
            "an answer in chunks",
        ),
        (head(&"X: y\r\n".repeat(65)), "the head of its answer"),
        (head(&format!("X: {}\r\n", "y".repeat(20_000))), "the head of its answer"),
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), "the head of its answer"),
        ("HTTP/1.1 308 Permanent Redirect\r\nLocation: https://evil/\r\n\r\n".to_owned(), "error 308"),
        (String::new(), "it ended the connection"),
    ] {
        let found = why(sends(sent.clone().into_bytes()).ask(&|| true));
        assert!(found.contains(expected), "{found:?} for {sent:.60}");
    }
}

#[test]
fn a_device_is_missing_only_after_an_answer() {
    let text = "HTTP/1.1 200 OK\r\n\r\n{\"cameras\":[],\"microphones\":[]}";
    let endpoint = sends(text.as_bytes().to_vec());
    assert_eq!((endpoint.camera_problem("front"), endpoint.microphone_problem("desk")), (None, None));
    endpoint.ask(&|| true).unwrap();
    for problem in [endpoint.camera_problem("front"), endpoint.microphone_problem("desk")] {
        assert!(problem.is_some_and(|problem| problem.contains("it has no such camera")));
    }
}

#[test]
fn an_answer_ends_at_its_length_while_the_connection_stays() {
    let (endpoint, requests) = untrusted(|socket| {
        let length = NOTHING.len();
        let _ = write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{NOTHING}");
        // Open for as long as the client likes.
        let _ = socket.read(&mut [0]);
    });
    assert_eq!(endpoint.ask(&|| true).unwrap(), Listing::default());
    let request = requests.recv().unwrap();
    // Nothing on the way may answer that in chunks.
    assert!(request.starts_with("GET /api/1.0/status HTTP/1.0\r\nHost: 127.0.0.1:"), "{request}");
}

#[test]
fn a_picture_that_drips_ends_the_stream() {
    let (endpoint, _requests) = untrusted(|socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n--b\r\nContent-Length: 1000000\r\n\r\n");
        while socket.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let is_wanted = || true;
    let mut parts = endpoint.video("trap", None, &is_wanted).unwrap();
    assert!(matches!(parts.next_part(), Err(RemoteError::Client(ClientError::Stalled))));
}

#[test]
fn a_picture_without_memory_is_skipped() {
    let large = [b"--b\r\nContent-Length: 3000000\r\n\r\n".to_vec(), vec![b'x'; 3_000_000]].concat();
    let small = b"--b\r\nContent-Length: 5\r\n\r\nsmall".to_vec();
    let sent = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), large, small].concat();
    let memory = Memory::new(4 * 1024 * 1024);
    let endpoint = Endpoint::new(sends(sent).settings().clone(), memory.for_device()).unwrap();
    let is_wanted = || true;
    let mut parts = endpoint.video("trap", None, &is_wanted).unwrap();
    assert_eq!(parts.next_part().unwrap(), None);
    assert_eq!(parts.next_part().unwrap().unwrap().jpeg, b"small");
    let used = memory.usage()[0].1.used_bytes;
    assert!((1..100_000).contains(&used), "{used} bytes are used for a small picture");
    drop(parts);
    assert_eq!(memory.usage()[0].1.used_bytes, 0);
}

#[test]
fn sound_is_taken_only_in_the_listed_format() {
    let header = |rate_hz: u32, channels: u16, bits: u16| {
        let mut header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0".to_vec();
        header.extend(channels.to_le_bytes());
        header.extend(rate_hz.to_le_bytes());
        header.extend((rate_hz * u32::from(channels * bits / 8)).to_le_bytes());
        header.extend((channels * bits / 8).to_le_bytes());
        header.extend(bits.to_le_bytes());
        header.extend(b"data\xff\xff\xff\xff");
        header
    };
    let samples_of = |header: &[u8]| {
        let endpoint = sends([b"HTTP/1.1 200 OK\r\n\r\n", header, b"\x01\0\x02\0\x03\0\x04\0"].concat());
        let samples = endpoint.audio("desk", (16_000, 2), &|| true).and_then(|mut sound| sound.samples());
        samples.map_err(|error| error.to_string())
    };
    assert_eq!(samples_of(&header(16_000, 2, 16)), Ok(vec![1, 2, 3, 4]));
    for other in [header(16_000, 1, 16), header(48_000, 2, 16), header(16_000, 2, 8), vec![b'x'; 60]] {
        assert_eq!(
            samples_of(&other),
            Err("it does not answer as a Defender does: sound in another format than its status says"
                .to_owned())
        );
    }
}
