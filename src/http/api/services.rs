//! The services: video, audio, recording and motion. Whether they run, and stopping and starting them.

use miniserde::{Deserialize, Serialize};

use super::errors::control_error;
use super::events::no_longer;
use crate::control::{Media, Requester};
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::route::Service;
use crate::http::state::AppState;
use crate::http::{audit, body};
use crate::hub::Switch;

#[derive(Serialize)]
struct Services {
    video: Running,
    audio: Running,
    recording: Running,
    motion: Running,
}

/// `stopped_by` is null while it runs.
#[derive(Serialize)]
struct Running {
    running: bool,
    stopped_by: Option<String>,
}

#[derive(Deserialize)]
struct RunningBody {
    running: bool,
}

/// `GET /api/1.0/services`.
pub fn list(state: &AppState) -> Reply {
    let capture = |media| running(state, Service::Capture(media));
    let (video, audio) = (capture(Media::Video), capture(Media::Audio));
    let (recording, motion) = (running(state, Service::Recording), running(state, Service::Motion));
    Reply::json(200, &Services { video, audio, recording, motion })
}

/// `GET /api/1.0/services/video`, `.../audio`, `.../recording`, `.../motion`.
pub fn one(state: &AppState, service: Service) -> Reply {
    Reply::json(200, &running(state, service))
}

/// `PUT /api/1.0/services/video`, `.../audio`, `.../recording`, `.../motion`. Viewers and listeners stay connected and see or hear that it is
/// stopped.
pub fn change(call: &mut Call<'_>, service: Service) -> Reply {
    let Call { state, request, pending, user: admin } = call;
    let wanted: RunningBody = match body::read_strictly(request, &["running"], r#"{"running":false}"#) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let verb = if wanted.running { "started" } else { "stopped" };
    let what = format!("{verb} {}", service.name());
    let log = || audit::changed(pending.peer(), admin, &what);
    let turn = |switch: &Switch| {
        // The body took its time.
        if !state.accounts.holds(admin) {
            return no_longer();
        }
        if switch.set_stopped((!wanted.running).then_some(admin.name.as_str())) {
            log();
        }
        one(state, service)
    };
    let media = match service {
        Service::Capture(media) => media,
        Service::Recording => return turn(state.recordings.switch()),
        Service::Motion => return turn(state.motion.switch()),
    };
    let requester = Requester { name: &admin.name, may: &|| state.accounts.holds(admin), log: &log };
    match state.control.set_running(media, wanted.running, &requester) {
        Ok(()) => one(state, service),
        Err(error) => control_error(&error),
    }
}

fn running(state: &AppState, service: Service) -> Running {
    let stopped_by = match service {
        Service::Capture(media) => state.control.stopped_by(media),
        Service::Recording => state.recordings.switch().stopped_by(),
        Service::Motion => state.motion.switch().stopped_by(),
    };
    Running { running: stopped_by.is_none(), stopped_by }
}
