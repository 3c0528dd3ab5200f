//! What each section accepts, and the messages for its mistakes.

use super::*;
use crate::media::{PixelFormat, RecordStore, RecordWhen};

fn read(text: &str) -> Result<Config, Vec<String>> {
    parse(text, Path::new("d.conf"), Path::new("/base"), Some(Path::new("/home/eve")))
}

#[test]
fn each_mistake_names_its_position_and_what_was_expected() {
    let rows: &[(&str, &[&str])] = &[
        ("[server]\nprot = 1", &["d.conf:2:1: ", "unknown key `prot` in [server]", "did you mean `port`?"]),
        ("[servr]", &["d.conf:1:2: ", "unknown section [servr]", "did you mean `server`?"]),
        (
            "\n[server]\nport = \"8443\"",
            &["d.conf:3:8: ", "port in [server] is \"8443\"", "a whole number from 0 to 65535"],
        ),
        ("[server]\nport = 65536", &["is 65536; expected a whole number from 0 to 65535"]),
        ("[server]\nport = -1", &["is -1; expected"]),
        ("[server]\nport = 1.5", &["is 1.5; expected"]),
        ("[server]\ntls = 1", &["tls in [server] is 1; expected true or false"]),
        ("[server]\nmode = \"bth\"", &["one of \"both\", \"client\", \"server\"", "did you mean `both`?"]),
        ("[server]\naddress = \"here\"", &["address in [server] is \"here\"; expected an IP address"]),
        (
            "[server]\naddress = []",
            &["address in [server] is []; expected an IP address", "or a list of them"],
        ),
        ("[server]\naddress = [\"::1\", \"here\"]", &["expected an IP address"]),
        ("[server]\naddress = [\"::1\", 1]", &["expected an IP address"]),
        ("[server]\nnames = [\"https://cam/\"]", &["expected a list of names and addresses"]),
        ("[server]\nnames = \"cam\"", &["expected a list of names and addresses"]),
        ("[server]\nuser = \"a b\"", &["user in [server] is \"a b\"; expected the name of a system user"]),
        ("[server]\nmax_connections = 0", &["from 1 to 4096"]),
        ("[recrod]", &["did you mean `record`?"]),
        ("[record]\nmaxgb = 1", &["d.conf:2:1: unknown key `maxgb` in [record]; did you mean `max_gb`?"]),
        ("[record]\nsegment_mb = 3", &["segment_mb in [record] is 3; expected a whole number from 4 to 256"]),
        ("[record]\nmin_free_gb = -0.5", &["is -0.5; expected a number from 0.0 to 1000000.0"]),
        ("[record]\ndir = \"\"", &["dir in [record] is \"\"; expected a path"]),
        (
            "[camera.front.record]\nwhen = \"event\"",
            &["one of \"off\", \"always\", \"events\", \"idle+events\"", "did you mean `events`?"],
        ),
        (
            "[camera.front.record]\npres = 5",
            &["unknown key `pres` in [camera.front.record]; did you mean `pre_s`?"],
        ),
        ("[camera.front.record]\nmicrophone = 1", &["expected text of at most 65 characters"]),
        (
            "[camera.front.record]\nmicrophone = \"yard\"",
            &[
                "d.conf:2:14: microphone in [camera.front.record] is \"yard\"; expected \"\" for no sound, because there",
            ],
        ),
        (
            "[microphone.yard]\n[microphone.door]\n[remote.attic.record]\nmicrophone = \"yrad\"",
            &[
                "d.conf:4:14: microphone in [remote.attic.record] is \"yrad\"; expected \"\" for no sound, or one of \"door\", \"yard\"",
                "or a microphone of [remote.attic], \"attic-NAME\"",
                "did you mean `yard`?",
            ],
        ),
        (
            "[camera.front.motion]\nzones = [{ name = \"door\", points = [[0.5, 0.5]] }]",
            &["d.conf:2:10: zones in [camera.front.motion]: zone \"door\" has 1 points; expected 3 to 32"],
        ),
        (
            "[camera.front.motion]\nmasks = [[[0, 0], [1, 1], [1, 0], [0, 1]]]",
            &["d.conf:2:10: masks in [camera.front.motion]: polygon 1 crosses itself: side 1 meets side 3"],
        ),
        (
            "[camera.front.motion]\nmasks = [[[0, 0], [1, 0], [1.1, 0.5]]]",
            &[
                "d.conf:2:27: masks",
                "point 3 of polygon 1 is [1.1, 0.5]; expected [x, y] with two numbers from 0 to 1",
            ],
        ),
        (
            "[camera.front.motion]\narmed = [\"22:00-06:00\", \"mon-fry 08:00-18:00\"]",
            &["d.conf:2:25: armed in [camera.front.motion]: entry 2 is", "\"mon-fri 08:00-18:00\""],
        ),
        (
            "[camera.front.motion]\narmed = true",
            &["expected \"always\", \"never\", or a list of local times"],
        ),
        ("[camera.front.motion]\nsize_percent = 0", &["expected a number from 0.01 to 100.0"]),
        ("[camera.front.motion]\nsize = 1", &["unknown key `size` in [camera.front.motion]"]),
        ("[microphone.m.noise]\nover_floor_db = 2", &["d.conf:2:17: over_floor_db in [microphone.m.noise]"]),
        ("server = 1", &["server is a section: write [server]"]),
        ("[camera]\nfps = 5", &["`fps` in [camera] is not a section: write [camera.NAME]"]),
        (
            "[camera.front]\nwidht = 640",
            &["d.conf:2:1: unknown key `widht` in [camera.front]; did you mean `width`?"],
        ),
        ("[camera.front]\nformat = \"mjpg\"", &["did you mean `mjpeg`?"]),
        (
            "[camera.front]\ndevice = \"http://eve:secret@cam/\"",
            &["expected a URL without user and password", "login_file", "http://...@cam"],
        ),
        (
            "[camera.front]\ndevice = \"http://cam:0/\"",
            &["expected a URL with the name or address of a host"],
        ),
        ("[camera.front]\nlogin_file = \"x\"", &["the device is no URL, so there is no login"]),
        (
            "[camera.front]\ndevice = \"https://cam/\"\nfingerprint = \"x\"",
            &["`sha256:` and 64 hexadecimal digits"],
        ),
        (
            "[camera.front]\ndevice = \"rtsp://eve:secret@10.0.0.2/1\"",
            &[
                "expected an address that begins with http://",
                "unix:/run/NAME",
                "[remote.NAME]",
                "rtsp://...@10.0.0.2",
            ],
        ),
        ("[camera.front]\ndevice = \"video0\"", &["\"auto\", \"test\", \"ribbon\""]),
        ("[camera.front]\ndevice = \"unix:\"", &["is \"unix:\"; expected `unix:` and an absolute path"]),
        ("[camera.front]\ndevice = \"unix:run/cam\"", &["an absolute path of at most 107 bytes"]),
        ("[camera.front]\ndevice = \"unix:/run/\"", &["an absolute path of at most 107 bytes"]),
        ("[microphone.m]\ndevice = \"unix:mic\"", &["an absolute path of at most 107 bytes"]),
        (
            "[camera.front]\nformat = \"i420:64x48\"",
            &["a pixel format without a size; only that of a socket"],
        ),
        (
            "[camera.front]\ndevice = \"unix:/run/cam\"\nformat = \"i420\"",
            &["such as \"i420:1280x720\"", "one of the formats yuyv, uyvy, nv12, i420, rgb3, grey"],
        ),
        (
            "[camera.front]\ndevice = \"unix:/run/cam\"\nformat = \"i420:63x48\"",
            &["even sides from 16 to 8192"],
        ),
        ("[camera.front]\ndevice = \"unix:/run/cam\"\nformat = \"mjpeg:64x48\"", &["\"mjpeg\" for JPEGs"]),
        ("[camera.front]\nquality = 101", &["from 1 to 100"]),
        ("[camera.front]\nchroma = 420", &["one of \"auto\", \"420\""]),
        ("[camera.\"a b\"]", &["camera name `a b`"]),
        ("[camera.front]\n[camera.Front]", &["d.conf:2:9: a second camera is named `Front`"]),
        ("[camera.front]\n[camera.front]", &["d.conf:2:"]),
        (
            "[camera.front]\n[camera.fornt.record]",
            &[
                "d.conf:2:9: a section below [camera.fornt], but no section [camera.fornt]; did you mean `front`?",
            ],
        ),
        ("[microphone.door]\n[microphone.dor.noise]", &["d.conf:2:13: a section below [microphone.dor]"]),
        ("[microphone.m]\nchannels = 9", &["from 1 to 8"]),
        ("[server]\nport = = 1", &["d.conf:2:"]),
    ];
    for (text, parts) in rows {
        let messages = read(text).expect_err(text).join("\n");
        for part in *parts {
            assert!(messages.contains(part), "{part:?} is missing for {text:?}: {messages}");
        }
    }
}

