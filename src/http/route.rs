//! The route table: which path is what, which methods it takes, who may ask.

use percent_encoding::percent_decode_str;

use crate::control::Media;

/// A place in the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/healthz`: alive, and nothing more.
    Health,
    /// `/api`: the versions of the API.
    Versions,
    /// `/ca.crt`: the CA of the board's own, for devices to trust.
    Authority,
    /// `/ca.mobileconfig`: the same for Apple's devices.
    AuthorityProfile,
    /// `/trust`: the page that says what to do with it.
    Trust,
    /// `/api/1.0/login`: a name and password into a session.
    Login,
    /// `/api/1.0/logout`: the end of one's session.
    Logout,
    /// `/api/1.0/password`: one's own.
    Password,
    /// `/api/1.0/sessions`: one's own; all of them for an admin.
    Sessions,
    /// `/api/1.0/sessions/ID`: its end.
    Session(String),
    /// `/api/1.0/users`.
    Users,
    /// `/api/1.0/users/NAME`.
    User(String),
    /// `/api/1.0/status`.
    Status,
    /// `/api/1.0/cameras`.
    Cameras,
    /// `/api/1.0/cameras/NAME`: one with its settings and controls, to be changed by an admin.
    Camera(String),
    /// `/api/1.0/microphones`.
    Microphones,
    /// `/api/1.0/microphones/NAME`.
    Microphone(String),
    /// `/api/1.0/devices`: what is plugged in.
    Devices,
    /// `/api/1.0/services`: whether video and audio are captured.
    Services,
    /// `/api/1.0/services/video`, `/api/1.0/services/audio`: one of them, to be stopped and started
    /// by an admin.
    ServiceOf(Media),
    /// `/api/1.0/logging`: how much is logged.
    Logging,
    /// `/api/1.0/settings`: what can be changed while the server runs, and what is overridden.
    Settings,
    /// `/api/1.0/settings/NAME`: one of them, to be reset.
    Setting(String),
    /// `/api/1.0/logs`: the end of the log.
    Logs,
    /// `/api/1.0/openapi.json`: the API as a document of OpenAPI 3.1.
    Description,
    /// `/metrics`: numbers for Prometheus.
    Metrics,
    /// `/video`, `/video/NAME`: the stream of the first or the named camera; for clients of
    /// uStreamer `/stream`, for those of mjpg-streamer `/?action=stream`.
    Video(Option<String>),
    /// `/snapshot`, `/snapshot/NAME`: one picture of it; for clients of mjpg-streamer
    /// `/?action=snapshot`.
    Snapshot(Option<String>),
    /// `/audio`, `/audio/NAME`: the sound of the first or the named microphone.
    Audio(Option<String>),
    /// `/sign-in/FILE`: what the sign-in document needs.
    SignIn(String),
    /// Anything else may be a file of the page: its path without the leading slash.
    Page(String),
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody who can reach the port.
    Public,
    /// Any user. What a confined one sees of it is cut to what is his.
    Viewer,
    /// Admins only.
    Admin,
}

impl Route {
    /// The route of a request target; `None` where there can be nothing. Only at `/` does the query
    /// take part in it.
    pub fn of(path: &str, query: &str) -> Option<Self> {
        match action(path, query) {
            Some("stream") => Some(Self::Video(None)),
            Some("snapshot") => Some(Self::Snapshot(None)),
            // Not the page: a program that wants a picture would take its HTML for one.
            Some(_) => None,
            None => Self::parse(path),
        }
    }

