//! Root in a folder of another user: whatever that user planted there, nothing outside the folder changes, and no
//! command hangs. These tests need root; without root they print a message and pass.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::{CWD, FileType, mknodat};

use crate::support::{PASSWORD, PATIENCE, add_user, binary, defender, stderr, stdout};

/// A user that no system has.
const STRANGER: u32 = 54_321;

/// The text of a file outside the user's folder, which must not change.
const SECRET: &str = "root's own: not for others\n";

/// Everything that can be planted in place of a file.
const PLANTS: [&str; 9] = [
    "absolute link",
    "relative link",
    "link to nothing",
    "link to a folder",
    "hard link",
    "FIFO",
    "socket",
    "device",
    "folder",
];

/// A folder of root with the user's folder `state` and root's folder `outside`.
struct Sandbox {
    folder: tempfile::TempDir,
    owner: u32,
}

/// How a program ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Sandbox {
    /// `None`, with a message, unless the tests run as root.
    fn new(owner: u32) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            eprintln!("not run: folders of other users need root");
            return None;
        }
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), owner };
        fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(sandbox.state()).unwrap();
        fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(sandbox.state(), Some(owner), Some(owner)).unwrap();
        let outside = sandbox.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(sandbox.victim(), SECRET).unwrap();
        fs::set_permissions(sandbox.victim(), fs::Permissions::from_mode(0o640)).unwrap();
        Some(sandbox)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    fn victim(&self) -> PathBuf {
        self.path().join("outside/victim")
    }

    /// Empties the user's folder, except for a user file with the text `users`.
    fn reset(&self, users: Option<&str>) {
        for entry in fs::read_dir(self.state()).unwrap() {
            let entry = entry.unwrap();
            let is_folder = entry.file_type().unwrap().is_dir();
            if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }.unwrap();
        }
        if let Some(users) = users {
            let file = self.state().join("users");
            fs::write(&file, users).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            chown(file, Some(self.owner), Some(self.owner)).unwrap();
        }
    }

    /// Plants something in place of a file; false if this machine cannot make it.
    fn plant(&self, what: &str, name: &str) -> bool {
        let at = self.state().join(name);
        let _ = fs::remove_file(&at);
        match what {
            "absolute link" => symlink(self.victim(), &at).unwrap(),
            "relative link" => symlink("../outside/victim", &at).unwrap(),
            "link to nothing" => symlink("../outside/new", &at).unwrap(),
            "link to a folder" => symlink("../outside", &at).unwrap(),
            "hard link" => fs::hard_link(self.victim(), &at).unwrap(),
            "FIFO" => mknodat(CWD, &at, FileType::Fifo, 0o666.into(), 0).unwrap(),
            "socket" => drop(UnixListener::bind(&at).unwrap()),
            // As /dev/null.
            "device" => {
                let device = rustix::fs::makedev(1, 3);
                if mknodat(CWD, &at, FileType::CharacterDevice, 0o666.into(), device).is_err() {
                    eprintln!("not run: this machine cannot make devices");
                    return false;
                }
            }
            _ => fs::create_dir(&at).unwrap(),
        }
        if what != "hard link" {
            lchown(&at, Some(self.owner), Some(self.owner)).unwrap();
        }
        true
    }

    /// Runs the binary to its end. A server is stopped after it printed its address.
    fn run(&self, arguments: &[&str]) -> Ended {
        let out = self.path().join("output");
        let open = fs::File::create(&out).unwrap();
        let mut child = Command::new(binary())
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("JOURNAL_STREAM", "8:1")
            .stdin(Stdio::piped())
            .stdout(open.try_clone().unwrap())
            .stderr(open)
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes());
        let (end, mut is_stopping) = (Instant::now() + PATIENCE, false);
        let said = || fs::read_to_string(&out).unwrap_or_default();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Ended { code: status.code(), said: said() };
            }
            if !is_stopping && said().contains("Defender is at ") {
                is_stopping = true;
                let id = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
            }
            if Instant::now() > end {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{arguments:?} hangs: {}", said());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// As [`Self::run`]. Fails if anything outside the user's folder changed, or was printed. Also gives words for what failed.
    fn run_confined(&self, arguments: &[&str], what: &str) -> (Ended, String) {
        let ended = self.run(arguments);
        let what = format!("{what}: {}", ended.said);
        self.check_outside(&what);
        assert!(!ended.said.contains("root's own"), "{what}");
        (ended, what)
    }

    /// Fails if anything outside the user's folder changed.
    fn check_outside(&self, what: &str) {
        let found = fs::metadata(self.victim()).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (0, 0, 0o640), "{what}");
        assert_eq!(fs::read_to_string(self.victim()).unwrap(), SECRET, "{what}");
        let folder = fs::metadata(self.path().join("outside")).unwrap();
        assert_eq!((folder.uid(), folder.mode() & 0o7777), (0, 0o755), "{what}");
        assert_eq!(fs::read_dir(self.path().join("outside")).unwrap().count(), 1, "{what}: a new file");
    }
}

