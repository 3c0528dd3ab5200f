//! A resource of servers that want logins, send clients elsewhere, and close connections.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::*;

/// A server that answers the requests, over whichever connections they come, with these texts in turn, the last one again
/// and again; `PORT` in them is its port. Closes a connection after an answer with `Connection: close`. Returns its
/// address, and each request behind the number of its connection.
fn server(answers: &[&str]) -> (String, Receiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers: Vec<String> = answers.iter().map(|text| text.replace("PORT", &port.to_string())).collect();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        let mut answered = 0;
        for (connection, mut tcp) in listener.incoming().flatten().enumerate() {
            while let Some(request) = request(&mut tcp) {
                let _ = sender.send((connection, request));
                let answer = &answers[answered.min(answers.len() - 1)];
                answered += 1;
                if tcp.write_all(answer.as_bytes()).is_err() || answer.contains("Connection: close") {
                    break;
                }
            }
        }
    });
    (format!("127.0.0.1:{port}"), requests)
}

fn request(tcp: &mut TcpStream) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        tcp.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

fn resource(address: &str, login: Option<&str>) -> Resource {
    let url = Url::parse(&format!("http://{address}/cam?x=1")).unwrap();
    Resource::new(url, None, login.and_then(Login::parse), Account::unlimited())
}

/// The whole body that the next request gets, kept for the one after it.
fn next<'w>(
    resource: &mut Resource,
    last: Option<Body<'w>>,
    is_wanted: &'w dyn Fn() -> bool,
) -> Result<(String, Body<'w>), ClientError> {
    let mut body = resource.get(last, is_wanted)?.into_body();
    while !body.is_complete() {
        body.fill(std::time::Instant::now() + std::time::Duration::from_secs(3600))?;
    }
    Ok((String::from_utf8_lossy(body.ahead()).into_owned(), body))
}

