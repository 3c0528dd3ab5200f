//! Names that are never resolved: the queries vanish, as behind a router that drops them. The server runs in a network of its
//! own, whose name server does not answer, which needs root.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Setup, binary, stdout, wait_for};

/// For long enough that the server gives up first.
const RESOLVER: &str = "nameserver 192.0.2.53\noptions timeout:30 attempts:5\n";

/// What `sh` does before it becomes the server.
const ALONE: &str = "ip link set lo up && ip route add 192.0.2.53 dev lo && mount --bind resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\"";

/// Why there can be no network of its own here.
fn missing() -> Option<String> {
    let tried = Command::new("unshare").args(["--net", "--mount", "ip", "link", "set", "lo", "up"]).output();
    match tried {
        Ok(tried) if tried.status.success() => None,
        Ok(tried) => Some(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn a_name_that_is_never_resolved_holds_nothing_up() {
    if let Some(why) = missing() {
        eprintln!("skipped: a network of its own needs root and iproute2: {why}");
        return;
    }
    let setup = Setup::new().sections(
        "[camera.lost]\ndevice = \"http://camera.example/stream\"\n\
         [camera.here]\ndevice = \"test\"\n\
         [remote.attic]\nurl = \"https://attic.example:8443/\"\ntoken = \"dft_x\"\n",
    );
    fs::write(setup.path().join("resolv.conf"), RESOLVER).unwrap();
    setup.write_config();
    let mut check = Command::new("unshare");
    check.args(["--net", "--mount", "sh", "-c", ALONE, binary(), "check", "-c", "defender.conf"]);
    let check = check.current_dir(setup.path()).stdout(Stdio::piped()).spawn().expect("unshare runs");
    let mut server = setup.under(&["unshare", "--net", "--mount", "sh", "-c", ALONE]).start();
    wait_for("a thread that resolves", || (server.tasks("resolve", 'S') > 0).then_some(()));
    wait_for("the reasons, and a camera that works", || {
        let status = server.get_on_board("/api/1.0/status").text();
        let lost = status.matches("its name cannot be resolved: timed out").count();
        (lost >= 2 && status.contains("\"name\":\"here\",\"source\":\"test card\",\"online\":true"))
            .then_some(())
    });
    wait_for("another thread that resolves", || (server.tasks("resolve", 'S') > 0).then_some(()));
    server.signal("TERM");
    let ended = server.wait_end().expect("it ends while the resolver hangs");
    assert!(ended.success(), "{ended}");
    server.wait_log("http://camera.example/stream: ");
    let said = stdout(&check.wait_with_output().expect("it ends"));
    for device in ["camera lost", "remote attic"] {
        let line = said.lines().find(|line| line.starts_with(device)).unwrap_or_default();
        assert!(line.contains("its name cannot be resolved: timed out"), "{line}\n{said}");
    }
}
