//! The client against servers of its own machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// A server that reads requests with bodies of `body_bytes`, and gives each connection to `answer`; its port, and what
/// it read. It ends with the test's process.
fn server<S: Read + Write>(
    body_bytes: usize,
    accept: impl Fn(TcpStream) -> S + Send + 'static,
    answer: impl Fn(&mut S) + Send + 'static,
) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut stream = accept(socket);
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|got| got == 1) {
                request.push(byte[0]);
            }
            let mut body = vec![0; body_bytes];
            if stream.read_exact(&mut body).is_ok() {
                request.extend(body);
            }
            let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
            answer(&mut stream);
        }
    });
    (port, requests)
}

fn client(host: &str, port: u16, trust: Option<Trust>) -> Client {
    let address = Address { host: host.to_owned(), port, is_secure: trust.is_some() };
    Client::new(address, trust.unwrap_or_else(|| Trust::in_key(None).unwrap()), Account::unlimited())
}

/// What the client reads of a plain answer: status, a field and the body.
fn answered(sent: impl Into<Vec<u8>>) -> Result<(u16, Option<String>, String), String> {
    let sent = sent.into();
    let (port, _requests) = server(0, |tcp| tcp, move |tcp| drop(tcp.write_all(&sent)));
    let read = client("127.0.0.1", port, None).send(&Request::get("/"), &|| true).and_then(|response| {
        let (status, field) = (response.status(), response.field("x-field").map(str::to_owned));
        let body = response.into_body().whole(100)?;
        Ok((status, field, String::from_utf8(body).unwrap()))
    });
    read.map_err(|error| error.to_string())
}

#[test]
fn an_answer_is_read_however_its_end_is_said() {
    let whole = |status: u16, body: &str| Ok((status, Some("y".to_owned()), body.to_owned()));
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\nX-Field: y\r\n\r\nto the end"), whole(200, "to the end"));
    assert_eq!(
        answered(b"HTTP/1.0 401 No\r\nX-Field: y\r\nContent-Length: 2\r\n\r\nnomore"),
        whole(401, "no")
    );
    let chunks = b"HTTP/1.1 200 OK\r\nX-Field: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nin\r\n4\r\n two\r\n0\r\n\r\n";
    assert_eq!(answered(chunks), whole(200, "in two"));
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX-Field: n\r\n\r\nHTTP/1.1 204 Gone\r\nX-Field: y\r\n\r\n";
    assert_eq!(answered(interim), whole(204, ""));
}

#[test]
fn an_answer_that_can_be_read_in_two_ways_is_refused() {
    let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20);
    let broken: [(&[u8], &str); 12] = [
        (b"HTTP/1.1 200 OK\r\nX-Field : y\r\n\r\n", "the head"),
        (b"HTTP/1.1 200 OK\r\nX-Field:\r\n y\r\n\r\n", "the head"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "the head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "the head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", "the head"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer coding",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer coding"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "in chunks"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "too large"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", "too large"),
        (&endless, "the head"),
    ];
    for (sent, why) in broken {
        let error = answered(sent.to_vec()).unwrap_err();
        assert!(error.contains(why), "{error:?} for {}", sent.escape_ascii());
    }
}

#[test]
fn a_document_is_posted_with_its_length() {
    let (port, requests) = server(7, |tcp| tcp, |tcp| drop(tcp.write_all(b"HTTP/1.1 204 OK\r\n\r\n")));
    let request = Request::post("/hook", "application/json", b"{\"a\":1}");
    let client = client("127.0.0.1", port, None);
    assert_eq!(client.send(&request, &|| true).unwrap().status(), 204);
    let sent = requests.recv().unwrap();
    assert!(sent.starts_with("POST /hook HTTP/1.1\r\n") && sent.ends_with("\r\n\r\n{\"a\":1}"), "{sent}");
}

/// A CA for `localhost`, and the folder with the file of its certificate.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // As in a system's file: text around the certificates, and one among them that is none.
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = format!("# Roots\n{broken}{}", certificate.pem());
        std::fs::write(folder.path().join("roots.crt"), text).unwrap();
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("roots.crt")
    }

    /// The port of a server by TLS that this authority certifies as `name`.
    fn server(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let accept = move |tcp| StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        server(0, accept, |stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
            .0
    }
}

fn ask(host: &str, port: u16, trust: Trust) -> Result<Vec<u8>, ClientError> {
    client(host, port, Some(trust)).send(&Request::get("/"), &|| true)?.into_body().whole(10)
}

#[test]
fn an_authority_is_trusted_for_the_names_that_it_certifies() {
    let (authority, other) = (Authority::new(), Authority::new());
    let port = authority.server("localhost");
    let trust = |authority: &Authority| Trust::in_roots(&authority.file()).unwrap();
    assert_eq!(ask("localhost", port, trust(&authority)).unwrap(), b"ok");
    for (host, authority) in [("localhost", &other), ("127.0.0.1", &authority)] {
        let error = ask(host, port, trust(authority)).unwrap_err();
        assert!(matches!(error, ClientError::Uncertified(..)), "{error}");
    }
    let by_address = authority.server("127.0.0.1");
    assert_eq!(ask("127.0.0.1", by_address, trust(&authority)).unwrap(), b"ok");
}

#[test]
fn a_file_without_certificates_is_no_file_of_roots() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.crt");
    let error = || Trust::in_roots(&file).err().unwrap().to_string();
    assert!(error().contains("roots.crt: cannot read"), "{}", error());
    std::fs::write(&file, "no certificate").unwrap();
    assert!(error().contains("it holds no certificate"), "{}", error());
}

#[test]
fn a_key_is_trusted_whatever_name_it_is_certified_for() {
    let port = Authority::new().server("elsewhere");
    let shown = match ask("127.0.0.1", port, Trust::in_key(None).unwrap()) {
        Err(ClientError::UnknownKey(shown)) => shown,
        other => panic!("{other:?}"),
    };
    assert_eq!(ask("127.0.0.1", port, Trust::in_key(Some(shown)).unwrap()).unwrap(), b"ok");
    let other = Trust::in_key(Some(Fingerprint([7; 32]))).unwrap();
    assert!(matches!(ask("127.0.0.1", port, other), Err(ClientError::ChangedKey(key)) if key == shown));
}

#[test]
fn a_request_that_is_not_wanted_any_more_ends() {
    let (port, requests) = server(0, |tcp| tcp, |tcp| drop(tcp.read(&mut [0])));
    let is_wanted = move || requests.try_recv().is_err();
    let end = client("127.0.0.1", port, None).send(&Request::get("/"), &is_wanted).err();
    assert!(matches!(end, Some(ClientError::Stopped)), "{end:?}");
}
