//! The command line and defender.conf, as a person meets them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{PASSWORD, Setup, add_user, defender, stderr, stdout};

/// Runs `defender check` on a configuration; exit code and all output.
fn check(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("defender.conf"), text).unwrap();
    let ran = defender(folder.path(), &["check"], "");
    (ran.status.code().unwrap_or(-1), stdout(&ran) + &stderr(&ran))
}

#[test]
fn each_mistake_names_file_line_and_what_was_expected() {
    let rows: &[(&str, &[&str])] = &[
        ("[server]\nprot = 1\n", &["defender.conf", "2", "prot", "port"]),
        ("[servr]\nport = 1\n", &["1", "servr", "server"]),
        ("[server]\nport = \"8443\"\n", &["2", "port"]),
        ("[server]\nport = 65536\n", &["2", "port", "65535"]),
        ("[server]\nport = -1\n", &["2", "port", "65535"]),
        ("[server]\nmode = \"bth\"\n", &["2", "mode", "both"]),
        ("[server]\naddress = \"here\"\n", &["2", "address"]),
        ("[camera.front]\nwidht = 640\n", &["2", "widht", "width"]),
        ("[camera.front]\nfps = 0\n", &["2", "fps"]),
        ("[camera.front]\nformat = \"mjpg\"\n", &["2", "format", "mjpeg"]),
        ("[camera.front]\n[camera.front]\n", &["2", "front"]),
        ("[camera.front]\n[camera.Front]\n", &["Front"]),
        ("[server]\nport = = 1\n", &["2"]),
    ];
    for (text, parts) in rows {
        let (code, output) = check(text);
        assert_eq!(code, 2, "{text}: {output}");
        for part in *parts {
            assert!(output.contains(part), "{part:?} is missing for {text:?}: {output}");
        }
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let (_, output) = check("[server]\nprot = 1\nmode = 3\n[camera.a]\nfps = 9999\n");
    assert!(output.contains("prot") && output.contains("mode") && output.contains("fps"), "{output}");
}

#[test]
fn check_says_what_a_configuration_means() {
    let (code, output) = check("[server]\nport = 0\n[camera.front]\ndevice = \"test\"\n");
    assert_eq!(code, 0, "{output}");
    for part in ["defender.conf", "front", "test card", "admin"] {
        assert!(output.contains(part), "{part} is missing: {output}");
    }
    let (code, output) = check("[camera.front]\ndevice = \"/dev/video99\"\n");
    assert!(output.contains("/dev/video99: no such device"), "{code} {output}");
    assert!(code == 1 && output.contains("without a picture of: front"), "{code} {output}");
}

#[test]
fn check_says_what_is_recorded_and_where_to() {
    let camera = "[camera.front]\ndevice = \"test\"\nfps = 10\n[camera.front.record]\nwhen = \"always\"\n";
    let (code, output) = check(&format!("[record]\nmin_free_gb = 0\n{camera}"));
    assert_eq!(code, 0, "{output}");
    for part in [
        "records front",
        "always, without sound; about 29.5 GB a day",
        "recordings, made at the start (",
        "fits",
    ] {
        assert!(output.contains(part), "{part} is missing: {output}");
    }
    let (code, output) = check(&format!("[record]\nmount = true\n{camera}"));
    assert!(code == 1 && output.contains("NOT RECORDED now: "), "{code} {output}");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("recordings")).unwrap();
    fs::write(folder.path().join("defender.conf"), format!("[record]\nmin_free_gb = 0\n{camera}")).unwrap();
    let ran = defender(folder.path(), &["check", "--disk"], "");
    assert!(stdout(&ran).contains("a second in pieces of 1 MiB"), "{}", stdout(&ran));
    assert_eq!(fs::read_dir(folder.path().join("recordings")).unwrap().count(), 0);
    assert!(!check("[camera.front]\ndevice = \"test\"\n").1.contains("record"), "nothing is recorded");
}

