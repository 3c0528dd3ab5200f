//! The REST API, version 1.0: documents about the server, as JSON.

use miniserde::Serialize;

use crate::hub::{CameraFeed, MicrophoneFeed, Named};
use crate::media::PixelFormat;
use crate::users::Identity;

use super::Service;
use super::reply::Reply;

#[derive(Serialize)]
struct Versions {
    versions: [&'static str; 1],
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    user: String,
    role: &'static str,
    uptime_s: u64,
    cameras: Vec<Camera>,
    microphones: Vec<Microphone>,
    connections: u32,
}

#[derive(Serialize)]
struct Camera {
    name: String,
    source: String,
    online: bool,
    problem: Option<String>,
    width: u32,
    height: u32,
    format: Option<&'static str>,
    fps: f64,
    captured: u32,
    dropped: u32,
    encoded: u32,
    viewers: u32,
}

#[derive(Serialize)]
struct Microphone {
    name: String,
    source: String,
    online: bool,
    problem: Option<String>,
    rate_hz: u32,
    channels: u32,
    captured: u32,
    overruns: u32,
    rms_dbfs: f64,
    peak_dbfs: f64,
    listeners: u32,
}

/// `GET /api`.
pub fn versions() -> Reply {
    Reply::json(200, &Versions { versions: ["1.0"] })
}

/// `GET /api/1.0/status`, with what is the user's to see.
pub fn status(service: &Service, user: &Identity) -> Reply {
    let (cameras, microphones) = (service.cameras.all(), service.microphones.all());
    let cameras = cameras.iter().filter(|feed| user.scope.sees(feed.name()));
    let microphones = microphones.iter().filter(|feed| user.scope.hears(feed.name()));
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        user: user.name.clone(),
        role: user.role.name(),
        uptime_s: service.started.elapsed().as_secs(),
        cameras: cameras.map(|feed| camera(feed)).collect(),
        microphones: microphones.map(|feed| microphone(feed)).collect(),
        connections: service.admission.connections(),
    };
    Reply::json(200, &status)
}

fn camera(feed: &CameraFeed) -> Camera {
    let state = feed.state();
    Camera {
        name: feed.name().to_owned(),
        source: state.source,
        online: state.online,
        problem: state.problem,
        width: state.width,
        height: state.height,
        format: state.format.map(PixelFormat::name),
        fps: (f64::from(state.fps) * 100.0).round() / 100.0,
        captured: feed.counters.captured.get(),
        dropped: feed.counters.dropped.get(),
        encoded: feed.counters.encoded.get(),
        viewers: feed.frames().readers(),
    }
}

fn microphone(feed: &MicrophoneFeed) -> Microphone {
    let (state, format, level) = (feed.state(), feed.format(), feed.level());
    let rounded = |dbfs: f32| (f64::from(dbfs) * 10.0).round() / 10.0;
    Microphone {
        name: feed.name().to_owned(),
        source: state.source,
        online: state.online,
        problem: state.problem,
        rate_hz: format.rate_hz,
        channels: format.channels,
        captured: feed.captured.get(),
        overruns: feed.overruns.get(),
        rms_dbfs: rounded(level.rms_dbfs),
        peak_dbfs: rounded(level.peak_dbfs),
        listeners: feed.listeners(),
    }
}
