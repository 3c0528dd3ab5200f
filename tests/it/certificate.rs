//! The board's own CA and its certificates, as clients see them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Server, Setup, curl, defender, parts, stderr, stdout, wait_for, watch};
use crate::tls::{certificate, openssl};

/// Writes the self-signed certificate that versions up to 0.1 made, and its key.
pub fn write_legacy(folder: &Path) {
    write_dated(folder, "Defender on attic", ["20240101000000Z", "20491231000000Z"]);
}

/// Writes a self-signed certificate that is valid from and to these times, and its key. Of openssl's commands
/// only `ca` takes times.
pub fn write_dated(folder: &Path, name: &str, [from, to]: [&str; 2]) {
    certificate(folder, name, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    let subject = format!("/CN={name}");
    openssl(folder, &["req", "-new", "-key", "key.pem", "-subj", &subject, "-out", "request"]);
    let settings = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n\
                    default_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n\
                    [e]\nsubjectAltName = DNS:localhost\nextendedKeyUsage = serverAuth\n";
    fs::write(folder.join("ca.conf"), settings).unwrap();
    fs::write(folder.join("index"), "").unwrap();
    let signs = ["ca", "-batch", "-selfsign", "-config", "ca.conf", "-keyfile", "key.pem", "-in", "request"];
    let dated = ["-startdate", from, "-enddate", to, "-notext", "-out", "server.pem"];
    openssl(folder, &[&signs[..], &dated].concat());
}

/// The text of a certificate, by openssl.
fn printed(file: &Path) -> String {
    let shown = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(file).output().unwrap();
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

/// The certificate that a client gets from `host`.
fn seen(server: &Server, host: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-showcerts", "-connect", &format!("{host}:{}", server.port)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
    child.wait().unwrap();
    let file = server.path().join("seen.pem");
    fs::write(&file, text).unwrap();
    printed(&file)
}

/// Requests `url` as a client that trusts only `ca`.
fn get_trusting(server: &Server, ca: &str, url: &str) -> Result<(), String> {
    let asked = Command::new("curl")
        .args(["-sS", "--cacert", ca, "--resolve", &format!("*:{}:127.0.0.1", server.port), url])
        .current_dir(server.path())
        .output()
        .unwrap();
    if asked.stdout == b"ok\n" { Ok(()) } else { Err(String::from_utf8_lossy(&asked.stderr).into_owned()) }
}

#[test]
fn the_first_start_makes_a_ca_and_a_certificate() {
    let server = Setup::new().server("names = [\"cam.example.org\"]").start();
    let text = printed(&server.path().join("server.pem"));
    assert!(text.contains("ASN1 OID: prime256v1"), "{text}");
    assert!(text.contains("DNS:localhost") && text.contains("IP Address:127.0.0.1"), "{text}");
    assert!(text.contains("DNS:cam.example.org") && text.contains("TLS Web Server Authentication"), "{text}");
    let ca = printed(&server.path().join("defender-ca.pem"));
    for part in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign",
        "Name Constraints: critical",
        "DNS:local",
        "IP:192.168.0.0/255.255.0.0",
    ] {
        assert!(ca.contains(part), "{part} is missing in {ca}");
    }
    let port = server.port;
    // A client that trusts the CA, or the file with the certificate and the CA, needs no -k.
    for (file, host) in [
        ("defender-ca.pem", "127.0.0.1"),
        ("defender-ca.pem", "localhost"),
        ("defender-ca.pem", "cam.example.org"),
        ("server.pem", "localhost"),
    ] {
        get_trusting(&server, file, &format!("https://{host}:{port}/healthz"))
            .unwrap_or_else(|why| panic!("{file} {host}: {why}"));
    }
    let refused =
        get_trusting(&server, "defender-ca.pem", &format!("https://other.example.org:{port}/healthz"));
    assert!(refused.is_err());
    openssl(
        server.path(),
        &["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "defender-ca.pem", "server.pem"],
    );
}

#[test]
fn a_certificate_has_a_short_life_and_its_own_serial() {
    let server = Setup::new().start();
    let days = |file: &str| {
        let within = |days: i32| {
            let seconds = (days * 24 * 3600).to_string();
            let args = ["x509", "-noout", "-checkend", &seconds, "-in", file];
            Command::new("openssl").args(args).current_dir(server.path()).output().unwrap().status.success()
        };
        (0..12).map(|step| step * 100).take_while(|days| within(*days)).last()
    };
    assert_eq!(days("server.pem"), Some(300), "less than 397 days");
    assert_eq!(days("defender-ca.pem"), Some(1100), "years");
    let serial =
        |text: &str| text.split("Serial Number:").nth(1).unwrap().lines().nth(1).unwrap().trim().to_owned();
    let numbers = ["127.0.0.1", "127.0.0.2"].map(|host| serial(&seen_at(host)));
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn the_ca_certifies_no_other_names_mail_or_programs() {
    let server = Setup::new().start();
    let rows = [
        ("DNS:board.local", "sslserver", true),
        ("IP:192.168.1.9", "sslserver", true),
        ("DNS:other.example.org", "sslserver", false),
        ("DNS:localhost.example.org", "sslserver", false),
        ("IP:9.9.9.9", "sslserver", false),
        ("IP:2001:db8::1", "sslserver", false),
        ("email:eve@example.org", "smimesign", false),
    ];
    openssl(
        server.path(),
        &[
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "x.key", "-out",
            "x.csr",
        ],
    );
    for (name, purpose, is_valid) in rows {
        fs::write(server.path().join("x.ext"), format!("subjectAltName={name}\n")).unwrap();
        let issue = "x509 -req -in x.csr -CA defender-ca.pem -CAkey defender-ca-key.pem -days 30 -extfile x.ext -out x.pem";
        openssl(server.path(), &issue.split(' ').collect::<Vec<_>>());
        let verify = ["verify", "-purpose", purpose, "-CAfile", "defender-ca.pem", "x.pem"];
        let verified = Command::new("openssl").args(verify).current_dir(server.path()).output().unwrap();
        assert_eq!(
            verified.status.success(),
            is_valid,
            "{name}: {}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }
}

/// The certificate of a server on every address of IPv4 at one of them.
fn seen_at(host: &str) -> String {
    let server = Setup::new().server("address = \"0.0.0.0\"").start();
    seen(&server, host)
}

#[test]
fn a_client_sees_no_address_but_the_one_it_connected_to() {
    let server = Setup::new().server("address = \"0.0.0.0\"").start();
    for (host, listed) in
        [("127.0.0.2", &["127.0.0.2"][..]), ("127.0.0.1", &["127.0.0.1", "0:0:0:0:0:0:0:1"])]
    {
        let text = seen(&server, host);
        let addresses: Vec<_> =
            text.split("IP Address:").skip(1).map(|rest| rest.split([',', '\n']).next().unwrap()).collect();
        assert_eq!(addresses, listed, "{host}");
    }
}

#[test]
fn both_families_are_served_and_ipv4_peers_are_unmapped() {
    let server = Setup::new().server("address = \"::\"").start();
    assert_eq!(server.get("/healthz").status, 200);
    let over_v6 = curl(&format!("https://[::1]:{}/healthz", server.port), &[]);
    // A machine without IPv6 says so and serves IPv4.
    assert!(over_v6.status == 200 || server.log().contains("has no IPv6"), "{}", server.log());
    assert_eq!(server.curl("/", &["-u", "eve:wrong"]).status, 401);
    let log = server.log_until_now();
    assert!(log.contains("127.0.0.1") && !log.contains("::ffff:"), "{log}");
    let redirected = server.send_raw(b"GET /ca.crt HTTP/1.1\r\nHost: evil/@x\r\n\r\n");
    assert!(
        redirected.contains(&format!("Location: https://127.0.0.1:{}/ca.crt\r\n", server.port)),
        "{redirected}"
    );
}

#[test]
fn without_tls_only_loopback_addresses_are_accepted() {
    for (addresses, starts) in [
        ("[\"127.0.0.1\", \"::1\"]", true),
        ("\"::ffff:127.0.0.1\"", true),
        ("[\"127.0.0.1\", \"0.0.0.0\"]", false),
        ("[\"127.0.0.1\", \"::\"]", false),
        ("\"::\"", false),
        ("\"::ffff:0.0.0.0\"", false),
        ("\"::ffff:192.168.1.1\"", false),
    ] {
        let setup = Setup::new().plain().server(&format!("address = {addresses}"));
        setup.write_config();
        let checked = defender(setup.path(), &["check", "-c", "defender.conf"], "");
        assert_eq!(checked.status.success(), starts, "{addresses}: {}", stderr(&checked));
        if starts {
            assert_eq!(setup.start().curl("/healthz", &[]).status, 200, "{addresses}");
        } else {
            let refused = defender(setup.path(), &["-c", "defender.conf"], "");
            assert!(stderr(&refused).contains("without TLS"), "{addresses}: {}", stderr(&refused));
        }
    }
}

#[test]
fn a_device_gets_the_ca_without_a_login() {
    let server = Setup::new().start();
    let ca = server.curl("/ca.crt", &[]);
    assert_eq!((ca.status, ca.field("content-type").as_deref()), (200, Some("application/x-x509-ca-cert")));
    fs::write(server.path().join("got.crt"), &ca.body).unwrap();
    get_trusting(&server, "got.crt", &server.url("/healthz")).unwrap();
    let profile = server.curl("/ca.mobileconfig", &[]);
    assert_eq!(profile.field("content-type").as_deref(), Some("application/x-apple-aspen-config"));
    assert!(profile.text().contains("com.apple.security.root"), "{}", profile.text());
    let page = server.curl("/trust", &[]).text();
    let log = server.log();
    let print = log.split("sha256:").nth(2).expect("the fingerprint of the CA")[..64].to_uppercase();
    let shown: String = page
        .split("<code>")
        .nth(1)
        .unwrap()
        .split("</code>")
        .next()
        .unwrap()
        .replace([':', ' '], "")
        .replace("<wbr>", "");
    assert_eq!(shown, print, "the page shows what the log says");
    assert!(page.contains("after a week"), "{page}");
}

#[test]
fn the_certificate_is_shown_exported_and_renewed_on_the_board() {
    let server = Setup::new().start();
    let run = |arguments: &[&str]| {
        let ran =
            defender(server.path(), &[&["certificate"], arguments, &["-c", "defender.conf"]].concat(), "");
        assert!(ran.status.success(), "{arguments:?}: {}", stderr(&ran));
        stdout(&ran)
    };
    let shown = run(&["show"]);
    for part in
        ["Defender on ", "397 days", "key           sha256:", "Defender CA of ", "CA print      sha256:"]
    {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert_eq!(run(&["export"]), fs::read_to_string(server.path().join("defender-ca.pem")).unwrap());
    assert_eq!(run(&["export", "mobileconfig"]), server.curl("/ca.mobileconfig", &[]).text());
    let before = seen(&server, "127.0.0.1");
    run(&["renew"]);
    wait_for("the renewed certificate", || (seen(&server, "127.0.0.1") != before).then_some(()));
    get_trusting(&server, "defender-ca.pem", &server.url("/healthz")).unwrap();
    fs::copy(server.path().join("defender-ca.pem"), server.path().join("old.pem")).unwrap();
    run(&["renew", "--ca"]);
    wait_for("the new CA", || get_trusting(&server, "defender-ca.pem", &server.url("/healthz")).ok());
    assert!(get_trusting(&server, "old.pem", &server.url("/healthz")).is_err());
}

#[test]
fn viewers_stay_when_the_certificate_is_renewed() {
    let server = Setup::new().start();
    let (mut viewer, file) = watch(&server, "/video", "stream");
    wait_for("pictures", || (parts(&file) > 3).then_some(()));
    let before = seen(&server, "127.0.0.1");
    assert!(defender(server.path(), &["certificate", "renew", "-c", "defender.conf"], "").status.success());
    wait_for("the renewed certificate", || (seen(&server, "127.0.0.1") != before).then_some(()));
    let shown = parts(&file);
    wait_for("more pictures", || (parts(&file) > shown + 3).then_some(()));
    assert!(viewer.is_running());
}

#[test]
fn the_greeting_is_one_block() {
    let server = Setup::new().without_user().start();
    let printed = wait_for("the greeting", || {
        let printed = server.printed();
        (printed.matches("-----\n").count() == 2).then_some(printed)
    });
    let block = printed.split("-----\n").nth(1).unwrap();
    for part in
        ["Defender is at https://127.0.0.1:", "with the password", "its key: sha256:", "its CA:  sha256:"]
    {
        assert!(block.contains(part), "{part} is missing in {block}");
    }
    assert!(!block.contains("INFO"), "{block}");
}
