//! Every route, by every method, for everybody: who gets what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::OnceLock;

use miniserde::json::{self, Value};
use tiny_http::TestRequest;

use super::*;
use crate::control::{CAMERA, Kind};
use crate::encode::sound::Codec;
use crate::gate::{CertificateFiles, Channel, Gate, Limits};
use crate::hub::latest;
use crate::media::{PixelFormat, SoundFormat};
use crate::memory::{Account, Memory};
use crate::users::SessionLimits;

/// "password" under "saltsalt", with few rounds.
const CHEAP: &str = "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$\
                     Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA";

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Handed over to be run on the client's connection: a stream or a picture.
const JOB: u16 = 0;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    /// A viewer's session that has ended.
    Ended,
    /// A viewer of everything.
    Viewer,
    /// A viewer who may see `yard` and hear nothing; the session in the table is not his.
    Confined,
    Admin,
    /// A token of the admin's.
    Token,
    /// A token of the admin's that is confined to `yard`.
    ConfinedToken,
}

const EVERYBODY: [Who; 7] =
    [Who::Nobody, Who::Ended, Who::Viewer, Who::Confined, Who::Admin, Who::Token, Who::ConfinedToken];

impl Who {
    fn is_confined(self) -> bool {
        matches!(self, Self::Confined | Self::ConfinedToken)
    }

    fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::ConfinedToken)
    }
}

/// A server without a socket, the secrets of its users, and the id of the viewer's session.
struct Ground {
    service: Service,
    viewer: String,
    viewer_id: String,
    confined: String,
    admin: String,
    tokens: [String; 2],
    _folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        let text = format!("ada:admin:{CHEAP}\neve:viewer:{CHEAP}\nbob:viewer:{CHEAP}:cameras=yard\n");
        std::fs::write(&users, text).unwrap();
        let token = |name: &str, cameras: &[String]| {
            crate::users::add_token(&users, name, "ada", cameras, &[]).unwrap().to_string()
        };
        let tokens = [token("whole", &[]), token("narrow", &["yard".to_owned()])];
        let service = service(&users);
        let sign_in = |name: &str| {
            let user = service.accounts.authenticate(name, "password", peer().ip()).unwrap();
            service.accounts.begin_session(&user, peer().ip()).unwrap().unwrap().to_string()
        };
        let (viewer, confined, admin) = (sign_in("eve"), sign_in("bob"), sign_in("ada"));
        let viewer_id = service.accounts.by_secret(&viewer).unwrap().session_id().unwrap();
        Self { service, viewer, viewer_id, confined, admin, tokens, _folder: folder }
    }

    fn secret(&self, who: Who) -> Option<String> {
        match who {
            Who::Nobody => None,
            Who::Ended => {
                let user = self.service.accounts.by_secret(&self.viewer).unwrap();
                self.service.accounts.end_session(&user);
                Some(self.viewer.clone())
            }
            Who::Viewer => Some(self.viewer.clone()),
            Who::Confined => Some(self.confined.clone()),
            Who::Admin => Some(self.admin.clone()),
            Who::Token => Some(self.tokens[0].clone()),
            Who::ConfinedToken => Some(self.tokens[1].clone()),
        }
    }

    /// The status of the answer to a request, or [`JOB`].
    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> u16 {
        match self.outcome(method, path, fields, body) {
            Outcome::Reply(reply) => reply.status(),
            Outcome::HandOver(_) => JOB,
        }
    }

    /// The head of the 401 that a request gets.
    fn refusal(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
        match self.outcome(method, path, fields, "{}") {
            Outcome::Reply(reply) if reply.status() == 401 => {
                String::from_utf8(reply.into_bytes(&Surroundings::default(), true, false)).unwrap()
            }
            Outcome::Reply(reply) => panic!("{method} {path}: {}", reply.status()),
            Outcome::HandOver(_) => panic!("{method} {path} was let in"),
        }
    }

    fn outcome(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> Outcome {
        let mut asked =
            TestRequest::new().with_method(method.parse().unwrap()).with_path(path).with_body(body);
        for (name, value) in fields {
            asked = asked.with_header(tiny_http::Header::from_bytes(*name, *value).unwrap());
        }
        self.service.handle(&mut asked.into(), &Exchange::of(peer(), true))
    }
}

