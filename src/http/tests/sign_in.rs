//! What a client that is not signed in gets: the form, the challenge, the CA.

use super::*;
use crate::http::route::{Access, Route};

#[test]
fn browsers_get_the_form_and_programs_the_challenge() {
    let fixture = Fixture::new();
    let navigates: [&[(&str, &str)]; 3] = [
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
        &[
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("User-Agent", "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)"),
        ],
        &[
            ("Sec-Fetch-Mode", "navigate"),
            ("Cookie", "__Host-defender-0a1b2c3d=over"),
            ("Authorization", "Basic eA=="),
        ],
    ];
    // Java's default client, `curl --anyauth` and a text browser.
    let others: [&[(&str, &str)]; 6] = [
        &[],
        &[("Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), ("User-Agent", "Java/17.0.9")],
        &[("Accept", "text/html"), ("User-Agent", "curl/8.5.0")],
        &[("Accept", "*/*, text/html"), ("User-Agent", "Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1")],
        &[("Accept", "*/*"), ("User-Agent", "VLC/3.0.18 LibVLC/3.0.18")],
        &[("Icy-MetaData", "1"), ("Cookie", "other=1")],
    ];
    let of_a_page: [&[(&str, &str)]; 5] = [
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
        &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")],
        &[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "script")],
        &[("Accept", "*/*"), ("Cookie", "__Host-defender-0a1b2c3d=over")],
        &[("Accept", "*/*"), ("X-Requested-With", "fetch")],
    ];
    for route in Route::all().iter().filter(|route| route.access("GET") != Access::Public) {
        for (fields, method, gets_form) in navigates
            .map(|fields| (fields, "GET", true))
            .into_iter()
            .chain(others.map(|fields| (fields, "GET", false)))
            .chain(of_a_page.map(|fields| (fields, "GET", false)))
            .chain(navigates.map(|fields| (fields, "POST", false)))
        {
            let head = fixture.refusal(method, &route.path(), fields);
            let is_page = matches!(route, Route::Page(_));
            let is_named = fields.iter().any(|(_, value)| value.starts_with("Mozilla/"));
            let is_program = others.contains(&fields) && !(is_page && is_named);
            assert_eq!(head.contains("WWW-Authenticate"), is_program, "{route:?} {fields:?}: {head}");
            let takes_html =
                fields.iter().any(|(name, value)| *name == "Accept" && value.contains("text/html"));
            let has_form = head.contains("text/html");
            assert_eq!(
                has_form,
                gets_form || is_program && takes_html,
                "{method} {route:?} {fields:?}: {head}"
            );
        }
    }
}

#[test]
fn a_browser_gets_a_page_where_nothing_is() {
    let fixture = Fixture::new();
    let bearer = format!("Bearer {}", fixture.viewer);
    let navigates = ("Sec-Fetch-Mode", "navigate");
    for (path, fields, is_page) in [
        ("/nothing/here", &[navigates][..], true),
        ("/video/nothing", &[navigates], true),
        ("/video/nothing", &[("Sec-Fetch-Mode", "no-cors")], false),
        ("/nothing/here", &[("Accept", "*/*")], false),
    ] {
        let fields: Vec<_> = [("Authorization", bearer.as_str())].iter().chain(fields).copied().collect();
        let Outcome::Reply(reply) = fixture.outcome("GET", path, &fields, "") else { panic!("{path}") };
        let text = String::from_utf8(reply.into_bytes(&ResponseContext::default(), true, true)).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 "), "{path}: {text}");
        let (page, json) = (text.contains("<h1>Not found</h1>"), text.contains("{\"error\":"));
        assert_eq!((page, json), (is_page, !is_page), "{path} {fields:?}: {text}");
    }
}

#[test]
fn without_its_own_ca_the_server_offers_none() {
    let mut fixture = Fixture::new();
    let text = |fixture: &Fixture, path: &str| match fixture.outcome("GET", path, &[], "") {
        Outcome::Reply(reply) => {
            String::from_utf8(reply.into_bytes(&ResponseContext::default(), true, true)).unwrap()
        }
        Outcome::HandOver(_) => panic!("{path}"),
    };
    let anchor = fixture.state.certificates.as_ref().unwrap().trust_anchor().unwrap();
    let page = text(&fixture, "/trust");
    assert!(
        page.contains(&anchor.name) && page.contains("<div hidden>\n    <p>The owner of this server"),
        "{page}"
    );
    assert!(page.contains(&format!("<code class=\"long\">{}</code>", anchor.fingerprint())), "{page}");
    assert!(text(&fixture, "/ca.crt").contains("application/x-x509-ca-cert"));
    assert!(text(&fixture, "/ca.crt").contains("-----BEGIN CERTIFICATE-----"));
    assert!(text(&fixture, "/ca.mobileconfig").contains("application/x-apple-aspen-config"));
    fixture.state.certificates = None;
    assert_eq!(fixture.ask("GET", "/ca.crt", &[], ""), 404);
    assert_eq!(fixture.ask("GET", "/ca.mobileconfig", &[], ""), 404);
    assert!(
        text(&fixture, "/trust").contains("<div hidden>\n    <p>Your browser warns about this board"),
        "no CA is offered"
    );
}
