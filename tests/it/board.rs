//! Commands on the board to the running server, over its local socket.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use crate::support::{Server, Setup, binary, defender, stderr, stdout, wait_for};

fn run(server: &Server, arguments: &[&str]) -> Output {
    defender(server.path(), arguments, "")
}

#[test]
fn capture_is_stopped_and_started_from_the_board() {
    let server = Setup::new().start();
    wait_for("a picture", || (server.get("/snapshot").status == 200).then_some(()));
    let status = run(&server, &["status"]);
    let text = stdout(&status);
    assert!(text.contains("camera front: test card, 320x240"), "{text}{}", stderr(&status));
    let json = stdout(&run(&server, &["status", "--json"]));
    assert!(json.starts_with("{\"version\":") && json.ends_with("}\n"), "{json}");

    let stopped = run(&server, &["service", "video", "stop"]);
    assert_eq!(stdout(&stopped), "video: stopped by root (on the board)\n", "{}", stderr(&stopped));
    assert_eq!(
        stdout(&run(&server, &["service"])),
        "video: stopped by root (on the board)\naudio: running\nrecording: running\nmotion: running\n"
    );
    let motion = stdout(&run(&server, &["service", "motion", "stop"]));
    assert_eq!(motion, "motion: stopped by root (on the board)\n");
    assert!(server.get("/snapshot").text().contains("stopped by root"));
    let json = stdout(&run(&server, &["service", "video", "start", "--json"]));
    assert_eq!(json, "{\"running\":true,\"stopped_by\":null}\n");

    assert_eq!(stdout(&run(&server, &["logging", "error"])), "error\n");
    assert_eq!(stdout(&run(&server, &["logging"])), "error\n");
    let refused = run(&server, &["logging", "loud"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("no level is named loud"), "{}", stderr(&refused));
}

#[test]
fn a_mistyped_command_sends_no_request() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&["service", "video"][..], "service takes [video|audio|recording|motion start|stop]; not `video`"),
        (&["service", "vidoe", "stop"], "not `vidoe stop`"),
        (&["service", "video", "stop", "now"], "takes no operand `now`"),
        (&["status", "--save"], "has no flag `--save`"),
        (&["stats"], "did you mean `status`?"),
    ] {
        let refused = defender(folder.path(), arguments, "");
        assert_eq!(
            (refused.status.code(), stderr(&refused).contains(why)),
            (Some(2), true),
            "{arguments:?}: {}",
            stderr(&refused)
        );
    }
}

#[test]
fn without_a_server_the_error_names_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let refused = defender(folder.path(), &["status", "-u", "users"], "");
    assert_eq!(refused.status.code(), Some(1));
    let why = stderr(&refused);
    assert!(why.contains("defender.sock: no server listens on this socket"), "{why}");
}

#[test]
fn the_local_socket_admits_root_and_the_servers_user_only() {
    let mut server = Setup::new().start();
    let socket = server.path().join("defender.sock");
    let found = fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!((found.mode() & 0o777, found.uid()), (0o600, 0));
    // Even where the mode is loosened by mistake.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(server.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let asked = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "--max-time", "120"])
        .arg("--unix-socket")
        .arg(&socket)
        .arg("http://board/api/1.0/status")
        .output()
        .unwrap();
    assert!(asked.stdout.is_empty() && !asked.status.success(), "{}", stdout(&asked));
    server.wait_log("the local socket: rejected: the user 65534 is not admitted");
    server.signal("TERM");
    server.wait_end().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_dead_servers_socket_is_replaced_and_a_live_ones_is_not() {
    let mut first = Setup::new().start();
    let other = Command::new(binary())
        .args(["-c", "defender.conf"])
        .current_dir(first.path())
        .stderr(fs::File::create(first.path().join("second")).unwrap())
        .spawn();
    let mut other = other.unwrap();
    let second = first.path().join("second");
    let said =
        || fs::read_to_string(&second).unwrap().contains("another defender answers there").then_some(());
    wait_for("the second server to say so", said);
    let _ = other.kill();
    let _ = other.wait();
    assert!(stdout(&run(&first, &["status"])).starts_with("Defender "));

    first.signal("KILL");
    first.wait_end().unwrap();
    assert!(first.path().join("defender.sock").exists(), "left behind");
    let mut again = Command::new(binary())
        .args(["-c", "defender.conf"])
        .current_dir(first.path())
        .stderr(fs::File::create(first.path().join("third")).unwrap())
        .spawn()
        .unwrap();
    wait_for("an answer", || stdout(&run(&first, &["status"])).starts_with("Defender ").then_some(()));
    let _ = again.kill();
    let _ = again.wait();
}

#[test]
fn the_local_socket_serves_all_without_a_password() {
    let server = Setup::new().start();
    let socket = server.path().join("defender.sock");
    let curl = |arguments: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "120", "--unix-socket"]).arg(&socket).args(arguments);
        curl.output().unwrap()
    };
    let users = stdout(&curl(&["http://board/api/1.0/users"]));
    assert!(users.contains("\"name\":\"eve\""), "{users}");
    let picture = wait_for("a picture", || {
        let got = curl(&["http://board/snapshot"]).stdout;
        got.starts_with(&[0xff, 0xd8]).then_some(got)
    });
    assert!(picture.ends_with(&[0xff, 0xd9]));
}

#[test]
fn a_file_at_the_sockets_path_stays() {
    let setup = Setup::new().server("socket = \"precious\"");
    fs::write(setup.path().join("precious"), "a letter").unwrap();
    let mut server = setup.start();
    server.wait_log("this file exists and is not a socket");
    server.signal("TERM");
    server.wait_end().unwrap();
    assert_eq!(fs::read_to_string(server.path().join("precious")).unwrap(), "a letter");
}
