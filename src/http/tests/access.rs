//! Every route, by every method, for every kind of requester.

use std::collections::BTreeSet;

use super::*;
use crate::control::{CameraChange, ControlError, Media};
use crate::http::api::control_error;
use crate::http::route::{Footage, Route};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requester {
    Nobody,
    /// A viewer's session that has ended.
    Ended,
    /// A viewer of everything.
    Viewer,
    /// A viewer who may see `yard` and hear nothing; the session in the table is another user's.
    Confined,
    Admin,
    /// A token of the admin's.
    Token,
    /// A token of the admin's that is confined to `yard`.
    ConfinedToken,
}

const EVERYBODY: [Requester; 7] = [
    Requester::Nobody,
    Requester::Ended,
    Requester::Viewer,
    Requester::Confined,
    Requester::Admin,
    Requester::Token,
    Requester::ConfinedToken,
];

impl Requester {
    fn is_confined(self) -> bool {
        matches!(self, Self::Confined | Self::ConfinedToken)
    }

    fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::ConfinedToken)
    }
}

#[test]
fn each_route_and_method_answers_each_requester_as_listed() {
    let mut fixture = Fixture::new();
    for sample in Route::all() {
        for (method, who) in METHODS.iter().flat_map(|method| EVERYBODY.map(|who| (*method, who))) {
            let route = match &sample {
                Route::Session(_) => Route::Session(fixture.viewer_id.clone()),
                Route::User(_) => Route::User("eve".to_owned()),
                other => other.clone(),
            };
            let secret = secret(&fixture, who);
            let bearer = secret.map(|secret| format!("Bearer {secret}"));
            let fields: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
            let got = fixture.ask(method, &route.path(), &fields, "{}");
            assert_eq!(got, expected(&route, method, who), "{method} {} by {who:?}", route.path());
            let may_have_changed = !["GET", "HEAD"].contains(&method) && (200..300).contains(&got);
            if may_have_changed || who == Requester::Ended {
                fixture = Fixture::new();
            }
        }
    }
}

/// The walk above is only as good as its list, which the compiler cannot check: it is compared with the source.
#[test]
fn the_list_of_routes_has_each_variant_of_route() {
    let source = include_str!("../route.rs");
    let body = source.split_once("pub enum Route {").unwrap().1.split_once("\n}").unwrap().0;
    let is_variant = |line: &&str| line.starts_with(|c: char| c.is_ascii_uppercase());
    let name = |text: &str| text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
    let declared: BTreeSet<String> = body.lines().map(str::trim).filter(is_variant).map(name).collect();
    let listed: BTreeSet<String> = Route::all().iter().map(|route| name(&format!("{route:?}"))).collect();
    assert_eq!(listed, declared);
    assert!(declared.contains("Health") && declared.contains("Page"), "{declared:?}");
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let fixture = Fixture::new();
    let cookie = format!("{}={}", fixture.state.cookie, fixture.admin);
    let basic = ("Authorization", "Basic YWRhOnBhc3N3b3Jk");
    for credentials in [("Cookie", cookie.as_str()), basic] {
        for foreign in
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")]
        {
            for (method, path) in [("POST", "/api/1.0/users"), ("DELETE", "/api/1.0/users/eve")] {
                let fields = [credentials, foreign, ("Host", "board:8443")];
                assert_eq!(fixture.ask(method, path, &fields, "{}"), 403, "{credentials:?} {foreign:?}");
            }
        }
        let own = [credentials, ("Origin", "https://board:8443"), ("Host", "board:8443")];
        assert_eq!(fixture.ask("POST", "/api/1.0/users", &own, "{}"), 400, "our own page");
    }
    assert_eq!(fixture.ask("POST", "/api/1.0/login", &[("Sec-Fetch-Site", "cross-site")], "{}"), 403);
    assert_eq!(fixture.state.accounts.list().unwrap().users.len(), 3);
}

#[test]
fn a_request_of_another_site_costs_no_hash() {
    let fixture = Fixture::new();
    let foreign = ("Origin", "https://evil.example");
    for path in ["/api/1.0/users", "/api/1.0/nothing", "/nothing.html", "/../users"] {
        // "ada:wrong"
        let fields = [("Authorization", "Basic YWRhOndyb25n"), foreign, ("Host", "board:8443")];
        let (status, rounds) =
            crate::users::rounds_spent::during(|| fixture.ask("POST", path, &fields, "{}"));
        assert_eq!((status, rounds), (403, 0), "{path}");
        assert_eq!(fixture.ask("POST", path, &[foreign], "{}"), 403, "{path} without a name");
    }
}

