//! The log under attack: a standard error that blocks, clients that repeat themselves, text that is
//! meant for a terminal.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::fs::OFlags;

use crate::support::{PASSWORD, Setup, USER, add_user, binary, curl, defender, stderr, stdout, wait_for};

/// A server whose standard error was full before it started; it is killed when dropped.
struct Muted {
    child: Child,
    url: String,
    _setup: Setup,
}

impl Muted {
    fn start(error_output: PipeWriter) -> Self {
        let setup = Setup::new().plain();
        setup.write_config();
        add_user(setup.path(), USER, "viewer");
        let mut child = Command::new(binary())
            .args(["-c", "defender.conf", "-d"])
            .current_dir(setup.path())
            .env("HOME", setup.path())
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(error_output)
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        // Without the thread, a server that hangs would make this test hang.
        let (sender, address) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|length| length > 0) {
                if let Some(url) = line.trim().strip_prefix("Defender is at ") {
                    let _ = sender.send(url.trim_end_matches('/').to_owned());
                }
                line.clear();
            }
        });
        let url = address.recv_timeout(crate::support::PATIENCE);
        let muted = Self { child, url: url.clone().unwrap_or_default(), _setup: setup };
        url.expect("it starts although nobody reads its standard error");
        muted
    }

    fn get(&self, path: &str) -> u16 {
        let arguments = ["-u", &format!("{USER}:{PASSWORD}"), "--max-time", "120"];
        curl(&format!("{}{path}", self.url), &arguments).status
    }

    /// Requests, each of which is logged, and pictures.
    fn assert_alive(&self) {
        for _ in 0..20 {
            assert_eq!(self.get("/healthz"), 200, "a request that is logged");
            assert_eq!(self.get("/nothing-here"), 404, "a request that is logged");
        }
        assert_eq!(self.get("/snapshot"), 200, "a picture newer than its request");
        assert_eq!(self.get("/snapshot"), 200, "a picture newer than its request");
    }

    fn assert_ends(&mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        wait_for("the end", || self.child.try_wait().unwrap());
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fills a pipe. What is set for the opening used here is not set for the server's.
fn fill(pipe: &PipeWriter) {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::NONBLOCK.bits() as i32;
    let mut filling = OpenOptions::new().write(true).custom_flags(flags).open(path).unwrap();
    for size in [4096, 1] {
        loop {
            match filling.write(&vec![b'\n'; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_blocked_standard_error_delays_no_request_picture_or_stop() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    fill(&writer);
    let mut server = Muted::start(writer);
    server.assert_alive();
    server.assert_ends();
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
}

#[test]
fn a_stopped_reader_of_the_log_delays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let read = folder.path().join("read");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut cat =
        Command::new("cat").stdin(reader).stdout(fs::File::create(&read).unwrap()).spawn().expect("cat runs");
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &cat.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    fill(&writer);
    let mut server = Muted::start(writer);
    server.assert_alive();
    signal("-CONT");
    let text = || fs::read_to_string(&read).unwrap_or_default();
    wait_for("the first line", || text().contains("listening on").then_some(()));
    wait_for("the line of a request", || text().contains("GET /nothing-here 404").then_some(()));
    server.assert_ends();
    wait_for("the last line", || text().contains("stopped").then_some(()));
    drop(server);
    cat.wait().unwrap();
}

#[test]
fn a_thousand_forbidden_requests_are_a_few_lines_and_a_count() {
    const TIMES: usize = 1000;
    let mut server = Setup::new().plain().server("audit_log = \"audit\"").start();
    assert_eq!(server.get("/api/1.0/users").status, 403);
    let credentials = base64_of(&format!("{USER}:{PASSWORD}"));
    let head = format!("GET /api/1.0/users HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n");
    let many = format!("{head}\r\n").repeat(99) + &head + "Connection: close\r\n\r\n";
    for _ in 0..TIMES / 100 {
        let answers = server.send_raw(many.as_bytes());
        assert_eq!(answers.matches("HTTP/1.1 403").count(), 100);
    }
    server.signal("TERM");
    server.wait_end().expect("it ends");
    let audit = fs::read_to_string(server.path().join("audit")).unwrap();
    let lines = audit.lines().filter(|line| line.contains("may not")).count();
    assert!((5..=20).contains(&lines), "{lines} lines of\n{audit:.4000}");
    let counted = format!("{} more", TIMES + 1 - lines);
    assert!(audit.contains(&counted), "`{counted}` is missing in\n{audit:.4000}");
}

#[test]
fn unreadable_credentials_do_not_hide_a_guess_from_the_log() {
    let server = Setup::new().plain().start();
    let head = "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !\r\n";
    let many = format!("{head}\r\n").repeat(49) + head + "Connection: close\r\n\r\n";
    assert_eq!(server.send_raw(many.as_bytes()).matches("HTTP/1.1 401").count(), 50);
    // The line that fail2ban waits for.
    server.curl("/", &["-u", "guess:x"]);
    server.wait_log("login of `guess` refused");
}

#[test]
fn a_name_that_turns_text_around_reaches_no_log_as_it_is() {
    let server = Setup::new().plain().start();
    let hostile = "ev\u{202e}e\u{2028}\u{9b}2J\u{1b}[2J\u{2066}\u{feff}";
    server.curl("/", &["-u", &format!("{hostile}:x")]);
    server.wait_log("login of `ev");
    let log = server.log();
    assert!(log.contains("ev\\u{202e}e\\u{2028}\\u{9b}2J\\u{1b}[2J\\u{2066}\\u{feff}"), "{log}");
}

#[test]
fn defender_status_escapes_what_the_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("defender.conf"), "[server]\nuser = \"root\"\n").unwrap();
    let listener = UnixListener::bind(folder.path().join("defender.sock")).unwrap();
    let text = "\"a\\u001b]0;title\\u0007\\u202e\\u009b2J\\n\u{202e}\u{9d}x\\rz\"";
    let document = format!(
        r#"{{"version":{text},"cameras":[{{"name":{text},"source":{text},"format":{text}}}],
        "microphones":[{{"name":{text},"problem":{text}}}],"remotes":[{{"name":{text},"problem":{text}}}],
        "error":{text},"level":{text},"video":{{"stopped_by":{text}}},"audio":{{"stopped_by":{text}}}}}"#
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.split_once("Content-Length: ").unwrap().1.split("\r\n").next().unwrap();
            stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
            let code = if head.starts_with("PUT") { 409 } else { 200 };
            let length = document.len();
            let answer = format!("HTTP/1.1 {code} X\r\nContent-Length: {length}\r\n\r\n{document}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    for arguments in
        [&["status"][..], &["status", "--json"], &["service"], &["logging"], &["service", "video", "stop"]]
    {
        let ran = defender(folder.path(), &[arguments, &["-c", "defender.conf"]].concat(), "");
        let printed = stdout(&ran) + &stderr(&ran);
        assert!(printed.contains("]0;title"), "{arguments:?}: {printed}");
        let hostile = |c: &char| c.is_control() && *c != '\n' || ('\u{2028}'..='\u{202e}').contains(c);
        assert_eq!(printed.chars().find(hostile), None, "{arguments:?}: {printed:?}");
        if arguments == ["status"] {
            assert_eq!(printed.lines().count(), 4, "a line was forged: {printed}");
        }
    }
}

/// Standard Base64 (RFC 4648, section 4).
fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
