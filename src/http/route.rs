//! The route table: the paths, the methods that each takes, and who may use it.

use percent_encoding::percent_decode_str;

use crate::control::Media;
use crate::record::ClipKind;

/// A resource of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/healthz`: alive, and nothing more.
    Health,
    /// `/api`: the versions of the API.
    Versions,
    /// `/ca.crt`: the server's own CA, for devices to trust.
    Authority,
    /// `/ca.mobileconfig`: the same for Apple's devices.
    AuthorityProfile,
    /// `/trust`: the page that explains how to install it.
    Trust,
    /// `/api/1.0/login`: begins a session with name and password.
    Login,
    /// `/api/1.0/logout`: ends the own session.
    Logout,
    /// `/api/1.0/password`: the own password.
    Password,
    /// `/api/1.0/sessions`: the own sessions; all sessions for an admin.
    Sessions,
    /// `/api/1.0/sessions/ID`: one session, to be ended.
    Session(String),
    /// `/api/1.0/users`.
    Users,
    /// `/api/1.0/users/NAME`.
    User(String),
    /// `/api/1.0/status`.
    Status,
    /// `/api/1.0/cameras`.
    Cameras,
    /// `/api/1.0/cameras/NAME`: one with its settings and controls, which an admin may change.
    Camera(String),
    /// `/api/1.0/cameras/NAME/motion/live`: each look at the camera, as it is made.
    LiveMotion(String),
    /// `/api/1.0/cameras/NAME/motion/replay`: the last looks once more, with other settings.
    MotionReplay(String),
    /// `/api/1.0/microphones`.
    Microphones,
    /// `/api/1.0/microphones/NAME`.
    Microphone(String),
    /// `/api/1.0/devices`: what is plugged in.
    Devices,
    /// `/api/1.0/services`: whether video and audio are captured.
    Services,
    /// `/api/1.0/services/video`, `.../audio`, `.../recording`, `.../motion`: one of them, which an admin may stop and start.
    ServiceOf(Service),
    /// `/api/1.0/events`: what happened.
    Events,
    /// `/api/1.0/events/live`: what begins and ends from now on.
    LiveEvents,
    /// `/api/1.0/events/ID`: one event.
    Event(String),
    /// `/api/1.0/logging`: the level of the log.
    Logging,
    /// `/api/1.0/settings`: what can be changed while the server runs, and what is overridden.
    Settings,
    /// `/api/1.0/settings/NAME`: one of them, to be reset.
    Setting(String),
    /// `/api/1.0/logs`: the newest lines of the log.
    Logs,
    /// `/api/1.0/openapi.json`: the API as a document of OpenAPI 3.1.
    Description,
    /// `/api/1.0/recordings`: what is recorded, and how much of it there is.
    Recordings,
    /// `/api/1.0/recordings/NAME`: the footage of a camera, from when to when; an admin may delete of it.
    Recording(String),
    /// `/api/1.0/recordings/NAME/PART`: pictures and sound of it.
    Footage(String, Footage),
    /// `/metrics`: metrics for Prometheus.
    Metrics,
    /// `/video`, `/video/NAME`: the stream of the first or the named camera; for clients of
    /// uStreamer `/stream`, for those of mjpg-streamer `/?action=stream`.
    Video(Option<String>),
    /// `/snapshot`, `/snapshot/NAME`: one picture of it; for clients of mjpg-streamer
    /// `/?action=snapshot`.
    Snapshot(Option<String>),
    /// `/video/NAME/STREAM`: a further stream of the named camera.
    VideoStream(String, String),
    /// `/snapshot/NAME/STREAM`: one picture of it.
    StreamSnapshot(String, String),
    /// `/audio`, `/audio/NAME`: the sound of the first or the named microphone.
    Audio(Option<String>),
    /// `/sign-in/FILE`: a file that the sign-in form needs.
    SignIn(String),
    /// Any other path may be a file of the page: the path without the leading slash.
    Page(String),
}

/// What there is of a camera's footage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footage {
    /// One picture.
    Frame,
    /// Pictures at any speed.
    Stream,
    /// A byte for each step of time.
    Timeline,
    /// A file of this kind.
    Clip(ClipKind),
    /// Sound as it was captured.
    Sound,
    /// Small pictures side by side.
    Thumbnails,
}

/// What an admin may stop and start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Capture from all cameras, or from all microphones.
    Capture(Media),
    /// Recording.
    Recording,
    /// Motion and noise as events.
    Motion,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody who can reach the port.
    Public,
    /// Any user. A confined user sees only their own cameras and microphones.
    Viewer,
    /// Admins, and programs with a token of any user, for what is in the token's scope.
    AdminOrToken,
    /// Admins only.
    Admin,
}

