//! Root in a folder of another user: whatever that user planted there, nothing outside the folder changes,
//! and no command waits without end. It takes root; where the tests do not run as root they say so and pass.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::{CWD, FileType, mknodat};

use crate::support::{PASSWORD, PATIENCE, add_user, binary, defender, stderr, stdout};

/// A user no system has.
const STRANGER: u32 = 54_321;

/// What is outside the user's folder, and must stay as it is.
const SECRET: &str = "root's own: not for others\n";

/// Everything that can stand in the place of a file.
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

/// A folder of root's with the user's folder `state` and root's folder `outside`.
struct Place {
    folder: tempfile::TempDir,
    owner: u32,
}

/// How a program ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Place {
    /// `None`, and a word, where the tests do not run as root.
    fn new(owner: u32) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            eprintln!("not run: folders of other users take root");
            return None;
        }
        let place = Self { folder: tempfile::tempdir().unwrap(), owner };
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(place.state()).unwrap();
        fs::set_permissions(place.state(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(place.state(), Some(owner), Some(owner)).unwrap();
        let outside = place.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.victim(), SECRET).unwrap();
        fs::set_permissions(place.victim(), fs::Permissions::from_mode(0o640)).unwrap();
        Some(place)
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

    /// Empties the user's folder, but for a user file with `users`.
    fn begin_anew(&self, users: Option<&str>) {
        for entry in fs::read_dir(self.state()).unwrap() {
            let entry = entry.unwrap();
            let is_folder = entry.file_type().unwrap().is_dir();
            if is_folder { fs::remove_dir(entry.path()) } else { fs::remove_file(entry.path()) }.unwrap();
        }
        if let Some(users) = users {
            let file = self.state().join("users");
            fs::write(&file, users).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            chown(file, Some(self.owner), Some(self.owner)).unwrap();
        }
    }

    /// Puts something in the place of a file; whether this machine lets that be made.
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
                    eprintln!("no devices can be made here");
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

    /// Runs the binary to its end; a server is told to stop once it says where it is.
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
        let (end, mut is_told) = (Instant::now() + PATIENCE, false);
        let said = || fs::read_to_string(&out).unwrap_or_default();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Ended { code: status.code(), said: said() };
            }
            if !is_told && said().contains("Defender is at ") {
                is_told = true;
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

    /// Fails where anything outside the user's folder changed.
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
fn commands_on_the_user_file_change_nothing_outside_the_folder_whatever_is_planted() {
    let Some(place) = Place::new(STRANGER) else { return };
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
                place.begin_anew(Some(&users));
                if !place.plant(plant, name) {
                    continue;
                }
                let ended = place.run(&[command, &["-u", "state/users"]].concat());
                let what = format!("{plant} as {name}, {command:?}: {}", ended.said);
                place.check_outside(&what);
                assert!(!ended.said.contains("root's own"), "{what}");
                let edits = !command.contains(&"list");
                if name == "users" || (name == "users.lock" && edits) {
                    assert_eq!(ended.code, Some(1), "{what}");
                }
            }
        }
    }
}

#[test]
fn commands_on_the_certificate_change_nothing_outside_the_folder_whatever_is_planted() {
    let Some(place) = Place::new(nobody()) else { return };
    fs::write(
        place.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\n\
         cert = \"state/server.pem\"\nkey = \"state/key.pem\"\n",
    )
    .unwrap();
    let started = place.run(&["run", "-c", "defender.conf"]);
    let made = ["key.pem", "server.pem", "defender-ca.pem", "defender-ca-key.pem"].map(|name| {
        (name, fs::read(place.state().join(name)).unwrap_or_else(|_| panic!("{}", started.said)))
    });
    let others =
        ["server.pem.new", "defender-ca.pem.new", "defender-ca-key.pem.new", "defender-addresses.pem"];
    let commands: [&[&str]; 4] = [&["show"], &["renew"], &["renew", "--ca"], &["export"]];
    for name in made.iter().map(|(name, _)| *name).chain(others) {
        for plant in PLANTS {
            for command in commands {
                place.begin_anew(None);
                for (file, text) in &made {
                    let file = place.state().join(file);
                    fs::write(&file, text).unwrap();
                    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
                    chown(file, Some(place.owner), Some(place.owner)).unwrap();
                }
                if !place.plant(plant, name) {
                    continue;
                }
                let ended = place.run(&[&["certificate"], command, &["-c", "defender.conf"]].concat());
                let what = format!("{plant} as {name}, {command:?}: {}", ended.said);
                place.check_outside(&what);
                assert!(!ended.said.contains("root's own"), "{what}");
            }
        }
    }
}