/// The text of a user file with an admin and a viewer.
fn users() -> String {
    let made = tempfile::tempdir().unwrap();
    add_user(made.path(), "ada", "admin");
    add_user(made.path(), "eve", "viewer");
    fs::read_to_string(made.path().join("users")).unwrap()
}

fn nobody() -> u32 {
    let text = fs::read_to_string("/etc/passwd").unwrap();
    let line = text.lines().find(|line| line.starts_with("nobody:")).expect("the system has nobody");
    line.split(':').nth(2).unwrap().parse().unwrap()
}

#[test]
fn user_commands_follow_no_planted_file() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    let commands: [&[&str]; 7] = [
        &["user", "add", "new", "--password-stdin"],
        &["user", "edit", "eve", "--role", "admin"],
        &["user", "remove", "eve", "--yes"],
        &["user", "list"],
        &["token", "add", "panel", "--user", "eve"],
        &["token", "remove", "panel"],
        &["token", "list"],
    ];
    let users = users();
    for name in ["users", "users.lock", "users.new"] {
        for plant in PLANTS {
            for command in commands {
                sandbox.reset(Some(&users));
                if !sandbox.plant(plant, name) {
                    continue;
                }
                let (ended, what) = sandbox.run_confined(
                    &[command, &["-u", "state/users"]].concat(),
                    &format!("{plant} as {name}, {command:?}"),
                );
                let edits = !command.contains(&"list");
                if name == "users" || (name == "users.lock" && edits) {
                    assert_eq!(ended.code, Some(1), "{what}");
                }
            }
        }
    }
}

#[test]
fn certificate_commands_follow_no_planted_file() {
    let Some(sandbox) = Sandbox::new(nobody()) else { return };
    fs::write(
        sandbox.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\n\
         cert = \"state/server.pem\"\nkey = \"state/key.pem\"\n",
    )
    .unwrap();
    let started = sandbox.run(&["run", "-c", "defender.conf"]);
    let made = ["key.pem", "server.pem", "defender-ca.pem", "defender-ca-key.pem"].map(|name| {
        (name, fs::read(sandbox.state().join(name)).unwrap_or_else(|_| panic!("{}", started.said)))
    });
    let others =
        ["server.pem.new", "defender-ca.pem.new", "defender-ca-key.pem.new", "defender-addresses.pem"];
    let commands: [&[&str]; 4] = [&["show"], &["renew"], &["renew", "--ca"], &["export"]];
    for name in made.iter().map(|(name, _)| *name).chain(others) {
        for plant in PLANTS {
            for command in commands {
                sandbox.reset(None);
                for (file, text) in &made {
                    let file = sandbox.state().join(file);
                    fs::write(&file, text).unwrap();
                    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
                    chown(file, Some(sandbox.owner), Some(sandbox.owner)).unwrap();
                }
                if !sandbox.plant(plant, name) {
                    continue;
                }
                sandbox.run_confined(
                    &[&["certificate"], command, &["-c", "defender.conf"]].concat(),
                    &format!("{plant} as {name}, {command:?}"),
                );
            }
        }
    }
}

#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    let home = sandbox.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(STRANGER), Some(STRANGER)).unwrap();
    let roots = sandbox.path().join("roots");
    fs::create_dir(&roots).unwrap();
    symlink(&roots, home.join("state")).unwrap();
    let ended = sandbox.run(&["user", "add", "ada", "--password-stdin", "-u", "home/state/users"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("is a link") && ended.said.contains("sudo -u 54321"), "{}", ended.said);
    assert_eq!(fs::read_dir(&roots).unwrap().count(), 0);
}

#[test]
fn files_that_root_edits_belong_to_the_servers_user() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    for name in ["ada", "eve"] {
        let ended = sandbox.run(&["user", "add", name, "--password-stdin", "-u", "state/users"]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
    }
    for name in ["users", "users.lock"] {
        let found = fs::metadata(sandbox.state().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (STRANGER, STRANGER, 0o600), "{name}");
    }
    // A link of root may lead there.
    fs::create_dir(sandbox.path().join("etc")).unwrap();
    symlink("../state/users", sandbox.path().join("etc/users")).unwrap();
    let listed = sandbox.run(&["user", "list", "-u", "etc/users"]);
    assert_eq!((listed.code, listed.said.as_str()), (Some(0), "ada admin\neve viewer\n"));
}

#[test]
fn a_folder_that_all_may_write_is_refused_with_what_to_do() {
    let Some(sandbox) = Sandbox::new(0) else { return };
    fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o777)).unwrap();
    let ended = sandbox.run(&["user", "add", "ada", "--password-stdin", "-u", "state/users"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("chmod go-w") && ended.said.contains("umask=077"), "{}", ended.said);
    assert_eq!(fs::read_dir(sandbox.state()).unwrap().count(), 0);
}