impl Footage {
    /// By the last segment of the path.
    pub const NAMES: [(&'static str, Footage); 8] = [
        ("frame", Self::Frame),
        ("stream", Self::Stream),
        ("timeline", Self::Timeline),
        ("clip.mkv", Self::Clip(ClipKind::Mkv)),
        ("clip.mov", Self::Clip(ClipKind::Mov)),
        ("clip.zip", Self::Clip(ClipKind::Zip)),
        ("sound", Self::Sound),
        ("thumbnails", Self::Thumbnails),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, part)| part)
    }
}

impl Service {
    /// Its name in the API and in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture(media) => media.name(),
            Self::Recording => "recording",
            Self::Motion => "motion",
        }
    }
}

impl Route {
    /// The route of a request target; `None` if there can be no resource. The query selects the route only at
    /// `/`.
    pub fn of(path: &str, query: &str) -> Option<Self> {
        match action(path, query) {
            Some("stream") => Some(Self::Video(None)),
            Some("snapshot") => Some(Self::Snapshot(None)),
            // Not the page: a program that expects a picture would take the page's HTML for one.
            Some(_) => None,
            None => Self::parse(path),
        }
    }

    /// The error for a target without a route, for users who are signed in.
    pub fn hint(path: &str, query: &str) -> &'static str {
        let is_meant = |word: &&str| path.to_ascii_lowercase().contains(*word);
        if action(path, query).is_some() {
            "there is no such action; streams are at /video, /video/NAME and /?action=stream, pictures at \
             /snapshot, /snapshot/NAME and /?action=snapshot, sound at /audio"
        } else if path.starts_with("/api/1.0/recordings/") {
            "there is nothing here; of a recording there are frame, stream, sound, timeline, thumbnails, clip.mkv, \
             clip.mov and clip.zip"
        } else if path.starts_with("/api/") {
            "there is nothing here; /api/1.0/openapi.json says what there is"
        } else if ["video", "stream", "mjp", "snap", "jpg", "jpeg", "image", "audio", "wav"]
            .iter()
            .any(is_meant)
        {
            "there is nothing here; streams are at /video and /video/NAME, pictures at /snapshot and \
             /snapshot/NAME, sound at /audio"
        } else {
            "there is nothing here"
        }
    }

    /// The route of a path; `None` if there can be no resource.
    ///
    /// Paths with empty or dot segments, or with an encoded NUL, backslash or slash, have no route. So paths are never
    /// normalised, and two readers cannot normalise one differently.
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
            ["api", "1.0", "cameras", name, "motion", "live"] => Self::LiveMotion(name.to_owned()),
            ["api", "1.0", "cameras", name, "motion", "replay"] => Self::MotionReplay(name.to_owned()),
            ["api", "1.0", "microphones"] => Self::Microphones,
            ["api", "1.0", "microphones", name] => Self::Microphone(name.to_owned()),
            ["api", "1.0", "devices"] => Self::Devices,
            ["api", "1.0", "services"] => Self::Services,
            ["api", "1.0", "services", "video"] => Self::ServiceOf(Service::Capture(Media::Video)),
            ["api", "1.0", "services", "audio"] => Self::ServiceOf(Service::Capture(Media::Audio)),
            ["api", "1.0", "services", "recording"] => Self::ServiceOf(Service::Recording),
            ["api", "1.0", "services", "motion"] => Self::ServiceOf(Service::Motion),
            ["api", "1.0", "events"] => Self::Events,
            ["api", "1.0", "events", "live"] => Self::LiveEvents,
            ["api", "1.0", "events", id] => Self::Event(id.to_owned()),
            ["api", "1.0", "logging"] => Self::Logging,
            ["api", "1.0", "settings"] => Self::Settings,
            ["api", "1.0", "settings", name] => Self::Setting(name.to_owned()),
            ["api", "1.0", "logs"] => Self::Logs,
            ["api", "1.0", "recordings"] => Self::Recordings,
            ["api", "1.0", "recordings", name] => Self::Recording(name.to_owned()),
            ["api", "1.0", "recordings", name, part] => {
                Self::Footage(name.to_owned(), Footage::from_name(part)?)
            }
            ["api", "1.0", "openapi.json"] => Self::Description,
            ["api", ..] => return None,
            ["metrics"] => Self::Metrics,
            ["sign-in", file] => Self::SignIn(file.to_owned()),
            ["video" | "stream"] => Self::Video(None),
            ["video", name] => Self::Video(Some(name.to_owned())),
            ["video", name, stream] => Self::VideoStream(name.to_owned(), stream.to_owned()),
            ["snapshot", name, stream] => Self::StreamSnapshot(name.to_owned(), stream.to_owned()),
            ["audio"] => Self::Audio(None),
            ["audio", name] => Self::Audio(Some(name.to_owned())),
            ["snapshot"] => Self::Snapshot(None),
            ["snapshot", name] => Self::Snapshot(Some(name.to_owned())),
            _ => Self::Page(segments.join("/")),
        })
    }

    /// Who may use the route with this method.
    pub fn access(&self, method: &str) -> Access {
        let only_reads = ["GET", "HEAD"].contains(&method);
        match self {
            Self::Health | Self::Versions | Self::Login | Self::SignIn(_) => Access::Public,
            Self::Authority | Self::AuthorityProfile | Self::Trust => Access::Public,
            Self::Logout | Self::Password | Self::Sessions | Self::Session(_) => Access::Viewer,
            Self::Status | Self::Metrics | Self::Page(_) => Access::Viewer,
            Self::Video(_) | Self::Audio(_) | Self::Snapshot(_) => Access::Viewer,
            Self::VideoStream(..) | Self::StreamSnapshot(..) => Access::Viewer,
            Self::Cameras | Self::Microphones | Self::Microphone(_) => Access::Viewer,
            Self::LiveMotion(_) => Access::Viewer,
            Self::Services | Self::Description => Access::Viewer,
            Self::Recordings | Self::Footage(..) => Access::Viewer,
            Self::Recording(_) if only_reads => Access::Viewer,
            Self::Recording(_) => Access::Admin,
            Self::Events | Self::LiveEvents | Self::Event(_) if only_reads => Access::Viewer,
            Self::Events | Self::LiveEvents => Access::AdminOrToken,
            // What is deleted is gone; a program may only say that what it reported has ended.
            Self::Event(_) if method == "DELETE" => Access::Admin,
            Self::Event(_) => Access::AdminOrToken,
            Self::Camera(_) | Self::ServiceOf(_) if only_reads => Access::Viewer,
            Self::Camera(_) | Self::ServiceOf(_) => Access::Admin,
            Self::MotionReplay(_) => Access::Admin,
            Self::Users | Self::User(_) => Access::Admin,
            Self::Devices | Self::Logging | Self::Logs => Access::Admin,
            Self::Settings | Self::Setting(_) => Access::Admin,
        }
    }

    /// Whether a token may use the route with this method. No token changes a user or a password, not even an
    /// admin's, and none lists or ends sessions: such a change would outlast the token's removal.
    pub fn takes_tokens(&self, method: &str) -> bool {
        match self {
            Self::Password | Self::Sessions | Self::Session(_) => false,
            Self::Users | Self::User(_) => ["GET", "HEAD"].contains(&method),
            // Each is named, so that a new route has to decide.
            Self::Health
            | Self::Versions
            | Self::Authority
            | Self::AuthorityProfile
            | Self::Trust
            | Self::Login
            | Self::Logout
            | Self::Status
            | Self::Cameras
            | Self::Camera(_)
            | Self::LiveMotion(_)
            | Self::MotionReplay(_)
            | Self::Microphones
            | Self::Microphone(_)
            | Self::Devices
            | Self::Services
            | Self::ServiceOf(_)
            | Self::Events
            | Self::LiveEvents
            | Self::Event(_)
            | Self::Logging
            | Self::Settings
            | Self::Setting(_)
            | Self::Logs
            | Self::Description
            | Self::Recordings
            | Self::Recording(_)
            | Self::Footage(..)
            | Self::Metrics
            | Self::Video(_)
            | Self::Snapshot(_)
            | Self::VideoStream(..)
            | Self::StreamSnapshot(..)
            | Self::Audio(_)
            | Self::SignIn(_)
            | Self::Page(_) => true,
        }
    }

    /// The methods that the route takes, as listed in `Allow`.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Login | Self::Logout | Self::MotionReplay(_) => &["POST"],
            Self::Password => &["PUT"],
            Self::Session(_) | Self::Setting(_) => &["DELETE"],
            Self::Settings | Self::Recording(_) => &["GET", "HEAD", "DELETE"],
            Self::Users | Self::Events => &["GET", "HEAD", "POST"],
            Self::Event(_) => &["GET", "HEAD", "PUT", "DELETE"],
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
            | Self::LiveMotion(_)
            | Self::Microphones
            | Self::Microphone(_)
            | Self::Devices
            | Self::Services
            | Self::LiveEvents
            | Self::Logs
            | Self::Recordings
            | Self::Footage(..)
            | Self::Description
            | Self::Metrics
            | Self::Video(_)
            | Self::VideoStream(..)
            | Self::StreamSnapshot(..)
            | Self::Audio(_)
            | Self::Snapshot(_)
            | Self::SignIn(_)
            | Self::Page(_) => &["GET", "HEAD"],
        }
    }
}

/// The action in the query of a client of mjpg-streamer, which is valid only at the root.
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
mod examples;
#[cfg(test)]
mod tests;