#[test]
fn a_change_by_a_former_admin_is_refused() {
    let fixture = Fixture::new();
    let state = &fixture.state;
    let ada = state.accounts.by_secret(&fixture.admin).unwrap();
    assert!(state.accounts.end_session(&ada));
    let may = || state.accounts.holds(&ada);
    let log = || panic!("it was not made");
    let control = &state.control;
    let requester = crate::control::Requester { name: "ada", may: &may, log: &log };
    let refused = |made: Result<(), ControlError>| control_error(&made.unwrap_err()).status();
    assert_eq!(refused(control.set_running(Media::Video, false, &requester)), 403);
    assert_eq!(refused(control.set_log_level("off", false, &requester)), 403);
    let change = CameraChange::default();
    assert_eq!(refused(control.change_camera("front", &change, false, &requester)), 403);
    assert_eq!(control.stopped_by(Media::Video), None);
}

#[test]
fn a_secret_in_the_query_is_not_accepted() {
    let fixture = Fixture::new();
    for query in ["token", "access_token", "session", "auth"] {
        let path = format!("/api/1.0/status?{query}={}", fixture.admin);
        assert_eq!(fixture.ask("GET", &path, &[], ""), 401, "{query}");
    }
}

#[test]
fn only_users_learn_that_a_path_is_unknown() {
    let fixture = Fixture::new();
    let bearer = format!("Bearer {}", fixture.viewer);
    for path in ["/api/1.0/nothing", "/nothing.html", "/../users"] {
        assert_eq!(fixture.ask("GET", path, &[], ""), 401, "{path}");
        assert_eq!(fixture.ask("GET", path, &[("Authorization", &bearer)], ""), 404, "{path}");
    }
}

#[test]
fn users_who_mistype_an_action_learn_the_right_ones() {
    let fixture = Fixture::new();
    let bearer = format!("Bearer {}", fixture.viewer);
    for action in ["snapshot_0", "streaming", "command&dest=0", ""] {
        let path = format!("/?action={action}");
        assert_eq!(fixture.ask("GET", &path, &[], ""), 401, "{path}");
        let Outcome::Reply(reply) = fixture.outcome("GET", &path, &[("Authorization", &bearer)], "") else {
            panic!("{path} is a stream");
        };
        let text = String::from_utf8(reply.into_bytes(&ResponseContext::default(), true, true)).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("/?action=snapshot"), "{text}");
    }
}

/// The secret that a requester sends.
fn secret(fixture: &Fixture, who: Requester) -> Option<String> {
    match who {
        Requester::Nobody => None,
        Requester::Ended => {
            let user = fixture.state.accounts.by_secret(&fixture.viewer).unwrap();
            fixture.state.accounts.end_session(&user);
            Some(fixture.viewer.clone())
        }
        Requester::Viewer => Some(fixture.viewer.clone()),
        Requester::Confined => Some(fixture.confined.clone()),
        Requester::Admin => Some(fixture.admin.clone()),
        Requester::Token => Some(fixture.tokens[0].clone()),
        Requester::ConfinedToken => Some(fixture.tokens[1].clone()),
    }
}