fn service(users: &Path) -> Service {
    let feed = |name: &str| {
        let (publisher, frames) = latest(8);
        drop(publisher);
        Arc::new(CameraFeed::new(name, frames))
    };
    let cameras = Arc::new(FeedList::default());
    cameras.replace(["front", "yard"].map(feed).into());
    let microphones = Arc::new(FeedList::default());
    let (_, microphone) = MicrophoneFeed::new("front", SoundFormat { rate_hz: 8000, channels: 1 });
    microphones.replace(vec![Arc::new(microphone)]);
    let listeners = Gate::listen(&[Ipv4Addr::LOCALHOST.into()], 0).unwrap();
    let channel = Channel::open(users.parent().unwrap()).unwrap();
    let exchanges = Arc::new(Exchanges::new(channel, Account::unlimited()));
    let gate = Gate::new(listeners, Limits::default(), None, exchanges).unwrap();
    Service {
        // What the routes see of devices is made above.
        control: Control::without_devices(),
        accounts: Arc::new(Accounts::open(users, SessionLimits::default())),
        cameras,
        microphones,
        coders: Coders::default(),
        page: Some(Page::open(None).unwrap()),
        admission: gate.admission(),
        memory: Memory::new(1024 * 1024),
        counts: Counts::default(),
        hsts_s: 0,
        cookie: "__Host-defender-0a1b2c3d".to_owned(),
        origins: Origins::default(),
        certificates: Some(certificates()),
        started: Instant::now(),
    }
}

/// A CA and a certificate of it, the same for all: their files are gone, but nobody looks at them again.
fn certificates() -> Arc<Certificates> {
    static MADE: OnceLock<Arc<Certificates>> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("server.pem"), folder.path().join("key.pem"));
        Certificates::open(CertificateFiles::new(&cert, &key, &[])).unwrap()
    };
    Arc::clone(MADE.get_or_init(make))
}

fn peer() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4321))
}

/// What each route gives to whom, told apart from the code that decides it. The body sent is
/// `{}`, which is enough for nothing: a 400 was let in.
fn expected(route: &Route, method: &str, who: Who) -> u16 {
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
        // Nothing is to change, and nothing is changed.
        Route::Camera(_) if method == "PUT" => (false, true, Some(409)),
        Route::Camera(_) => {
            let is_seen = !who.is_confined();
            (false, !reads, reads.then_some(if is_seen { 200 } else { 404 }))
        }
        Route::Microphone(_) => {
            let is_heard = !who.is_confined();
            (false, false, reads.then_some(if is_heard { 200 } else { 404 }))
        }
        Route::ServiceOf(_) => {
            (false, !reads, if reads { Some(200) } else { (method == "PUT").then_some(400) })
        }
        Route::Devices | Route::Logs => (false, true, reads.then_some(200)),
        // Nothing is overridden.
        Route::Settings => (false, true, (reads || method == "DELETE").then_some(200)),
        Route::Setting(_) => (false, true, (method == "DELETE").then_some(404)),
        Route::Logging => (false, true, if reads { Some(200) } else { (method == "PUT").then_some(400) }),
        Route::Session(_) => {
            let is_own_or_all = matches!(who, Who::Viewer | Who::Admin);
            (false, false, (method == "DELETE").then_some(if is_own_or_all { 204 } else { 404 }))
        }
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
        Route::Video(name) | Route::Snapshot(name) => {
            let is_seen = name.as_deref() != Some("front") || !who.is_confined();
            (false, false, reads.then_some(if is_seen { JOB } else { 404 }))
        }
    };
    match who {
        Who::Nobody | Who::Ended if !for_anybody => 401,
        Who::Viewer | Who::Confined | Who::ConfinedToken if admins_only => 403,
        _ if who.is_token() && answer.is_some() && is_about_accounts(route, reads) => 403,
        _ => answer.unwrap_or(405),
    }
}

