//! Notifications to a service manager: a datagram socket of the test stands for systemd's.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::faults::Rig;
use crate::support::{PATIENCE, Server, Setup};

/// Short, so that tests end soon. The server sends its keep-alive twice as often.
const WATCHDOG: Duration = Duration::from_millis(600);

/// In place of systemd.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        Self(UnixDatagram::bind(path).unwrap())
    }

    /// The next message, if one comes within `patience`.
    fn receive(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut message = [0; 4096];
        match self.0.recv(&mut message) {
            Ok(length) => Some(String::from_utf8(message[..length].to_vec()).unwrap()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            // This process was suspended and continued.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.receive(patience),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with `line` and returns it; other messages are skipped.
    fn wait(&self, line: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.receive(PATIENCE) {
                Some(message) if message.lines().any(|found| found == line) => return message,
                _ => {}
            }
        }
        panic!("waited in vain for {line}");
    }

    /// Drops the messages that have arrived.
    fn drain(&self) {
        while self.receive(Duration::from_millis(1)).is_some() {}
    }
}

#[test]
fn ready_reloads_and_the_stop_are_notified() {
    let setup = Setup::new();
    let path = setup.path().join("notify");
    let manager = Manager::at(&path);
    let mut server = setup.env("NOTIFY_SOCKET", &path.to_string_lossy()).start();
    let first = manager.receive(PATIENCE).expect("something is said");
    assert!(first.lines().any(|line| line == "READY=1"), "{first}");
    assert!(first.contains(&format!(":{}/", server.port)), "the status says where: {first}");
    assert_eq!(server.get("/healthz").status, 200, "ready means served");

    server.signal("HUP");
    let reloading = manager.receive(PATIENCE).expect("the reload is said");
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.receive(PATIENCE).expect("and its end"), "READY=1\n");

    server.signal("TERM");
    manager.wait("STOPPING=1");
    assert_eq!(server.wait_end().expect("it ends").code(), Some(0));
    // No watchdog was asked for.
    assert_eq!(manager.receive(Duration::from_millis(1)), None);
}

#[test]
fn an_abstract_socket_will_do() {
    let name = format!("defender-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager(UnixDatagram::bind_addr(&address).unwrap());
    let _server = Setup::new().env("NOTIFY_SOCKET", &format!("@{name}")).start();
    manager.wait("READY=1");
}

#[test]
fn a_manager_that_cannot_be_reached_does_no_harm() {
    for (name, is_logged) in [("/nonexistent/notify", false), ("vsock:2:1", true)] {
        let setup = Setup::new().env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "200000");
        let server = setup.start();
        assert_eq!(server.get("/snapshot").status, 200);
        if is_logged {
            server.wait_log("the service manager gets no notifications");
        }
        let log = server.log_until_now();
        assert_eq!(log.contains("the service manager gets no notifications"), is_logged, "{log}");
    }
}

#[test]
fn without_a_watchdog_there_is_no_thread_for_it() {
    let threads = |server: &Server| {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        tasks.map(|task| name(task.unwrap())).filter(|name| name.trim() == "notify").count()
    };
    let usec = WATCHDOG.as_micros().to_string();
    let setup = || Setup::new().env("WATCHDOG_USEC", &usec);
    assert_eq!(threads(&setup().start()), 0, "no socket");
    let socket = |setup: Setup| {
        let path = setup.path().join("notify");
        (Manager::at(&path), setup.env("NOTIFY_SOCKET", &path.to_string_lossy()))
    };
    let (manager, another) = socket(setup().env("WATCHDOG_PID", "1"));
    let another = another.start();
    manager.wait("READY=1");
    assert_eq!(threads(&another), 0, "the watchdog of another process");
    let (manager, mine) = socket(setup());
    let mine = mine.start();
    manager.wait("WATCHDOG=1");
    assert_eq!(threads(&mine), 1);
}

#[test]
fn a_lost_camera_keeps_the_keep_alive_and_a_hung_one_stops_it() {
    let setup = Setup::new();
    let path = setup.path().join("notify");
    let manager = Manager::at(&path);
    let setup = setup
        .env("NOTIFY_SOCKET", &path.to_string_lossy())
        .env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string());
    let rig = Rig::start_with(setup, "", "");
    rig.wait_status("\"online\":true");
    manager.drain();
    manager.wait("WATCHDOG=1");

    rig.fault("unplug");
    rig.wait_status("\"online\":false");
    manager.drain();
    for _ in 0..3 {
        manager.wait("WATCHDOG=1");
    }

    // The stand-in reads this file when it is opened; nobody ever writes to a pipe in its place, so
    // the thread that opens the camera hangs as in a driver that does not answer.
    let held = rig.control().with_extension("pipe");
    assert!(Command::new("mkfifo").arg(&held).status().unwrap().success());
    fs::rename(&held, rig.control()).unwrap();
    rig.server().wait_log("camera front: its thread has hung");
    manager.drain();
    assert_eq!(manager.receive(4 * WATCHDOG), None, "alive, with a thread that hangs");
    assert_eq!(rig.server().get("/healthz").status, 200, "the others are not held up");

    // Opening and closing the other end is all the thread waits for. The pipe is out of its way by
    // then: the thread would otherwise be free to open it once more and hang for good.
    fs::rename(rig.control(), &held).unwrap();
    drop(fs::OpenOptions::new().write(true).open(&held).unwrap());
    manager.wait("WATCHDOG=1");
}