    /// What to say of a target without a route; only to who is signed in.
    pub fn hint(path: &str, query: &str) -> &'static str {
        if action(path, query).is_none() {
            return "there is nothing here";
        }
        "there is no such action; streams are at /video, /video/NAME and /?action=stream, pictures at \
         /snapshot, /snapshot/NAME and /?action=snapshot, sound at /audio"
    }

    /// The route of a request target's path; `None` where there can be nothing.
    ///
    /// Paths with empty or dot segments, with a NUL, a backslash or a slash behind percent
    /// encoding have no route: there is nothing to normalise, so nothing to be fooled by.
    pub fn parse(path: &str) -> Option<Self> {
        let decoded = path.strip_prefix('/')?;
        if decoded.is_empty() {
            return Some(Self::Page("index.html".to_owned()));
        }
        let segments = decoded.split('/').map(decode_segment).collect::<Option<Vec<_>>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Some(match segments[..] {
            ["healthz"] => Self::Health,
            ["ca.crt"] => Self::Authority,
            ["ca.mobileconfig"] => Self::AuthorityProfile,
            ["trust"] => Self::Trust,
            ["api"] => Self::Versions,
            ["api", "1.0", "login"] => Self::Login,
            ["api", "1.0", "logout"] => Self::Logout,
            ["api", "1.0", "password"] => Self::Password,
            ["api", "1.0", "sessions"] => Self::Sessions,
            ["api", "1.0", "sessions", id] => Self::Session(id.to_owned()),
            ["api", "1.0", "users"] => Self::Users,
            ["api", "1.0", "users", name] => Self::User(name.to_owned()),
            ["api", "1.0", "status"] => Self::Status,
            ["api", "1.0", "cameras"] => Self::Cameras,
            ["api", "1.0", "cameras", name] => Self::Camera(name.to_owned()),
            ["api", "1.0", "microphones"] => Self::Microphones,
            ["api", "1.0", "microphones", name] => Self::Microphone(name.to_owned()),
            ["api", "1.0", "devices"] => Self::Devices,
            ["api", "1.0", "services"] => Self::Services,
            ["api", "1.0", "services", "video"] => Self::ServiceOf(Media::Video),
            ["api", "1.0", "services", "audio"] => Self::ServiceOf(Media::Audio),
            ["api", "1.0", "logging"] => Self::Logging,
            ["api", "1.0", "settings"] => Self::Settings,
            ["api", "1.0", "settings", name] => Self::Setting(name.to_owned()),
            ["api", "1.0", "logs"] => Self::Logs,
            ["api", "1.0", "openapi.json"] => Self::Description,
            ["api", ..] => return None,
            ["metrics"] => Self::Metrics,
            ["sign-in", file] => Self::SignIn(file.to_owned()),
            ["video" | "stream"] => Self::Video(None),
            ["video", name] => Self::Video(Some(name.to_owned())),
            ["audio"] => Self::Audio(None),
            ["audio", name] => Self::Audio(Some(name.to_owned())),
            ["snapshot"] => Self::Snapshot(None),
            ["snapshot", name] => Self::Snapshot(Some(name.to_owned())),
            _ => Self::Page(segments.join("/")),
        })
    }

    /// Who may use it with this method.
    pub fn access(&self, method: &str) -> Access {
        let only_reads = ["GET", "HEAD"].contains(&method);
        match self {
            Self::Health | Self::Versions | Self::Login | Self::SignIn(_) => Access::Public,
            Self::Authority | Self::AuthorityProfile | Self::Trust => Access::Public,
            Self::Logout | Self::Password | Self::Sessions | Self::Session(_) => Access::Viewer,
            Self::Status | Self::Metrics | Self::Page(_) => Access::Viewer,
            Self::Video(_) | Self::Audio(_) | Self::Snapshot(_) => Access::Viewer,
            Self::Cameras | Self::Microphones | Self::Microphone(_) => Access::Viewer,
            Self::Services | Self::Description => Access::Viewer,
            Self::Camera(_) | Self::ServiceOf(_) if only_reads => Access::Viewer,
            Self::Camera(_) | Self::ServiceOf(_) => Access::Admin,
            Self::Users | Self::User(_) => Access::Admin,
            Self::Devices | Self::Logging | Self::Logs => Access::Admin,
            Self::Settings | Self::Setting(_) => Access::Admin,
        }
    }

    /// Whether a token may use it with this method. Accounts are people's: no token changes a user or a
    /// password, not even an admin's, and none sees or ends sessions; what whoever has it could do there
    /// would outlive its removal.
    pub fn takes_tokens(&self, method: &str) -> bool {
        match self {
            Self::Password | Self::Sessions | Self::Session(_) => false,
            Self::Users | Self::User(_) => ["GET", "HEAD"].contains(&method),
            _ => true,
        }
    }

    /// The methods it takes, as the `Allow` field lists them.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Login | Self::Logout => &["POST"],
            Self::Password => &["PUT"],
            Self::Session(_) | Self::Setting(_) => &["DELETE"],
            Self::Settings => &["GET", "HEAD", "DELETE"],
            Self::Users => &["GET", "HEAD", "POST"],
            Self::User(_) => &["PUT", "DELETE"],
            Self::Camera(_) | Self::ServiceOf(_) | Self::Logging => &["GET", "HEAD", "PUT"],
            Self::Health
            | Self::Versions
            | Self::Authority
            | Self::AuthorityProfile
            | Self::Trust
            | Self::Sessions
            | Self::Status
            | Self::Cameras
            | Self::Microphones
            | Self::Microphone(_)
            | Self::Devices
            | Self::Services
            | Self::Logs
            | Self::Description
            | Self::Metrics
            | Self::Video(_)
            | Self::Audio(_)
            | Self::Snapshot(_)
            | Self::SignIn(_)
            | Self::Page(_) => &["GET", "HEAD"],
        }
    }
}

#[cfg(test)]
impl Route {
    /// Each route there is, by example: what walks them all cannot forget one.
    pub fn all() -> Vec<Self> {
        std::iter::successors(Some(Self::Health), Self::next).collect()
    }

