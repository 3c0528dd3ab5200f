//! Routes, the page's files, and what every response carries.

use std::fs;
use std::path::Path;

use crate::support::{PASSWORD, Server, Setup, USER};

fn signed_in(server: &Server, path: &str, arguments: &[&str]) -> crate::support::Answer {
    let login = format!("{USER}:{PASSWORD}");
    server.curl(path, &[&["-u", login.as_str(), "--path-as-is"], arguments].concat())
}

#[test]
fn nothing_but_health_and_versions_is_open() {
    let server = Setup::new().start();
    assert_eq!(server.curl("/healthz", &[]).text(), "ok\n");
    assert_eq!(server.curl("/api", &[]).text(), "{\"versions\":[\"1.0\"]}");
    for path in [
        "/video",
        "/video/front",
        "/audio",
        "/audio/front",
        "/metrics",
        "/snapshot",
        "/api/1.0/status",
        "/api/2.0",
    ] {
        let answer = server.curl(path, &[]);
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer
                .field("www-authenticate")
                .is_some_and(|field| field.starts_with("Basic realm=\"Defender\"")),
            "{path}"
        );
        assert_eq!(answer.text(), "{\"error\":\"sign in\"}", "{path}");
    }
    for path in ["/", "/index.html", "/app.js", "/nothing"] {
        let program = server.curl(path, &[]);
        assert_eq!((program.status, program.field("www-authenticate").is_some()), (401, true), "{path}");
        let browser = server.curl(path, &["-A", "Mozilla/5.0 (X11; Linux)"]);
        assert_eq!((browser.status, browser.field("www-authenticate")), (401, None), "{path}");
    }
}

#[test]
fn an_ended_session_never_opens_the_browsers_own_dialog() {
    let server = Setup::new().start();
    // What browsers send for a page's module, its style and its script's requests, the newer ones first.
    let modules: [&[&str]; 3] = [
        &["-H", "Sec-Fetch-Site: same-origin", "-H", "Sec-Fetch-Mode: cors", "-H", "Sec-Fetch-Dest: script"],
        &["-H", "Accept: */*", "-H", "Cookie: __Host-defender-0a1b2c3d=0123"],
        &["-H", "Accept: */*", "-H", "X-Requested-With: fetch"],
    ];
    for path in ["/settings.js", "/settings.css", "/api/1.0/status", "/video/front", "/audio"] {
        for fields in modules {
            let answer = server.curl(path, fields);
            assert_eq!(answer.status, 401, "{path} {fields:?}");
            assert_eq!(answer.field("www-authenticate"), None, "{path} {fields:?}");
        }
        let program = server.curl(path, &["-H", "Accept: */*", "-H", "User-Agent: Lavf/60.16.100"]);
        assert!(program.field("www-authenticate").is_some(), "{path}");
    }
}

#[test]
fn a_browser_gets_the_form_and_only_what_the_form_needs() {
    let setup = Setup::new().server("www = \"site\"");
    let site = setup.path().join("site");
    fs::create_dir_all(site.join("sign-in")).unwrap();
    fs::write(site.join("sign-in/secret.js"), "mine").unwrap();
    let server = setup.start();
    let navigate = ["-H", "Sec-Fetch-Mode: navigate"];
    for path in ["/", "/video/front", "/api/1.0/status", "/nothing", "/sign-in"] {
        let answer = server.curl(path, &navigate);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.field("www-authenticate"), None, "{path}");
        assert!(answer.text().contains("<form"), "{path}");
        assert!(answer.field("content-security-policy").is_some(), "{path}");
    }
    for file in ["sign-in.js", "sign-in.css", "theme.js", "icon.svg"] {
        let found = server.curl(&format!("/sign-in/{file}"), &[]);
        assert_eq!(found.status, 200, "{file}");
        let tag = found.field("etag").expect("a tag");
        let again = server.curl(&format!("/sign-in/{file}"), &["-H", &format!("If-None-Match: {tag}")]);
        assert_eq!(again.status, 304, "{file}");
    }
    for path in ["/sign-in/secret.js", "/sign-in/index.html", "/sign-in/..%2fapp.js"] {
        assert_ne!(server.curl(path, &[]).status, 200, "{path}");
    }
}

#[test]
fn unknown_paths_and_wrong_methods_get_different_answers() {
    let server = Setup::new().start();
    let unknown = signed_in(&server, "/nothing", &[]);
    assert_eq!((unknown.status, unknown.field("content-type").as_deref()), (404, Some("application/json")));
    for path in ["/", "/video", "/api", "/api/1.0/status", "/snapshot"] {
        let answer = signed_in(&server, path, &["-X", "DELETE"]);
        assert_eq!((answer.status, answer.field("allow").as_deref()), (405, Some("GET, HEAD")), "{path}");
    }
}