#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let Some(place) = Place::new(STRANGER) else { return };
    let home = place.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(STRANGER), Some(STRANGER)).unwrap();
    let roots = place.path().join("roots");
    fs::create_dir(&roots).unwrap();
    symlink(&roots, home.join("state")).unwrap();
    let ended = place.run(&["user", "add", "ada", "--password-stdin", "-u", "home/state/users"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("is a link") && ended.said.contains("sudo -u 54321"), "{}", ended.said);
    assert_eq!(fs::read_dir(&roots).unwrap().count(), 0);
}

#[test]
fn root_edits_users_for_a_server_of_another_user_and_the_files_are_that_users() {
    let Some(place) = Place::new(STRANGER) else { return };
    for name in ["ada", "eve"] {
        let ended = place.run(&["user", "add", name, "--password-stdin", "-u", "state/users"]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
    }
    for name in ["users", "users.lock"] {
        let found = fs::metadata(place.state().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (STRANGER, STRANGER, 0o600), "{name}");
    }
    // A link that root made may lead there.
    fs::create_dir(place.path().join("etc")).unwrap();
    symlink("../state/users", place.path().join("etc/users")).unwrap();
    let listed = place.run(&["user", "list", "-u", "etc/users"]);
    assert_eq!((listed.code, listed.said.as_str()), (Some(0), "ada admin\neve viewer\n"));
}

#[test]
fn a_folder_that_all_may_write_is_refused_with_what_to_do() {
    let Some(place) = Place::new(0) else { return };
    fs::set_permissions(place.state(), fs::Permissions::from_mode(0o777)).unwrap();
    let ended = place.run(&["user", "add", "ada", "--password-stdin", "-u", "state/users"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("chmod go-w") && ended.said.contains("umask=077"), "{}", ended.said);
    assert_eq!(fs::read_dir(place.state()).unwrap().count(), 0);
}

#[test]
fn a_configuration_in_a_users_folder_shows_nothing_that_only_root_may_read() {
    let Some(place) = Place::new(STRANGER) else { return };
    fs::set_permissions(place.victim(), fs::Permissions::from_mode(0o640)).unwrap();
    let commands: [&[&str]; 6] =
        [&["check"], &["run"], &["status"], &["service"], &["user", "list"], &["token", "list"]];
    for plant in PLANTS {
        place.begin_anew(None);
        if !place.plant(plant, "defender.conf") {
            continue;
        }
        for command in commands {
            let ended = place.run(&[command, &["-c", "state/defender.conf"]].concat());
            let what = format!("{plant}, {command:?}: {}", ended.said);
            assert_eq!(ended.code, Some(2), "{what}");
            assert!(!ended.said.contains("root's own"), "{what}");
            place.check_outside(&what);
        }
    }
}

#[test]
fn a_configuration_in_a_users_folder_has_root_do_nothing_that_the_user_may_not() {
    let Some(place) = Place::new(STRANGER) else { return };
    // A program that changes the file would keep these lines, as those it does not understand.
    let outside = place.path().join("outside");
    let service = UnixListener::bind(place.path().join("service")).unwrap();
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
        for user in ["root", "nobody"] {
            place.begin_anew(None);
            let text = format!(
                "[server]\nuser = \"{user}\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"{folder}/victim\"\n\
                 cert = \"{folder}/victim\"\nkey = \"{folder}/victim\"\nsocket = \"{folder}/../service\"\n"
            );
            fs::write(place.state().join("defender.conf"), text).unwrap();
            for command in commands {
                let ended = place.run(&[command, &["-c", "state/defender.conf"]].concat());
                let what = format!("{command:?} {user} {folder}: {}", ended.said);
                assert_eq!(ended.code, Some(1), "{what}");
                place.check_outside(&what);
            }
        }
    }
    assert!(service.accept().is_err(), "root asked another service");
}

#[test]
fn a_certificate_in_a_users_folder_is_not_renewed_by_root_though_its_key_is_roots() {
    let Some(place) = Place::new(STRANGER) else { return };
    let text = "[server]\naddress = \"127.0.0.1\"\nport = 0\nusers = \"outside/users\"\n\
                cert = \"state/server.pem\"\nkey = \"outside/victim\"\n";
    fs::write(place.path().join("defender.conf"), text).unwrap();
    for command in [["certificate", "show"], ["certificate", "renew"], ["certificate", "export"]] {
        let ended = place.run(&[&command[..], &["-c", "defender.conf"]].concat());
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.said);
        assert!(ended.said.contains("state") && ended.said.contains("54321"), "{}", ended.said);
        place.check_outside(command[1]);
    }
}