/// What no token may do, told apart from the code that decides it.
fn is_about_accounts(route: &Route, reads: bool) -> bool {
    match route {
        Route::Password | Route::Sessions | Route::Session(_) => true,
        Route::Users | Route::User(_) => !reads,
        _ => false,
    }
}

#[test]
fn every_route_by_every_method_gives_everybody_what_is_his_and_no_more() {
    let mut asked = 0;
    for sample in Route::all() {
        for (method, who) in METHODS.iter().flat_map(|method| EVERYBODY.map(|who| (*method, who))) {
            // What one request changes must not be seen by the next.
            let ground = Ground::new();
            let route = match &sample {
                Route::Session(_) => Route::Session(ground.viewer_id.clone()),
                Route::User(_) => Route::User("eve".to_owned()),
                other => other.clone(),
            };
            let secret = ground.secret(who);
            let bearer = secret.map(|secret| format!("Bearer {secret}"));
            let fields: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
            let got = ground.ask(method, &route.path(), &fields, "{}");
            assert_eq!(got, expected(&route, method, who), "{method} {} by {who:?}", route.path());
            asked += 1;
        }
    }
    assert_eq!(asked, Route::all().len() * METHODS.len() * EVERYBODY.len());
}

#[test]
fn nothing_is_changed_from_another_sites_page_whatever_the_browser_sends_along() {
    let ground = Ground::new();
    let cookie = format!("{}={}", ground.service.cookie, ground.admin);
    let basic = ("Authorization", "Basic YWRhOnBhc3N3b3Jk");
    for credentials in [("Cookie", cookie.as_str()), basic] {
        for foreign in
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")]
        {
            for (method, path) in [("POST", "/api/1.0/users"), ("DELETE", "/api/1.0/users/eve")] {
                let fields = [credentials, foreign, ("Host", "board:8443")];
                assert_eq!(ground.ask(method, path, &fields, "{}"), 403, "{credentials:?} {foreign:?}");
            }
        }
        let own = [credentials, ("Origin", "https://board:8443"), ("Host", "board:8443")];
        assert_eq!(ground.ask("POST", "/api/1.0/users", &own, "{}"), 400, "our own page");
    }
    assert_eq!(ground.ask("POST", "/api/1.0/login", &[("Sec-Fetch-Site", "cross-site")], "{}"), 403);
    assert_eq!(ground.service.accounts.list().unwrap().users.len(), 3);
}

#[test]
fn a_request_of_another_sites_page_costs_no_hash_and_tells_no_paths() {
    let ground = Ground::new();
    let foreign = ("Origin", "https://evil.example");
    for path in ["/api/1.0/users", "/api/1.0/nothing", "/nothing.html", "/../users"] {
        // "ada:wrong"
        let fields = [("Authorization", "Basic YWRhOndyb25n"), foreign, ("Host", "board:8443")];
        let (status, rounds) = crate::users::rounds_spent::during(|| ground.ask("POST", path, &fields, "{}"));
        assert_eq!((status, rounds), (403, 0), "{path}");
        assert_eq!(ground.ask("POST", path, &[foreign], "{}"), 403, "{path} without a name");
    }
}

#[test]
fn whoever_is_no_admin_any_more_when_a_change_has_its_turn_is_not_obeyed() {
    let ground = Ground::new();
    let service = &ground.service;
    let ada = service.accounts.by_secret(&ground.admin).unwrap();
    assert!(service.accounts.end_session(&ada));
    let may = || service.accounts.holds(&ada);
    let unlogged = || panic!("it was not made");
    let control = &service.control;
    let requester = crate::control::Requester { name: "ada", may: &may, log: &unlogged };
    let refused =
        |made: Result<(), crate::control::ControlError>| cameras::refused(&made.unwrap_err()).status();
    assert_eq!(refused(control.set_running(crate::control::Media::Video, false, &requester)), 403);
    assert_eq!(refused(control.set_log_level("off", false, &requester)), 403);
    let change = crate::control::CameraChange::default();
    assert_eq!(refused(control.change_camera("front", &change, false, &requester)), 403);
    assert_eq!(control.stopped_by(crate::control::Media::Video), None);
}

