//! The REST API, version 1.0: documents about the server, as JSON.

use miniserde::Serialize;

use crate::codec::part;
use crate::control::Media;
use crate::media::Timestamp;
use crate::users::Identity;

use super::reply::Reply;
use super::{Service, cameras, page};

#[derive(Serialize)]
struct Versions {
    versions: [&'static str; 1],
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    user: String,
    role: &'static str,
    mode: &'static str,
    uptime_s: u64,
    services: Running,
    cameras: Vec<cameras::Camera>,
    microphones: Vec<cameras::Microphone>,
    remotes: Vec<Remote>,
    connections: u32,
}

#[derive(Serialize)]
struct Running {
    video: bool,
    audio: bool,
}

/// Another Defender; `problem` is null while it answers.
#[derive(Serialize)]
struct Remote {
    name: String,
    url: String,
    problem: Option<String>,
}

/// `GET /api`.
pub fn versions() -> Reply {
    Reply::json(200, &Versions { versions: ["1.0"] })
}

/// `GET /api/1.0/status`, with what is the user's to see.
pub fn status(service: &Service, user: &Identity) -> Reply {
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        user: user.name.clone(),
        role: user.role.name(),
        mode: service.control.mode_name(),
        services: Running {
            video: service.control.stopped_by(Media::Video).is_none(),
            audio: service.control.stopped_by(Media::Audio).is_none(),
        },
        uptime_s: service.started.elapsed().as_secs(),
        cameras: cameras::cameras(service, user),
        microphones: cameras::microphones(service, user),
        remotes: if user.scope.names().is_none() { remotes(service) } else { Vec::new() },
        connections: service.admission.connections(),
    };
    // By this the page learns how far the browser's clock is from the one that stamps frames.
    Reply::json(200, &status).with("X-Timestamp", part::x_timestamp(Timestamp::now()))
}

/// `GET /api/1.0/openapi.json`, or 304 where the client has it already.
pub fn description(known_tags: Option<&str>) -> Reply {
    static DESCRIPTION: &[u8] = include_bytes!("openapi.json");
    page::tagged("openapi.json", page::content_tag(DESCRIPTION), DESCRIPTION.into(), known_tags)
        .with("Vary", page::WHO_ASKS)
}

fn remotes(service: &Service) -> Vec<Remote> {
    let told = |(name, url, problem)| Remote { name, url, problem };
    service.control.remotes().into_iter().map(told).collect()
}
