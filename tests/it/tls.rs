//! TLS as clients see it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::certificate::write_dated;
use crate::support::{Server, Setup, defender, stderr, stdout, wait_for};

/// The output of `openssl s_client` about a handshake, and the answer to a request.
fn s_client(server: &Server, arguments: &[&str]) -> String {
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    s_client_with_input(server, &[&["-ign_eof"], arguments].concat(), request)
}

/// The same with `input` on its standard input, where letters at the start of a line may be commands.
fn s_client_with_input(server: &Server, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &server.address().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("openssl ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

pub fn openssl(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl runs");
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

pub fn certificate(folder: &Path, name: &str, key_options: &[&str]) {
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj"];
    let subject = format!("/CN={name}");
    arguments.push(&subject);
    arguments.extend(["-keyout", "key.pem", "-out", "server.pem"]);
    arguments.extend(key_options);
    openssl(folder, &arguments);
}

#[test]
fn only_tls_1_2_and_1_3_with_forward_secrecy_are_offered() {
    let server = Setup::new().start();
    for (version, spoken) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false), ("-tls1", false)] {
        let said = s_client(&server, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert_eq!(said.contains("200 OK"), spoken, "{version}: {said}");
    }
    let without = s_client(&server, &["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"]);
    assert!(!without.contains("200 OK"), "a key exchange without forward secrecy was accepted: {without}");
    assert!(s_client(&server, &["-tls1_2"]).contains("Compression: NONE"));
}

#[test]
fn renegotiation_is_refused() {
    let server = Setup::new().start();
    let said = s_client_with_input(&server, &["-tls1_2"], "R\n");
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    assert_eq!(server.curl("/healthz", &[]).status, 200);
}

#[test]
fn a_session_is_resumed() {
    let server = Setup::new().start();
    for version in ["-tls1_2", "-tls1_3"] {
        let ticket = server.path().join("session").to_string_lossy().into_owned();
        let first = s_client(&server, &[version, "-sess_out", &ticket]);
        assert!(first.contains("200 OK"), "{first}");
        let second = s_client(&server, &[version, "-sess_in", &ticket]);
        assert!(second.contains("Reused, "), "{version}: {second}");
    }
}

#[test]
fn plain_http_on_the_tls_port_is_sent_to_https() {
    let server = Setup::new().start();
    let answer = server.send_raw(b"GET /video?fps=3 HTTP/1.1\r\nHost: board.local:8443\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains("Location: https://board.local:8443/video?fps=3\r\n"), "{answer}");
    let forged = server.send_raw(b"GET / HTTP/1.1\r\nHost: evil/@x\r\n\r\n");
    assert!(forged.contains(&format!("Location: https://127.0.0.1:{}/\r\n", server.port)), "{forged}");
}

#[test]
fn keys_in_every_common_format_are_accepted() {
    for (form, options) in [
        ("PKCS#8 RSA", &["-newkey", "rsa:2048"][..]),
        ("PKCS#8 EC", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]),
        ("Ed25519", &["-newkey", "ed25519"]),
    ] {
        let setup = Setup::new();
        certificate(setup.path(), "board", options);
        assert_eq!(setup.start().curl("/healthz", &[]).status, 200, "{form}");
    }
    for (form, options, convert) in [
        (
            "PKCS#1",
            &["-newkey", "rsa:2048"][..],
            &["rsa", "-traditional", "-in", "key.pem", "-out", "key.pem"][..],
        ),
        (
            "SEC1",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
            &["ec", "-in", "key.pem", "-out", "key.pem"],
        ),
    ] {
        let setup = Setup::new();
        certificate(setup.path(), "board", options);
        openssl(setup.path(), convert);
        let key = fs::read_to_string(setup.path().join("key.pem")).unwrap();
        assert!(!key.contains("BEGIN PRIVATE KEY"), "the conversion to {form} did nothing: {key}");
        assert_eq!(setup.start().curl("/healthz", &[]).status, 200, "{form}");
    }
}

/// The error of a server that does not start with the files that `prepare` makes.
fn refusal(prepare: &dyn Fn(&Path)) -> String {
    let setup = Setup::new();
    setup.write_config();
    crate::support::add_user(setup.path(), "eve", "viewer");
    prepare(setup.path());
    let ran = defender(setup.path(), &["-c", "defender.conf"], "");
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    stderr(&ran)
}

#[test]
fn a_bad_pair_is_a_clear_error_at_the_start() {
    let run = refusal;
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let lonely = run(&|folder| {
        certificate(folder, "a", &ec);
        fs::remove_file(folder.join("key.pem")).unwrap();
    });
    assert!(lonely.contains("server.pem exists but") && lonely.contains("key.pem is missing"), "{lonely}");
    let foreign = run(&|folder| {
        certificate(folder, "a", &ec);
        let chain = fs::read(folder.join("server.pem")).unwrap();
        certificate(folder, "b", &ec);
        fs::write(folder.join("server.pem"), chain).unwrap();
    });
    assert!(foreign.contains("does not belong to the certificate"), "{foreign}");
    let garbage = run(&|folder| {
        certificate(folder, "a", &ec);
        fs::write(folder.join("server.pem"), "hello").unwrap();
    });
    assert!(garbage.contains("server.pem: expected a PEM file with a CERTIFICATE"), "{garbage}");
}

#[test]
fn a_changed_certificate_is_used_without_a_restart() {
    let server = Setup::new().start();
    assert!(!s_client(&server, &[]).contains("CN = renewed"));
    certificate(server.path(), "renewed", &["-newkey", "rsa:2048"]);
    wait_for("the new certificate", || s_client(&server, &[]).contains("CN = renewed").then_some(()));
    fs::write(server.path().join("server.pem"), "broken").unwrap();
    server.wait_log_after_handshakes("the changed certificate cannot be used");
    assert!(s_client(&server, &[]).contains("CN = renewed"), "the last good certificate stays");
}

const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

#[test]
fn an_unusable_key_is_an_error_with_the_command_to_fix_it() {
    let locked = |folder: &Path, convert: &[&str]| {
        let files = ["-passout", "pass:secret", "-in", "key.pem", "-out", "locked.pem"];
        openssl(folder, &[convert, &files].concat());
        fs::rename(folder.join("locked.pem"), folder.join("key.pem")).unwrap();
    };
    for (options, convert) in [
        (&P256[..], &["pkey", "-aes256"][..]),
        (&["-newkey", "rsa:2048"], &["rsa", "-aes256", "-traditional"]),
    ] {
        let message = refusal(&|folder| {
            certificate(folder, "a", options);
            locked(folder, convert);
        });
        assert!(
            message.contains("the key is encrypted") && message.contains("openssl pkey -in"),
            "{message}"
        );
    }
    let curve = |name: &'static str| ["-newkey", "ec", "-pkeyopt", name];
    for (options, found) in [
        (&["-newkey", "rsa:1024"][..], "an RSA key of 1024 bits"),
        (&curve("ec_paramgen_curve:secp521r1"), "an ECDSA key on the curve P-521"),
        (&curve("ec_paramgen_curve:secp256k1"), "an ECDSA key on the curve secp256k1"),
        (&["-newkey", "ed448"], "a key of another kind"),
    ] {
        let message = refusal(&|folder| certificate(folder, "a", options));
        assert!(
            message.contains(found) && message.contains("`openssl req -x509"),
            "{found} is missing in {message}"
        );
    }
    let other = refusal(&|folder| {
        certificate(folder, "a", &["-newkey", "ed448"]);
        let key = fs::read(folder.join("key.pem")).unwrap();
        certificate(folder, "a", &["-newkey", "rsa:2048"]);
        fs::write(folder.join("key.pem"), key).unwrap();
    });
    assert!(
        other.contains("a key of another kind"),
        "what is wrong is the key, not the certificate: {other}"
    );
    let pipe = refusal(&|folder| {
        certificate(folder, "a", &P256);
        fs::remove_file(folder.join("key.pem")).unwrap();
        let made = Command::new("mkfifo").args(["-m", "600"]).arg(folder.join("key.pem")).status();
        assert!(made.expect("mkfifo runs").success());
    });
    assert!(pipe.contains("key.pem: ") && (pipe.contains("FIFO") || pipe.contains("a pipe")), "{pipe}");
}

#[test]
fn an_unusable_certificate_is_reported_with_what_to_do() {
    let first = refusal(&|folder| {
        certificate(folder, "a", &P256);
        openssl(folder, &["req", "-new", "-key", "key.pem", "-subj", "/CN=a", "-out", "request"]);
        let signs =
            ["x509", "-req", "-in", "request", "-signkey", "key.pem", "-days", "30", "-out", "server.pem"];
        openssl(folder, &signs);
    });
    assert!(first.contains("X.509 certificate of version 1"), "{first}");
    let reversed = refusal(&|folder| {
        certificate(folder, "a", &P256);
        let (own, key) =
            (fs::read(folder.join("server.pem")).unwrap(), fs::read(folder.join("key.pem")).unwrap());
        certificate(folder, "ca", &P256);
        let ca = fs::read(folder.join("server.pem")).unwrap();
        fs::write(folder.join("server.pem"), [ca, own].concat()).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    });
    assert!(reversed.contains("is number 2; move it to the beginning"), "{reversed}");
}

#[test]
fn an_owners_certificate_with_flaws_is_used_with_a_warning() {
    let of_days = |folder: &Path, days: &str| {
        certificate(folder, "board", &[&P256[..], &["-days", days]].concat());
    };
    let dated = |folder: &Path, from: &str, to: &str| write_dated(folder, "board", [from, to]);
    type Row<'a> = (&'a dyn Fn(&Path), &'a str);
    let rows: [Row<'_>; 4] = [
        (&|folder| dated(folder, "20240101000000Z", "20250101000000Z"), "the certificate has expired"),
        (&|folder| dated(folder, "20480101000000Z", "20490101000000Z"), "the certificate is not valid yet"),
        (&|folder| of_days(folder, "30"), "has no subjectAltName"),
        (&|folder| of_days(folder, "3000"), "Apple's devices accept 825 at most"),
    ];
    for (write, expected) in rows {
        let setup = Setup::new();
        write(setup.path());
        setup.write_config();
        let checked = stdout(&defender(setup.path(), &["check", "-c", "defender.conf"], ""));
        assert!(checked.contains(expected), "{expected}: {checked}");
        let server = setup.start();
        server.wait_log(expected);
        assert_eq!(server.curl("/healthz", &[]).status, 200, "{expected}");
    }
}

impl Server {
    /// The certificate files are looked at when a client comes, so clients keep coming.
    fn wait_log_after_handshakes(&self, text: &str) {
        wait_for(text, || {
            s_client(self, &[]);
            self.log().contains(text).then_some(())
        });
    }
}