#[test]
fn an_address_is_one_or_a_list_and_a_mapped_one_is_ipv4() {
    for (line, addresses) in [
        ("", &["::"][..]),
        ("address = \"127.0.0.1\"", &["127.0.0.1"]),
        ("address = [\"127.0.0.1\", \"::1\"]", &["127.0.0.1", "::1"]),
        ("address = \"::ffff:127.0.0.1\"", &["127.0.0.1"]),
    ] {
        let server = read(&format!("[server]\n{line}\n")).unwrap().server;
        let found: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(found, addresses, "{line}");
        assert_eq!(server.is_loopback_only(), !line.is_empty(), "{line}");
    }
    let mixed = read("[server]\naddress = [\"127.0.0.1\", \"192.168.1.1\"]\n").unwrap().server;
    assert!(!mixed.is_loopback_only());
}

#[test]
fn a_socket_has_a_path_and_raw_pictures_a_size() {
    let longest = format!("/{}", "x".repeat(106));
    let text = |path: &str| {
        format!(
            "[camera.raw]\ndevice = \"unix:{path}\"\nformat = \"nv12:64x48\"\n[camera.jpeg]\ndevice = \"unix:/run/cam\"\n\
             [microphone.m]\ndevice = \"unix:{path}\""
        )
    };
    assert!(read(&text(&format!("{longest}x"))).is_err());
    let config = read(&text(&longest)).unwrap();
    let [raw, jpeg] = &config.cameras[..] else { panic!("two cameras") };
    assert_eq!(raw.device.to_string(), format!("unix:{longest}"));
    assert_eq!((raw.format, raw.raw_size), (Some(PixelFormat::Nv12), Some((64, 48))));
    assert_eq!((jpeg.format, jpeg.raw_size), (None, None));
    assert_eq!(config.microphones[0].device.to_string(), format!("unix:{longest}"));
}

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_file() {
    let messages = read("[camera.a]\nfps = 999\n[server]\nmode = 3\nprot = 1\n").unwrap_err();
    let lines: Vec<&str> = messages.iter().map(|problem| problem.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "4", "5"], "{messages:?}");
}

