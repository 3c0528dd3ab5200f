//! Users: the command line, the file, and signing in.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::thread;

use crate::support::{PASSWORD, Setup, USER, add_user, binary, defender, stderr, stdout, wait_for};

fn login(name: &str, password: &str) -> String {
    format!("{name}:{password}")
}

#[test]
fn a_first_start_makes_one_admin_and_shows_the_password_once() {
    let server = Setup::new().without_user().start();
    let printed = wait_for("the first password", || {
        let printed = server.printed();
        printed.contains("password").then_some(printed)
    });
    let password = printed
        .lines()
        .map(str::trim)
        .find(|line| line.matches('-').count() == 3 && !line.contains(' '))
        .expect(&printed);
    assert_eq!(server.curl("/", &["-u", &login("admin", password)]).status, 200);
    assert!(!server.log_until_now().contains(password), "the password is in the log");
    let file = fs::read_to_string(server.path().join("users")).unwrap();
    assert!(file.contains("admin:admin:$pbkdf2-sha512$i=210000,l=64$") && !file.contains(password), "{file}");
    assert_eq!(fs::metadata(server.path().join("users")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_failed_start_creates_no_user_with_an_unknown_password() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup::new().server(&format!("port = {}", taken.local_addr().unwrap().port()));
    setup.write_config();
    let ran = defender(setup.path(), &["-c", "defender.conf"], "");
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    assert!(!setup.path().join("users").exists());
}

#[test]
fn only_the_log_distinguishes_wrong_names_and_passwords() {
    let server = Setup::new().start();
    let wrong = server.curl("/", &["-u", &login(USER, "a guessed secret")]);
    let unknown = server.curl("/", &["-u", &login("mallory", PASSWORD)]);
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!((wrong.text(), wrong.head.lines().count()), (unknown.text(), unknown.head.lines().count()));
    let log = server.log_until_now();
    assert!(log.contains("login of `eve` refused: wrong password"), "{log}");
    assert!(log.contains("login of `mallory` refused: no such user"), "{log}");
    assert!(!log.contains("a guessed secret") && !log.contains(PASSWORD), "{log}");
}

#[test]
fn the_running_server_follows_the_file() {
    let server = Setup::new().start();
    assert_eq!(server.get("/").status, 200);
    add_user(server.path(), "adam", "admin");
    assert_eq!(server.curl("/", &["-u", &login("adam", PASSWORD)]).status, 200);
    let removed = defender(server.path(), &["user", "remove", USER, "--yes", "-u", "users"], "");
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert_eq!(server.get("/").status, 401, "a removed user must not get in, cached or not");
    let edited = defender(
        server.path(),
        &["user", "edit", "adam", "--password-stdin", "-u", "users"],
        "another good one\n",
    );
    assert!(edited.status.success(), "{}", stderr(&edited));
    assert_eq!(
        server.curl("/", &["-u", &login("adam", PASSWORD)]).status,
        401,
        "the old password must be dead"
    );
    assert_eq!(server.curl("/", &["-u", &login("adam", "another good one")]).status, 200);
}

#[test]
fn a_malformed_line_refuses_that_user_only_and_is_named() {
    let setup = Setup::new();
    add_user(setup.path(), USER, "viewer");
    let users = setup.path().join("users");
    let good = fs::read_to_string(&users).unwrap();
    fs::write(&users, format!("# people\nmallory:viewer:$pbkdf2-sha512$broken\n{good}")).unwrap();
    let server = setup.without_user().start();
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.curl("/", &["-u", &login("mallory", "x")]).status, 401);
    server.wait_log("users: line 2");
}

#[test]
fn concurrent_edits_lose_nothing_and_keep_comments() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users"), "# the family\n\n").unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| add_user(folder.path(), name, "viewer"));
        }
    });
    let file = fs::read_to_string(folder.path().join("users")).unwrap();
    assert!(file.starts_with("# the family\n\n"), "{file}");
    let listed = stdout(&defender(folder.path(), &["user", "list", "-u", "users"], ""));
    for name in &names {
        assert!(listed.contains(name.as_str()), "{name} is lost: {listed}");
    }
    let entries = fs::read_dir(folder.path()).unwrap().count();
    assert!(entries <= 2, "{entries} files where the users file and its lock are expected");
}