#[test]
fn recording_is_turned_on_over_the_api_and_kept() {
    let setup = Setup::new();
    add_user(setup.path(), "ada", "admin");
    let server =
        setup.sections("[camera.front]\ndevice = \"test\"\n[microphone.front]\ndevice = \"test\"\n").start();
    let folder = fs::metadata(server.path().join("recordings")).expect("made at the start");
    assert_eq!(folder.mode() & 0o7777, 0o700);
    let put = |body: &str| {
        let login = format!("ada:{PASSWORD}");
        server.curl("/api/1.0/cameras/front", &["-u", &login, "-X", "PUT", "-d", body])
    };
    assert!(put("{\"save\":false}").text().contains("\"record\":{\"when\":\"off\",\"idle_fps\":1,"));
    let set = put("{\"record\":{\"when\":\"idle+events\",\"max_gb\":1.5},\"save\":true}").text();
    assert!(set.contains("\"record\":{\"when\":\"idle+events\"") && set.contains("\"max_gb\":1.5}"), "{set}");
    assert!(set.contains("\"microphone\":\"front\""), "{set}");
    for (wrong, why) in [
        ("{\"record\":{\"when\":\"never\"}}", "one of"),
        ("{\"record\":{\"microphone\":\"frnt\"}}", "did you mean `front`?"),
        ("{\"record\":{\"wen\":\"off\"}}", "record.wen cannot be changed"),
        ("{\"record\":true}", "expected"),
    ] {
        let refused = put(wrong);
        assert!(
            [400, 409].contains(&refused.status) && refused.text().contains(why),
            "{wrong}: {}",
            refused.text()
        );
    }
    let kept = fs::read_to_string(server.path().join("overrides.conf")).unwrap();
    assert!(kept.contains("camera.front.record.when = { value = \"idle+events\", by = \"ada\""), "{kept}");
    assert!(put("{\"record\":{\"when\":\"off\"}}").text().contains("\"record\":{\"when\":\"off\""));
}

#[test]
fn help_is_there_for_each_command_and_mistypes_get_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["user", "--help"],
        &["user", "add", "--help"],
        &["check", "--help"],
    ] {
        let ran = defender(folder.path(), arguments, "");
        assert_eq!(ran.status.code(), Some(0), "{arguments:?}");
        assert!(stdout(&ran).contains("Usage"), "{arguments:?}: {}", stdout(&ran));
    }
    let version = defender(folder.path(), &["--version"], "");
    assert_eq!(stdout(&version).trim(), concat!("defender ", env!("CARGO_PKG_VERSION")));
    for (arguments, hint) in
        [(&["chekc"][..], "check"), (&["run", "--adress", "::1"], "--address"), (&["usr", "list"], "user")]
    {
        let ran = defender(folder.path(), arguments, "");
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&ran).contains(hint), "{arguments:?}: {}", stderr(&ran));
    }
}

#[test]
fn a_configuration_that_is_named_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let ran = defender(folder.path(), &["-c", "nowhere.conf"], "");
    assert_eq!(ran.status.code(), Some(2));
    assert!(stderr(&ran).contains("nowhere.conf"), "{}", stderr(&ran));
}

#[test]
fn list_devices_works_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let ran = defender(folder.path(), &["--list-devices"], "");
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    assert!(!stdout(&ran).trim().is_empty());
}

#[test]
fn pictures_are_never_offered_to_the_network_unprotected() {
    let refused = |setup: Setup| {
        setup.write_config();
        let ran = defender(setup.path(), &["-c", "defender.conf"], "");
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        stderr(&ran)
    };
    let plain = refused(Setup::new().server("tls = false\naddress = \"0.0.0.0\""));
    assert!(plain.contains("tls = true") && plain.contains("127.0.0.1"), "{plain}");
    let setup = Setup::new().server("address = \"0.0.0.0\"");
    fs::write(setup.path().join("users"), "mallory:viewer:broken\n").unwrap();
    let userless = refused(setup);
    assert!(userless.contains("defender user add"), "{userless}");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup::new().server(&format!("port = {}", taken.local_addr().unwrap().port()));
    setup.write_config();
    let ran = defender(setup.path(), &["-c", "defender.conf"], "");
    assert_eq!(ran.status.code(), Some(1));
    assert!(stderr(&ran).contains("in use") && stderr(&ran).contains("-p"), "{}", stderr(&ran));
}