#[test]
fn a_secret_in_the_address_lets_nobody_in() {
    let ground = Ground::new();
    for query in ["token", "access_token", "session", "auth"] {
        let path = format!("/api/1.0/status?{query}={}", ground.admin);
        assert_eq!(ground.ask("GET", &path, &[], ""), 401, "{query}");
    }
}

#[test]
fn who_is_not_signed_in_gets_the_form_in_a_browser_and_never_its_dialog_and_a_program_the_challenge() {
    let ground = Ground::new();
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
            let head = ground.refusal(method, &route.path(), fields);
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
fn without_a_ca_of_its_own_the_server_offers_none_and_the_page_says_so() {
    let mut ground = Ground::new();
    let text = |ground: &Ground, path: &str| match ground.outcome("GET", path, &[], "") {
        Outcome::Reply(reply) => {
            String::from_utf8(reply.into_bytes(&Surroundings::default(), true, true)).unwrap()
        }
        Outcome::HandOver(_) => panic!("{path}"),
    };
    let anchor = ground.service.certificates.as_ref().unwrap().trust_anchor().unwrap();
    let page = text(&ground, "/trust");
    assert!(
        page.contains(&anchor.name) && page.contains("<div hidden>\n    <p>The certificate of"),
        "{page}"
    );
    assert!(text(&ground, "/ca.crt").contains("application/x-x509-ca-cert"));
    assert!(text(&ground, "/ca.crt").contains("-----BEGIN CERTIFICATE-----"));
    assert!(text(&ground, "/ca.mobileconfig").contains("application/x-apple-aspen-config"));
    ground.service.certificates = None;
    assert_eq!(ground.ask("GET", "/ca.crt", &[], ""), 404);
    assert_eq!(ground.ask("GET", "/ca.mobileconfig", &[], ""), 404);
    assert!(text(&ground, "/trust").contains("<div hidden>\n    <p>This board has"), "no CA is offered");
}

#[test]
fn an_unknown_path_is_told_to_users_only() {
    let ground = Ground::new();
    let bearer = format!("Bearer {}", ground.viewer);
    for path in ["/api/1.0/nothing", "/nothing.html", "/../users"] {
        assert_eq!(ground.ask("GET", path, &[], ""), 401, "{path}");
        assert_eq!(ground.ask("GET", path, &[("Authorization", &bearer)], ""), 404, "{path}");
    }
}

#[test]
fn no_handler_reads_a_field_that_the_gate_does_not_pass_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut asked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for piece in text.split("field(request, \"").skip(1) {
            let name = piece.split('"').next().unwrap();
            let passes = ["Host", "Cookie"].contains(&name) || crate::gate::is_passed_on(name);
            assert!(passes, "{name} in {}", path.display());
            asked += 1;
        }
    }
    for name in ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Requested-With"] {
        assert!(crate::gate::is_passed_on(name), "{name}");
    }
    assert!(asked > 10 && crate::gate::is_passed_on(EXCHANGE_HEADER).eq(&false));
}

#[test]
fn a_near_miss_of_an_action_is_told_to_users_what_there_is() {
    let ground = Ground::new();
    let bearer = format!("Bearer {}", ground.viewer);
    for action in ["snapshot_0", "streaming", "command&dest=0", ""] {
        let path = format!("/?action={action}");
        assert_eq!(ground.ask("GET", &path, &[], ""), 401, "{path}");
        let Outcome::Reply(reply) = ground.outcome("GET", &path, &[("Authorization", &bearer)], "") else {
            panic!("{path} is a stream");
        };
        let text = String::from_utf8(reply.into_bytes(&Surroundings::default(), true, true)).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("/?action=snapshot"), "{text}");
    }
}