#[test]
fn no_mistake_shows_a_secret() {
    for line in [
        "token = dft_SECRET",
        "token = \"dft_SEC RET\"",
        "token = \"SEC RET\"",
        "url = \"https://eve:SECRET@attic\"",
        "dft_SECRET = 1",
    ] {
        let messages = read(&format!("[remote.attic]\n{line}\n")).unwrap_err().join("\n");
        assert!(messages.contains(":2:") && !messages.contains("SEC"), "{messages}");
    }
    for line in [
        "device = \"http://cam/a?user=eve&pwd=SECRET#x\"",
        "device = \"http://cam:99999/a?pwd=SECRET\"",
        "device = \" http://cam/a?pwd=SECRET\"",
        "device = \"http:/cam/a?pwd=SECRET\"",
        "device = \"eve:SECRET@cam/a\"",
        "login_file = \"eve:SECRET\"",
    ] {
        let device = if line.starts_with("login") { "device = \"http://cam/\"\n" } else { "" };
        let messages = read(&format!("[camera.front]\n{device}{line}\n")).unwrap_err().join("\n");
        assert!(!messages.contains("SEC"), "{messages}");
    }
    let messages = read("[microphone.m]\ndevice = \"http://cam/a?pwd=SECRET\"\n").unwrap_err().join("\n");
    assert!(messages.contains(":2:") && !messages.contains("SEC"), "{messages}");
}

