//! Tests of [`super`].

use super::*;

#[test]
fn paths_find_their_routes() {
    let rows = [
        ("/", Some(Route::Page("index.html".into()))),
        ("/app.js", Some(Route::Page("app.js".into()))),
        ("/sign-in/icon.svg", Some(Route::SignIn("icon.svg".into()))),
        ("/sign-in", Some(Route::Page("sign-in".into()))),
        ("/stream", Some(Route::Video(None))),
        ("/healthz", Some(Route::Health)),
        ("/ca.crt", Some(Route::Authority)),
        ("/ca.mobileconfig", Some(Route::AuthorityProfile)),
        ("/trust", Some(Route::Trust)),
        ("/trust/x", Some(Route::Page("trust/x".into()))),
        ("/api", Some(Route::Versions)),
        ("/api/1.0/status", Some(Route::Status)),
        ("/api/1.0/nothing", None),
        ("/api/1.0/login", Some(Route::Login)),
        ("/api/1.0/sessions/ab", Some(Route::Session("ab".into()))),
        ("/api/1.0/users", Some(Route::Users)),
        ("/api/1.0/users/eve", Some(Route::User("eve".into()))),
        ("/api/1.0/users/eve/x", None),
        ("/api/1.0/services/video", Some(Route::ServiceOf(Service::Capture(Media::Video)))),
        ("/api/1.0/services/other", None),
        ("/api/1.0/events/live", Some(Route::LiveEvents)),
        ("/api/1.0/events/17", Some(Route::Event("17".into()))),
        ("/metrics", Some(Route::Metrics)),
        ("/video", Some(Route::Video(None))),
        ("/video/front", Some(Route::Video(Some("front".into())))),
        ("/video/fr%6Fnt", Some(Route::Video(Some("front".into())))),
        ("/video/front/small", Some(Route::VideoStream("front".into(), "small".into()))),
        ("/video/front/small/x", Some(Route::Page("video/front/small/x".into()))),
        ("/snapshot/front/small", Some(Route::StreamSnapshot("front".into(), "small".into()))),
        ("/audio", Some(Route::Audio(None))),
        ("/audio/front", Some(Route::Audio(Some("front".into())))),
        ("/snapshot/yard", Some(Route::Snapshot(Some("yard".into())))),
    ];
    for (path, route) in rows {
        assert_eq!(Route::parse(path), route, "{path}");
    }
}

#[test]
fn the_path_of_each_route_leads_to_it() {
    for route in Route::all() {
        assert_eq!(Route::parse(&route.path()), Some(route));
    }
}

#[test]
fn an_action_is_a_route_only_at_the_root() {
    assert_eq!(Route::of("/", "action=stream"), Some(Route::Video(None)));
    assert_eq!(Route::of("/", "fps=5&action=snapshot"), Some(Route::Snapshot(None)));
    for near in ["snapshot_0", "stream_1", "streaming", "command", "Stream", "snapshot%20", ""] {
        assert_eq!(Route::of("/", &format!("action={near}")), None, "{near}");
        assert_eq!(Route::of("/", &format!("a=b&Action={near}&c")), None, "{near}");
        assert_eq!(Route::of("/index.html", &format!("action={near}")), None, "{near}");
    }
    assert_eq!(Route::of("/", "action"), None);
    assert_eq!(Route::of("/", "camera=action"), Route::parse("/"));
    assert_eq!(Route::of("/", "reaction=x"), Route::parse("/"));
    assert!(Route::hint("/", "action=command").contains("/?action=snapshot"));
    assert!(!Route::hint("/nothing", "action=command").contains("/snapshot"));
    for path in ["/snapshot.jpg", "/Video", "/mjpg/video.mjpg", "/audio.wav", "/cgi-bin/snapshot.cgi"] {
        assert!(Route::hint(path, "").contains("/snapshot"), "{path}");
    }
    assert!(Route::hint("/api/1.0/recordings/front/clip.mp4", "").contains("clip.mov"));
    assert!(Route::hint("/api/2.0/status", "").contains("openapi.json"));
    assert_eq!(Route::of("/healthz", "action=stream"), Some(Route::Health));
    assert_eq!(Route::of("/api/1.0/nothing", "action=stream"), None);
}

#[test]
fn paths_that_could_leave_the_folder_have_no_route() {
    let rows = [
        "",
        "x",
        "//",
        "/..",
        "/../etc/passwd",
        "/a/../b",
        "/%2e%2e/x",
        "/a/%2E%2e",
        "/a%2fb",
        "/a%5cb",
        "/a%00",
        "/.git",
        "/a//b",
        "/a/",
        "/%ff",
        "/video/..",
        "/video/",
    ];
    for path in rows {
        assert_eq!(Route::parse(path), None, "{path}");
    }
}