#[test]
fn a_body_too_large_is_refused() {
    let ground = Ground::new();
    let large: &'static str = Box::leak("x".repeat(17 * 1024).into_boxed_str());
    assert_eq!(ground.ask("POST", "/api/1.0/login", &[], large), 413);
}

#[test]
fn the_description_names_the_words_and_types_that_are_sent() {
    let text = include_str!("openapi.json");
    let types: BTreeSet<&str> =
        text.split("\"audio/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let sent = Codec::NAMES.map(|(_, codec)| codec.content_type().strip_prefix("audio/").unwrap());
    assert_eq!(types, BTreeSet::from(sent));
    let quoted =
        |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let formats = PixelFormat::ALL.map(PixelFormat::name);
    for words in [
        format!("\"format\":{{\"enum\":[{},null]", quoted(&formats)),
        format!("\"enum\":[\"auto\",{}]", quoted(&formats)),
        format!("\"chroma\":{{\"type\":\"string\",\"enum\":[{}]", quoted(&["auto", "420"])),
    ] {
        assert!(text.contains(&words), "{words} is missing");
    }
}

#[test]
fn the_description_has_each_setting_of_a_camera() {
    let text = include_str!("openapi.json");
    let (_, change) = text.split_once("\"operationId\":\"changeCamera\"").unwrap();
    let change = change.split("\"save\":").next().unwrap();
    let (_, shown) = text.split_once("\"CameraSettings\":").unwrap();
    let (shown, required) = shown.lines().next().unwrap().split_once("\"required\":").unwrap();
    for setting in &CAMERA {
        let key = format!("\"{}\"", setting.key);
        assert!(shown.contains(&format!("{key}:{{")) && required.contains(&key), "{key} is not described");
        let changed = match setting.kind() {
            _ if !setting.is_live => continue,
            Kind::Integer(range) => {
                let (least, most) = range.into_inner();
                format!("{key}:{{\"type\":\"integer\",\"minimum\":{least},\"maximum\":{most}}}")
            }
            Kind::Boolean => format!("{key}:{{\"type\":\"boolean\""),
            Kind::Choice(words) => {
                format!("{key}:{{\"type\":\"string\",\"enum\":[\"{}\"]", words.join("\",\""))
            }
            Kind::Text => format!("{key}:{{\"type\":\"string\""),
        };
        assert!(change.contains(&changed), "{changed} is missing in the description of a change");
    }
}

#[test]
fn the_description_has_each_route_with_its_methods_and_no_other() {
    let text = include_str!("openapi.json");
    let Value::Object(document) = json::from_str(text).unwrap() else { panic!("no object") };
    let Some(Value::Object(paths)) = document.get("paths") else { panic!("no paths") };
    let described: BTreeMap<String, Vec<String>> = paths
        .iter()
        .map(|(path, operations)| {
            let Value::Object(operations) = operations else { panic!("{path}") };
            (path.clone(), operations.keys().map(|method| method.to_uppercase()).collect())
        })
        .collect();
    let template = |path: String| match path.rsplit_once('/') {
        Some((base, "front" | "eve" | "camera.front.fps")) => format!("{base}/{{name}}"),
        Some((base, "0123456789abcdef")) => format!("{base}/{{id}}"),
        _ => path,
    };
    let routed: BTreeMap<String, Vec<String>> = Route::all()
        .into_iter()
        .filter(|route| !matches!(route, Route::Page(_) | Route::SignIn(_)))
        .map(|route| {
            // Every GET is a HEAD, too, as the document says once.
            let methods = route.methods().iter().filter(|method| **method != "HEAD");
            let mut methods: Vec<String> = methods.map(|method| (*method).to_owned()).collect();
            methods.sort();
            (template(route.path()), methods)
        })
        .collect();
    assert_eq!(described, routed);
}
