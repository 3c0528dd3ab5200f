//! Capture and logging: whether and how much, and changing that.

use miniserde::{Deserialize, Serialize};
use tiny_http::Request;

use crate::control::{Media, Requester};
use crate::gate::Exchange;
use crate::users::Identity;

use super::cameras::refused;
use super::reply::Reply;
use super::{Service, audit, body};

/// Lines of the log that are given when no number is asked for.
const LINES: u32 = 100;

#[derive(Serialize)]
struct Services {
    video: Running,
    audio: Running,
}

/// `stopped_by` is null while it runs.
#[derive(Serialize)]
struct Running {
    running: bool,
    stopped_by: Option<String>,
}

#[derive(Deserialize)]
struct WantedRunning {
    running: bool,
}

/// `keeps` says whether a changed level can be saved for the next start.
#[derive(Serialize)]
struct Level {
    level: &'static str,
    keeps: bool,
}

#[derive(Deserialize)]
struct WantedLevel {
    level: String,
    save: Option<bool>,
}

#[derive(Serialize)]
struct Lines {
    lines: Vec<String>,
}

/// `GET /api/1.0/services`.
pub fn list(service: &Service) -> Reply {
    let (video, audio) = (running(service, Media::Video), running(service, Media::Audio));
    Reply::json(200, &Services { video, audio })
}

/// `GET /api/1.0/services/video`, `.../audio`.
pub fn one(service: &Service, media: Media) -> Reply {
    Reply::json(200, &running(service, media))
}

/// `PUT /api/1.0/services/video`, `.../audio`. Viewers and listeners stay, and see who stopped it.
pub fn change(
    service: &Service,
    admin: &Identity,
    media: Media,
    request: &mut Request,
    exchange: &Exchange,
) -> Reply {
    let wanted: WantedRunning = match body::read_strictly(request, &["running"], r#"{"running":false}"#) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let verb = if wanted.running { "started" } else { "stopped" };
    let what = format!("{verb} {}", media.name());
    let log = || audit::changed(exchange.peer(), admin, &what);
    let requester = Requester { name: &admin.name, may: &|| service.accounts.holds(admin), log: &log };
    match service.control.set_running(media, wanted.running, &requester) {
        Ok(()) => one(service, media),
        Err(error) => refused(&error),
    }
}

/// `GET /api/1.0/logging`.
pub fn logging(service: &Service) -> Reply {
    Reply::json(200, &Level { level: service.control.log_level(), keeps: service.control.can_save() })
}

/// `PUT /api/1.0/logging`.
pub fn set_logging(service: &Service, admin: &Identity, request: &mut Request, exchange: &Exchange) -> Reply {
    let example = r#"{"level":"debug","save":false}"#;
    let wanted: WantedLevel = match body::read_strictly(request, &["level", "save"], example) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let saves = wanted.save == Some(true);
    let saved = if saves { ", and saved that" } else { "" };
    let what = format!("set the log to {}{saved}", wanted.level);
    let log = || audit::changed(exchange.peer(), admin, &what);
    let requester = Requester { name: &admin.name, may: &|| service.accounts.holds(admin), log: &log };
    match service.control.set_log_level(&wanted.level, saves, &requester) {
        Ok(()) => logging(service),
        Err(error) => refused(&error),
    }
}

/// `GET /api/1.0/logs`: the newest lines, at most `?lines=` of them.
pub fn logs(service: &Service, query: &str) -> Reply {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("lines="));
    let count = asked.map_or(Some(LINES), |number| number.parse::<u32>().ok()).filter(|count| *count > 0);
    match count {
        Some(count) => Reply::json(200, &Lines { lines: service.control.log_lines(count as usize) }),
        _ => Reply::error(400, "lines must be a whole number above 0"),
    }
}

fn running(service: &Service, media: Media) -> Running {
    let stopped_by = service.control.stopped_by(media);
    Running { running: stopped_by.is_none(), stopped_by }
}