/// The status that each route answers with, written down independently of the code that decides it. The body
/// sent is `{}`, which no handler takes: a request with status 400 was admitted.
fn expected(route: &Route, method: &str, who: Requester) -> u16 {
    let reads = ["GET", "HEAD"].contains(&method);
    let (for_anybody, admins_only, answer) = match route {
        Route::Health | Route::Versions | Route::SignIn(_) => (true, false, reads.then_some(200)),
        Route::Authority | Route::AuthorityProfile | Route::Trust => (true, false, reads.then_some(200)),
        Route::Login => (true, false, (method == "POST").then_some(400)),
        Route::Logout => (false, false, (method == "POST").then_some(204)),
        Route::Password => (false, false, (method == "PUT").then_some(400)),
        Route::Sessions | Route::Status | Route::Metrics | Route::Page(_) => {
            (false, false, reads.then_some(200))
        }
        Route::Cameras | Route::Microphones | Route::Services | Route::Description => {
            (false, false, reads.then_some(200))
        }
        // The cameras of this fixture are not the server's own.
        Route::Camera(_) if method == "PUT" => (false, true, Some(409)),
        Route::Camera(_) => {
            let is_seen = !who.is_confined();
            (false, !reads, reads.then_some(if is_seen { 200 } else { 404 }))
        }
        // No motion is looked for at them.
        Route::LiveMotion(_) => {
            let is_seen = !who.is_confined();
            (false, false, reads.then_some(if is_seen { 409 } else { 404 }))
        }
        Route::MotionReplay(_) => (false, true, (method == "POST").then_some(409)),
        Route::Microphone(_) => {
            let is_heard = !who.is_confined();
            (false, false, reads.then_some(if is_heard { 200 } else { 404 }))
        }
        Route::ServiceOf(_) => {
            (false, !reads, if reads { Some(200) } else { (method == "PUT").then_some(400) })
        }
        // Nothing is recorded.
        Route::Recordings => (false, false, reads.then_some(200)),
        Route::Recording(_) => {
            let is_seen = !who.is_confined();
            let answer = if reads { Some(200) } else { (method == "DELETE").then_some(400) };
            (false, !reads, if is_seen || !reads { answer } else { Some(404) })
        }
        Route::Footage(_, part) => {
            let is_seen = !who.is_confined();
            let status = match part {
                Footage::Timeline => 200,
                Footage::Thumbnails => 404,
                _ => 400,
            };
            (false, false, reads.then_some(if is_seen { status } else { 404 }))
        }
        Route::Devices | Route::Logs => (false, true, reads.then_some(200)),
        // Nothing is overridden.
        Route::Settings => (false, true, (reads || method == "DELETE").then_some(200)),
        Route::Setting(_) => (false, true, (method == "DELETE").then_some(404)),
        Route::Logging => (false, true, if reads { Some(200) } else { (method == "PUT").then_some(400) }),
        Route::Session(_) => {
            let is_own_or_all = matches!(who, Requester::Viewer | Requester::Admin);
            (false, false, (method == "DELETE").then_some(if is_own_or_all { 204 } else { 404 }))
        }
        Route::Events => (false, false, if reads { Some(200) } else { (method == "POST").then_some(400) }),
        Route::LiveEvents => (false, false, reads.then_some(JOB)),
        // There are none.
        Route::Event(_) if method == "DELETE" => (false, true, Some(404)),
        Route::Event(_) => (false, false, if reads { Some(404) } else { (method == "PUT").then_some(400) }),
        Route::Users => (false, true, if reads { Some(200) } else { (method == "POST").then_some(400) }),
        Route::User(_) => (
            false,
            true,
            match method {
                "PUT" => Some(400),
                "DELETE" => Some(204),
                _ => None,
            },
        ),
        Route::Audio(_) => {
            let is_heard = !who.is_confined();
            (false, false, reads.then_some(if is_heard { JOB } else { 404 }))
        }
        Route::VideoStream(..) | Route::StreamSnapshot(..) => {
            let is_seen = !who.is_confined();
            (false, false, reads.then_some(if is_seen { JOB } else { 404 }))
        }
        Route::Video(name) | Route::Snapshot(name) => {
            let is_seen = name.as_deref() != Some("front") || !who.is_confined();
            (false, false, reads.then_some(if is_seen { JOB } else { 404 }))
        }
    };
    match who {
        Requester::Nobody | Requester::Ended if !for_anybody => 401,
        Requester::Viewer | Requester::Confined | Requester::ConfinedToken if admins_only => 403,
        Requester::Viewer | Requester::Confined if !reads && is_about_events(route) => 403,
        _ if who.is_token() && answer.is_some() && is_about_accounts(route, reads) => 403,
        _ => answer.unwrap_or(405),
    }
}

/// What programs with tokens may change, and people only as admins.
fn is_about_events(route: &Route) -> bool {
    matches!(route, Route::Events | Route::LiveEvents | Route::Event(_))
}

/// What no token may do, written down independently of the code that decides it.
fn is_about_accounts(route: &Route, reads: bool) -> bool {
    match route {
        Route::Password | Route::Sessions | Route::Session(_) => true,
        Route::Users | Route::User(_) => !reads,
        Route::Health
        | Route::Versions
        | Route::Authority
        | Route::AuthorityProfile
        | Route::Trust
        | Route::Login
        | Route::Logout
        | Route::Status
        | Route::Cameras
        | Route::Camera(_)
        | Route::LiveMotion(_)
        | Route::MotionReplay(_)
        | Route::Microphones
        | Route::Microphone(_)
        | Route::Devices
        | Route::Services
        | Route::ServiceOf(_)
        | Route::Events
        | Route::LiveEvents
        | Route::Event(_)
        | Route::Logging
        | Route::Settings
        | Route::Setting(_)
        | Route::Logs
        | Route::Description
        | Route::Recordings
        | Route::Recording(_)
        | Route::Footage(..)
        | Route::Metrics
        | Route::Video(_)
        | Route::Snapshot(_)
        | Route::VideoStream(..)
        | Route::StreamSnapshot(..)
        | Route::Audio(_)
        | Route::SignIn(_)
        | Route::Page(_) => false,
    }
}

#[test]
fn a_switch_turns_only_for_who_still_may() {
    use crate::http::api::services;
    use crate::http::call::Call;
    use crate::http::route::Service;
    let fixture = Fixture::new();
    let user = fixture.state.accounts.by_secret(&fixture.admin).unwrap();
    assert!(fixture.state.accounts.end_session(&user));
    let (state, pending) = (&fixture.state, &PendingRequest::of(peer(), true));
    for service in [Service::Recording, Service::Motion] {
        let body = TestRequest::new().with_method(tiny_http::Method::Put).with_body("{\"running\":false}");
        let request = &mut body.into();
        let reply = services::change(&mut Call { state, request, pending, user: &user }, service);
        assert_eq!(reply.status(), 403);
    }
    let stoppers = [state.recordings.switch().stopped_by(), state.motion.switch().stopped_by()];
    assert_eq!(stoppers, [None, None]);
}