#[test]
fn every_response_carries_the_security_fields() {
    let server = Setup::new().start();
    for path in ["/", "/nothing", "/api", "/snapshot", "/api/1.0/status", "/app.js"] {
        let answer = signed_in(&server, path, &[]);
        let policy = answer.field("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.field("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(answer.field("referrer-policy").as_deref(), Some("no-referrer"), "{path}");
        assert_eq!(answer.field("strict-transport-security"), None, "{path}");
        assert!(!answer.head.to_lowercase().contains("tiny"), "the inner server shows: {}", answer.head);
    }
    for path in ["/snapshot", "/video", "/audio"] {
        let answer = signed_in(&server, path, &["-I"]);
        let policy = answer.field("content-security-policy").unwrap_or_default();
        assert!(path == "/audio" || policy.contains("sandbox"), "{path}: {policy}");
    }
}

#[test]
fn hsts_is_sent_only_if_configured_and_only_over_tls() {
    let field = |setup: Setup| {
        setup.server("hsts_s = 600").start().curl("/api", &[]).field("strict-transport-security")
    };
    assert_eq!(field(Setup::new()).as_deref(), Some("max-age=600"));
    assert_eq!(field(Setup::new().plain()), None);
}

#[test]
fn two_servers_of_one_host_do_not_sign_each_other_out() {
    let (one, other) = (Setup::new().start(), Setup::new().start());
    let login = format!("{{\"user\":\"{USER}\",\"password\":\"{PASSWORD}\"}}");
    let cookie = |server: &Server| {
        let set = server.curl("/api/1.0/login", &["-d", &login]).field("set-cookie").unwrap();
        set.split(';').next().unwrap().to_owned()
    };
    // As a browser does, which keeps the cookies of a host for all its ports.
    let (first, second) = (cookie(&one), cookie(&other));
    let both = format!("Cookie: {first}; farbe=Gr\u{fc}n; {second}; __Host-defender=0123456789");
    let fields = ["-H", both.as_str()];
    for server in [&one, &other] {
        assert_eq!(server.curl("/api/1.0/status", &fields).status, 200, "{both}");
    }
    // The other's cookie alone is no failed sign-in here.
    for _ in 0..20 {
        assert_eq!(one.curl("/api/1.0/status", &["-H", &format!("Cookie: {second}")]).status, 401);
    }
    assert_eq!(one.curl("/api/1.0/status", &fields).status, 200);
    let log = one.log_until_now();
    assert!(log.contains("GET /api/1.0/status 401") && !log.contains("refused"), "{log}");
}

#[test]
fn programs_that_take_html_are_asked_for_a_password() {
    let server = Setup::new().start();
    let login = format!("{USER}:{PASSWORD}");
    for accept in ["text/html", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "*/*"] {
        for path in ["/", "/snapshot", "/api/1.0/status"] {
            let fields = ["--anyauth", "-u", &login, "-H", &format!("Accept: {accept}")];
            assert_eq!(server.curl(path, &fields).status, 200, "{path} {accept}");
        }
    }
}

#[test]
fn a_near_miss_of_an_action_gives_no_page() {
    let server = Setup::new().start();
    for action in ["snapshot_0", "streaming", "command"] {
        let answer = signed_in(&server, &format!("/?action={action}"), &[]);
        assert_eq!(answer.status, 404, "{action}");
        assert!(answer.text().contains("/?action=snapshot"), "{}", answer.text());
        assert_eq!(server.curl(&format!("/?action={action}"), &[]).text(), "{\"error\":\"sign in\"}");
    }
}

#[test]
fn a_near_miss_of_a_stream_is_answered_with_those_there_are() {
    let server = Setup::new().start();
    for path in ["/snapshot.jpg", "/Video", "/mjpg/video.mjpg", "/audio.wav"] {
        let answer = signed_in(&server, path, &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("/snapshot/NAME"), "{path}: {}", answer.text());
    }
}

#[test]
fn the_page_is_cached_by_its_tag() {
    let server = Setup::new().start();
    let first = signed_in(&server, "/app.js", &[]);
    let tag = first.field("etag").expect("a tag");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = signed_in(&server, "/app.js", &["-H", &format!("If-None-Match: {known}")]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.field("etag").as_ref(), Some(&tag), "{known}");
        // Those of a reply without a body, RFC 9110, section 8.6.
        assert_eq!((again.field("content-length"), again.field("content-type")), (None, None), "{known}");
    }
    for path in ["/app.js", "/", "/api/1.0/openapi.json"] {
        let answer = signed_in(&server, path, &[]);
        let vary = answer.field("vary");
        assert_eq!(vary.as_deref(), Some("Cookie, Authorization, Accept-Encoding"), "{path}");
    }
    let vary = server.curl("/sign-in/theme.js", &[]).field("vary");
    assert_eq!(vary.as_deref(), Some("Accept-Encoding"), "the same for anybody");
}

