//! Which request heads pass, and what is made of them.

use super::*;

fn parse(head: &str) -> Result<RequestHead, HeadError> {
    RequestHead::parse(head.as_bytes(), 1000)
}

#[test]
fn a_bare_carriage_return_is_named_in_the_refusal() {
    let refused = parse("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n").map(drop).unwrap_err();
    assert_eq!(refused.to_string(), "malformed request: a bare carriage return");
}

#[test]
fn a_plain_request_passes() {
    let head = parse("GET /video?fps=5 HTTP/1.1\r\nHost: board:8443\r\nAccept: */*\r\n\r\n").unwrap();
    assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/video?fps=5"));
    assert_eq!(head.host.as_deref(), Some("board:8443"));
    assert!(head.keep_alive && head.body_bytes == 0 && !head.expects_continue);
}

#[test]
fn heads_that_parsers_read_differently_are_refused() {
    let rows: &[(&str, u16)] = &[
        ("GET / HTTP/1.1\nHost: a\n\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", 400),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n\u{e9}: b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\u{e9}\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{e9}\r\n\r\n", 411),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: \u{e9}\r\n\r\n", 417),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nauthorization: c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization:\r\nAuthorization: c\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n\r\n", 400),
        ("GET http://eve:secret@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http:/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://a/#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400),
        ("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\n", 505),
        ("\x16\x03\x01 \r\n\r\n", 400),
    ];
    for (head, status) in rows {
        let error = parse(head).expect_err(head);
        assert_eq!(error.status(), *status, "{head:?} gave {error}");
    }
}

#[test]
fn the_end_of_a_head_is_found_in_any_fragments() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    for searched in 0..head.len() - 4 {
        assert_eq!(complete_head(head, searched), Some(head.len() - 4), "after {searched} bytes");
    }
    assert_eq!(complete_head(&head[..head.len() - 5], 0), None);
}

#[test]
fn too_many_fields_are_refused() {
    let fields: String = (0..=error::MAX_FIELDS).map(|number| format!("X-{number}: y\r\n")).collect();
    assert_eq!(parse(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), Err(HeadError::TooManyFields));
}

#[test]
fn the_canonical_head_drops_hop_fields_and_a_forged_id() {
    let head = parse(
        "POST /api HTTP/1.1\r\nHost: a\r\nconnection: keep-alive, upgrade\r\nUpgrade: h2c\r\n\
         x-defender-exchange: forged\r\nContent-Length: 007\r\nExpect: 100-Continue\r\nX-Odd: b\r\n\
         ORIGIN: https://a\r\n\r\n",
    )
    .unwrap();
    assert!(head.expects_continue && head.body_bytes == 7);
    assert_eq!(
        String::from_utf8(head.canonical("id1")).unwrap(),
        "POST /api HTTP/1.1\r\nHost: a\r\nORIGIN: https://a\r\nContent-Length: 7\r\nConnection: close\r\n\
         X-Defender-Exchange: id1\r\n\r\n"
    );
}

#[test]
fn bytes_beyond_ascii_in_a_field_are_replaced() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: farbe=Gr\xc3\xbcn; __Host-defender-1=x;y=\xff\r\n\
                 X-Name: \xe9\r\nUser-Agent: Mozilla/5.0 (K\xfcche)\r\n\
                 cookie: __Host-defender-2=\xff; z\r\nConnection: \xe9, close\r\n\r\n";
    let parsed = RequestHead::parse(head, 0).unwrap();
    assert!(!parsed.keep_alive);
    assert_eq!(
        String::from_utf8(parsed.canonical("id1")).unwrap(),
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0 (K?che)\r\n\
         Cookie: __Host-defender-1=x; __Host-defender-2=?\r\nContent-Length: 0\r\nConnection: close\r\n\
         X-Defender-Exchange: id1\r\n\r\n"
    );
}

#[test]
fn the_host_of_a_url_target_replaces_the_field() {
    for (line, host, target) in [
        ("GET http://board:8080/video?fps=5", "board:8080", "/video?fps=5"),
        ("GET HTTPS://[fe80::1]:8443/", "[fe80::1]:8443", "/"),
        ("GET http://board", "board", "/"),
        ("GET http://board?a=b://c", "board", "/?a=b://c"),
        ("GET /x://y", "other", "/x://y"),
        ("OPTIONS *", "other", "*"),
        ("OPTIONS http://board", "board", "*"),
    ] {
        let head = parse(&format!("{line} HTTP/1.1\r\nHost: other\r\n\r\n")).expect(line);
        assert_eq!((head.host.as_deref(), head.target.as_str()), (Some(host), target), "{line}");
        let canonical = String::from_utf8(head.canonical("id1")).unwrap();
        assert!(canonical.contains(&format!(" {target} HTTP/1.1\r\nHost: {host}\r\n")), "{canonical}");
    }
}

#[test]
fn keep_alive_follows_the_version_and_the_client() {
    let keep_alive = |version: &str, connection: &str| {
        parse(&format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n"))
            .unwrap()
            .keep_alive
    };
    assert!(
        keep_alive("1.1", "x")
            && !keep_alive("1.1", "Close")
            && !keep_alive("1.0", "x")
            && keep_alive("1.0", "Keep-Alive")
    );
}

#[test]
fn no_bytes_can_make_the_parser_panic() {
    let good = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    for at in 0..good.len() {
        for byte in [0, b'\n', b'\r', b' ', b':', b'0', 0x7f, 0xff] {
            let mut head = good.to_vec();
            head[at] = byte;
            let _ = RequestHead::parse(&head, 1000);
            let _ = RequestHead::parse(&head[..at], 1000);
        }
    }
}

#[test]
fn a_repeated_field_that_decides_who_asks_is_refused() {
    for name in [
        "Access-Control-Request-Method",
        "Authorization",
        "Origin",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{name}: b\r\n{name}: b\r\n\r\n");
        assert!(matches!(parse(&head), Err(HeadError::Malformed(_))), "{name}");
    }
}

#[test]
fn what_just_keeps_the_rules_passes() {
    let fields: String = (1..error::MAX_FIELDS).map(|number| format!("X-{number}: y\r\n")).collect();
    for head in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\tb\tc\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
    ] {
        parse(head).unwrap_or_else(|error| panic!("{head:?}: {error}"));
    }
}

#[test]
fn each_error_has_its_status() {
    for (error, status) in [
        (HeadError::Malformed(""), 400),
        (HeadError::LengthRequired, 411),
        (HeadError::BodyTooLarge(1), 413),
        (HeadError::Expectation, 417),
        (HeadError::TooManyFields, 431),
        (HeadError::TooLarge(1), 431),
        (HeadError::Version, 505),
    ] {
        assert_eq!(error.status(), status, "{error}");
    }
}
