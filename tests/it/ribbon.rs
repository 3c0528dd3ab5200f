//! packaging/ribbon, the script that feeds a ribbon-cable camera to a connection, with a stand-in for rpicam-vid.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folders that the script and the stand-in use.
struct Board {
    root: tempfile::TempDir,
}

/// A connection that the script feeds, and the script.
struct Connection {
    stream: UnixStream,
    script: Child,
}

impl Board {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["run/defender", "bin", "pictures"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let board = Self { root };
        board.write("pictures/640x480-1.jpg", "the usual picture");
        board.write("pictures/320x240-1.jpg", "the small picture");
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packaging/rpicam-vid");
        std::os::unix::fs::symlink(stand_in, board.path("bin/rpicam-vid")).unwrap();
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn ask(&self, request: &str) {
        self.write("run/defender/defender-ribbon", request);
    }

    /// What the program was started with, a line for each start.
    fn starts(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("pictures/starts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn connect(&self) -> Connection {
        self.connect_with(&format!("{}:/usr/bin:/bin", self.path("bin").display()))
    }

    fn connect_with(&self, path: &str) -> Connection {
        let (stream, theirs) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let output = theirs.try_clone().unwrap();
        let script = Command::new("/bin/sh")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/ribbon"))
            .arg("defender-ribbon")
            .arg(self.path("run"))
            .env("PATH", path)
            .env("STANDIN_FOLDER", self.path("pictures"))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(output)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Connection { stream, script }
    }
}

impl Connection {
    /// The first bytes that come.
    fn first(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Closes this end, and waits for the script to end.
    fn hang_up(self) -> ExitStatus {
        drop(self.stream);
        ended(self.script).0
    }
}

/// How a script ended, and what it said.
fn ended(mut script: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    let mut output = script.stderr.take().unwrap();
    output.read_to_string(&mut said).unwrap();
    (script.wait().unwrap(), said)
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_program_gets_the_size_and_rate_that_were_asked_for() {
    let board = Board::new();
    board.ask("width=320\nheight=240\nfps=15\nquality=70\n");
    let mut connection = board.connect();
    assert_eq!(connection.first(17), "the small picture");
    assert_eq!(board.starts(), ["320x240 at 15"]);
    assert!(connection.hang_up().success());
}

#[test]
fn nothing_but_numbers_is_taken_from_a_request() {
    let board = Board::new();
    let touch = board.path("touched");
    let touch = touch.display();
    for request in [
        String::new(),
        format!("width=$(touch {touch})\nheight=`touch {touch}`\nfps=15;touch {touch}\nquality=-1\n"),
        "width=99999\nheight=0\nfps=241\nquality=101\n".to_owned(),
        "width=320 --post-process-file /tmp/x\nLD_PRELOAD=/tmp/x.so\nPATH=/tmp\nRIBBON_OPTIONS=--bad\n"
            .to_owned(),
        format!("{}\nwidth=320\n", "x".repeat(100_000)),
    ] {
        let before = board.starts().len();
        board.ask(&request);
        let mut connection = board.connect();
        assert_eq!(connection.first(17), "the usual picture", "{request:.60}");
        assert_eq!(board.starts()[before..], ["640x480 at 30"], "{request:.60}");
        connection.hang_up();
    }
    assert!(!board.path("touched").exists(), "a request was executed");
}

#[test]
fn a_silent_program_ends_when_the_other_side_hangs_up() {
    let board = Board::new();
    board.write("pictures/behaviour", "silent");
    let connection = board.connect();
    wait_for("the program", || board.starts().len() == 1);
    assert!(connection.hang_up().success());
}

#[test]
fn a_second_connection_waits_for_its_turn() {
    let board = Board::new();
    board.write("run/defender-ribbon.lock", "");
    let mut first = board.connect();
    first.first(17);
    board.ask("width=320\nheight=240\n");
    let mut second = board.connect();
    second.stream.set_nonblocking(true).unwrap();
    // The first one goes on, so there was time for the second one to disturb it.
    assert_eq!(first.first(170), "the usual picture".repeat(10));
    let waited = second.stream.read(&mut [0; 1]);
    assert!(waited.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "two programs use one camera");
    second.stream.set_nonblocking(false).unwrap();
    first.hang_up();
    assert_eq!(second.first(17), "the small picture");
    assert_eq!(board.starts(), ["640x480 at 30", "320x240 at 30"]);
    second.hang_up();
}

#[test]
fn a_connection_that_hangs_up_while_it_waits_ends_at_once() {
    let board = Board::new();
    board.write("run/defender-ribbon.lock", "");
    let mut first = board.connect();
    first.first(17);
    assert!(board.connect().hang_up().success());
    assert_eq!(board.starts().len(), 1);
    first.hang_up();
}

#[test]
fn a_program_that_fails_ends_the_connection() {
    let board = Board::new();
    board.write("pictures/behaviour", "no-camera");
    let mut connection = board.connect();
    assert_eq!(connection.stream.read(&mut [0; 1]).unwrap(), 0, "the connection stays open");
    let (status, said) = ended(connection.script);
    assert_eq!((status.code(), said.trim()), (Some(255), "ERROR: *** no cameras available ***"));
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let board = Board::new();
    let connection = board.connect_with("/nowhere");
    let (status, said) = ended(connection.script);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("rpicam-vid is not installed; run: sudo apt install rpicam-apps-lite"), "{said}");
}