#[test]
fn built_in_files_are_compressed_for_clients_that_accept_it() {
    let server = Setup::new().start();
    let source = |path: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    for (path, file) in [
        ("/", "www/index.html"),
        ("/style.css", "www/style.css"),
        ("/sign-in/sign-in.js", "www/sign-in/sign-in.js"),
        ("/api/1.0/openapi.json", "src/http/openapi.json"),
    ] {
        let plain = signed_in(&server, path, &[]);
        assert_eq!(plain.field("content-encoding"), None, "{path}");
        // Scripts and style sheets are served without comments and indentation.
        let is_whole = !file.ends_with(".css") && !file.ends_with(".js");
        assert!(!is_whole || plain.body == source(file), "{path}");
        // curl inflates it.
        let compressed = signed_in(&server, path, &["--compressed"]);
        assert_eq!(compressed.body, plain.body, "{path}");
        assert_eq!(compressed.field("content-encoding").as_deref(), Some("gzip"), "{path}");
        assert_ne!(compressed.field("etag"), plain.field("etag"), "{path}");
        let raw = signed_in(&server, path, &["-H", "Accept-Encoding: gzip"]);
        let length = raw.body.len().to_string();
        assert!(raw.body.starts_with(&[0x1f, 0x8b]) && raw.body.len() < plain.body.len(), "{path}");
        let head = signed_in(&server, path, &["--head", "-H", "Accept-Encoding: gzip"]);
        for answer in [&raw, &head] {
            assert_eq!(answer.field("content-length").as_ref(), Some(&length), "{path}");
        }
        let tag = format!("If-None-Match: {}", raw.field("etag").unwrap());
        let again = signed_in(&server, path, &["-H", "Accept-Encoding: gzip", "-H", &tag]);
        assert_eq!(
            (again.status, again.body.len(), again.field("content-encoding")),
            (304, 0, None),
            "{path}"
        );
        let other = signed_in(&server, path, &["-H", &tag]);
        assert_eq!(other.status, 200, "{path}: another encoding");
    }
}

#[test]
fn a_reply_without_a_body_has_neither_length_nor_type() {
    let server = Setup::new().plain().start();
    let login = format!("{{\"user\":\"{USER}\",\"password\":\"{PASSWORD}\"}}");
    let session = server.curl("/api/1.0/login", &["-d", &login]).text();
    let token = session.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap();
    let request = format!(
        "POST /api/1.0/logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n\
         GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let answers = server.send_raw(request.as_bytes());
    let (first, second) = answers.split_once("\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 204 No Content\r\n"), "{answers}");
    let is_there = |name: &str| first.contains(&format!("\r\n{name}:"));
    assert!(!is_there("Content-Length") && !is_there("Content-Type"), "{answers}");
    assert!(second.starts_with("HTTP/1.1 200 OK\r\n") && second.ends_with("\r\n\r\nok\n"), "{answers}");
}

#[test]
fn no_path_leads_out_of_the_web_root() {
    let setup = Setup::new().server("www = \"site\"");
    let site = setup.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.html"), "my own page").unwrap();
    fs::write(site.join(".hidden"), "hidden").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", site.join("passwd")).unwrap();
    let server = setup.start();
    assert_eq!(signed_in(&server, "/", &[]).text(), "my own page");
    for path in [
        "/../users",
        "/%2e%2e/users",
        "/..%2fusers",
        "/.%2e/users",
        "/site/../../users",
        "/passwd",
        "/.hidden",
        "/%2ehidden",
        "//etc/passwd",
        "/..\\users",
        "/%5c..%5cusers",
        "/index.html%00.js",
        "/%252e%252e/users",
        "/./users",
        "/....//users",
    ] {
        let answer = signed_in(&server, path, &[]);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
}

#[test]
fn the_modes_serve_what_they_say() {
    let client = Setup::new().server("mode = \"client\"").start();
    assert_eq!(signed_in(&client, "/", &[]).status, 404);
    assert_eq!(signed_in(&client, "/snapshot", &[]).status, 200);
    let server = Setup::new().server("mode = \"server\"").start();
    assert_eq!(signed_in(&server, "/", &[]).status, 200);
    let none = signed_in(&server, "/snapshot", &[]);
    assert_eq!((none.status, none.text().as_str()), (404, "{\"error\":\"no camera is configured\"}"));
}

#[test]
fn the_status_names_each_camera() {
    let server = Setup::new().start();
    signed_in(&server, "/snapshot", &[]);
    let status = signed_in(&server, "/api/1.0/status", &[]).text();
    for part in [
        "\"version\":\"",
        "\"uptime_s\":",
        "\"name\":\"front\"",
        "\"online\":true",
        "\"width\":320",
        "\"height\":240",
        "\"fps\":30",
        "\"captured\":",
        "\"dropped\":0",
        "\"viewers\":",
        "\"microphones\":[]",
        "\"connections\":",
    ] {
        assert!(status.contains(part), "{part} is missing in {status}");
    }
}