#[test]
fn a_users_configuration_exposes_no_file_of_root() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    fs::set_permissions(sandbox.victim(), fs::Permissions::from_mode(0o640)).unwrap();
    let commands: [&[&str]; 6] =
        [&["check"], &["run"], &["status"], &["service"], &["user", "list"], &["token", "list"]];
    for plant in PLANTS {
        sandbox.reset(None);
        if !sandbox.plant(plant, "defender.conf") {
            continue;
        }
        for command in commands {
            let arguments = [command, &["-c", "state/defender.conf"]].concat();
            let (ended, what) = sandbox.run_confined(&arguments, &format!("{plant}, {command:?}"));
            assert_eq!(ended.code, Some(2), "{what}");
        }
    }
}

#[test]
fn a_users_configuration_gains_no_permissions_of_root() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    // A program that changes the file would keep these lines, as those it does not understand.
    let outside = sandbox.path().join("outside");
    let service = UnixListener::bind(sandbox.path().join("service")).unwrap();
    service.set_nonblocking(true).unwrap();
    let commands: [&[&str]; 9] = [
        &["user", "add", "new", "--password-stdin"],
        &["user", "list"],
        &["token", "list"],
        &["certificate", "show"],
        &["certificate", "renew", "--ca"],
        &["status"],
        &["service", "video", "stop"],
        &["check"],
        &["run"],
    ];
    let round = format!("/proc/self/fd/../../..{}", outside.display());
    for folder in [outside.display().to_string(), round] {
        // Each of them is root's in its turn: no path may be named twice.
        for (user, foreign) in
            ["root", "nobody"].iter().flat_map(|user| ["users", "cert", "key"].map(|key| (user, key)))
        {
            sandbox.reset(None);
            let of = |key: &str| {
                if key == foreign { format!("{folder}/victim") } else { format!("{folder}/no-{key}") }
            };
            let text = format!(
                "[server]\nuser = \"{user}\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"{}\"\n\
                 cert = \"{}\"\nkey = \"{}\"\nsocket = \"{folder}/../service\"\n",
                of("users"),
                of("cert"),
                of("key")
            );
            fs::write(sandbox.state().join("defender.conf"), text).unwrap();
            for command in commands {
                let ended = sandbox.run(&[command, &["-c", "state/defender.conf"]].concat());
                let what = format!("{command:?} {user} {foreign} {folder}: {}", ended.said);
                assert_eq!(ended.code, Some(1), "{what}");
                sandbox.check_outside(&what);
            }
        }
    }
    assert!(service.accept().is_err(), "root connected to another service");
}

#[test]
fn root_renews_no_certificate_in_a_users_folder() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    let text = "[server]\naddress = \"127.0.0.1\"\nport = 0\nusers = \"outside/users\"\n\
                cert = \"state/server.pem\"\nkey = \"outside/victim\"\n";
    fs::write(sandbox.path().join("defender.conf"), text).unwrap();
    for command in [["certificate", "show"], ["certificate", "renew"], ["certificate", "export"]] {
        let ended = sandbox.run(&[&command[..], &["-c", "defender.conf"]].concat());
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.said);
        assert!(ended.said.contains("state") && ended.said.contains("54321"), "{}", ended.said);
        sandbox.check_outside(command[1]);
    }
}

#[test]
fn commands_to_the_server_follow_no_planted_socket() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    fs::write(sandbox.path().join("defender.conf"), "[server]\nusers = \"state/users\"\n").unwrap();
    // A service of root, to which root must not connect for another user.
    let victim = UnixListener::bind(sandbox.path().join("service")).unwrap();
    fs::set_permissions(sandbox.path().join("service"), fs::Permissions::from_mode(0o600)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let commands: [&[&str]; 3] = [&["status"], &["service", "video", "stop"], &["logging", "debug"]];
    for plant in PLANTS {
        sandbox.reset(None);
        if sandbox.plant(plant, "defender.sock") {
            for command in commands {
                let ended = sandbox.run(&[command, &["-c", "defender.conf"]].concat());
                assert_eq!(ended.code, Some(1), "{plant}, {command:?}: {}", ended.said);
                sandbox.check_outside(plant);
            }
        }
    }
    sandbox.reset(None);
    symlink("../service", sandbox.state().join("defender.sock")).unwrap();
    for command in commands {
        let ended = sandbox.run(&[command, &["-c", "defender.conf"]].concat());
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.said);
    }
    assert!(victim.accept().is_err(), "root connected to another service");
}