#[test]
fn commands_to_the_server_follow_no_planted_socket() {
    let Some(place) = Place::new(STRANGER) else { return };
    fs::write(place.path().join("defender.conf"), "[server]\nusers = \"state/users\"\n").unwrap();
    // A service of root's that must not be asked anything by root in another's name.
    let victim = UnixListener::bind(place.path().join("service")).unwrap();
    fs::set_permissions(place.path().join("service"), fs::Permissions::from_mode(0o600)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let commands: [&[&str]; 3] = [&["status"], &["service", "video", "stop"], &["logging", "debug"]];
    for plant in PLANTS {
        place.begin_anew(None);
        if place.plant(plant, "defender.sock") {
            for command in commands {
                let ended = place.run(&[command, &["-c", "defender.conf"]].concat());
                assert_eq!(ended.code, Some(1), "{plant}, {command:?}: {}", ended.said);
                place.check_outside(plant);
            }
        }
    }
    place.begin_anew(None);
    symlink("../service", place.state().join("defender.sock")).unwrap();
    for command in commands {
        let ended = place.run(&[command, &["-c", "defender.conf"]].concat());
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.said);
    }
    assert!(victim.accept().is_err(), "root asked another service");
}

#[test]
fn a_start_and_a_check_as_root_change_nothing_outside_whatever_is_planted() {
    let Some(place) = Place::new(nobody()) else { return };
    fs::write(
        place.path().join("defender.conf"),
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
                place.begin_anew(None);
                if !place.plant(plant, name) {
                    continue;
                }
                let ended = place.run(&[command, "-c", "defender.conf"]);
                let what = format!("{plant} as {name}, {command}: {}", ended.said);
                place.check_outside(&what);
                assert!(!ended.said.contains("root's own"), "{what}");
            }
        }
    }
}

#[test]
fn a_server_that_stays_root_does_not_start_in_a_folder_of_another() {
    let Some(place) = Place::new(STRANGER) else { return };
    fs::write(
        place.path().join("defender.conf"),
        "[server]\nuser = \"root\"\naddress = \"127.0.0.1\"\nport = 0\nusers = \"state/users\"\n",
    )
    .unwrap();
    place.plant("absolute link", "users.lock");
    for command in ["run", "check"] {
        let ended = place.run(&[command, "-c", "defender.conf"]);
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.said);
        assert!(ended.said.contains("user = \"54321\""), "{command}: {}", ended.said);
        place.check_outside(command);
    }
}

#[test]
fn check_looks_as_the_user_the_server_becomes() {
    let Some(place) = Place::new(nobody()) else { return };
    fs::write(
        place.path().join("defender.conf"),
        "[server]\nuser = \"nobody\"\nusers = \"state/users\"\nlog = \"roots.log\"\n[camera.front]\ndevice = \"test\"\n",
    )
    .unwrap();
    fs::write(place.path().join("roots.log"), "").unwrap();
    let checked = defender(place.path(), &["check", "-c", "defender.conf"], "");
    let (said, error) = (stdout(&checked), stderr(&checked));
    assert_eq!(checked.status.code(), Some(1), "{said}{error}");
    assert!(said.contains("runs as          nobody"), "{said}");
    assert!(said.contains("roots.log cannot be written"), "{said}");
}
