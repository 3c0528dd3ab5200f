//! Pages of other sites, and the fields that a browser needs for them.

use crate::support::{PASSWORD, Setup, USER, stderr};

const PANEL: &str = "https://panel.example";

fn login() -> String {
    format!("{USER}:{PASSWORD}")
}

#[test]
fn by_default_no_other_site_may_read_anything() {
    let server = Setup::new().start();
    let origin = format!("Origin: {PANEL}");
    for path in ["/api/1.0/status", "/snapshot", "/healthz"] {
        let answer = server.curl(path, &["-u", &login(), "-H", &origin]);
        assert_eq!(answer.field("Access-Control-Allow-Origin"), None, "{path}");
        assert_eq!(answer.field("Cross-Origin-Resource-Policy").as_deref(), Some("same-origin"), "{path}");
    }
    let asked = ["-X", "OPTIONS", "-H", &origin, "-H", "Access-Control-Request-Method: GET"];
    assert_eq!(server.curl("/api/1.0/status", &asked).status, 403);
}

#[test]
fn an_allowed_site_reads_with_its_own_login_and_others_do_not() {
    let server = Setup::new().server(&format!("cors_origins = [\"{PANEL}\"]")).start();
    let from = |origin: &str| format!("Origin: {origin}");
    let asked = |origin: &str| {
        let method = "Access-Control-Request-Method: PUT";
        server.curl("/api/1.0/services/video", &["-X", "OPTIONS", "-H", &from(origin), "-H", method])
    };
    let answer = asked(PANEL);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.field("Access-Control-Allow-Origin").as_deref(), Some(PANEL));
    assert_eq!(answer.field("Access-Control-Allow-Methods").as_deref(), Some("GET, HEAD, PUT"));
    assert_eq!(answer.field("Access-Control-Allow-Credentials"), None, "cookies are not its to use");
    for other in ["https://panel.example.evil", "http://panel.example", "null"] {
        assert_eq!(asked(other).status, 403, "{other}");
    }
    for path in ["/api/1.0/status", "/snapshot"] {
        let answer = server.curl(path, &["-u", &login(), "-H", &from(PANEL)]);
        assert_eq!(answer.field("Access-Control-Allow-Origin").as_deref(), Some(PANEL), "{path}");
        assert_eq!(answer.field("Vary").as_deref(), Some("Origin"), "{path}");
    }
    assert_eq!(server.curl("/api/1.0/status", &["-H", &from(PANEL)]).status, 401, "it must sign in");
    // A cache must not give a page of this site the reply for a page of another site, nor the other way round.
    for fields in [vec![], vec!["-H", "Origin: https://other.example"]] {
        let answer = server.curl("/sign-in/theme.js", &fields);
        // There is another field Vary, for the encoding.
        let varies = answer.head.lines().any(|line| line.eq_ignore_ascii_case("vary: origin"));
        assert!(varies, "{fields:?}: {answer:?}");
        assert_eq!(answer.field("Access-Control-Allow-Origin"), None, "{fields:?}");
    }
}

#[test]
fn an_allowed_site_changes_something_only_by_a_token() {
    let server = Setup::new().server(&format!("cors_origins = [\"{PANEL}\"]")).start();
    let origin = format!("Origin: {PANEL}");
    let from = ["-X", "POST", "-H", origin.as_str(), "-H", "Sec-Fetch-Site: cross-site"];
    let post = |path: &str, with: &[&str]| server.curl(path, &[&from, with].concat());
    // What a browser remembers and adds by itself.
    let answer = post("/api/1.0/logout", &["-u", &login()]);
    assert_eq!(answer.status, 403, "{answer:?}");
    let given = format!("{{\"user\":\"{USER}\",\"password\":\"{PASSWORD}\"}}");
    let session = post("/api/1.0/login", &["-d", &given]);
    assert_eq!(session.status, 200, "{session:?}");
    let text = session.text();
    let token = text.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap();
    let cookie = session.field("Set-Cookie").unwrap();
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(post("/api/1.0/logout", &["-H", &cookie]).status, 403);
    assert_eq!(post("/api/1.0/logout", &["-H", &format!("Authorization: Bearer {token}")]).status, 204);
}

#[test]
fn an_origin_with_a_path_is_reported_as_a_mistake() {
    let setup = Setup::new().server("cors_origins = [\"https://panel.example/\"]");
    setup.write_config();
    let refused = crate::support::defender(setup.path(), &["check", "-c", "defender.conf"], "");
    assert!(stderr(&refused).contains("expected a list of origins such as"), "{}", stderr(&refused));
}