#[test]
fn settings_commands_follow_no_planted_file() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    // The socket is in a folder of root: it is not for its sake that root becomes the owner.
    let text = "[server]\nusers = \"state/users\"\nsocket = \"outside/../defender.sock\"\n[camera.front]\n\
                device = \"test\"\n";
    fs::write(sandbox.path().join("defender.conf"), text).unwrap();
    let overrides = "camera.front.fps = 7\n";
    for name in ["overrides.conf", "overrides.conf.new", "kept.conf"] {
        for plant in PLANTS {
            for command in [&["list"][..], &["reset", "camera.front.fps"], &["reset"]] {
                sandbox.reset(None);
                let file = sandbox.state().join("overrides.conf");
                fs::write(&file, overrides).unwrap();
                chown(file, Some(STRANGER), Some(STRANGER)).unwrap();
                if !sandbox.plant(plant, name) {
                    continue;
                }
                let (_, what) = sandbox.run_confined(
                    &[&["settings"], command, &["-c", "defender.conf"]].concat(),
                    &format!("{plant} as {name}, {command:?}"),
                );
                let found = fs::read_dir(sandbox.state()).unwrap().flatten();
                let is_roots = |entry: &fs::DirEntry| {
                    entry.metadata().is_ok_and(|found| found.uid() == 0 && found.nlink() == 1)
                };
                let of_root: Vec<_> = found.filter(is_roots).map(|entry| entry.path()).collect();
                assert!(of_root.is_empty(), "{what}: root made {of_root:?}");
            }
        }
    }
}

#[test]
fn start_and_check_follow_no_planted_file() {
    let Some(sandbox) = Sandbox::new(nobody()) else { return };
    fs::write(
        sandbox.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\n\
         cert = \"state/server.pem\"\nkey = \"state/key.pem\"\nlog = \"state/log\"\naudit_log = \"state/audit\"\n\
         [camera.front]\ndevice = \"test\"\n[remote.attic]\nurl = \"https://127.0.0.1:9/\"\n\
         token_file = \"state/token\"\n",
    )
    .unwrap();
    let names = [
        "users",
        "users.lock",
        "users.new",
        "kept.conf",
        "overrides.conf",
        "overrides.conf.new",
        "defender.sock",
        "server.pem",
        "key.pem",
        "defender-ca.pem",
        "defender-ca-key.pem",
        "sessions",
        "server-id",
        "log",
        "audit",
        "token",
        "first-password",
    ];
    for name in names {
        for plant in PLANTS {
            for command in ["check", "run"] {
                sandbox.reset(None);
                if !sandbox.plant(plant, name) {
                    continue;
                }
                sandbox.run_confined(
                    &[command, "-c", "defender.conf"],
                    &format!("{plant} as {name}, {command}"),
                );
            }
        }
    }
}

#[test]
fn recording_follows_no_planted_file() {
    let Some(sandbox) = Sandbox::new(nobody()) else { return };
    fs::write(
        sandbox.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\ntls = false\n\
         [camera.front]\ndevice = \"test\"\n[record]\ndir = \"state/recordings\"\nmin_free_gb = 0\n\
         [camera.front.record]\nwhen = \"always\"\n",
    )
    .unwrap();
    for name in ["events", "recordings"] {
        for plant in PLANTS {
            for command in ["check", "run"] {
                sandbox.reset(None);
                if sandbox.plant(plant, name) {
                    sandbox.run_confined(
                        &[command, "-c", "defender.conf"],
                        &format!("{plant} as {name}, {command}"),
                    );
                }
            }
        }
    }
}

#[test]
fn a_server_that_stays_root_refuses_a_users_folder() {
    let Some(sandbox) = Sandbox::new(STRANGER) else { return };
    fs::write(
        sandbox.path().join("defender.conf"),
        "[server]\nuser = \"root\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\n",
    )
    .unwrap();
    sandbox.plant("absolute link", "users.lock");
    for command in ["run", "check"] {
        let ended = sandbox.run(&[command, "-c", "defender.conf"]);
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.said);
        assert!(ended.said.contains("user = \"54321\""), "{command}: {}", ended.said);
        sandbox.check_outside(command);
    }
}

#[test]
fn check_looks_as_the_user_the_server_becomes() {
    let Some(sandbox) = Sandbox::new(nobody()) else { return };
    fs::write(
        sandbox.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\nusers = \"state/users\"\nlog = \"roots.log\"\n[camera.front]\ndevice = \"test\"\n",
    )
    .unwrap();
    fs::write(sandbox.path().join("roots.log"), "").unwrap();
    let checked = defender(sandbox.path(), &["check", "-c", "defender.conf"], "");
    let (said, error) = (stdout(&checked), stderr(&checked));
    assert_eq!(checked.status.code(), Some(1), "{said}{error}");
    assert!(said.contains("runs as          nobody"), "{said}");
    assert!(said.contains("roots.log cannot be written"), "{said}");
}