fn why(address: &str, login: Option<&str>) -> String {
    match next(&mut resource(address, login), None, &|| true) {
        Ok((body, _)) => format!("it answered {body:?}"),
        Err(error) => error.to_string(),
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DIGEST: &str = "HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\"cam\", \
                      nonce=\"n1\", qop=\"auth\"\r\n\r\n";

#[test]
fn a_connection_is_used_again_while_the_server_keeps_it() {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nol";
    let (address, requests) = server(&[OK, OK, close, old, OK]);
    let (mut resource, mut last) = (resource(&address, None), None);
    for expected in ["ok", "ok", "no", "ol", "ok"] {
        let (body, kept) = next(&mut resource, last, &|| true).unwrap();
        assert_eq!(body, expected);
        last = Some(kept);
    }
    let connections: Vec<_> = requests.try_iter().map(|(connection, _)| connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 2]);
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let (address, requests) =
        server(&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: Connection: close\r\n\r\nok"]);
    let mut resource = resource(&address, None);
    let (_, kept) = next(&mut resource, None, &|| true).unwrap();
    assert_eq!(next(&mut resource, Some(kept), &|| true).unwrap().0, "ok");
    assert_eq!(requests.try_iter().last().unwrap().0, 1);
}

#[test]
fn a_digest_login_is_answered_and_its_answers_are_counted() {
    let (address, requests) = server(&[DIGEST, OK]);
    let mut resource = resource(&address, Some("ada:secret"));
    let (_, kept) = next(&mut resource, None, &|| true).unwrap();
    next(&mut resource, Some(kept), &|| true).unwrap();
    assert_eq!(resource.login_kind(), Some("Digest"));
    let sent: Vec<_> = requests.try_iter().map(|(_, request)| request).collect();
    assert!(!sent[0].contains("Authorization"), "{}", sent[0]);
    for (request, count) in [(&sent[1], "nc=00000001"), (&sent[2], "nc=00000002")] {
        let has = |part: &str| request.contains(part);
        assert!(has(count) && has("nonce=\"n1\"") && has("uri=\"/cam?x=1\"") && !has("secret"), "{request}");
    }
}

#[test]
fn a_nonce_that_is_too_old_is_replaced() {
    let stale = DIGEST.replace("n1", "n2").replace("qop", "stale=true, qop");
    let (address, requests) = server(&[DIGEST, &stale, OK, &stale, OK]);
    let mut resource = resource(&address, Some("ada:secret"));
    let (_, kept) = next(&mut resource, None, &|| true).unwrap();
    next(&mut resource, Some(kept), &|| true).unwrap();
    let sent: Vec<_> = requests.try_iter().map(|(_, request)| request).collect();
    assert!(sent[2].contains("nonce=\"n2\"") && sent[2].contains("nc=00000001"), "{}", sent[2]);
    assert!(why(&server(&[&stale]).0, Some("ada:secret")).contains("it refuses the login"), "for ever");
}

#[test]
fn a_basic_login_is_sent_when_it_is_asked_for() {
    let basic = "HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n\r\n";
    let (address, requests) = server(&[basic, OK]);
    assert_eq!(next(&mut resource(&address, Some("ada:b")), None, &|| true).unwrap().0, "ok");
    let sent: Vec<_> = requests.try_iter().map(|(_, request)| request).collect();
    assert!(
        !sent[0].contains("Authorization") && sent[1].contains("Authorization: Basic YWRhOmI=\r\n"),
        "{sent:?}"
    );
    for (login, answer, expected) in [
        (None, basic, "it wants a login"),
        (Some("ada:b"), basic, "it refuses the login"),
        (Some("ada:b"), DIGEST, "it refuses the login"),
        (Some("ada:b"), "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "neither Basic nor Digest"),
    ] {
        let why = why(&server(&[answer]).0, login);
        assert!(why.contains(expected), "{why:?} for {answer}");
    }
}

#[test]
fn a_redirect_on_the_same_host_is_followed_and_no_other() {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {place}\r\n\r\n");
    let (address, requests) = server(&[&to("/new?y=2"), OK]);
    assert_eq!(next(&mut resource(&address, None), None, &|| true).unwrap().0, "ok");
    assert!(requests.try_iter().last().unwrap().1.starts_with("GET /new?y=2 HTTP/1.1\r\n"));
    for (place, expected) in [
        ("http://elsewhere:1/x?token=1", "which is not followed: http://elsewhere:1/x?..."),
        ("//elsewhere/", "which is not followed: http://elsewhere/"),
        ("/x", "too often"),
        ("http://127.0.0.1:PORT/cam", "too often"),
        ("http://", "leads to no URL"),
    ] {
        let (address, requests) = server(&[&to(place)]);
        let why = why(&address, Some("ada:secret"));
        assert!(why.contains(expected), "{why:?} for {place}");
        assert!(requests.try_iter().count() <= 6, "{place}");
    }
    let from = Url::parse("https://cam/x").unwrap();
    assert!(matches!(next_place(&from, Some("http://cam/x")), Err(ClientError::Elsewhere(_))), "out of TLS");
    let from = Url::parse("http://cam/x").unwrap();
    assert_eq!(next_place(&from, Some("https://CAM/x")).unwrap().to_string(), "https://CAM/x");
}

#[test]
fn another_port_gets_a_login_only_when_it_asks_itself() {
    let basic = "HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n\r\n";
    for challenge in [basic, DIGEST] {
        for answers in [&[OK][..], &[challenge, OK]] {
            let (there, asked_there) = server(answers);
            let to = format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://{there}/x\r\n\r\n");
            let (here, asked_here) = server(&[challenge, &to]);
            let mut resource = resource(&here, Some("ada:secret"));
            let (body, kept) = next(&mut resource, None, &|| true).unwrap();
            assert_eq!(body, "ok");
            next(&mut resource, Some(kept), &|| true).unwrap();
            let signed = |requests: Receiver<(usize, String)>| -> Vec<bool> {
                requests.try_iter().map(|(_, request)| request.contains("Authorization: ")).collect()
            };
            assert_eq!(signed(asked_here), [false, true], "{challenge}");
            // The second picture comes over the same connection.
            let asks = answers.len() > 1;
            assert_eq!(signed(asked_there), if asks { vec![false, true, true] } else { vec![false, false] });
        }
    }
}

#[test]
fn an_odd_head_is_read_as_it_is_meant() {
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    for (head, body, has_end) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\nX: a b", "ok", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\nX: a b", "ok", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: a b\r\nContent-Length: 2", "ok", false),
        ("HTTP/1.1 200 OK\r\nContent-Length :2\r\nX \t: a b", "ok", true),
        ("HTTP/1.1 200 OK\r\nX:\r\n  a\r\n\tb\r\nContent-Length: 2", "ok", true),
        ("HTTP/1.1  200 OK\r\nnonsense\r\nX: a b\r\nContent-Length: 2", "ok", true),
        ("HTTP/1.0 200 OK\r\nX: a b\r\nTransfer-Encoding: chunked", chunks, true),
        ("HTTP/1.1 200 OK\r\nX: a b\r\nContent-Length: 9\r\nTransfer-Encoding: chunked", chunks, true),
        ("HTTP/1.1 200 OK\r\nX: a b\r\nContent-Length: 2\r\nTransfer-Encoding: identity", "ok", true),
    ] {
        let (address, _requests) = server(&[&format!("{head}\r\n\r\n{body}")]);
        let response = resource(&address, None).get(None, &|| true).unwrap();
        assert_eq!((response.status(), response.field("x")), (200, Some("a b")), "{head}");
        let mut body = response.into_body();
        while body.ahead() != b"ok" {
            body.fill(std::time::Instant::now() + std::time::Duration::from_secs(3600)).unwrap();
        }
        while has_end && !body.is_complete() {
            body.fill(std::time::Instant::now() + std::time::Duration::from_secs(3600)).unwrap();
        }
        assert_eq!(body.is_complete(), has_end, "{head}");
    }
    let gzip = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n";
    assert!(why(&server(&[gzip]).0, None).contains("a transfer coding other than chunks"));
}

#[test]
fn a_compressed_answer_is_refused() {
    let answer = |coding: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\nok")
    };
    assert!(why(&server(&[&answer("gzip")]).0, None).contains("compressed (gzip)"));
    assert_eq!(why(&server(&[&answer("identity")]).0, None), "it answered \"ok\"");
}