#[test]
fn origins_are_written_as_browsers_send_them() {
    for (origin, is_good) in [
        ("https://panel.example", true),
        ("http://panel.example:443", true),
        ("https://panel.example:443", false),
        ("http://panel.example:80", false),
        ("https://m\u{fc}nchen.example", false),
    ] {
        let read = read(&format!("[server]\ncors_origins = [\"{origin}\"]\n"));
        assert_eq!(read.is_ok(), is_good, "{origin}: {read:?}");
    }
}

#[test]
fn a_remote_has_one_token() {
    let text = "[remote.attic]\nurl = \"https://attic/\"\ntoken = \"dft_a\"\ntoken_file = \"t\"\n";
    let messages = read(text).unwrap_err().join("\n");
    assert!(messages.contains("d.conf:4:") && messages.contains("name one of them"), "{messages}");
}

#[test]
fn cameras_keep_the_order_of_the_file() {
    let config = read("[camera.yard]\n[microphone.m]\n[camera.attic]\n").unwrap();
    let names: Vec<_> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    assert_eq!(names, ["yard", "attic"]);
}

#[test]
fn a_tilde_is_the_home_folder_and_only_at_the_start() {
    let server =
        read("[server]\ncert = \"~/c.pem\"\nkey = \"~other/k.pem\"\nusers = \"a~b\"\n").unwrap().server;
    assert_eq!(server.cert, Path::new("/home/eve/c.pem"));
    assert_eq!(server.key, Path::new("/base/~other/k.pem"));
    assert_eq!(server.users, Path::new("/base/a~b"));
}

#[test]
fn a_tilde_without_a_home_is_a_mistake_and_not_a_folder() {
    let text = "[server]\nusers = \"~/users\"\nlog = \"~\"\ncert = \"~c.pem\"\n";
    let messages = parse(text, Path::new("d.conf"), Path::new("/base"), None).unwrap_err();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].starts_with("d.conf:2:9: users") && messages[0].contains("HOME is not set"),
        "{messages:?}"
    );
    assert!(messages[1].starts_with("d.conf:3:7: log"), "{messages:?}");
}

#[test]
fn what_a_message_quotes_is_short_and_on_one_line() {
    let long = "x".repeat(100_000);
    for text in [
        format!("[server]\nport = \"\"\"a\nb{long}\"\"\""),
        format!("[server]\n\"k\\u001b[2J{long}\" = 1"),
        format!("[\"s\\u001b{long}\"]"),
        format!("[camera.\"c\\n{long}\"]\nfsp = 1"),
        format!("[server]\nport = \u{1b}{long}"),
    ] {
        for message in read(&text).unwrap_err() {
            assert!(message.len() < 400 && !message.contains(char::is_control), "{message:?}");
        }
    }
}

#[test]
fn no_text_can_make_it_panic() {
    let good = "[server]\nport = 1\n[camera.front]\nfps = 5\ndevice = \"/dev/video0\"\n";
    for at in 0..good.len() {
        for byte in ["\0", "\"", "[", "]", "=", "\n", "é", "#", "0x", "-"] {
            let _ = read(&format!("{}{byte}{}", &good[..at], &good[at..]));
            let _ = read(&format!("{}{byte}", &good[..at]));
        }
    }
}

#[test]
fn of_many_mistakes_the_first_twenty_and_a_count_are_reported() {
    let sections: String = (0..80_000).map(|number| format!("[camera.c{number}]\nx = 1\n")).collect();
    let messages = read(&sections).unwrap_err();
    assert_eq!(messages.len(), 21);
    assert!(messages[0].starts_with("d.conf:2:1: unknown key `x`"), "{}", messages[0]);
    assert!(messages[19].starts_with("d.conf:40:1: "), "{}", messages[19]);
    assert!(messages[20].contains("and 45 more"), "{}", messages[20]);
    // What is no TOML, and one section with as many keys.
    let messages = read(&"= 1\n".repeat(100_000)).unwrap_err();
    assert_eq!((messages.len(), messages[20].ends_with(" more")), (21, true), "{}", messages[20]);
    let keys: String = (0..60_000).map(|number| format!("k{number} = 1\n")).collect();
    assert_eq!(read(&format!("[server]\n{keys}")).unwrap_err().len(), 21);
}

