//! What is a problem, a warning, and neither.

use super::*;

/// The text of `[server]`, the existing files with their text, and the expected text.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Reports on a configuration in a folder that holds `files` and nothing else.
fn check(text: &str, files: &[(&str, &str)]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files.iter().chain(&[("defender.conf", text)]) {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let flags = Flags { config: Some(folder.path().join("defender.conf")), ..Flags::default() };
    let config = Config::load(&flags).unwrap_or_else(|error| panic!("{error}"));
    let report = report(&config, Ok(RunsAs::default()), Ok(()), false);
    let made = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(made, files.len() + 1, "it changed something:\n{}", report.text);
    report
}

#[test]
fn what_would_keep_the_server_from_starting_is_a_problem() {
    let rows: &[Row] = &[
        ("tls = false", &[], "without TLS only loopback addresses (127.0.0.1, ::1) are allowed"),
        ("", &[("server.pem", "")], "key.pem is missing"),
        ("", &[("key.pem", "")], "server.pem is missing"),
        ("cert = \".\"\nkey = \"gone/k.pem\"", &[], "gone/k.pem is missing"),
        ("", &[("server.pem", "junk"), ("key.pem", "junk")], "expected a PEM file"),
        ("www = \"gone\"", &[], "cannot be served as a folder"),
        ("log = \"gone/d.log\"", &[], "cannot be written"),
        ("audit_log = \"gone/a.log\"", &[], "a.log cannot be written"),
        ("log = \".\"", &[], "cannot be written"),
        ("users = \".\"", &[], "cannot read the user file"),
        ("", &[("users", "eve:viewer:broken\n")], "defender user add"),
    ];
    for (server, files, expected) in rows {
        let report = check(&format!("[server]\n{server}\n"), files);
        assert!(!report.would_start, "{server:?} {files:?}:\n{}", report.text);
        let problem = report.text.lines().find(|line| line.contains("PROBLEM")).unwrap();
        assert!(problem.contains(expected), "{expected:?} is missing in {problem:?}");
    }
}

#[test]
fn what_the_server_can_start_with_is_no_problem() {
    let rows: &[Row] = &[
        ("", &[], "are made on the first start"),
        ("tls = false\naddress = \"127.0.0.1\"", &[], "http"),
        ("log = \"d.log\"\nlog_level = \"warn\"", &[], "d.log, from level warn"),
        ("mode = \"client\"\nwww = \"gone\"", &[], "is not used"),
        ("", &[("users", "# nobody yet\n")], "the first start makes `admin`"),
        ("address = \"::1\"", &[("users", "eve:viewer:broken\n")], "nobody can sign in"),
    ];
    for (server, files, expected) in rows {
        let report = check(&format!("[server]\n{server}\n"), files);
        assert!(report.would_start, "{server:?} {files:?}:\n{}", report.text);
        assert!(report.text.contains(expected), "{expected:?} is missing in\n{}", report.text);
    }
}

#[test]
fn a_silent_camera_is_no_start_problem() {
    let report = check(
        "[camera.yard]\ndevice = \"/dev/no-such-camera\"\n[camera.card]\ndevice = \"test\"\n[camera.any]\n",
        &[],
    );
    assert!(report.would_start, "{}", report.text);
    assert_eq!(report.silent_cameras, ["yard"]);
}

#[test]
fn a_configuration_without_cameras_is_remarked() {
    assert!(check("", &[]).text.contains("none is configured"));
    assert!(!check("[server]\nmode = \"server\"\n", &[]).text.contains("none is configured"));
}

#[test]
fn a_token_is_not_reported_as_a_missing_answer() {
    let remote = "[remote.attic]\nurl = \"https://127.0.0.1:9/\"\ntoken_file = \"gone\"\n";
    let report = check(remote, &[]);
    assert!(report.text.contains("TOKEN NOT READABLE: "), "{}", report.text);
    assert!(report.would_start, "{}", report.text);
    for (held, expected) in [("", "the first line is empty"), ("dft_a b\n", "the first line is no token")] {
        let text = check(remote, &[("gone", held)]).text;
        assert!(text.contains(&format!("{expected}; expected what `defender token add` printed")), "{text}");
    }
    for (error, expected) in [
        (RemoteError::SignedOut, "TOKEN REFUSED"),
        (RemoteError::NotAllowed, "TOKEN REFUSED"),
        (RemoteError::Status(500), "NOT USABLE now"),
        (RemoteError::Stopped, "NO ANSWER now"),
    ] {
        assert_eq!(fault(&error), expected, "{error}");
    }
}
