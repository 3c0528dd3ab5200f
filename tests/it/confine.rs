//! Dropping privileges: the server's user, the owner of its files, and what it may open. Becoming another user
//! needs root; without root these tests print a message and pass.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{PASSWORD, Server, Setup, USER, defender, parts, stderr, stdout, wait_for, watch};

/// A user of every Debian that owns nothing.
const NOBODY: &str = "nobody";

/// Whether the tests run as root; prints a message if not.
fn is_root() -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        eprintln!("not run: becoming another user needs root");
    }
    root
}

/// The id of a user or group, from the system's list.
fn number(list: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(list).unwrap();
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn nobody() -> (u32, u32) {
    let text = fs::read_to_string("/etc/passwd").unwrap();
    let line = text.lines().find(|line| line.starts_with("nobody:")).expect("the system has nobody");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    (fields.next().unwrap(), fields.next().unwrap())
}

/// Gives a folder and its content to `nobody`.
fn give_away(folder: &Path) {
    let given = Command::new("chown").arg("-R").arg(NOBODY).arg(folder).status().unwrap();
    assert!(given.success());
}

/// A server that became `nobody`, with its files in the folder `state`.
fn confined(more: &str) -> Server {
    let setup = Setup::new()
        .server(&format!("user = \"{NOBODY}\""))
        .server("users = \"state/users\"\ncert = \"state/server.pem\"\nkey = \"state/key.pem\"")
        .server(more)
        .sections(
            "[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n[microphone.front]\ndevice = \"test\"\n",
        );
    // Like a configuration in /etc: readable, and owned by root.
    fs::set_permissions(setup.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let state = setup.path().join("state");
    fs::create_dir(&state).unwrap();
    crate::support::add_user(setup.path(), USER, "viewer");
    fs::rename(setup.path().join("users"), state.join("users")).unwrap();
    give_away(&state);
    setup.without_user().start()
}

/// A line of /proc/PID/status of each thread, without the name of the line.
fn status(server: &Server, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let lines = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.unwrap().path().join("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    lines.collect()
}

#[test]
fn every_thread_runs_as_the_user_with_its_groups_only() {
    if !is_root() {
        return;
    }
    let server = confined("");
    assert_eq!(server.get("/snapshot").status, 200);
    let (uid, gid) = nobody();
    let mut groups = vec![gid];
    groups.extend(["video", "audio"].iter().filter_map(|name| number("/etc/group", name)));
    groups.sort_unstable();
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let four = |id: u32| [id.to_string().as_str(); 4].join(" ");
    let none = "0000000000000000".to_owned();
    for (name, expected) in [
        ("Uid", four(uid)),
        ("Gid", four(gid)),
        ("Groups", groups),
        ("NoNewPrivs", "1".to_owned()),
        ("CapPrm", none.clone()),
        ("CapEff", none.clone()),
        ("CapInh", none.clone()),
        ("CapAmb", none),
    ] {
        let found = status(&server, name);
        assert!(found.len() >= 4, "gate, http, camera and microphone have threads: {found:?}");
        assert!(found.iter().all(|found| *found == expected), "{name}: {found:?}, not {expected}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // The /proc files of a process that is not dumpable belong to root.
    assert_eq!(fs::metadata(format!("/proc/{}/maps", server.pid())).unwrap().uid(), 0);
}

#[test]
fn without_root_the_server_serves_and_reloads() {
    if !is_root() {
        return;
    }
    let server = confined("audit_log = \"state/audit\"");
    let (_viewer, recording) = watch(&server, "/video", "recording");
    wait_for("frames", || (parts(&recording) >= 3).then_some(()));
    let (_listener, sound) = watch(&server, "/audio", "sound");
    wait_for("sound", || fs::metadata(&sound).is_ok_and(|found| found.len() > 20_000).then_some(()));

    let conf = server.path().join("defender.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text + "\n[camera.yard]\ndevice = \"test\"\n").unwrap();
    // After logrotate moved a log away, the new one belongs to the server's user.
    fs::rename(server.path().join("state/audit"), server.path().join("state/audit.old")).unwrap();
    server.signal("HUP");
    wait_for("the new camera", || (server.get("/snapshot/yard").status == 200).then_some(()));
    let log = wait_for("a new log", || fs::metadata(server.path().join("state/audit")).ok());
    assert_eq!(log.uid(), nobody().0);
    let users = server.path().join("state/users");
    let changed = server.curl(
        "/api/1.0/password",
        &[
            "-u",
            &format!("{USER}:{PASSWORD}"),
            "-X",
            "PUT",
            "-d",
            &format!("{{\"old\":\"{PASSWORD}\",\"new\":\"another horse, same battery\"}}"),
        ],
    );
    assert_eq!(changed.status, 204, "{}", changed.text());
    assert_eq!(fs::metadata(&users).unwrap().uid(), nobody().0);
}

#[test]
fn files_of_a_first_start_belong_to_the_user_it_became() {
    if !is_root() {
        return;
    }
    let setup = Setup::new()
        .without_user()
        .server(&format!("user = \"{NOBODY}\""))
        .server("users = \"state/deep/users\"\ncert = \"tls/server.pem\"\nkey = \"tls/key.pem\"")
        .server("audit_log = \"logs/audit\"")
        .env("JOURNAL_STREAM", "8:1");
    fs::set_permissions(setup.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(setup.path().join("logs")).unwrap();
    give_away(&setup.path().join("logs"));
    let server = setup.start();
    wait_for("the greeting", || server.printed().contains("first-password").then_some(()));
    for (name, mode) in [
        ("state", 0o700),
        ("state/deep", 0o700),
        ("state/deep/users", 0o600),
        ("state/deep/users.lock", 0o600),
        ("state/deep/first-password", 0o600),
        ("tls", 0o700),
        ("tls/server.pem", 0o644),
        ("tls/key.pem", 0o600),
        ("logs/audit", 0o640),
    ] {
        let found = fs::symlink_metadata(server.path().join(name)).expect(name);
        assert_eq!((found.uid(), found.gid()), nobody(), "{name}");
        assert_eq!(found.mode() & 0o777, mode, "{name}");
    }
    let password = fs::read_to_string(server.path().join("state/deep/first-password")).unwrap();
    assert_eq!(server.curl("/", &["-u", &format!("admin:{}", password.trim())]).status, 200);
}

#[test]
fn root_follows_no_link_that_the_user_planted() {
    if !is_root() {
        return;
    }
    let setup = Setup::new().server(&format!("user = \"{NOBODY}\"\nlog = \"state/log\""));
    setup.write_config();
    fs::set_permissions(setup.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (state, victim) = (setup.path().join("state"), setup.path().join("victim"));
    fs::create_dir(&state).unwrap();
    fs::write(&victim, "root's own\n").unwrap();
    symlink(&victim, state.join("log")).unwrap();
    give_away(&state);
    let ran = defender(
        setup.path(),
        &["-c", "defender.conf", "-u", "state/users", "-s", "state/c", "-k", "state/k"],
        "",
    );
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    assert!(stderr(&ran).contains("state/log: the user `nobody`"), "{}", stderr(&ran));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "root's own\n");
}

#[test]
fn files_that_the_user_cannot_use_are_start_errors() {
    if !is_root() {
        return;
    }
    let error = |prepare: &dyn Fn(&Path)| {
        let setup = Setup::new().server(&format!("user = \"{NOBODY}\""));
        setup.write_config();
        crate::support::add_user(setup.path(), USER, "viewer");
        prepare(setup.path());
        let ran = defender(setup.path(), &["-c", "defender.conf"], "");
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        assert!(stderr(&ran).contains("user = \"root\""), "{}", stderr(&ran));
        stderr(&ran)
    };
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let closed = error(&|folder| set_mode(folder, 0o700));
    assert!(
        closed.contains("users: the user `nobody`, which Defender runs as, may not enter a folder"),
        "{closed}"
    );
    let unreadable = error(&|folder| chown(folder, Some(nobody().0), None).unwrap());
    assert!(
        unreadable.contains("users: the user `nobody`, which Defender runs as, may not read it"),
        "{unreadable}"
    );
    let not_writable = error(&|folder| {
        set_mode(folder, 0o755);
        chown(folder.join("users"), Some(nobody().0), None).unwrap();
    });
    assert!(not_writable.contains("may not make files in it"), "{not_writable}");
}

#[test]
fn an_unknown_user_is_a_start_error_and_check_finds_it() {
    let setup = Setup::new().server("user = \"nobody-here\"");
    setup.write_config();
    let ran = defender(setup.path(), &["-c", "defender.conf"], "");
    assert_eq!(ran.status.code(), Some(1));
    assert!(stderr(&ran).contains("`nobody-here`, and /etc/passwd has no such user"), "{}", stderr(&ran));
    let checked = defender(setup.path(), &["check", "-c", "defender.conf"], "");
    assert!(stdout(&checked).contains("PROBLEM: user in [server]"), "{}", stdout(&checked));
    assert!(!setup.path().join("key.pem").exists(), "a failed start made files");
}

#[test]
fn root_that_stays_root_keeps_its_rights_to_files_only() {
    if !is_root() {
        return;
    }
    let server = Setup::new().start();
    assert_eq!(server.get("/snapshot").status, 200);
    // chown, dac_override, dac_read_search, fowner: bits 0 to 3 of linux/capability.h. If the tests have
    // fewer, the server has as few.
    let mine = fs::read_to_string("/proc/self/status").unwrap();
    let mine = mine.lines().find_map(|line| line.strip_prefix("CapPrm:")).unwrap();
    let mine = u64::from_str_radix(mine.trim(), 16).unwrap();
    for name in ["CapPrm", "CapEff"] {
        let found = status(&server, name);
        assert!(
            found.iter().all(|found| u64::from_str_radix(found, 16) == Ok(mine & 0xf)),
            "{name}: {found:?}"
        );
    }
    assert!(status(&server, "NoNewPrivs").iter().all(|found| found == "1"));
}

#[test]
fn a_key_or_user_file_that_others_may_write_is_refused() {
    let server = Setup::new().start();
    for name in ["users", "key.pem"] {
        fs::set_permissions(server.path().join(name), fs::Permissions::from_mode(0o666)).unwrap();
    }
    wait_for("sign-ins to be rejected", || (server.get("/").status == 401).then_some(()));
    server.wait_log("users: cannot read the user file: others than its owner may change it (mode 666)");
    let checked = defender(server.path(), &["check", "-c", "defender.conf"], "");
    assert!(
        stdout(&checked).contains("users other than its owner may change this key (mode 666)"),
        "{}",
        stdout(&checked)
    );
    fs::set_permissions(server.path().join("users"), fs::Permissions::from_mode(0o644)).unwrap();
    wait_for("sign-ins to be accepted", || (server.get("/").status == 200).then_some(()));
    server.wait_log("users: every user of this machine may read it");
}

#[test]
fn settings_are_saved_beside_the_user_file_as_the_servers_user() {
    if !is_root() {
        return;
    }
    let mut server = confined("log_level = \"info\"");
    let conf = server.path().join("defender.conf");
    let before = fs::read_to_string(&conf).unwrap();
    crate::support::add_user(server.path(), "ada", "admin");
    let line = fs::read_to_string(server.path().join("users")).unwrap();
    let users = server.path().join("state/users");
    fs::write(&users, fs::read_to_string(&users).unwrap() + &line).unwrap();
    let login = format!("ada:{PASSWORD}");
    let put =
        |server: &Server, path: &str, body: &str| server.curl(path, &["-u", &login, "-X", "PUT", "-d", body]);
    let camera = "/api/1.0/cameras/front";
    let changed = put(&server, camera, r#"{"fps":7,"quality":60,"save":true}"#);
    assert_eq!((changed.status, changed.text().contains(r#""keeps":true"#)), (200, true), "{changed:?}");
    assert_eq!(put(&server, "/api/1.0/logging", r#"{"level":"warn","save":true}"#).status, 200);
    assert_eq!(fs::read_to_string(&conf).unwrap(), before, "it is root's");
    let file = server.path().join("state/overrides.conf");
    let found = fs::metadata(&file).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (nobody().0, 0o600));

    server.signal("TERM");
    server.wait_end();
    server.start_again();
    let in_force = ["camera.front.fps = 7 (by ada at 2", "; defender.conf: 30)", "quality = 60 (by ada at 2"];
    for part in in_force {
        server.wait_log(part);
    }
    server.wait_log("; defender.conf: \"debug\")");
    let shown = server.curl(camera, &["-u", &login]).text();
    assert!(shown.contains(r#""fps":7,"quality":60"#), "{shown}");
    let checked = defender(server.path(), &["check", "-c", "defender.conf"], "");
    for part in in_force.iter().chain(&["server.log_level = \"warn\" (by ada", "; defender.conf: \"info\")"])
    {
        assert!(stdout(&checked).contains(part), "{part}: {}", stdout(&checked));
    }

    // By hand as well as by the API; what is wrong is named, and costs nothing else.
    fs::write(&file, "camera.front.fps = 9\ncamera.yard.fps = 1\ncamera.front.fps = = 3\n").unwrap();
    server.signal("HUP");
    server.wait_log("camera.front.fps = 9 (by version 0.1.0 or by hand; defender.conf: 30)");
    server.wait_log("camera.yard.fps = 1 is ignored: defender.conf has no [camera.yard]");
    server.wait_log("state/overrides.conf:3: ignored, mend or remove it: ");
    let checked = defender(server.path(), &["check", "-c", "defender.conf"], "");
    assert!(stdout(&checked).contains("overrides.conf:3: ignored") && checked.status.success());
    assert!(stdout(&checked).contains("camera.yard.fps = 1 is ignored"), "{}", stdout(&checked));
}

#[test]
fn where_the_server_may_not_write_saving_is_refused() {
    if !is_root() {
        return;
    }
    let mut server = confined("");
    chown(server.path().join("state"), Some(0), Some(0)).unwrap();
    fs::set_permissions(server.path().join("state"), fs::Permissions::from_mode(0o755)).unwrap();
    crate::support::add_user(server.path(), "ada", "admin");
    let line = fs::read_to_string(server.path().join("users")).unwrap();
    let users = server.path().join("state/users");
    fs::write(&users, fs::read_to_string(&users).unwrap() + &line).unwrap();
    server.signal("TERM");
    server.wait_end();
    server.start_again();
    let login = format!("ada:{PASSWORD}");
    let put = ["-u", &login, "-X", "PUT", "-d", r#"{"fps":7,"save":true}"#];
    let refused = server.curl("/api/1.0/cameras/front", &put);
    assert_eq!((refused.status, refused.text().contains("nothing was changed")), (409, true), "{refused:?}");
    let shown = server.curl("/api/1.0/cameras/front", &["-u", &login]).text();
    for part in [r#""fps":30,"quality":85"#, r#""keeps":false"#] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn landlock_denies_files_outside_the_servers_folders() {
    // The folder above that of a disk is allowed as well, for a disk that is mounted later, but not the whole system.
    for record in ["", "[record]\ndir = \"/no-such-disk\"\nmount = true\n"] {
        check_denied(Setup::new().server("www = \"www\"").sections(record));
    }
}

fn check_denied(setup: Setup) {
    let outside = tempfile::tempdir().unwrap();
    let www = setup.path().join("www");
    fs::create_dir(&www).unwrap();
    fs::write(www.join("index.html"), "inside").unwrap();
    let server = setup.start();
    server.wait_log("Landlock");
    if !server.log().contains("confined by Landlock ABI ") {
        eprintln!("not run: this kernel has no Landlock; the test VM's has");
        return;
    }
    assert_eq!(server.get("/").text(), "inside");
    crate::support::add_user(outside.path(), "mallory", "admin");
    let users = server.path().join("users");
    fs::remove_file(&users).unwrap();
    symlink(outside.path().join("users"), &users).unwrap();
    let mallory = format!("mallory:{PASSWORD}");
    assert_eq!(server.curl("/", &["-u", &mallory]).status, 401);
    server.wait_log("users: cannot read the user file: Permission denied");
    // The same file inside the folder works, so it was the path.
    fs::remove_file(&users).unwrap();
    fs::copy(outside.path().join("users"), &users).unwrap();
    assert_eq!(server.curl("/", &["-u", &mallory]).status, 200);
    fs::write(outside.path().join("shadow"), "outside").unwrap();
    symlink(outside.path().join("shadow"), www.join("shadow.txt")).unwrap();
    assert_eq!(server.curl("/shadow.txt", &["-u", &mallory]).status, 404);
}
