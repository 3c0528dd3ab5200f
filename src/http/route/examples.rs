//! An example of each route, for tests that try them all.

use super::{Footage, Route, Service};
use crate::control::Media;
use crate::record::ClipKind;

impl Route {
    /// An example of each route.
    pub fn all() -> Vec<Self> {
        std::iter::successors(Some(Self::Health), Self::next).collect()
    }

    /// The next example. A new route does not compile until it is added here.
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
            Self::Camera(name) => Self::LiveMotion(name.clone()),
            Self::LiveMotion(name) => Self::MotionReplay(name.clone()),
            Self::MotionReplay(_) => Self::Microphones,
            Self::Microphones => Self::Microphone("front".to_owned()),
            Self::Microphone(_) => Self::Devices,
            Self::Devices => Self::Services,
            Self::Services => Self::ServiceOf(Service::Capture(Media::Video)),
            Self::ServiceOf(Service::Capture(Media::Video)) => {
                Self::ServiceOf(Service::Capture(Media::Audio))
            }
            Self::ServiceOf(Service::Capture(Media::Audio)) => Self::ServiceOf(Service::Recording),
            Self::ServiceOf(Service::Recording) => Self::ServiceOf(Service::Motion),
            Self::ServiceOf(Service::Motion) => Self::Events,
            Self::Events => Self::LiveEvents,
            Self::LiveEvents => Self::Event("17".to_owned()),
            Self::Event(_) => Self::Logging,
            Self::Logging => Self::Settings,
            Self::Settings => Self::Setting("camera.front.fps".to_owned()),
            Self::Setting(_) => Self::Logs,
            Self::Logs => Self::Recordings,
            Self::Recordings => Self::Recording("front".to_owned()),
            Self::Recording(name) => Self::Footage(name.clone(), Footage::Frame),
            Self::Footage(name, Footage::Frame) => Self::Footage(name.clone(), Footage::Stream),
            Self::Footage(name, Footage::Stream) => Self::Footage(name.clone(), Footage::Timeline),
            Self::Footage(name, Footage::Timeline) => {
                Self::Footage(name.clone(), Footage::Clip(ClipKind::Mkv))
            }
            Self::Footage(name, Footage::Clip(ClipKind::Mkv)) => {
                Self::Footage(name.clone(), Footage::Clip(ClipKind::Mov))
            }
            Self::Footage(name, Footage::Clip(ClipKind::Mov)) => {
                Self::Footage(name.clone(), Footage::Clip(ClipKind::Zip))
            }
            Self::Footage(name, Footage::Clip(ClipKind::Zip)) => Self::Footage(name.clone(), Footage::Sound),
            Self::Footage(name, Footage::Sound) => Self::Footage(name.clone(), Footage::Thumbnails),
            Self::Footage(_, Footage::Thumbnails) => Self::Description,
            Self::Description => Self::Metrics,
            Self::Metrics => Self::Video(None),
            Self::Video(None) => Self::Video(front()),
            Self::Video(Some(_)) => Self::VideoStream("front".to_owned(), "small".to_owned()),
            Self::VideoStream(camera, stream) => Self::StreamSnapshot(camera.clone(), stream.clone()),
            Self::StreamSnapshot(..) => Self::Audio(None),
            Self::Audio(None) => Self::Audio(front()),
            Self::Audio(Some(_)) => Self::Snapshot(None),
            Self::Snapshot(None) => Self::Snapshot(front()),
            Self::Snapshot(Some(_)) => Self::SignIn("icon.svg".to_owned()),
            Self::SignIn(_) => Self::Page("app.js".to_owned()),
            Self::Page(_) => return None,
        })
    }

    /// A path that leads to the route.
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
            Self::LiveMotion(name) => format!("/api/1.0/cameras/{name}/motion/live"),
            Self::MotionReplay(name) => format!("/api/1.0/cameras/{name}/motion/replay"),
            Self::Microphones => "/api/1.0/microphones".to_owned(),
            Self::Microphone(name) => format!("/api/1.0/microphones/{name}"),
            Self::Devices => "/api/1.0/devices".to_owned(),
            Self::Services => "/api/1.0/services".to_owned(),
            Self::ServiceOf(service) => format!("/api/1.0/services/{}", service.name()),
            Self::Events => "/api/1.0/events".to_owned(),
            Self::LiveEvents => "/api/1.0/events/live".to_owned(),
            Self::Event(id) => format!("/api/1.0/events/{id}"),
            Self::Logging => "/api/1.0/logging".to_owned(),
            Self::Settings => "/api/1.0/settings".to_owned(),
            Self::Setting(name) => format!("/api/1.0/settings/{name}"),
            Self::Logs => "/api/1.0/logs".to_owned(),
            Self::Recordings => "/api/1.0/recordings".to_owned(),
            Self::Recording(name) => format!("/api/1.0/recordings/{name}"),
            Self::Footage(name, part) => {
                let known = Footage::NAMES.into_iter().find(|(_, known)| known == part);
                format!("/api/1.0/recordings/{name}/{}", known.map_or("", |(part, _)| part))
            }
            Self::Description => "/api/1.0/openapi.json".to_owned(),
            Self::Metrics => "/metrics".to_owned(),
            Self::Video(name) => of("/video", name),
            Self::VideoStream(camera, stream) => format!("/video/{camera}/{stream}"),
            Self::StreamSnapshot(camera, stream) => format!("/snapshot/{camera}/{stream}"),
            Self::Audio(name) => of("/audio", name),
            Self::Snapshot(name) => of("/snapshot", name),
            Self::SignIn(file) => format!("/sign-in/{file}"),
            Self::Page(path) => format!("/{path}"),
        }
    }
}