#[test]
fn mistakes_are_reported_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    add_user(folder.path(), "adam", "admin");
    let before = fs::read_to_string(folder.path().join("users")).unwrap();
    let rows: &[(&[&str], &str, &str)] = &[
        (&["user", "add", "adam", "--password-stdin"], "some password\n", "already"),
        (&["user", "add", "a:b", "--password-stdin"], "some password\n", "name"),
        (&["user", "add", "bob", "--password-stdin"], "\n", "password"),
        (&["user", "add", "bob"], "", "--password-stdin"),
        (&["user", "edit", "nobody", "--role", "admin"], "", "nobody"),
        (&["user", "edit", "adam", "--role", "king"], "", "king"),
        (&["user", "remove", "nobody", "--yes"], "", "nobody"),
        (&["user", "remove", "adam", "--yes"], "", "last"),
        (&["user", "dance"], "", "dance"),
    ];
    for (arguments, input, expected) in rows {
        let ran = defender(folder.path(), &[*arguments, &["-u", "users"]].concat(), input);
        assert!(matches!(ran.status.code(), Some(1 | 2)), "{arguments:?}: {:?}", ran.status);
        assert!(stderr(&ran).contains(expected), "{arguments:?}: {}", stderr(&ran));
    }
    assert_eq!(fs::read_to_string(folder.path().join("users")).unwrap(), before);
}

#[test]
fn a_user_of_an_unknown_camera_is_added_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("defender.conf"),
        "[camera.front]\n[microphone.desk]\n[remote.attic]\nurl = \"https://127.0.0.1:9/\"\ntoken = \"x\"\n",
    )
    .unwrap();
    add_user(folder.path(), "ada", "admin");
    let confined = ["user", "add", "eve", "--cameras", "frnt,front,attic-yard", "--microphones", "desk"];
    for (name, more) in [("eve", &[][..]), ("bob", &["-u", "users"])] {
        let mut arguments = [&confined[..], &["--password-stdin"], more].concat();
        arguments[2] = name;
        let ran = defender(folder.path(), &arguments, &format!("{PASSWORD}\n"));
        let message = stderr(&ran);
        assert!(ran.status.success(), "{message}");
        assert_eq!(
            message.lines().next(),
            Some("defender: warning: no camera `frnt` is configured; did you mean `front`?")
        );
        assert!(!message.contains("attic-yard") && !message.contains("desk"), "{message}");
    }
}

#[test]
fn an_unwritable_users_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    // A folder in the file's place: refused to root as well.
    fs::create_dir(folder.path().join("users")).unwrap();
    let ran = defender(
        folder.path(),
        &["user", "add", "bob", "--password-stdin", "-u", "users"],
        "some password\n",
    );
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    assert!(stderr(&ran).contains("users"), "{}", stderr(&ran));
}

/// Whether this terminal shows what is typed.
fn echoes(terminal: &str) -> bool {
    use rustix::{fs, termios};
    let terminal =
        fs::open(terminal, fs::OFlags::RDWR | fs::OFlags::NOCTTY, fs::Mode::empty()).expect("opened");
    termios::tcgetattr(terminal).expect("a terminal").local_modes.contains(termios::LocalModes::ECHO)
}

#[test]
fn a_terminal_is_asked_twice_without_echo() {
    let folder = tempfile::tempdir().unwrap();
    // `script` gives the program a terminal, whose name comes first; what the terminal echoes ends in its output.
    let command = format!("tty; exec {} user add bob -u users", binary());
    let mut child = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script runs");
    let (mut keys, mut terminal) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for prompts in 1..=2 {
        while String::from_utf8_lossy(&shown).matches(": ").count() < prompts {
            let mut byte = [0];
            terminal.read_exact(&mut byte).expect("the terminal shows a prompt");
            shown.push(byte[0]);
        }
        // The echo is switched off after the prompt is written.
        let shown = String::from_utf8_lossy(&shown);
        let (name, _) = shown.split_once("\r\n").expect("the terminal's name");
        wait_for("the echo to be off", || (!echoes(name)).then_some(()));
        keys.write_all(b"typed in secret\n").unwrap();
    }
    terminal.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(child.wait().unwrap().success(), "{shown}");
    assert!(!shown.contains("typed in secret"), "the password was echoed: {shown}");
    assert!(fs::read_to_string(folder.path().join("users")).unwrap().starts_with("bob:"));
}