#[test]
fn sections_and_entries_are_bounded() {
    for kind in ["camera", "microphone"] {
        let sections = |count| (0..count).map(|number| format!("[{kind}.n{number}]\n")).collect::<String>();
        assert!(read(&sections(64)).is_ok());
        let messages = read(&sections(65)).unwrap_err();
        let expected = format!("65 sections [{kind}.NAME]; expected at most 64");
        assert!(
            messages.len() == 1 && messages[0].contains("d.conf:65:") && messages[0].contains(&expected),
            "{messages:?}"
        );
    }
    let controls: String = (0..129).map(|number| format!("c{number} = 1\n")).collect();
    let messages = read(&format!("[camera.a.controls]\n{controls}")).unwrap_err();
    assert!(messages[0].contains("at most 128"), "{messages:?}");
    let origins = "\"https://a\",".repeat(129);
    let messages = read(&format!("[server]\ncors_origins = [{origins}]")).unwrap_err();
    assert!(messages[0].contains("at most 128"), "{messages:?}");
}

#[test]
fn long_and_deep_values_have_short_messages() {
    let long = "x".repeat(900_000);
    for text in [
        format!("[server]\nport = \"{long}\"\n"),
        format!("[server]\n{long} = 1\n"),
        format!("[{long}]\n"),
        format!("[server]\nport = {}\n", "[".repeat(500_000)),
        format!("[server]\nport = {}1{}\n", "[".repeat(400_000), "]".repeat(400_000)),
        format!("[server]\nport = {}\n", "{a=".repeat(300_000)),
        format!("{} = 1\n", "a.".repeat(400_000) + "a"),
        format!("[{}]\n", "a.".repeat(400_000) + "a"),
    ] {
        let messages = read(&text).unwrap_err();
        assert!(
            messages.len() <= 21 && messages.iter().all(|message| message.len() < 400),
            "{}",
            &messages[0][..80.min(messages[0].len())]
        );
    }
}

#[test]
fn a_camera_is_recorded_if_it_has_the_section() {
    let text = "[record]\ndir = \"~/footage\"\nmount = true\nmax_gb = 20.5\nmin_free_gb = 0\nsegment_mb = 8\nflush_s = 10\n\
                [camera.front]\n[camera.front.record]\n[camera.yard]\n[camera.door.record]\nwhen = \"off\"\ndays = 3\n\
                [camera.gate.record]\nmicrophone = \"attic-hall\"\nmax_gb = 0.0001\n[camera.mute.record]\nmicrophone = \"\"\n\
                [microphone.front]\n[microphone.mute]\n[microphone.yard]\n\
                [remote.attic]\nurl = \"https://attic/\"\ntoken = \"t\"\n[remote.attic.record]\nwhen = \"always\"\n";
    let config = read(text).unwrap();
    let expected = RecordStore {
        dir: "/home/eve/footage".into(),
        is_mount: true,
        max_bytes: Some(20_500_000_000),
        min_free_bytes: 0,
        segment_bytes: 8 << 20,
        flush: std::time::Duration::from_secs(10),
    };
    assert_eq!(config.record, expected);
    let recorded = config.cameras.iter().map(|camera| camera.record.active());
    let sounds: Vec<_> = recorded.map(|record| record.map(|record| record.microphone.as_deref())).collect();
    assert_eq!(sounds, [Some(Some("front")), None, None, Some(Some("attic-hall")), Some(None)]);
    let [front, yard, door, gate, _] = config.cameras.as_slice() else { panic!() };
    assert_eq!(front.record.settings.when, RecordWhen::Events);
    assert_eq!(yard.record.settings.microphone.as_deref(), Some("yard"), "for when it is turned on");
    assert_eq!((door.record.is_on, door.record.settings.days), (false, Some(3)));
    assert_eq!(gate.record.settings.max_bytes, Some(100_000));
    let attic = &config.remotes[0].record;
    assert!(attic.is_on && attic.is_own_sound && attic.settings.when == RecordWhen::Always);
}

#[test]
fn recordings_lie_beside_the_user_file() {
    assert_eq!(read("").unwrap().record.dir, Path::new("/base/recordings"));
    let elsewhere = read("[server]\nusers = \"/var/lib/defender/users\"").unwrap();
    assert_eq!(elsewhere.record.dir, Path::new("/var/lib/defender/recordings"));
}