    /// The one after this. A new route does not compile until it has its place here.
    fn next(&self) -> Option<Self> {
        let front = || Some("front".to_owned());
        Some(match self {
            Self::Health => Self::Versions,
            Self::Versions => Self::Authority,
            Self::Authority => Self::AuthorityProfile,
            Self::AuthorityProfile => Self::Trust,
            Self::Trust => Self::Login,
            Self::Login => Self::Logout,
            Self::Logout => Self::Password,
            Self::Password => Self::Sessions,
            Self::Sessions => Self::Session("0123456789abcdef".to_owned()),
            Self::Session(_) => Self::Users,
            Self::Users => Self::User("eve".to_owned()),
            Self::User(_) => Self::Status,
            Self::Status => Self::Cameras,
            Self::Cameras => Self::Camera("front".to_owned()),
            Self::Camera(_) => Self::Microphones,
            Self::Microphones => Self::Microphone("front".to_owned()),
            Self::Microphone(_) => Self::Devices,
            Self::Devices => Self::Services,
            Self::Services => Self::ServiceOf(Media::Video),
            Self::ServiceOf(Media::Video) => Self::ServiceOf(Media::Audio),
            Self::ServiceOf(Media::Audio) => Self::Logging,
            Self::Logging => Self::Settings,
            Self::Settings => Self::Setting("camera.front.fps".to_owned()),
            Self::Setting(_) => Self::Logs,
            Self::Logs => Self::Description,
            Self::Description => Self::Metrics,
            Self::Metrics => Self::Video(None),
            Self::Video(None) => Self::Video(front()),
            Self::Video(Some(_)) => Self::Audio(None),
            Self::Audio(None) => Self::Audio(front()),
            Self::Audio(Some(_)) => Self::Snapshot(None),
            Self::Snapshot(None) => Self::Snapshot(front()),
            Self::Snapshot(Some(_)) => Self::SignIn("icon.svg".to_owned()),
            Self::SignIn(_) => Self::Page("app.js".to_owned()),
            Self::Page(_) => return None,
        })
    }

    /// A path that leads to it.
    pub fn path(&self) -> String {
        let of = |base: &str, name: &Option<String>| match name {
            Some(name) => format!("{base}/{name}"),
            None => base.to_owned(),
        };
        match self {
            Self::Health => "/healthz".to_owned(),
            Self::Versions => "/api".to_owned(),
            Self::Authority => "/ca.crt".to_owned(),
            Self::AuthorityProfile => "/ca.mobileconfig".to_owned(),
            Self::Trust => "/trust".to_owned(),
            Self::Login => "/api/1.0/login".to_owned(),
            Self::Logout => "/api/1.0/logout".to_owned(),
            Self::Password => "/api/1.0/password".to_owned(),
            Self::Sessions => "/api/1.0/sessions".to_owned(),
            Self::Session(id) => format!("/api/1.0/sessions/{id}"),
            Self::Users => "/api/1.0/users".to_owned(),
            Self::User(name) => format!("/api/1.0/users/{name}"),
            Self::Status => "/api/1.0/status".to_owned(),
            Self::Cameras => "/api/1.0/cameras".to_owned(),
            Self::Camera(name) => format!("/api/1.0/cameras/{name}"),
            Self::Microphones => "/api/1.0/microphones".to_owned(),
            Self::Microphone(name) => format!("/api/1.0/microphones/{name}"),
            Self::Devices => "/api/1.0/devices".to_owned(),
            Self::Services => "/api/1.0/services".to_owned(),
            Self::ServiceOf(media) => format!("/api/1.0/services/{}", media.name()),
            Self::Logging => "/api/1.0/logging".to_owned(),
            Self::Settings => "/api/1.0/settings".to_owned(),
            Self::Setting(name) => format!("/api/1.0/settings/{name}"),
            Self::Logs => "/api/1.0/logs".to_owned(),
            Self::Description => "/api/1.0/openapi.json".to_owned(),
            Self::Metrics => "/metrics".to_owned(),
            Self::Video(name) => of("/video", name),
            Self::Audio(name) => of("/audio", name),
            Self::Snapshot(name) => of("/snapshot", name),
            Self::SignIn(file) => format!("/sign-in/{file}"),
            Self::Page(path) => format!("/{path}"),
        }
    }
}

/// The action that a client of mjpg-streamer asks for, which it does at the root alone.
fn action<'q>(path: &str, query: &'q str) -> Option<&'q str> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_root = ["/", "/index.html"].contains(&path);
    pairs.find(|(name, _)| is_root && name.eq_ignore_ascii_case("action")).map(|(_, value)| value)
}

fn decode_segment(segment: &str) -> Option<String> {
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let odd = decoded.is_empty() || decoded.starts_with('.') || decoded.contains(['/', '\\', '\0']);
    (!odd).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
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
            ("/api/1.0/services/video", Some(Route::ServiceOf(Media::Video))),
            ("/api/1.0/services/other", None),
            ("/metrics", Some(Route::Metrics)),
            ("/video", Some(Route::Video(None))),
            ("/video/front", Some(Route::Video(Some("front".into())))),
            ("/video/fr%6Fnt", Some(Route::Video(Some("front".into())))),
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
    fn an_action_is_a_route_at_the_root_alone() {
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
        assert_eq!(Route::of("/healthz", "action=stream"), Some(Route::Health));
        assert_eq!(Route::of("/api/1.0/nothing", "action=stream"), None);
    }

    #[test]
    fn no_path_leads_out() {
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
}
